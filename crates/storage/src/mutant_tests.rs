//! Every seeded bug does the harm that the same test shows its defence to prevent.

use crate::memory::MemoryDisk;
use crate::mutant::Mutant;
use crate::{Batch, Disk, DiskOperation, Owner, Position, ValueLog, ValueLogOptions};
use crate::{Wal, WalOptions, WalRecovered};
use base::Prng;
use bytes::Bytes;

const OWNER: Owner = Owner { cluster: 1, member: 1, salt: 5 };
const SEGMENT: &str = "wal-0000000000000001";

type Opened = (Wal<MemoryDisk>, WalRecovered);

fn wal(disk: &MemoryDisk, mutant: Option<Mutant>) -> Opened {
    let options = WalOptions { segment_bytes: 4096, mutant, ..WalOptions::new(OWNER) };
    Wal::open(disk.clone(), options).expect("the folder is of this owner")
}

fn values(disk: &MemoryDisk, mutant: Option<Mutant>) -> ValueLog<MemoryDisk> {
    let options = ValueLogOptions { segment_bytes: 4096, mutant, ..ValueLogOptions::new(OWNER) };
    ValueLog::open(disk.clone(), options, &mut |_, _| Ok(())).expect("the folder is of this owner")
}

/// What the log holds now, and whether it admits that something is missing.
fn held((wal, recovered): &Opened) -> (u64, bool) {
    (wal.last_index().unwrap_or(0), recovered.loss.is_some())
}

fn batch(index: u64) -> Batch {
    Batch { records: vec![(index, 1, Bytes::from(vec![7; 600]))], ..Batch::default() }
}

/// Three records, each acknowledged.
fn three(disk: &MemoryDisk, mutant: Option<Mutant>) {
    let (mut wal, _) = wal(disk, mutant);
    for index in 1..=3 {
        wal.write(&batch(index)).and_then(|()| wal.sync()).expect("the disk is well");
    }
}

#[test]
fn silent_truncation_forgets_acknowledged_records() {
    let check = |mutant| {
        let disk = MemoryDisk::new();
        three(&disk, mutant);
        disk.flip(SEGMENT, 1024 + 200, 1);
        held(&wal(&disk, mutant))
    };
    assert_eq!(check(None), (1, true));
    assert_eq!(check(Some(Mutant::StopAtBadChecksum)), (1, false), "two lost, not a word");

    let check = |mutant| {
        let disk = MemoryDisk::new();
        let mut log = values(&disk, mutant);
        log.append_many(&[b"one", b"two"]).and_then(|_| log.sync()).expect("the disk is well");
        disk.flip("values-0000000000000000", 13, 1);
        values(&disk, mutant).cut().is_some_and(|cut| cut.damaged)
    };
    assert!(check(None) && !check(Some(Mutant::StopAtBadChecksum)));
}

#[test]
fn checksums_without_a_place_take_a_stray_write_for_the_right_one() {
    let check = |mutant| {
        let disk = MemoryDisk::new();
        let mut log = values(&disk, mutant);
        let first = log.append(b"mine").expect("the disk is well");
        disk.misdirect(0, Some(first.offset));
        log.append(b"your").expect("the disk says so");
        log.read(first).ok()
    };
    assert_eq!(check(None), None, "damage");
    assert_eq!(check(Some(Mutant::ChecksumNotChained)).as_deref(), Some(&b"your"[..]));

    // A truncation of long ago lands behind the last batch and is carried out again.
    let check = |mutant| {
        let disk = MemoryDisk::new();
        let (mut log, _) = wal(&disk, mutant);
        let sectors = |index: u64| index as usize * 512..(index as usize + 1) * 512;
        let small = |index| Batch { records: vec![(index, 1, "x".into())], ..Batch::default() };
        let truncate = Batch { truncate_from: Some(2), ..small(2) };
        for batch in [small(1), small(2), truncate, small(3), small(4)] {
            log.write(&batch).and_then(|()| log.sync()).expect("the disk is well");
        }
        let stray = disk.bytes(SEGMENT)[sectors(2)].to_vec();
        disk.clone().write_at(SEGMENT, 5 * 512, &stray).expect("the disk is well");
        wal(&disk, mutant).0.last_index()
    };
    assert_eq!(check(None), Some(4));
    assert_eq!(check(Some(Mutant::ChecksumNotChained)), Some(2), "3 and 4 are gone");
}

/// After a failed sync the second one has nothing left to write and says that all is well.
#[test]
fn a_sync_tried_again_acknowledges_what_was_never_written() {
    let check = |mutant| {
        let disk = MemoryDisk::new();
        three(&disk, mutant);
        let (mut log, _) = wal(&disk, mutant);
        log.write(&batch(4)).expect("the disk is well");
        disk.fail(DiskOperation::Sync, 0);
        let acknowledged = log.sync().is_ok();
        let mut prng = Prng::named(0, "crash");
        let survives = (0..40).all(|_| {
            disk.crash(&mut prng);
            wal(&disk.fork(), None).0.last_index() == Some(4)
        });
        acknowledged && !survives
    };
    assert!(!check(None), "not acknowledged");
    assert!(check(Some(Mutant::RetrySync)), "acknowledged and lost");
    let check = |mutant| {
        let disk = MemoryDisk::new();
        let mut log = values(&disk, mutant);
        disk.fail(DiskOperation::Sync, 0);
        log.append(b"x").and_then(|_| log.sync()).is_ok()
    };
    assert!(!check(None) && check(Some(Mutant::RetrySync)));
}

#[test]
fn a_short_write_taken_for_success_loses_what_it_acknowledges() {
    let check = |mutant| {
        let disk = MemoryDisk::new();
        three(&disk, mutant);
        let (mut log, _) = wal(&disk, mutant);
        disk.fill_after(0);
        let written = log.write(&batch(4)).and_then(|()| log.sync()).is_ok();
        disk.make_room();
        (written, wal(&disk, None).0.last_index())
    };
    assert_eq!(check(None), (false, Some(3)));
    assert_eq!(check(Some(Mutant::FullIsSuccess)), (true, Some(3)), "acknowledged and gone");

    let check = |mutant| {
        let disk = MemoryDisk::new();
        let mut log = values(&disk, mutant);
        disk.fill_after(0);
        let position = log.append(b"value").ok();
        position.map(|position: Position| log.read(position).is_ok())
    };
    assert_eq!(check(None), None);
    assert_eq!(check(Some(Mutant::FullIsSuccess)), Some(false));
}

#[test]
fn every_seeded_bug_has_a_name() {
    assert_eq!(Mutant::ALL.len(), 4);
    assert!(Mutant::ALL.iter().all(|(name, _)| name.contains('-')));
}
