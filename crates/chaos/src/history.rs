//! What clients asked and heard, and what the members delivered afterwards: plain data.
//!
//! Every write carries a value that no other write carries, so that a write whose outcome is
//! unknown is recognised when it is seen. Times are nanoseconds of one clock of this process.

use base::Prng;
use bytes::Bytes;

/// A key of the workload, by number.
pub(crate) type Key = u16;

/// The number that makes a written value unique; 0 stands for bytes that are none of ours.
pub(crate) type Value = u64;

/// All keys of the workload start with this.
pub(crate) const PREFIX: &str = "c/";

/// Keys from here on hang on leases; each lease has one of its own.
pub(crate) const LEASE_KEY_MIN: Key = 1_000;

/// One call of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Which client.
    pub(crate) client: u32,
    /// The node it was sent to, from 1; 0 when the client chose by itself.
    pub(crate) node: u8,
    /// Just before the call.
    pub(crate) called_ns: u64,
    pub(crate) call: Call,
    pub(crate) outcome: Outcome,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Write(Write),
    /// A linearizable read of the keys in `first..end`.
    Read {
        first: Key,
        end: Key,
    },
}

/// A put, or a transaction of puts, at most one deletion and at most one comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Write {
    /// Happens only if this key's last change has this revision (0: there is no such key).
    pub(crate) compare: Option<(Key, i64)>,
    /// These keys get the value. At least one; none twice.
    pub(crate) puts: Vec<Key>,
    /// This key is deleted; none of `puts`.
    pub(crate) delete: Option<Key>,
    pub(crate) value: Value,
    /// The puts hang on this lease; 0 for none.
    pub(crate) lease: i64,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered {
        /// Just after the answer.
        returned_ns: u64,
        answer: Answer,
    },
    /// The store said that it did not and will not happen.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// An answer of the store; `revision` is the header's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Written {
        revision: i64,
        deleted: u32,
    },
    /// The comparison failed; this was there instead.
    Unequal {
        revision: i64,
        found: Vec<Stored>,
    },
    Read {
        revision: i64,
        found: Vec<Stored>,
    },
}

/// A key as the store holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) value: Value,
    pub(crate) create_revision: i64,
    pub(crate) mod_revision: i64,
    pub(crate) version: i64,
    pub(crate) lease: i64,
}

/// One event of a watch; `put` is `None` for a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) revision: i64,
    pub(crate) key: Key,
    pub(crate) put: Option<Stored>,
}

/// What one member says when all is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) number: u8,
    /// A watch of everything from the compacted revision on, behind what a watcher had been told
    /// before.
    pub(crate) events: Vec<Event>,
    /// A linearizable read of everything, ascending by key.
    pub(crate) state: Vec<Stored>,
    /// The header's revision of that read.
    pub(crate) revision: i64,
}

/// The life of one lease, as its holder saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Chosen by the holder, so that a grant without an answer is known all the same.
    pub(crate) id: i64,
    /// In the order of the calls; they do not overlap.
    pub(crate) acts: Vec<LeaseAct>,
}

/// One call about a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeaseAct {
    /// Just before the call.
    pub(crate) called_ns: u64,
    pub(crate) kind: LeaseActKind,
    pub(crate) outcome: LeaseOutcome,
}

/// What the holder asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseActKind {
    Grant,
    Renew,
    Revoke,
}

/// What it heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseOutcome {
    /// Granted, renewed or revoked; `revision` is the header's, `ttl_s` what the lease has now.
    Done { returned_ns: u64, revision: i64, ttl_s: i64 },
    /// There is no such lease.
    Gone { returned_ns: u64 },
    /// It did not happen, for another reason.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// One reader of changes, over all its streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watcher {
    pub(crate) number: u32,
    /// The keys in `first..end`.
    pub(crate) first: Key,
    pub(crate) end: Key,
    /// Whether it asks for the values before.
    pub(crate) wants_previous: bool,
    /// One after the other, each opened where the one before had stopped.
    pub(crate) streams: Vec<WatchStream>,
}

/// What one stream delivered until it broke.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WatchStream {
    /// The node, from 1.
    pub(crate) node: u8,
    /// The revision asked for; 0 for whatever comes.
    pub(crate) start: i64,
    /// The header's revision of the first message.
    pub(crate) created: i64,
    pub(crate) messages: Vec<WatchMessage>,
}

/// One message of a stream; without events it tells of progress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WatchMessage {
    pub(crate) received_ns: u64,
    /// The header's revision.
    pub(crate) revision: i64,
    pub(crate) events: Vec<Event>,
    /// The values before, one for each event, if they were asked for.
    pub(crate) previous: Vec<Option<Stored>>,
}

/// History was put out of reach, or was to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Compaction {
    /// Just before the call.
    pub(crate) called_ns: u64,
    /// The oldest revision that is left.
    pub(crate) revision: i64,
    /// Just after it was acknowledged, if it was.
    pub(crate) returned_ns: Option<u64>,
}

/// A linearizable read of the keys in `first..end` as they were at `revision`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PastRead {
    pub(crate) called_ns: u64,
    pub(crate) returned_ns: u64,
    pub(crate) revision: i64,
    pub(crate) first: Key,
    pub(crate) end: Key,
    pub(crate) answer: PastAnswer,
}

/// What it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PastAnswer {
    Found(Vec<Stored>),
    /// Refused: compacted.
    Compacted,
    /// Refused: a future revision.
    Future,
}

/// Everything the checker looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) operations: Vec<Operation>,
    pub(crate) leases: Vec<Lease>,
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) compactions: Vec<Compaction>,
    pub(crate) past_reads: Vec<PastRead>,
    pub(crate) members: Vec<Member>,
    /// When the members were read back.
    pub(crate) ended_ns: u64,
    /// So many revisions can belong to keys that clients do not see.
    pub(crate) hidden_max: u64,
}

/// The bytes of a key.
pub(crate) fn key_bytes(key: Key) -> Bytes {
    Bytes::from(format!("{PREFIX}{key:05}"))
}

/// The key with these bytes.
pub(crate) fn key_of(bytes: &[u8]) -> Option<Key> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix(PREFIX)?;
    let key = text.parse().ok()?;
    (key_bytes(key) == bytes).then_some(key)
}

/// The bytes of a value: its number and a filling that follows from it, mostly short, sometimes
/// longer than a sector or a page.
pub(crate) fn value_bytes(value: Value) -> Bytes {
    let mut random = Prng::named(value, "value");
    let len = match random.below(400) {
        0 => random.between(4_000, 20_000),
        1..=20 => random.between(200, 1_200),
        _ => random.below(60),
    };
    let mut bytes = vec![0; len as usize];
    random.fill(&mut bytes);
    let mut whole = value.to_be_bytes().to_vec();
    whole.append(&mut bytes);
    Bytes::from(whole)
}

/// The number of a value; 0 when a single byte differs from what was written.
pub(crate) fn value_of(bytes: &[u8]) -> Value {
    let Some(number) = bytes.first_chunk::<8>().map(|first| u64::from_be_bytes(*first)) else {
        return 0;
    };
    if value_bytes(number) == bytes { number } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_read_back_and_foreign_bytes_are_not() {
        for key in [0, 7, 65_535] {
            assert_eq!(key_of(&key_bytes(key)), Some(key));
        }
        assert_eq!(key_of(b"c/7"), None);
        for value in 1..2_000 {
            let bytes = value_bytes(value);
            assert_eq!(value_of(&bytes), value);
            let mut damaged = bytes.to_vec();
            let last = damaged.len() - 1;
            damaged[last] ^= 1;
            assert_ne!(value_of(&damaged), value);
        }
        assert_eq!(value_of(b"short"), 0);
    }
}
