//! The authority's own copy of one ledger: every entry the store showed, and what the fold made of
//! it. Nothing is signed that does not stand here.

use bytes::Bytes;
use election::{ElectionId, Fold, Refusal};
use rand_core::CryptoRng;

use crate::{
    head::{Head, chained},
    mutant::Mutant,
    rounds::Leaves,
};

/// Entries by number, from 1, folded.
pub(crate) struct LedgerCopy {
    election: ElectionId,
    fold: Fold,
    entries: Vec<Bytes>,
    outcomes: Vec<Result<u64, Refusal>>,
    /// Entry number of each leaf.
    leaf_entries: Vec<u64>,
    /// The head's chain after each entry.
    chains: Vec<[u8; 32]>,
    mutant: Option<Mutant>,
}

impl LedgerCopy {
    pub(crate) fn new(election: ElectionId) -> Self {
        Self {
            election,
            fold: Fold::new(election),
            entries: Vec::new(),
            outcomes: Vec::new(),
            leaf_entries: Vec::new(),
            chains: Vec::new(),
            mutant: None,
        }
    }

    /// The same with a seeded bug.
    pub(crate) fn with_mutant(mut self, mutant: Option<Mutant>) -> Self {
        self.mutant = mutant;
        #[cfg(feature = "mutants")]
        if let Some(Mutant::Fold(bug)) = mutant {
            self.fold = Fold::new(self.election).with_mutant(Some(bug));
        }
        self
    }

    /// Number of the last entry held, 0 for none.
    pub(crate) fn position(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn fold(&self) -> &Fold {
        &self.fold
    }

    /// The courtesy check of a ballot before it is ordered; a good one is not verified again.
    pub(crate) fn check_ballot(
        &mut self,
        ballot: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(), Refusal> {
        self.fold.check_ballot(ballot, rng).map(drop)
    }

    /// The head that the entries up to this one give.
    ///
    /// # Panics
    /// When there are fewer.
    pub(crate) fn head_at(&self, number: u64) -> Head {
        match number.checked_sub(1) {
            None => Head::new(0, &[0; 32]),
            Some(last) => Head::new(number, &self.chains[last as usize]),
        }
    }

    /// The entry with this number.
    pub(crate) fn entry(&self, number: u64) -> Option<&Bytes> {
        self.entries.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// The leaf it became, or why none.
    pub(crate) fn outcome(&self, number: u64) -> Option<&Result<u64, Refusal>> {
        self.outcomes.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Number of the entry that is this leaf.
    pub(crate) fn entry_of_leaf(&self, leaf: u64) -> Option<u64> {
        self.leaf_entries.get(usize::try_from(leaf).ok()?).copied()
    }

    /// Appends entries and folds them in one batch.
    pub(crate) fn append(&mut self, batch: &[Bytes], rng: &mut impl CryptoRng) {
        for verdict in self.fold.push_batch(batch, rng) {
            let number = self.outcomes.len() as u64 + 1;
            let outcome = verdict.map(|accepted| accepted.leaf_index);
            if outcome.is_ok() {
                self.leaf_entries.push(number);
            }
            self.outcomes.push(outcome);
        }
        let mut chain = self.chains.last().copied().unwrap_or_default();
        for entry in batch {
            chain = chained(&chain, entry);
            self.chains.push(chain);
        }
        self.entries.extend_from_slice(batch);
        assert_eq!(self.entries.len(), self.outcomes.len(), "one verdict per entry");
    }

    /// Gives up entries from this number on: the fold starts again from the first entry.
    pub(crate) fn cut(&mut self, from: u64, rng: &mut impl CryptoRng) {
        let keep = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        let mut kept = core::mem::take(&mut self.entries);
        kept.truncate(keep);
        *self = Self::new(self.election).with_mutant(self.mutant);
        self.append(&kept, rng);
    }
}

impl Leaves for LedgerCopy {
    fn size(&self) -> u64 {
        self.fold.tree().size()
    }

    fn root_at(&self, size: u64) -> Option<[u8; 32]> {
        self.fold.tree().root_at(size).map(|root| root.0)
    }
}
