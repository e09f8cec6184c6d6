//! After the close: decryption shares come in, and the result that follows from them.

use core::fmt;
use std::collections::BTreeMap;

use ballot::{
    TallyStatement,
    threshold::{DecryptionShare, VerificationKey, VerifiedShare, combine},
};

use super::voting::Voting;
use crate::{
    definition::Rule,
    refusal::{Refusal, code},
    wire::{DecodeError, Reader},
};

const VERSION: u8 = 1;

/// The result of an election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Ballots counted: one for each credential that voted.
    pub ballots: u32,
    /// Their total weight.
    pub weight: u64,
    /// Weighted votes by contest and option, blank options included.
    pub counts: Vec<Vec<u64>>,
}

impl Outcome {
    /// The canonical bytes, the body of a result entry.
    ///
    /// # Panics
    /// With more contests or options than a checked definition can have.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.ballots.to_be_bytes());
        bytes.extend_from_slice(&self.weight.to_be_bytes());
        bytes.push(u8::try_from(self.counts.len()).expect("at most 64 contests"));
        for counts in &self.counts {
            let options = u16::try_from(counts.len()).expect("at most 1001 options");
            bytes.extend_from_slice(&options.to_be_bytes());
            counts.iter().for_each(|count| bytes.extend_from_slice(&count.to_be_bytes()));
        }
        bytes
    }

    /// Reads the canonical bytes.
    ///
    /// # Errors
    /// Field and offset of what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("result", bytes);
        if reader.u8("version")? != VERSION {
            return Err(reader.wrong("version", "must be 1"));
        }
        let ballots = reader.u32("ballots")?;
        let weight = reader.u64("weight")?;
        let contests = reader.u8("number of contests")?;
        let mut counts = Vec::new();
        for _ in 0..contests {
            let options = reader.u16("number of options")?;
            let contest = (0..options).map(|_| reader.u64("count")).collect::<Result<_, _>>()?;
            counts.push(contest);
        }
        reader.finish()?;
        Ok(Self { ballots, weight, counts })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ballots of weight {}:", self.ballots, self.weight)?;
        self.counts.iter().try_for_each(|counts| write!(f, " {counts:?}"))
    }
}

/// The state after the close.
pub(crate) struct Closed {
    pub(crate) voting: Voting,
    pub(crate) statement: TallyStatement,
    shares: BTreeMap<u8, VerifiedShare>,
}

impl Closed {
    pub(crate) fn new(voting: Voting, statement: TallyStatement) -> Self {
        Self { voting, statement, shares: BTreeMap::new() }
    }

    /// Numbers of the trustees whose shares are on the ledger.
    pub(crate) fn trustees(&self) -> Vec<u8> {
        self.shares.keys().copied().collect()
    }

    pub(crate) fn check_share(&self, trustee: u8, share: &[u8]) -> Result<VerifiedShare, Refusal> {
        let manifest = &self.voting.charter.manifest;
        let (minimum, found) = (manifest.definition.minimum_ballots, self.voting.turnout().voters);
        if found < minimum {
            let sentence = format!(
                "Only {found} ballots count; this election is not decrypted with fewer than \
                 {minimum}."
            );
            return Err(Refusal::new(code::TOO_FEW_BALLOTS, sentence));
        }
        if self.shares.contains_key(&trustee) {
            let sentence = format!("Trustee {trustee} has given a decryption share already.");
            return Err(Refusal::new(code::REPEATED, sentence));
        }
        let bad = |sentence: String| Refusal::new(code::BAD_SHARE, sentence);
        let Some(named) = manifest.trustee(trustee) else {
            return Err(bad(format!("This election has no trustee {trustee}.")));
        };
        let key = VerificationKey::from_bytes(trustee.into(), &named.verification)
            .map_err(|error| bad(format!("Trustee {trustee} has no usable key: {error}.")))?;
        let checked = DecryptionShare::parse(share, &self.statement)
            .and_then(|share| share.verify(&self.statement, &key));
        checked.map_err(|error| bad(format!("Refused: {error}.")))
    }

    pub(crate) fn add_share(&mut self, trustee: u8, share: VerifiedShare) {
        self.shares.insert(trustee, share);
    }

    /// What the shares decrypt to.
    pub(crate) fn decrypt(&self) -> Result<Outcome, Refusal> {
        let threshold = self.voting.charter.manifest.definition.threshold;
        let found = self.shares.len();
        if found < usize::from(threshold) {
            let sentence = format!("{found} of {threshold} decryption shares are on the ledger.");
            return Err(Refusal::new(code::NOT_READY, sentence));
        }
        let turnout = self.voting.turnout();
        let shares: Vec<VerifiedShare> = self.shares.values().cloned().collect();
        let counts = combine(&self.statement, &shares, threshold.into(), turnout.weight)
            .map_err(|error| bad_result(format!("No result: {error}.")))?;
        let outcome = Outcome { ballots: turnout.voters, weight: turnout.weight, counts };
        self.check_consistency(&outcome)?;
        Ok(outcome)
    }

    /// That a body is the result.
    pub(crate) fn check_result(&self, body: &[u8]) -> Result<Outcome, Refusal> {
        let claimed = Outcome::decode(body)
            .map_err(|error| Refusal::new(code::MALFORMED, error.to_string()))?;
        let outcome = self.decrypt()?;
        if claimed == outcome {
            return Ok(outcome);
        }
        let sentence = format!("The shares decrypt to {outcome}; the entry claims {claimed}.");
        Err(bad_result(sentence))
    }

    /// Counts must be possible: proofs force this, so a failure means broken cryptography.
    fn check_consistency(&self, outcome: &Outcome) -> Result<(), Refusal> {
        let contests = &self.voting.charter.manifest.definition.contests;
        let weight = u128::from(outcome.weight);
        for (at, (contest, counts)) in contests.iter().zip(&outcome.counts).enumerate() {
            let sum: u128 = counts.iter().map(|count| u128::from(*count)).sum();
            let (min, max) = match contest.rule {
                Rule::One => (1, 1),
                Rule::Some { min, max } => (u128::from(min), u128::from(max)),
            };
            let fits = (min * weight..=max * weight).contains(&sum)
                && counts.iter().all(|count| *count <= outcome.weight);
            if !fits {
                let sentence = format!(
                    "The counts of contest {at} add up to {sum}, which {} ballots of weight \
                     {weight} cannot give.",
                    outcome.ballots
                );
                return Err(bad_result(sentence));
            }
        }
        Ok(())
    }
}

fn bad_result(sentence: String) -> Refusal {
    Refusal::new(code::BAD_RESULT, sentence)
}
