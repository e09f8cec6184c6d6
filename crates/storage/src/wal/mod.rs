//! The write-ahead log: batches that are durable as a whole or not at all.
//!
//! # Idea
//! The unit is the [`Batch`]: records, a truncation and a meta (a few bytes that the owner
//! always needs, such as a term and a vote), durable together. [`Wal::write`] places it on the
//! next sector boundary behind the last one, so that no byte that was acknowledged is ever
//! written again; [`Wal::sync`] makes it durable. A batch is written only after the sync of the
//! one before it returned, and each repeats the checksum that ended the one before. From this
//! alone follows what recovery needs to tell a torn write from damage.
//!
//! ```text
//! sector   0          1          2               4          5
//!          | batch 1  | batch 2  | batch 3 ..... | seal 4   | zeros, or a former life
//!          | 1 2 3    | 4        | from 4: 4 5 6 |          |
//! ```
//!
//! When nothing is going on, [`Wal::seal_if_idle`] writes a batch without content. It proves
//! that the one before it was durable, so that damage to the very end of the log is noticed
//! too. Metas, seals and cuts also go to the [`manifest`]'s two slots.
//!
//! A damaged log opens with its intact first part and a [`Loss`]: how far it was proven to reach,
//! and what stands intact behind the damage. The owner fetches the rest from elsewhere, and only
//! [`Wal::settle_loss`] ends what the log owes.
//!
//! # Invariants
//! * Indexes are consecutive. The last meta is in a batch not cut away, or in the manifest.
//! * What [`Wal::sync`] acknowledged is there after any crash, or [`Wal::open`] names a loss. The
//!   one exception is proven to be unavoidable: the last batch, damaged before it was sealed and
//!   without a meta, looks like a torn one.
//! * On opening the last batch is written and synced again: it may so far have been seen in the
//!   page cache only.
//! * Every meta that was acknowledged is in both slots: no single damage brings an older one back.
//! * After a failed write or sync the log is poisoned, since what the file holds is not known. A
//!   write that found no space is undone before the next one and poisons nothing.
//!
//! # Left out on purpose
//! Fetching what is missing: that is for the owner, who knows the peers. Compression: batches
//! are bound by the sync, not by their bytes.

mod cutting;
mod format;
mod index;
mod judgement;
mod loss;
mod manifest;
mod opening;
mod recovery;
mod scrub;
mod segments;

pub use loss::Loss;
pub use recovery::Torn;
pub use scrub::WalScrub;

use crate::codec::len32;
use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::error::{Damage, OpenError, ReadError, WriteError};
use crate::identity::{Geometry, Owner};
use crate::mutant::{Mutant, Seeded};
use bytes::Bytes;
use format::{HEADER_BYTES, Header, Kind, RECORD_BYTES};
use format::{decode_record, encode_record, segment_file};
use index::{RecordIndex, Slot};
use manifest::Manifest;
use recovery::segment32;
use segments::Segments;
use std::collections::VecDeque;

/// Pieces of a batch are this part of a segment: 512 KiB of one of 32 MiB. Each costs two calls of
/// the system, and the first one is the time that the disk waits for its first byte.
const PIECES_A_SEGMENT: u64 = 64;

/// How a log is opened, and made if it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalOptions {
    /// Whose log it is.
    pub owner: Owner,
    /// Length of each segment when the log is made: a multiple of `sector_bytes`, at least 8
    /// sectors, at most 1 GiB. A record must fit one segment.
    pub segment_bytes: u64,
    /// The unit that the disk writes whole or not at all, or a multiple: 512 to 65536.
    pub sector_bytes: u64,
    /// At most so many segments that were cut away are kept for recycling.
    pub spare_segments: usize,
    /// A seeded bug.
    #[cfg(any(test, feature = "mutants"))]
    pub mutant: Option<Mutant>,
}

impl WalOptions {
    /// Segments of 32 MiB, sectors of 512 bytes, two spare segments.
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            segment_bytes: 32 << 20,
            sector_bytes: 512,
            spare_segments: 2,
            #[cfg(any(test, feature = "mutants"))]
            mutant: None,
        }
    }

    fn seeded(&self) -> Seeded {
        Seeded {
            #[cfg(any(test, feature = "mutants"))]
            mutant: self.mutant,
        }
    }
}

/// What becomes durable together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Replaces the meta: at most [`Wal::meta_bytes_max`] bytes.
    pub meta: Option<Bytes>,
    /// Drops every record from this index on, before `records` are appended.
    pub truncate_from: Option<u64>,
    /// Index, tag and bytes. Indexes are consecutive and continue the log; the first record of
    /// an empty log may have any.
    pub records: Vec<(u64, u64, Bytes)>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.meta.is_none() && self.truncate_from.is_none() && self.records.is_empty()
    }
}

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalRecovered {
    /// The last durable meta.
    pub meta: Option<Bytes>,
    /// Whether no newer meta can have been acknowledged. False when both slots of the manifest
    /// were gone: each holds every acknowledged meta, so with one of them nothing is in doubt,
    /// and without both the newest one may have been in a batch that is gone too. It stays so
    /// until [`Wal::settle_meta`].
    pub meta_is_certain: bool,
    /// Index of the first record.
    pub first_index: Option<u64>,
    /// Index of the last record.
    pub last_index: Option<u64>,
    /// Whether the log ended with a seal: then it is proven to be whole.
    pub sealed: bool,
    /// The write that was cut, if there was one.
    pub torn: Option<Torn>,
    /// What was durable once and is gone, if anything, until it is settled.
    pub loss: Option<Loss>,
}

/// The write-ahead log in one folder. Memory: 16 bytes a record.
#[derive(Debug)]
pub struct Wal<D> {
    disk: D,
    geometry: Geometry,
    seed: u32,
    seeded: Seeded,
    segments: Segments,
    /// Number of the first batch of each segment up to the active one, and the crc it repeats.
    starts: VecDeque<(u64, u32)>,
    /// Where the next batch goes in the active segment.
    offset: u64,
    next_number: u64,
    chain: u32,
    index: RecordIndex,
    meta: Option<Bytes>,
    /// Number of the batch that the meta came with.
    meta_batch: u64,
    manifest: Manifest,
    /// A batch that found no space may in part, or whole, lie where the next one goes.
    has_ghost: bool,
    /// So many records of a batch of several parts are written; the next one found no space.
    half_written: Option<usize>,
    state: State,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// All batches are durable.
    Synced,
    /// All batches are durable and the last one is a seal.
    Sealed,
    /// The last batch, of this kind, is not durable yet.
    Written {
        kind: Kind,
        has_meta: bool,
    },
    /// One slot of the manifest says that the log is empty: that has to be finished.
    HalfReset,
    Poisoned,
}

/// A part of a batch that fits one segment.
struct Part<'a> {
    kind: Kind,
    meta: Option<Bytes>,
    truncate_from: Option<u64>,
    records: &'a [(u64, u64, Bytes)],
}

impl<D: Disk> Wal<D> {
    /// Writes a batch; it is not durable before [`Wal::sync`] has returned `Ok`. A batch larger
    /// than a segment is written in parts, each synced before the next: a crash then leaves its
    /// meta, its truncation and any first part of its records. An empty batch changes nothing.
    ///
    /// # Errors
    /// [`WriteError::Full`] without space: nothing may be acknowledged, and the *same* batch is to
    /// be given again when there is some. (If it fits one segment nothing changed, and it may be
    /// another; of a larger one a first part may be there, and the rest follows.)
    /// [`WriteError::TooLarge`]: nothing changed. Any other failure poisons the log.
    ///
    /// # Panics
    /// When the batch before it is not synced, when the indexes do not continue the log, or when
    /// the meta is longer than [`Wal::meta_bytes_max`].
    pub fn write(&mut self, batch: &Batch) -> Result<(), WriteError> {
        self.check_usable()?;
        let done = self.half_written.take();
        if done.is_none() {
            let synced = matches!(self.state, State::Synced | State::Sealed);
            assert!(synced, "a batch is written only after the sync of the one before it");
            if batch.is_empty() {
                return Ok(());
            }
            self.check_batch(batch)?;
        }
        let mut first = done.is_none();
        let mut rest = batch.records.get(done.unwrap_or(0)..).unwrap_or_default();
        if !first {
            let next = rest.first().map(|(index, ..)| *index);
            assert_eq!(
                next,
                self.index.next(),
                "a batch of which a part is written is given again"
            );
        }
        let mut meta = batch.meta.clone().filter(|_| first);
        let mut truncate_from = batch.truncate_from.filter(|_| first);
        loop {
            let (records, later) = rest.split_at(self.fitting(meta.as_ref(), rest));
            let kind = Kind::Data;
            let part =
                Part { kind, meta: meta.take(), truncate_from: truncate_from.take(), records };
            let synced = if first { Ok(()) } else { self.sync() };
            if let Err(error) = synced.and_then(|()| self.write_part(&part)) {
                if !first {
                    self.half_written = Some(batch.records.len() - rest.len());
                }
                return Err(error);
            }
            if later.is_empty() {
                return Ok(());
            }
            (rest, first) = (later, false);
        }
    }

    /// Makes the last batch durable. What it holds may be acknowledged when this returns `Ok`.
    ///
    /// # Errors
    /// [`WriteError::Full`] when the disk has no space for the meta's second place: nothing may
    /// be acknowledged, and the call is to be made again when there is some. Any other failure
    /// poisons the log for ever.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        self.check_usable()?;
        let State::Written { kind, has_meta } = self.state else { return Ok(()) };
        let mut result = self.disk.sync(&self.segments.active_file);
        if result.is_err() && self.seeded.has(Mutant::RetrySync) {
            result = self.disk.sync(&self.segments.active_file);
        }
        self.checked(result)?;
        if kind == Kind::Seal {
            self.state = State::Sealed;
            return self.save_manifest();
        }
        if has_meta {
            self.refresh_manifest();
            let result = self.manifest.save_both(&mut self.disk, self.seed);
            self.checked(result)?;
        }
        self.state = State::Synced;
        Ok(())
    }

    /// Writes and syncs a seal if every batch is durable and the last one is not a seal already,
    /// and finishes a cut that was waiting. Returns whether the log is sealed now. To be called
    /// when nothing was written for a while.
    ///
    /// # Errors
    /// As [`Wal::write`] and [`Wal::sync`].
    pub fn seal_if_idle(&mut self) -> Result<bool, WriteError> {
        self.check_usable()?;
        match self.state {
            State::Synced if self.next_number > 1 => {
                let kind = Kind::Seal;
                let seal = Part { kind, meta: None, truncate_from: None, records: &[] };
                self.write_part(&seal)?;
                self.sync()?;
            }
            State::Sealed => {}
            _ => return Ok(false),
        }
        self.finish_waiting_cut()?;
        Ok(true)
    }

    /// Goes a step of at most `budget_bytes` towards having the next segment ready; to be called
    /// now and then, so that no write has to wait for it. Returns whether it is ready.
    ///
    /// # Errors
    /// [`WriteError::Full`] without space (nothing is lost, to be tried again); any other
    /// failure poisons the log.
    pub fn prepare_ahead(&mut self, budget_bytes: u64) -> Result<bool, WriteError> {
        self.check_usable()?;
        let result = self.segments.prepare(&mut self.disk, budget_bytes.max(1));
        self.checked(result)
    }

    /// [`Wal::prepare_ahead`] with this budget if the next segment is less prepared than it
    /// should be by now, which is twice as far as the active one is used. To be called after
    /// each sync was reported, so that under steady load no write waits for a whole segment.
    ///
    /// # Errors
    /// As [`Wal::prepare_ahead`].
    pub fn prepare_if_due(&mut self, budget_bytes: u64) -> Result<(), WriteError> {
        let due = self.geometry.segment_bytes.min(2 * self.offset);
        if self.segments.prepared_bytes() < due {
            self.prepare_ahead(budget_bytes)?;
        }
        Ok(())
    }

    /// Records from index `from` on: as many as have at most `max_bytes` of payload together,
    /// but at least one. Their checksums are verified.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] when there is no record `from`; [`ReadError::Damaged`] when one
    /// is not what was written.
    pub fn read(&self, from: u64, max_bytes: u64) -> Result<Vec<(u64, u64, Bytes)>, ReadError> {
        if self.state == State::Poisoned {
            return Err(ReadError::Poisoned);
        }
        let first = self.index.slot(from).ok_or(ReadError::OutOfRange { position: from })?;
        let mut slots = vec![first];
        let mut bytes = u64::from(first.len);
        while let Some(slot) = self.index.slot(from + slots.len() as u64) {
            bytes += u64::from(slot.len);
            if bytes > max_bytes {
                break;
            }
            slots.push(slot);
        }
        let mut records = Vec::with_capacity(slots.len());
        let mut index = from;
        for run in slots.chunk_by(adjoins) {
            self.read_run(index, run, &mut records)?;
            index += run.len() as u64;
        }
        Ok(records)
    }

    /// Index of the first record.
    pub fn first_index(&self) -> Option<u64> {
        self.index.first()
    }

    /// Index of the last record, durable or not.
    pub fn last_index(&self) -> Option<u64> {
        self.index.last()
    }

    /// Tag of a record.
    pub fn tag(&self, index: u64) -> Option<u64> {
        self.index.tag(index)
    }

    /// Each run of equal tags: the tag and the first index of the run, ascending by index.
    pub fn tag_starts(&self) -> Vec<(u64, u64)> {
        self.index.tag_starts()
    }

    /// The meta, durable or not.
    pub fn meta(&self) -> Option<&Bytes> {
        self.meta.as_ref()
    }

    /// The longest payload that a record may have.
    pub fn record_bytes_max(&self) -> u64 {
        let overhead = HEADER_BYTES + 2 * RECORD_BYTES;
        self.geometry.segment_bytes - (overhead + self.meta_bytes_max()) as u64
    }

    fn check_usable(&self) -> Result<(), WriteError> {
        match self.state {
            State::Poisoned | State::HalfReset => Err(WriteError::Poisoned),
            _ => Ok(()),
        }
    }

    fn check_batch(&self, batch: &Batch) -> Result<(), WriteError> {
        let meta_max = self.meta_bytes_max();
        let meta_len = batch.meta.as_ref().map_or(0, Bytes::len);
        assert!(meta_len <= meta_max, "a meta of {meta_len} bytes, at most {meta_max}");
        let mut next = self.index.next();
        if let Some(from) = batch.truncate_from {
            let remain = self.index.first().is_some_and(|first| first < from);
            next = if remain { next.map(|next| next.min(from)) } else { self.index.floor() };
        }
        for (index, _, payload) in &batch.records {
            let expected = next.unwrap_or(*index);
            assert_eq!(*index, expected, "record {index} where {expected} continues the log");
            next = Some(index + 1);
            let (bytes, max_bytes) = (payload.len() as u64, self.record_bytes_max());
            if bytes > max_bytes {
                return Err(WriteError::TooLarge { bytes, max_bytes });
            }
        }
        Ok(())
    }

    /// How many of `records` fit one segment together with the meta.
    fn fitting(&self, meta: Option<&Bytes>, records: &[(u64, u64, Bytes)]) -> usize {
        let meta = meta.map_or(0, |meta| RECORD_BYTES + meta.len());
        let mut room = self.geometry.segment_bytes as usize - HEADER_BYTES - meta;
        let fits = |(_, _, payload): &&(u64, u64, Bytes)| {
            let left = room.checked_sub(RECORD_BYTES + payload.len());
            room = left.unwrap_or(room);
            left.is_some()
        };
        records.iter().take_while(fits).count()
    }

    fn write_part(&mut self, part: &Part<'_>) -> Result<(), WriteError> {
        let meta_bytes = part.meta.as_ref().map_or(0, |meta| RECORD_BYTES + meta.len());
        let payloads: usize = part.records.iter().map(|(_, _, p)| RECORD_BYTES + p.len()).sum();
        let body_bytes = meta_bytes + payloads;
        self.lay_ghost()?;
        if self.offset + (HEADER_BYTES + body_bytes) as u64 > self.geometry.segment_bytes {
            self.advance()?;
        }
        let header = Header {
            segment: self.segments.active,
            number: self.next_number,
            previous: self.chain,
            kind: part.kind,
            has_meta: part.meta.is_some(),
            truncate_from: part.truncate_from,
            end: self.end_after(part),
            record_count: len32(part.records.len() + usize::from(part.meta.is_some())),
            body_bytes: len32(body_bytes),
        };
        let (chain, slots, result) = self.place(&header, part);
        let full = result.as_ref().is_err_and(|error| error.kind == DiskErrorKind::Full);
        if !(full && self.seeded.has(Mutant::FullIsSuccess)) {
            self.has_ghost = full;
            self.checked(result)?;
        }
        self.offset += header.extent(self.geometry.sector_bytes);
        self.next_number += 1;
        self.chain = chain;
        if let Some(from) = part.truncate_from {
            self.index.truncate_from(from);
        }
        for ((index, tag, _), slot) in part.records.iter().zip(slots) {
            self.index.push(*index, *tag, slot);
        }
        let has_meta = part.meta.is_some();
        if has_meta {
            (self.meta, self.meta_batch) = (part.meta.clone(), header.number);
        }
        self.state = State::Written { kind: part.kind, has_meta };
        Ok(())
    }

    /// Makes the next segment the active one, and says so durably before anything is in it, so
    /// that the loss of its file is noticed.
    fn advance(&mut self) -> Result<(), WriteError> {
        let result = self.segments.prepare(&mut self.disk, self.geometry.segment_bytes);
        self.checked(result)?;
        self.refresh_manifest();
        self.manifest.active_segment += 1;
        let result = self.manifest.save(&mut self.disk, self.seed);
        self.checked(result)?;
        self.segments.activate();
        self.starts.push_back((self.next_number, self.chain));
        self.offset = 0;
        self.give_up_cut()
    }

    /// Removes what may be left of a batch that found no space: without its header it is
    /// nothing, and the same number can be given again.
    fn lay_ghost(&mut self) -> Result<(), WriteError> {
        if self.has_ghost {
            let zeros = vec![0; self.geometry.sector_bytes as usize];
            let file = &self.segments.active_file;
            let laid = self.disk.write_at(file, self.offset, &zeros);
            let laid = laid.and_then(|()| self.disk.sync(file));
            self.checked(laid)?;
            self.has_ghost = false;
        }
        Ok(())
    }

    /// Last index and tag once `part` is appended.
    fn end_after(&self, part: &Part<'_>) -> Option<(u64, u64)> {
        if let Some((index, tag, _)) = part.records.last() {
            return Some((*index, *tag));
        }
        let Some(from) = part.truncate_from else { return self.index.end() };
        let last = self.index.last()?.min(from.checked_sub(1)?);
        Some((last, self.index.tag(last)?))
    }

    /// Writes the batch at `offset`, piece by piece, so that the disk is busy with one while the
    /// next is laid out. Returns the batch's last crc and where its records lie; after a failed
    /// piece the rest is laid out, but not written.
    fn place(
        &mut self,
        header: &Header,
        part: &Part<'_>,
    ) -> (u32, Vec<Slot>, Result<(), DiskError>) {
        let piece_bytes = piece_bytes(self.geometry);
        let mut pieces = Pieces {
            disk: &mut self.disk,
            file: &self.segments.active_file,
            at: self.offset,
            result: Ok(()),
        };
        let out = &mut self.scratch;
        out.clear();
        let mut crc = header.encode(self.seed, out);
        if let Some(meta) = &part.meta {
            crc = encode_record(crc, 0, 0, meta, out);
        }
        let segment = segment32(header.segment);
        let mut slots = Vec::with_capacity(part.records.len());
        for (index, tag, payload) in part.records {
            let offset = len32(pieces.at as usize + out.len());
            slots.push(Slot { segment, offset, len: len32(payload.len()), seed: crc });
            crc = encode_record(crc, *index, *tag, payload, out);
            if out.len() as u64 > piece_bytes {
                pieces.write_whole(out, piece_bytes);
            }
        }
        // Whole sectors: the rest of the last one would otherwise have to be read first.
        let end = self.offset + header.extent(self.geometry.sector_bytes);
        out.resize((end - pieces.at) as usize, 0);
        pieces.write(out);
        (crc, slots, pieces.result)
    }

    /// Makes the durable end known to the manifest.
    fn save_manifest(&mut self) -> Result<(), WriteError> {
        self.refresh_manifest();
        let result = self.manifest.save(&mut self.disk, self.seed);
        self.checked(result)
    }

    fn read_run(
        &self,
        first_index: u64,
        run: &[Slot],
        records: &mut Vec<(u64, u64, Bytes)>,
    ) -> Result<(), ReadError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
        let end = last.offset as usize + RECORD_BYTES + last.len as usize;
        let mut block = vec![0; end - first.offset as usize];
        let file = segment_file(u64::from(first.segment));
        self.disk.read_at(&file, u64::from(first.offset), &mut block)?;
        let block = Bytes::from(block);
        for (index, slot) in (first_index..).zip(run) {
            let start = (slot.offset - first.offset) as usize;
            let end = start + RECORD_BYTES + slot.len as usize;
            match decode_record(&block[start..end], slot.seed) {
                Some(record) if record.index == index && record.len == slot.len as usize => {
                    let payload = block.slice(start + RECORD_BYTES..end);
                    records.push((index, record.tag, payload));
                }
                _ => {
                    return Err(ReadError::Damaged(Damage {
                        file,
                        segment: Some(u64::from(slot.segment)),
                        offset: u64::from(slot.offset),
                        index: Some(index),
                        reason: "the checksum does not match",
                    }));
                }
            }
        }
        Ok(())
    }

    /// Poisons the log unless there was merely no space for something that can be tried again.
    fn checked<T>(&mut self, result: Result<T, DiskError>) -> Result<T, WriteError> {
        result.map_err(|error| {
            let error = WriteError::from_disk(error);
            if !matches!(error, WriteError::Full(_)) {
                self.state = State::Poisoned;
            }
            error
        })
    }
}

/// The pieces of a batch on their way to the disk.
struct Pieces<'a, D> {
    disk: &'a mut D,
    file: &'a str,
    /// Where the next one goes.
    at: u64,
    /// The first failure; nothing is written after it.
    result: Result<(), DiskError>,
}

impl<D: Disk> Pieces<'_, D> {
    /// Takes off `out` what ends at a multiple of `piece_bytes` of the file, and has the disk
    /// begin with it. A page of the file then belongs to one piece.
    fn write_whole(&mut self, out: &mut Vec<u8>, piece_bytes: u64) {
        let end = (self.at + out.len() as u64) / piece_bytes * piece_bytes;
        let whole = (end - self.at) as usize;
        let at = self.at;
        self.write(&out[..whole]);
        if self.result.is_ok() {
            self.disk.begin_sync(self.file, at, whole as u64);
        }
        out.drain(..whole);
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.result.is_ok() {
            self.result = self.disk.write_at(self.file, self.at, bytes);
        }
        self.at += bytes.len() as u64;
    }
}

/// A batch is written in pieces of this many bytes, whole sectors: small ones too where segments
/// are small, as in a simulation.
fn piece_bytes(geometry: Geometry) -> u64 {
    (geometry.segment_bytes / PIECES_A_SEGMENT).next_multiple_of(geometry.sector_bytes)
}

/// Whether `right` lies directly behind `left`.
fn adjoins(left: &Slot, right: &Slot) -> bool {
    let end = left.offset as usize + RECORD_BYTES + left.len as usize;
    left.segment == right.segment && end == right.offset as usize
}

fn check_geometry(geometry: Geometry) -> Result<(), OpenError> {
    let Geometry { segment_bytes, sector_bytes } = geometry;
    let invalid = |reason| Err(OpenError::InvalidOptions { reason });
    if !sector_bytes.is_power_of_two() || !(512..=65536).contains(&sector_bytes) {
        return invalid("sector_bytes must be a power of two from 512 to 65536");
    }
    if segment_bytes % sector_bytes != 0 || segment_bytes / sector_bytes < 8 {
        return invalid("segment_bytes must be a multiple of sector_bytes, at least 8 sectors");
    }
    if segment_bytes > 1 << 30 {
        return invalid("segment_bytes must be at most 1 GiB");
    }
    Ok(())
}
