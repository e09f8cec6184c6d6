//! How a record of the value log looks: 12 bytes and the payload.
//!
//! ```text
//!  0  payload length
//!  4  crc32c over the length, the crc of the record before it and the payload, started from
//!     the folder's salt and the record's global offset
//!  8  crc of the record before it
//! ```
//!
//! The global offset in the checksum means that bytes of another place never pass for a record;
//! the crc of the one before means that those of another past do not either.

use crate::codec::{len32, u32_at};
use crate::mutant::{Mutant, Seeded};
use base::{crc32c, crc32c_append};

pub(super) const RECORD_BYTES: usize = 12;

/// What the checksums of a folder start from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Salt {
    pub(super) seed: u32,
    pub(super) seeded: Seeded,
}

/// Appends a record that is to lie at `offset`; returns its crc.
pub(super) fn encode(
    salt: Salt,
    offset: u64,
    previous: u32,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> u32 {
    let len = len32(payload.len());
    let crc = checksum(salt, offset, len, previous, payload);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&previous.to_le_bytes());
    out.extend_from_slice(payload);
    crc
}

/// The first 12 bytes of a record, not yet verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) len: u32,
    pub(super) crc: u32,
    pub(super) previous: u32,
}

impl Header {
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..RECORD_BYTES)?;
        Some(Self { len: u32_at(bytes, 0), crc: u32_at(bytes, 4), previous: u32_at(bytes, 8) })
    }

    /// Bytes of header and payload.
    pub(super) fn extent(&self) -> u64 {
        RECORD_BYTES as u64 + u64::from(self.len)
    }

    /// Whether `payload` is what was written at `offset`.
    pub(super) fn verifies(&self, salt: Salt, offset: u64, payload: &[u8]) -> bool {
        payload.len() == self.len as usize
            && checksum(salt, offset, self.len, self.previous, payload) == self.crc
    }
}

/// The crc of a record at `offset` whose predecessor has the crc `previous`.
pub(super) fn checksum(salt: Salt, offset: u64, len: u32, previous: u32, payload: &[u8]) -> u32 {
    let mut context = [0; 20];
    let offset = if salt.seeded.has(Mutant::ChecksumNotChained) { 0 } else { offset };
    context[..4].copy_from_slice(&salt.seed.to_le_bytes());
    context[4..12].copy_from_slice(&offset.to_le_bytes());
    context[12..16].copy_from_slice(&len.to_le_bytes());
    context[16..].copy_from_slice(&previous.to_le_bytes());
    crc32c_append(crc32c(&context), payload)
}

const PREFIX: &str = "values-";

/// The name of a segment's file.
pub(super) fn segment_file(segment: u64) -> String {
    // By hand, since every write asks for it.
    let mut name = String::with_capacity(PREFIX.len() + 16);
    name.push_str(PREFIX);
    for place in (0..16).rev() {
        let digit = segment >> (4 * place) & 15;
        name.push(char::from(b"0123456789abcdef"[digit as usize]));
    }
    name
}

/// The segment whose file has this name.
pub(super) fn segment_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX).filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}
