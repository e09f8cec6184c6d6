//! The statements heard for the current height and later ones, bounded per author.

use std::collections::BTreeMap;

use crate::vote::{Kind, Value, Vote};

/// Statements kept of one author; above that its lowest later height goes first. An author that
/// floods loses only its own statements, and honest ones lie in the store to be read again.
const VOTES_PER_AUTHOR_MAX: usize = 512;

/// Different statements kept where an author may make one, so that a quorum others saw with any of
/// them can be followed. Above that, one that nobody else made gives way.
const VERSIONS_MAX: usize = 4;

type Slot = (u64, u32, Kind);

#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    slots: BTreeMap<Slot, BTreeMap<u8, Vec<Vote>>>,
    held: BTreeMap<u8, usize>,
}

impl Book {
    /// Keeps a vote; answers the earlier one when the author contradicts itself for the first time.
    pub(super) fn insert(&mut self, vote: Vote, current: u64) -> Option<Vote> {
        let slot = (vote.statement.height, vote.statement.round, vote.statement.kind);
        let author = vote.author;
        let authors = self.slots.entry(slot).or_default();
        let shared = |value| {
            authors.iter().any(|(other, said)| *other != author && says(said, value).is_some())
        };
        let lonely = authors.get(&author).and_then(|versions| {
            versions.iter().position(|version| !shared(version.statement.value))
        });
        let versions = authors.entry(author).or_default();
        if versions.iter().any(|known| known.statement == vote.statement) {
            return None;
        }
        let contradicted = versions.first().filter(|_| versions.len() == 1).cloned();
        match lonely {
            Some(at) if versions.len() >= VERSIONS_MAX => versions[at] = vote,
            None if versions.len() >= VERSIONS_MAX => {}
            _ => {
                versions.push(vote);
                *self.held.entry(author).or_default() += 1;
            }
        }
        if self.held.get(&author).is_some_and(|held| *held > VOTES_PER_AUTHOR_MAX) {
            self.evict(author, current);
        }
        contradicted
    }

    fn evict(&mut self, author: u8, current: u64) {
        let holds = |slot: &&Slot| self.slots[*slot].contains_key(&author);
        let later = self.slots.keys().filter(holds).find(|slot| slot.0 > current);
        let Some(slot) = later.or_else(|| self.slots.keys().find(holds)).copied() else { return };
        if let Some(authors) = self.slots.get_mut(&slot) {
            let gone = authors.remove(&author).map_or(0, |versions| versions.len());
            if authors.is_empty() {
                self.slots.remove(&slot);
            }
            *self.held.entry(author).or_default() -= gone;
        }
    }

    pub(super) fn forget_below(&mut self, height: u64) {
        self.slots = self.slots.split_off(&(height, 0, Kind::Proposal));
        self.held.clear();
        for authors in self.slots.values() {
            for (author, versions) in authors {
                *self.held.entry(*author).or_default() += versions.len();
            }
        }
    }

    pub(super) fn has_height(&self, height: u64) -> bool {
        self.slots.range((height, 0, Kind::Proposal)..=(height, u32::MAX, Kind::Ready)).count() > 0
    }

    fn slot(&self, height: u64, round: u32, kind: Kind) -> impl Iterator<Item = &Vec<Vote>> {
        self.slots.get(&(height, round, kind)).into_iter().flat_map(BTreeMap::values)
    }

    /// What `author` said there first.
    pub(super) fn first(&self, height: u64, round: u32, kind: Kind, author: u8) -> Option<&Vote> {
        self.slots.get(&(height, round, kind))?.get(&author)?.first()
    }

    /// The votes for exactly `value`, one per author.
    pub(super) fn votes(
        &self,
        height: u64,
        round: u32,
        kind: Kind,
        value: Option<Value>,
    ) -> impl Iterator<Item = &Vote> {
        self.slot(height, round, kind).filter_map(move |said| says(said, value))
    }

    /// Authors that said exactly `value`.
    pub(super) fn count(&self, height: u64, round: u32, kind: Kind, value: Option<Value>) -> usize {
        self.votes(height, round, kind, value).count()
    }

    /// Authors that said anything.
    pub(super) fn speakers(&self, height: u64, round: u32, kind: Kind) -> usize {
        self.slot(height, round, kind).count()
    }

    /// What at least `votes` authors said alike.
    pub(super) fn agreed(
        &self,
        height: u64,
        round: u32,
        kind: Kind,
        votes: usize,
    ) -> Option<Option<Value>> {
        if self.speakers(height, round, kind) < votes {
            return None;
        }
        let said = self.slot(height, round, kind).flatten().map(|vote| vote.statement.value);
        said.into_iter().find(|value| self.count(height, round, kind, *value) >= votes)
    }

    /// Values with a quorum of `ready`, by height and round.
    pub(super) fn decisions(&self, votes: usize) -> Vec<(u64, u32, Value)> {
        let slots = self
            .slots
            .iter()
            .filter(|((_, _, kind), authors)| *kind == Kind::Ready && authors.len() >= votes);
        slots
            .filter_map(|(&(height, round, kind), _)| {
                Some((height, round, self.agreed(height, round, kind, votes)??))
            })
            .collect()
    }

    /// The highest round that at least `witnesses` authors have reached.
    pub(super) fn round_reached(&self, height: u64, witnesses: usize) -> Option<u32> {
        let slots = (height, 0, Kind::Proposal)..=(height, u32::MAX, Kind::Ready);
        let mut reached: BTreeMap<u8, u32> = BTreeMap::new();
        for ((_, round, _), authors) in self.slots.range(slots) {
            reached.extend(authors.keys().map(|author| (*author, *round)));
        }
        let mut rounds: Vec<u32> = reached.into_values().collect();
        rounds.sort_unstable_by(|a, b| b.cmp(a));
        rounds.get(witnesses - 1).copied()
    }
}

fn says(said: &[Vote], value: Option<Value>) -> Option<&Vote> {
    said.iter().find(|vote| vote.statement.value == value)
}
