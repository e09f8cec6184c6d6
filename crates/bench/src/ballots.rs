//! Ballots verified, against what their curve operations alone cost.
//!
//! The limit decodes as many points as the ballots hold and adds them up in two multi-scalar
//! multiplications of the same size with scalars of the same length. What verifying takes beyond
//! that is hashing, scalar arithmetic and bookkeeping.

use std::time::Duration;

use ballot::{
    BallotContext, Choice, ContestKind, Credential, ElectionKey, Fingerprint, ParsedBallot, batch,
    cast,
};
use chacha20::ChaCha20Rng;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use rand_core::{Rng, SeedableRng};

use crate::clock::per_cpu_second;
use crate::failure::Failure;
use crate::figures::Figure;
use crate::stats::median;

/// Ballots verified together.
const BATCH: usize = 256;

/// Runs of ballots and of bare operations each, in alternation.
const PAIRS: usize = 3;

/// CPU time of one run; at least one whole batch is done.
const BUDGET: Duration = Duration::from_millis(200);

const LIMIT: &str = "decode the points, two multi-scalar multiplications";

/// A kind of contest, an answer to it, and how many `clauses` the proofs of a ballot then have.
struct Case {
    name: &'static str,
    kind: ContestKind,
    chosen: &'static [u16],
    clauses: usize,
}

const CASES: [Case; 2] = [
    Case { name: "one_of_5", kind: ContestKind::One { options: 5 }, chosen: &[2], clauses: 5 },
    Case {
        name: "some_of_9",
        kind: ContestKind::Some { options: 9, min: 0, max: 4, blank: false },
        chosen: &[1, 4, 8],
        // A bit for each option, and the sum, from 0 to 4.
        clauses: 9 * 2 + 5,
    },
];

impl Case {
    fn choice(&self) -> Choice {
        match self.kind {
            ContestKind::One { .. } => Choice::One(self.chosen[0]),
            _ => Choice::Some(self.chosen.to_vec()),
        }
    }

    /// Points of the ciphertexts: their scalars in the sum are long.
    fn ciphertext_points(&self) -> usize {
        usize::from(self.kind.counters()) * 2
    }

    /// Points of the commitments: each has a weight of 128 bits only.
    fn commitment_points(&self) -> usize {
        self.clauses * 2
    }
}

/// Ballots a CPU second, of both kinds of contest.
pub(crate) fn measure() -> Result<Vec<Figure>, Failure> {
    // Fixed, so that two runs do the same work. Real verifiers draw from the system.
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut figures = Vec::new();
    for case in &CASES {
        let (context, ballots) = cast_all(case, &mut rng)?;
        let bare = Bare::new(case, &mut rng);
        let (mut ours, mut limits) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            let mut failed = None;
            ours.push(per_cpu_second(BUDGET, || {
                failed = verify(&ballots, &context, &mut rng).err().or(failed.take());
                BATCH as u64
            }));
            failed.map_or(Ok(()), Err)?;
            limits.push(per_cpu_second(BUDGET, || {
                std::hint::black_box(bare.work());
                BATCH as u64
            }));
        }
        let value = median(ours).unwrap_or_default();
        let limit = median(limits).unwrap_or_default();
        println!("  {}: {value:.0} ballots a CPU s, bare operations {limit:.0}", case.name);
        let name = format!("ballots_verified.{}.batch_{BATCH}", case.name);
        figures.push(Figure::new(name, value, "ballots/CPU s").with_limit(LIMIT, limit));
    }
    Ok(figures)
}

/// A batch of good ballots, each of another credential.
fn cast_all(case: &Case, rng: &mut ChaCha20Rng) -> Result<(BallotContext, Vec<Vec<u8>>), Failure> {
    let key = RistrettoPoint::mul_base(&Scalar::random(rng)).compress().to_bytes();
    let key = ElectionKey::from_bytes(key).map_err(Failure::because("no key"))?;
    let context = BallotContext::new(Fingerprint([7; 32]), key, vec![case.kind.clone()])
        .map_err(Failure::because("no contest"))?;
    let choices = [case.choice()];
    let ballots = (0..BATCH).map(|_| {
        let credential = Credential::generate(rng);
        cast(&context, &credential, 0, 0, [0; 32], &choices, rng).map(|ballot| ballot.into_bytes())
    });
    let ballots = ballots.collect::<Result<_, _>>().map_err(Failure::because("no ballot"))?;
    Ok((context, ballots))
}

/// What a node does with a batch: read each ballot, check all together.
fn verify(
    ballots: &[Vec<u8>],
    context: &BallotContext,
    rng: &mut ChaCha20Rng,
) -> Result<(), Failure> {
    let parsed: Vec<ParsedBallot> = ballots
        .iter()
        .map(|ballot| ParsedBallot::parse(ballot.as_slice(), context))
        .collect::<Result<_, _>>()
        .map_err(Failure::because("a good ballot is refused"))?;
    let all: Vec<&ParsedBallot> = parsed.iter().collect();
    batch::verify(&all, context, rng).map_err(Failure::because("good ballots are refused"))
}

/// Points and scalars as many, and as long, as in a batch of ballots.
struct Bare {
    ristretto: Vec<CompressedRistretto>,
    ristretto_scalars: Vec<Scalar>,
    edwards: Vec<CompressedEdwardsY>,
    edwards_scalars: Vec<Scalar>,
}

impl Bare {
    fn new(case: &Case, rng: &mut ChaCha20Rng) -> Self {
        let (long, short) = (case.ciphertext_points() * BATCH, case.commitment_points() * BATCH);
        let mut scalars = |long: usize, short: usize| {
            let mut all: Vec<Scalar> = (0..long).map(|_| Scalar::random(rng)).collect();
            all.extend((0..short).map(|_| {
                Scalar::from((u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64()))
            }));
            all
        };
        let ristretto_scalars = scalars(long, short);
        // Of a signature: the key with a long scalar, the commitment with a weight.
        let edwards_scalars = scalars(BATCH, BATCH);
        let point = |at: usize| Scalar::from(at as u64 + 2);
        let ristretto = (0..ristretto_scalars.len())
            .map(|at| RistrettoPoint::mul_base(&point(at)).compress())
            .collect();
        let edwards = (0..edwards_scalars.len())
            .map(|at| EdwardsPoint::mul_base(&point(at)).compress())
            .collect();
        Self { ristretto, ristretto_scalars, edwards, edwards_scalars }
    }

    /// `None` never: every point was made here.
    fn work(&self) -> Option<(RistrettoPoint, EdwardsPoint)> {
        let points: Vec<RistrettoPoint> =
            self.ristretto.iter().map(CompressedRistretto::decompress).collect::<Option<_>>()?;
        let ristretto = RistrettoPoint::vartime_multiscalar_mul(&self.ristretto_scalars, &points);
        let points: Vec<EdwardsPoint> =
            self.edwards.iter().map(CompressedEdwardsY::decompress).collect::<Option<_>>()?;
        let edwards = EdwardsPoint::vartime_multiscalar_mul(&self.edwards_scalars, &points);
        Some((ristretto, edwards))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_the_points_that_a_ballot_holds() {
        // `one` has one proof; `some` has one for each option and one for their sum.
        for (case, proofs) in CASES.iter().zip([1, 10]) {
            let points = case.ciphertext_points() + case.commitment_points();
            // Responses for all clauses, challenges for all but one of each proof.
            let scalars = case.clauses * 2 - proofs;
            assert_eq!(case.kind.body_len(), 1 + 32 * (points + scalars), "{}", case.name);
        }
    }

    #[test]
    fn the_bare_operations_are_possible() {
        let bare = Bare::new(&CASES[0], &mut ChaCha20Rng::seed_from_u64(1));
        assert_eq!(bare.ristretto.len(), BATCH * (10 + 10));
        assert!(bare.work().is_some());
    }
}
