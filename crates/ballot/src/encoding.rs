//! Canonical bytes of points, scalars and integers: one value has one encoding.
//!
//! Points are 32-byte ristretto255 encodings (RFC 9496), whose decoding is also the test of group
//! membership. Scalars are 32 bytes little-endian below the group order. Integers are
//! little-endian. A reader knows the exact length before it starts, so there is nothing optional.

use alloc::vec::Vec;

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;

/// Why bytes are not the canonical encoding of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodingError {
    /// Fewer or more bytes than the layout has.
    Length {
        /// What the layout needs.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// Not the canonical encoding of a ristretto255 element.
    Point,
    /// The neutral element where it would make an equation hold for free.
    Identity,
    /// Not below the group order.
    Scalar,
}

impl EncodingError {
    /// The stable name of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "length",
            Self::Point => "point-not-canonical",
            Self::Identity => "point-is-identity",
            Self::Scalar => "scalar-not-canonical",
        }
    }
}

impl core::fmt::Display for EncodingError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Length { expected, found } => {
                write!(f, "{found} bytes where the layout needs exactly {expected}")
            }
            Self::Point => f.write_str("a group element is not in its canonical encoding"),
            Self::Identity => f.write_str("a group element is the identity, which is forbidden"),
            Self::Scalar => f.write_str("a scalar is not below the group order"),
        }
    }
}

impl core::error::Error for EncodingError {}

/// Decodes a point; the identity is allowed.
pub(crate) fn point(bytes: &[u8; 32]) -> Result<RistrettoPoint, EncodingError> {
    CompressedRistretto(*bytes).decompress().ok_or(EncodingError::Point)
}

/// Decodes a point that must not be the identity.
pub(crate) fn proper_point(bytes: &[u8; 32]) -> Result<RistrettoPoint, EncodingError> {
    let point = point(bytes)?;
    if point.is_identity() { Err(EncodingError::Identity) } else { Ok(point) }
}

/// Decodes a scalar below the group order.
pub(crate) fn scalar(bytes: &[u8; 32]) -> Result<Scalar, EncodingError> {
    Option::from(Scalar::from_canonical_bytes(*bytes)).ok_or(EncodingError::Scalar)
}

/// Takes fields off the front of a message.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over bytes that have exactly the length the layout needs.
    pub(crate) fn exact(bytes: &'a [u8], expected: usize) -> Result<Self, EncodingError> {
        if bytes.len() == expected {
            Ok(Self { rest: bytes })
        } else {
            Err(EncodingError::Length { expected, found: bytes.len() })
        }
    }

    /// The next `count` bytes.
    ///
    /// # Panics
    /// When fewer are left: the length was checked against the layout at the start.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().expect("take returns what was asked for")
    }

    pub(crate) fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub(crate) fn point(&mut self) -> Result<RistrettoPoint, EncodingError> {
        point(&self.array())
    }

    pub(crate) fn proper_point(&mut self) -> Result<RistrettoPoint, EncodingError> {
        proper_point(&self.array())
    }

    pub(crate) fn scalar(&mut self) -> Result<Scalar, EncodingError> {
        scalar(&self.array())
    }
}

/// Appends a point.
pub(crate) fn put_point(bytes: &mut Vec<u8>, point: &RistrettoPoint) {
    bytes.extend_from_slice(point.compress().as_bytes());
}

/// Appends a scalar.
pub(crate) fn put_scalar(bytes: &mut Vec<u8>, scalar: &Scalar) {
    bytes.extend_from_slice(scalar.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED;

    #[test]
    fn only_canonical_points_are_read() {
        assert!(point(RISTRETTO_BASEPOINT_COMPRESSED.as_bytes()).is_ok());
        assert!(point(&[0; 32]).is_ok(), "the identity is a group element");
        assert_eq!(proper_point(&[0; 32]), Err(EncodingError::Identity));
        let mut negative = [0; 32];
        negative[0] = 1; // odd field elements are "negative" (RFC 9496 4.3.1)
        assert_eq!(point(&negative), Err(EncodingError::Point));
        assert_eq!(point(&[0xff; 32]), Err(EncodingError::Point));
    }

    #[test]
    fn only_scalars_below_the_order_are_read() {
        let largest = -Scalar::ONE;
        assert_eq!(scalar(largest.as_bytes()), Ok(largest));
        let mut order = *largest.as_bytes();
        order[0] += 1;
        assert_eq!(scalar(&order), Err(EncodingError::Scalar));
    }

    #[test]
    fn the_length_is_checked_before_anything_is_read() {
        let error = Reader::exact(&[0; 3], 4).err();
        assert_eq!(error, Some(EncodingError::Length { expected: 4, found: 3 }));
    }
}
