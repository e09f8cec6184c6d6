//! Zero-knowledge proofs, one per file. All of them carry their commitments, so that checking is
//! a list of linear equations between points: exact one by one, or many at once as one random
//! linear combination (`batch`).
//!
//! The proofs of a ballot are all of one form: *this linear combination of the contest's
//! ciphertexts encrypts one of these values* (`disjunction`). `one_of_n` says which combination
//! and values make a vote of kind `one` valid, `sums` those of all other kinds.

pub(crate) mod disjunction;
pub(crate) mod equality;
pub(crate) mod knowledge;
pub(crate) mod one_of_n;
pub(crate) mod sums;

use alloc::borrow::Cow;
use alloc::vec::Vec;

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;

use crate::contest::{ContestKind, Sum};
use crate::context::BallotContext;
use crate::elgamal::Ciphertext;
use crate::statement::Statement;

/// A combination of a contest's ciphertexts and the values it may encrypt.
#[derive(Clone)]
pub(crate) struct Claim {
    pub(crate) combination: Combination,
    /// Distinct values, one for each clause.
    pub(crate) values: Vec<Scalar>,
}

/// Which ciphertexts of a contest are added, and how often.
#[derive(Clone)]
pub(crate) enum Combination {
    /// Each of a range once, and perhaps one more several times.
    Sum(Sum),
    /// Each with its own public factor.
    Each(Vec<Scalar>),
}

impl Combination {
    /// The combination of the ciphertexts themselves. Public data only.
    pub(crate) fn ciphertext(&self, ciphertexts: &[Ciphertext]) -> Ciphertext {
        match self {
            Self::Sum(Sum { ones, extra }) => {
                let mut sum = Ciphertext::zero();
                ciphertexts[ones.clone()].iter().for_each(|next| sum += next);
                if let Some((place, factor)) = *extra {
                    sum += &ciphertexts[place].times(factor);
                }
                sum
            }
            Self::Each(factors) => {
                let combine = |half: fn(&Ciphertext) -> &RistrettoPoint| {
                    RistrettoPoint::vartime_multiscalar_mul(factors, ciphertexts.iter().map(half))
                };
                Ciphertext { a: combine(|c| &c.a), b: combine(|c| &c.b) }
            }
        }
    }

    /// The combination of the secret randomness, in constant time.
    pub(crate) fn randomness(&self, each: &[Scalar]) -> Scalar {
        match self {
            Self::Sum(Sum { ones, extra }) => {
                let sum: Scalar = each[ones.clone()].iter().sum();
                extra.map_or(sum, |(place, factor)| sum + Scalar::from(factor) * each[place])
            }
            Self::Each(factors) => factors.iter().zip(each).map(|(f, r)| f * r).sum(),
        }
    }

    /// Adds `coefficient` times this combination to the coefficients of single ciphertexts.
    pub(crate) fn spread(&self, coefficient: &Scalar, onto: &mut [Scalar]) {
        match self {
            Self::Sum(Sum { ones, extra }) => {
                onto[ones.clone()].iter_mut().for_each(|one| *one += coefficient);
                if let Some((place, factor)) = *extra {
                    onto[place] += Scalar::from(factor) * coefficient;
                }
            }
            Self::Each(factors) => {
                onto.iter_mut().zip(factors).for_each(|(one, factor)| *one += coefficient * factor);
            }
        }
    }
}

/// The claims of a contest that are the same for every ballot: all of them, but for kind `one`.
pub(crate) fn fixed_claims(kind: &ContestKind) -> Vec<Claim> {
    sums::claims(kind.rules())
}

/// What must be proven for contest number `contest`.
pub(crate) fn claims<'a>(
    context: &'a BallotContext,
    kind: &ContestKind,
    contest: u16,
    statement: &Statement,
) -> Cow<'a, [Claim]> {
    match kind {
        ContestKind::One { options } => {
            Cow::Owned(one_of_n::claims(*options, &statement.rho(contest)))
        }
        _ => Cow::Borrowed(context.fixed_claims(contest)),
    }
}

/// Collects `Σ weight · equation`, every equation being a sum of points that must vanish.
pub(crate) struct Accumulator<'a> {
    /// Coefficient of the base point `G`.
    pub(crate) base: Scalar,
    /// Coefficient of the election key `Y`.
    pub(crate) key: Scalar,
    scalars: Vec<Scalar>,
    points: Vec<&'a RistrettoPoint>,
}

impl<'a> Accumulator<'a> {
    pub(crate) fn with_capacity(points: usize) -> Self {
        Self {
            base: Scalar::ZERO,
            key: Scalar::ZERO,
            scalars: Vec::with_capacity(points + 2),
            points: Vec::with_capacity(points + 2),
        }
    }

    pub(crate) fn add(&mut self, scalar: Scalar, point: &'a RistrettoPoint) {
        self.scalars.push(scalar);
        self.points.push(point);
    }

    /// Whether the sum of everything is the identity.
    pub(crate) fn vanishes(mut self, key: &'a RistrettoPoint) -> bool {
        use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
        use curve25519_dalek::traits::IsIdentity;
        self.scalars.push(self.base);
        self.points.push(&RISTRETTO_BASEPOINT_POINT);
        self.scalars.push(self.key);
        self.points.push(key);
        RistrettoPoint::vartime_multiscalar_mul(&self.scalars, self.points).is_identity()
    }
}
