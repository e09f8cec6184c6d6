//! Two alternate slots that repeat the meta and say how much of the log must be there.
//!
//! A slot is written only after the batch it speaks of is durable. So a log that ends before
//! that batch was damaged, whatever its tail looks like. A slot is a file of 4096 bytes:
//!
//! ```text
//!  0  "QWLM"            8  sequence            24  last data batch known durable
//!  4  crc32c over 8..  16  first segment       32  0xffffffff without meta, else its length; meta
//! ```
//!
//! The checksum starts from the folder's salt, as all do.

use crate::codec::{len32, u32_at, u64_at};
use crate::disk::{Disk, DiskError};
use crate::error::{Damage, OpenError};
use base::crc32c_append;
use bytes::Bytes;

const FILES: [&str; 2] = ["manifest-0", "manifest-1"];
const SLOT_BYTES: usize = 4096;
const META_AT: usize = 36;
const NO_META: u32 = u32::MAX;
const MAGIC: &[u8; 4] = b"QWLM";

/// The longest meta in bytes.
pub(super) const META_BYTES_MAX: usize = SLOT_BYTES - META_AT;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    sequence: u64,
    pub(super) first_segment: u64,
    /// Number of the last data batch known to be durable; 0 when there is none.
    pub(super) durable_batch: u64,
    pub(super) meta: Option<Bytes>,
}

impl Manifest {
    /// Makes both slots, durable but for their names.
    pub(super) fn create<D: Disk>(disk: &mut D, seed: u32) -> Result<Self, DiskError> {
        let mut manifest = Self { sequence: 0, first_segment: 1, durable_batch: 0, meta: None };
        for file in FILES {
            disk.create(file)?;
        }
        for _ in FILES {
            manifest.save(disk, seed)?;
        }
        Ok(manifest)
    }

    /// The newer of the intact slots.
    pub(super) fn load<D: Disk>(disk: &D, seed: u32) -> Result<Self, OpenError> {
        let mut newest: Option<Self> = None;
        for file in FILES {
            let mut block = vec![0; SLOT_BYTES];
            if disk.len(file)? != SLOT_BYTES as u64 {
                return Err(damaged(file, "it has another length"));
            }
            disk.read_at(file, 0, &mut block)?;
            let slot = Self::decode(&block, seed);
            let newer = |slot: &Self| newest.as_ref().is_none_or(|n| n.sequence < slot.sequence);
            if slot.as_ref().is_some_and(newer) {
                newest = slot;
            }
        }
        newest.ok_or_else(|| damaged(FILES[0], "neither slot of the manifest is intact"))
    }

    /// Writes the next slot and syncs it.
    pub(super) fn save<D: Disk>(&mut self, disk: &mut D, seed: u32) -> Result<(), DiskError> {
        self.sequence += 1;
        self.save_again(disk, seed)
    }

    /// Writes the newest slot once more: it may so far have been seen in a cache only.
    pub(super) fn save_again<D: Disk>(&self, disk: &mut D, seed: u32) -> Result<(), DiskError> {
        let file = FILES[(self.sequence % 2) as usize];
        disk.write_at(file, 0, &self.encode(seed))?;
        disk.sync(file)
    }

    fn encode(&self, seed: u32) -> Vec<u8> {
        let mut block = Vec::with_capacity(SLOT_BYTES);
        block.extend_from_slice(MAGIC);
        block.extend_from_slice(&[0; 4]);
        block.extend_from_slice(&self.sequence.to_le_bytes());
        block.extend_from_slice(&self.first_segment.to_le_bytes());
        block.extend_from_slice(&self.durable_batch.to_le_bytes());
        let meta_len = self.meta.as_ref().map_or(NO_META, |meta| len32(meta.len()));
        block.extend_from_slice(&meta_len.to_le_bytes());
        block.extend_from_slice(self.meta.as_deref().unwrap_or_default());
        block.resize(SLOT_BYTES, 0);
        let crc = crc32c_append(seed, &block[8..]);
        block[4..8].copy_from_slice(&crc.to_le_bytes());
        block
    }

    fn decode(block: &[u8], seed: u32) -> Option<Self> {
        if &block[..4] != MAGIC || crc32c_append(seed, &block[8..]) != u32_at(block, 4) {
            return None;
        }
        let meta = match u32_at(block, 32) {
            NO_META => None,
            len => {
                let end = META_AT.checked_add(len as usize)?;
                Some(Bytes::copy_from_slice(block.get(META_AT..end)?))
            }
        };
        Some(Self {
            sequence: u64_at(block, 8),
            first_segment: u64_at(block, 16),
            durable_batch: u64_at(block, 24),
            meta,
        })
    }
}

fn damaged(file: &str, reason: &'static str) -> OpenError {
    let file = file.to_owned();
    OpenError::Damaged(Damage { file, segment: None, offset: 0, index: None, reason })
}
