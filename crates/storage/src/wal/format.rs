//! How a batch looks on disk.
//!
//! ```text
//! header, 64 bytes             record: 24 bytes and its payload, one after another
//!  0  "QWLB"                    0  crc32c over 4.. and the payload, started from the crc
//!  4  crc32c over 8..64            before it (the header's for the first record)
//!  8  segment                   4  payload length
//! 16  batch number              8  index
//! 24  truncate from            16  tag
//! 32  last index after it
//! 40  its tag
//! 48  crc that ended the batch before it
//! 52  number of records
//! 56  bytes of all records
//! 60  kind: 1 data, 2 seal
//! 61  flags: 1 the first record is the meta, 2 truncates, 4 the log is not empty after it
//! 62  zero
//! ```
//!
//! Header checksums start from the folder's salt. The crc of the last record (of the header, if
//! there is none) ends the batch; the next header repeats it. A batch starts on a sector
//! boundary; what follows it up to the next boundary means nothing.

use crate::codec::{len32, u32_at, u64_at};
use base::crc32c_append;

pub(super) const HEADER_BYTES: usize = 64;
pub(super) const RECORD_BYTES: usize = 24;
const MAGIC: &[u8; 4] = b"QWLB";
const FLAG_META: u8 = 1;
const FLAG_TRUNCATES: u8 = 2;
const FLAG_END: u8 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Carries records, a truncation or a meta.
    Data,
    /// Carries nothing: says that what precedes it is durable.
    Seal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) segment: u64,
    pub(super) number: u64,
    pub(super) previous: u32,
    pub(super) kind: Kind,
    pub(super) has_meta: bool,
    pub(super) truncate_from: Option<u64>,
    /// Index and tag of the last record of the log after this batch.
    pub(super) end: Option<(u64, u64)>,
    pub(super) record_count: u32,
    pub(super) body_bytes: u32,
}

impl Header {
    pub(super) fn encode(&self, seed: u32, out: &mut Vec<u8>) -> u32 {
        let start = out.len();
        let (end_index, end_tag) = self.end.unwrap_or((0, 0));
        let mut flags = if self.has_meta { FLAG_META } else { 0 };
        flags |= if self.truncate_from.is_some() { FLAG_TRUNCATES } else { 0 };
        flags |= if self.end.is_some() { FLAG_END } else { 0 };
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.segment.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.truncate_from.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&end_index.to_le_bytes());
        out.extend_from_slice(&end_tag.to_le_bytes());
        out.extend_from_slice(&self.previous.to_le_bytes());
        out.extend_from_slice(&self.record_count.to_le_bytes());
        out.extend_from_slice(&self.body_bytes.to_le_bytes());
        let kind = match self.kind {
            Kind::Data => 1,
            Kind::Seal => 2,
        };
        out.extend_from_slice(&[kind, flags, 0, 0]);
        let crc = crc32c_append(seed, &out[start + 8..start + HEADER_BYTES]);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
        crc
    }

    /// The header at the start of `bytes` and its crc, if there is an intact one.
    pub(super) fn decode(bytes: &[u8], seed: u32) -> Option<(Self, u32)> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        if &bytes[..4] != MAGIC {
            return None;
        }
        let crc = crc32c_append(seed, &bytes[8..]);
        if crc != u32_at(bytes, 4) {
            return None;
        }
        let kind = match bytes[60] {
            1 => Kind::Data,
            2 => Kind::Seal,
            _ => return None,
        };
        let flags = bytes[61];
        let header = Self {
            segment: u64_at(bytes, 8),
            number: u64_at(bytes, 16),
            previous: u32_at(bytes, 48),
            kind,
            has_meta: flags & FLAG_META != 0,
            truncate_from: (flags & FLAG_TRUNCATES != 0).then(|| u64_at(bytes, 24)),
            end: (flags & FLAG_END != 0).then(|| (u64_at(bytes, 32), u64_at(bytes, 40))),
            record_count: u32_at(bytes, 52),
            body_bytes: u32_at(bytes, 56),
        };
        Some((header, crc))
    }

    /// Bytes from the start of this batch to the start of the next.
    pub(super) fn extent(&self, sector_bytes: u64) -> u64 {
        (HEADER_BYTES as u64 + u64::from(self.body_bytes)).next_multiple_of(sector_bytes)
    }
}

/// Appends a record whose checksum starts from `seed`; returns its crc.
pub(super) fn encode_record(
    seed: u32,
    index: u64,
    tag: u64,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> u32 {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&len32(payload.len()).to_le_bytes());
    out.extend_from_slice(&index.to_le_bytes());
    out.extend_from_slice(&tag.to_le_bytes());
    out.extend_from_slice(payload);
    let crc = crc32c_append(seed, &out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    crc
}

/// A record as it lies in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) crc: u32,
    pub(super) index: u64,
    pub(super) tag: u64,
    /// Length of the payload, which starts [`RECORD_BYTES`] after the record.
    pub(super) len: usize,
}

impl Record {
    /// Bytes of header and payload.
    pub(super) fn extent(&self) -> usize {
        RECORD_BYTES + self.len
    }
}

/// The record at the start of `bytes`, if it is intact and its checksum starts from `seed`.
pub(super) fn decode_record(bytes: &[u8], seed: u32) -> Option<Record> {
    let header = bytes.get(..RECORD_BYTES)?;
    let len = u32_at(header, 4) as usize;
    let covered = bytes.get(4..RECORD_BYTES.checked_add(len)?)?;
    let crc = u32_at(header, 0);
    if crc32c_append(seed, covered) != crc {
        return None;
    }
    Some(Record { crc, index: u64_at(header, 8), tag: u64_at(header, 16), len })
}

/// The name of a segment's file.
pub(super) fn segment_file(segment: u64) -> String {
    format!("wal-{segment:016x}")
}

/// The segment whose file has this name.
pub(super) fn segment_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("wal-").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}
