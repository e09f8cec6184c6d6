//! Many entries at once: what is costly about ballots is verified together, and by several threads
//! if the caller has them, before the entries are judged one after the other.

use std::collections::{BTreeMap, BTreeSet};

use ballot::{Fingerprint, ParsedBallot, Tracker};
use bytes::Bytes;
use rand_core::CryptoRng;

use super::{Accepted, CheckedBallot, Fold, Stage, voting::Vote};
use crate::{
    entry::{Body, Entry, Kind},
    refusal::Refusal,
    wire::sha256,
};

/// Ballots verified together: larger batches are no faster.
const BATCH_MAX: usize = 512;

/// Runs of ballots, and of other entries, no longer than what is verified together.
fn batches(entries: &[Bytes]) -> impl Iterator<Item = &[Bytes]> {
    let is_ballot = |bytes: &Bytes| bytes.get(1) == Some(&(Kind::Ballot as u8));
    let runs = entries.chunk_by(move |one, next| is_ballot(one) == is_ballot(next));
    runs.flat_map(|run| run.chunks(BATCH_MAX))
}

/// Entries with what was verified about them before they are pushed.
pub struct Verified {
    entries: Vec<Bytes>,
    /// Of the manifest that they were verified for, and how many changes of keys there were then.
    state: (Option<Fingerprint>, usize),
    ballots: BTreeMap<[u8; 32], Result<(), Refusal>>,
    /// Whether every one of them is a ballot, signed by its appender.
    appended: bool,
}

impl Fold {
    /// Judges entries in order, exactly as [`push`](Self::push) one by one would, but verifies
    /// the ballots among them together. `rng` must be unpredictable for whoever made the ballots.
    pub fn push_batch(
        &mut self,
        entries: &[Bytes],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Vec<Result<Accepted, Refusal>> {
        let mut verdicts = Vec::with_capacity(entries.len());
        for batch in batches(entries) {
            let verified = self.verify(batch, rng);
            verdicts.extend(self.push_verified(verified));
        }
        verdicts
    }

    /// Judges entries in order, taking it for granted that points, signatures and proofs of the
    /// ballots among them are good, and that their appenders have signed them. Only for who knows
    /// the root that must come out, and gives up this fold when another one does.
    pub fn push_known(&mut self, entries: &[Bytes]) -> Vec<Result<Accepted, Refusal>> {
        let mut verdicts = Vec::with_capacity(entries.len());
        for batch in batches(entries) {
            let decoded = batch.iter().filter_map(|bytes| Entry::decode(bytes).ok());
            let ballots = decoded.filter_map(|entry| match entry.body {
                Body::Ballot(ballot) => Some((sha256(&[ballot]), Ok(()))),
                _ => None,
            });
            let ballots: Vec<_> = ballots.collect();
            let appended = ballots.len() == batch.len();
            let (entries, state) = (batch.to_vec(), self.keys_state());
            let ballots = ballots.into_iter().collect();
            verdicts.extend(self.push_verified(Verified { entries, state, ballots, appended }));
        }
        verdicts
    }

    /// The costly part of [`push_batch`](Self::push_batch), which changes nothing: several threads
    /// may verify parts of what is to be pushed. Other entries may be pushed in between.
    pub fn verify(&self, entries: &[Bytes], rng: &mut (impl CryptoRng + ?Sized)) -> Verified {
        let decoded: Vec<Entry<'_>> =
            entries.iter().filter_map(|bytes| Entry::decode(bytes).ok()).collect();
        let ballots = decoded.iter().filter_map(|entry| match entry.body {
            Body::Ballot(ballot) => Some(ballot),
            _ => None,
        });
        let ballots = self.verify_together(ballots, rng);
        let only_ballots = decoded.len() == entries.len()
            && decoded.iter().all(|entry| entry.body.kind() == Kind::Ballot);
        let appended = only_ballots && self.are_appended(&decoded, rng);
        Verified { entries: entries.to_vec(), state: self.keys_state(), ballots, appended }
    }

    /// What decides by which keys entries must be signed.
    fn keys_state(&self) -> (Option<Fingerprint>, usize) {
        (self.fingerprint(), self.successions.all().len())
    }

    /// Pushes entries about which [`verify`](Self::verify) has spoken. If an authority's key was
    /// changed since, who appended them is verified again, one by one.
    pub fn push_verified(&mut self, verified: Verified) -> Vec<Result<Accepted, Refusal>> {
        let Verified { entries, state, ballots, appended } = verified;
        self.verdicts.set_batch(ballots, appended && state == self.keys_state());
        let verdicts = entries.iter().map(|bytes| self.push(bytes)).collect();
        self.verdicts.clear_batch();
        verdicts
    }

    /// Whether all entries are signed by their appenders, as one equation.
    fn are_appended(&self, entries: &[Entry<'_>], rng: &mut (impl CryptoRng + ?Sized)) -> bool {
        let Some(charter) = self.charter() else { return false };
        let claims = entries.iter().map(|entry| {
            let key = charter.appender(entry.appender, self.successions.newest(entry.appender))?;
            Some(entry.claim(key, charter.manifest.id))
        });
        let claims: Option<Vec<_>> = claims.collect();
        claims.is_some_and(|claims| ballot::signature::verify_batch(&claims, rng))
    }

    /// Checks ballots before they are ordered, by the same rules against the current state, and
    /// remembers the good ones so that they are not verified again when they come back ordered.
    pub fn check_ballots<B: AsRef<[u8]>>(
        &mut self,
        ballots: &[B],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Vec<Result<CheckedBallot, Refusal>> {
        let votes: Vec<_> =
            ballots.iter().map(|ballot| self.check_rules(ballot.as_ref())).collect();
        let passed = ballots.iter().zip(&votes).filter(|(_, vote)| vote.is_ok());
        let known = self.verify_together(passed.map(|(ballot, _)| ballot.as_ref()), rng);
        let good = known.iter().filter(|(_, verdict)| verdict.is_ok());
        good.for_each(|(hash, _)| self.verdicts.remember(*hash));
        let verdict = |vote: Vote| {
            known.get(&vote.hash).cloned().unwrap_or(Ok(()))?;
            let Vote { hash, seq, credential, .. } = vote;
            Ok(CheckedBallot { hash, tracker: Tracker::of_hash(&hash), credential, seq })
        };
        votes.into_iter().map(|vote| vote.and_then(verdict)).collect()
    }

    /// [`check_ballots`](Self::check_ballots) for one.
    ///
    /// # Errors
    /// Why it would be refused now.
    pub fn check_ballot(
        &mut self,
        ballot: &[u8],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<CheckedBallot, Refusal> {
        self.check_ballots(&[ballot], rng).pop().expect("one verdict for one ballot")
    }

    /// Verdicts about points, signatures and proofs of ballots not known yet, by hash.
    fn verify_together<'a>(
        &self,
        ballots: impl Iterator<Item = &'a [u8]>,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> BTreeMap<[u8; 32], Result<(), Refusal>> {
        let mut verdicts = BTreeMap::new();
        let Stage::Open(voting) = &self.stage else { return verdicts };
        let Some(context) = &voting.charter.context else { return verdicts };
        let mut parsed = Vec::new();
        let mut seen = BTreeSet::new();
        for ballot in ballots.filter(|ballot| voting.concerns(ballot)) {
            let hash = sha256(&[ballot]);
            let known = self.verdicts.get(&hash).is_some() || voting.check_new(&hash).is_err();
            if known || !seen.insert(hash) {
                continue;
            }
            match ParsedBallot::parse(ballot, context) {
                Ok(ballot) => parsed.push((hash, ballot)),
                Err(error) => {
                    drop(verdicts.insert(hash, Err(voting.charter.refuse_ballot(&error))))
                }
            }
        }
        for batch in parsed.chunks(BATCH_MAX) {
            let ballots: Vec<&ParsedBallot> = batch.iter().map(|(_, ballot)| ballot).collect();
            verdicts.extend(batch.iter().map(|(hash, _)| (*hash, Ok(()))));
            if let Err(bad) = ballot::batch::verify(&ballots, context, rng) {
                let refused = bad.bad.iter().map(|(at, error)| (batch[*at].0, error));
                verdicts.extend(
                    refused.map(|(hash, error)| (hash, Err(voting.charter.refuse_ballot(error)))),
                );
            }
        }
        verdicts
    }
}
