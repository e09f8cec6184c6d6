//! An archive that is read where it lies: a large one need not fit into memory.
//!
//! Opening it reads everything once, in order, and checks what [`Archive::decode`] checks. What is
//! kept of each leaf is its hash, its place and its kind, some 80 bytes; the leaf itself is read
//! again when it is asked for.
//!
//! [`Archive::decode`]: super::Archive::decode

use core::ops::Range;

use bytes::Bytes;
use ledger::{Hash, SignedCheckpoint, Tree, leaf_hash};
use sha2::{Digest, Sha256};

use super::{ArchiveError, CHECKPOINT_BYTES_MAX, MAGIC, VERSION};
use crate::{
    entry::{Body, Entry, Kind},
    manifest::Manifest,
    succession::Successions,
    wire::DecodeError,
};

/// Bytes that are read at once while an archive is opened.
const WINDOW: u64 = 1 << 20;

/// Bytes of a leaf's length.
const LENGTH_BYTES: u64 = 2;

/// The bytes of an archive, wherever they lie.
pub trait ArchiveBytes {
    /// How many there are.
    fn length(&self) -> u64;

    /// So many bytes from `offset` on, all of them below [`length`](Self::length).
    ///
    /// # Errors
    /// Why they cannot be read, in words.
    fn read(&self, offset: u64, count: usize) -> Result<Bytes, String>;
}

impl ArchiveBytes for Bytes {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, offset: u64, count: usize) -> Result<Bytes, String> {
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|start| Some(start..start.checked_add(count)?));
        let range = range.filter(|range| range.end <= self.len());
        range.map(|range| self.slice(range)).ok_or_else(|| "there are fewer bytes".to_owned())
    }
}

impl<S: ArchiveBytes + ?Sized> ArchiveBytes for &S {
    fn length(&self) -> u64 {
        (**self).length()
    }

    fn read(&self, offset: u64, count: usize) -> Result<Bytes, String> {
        (**self).read(offset, count)
    }
}

/// An archive whose leaves stay where they are.
pub struct StoredArchive<S> {
    bytes: S,
    /// Where each leaf begins, and where one behind the last would.
    starts: Vec<u64>,
    /// What each leaf says it is: its second byte, or 0.
    kinds: Vec<u8>,
    tree: Tree,
    pub(super) checkpoints: Vec<SignedCheckpoint>,
}

impl<S: ArchiveBytes> StoredArchive<S> {
    /// Reads everything once, and checks layout, hashes and checksum.
    ///
    /// # Errors
    /// The first thing that is wrong, by offset, leaf or checkpoint, or why it cannot be read.
    pub fn open(bytes: S) -> Result<Self, ArchiveError> {
        let mut cursor = Cursor::new(&bytes);
        let not_ours = ArchiveError::Foreign("this file is not an archive of an election");
        match cursor.array("magic") {
            Ok(magic) if magic == *MAGIC => {}
            Ok(_) | Err(ArchiveError::Decode(_)) => return Err(not_ours),
            Err(error) => return Err(error),
        }
        if cursor.array("version")? != [VERSION] {
            return Err(ArchiveError::Foreign(
                "this archive has a format version that this program does not know",
            ));
        }
        let count = u32::from_be_bytes(cursor.array("number of leaves")?);
        if count == 0 {
            return Err(cursor.wrong("number of leaves", "must be at least 1"));
        }
        let (mut starts, mut kinds, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let length = u16::from_be_bytes(cursor.array("leaf's length")?);
            starts.push(cursor.at);
            let leaf = cursor.take("leaf", length.into())?;
            kinds.push(leaf.get(1).copied().unwrap_or_default());
            hashes.push(leaf_hash(leaf));
        }
        starts.push(cursor.at + LENGTH_BYTES);
        for (index, hash) in (0u64..).zip(&hashes) {
            if Hash(cursor.array("leaf's hash")?) != *hash {
                return Err(ArchiveError::Leaf { index });
            }
        }
        let checkpoints = cursor.checkpoints()?;
        let expected: [u8; 32] = cursor.hash.clone().finalize().into();
        let checksum: [u8; 32] = cursor.array("checksum")?;
        cursor.finish()?;
        if checksum != expected {
            return Err(ArchiveError::Checksum);
        }
        Ok(Self { bytes, starts, kinds, tree: Tree::from_leaves(hashes), checkpoints })
    }

    /// What each leaf says it is, in order: [`Kind`] as a number, or another one. Never empty.
    pub fn kinds(&self) -> &[u8] {
        &self.kinds
    }

    /// The tree over all leaves.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Signed checkpoints by ascending size, the final one last; never empty.
    pub fn checkpoints(&self) -> &[SignedCheckpoint] {
        &self.checkpoints
    }

    /// The final checkpoint.
    pub fn final_checkpoint(&self) -> &SignedCheckpoint {
        self.checkpoints.last().expect("an archive has a final checkpoint")
    }

    /// Reads the leaves of a range. That they are the same as at the opening is for the caller to
    /// find out, who hashes them anyway.
    ///
    /// # Errors
    /// When they cannot be read.
    ///
    /// # Panics
    /// When the range goes beyond the last leaf.
    pub fn leaves(&self, range: Range<usize>) -> Result<Vec<Bytes>, ArchiveError> {
        let places = &self.starts[range.start..=range.end];
        let (first, end) = (places[0], places[places.len() - 1] - LENGTH_BYTES);
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.read(first, end - first)?;
        let place = |at: u64| usize::try_from(at - first).expect("a range was read into memory");
        let leaf = |two: &[u64]| all.slice(place(two[0])..place(two[1] - LENGTH_BYTES));
        Ok(places.windows(2).map(leaf).collect())
    }

    /// Reads a leaf and finds that it still has its hash; `None` behind the last.
    ///
    /// # Errors
    /// When it cannot be read, or is another one than at the opening.
    pub fn leaf(&self, index: u64) -> Result<Option<Bytes>, ArchiveError> {
        let at = usize::try_from(index).ok().filter(|at| *at < self.kinds.len());
        let Some(at) = at else { return Ok(None) };
        let leaf = self.leaves(at..at + 1)?.swap_remove(0);
        if self.tree.leaves()[at] != leaf_hash(&leaf) {
            return Err(ArchiveError::Changed);
        }
        Ok(Some(leaf))
    }

    /// The manifest in the first leaf, as far as it can be read; nothing about it is checked.
    ///
    /// # Errors
    /// When the leaf cannot be read.
    pub fn manifest(&self) -> Result<Option<Manifest>, ArchiveError> {
        let first = self.leaf(0)?.unwrap_or_default();
        Ok(match Entry::decode(&first).map(|entry| entry.body) {
            Ok(Body::Manifest { manifest, .. }) => Manifest::decode(manifest).ok(),
            _ => None,
        })
    }

    /// What the leaves say of changed keys of authorities, by the manifest if it can be read;
    /// nothing about it is checked.
    ///
    /// # Errors
    /// When a leaf cannot be read.
    pub fn successions(&self, manifest: Option<&Manifest>) -> Result<Successions, ArchiveError> {
        let Some(manifest) = manifest else { return Ok(Successions::default()) };
        let kinds = (0u64..).zip(&self.kinds);
        let changes = kinds.filter(|(_, kind)| **kind == Kind::AuthorityKey as u8);
        let leaves = changes.map(|(index, _)| Ok((index, self.leaf(index)?.unwrap_or_default())));
        let leaves: Vec<(u64, Bytes)> = leaves.collect::<Result<_, ArchiveError>>()?;
        Ok(Successions::scan(manifest, leaves))
    }

    fn read(&self, offset: u64, count: u64) -> Result<Bytes, ArchiveError> {
        read(&self.bytes, offset, count)
    }
}

fn read(bytes: &impl ArchiveBytes, offset: u64, count: u64) -> Result<Bytes, ArchiveError> {
    let too_many = |_| ArchiveError::Read("it does not fit into memory".to_owned());
    let count = usize::try_from(count).map_err(too_many)?;
    let read = bytes.read(offset, count).map_err(ArchiveError::Read)?;
    if read.len() == count { Ok(read) } else { Err(ArchiveError::Changed) }
}

/// Takes fields off the front, a window of the bytes in memory, and hashes what it takes.
struct Cursor<'a, S> {
    bytes: &'a S,
    window: Bytes,
    /// Where the window begins.
    window_start: u64,
    at: u64,
    /// Where the field last taken started.
    field_start: u64,
    hash: Sha256,
}

impl<'a, S: ArchiveBytes> Cursor<'a, S> {
    fn new(bytes: &'a S) -> Self {
        let (window, hash) = (Bytes::new(), Sha256::new());
        Self { bytes, window, window_start: 0, at: 0, field_start: 0, hash }
    }

    /// An error at the field last taken.
    fn wrong(&self, field: &'static str, reason: &'static str) -> ArchiveError {
        let offset = usize::try_from(self.field_start).unwrap_or(usize::MAX);
        ArchiveError::Decode(DecodeError { what: "archive", field, offset, reason })
    }

    fn take(&mut self, field: &'static str, count: usize) -> Result<&[u8], ArchiveError> {
        self.field_start = self.at;
        let left = self.bytes.length().saturating_sub(self.at);
        if count as u64 > left {
            return Err(self.wrong(field, "the bytes end inside it"));
        }
        let end = self.at + count as u64;
        if end > self.window_start + self.window.len() as u64 {
            self.window = read(self.bytes, self.at, WINDOW.max(count as u64).min(left))?;
            self.window_start = self.at;
        }
        let start = usize::try_from(self.at - self.window_start).expect("a window is in memory");
        self.at = end;
        let taken = &self.window[start..start + count];
        self.hash.update(taken);
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ArchiveError> {
        Ok(self.take(field, N)?.try_into().expect("take returns as many bytes as asked"))
    }

    fn checkpoints(&mut self) -> Result<Vec<SignedCheckpoint>, ArchiveError> {
        let count = u32::from_be_bytes(self.array("number of checkpoints")?) as usize;
        if count == 0 {
            return Err(self.wrong("number of checkpoints", "must be at least 1"));
        }
        let mut checkpoints: Vec<SignedCheckpoint> = Vec::new();
        for number in 0..count {
            let length = u32::from_be_bytes(self.array("checkpoint's length")?) as usize;
            if length > CHECKPOINT_BYTES_MAX {
                return Err(self.wrong("checkpoint's length", "is more than 65536"));
            }
            let text = self.take("checkpoint", length)?;
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

    fn finish(mut self) -> Result<(), ArchiveError> {
        self.field_start = self.at;
        let done = self.at == self.bytes.length();
        if done { Ok(()) } else { Err(self.wrong("end", "more bytes follow the last field")) }
    }
}

#[cfg(test)]
mod tests;
