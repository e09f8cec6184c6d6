//! Looking for damage before anybody needs the record, and putting a record right in place.
//!
//! A record's crc covers its payload, its place and the crc of the record before it, and the
//! record after it repeats its crc. So the bytes of a damaged record can be had from anywhere:
//! they are accepted only if they give the crc that is still written in the record itself, in
//! the one after it, or (for the last one) that the log remembers.

use super::format::{Header, RECORD_BYTES, checksum, encode, segment_file};
use super::{Position, ValueLog, Window};
use crate::codec::len32;
use crate::disk::Disk;
use crate::error::{ReadError, WriteError};
use bytes::Bytes;

/// A record was not repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepairError {
    /// The log holds no record there.
    OutOfRange {
        /// The offset asked for.
        position: u64,
    },
    /// The bytes are not those that were written there, or nothing is left that could prove it.
    Unproven {
        /// The offset asked for.
        position: u64,
    },
    /// Writing failed; without space the record stays damaged and the call can be made again.
    Write(WriteError),
}

impl core::fmt::Display for RepairError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OutOfRange { position } => write!(f, "there is no record at {position}"),
            Self::Unproven { position } => write!(
                f,
                "the bytes offered for the record at {position} are not those that were written"
            ),
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RepairError {}

/// Where a background check of old records goes on; the default begins at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrub {
    offset: u64,
    rounds: u64,
}

impl Scrub {
    /// How often the whole log was checked.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Global offset of the record that is checked next: the damaged one after
    /// [`ReadError::Damaged`].
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

/// How far a step of a [`Scrub`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrubbed {
    /// There is more to check.
    More,
    /// Everything durable was checked; the next step begins at the start again.
    Round,
}

impl<D: Disk> ValueLog<D> {
    /// Reads and verifies durable records from `scrub` on, at least one and until `budget_bytes`
    /// were read. To be called now and then, so that damage is found while others still hold
    /// the record.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] at a record; `scrub` stays there, so that the next step checks
    /// whether it was repaired. [`ReadError::Disk`] when the disk fails as a whole.
    pub fn scrub(&self, scrub: &mut Scrub, budget_bytes: u64) -> Result<Scrubbed, ReadError> {
        self.check_readable()?;
        let (mut window, mut checked) = (Window::fetching(budget_bytes), 0);
        let (segment, start) = self.locate(scrub.offset);
        self.disk.forget_cached(&segment_file(segment as u64), start, budget_bytes);
        while scrub.offset < self.durable_through {
            if checked >= budget_bytes.max(1) {
                return Ok(Scrubbed::More);
            }
            let (segment, start) = self.locate(scrub.offset);
            let used = self.segments[segment];
            if start >= used {
                scrub.offset = (segment as u64 + 1) * self.segment_bytes;
                continue;
            }
            let record = self.verified_at(&mut window, scrub.offset, used)?;
            checked += record.position.end() - scrub.offset;
            scrub.offset = record.position.end();
        }
        *scrub = Scrub { offset: 0, rounds: scrub.rounds + 1 };
        Ok(Scrubbed::Round)
    }

    /// Writes the record at `position` again from `payload`, which another member holds, and
    /// makes that durable before it can be read. Nothing is written unless `payload` is proven
    /// to be what was written there. Repairing an intact record does no harm.
    ///
    /// # Errors
    /// [`RepairError`]; a failed write or sync poisons the log.
    pub fn repair(&mut self, position: Position, payload: &[u8]) -> Result<(), RepairError> {
        self.check_usable().map_err(RepairError::Write)?;
        let Position { offset, len } = position;
        let (segment, start) = self.locate(offset);
        let used = self.segments.get(segment).copied().unwrap_or(0);
        if start + RECORD_BYTES as u64 + u64::from(len) > used {
            return Err(RepairError::OutOfRange { position: offset });
        }
        if payload.len() != len as usize {
            return Err(RepairError::Unproven { position: offset });
        }
        let previous = self.proven_previous(position, payload)?;
        let mut record = Vec::with_capacity(RECORD_BYTES + payload.len());
        encode(self.salt, offset, previous, payload, &mut record);
        self.write_over((segment, start), &record)
    }

    /// Writes the first few records from `offset` on again, as many as are damaged in a row there
    /// and perhaps some that are not; `payloads` are what another member holds from there on.
    /// Answers how many. A sector that cannot be read takes several small records at once, none
    /// of which can then be proven alone. Their checksums are a chain: if the one worked out for
    /// the last is the one that the intact record behind it repeats, all are what was written.
    ///
    /// # Errors
    /// As [`ValueLog::repair`]. Nothing is written unless a first part of `payloads` is proven.
    pub fn repair_run(&mut self, offset: u64, payloads: &[Bytes]) -> Result<usize, RepairError> {
        let unproven = RepairError::Unproven { position: offset };
        let Some(first) = payloads.first() else { return Err(unproven) };
        let (segment, start) = self.locate(offset);
        let used = self.segments.get(segment).copied().unwrap_or(0);
        // What cannot be read can be written only as a whole, with all records that touch it.
        if self.fill_alone(&mut Window::default(), offset, used).is_ok() {
            match self.repair(Position { offset, len: len32(first.len()) }, first) {
                Ok(()) => return Ok(1),
                Err(error @ RepairError::Write(_)) => return Err(error),
                Err(RepairError::Unproven { .. } | RepairError::OutOfRange { .. }) => {}
            }
        }
        let mut crc = self.crc_before(offset).ok_or(unproven.clone())?;
        let mut run = Vec::new();
        for (before, payload) in payloads.iter().enumerate() {
            let position =
                Position { offset: offset + run.len() as u64, len: len32(payload.len()) };
            if start + (position.end() - offset) > used {
                break;
            }
            crc = encode(self.salt, position.offset, crc, payload, &mut run);
            if self.crc_repeated_after(position) == Some(crc) {
                self.write_over((segment, start), &run)?;
                return Ok(before + 1);
            }
        }
        Err(unproven)
    }

    /// Replaces bytes of a segment, durably.
    fn write_over(
        &mut self,
        (segment, start): (usize, u64),
        bytes: &[u8],
    ) -> Result<(), RepairError> {
        let written = self.disk.write_at(&segment_file(segment as u64), start, bytes);
        written.map_err(|error| {
            let error = WriteError::from_disk(error);
            self.poisoned |= !matches!(error, WriteError::Full(_));
            RepairError::Write(error)
        })?;
        self.sync_segment(segment).map_err(RepairError::Write)
    }

    /// The crc of the record at `position`, as what follows it says.
    fn crc_repeated_after(&self, position: Position) -> Option<u32> {
        match position.end() == self.end() {
            true => Some(self.previous),
            false => self.next_header(position).map(|header| header.previous),
        }
    }

    /// The crc of the record before `position` with which `payload` is proven to belong there.
    fn proven_previous(&self, position: Position, payload: &[u8]) -> Result<u32, RepairError> {
        let Position { offset, len } = position;
        let stored = self.header_at(offset);
        let proofs = [stored.map(|header| header.crc), self.crc_repeated_after(position)];
        let proves = |previous: u32| {
            let crc = checksum(self.salt, offset, len, previous, payload);
            proofs.contains(&Some(crc))
        };
        // Where the damage is in the header, the chain from the start of the segment knows.
        let stored_previous = stored.map(|header| header.previous).filter(|crc| proves(*crc));
        if let Some(previous) = stored_previous {
            return Ok(previous);
        }
        let before = self.crc_before(offset);
        before.filter(|crc| proves(*crc)).ok_or(RepairError::Unproven { position: offset })
    }

    /// The first bytes of the record at `offset`, unverified; `None` when they cannot be read.
    fn header_at(&self, offset: u64) -> Option<Header> {
        let (segment, start) = self.locate(offset);
        let used = self.segments.get(segment).copied()?;
        if start + RECORD_BYTES as u64 > used {
            return None;
        }
        let mut bytes = [0; RECORD_BYTES];
        self.disk.read_at(&segment_file(segment as u64), start, &mut bytes).ok()?;
        Header::decode(&bytes)
    }

    /// The header of the record after `position`, verified with its record.
    fn next_header(&self, position: Position) -> Option<Header> {
        let (segment, start) = self.locate(position.offset);
        let end = start + RECORD_BYTES as u64 + u64::from(position.len);
        let next = match end < self.segments[segment] {
            true => position.end(),
            false => (segment as u64 + 1) * self.segment_bytes,
        };
        let (segment, _) = self.locate(next);
        let used = self.segments.get(segment).copied()?;
        let mut window = Window::fetching(1);
        let record = self.verified_at(&mut window, next, used).ok()?;
        let (len, crc, previous) = (record.position.len, record.crc, record.previous);
        Some(Header { len, crc, previous })
    }

    /// The crc of the record before `offset`, following intact records from the start of its
    /// segment; `None` when another one is damaged too.
    fn crc_before(&self, offset: u64) -> Option<u32> {
        let (segment, _) = self.locate(offset);
        let from = segment as u64 * self.segment_bytes;
        match (offset == from, segment) {
            (true, 0) => Some(0),
            (true, _) => {
                let before = segment - 1;
                let from = before as u64 * self.segment_bytes;
                self.follow_crc(from, from + self.segments[before])
            }
            (false, _) => self.follow_crc(from, offset),
        }
    }

    /// The crc of the record that ends at `end`, if all from the start of the segment `from` are
    /// intact.
    fn follow_crc(&self, from: u64, end: u64) -> Option<u32> {
        let used = self.segments[self.locate(from).0];
        let (mut at, mut crc, mut window) = (from, None, Window::default());
        while at < end {
            let record = self.verified_at(&mut window, at, used).ok()?;
            (at, crc) = (record.position.end(), Some(record.crc));
        }
        crc.filter(|_| at == end)
    }
}
