//! The files of the log: one active segment, the next one prepared ahead, spare ones to recycle.
//!
//! A segment gets its final name only when it has its full length and that is durable, so that
//! a commit never changes an extent or a length. A new one is filled with zeros in small steps;
//! one that was cut away is renamed and used again: its old batches name another segment and
//! are never read.

use super::format::{segment_file, segment_of};
use crate::disk::{Disk, DiskError, DiskErrorKind};

const PREPARING_FILE: &str = "preparing";
/// Zeros are written in pieces of at most this many bytes.
const FILL_BYTES: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Segments {
    /// The first one that is not given up; the log may begin behind it.
    pub(super) first: u64,
    pub(super) active: u64,
    pub(super) active_file: String,
    segment_bytes: u64,
    next: Next,
    spares: Vec<String>,
    spares_max: usize,
}

/// How far the segment after the active one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing known: the file [`PREPARING_FILE`] may be left from an earlier attempt.
    Unknown,
    /// Zeros up to this length.
    Filling(u64),
    Ready,
}

impl Segments {
    /// The first segment of a new log.
    pub(super) fn create<D: Disk>(
        disk: &mut D,
        segment_bytes: u64,
        spares_max: usize,
    ) -> Result<Self, DiskError> {
        let mut segments = Self::new(1, 0, segment_bytes, spares_max);
        segments.prepare(disk, segment_bytes)?;
        segments.activate();
        Ok(segments)
    }

    fn new(first: u64, active: u64, segment_bytes: u64, spares_max: usize) -> Self {
        let active_file = segment_file(active);
        let (next, spares) = (Next::Unknown, Vec::new());
        Self { first, active, active_file, segment_bytes, next, spares, spares_max }
    }

    /// After recovery: segments `first..=active` hold batches, those up to `last` are prepared.
    /// Files of segments cut away before, and spare ones, are kept for recycling or removed.
    pub(super) fn adopt<D: Disk>(
        disk: &mut D,
        (first, active, last): (u64, u64, u64),
        segment_bytes: u64,
        spares_max: usize,
    ) -> Result<Self, DiskError> {
        let mut segments = Self::new(first, active, segment_bytes, spares_max);
        let names = disk.list()?;
        for name in &names {
            let number = segment_of(name);
            if number.is_some_and(|number| number < first) {
                segments.retire(disk, name)?;
            } else if number.is_some_and(|number| number > active + 1) {
                // Not recycled: numbers of batches in there may come again.
                disk.remove(name)?;
            } else if is_spare(name) {
                let whole = disk.len(name)? == segment_bytes;
                if whole && segments.spares.len() < spares_max {
                    segments.spares.push(name.clone());
                } else {
                    disk.remove(name)?;
                }
            }
        }
        // Names that a crash takes back are dealt with at the next opening.
        segments.next = if last > active { Next::Ready } else { Next::Unknown };
        Ok(segments)
    }

    /// Goes one step of at most `budget_bytes` towards having the next segment ready. Returns
    /// whether it is.
    pub(super) fn prepare<D: Disk>(
        &mut self,
        disk: &mut D,
        budget_bytes: u64,
    ) -> Result<bool, DiskError> {
        let filled = match self.next {
            Next::Ready => return Ok(true),
            Next::Filling(filled) => filled,
            Next::Unknown => match self.spares.pop() {
                Some(spare) => {
                    let named = self.name_next(disk, &spare);
                    if named.is_err() {
                        self.spares.push(spare);
                    }
                    return named.map(|()| true);
                }
                None => self.begin_filling(disk)?,
            },
        };
        let target = self.segment_bytes.min(filled.saturating_add(budget_bytes));
        let zeros = vec![0; (target - filled).min(FILL_BYTES) as usize];
        let mut at = filled;
        while at < target {
            let step = (target - at).min(FILL_BYTES);
            disk.write_at(PREPARING_FILE, at, &zeros[..step as usize])?;
            at += step;
        }
        disk.sync(PREPARING_FILE)?;
        self.next = Next::Filling(target);
        if target == self.segment_bytes {
            self.name_next(disk, PREPARING_FILE)?;
        }
        Ok(self.next == Next::Ready)
    }

    /// Whether the files below `first` can wait to be given up: the next segment is there without
    /// them, and all of them would be kept for recycling, so that no space is held back.
    pub(super) fn can_wait_for_cut(&self, first: u64) -> bool {
        let waiting = first.saturating_sub(self.first);
        self.next == Next::Ready && self.spares.len() as u64 + waiting <= self.spares_max as u64
    }

    /// Bytes of the next segment that are there already.
    pub(super) fn prepared_bytes(&self) -> u64 {
        match self.next {
            Next::Unknown => 0,
            Next::Filling(filled) => filled,
            Next::Ready => self.segment_bytes,
        }
    }

    /// Makes the next segment, which must be ready, the active one.
    pub(super) fn activate(&mut self) {
        assert_eq!(self.next, Next::Ready, "a segment is prepared before it is used");
        self.active += 1;
        self.active_file = segment_file(self.active);
        self.next = Next::Unknown;
    }

    /// Gives up the segments below `first`: they become spare, or are removed. Nothing relies on
    /// their new names before one of them is prepared, which makes the names durable; those that
    /// a crash takes back are given up again at the next opening.
    pub(super) fn cut_below<D: Disk>(&mut self, disk: &mut D, first: u64) -> Result<(), DiskError> {
        for segment in self.first..first {
            self.retire(disk, &segment_file(segment))?;
        }
        self.first = first;
        Ok(())
    }

    fn retire<D: Disk>(&mut self, disk: &mut D, name: &str) -> Result<(), DiskError> {
        let spare = format!("spare-{name}");
        if self.spares.len() >= self.spares_max || disk.len(name)? != self.segment_bytes {
            return disk.remove(name);
        }
        match disk.rename(name, &spare) {
            // A longer name may need space in the folder.
            Err(error) if error.kind == DiskErrorKind::Full => return disk.remove(name),
            other => other?,
        }
        if !self.spares.contains(&spare) {
            self.spares.push(spare);
        }
        Ok(())
    }

    fn begin_filling<D: Disk>(&mut self, disk: &mut D) -> Result<u64, DiskError> {
        match disk.create(PREPARING_FILE) {
            Err(error) if error.kind == DiskErrorKind::AlreadyExists => {
                disk.set_len(PREPARING_FILE, 0)?;
            }
            other => other?,
        }
        self.next = Next::Filling(0);
        Ok(0)
    }

    fn name_next<D: Disk>(&mut self, disk: &mut D, from: &str) -> Result<(), DiskError> {
        disk.rename(from, &segment_file(self.active + 1))?;
        disk.sync_dir()?;
        self.next = Next::Ready;
        Ok(())
    }
}

fn is_spare(name: &str) -> bool {
    name.strip_prefix("spare-").and_then(segment_of).is_some()
}
