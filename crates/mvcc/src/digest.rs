//! Fingerprints of versions, summed over the live keys: equal stores have equal sums.
//!
//! The sum does not depend on the order in which keys came, and a commit changes it by the
//! versions it adds and replaces only. It finds accidents (a bit, a missed entry, a divergent
//! member); against somebody who makes collisions on purpose it is worth nothing.

/// What a fingerprint covers.
pub(crate) struct Fingerprint<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) create_revision: i64,
    pub(crate) mod_revision: i64,
    pub(crate) version: i64,
    pub(crate) lease: i64,
}

impl Fingerprint<'_> {
    /// 64 bits over every field.
    pub(crate) fn sum(&self) -> u64 {
        let mut state = absorb(0x243f_6a88_85a3_08d3, self.key);
        state = absorb(state, self.value);
        for word in [self.create_revision, self.mod_revision, self.version, self.lease] {
            state = fold(state ^ word as u64);
        }
        fold(state)
    }
}

/// Takes in the bytes and their length, so that the border between two strings counts.
fn absorb(mut state: u64, bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        state = fold(state ^ u64::from_le_bytes(word));
    }
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    state = fold(state ^ u64::from_le_bytes(last));
    fold(state ^ bytes.len() as u64)
}

/// One multiplication to 128 bits, both halves folded into one; the addition keeps a zero from
/// swallowing the state.
fn fold(word: u64) -> u64 {
    let product = u128::from(word) * 0x9e37_79b9_7f4a_7c15_u128;
    ((product as u64) ^ ((product >> 64) as u64)).wrapping_add(0x1319_8a2e_0370_7344)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(key: &[u8], value: &[u8], lease: i64) -> u64 {
        let (create_revision, mod_revision, version) = (2, 3, 2);
        Fingerprint { key, value, create_revision, mod_revision, version, lease }.sum()
    }

    #[test]
    fn every_field_and_border_counts() {
        let base = sum(b"key", b"value", 0);
        assert_eq!(base, sum(b"key", b"value", 0));
        assert_ne!(base, sum(b"keyv", b"alue", 0));
        assert_ne!(base, sum(b"key", b"value\0", 0));
        assert_ne!(base, sum(b"key", b"valuf", 0));
        assert_ne!(base, sum(b"key", b"value", 1));
    }

    #[test]
    fn is_frozen() {
        assert_eq!(format!("{:016x}", sum(b"key", b"value", 7)), "ad0e169927b0c50a");
    }
}
