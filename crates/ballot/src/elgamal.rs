//! Additive ElGamal over ristretto255: `a = rG`, `b = rY + mG`.
//!
//! Sums of ciphertexts decrypt to sums of messages; that is the whole tally. Messages are small
//! counts, found again by a bounded discrete logarithm (`discrete_log`).

use alloc::boxed::Box;
use alloc::vec::Vec;

use curve25519_dalek::ristretto::{RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};

use crate::encoding::{self, EncodingError};

/// The public key that ballots are encrypted to: the trustees' joint key `Y`, never the identity.
#[derive(Clone)]
pub struct ElectionKey {
    bytes: [u8; 32],
    point: RistrettoPoint,
}

impl ElectionKey {
    /// Reads the canonical 32 bytes.
    ///
    /// # Errors
    /// When the bytes are not a canonical group element, or are the identity.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, EncodingError> {
        Ok(Self { point: encoding::proper_point(&bytes)?, bytes })
    }

    pub(crate) fn from_point(point: RistrettoPoint) -> Result<Self, EncodingError> {
        Self::from_bytes(point.compress().to_bytes())
    }

    /// The canonical 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.bytes
    }

    pub(crate) fn point(&self) -> &RistrettoPoint {
        &self.point
    }
}

impl PartialEq for ElectionKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for ElectionKey {}

impl core::fmt::Debug for ElectionKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ElectionKey(")?;
        crate::write_hex(f, &self.bytes)?;
        write!(f, ")")
    }
}

/// Multiples of `Y` in constant time from a table (about 30 kB, made in some 100 µs): it pays
/// from the first ballot on.
pub(crate) struct KeyTable(Box<RistrettoBasepointTable>);

impl KeyTable {
    pub(crate) fn new(key: &ElectionKey) -> Self {
        Self(Box::new(RistrettoBasepointTable::create(key.point())))
    }

    pub(crate) fn mul(&self, scalar: &Scalar) -> RistrettoPoint {
        scalar * &*self.0
    }
}

/// One encrypted number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ciphertext {
    pub(crate) a: RistrettoPoint,
    pub(crate) b: RistrettoPoint,
}

impl Ciphertext {
    /// Bytes of one ciphertext: `a`, then `b`.
    pub const LEN: usize = 64;

    /// The encryption of nothing with no randomness: the empty sum.
    pub fn zero() -> Self {
        Self { a: RistrettoPoint::identity(), b: RistrettoPoint::identity() }
    }

    /// A public multiple.
    pub(crate) fn times(&self, factor: u64) -> Self {
        if factor == 1 {
            return *self;
        }
        let multiply = |point: &RistrettoPoint| {
            RistrettoPoint::vartime_multiscalar_mul([Scalar::from(factor)], [point])
        };
        Self { a: multiply(&self.a), b: multiply(&self.b) }
    }

    pub(crate) fn encrypt(table: &KeyTable, message: &Scalar, randomness: &Scalar) -> Self {
        Self {
            a: RistrettoPoint::mul_base(randomness),
            b: table.mul(randomness) + RistrettoPoint::mul_base(message),
        }
    }

    /// `a`, then `b`, each canonical.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(self.a.compress().as_bytes());
        bytes[32..].copy_from_slice(self.b.compress().as_bytes());
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote. The identity is allowed: an empty tally has it.
    ///
    /// # Errors
    /// When a half is not a canonical group element.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self, EncodingError> {
        let mut reader = encoding::Reader::exact(bytes, Self::LEN)?;
        Ok(Self { a: reader.point()?, b: reader.point()? })
    }

    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_bytes());
    }
}

impl core::ops::AddAssign<&Ciphertext> for Ciphertext {
    fn add_assign(&mut self, other: &Ciphertext) {
        self.a += other.a;
        self.b += other.b;
    }
}
