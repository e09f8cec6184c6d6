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
//! # Invariants
//! * Indexes are consecutive. The last meta is in a batch not cut away, or in the manifest.
//! * What [`Wal::sync`] acknowledged is there after any crash, or [`Wal::open`] refuses. The
//!   one exception is proven to be unavoidable: the last batch, damaged before it was sealed and
//!   without a meta, looks like a torn one.
//! * On opening the last batch is written and synced again: it may so far have been seen in the
//!   page cache only.
//! * After a failed write or sync the log is poisoned, since what the file holds is not known.
//!
//! # Left out on purpose
//! Repair of damage from peers: who refuses to open is replaced. Compression: batches are bound
//! by the sync, not by their bytes.

mod format;
mod index;
mod manifest;
mod recovery;
mod segments;

pub use recovery::Torn;

use crate::codec::len32;
use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::error::{Damage, OpenError, ReadError, WriteError};
use crate::identity::{self, Folder, Geometry, Identity, Owner};
use bytes::Bytes;
use format::{HEADER_BYTES, Header, Kind, RECORD_BYTES};
use format::{decode_record, encode_record, segment_file};
use index::{RecordIndex, Slot};
use manifest::{META_BYTES_MAX, Manifest};
use recovery::{Recovery, recover, segment32};
use segments::Segments;

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
}

impl WalOptions {
    /// Segments of 32 MiB, sectors of 512 bytes, two spare segments.
    pub fn new(owner: Owner) -> Self {
        Self { owner, segment_bytes: 32 << 20, sector_bytes: 512, spare_segments: 2 }
    }
}

/// What becomes durable together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Replaces the meta: at most 4060 bytes.
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
    /// Index of the first record.
    pub first_index: Option<u64>,
    /// Index of the last record.
    pub last_index: Option<u64>,
    /// Whether the log ended with a seal: then it is proven to be whole.
    pub sealed: bool,
    /// The write that was cut, if there was one.
    pub torn: Option<Torn>,
}

/// The write-ahead log in one folder. Memory: 16 bytes a record.
#[derive(Debug)]
pub struct Wal<D> {
    disk: D,
    geometry: Geometry,
    seed: u32,
    segments: Segments,
    /// Where the next batch goes in the active segment.
    offset: u64,
    next_number: u64,
    chain: u32,
    index: RecordIndex,
    meta: Option<Bytes>,
    manifest: Manifest,
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
    /// Opens the log in the folder, or makes it in an empty one.
    ///
    /// # Errors
    /// [`OpenError::Identity`] for another owner's folder, [`OpenError::Damaged`] when anything
    /// that was once durable is not what it was; nothing is changed then.
    pub fn open(mut disk: D, options: WalOptions) -> Result<(Self, WalRecovered), OpenError> {
        let geometry =
            Geometry { segment_bytes: options.segment_bytes, sector_bytes: options.sector_bytes };
        check_geometry(geometry)?;
        let wanted = Identity { kind: identity::Kind::Wal, owner: options.owner, geometry };
        let identity = match identity::open(&mut disk, wanted)? {
            Folder::Ready(identity) => identity,
            Folder::New(identity) => {
                Segments::create(&mut disk, identity.geometry.segment_bytes, 0)?;
                Manifest::create(&mut disk, identity.seed())?;
                disk.sync_dir()?;
                identity::mark_ready(&mut disk, &identity)?;
                identity
            }
        };
        check_geometry(identity.geometry)?;
        let manifest = Manifest::load(&disk, identity.seed())?;
        let found = recover(&disk, identity.geometry, identity.seed(), &manifest)?;
        settle(&mut disk, identity, &manifest, &found)?;
        Self::adopt(disk, identity, options.spare_segments, manifest, found)
    }

    fn adopt(
        mut disk: D,
        identity: Identity,
        spare_segments: usize,
        manifest: Manifest,
        found: Recovery,
    ) -> Result<(Self, WalRecovered), OpenError> {
        let recovered = WalRecovered {
            meta: found.meta.clone(),
            first_index: found.index.first(),
            last_index: found.index.last(),
            sealed: found.sealed,
            torn: found.torn,
        };
        let numbers = (manifest.first_segment, found.segment, found.last_segment);
        let segment_bytes = identity.geometry.segment_bytes;
        let segments = Segments::adopt(&mut disk, numbers, segment_bytes, spare_segments)?;
        let wal = Self {
            disk,
            geometry: identity.geometry,
            seed: identity.seed(),
            segments,
            offset: found.offset,
            next_number: found.next_number,
            chain: found.chain,
            index: found.index,
            meta: found.meta,
            manifest,
            state: if found.sealed { State::Sealed } else { State::Synced },
            scratch: Vec::new(),
        };
        Ok((wal, recovered))
    }

    /// Writes a batch; it is not durable before [`Wal::sync`] has returned `Ok`. A batch larger
    /// than a segment is written in parts, each synced before the next: a crash then leaves its
    /// meta, its truncation and any first part of its records. An empty batch changes nothing.
    ///
    /// # Errors
    /// [`WriteError::Full`] without space for another segment: nothing changed. Any other
    /// failure poisons the log (except [`WriteError::TooLarge`]).
    ///
    /// # Panics
    /// When the batch before it is not synced, when the indexes do not continue the log, or when
    /// the meta is longer than 4060 bytes.
    pub fn write(&mut self, batch: &Batch) -> Result<(), WriteError> {
        self.check_usable()?;
        let synced = matches!(self.state, State::Synced | State::Sealed);
        assert!(synced, "a batch is written only after the sync of the one before it");
        if batch.is_empty() {
            return Ok(());
        }
        self.check_batch(batch)?;
        let mut meta = batch.meta.clone();
        let mut truncate_from = batch.truncate_from;
        let (mut rest, mut first) = (&batch.records[..], true);
        loop {
            let (records, later) = rest.split_at(self.fitting(meta.as_ref(), rest));
            if !first {
                self.sync()?;
            }
            let kind = Kind::Data;
            let part =
                Part { kind, meta: meta.take(), truncate_from: truncate_from.take(), records };
            let result = self.write_part(&part);
            if result.is_err() && !first {
                // The caller could not tell how much of the batch there is.
                self.state = State::Poisoned;
            }
            result?;
            if later.is_empty() {
                return Ok(());
            }
            (rest, first) = (later, false);
        }
    }

    /// Makes the last batch durable. What it holds may be acknowledged when this returns `Ok`.
    ///
    /// # Errors
    /// Any failure poisons the log for ever.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        self.check_usable()?;
        let State::Written { kind, has_meta } = self.state else { return Ok(()) };
        let result = self.disk.sync(&self.segments.active_file);
        self.poison_on_error(result)?;
        self.state = match kind {
            Kind::Data => State::Synced,
            Kind::Seal => State::Sealed,
        };
        if has_meta || kind == Kind::Seal {
            self.save_manifest()?;
        }
        Ok(())
    }

    /// Writes and syncs a seal if every batch is durable and the last one is not a seal already.
    /// Returns whether the log is sealed now. To be called when nothing was written for a while.
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
                Ok(true)
            }
            state => Ok(state == State::Sealed),
        }
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
        self.poison_unless_full(result)
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

    /// Gives up whole segments whose records all lie below `index`, for recycling. Records below
    /// `index` in the segment that holds it stay. The owner must no longer need what is cut.
    ///
    /// # Errors
    /// Any failure poisons the log.
    ///
    /// # Panics
    /// When the last batch is not synced.
    pub fn cut_before(&mut self, index: u64) -> Result<(), WriteError> {
        self.check_usable()?;
        let written = matches!(self.state, State::Written { .. });
        assert!(!written, "the log is cut only when all of it is durable");
        let holder = self.index.slot(index).map(|slot| u64::from(slot.segment));
        let beyond = self.index.last().is_none_or(|last| last < index);
        let first = holder.unwrap_or(if beyond { self.segments.active } else { 0 });
        // The segment of the last batch stays: the numbers go on from it.
        let first = first.min(self.segments.active - u64::from(self.offset == 0));
        if first <= self.segments.first {
            return Ok(());
        }
        // First the manifest, then the files: a crash between leaves files that are ignored.
        self.manifest.first_segment = first;
        self.save_manifest()?;
        self.index.drop_below(first);
        let result = self.segments.cut_below(&mut self.disk, first);
        self.poison_on_error(result)
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
        let meta = META_BYTES_MAX.min(self.geometry.segment_bytes as usize / 4);
        self.geometry.segment_bytes - (overhead + meta) as u64
    }

    fn check_usable(&self) -> Result<(), WriteError> {
        match self.state {
            State::Poisoned => Err(WriteError::Poisoned),
            _ => Ok(()),
        }
    }

    fn check_batch(&self, batch: &Batch) -> Result<(), WriteError> {
        let meta_max = META_BYTES_MAX.min(self.geometry.segment_bytes as usize / 4);
        let meta_len = batch.meta.as_ref().map_or(0, Bytes::len);
        assert!(meta_len <= meta_max, "a meta of {meta_len} bytes, at most {meta_max}");
        let mut next = self.index.next();
        if let Some(from) = batch.truncate_from {
            let remain = self.index.first().is_some_and(|first| first < from);
            next = next.filter(|_| remain).map(|next| next.min(from));
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
        if self.offset + (HEADER_BYTES + body_bytes) as u64 > self.geometry.segment_bytes {
            let result = self.segments.advance(&mut self.disk);
            self.poison_unless_full(result)?;
            self.offset = 0;
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
        let (chain, slots) = self.encode(&header, part.meta.as_ref(), part.records);
        let result = self.disk.write_at(&self.segments.active_file, self.offset, &self.scratch);
        self.poison_on_error(result)?;
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
        self.meta = part.meta.clone().or(self.meta.take());
        self.state = State::Written { kind: part.kind, has_meta };
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

    /// Lays the batch out in `scratch`; returns its last crc and where its records lie.
    fn encode(
        &mut self,
        header: &Header,
        meta: Option<&Bytes>,
        records: &[(u64, u64, Bytes)],
    ) -> (u32, Vec<Slot>) {
        let out = &mut self.scratch;
        out.clear();
        let mut crc = header.encode(self.seed, out);
        if let Some(meta) = meta {
            crc = encode_record(crc, 0, 0, meta, out);
        }
        let mut slots = Vec::with_capacity(records.len());
        for (index, tag, payload) in records {
            slots.push(Slot {
                segment: segment32(header.segment),
                offset: len32(self.offset as usize + out.len()),
                len: len32(payload.len()),
                seed: crc,
            });
            crc = encode_record(crc, *index, *tag, payload, out);
        }
        // Whole sectors: the rest of the last one would otherwise have to be read first.
        out.resize(header.extent(self.geometry.sector_bytes) as usize, 0);
        (crc, slots)
    }

    fn save_manifest(&mut self) -> Result<(), WriteError> {
        self.manifest.meta.clone_from(&self.meta);
        self.manifest.durable_batch = match self.state {
            State::Sealed => self.next_number.saturating_sub(2),
            _ => self.next_number - 1,
        };
        let result = self.manifest.save(&mut self.disk, self.seed);
        self.poison_on_error(result)
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

    fn poison_on_error<T>(&mut self, result: Result<T, DiskError>) -> Result<T, WriteError> {
        if result.is_err() {
            self.state = State::Poisoned;
        }
        result.map_err(WriteError::from_disk)
    }

    fn poison_unless_full<T>(&mut self, result: Result<T, DiskError>) -> Result<T, WriteError> {
        match result {
            Err(error) if error.kind == DiskErrorKind::Full => Err(WriteError::Full(error)),
            other => self.poison_on_error(other),
        }
    }
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

/// Makes what recovery saw durable before anyone relies on it: the last batch and the newest
/// slot may so far have been in a cache only. The header of a torn batch is overwritten, so
/// that it can never be mistaken for the batch that takes its number.
fn settle<D: Disk>(
    disk: &mut D,
    identity: Identity,
    manifest: &Manifest,
    found: &Recovery,
) -> Result<(), OpenError> {
    if let Some(last) = &found.last_batch {
        disk.write_at(&segment_file(last.segment), last.offset, &last.bytes)?;
        disk.sync(&segment_file(last.segment))?;
    }
    if let Some(torn) = found.torn {
        let zeros = vec![0; identity.geometry.sector_bytes as usize];
        disk.write_at(&segment_file(torn.segment), torn.offset, &zeros)?;
        disk.sync(&segment_file(torn.segment))?;
    }
    manifest.save_again(disk, identity.seed())?;
    Ok(())
}
