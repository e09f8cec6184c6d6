//! One error per kind of operation: opening, writing, reading. Sentences say what to do next.

use crate::disk::{DiskError, DiskErrorKind, DiskOperation};
use core::fmt;

/// Bytes that were once durable have changed, or are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// Number of the segment, where the file is one.
    pub segment: Option<u64>,
    /// First byte of the batch or record that is wrong.
    pub offset: u64,
    /// Index of the first record that is missing because of it, where known.
    pub index: Option<u64>,
    /// How it shows.
    pub reason: &'static str,
}

impl Damage {
    /// The place in a log of segments of `segment_bytes`, counted from the log's beginning.
    pub fn offset_in(&self, segment_bytes: u64) -> u64 {
        self.segment.unwrap_or(0) * segment_bytes + self.offset
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged at byte {}", self.file, self.offset)?;
        if let Some(segment) = self.segment {
            write!(f, " of segment {segment}")?;
        }
        if let Some(index) = self.index {
            write!(f, " (record {index})")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// The identity file does not admit this process to the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// There is none, but there are other files.
    Missing {
        /// One of the other files.
        beside: String,
    },
    /// It cannot be read as one.
    Damaged {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An older program wrote the folder, in a format that is no longer read.
    OlderFormat {
        /// The folder's format.
        found: u64,
        /// The oldest one that this program reads.
        known: u64,
    },
    /// A newer program wrote the folder.
    NewerFormat {
        /// The folder's format.
        found: u64,
        /// The newest one that this program knows.
        known: u64,
    },
    /// The folder belongs to something else.
    Other {
        /// Which line of the identity differs: `kind`, `cluster` or `member`.
        what: &'static str,
        /// The folder's.
        found: String,
        /// This process's.
        wanted: String,
    },
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { beside } => write!(
                f,
                "the folder holds {beside} but no identity file: it is not a data folder, or \
                 part of it was deleted; restore the file `identity` or choose an empty folder"
            ),
            Self::Damaged { reason } => write!(
                f,
                "the file `identity` is damaged ({reason}): restore it from a copy, or replace \
                 this member by a new one with an empty folder"
            ),
            Self::OlderFormat { found, known } => write!(
                f,
                "the folder has format {found}, this program reads formats from {known} on: take \
                 the member in anew, under a new id and with an empty folder, or start it with \
                 the older program that wrote it"
            ),
            Self::NewerFormat { found, known } => write!(
                f,
                "the folder has format {found}, this program knows formats up to {known}: \
                 start it with the newer program that wrote it"
            ),
            Self::Other { what, found, wanted } => write!(
                f,
                "the folder belongs to {what} {found}, not to {what} {wanted}: check the data \
                 folder given to this member"
            ),
        }
    }
}

/// A log could not be opened; nothing has been acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The disk failed.
    Disk(DiskError),
    /// The folder is someone else's, or nobody's.
    Identity(IdentityError),
    /// Something that was once durable is not what it was.
    Damaged(Damage),
    /// The options contradict themselves.
    InvalidOptions {
        /// What to change.
        reason: &'static str,
    },
    /// The owner of the records refused one that is intact.
    Refused {
        /// Global offset of the record.
        offset: u64,
        /// The owner's words.
        reason: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => {
                let advice = match error.kind {
                    DiskErrorKind::Full => "free some space",
                    _ => "check the disk, and replace this member if it cannot be read any more",
                };
                write!(f, "cannot open the log: {error}: {advice}")
            }
            Self::Identity(error) => error.fmt(f),
            Self::Damaged(damage) => write!(
                f,
                "{damage}; this was acknowledged once, so the member must not go on from here: \
                 keep a copy of the folder, check the disk, and replace this member"
            ),
            Self::InvalidOptions { reason } => write!(f, "invalid options: {reason}"),
            Self::Refused { offset, reason } => {
                write!(f, "the record at offset {offset} cannot be used: {reason}")
            }
        }
    }
}

impl core::error::Error for OpenError {}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl From<IdentityError> for OpenError {
    fn from(error: IdentityError) -> Self {
        Self::Identity(error)
    }
}

/// A write was not carried out; nothing of it has been acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// No space: nothing changed, and the same call may be made again when there is some. A
    /// part may lie in the file; should the process die before the next write, the next opening
    /// may find it, as any write that was never acknowledged.
    Full(DiskError),
    /// The disk failed; the log is poisoned from now on.
    Disk(DiskError),
    /// An earlier write or sync failed: what the files hold is not known. The process must end
    /// and open the log again.
    Poisoned,
    /// One record is larger than a segment can hold; nothing changed.
    TooLarge {
        /// Its length in bytes.
        bytes: u64,
        /// The largest length that fits.
        max_bytes: u64,
    },
}

impl WriteError {
    /// A sync that fails for want of space has lost what it was to save, as any other that fails.
    pub(crate) fn from_disk(error: DiskError) -> Self {
        let at_sync = matches!(error.operation, DiskOperation::Sync | DiskOperation::SyncDir);
        match error.kind {
            DiskErrorKind::Full if !at_sync => Self::Full(error),
            _ => Self::Disk(error),
        }
    }
}

impl WriteError {
    /// The same failure where it leaves the log unusable.
    pub(crate) fn poisoning(self) -> Self {
        match self {
            Self::Full(error) => Self::Disk(error),
            other => other,
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(error) => write!(f, "{error}: free some space"),
            Self::Disk(error) => write!(f, "{error}: the process must end"),
            Self::Poisoned => f.write_str(
                "an earlier write or sync of this log failed: the process must end and open it \
                 again",
            ),
            Self::TooLarge { bytes, max_bytes } => {
                write!(f, "a record of {bytes} bytes is too large: at most {max_bytes}")
            }
        }
    }
}

impl core::error::Error for WriteError {}

/// Records could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The log does not hold that position (never written, truncated or cut away).
    OutOfRange {
        /// The index or offset asked for.
        position: u64,
    },
    /// The bytes are not those that were written.
    Damaged(Damage),
    /// The disk failed.
    Disk(DiskError),
    /// As [`WriteError::Poisoned`].
    Poisoned,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { position } => write!(f, "there is no record at {position}"),
            Self::Damaged(damage) => damage.fmt(f),
            Self::Disk(error) => error.fmt(f),
            Self::Poisoned => WriteError::Poisoned.fmt(f),
        }
    }
}

impl core::error::Error for ReadError {}

impl From<DiskError> for ReadError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}
