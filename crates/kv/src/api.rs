//! What a client of the store may say and what it hears: plain data, no wire format.
//!
//! The shapes follow the etcd v3 API (contract 3.5), so that `etcd-api` only translates. The
//! voting system speaks the same vocabulary in process. Revisions, leases and ids are the
//! signed 64-bit integers of that API; 0 keeps etcd's meaning ("newest", "none") and nothing else.

use bytes::Bytes;

pub use crate::error::{Code, Error, Outcome};

/// Keys under this prefix belong to the elections; see [`crate::access`].
pub const RESERVED_PREFIX: &[u8] = b"\0q/";

/// Largest encoded request, in bytes (etcd's `max-request-bytes`).
pub const REQUEST_BYTES_MAX: usize = 1_572_864;

/// Most operations in one transaction, counted as etcd counts them.
pub const TXN_OPERATIONS_MAX: usize = 128;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Read keys.
    Range(RangeRequest),
    /// Write one key.
    Put(PutRequest),
    /// Delete keys.
    DeleteRange(DeleteRangeRequest),
    /// Compare, then one of two lists of operations, atomically.
    Txn(TxnRequest),
    /// Make a lease.
    LeaseGrant(LeaseGrantRequest),
    /// End a lease and delete its keys.
    LeaseRevoke {
        /// Which lease.
        id: i64,
    },
    /// Start a lease's time again.
    LeaseKeepAlive {
        /// Which lease.
        id: i64,
    },
    /// How long a lease still has.
    LeaseTimeToLive {
        /// Which lease.
        id: i64,
        /// Whether the answer lists the attached keys.
        keys: bool,
    },
    /// All leases.
    LeaseLeases,
    /// Put the history below a revision out of reach.
    Compact {
        /// The oldest revision that can still be read.
        revision: i64,
        /// Whether to wait until every trace of it is gone (see [`crate::store`]).
        physical: bool,
    },
    /// A checksum of the answering member's keys as they were; never waits for a quorum.
    Hash {
        /// At which revision, 0 = newest.
        revision: i64,
    },
    /// The answering member's view of the cluster; never waits for a quorum.
    Status,
}

/// What comes back for a [`Request`] of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Response {
    Range(RangeResponse),
    Put(PutResponse),
    DeleteRange(DeleteRangeResponse),
    Txn(TxnResponse),
    LeaseGrant(LeaseGrantResponse),
    LeaseRevoke(Header),
    LeaseKeepAlive(LeaseKeepAliveResponse),
    LeaseTimeToLive(LeaseTimeToLiveResponse),
    LeaseLeases(LeaseLeasesResponse),
    Compact(Header),
    Hash(HashResponse),
    Status(Status),
}

/// What every answer says about the store. Cluster and member ids are added by the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Store revision when the answer was made.
    pub revision: i64,
    /// Raft term of the answering member; 0 inside a transaction's answers.
    pub raft_term: u64,
}

/// One key at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
    /// Revision of the put that created the key.
    pub create_revision: i64,
    /// Revision of the last put.
    pub mod_revision: i64,
    /// Puts since creation; 0 in the event of a deletion.
    pub version: i64,
    /// Attached lease, 0 for none.
    pub lease: i64,
}

/// Which keys: `range_end` empty = the one key; `[0]` = every key from `key` on; else
/// `[key, range_end)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// First key.
    pub key: Bytes,
    /// See the type.
    pub range_end: Bytes,
}

impl KeyRange {
    /// Exactly `key`.
    pub fn single(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), range_end: Bytes::new() }
    }

    /// Every key that starts with `prefix` (every key when it is empty).
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let key: Bytes = prefix.into();
        if key.is_empty() {
            return Self { key: Bytes::from_static(&[0]), range_end: Bytes::from_static(&[0]) };
        }
        let mut end = key.to_vec();
        while let Some(last) = end.pop() {
            if last < 0xff {
                end.push(last + 1);
                return Self { key, range_end: end.into() };
            }
        }
        Self { key, range_end: Bytes::from_static(&[0]) }
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        if self.range_end.is_empty() {
            return self.key == key;
        }
        key >= &self.key[..] && (self.range_end[..] == [0] || key < &self.range_end[..])
    }
}

/// Order of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SortOrder {
    #[default]
    None,
    Ascend,
    Descend,
}

/// What is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SortTarget {
    #[default]
    Key,
    Version,
    Create,
    Mod,
    Value,
}

/// See etcd's `RangeRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeRequest {
    /// Which keys.
    pub range: KeyRange,
    /// Most keys in the answer, 0 = all.
    pub limit: i64,
    /// At which revision, <= 0 = newest.
    pub revision: i64,
    /// Order.
    pub sort_order: SortOrder,
    /// What is sorted by.
    pub sort_target: SortTarget,
    /// Answer from this member's state without asking the quorum.
    pub serializable: bool,
    /// Leave values out.
    pub keys_only: bool,
    /// Leave keys and values out.
    pub count_only: bool,
    /// Bounds on revisions, 0 = none.
    pub min_mod_revision: i64,
    /// See `min_mod_revision`.
    pub max_mod_revision: i64,
    /// See `min_mod_revision`.
    pub min_create_revision: i64,
    /// See `min_mod_revision`.
    pub max_create_revision: i64,
}

/// See etcd's `RangeResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeResponse {
    /// Header.
    pub header: Header,
    /// The keys.
    pub kvs: Vec<KeyValue>,
    /// Whether the limit cut the answer.
    pub more: bool,
    /// Keys in the range, whatever the limit and the filters.
    pub count: i64,
}

/// See etcd's `PutRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutRequest {
    /// The key.
    pub key: Bytes,
    /// Its new value.
    pub value: Bytes,
    /// Lease to attach, 0 = none (and detach the old one).
    pub lease: i64,
    /// Answer with the value before.
    pub prev_kv: bool,
    /// Keep the value, change only the lease.
    pub ignore_value: bool,
    /// Keep the lease, change only the value.
    pub ignore_lease: bool,
}

/// See etcd's `PutResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutResponse {
    /// Header.
    pub header: Header,
    /// The value before, if asked for and there was one.
    pub prev_kv: Option<KeyValue>,
}

/// See etcd's `DeleteRangeRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteRangeRequest {
    /// Which keys.
    pub range: KeyRange,
    /// Answer with what was deleted.
    pub prev_kv: bool,
}

/// See etcd's `DeleteRangeResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteRangeResponse {
    /// Header.
    pub header: Header,
    /// How many keys went.
    pub deleted: i64,
    /// What went, if asked for.
    pub prev_kvs: Vec<KeyValue>,
}

/// How a comparison's two sides must stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CompareResult {
    #[default]
    Equal,
    Greater,
    Less,
    NotEqual,
}

/// What is compared, with the value on the right-hand side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CompareTarget {
    Version(i64),
    Create(i64),
    Mod(i64),
    Value(Bytes),
    Lease(i64),
}

/// One condition of a transaction, evaluated against the state before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// Which keys; for several keys all must satisfy it.
    pub range: KeyRange,
    /// How the key's side must stand to the right-hand side.
    pub result: CompareResult,
    /// What is compared.
    pub target: CompareTarget,
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TxnOperation {
    Range(RangeRequest),
    Put(PutRequest),
    DeleteRange(DeleteRangeRequest),
    Txn(TxnRequest),
}

/// See etcd's `TxnRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxnRequest {
    /// All must hold for `success` to run.
    pub compare: Vec<Compare>,
    /// Runs when all comparisons hold.
    pub success: Vec<TxnOperation>,
    /// Runs otherwise.
    pub failure: Vec<TxnOperation>,
}

/// Answer of one [`TxnOperation`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TxnResult {
    Range(RangeResponse),
    Put(PutResponse),
    DeleteRange(DeleteRangeResponse),
    Txn(TxnResponse),
}

/// See etcd's `TxnResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxnResponse {
    /// Header.
    pub header: Header,
    /// Whether `success` ran.
    pub succeeded: bool,
    /// One answer per operation that ran.
    pub responses: Vec<TxnResult>,
}

/// See etcd's `LeaseGrantRequest`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseGrantRequest {
    /// Wished time to live, seconds.
    pub ttl: i64,
    /// Wished id, 0 = the member that takes the call picks one before it proposes.
    pub id: i64,
}

/// See etcd's `LeaseGrantResponse`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseGrantResponse {
    /// Header.
    pub header: Header,
    /// The lease.
    pub id: i64,
    /// Granted time to live, seconds.
    pub ttl: i64,
}

/// See etcd's `LeaseKeepAliveResponse`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseKeepAliveResponse {
    /// Header.
    pub header: Header,
    /// The lease.
    pub id: i64,
    /// New time to live, seconds; 0 when there is no such lease.
    pub ttl: i64,
}

/// See etcd's `LeaseTimeToLiveResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseTimeToLiveResponse {
    /// Header.
    pub header: Header,
    /// The lease.
    pub id: i64,
    /// Remaining seconds; -1 when there is no such lease.
    pub ttl: i64,
    /// Granted seconds.
    pub granted_ttl: i64,
    /// Attached keys, if asked for.
    pub keys: Vec<Bytes>,
}

/// See etcd's `LeaseLeasesResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseLeasesResponse {
    /// Header.
    pub header: Header,
    /// All leases, ascending.
    pub leases: Vec<i64>,
}

/// See etcd's `HashKVResponse`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashResponse {
    /// Header.
    pub header: Header,
    /// Equal on all members that hold the same keys at that revision.
    pub hash: u32,
    /// The oldest revision that can still be read, 0 if nothing was compacted.
    pub compact_revision: i64,
    /// The revision that was summed up.
    pub hash_revision: i64,
}

/// The answering member's view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Header.
    pub header: Header,
    /// The answering member.
    pub member_id: u64,
    /// The leader it knows.
    pub leader: Option<u64>,
    /// Last index in its log.
    pub raft_index: u64,
    /// Last index it applied.
    pub raft_applied_index: u64,
    /// Highest index it knows to be committed.
    pub raft_commit_index: u64,
    /// Bytes of its state on disk.
    pub db_size: i64,
    /// Bytes of live keys and values.
    pub db_size_in_use: i64,
    /// The voters of the cluster, ascending.
    pub voters: Vec<u64>,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum EventKind {
    Put,
    Delete,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The key after it (a deletion has key and `mod_revision` only).
    pub kv: KeyValue,
    /// The key before it, if asked for and still known.
    pub prev_kv: Option<KeyValue>,
}

/// Opens one watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchRequest {
    /// Which keys.
    pub range: KeyRange,
    /// First revision wanted, 0 = from now on.
    pub start_revision: i64,
    /// Say something now and then though nothing happens.
    pub progress_notify: bool,
    /// Leave puts out.
    pub no_put: bool,
    /// Leave deletions out.
    pub no_delete: bool,
    /// Events carry the value before.
    pub prev_kv: bool,
}

/// What a watch delivers. All events of one revision come in one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchResponse {
    /// The watch stands; always the first message.
    Created {
        /// Store revision at that moment.
        header: Header,
    },
    /// Changes, in revision order.
    Events {
        /// Header.
        header: Header,
        /// The changes.
        events: Vec<Event>,
    },
    /// Everything up to the header's revision was delivered.
    Progress {
        /// Header.
        header: Header,
    },
    /// The watch has ended.
    Canceled {
        /// Header.
        header: Header,
        /// Compacted revision when the start lies below it, else 0.
        compact_revision: i64,
        /// Why, for a person.
        reason: String,
    },
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody at the client listener.
    Public,
    /// The voting system inside the process.
    Internal,
}
