//! The archive: a whole election in one file, for anyone who wants to verify it.
//!
//! ```text
//! 16 bytes   "quorate archive\n"
//!  1         version = 1
//!  4         number of leaves, u32 big-endian, at least 1
//!            each leaf: length u16, bytes
//!            each leaf's hash, 32 bytes (the tree's level 0)
//!  4         number of checkpoints, u32, at least 1
//!            each checkpoint: length u32, signed note; sizes ascend, the last one is final
//! 32         SHA-256 of everything before
//! ```
//!
//! Hashes and checksum find accidents and tell where; they prove nothing. What proves is in the
//! leaves' signatures, the ballots' proofs and the cosignatures, and is checked by `verifier`.

mod stored;

use core::fmt;

use bytes::Bytes;
use ledger::{NoteError, SignedCheckpoint, Tree, leaf_hash};

pub use stored::{ArchiveBytes, StoredArchive};

use crate::wire::{DecodeError, sha256};

const MAGIC: &[u8; 16] = b"quorate archive\n";
const VERSION: u8 = 1;
/// Longest signed checkpoint in an archive.
const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

/// The parts of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// All leaves, in order; never empty.
    pub leaves: Vec<Bytes>,
    /// Signed checkpoints by ascending size, the final one last; never empty.
    pub checkpoints: Vec<SignedCheckpoint>,
}

/// Why bytes are no sound archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveError {
    /// Not an archive at all, or of a version this program does not know.
    Foreign(&'static str),
    /// A field is not as it must be.
    Decode(DecodeError),
    /// A leaf does not have the hash that stands beside it.
    Leaf {
        /// Index of the leaf.
        index: u64,
    },
    /// A checkpoint is not well-formed.
    Checkpoint {
        /// Which one, from 0.
        number: usize,
        /// What is wrong with it.
        error: NoteError,
    },
    /// Checkpoints do not ascend by size.
    Order {
        /// The first one that is not larger than the one before it, from 0.
        number: usize,
    },
    /// The checksum at the end differs although the leaves have their hashes.
    Checksum,
    /// The bytes cannot be read, for this reason.
    Read(String),
    /// The bytes are others than when they were read before.
    Changed,
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(reason) => f.write_str(reason),
            Self::Decode(error) => write!(f, "{error}"),
            Self::Leaf { index } => {
                write!(f, "archive: leaf {index} is damaged: it does not have its hash")
            }
            Self::Checkpoint { number, error } => {
                write!(f, "archive: checkpoint {number} is damaged: {error}")
            }
            Self::Order { number } => {
                write!(f, "archive: checkpoint {number} is not larger than the one before it")
            }
            Self::Checksum => f.write_str(
                "archive: the checksum at the end is wrong: something outside the leaves is \
                 damaged",
            ),
            Self::Read(reason) => write!(f, "archive: it cannot be read: {reason}"),
            Self::Changed => f.write_str(
                "archive: it was changed while it was read; copy it to where nobody writes, and \
                 try again",
            ),
        }
    }
}

impl std::error::Error for ArchiveError {}

impl Archive {
    /// The one byte form.
    ///
    /// # Panics
    /// When there is no leaf or no checkpoint, or a leaf is longer than an entry may be.
    pub fn encode(&self) -> Vec<u8> {
        assert!(!self.leaves.is_empty(), "an archive has at least the manifest");
        assert!(!self.checkpoints.is_empty(), "an archive has a final checkpoint");
        let count = |length: usize| u32::try_from(length).expect("archives hold below 2^32 items");
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend_from_slice(&count(self.leaves.len()).to_be_bytes());
        for leaf in &self.leaves {
            let length = u16::try_from(leaf.len()).expect("a leaf fits an entry");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(leaf);
        }
        for leaf in &self.leaves {
            bytes.extend_from_slice(leaf_hash(leaf).as_bytes());
        }
        bytes.extend_from_slice(&count(self.checkpoints.len()).to_be_bytes());
        for checkpoint in &self.checkpoints {
            let text = checkpoint.to_string();
            bytes.extend_from_slice(&count(text.len()).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        let checksum = sha256(&[&bytes]);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Reads the one byte form and checks hashes and checksum. Leaves share the memory of `bytes`.
    ///
    /// # Errors
    /// The first thing that is wrong, by offset, leaf or checkpoint.
    pub fn decode(bytes: &Bytes) -> Result<Self, ArchiveError> {
        let stored = StoredArchive::open(bytes)?;
        let leaves = stored.leaves(0..stored.kinds().len())?;
        Ok(Self { leaves, checkpoints: stored.checkpoints })
    }

    /// The tree over all leaves.
    pub fn tree(&self) -> Tree {
        Tree::from_leaves(self.leaves.iter().map(|leaf| leaf_hash(leaf)))
    }

    /// The final checkpoint.
    ///
    /// # Panics
    /// When there is none; a decoded archive has one.
    pub fn final_checkpoint(&self) -> &SignedCheckpoint {
        self.checkpoints.last().expect("an archive has a final checkpoint")
    }
}

#[cfg(test)]
mod tests;
