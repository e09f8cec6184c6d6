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

use core::fmt;

use bytes::Bytes;
use ledger::{Hash, NoteError, SignedCheckpoint, Tree, leaf_hash};

use crate::wire::{DecodeError, Reader, sha256};

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
        let mut reader = Reader::new("archive", bytes);
        let not_ours = ArchiveError::Foreign("this file is not an archive of an election");
        if reader.array("magic").ok().as_ref() != Some(MAGIC) {
            return Err(not_ours);
        }
        if reader.u8("version").map_err(ArchiveError::Decode)? != VERSION {
            return Err(ArchiveError::Foreign(
                "this archive has a format version that this program does not know",
            ));
        }
        let leaves = read_leaves(&mut reader, bytes).map_err(ArchiveError::Decode)?;
        for (index, leaf) in (0u64..).zip(&leaves) {
            let hash = Hash(reader.array("leaf's hash").map_err(ArchiveError::Decode)?);
            if leaf_hash(leaf) != hash {
                return Err(ArchiveError::Leaf { index });
            }
        }
        let checkpoints = read_checkpoints(&mut reader)?;
        let checksum: [u8; 32] = reader.array("checksum").map_err(ArchiveError::Decode)?;
        reader.finish().map_err(ArchiveError::Decode)?;
        if sha256(&[&bytes[..bytes.len() - checksum.len()]]) != checksum {
            return Err(ArchiveError::Checksum);
        }
        Ok(Self { leaves, checkpoints })
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

fn read_leaves(reader: &mut Reader<'_>, bytes: &Bytes) -> Result<Vec<Bytes>, DecodeError> {
    let count = reader.u32("number of leaves")?;
    if count == 0 {
        return Err(reader.wrong("number of leaves", "must be at least 1"));
    }
    let mut leaves = Vec::new();
    for _ in 0..count {
        let length = usize::from(reader.u16("leaf's length")?);
        leaves.push(bytes.slice_ref(reader.take("leaf", length)?));
    }
    Ok(leaves)
}

fn read_checkpoints(reader: &mut Reader<'_>) -> Result<Vec<SignedCheckpoint>, ArchiveError> {
    let count = reader.u32("number of checkpoints").map_err(ArchiveError::Decode)? as usize;
    if count == 0 {
        let wrong = reader.wrong("number of checkpoints", "must be at least 1");
        return Err(ArchiveError::Decode(wrong));
    }
    let mut checkpoints: Vec<SignedCheckpoint> = Vec::new();
    for number in 0..count {
        let length = reader.u32("checkpoint's length").map_err(ArchiveError::Decode)? as usize;
        if length > CHECKPOINT_BYTES_MAX {
            let wrong = reader.wrong("checkpoint's length", "is more than 65536");
            return Err(ArchiveError::Decode(wrong));
        }
        let text = reader.take("checkpoint", length).map_err(ArchiveError::Decode)?;
        let note = SignedCheckpoint::parse(text)
            .map_err(|error| ArchiveError::Checkpoint { number, error })?;
        let before = checkpoints.last().map(|before| before.checkpoint.size);
        if before.is_some_and(|before| before >= note.checkpoint.size) {
            return Err(ArchiveError::Order { number });
        }
        checkpoints.push(note);
    }
    Ok(checkpoints)
}

#[cfg(test)]
mod tests;
