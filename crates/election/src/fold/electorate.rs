//! Who may vote: the roll of the manifest, and what orders have changed of it since the opening.

use std::collections::BTreeMap;

use crate::{
    outcome::Electors,
    roll::{Classes, Roll, Voter},
};

/// Why a credential of the roll has no online vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was withdrawn.
    Withdrawn,
    /// Another one took its place.
    Replaced,
    /// Its holder votes on paper.
    Paper,
}

/// The roll with its changes. Places count the voters of the manifest's roll first, then those
/// that were added, in order; a place is never given again.
pub(crate) struct Electorate {
    roll: Roll,
    added: Vec<Voter>,
    places: BTreeMap<[u8; 32], usize>,
    standing: BTreeMap<usize, Standing>,
    classes: Classes,
    eligible: Electors,
}

impl Electorate {
    pub(crate) fn new(roll: Roll) -> Self {
        let mut eligible = Electors::default();
        roll.voters().iter().for_each(|voter| eligible.add(voter.weight));
        let classes = roll.classes();
        let (places, standing) = (BTreeMap::new(), BTreeMap::new());
        Self { roll, added: Vec::new(), places, standing, classes, eligible }
    }

    /// The roll that the manifest names.
    pub(crate) fn roll(&self) -> &Roll {
        &self.roll
    }

    /// How many places there are.
    pub(crate) fn len(&self) -> usize {
        self.roll.voters().len() + self.added.len()
    }

    /// Place of a credential that is or was on the roll.
    pub(crate) fn place(&self, credential: &[u8; 32]) -> Option<usize> {
        self.roll.position(credential).or_else(|| self.places.get(credential).copied())
    }

    /// The voter at a place.
    pub(crate) fn voter(&self, place: usize) -> &Voter {
        let listed = self.roll.voters();
        listed.get(place).unwrap_or_else(|| &self.added[place - listed.len()])
    }

    /// All voters by place, those without an online vote included.
    pub(crate) fn voters(&self) -> impl Iterator<Item = &Voter> {
        self.roll.voters().iter().chain(&self.added)
    }

    pub(crate) fn standing(&self, place: usize) -> Option<Standing> {
        self.standing.get(&place).copied()
    }

    /// How many voters share a class with this one.
    pub(crate) fn class_of(&self, voter: &Voter) -> usize {
        self.classes.of(voter)
    }

    /// The classes of everybody who may vote, on paper or online; some may be empty by now.
    pub(crate) fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Everybody who may vote, on paper or online.
    pub(crate) fn eligible(&self) -> Electors {
        self.eligible
    }

    pub(crate) fn add(&mut self, voter: Voter) {
        self.places.insert(voter.credential, self.len());
        self.added.push(voter);
        self.classes.add(&voter);
        self.eligible.add(voter.weight);
    }

    /// Takes a credential from the roll, withdrawn or replaced.
    pub(crate) fn remove(&mut self, place: usize, why: Standing) {
        let voter = *self.voter(place);
        self.classes.remove(&voter);
        self.eligible.remove(voter.weight);
        self.standing.insert(place, why);
    }

    pub(crate) fn mark_paper(&mut self, place: usize) {
        self.standing.insert(place, Standing::Paper);
    }
}
