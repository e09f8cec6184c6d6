//! The sums of the ballots that count, which the close fixes. They may be added up before it in
//! parts, by several threads if the caller has them; whoever does not pays at the close.

use ballot::EncryptedTally;

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
    /// may be added up at once; together they are given to [`set_sums`](Self::set_sums).
    ///
    /// `None` unless the election takes ballots and they are secret, or when there is no such part.
    pub fn add_up(&self, part: usize, parts: usize) -> Option<PartialSums> {
        let Stage::Open(voting) = &self.stage else { return None };
        if part >= parts || self.has(Mutant::RevoteCountedTwice) {
            return None;
        }
        let own = voting.counted().skip(part).step_by(parts);
        let tally = voting.add_up(&self.leaves, own)?;
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
        match self.sums.take() {
            Some(sums) if sums.leaves == before => Some(sums.tally),
            _ if self.has(Mutant::RevoteCountedTwice) => {
                voting.add_up(&self.leaves, voting.accepted().into_iter())
            }
            _ => voting.add_up(&self.leaves, voting.counted()),
        }
    }
}
