//! One fast hash for chains and traces. Not for anything an adversary may choose.

/// Mixes `bytes` into `state`.
pub(crate) fn mix_bytes(state: u64, bytes: &[u8]) -> u64 {
    let mut state = mix(state, bytes.len() as u64);
    let (words, rest) = bytes.as_chunks();
    for word in words {
        state = mix(state, u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        state = mix(state, u64::from_le_bytes(word));
    }
    state
}

/// Mixes one word into `state` (the finalizer of splitmix64 over their sum).
pub(crate) fn mix(state: u64, word: u64) -> u64 {
    let mut z = state.rotate_left(5).wrapping_add(word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_the_order_count() {
        let hash = |bytes| mix_bytes(0, bytes);
        assert_ne!(hash(b"a"), hash(b"b"));
        assert_ne!(hash(b"a"), hash(b"a\0"));
        assert_ne!(hash(b"12345678abcdefgh"), hash(b"abcdefgh12345678"));
        assert_ne!(mix(mix(0, 1), 2), mix(mix(0, 2), 1));
    }
}
