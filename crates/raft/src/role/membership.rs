//! How a leader changes the membership: one change at a time, joint consensus where the voters
//! change, learners promoted as planned, and its own departure.

use super::Next;
use super::leader::{Leader, append};
use super::transfer::Transfer;
use crate::core::Core;
use crate::message::Body;
use crate::mutant::Mutant;
use crate::progress::Progress;
use crate::{ChangeError, ChangeRefused, ChangeStep, LogIndex, MemberId, Membership, Payload};
use alloc::boxed::Box;

/// A member that left hears of it for so many longest election timeouts.
const FAREWELL_TIMEOUTS: u64 = 5;

/// The membership that `steps` lead to, if it may be appended now. Only after an entry of its own
/// term is committed does a leader know the membership of the group; before, two leaders could
/// each count on their own (Ongaro, "bug in single-server membership changes", 2015).
pub(super) fn requested(
    leader: &Leader,
    core: &Core,
    steps: &[ChangeStep],
) -> Result<Membership, ChangeRefused> {
    if let Some(to) = leader.transfer_to() {
        return Err(ChangeRefused::Transferring { to });
    }
    let may_change = core.has(Mutant::SecondChangeAllowed);
    if core.commit < leader.first_own && !may_change {
        return Err(ChangeRefused::NotReady);
    }
    if !core.is_membership_settled() && !may_change {
        return Err(ChangeRefused::Error(ChangeError::InProgress));
    }
    match steps.iter().find_map(|step| leader.promotes_unheard(core, step)) {
        Some(id) => Err(ChangeRefused::Error(ChangeError::NotHeard { id })),
        None => core.membership().changed(steps).map_err(ChangeRefused::Error),
    }
}

/// Whether the membership in force is joint and committed, so that it can be left.
pub(super) fn is_joint_committed(core: &Core) -> bool {
    core.membership().is_joint() && core.membership_index() <= core.commit
}

impl Leader {
    /// The learner that `step` makes a voter although it has acknowledged nothing yet: it may
    /// never have started, and one that starts as a voter cannot tell that from a lost disk.
    fn promotes_unheard(&self, core: &Core, step: &ChangeStep) -> Option<MemberId> {
        let ChangeStep::Promote { id } = *step else { return None };
        let has_acknowledged =
            self.peers.get(&id).is_some_and(|progress| progress.matched > LogIndex::ZERO);
        (core.membership().learners().contains_key(&id) && !has_acknowledged).then_some(id)
    }

    /// One [`Progress`] for each other member. Who left is told so, for a while.
    pub(super) fn adjust_peers(&mut self, core: &Core) {
        let next = core.log.last().index.next();
        for id in core.membership().ids().filter(|id| *id != core.id()) {
            let progress = self.peers.entry(id).or_insert_with(|| Progress::new(next, core.now));
            progress.departs_at = None;
        }
        let farewell_at = core.now + FAREWELL_TIMEOUTS * core.config.election_ticks_max;
        for (id, progress) in &mut self.peers {
            if !core.membership().contains(*id) {
                progress.departs_at = progress.departs_at.or(Some(farewell_at));
            }
        }
    }

    /// Forgets who left and knows it, having answered a round that said so, or cannot be reached.
    fn forget_departed(&mut self, core: &Core) {
        let left_at = core.membership_index();
        let next_round = self.round + 1;
        self.peers.retain(|_, progress| {
            let Some(departs_at) = progress.departs_at else { return true };
            let is_told = progress.matched.min(core.commit) >= left_at;
            let farewell = is_told.then(|| *progress.farewell_round.get_or_insert(next_round));
            let knows = farewell.is_some_and(|round| progress.acked_round >= round);
            core.now < departs_at && !knows
        });
    }

    /// The first learner that has caught up and is to vote is made a voter.
    pub(super) fn promote_who_has_caught_up(&mut self, core: &mut Core) {
        self.forget_departed(core);
        let is_free = core.commit >= self.first_own
            && core.is_membership_settled()
            && self.transfer.is_none();
        if !is_free {
            return;
        }
        let has_caught_up = |id: &MemberId| {
            let lag = core.config.promotion_lag_entries;
            let last = core.log.last().index.get();
            self.peers.get(id).is_some_and(|progress| {
                progress.is_replicating() && last - progress.matched.get() <= lag
            })
        };
        let mut learners = core.membership().learners().keys().copied().filter(has_caught_up);
        let next = learners.find_map(|id| core.membership().promoted(id));
        if let Some(next) = next {
            append(core, Payload::Membership(Box::new(next)));
            self.replicate_all(core);
        }
    }

    /// A leader that is no voter any more leads until that is committed, and one that never was
    /// until its log is; then it names a successor, so that nobody has to wait for a timeout
    /// (thesis 4.2.2).
    pub(super) fn leave_if_removed(&mut self, core: &mut Core) -> Next {
        let is_done = core.is_membership_settled() && core.commit >= self.first_own;
        if core.membership().is_voter(core.id()) || !is_done {
            return Next::Stay;
        }
        if let Some(to) = self.best_voter(core) {
            core.send(to, Body::TimeoutNow);
            self.transfer = Some(Transfer::stepped_aside(to, core.now));
        }
        Next::Follow { leader: None }
    }
}
