//! What a member is started with, and the refusal of what makes no sense.

use crate::mutant::Mutant;
use crate::{Entry, HardState, LogId, LogIndex, MemberId};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

/// How a member behaves. Times are in ticks of the shell's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This member.
    pub id: MemberId,
    /// A number that differs in each process life of this member (a start counter or a random
    /// number). An answer to a forwarded read of an earlier life is told apart by it.
    pub incarnation: u64,
    /// All members that vote, this one included.
    pub voters: BTreeSet<MemberId>,
    /// A follower that heard its leader fewer ticks ago than this does not help to replace it.
    /// Must exceed `heartbeat_ticks`.
    pub election_ticks_min: u64,
    /// Timeouts are drawn from `election_ticks_min..=election_ticks_max`; a leader without contact
    /// to a quorum for `election_ticks_max` ticks steps down.
    pub election_ticks_max: u64,
    /// A leader speaks to every member at least this often. At least 1.
    pub heartbeat_ticks: u64,
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

impl Config {
    /// A usable configuration: heartbeats each tick, election after 10 to 20 ticks, 1 MiB appends.
    pub fn new(id: MemberId, voters: BTreeSet<MemberId>, incarnation: u64) -> Self {
        Self {
            id,
            incarnation,
            voters,
            election_ticks_min: 10,
            election_ticks_max: 20,
            heartbeat_ticks: 1,
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
            ("append_bytes_max", self.append_bytes_max),
            ("inflight_messages_max", self.inflight_messages_max as u64),
            ("inflight_bytes_max", self.inflight_bytes_max),
            ("uncommitted_bytes_max", self.uncommitted_bytes_max),
            ("apply_bytes_max", self.apply_bytes_max),
        ];
        if let Some((field, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Zero { field });
        }
        if !self.voters.contains(&self.id) {
            return Err(ConfigError::NotAVoter { id: self.id });
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
        Ok(())
    }
}

/// What the disk gave back at the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Term and vote.
    pub hard_state: HardState,
    /// The state machine holds everything up to here.
    pub applied: LogIndex,
    /// The id of the first entry of each term in the log, ascending.
    pub term_starts: Vec<LogId>,
    /// The id of the last entry; [`LogId::ZERO`] for an empty log.
    pub last: LogId,
    /// The end of the log: at least everything above `applied`.
    pub tail: Vec<Entry>,
}

impl Recovered {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let corrupt = |what| Err(ConfigError::Inconsistent { what });
        let ascending =
            |pair: &[LogId]| pair[0].term < pair[1].term && pair[0].index < pair[1].index;
        if !self.term_starts.windows(2).all(ascending) {
            return corrupt("the terms' first entries do not ascend");
        }
        let newest = self.term_starts.last().copied();
        let empty = self.last.index == LogIndex::ZERO;
        if empty != newest.is_none() || empty != (self.last == LogId::ZERO) {
            return corrupt("the log's last entry and its terms do not agree");
        }
        if newest.is_some_and(|start| start.term != self.last.term || start.index > self.last.index)
        {
            return corrupt("the last term's first entry does not fit the log's last entry");
        }
        if self.term_starts.first().is_some_and(|start| start.index.get() != 1) {
            return corrupt("the log does not begin at index 1");
        }
        if self.hard_state.term < self.last.term {
            return corrupt("the log is of a newer term than the hard state");
        }
        if self.applied > self.last.index {
            return corrupt("more is applied than the log holds");
        }
        self.check_tail()
    }

    fn check_tail(&self) -> Result<(), ConfigError> {
        let corrupt = |what| Err(ConfigError::Inconsistent { what });
        let Some(first) = self.tail.first() else {
            if self.applied < self.last.index {
                return corrupt("entries above the applied index are missing");
            }
            return Ok(());
        };
        if first.id.index == LogIndex::ZERO || first.id.index > self.applied.next() {
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
    /// The member is not in its own set of voters.
    NotAVoter {
        /// The member.
        id: MemberId,
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
            Self::NotAVoter { id } => {
                write!(f, "raft: member {id} is not in its own list of voters; add it there")
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
