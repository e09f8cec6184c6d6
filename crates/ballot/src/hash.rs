//! The one hash of the protocol: SHA-512 over a tag and length-prefixed fields.
//!
//! Input bytes: `len(tag)` as u32 little-endian, the tag, then for each field its length as u32
//! little-endian and its bytes. Two different lists of fields therefore never give the same
//! input, and no two uses share a tag. A challenge is the 64-byte digest reduced modulo the group
//! order (bias below 2^-250); a short digest is its first 32 bytes.
//! `spec/ballot.md` 1.3 is the text for other implementations.

use alloc::vec::Vec;

use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha256, Sha512};

/// A hash in the making: a tag, then fields.
#[derive(Clone)]
pub(crate) struct Framed(Sha512);

impl Framed {
    pub(crate) fn new(tag: &str) -> Self {
        Self(Sha512::new()).field(tag.as_bytes())
    }

    /// Adds one field.
    ///
    /// # Panics
    /// When the field is 4 GiB or longer: every field here is bounded by a message of 64 KiB.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        self.0.update(length_prefix(bytes));
        self.0.update(bytes);
        self
    }

    pub(crate) fn u16(self, value: u16) -> Self {
        self.field(&value.to_le_bytes())
    }

    pub(crate) fn u32(self, value: u32) -> Self {
        self.field(&value.to_le_bytes())
    }

    pub(crate) fn u64(self, value: u64) -> Self {
        self.field(&value.to_le_bytes())
    }

    /// The full digest.
    pub(crate) fn digest(self) -> [u8; 64] {
        self.0.finalize().into()
    }

    /// The first 32 bytes of the digest.
    pub(crate) fn short(self) -> [u8; 32] {
        let full = self.digest();
        let mut short = [0; 32];
        short.copy_from_slice(&full[..32]);
        short
    }

    /// The digest as a scalar (wide reduction).
    pub(crate) fn scalar(self) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.digest())
    }
}

/// The framing itself, where a message is signed instead of hashed.
pub(crate) fn framed_bytes(tag: &str, field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + tag.len() + field.len());
    for part in [tag.as_bytes(), field] {
        bytes.extend_from_slice(&length_prefix(part));
        bytes.extend_from_slice(part);
    }
    bytes
}

/// SHA-256, for names of whole documents: fingerprints, ballot hashes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn length_prefix(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("fields are shorter than 4 GiB").to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_between_fields_changes_the_hash() {
        let split = Framed::new("t").field(b"ab").field(b"c").digest();
        assert_ne!(split, Framed::new("t").field(b"a").field(b"bc").digest());
        assert_ne!(split, Framed::new("tab").field(b"c").digest());
        assert_ne!(split, Framed::new("t").field(b"abc").digest());
    }

    #[test]
    fn framed_bytes_are_what_the_hash_reads() {
        let direct: [u8; 64] = Sha512::digest(framed_bytes("tag", b"field")).into();
        assert_eq!(direct, Framed::new("tag").field(b"field").digest());
        assert_eq!(framed_bytes("t", b"xy"), b"\x01\0\0\0t\x02\0\0\0xy");
    }
}
