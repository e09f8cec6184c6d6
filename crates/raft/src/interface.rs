//! The two sides of the machine: what may happen to a member, and what it may order.

use crate::{Entry, HardState, LogIndex, MemberId, Message, Term};
use alloc::vec::Vec;
use bytes::Bytes;

base::typed_u64! {
    /// Names one read (or one batch of reads) of this process; never used twice in its life.
    pub struct ReadId;
    /// Number of a [`Persist`], counted from 1 in each process life.
    pub struct Ticket;
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// One tick of the shell's clock went by.
    Ticked {
        /// A fresh random number, used if a new timeout is drawn now.
        jitter: u64,
    },
    /// A message came from the authenticated peer `from`.
    Received {
        /// Who sent it, as the transport knows.
        from: MemberId,
        /// What it said.
        message: Message,
    },
    /// Somebody wants these commands in the log, in this order, as one append.
    Proposed {
        /// The commands; none means nothing happens.
        payloads: Vec<Bytes>,
    },
    /// Somebody wants to read everything committed so far.
    ReadRequested {
        /// Comes back in [`Effect::ReadReady`] or [`Effect::ReadAborted`].
        read: ReadId,
    },
    /// Every [`Persist`] up to and including this one is durable.
    Persisted {
        /// The newest durable one.
        ticket: Ticket,
    },
    /// The state machine has applied everything up to here.
    Applied {
        /// The newest applied index.
        through: LogIndex,
    },
    /// Answer to [`Effect::Load`]: entries from the asked index on, read back from the disk. An
    /// empty answer means that they could not be read now; the core asks again at a later tick.
    Loaded {
        /// Consecutive entries.
        entries: Vec<Entry>,
    },
}

/// An order, to be started in the given sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send `message`; it may be lost, doubled or late.
    Send {
        /// To whom.
        to: MemberId,
        /// What.
        message: Message,
    },
    /// Make this durable and report [`Input::Persisted`].
    Persist(Persist),
    /// Apply these entries, committed and locally durable, in order; report [`Input::Applied`].
    Apply {
        /// Consecutive entries; each index comes once in a process life.
        entries: Vec<Entry>,
    },
    /// Read entries back and report [`Input::Loaded`]. One at a time.
    Load {
        /// The first one needed.
        from: LogIndex,
        /// Enough bytes for one answer; at least one entry is wanted even if it is larger.
        max_bytes: u64,
    },
    /// Serve the read as soon as the state machine has applied `index`.
    ReadReady {
        /// Which read.
        read: ReadId,
        /// Everything committed before the read was asked for is at or below this.
        index: LogIndex,
    },
    /// The read will not be answered; whoever asked may ask again.
    ReadAborted {
        /// Which read.
        read: ReadId,
        /// Why.
        reason: Aborted,
    },
    /// Nothing was appended: the commands come back.
    ProposalRefused {
        /// What was proposed.
        payloads: Vec<Bytes>,
        /// Why.
        reason: Refused,
    },
    /// Role, term or leader changed.
    RoleChanged {
        /// What this member is now.
        role: RoleName,
        /// The term it is in.
        term: Term,
        /// The leader it knows of in that term.
        leader: Option<MemberId>,
    },
}

/// One write to the disk, to happen in this order: hard state, truncation, entries. The shell may
/// merge waiting ones as long as their order is kept, and then reports the highest ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persist {
    /// Reported back when durable.
    pub ticket: Ticket,
    /// The new hard state, if it changed.
    pub hard_state: Option<HardState>,
    /// Entries from here on (as persisted before) are void.
    pub truncate_from: Option<LogIndex>,
    /// Consecutive entries that follow what is kept.
    pub entries: Vec<Entry>,
}

/// Why nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Only the leader appends.
    NotLeader {
        /// Whom to ask instead, if known.
        leader: Option<MemberId>,
    },
    /// Too many bytes wait for a commit or for being applied; try later.
    Overloaded,
}

/// Why a read ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aborted {
    /// No leader is known.
    NoLeader,
    /// The leader that was to confirm the read lost its place.
    LeadershipLost,
    /// The leader did not answer within an election timeout.
    TimedOut,
    /// Too many reads wait already.
    Overloaded,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleName {
    /// Follows a leader or waits for one.
    Follower,
    /// Asks whether a campaign could succeed (thesis 9.6); has promised nothing.
    PreCandidate,
    /// Campaigns in a new term.
    Candidate,
    /// Appends and replicates.
    Leader,
}
