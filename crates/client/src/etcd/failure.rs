//! What a failed attempt means, and what to do next: the rule that no write happens twice.

use std::error::Error as _;

use kv::api::{Error, Outcome};
use tonic::{Code, ConnectError, Status};

/// Why an attempt gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The node refused, in the store's words.
    Refused(Error),
    /// The request never left: no connection.
    NotSent,
    /// The request may have been sent, and nothing the store would say came back.
    Lost,
    /// The request was answered with something outside the contract, which no other node will
    /// answer better.
    Foreign(Code),
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Try the next node.
    Retry,
    /// Tell the caller.
    Give(Error),
}

impl Failure {
    /// Reads a failed attempt.
    pub(super) fn of(status: &Status) -> Self {
        if let Some(error) = Error::from_text(status.message()) {
            return Self::Refused(error);
        }
        if is_connect_error(status) {
            return Self::NotSent;
        }
        match status.code() {
            Code::Unavailable
            | Code::Unknown
            | Code::Internal
            | Code::Cancelled
            | Code::Aborted
            | Code::DeadlineExceeded
            | Code::ResourceExhausted => Self::Lost,
            code => Self::Foreign(code),
        }
    }

    /// What to do next with a request that is `repeatable` (a read, or a write that may happen
    /// twice without harm).
    pub(super) fn next(self, repeatable: bool) -> Next {
        match self {
            Self::Refused(error) if !is_passing(error) => Next::Give(error),
            Self::Refused(error) if !repeatable && error.outcome() == Outcome::Unknown => {
                Next::Give(error)
            }
            Self::Lost if !repeatable => Next::Give(Error::OutcomeUnknown),
            Self::Foreign(_) => Next::Give(self.error()),
            Self::Refused(_) | Self::NotSent | Self::Lost => Next::Retry,
        }
    }

    /// The failure in the store's words, for a caller who gets no more attempts.
    pub(super) fn error(self) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::NotSent => Error::Unreachable,
            Self::Lost => Error::OutcomeUnknown,
            Self::Foreign(Code::PermissionDenied | Code::Unauthenticated) => {
                Error::PermissionDenied
            }
            Self::Foreign(_) => Error::OutcomeUnknown,
        }
    }
}

/// Whether the same request may be answered better by another node, or a little later.
fn is_passing(error: Error) -> bool {
    matches!(
        error,
        Error::TooManyRequests
            | Error::NoLeader
            | Error::LeaderChanged
            | Error::Stopped
            | Error::Timeout
            | Error::TimeoutLeaderFailure
            | Error::TimeoutConnectionLost
    )
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

    fn check(failure: Failure, read: Next, write: Next) {
        assert_eq!(failure.next(true), read, "{failure:?} of a read");
        assert_eq!(failure.next(false), write, "{failure:?} of a write");
    }

    #[test]
    fn a_write_is_repeated_only_when_it_surely_did_not_happen() {
        check(Failure::NotSent, Next::Retry, Next::Retry);
        check(Failure::Refused(Error::NoLeader), Next::Retry, Next::Retry);
        check(Failure::Refused(Error::TooManyRequests), Next::Retry, Next::Retry);
        check(Failure::Lost, Next::Retry, Next::Give(Error::OutcomeUnknown));
        for unknown in Error::ALL.iter().copied().filter(|e| e.outcome() == Outcome::Unknown) {
            assert_eq!(Failure::Refused(unknown).next(false), Next::Give(unknown));
        }
    }

    #[test]
    fn a_refusal_of_the_request_itself_is_final() {
        for error in [Error::EmptyKey, Error::Compacted, Error::LeaseNotFound, Error::Corrupt] {
            check(Failure::Refused(error), Next::Give(error), Next::Give(error));
        }
    }

    #[test]
    fn a_status_is_read_by_its_text_before_its_code() {
        let of = |code, text| Failure::of(&Status::new(code, text));
        let compacted = "etcdserver: mvcc: required revision has been compacted";
        assert_eq!(of(Code::OutOfRange, compacted), Failure::Refused(Error::Compacted));
        assert_eq!(of(Code::Unavailable, "broken pipe"), Failure::Lost);
        assert_eq!(of(Code::Unimplemented, ""), Failure::Foreign(Code::Unimplemented));
    }
}
