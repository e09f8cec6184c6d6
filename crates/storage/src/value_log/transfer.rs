//! A snapshot of the log for another member: its records in chunks, resumable by offset.
//!
//! # Contract
//! * The exporter chooses `through`, a durable position at a record's end
//!   ([`ValueLog::durable_through`] after a sync). Since the log only grows and its records
//!   never change, the records below `through` are a snapshot; appending goes on meanwhile.
//! * A chunk holds whole records: at least one, further ones up to the size asked for. Every
//!   record was verified when it was read.
//! * The importer is a log in a folder of its own, empty at first, made with the exporter's
//!   `segment_bytes`; into it goes nothing but chunks, each beginning where it ends. Then every
//!   record has the same position as at the exporter. Checksums are the importer's own, since
//!   every folder has its salt; what was sent is protected by the transport, and the owner
//!   compares its own digest at the end.
//! * Resuming: the importer asks for the offset [`ValueLog::end`], also after a crash, which may
//!   have taken what was not synced. Another exporter may go on only if it holds the same
//!   records at the same positions, which the owner must know.
//! * Nothing is complete before the importer's end is `through` and synced. Which folder is in
//!   use is for the owner to decide, atomically, elsewhere (in the meta of its write-ahead log).

use super::format::RECORD_BYTES;
use super::{ValueLog, Window};
use crate::disk::Disk;
use crate::error::{ReadError, WriteError};
use bytes::Bytes;

/// Some whole records of a log, one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The exporter's length of segments.
    pub segment_bytes: u64,
    /// Where the importer's log must end.
    pub from: u64,
    /// Where it ends with this chunk.
    pub next: u64,
    /// The payloads, in order.
    pub records: Vec<Bytes>,
}

/// A chunk was not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The importer has segments of another length: it must be made again with the exporter's.
    Geometry {
        /// The exporter's.
        wanted: u64,
        /// The importer's.
        found: u64,
    },
    /// The chunk does not begin where the log ends; nothing was imported.
    Elsewhere {
        /// Where the log ends: the offset to ask for.
        end: u64,
        /// Where the chunk begins.
        from: u64,
    },
    /// The records do not end where the chunk says; nothing was imported.
    WrongEnd {
        /// Where they would end.
        end: u64,
        /// Where the chunk says that they do.
        next: u64,
    },
    /// Writing failed; without space nothing was imported and the call can be made again.
    Write(WriteError),
}

impl core::fmt::Display for ImportError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Geometry { wanted, found } => write!(
                f,
                "the records come from segments of {wanted} bytes, this log has segments of \
                 {found} bytes: make it again with {wanted}"
            ),
            Self::Elsewhere { end, from } => {
                write!(f, "the chunk begins at {from}, the log ends at {end}")
            }
            Self::WrongEnd { end, next } => {
                write!(f, "the chunk is to end at {next}, its records end at {end}")
            }
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ImportError {}

impl<D: Disk> ValueLog<D> {
    /// The records from global offset `from` on that end at or before `through`: at least one,
    /// further ones while they have at most `max_bytes` together. An empty chunk says that there
    /// are no more.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] at a record that is not intact, also where none begins at `from`;
    /// [`ReadError::OutOfRange`] for `from` or `through` beyond the end.
    pub fn export(&self, from: u64, max_bytes: u64, through: u64) -> Result<Chunk, ReadError> {
        self.check_readable()?;
        if let Some(position) = [from, through].into_iter().find(|at| *at > self.end()) {
            return Err(ReadError::OutOfRange { position });
        }
        let segment_bytes = self.segment_bytes;
        let mut chunk = Chunk { segment_bytes, from, next: from, records: Vec::new() };
        let (mut window, mut at, mut bytes) = (Window::default(), from, 0);
        while at < through {
            let (segment, start) = self.locate(at);
            let used = self.segments[segment];
            if start >= used {
                at = (segment as u64 + 1) * segment_bytes;
                continue;
            }
            let record = self.verified_at(&mut window, at, used)?;
            bytes += record.position.end() - at;
            at = record.position.end();
            if at > through || (bytes > max_bytes && !chunk.records.is_empty()) {
                break;
            }
            chunk.next = at;
            chunk.records.push(Bytes::copy_from_slice(record.payload));
        }
        Ok(chunk)
    }

    /// Appends the records of a chunk. They are durable after the next [`ValueLog::sync`].
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn import(&mut self, chunk: &Chunk) -> Result<(), ImportError> {
        let (wanted, found) = (chunk.segment_bytes, self.segment_bytes);
        if wanted != found {
            return Err(ImportError::Geometry { wanted, found });
        }
        let (from, begins) = (chunk.from, self.end());
        if from != begins {
            return Err(ImportError::Elsewhere { end: begins, from });
        }
        let lengths = chunk.records.iter().map(|record| record.len() as u64);
        let end = lengths.fold(begins, |end, len| self.end_after(end, len));
        if end != chunk.next {
            return Err(ImportError::WrongEnd { end, next: chunk.next });
        }
        let payloads: Vec<&[u8]> = chunk.records.iter().map(AsRef::as_ref).collect();
        self.append_many(&payloads).map(drop).map_err(ImportError::Write)
    }

    /// Where a log that ends at `end` would end after a record of this length.
    fn end_after(&self, end: u64, len: u64) -> u64 {
        let extent = RECORD_BYTES as u64 + len;
        let used = end % self.segment_bytes;
        let fits = used + extent <= self.segment_bytes;
        extent + if fits { end } else { end.next_multiple_of(self.segment_bytes) }
    }
}
