//! Leaves come from where they lie, and are those of the opening or an error.

use std::cell::{Cell, RefCell};

use super::*;
use crate::{
    Archive,
    testing::{ElectionBuilder, choose},
};

fn sample() -> Bytes {
    let mut election = ElectionBuilder::new(13).voters(2).build();
    let mut run = election.open();
    election.vote(&mut run, 0, &[choose(1), choose(2)]);
    election.vote(&mut run, 1, &[choose(0), choose(0)]);
    election.finish(run).archive
}

/// A disk that breaks after some reads, or whose bytes somebody changes.
struct Disk {
    bytes: RefCell<Vec<u8>>,
    reads_left: Cell<usize>,
    longest: Cell<usize>,
}

impl Disk {
    fn new(bytes: &[u8]) -> Self {
        let bytes = RefCell::new(bytes.to_vec());
        Self { bytes, reads_left: Cell::new(usize::MAX), longest: Cell::new(0) }
    }
}

impl ArchiveBytes for Disk {
    fn length(&self) -> u64 {
        self.bytes.borrow().len() as u64
    }

    fn read(&self, offset: u64, count: usize) -> Result<Bytes, String> {
        let left = self.reads_left.get().checked_sub(1).ok_or("a bad sector")?;
        self.reads_left.set(left);
        self.longest.set(self.longest.get().max(count));
        let bytes = self.bytes.borrow();
        let end = bytes.len().min(offset as usize + count);
        Ok(Bytes::copy_from_slice(&bytes[offset as usize..end]))
    }
}

#[test]
fn leaves_are_those_that_a_decoded_archive_has() {
    let bytes = sample();
    let decoded = Archive::decode(&bytes).unwrap();
    let stored = StoredArchive::open(Disk::new(&bytes)).unwrap();
    let count = decoded.leaves.len();
    assert_eq!(stored.tree().root(), decoded.tree().root());
    assert_eq!(stored.checkpoints(), decoded.checkpoints);
    assert_eq!(stored.final_checkpoint(), decoded.final_checkpoint());
    assert_eq!(stored.leaves(0..count).unwrap(), decoded.leaves);
    assert_eq!(stored.leaves(3..5).unwrap(), decoded.leaves[3..5]);
    for at in [0, 4, count] {
        assert_eq!(stored.leaves(at..at).unwrap(), Vec::<Bytes>::new());
    }
    for (at, leaf) in decoded.leaves.iter().enumerate() {
        assert_eq!(stored.leaf(at as u64).unwrap().as_ref(), Some(leaf));
        assert_eq!(stored.kinds()[at], leaf[1]);
    }
    assert_eq!(stored.leaf(count as u64), Ok(None));
    assert_eq!(stored.leaf(u64::MAX), Ok(None));
    let manifest = stored.manifest().unwrap().expect("the first leaf is the manifest");
    assert_eq!(stored.successions(Some(&manifest)), Ok(Successions::default()));
}

#[test]
fn an_archive_is_opened_in_pieces() {
    // Leaves of no meaning, more than two windows of them.
    let leaf =
        |number: u32| Bytes::from([&[1, 9][..], &number.to_be_bytes(), &[7; 60_000]].concat());
    let leaves: Vec<Bytes> = (0..40).map(leaf).collect();
    let checkpoints = Archive::decode(&sample()).unwrap().checkpoints;
    let archive = Archive { leaves, checkpoints };
    let disk = Disk::new(&archive.encode());
    let stored = StoredArchive::open(&disk).unwrap();
    assert_eq!(disk.longest.get() as u64, WINDOW);
    assert_eq!(stored.leaves(0..40).unwrap(), archive.leaves);
    assert_eq!(stored.manifest(), Ok(None));
}

#[test]
fn a_disk_that_fails_is_an_error_and_no_verdict() {
    let bytes = sample();
    let disk = Disk::new(&bytes);
    let failed = ArchiveError::Read("a bad sector".to_owned());
    disk.reads_left.set(0);
    assert_eq!(StoredArchive::open(&disk).err(), Some(failed.clone()));
    disk.reads_left.set(usize::MAX);
    let stored = StoredArchive::open(&disk).unwrap();
    disk.reads_left.set(0);
    assert_eq!(stored.leaf(1), Err(failed.clone()));
    assert_eq!(stored.leaves(0..2), Err(failed.clone()));
    assert_eq!(stored.manifest(), Err(failed));
}

#[test]
fn bytes_that_are_changed_or_gone_after_the_opening_are_found() {
    let bytes = sample();
    let disk = Disk::new(&bytes);
    let stored = StoredArchive::open(&disk).unwrap();
    disk.bytes.borrow_mut()[40] ^= 1;
    assert_eq!(stored.leaf(0), Err(ArchiveError::Changed));
    assert!(stored.leaf(1).is_ok());
    disk.bytes.borrow_mut().truncate(45);
    assert_eq!(stored.leaf(0), Err(ArchiveError::Changed));
}
