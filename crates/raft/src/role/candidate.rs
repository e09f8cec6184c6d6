//! Campaigns: a new term, a vote for itself, and a request to all others (Raft paper 5.2).
//!
//! The requests leave, and the own vote counts, only when the new term and the vote are durable.
//! Since writes become durable in order, so is the log that the requests boast of; otherwise a
//! member could lose its last entries in a crash and still win with the votes they earned.

use super::{Next, Timer};
use crate::MemberId;
use crate::core::Core;
use crate::message::Body;
use crate::quorum::Tally;
use alloc::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Candidate {
    pub(crate) timer: Timer,
    votes: BTreeMap<MemberId, bool>,
}

impl Candidate {
    pub(crate) fn begin(core: &mut Core, is_transfer: bool) -> Self {
        core.enter_term(core.term().next());
        core.give_vote(core.id());
        let last = core.log.last();
        for peer in core.quorum.others(core.id()) {
            core.send(peer, Body::VoteRequest { last, is_transfer });
        }
        Self { timer: Timer::start(core), votes: BTreeMap::new() }
    }

    pub(crate) fn on_ticked(&mut self, core: &Core, jitter: u64) -> Next {
        // While the disk does not even take this term, a further one would only pile up writes.
        let is_over = self.timer.is_over(core, jitter) && core.durability.is_hard_state_durable();
        if is_over { Next::PreCampaign } else { Next::Stay }
    }

    pub(crate) fn on_persisted(&mut self, core: &Core) -> Next {
        if core.durability.is_hard_state_durable() {
            self.on_reply(core, core.id(), true)
        } else {
            Next::Stay
        }
    }

    pub(crate) fn on_reply(&mut self, core: &Core, from: MemberId, granted: bool) -> Next {
        self.votes.insert(from, granted);
        match core.quorum.tally(&self.votes) {
            // Nobody can answer a request that has not left yet; whoever does is not believed.
            Tally::Won if core.durability.is_hard_state_durable() => Next::Lead,
            Tally::Won => Next::Stay,
            Tally::Lost => Next::Follow { leader: None },
            Tally::Open => Next::Stay,
        }
    }
}
