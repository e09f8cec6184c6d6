//! What a failed attempt means, in the caller's words.

use std::error::Error as _;

use kv::api::Error;
use kv::caller::{Failure, is_passing};
use tonic::{Code, ConnectError, Status};

/// Reads a failed attempt. What is outside the contract (a call that the server does not know,
/// say) is an error for the caller at once, since no other node will answer better.
pub(super) fn read(status: &Status) -> Result<Failure, Error> {
    if let Some(error) = Error::from_text(status.message()) {
        return Ok(Failure::Refused(error));
    }
    if is_connect_error(status) {
        return Ok(Failure::NotSent);
    }
    match status.code() {
        Code::Unavailable
        | Code::Unknown
        | Code::Internal
        | Code::Cancelled
        | Code::Aborted
        | Code::DeadlineExceeded
        | Code::ResourceExhausted => Ok(Failure::Lost),
        Code::PermissionDenied | Code::Unauthenticated => Err(Error::PermissionDenied),
        _ => Err(Error::OutcomeUnknown),
    }
}

/// The failure of a request that is not tried again.
pub(super) fn error(status: &Status) -> Error {
    match read(status) {
        Ok(Failure::Refused(error)) | Err(error) => error,
        Ok(Failure::NotSent) => Error::Unreachable,
        Ok(Failure::Lost) => Error::OutcomeUnknown,
    }
}

/// The error that ends a watch for good, if this failure is one.
pub(super) fn lasting(status: &Status) -> Option<Error> {
    match read(status) {
        Ok(Failure::Refused(error)) if !is_passing(error) => Some(error),
        Ok(_) => None,
        Err(error) => Some(error),
    }
}

fn is_connect_error(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_by_its_text_before_its_code() {
        let check = |code, text, expect| assert_eq!(read(&Status::new(code, text)), expect);
        let compacted = "etcdserver: mvcc: required revision has been compacted";
        check(Code::OutOfRange, compacted, Ok(Failure::Refused(Error::Compacted)));
        check(Code::Unavailable, "broken pipe", Ok(Failure::Lost));
        check(Code::Unimplemented, "", Err(Error::OutcomeUnknown));
        check(Code::Unauthenticated, "who are you?", Err(Error::PermissionDenied));
    }

    #[test]
    fn a_watch_lives_on_unless_the_refusal_lasts() {
        let check = |error: Error, expect| {
            assert_eq!(lasting(&Status::new(Code::Unknown, error.text())), expect);
        };
        check(Error::NoLeader, None);
        check(Error::Stopped, None);
        check(Error::PermissionDenied, Some(Error::PermissionDenied));
    }
}
