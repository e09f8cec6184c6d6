//! *Two points have the same discrete logarithm* (Chaum, Pedersen 1992).
//!
//! **Statement.** For points `V`, `P`, `F` the prover knows `x` with `V = xG` and `F = xP`.
//! Used for decryption factors (`F = x α`) and for opening a shared secret in a complaint.
//!
//! **Protocol.** Commitments `A = wG`, `B = wP`; challenge `c`; response `z = w + cx`. It holds iff
//! `zG = A + cV` and `zP = B + cF`. The proof is `A ‖ B ‖ z`, 96 bytes.
//!
//! **Transcript order.** The caller's tag and context fields, which *must* name everything the
//! statement depends on, then `V`, `P`, `F`, `A`, `B`, each as its own field.
//!
//! **Soundness.** Special soundness with error 1/ℓ per hash query. Both bases and both images are
//! in the hash. Without `P` and `F` there a trustee could choose `A` and `B = wP + D` first, learn
//! `c`, and then solve for a wrong `F` that passes: the factor would be "proven" and the tally
//! undecodable with nobody to blame. The test `a_factor_chosen_after_the_challenge_is_refused`
//! keeps that attack.

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use zeroize::Zeroizing;

use crate::encoding::{EncodingError, Reader};
use crate::hash::Framed;

/// What is claimed: `image = x·G` and `other_image = x·other_base`.
pub(crate) struct Statement<'a> {
    pub(crate) image: &'a RistrettoPoint,
    pub(crate) other_base: &'a RistrettoPoint,
    pub(crate) other_image: &'a RistrettoPoint,
}

/// The proof, 96 bytes on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) first: RistrettoPoint,
    pub(crate) second: RistrettoPoint,
    pub(crate) response: Scalar,
}

impl Proof {
    pub(crate) const LEN: usize = 96;

    /// Proves the statement for `secret`; `transcript` holds the caller's tag and context; `mask`
    /// is fresh and secret, never used for two transcripts.
    pub(crate) fn new(
        transcript: Framed,
        statement: &Statement<'_>,
        secret: &Scalar,
        mask: Zeroizing<Scalar>,
    ) -> Self {
        let first = RistrettoPoint::mul_base(&mask);
        let second = statement.other_base * *mask;
        let challenge = challenge(transcript, statement, &first, &second);
        Self { first, second, response: *mask + challenge * secret }
    }

    pub(crate) fn holds(&self, transcript: Framed, statement: &Statement<'_>) -> bool {
        let c = -challenge(transcript, statement, &self.first, &self.second);
        let z = &self.response;
        let first = RistrettoPoint::vartime_double_scalar_mul_basepoint(&c, statement.image, z);
        let second = RistrettoPoint::vartime_multiscalar_mul(
            [z, &c],
            [statement.other_base, statement.other_image],
        );
        first == self.first && second == self.second
    }

    pub(crate) fn put(&self, bytes: &mut alloc::vec::Vec<u8>) {
        crate::encoding::put_point(bytes, &self.first);
        crate::encoding::put_point(bytes, &self.second);
        crate::encoding::put_scalar(bytes, &self.response);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, EncodingError> {
        Ok(Self { first: reader.point()?, second: reader.point()?, response: reader.scalar()? })
    }
}

fn challenge(
    transcript: Framed,
    statement: &Statement<'_>,
    first: &RistrettoPoint,
    second: &RistrettoPoint,
) -> Scalar {
    [statement.image, statement.other_base, statement.other_image, first, second]
        .into_iter()
        .fold(transcript, |hash, point| hash.field(point.compress().as_bytes()))
        .scalar()
}
