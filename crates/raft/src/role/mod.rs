//! The four roles. Each owns what only it has; what all have is in [`Core`](crate::core::Core).

mod candidate;
mod follower;
mod leader;
mod lease;
mod membership;
mod pre_candidate;
mod transfer;

pub(crate) use candidate::Candidate;
pub(crate) use follower::Follower;
pub(crate) use leader::Leader;
pub(crate) use pre_candidate::PreCandidate;

use crate::core::Core;
use crate::{MemberId, RoleName};

/// What a member is.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Role {
    Follower(Follower),
    PreCandidate(PreCandidate),
    Candidate(Candidate),
    Leader(Leader),
}

/// What a role wants to become; the term stays, except that a campaign begins a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Next {
    Stay,
    Follow {
        leader: Option<MemberId>,
    },
    PreCampaign,
    /// `is_transfer`: the leader asked for it.
    Campaign {
        is_transfer: bool,
    },
    Lead,
}

impl Role {
    pub(crate) fn name(&self) -> RoleName {
        match self {
            Self::Follower(_) => RoleName::Follower,
            Self::PreCandidate(_) => RoleName::PreCandidate,
            Self::Candidate(_) => RoleName::Candidate,
            Self::Leader(_) => RoleName::Leader,
        }
    }

    /// The leader this member knows of.
    pub(crate) fn leader(&self, core: &Core) -> Option<MemberId> {
        match self {
            Self::Follower(follower) => follower.leader(),
            Self::PreCandidate(_) | Self::Candidate(_) => None,
            Self::Leader(_) => Some(core.id()),
        }
    }

    /// Whether a leader is alive as far as this member knows, so that it must not help to replace
    /// it (thesis 4.2.3). A leader itself counts: without contact to a majority it steps down.
    pub(crate) fn is_in_lease(&self, core: &Core) -> bool {
        match self {
            Self::Follower(_) | Self::PreCandidate(_) | Self::Candidate(_) => {
                core.has_heard_leader()
            }
            Self::Leader(_) => true,
        }
    }
}

/// A timeout that is drawn at the first tick after it was set, since only ticks bring chance.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Timer {
    pub(crate) since: u64,
    pub(crate) timeout: Option<u64>,
}

impl Timer {
    /// Starts now.
    pub(crate) fn start(core: &Core) -> Self {
        Self { since: core.now, timeout: None }
    }

    /// Starts again with the same length.
    pub(crate) fn restart(&mut self, core: &Core) {
        self.since = core.now;
    }

    /// Whether it ran out; called on each tick.
    pub(crate) fn is_over(&mut self, core: &Core, jitter: u64) -> bool {
        let timeout = *self.timeout.get_or_insert_with(|| core.draw_timeout(jitter));
        core.now - self.since >= timeout
    }
}
