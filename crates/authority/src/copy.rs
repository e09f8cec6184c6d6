//! The authority's own copy of one ledger: every entry the store showed, and what the fold made of
//! it. Nothing is signed that does not stand here.

use bytes::Bytes;
use election::{Accepted, Body, ElectionId, Entry, Fold, Refusal};
use rand_core::CryptoRng;

use crate::{
    head::{Head, chained},
    mutant::Mutant,
    rounds::Leaves,
    vote::Value,
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

    /// The same for several at a time, for what is remembered of it.
    pub(crate) fn check_ballots(&mut self, ballots: &[&Bytes], rng: &mut impl CryptoRng) {
        drop(self.fold.check_ballots(ballots, rng));
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

    /// Takes back what this authority had read before it was stopped. `decided` are the sizes and
    /// roots that it has decided, ascending: what it had judged then is not verified again, if the
    /// same root comes out.
    pub(crate) fn restore(
        &mut self,
        entries: &[Bytes],
        decided: &[Value],
        rng: &mut impl CryptoRng,
    ) {
        let known = self.recall(entries, decided);
        self.append(&entries[known..], rng);
    }

    /// Folds entries without verifying their ballots, up to the last decision before the close;
    /// gives their number. None when another root comes out than was decided.
    fn recall(&mut self, entries: &[Bytes], decided: &[Value]) -> usize {
        // A close adds up the ballots, which nobody has compared with a root by then.
        let is_close = |bytes: &Bytes| {
            Entry::decode(bytes).is_ok_and(|entry| matches!(entry.body, Body::Close { .. }))
        };
        let before_close = entries.iter().position(is_close).unwrap_or(entries.len());
        let fits = |value: &&Value| value.size <= before_close as u64;
        let Some(target) = decided.iter().rev().find(fits) else { return 0 };
        let mut rest = &entries[..before_close];
        while self.size() < target.size && !rest.is_empty() {
            // An entry is one leaf at most: not beyond the target.
            let room = usize::try_from(target.size - self.size()).unwrap_or(usize::MAX);
            let (batch, behind) = rest.split_at(room.min(rest.len()));
            let verdicts = self.fold.push_known(batch);
            self.hold(batch, verdicts);
            rest = behind;
        }
        if self.root_at(target.size) == Some(target.root) {
            return self.entries.len();
        }
        *self = Self::new(self.election).with_mutant(self.mutant);
        0
    }

    /// Appends entries and folds them in one batch. They are kept as long as this lives, so they
    /// are copied: a slice would keep the whole buffer in which it came in.
    pub(crate) fn append(&mut self, batch: &[Bytes], rng: &mut impl CryptoRng) {
        let batch: Vec<Bytes> = batch.iter().map(|entry| Bytes::copy_from_slice(entry)).collect();
        let verdicts = self.fold.push_batch(&batch, rng);
        self.hold(&batch, verdicts);
    }

    fn hold(&mut self, batch: &[Bytes], verdicts: Vec<Result<Accepted, Refusal>>) {
        for verdict in verdicts {
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

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::ChaCha20Rng;
    use election::testing::{ElectionBuilder, choose};
    use rand_core::SeedableRng;

    /// A ledger with refused entries: `spoil` changes its list of entries.
    fn check(spoil: fn(&mut Vec<Bytes>), is_recalled: bool) {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut election = ElectionBuilder::new(5).voters(12).build();
        let mut entries = election.setup_entries();
        entries.push(election.opening());
        for voter in 0..10 {
            let ballot = election.cast(voter, &[choose(0), choose(1)]);
            entries.push(election.entry(&Body::Ballot(&ballot)));
        }
        spoil(&mut entries);
        let mut before = LedgerCopy::new(election.manifest.id);
        before.append(&entries, &mut rng);
        let size = before.size() - 2;
        let value = |size| Value { size, root: before.root_at(size).expect("it is there") };

        let mut again = LedgerCopy::new(election.manifest.id);
        let recalled = again.recall(&entries, &[value(1), value(size)]);
        assert_eq!(recalled > 0, is_recalled, "{recalled} of {}", entries.len());
        assert_eq!(again.size(), if is_recalled { size } else { 0 });
        again.append(&entries[recalled..], &mut rng);
        assert_eq!(again.outcomes, before.outcomes);
        assert_eq!((again.chains, again.leaf_entries), (before.chains, before.leaf_entries));

        let mut other = LedgerCopy::new(election.manifest.id);
        let wrong = Value { size, root: [7; 32] };
        assert_eq!(other.recall(&entries, &[wrong]), 0);
        assert_eq!(other.position(), 0);
    }

    #[test]
    fn what_was_decided_is_not_verified_again() {
        check(|_| (), true);
    }

    #[test]
    fn entries_that_rules_refuse_stay_refused() {
        let twice = |entries: &mut Vec<Bytes>| {
            let at = entries.len() - 6;
            entries.insert(at, entries[at - 1].clone());
        };
        check(twice, true);
    }

    #[test]
    fn an_entry_with_a_bad_proof_has_everything_verified_again() {
        let bad = |entries: &mut Vec<Bytes>| {
            let at = entries.len() - 6;
            let mut bytes = entries[at].to_vec();
            let last = bytes.len() - 100;
            bytes[last] ^= 1;
            entries[at] = Bytes::from(bytes);
        };
        check(bad, false);
    }
}
