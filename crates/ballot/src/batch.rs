//! Many ballots at once: all signature and proof equations as one random linear combination.
//!
//! Every equation is a sum of points that must vanish. Each gets its own weight of 128 random
//! bits, and the weighted sum is one multi-scalar multiplication for the proofs (ristretto255)
//! and one for the signatures (Edwards form of the same curve, times the cofactor). If any
//! equation is false, the sum vanishes with probability 2^-128, whatever the other ballots are:
//! errors that would cancel each other need equal weights. The weights must be unpredictable for
//! whoever made the ballots, so they come from the verifier's own generator and are never derived
//! from the ballots.
//!
//! If the sum does not vanish, the batch is halved until single ballots are left, and those are
//! checked exactly, which also gives the reason. 128 to 512 ballots are the best size: the window
//! of the multiplication grows no further, and the points still fit the cache.

use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;

use crate::context::BallotContext;
use crate::parsed::{BallotError, ParsedBallot, key};
use crate::proof::Accumulator;
use crate::signature;

/// The ballots of a batch that are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadBallots {
    /// Place in the batch and reason, ascending by place, never empty.
    pub bad: Vec<(usize, BallotError)>,
}

impl BadBallots {
    /// The places of the refused ballots, ascending.
    pub fn indices(&self) -> impl Iterator<Item = usize> {
        self.bad.iter().map(|(place, _)| *place)
    }
}

impl fmt::Display for BadBallots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the ballots are refused", self.bad.len())?;
        let (place, error) = &self.bad[0];
        write!(f, "; the first is number {place}: {error}")
    }
}

impl core::error::Error for BadBallots {}

/// Checks signatures and proofs of ballots of one election.
///
/// # Errors
/// Names every bad ballot and only those. A ballot read for another context is bad.
pub fn verify(
    ballots: &[&ParsedBallot],
    context: &BallotContext,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<(), BadBallots> {
    let ours = |ballot: &ParsedBallot| ballot.context().digest() == context.digest();
    let mut bad = Vec::new();
    let mut good = Vec::with_capacity(ballots.len());
    for (place, ballot) in ballots.iter().enumerate() {
        if ours(ballot) {
            good.push((place, *ballot));
        } else {
            bad.push((place, BallotError::Context));
        }
    }
    bisect(&good, context, rng, &mut bad);
    bad.sort_unstable_by_key(|(place, _)| *place);
    if bad.is_empty() { Ok(()) } else { Err(BadBallots { bad }) }
}

/// Checks a part of a batch and descends into it while it fails.
fn bisect(
    ballots: &[(usize, &ParsedBallot)],
    context: &BallotContext,
    rng: &mut (impl CryptoRng + ?Sized),
    bad: &mut Vec<(usize, BallotError)>,
) {
    if all_hold(ballots, context, rng) {
        return;
    }
    if let [(place, ballot)] = ballots {
        let exact = ballot.verify_signature().and_then(|()| ballot.verify_proofs());
        // A single false combination of true equations does not exist: the exact check fails too.
        bad.extend(exact.err().map(|error| (*place, error)));
        return;
    }
    let (left, right) = ballots.split_at(ballots.len() / 2);
    bisect(left, context, rng, bad);
    bisect(right, context, rng, bad);
}

fn all_hold(
    ballots: &[(usize, &ParsedBallot)],
    context: &BallotContext,
    rng: &mut (impl CryptoRng + ?Sized),
) -> bool {
    let signed: Vec<_> = ballots.iter().map(|(_, ballot)| ballot.signed()).collect();
    if !signature::all_hold(&signed, rng) {
        return false;
    }
    let points = ballots.iter().map(|(_, ballot)| ballot.point_count()).sum();
    let mut accumulator = Accumulator::with_capacity(points);
    ballots.iter().for_each(|(_, ballot)| ballot.accumulate(&mut accumulator, rng));
    accumulator.vanishes(key(context))
}
