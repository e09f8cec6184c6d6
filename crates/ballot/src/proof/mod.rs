//! Zero-knowledge proofs, one per file. All of them carry their commitments, so that checking is
//! a list of linear equations between points: exact one by one, or many at once as one random
//! linear combination (`batch`).
//!
//! The proofs of a ballot are all of one form: *this linear combination of the contest's
//! ciphertexts encrypts one of these values* (`disjunction`). `one_of_n` and `some` say which
//! combinations and values make a contest's vote valid.

pub(crate) mod disjunction;
pub(crate) mod equality;
pub(crate) mod knowledge;
pub(crate) mod one_of_n;
pub(crate) mod some;

use alloc::vec::Vec;

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;

use crate::contest::ContestKind;
use crate::elgamal::Ciphertext;
use crate::statement::Statement;

/// A combination of a contest's ciphertexts and the values it may encrypt.
pub(crate) struct Claim {
    pub(crate) combination: Combination,
    /// Distinct values, one for each clause.
    pub(crate) values: Vec<Scalar>,
}

/// Which ciphertexts of a contest are added, and how often.
pub(crate) enum Combination {
    /// One ciphertext alone.
    Only(usize),
    /// All of them, once.
    All,
    /// Each with its own public factor.
    Each(Vec<Scalar>),
}

impl Combination {
    /// The combination of the ciphertexts themselves. Public data only.
    pub(crate) fn ciphertext(&self, ciphertexts: &[Ciphertext]) -> Ciphertext {
        match self {
            Self::Only(place) => ciphertexts[*place],
            Self::All => ciphertexts.iter().fold(Ciphertext::zero(), |mut sum, next| {
                sum += next;
                sum
            }),
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
            Self::Only(place) => each[*place],
            Self::All => each.iter().sum(),
            Self::Each(factors) => factors.iter().zip(each).map(|(f, r)| f * r).sum(),
        }
    }

    /// Adds `coefficient` times this combination to the coefficients of single ciphertexts.
    pub(crate) fn spread(&self, coefficient: &Scalar, onto: &mut [Scalar]) {
        match self {
            Self::Only(place) => onto[*place] += coefficient,
            Self::All => onto.iter_mut().for_each(|one| *one += coefficient),
            Self::Each(factors) => {
                onto.iter_mut().zip(factors).for_each(|(one, factor)| *one += coefficient * factor);
            }
        }
    }
}

/// What must be proven for contest number `contest`.
pub(crate) fn claims(kind: &ContestKind, contest: u16, statement: &Statement) -> Vec<Claim> {
    match *kind {
        ContestKind::One { options } => one_of_n::claims(options, &statement.rho(contest)),
        ContestKind::Some { options, min, max } => {
            some::claims(options, kind.proves_sum().then_some(min..=max))
        }
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
