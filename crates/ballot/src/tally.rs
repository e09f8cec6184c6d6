//! The encrypted sums: what trustees decrypt instead of ballots.

use alloc::vec::Vec;

use crate::contest::Fingerprint;
use crate::context::BallotContext;
use crate::elgamal::Ciphertext;
use crate::hash::Framed;
use crate::parsed::{self, BallotError, ParsedBallot};

/// The sum of the counted ballots: one ciphertext for each counter of each contest.
///
/// The order of adding does not matter. Counts must stay within 2^40 (total weight times the
/// highest score of an option), which the election's rules check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedTally {
    contests: Vec<Vec<Ciphertext>>,
}

impl EncryptedTally {
    /// The sum of no ballots.
    pub fn new(context: &BallotContext) -> Self {
        let zeros = |counters: u16| alloc::vec![Ciphertext::zero(); counters.into()];
        Self { contests: context.contests().iter().map(|kind| zeros(kind.counters())).collect() }
    }

    pub(crate) fn of(contests: Vec<Vec<Ciphertext>>) -> Self {
        Self { contests }
    }

    /// Adds `weight` times a ballot. The caller has verified it and counts it once.
    ///
    /// # Panics
    /// When the ballot was read for contests of another shape.
    pub fn add(&mut self, ballot: &ParsedBallot, weight: u64) {
        for &contest in ballot.contests() {
            self.add_contest(contest, ballot.ciphertexts(contest.into()), weight);
        }
    }

    /// [`add`](Self::add) for the bytes of a ballot that was read and verified before: only its
    /// ciphertexts are read, which takes half the time of reading all of it.
    ///
    /// # Errors
    /// When the bytes are no ballot of the election. The sums are of no use then.
    pub fn add_verified(
        &mut self,
        ballot: &[u8],
        context: &BallotContext,
        weight: u64,
    ) -> Result<(), BallotError> {
        for read in parsed::ciphertexts(ballot, context)? {
            let (contest, ciphertexts) = read?;
            self.add_contest(contest, &ciphertexts, weight);
        }
        Ok(())
    }

    fn add_contest(&mut self, contest: u16, ciphertexts: &[Ciphertext], weight: u64) {
        let sums = &mut self.contests[usize::from(contest)];
        assert_eq!(sums.len(), ciphertexts.len(), "a ballot of this election has this shape");
        for (sum, ciphertext) in sums.iter_mut().zip(ciphertexts) {
            *sum += &ciphertext.times(weight);
        }
    }

    /// Adds the sums of other ballots of the same election.
    ///
    /// # Panics
    /// When they are of contests of another shape.
    pub fn merge(&mut self, other: &Self) {
        for (contest, sums) in (0u16..).zip(&other.contests) {
            self.add_contest(contest, sums, 1);
        }
    }

    /// Forgets the sums of a contest: they then decrypt to zeros.
    ///
    /// # Panics
    /// When there is no such contest.
    pub fn withhold(&mut self, contest: usize) {
        self.contests[contest].fill(Ciphertext::zero());
    }

    /// The sums, by contest and counter.
    pub fn contests(&self) -> &[Vec<Ciphertext>] {
        &self.contests
    }

    /// The number of ciphertexts.
    pub fn option_count(&self) -> usize {
        self.contests.iter().map(Vec::len).sum()
    }
}

/// What exactly is decrypted: these sums of this election at its final checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TallyStatement {
    /// The election.
    pub fingerprint: Fingerprint,
    /// Root hash of the final checkpoint.
    pub checkpoint_root: [u8; 32],
    /// Number of leaves below it.
    pub checkpoint_size: u64,
    /// The sums every trustee recomputes from those leaves.
    pub tally: EncryptedTally,
}

impl TallyStatement {
    /// A name for the whole statement: a trustee decrypts at most one for each election.
    pub fn digest(&self) -> [u8; 32] {
        let head = Framed::new("quorate/tally/v1/statement")
            .field(&self.fingerprint.0)
            .field(&self.checkpoint_root)
            .u64(self.checkpoint_size);
        let put = |sums: &Vec<Ciphertext>| {
            let mut bytes = Vec::with_capacity(sums.len() * Ciphertext::LEN);
            sums.iter().for_each(|sum| sum.put(&mut bytes));
            bytes
        };
        self.tally.contests().iter().map(put).fold(head, |hash, sums| hash.field(&sums)).short()
    }
}
