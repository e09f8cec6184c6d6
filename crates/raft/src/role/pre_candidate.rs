//! Asks whether a campaign could succeed before it starts one (thesis 9.6).
//!
//! A member that is cut off, or whose log is behind, would otherwise raise its term again and again
//! and throw down a working leader when it returns. Asking changes neither term nor vote, on
//! neither side.

use super::{Next, Timer};
use crate::core::Core;
use crate::message::Body;
use crate::quorum::Tally;
use crate::{MemberId, Term};
use alloc::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Hash)]
pub(crate) struct PreCandidate {
    pub(crate) timer: Timer,
    votes: BTreeMap<MemberId, bool>,
}

impl PreCandidate {
    /// Asks all others; a majority of one is there already.
    pub(crate) fn begin(core: &mut Core) -> (Self, Next) {
        let last = core.log.last();
        for peer in core.quorum.others(core.id()) {
            core.send(peer, Body::PreVoteRequest { last });
        }
        let mut this = Self { timer: Timer::start(core), votes: BTreeMap::new() };
        let next = this.count(core, core.id(), true);
        (this, next)
    }

    pub(crate) fn on_ticked(&mut self, core: &Core, jitter: u64) -> Next {
        if self.timer.is_over(core, jitter) { Next::PreCampaign } else { Next::Stay }
    }

    pub(crate) fn on_reply(
        &mut self,
        core: &Core,
        from: MemberId,
        campaign: Term,
        granted: bool,
    ) -> Next {
        if campaign == core.term().next() { self.count(core, from, granted) } else { Next::Stay }
    }

    fn count(&mut self, core: &Core, from: MemberId, granted: bool) -> Next {
        self.votes.insert(from, granted);
        match core.quorum.tally(&self.votes) {
            Tally::Won => Next::Campaign { is_transfer: false },
            Tally::Lost => Next::Follow { leader: None },
            Tally::Open => Next::Stay,
        }
    }
}
