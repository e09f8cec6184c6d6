//! The value log: append-only records with global offsets, read with verification every time.
//!
//! # Idea
//! Records lie one after another in segment files; a [`Position`] is a global offset (segment
//! number × segment length + place in it) and a length, and never changes. An append is one
//! write without a sync, because the owner can append the tail again from its write-ahead log.
//! So opening follows the records from the start and cuts everything from the first one that is
//! not intact; the owner sees how far it got and repeats the rest.
//!
//! # Invariants
//! * A record returned by [`ValueLog::read`] is what was appended at that position.
//! * What [`ValueLog::sync`] covered is there at the next opening unless the disk damaged it;
//!   then [`Cut`] says where, and the owner must check that it can repeat what was cut.
//! * What was cut is gone from the files before anything is appended, so that a record of the
//!   past can never follow one of the present.
//! * A record is repaired only with bytes proven to be its own ([`ValueLog::repair`]), several
//!   in a row only with bytes proven together ([`ValueLog::repair_run`]).
//!
//! # Left out on purpose
//! Filling segments with zeros ahead: nobody waits for these writes. Reclaiming segments.

mod format;
mod mending;
mod opening;
mod synced;
mod transfer;

pub use mending::{RepairError, Scrub, Scrubbed};
pub use transfer::{Chunk, ImportError};

use crate::codec::len32;
use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::error::{Damage, ReadError, WriteError};
use crate::identity::{self, Owner};
use crate::mutant::{Mutant, Seeded};
use bytes::Bytes;
use format::{Header, RECORD_BYTES, Salt, encode, segment_file};
use synced::SyncedMark;

/// Sequential reads fetch pieces of at most this many bytes (more for a longer record).
const WINDOW_BYTES: u64 = 256 << 10;

/// How a value log is opened, and made if it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueLogOptions {
    /// Whose log it is.
    pub owner: Owner,
    /// Greatest length of a segment when the log is made: from 512 bytes to 1 GiB. A record
    /// with its 12 bytes must fit one.
    pub segment_bytes: u64,
    /// A seeded bug.
    #[cfg(any(test, feature = "mutants"))]
    pub mutant: Option<Mutant>,
}

impl ValueLogOptions {
    /// Segments of 64 MiB.
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            segment_bytes: 64 << 20,
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

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Global offset of the record.
    pub offset: u64,
    /// Length of its payload in bytes.
    pub len: u32,
}

impl Position {
    /// Where a scan goes on behind this record.
    pub fn end(&self) -> u64 {
        self.offset + RECORD_BYTES as u64 + u64::from(self.len)
    }
}

/// Shown every record at opening; its error refuses the whole folder.
pub type Visit<'a> = dyn FnMut(Position, &[u8]) -> Result<(), String> + 'a;

/// What opening cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Global offset of the first record that was not intact.
    pub offset: u64,
    /// How many bytes of files were dropped.
    pub dropped_bytes: u64,
    /// Whether a sync had covered some of them: then it is not a torn tail but damage, and the
    /// owner must check that it can append the rest again, or import it from elsewhere.
    pub damaged: bool,
    /// How it shows.
    pub reason: &'static str,
}

/// How far a scan got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// There is more; it starts at this offset.
    More(u64),
    /// Every record was visited; the next one appended can be found from this offset.
    End(u64),
}

/// The value log in one folder.
#[derive(Debug)]
pub struct ValueLog<D> {
    disk: D,
    segment_bytes: u64,
    salt: Salt,
    /// Used bytes of each segment; records are appended to the last one.
    segments: Vec<u64>,
    size_bytes: u64,
    /// The crc of the last record.
    previous: u32,
    /// The first segment that may hold bytes not yet durable.
    first_dirty: usize,
    synced: SyncedMark,
    durable_through: u64,
    poisoned: bool,
    scratch: Vec<u8>,
    cut: Option<Cut>,
}

/// What an append that fails goes back to.
#[derive(Clone, Copy)]
struct Mark {
    segments: usize,
    used: u64,
    size_bytes: u64,
    previous: u32,
}

/// A piece of a segment in memory.
struct Window {
    /// Global offset of the first byte.
    offset: u64,
    bytes: Vec<u8>,
    /// So many bytes are fetched at a time (more for a longer record).
    fetch_bytes: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self::fetching(WINDOW_BYTES)
    }
}

impl Window {
    fn fetching(bytes: u64) -> Self {
        Self { offset: 0, bytes: Vec::new(), fetch_bytes: bytes.clamp(1, WINDOW_BYTES) }
    }

    /// The `want` bytes from `offset` on, if all of them are here.
    fn get(&self, offset: u64, want: u64) -> Option<&[u8]> {
        let skip = offset.checked_sub(self.offset)? as usize;
        self.bytes.get(skip..skip.checked_add(want as usize)?)
    }
}

/// A verified record.
struct Record<'a> {
    position: Position,
    crc: u32,
    previous: u32,
    payload: &'a [u8],
}

impl<D: Disk> ValueLog<D> {
    /// Appends a record. It can be read at once and is durable after the next [`ValueLog::sync`].
    ///
    /// # Errors
    /// As [`ValueLog::append_many`].
    pub fn append(&mut self, payload: &[u8]) -> Result<Position, WriteError> {
        let positions = self.append_many(&[payload])?;
        Ok(*positions.first().expect("one payload has one position"))
    }

    /// Appends records with one write for each segment they fall into.
    ///
    /// # Errors
    /// [`WriteError::TooLarge`] and [`WriteError::Full`]: none of them was appended, and the
    /// call can be made again. Any other failure poisons the log.
    pub fn append_many(&mut self, payloads: &[&[u8]]) -> Result<Vec<Position>, WriteError> {
        self.check_usable()?;
        let max_bytes = self.record_bytes_max();
        for payload in payloads {
            let bytes = payload.len() as u64;
            if bytes > max_bytes {
                return Err(WriteError::TooLarge { bytes, max_bytes });
            }
        }
        let mark = self.mark();
        let mut positions = Vec::with_capacity(payloads.len());
        while positions.len() < payloads.len() {
            let rest = &payloads[positions.len()..];
            if let Err(error) = self.append_some(rest, &mut positions) {
                return Err(self.undo(mark, error));
            }
        }
        Ok(positions)
    }

    /// The record at `position`, verified.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] for a position beyond the end; [`ReadError::Damaged`] when the
    /// bytes there are not that record, or cannot be read.
    pub fn read(&self, position: Position) -> Result<Bytes, ReadError> {
        self.check_readable()?;
        let Position { offset, len } = position;
        let extent = RECORD_BYTES as u64 + u64::from(len);
        let (segment, start) = self.locate(offset);
        if self.segments.get(segment).is_none_or(|used| start + extent > *used) {
            return Err(ReadError::OutOfRange { position: offset });
        }
        let mut block = vec![0; extent as usize];
        let read = self.disk.read_at(&segment_file(segment as u64), start, &mut block);
        read.map_err(|error| self.unreadable(offset, error))?;
        let intact = Header::decode(&block)
            .is_some_and(|header| header.verifies(self.salt, offset, &block[RECORD_BYTES..]));
        if !intact {
            return Err(self.damaged(offset));
        }
        Ok(Bytes::from(block).slice(RECORD_BYTES..))
    }

    /// Shows `visit` the records from global offset `from` on (0, or a [`Position::end`]), until
    /// at least `max_bytes` of them were shown or there are no more.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] at a record that is not intact; those before it were shown.
    pub fn scan(
        &self,
        from: u64,
        max_bytes: u64,
        visit: &mut dyn FnMut(Position, &[u8]),
    ) -> Result<Scanned, ReadError> {
        self.check_readable()?;
        let (mut offset, mut shown) = (from, 0);
        let mut window = Window::default();
        loop {
            let (segment, start) = self.locate(offset);
            let Some(used) = self.segments.get(segment) else { return Ok(Scanned::End(offset)) };
            if start >= *used {
                if segment + 1 == self.segments.len() {
                    return Ok(Scanned::End(offset));
                }
                offset = (segment as u64 + 1) * self.segment_bytes;
                continue;
            }
            if shown >= max_bytes {
                return Ok(Scanned::More(offset));
            }
            let record = self.verified_at(&mut window, offset, *used)?;
            offset = record.position.end();
            shown += RECORD_BYTES as u64 + u64::from(record.position.len);
            visit(record.position, record.payload);
        }
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// Any failure poisons the log for ever.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        self.check_usable()?;
        for segment in self.first_dirty..self.segments.len() {
            self.sync_segment(segment)?;
        }
        self.first_dirty = self.segments.len() - 1;
        let end = self.end();
        if end != self.synced.through() {
            match self.synced.store(&mut self.disk, self.salt.seed, end) {
                // An older mark only means that more is written again at the next opening.
                Err(error) if error.kind == DiskErrorKind::Full => {}
                other => self.poison_on_error(other)?,
            }
        }
        self.durable_through = end;
        Ok(())
    }

    fn sync_segment(&mut self, segment: usize) -> Result<(), WriteError> {
        let file = segment_file(segment as u64);
        let mut result = self.disk.sync(&file);
        if result.is_err() && self.salt.seeded.has(Mutant::RetrySync) {
            result = self.disk.sync(&file);
        }
        self.poison_on_error(result)
    }

    /// Global offset below which everything is durable.
    pub fn durable_through(&self) -> u64 {
        self.durable_through
    }

    /// Gives the folder back. What was not synced is not durable.
    pub fn into_disk(self) -> D {
        self.disk
    }

    /// Length of a segment, as on the day the log was made.
    pub fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// Bytes of all records with their headers.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Global offset behind the last record; a scan from here shows what is appended later.
    pub fn end(&self) -> u64 {
        (self.segments.len() as u64 - 1) * self.segment_bytes + self.used()
    }

    /// What opening cut off, if anything.
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// The longest payload that a record may have.
    pub fn record_bytes_max(&self) -> u64 {
        self.segment_bytes - RECORD_BYTES as u64
    }

    /// Removes the segments `later` (last first, so that what remains has no gap) and what is
    /// behind the last record; durable before anything is appended.
    fn cut_files(&mut self, later: core::ops::Range<usize>) -> Result<(), DiskError> {
        for segment in later.rev() {
            self.disk.remove(&segment_file(segment as u64))?;
            self.disk.sync_dir()?;
        }
        let (file, used) = (self.active_file(), self.used());
        self.disk.set_len(&file, used)?;
        self.disk.sync(&file)
    }

    /// Appends as many of `payloads` as go into one segment, with one write.
    fn append_some(
        &mut self,
        payloads: &[&[u8]],
        positions: &mut Vec<Position>,
    ) -> Result<(), DiskError> {
        let extent = |payload: &[u8]| (RECORD_BYTES + payload.len()) as u64;
        if payloads.first().is_some_and(|first| self.used() + extent(first) > self.segment_bytes) {
            self.begin_segment()?;
        }
        self.scratch.clear();
        let (start, mut previous) = (self.end(), self.previous);
        let mut room = self.segment_bytes - self.used();
        for payload in payloads {
            let Some(left) = room.checked_sub(extent(payload)) else { break };
            room = left;
            let offset = start + self.scratch.len() as u64;
            previous = encode(self.salt, offset, previous, payload, &mut self.scratch);
            positions.push(Position { offset, len: len32(payload.len()) });
        }
        let written = self.disk.write_at(&self.active_file(), self.used(), &self.scratch);
        let full = written.as_ref().is_err_and(|error| error.kind == DiskErrorKind::Full);
        if !(full && self.salt.seeded.has(Mutant::FullIsSuccess)) {
            written?;
        }
        self.advance(self.scratch.len() as u64, previous);
        Ok(())
    }

    fn begin_segment(&mut self) -> Result<(), DiskError> {
        self.disk.create(&segment_file(self.segments.len() as u64))?;
        self.segments.push(0);
        self.disk.sync_dir()
    }

    fn advance(&mut self, bytes: u64, previous: u32) {
        *self.segments.last_mut().expect("there is always a segment") += bytes;
        self.size_bytes += bytes;
        self.previous = previous;
    }

    fn mark(&self) -> Mark {
        let (segments, used) = (self.segments.len(), self.used());
        Mark { segments, used, size_bytes: self.size_bytes, previous: self.previous }
    }

    /// Goes back to the state before an append that found no space, in memory and in the files,
    /// since what is left behind the last record of a segment would end the log there.
    fn undo(&mut self, mark: Mark, error: DiskError) -> WriteError {
        let error = WriteError::from_disk(error);
        if !matches!(error, WriteError::Full(_)) {
            self.poisoned = true;
            return error;
        }
        let later = mark.segments..self.segments.len();
        self.segments.truncate(mark.segments);
        self.segments[mark.segments - 1] = mark.used;
        (self.size_bytes, self.previous) = (mark.size_bytes, mark.previous);
        if self.cut_files(later).is_err() {
            self.poisoned = true;
            return error.poisoning();
        }
        error
    }

    /// The record at global `offset` of a segment that has `len` bytes; `None` when it is not
    /// intact.
    fn record_at<'a>(
        &self,
        window: &'a mut Window,
        offset: u64,
        len: u64,
    ) -> Result<Option<Record<'a>>, DiskError> {
        let header = self.fill(window, offset, len)?;
        Ok(header.and_then(|header| self.record_in(window, offset, &header)))
    }

    /// The record at global `offset` without reading what follows it, which may be unreadable.
    fn record_alone<'a>(
        &self,
        window: &'a mut Window,
        offset: u64,
        len: u64,
    ) -> Result<Option<Record<'a>>, DiskError> {
        let header = self.fill_alone(window, offset, len)?;
        Ok(header.and_then(|header| self.record_in(window, offset, &header)))
    }

    /// The record at global `offset` of a segment that has `len` bytes. What lies behind it may be
    /// unreadable.
    fn verified_at<'a>(
        &self,
        window: &'a mut Window,
        offset: u64,
        len: u64,
    ) -> Result<Record<'a>, ReadError> {
        let header = match self.fill(window, offset, len) {
            Err(_) => self.fill_alone(window, offset, len),
            read => read,
        };
        let header = header.map_err(|error| self.unreadable(offset, error))?;
        let record = header.and_then(|header| self.record_in(window, offset, &header));
        record.ok_or_else(|| self.damaged(offset))
    }

    /// Brings the record at `offset`, as long as its header says, into the window.
    fn fill(
        &self,
        window: &mut Window,
        offset: u64,
        len: u64,
    ) -> Result<Option<Header>, DiskError> {
        let Some(bytes) = self.fetch(window, offset, RECORD_BYTES as u64, len)? else {
            return Ok(None);
        };
        let Some(header) = Header::decode(bytes) else { return Ok(None) };
        let whole = self.fetch(window, offset, header.extent(), len)?.is_some();
        Ok(whole.then_some(header))
    }

    /// Brings the record at `offset` and nothing behind it into the window.
    fn fill_alone(
        &self,
        window: &mut Window,
        offset: u64,
        len: u64,
    ) -> Result<Option<Header>, DiskError> {
        let (segment, start) = self.locate(offset);
        let file = segment_file(segment as u64);
        if start + RECORD_BYTES as u64 > len {
            return Ok(None);
        }
        let mut bytes = vec![0; RECORD_BYTES];
        self.disk.read_at(&file, start, &mut bytes)?;
        let header = Header::decode(&bytes).filter(|header| start + header.extent() <= len);
        let Some(header) = header else { return Ok(None) };
        bytes.resize(header.extent() as usize, 0);
        self.disk.read_at(&file, start, &mut bytes)?;
        (window.offset, window.bytes) = (offset, bytes);
        Ok(Some(header))
    }

    /// The record in the window, if it is intact.
    fn record_in<'a>(
        &self,
        window: &'a Window,
        offset: u64,
        header: &Header,
    ) -> Option<Record<'a>> {
        let payload = window.get(offset, header.extent())?.get(RECORD_BYTES..)?;
        let position = Position { offset, len: header.len };
        let (crc, previous) = (header.crc, header.previous);
        let is_intact = header.verifies(self.salt, offset, payload);
        is_intact.then_some(Record { position, crc, previous, payload })
    }

    /// `want` bytes from `offset` on; `None` when the segment of `len` bytes ends before.
    fn fetch<'a>(
        &self,
        window: &'a mut Window,
        offset: u64,
        want: u64,
        len: u64,
    ) -> Result<Option<&'a [u8]>, DiskError> {
        if window.get(offset, want).is_none() {
            let (segment, start) = self.locate(offset);
            if start + want > len {
                return Ok(None);
            }
            let bytes = want.max(window.fetch_bytes.min(len - start)) as usize;
            window.bytes.clear();
            window.bytes.resize(bytes, 0);
            window.offset = offset;
            let read = self.disk.read_at(&segment_file(segment as u64), start, &mut window.bytes);
            if let Err(error) = read {
                window.bytes.clear();
                return Err(error);
            }
        }
        Ok(window.get(offset, want))
    }

    /// Segment and place in it.
    fn locate(&self, offset: u64) -> (usize, u64) {
        ((offset / self.segment_bytes) as usize, offset % self.segment_bytes)
    }

    fn used(&self) -> u64 {
        *self.segments.last().expect("there is always a segment")
    }

    fn active_file(&self) -> String {
        segment_file(self.segments.len() as u64 - 1)
    }

    fn poison_on_error<T>(&mut self, result: Result<T, DiskError>) -> Result<T, WriteError> {
        self.poisoned |= result.is_err();
        result.map_err(|error| WriteError::from_disk(error).poisoning())
    }

    fn check_usable(&self) -> Result<(), WriteError> {
        if self.poisoned { Err(WriteError::Poisoned) } else { Ok(()) }
    }

    fn check_readable(&self) -> Result<(), ReadError> {
        if self.poisoned { Err(ReadError::Poisoned) } else { Ok(()) }
    }

    fn damaged(&self, offset: u64) -> ReadError {
        self.damaged_because(offset, opening::NOT_INTACT)
    }

    /// A sector that cannot be read is damage, which [`ValueLog::repair`] can undo, unless the
    /// disk fails as a whole.
    fn unreadable(&self, offset: u64, error: DiskError) -> ReadError {
        match identity::is_readable(&self.disk) {
            true => self.damaged_because(offset, opening::UNREADABLE),
            false => ReadError::Disk(error),
        }
    }

    fn damaged_because(&self, offset: u64, reason: &'static str) -> ReadError {
        let (segment, offset) = self.locate(offset);
        ReadError::Damaged(Damage {
            file: segment_file(segment as u64),
            segment: Some(segment as u64),
            offset,
            index: None,
            reason,
        })
    }
}
