//! The sums of the ballots that count, which the close fixes. They may be added up before it in
//! parts, by several threads if the caller has them; whoever does not pays at the close.

use ballot::EncryptedTally;
use bytes::Bytes;

use super::{Fold, Stage};
use crate::mutant::Mutant;

/// Sums of some of the ballots that count after a number of leaves.
pub struct PartialSums {
    /// Which of how many parts.
    part: usize,
    parts: usize,
    leaves: u64,
    tally: EncryptedTally,
}

/// Sums of all ballots that count after a number of leaves.
pub(super) struct Sums {
    leaves: u64,
    tally: EncryptedTally,
}

impl Fold {
    /// Adds up one of `parts` shares of the ballots that count now. Changes nothing, so all parts
    /// may be added up at once; together they are given to [`set_sums`](Self::set_sums). `leaf`
    /// gives the leaf with an index; those of a part are asked for in their order.
    ///
    /// `None` unless the election takes ballots and they are secret, when there is no such part,
    /// or when a leaf is not given.
    pub fn add_up(
        &self,
        part: usize,
        parts: usize,
        leaf: impl Fn(u64) -> Option<Bytes>,
    ) -> Option<PartialSums> {
        let Stage::Open(voting) = &self.stage else { return None };
        if part >= parts || self.has(Mutant::RevoteCountedTwice) {
            return None;
        }
        let mut counted: Vec<(u64, u32)> = voting.counted().collect();
        counted.sort_unstable();
        let of_parts = |number| counted.len() * number / parts;
        let own = &counted[of_parts(part)..of_parts(part + 1)];
        let tally = voting.add_up(leaf, own.iter().copied())?;
        Some(PartialSums { part, parts, leaves: self.tree.size(), tally })
    }

    /// Takes the sums that [`add_up`](Self::add_up) made of this election, so that a close that
    /// is the next leaf need not make them. Whatever is not every part of this state is left
    /// aside: the close then adds up by itself.
    pub fn set_sums(&mut self, parts: Vec<PartialSums>) {
        let leaves = self.tree.size();
        let count = parts.len();
        let fits = |(number, one): (usize, &PartialSums)| {
            (one.part, one.parts, one.leaves) == (number, count, leaves)
        };
        if !parts.iter().enumerate().all(fits) {
            return;
        }
        let merged = parts.into_iter().map(|one| one.tally).reduce(|mut sums, one| {
            sums.merge(&one);
            sums
        });
        self.sums = merged.map(|tally| Sums { leaves, tally });
    }

    /// The sums of the ballots that counted before the last leaf, which is the close; `None` in an
    /// open poll.
    pub(super) fn sums_at_close(&mut self, voting: &super::Voting) -> Option<EncryptedTally> {
        let before = self.tree.size() - 1;
        let leaf = |index: u64| Some(self.leaves[index as usize].clone());
        match self.sums.take() {
            Some(sums) if sums.leaves == before => Some(sums.tally),
            _ if self.has(Mutant::RevoteCountedTwice) => {
                voting.add_up(leaf, voting.accepted().into_iter())
            }
            _ => voting.add_up(leaf, voting.counted()),
        }
    }
}
