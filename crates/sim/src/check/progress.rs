//! R15: what a leader believes about a follower is true: it holds durably what it is said to
//! match, equal to the leader's log; what goes out next lies behind that; and no more is under
//! way than the bounds allow.

use raft::{PeerProgress, RoleName, Status};

use super::{Checker, Violation, violated};
use crate::swarm::Swarm;
use crate::truth::{Fact, FactKind, Member, Truth, member_of};

#[derive(Debug)]
pub(super) struct HonestProgress {
    inflight_messages_max: usize,
    inflight_bytes_max: u64,
}

impl HonestProgress {
    pub(super) fn new(swarm: &Swarm) -> Self {
        // The last append may begin when all but one byte of the window is used.
        let one_append = swarm.append_bytes_max.max(2 * swarm.value_bytes_max + 4096);
        Self {
            inflight_messages_max: swarm.inflight_messages_max,
            inflight_bytes_max: crate::host::INFLIGHT_BYTES_MAX + one_append,
        }
    }

    fn peer(
        &self,
        leader: Member,
        status: &Status,
        peer: Member,
        progress: &PeerProgress,
        truth: &Truth,
    ) -> Result<(), Violation> {
        let it = &truth.members[peer];
        let matched = progress.matched;
        // Once the peer has gone on to a newer term, its log may be another's.
        let own = truth.members[leader].ordered.chain_at(matched);
        if it.hard_state.term <= status.term && !it.holds(matched, own) {
            let text = format!(
                "member {} believes that member {} holds its log up to {matched}; its disk holds \
                 {} entries",
                leader + 1,
                peer + 1,
                it.durable.last_index()
            );
            return violated("R15", text);
        }
        let is_bounded = progress.next > matched
            && progress.inflight_messages <= self.inflight_messages_max
            && progress.inflight_bytes <= self.inflight_bytes_max;
        if !is_bounded {
            let text = format!("member {} sends to {}: {progress:?}", leader + 1, peer + 1);
            return violated("R15", text);
        }
        Ok(())
    }
}

impl Checker for HonestProgress {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Observed]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        let Fact::Observed { member, status } = fact else { return Ok(()) };
        if status.role != RoleName::Leader {
            return Ok(());
        }
        let peers = status.peers.iter();
        peers
            .map(|(id, progress)| (member_of(*id), progress))
            .try_for_each(|(peer, progress)| self.peer(*member, status, peer, progress, truth))
    }
}
