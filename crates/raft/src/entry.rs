//! What the log is made of: ids, entries, and the hard state beside them.

use crate::Membership;
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;

base::typed_u64! {
    /// A member of the group. 0 is an ordinary id here; the shell may forbid it.
    pub struct MemberId;
    /// A logical epoch with at most one leader. Term 0 is before the first campaign.
    pub struct Term;
    /// A position in the log. The first entry has index 1; 0 is the place before it.
    pub struct LogIndex;
}

impl LogIndex {
    /// The place before the first entry.
    pub const ZERO: Self = Self::new(0);

    /// The index one below.
    ///
    /// # Panics
    /// At 0, which has nothing below: a broken invariant of the caller.
    #[inline]
    #[must_use]
    pub const fn before(self) -> Self {
        match self.get().checked_sub(1) {
            Some(raw) => Self::new(raw),
            None => panic!("nothing lies before index 0"),
        }
    }

    /// The index `count` above.
    ///
    /// # Panics
    /// On overflow.
    #[inline]
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        match self.get().checked_add(count) {
            Some(raw) => Self::new(raw),
            None => panic!("log index overflow"),
        }
    }
}

/// Identity of an entry: two logs that hold the same id hold the same entries up to it (log
/// matching, Raft paper 5.3). Ordered by term, then index: "more up to date" is `>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// The term in which a leader created the entry.
    pub term: Term,
    /// Its place in the log.
    pub index: LogIndex,
}

impl LogId {
    /// The place before the first entry.
    pub const ZERO: Self = Self { term: Term::new(0), index: LogIndex::ZERO };

    /// The id of `index` in `term`.
    #[inline]
    pub const fn new(term: Term, index: LogIndex) -> Self {
        Self { term, index }
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.term, self.index)
    }
}

/// What an entry carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Payload {
    /// The first entry of each leader: it commits, by counting, everything before it.
    Empty,
    /// A command of the state machine, opaque here.
    Data(Bytes),
    /// Who takes part from here on; rare, and kept apart so that all other entries stay small.
    Membership(Box<Membership>),
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Term and place.
    pub id: LogId,
    /// Content.
    pub payload: Payload,
}

/// Consecutive entries that never change. Clones share them, so that one copy of what a leader
/// appends serves its disk, every follower in this process's messages, and its state machine.
pub type Entries = Arc<[Entry]>;

impl Entry {
    /// What an entry costs beside its payload, so that empty ones are bounded too.
    pub const OVERHEAD_BYTES: u64 = 32;

    /// What the entry counts towards every limit in bytes.
    #[inline]
    pub fn size_bytes(&self) -> u64 {
        let payload = match &self.payload {
            Payload::Empty => 0,
            Payload::Data(data) => data.len() as u64,
            Payload::Membership(membership) => membership.size_bytes(),
        };
        payload + Self::OVERHEAD_BYTES
    }
}

/// What a member must remember besides its log (Raft paper, figure 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HardState {
    /// The newest term the member has taken part in.
    pub term: Term,
    /// Whom it voted for in that term.
    pub vote: Option<MemberId>,
}
