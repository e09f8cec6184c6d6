//! Ballots verified, from the bytes of a ledger to the verdict: hashes, the place on the roll, the
//! chain, copied ciphertexts, decoding, the voter's and the appender's signature, the proofs, and
//! the leaf. Against what the curve operations of the same ballots alone cost.
//!
//! The limit decodes as many points as the entries hold and adds them up in multi-scalar
//! multiplications of the same size with scalars of the same length, in batches of the same size
//! and as many threads. What verifying takes beyond that is hashing, scalar arithmetic and
//! bookkeeping.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use election::testing::{Answer, ElectionBuilder, TestElection, choose, choose_all};
use election::{Body, Contest, Fold, Rule, Verified};
use rand_core::{Rng, SeedableRng};

use crate::clock::{per_cpu_second, slowest_cpu};
use crate::failure::Failure;
use crate::figures::Figure;
use crate::stats::median;

/// Ballots of each kind; two threads have two of the largest batches each.
const BALLOTS: usize = 2048;

/// Options of the question.
const OPTIONS: usize = 5;

/// Ballots verified together.
const BATCHES: [usize; 4] = [1, 32, 128, 512];

/// Single ballots take long: so many are enough.
const SINGLE_BALLOTS: usize = 256;

const THREADS: [usize; 2] = [1, 2];

/// Runs of ballots and of bare operations each, in alternation.
const PAIRS: usize = 3;

/// CPU time of one run of the peer; at least one verification is done.
const PEER_BUDGET: Duration = Duration::from_millis(200);

const LIMIT: &str = "decode the points, multi-scalar multiplications of the same size";
const PEER: &str = "elastic-elgamal 0.3.1, one choice of five";

/// A kind of contest, an answer to it, and how many `clauses` the proofs of a ballot then have.
struct Case {
    name: &'static str,
    rule: Rule,
    answer: fn(u16) -> Answer,
    clauses: usize,
}

fn cases() -> [Case; 2] {
    [
        Case { name: "one", rule: Rule::One, answer: choose, clauses: OPTIONS },
        Case {
            name: "some",
            rule: Rule::Some { min: 0, max: OPTIONS as u16 },
            answer: |option| choose_all(&[option]),
            // A bit for each option; every sum of them is allowed.
            clauses: OPTIONS * 2,
        },
    ]
}

/// An election that takes ballots, and the entries of its ballots.
struct Cast {
    election: TestElection,
    entries: Vec<Bytes>,
}

/// Ballots a second, of both kinds of contest, in batches, on one thread and on two.
pub(crate) fn measure() -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for case in cases() {
        let cast = Cast::new(&case);
        for threads in THREADS {
            for batch in BATCHES {
                figures.push(rate(&case, &cast, batch, threads)?);
            }
        }
    }
    Ok(figures)
}

fn rate(case: &Case, cast: &Cast, batch: usize, threads: usize) -> Result<Figure, Failure> {
    let bare = Bare::new(case, batch);
    let count = if batch == 1 { SINGLE_BALLOTS } else { BALLOTS };
    let (mut ours, mut limits, mut peers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        ours.push(cast.verify(count, batch, threads)?);
        let (used, _) = slowest_cpu(threads, |_| {
            (0..count / batch / threads).for_each(|_| _ = std::hint::black_box(bare.work()));
        });
        limits.push(count as f64 / used.as_secs_f64());
        if case.name == "one" && batch == 1 && threads == 1 {
            peers.push(peer()?);
        }
    }
    let value = median(ours).unwrap_or_default();
    let limit = median(limits).unwrap_or_default();
    let name = name(case.name, batch, threads);
    println!("  {name}: {value:.0} ballots/s, bare operations {limit:.0}");
    let figure = Figure::new(name, value, "ballots/s, a core each").with_limit(LIMIT, limit);
    Ok(figure.with_peer(PEER, median(peers)))
}

fn name(case: &str, batch: usize, threads: usize) -> String {
    let (batch, plural) = match batch {
        1 => ("single".to_owned(), if threads == 1 { "" } else { "s" }),
        more => (format!("batch{more}"), if threads == 1 { "" } else { "s" }),
    };
    format!("verify_{case}_{OPTIONS}_options_{batch}_{threads}thread{plural}")
}

impl Cast {
    fn new(case: &Case) -> Self {
        let names: Vec<String> = (0..OPTIONS).map(|option| format!("Option {option}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let contest = Contest::new("Question", case.rule.clone(), &names);
        let builder = ElectionBuilder::new(17).voters(BALLOTS as u32);
        let builder = builder.define(|definition| definition.contests = vec![contest]);
        let mut election = builder.build();
        let entries = (0..BALLOTS).map(|voter| {
            let answer = (case.answer)((voter % OPTIONS) as u16);
            let ballot = election.cast(voter, &[answer]);
            election.entry(&Body::Ballot(&ballot))
        });
        let entries = entries.collect();
        Self { election, entries }
    }

    /// Ballots a second, if each thread has a core of its own: the threads verify batch by batch,
    /// one of them pushes everything.
    fn verify(&self, count: usize, batch: usize, threads: usize) -> Result<f64, Failure> {
        let mut fold = self.election.open().fold;
        let before = fold.tree().size();
        let entries = &self.entries[..count];
        let share = count / threads;
        let batches = |thread: usize| {
            let own: Range<usize> = thread * share..(thread + 1) * share;
            own.step_by(batch).map(move |start| start..start + batch)
        };
        let (verifying, verified) = slowest_cpu(threads, |thread| {
            // Fixed, so that two runs do the same work. Real verifiers draw from the system.
            let mut rng = ChaCha20Rng::seed_from_u64(thread as u64);
            let one = |range: Range<usize>| fold.verify(&entries[range], &mut rng);
            batches(thread).map(one).collect::<Vec<_>>()
        });
        let (pushing, refused) = push(&mut fold, verified);
        if refused > 0 || fold.tree().size() != before + count as u64 {
            return Err(Failure::new(format!("{refused} good ballots are refused")));
        }
        Ok(count as f64 / (verifying + pushing).as_secs_f64())
    }
}

/// CPU time of pushing what was verified, and how many entries were refused.
fn push(fold: &mut Fold, verified: Vec<Vec<Verified>>) -> (Duration, usize) {
    let begun = crate::clock::thread_cpu();
    let mut refused = 0;
    for verified in verified.into_iter().flatten() {
        let verdicts = fold.push_verified(verified);
        refused += verdicts.iter().filter(|verdict| verdict.is_err()).count();
    }
    (crate::clock::thread_cpu() - begun, refused)
}

/// Choices of one of five that the peer verifies in a CPU second.
fn peer() -> Result<f64, Failure> {
    use elastic_elgamal::app::{ChoiceParams, EncryptedChoice};
    use elastic_elgamal::{Keypair, group::Ristretto};
    use rand_chacha::rand_core::SeedableRng;
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let (key, _) = Keypair::<Ristretto>::generate(&mut rng).into_tuple();
    let params = ChoiceParams::single(key, OPTIONS);
    let choice = EncryptedChoice::single(&params, 2, &mut rng);
    choice.verify(&params).map_err(Failure::because("the peer refuses its own choice"))?;
    Ok(per_cpu_second(PEER_BUDGET, || {
        let verified = std::hint::black_box(&choice).verify(&params);
        u64::from(verified.is_ok())
    }))
}

/// Points and scalars as many, and as long, as in a batch of entries with ballots.
struct Bare {
    ristretto: Vec<CompressedRistretto>,
    ristretto_scalars: Vec<Scalar>,
    edwards: Vec<CompressedEdwardsY>,
    edwards_scalars: Vec<Scalar>,
    /// Of the appenders' signatures.
    appended: Vec<CompressedEdwardsY>,
    appended_scalars: Vec<Scalar>,
}

impl Bare {
    fn new(case: &Case, batch: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut scalars = |long: usize, short: usize| {
            let mut all: Vec<Scalar> = (0..long).map(|_| Scalar::random(&mut rng)).collect();
            all.extend((0..short).map(|_| {
                Scalar::from((u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64()))
            }));
            all
        };
        // The ciphertexts' scalars are long; each commitment has a weight of 128 bits only.
        let ristretto_scalars = scalars(OPTIONS * 2 * batch, case.clauses * 2 * batch);
        // Of a signature: the key with a long scalar, the commitment with a weight.
        let edwards_scalars = scalars(batch, batch);
        let appended_scalars = scalars(0, batch);
        let point = |at: usize| Scalar::from(at as u64 + 2);
        let ristretto = |at: usize| RistrettoPoint::mul_base(&point(at)).compress();
        let edwards = |at: usize| EdwardsPoint::mul_base(&point(at)).compress();
        Self {
            ristretto: (0..ristretto_scalars.len()).map(ristretto).collect(),
            ristretto_scalars,
            edwards: (0..edwards_scalars.len()).map(edwards).collect(),
            edwards_scalars,
            appended: (0..appended_scalars.len()).map(edwards).collect(),
            appended_scalars,
        }
    }

    /// `None` never: every point was made here.
    fn work(&self) -> Option<(RistrettoPoint, [EdwardsPoint; 2])> {
        let points: Vec<RistrettoPoint> =
            self.ristretto.iter().map(CompressedRistretto::decompress).collect::<Option<_>>()?;
        let ristretto = RistrettoPoint::vartime_multiscalar_mul(&self.ristretto_scalars, &points);
        let sum = |points: &[CompressedEdwardsY], scalars: &[Scalar]| {
            let points: Vec<EdwardsPoint> =
                points.iter().map(CompressedEdwardsY::decompress).collect::<Option<_>>()?;
            Some(EdwardsPoint::vartime_multiscalar_mul(scalars, &points))
        };
        let signed = sum(&self.edwards, &self.edwards_scalars)?;
        let appended = sum(&self.appended, &self.appended_scalars)?;
        Some((ristretto, [signed, appended]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_the_points_that_a_ballot_holds() {
        // `one` has one proof; `some` has one for each option.
        for (case, proofs) in cases().iter().zip([1, OPTIONS]) {
            let points = OPTIONS * 2 + case.clauses * 2;
            // Responses for all clauses, challenges for all but one of each proof.
            let scalars = case.clauses * 2 - proofs;
            let contest = Contest::new("Question", case.rule.clone(), &["a", "b", "c", "d", "e"]);
            assert_eq!(contest.kind().body_len(), 1 + 32 * (points + scalars), "{}", case.name);
        }
    }

    #[test]
    fn the_bare_operations_are_possible() {
        let bare = Bare::new(&cases()[0], 3);
        assert_eq!((bare.ristretto.len(), bare.edwards.len()), (3 * (10 + 10), 6));
        assert!(bare.work().is_some());
    }

    #[test]
    fn the_main_figure_has_its_name() {
        assert_eq!(name("one", 512, 2), "verify_one_5_options_batch512_2threads");
        assert_eq!(name("some", 1, 1), "verify_some_5_options_single_1thread");
    }

    #[test]
    fn the_peer_accepts_its_choice() {
        assert!(peer().expect("a rate") > 0.0);
    }
}
