//! *The prover knows a discrete logarithm* (Schnorr 1991).
//!
//! **Statement.** For a point `V` the prover knows `x` with `V = xG`. Used for the constant term of
//! a dealer's polynomial, so that nobody can choose a key as a function of the others' keys.
//!
//! **Protocol.** Commitment `A = wG`; challenge `c`; response `z = w + cx`. It holds iff
//! `zG = A + cV`. The proof is `A ‖ z`, 64 bytes.
//!
//! **Transcript order.** The caller's tag and context fields (ceremony, index, …), `V`, `A`.
//!
//! **Soundness.** Special soundness with error 1/ℓ per hash query; `V` is hashed and the context
//! names the prover, so a proof copied by another trustee does not hold.

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use zeroize::Zeroizing;

use crate::encoding::{EncodingError, Reader};
use crate::hash::Framed;

/// The proof, 64 bytes on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    commitment: RistrettoPoint,
    response: Scalar,
}

impl Proof {
    pub(crate) const LEN: usize = 64;

    /// Proves knowledge of `secret`; `mask` is fresh and secret, never used for two transcripts.
    pub(crate) fn new(transcript: Framed, secret: &Scalar, mask: Zeroizing<Scalar>) -> Self {
        let image = RistrettoPoint::mul_base(secret);
        let commitment = RistrettoPoint::mul_base(&mask);
        let challenge = challenge(transcript, &image, &commitment);
        Self { commitment, response: *mask + challenge * secret }
    }

    pub(crate) fn holds(&self, transcript: Framed, image: &RistrettoPoint) -> bool {
        let c = challenge(transcript, image, &self.commitment);
        RistrettoPoint::vartime_double_scalar_mul_basepoint(&-c, image, &self.response)
            == self.commitment
    }

    pub(crate) fn put(&self, bytes: &mut alloc::vec::Vec<u8>) {
        crate::encoding::put_point(bytes, &self.commitment);
        crate::encoding::put_scalar(bytes, &self.response);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, EncodingError> {
        Ok(Self { commitment: reader.point()?, response: reader.scalar()? })
    }
}

fn challenge(transcript: Framed, image: &RistrettoPoint, commitment: &RistrettoPoint) -> Scalar {
    transcript.field(image.compress().as_bytes()).field(commitment.compress().as_bytes()).scalar()
}
