//! What a seed's election is like, and which faults it meets.

use base::Prng;

/// Drawn once from the seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) authorities: u8,
    pub(super) faulty: u8,
    /// Whether the last authority lies instead of running its machine.
    pub(super) has_liar: bool,
    pub(super) voters: u32,
    /// How long the faults last, in milliseconds.
    pub(super) storm_ms: u64,
    /// Longest delay of a call, in milliseconds.
    pub(super) delay_ms_max: u64,
    /// Calls of 1000 that meet a fault.
    pub(super) faulty_calls: u64,
    /// Longest time a record takes to become durable, in milliseconds.
    pub(super) disk_ms_max: u64,
    /// Mean time between crashes, between forks and between set-backs, in milliseconds; `None` for
    /// never.
    pub(super) crash_every_ms: Option<u64>,
    pub(super) fork_every_ms: Option<u64>,
    pub(super) set_back_every_ms: Option<u64>,
}

impl Plan {
    pub(super) fn draw(prng: &mut Prng) -> Self {
        let sets = [(3, 0), (3, 0), (4, 1), (4, 1), (5, 1)];
        let (authorities, faulty) = *prng.pick(&sets).expect("there are some");
        let mut sometimes = |low, high| {
            let every_ms = prng.between(low, high);
            prng.chance(2, 3).then_some(every_ms)
        };
        let crash_every_ms = sometimes(2_000, 10_000);
        let fork_every_ms = sometimes(2_000, 10_000);
        let set_back_every_ms = sometimes(4_000, 15_000);
        Self {
            authorities,
            faulty,
            has_liar: faulty > 0 && prng.chance(1, 2),
            voters: prng.between(8, 20) as u32,
            storm_ms: prng.between(10_000, 30_000),
            delay_ms_max: prng.between(2, 300),
            faulty_calls: prng.between(0, 150),
            disk_ms_max: prng.between(1, 80),
            crash_every_ms,
            fork_every_ms,
            set_back_every_ms,
        }
    }
}
