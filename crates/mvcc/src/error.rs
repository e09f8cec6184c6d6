//! One error type per operation of the store.

use core::fmt;

use crate::backing::{BackingError, Position};

/// Why a store could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The log itself could not be read.
    Backing(BackingError),
    /// A record is whole but does not fit; the store must not be used.
    Record {
        /// Where it lies.
        position: Position,
        /// What is wrong with it.
        detail: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backing(error) => write!(f, "opening the store: {error}"),
            Self::Record { position, detail } => write!(
                f,
                "opening the store: the record at byte {} of the value log does not fit: {detail}",
                position.offset
            ),
        }
    }
}

impl core::error::Error for OpenError {}

/// Why a commit did not happen. The store is unchanged and takes no further one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// The record could not be appended.
    Backing(BackingError),
    /// An earlier append failed, so what the log holds is unknown.
    Poisoned,
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backing(error) => write!(f, "committing: {error}"),
            Self::Poisoned => {
                f.write_str("committing: an earlier append failed; open the store anew")
            }
        }
    }
}

impl core::error::Error for CommitError {}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The revision is above the store's.
    Future,
    /// A record that the index knows cannot be read, or holds something else.
    Damaged {
        /// The revision whose record it is.
        revision: i64,
        /// Where the record lies.
        position: Position,
        /// What was found.
        detail: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Future => f.write_str("reading: the revision lies in the future"),
            Self::Damaged { revision, position, detail } => write!(
                f,
                "reading revision {revision} (byte {} of the value log): {detail}",
                position.offset
            ),
        }
    }
}

impl core::error::Error for ReadError {}
