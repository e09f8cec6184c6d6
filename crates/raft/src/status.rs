//! A look at a member from outside.

use crate::{LogId, LogIndex, MemberId, Membership, Restriction, RoleName, Term};
use alloc::collections::BTreeMap;

/// The state of a member at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This member.
    pub id: MemberId,
    /// What it is.
    pub role: RoleName,
    /// The term it is in.
    pub term: Term,
    /// The leader it knows of in that term.
    pub leader: Option<MemberId>,
    /// Everything up to here is committed.
    pub commit: LogIndex,
    /// Everything up to here is applied.
    pub applied: LogIndex,
    /// The last entry that was cut away or that a snapshot covers.
    pub base: LogId,
    /// The last entry of its log, durable or not.
    pub last: LogId,
    /// The last entry of its log that is durable.
    pub persisted: LogIndex,
    /// Index of the entry that brought the membership in force.
    pub membership_index: LogIndex,
    /// The membership in force.
    pub membership: Membership,
    /// Why it does not vote, although it may have a vote.
    pub restriction: Option<Restriction>,
    /// Ticks that the oldest unfinished write has taken so far.
    pub disk_stalled_ticks: u64,
    /// To whom leadership is on its way.
    pub transfer_to: Option<MemberId>,
    /// The other members as a leader sees them; empty in other roles.
    pub peers: BTreeMap<MemberId, PeerProgress>,
}

/// How far a leader knows another member to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerProgress {
    /// Its log is durable and equal to the leader's up to here.
    pub matched: LogIndex,
    /// The next entry it will be sent.
    pub next: LogIndex,
    /// How it is sent entries.
    pub state: PeerState,
    /// Unanswered appends.
    pub inflight_messages: usize,
    /// Their bytes.
    pub inflight_bytes: u64,
    /// Ticks since it last spoke in this term.
    pub silent_ticks: u64,
}

/// How a leader sends entries to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// One append at a time, to find where the logs agree.
    Probe,
    /// Pipelined.
    Replicate,
    /// Nothing, until a snapshot has been delivered.
    Snapshot,
}
