//! Who votes, and what a majority of them agrees on.

use crate::MemberId;
use crate::config::Config;
use crate::mutant::Mutant;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// The configuration in force.
#[derive(Debug)]
pub(crate) struct Quorum {
    voters: BTreeSet<MemberId>,
    majority: usize,
}

/// How a vote stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tally {
    /// A majority granted it.
    Won,
    /// A majority can no longer be reached.
    Lost,
    /// Answers are missing.
    Open,
}

impl Quorum {
    /// The voters of `config`.
    pub(crate) fn new(config: &Config) -> Self {
        let count = config.voters.len();
        let majority =
            if config.has(Mutant::MajorityOffByOne) { (count / 2).max(1) } else { count / 2 + 1 };
        Self { voters: config.voters.clone(), majority }
    }

    /// Whether `id` votes.
    pub(crate) fn contains(&self, id: MemberId) -> bool {
        self.voters.contains(&id)
    }

    /// Whether `id` decides alone.
    pub(crate) fn is_sole_voter(&self, id: MemberId) -> bool {
        self.voters.len() == 1 && self.voters.contains(&id)
    }

    /// All voters but `id`.
    pub(crate) fn peers_of(&self, id: MemberId) -> Vec<MemberId> {
        self.voters.iter().copied().filter(|voter| *voter != id).collect()
    }

    /// Whether `has` holds for a majority.
    pub(crate) fn is_reached(&self, has: impl Fn(MemberId) -> bool) -> bool {
        self.voters.iter().filter(|voter| has(**voter)).count() >= self.majority
    }

    /// The highest value that a majority has reached.
    pub(crate) fn agreed<T: Ord + Copy>(&self, value_of: impl Fn(MemberId) -> T) -> T {
        let mut values: Vec<T> = self.voters.iter().map(|voter| value_of(*voter)).collect();
        values.sort_unstable_by(|a, b| b.cmp(a));
        values[self.majority - 1]
    }

    /// How the vote stands with these answers.
    pub(crate) fn tally(&self, votes: &BTreeMap<MemberId, bool>) -> Tally {
        let cast = |value| self.voters.iter().filter(|v| votes.get(v) == Some(&value)).count();
        if cast(true) >= self.majority {
            Tally::Won
        } else if self.voters.len() - cast(false) < self.majority {
            Tally::Lost
        } else {
            Tally::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn quorum(count: u64) -> Quorum {
        let voters = (1..=count).map(MemberId::new).collect();
        Quorum::new(&Config::new(MemberId::new(1), voters, 0))
    }

    #[test]
    fn agrees_on_what_a_majority_reached() {
        let check = |values: &[u64], expect: u64| {
            let agreed = quorum(values.len() as u64).agreed(|id| values[id.get() as usize - 1]);
            assert_eq!(agreed, expect, "{values:?}");
        };
        check(&[7], 7);
        check(&[7, 3], 3);
        check(&[7, 3, 5], 5);
        check(&[9, 1, 1, 9], 1);
        check(&[9, 1, 4, 9, 4], 4);
    }

    #[test]
    fn counts_votes() {
        let check = |count, votes: &[(u64, bool)], expect| {
            let votes = votes.iter().map(|(id, vote)| (MemberId::new(*id), *vote)).collect();
            assert_eq!(quorum(count).tally(&votes), expect, "{count} {votes:?}");
        };
        check(1, &[], Tally::Open);
        check(1, &[(1, true)], Tally::Won);
        check(3, &[(1, true)], Tally::Open);
        check(3, &[(1, true), (9, true)], Tally::Open);
        check(3, &[(1, true), (2, false)], Tally::Open);
        check(3, &[(1, true), (2, false), (3, false)], Tally::Lost);
        check(4, &[(1, true), (2, true)], Tally::Open);
        check(4, &[(3, false), (4, false)], Tally::Lost);
        check(5, &[(1, true), (2, true), (5, true)], Tally::Won);
        assert_eq!(quorum(3).peers_of(MemberId::new(2)), vec![1.into(), 3.into()]);
    }
}
