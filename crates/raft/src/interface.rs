//! The two sides of the machine: what may happen to a member, and what it may order.

use crate::{
    ChangeError, ChangeStep, Entries, Entry, HardState, LogId, LogIndex, MemberId, Membership,
    Message, Term,
};
use alloc::vec::Vec;
use bytes::Bytes;

base::typed_u64! {
    /// Names one read (or one batch of reads) of this process; never used twice in its life.
    pub struct ReadId;
    /// Number of a [`Persist`], counted from 1 in each process life.
    pub struct Ticket;
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// The shell's monotonic clock, nanoseconds; needed for [`crate::Config::leader_lease`] only.
    ClockRead {
        /// Now; never less than before, or the lease is given up.
        at_ns: u64,
    },
    /// Somebody wants the membership changed, all at once. Answered in the same step by
    /// [`Effect::ChangeAppended`] or [`Effect::ChangeRefused`].
    ChangeRequested {
        /// What is to change, in this order.
        steps: Vec<ChangeStep>,
    },
    /// Somebody wants another leader.
    TransferRequested {
        /// Whom; `None` for the voter that is best up to date.
        to: Option<MemberId>,
    },
    /// The shell has received a snapshot, and it is durable beside the present state.
    SnapshotReceived {
        /// What it is of.
        snapshot: Snapshot,
    },
    /// The delivery that [`Effect::SendSnapshot`] asked for has ended.
    SnapshotSent {
        /// To whom.
        to: MemberId,
        /// The index of the snapshot that it has now installed, or `None` if it failed.
        installed: Option<LogIndex>,
    },
    /// The state machine's durable state holds everything up to here, and the shell wants the log
    /// before it gone. Ignored if that is gone already.
    LogCutRequested {
        /// The last index to go; at most what is applied.
        through: LogIndex,
    },
    /// Entries that a damaged log lacks, from a peer whose log holds what is owed.
    Refilled {
        /// Consecutive entries.
        entries: Vec<Entry>,
    },
    /// A founding member is known not to have lost anything.
    Admitted,
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
        entries: Entries,
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
    /// The membership change is in the log and in force; it is done when that membership, or the
    /// one that it leads to, is committed and not joint.
    ChangeAppended {
        /// Where.
        index: LogIndex,
    },
    /// Nothing is changed.
    ChangeRefused {
        /// Why.
        reason: ChangeRefused,
    },
    /// Another membership is in force.
    MembershipChanged {
        /// The index of its entry.
        index: LogIndex,
        /// Who takes part.
        membership: Membership,
    },
    /// The transfer cannot begin, or has not happened in time; this member leads on.
    TransferFailed {
        /// Why.
        reason: TransferFailed,
    },
    /// Deliver a snapshot, as new as possible, and report [`Input::SnapshotSent`] in any case.
    SendSnapshot {
        /// To whom.
        to: MemberId,
    },
    /// The snapshot is of no use; forget it.
    SnapshotRefused {
        /// Which.
        snapshot: Snapshot,
    },
    /// The log has been rebased on the snapshot, durably: make it the state, before anything that
    /// is ordered to be applied later; then report [`Input::Applied`] through its index.
    InstallSnapshot {
        /// Which.
        snapshot: Snapshot,
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

/// What a snapshot is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// The last entry whose effects it holds.
    pub last: LogId,
    /// Index of the entry that brought the membership.
    pub membership_index: LogIndex,
    /// The membership at that place.
    pub membership: Membership,
}

/// A log that begins later from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rebase {
    /// What lies at and below `base` is no longer needed.
    Cut {
        /// The last entry to go.
        base: LogId,
    },
    /// A snapshot of everything through `base` takes the place of the log below it.
    Snapshot {
        /// The last entry in the snapshot.
        base: LogId,
        /// Whether the entries behind `base` stay; otherwise the log is empty now.
        keeps_log: bool,
    },
}

/// One write to the disk, to happen as one, in this order: hard state and memberships, rebase,
/// truncation, entries. The shell may merge waiting ones as long as their order is kept, and then
/// reports the highest ticket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Persist {
    /// Reported back when durable.
    pub ticket: Ticket,
    /// The new hard state, if it changed.
    pub hard_state: Option<HardState>,
    /// The memberships to be found again at the next start, if they changed.
    pub memberships: Option<Vec<(LogIndex, Membership)>>,
    /// A new beginning of the log.
    pub rebase: Option<Rebase>,
    /// Entries from here on (as persisted before) are void.
    pub truncate_from: Option<LogIndex>,
    /// Consecutive entries that follow what is kept.
    pub entries: Entries,
}

/// Why nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// Only the leader appends.
    NotLeader {
        /// Whom to ask instead, if known.
        leader: Option<MemberId>,
    },
    /// Too many bytes wait for a commit or for being applied; try later.
    Overloaded,
    /// Leadership is on its way to another member; try there, or later.
    Transferring {
        /// Who is to lead.
        to: MemberId,
    },
}

/// Why the membership is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeRefused {
    /// Only the leader changes it.
    NotLeader {
        /// Whom to ask instead, if known.
        leader: Option<MemberId>,
    },
    /// The leader has committed nothing in its term yet; try again at once.
    NotReady,
    /// Leadership is on its way to another member.
    Transferring {
        /// Who is to lead.
        to: MemberId,
    },
    /// It makes no sense.
    Error(ChangeError),
}

/// Why leadership stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferFailed {
    /// Only the leader can hand over.
    NotLeader {
        /// Whom to ask instead, if known.
        leader: Option<MemberId>,
    },
    /// Another transfer is under way.
    InProgress {
        /// To whom.
        to: MemberId,
    },
    /// That member leads already.
    LeadsAlready,
    /// There is no other voter, or that member is none.
    NotAVoter,
    /// It did not take over within an election timeout.
    TimedOut {
        /// Who should have.
        to: MemberId,
    },
}

/// Why a read ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
