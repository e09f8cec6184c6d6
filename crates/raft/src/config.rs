//! What a member is started with, and the refusal of what makes no sense.

use crate::mutant::Mutant;
use crate::{Entry, HardState, LogId, LogIndex, MemberId, Membership};
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// How a member behaves. Times are in ticks of the shell's clock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This member.
    pub id: MemberId,
    /// A number that differs in each process life of this member (a start counter or a random
    /// number). An answer to a forwarded read of an earlier life is told apart by it.
    pub incarnation: u64,
    /// A follower that heard its leader fewer ticks ago than this does not help to replace it.
    /// Must exceed `heartbeat_ticks`.
    pub election_ticks_min: u64,
    /// Timeouts are drawn from `election_ticks_min..=election_ticks_max`; a leader without contact
    /// to a quorum for `election_ticks_max` ticks steps down.
    pub election_ticks_max: u64,
    /// A leader speaks to every member at least this often. At least 1.
    pub heartbeat_ticks: u64,
    /// A member that has just started votes for nobody during its first `election_ticks_min`
    /// ticks, as if it had just heard a leader: it may have promised one to wait. Must be on at
    /// every member before any member uses `leader_lease`.
    pub waits_at_start: bool,
    /// Reads without a round of heartbeats while the leader's lease lasts (thesis 6.4.1). The
    /// shell must then give [`crate::Input::ClockRead`] before each tick, and right before each
    /// read or received message that is to profit; another read waits for a round.
    pub leader_lease: Option<LeaderLease>,
    /// A leader whose disk has not finished a write for this many ticks hands over.
    pub disk_patience_ticks: u64,
    /// A learner that lacks at most this many entries counts as caught up.
    pub promotion_lag_entries: u64,
    /// An append carries at most this many bytes of entries, or a single larger entry.
    pub append_bytes_max: u64,
    /// At most this many unanswered appends to one member. At least 1.
    pub inflight_messages_max: usize,
    /// No further append to a member while this many bytes are unanswered. At least 1.
    pub inflight_bytes_max: u64,
    /// Proposals are refused while more bytes than this wait for their commit. At least 1; a
    /// single larger batch passes when nothing waits.
    pub uncommitted_bytes_max: u64,
    /// Entries that are durable and applied stay in memory, for slow followers, up to this.
    pub cache_bytes: u64,
    /// At most this many bytes are handed out to be applied at a time, or a single larger entry.
    pub apply_bytes_max: u64,
    /// A seeded bug.
    #[cfg(any(test, feature = "mutants"))]
    pub mutant: Option<Mutant>,
}

/// What the lease of a leader rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaderLease {
    /// True length of a tick, nanoseconds. A tick never comes earlier than this after the one
    /// before it: a shell that was held up leaves out what it missed. Ticks that catch up would
    /// end a follower's patience before its time.
    pub tick_ns: u64,
    /// How much faster or slower than true time any member's clock may run, in parts per million.
    /// A clock that is worse can make a read stale; nothing else depends on it.
    pub drift_ppm_max: u64,
}

impl Config {
    /// A usable configuration: heartbeats each tick, election after 10 to 20 ticks, 1 MiB appends.
    pub fn new(id: MemberId, incarnation: u64) -> Self {
        Self {
            id,
            incarnation,
            election_ticks_min: 10,
            election_ticks_max: 20,
            heartbeat_ticks: 1,
            waits_at_start: false,
            leader_lease: None,
            disk_patience_ticks: 1000,
            promotion_lag_entries: 64,
            append_bytes_max: 1 << 20,
            inflight_messages_max: 256,
            inflight_bytes_max: 16 << 20,
            uncommitted_bytes_max: 64 << 20,
            cache_bytes: 64 << 20,
            apply_bytes_max: 4 << 20,
            #[cfg(any(test, feature = "mutants"))]
            mutant: None,
        }
    }

    /// Whether the seeded bug `mutant` is on; never without the feature `mutants`.
    pub(crate) fn has(&self, mutant: Mutant) -> bool {
        #[cfg(any(test, feature = "mutants"))]
        return self.mutant == Some(mutant);
        #[cfg(not(any(test, feature = "mutants")))]
        {
            let _ = mutant;
            false
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let at_least_one = [
            ("election_ticks_min", self.election_ticks_min),
            ("heartbeat_ticks", self.heartbeat_ticks),
            ("disk_patience_ticks", self.disk_patience_ticks),
            ("append_bytes_max", self.append_bytes_max),
            ("inflight_messages_max", self.inflight_messages_max as u64),
            ("inflight_bytes_max", self.inflight_bytes_max),
            ("uncommitted_bytes_max", self.uncommitted_bytes_max),
            ("apply_bytes_max", self.apply_bytes_max),
        ];
        if let Some((field, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Zero { field });
        }
        if self.election_ticks_min > self.election_ticks_max {
            return Err(ConfigError::TimeoutRange {
                min: self.election_ticks_min,
                max: self.election_ticks_max,
            });
        }
        if self.heartbeat_ticks >= self.election_ticks_min {
            return Err(ConfigError::HeartbeatTooSlow {
                heartbeat: self.heartbeat_ticks,
                patience_min: self.election_ticks_min,
            });
        }
        match self.leader_lease {
            Some(_) if !self.waits_at_start => Err(ConfigError::LeaseWithoutWait),
            Some(lease) if lease.drift_ppm_max >= 1_000_000 => {
                Err(ConfigError::Drift { drift_ppm_max: lease.drift_ppm_max })
            }
            _ => Ok(()),
        }
    }

    /// How long a lease lasts on the leader's clock after the start of the round that confirmed
    /// it, nanoseconds.
    ///
    /// A follower that answered refuses to vote for at least `election_ticks_min - 1` whole ticks
    /// of its own clock. That clock may run fast and the leader's slow, each by the drift bound.
    pub(crate) fn lease_ns(&self) -> Option<u64> {
        let LeaderLease { tick_ns, drift_ppm_max } = self.leader_lease?;
        if self.has(Mutant::LeaseWithoutMargin) {
            return Some(self.election_ticks_max.saturating_mul(tick_ns));
        }
        let wait_ns = u128::from((self.election_ticks_min - 1).saturating_mul(tick_ns));
        let (slow, fast) = (1_000_000 - drift_ppm_max, 1_000_000 + drift_ppm_max);
        let lease_ns = wait_ns * u128::from(slow) / u128::from(fast);
        Some(u64::try_from(lease_ns).unwrap_or(u64::MAX))
    }
}

/// Why a member may not vote yet, although it has a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Restriction {
    /// Its folder is new. It could be one that lost everything it had promised, so the shell first
    /// has to find out that it is not ([`crate::Input::Admitted`]). Until then it hears nobody:
    /// even an acknowledgement could help a leader that it once helped to replace.
    Founding,
    /// Damage took a part of its log, which once was durable up to here. It votes again once its
    /// log is at least as up to date: whoever it helps to elect then holds all that its lost
    /// entries helped to commit.
    Owes(LogId),
    /// Damage took a part of its log and nothing says how much. It votes again once it holds
    /// everything committed by a leader of a newer term, which was elected without it; or it learns
    /// from the leader of its term what it owes ([`crate::Raft::learn_owed`]).
    OwesUnknown,
}

/// What the disk gave back at the start of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Term and vote.
    pub hard_state: HardState,
    /// The log begins after this entry; what it and those before brought about is in a snapshot.
    pub base: LogId,
    /// Memberships by the index of their entry, ascending: the newest one that may be committed,
    /// and all behind it. Never empty; a member that waits to be taken in knows an empty one.
    pub memberships: Vec<(LogIndex, Membership)>,
    /// The state machine holds everything up to here. Below `base` it has lost something and needs
    /// a snapshot.
    pub applied: LogIndex,
    /// The id of the first entry of each term in the log after `base`, ascending. If the term of
    /// `base` goes on, the first entry after it begins the list.
    pub term_starts: Vec<LogId>,
    /// The id of the last entry; `base` for an empty log.
    pub last: LogId,
    /// The end of the log: at least everything above `applied` and `base`.
    pub tail: Vec<Entry>,
    /// Whether it may vote.
    pub restriction: Option<Restriction>,
}

impl Default for Recovered {
    /// A member that waits to be taken in.
    fn default() -> Self {
        Self::empty(Membership::default())
    }
}

impl Recovered {
    /// An empty disk in a group that starts with `membership`.
    pub fn empty(membership: Membership) -> Self {
        Self {
            hard_state: HardState::default(),
            base: LogId::ZERO,
            memberships: vec![(LogIndex::ZERO, membership)],
            applied: LogIndex::ZERO,
            term_starts: Vec::new(),
            last: LogId::ZERO,
            tail: Vec::new(),
            restriction: None,
        }
    }

    /// An empty disk in a group that starts with these voters, of which nothing else is known.
    pub fn founding(voters: BTreeSet<MemberId>) -> Self {
        let nameless = voters.into_iter().map(|id| (id, Bytes::new()));
        Self::empty(Membership::founding(nameless))
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let corrupt = |what| Err(ConfigError::Inconsistent { what });
        let ascending =
            |pair: &[LogId]| pair[0].term < pair[1].term && pair[0].index < pair[1].index;
        if !self.term_starts.windows(2).all(ascending) {
            return corrupt("the terms' first entries do not ascend");
        }
        let is_empty = self.last == self.base;
        if self.last.index < self.base.index || is_empty != self.term_starts.is_empty() {
            return corrupt("the log's last entry and its terms do not agree");
        }
        let newest = self.term_starts.last().copied();
        if newest.is_some_and(|start| start.term != self.last.term || start.index > self.last.index)
        {
            return corrupt("the last term's first entry does not fit the log's last entry");
        }
        let first = self.term_starts.first();
        if first.is_some_and(|start| start.index != self.base.index.next()) {
            return corrupt("the log does not begin right behind its base");
        }
        if first.is_some_and(|start| start.term < self.base.term) {
            return corrupt("the log begins with an older term than its base has");
        }
        if self.hard_state.term < self.last.term {
            return corrupt("the log is of a newer term than the hard state");
        }
        if self.applied > self.last.index {
            return corrupt("more is applied than the log holds");
        }
        self.check_memberships()?;
        self.check_tail()
    }

    fn check_memberships(&self) -> Result<(), ConfigError> {
        let corrupt = |what| Err(ConfigError::Inconsistent { what });
        let indexes: Vec<LogIndex> = self.memberships.iter().map(|(index, _)| *index).collect();
        let Some(newest) = indexes.last() else {
            return corrupt("there is no membership, not even an empty one");
        };
        if !indexes.is_sorted_by(|a, b| a < b) || *newest > self.last.index {
            return corrupt("the memberships do not fit the log");
        }
        Ok(())
    }

    fn check_tail(&self) -> Result<(), ConfigError> {
        let corrupt = |what| Err(ConfigError::Inconsistent { what });
        let settled = self.applied.max(self.base.index);
        let Some(first) = self.tail.first() else {
            if settled < self.last.index {
                return corrupt("entries above the applied index are missing");
            }
            return Ok(());
        };
        if first.id.index <= self.base.index || first.id.index > settled.next() {
            return corrupt("the tail does not reach down to the applied index");
        }
        for (offset, entry) in self.tail.iter().enumerate() {
            let index = first.id.index.plus(offset as u64);
            let run = self.term_starts.partition_point(|start| start.index <= index);
            let term = run.checked_sub(1).map(|run| self.term_starts[run].term);
            if entry.id.index != index || Some(entry.id.term) != term {
                return corrupt("the tail's entries do not fit the terms' first entries");
            }
        }
        if self.tail.last().map(|entry| entry.id) != Some(self.last) {
            return corrupt("the tail does not end at the log's last entry");
        }
        Ok(())
    }
}

/// Why a member cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// A limit or time that must be at least 1 is 0.
    Zero {
        /// Which one.
        field: &'static str,
    },
    /// A lease is worth nothing if members that just started may vote.
    LeaseWithoutWait,
    /// A drift bound at which clocks stand still.
    Drift {
        /// Parts per million.
        drift_ppm_max: u64,
    },
    /// The bounds of the election timeout are swapped.
    TimeoutRange {
        /// Lower bound, ticks.
        min: u64,
        /// Upper bound, ticks.
        max: u64,
    },
    /// Followers would give up between two heartbeats.
    HeartbeatTooSlow {
        /// Ticks between heartbeats.
        heartbeat: u64,
        /// Lower bound of the election timeout, ticks.
        patience_min: u64,
    },
    /// What was recovered contradicts itself: the data folder is damaged or mixed up.
    Inconsistent {
        /// In what way.
        what: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero { field } => write!(f, "raft: {field} must be at least 1"),
            Self::LeaseWithoutWait => {
                write!(f, "raft: leader_lease needs waits_at_start, here and at every other member")
            }
            Self::Drift { drift_ppm_max } => {
                write!(f, "raft: drift_ppm_max {drift_ppm_max} must be below 1000000")
            }
            Self::TimeoutRange { min, max } => {
                write!(f, "raft: election_ticks_min {min} is above election_ticks_max {max}")
            }
            Self::HeartbeatTooSlow { heartbeat, patience_min } => write!(
                f,
                "raft: heartbeat_ticks {heartbeat} must be below election_ticks_min {patience_min}"
            ),
            Self::Inconsistent { what } => {
                write!(f, "raft: the recovered state is damaged: {what}")
            }
        }
    }
}

impl core::error::Error for ConfigError {}
