//! The group as one node sees it, for people and tools: status, wishes, a trace on demand.

use raft::{MemberId, Membership, PeerState, Plan, Restriction, RoleName, Status};
use replica::{Wish, WishError, WishResult};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Wishes that may wait for the replica.
pub(crate) const WISHES_MAX: usize = 64;

/// Lines of a trace that may wait for a reader; one who reads slower loses some.
pub(crate) const TRACE_LINES_MAX: usize = 4096;

/// What a member is known to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its id.
    pub id: u64,
    /// Where its peers reach it.
    pub address: String,
    /// Whether it votes.
    pub is_voter: bool,
    /// What becomes of a learner.
    pub plan: Option<String>,
    /// As the leader knows: its log is equal and durable up to here.
    pub matched: Option<u64>,
    /// As the leader knows: `probe`, `replicate` or `snapshot`.
    pub state: Option<&'static str>,
    /// As the leader knows: milliseconds since it last spoke.
    pub silent_ms: Option<u64>,
}

/// The group as one node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupView {
    /// This member.
    pub member: u64,
    /// `leader`, `follower`, `candidate`, `pre-candidate` or `learner`.
    pub role: &'static str,
    /// Its term.
    pub term: u64,
    /// The leader it knows.
    pub leader: Option<u64>,
    /// Everything up to here is committed.
    pub commit: u64,
    /// Everything up to here is applied.
    pub applied: u64,
    /// The last entry of its log.
    pub last: u64,
    /// The log begins behind this entry.
    pub base: u64,
    /// Whether two sets of voters must agree at present.
    pub is_joint: bool,
    /// Who takes part.
    pub members: Vec<MemberView>,
    /// The highest id that was ever given out.
    pub highest_id: u64,
    /// Why it does not vote, in words.
    pub restriction: Option<String>,
    /// Milliseconds that the oldest unfinished write has taken so far.
    pub disk_stalled_ms: u64,
    /// To whom leadership is on its way.
    pub transfer_to: Option<u64>,
    /// Snapshots on their way out.
    pub snapshots_sending: u64,
    /// Whether a snapshot is coming in.
    pub is_receiving_snapshot: bool,
    /// What damage was found.
    pub health: HealthView,
}

/// What the checks of state and log have found since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HealthView {
    /// The log entry whose record in the state waits for repair.
    pub damaged_record: Option<u64>,
    /// Whether applying stands still because of it.
    pub is_halted: bool,
    /// Records repaired from other members.
    pub records_repaired: u64,
    /// Times the whole state was checked.
    pub scrub_rounds: u64,
    /// Damaged segments of the log given up.
    pub log_segments_given_up: u64,
}

impl GroupView {
    /// What `status` says, with times in milliseconds of `tick_ms` each.
    pub(crate) fn of(
        status: &Status,
        tick_ms: u64,
        addresses: &BTreeMap<MemberId, SocketAddr>,
    ) -> Self {
        let member = |id: MemberId| {
            let progress = status.peers.get(&id);
            MemberView {
                id: id.get(),
                address: addresses.get(&id).map(ToString::to_string).unwrap_or_default(),
                is_voter: status.membership.is_voter(id),
                plan: status.membership.learners().get(&id).map(|plan| plan_text(*plan)),
                matched: progress.map(|progress| progress.matched.get()),
                state: progress.map(|progress| state_name(progress.state)),
                silent_ms: progress.map(|progress| progress.silent_ticks * tick_ms),
            }
        };
        Self {
            member: status.id.get(),
            role: role_name(status.role, &status.membership, status.id),
            term: status.term.get(),
            leader: status.leader.map(MemberId::get),
            commit: status.commit.get(),
            applied: status.applied.get(),
            last: status.last.index.get(),
            base: status.base.index.get(),
            is_joint: status.membership.is_joint(),
            members: status.membership.ids().map(member).collect(),
            highest_id: status.membership.highest().get(),
            restriction: status.restriction.map(restriction_text),
            disk_stalled_ms: status.disk_stalled_ticks * tick_ms,
            transfer_to: status.transfer_to.map(MemberId::get),
            snapshots_sending: 0,
            is_receiving_snapshot: false,
            health: HealthView::default(),
        }
    }
}

fn role_name(role: RoleName, membership: &Membership, id: MemberId) -> &'static str {
    match role {
        RoleName::Follower if membership.learners().contains_key(&id) => "learner",
        RoleName::Follower => "follower",
        RoleName::PreCandidate => "pre-candidate",
        RoleName::Candidate => "candidate",
        RoleName::Leader => "leader",
    }
}

fn state_name(state: PeerState) -> &'static str {
    match state {
        PeerState::Probe => "probe",
        PeerState::Replicate => "replicate",
        PeerState::Snapshot => "snapshot",
    }
}

fn plan_text(plan: Plan) -> String {
    match plan {
        Plan::Stay => "stays a learner".to_owned(),
        Plan::Promote => "votes once it has caught up".to_owned(),
        Plan::Replace(old) => format!("takes the place of member {old} once it has caught up"),
    }
}

fn restriction_text(restriction: Restriction) -> String {
    match restriction {
        Restriction::Founding => "it is new and has not met all founding members yet".to_owned(),
        Restriction::Owes(owed) => {
            format!("its log was damaged and lacks entries up to {}", owed.index)
        }
        Restriction::OwesUnknown => {
            "its log was damaged, and a leader of a newer term must commit something first"
                .to_owned()
        }
    }
}

/// One wish and where its answer goes.
#[derive(Debug)]
pub(crate) struct WishCall {
    pub(crate) wish: Wish,
    pub(crate) reply: oneshot::Sender<WishResult>,
}

/// The way to a node's part in the group.
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) wishes: mpsc::Sender<WishCall>,
    pub(crate) view: watch::Receiver<GroupView>,
    pub(crate) trace: broadcast::Sender<String>,
}

impl Group {
    /// The group as it was a moment ago (at most a few ticks).
    pub fn view(&self) -> GroupView {
        self.view.borrow().clone()
    }

    /// Wishes for another membership or leader, and waits for the answer.
    ///
    /// # Errors
    /// [`WishError`].
    pub async fn wish(&self, wish: Wish) -> WishResult {
        let (reply, answer) = oneshot::channel();
        let stopped = || WishError::Refused("the node is stopping".to_owned());
        self.wishes.try_send(WishCall { wish, reply }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                WishError::Refused("too many wishes are under way".to_owned())
            }
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.unwrap_or(Err(WishError::Unknown))
    }

    /// Messages and transitions from now on, one line each.
    pub fn trace(&self) -> broadcast::Receiver<String> {
        self.trace.subscribe()
    }
}
