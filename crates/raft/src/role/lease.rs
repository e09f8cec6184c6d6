//! The leader's lease (thesis 6.4.1): for some time after a round of heartbeats that a majority
//! answered, no other member can have become leader, so reads need no round of their own.
//!
//! Whoever answers a round refuses to vote for `election_ticks_min` ticks of its own clock. The
//! lease therefore ends that long after the *start* of the round on this leader's clock, less the
//! ticks' grain and twice the drift bound. Its start is taken from a reading made before the round
//! left, its use from one made after the read came in, so a process that stood still in between
//! finds the lease over. A read that comes without a reading of its own, as a follower's may, goes
//! by a round of heartbeats.
//!
//! It is void for the rest of the leadership once this leader told a member to campaign at once
//! (that message may arrive at any time), and once the clock went back.

use crate::core::Core;
use alloc::collections::VecDeque;

/// At most this many rounds are waited for; older ones grant nothing.
const ROUNDS_MAX: usize = 64;

/// See the module.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Lease {
    /// Rounds under way, with the clock before they left.
    rounds: VecDeque<(u64, u64)>,
    until_ns: Option<u64>,
    is_void: bool,
}

impl Lease {
    /// Round `round` of heartbeats is about to leave.
    pub(super) fn on_round_started(&mut self, round: u64, core: &Core) {
        let Some(clock_ns) = core.clock_ns.filter(|_| core.config.leader_lease.is_some()) else {
            return;
        };
        if self.rounds.len() == ROUNDS_MAX {
            self.rounds.pop_front();
        }
        self.rounds.push_back((round, clock_ns));
    }

    /// A majority answered round `round` or a later one.
    pub(super) fn on_confirmed(&mut self, round: u64, core: &Core) {
        let Some(lease_ns) = core.config.lease_ns() else { return };
        while let Some((_, started_ns)) = self.rounds.front().filter(|(begun, _)| *begun <= round) {
            self.until_ns = self.until_ns.max(Some(started_ns.saturating_add(lease_ns)));
            self.rounds.pop_front();
        }
    }

    /// Somebody may campaign at any time from now on.
    pub(super) fn give_up(&mut self) {
        self.is_void = true;
    }

    /// Whether nobody else can lead now.
    pub(super) fn holds(&self, core: &Core) -> bool {
        let is_sound = !self.is_void && !core.is_clock_doubted && core.is_clock_fresh;
        match (core.clock_ns, self.until_ns) {
            (Some(now_ns), Some(until_ns)) => is_sound && now_ns < until_ns,
            _ => false,
        }
    }
}
