//! How far the value log is known to be durable.
//!
//! After a failed sync the page cache still shows what the disk never got, and calls it clean:
//! a later process would read it, sync "successfully", and lose it at the next power cut. So
//! every sync that succeeded leaves a mark, and opening writes again whatever lies behind the
//! mark. The mark itself needs no sync: an older one only means that more is written again.
//! Two slots of 512 bytes are written in turn: global offset, crc32c.

use crate::codec::{u32_at, u64_at};
use crate::disk::{Disk, DiskError, DiskErrorKind};
use base::crc32c_append;

const FILE: &str = "synced";
const SLOT_BYTES: u64 = 512;
const CONTENT_BYTES: usize = 12;

#[derive(Clone, Copy, Debug)]
pub(super) struct SyncedMark {
    through: u64,
    next_slot: u64,
}

impl SyncedMark {
    pub(super) fn create<D: Disk>(disk: &mut D, seed: u32) -> Result<(), DiskError> {
        disk.create(FILE)?;
        disk.set_len(FILE, 2 * SLOT_BYTES)?;
        Self { through: 0, next_slot: 0 }.reset(disk, seed, 0)
    }

    /// The mark that reaches further; the start of the log when neither slot is intact. A file
    /// that is missing or cut is made again.
    pub(super) fn load<D: Disk>(disk: &mut D, seed: u32) -> Result<Self, DiskError> {
        let mut newest = Self { through: 0, next_slot: 0 };
        for slot in 0..2 {
            let mut bytes = [0; CONTENT_BYTES];
            match disk.read_at(FILE, slot * SLOT_BYTES, &mut bytes) {
                Err(error) if error.kind == DiskErrorKind::NotFound => {
                    disk.create(FILE)?;
                    disk.sync_dir()?;
                    continue;
                }
                // Of what cannot be read the other slot, or the log itself, tells enough.
                Err(_) => continue,
                Ok(()) => {}
            }
            let through = u64_at(&bytes, 0);
            let intact = crc32c_append(seed, &bytes[..8]) == u32_at(&bytes, 8);
            if intact && through >= newest.through {
                newest = Self { through, next_slot: 1 - slot };
            }
        }
        if disk.len(FILE)? != 2 * SLOT_BYTES {
            disk.set_len(FILE, 2 * SLOT_BYTES)?;
        }
        Ok(newest)
    }

    /// Global offset below which everything was durable once.
    pub(super) fn through(&self) -> u64 {
        self.through
    }

    /// Moves the mark forward.
    pub(super) fn store<D: Disk>(
        &mut self,
        disk: &mut D,
        seed: u32,
        through: u64,
    ) -> Result<(), DiskError> {
        let mut bytes = through.to_le_bytes().to_vec();
        let crc = crc32c_append(seed, &bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        disk.write_at(FILE, self.next_slot * SLOT_BYTES, &bytes)?;
        *self = Self { through, next_slot: 1 - self.next_slot };
        Ok(())
    }

    /// Sets both slots, durably, be it backward.
    pub(super) fn reset<D: Disk>(
        &mut self,
        disk: &mut D,
        seed: u32,
        through: u64,
    ) -> Result<(), DiskError> {
        self.store(disk, seed, through)?;
        self.store(disk, seed, through)?;
        disk.sync(FILE)
    }
}
