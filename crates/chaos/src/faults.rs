//! The kinds of faults, whom they strike, and the seeded choice among them.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use base::Prng;
use clap::ValueEnum;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// SIGKILL, and a start
    Kill,
    /// SIGKILL, unsynced data lost or torn, and a start
    PowerCut,
    /// SIGSTOP for 0.1 to 10 s
    Pause,
    /// Packets between nodes dropped, one way or both
    Partition,
    /// No room on the disk for a while
    FullDisk,
    /// One sync fails: the node must stop and come back
    SyncError,
    /// Each write and sync takes some time
    SlowDisk,
    /// Writes and syncs hang for a while
    StuckDisk,
    /// The wall clock jumps
    ClockJump,
    /// A bit of durable data turns
    BitRot,
    /// Leadership is handed over
    Transfer,
    /// A new node takes the place of another
    Replace,
}

impl Kind {
    /// What is done unless `--faults` chooses.
    pub(crate) fn usual() -> BTreeSet<Self> {
        Self::value_variants().iter().copied().collect()
    }

    /// How often it is chosen, beside the others.
    fn weight(self) -> u64 {
        match self {
            Self::Kill => 34,
            Self::PowerCut => 24,
            Self::Pause => 14,
            Self::Partition => 14,
            Self::FullDisk | Self::SyncError | Self::SlowDisk => 5,
            Self::Transfer => 6,
            Self::StuckDisk | Self::ClockJump | Self::Replace => 3,
            Self::BitRot => 2,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("?", |value| value.get_name()))
    }
}

/// Whom a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Who leads at the moment.
    Leader,
    /// All nodes at once.
    All,
    /// Some nodes, not all, by chance.
    Some,
}

impl Aim {
    /// Chooses for a kind of fault.
    pub(crate) fn choose(kind: Kind, random: &mut Prng) -> Self {
        let (leader, all) = match kind {
            Kind::Kill | Kind::PowerCut => (45, 20),
            Kind::Pause => (70, 5),
            Kind::Partition => (60, 10),
            Kind::FullDisk | Kind::SyncError | Kind::StuckDisk | Kind::SlowDisk => (55, 5),
            Kind::ClockJump => (40, 20),
            // Strikes one node and no other, all the time.
            Kind::BitRot => (0, 0),
            Kind::Transfer => (100, 0),
            Kind::Replace => (40, 0),
        };
        match random.below(100) {
            roll if roll < leader => Self::Leader,
            roll if roll < leader + all => Self::All,
            _ => Self::Some,
        }
    }
}

/// Chooses a kind by weight.
pub(crate) fn choose(kinds: &BTreeSet<Kind>, random: &mut Prng) -> Option<Kind> {
    let total: u64 = kinds.iter().map(|kind| kind.weight()).sum();
    let mut roll = random.below(total);
    kinds.iter().copied().find(|kind| {
        let hit = roll < kind.weight();
        roll = roll.saturating_sub(kind.weight());
        hit
    })
}

/// How long a fault lasts: mostly short, so that many fit into a run.
pub(crate) fn duration(kind: Kind, random: &mut Prng) -> Duration {
    let (short, long) = match kind {
        Kind::Pause => ((100, 1_200), (1_200, 10_000)),
        Kind::Partition => ((300, 1_500), (1_500, 5_000)),
        Kind::FullDisk | Kind::SlowDisk => ((300, 1_500), (1_500, 4_000)),
        Kind::StuckDisk => ((200, 1_000), (1_000, 4_000)),
        Kind::Kill | Kind::PowerCut => ((0, 250), (250, 1_500)),
        Kind::SyncError | Kind::ClockJump | Kind::BitRot | Kind::Transfer | Kind::Replace => {
            ((100, 300), (300, 600))
        }
    };
    let (low, high) = if random.chance(1, 10) { long } else { short };
    Duration::from_millis(random.between(low, high))
}

/// The pairs (from, to) whose packets a partition drops; `victim` is the aim, `nodes` all.
pub(crate) fn cut_pairs(
    victim: Option<usize>,
    nodes: &[usize],
    random: &mut Prng,
) -> (&'static str, BTreeSet<(usize, usize)>) {
    let all = nodes.iter().flat_map(|from| nodes.iter().map(move |to| (*from, *to)));
    let all = all.filter(|(from, to)| from != to);
    let Some(victim) = victim else { return ("all apart", all.collect()) };
    let others: Vec<usize> = nodes.iter().copied().filter(|node| *node != victim).collect();
    let other = random.pick(&others).copied().unwrap_or(victim);
    match random.below(5) {
        0 | 1 => ("isolated", all.filter(|pair| pair.0 == victim || pair.1 == victim).collect()),
        2 => ("deaf", all.filter(|pair| pair.1 == victim).collect()),
        3 => ("mute", all.filter(|pair| pair.0 == victim).collect()),
        _ => ("one way to one", BTreeSet::from([(victim, other)])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_kind_and_every_aim_is_chosen() {
        let mut random = Prng::named(1, "faults");
        let mut chosen = BTreeSet::new();
        for _ in 0..2_000 {
            chosen.extend(choose(&Kind::usual(), &mut random));
        }
        assert_eq!(chosen, Kind::usual());
        assert_eq!(choose(&BTreeSet::new(), &mut random), None);
        let aims: Vec<Aim> = (0..100).map(|_| Aim::choose(Kind::Kill, &mut random)).collect();
        assert!([Aim::Leader, Aim::All, Aim::Some].iter().all(|aim| aims.contains(aim)));
    }

    #[test]
    fn partitions_have_the_shape_of_their_name() {
        let mut random = Prng::named(1, "pairs");
        let mut seen = BTreeSet::new();
        for _ in 0..100 {
            let (name, pairs) = cut_pairs(Some(2), &[1, 2, 4], &mut random);
            let len = match name {
                "isolated" => 4,
                "deaf" | "mute" => 2,
                _ => 1,
            };
            assert_eq!(pairs.len(), len, "{name}");
            assert!(pairs.iter().all(|(from, to)| from != to && (*from == 2 || *to == 2)));
            seen.insert(name);
        }
        assert_eq!(seen.len(), 4);
        assert_eq!(cut_pairs(None, &[1, 2, 4], &mut random).1.len(), 6);
    }
}
