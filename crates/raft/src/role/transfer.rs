//! Handing leadership over (thesis 3.10): take no more commands, wait until the successor holds
//! the whole log, tell it to campaign at once.
//!
//! The same way is taken when this leader's disk stalls: its log still reaches the others, only
//! its own disk does not confirm it, so a successor can hold everything while this member hangs.

use super::leader::Leader;
use crate::core::Core;
use crate::message::Body;
use crate::{Effect, MemberId, TransferFailed};

/// After so many times its patience a leader with a stalled disk steps down without a successor.
const PATIENCE_TIMES: u64 = 2;

/// A transfer under way.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Transfer {
    to: MemberId,
    /// It is given up at this tick.
    pub(crate) deadline: u64,
    /// The successor was told to campaign.
    is_told: bool,
}

impl Transfer {
    /// A leader that goes in any case.
    pub(super) fn stepped_aside(to: MemberId, now: u64) -> Self {
        Self { to, deadline: now, is_told: true }
    }
}

impl Leader {
    /// To whom leadership is on its way.
    pub(crate) fn transfer_to(&self) -> Option<MemberId> {
        self.transfer.as_ref().map(|transfer| transfer.to)
    }

    /// Whether the successor was told to campaign.
    pub(super) fn has_stepped_aside(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.is_told)
    }

    pub(crate) fn on_transfer_requested(&mut self, core: &mut Core, to: Option<MemberId>) {
        if let Err(reason) = self.begin_transfer(core, to) {
            core.effects.push(Effect::TransferFailed { reason });
        }
    }

    fn begin_transfer(
        &mut self,
        core: &mut Core,
        to: Option<MemberId>,
    ) -> Result<(), TransferFailed> {
        if let Some(to) = self.transfer_to() {
            return Err(TransferFailed::InProgress { to });
        }
        if to == Some(core.id()) {
            return Err(TransferFailed::LeadsAlready);
        }
        let to = to.or_else(|| self.best_voter(core)).ok_or(TransferFailed::NotAVoter)?;
        if !core.membership().voters().contains(&to) || !self.peers.contains_key(&to) {
            return Err(TransferFailed::NotAVoter);
        }
        let deadline = core.now + core.config.election_ticks_max;
        self.transfer = Some(Transfer { to, deadline, is_told: false });
        self.replicate_all(core);
        Ok(())
    }

    /// The voter that lacks the least, of those that were heard lately.
    pub(super) fn best_voter(&self, core: &Core) -> Option<MemberId> {
        let patience = core.config.election_ticks_min;
        let voters = core.membership().voters();
        let is_fit = |(id, progress): &(&MemberId, &crate::progress::Progress)| {
            voters.contains(id) && core.now - progress.heard_at < patience
        };
        let fit = self.peers.iter().filter(is_fit);
        fit.max_by_key(|(_, progress)| progress.matched).map(|(id, _)| *id)
    }

    /// Gives up what takes too long; begins when the disk stalls.
    pub(super) fn on_ticked_transfer(&mut self, core: &mut Core) {
        if let Some(transfer) = self.transfer.take_if(|transfer| core.now >= transfer.deadline) {
            let reason = TransferFailed::TimedOut { to: transfer.to };
            core.effects.push(Effect::TransferFailed { reason });
        }
        let has_stalled =
            core.durability.stalled_ticks(core.now) >= core.config.disk_patience_ticks;
        if has_stalled && self.transfer.is_none() {
            // Without a fit successor the next tick tries again.
            let _ = self.begin_transfer(core, None);
        }
    }

    /// Whether the disk has stalled so long that no leader is better than this one. A group of one
    /// has nobody to wait for.
    pub(super) fn has_stalled_for_good(&self, core: &Core) -> bool {
        let patience = core.config.disk_patience_ticks.saturating_mul(PATIENCE_TIMES);
        let is_alone = core.quorum.is_sole_voter(core.id());
        !is_alone && core.durability.stalled_ticks(core.now) >= patience
    }

    /// Tells the successor to campaign once it holds everything.
    pub(super) fn drive_transfer(&mut self, core: &mut Core) {
        let Some(transfer) = self.transfer.as_mut().filter(|transfer| !transfer.is_told) else {
            return;
        };
        let matched = self.peers.get(&transfer.to).map(|progress| progress.matched);
        if matched == Some(core.log.last().index) {
            transfer.is_told = true;
            core.send(transfer.to, Body::TimeoutNow);
            self.give_up_lease();
        }
    }
}
