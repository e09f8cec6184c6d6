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
//!
//! # Left out on purpose
//! Filling segments with zeros ahead: nobody waits for these writes. Reclaiming segments.

mod format;
mod synced;

use crate::codec::len32;
use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::error::{Damage, OpenError, ReadError, WriteError};
use crate::identity::{self, Folder, Geometry, Identity, Owner};
use bytes::Bytes;
use format::{Header, RECORD_BYTES, encode, segment_file, segment_of};
use synced::SyncedMark;

/// Sequential reads fetch pieces of this many bytes (more for a longer record).
const WINDOW_BYTES: u64 = 256 << 10;

/// How a value log is opened, and made if it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueLogOptions {
    /// Whose log it is.
    pub owner: Owner,
    /// Greatest length of a segment when the log is made: from 512 bytes to 1 GiB. A record
    /// with its 12 bytes must fit one.
    pub segment_bytes: u64,
}

impl ValueLogOptions {
    /// Segments of 64 MiB.
    pub fn new(owner: Owner) -> Self {
        Self { owner, segment_bytes: 64 << 20 }
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
    /// Whether a sync had covered some of them: then it is not a torn tail but damage.
    pub damaged: bool,
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
    seed: u32,
    /// Used bytes of each segment; records are appended to the last one.
    segments: Vec<u64>,
    size_bytes: u64,
    /// The crc of the last record.
    previous: u32,
    /// The first segment that may hold bytes not yet durable.
    first_dirty: usize,
    synced: SyncedMark,
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
#[derive(Default)]
struct Window {
    /// Global offset of the first byte.
    offset: u64,
    bytes: Bytes,
}

/// A verified record.
struct Record {
    position: Position,
    crc: u32,
    previous: u32,
    payload: Bytes,
}

impl<D: Disk> ValueLog<D> {
    /// Opens the log in the folder, or makes it in an empty one; shows `visit` every record in
    /// order and cuts the tail at the first one that is not intact.
    ///
    /// # Errors
    /// [`OpenError::Identity`] for another owner's folder; [`OpenError::Damaged`] when a
    /// segment's file is missing or too long; [`OpenError::Refused`] with the words of `visit`.
    pub fn open(
        mut disk: D,
        options: ValueLogOptions,
        visit: &mut Visit<'_>,
    ) -> Result<Self, OpenError> {
        let geometry = Geometry { segment_bytes: options.segment_bytes, sector_bytes: 1 };
        check_geometry(geometry)?;
        let wanted = Identity { kind: identity::Kind::Values, owner: options.owner, geometry };
        let identity = match identity::open(&mut disk, wanted)? {
            Folder::Ready(identity) => identity,
            Folder::New(identity) => {
                disk.create(&segment_file(0))?;
                SyncedMark::create(&mut disk, identity.seed())?;
                disk.sync_dir()?;
                identity::mark_ready(&mut disk, &identity)?;
                identity
            }
        };
        check_geometry(identity.geometry)?;
        let lengths = check_files(&disk, identity.geometry)?;
        let synced = SyncedMark::load(&disk, identity.seed())?;
        let mut log = Self {
            disk,
            segment_bytes: identity.geometry.segment_bytes,
            seed: identity.seed(),
            segments: Vec::new(),
            size_bytes: 0,
            previous: 0,
            first_dirty: (synced.through() / identity.geometry.segment_bytes) as usize,
            synced,
            poisoned: false,
            scratch: Vec::new(),
            cut: None,
        };
        log.recover(&lengths, visit)?;
        log.write_again()?;
        Ok(log)
    }

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
    /// bytes there are not that record.
    pub fn read(&self, position: Position) -> Result<Bytes, ReadError> {
        self.check_readable()?;
        let Position { offset, len } = position;
        let extent = RECORD_BYTES as u64 + u64::from(len);
        let (segment, start) = self.locate(offset);
        if self.segments.get(segment).is_none_or(|used| start + extent > *used) {
            return Err(ReadError::OutOfRange { position: offset });
        }
        let mut block = vec![0; extent as usize];
        self.disk.read_at(&segment_file(segment as u64), start, &mut block)?;
        let intact = Header::decode(&block)
            .is_some_and(|header| header.verifies(self.seed, offset, &block[RECORD_BYTES..]));
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
        visit: &mut dyn FnMut(Position, Bytes),
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
            let record = self.record_at(&mut window, offset, *used)?;
            let record = record.ok_or_else(|| self.damaged(offset))?;
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
            let result = self.disk.sync(&segment_file(segment as u64));
            self.poison_on_error(result)?;
        }
        self.first_dirty = self.segments.len() - 1;
        let end = self.end();
        if end != self.synced.through() {
            let result = self.synced.store(&mut self.disk, self.seed, end);
            self.poison_on_error(result)?;
        }
        Ok(())
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

    fn recover(&mut self, lengths: &[u64], visit: &mut Visit<'_>) -> Result<(), OpenError> {
        for len in lengths {
            self.segments.push(0);
            self.follow(*len, visit)?;
            if self.used() < *len {
                break;
            }
        }
        let total: u64 = lengths.iter().sum();
        let dropped_bytes = total - self.size_bytes;
        let later = self.segments.len()..lengths.len();
        let offset = self.end();
        let damaged = offset < self.synced.through();
        if dropped_bytes > 0 || !later.is_empty() || damaged {
            self.cut = Some(Cut { offset, dropped_bytes, damaged });
            self.cut_files(later)?;
        }
        if damaged {
            self.first_dirty = self.segments.len() - 1;
            self.synced.reset(&mut self.disk, self.seed, offset)?;
        }
        Ok(())
    }

    /// Writes again what lies behind the last mark, so that the next sync really covers it.
    fn write_again(&mut self) -> Result<(), DiskError> {
        let (first, start) = self.locate(self.synced.through());
        for segment in first..self.segments.len() {
            let file = segment_file(segment as u64);
            let mut at = if segment == first { start } else { 0 };
            while at < self.segments[segment] {
                let step = WINDOW_BYTES.min(self.segments[segment] - at);
                let mut block = vec![0; step as usize];
                self.disk.read_at(&file, at, &mut block)?;
                self.disk.write_at(&file, at, &block)?;
                at += step;
            }
        }
        Ok(())
    }

    /// Follows the records of the last segment, whose file has `len` bytes.
    fn follow(&mut self, len: u64, visit: &mut Visit<'_>) -> Result<(), OpenError> {
        let mut window = Window::default();
        while self.used() < len {
            let offset = self.end();
            let record = self.record_at(&mut window, offset, len)?;
            let continues = |record: &Record| record.previous == self.previous;
            let Some(record) = record.filter(continues) else { return Ok(()) };
            let refused = |reason| OpenError::Refused { offset, reason };
            visit(record.position, &record.payload).map_err(refused)?;
            self.advance(record.position.end() - offset, record.crc);
        }
        Ok(())
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
            previous = encode(self.seed, offset, previous, payload, &mut self.scratch);
            positions.push(Position { offset, len: len32(payload.len()) });
        }
        self.disk.write_at(&self.active_file(), self.used(), &self.scratch)?;
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
        self.poisoned = error.kind != DiskErrorKind::Full;
        if !self.poisoned {
            let later = mark.segments..self.segments.len();
            self.segments.truncate(mark.segments);
            self.segments[mark.segments - 1] = mark.used;
            (self.size_bytes, self.previous) = (mark.size_bytes, mark.previous);
            self.poisoned = self.cut_files(later).is_err();
        }
        WriteError::from_disk(error)
    }

    /// The record at global `offset` of a segment that has `len` bytes; `None` when it is not
    /// intact.
    fn record_at(
        &self,
        window: &mut Window,
        offset: u64,
        len: u64,
    ) -> Result<Option<Record>, DiskError> {
        let Some(bytes) = self.fetch(window, offset, RECORD_BYTES as u64, len)? else {
            return Ok(None);
        };
        let Some(header) = Header::decode(&bytes) else { return Ok(None) };
        let Some(bytes) = self.fetch(window, offset, header.extent(), len)? else {
            return Ok(None);
        };
        let payload = bytes.slice(RECORD_BYTES..);
        if !header.verifies(self.seed, offset, &payload) {
            return Ok(None);
        }
        let position = Position { offset, len: header.len };
        Ok(Some(Record { position, crc: header.crc, previous: header.previous, payload }))
    }

    /// `want` bytes from `offset` on; `None` when the segment of `len` bytes ends before.
    fn fetch(
        &self,
        window: &mut Window,
        offset: u64,
        want: u64,
        len: u64,
    ) -> Result<Option<Bytes>, DiskError> {
        let (segment, start) = self.locate(offset);
        if start + want > len {
            return Ok(None);
        }
        let inside = |window: &Window| {
            let skip = offset.checked_sub(window.offset)? as usize;
            let end = skip.checked_add(want as usize)?;
            (end <= window.bytes.len()).then(|| window.bytes.slice(skip..end))
        };
        if let Some(bytes) = inside(window) {
            return Ok(Some(bytes));
        }
        let mut block = vec![0; want.max(WINDOW_BYTES.min(len - start)) as usize];
        self.disk.read_at(&segment_file(segment as u64), start, &mut block)?;
        *window = Window { offset, bytes: Bytes::from(block) };
        Ok(inside(window))
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
        result.map_err(WriteError::from_disk)
    }

    fn check_usable(&self) -> Result<(), WriteError> {
        if self.poisoned { Err(WriteError::Poisoned) } else { Ok(()) }
    }

    fn check_readable(&self) -> Result<(), ReadError> {
        if self.poisoned { Err(ReadError::Poisoned) } else { Ok(()) }
    }

    fn damaged(&self, offset: u64) -> ReadError {
        let (segment, offset) = self.locate(offset);
        ReadError::Damaged(Damage {
            file: segment_file(segment as u64),
            segment: Some(segment as u64),
            offset,
            index: None,
            reason: "the record is not what was written",
        })
    }
}

fn check_geometry(geometry: Geometry) -> Result<(), OpenError> {
    if !(512..=1 << 30).contains(&geometry.segment_bytes) {
        let reason = "segment_bytes must be from 512 bytes to 1 GiB";
        return Err(OpenError::InvalidOptions { reason });
    }
    Ok(())
}

/// The lengths of all segments; checks that none is missing or too long.
fn check_files<D: Disk>(disk: &D, geometry: Geometry) -> Result<Vec<u64>, OpenError> {
    let names = disk.list()?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_of(name)).collect();
    numbers.sort_unstable();
    let wrong = |segment, offset, reason| {
        let file = segment_file(segment);
        OpenError::Damaged(Damage { file, segment: Some(segment), offset, index: None, reason })
    };
    if numbers.is_empty() {
        return Err(wrong(0, 0, "the file is missing"));
    }
    let mut lengths = Vec::with_capacity(numbers.len());
    for (expected, number) in (0..).zip(numbers) {
        if number != expected {
            return Err(wrong(expected, 0, "the file is missing"));
        }
        let len = disk.len(&segment_file(number))?;
        if len > geometry.segment_bytes {
            return Err(wrong(number, len, "the file is longer than a segment"));
        }
        lengths.push(len);
    }
    Ok(lengths)
}
