//! What kind of world a seed makes: its size, speeds, limits, workload and faults.
//!
//! Swarm testing (Groce et al., ISSTA 2012): each seed leaves out about half of the fault classes
//! and draws every size anew, so that no feature hides another's bugs by always being there.

use base::Prng;

use crate::net::Latency;
use crate::time::{MILLI, Nanos, SECOND};

/// One class of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultClass {
    /// A process is killed; what it wrote stays readable.
    Kill,
    /// A machine loses power.
    PowerCut,
    /// All machines lose power at once.
    Blackout,
    /// A process dies between two disk operations.
    DieWriting,
    /// A process stands still.
    Pause,
    /// Links are cut, in some shape.
    Partition,
    /// Frames are lost.
    Loss,
    /// Frames arrive twice, the second time late.
    Duplication,
    /// Frames are delayed and overtake each other.
    Reorder,
    /// Frames arrive damaged.
    Corruption,
    /// Syncs take long, or seconds.
    SlowDisk,
    /// A sync fails.
    FailedSync,
    /// A clock runs wrong.
    Drift,
}

impl FaultClass {
    /// Every class.
    pub const ALL: [Self; 13] = [
        Self::Kill,
        Self::PowerCut,
        Self::Blackout,
        Self::DieWriting,
        Self::Pause,
        Self::Partition,
        Self::Loss,
        Self::Duplication,
        Self::Reorder,
        Self::Corruption,
        Self::SlowDisk,
        Self::FailedSync,
        Self::Drift,
    ];

    /// Whether it needs somebody to talk to.
    fn is_network(self) -> bool {
        use FaultClass::{Corruption, Duplication, Loss, Partition, Reorder};
        matches!(self, Partition | Loss | Duplication | Reorder | Corruption)
    }
}

/// A range to draw durations from.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Shortest.
    pub min_ns: Nanos,
    /// Longest.
    pub max_ns: Nanos,
}

impl Span {
    fn new(min_ns: Nanos, max_ns: Nanos) -> Self {
        Self { min_ns, max_ns }
    }

    /// One of them, short ones being more likely.
    pub fn draw(&self, random: &mut Prng) -> Nanos {
        let longest = random.between(self.min_ns, self.max_ns);
        random.between(self.min_ns, longest)
    }
}

/// The drawn configuration of one seed.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// Members of the group.
    pub members: usize,
    /// Simulated time with faults and load.
    pub duration_ns: Nanos,
    /// Durations of each member.
    pub timing: replica::Timing,
    /// Most bytes of entries in one append: small ones make many messages.
    pub append_bytes_max: u64,
    /// Unanswered appends to one member.
    pub inflight_messages_max: usize,
    /// Bytes of entries that stay in memory.
    pub cache_bytes: u64,
    /// Bytes of entries handed to the state machine at a time.
    pub apply_bytes_max: u64,
    /// Segments of the write-ahead log.
    pub log_segment_bytes: u64,
    /// Segments of the value log.
    pub value_segment_bytes: u64,
    /// Healthy links.
    pub latency: Latency,
    /// Healthy syncs.
    pub sync: Span,
    /// Applying one batch.
    pub apply: Span,
    /// Callers.
    pub sessions: usize,
    /// Mean pause of a caller between two calls.
    pub think_ns: Nanos,
    /// How long a caller waits.
    pub patience_ns: Nanos,
    /// Keys the callers share.
    pub keys: u64,
    /// Longest value, bytes.
    pub value_bytes_max: u64,
    /// Fault classes in use.
    pub faults: Vec<FaultClass>,
    /// Mean time between the beginnings of two faults.
    pub fault_every_ns: Nanos,
    /// Length of a fault, or time until a dead process is started again.
    pub fault: Span,
    /// Whether a woken process finds all its missed ticks at once.
    pub ticks_in_bursts: bool,
    /// Chance in 1/100 that a process dies while it opens its folders.
    pub die_opening_percent: u64,
}

/// Least classes of faults in a seed.
const CLASSES_MIN: usize = 4;

impl Swarm {
    /// The configuration of `seed`.
    pub fn of(seed: u64) -> Self {
        let random = &mut Prng::named(seed, "swarm");
        let members = *random.pick(&[3, 3, 3, 3, 3, 5, 5, 5, 4, 2, 1, 7]).unwrap_or(&3);
        let patience_ns = random.between(300, 900) * MILLI;
        let latency_min = random.between(50_000, 500_000);
        let sync_min = random.between(20_000, 400_000);
        Self {
            members,
            duration_ns: 60 * SECOND,
            timing: timing(random),
            append_bytes_max: *random.pick(&[64, 1 << 10, 16 << 10, 1 << 20]).unwrap_or(&64),
            inflight_messages_max: log_uniform(random, 1, 256) as usize,
            cache_bytes: *random.pick(&[0, 4 << 10, 64 << 10, 16 << 20]).unwrap_or(&0),
            apply_bytes_max: log_uniform(random, 64, 1 << 20),
            log_segment_bytes: 512 * log_uniform(random, 32, 512),
            value_segment_bytes: log_uniform(random, 16 << 10, 256 << 10),
            latency: Latency {
                min_ns: latency_min,
                max_ns: latency_min + log_uniform(random, 10_000, 4 * MILLI),
            },
            sync: Span::new(sync_min, sync_min + log_uniform(random, 10_000, 8 * MILLI)),
            apply: Span::new(1_000, log_uniform(random, 10_000, 3 * MILLI)),
            sessions: random.between(64, 96) as usize,
            think_ns: random.between(350, 650) * MILLI,
            patience_ns,
            keys: log_uniform(random, 2, 64),
            value_bytes_max: log_uniform(random, 32, 2 << 10),
            faults: classes(random, members),
            fault_every_ns: random.between(320, 480) * MILLI,
            fault: Span::new(30 * MILLI, random.between(600, 3000) * MILLI),
            ticks_in_bursts: random.chance(1, 2),
            die_opening_percent: *random.pick(&[0, 5, 20]).unwrap_or(&0),
        }
    }
}

fn timing(random: &mut Prng) -> replica::Timing {
    let election_min_ms = random.between(60, 200);
    replica::Timing {
        tick_ms: 10,
        election_min_ms,
        election_max_ms: election_min_ms + random.between(50, 200),
        heartbeat_ms: random.between(10, (election_min_ms - 10) / 2),
        call_ms: random.between(200, 2000),
        patience_ms: random.between(50, 1000),
        ..replica::Timing::default()
    }
}

/// About half of the classes, and not too few; without the network ones for a lonely member.
fn classes(random: &mut Prng, members: usize) -> Vec<FaultClass> {
    let mut possible: Vec<FaultClass> =
        FaultClass::ALL.into_iter().filter(|class| members > 1 || !class.is_network()).collect();
    random.shuffle(&mut possible);
    let count = (0..possible.len()).filter(|_| random.chance(1, 2)).count().max(CLASSES_MIN);
    possible.truncate(count);
    possible.sort_unstable();
    possible
}

/// A number in `low..=high` whose magnitude is uniform.
fn log_uniform(random: &mut Prng, low: u64, high: u64) -> u64 {
    let doublings = (high / low).ilog2();
    let start = low << random.below(u64::from(doublings) + 1);
    random.between(start, (start * 2).min(high).max(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_draws_one_world_and_seeds_differ() {
        assert_eq!(format!("{:?}", Swarm::of(1)), format!("{:?}", Swarm::of(1)));
        assert_ne!(format!("{:?}", Swarm::of(1)), format!("{:?}", Swarm::of(2)));
    }

    #[test]
    fn every_size_and_class_occurs_and_bounds_hold() {
        let (mut sizes, mut seen) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..300 {
            let swarm = Swarm::of(seed);
            sizes.insert(swarm.members);
            seen.extend(swarm.faults.iter().copied());
            assert!(swarm.faults.len() >= CLASSES_MIN);
            assert!(swarm.timing.heartbeat_ms < swarm.timing.election_min_ms);
            assert!(swarm.duration_ns >= 60 * SECOND);
            assert!(swarm.members > 1 || !swarm.faults.iter().any(|class| class.is_network()));
        }
        assert_eq!(sizes, BTreeSet::from([1, 2, 3, 4, 5, 7]));
        assert_eq!(seen.len(), FaultClass::ALL.len());
    }

    #[test]
    fn log_uniform_stays_inside() {
        let mut random = Prng::named(1, "test");
        for _ in 0..1000 {
            assert!((3..=100).contains(&log_uniform(&mut random, 3, 100)));
        }
    }
}
