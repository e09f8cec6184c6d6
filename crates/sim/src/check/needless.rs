//! V4 without faults: once there is a leader, nobody campaigns any more.

use raft::RoleName;

use super::{Checker, Violation, violated};
use crate::swarm::{Regime, Swarm};
use crate::time::{MILLI, Nanos};
use crate::truth::{Fact, FactKind, Truth};

/// Election timeouts within which the first leader must be there.
const SETTLED_TIMEOUTS: u64 = 10;

#[derive(Debug)]
pub(super) struct NoNeedlessCampaigns {
    settled_ns: Option<Nanos>,
}

impl NoNeedlessCampaigns {
    pub(super) fn new(swarm: &Swarm) -> Self {
        let settled_ns = SETTLED_TIMEOUTS * swarm.timing.election_max_ms * MILLI;
        Self { settled_ns: (swarm.regime == Regime::FaultFree).then_some(settled_ns) }
    }
}

impl Checker for NoNeedlessCampaigns {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Became]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        let Fact::Became { member, role, term } = fact else { return Ok(()) };
        let is_campaign = matches!(role, RoleName::PreCandidate | RoleName::Candidate);
        match self.settled_ns {
            Some(settled_ns) if is_campaign && truth.now > settled_ns => {
                let text = format!(
                    "member {} becomes {role:?} in term {term}, though nothing is wrong",
                    member + 1
                );
                violated("V4", text)
            }
            _ => Ok(()),
        }
    }
}
