//! Refusals of the store. The texts are part of the etcd contract: clients map them back.

/// gRPC's codes, as far as the store uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Code {
    InvalidArgument,
    OutOfRange,
    ResourceExhausted,
    NotFound,
    FailedPrecondition,
    PermissionDenied,
    Unavailable,
    DataLoss,
    Canceled,
    DeadlineExceeded,
    Unimplemented,
    Unknown,
}

/// Whether a refused write may have happened all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did not and will not happen.
    NotApplied,
    /// Nobody knows: it may have happened, or may still happen.
    Unknown,
}

macro_rules! errors {
    ($($(#[$meta:meta])* $name:ident, $code:ident, $outcome:ident, $text:literal;)+) => {
        /// A refusal with its code, text and meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Error {$($(#[$meta])* #[doc = $text] $name,)+}

        impl Error {
            /// Every refusal.
            pub const ALL: &'static [Error] = &[$(Error::$name,)+];

            /// Its gRPC code.
            pub fn code(self) -> Code {
                match self {$(Self::$name => Code::$code,)+}
            }

            /// Its exact text.
            pub fn text(self) -> &'static str {
                match self {$(Self::$name => $text,)+}
            }

            /// What a caller may conclude about the write.
            pub fn outcome(self) -> Outcome {
                match self {$(Self::$name => Outcome::$outcome,)+}
            }

            /// The refusal with this text, for clients that read it off the wire.
            pub fn from_text(text: &str) -> Option<Self> {
                match text {$($text => Some(Self::$name),)+ _ => None}
            }
        }
    };
}

errors! {
    EmptyKey, InvalidArgument, NotApplied, "etcdserver: key is not provided";
    KeyNotFound, InvalidArgument, NotApplied, "etcdserver: key not found";
    ValueProvided, InvalidArgument, NotApplied, "etcdserver: value is provided";
    LeaseProvided, InvalidArgument, NotApplied, "etcdserver: lease is provided";
    TooManyOperations, InvalidArgument, NotApplied,
        "etcdserver: too many operations in txn request";
    DuplicateKey, InvalidArgument, NotApplied, "etcdserver: duplicate key given in txn request";
    InvalidSortOption, InvalidArgument, NotApplied, "etcdserver: invalid sort option";
    RequestTooLarge, InvalidArgument, NotApplied, "etcdserver: request is too large";
    Compacted, OutOfRange, NotApplied, "etcdserver: mvcc: required revision has been compacted";
    FutureRevision, OutOfRange, NotApplied,
        "etcdserver: mvcc: required revision is a future revision";
    LeaseTtlTooLarge, OutOfRange, NotApplied, "etcdserver: too large lease TTL";
    NoSpace, ResourceExhausted, NotApplied, "etcdserver: mvcc: database space exceeded";
    TooManyRequests, ResourceExhausted, NotApplied, "etcdserver: too many requests";
    LeaseNotFound, NotFound, NotApplied, "etcdserver: requested lease not found";
    LeaseExists, FailedPrecondition, NotApplied, "etcdserver: lease already exists";
    BadMemberUrls, InvalidArgument, NotApplied, "etcdserver: given member URLs are invalid";
    MemberNotFound, NotFound, NotApplied, "etcdserver: member not found";
    PeerUrlExists, FailedPrecondition, NotApplied, "etcdserver: Peer URLs already exists";
    NotEnoughStarted, FailedPrecondition, NotApplied,
        "etcdserver: re-configuration failed due to not enough started members";
    MemberNotLearner, FailedPrecondition, NotApplied,
        "etcdserver: can only promote a learner member";
    LearnerNotReady, FailedPrecondition, NotApplied,
        "etcdserver: can only promote a learner member which is in sync with leader";
    NotLeader, FailedPrecondition, NotApplied, "etcdserver: not leader";
    BadTransferee, FailedPrecondition, NotApplied, "etcdserver: bad leader transferee";
    UnhealthyCluster, Unavailable, NotApplied, "etcdserver: unhealthy cluster";
    PermissionDenied, PermissionDenied, NotApplied, "etcdserver: permission denied";
    NoLeader, Unavailable, NotApplied, "etcdserver: no leader";
    LeaderChanged, Unavailable, Unknown, "etcdserver: leader changed";
    Stopped, Unavailable, Unknown, "etcdserver: server stopped";
    Timeout, Unavailable, Unknown, "etcdserver: request timed out";
    TimeoutLeaderFailure, Unavailable, Unknown,
        "etcdserver: request timed out, possibly due to previous leader failure";
    TimeoutConnectionLost, Unavailable, Unknown,
        "etcdserver: request timed out, possibly due to connection lost";
    Corrupt, DataLoss, NotApplied, "etcdserver: corrupt cluster";
    Unreachable, Unavailable, Unknown,
        "quorate: no node of the cluster could be reached; \
         check the addresses and that the nodes run";
    OutcomeUnknown, Unavailable, Unknown,
        "quorate: the connection was lost while the request was under way; \
         it may or may not have happened";
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for Error {}
