//! What is known about ballots' signatures and proofs, so that each is verified once although it
//! is looked at when it comes in and again when it is ordered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::refusal::Refusal;

/// How many good ballots are remembered; the oldest is forgotten first and verified again.
const REMEMBERED_MAX: usize = 8192;

/// Verdicts by SHA-256 of the ballot. They hold for one election only.
#[derive(Default)]
pub(crate) struct Verdicts {
    good: BTreeSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
    /// Verdicts of the batch being pushed, bad ones included.
    batch: BTreeMap<[u8; 32], Result<(), Refusal>>,
    /// Whether the entries of the batch are signed by their appenders.
    appended: bool,
}

impl Verdicts {
    /// What is known about a ballot.
    pub(crate) fn get(&self, hash: &[u8; 32]) -> Option<Result<(), Refusal>> {
        if self.good.contains(hash) { Some(Ok(())) } else { self.batch.get(hash).cloned() }
    }

    /// Remembers a good ballot until it is ordered.
    pub(crate) fn remember(&mut self, hash: [u8; 32]) {
        if self.good.insert(hash) {
            self.order.push_back(hash);
        }
        while self.order.len() > REMEMBERED_MAX {
            let oldest = self.order.pop_front().expect("the queue is longer than its bound");
            self.good.remove(&oldest);
        }
    }

    /// Puts down the verdicts of the batch that is about to be pushed.
    pub(crate) fn set_batch(
        &mut self,
        verdicts: BTreeMap<[u8; 32], Result<(), Refusal>>,
        appended: bool,
    ) {
        (self.batch, self.appended) = (verdicts, appended);
    }

    /// Whether the entry that is pushed now was found to be signed by its appender.
    pub(crate) fn are_appended(&self) -> bool {
        self.appended
    }

    /// Forgets the batch.
    pub(crate) fn clear_batch(&mut self) {
        self.batch.clear();
        self.appended = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut verdicts = Verdicts::default();
        let hash = |number: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            hash
        };
        for number in 0..=REMEMBERED_MAX {
            verdicts.remember(hash(number));
        }
        assert_eq!(verdicts.get(&hash(0)), None);
        assert_eq!(verdicts.get(&hash(1)), Some(Ok(())));
        assert_eq!(verdicts.get(&hash(REMEMBERED_MAX)), Some(Ok(())));
    }
}
