//! A trustee's one secret and what follows from it.

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use alloc::vec::Vec;

use super::Parameters;
use crate::hash::Framed;
use crate::signature::SigningKey;

/// 32 secret bytes from which a trustee derives everything they send; wiped when dropped. Keep it
/// sealed under a passphrase (`seal`): with the ceremony's public messages it is the key share.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct TrusteeSecret([u8; 32]);

impl TrusteeSecret {
    /// A fresh secret.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The secret of a sealed file.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to seal.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that signs this trustee's messages and the manifest. It is the same in every
    /// attempt of a ceremony.
    pub fn signing_key(&self) -> SigningKey {
        let seed = Zeroizing::new(Framed::new("quorate/trustee/v1/signing").field(&self.0).short());
        SigningKey::from_seed(&seed)
    }

    /// The key that shares are encrypted to, in this ceremony.
    pub(crate) fn encryption_secret(&self, parameters: &Parameters) -> Zeroizing<Scalar> {
        self.derive("quorate/trustee/v1/encryption", &[&parameters.ceremony_id()])
    }

    /// The coefficients of this trustee's polynomial, constant term first.
    pub(crate) fn polynomial(&self, parameters: &Parameters, trustee: u16) -> Polynomial {
        let coefficient = |power: u16| {
            let fields: [&[u8]; 3] =
                [&parameters.ceremony_id(), &trustee.to_le_bytes(), &power.to_le_bytes()];
            *self.derive("quorate/trustee/v1/coefficient", &fields)
        };
        let coefficients = (0..parameters.threshold()).map(coefficient).collect();
        Polynomial(Zeroizing::new(coefficients))
    }

    /// A secret scalar for one purpose and place.
    pub(crate) fn derive(&self, tag: &str, fields: &[&[u8]]) -> Zeroizing<Scalar> {
        let head = Framed::new(tag).field(&self.0);
        Zeroizing::new(fields.iter().fold(head, |hash, field| hash.field(field)).scalar())
    }
}

/// A secret polynomial.
pub(crate) struct Polynomial(Zeroizing<Vec<Scalar>>);

impl Polynomial {
    /// The value at a trustee's number (Horner).
    pub(crate) fn at(&self, place: u16) -> Zeroizing<Scalar> {
        let place = Scalar::from(place);
        let value = self.0.iter().rev().fold(Scalar::ZERO, |value, next| value * place + next);
        Zeroizing::new(value)
    }

    pub(crate) fn constant(&self) -> &Scalar {
        &self.0[0]
    }

    /// The coefficients times `G`.
    pub(crate) fn commitments(&self) -> Vec<RistrettoPoint> {
        self.0.iter().map(RistrettoPoint::mul_base).collect()
    }
}

/// The value in the exponent: `Σ place^k A_k`. Public data only.
pub(crate) fn commitment_at(commitments: &[RistrettoPoint], place: u16) -> RistrettoPoint {
    use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
    let place = [Scalar::from(place)];
    commitments.iter().rev().fold(RistrettoPoint::identity(), |value, next| {
        RistrettoPoint::vartime_multiscalar_mul(place, [value]) + next
    })
}
