//! Ed25519 signatures under one exact rule, the same for one signature and for thousands.
//!
//! RFC 8032 leaves room: implementations disagree on small-order keys, on non-canonical points and
//! on whether the cofactor is multiplied out. Nodes that disagree on one signature would build
//! different ledgers, so the rule is fixed here. A signature `(R, S)` on `M` under `A` is valid iff
//!
//! 1. `A` is canonical, torsion-free and not the identity (checked once, where the key enters:
//!    [`PublicKey::from_bytes`]),
//! 2. `R` is a canonical point encoding (torsion is allowed; the signer harms only themselves),
//! 3. `S < ℓ`,
//! 4. `[8]SB = [8]R + [8]kA` with `k = SHA-512(R ‖ A ‖ M) mod ℓ`.
//!
//! The cofactor makes the single equation equal to the batched one, where a random combination
//! could cancel small torsion by chance. What is signed is never the bare message but
//! `len32(tag) ‖ tag ‖ len32(message) ‖ message`: no signature can be used for another purpose.
//! Signing is plain RFC 8032.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use ed25519_dalek::Signer;
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

mod subgroup;

use crate::hash::framed_bytes;
use crate::proof::disjunction::random_weight;

/// Bytes of a signature: `R`, then `S`.
pub const SIGNATURE_LEN: usize = 64;

/// As many keys are checked together for less than one by one.
const ENOUGH_KEYS: usize = 256;

/// Begins what is hashed to choose among keys that are checked together.
const KEYS_TAG: &[u8] = b"quorate/keys/v1";

/// Why a key or signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// Not a canonical point of the curve.
    KeyEncoding,
    /// The key has a component of small order, or is the identity.
    KeyTorsion,
    /// `R` is not a canonical point of the curve.
    CommitmentEncoding,
    /// `S` is not below the group order.
    ResponseEncoding,
    /// The equation does not hold.
    Equation,
}

impl SignatureError {
    /// The stable name of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::KeyEncoding => "key-not-canonical",
            Self::KeyTorsion => "key-small-order",
            Self::CommitmentEncoding | Self::ResponseEncoding => "signature-not-canonical",
            Self::Equation => "signature-invalid",
        }
    }
}

impl core::fmt::Display for SignatureError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::KeyEncoding => "the public key is not a canonical point of the curve",
            Self::KeyTorsion => "the public key has a component of small order",
            Self::CommitmentEncoding => "the first half of the signature is not canonical",
            Self::ResponseEncoding => "the second half of the signature is not below the order",
            Self::Equation => "the signature was not made by this key over these bytes",
        })
    }
}

impl core::error::Error for SignatureError {}

/// A checked Ed25519 public key: canonical, torsion-free, not the identity.
#[derive(Clone, Copy)]
pub struct PublicKey {
    bytes: [u8; 32],
    point: EdwardsPoint,
}

impl PublicKey {
    /// Reads and checks a key; costs about one scalar multiplication.
    ///
    /// # Errors
    /// When the bytes are not canonical or the key has small-order parts.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SignatureError> {
        let point = decode(bytes).ok_or(SignatureError::KeyEncoding)?;
        if point.is_identity() || !point.is_torsion_free() {
            return Err(SignatureError::KeyTorsion);
        }
        Ok(Self { bytes: *bytes, point })
    }

    /// Whether [`from_bytes`](Self::from_bytes) takes all of these. For thousands at once it costs
    /// little more than decoding them; it takes a key with small-order parts with probability
    /// 2^-128, whoever chose the keys, and says the same wherever and whenever it is asked.
    pub fn are_all_good(keys: &[[u8; 32]]) -> bool {
        if keys.len() < ENOUGH_KEYS {
            return keys.iter().all(|key| Self::from_bytes(key).is_ok());
        }
        let Some(points) = keys.iter().map(decode).collect::<Option<alloc::vec::Vec<_>>>() else {
            return false;
        };
        let hash = Sha512::new().chain_update(KEYS_TAG).chain_update(keys.as_flattened());
        !points.iter().any(IsIdentity::is_identity)
            && subgroup::are_torsion_free(&points, &hash.finalize().into())
    }

    /// The canonical 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.bytes
    }

    /// Checks a signature over `message` made for `tag`.
    ///
    /// # Errors
    /// When a half is not canonical or the equation does not hold.
    pub fn verify(
        &self,
        tag: &str,
        message: &[u8],
        signature: &[u8; SIGNATURE_LEN],
    ) -> Result<(), SignatureError> {
        let signature = Signature::parse(signature)?;
        let signed = Signed::new(tag, message, &self.bytes, self.point, signature);
        if signed.holds() { Ok(()) } else { Err(SignatureError::Equation) }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

impl core::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PublicKey(")?;
        crate::write_hex(f, &self.bytes)?;
        f.write_str(")")
    }
}

/// A signing key; wiped when dropped, never printed.
#[derive(Clone)]
pub struct SigningKey {
    secret: ed25519_dalek::SigningKey,
    public: PublicKey,
}

impl SigningKey {
    /// The key of an RFC 8032 seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let bytes = secret.verifying_key().to_bytes();
        let point = decode(&bytes).expect("a public key computed here is canonical");
        Self { secret, public: PublicKey { bytes, point } }
    }

    /// A fresh key.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut seed[..]);
        Self::from_seed(&seed)
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs `message` for `tag`.
    pub fn sign(&self, tag: &str, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.secret.sign(&framed_bytes(tag, message)).to_bytes()
    }
}

/// The canonical halves of a signature.
#[derive(Clone, Copy)]
pub(crate) struct Signature {
    commitment_bytes: [u8; 32],
    commitment: EdwardsPoint,
    response: Scalar,
}

impl Signature {
    pub(crate) fn parse(bytes: &[u8; SIGNATURE_LEN]) -> Result<Self, SignatureError> {
        let half = |at: usize| core::array::from_fn(|place| bytes[at + place]);
        let commitment_bytes: [u8; 32] = half(0);
        let response = Option::from(Scalar::from_canonical_bytes(half(32)))
            .ok_or(SignatureError::ResponseEncoding)?;
        let commitment = decode(&commitment_bytes).ok_or(SignatureError::CommitmentEncoding)?;
        Ok(Self { commitment_bytes, commitment, response })
    }
}

/// A signature with its key and challenge: one equation to check.
pub(crate) struct Signed {
    key: EdwardsPoint,
    signature: Signature,
    challenge: Scalar,
}

impl Signed {
    pub(crate) fn new(
        tag: &str,
        message: &[u8],
        key_bytes: &[u8; 32],
        key: EdwardsPoint,
        signature: Signature,
    ) -> Self {
        let hash = Sha512::new()
            .chain_update(signature.commitment_bytes)
            .chain_update(key_bytes)
            .chain_update(framed_bytes(tag, message));
        let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        Self { key, signature, challenge }
    }

    pub(crate) fn holds(&self) -> bool {
        let Signature { commitment, response, .. } = &self.signature;
        let difference = EdwardsPoint::vartime_double_scalar_mul_basepoint(
            &-self.challenge,
            &self.key,
            response,
        ) - commitment;
        difference.mul_by_cofactor().is_identity()
    }
}

/// A claim that a key has signed a message, to be checked together with others.
pub struct Claim {
    key: [u8; 32],
    /// Nothing when a half of the signature is not canonical.
    signed: Option<Signed>,
}

impl Claim {
    /// The claim that `key` signed `message` for `tag`.
    pub fn new(key: PublicKey, tag: &str, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> Self {
        let signature = Signature::parse(signature).ok();
        let signed =
            signature.map(|signature| Signed::new(tag, message, &key.bytes, key.point, signature));
        Self { key: key.bytes, signed }
    }
}

/// Whether all claims hold, by the same equation as [`PublicKey::verify`], as one random
/// combination: an invalid one passes with probability 2^-128. `rng` must be unpredictable for
/// whoever signed. Signatures by few keys cost little more than decoding their first halves, since
/// the multiples of each key are added up.
pub fn verify_batch(claims: &[Claim], rng: &mut (impl CryptoRng + ?Sized)) -> bool {
    let mut keys: alloc::collections::BTreeMap<[u8; 32], (EdwardsPoint, Scalar)> =
        alloc::collections::BTreeMap::new();
    let mut base = Scalar::ZERO;
    let (mut scalars, mut points) = (alloc::vec::Vec::new(), alloc::vec::Vec::new());
    for claim in claims {
        let Some(Signed { key, signature, challenge }) = &claim.signed else { return false };
        let weight = random_weight(rng);
        base -= weight * signature.response;
        scalars.push(weight);
        points.push(signature.commitment);
        let (_, sum) = keys.entry(claim.key).or_insert((*key, Scalar::ZERO));
        *sum += weight * challenge;
    }
    for (key, sum) in keys.into_values() {
        scalars.push(sum);
        points.push(key);
    }
    let sum = EdwardsPoint::vartime_multiscalar_mul(&scalars, &points);
    (sum + EdwardsPoint::mul_base(&base)).mul_by_cofactor().is_identity()
}

/// Whether all signatures hold, as one random combination.
pub(crate) fn all_hold(signed: &[Signed], rng: &mut (impl CryptoRng + ?Sized)) -> bool {
    use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    let mut base = Scalar::ZERO;
    let mut scalars = alloc::vec::Vec::with_capacity(signed.len() * 2 + 1);
    let mut points = alloc::vec::Vec::with_capacity(signed.len() * 2 + 1);
    for Signed { key, signature, challenge } in signed {
        let weight = random_weight(rng);
        base -= weight * signature.response;
        scalars.extend([weight, weight * challenge]);
        points.extend([&signature.commitment, key]);
    }
    scalars.push(base);
    points.push(&ED25519_BASEPOINT_POINT);
    EdwardsPoint::vartime_multiscalar_mul(&scalars, points).mul_by_cofactor().is_identity()
}

/// Decodes a canonical Edwards point: `y < p`, and no sign bit where `x = 0`.
pub(crate) fn decode(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    let high = bytes[31] & 0x7f;
    let near_p = high == 0x7f && bytes[1..31].iter().all(|&byte| byte == 0xff);
    if near_p && bytes[0] >= 0xed {
        return None; // y >= p = 2^255 - 19
    }
    let y_is_one = high == 0 && bytes[0] == 1 && bytes[1..31].iter().all(|&byte| byte == 0);
    let y_is_minus_one = near_p && bytes[0] == 0xec;
    if (y_is_one || y_is_minus_one) && bytes[31] & 0x80 != 0 {
        return None; // x = 0 has no sign
    }
    CompressedEdwardsY(*bytes).decompress()
}

#[cfg(test)]
pub(crate) mod tests;
