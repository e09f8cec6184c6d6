//! Two slots that repeat the meta and say how much of the log must be there.
//!
//! A slot is written only after the batch it speaks of is durable. So a log that ends before
//! that batch was damaged, whatever its tail looks like. One slot is written and synced before
//! the other is begun; hence one of them is intact at any moment, and the other one can be
//! damaged by a power cut only while it was being written.
//!
//! # Which slots say what
//! What must not be forgotten is in *both* slots before anybody relies on it
//! ([`Manifest::save_both`]): metas, resets, losses and their settlement. So either slot
//! alone holds the last meta that was acknowledged, wherever the log is damaged. What only proves
//! more the fresher it is (the durable end at a seal or at a new segment) goes to one slot
//! ([`Manifest::save`]); with the older one less of a lost tail is noticed. A cut may come into
//! the slots with whatever is saved next: nobody relies on it, and no file that was cut away is
//! touched, before both name the new first segment ([`Manifest::first_in_both`]).
//!
//! # Layout
//! ```text
//!    0  "QWLM"                     64  next index while no record is held, 0 for any
//!    4  crc32c over 8..            72  first index held when the log was last cut, 0 if unknown
//!    8  sequence                   80  number of the batch that the meta came with
//!   16  first segment              88  crc that the first segment's first batch repeats
//!   24  number of its first batch  92  flags: 1 end, 2 meta, 4 meta is certain, 8 cut, 16 loss
//!   32  active segment             96  segment and offset of a cut that is being carried out
//!   40  last batch known durable  112  the loss that is not settled, 64 bytes
//!   48  last index and tag then   176  length of the meta; at 4096 the meta
//! ```
//!
//! The checksum starts from the folder's salt, as all do.

use super::loss::{NOTE_BYTES, Note};
use crate::codec::{len32, u32_at, u64_at};
use crate::disk::{Disk, DiskError, DiskErrorKind};
use base::crc32c_append;
use bytes::Bytes;

pub(super) const SLOT_FILES: [&str; 2] = ["manifest-0", "manifest-1"];
const SLOT_BYTES: usize = 8192;
const NOTE_AT: usize = 112;
const META_LEN_AT: usize = NOTE_AT + NOTE_BYTES;
const META_AT: usize = 4096;
const MAGIC: &[u8; 4] = b"QWLM";
const FLAG_END: u32 = 1;
const FLAG_META: u32 = 2;
const FLAG_CERTAIN: u32 = 4;
const FLAG_CUT: u32 = 8;
const FLAG_LOSS: u32 = 16;

/// The longest meta in bytes.
pub(super) const META_BYTES_MAX: usize = SLOT_BYTES - META_AT;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    sequence: u64,
    /// The first segment in each slot as far as this process saved it; 0 is below every segment.
    saved_first: [u64; SLOT_FILES.len()],
    pub(super) first_segment: u64,
    /// Number of the first batch of that segment and the crc it repeats; number 0 if unknown.
    pub(super) start: (u64, u32),
    /// Segments above were never written to when this slot was the newest.
    pub(super) active_segment: u64,
    /// Number of the last data batch known to be durable; 0 when there is none.
    pub(super) durable_batch: u64,
    /// End of the log after it.
    pub(super) end: Option<(u64, u64)>,
    /// The index that the next record must have while the log holds none; 0 for any.
    pub(super) next_index: u64,
    /// First index held when the log was last cut or reset; 0 if unknown.
    pub(super) first_index: u64,
    /// Number of the batch that the meta came with.
    pub(super) meta_batch: u64,
    pub(super) meta: Option<Bytes>,
    pub(super) meta_is_certain: bool,
    /// Everything from this place (segment, offset) on is being dropped.
    pub(super) cut: Option<(u64, u64)>,
    pub(super) note: Option<Note>,
}

impl Manifest {
    /// Of a log whose first segment this is, about which nothing else is known.
    pub(super) fn new(first_segment: u64, start: (u64, u32)) -> Self {
        Self {
            sequence: 0,
            saved_first: [0; SLOT_FILES.len()],
            first_segment,
            start,
            active_segment: first_segment,
            durable_batch: 0,
            end: None,
            next_index: 0,
            first_index: 0,
            meta_batch: 0,
            meta: None,
            meta_is_certain: true,
            cut: None,
            note: None,
        }
    }

    /// The newer of the intact slots, and how many are intact. A slot that cannot be read counts
    /// as damaged unless neither can.
    pub(super) fn load<D: Disk>(disk: &D, seed: u32) -> Result<(Option<Self>, usize), DiskError> {
        let (mut newest, mut intact, mut failed): (Option<Self>, _, _) = (None, 0, None);
        for file in SLOT_FILES {
            match read_slot(disk, file) {
                Ok(block) => {
                    let Some(slot) = Self::decode(&block, seed) else { continue };
                    intact += 1;
                    if newest.as_ref().is_none_or(|newest| newest.sequence < slot.sequence) {
                        newest = Some(slot);
                    }
                }
                Err(error) if !matches!(error.kind, DiskErrorKind::Io(_)) => {}
                Err(error) if failed.is_some() => return Err(error),
                Err(error) => failed = Some(error),
            }
        }
        Ok((newest, intact))
    }

    /// Gives both slots' files the length they must have, if they have another or are missing.
    pub(super) fn restore_files<D: Disk>(disk: &mut D) -> Result<(), DiskError> {
        let names = disk.list()?;
        for file in SLOT_FILES {
            if !names.iter().any(|name| name == file) {
                disk.create(file)?;
                disk.sync_dir()?;
            } else if disk.len(file)? != SLOT_BYTES as u64 {
                disk.set_len(file, SLOT_BYTES as u64)?;
            }
        }
        Ok(())
    }

    /// Writes the next slot and syncs it. After an error the other slot holds what was saved
    /// before, and `self` is as it was.
    pub(super) fn save<D: Disk>(&mut self, disk: &mut D, seed: u32) -> Result<(), DiskError> {
        let mut next = Self { sequence: self.sequence + 1, ..self.clone() };
        let slot = (next.sequence % 2) as usize;
        let file = SLOT_FILES[slot];
        disk.write_at(file, 0, &next.encode(seed))?;
        disk.sync(file)?;
        next.saved_first[slot] = next.first_segment;
        *self = next;
        Ok(())
    }

    /// Segments below this one are part of the log in neither slot.
    pub(super) fn first_in_both(&self) -> u64 {
        self.saved_first.into_iter().min().unwrap_or(0)
    }

    /// Writes both slots, one after the other.
    pub(super) fn save_both<D: Disk>(&mut self, disk: &mut D, seed: u32) -> Result<(), DiskError> {
        self.save(disk, seed)?;
        self.save(disk, seed)
    }

    fn encode(&self, seed: u32) -> Vec<u8> {
        let mut block = Vec::with_capacity(SLOT_BYTES);
        block.extend_from_slice(MAGIC);
        block.extend_from_slice(&[0; 4]);
        let (end_index, end_tag) = self.end.unwrap_or((0, 0));
        let (cut_segment, cut_offset) = self.cut.unwrap_or((0, 0));
        let (start_number, start_crc) = self.start;
        for number in [self.sequence, self.first_segment, start_number, self.active_segment] {
            block.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.durable_batch, end_index, end_tag, self.next_index, self.first_index] {
            block.extend_from_slice(&number.to_le_bytes());
        }
        block.extend_from_slice(&self.meta_batch.to_le_bytes());
        block.extend_from_slice(&start_crc.to_le_bytes());
        let mut flags = 0;
        for (flag, set) in [
            (FLAG_END, self.end.is_some()),
            (FLAG_META, self.meta.is_some()),
            (FLAG_CERTAIN, self.meta_is_certain),
            (FLAG_CUT, self.cut.is_some()),
            (FLAG_LOSS, self.note.is_some()),
        ] {
            flags |= if set { flag } else { 0 };
        }
        block.extend_from_slice(&flags.to_le_bytes());
        block.extend_from_slice(&cut_segment.to_le_bytes());
        block.extend_from_slice(&cut_offset.to_le_bytes());
        match &self.note {
            Some(note) => note.encode(&mut block),
            None => block.resize(META_LEN_AT, 0),
        }
        block.extend_from_slice(&len32(self.meta.as_ref().map_or(0, Bytes::len)).to_le_bytes());
        block.resize(META_AT, 0);
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
        let flags = u32_at(block, 92);
        let has = |flag| flags & flag != 0;
        let meta = block.get(META_AT..META_AT + u32_at(block, META_LEN_AT) as usize)?;
        Some(Self {
            sequence: u64_at(block, 8),
            saved_first: [0; SLOT_FILES.len()],
            first_segment: u64_at(block, 16),
            start: (u64_at(block, 24), u32_at(block, 88)),
            active_segment: u64_at(block, 32),
            durable_batch: u64_at(block, 40),
            end: has(FLAG_END).then(|| (u64_at(block, 48), u64_at(block, 56))),
            next_index: u64_at(block, 64),
            first_index: u64_at(block, 72),
            meta_batch: u64_at(block, 80),
            meta: has(FLAG_META).then(|| Bytes::copy_from_slice(meta)),
            meta_is_certain: has(FLAG_CERTAIN),
            cut: has(FLAG_CUT).then(|| (u64_at(block, 96), u64_at(block, 104))),
            note: has(FLAG_LOSS).then(|| Note::decode(&block[NOTE_AT..META_LEN_AT])),
        })
    }
}

/// All of a slot; zeros, which are no slot, when its file has another length.
fn read_slot<D: Disk>(disk: &D, file: &str) -> Result<Vec<u8>, DiskError> {
    let mut block = vec![0; SLOT_BYTES];
    if disk.len(file)? == SLOT_BYTES as u64 {
        disk.read_at(file, 0, &mut block)?;
    }
    Ok(block)
}
