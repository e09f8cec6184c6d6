//! Refusals as gRPC statuses. etcd's clients map them back by their text.

use kv::api::{Code, Error};
use tonic::Status;

/// The status that says `error`.
pub(crate) fn status(error: Error) -> Status {
    let code = match error.code() {
        Code::InvalidArgument => tonic::Code::InvalidArgument,
        Code::OutOfRange => tonic::Code::OutOfRange,
        Code::ResourceExhausted => tonic::Code::ResourceExhausted,
        Code::NotFound => tonic::Code::NotFound,
        Code::FailedPrecondition => tonic::Code::FailedPrecondition,
        Code::PermissionDenied => tonic::Code::PermissionDenied,
        Code::Unavailable => tonic::Code::Unavailable,
        Code::DataLoss => tonic::Code::DataLoss,
        Code::Canceled => tonic::Code::Cancelled,
        Code::DeadlineExceeded => tonic::Code::DeadlineExceeded,
        Code::Unimplemented => tonic::Code::Unimplemented,
        Code::Unknown => tonic::Code::Unknown,
    };
    Status::new(code, error.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_keeps_its_text() {
        for &error in Error::ALL {
            assert_eq!(Error::from_text(status(error).message()), Some(error));
        }
        let compacted = status(Error::Compacted);
        assert_eq!(compacted.code(), tonic::Code::OutOfRange);
        assert_eq!(compacted.message(), "etcdserver: mvcc: required revision has been compacted");
    }
}
