//! Little-endian numbers at fixed places of a block whose length the caller has checked.

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(raw)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(raw)
}

/// A length on disk; everything whose length is written fits a segment, hence 32 bits.
pub(crate) fn len32(len: usize) -> u32 {
    u32::try_from(len).expect("lengths are bounded by the segment's, which fits 32 bits")
}
