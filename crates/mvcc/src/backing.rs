//! The value log as this crate sees it: append, read, scan, sync.

use core::fmt;
use core::ops::ControlFlow;

use bytes::Bytes;

/// Where a record lies in the log. Only the backing that gave it out can read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Grows with every record.
    pub offset: u64,
    /// Length of the record in bytes.
    pub len: u32,
}

/// Why the backing could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackingError {
    /// The bytes are there and wrong (a checksum does not match, a record is missing).
    Damaged {
        /// What was found, for a person.
        detail: String,
    },
    /// No space is left. Nothing was written, and the same can be tried again.
    Full {
        /// What was attempted, for a person.
        detail: String,
    },
    /// The medium refused.
    Failed {
        /// What was attempted and what came back, for a person.
        detail: String,
    },
}

impl fmt::Display for BackingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { detail } => write!(f, "the value log is damaged: {detail}"),
            Self::Full { detail } => write!(f, "the value log has no space: {detail}"),
            Self::Failed { detail } => write!(f, "the value log failed: {detail}"),
        }
    }
}

impl core::error::Error for BackingError {}

/// Called with each record in the order of appending; `Break` ends the scan.
pub type Visit<'a> = dyn FnMut(Position, &[u8]) -> ControlFlow<()> + 'a;

/// An append-only log of records. Checksums are its business; it verifies them on every read.
pub trait Backing {
    /// Adds a record. It need not be durable before [`Backing::sync`].
    ///
    /// # Errors
    /// [`BackingError`]; the store then takes no further commit, except after
    /// [`BackingError::Full`].
    fn append(&mut self, record: &[u8]) -> Result<Position, BackingError>;

    /// The record that lies at `position`.
    ///
    /// # Errors
    /// [`BackingError::Damaged`] when its bytes are not those that were appended.
    fn read(&self, position: Position) -> Result<Bytes, BackingError>;

    /// Visits every record, oldest first.
    ///
    /// # Errors
    /// [`BackingError`] at the first record that cannot be read.
    fn scan(&self, visit: &mut Visit<'_>) -> Result<(), BackingError>;

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// [`BackingError::Failed`]; what was not yet durable may be lost.
    fn sync(&mut self) -> Result<(), BackingError>;

    /// Length of the log in bytes.
    fn size_bytes(&self) -> u64;
}

/// A log in memory, for tests and tools.
#[derive(Clone, Debug, Default)]
pub struct MemoryBacking {
    records: Vec<(u64, Bytes)>,
    size_bytes: u64,
    fail_appends: bool,
}

impl MemoryBacking {
    /// Flips one bit of the record number `record` (from 0), without any checksum noticing.
    ///
    /// # Panics
    /// When there is no such record or byte.
    pub fn flip_bit(&mut self, record: usize, byte: usize) {
        let (_, bytes) = &mut self.records[record];
        let mut changed = bytes.to_vec();
        changed[byte] ^= 1;
        *bytes = changed.into();
    }

    /// Loses every record from number `records` (from 0) on, as a crash before a sync does.
    pub fn truncate(&mut self, records: usize) {
        self.records.truncate(records);
        self.size_bytes = self.records.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    }

    /// How many records there are.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// Lets every later append fail.
    pub fn fail_appends(&mut self) {
        self.fail_appends = true;
    }
}

impl Backing for MemoryBacking {
    fn append(&mut self, record: &[u8]) -> Result<Position, BackingError> {
        if self.fail_appends {
            return Err(BackingError::Failed { detail: "appending: no space left".into() });
        }
        let len = u32::try_from(record.len())
            .map_err(|_| BackingError::Failed { detail: "appending: record above 4 GiB".into() })?;
        let offset = self.size_bytes;
        self.records.push((offset, Bytes::copy_from_slice(record)));
        self.size_bytes += u64::from(len);
        Ok(Position { offset, len })
    }

    fn read(&self, position: Position) -> Result<Bytes, BackingError> {
        match self.records.binary_search_by_key(&position.offset, |(offset, _)| *offset) {
            Ok(at) => Ok(self.records[at].1.clone()),
            Err(_) => {
                let detail = format!("no record starts at byte {}", position.offset);
                Err(BackingError::Damaged { detail })
            }
        }
    }

    fn scan(&self, visit: &mut Visit<'_>) -> Result<(), BackingError> {
        for (offset, bytes) in &self.records {
            let position = Position { offset: *offset, len: bytes.len() as u32 };
            if visit(position, bytes).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), BackingError> {
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}
