//! The two sides of a member: what it is told at start, what may happen to it, what it orders.

use crate::admission::Admission;
use crate::cutting::LogKeeping;
use crate::peer::PeerMessage;
use crate::state_store::{Export, StageError};
use crate::state_thread::StateOrder;
use crate::wish::{Wish, WishResult};
use bytes::Bytes;
use kv::api::{Error, Request, Response};
use kv::command::CallOrigin;
use raft::{Entry, LogId, LogIndex, MemberId, Membership, RoleName, Term, Ticket};
use storage::{Chunk, ReadError};

/// Durations, in milliseconds; each is rounded up to whole ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Length of one tick.
    pub tick_ms: u64,
    /// Shortest time without a leader before a member campaigns.
    pub election_min_ms: u64,
    /// Longest such time.
    pub election_max_ms: u64,
    /// Time between two heartbeats.
    pub heartbeat_ms: u64,
    /// How long a caller waits before it hears that the outcome is unknown.
    pub call_ms: u64,
    /// How often the leader moves the clock of the leases.
    pub advance_ms: u64,
    /// How long a follower waits before it hands a write to the leader again.
    pub patience_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            tick_ms: 10,
            election_min_ms: 150,
            election_max_ms: 300,
            heartbeat_ms: 40,
            call_ms: 7000,
            advance_ms: 500,
            patience_ms: 1000,
        }
    }
}

impl Timing {
    pub(crate) fn ticks(&self, duration_ms: u64) -> u64 {
        duration_ms.div_ceil(self.tick_ms).max(1)
    }
}

/// What a member is told at start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Durations; those of consensus replace the ticks in `raft`.
    pub timing: Timing,
    /// Seed for lease ids.
    pub seed: u64,
    /// How far it has been admitted ([`crate::LogStore::admission`]).
    pub admission: Admission,
    /// The members that the group began with, or nobody for a member that joins.
    pub founding: Membership,
    /// Members to ask about admission, for a member that joins.
    pub hints: Vec<MemberId>,
    /// What of the log is kept.
    pub log_keeping: LogKeeping,
    /// Bytes of snapshots that this member sends in a second, at most.
    pub snapshot_bytes_per_second: u64,
    /// A seeded bug.
    #[cfg(feature = "mutants")]
    pub mutant: Option<crate::mutant::Mutant>,
    /// Identity and bounds of consensus. Its incarnation counts the starts of this member
    /// ([`crate::LogStore::open`] counts them).
    pub raft: raft::Config,
}

/// A configuration that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "this member cannot start: {}", self.0)
    }
}

impl core::error::Error for ConfigError {}

/// What was applied, as the state store reports it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppliedReport {
    /// Everything up to here is applied.
    pub through: LogIndex,
    /// Outcome of each call applied for the first time.
    pub outcomes: Vec<(CallOrigin, Result<Response, Error>)>,
    /// State after it.
    pub state: StateSummary,
}

/// Figures of the applied state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSummary {
    /// The last applied entry.
    pub applied: LogIndex,
    /// Store revision.
    pub revision: i64,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// Bytes of live keys and values.
    pub live_bytes: u64,
    /// Leases that are alive.
    pub leases: u64,
    /// A record of the value log that is not what was written and waits for the others' help.
    pub damaged: Option<DamagedRecord>,
    /// Records put right with the help of others since the start.
    pub records_repaired: u64,
    /// How often the whole value log was checked since the start.
    pub scrub_rounds: u64,
}

/// A record of the value log that is not what was written. Each log entry has one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DamagedRecord {
    /// The log entry that it is of.
    pub index: LogIndex,
    /// Whether applying stands still because of it.
    pub halts: bool,
    /// How often what others sent for it was not it.
    pub unproven: u32,
}

/// What may happen to a member.
#[derive(Clone, Debug)]
pub enum Event {
    /// A tick of the clock passed; `jitter` is a fresh random number.
    Ticked {
        /// Randomness for the next campaign timeout.
        jitter: u64,
    },
    /// A peer's message arrived.
    Received {
        /// Who sent it.
        from: MemberId,
        /// What it says.
        message: PeerMessage,
    },
    /// A caller asks; access was checked already.
    Called {
        /// Token for the answer, chosen by the shell, unique among calls under way.
        call: u64,
        /// What it asks.
        request: Request,
    },
    /// Every event that was waiting has been given: now batch and send.
    Drained,
    /// The log made everything up to `ticket` durable.
    Persisted {
        /// The last durable order.
        ticket: Ticket,
    },
    /// The state store applied entries.
    Applied(AppliedReport),
    /// The value log was looked at; `state` says what was found.
    Checked {
        /// State after it.
        state: StateSummary,
        /// Whether it was a step of the background check, and if so whether that came to the end.
        scrub: Option<storage::Scrubbed>,
    },
    /// Records of the state were read for a member that lacks them.
    RecordsRead {
        /// For whom.
        to: MemberId,
        /// The log entry that the first one is of.
        index: LogIndex,
        /// Of consecutive entries; empty if the first one cannot be read.
        records: Vec<Bytes>,
    },
    /// A reader met damage at this offset of the value log.
    DamageMet {
        /// Where the record lies.
        offset: u64,
    },
    /// The log found that these of its durable entries can no longer be read back.
    LogRotten {
        /// The last entry in the damaged segment.
        through: LogIndex,
    },
    /// Entries asked for by [`Effect::Load`].
    Loaded {
        /// In order, without holes, perhaps fewer than asked.
        entries: Vec<Entry>,
        /// What they were asked for.
        purpose: LoadPurpose,
    },
    /// Somebody wishes for another membership or leader; answered by [`Effect::WishAnswered`].
    Wished {
        /// Token for the answer, chosen by the shell.
        call: u64,
        /// What.
        wish: Wish,
    },
    /// The shell's monotonic clock, read right before the event that follows; only lease reads
    /// need it, before each [`Event::Ticked`], [`Event::Received`] and [`Event::Drained`].
    ClockRead {
        /// Nanoseconds.
        at_ns: u64,
    },
    /// [`Effect::Admit`] is durable.
    Admitted {
        /// How far.
        admission: Admission,
    },
    /// The state is durable up to here.
    Synced {
        /// The last entry.
        through: LogIndex,
    },
    /// A snapshot was made.
    ExportOpened {
        /// For whom.
        to: MemberId,
        /// What it is.
        export: Export,
    },
    /// A part of a snapshot was read.
    Exported {
        /// For whom.
        to: MemberId,
        /// The part, or why it cannot be read.
        chunk: Result<Chunk, ReadError>,
    },
    /// A part of a snapshot was taken in.
    Staged {
        /// The byte that is wanted next, or why no more can be taken.
        next: Result<u64, StageError>,
    },
    /// A snapshot that came whole was made durable and compared.
    StageFinished {
        /// Whether it is what was announced.
        outcome: Result<(), StageError>,
    },
}

/// What entries are read back for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadPurpose {
    /// A follower that is behind.
    Consensus,
    /// A member whose log is damaged.
    Mending {
        /// Which.
        to: MemberId,
        /// The entry by which the logs are known to be equal.
        anchor: LogId,
    },
}

/// What a member orders.
#[derive(Clone, Debug)]
pub enum Effect {
    /// To a peer; may be lost.
    Send {
        /// Receiver.
        to: MemberId,
        /// Content.
        message: PeerMessage,
    },
    /// To the log; answered by [`Event::Persisted`].
    Persist(raft::Persist),
    /// To the state store, in sequence.
    State(StateOrder),
    /// The log's loss is made good; it may forget it.
    SettleLoss,
    /// Note durably how far this member has been admitted; answered by [`Event::Admitted`].
    Admit {
        /// How far.
        admission: Admission,
    },
    /// This member must not run: end the process with this reason.
    Stop {
        /// For the person who started it.
        reason: String,
    },
    /// From the log, for a peer that is far behind; answered by [`Event::Loaded`].
    Load {
        /// First index wanted.
        from: LogIndex,
        /// Most bytes of payload.
        max_bytes: u64,
        /// Comes back with the entries.
        purpose: LoadPurpose,
    },
    /// Answer a wish.
    WishAnswered {
        /// Its token.
        call: u64,
        /// The answer.
        result: WishResult,
    },
    /// Another membership is in force: speak to these members.
    MembershipChanged {
        /// Who takes part.
        membership: Membership,
    },
    /// Answer this read from the applied state as it is now or later.
    Read {
        /// Token of the caller.
        call: u64,
        /// What it asks.
        request: Request,
        /// Term for the header.
        term: u64,
    },
    /// Answer a caller.
    Reply {
        /// Its token.
        call: u64,
        /// The answer.
        result: Result<Response, Error>,
    },
    /// For logs and metrics: the role or the known leader is another now.
    RoleChanged {
        /// Role.
        role: RoleName,
        /// Term.
        term: Term,
        /// Known leader.
        leader: Option<MemberId>,
    },
}
