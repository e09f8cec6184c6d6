//! *A ciphertext encrypts one of several values* (Cramer, Damgård, Schoenmakers 1994).
//!
//! **Statement.** Under key `Y`, the ciphertext `(A, B)` encrypts one of the distinct public values
//! `t_1 … t_n`: for some `k`, the prover knows `r` with `A = rG` and `B = rY + t_k G`.
//!
//! **Protocol.** Commitments `(A_k, B_k)` for every clause; challenge `c`; clause challenges
//! `c_1 … c_n` that sum to `c`; responses `z_1 … z_n`. The proof carries all commitments,
//! `c_1 … c_{n-1}` and all responses; `c_n` is what is missing to `c`. It holds iff for every `k`
//! `z_k G = A_k + c_k A` and `z_k Y = B_k + c_k (B − t_k G)`.
//! The prover draws `u_k`, `c_k` for *every* clause, sends `A_k = u_k G` and
//! `B_k = u_k Y + c_k (t_k − t) G` where `t` is the true value, then adds the missing challenge to
//! the true clause and answers `z_k = u_k + c_k r`. For the true clause the factor of `c_k` is 0,
//! so its challenge may still change: one formula for all clauses, and no branch on the secret.
//!
//! **Transcript order.** The caller hashes statement, then all commitments of the whole ballot,
//! `A_1 B_1 A_2 B_2 …`, and derives `c`; see `statement`.
//!
//! **Soundness.** With `n = 1` this is the Chaum-Pedersen proof. Two accepting answers to different
//! `c` with the same commitments differ in some `c_k`, which gives `r` for that clause; a false
//! statement is accepted with probability at most 1/ℓ per hash query. The commitments are hashed
//! and not recomputed, and the linear equations fix them, so nothing is lost by carrying them.

use alloc::vec::Vec;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use rand_core::CryptoRng;
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use super::{Accumulator, Claim};
use crate::elgamal::{Ciphertext, KeyTable};
use crate::encoding::{self, EncodingError, Reader};

/// A prover between its commitments and the challenge.
pub(crate) struct Prover {
    randomness: Scalar,
    true_clause: u64,
    masks: Zeroizing<Vec<Scalar>>,
    challenges: Zeroizing<Vec<Scalar>>,
}

impl Prover {
    /// Draws for each clause `u_k`, then `c_k`, and appends `A_k`, `B_k` to `bytes`.
    pub(crate) fn commit(
        table: &KeyTable,
        values: &[Scalar],
        true_clause: u64,
        randomness: Scalar,
        rng: &mut (impl CryptoRng + ?Sized),
        bytes: &mut Vec<u8>,
    ) -> Self {
        let mut value = Scalar::ZERO;
        for (place, listed) in (0_u64..).zip(values) {
            value.conditional_assign(listed, place.ct_eq(&true_clause));
        }
        let mut masks = Zeroizing::new(Vec::with_capacity(values.len()));
        let mut challenges = Zeroizing::new(Vec::with_capacity(values.len()));
        for listed in values {
            let (mask, challenge) = (Scalar::random(rng), Scalar::random(rng));
            let distance = challenge * (listed - value);
            encoding::put_point(bytes, &RistrettoPoint::mul_base(&mask));
            let second = table.mul(&mask) + RistrettoPoint::mul_base(&distance);
            encoding::put_point(bytes, &second);
            masks.push(mask);
            challenges.push(challenge);
        }
        value.zeroize();
        Self { randomness, true_clause, masks, challenges }
    }

    /// Appends `c_1 … c_{n-1}` and `z_1 … z_n` for the challenge.
    pub(crate) fn respond(mut self, challenge: &Scalar, bytes: &mut Vec<u8>) {
        let missing = challenge - self.challenges.iter().sum::<Scalar>();
        for (place, clause) in (0_u64..).zip(self.challenges.iter_mut()) {
            let chosen = place.ct_eq(&self.true_clause);
            *clause += Scalar::conditional_select(&Scalar::ZERO, &missing, chosen);
        }
        for clause in &self.challenges[..self.challenges.len() - 1] {
            encoding::put_scalar(bytes, clause);
        }
        for (mask, clause) in self.masks.iter().zip(self.challenges.iter()) {
            encoding::put_scalar(bytes, &(mask + clause * self.randomness));
        }
    }
}

impl Drop for Prover {
    fn drop(&mut self) {
        self.randomness.zeroize();
        self.true_clause.zeroize();
    }
}

/// A proof as read from a ballot.
pub(crate) struct Proof {
    commitments: Vec<(RistrettoPoint, RistrettoPoint)>,
    /// One fewer than clauses.
    challenges: Vec<Scalar>,
    responses: Vec<Scalar>,
}

impl Proof {
    /// Reads the commitments of `clauses` clauses; the scalars follow later in the ballot.
    pub(crate) fn read_commitments(
        reader: &mut Reader<'_>,
        clauses: usize,
    ) -> Result<Self, EncodingError> {
        let commitments = (0..clauses)
            .map(|_| Ok((reader.point()?, reader.point()?)))
            .collect::<Result<_, _>>()?;
        Ok(Self { commitments, challenges: Vec::new(), responses: Vec::new() })
    }

    /// Reads clause challenges and responses.
    pub(crate) fn read_scalars(&mut self, reader: &mut Reader<'_>) -> Result<(), EncodingError> {
        let clauses = self.commitments.len();
        self.challenges = (1..clauses).map(|_| reader.scalar()).collect::<Result<_, _>>()?;
        self.responses = (0..clauses).map(|_| reader.scalar()).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// The clause challenges; the last one is what is missing to `challenge`.
    fn clause_challenges(&self, challenge: &Scalar) -> impl Iterator<Item = Scalar> {
        let last = challenge - self.challenges.iter().sum::<Scalar>();
        self.challenges.iter().copied().chain(core::iter::once(last))
    }

    /// Checks every equation exactly.
    pub(crate) fn holds(
        &self,
        key: &RistrettoPoint,
        ciphertext: &Ciphertext,
        values: &[Scalar],
        challenge: &Scalar,
    ) -> bool {
        let clauses = self.clause_challenges(challenge).zip(&self.commitments);
        clauses.zip(&self.responses).zip(values).all(|(((c, (first, second)), z), value)| {
            let a = RistrettoPoint::vartime_double_scalar_mul_basepoint(&-c, &ciphertext.a, z);
            let b = RistrettoPoint::vartime_multiscalar_mul(
                [z, &-c, &(c * value)],
                [key, &ciphertext.b, &RISTRETTO_BASEPOINT_POINT],
            );
            a == *first && b == *second
        })
    }

    /// Adds every equation with a fresh 128-bit weight: `A_k + c_k A − z_k G` and
    /// `B_k + c_k B − c_k t_k G − z_k Y`. The ciphertext's own points are left to the caller,
    /// which gets their coefficients `(of A, of B)`.
    pub(crate) fn accumulate<'a>(
        &'a self,
        claim: &Claim,
        challenge: &Scalar,
        accumulator: &mut Accumulator<'a>,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> (Scalar, Scalar) {
        let (mut of_a, mut of_b) = (Scalar::ZERO, Scalar::ZERO);
        let clauses = self.clause_challenges(challenge).zip(&self.commitments);
        for (((c, (first, second)), z), value) in clauses.zip(&self.responses).zip(&claim.values) {
            let (weight_a, weight_b) = (random_weight(rng), random_weight(rng));
            accumulator.add(weight_a, first);
            accumulator.add(weight_b, second);
            let b_challenge = weight_b * c;
            of_a += weight_a * c;
            of_b += b_challenge;
            accumulator.base -= weight_a * z + b_challenge * value;
            accumulator.key -= weight_b * z;
        }
        (of_a, of_b)
    }
}

/// A weight of 128 random bits: a sum of false equations vanishes with probability 2^-128.
pub(crate) fn random_weight(rng: &mut (impl CryptoRng + ?Sized)) -> Scalar {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    Scalar::from(u128::from_le_bytes(bytes))
}
