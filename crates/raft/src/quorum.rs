//! What a majority agrees on; while the membership is joint, what a majority of each set agrees on.

use crate::config::Config;
use crate::mutant::Mutant;
use crate::{MEMBERS_MAX, MemberId, Membership};
use alloc::collections::{BTreeMap, BTreeSet};

/// The voters of the membership in force.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Quorum {
    incoming: Voters,
    outgoing: Option<Voters>,
}

/// One set of voters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Voters {
    ids: BTreeSet<MemberId>,
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
    /// The voters of `membership`.
    pub(crate) fn new(membership: &Membership, config: &Config) -> Self {
        let voters = |ids: BTreeSet<MemberId>| Voters::new(ids, config);
        let mut incoming = membership.voters().clone();
        if config.has(Mutant::LearnerCounted) {
            incoming.extend(membership.learners().keys());
        }
        let is_joint = membership.is_joint() && !config.has(Mutant::SingleQuorumWhileJoint);
        Self {
            incoming: voters(incoming),
            outgoing: is_joint.then(|| voters(membership.outgoing().clone())),
        }
    }

    /// Whether it is [`Self::new`] of the same; looked at after every step, so it allocates
    /// nothing, unless a seeded bug makes the sets others.
    #[cfg(any(test, feature = "mutants"))]
    pub(crate) fn is_of(&self, membership: &Membership, config: &Config) -> bool {
        if config.mutant.is_some() {
            return *self == Self::new(membership, config);
        }
        let outgoing = self.outgoing.as_ref().map(|voters| &voters.ids);
        let are_majorities = self.sets().all(|it| it.majority == it.ids.len() / 2 + 1);
        are_majorities
            && self.incoming.ids == *membership.voters()
            && outgoing == membership.is_joint().then(|| membership.outgoing())
    }

    fn sets(&self) -> impl Iterator<Item = &Voters> {
        core::iter::once(&self.incoming).chain(&self.outgoing)
    }

    /// Whether `id` votes.
    pub(crate) fn contains(&self, id: MemberId) -> bool {
        self.sets().any(|voters| voters.ids.contains(&id))
    }

    /// Whether `id` decides alone.
    pub(crate) fn is_sole_voter(&self, id: MemberId) -> bool {
        self.sets().all(|voters| voters.ids.len() == 1 && voters.ids.contains(&id))
    }

    /// All voters but `id`.
    pub(crate) fn others(&self, id: MemberId) -> BTreeSet<MemberId> {
        let all = self.sets().flat_map(|voters| voters.ids.iter().copied());
        all.filter(|voter| *voter != id).collect()
    }

    /// Whether `has` holds for a majority.
    pub(crate) fn is_reached(&self, has: impl Fn(MemberId) -> bool) -> bool {
        let reached = |voters: &Voters| {
            voters.ids.iter().filter(|voter| has(**voter)).count() >= voters.majority
        };
        self.sets().all(reached)
    }

    /// The highest value that a majority has reached; the default when nobody votes.
    pub(crate) fn agreed<T: Ord + Copy + Default>(&self, value_of: impl Fn(MemberId) -> T) -> T {
        let outgoing = self.outgoing.as_ref().map(|voters| voters.agreed(&value_of));
        let incoming = self.incoming.agreed(&value_of);
        outgoing.map_or(incoming, |outgoing| outgoing.min(incoming))
    }

    /// How the vote stands with these answers.
    pub(crate) fn tally(&self, votes: &BTreeMap<MemberId, bool>) -> Tally {
        let outgoing = self.outgoing.as_ref().map_or(Tally::Won, |voters| voters.tally(votes));
        match (self.incoming.tally(votes), outgoing) {
            (Tally::Lost, _) | (_, Tally::Lost) => Tally::Lost,
            (Tally::Won, Tally::Won) => Tally::Won,
            _ => Tally::Open,
        }
    }
}

impl Voters {
    fn new(ids: BTreeSet<MemberId>, config: &Config) -> Self {
        let count = ids.len();
        let majority =
            if config.has(Mutant::MajorityOffByOne) { (count / 2).max(1) } else { count / 2 + 1 };
        Self { ids, majority }
    }

    fn agreed<T: Ord + Copy + Default>(&self, value_of: impl Fn(MemberId) -> T) -> T {
        // A membership has at most so many; learners count only by a seeded bug.
        let mut values = [T::default(); MEMBERS_MAX];
        let values = &mut values[..self.ids.len()];
        for (value, voter) in values.iter_mut().zip(&self.ids) {
            *value = value_of(*voter);
        }
        values.sort_unstable_by(|a, b| b.cmp(a));
        values.get(self.majority - 1).copied().unwrap_or_default()
    }

    fn tally(&self, votes: &BTreeMap<MemberId, bool>) -> Tally {
        let cast = |value| self.ids.iter().filter(|v| votes.get(v) == Some(&value)).count();
        if cast(true) >= self.majority {
            Tally::Won
        } else if self.ids.len() - cast(false) < self.majority {
            Tally::Lost
        } else {
            Tally::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChangeStep;
    use bytes::Bytes;

    fn voters(count: u64) -> Membership {
        Membership::founding((1..=count).map(|id| (MemberId::new(id), Bytes::new())))
    }

    fn quorum(count: u64) -> Quorum {
        Quorum::new(&voters(count), &Config::new(MemberId::new(1), 0))
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
        assert_eq!(quorum(3).others(MemberId::new(2)), [1.into(), 3.into()].into());
    }

    /// 1 2 3 are on their way out, 3 4 5 on their way in.
    #[test]
    fn a_joint_quorum_needs_both_majorities() {
        let add = |id| ChangeStep::AddVoter { id, context: Bytes::new() };
        let remove = |id| ChangeStep::Remove { id };
        let steps = [add(4.into()), add(5.into()), remove(1.into()), remove(2.into())];
        let joint = voters(3).changed(&steps).expect("a change");
        let quorum = Quorum::new(&joint, &Config::new(MemberId::new(1), 0));
        let check = |yes: &[u64], no: &[u64], reached: bool, tally: Tally| {
            assert_eq!(quorum.is_reached(|id| yes.contains(&id.get())), reached, "{yes:?}");
            let votes = yes.iter().map(|id| (MemberId::new(*id), true));
            let votes = votes.chain(no.iter().map(|id| (MemberId::new(*id), false))).collect();
            assert_eq!(quorum.tally(&votes), tally, "{yes:?} {no:?}");
        };
        check(&[1, 2], &[], false, Tally::Open);
        check(&[4, 5], &[], false, Tally::Open);
        check(&[2, 3, 4], &[], true, Tally::Won);
        check(&[1, 2, 4], &[3, 5], false, Tally::Lost);
        check(&[1, 2, 4, 5], &[], true, Tally::Won);
        assert_eq!(quorum.agreed(|id| [9, 9, 1, 7, 7][id.get() as usize - 1]), 7);
        assert!(!quorum.is_sole_voter(3.into()) && quorum.contains(5.into()));
    }

    #[test]
    fn a_member_that_knows_nobody_wins_nothing() {
        let quorum = Quorum::new(&Membership::default(), &Config::new(MemberId::new(1), 0));
        assert_eq!(quorum.tally(&[(1.into(), true)].into()), Tally::Lost);
        assert!(!quorum.is_reached(|_| true));
    }
}
