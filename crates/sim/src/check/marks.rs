//! Marks: proof that the interesting things happen.
//!
//! A simulator that never reaches a branch finds nothing there, and says so to nobody. Each mark
//! is something that a hundred seeds must have seen; `sim run` fails when one stays at zero.

use std::collections::BTreeMap;

use kv::api::{Error, Outcome, Request, Response};
use raft::{Body, LogIndex, Rebase, RoleName};

use crate::truth::{Fact, Member, Truth};

listed! {
    /// Something that must happen now and then.
    Mark:

    /// A member became candidate.
    CampaignBegan;
    /// A member became leader.
    LeaderElected;
    /// A leader became something else without dying.
    LeaderSteppedDown;
    /// A pre-vote was refused.
    PreVoteRefused;
    /// A vote was refused.
    VoteRefused;
    /// An append did not fit.
    AppendRejected;
    /// A follower cut its log.
    LogCut;
    /// A follower cut its log while a write of what it cut was under way.
    LogCutUnsynced;
    /// Entries were read back from the disk for a slow follower.
    LogReadBack;
    /// A follower asked the leader for the index of a read.
    ReadForwarded;
    /// The leader could not confirm a read.
    ReadUnconfirmed;
    /// A command came to the log twice and counted once.
    CommandRepeated;
    /// A process died while its log was writing.
    DiedWhileSyncing;
    /// A process died while its state was applying.
    DiedWhileApplying;
    /// A leader's process died.
    DiedAsLeader;
    /// A candidate's process died.
    DiedAsCandidate;
    /// A process died between two operations of its disk.
    DiedWriting;
    /// A process died while it opened its folders.
    DiedOpening;
    /// A start found writes that nobody had synced.
    UnsyncedSurvived;
    /// A start found that unsynced writes were lost.
    UnsyncedLost;
    /// A start found a state behind the log.
    StateBehindLog;
    /// A frame arrived damaged and was dropped.
    FrameDamaged;
    /// A woken process found all its missed ticks at once.
    TickBurst;
    /// A caller heard that the outcome is unknown.
    OutcomeUnknown;
    /// A caller heard that the call will never happen.
    RefusedForCertain;
    /// A pre-candidate's process died.
    DiedAsPreCandidate;
    /// A process died while reads waited for their index.
    DiedWhileReading;
    /// A start found damage and refused.
    RefusedDamage;
    /// A running process met damage and stopped.
    StoppedByDamage;
    /// The log waited until there was space.
    LogWaitedForSpace;
    /// The state waited until there was space.
    StateWaitedForSpace;
    /// Entries could not be read back.
    LoadFailed;
    /// A log opened with a loss.
    LossFound;
    /// A damaged log was whole again.
    LossSettled;
    /// A member found a damaged record in its state while it ran.
    RecordDamaged;
    /// A member repaired a record of its state from another member.
    RecordRepaired;
    /// A member checked its whole state.
    ScrubRound;
    /// A member found an old segment of its log damaged while it ran.
    LogRotten;
    /// Entries came from a peer for a damaged log.
    EntriesSent;
    /// A membership was committed that two sets of voters share.
    JointCommitted;
    /// An uncommitted membership was cut away again.
    MembershipUndone;
    /// A learner was taken in.
    LearnerAdded;
    /// A voter was taken in at once.
    VoterAdded;
    /// A learner became a voter.
    LearnerPromoted;
    /// A voter became a learner.
    VoterDemoted;
    /// A member was removed.
    MemberRemoved;
    /// A leader that was removed stepped down.
    LeaderRemoved;
    /// A member took the place of another.
    MemberReplaced;
    /// A wish was fulfilled.
    WishFulfilled;
    /// A wish was refused.
    WishRefused;
    /// The outcome of a wish is not known.
    WishUnknown;
    /// A leader told another member to campaign.
    TransferBegan;
    /// Somebody campaigned because its leader wished it.
    TransferCampaign;
    /// A member was removed whose machine had lost everything.
    WipedReplaced;
    /// The log was cut at its beginning.
    LogShortened;
    /// A snapshot was announced.
    SnapshotOffered;
    /// A part of a snapshot could not be read.
    ExportFailed;
    /// A part of a snapshot could not be taken in.
    StageFailed;
    /// A part of a snapshot came.
    SnapshotPart;
    /// A snapshot became the state.
    SnapshotInstalled;
    /// A snapshot took the place of the whole log.
    SnapshotReplacedLog;
    /// A state was found behind the beginning of its log.
    StateBelowBase;
    /// A member lost everything.
    Wiped;
    /// A clock jumped ahead.
    ClockJumped;
    /// A clock stood still while its process ran.
    ClockFrozen;
    /// A call or an answer did not pass between caller and member.
    CallerCutOff;
    /// An answer came when its caller had given up.
    AnswerTooLate;
    /// A leader was cut off as soon as it led, the one before being healed.
    Overthrown;
    /// A caller gave up.
    CallGivenUp;
    /// A core lived while somebody outside was dead.
    CoreWithoutDead;
    /// A core lived while somebody outside heard nothing of it.
    CoreWithDeaf;
    /// A core lived while somebody outside was not heard.
    CoreWithMute;
    /// A core lived while somebody outside sent everything twice and heard nothing.
    CoreFlooded;
    /// A core lived while somebody outside was cut off.
    CoreWithIsolated;
    /// More were damaged than could be borne, and the group stopped.
    StoppedForGood;
    /// A leader of an old term was told so.
    OldLeaderTold;
    /// A message of an older term arrived.
    OldMessage;
    /// A member voted.
    VoteGranted;
    /// An append carried entries of more than one term.
    MixedTermsAppended;
    /// A leader had as many appends under way to somebody as it may.
    WindowFull;
    /// A compare-and-swap found what it compared with.
    SwapSucceeded;
    /// A compare-and-swap found something else.
    SwapFailed;
    /// A watch went on where another had ended.
    WatchResumed;
    /// A watch had to read what happened before from the store.
    WatchBehind;
    /// A watch was to begin at a revision that was still to come.
    WatchInFuture;
    /// A watch said how far it was.
    WatchProgress;
    /// A watch ended since what it lacked was compacted.
    WatchCompacted;
    /// A snapshot took the place of a state that was watched.
    WatchOverSnapshot;
    /// The past was read.
    PastRead;
    /// A read of the past was refused, since it was compacted.
    PastRefused;
    /// A read of the future was refused.
    FutureRefused;
    /// The past was compacted.
    Compacted;
    /// A lease was granted.
    LeaseGranted;
    /// A lease was renewed.
    LeaseRenewed;
    /// A lease was revoked.
    LeaseRevoked;
    /// A holder heard that its lease had ended.
    LeaseFoundEnded;
    /// The time of a lease had come.
    LeaseExpired;
}

/// Marks that only many seeds must hit.
const RARE: &[Mark] = &[Mark::RefusedDamage, Mark::StageFailed, Mark::WipedReplaced];
const RARE_FROM: u64 = 5000;

/// How often each mark was hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    hits: [u64; Mark::COUNT],
    roles: BTreeMap<Member, RoleName>,
    durable: BTreeMap<Member, LogIndex>,
    /// Members that died with writes under way.
    died_writing: BTreeMap<Member, bool>,
    /// Appends that may be under way to one member.
    inflight_max: usize,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            hits: [0; Mark::COUNT],
            roles: BTreeMap::new(),
            durable: BTreeMap::new(),
            died_writing: BTreeMap::new(),
            inflight_max: usize::MAX,
        }
    }
}

impl Marks {
    /// No hits; a leader may have `inflight_max` appends under way to one member.
    pub fn new(inflight_max: usize) -> Self {
        Self { inflight_max, ..Self::default() }
    }

    /// Hits `mark` once.
    pub fn hit(&mut self, mark: Mark) {
        self.hits[mark as usize] += 1;
    }

    /// Hits `mark` if `condition` holds.
    pub fn hit_if(&mut self, mark: Mark, condition: bool) {
        if condition {
            self.hit(mark);
        }
    }

    /// How often `mark` was hit.
    pub fn count(&self, mark: Mark) -> u64 {
        self.hits[mark as usize]
    }

    /// Adds the hits of another run.
    pub fn add(&mut self, other: &Self) {
        self.hits.iter_mut().zip(&other.hits).for_each(|(mine, more)| *mine += more);
    }

    /// The marks that were never hit and had to be in `seeds` seeds.
    pub fn dead(&self, seeds: u64) -> Vec<Mark> {
        let is_due = |mark: &Mark| seeds >= RARE_FROM || !RARE.contains(mark);
        Mark::ALL.iter().copied().filter(|mark| self.count(*mark) == 0 && is_due(mark)).collect()
    }

    /// Looks at `fact`, which `truth` has taken in already.
    pub(crate) fn see(&mut self, fact: &Fact<'_>, truth: &Truth) {
        match fact {
            Fact::Became { member, role, .. } => self.role(*member, *role),
            Fact::Ordered { persist, .. } if persist.rebase.is_some() => {
                self.hit_if(Mark::LogShortened, matches!(persist.rebase, Some(Rebase::Cut { .. })));
                self.hit_if(
                    Mark::SnapshotReplacedLog,
                    matches!(persist.rebase, Some(Rebase::Snapshot { keeps_log: false, .. })),
                );
            }
            Fact::Ordered { member, persist } if persist.truncate_from.is_some() => {
                self.hit_if(Mark::MembershipUndone, persist.memberships.is_some());
                self.hit(Mark::LogCut);
                // The order itself is among the pending ones.
                let cuts_unsynced = truth.members[*member].pending.len() > 1;
                self.hit_if(Mark::LogCutUnsynced, cuts_unsynced);
            }
            Fact::Persisted { member, .. } => {
                self.durable.insert(*member, truth.members[*member].durable.last_index());
            }
            Fact::Died { member } => {
                let writes = truth.members[*member].pending.iter();
                let writes = writes.map(|order| order.entries.len()).sum::<usize>() > 0;
                self.died_writing.insert(*member, writes);
                self.roles.remove(member);
            }
            Fact::Opened { member, recovered } => {
                let durable = self.durable.get(member).copied().unwrap_or_default();
                let wrote = self.died_writing.remove(member) == Some(true);
                let more = recovered.last.index > durable;
                self.hit_if(Mark::UnsyncedSurvived, wrote && more);
                self.hit_if(Mark::UnsyncedLost, wrote && !more);
                self.hit_if(Mark::LossFound, recovered.restriction.is_some());
                self.hit_if(Mark::StateBehindLog, recovered.applied < recovered.last.index);
                self.durable.insert(*member, recovered.last.index);
            }
            Fact::Offered { .. } => self.hit(Mark::SnapshotOffered),
            Fact::Sent { message, .. } => self.message(&message.body),
            Fact::Received { member, message, .. } => {
                self.hit_if(Mark::OldMessage, message.term < truth.members[*member].term);
            }
            Fact::Observed { status, .. } => {
                let is_full =
                    |peer: &raft::PeerProgress| peer.inflight_messages >= self.inflight_max;
                if status.peers.values().any(is_full) {
                    self.hit(Mark::WindowFull);
                }
            }
            Fact::Answered { request, result, .. } => self.answered(request, result),
            _ => {}
        }
    }

    fn answered(&mut self, request: &Request, result: &Result<Response, Error>) {
        match result {
            Ok(Response::Txn(txn)) if has_compare(request) => {
                let mark = if txn.succeeded { Mark::SwapSucceeded } else { Mark::SwapFailed };
                self.hit(mark);
            }
            Ok(Response::Range(_)) if is_past(request) => self.hit(Mark::PastRead),
            Ok(Response::Compact(_)) => self.hit(Mark::Compacted),
            Ok(Response::LeaseGrant(_)) => self.hit(Mark::LeaseGranted),
            Ok(Response::LeaseRevoke(_)) => self.hit(Mark::LeaseRevoked),
            Ok(Response::LeaseKeepAlive(kept)) => self.hit(match kept.ttl > 0 {
                true => Mark::LeaseRenewed,
                false => Mark::LeaseFoundEnded,
            }),
            Err(Error::LeaseNotFound) => self.hit(Mark::LeaseFoundEnded),
            Ok(_) => {}
            Err(Error::Compacted) if is_past(request) => self.hit(Mark::PastRefused),
            Err(Error::FutureRevision) if is_past(request) => self.hit(Mark::FutureRefused),
            Err(error) => self.hit(match error.outcome() {
                Outcome::Unknown => Mark::OutcomeUnknown,
                Outcome::NotApplied => Mark::RefusedForCertain,
            }),
        }
    }

    fn role(&mut self, member: Member, role: RoleName) {
        let before = self.roles.insert(member, role);
        if before == Some(role) {
            return;
        }
        self.hit_if(Mark::CampaignBegan, role == RoleName::Candidate);
        self.hit_if(Mark::LeaderElected, role == RoleName::Leader);
        self.hit_if(Mark::LeaderSteppedDown, before == Some(RoleName::Leader));
    }

    fn message(&mut self, body: &Body) {
        match body {
            Body::PreVoteReply { granted: false, .. } => self.hit(Mark::PreVoteRefused),
            Body::VoteReply { granted: true } => self.hit(Mark::VoteGranted),
            Body::TimeoutNow => self.hit(Mark::TransferBegan),
            Body::VoteRequest { is_transfer: true, .. } => self.hit(Mark::TransferCampaign),
            Body::NewerTerm => self.hit(Mark::OldLeaderTold),
            Body::Append { entries, .. } => {
                let ends = entries.first().zip(entries.last());
                let mixed = ends.is_some_and(|(first, last)| first.id.term != last.id.term);
                self.hit_if(Mark::MixedTermsAppended, mixed);
            }
            Body::VoteReply { granted: false } => self.hit(Mark::VoteRefused),
            Body::AppendRejected { .. } => self.hit(Mark::AppendRejected),
            Body::ReadRequest { .. } => self.hit(Mark::ReadForwarded),
            Body::ReadReply { index: None, .. } => self.hit(Mark::ReadUnconfirmed),
            _ => {}
        }
    }
}

fn is_past(request: &Request) -> bool {
    matches!(request, Request::Range(range) if range.revision > 0)
}

fn has_compare(request: &Request) -> bool {
    matches!(request, Request::Txn(txn) if !txn.compare.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft::Term;

    #[test]
    fn a_mark_is_dead_until_it_is_hit_anywhere() {
        let (mut one, mut other) = (Marks::default(), Marks::default());
        assert_eq!(one.dead(RARE_FROM), Mark::ALL);
        other.hit_if(Mark::LogCut, false);
        other.hit(Mark::TickBurst);
        one.add(&other);
        assert_eq!(one.dead(RARE_FROM).len(), Mark::ALL.len() - 1);
        assert_eq!(one.count(Mark::TickBurst), 1);
    }

    #[test]
    fn a_leader_that_dies_has_not_stepped_down() {
        let truth = Truth::new(1, 1);
        let mut marks = Marks::default();
        let became = |role| Fact::Became { member: 0, role, term: Term::new(1) };
        marks.see(&became(RoleName::Leader), &truth);
        marks.see(&Fact::Died { member: 0 }, &truth);
        marks.see(&became(RoleName::Follower), &truth);
        assert_eq!(marks.count(Mark::LeaderSteppedDown), 0);
        marks.see(&became(RoleName::Leader), &truth);
        marks.see(&became(RoleName::Follower), &truth);
        assert_eq!(marks.count(Mark::LeaderSteppedDown), 1);
        assert_eq!(marks.count(Mark::LeaderElected), 2);
    }
}
