//! Opening: which records are there, what is cut, and why.
//!
//! The log is followed from the start to the first record that is not intact; what lies behind
//! it is removed, since the owner appends its tail again and a record of the past must never
//! follow one of the present. If a sync had once covered a part of that, [`Cut`] says so: the
//! owner can go on from its write-ahead log as long as that reaches back far enough, and needs
//! a snapshot otherwise. A missing file or one of an impossible length ends the log in the same
//! way.

use super::format::{Salt, segment_file, segment_of};
use super::synced::SyncedMark;
use super::{Cut, Record, ValueLog, ValueLogOptions, Visit, WINDOW_BYTES, Window};
use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::error::OpenError;
use crate::identity::{self, Folder, Geometry, Identity};
use crate::mutant::Mutant;

pub(super) const NOT_INTACT: &str = "the record is not what was written";
const MISSING: &str = "a segment's file is missing";
pub(super) const UNREADABLE: &str = "the record cannot be read";

impl<D: Disk> ValueLog<D> {
    /// Opens the log in the folder, or makes it in an empty one; shows `visit` every record in
    /// order and cuts the log at the first one that is not intact ([`ValueLog::cut`]).
    ///
    /// # Errors
    /// [`OpenError::Identity`] for another owner's folder; [`OpenError::Disk`] when the disk
    /// fails as a whole; [`OpenError::Refused`] with the words of `visit`.
    pub fn open(
        disk: D,
        options: ValueLogOptions,
        visit: &mut Visit<'_>,
    ) -> Result<Self, OpenError> {
        Self::open_or_give_back(disk, options, visit).map_err(|(error, _)| error)
    }

    /// As [`ValueLog::open`]; with the error the folder comes back, to be tried again.
    ///
    /// # Errors
    /// As [`ValueLog::open`].
    pub fn open_or_give_back(
        mut disk: D,
        options: ValueLogOptions,
        visit: &mut Visit<'_>,
    ) -> Result<Self, (OpenError, D)> {
        let (identity, synced) = match begin(&mut disk, options) {
            Ok(begun) => begun,
            Err(error) => return Err((error, disk)),
        };
        let segment_bytes = identity.geometry.segment_bytes;
        let mut log = Self {
            disk,
            segment_bytes,
            salt: Salt { seed: identity.seed(), seeded: options.seeded() },
            segments: Vec::new(),
            size_bytes: 0,
            previous: 0,
            first_dirty: (synced.through() / segment_bytes) as usize,
            durable_through: synced.through(),
            synced,
            poisoned: false,
            scratch: Vec::new(),
            cut: None,
        };
        let recovered = log.recover(visit).and_then(|()| Ok(log.write_again()?));
        match recovered {
            Ok(()) => Ok(log),
            Err(error) => Err((error, log.disk)),
        }
    }

    fn recover(&mut self, visit: &mut Visit<'_>) -> Result<(), OpenError> {
        let (mut total, mut end, mut excess) = (0, None, Vec::new());
        let numbers = self.numbers()?;
        for expected in 0..=numbers.last().copied().unwrap_or(0) {
            let file = segment_file(expected);
            if !numbers.contains(&expected) {
                end = end.or(Some(MISSING));
                continue;
            }
            let len = self.disk.len(&file)?;
            total += len;
            if end.is_some() {
                continue;
            }
            self.segments.push(0);
            end = self.follow(len.min(self.segment_bytes), visit)?;
            if self.used() < len && self.continues_in(expected + 1)? {
                total -= len - self.used();
                excess.push((file, self.used()));
                end = None;
            }
        }
        while self.segments.len() > 1 && self.used() == 0 {
            // Begun, and nothing of it came to the disk: what the one before it lost may still
            // belong there.
            self.segments.pop();
        }
        for (file, used) in excess {
            // No sync of a later segment would cover this one.
            self.disk.set_len(&file, used)?;
            self.disk.sync(&file)?;
        }
        if self.segments.is_empty() {
            self.disk.create(&segment_file(0))?;
            self.segments.push(0);
        }
        let offset = self.end();
        let short = offset < self.synced.through() || total > self.size_bytes;
        let later = numbers.into_iter().filter(|number| *number >= self.segments.len() as u64);
        let later: Vec<u64> = later.collect();
        let Some(reason) = end.or(short.then_some(NOT_INTACT)) else {
            return if later.is_empty() { Ok(()) } else { Ok(self.cut_later(later)?) };
        };
        let mut damaged = offset < self.synced.through();
        damaged &= !self.salt.seeded.has(Mutant::StopAtBadChecksum);
        self.cut = Some(Cut { offset, dropped_bytes: total - self.size_bytes, damaged, reason });
        self.cut_later(later)?;
        if offset < self.synced.through() {
            self.first_dirty = self.segments.len() - 1;
            self.synced.reset(&mut self.disk, self.salt.seed, offset)?;
            self.durable_through = offset;
        }
        Ok(())
    }

    /// Whether the first record of this segment follows the last one so far: then whatever else
    /// is behind that one was never a part of the log.
    fn continues_in(&self, segment: u64) -> Result<bool, DiskError> {
        let len = match self.disk.len(&segment_file(segment)) {
            Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(false),
            other => other?.min(self.segment_bytes),
        };
        match self.record_alone(&mut Window::default(), segment * self.segment_bytes, len) {
            Err(error) if matches!(error.kind, DiskErrorKind::Io(_)) => Ok(false),
            read => Ok(read?.is_some_and(|record| record.previous == self.previous)),
        }
    }

    /// The numbers of the segments' files, ascending.
    fn numbers(&self) -> Result<Vec<u64>, DiskError> {
        let names = self.disk.list()?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_of(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Removes these segments, last first, and what is behind the last record.
    fn cut_later(&mut self, later: Vec<u64>) -> Result<(), DiskError> {
        for segment in later.into_iter().rev() {
            self.disk.remove(&segment_file(segment))?;
            self.disk.sync_dir()?;
        }
        let next = self.segments.len();
        self.cut_files(next..next)?;
        self.disk.sync_dir()
    }

    /// Follows the records of the last segment, whose file has `len` bytes. Returns why it did
    /// not reach the end of it.
    fn follow(
        &mut self,
        len: u64,
        visit: &mut Visit<'_>,
    ) -> Result<Option<&'static str>, OpenError> {
        let mut window = Window::default();
        while self.used() < len {
            let offset = self.end();
            let read = self.record_at(&mut window, offset, len);
            let record = match read {
                Err(error) if matches!(error.kind, DiskErrorKind::Io(_)) => {
                    match self.record_alone(&mut window, offset, len) {
                        Ok(record) => record,
                        Err(error) => return self.stop_at(error).map(Some),
                    }
                }
                other => other?,
            };
            let continues = |record: &Record<'_>| record.previous == self.previous;
            let Some(record) = record.filter(continues) else { return Ok(Some(NOT_INTACT)) };
            let refused = |reason| OpenError::Refused { offset, reason };
            visit(record.position, record.payload).map_err(refused)?;
            let (bytes, crc) = (record.position.end() - offset, record.crc);
            self.advance(bytes, crc);
        }
        Ok(None)
    }

    /// A record of which no byte can be read ends the log, unless the disk fails as a whole:
    /// then nothing may be cut.
    fn stop_at(&self, error: DiskError) -> Result<&'static str, OpenError> {
        match identity::is_readable(&self.disk) {
            true => Ok(UNREADABLE),
            false => Err(error.into()),
        }
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
}

/// The identity and the mark of a folder, made in an empty one.
fn begin<D: Disk>(
    disk: &mut D,
    options: ValueLogOptions,
) -> Result<(Identity, SyncedMark), OpenError> {
    let geometry = Geometry { segment_bytes: options.segment_bytes, sector_bytes: 1 };
    check_geometry(geometry)?;
    let wanted = Identity { kind: identity::Kind::Values, owner: options.owner, geometry };
    let identity = match identity::open(disk, wanted)? {
        Folder::Ready(identity) => identity,
        Folder::New(identity) => {
            disk.create(&segment_file(0))?;
            SyncedMark::create(disk, identity.seed())?;
            disk.sync_dir()?;
            identity::mark_ready(disk, &identity)?;
            identity
        }
    };
    check_geometry(identity.geometry)?;
    let synced = SyncedMark::load(disk, identity.seed())?;
    Ok((identity, synced))
}

fn check_geometry(geometry: Geometry) -> Result<(), OpenError> {
    if !(512..=1 << 30).contains(&geometry.segment_bytes) {
        let reason = "segment_bytes must be from 512 bytes to 1 GiB";
        return Err(OpenError::InvalidOptions { reason });
    }
    Ok(())
}
