//! Decryption by any `k` of `n` trustees.
//!
//! The election key is `Y = xG`, where nobody knows `x`: trustee `i` holds `x_i`, the value at `i`
//! of a polynomial of degree `k − 1` whose constant term is `x`; `V_i = x_i G` is public. For a sum
//! `(α, β)` trustee `i` publishes the factor `F_i = x_i α` and proves that `V_i` and `F_i` have the
//! same logarithm to `G` and `α`. Any `k` proven factors give `xα = Σ λ_i F_i` with Lagrange's
//! coefficients at 0, and `β − xα = mG` for the count `m`.
//!
//! Each proof's hash covers the election, the final checkpoint, the trustee, their verification
//! key, the contest and option, `α`, `β`, the factor and the commitments, so a share is good for
//! one tally only and no factor can be chosen after the challenge (`proof::equality`).
//!
//! A share is, byte by byte: version 1, fingerprint, checkpoint root, checkpoint size (u64),
//! trustee (u16), then for each option of each contest `F ‖ A ‖ B ‖ z`.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::discrete_log::{self, BabySteps};
use crate::elgamal::Ciphertext;
use crate::encoding::{self, EncodingError, Reader};
use crate::hash::Framed;
use crate::proof::equality;
use crate::tally::TallyStatement;

const SHARE_VERSION: u8 = 1;
const SHARE_HEADER_LEN: usize = 1 + 32 + 32 + 8 + 2;
const FACTOR_LEN: usize = 32 + equality::Proof::LEN;

/// The largest count that can be decrypted.
pub const COUNT_MAX: u64 = discrete_log::COUNT_MAX;

/// A trustee's part of the election's secret key; wiped when dropped, never printed.
#[derive(Clone)]
pub struct SecretShare {
    trustee: u16,
    scalar: Scalar,
}

impl SecretShare {
    pub(crate) fn new(trustee: u16, scalar: Scalar) -> Self {
        Self { trustee, scalar }
    }

    /// The trustee's number, from 1.
    pub fn trustee(&self) -> u16 {
        self.trustee
    }

    /// The public half.
    pub fn verification_key(&self) -> VerificationKey {
        VerificationKey { trustee: self.trustee, point: RistrettoPoint::mul_base(&self.scalar) }
    }

    /// The secret bytes (trustee as u16, scalar), for a sealed file.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 34]> {
        let mut bytes = Zeroizing::new([0; 34]);
        bytes[..2].copy_from_slice(&self.trustee.to_le_bytes());
        bytes[2..].copy_from_slice(self.scalar.as_bytes());
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the scalar is not canonical.
    pub fn from_bytes(bytes: &[u8; 34]) -> Result<Self, EncodingError> {
        let mut reader = Reader::exact(bytes, 34)?;
        Ok(Self { trustee: reader.u16(), scalar: reader.scalar()? })
    }
}

impl Drop for SecretShare {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

/// What a trustee's factors are checked against: `V_i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerificationKey {
    trustee: u16,
    point: RistrettoPoint,
}

impl VerificationKey {
    pub(crate) fn new(trustee: u16, point: RistrettoPoint) -> Self {
        Self { trustee, point }
    }

    /// Reads the key of trustee number `trustee` (from 1).
    ///
    /// # Errors
    /// When the bytes are not a canonical point, or are the identity.
    pub fn from_bytes(trustee: u16, bytes: &[u8; 32]) -> Result<Self, EncodingError> {
        Ok(Self { trustee, point: encoding::proper_point(bytes)? })
    }

    /// The trustee's number, from 1.
    pub fn trustee(&self) -> u16 {
        self.trustee
    }

    /// The canonical point.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.point.compress().to_bytes()
    }
}

/// Why a decryption share is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareFault {
    /// Not as long as every share of this tally.
    Length {
        /// The length in bytes of this tally's shares.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// Another version of the format.
    Version,
    /// Made for another election.
    Election,
    /// Made for another final checkpoint.
    Checkpoint,
    /// By another trustee than the key it is checked against.
    Trustee,
    /// A point or scalar is not canonical.
    Encoding {
        /// The contest, from 0.
        contest: usize,
        /// The option, from 0.
        option: usize,
        /// What is wrong with it.
        error: EncodingError,
    },
    /// The proof does not hold: the factor is wrong.
    Proof {
        /// The contest, from 0.
        contest: usize,
        /// The option, from 0.
        option: usize,
    },
}

/// A refused decryption share, with the trustee it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareError {
    /// The trustee's number as far as it could be read.
    pub trustee: Option<u16>,
    /// What is wrong.
    pub fault: ShareFault,
}

impl ShareError {
    /// The stable name of this refusal.
    pub fn code(&self) -> &'static str {
        match self.fault {
            ShareFault::Length { .. } => "share-length",
            ShareFault::Version => "share-version",
            ShareFault::Election => "share-election",
            ShareFault::Checkpoint => "share-checkpoint",
            ShareFault::Trustee => "share-trustee",
            ShareFault::Encoding { .. } => "share-encoding",
            ShareFault::Proof { .. } => "share-proof",
        }
    }
}

impl fmt::Display for ShareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trustee {
            Some(trustee) => write!(f, "the decryption share of trustee {trustee} ")?,
            None => f.write_str("a decryption share ")?,
        }
        match self.fault {
            ShareFault::Length { expected, found } => {
                write!(f, "has {found} bytes; a share of this tally has {expected}")
            }
            ShareFault::Version => f.write_str("has another format version"),
            ShareFault::Election => f.write_str("is for another election"),
            ShareFault::Checkpoint => f.write_str("is for another final checkpoint"),
            ShareFault::Trustee => f.write_str("is not by the trustee it was checked for"),
            ShareFault::Encoding { contest, option, error } => {
                write!(f, "is malformed at option {option} of question {contest}: {error}")
            }
            ShareFault::Proof { contest, option } => write!(
                f,
                "is wrong at option {option} of question {contest}: its proof does not hold"
            ),
        }
    }
}

impl core::error::Error for ShareError {}

/// One factor with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Factor {
    point: RistrettoPoint,
    proof: equality::Proof,
}

/// A trustee's factors for a whole tally, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecryptionShare {
    trustee: u16,
    factors: Vec<Vec<Factor>>,
    bytes: Vec<u8>,
}

impl DecryptionShare {
    /// Decrypts a trustee's part of every sum. The trustee has recomputed the tally from a final
    /// checkpoint and has never decrypted another one for this election.
    pub fn new(
        statement: &TallyStatement,
        secret: &SecretShare,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        let key = secret.verification_key();
        let prove = |place: Place, sum: &Ciphertext| {
            let point = sum.a * secret.scalar;
            let mask = Zeroizing::new(Scalar::random(rng));
            let transcript = transcript(statement, secret.trustee, place, sum);
            let equal =
                equality::Statement { image: &key.point, other_base: &sum.a, other_image: &point };
            Factor { point, proof: equality::Proof::new(transcript, &equal, &secret.scalar, mask) }
        };
        let factors = map_options(statement, prove);
        Self::assemble(statement, secret.trustee, factors)
    }

    fn assemble(statement: &TallyStatement, trustee: u16, factors: Vec<Vec<Factor>>) -> Self {
        let mut bytes = Vec::with_capacity(share_len(statement));
        bytes.push(SHARE_VERSION);
        bytes.extend_from_slice(&statement.fingerprint.0);
        bytes.extend_from_slice(&statement.checkpoint_root);
        bytes.extend_from_slice(&statement.checkpoint_size.to_le_bytes());
        bytes.extend_from_slice(&trustee.to_le_bytes());
        for factor in factors.iter().flatten() {
            encoding::put_point(&mut bytes, &factor.point);
            factor.proof.put(&mut bytes);
        }
        Self { trustee, factors, bytes }
    }

    /// Reads a share of this tally.
    ///
    /// # Errors
    /// Length, version, election, checkpoint, or a point or scalar that is not canonical.
    pub fn parse(bytes: &[u8], statement: &TallyStatement) -> Result<Self, ShareError> {
        let expected = share_len(statement);
        let unnamed = |fault| ShareError { trustee: None, fault };
        let mut reader = Reader::exact(bytes, expected)
            .map_err(|_| unnamed(ShareFault::Length { expected, found: bytes.len() }))?;
        if reader.u8() != SHARE_VERSION {
            return Err(unnamed(ShareFault::Version));
        }
        if reader.array() != statement.fingerprint.0 {
            return Err(unnamed(ShareFault::Election));
        }
        let (root, size) = (reader.array(), reader.u64());
        let trustee = reader.u16();
        let named = |fault| ShareError { trustee: Some(trustee), fault };
        if (root, size) != (statement.checkpoint_root, statement.checkpoint_size) {
            return Err(named(ShareFault::Checkpoint));
        }
        let mut factors = Vec::new();
        for (contest, sums) in statement.tally.contests().iter().enumerate() {
            let read = |option| {
                let factor = Factor::read(&mut reader);
                factor.map_err(|error| named(ShareFault::Encoding { contest, option, error }))
            };
            factors.push((0..sums.len()).map(read).collect::<Result<_, _>>()?);
        }
        Ok(Self { trustee, factors, bytes: bytes.to_vec() })
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The trustee's number, from 1.
    pub fn trustee(&self) -> u16 {
        self.trustee
    }

    /// Checks every proof against the trustee's verification key.
    ///
    /// # Errors
    /// Names the trustee, contest and option of the first wrong factor.
    pub fn verify(
        self,
        statement: &TallyStatement,
        key: &VerificationKey,
    ) -> Result<VerifiedShare, ShareError> {
        let named = |fault| ShareError { trustee: Some(self.trustee), fault };
        if key.trustee != self.trustee {
            return Err(named(ShareFault::Trustee));
        }
        let sums = options(statement);
        for ((place, sum), factor) in sums.zip(self.factors.iter().flatten()) {
            let transcript = transcript(statement, self.trustee, place, sum);
            let equal = equality::Statement {
                image: &key.point,
                other_base: &sum.a,
                other_image: &factor.point,
            };
            if !factor.proof.holds(transcript, &equal) {
                let Place { contest, option } = place;
                let fault = ShareFault::Proof { contest: contest.into(), option: option.into() };
                return Err(named(fault));
            }
        }
        Ok(VerifiedShare { statement: statement.digest(), share: self })
    }
}

impl Factor {
    fn read(reader: &mut Reader<'_>) -> Result<Self, EncodingError> {
        Ok(Self { point: reader.point()?, proof: equality::Proof::read(reader)? })
    }
}

/// A share whose proofs hold for one tally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedShare {
    statement: [u8; 32],
    share: DecryptionShare,
}

impl VerifiedShare {
    /// The trustee's number, from 1.
    pub fn trustee(&self) -> u16 {
        self.share.trustee
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.share.bytes
    }
}

/// Why shares do not give a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CombineError {
    /// Fewer distinct trustees than the threshold.
    TooFew {
        /// Distinct trustees given.
        found: usize,
        /// The threshold.
        needed: usize,
    },
    /// A share was verified for another tally (a caller's mistake).
    Statement {
        /// Whose share.
        trustee: u16,
    },
    /// The bound is above [`COUNT_MAX`].
    Bound {
        /// The bound asked for.
        bound: u64,
    },
    /// The sum does not decrypt to a count within the bound.
    Count {
        /// The contest, from 0.
        contest: usize,
        /// The option, from 0.
        option: usize,
        /// The largest count that was searched for.
        bound: u64,
    },
}

impl CombineError {
    /// The stable name of this failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooFew { .. } => "tally-too-few-shares",
            Self::Statement { .. } => "tally-foreign-share",
            Self::Bound { .. } => "tally-bound",
            Self::Count { .. } => "tally-no-count",
        }
    }
}

impl fmt::Display for CombineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew { found, needed } => {
                write!(f, "{found} trustees have given valid shares; {needed} are needed")
            }
            Self::Statement { trustee } => {
                write!(f, "the share of trustee {trustee} was checked for another tally")
            }
            Self::Bound { bound } => {
                write!(f, "counts up to {bound} are more than the possible {COUNT_MAX}")
            }
            Self::Count { contest, option, bound } => write!(
                f,
                "option {option} of question {contest} does not decrypt to a count of at most \
                 {bound}"
            ),
        }
    }
}

impl core::error::Error for CombineError {}

/// Decrypts the tally with the shares of at least `threshold` distinct trustees; `bound` is the
/// largest possible count (total weight), at most [`COUNT_MAX`]. Gives counts by contest and
/// option. Time and memory grow with the square root of `bound`.
///
/// # Errors
/// Too few trustees, a share of another tally, or a sum that is no count: then the ballots were
/// not those that the trustees' key belongs to.
pub fn combine(
    statement: &TallyStatement,
    shares: &[VerifiedShare],
    threshold: u16,
    bound: u64,
) -> Result<Vec<Vec<u64>>, CombineError> {
    if bound > COUNT_MAX {
        return Err(CombineError::Bound { bound });
    }
    let digest = statement.digest();
    if let Some(foreign) = shares.iter().find(|share| share.statement != digest) {
        return Err(CombineError::Statement { trustee: foreign.trustee() });
    }
    let chosen = choose(shares, threshold.into())?;
    let trustees: Vec<u16> = chosen.iter().map(|share| share.trustee()).collect();
    let coefficients = lagrange_at_zero(&trustees);
    let steps = BabySteps::new(bound);
    let mut counts = Vec::new();
    for (contest, sums) in statement.tally.contests().iter().enumerate() {
        let count = |(option, sum): (usize, &Ciphertext)| {
            let factors = chosen.iter().map(|share| &share.share.factors[contest][option].point);
            let mask = RistrettoPoint::vartime_multiscalar_mul(&coefficients, factors);
            steps.find(&(sum.b - mask)).ok_or(CombineError::Count { contest, option, bound })
        };
        counts.push(sums.iter().enumerate().map(count).collect::<Result<_, _>>()?);
    }
    Ok(counts)
}

/// The first `threshold` shares of distinct trustees.
fn choose(shares: &[VerifiedShare], threshold: usize) -> Result<Vec<&VerifiedShare>, CombineError> {
    let mut seen = BTreeSet::new();
    let mut chosen: Vec<_> = shares.iter().filter(|share| seen.insert(share.trustee())).collect();
    if chosen.len() < threshold || chosen.is_empty() {
        return Err(CombineError::TooFew { found: chosen.len(), needed: threshold });
    }
    chosen.truncate(threshold);
    Ok(chosen)
}

/// Lagrange's coefficients at 0 for distinct nonzero places: `λ_i = Π j / (j − i)`.
fn lagrange_at_zero(places: &[u16]) -> Vec<Scalar> {
    let coefficient = |&i: &u16| {
        let others = places.iter().filter(|&&j| j != i);
        let (above, below) = others.fold((Scalar::ONE, Scalar::ONE), |(above, below), &j| {
            (above * Scalar::from(j), below * (Scalar::from(j) - Scalar::from(i)))
        });
        above * below.invert()
    };
    places.iter().map(coefficient).collect()
}

/// An option of a contest, both from 0.
#[derive(Clone, Copy)]
struct Place {
    contest: u16,
    option: u16,
}

/// Every sum with its place.
fn options(statement: &TallyStatement) -> impl Iterator<Item = (Place, &Ciphertext)> {
    (0_u16..).zip(statement.tally.contests()).flat_map(|(contest, sums)| {
        (0_u16..).zip(sums).map(move |(option, sum)| (Place { contest, option }, sum))
    })
}

fn map_options<T>(
    statement: &TallyStatement,
    mut map: impl FnMut(Place, &Ciphertext) -> T,
) -> Vec<Vec<T>> {
    let mut contests: Vec<Vec<T>> =
        statement.tally.contests().iter().map(|sums| Vec::with_capacity(sums.len())).collect();
    for (place, sum) in options(statement) {
        contests[usize::from(place.contest)].push(map(place, sum));
    }
    contests
}

fn share_len(statement: &TallyStatement) -> usize {
    SHARE_HEADER_LEN + statement.tally.option_count() * FACTOR_LEN
}

/// Everything a factor's proof depends on, but for what `equality` adds: `V, α, F, A, B`.
fn transcript(statement: &TallyStatement, trustee: u16, place: Place, sum: &Ciphertext) -> Framed {
    Framed::new("quorate/tally/v1/factor")
        .field(&statement.fingerprint.0)
        .field(&statement.checkpoint_root)
        .u64(statement.checkpoint_size)
        .u16(trustee)
        .u16(place.contest)
        .u16(place.option)
        .field(sum.b.compress().as_bytes())
}

#[cfg(test)]
mod tests;
