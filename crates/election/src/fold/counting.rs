//! After the close: decryption shares come in, and the result that follows from them. In an open
//! poll there is nothing to decrypt, and the result is what was live before.

use std::collections::BTreeMap;

use ballot::{
    TallyStatement,
    threshold::{DecryptionShare, VerificationKey, VerifiedShare, combine},
};

use super::voting::Voting;
use crate::{
    outcome::{Outcome, Participation},
    refusal::{Refusal, code},
};

/// The state after the close.
pub(crate) struct Closed {
    pub(crate) voting: Voting,
    /// What trustees decrypt; none in an open poll.
    pub(crate) statement: Option<TallyStatement>,
    pub(crate) participation: Vec<Participation>,
    shares: BTreeMap<u8, VerifiedShare>,
}

impl Closed {
    pub(crate) fn new(
        voting: Voting,
        participation: Vec<Participation>,
        statement: Option<TallyStatement>,
    ) -> Self {
        Self { voting, statement, participation, shares: BTreeMap::new() }
    }

    /// Numbers of the trustees whose shares are on the ledger.
    pub(crate) fn trustees(&self) -> Vec<u8> {
        self.shares.keys().copied().collect()
    }

    pub(crate) fn check_share(&self, trustee: u8, share: &[u8]) -> Result<VerifiedShare, Refusal> {
        let manifest = &self.voting.charter.manifest;
        let Some(statement) = &self.statement else {
            let sentence = "An open poll has nothing to decrypt.";
            return Err(Refusal::new(code::WRONG_PHASE, sentence));
        };
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
        let checked = DecryptionShare::parse(share, statement)
            .and_then(|share| share.verify(statement, &key));
        checked.map_err(|error| bad(format!("Refused: {error}.")))
    }

    pub(crate) fn add_share(&mut self, trustee: u8, share: VerifiedShare) {
        self.shares.insert(trustee, share);
    }

    /// What the shares decrypt to.
    pub(crate) fn decrypt(&self) -> Result<Outcome, Refusal> {
        let counts = match &self.statement {
            None => self.voting.live().to_vec(),
            Some(statement) => self.combine(statement)?,
        };
        let turnout = self.voting.turnout();
        let outcome = Outcome {
            ballots: turnout.voters,
            weight: turnout.weight,
            paper: turnout.paper,
            participation: self.participation.clone(),
            counts,
        };
        self.check_consistency(&outcome)?;
        Ok(outcome)
    }

    fn combine(&self, statement: &TallyStatement) -> Result<Vec<Vec<u64>>, Refusal> {
        let charter = &self.voting.charter;
        let threshold = charter.manifest.definition.threshold;
        let found = self.shares.len();
        if found < usize::from(threshold) {
            let sentence = format!("{found} of {threshold} decryption shares are on the ledger.");
            return Err(Refusal::new(code::NOT_READY, sentence));
        }
        let shares: Vec<VerifiedShare> = self.shares.values().cloned().collect();
        let highest = u64::from(charter.questions.highest());
        let bound = self.voting.turnout().weight.saturating_mul(highest);
        let mut counts = combine(statement, &shares, threshold.into(), bound)
            .map_err(|error| bad_result(format!("No result: {error}.")))?;
        let minimum = charter.manifest.definition.minimum_ballots;
        withheld(&self.participation, minimum).for_each(|contest| counts[contest].clear());
        Ok(counts)
    }

    /// That a body is the result.
    pub(crate) fn check_result(&self, body: &[u8]) -> Result<Outcome, Refusal> {
        let claimed = Outcome::decode(body)
            .map_err(|error| Refusal::new(code::MALFORMED, error.to_string()))?;
        let outcome = self.decrypt()?;
        if claimed == outcome {
            return Ok(outcome);
        }
        let sentence = format!("The result is {outcome}; the entry claims {claimed}.");
        Err(bad_result(sentence))
    }

    /// Counts must be possible: proofs force this, so a failure means broken cryptography.
    fn check_consistency(&self, outcome: &Outcome) -> Result<(), Refusal> {
        let kinds = self.voting.charter.questions.kinds().iter();
        for (contest, (kind, counts)) in kinds.zip(&outcome.counts).enumerate() {
            let ballots = self.participation[contest].ballots;
            if !counts.is_empty() && !kind.admits_counts(counts, ballots.weight) {
                let sentence = format!(
                    "The counts {counts:?} of contest {contest} cannot be those of {ballots} \
                     ballots."
                );
                return Err(bad_result(sentence));
            }
        }
        Ok(())
    }
}

/// Contests that some, but fewer than the minimum have answered: their sums would say too much
/// about single people.
pub(crate) fn withheld(
    participation: &[Participation],
    minimum: u32,
) -> impl Iterator<Item = usize> {
    let few = move |part: &Participation| (1..minimum).contains(&part.ballots.voters);
    let numbered = participation.iter().enumerate();
    numbered.filter(move |(_, part)| few(part)).map(|(contest, _)| contest)
}

fn bad_result(sentence: String) -> Refusal {
    Refusal::new(code::BAD_RESULT, sentence)
}
