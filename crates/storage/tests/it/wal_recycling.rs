//! Cutting whole segments and using their files again.

use crate::support::*;
use base::Prng;
use storage::memory::MemoryDisk;
use storage::{Batch, Disk, DiskOperation, Wal};

/// One batch a sector, eight a segment.
fn filled(disk: &MemoryDisk, records_count: u64) {
    let (mut wal, _) = open_wal(disk).unwrap();
    commit(&mut wal, &meta("m1"));
    for index in 1..=records_count {
        commit(&mut wal, &records(&[record(index, index / 4, &format!("value {index}"))]));
    }
}

fn names(disk: &MemoryDisk) -> Vec<String> {
    let names = disk.list().unwrap();
    names.into_iter().filter(|name| name.contains("wal") || name == "preparing").collect()
}

#[test]
fn whole_segments_below_the_index_go_and_the_meta_stays() {
    let disk = MemoryDisk::new();
    filled(&disk, 30);
    let (mut wal, _) = open_wal(&disk).unwrap();
    wal.cut_before(5).unwrap();
    assert_eq!(wal.first_index(), Some(1), "index 7 is in the same segment");
    wal.cut_before(20).unwrap();
    assert_eq!(wal.first_index(), Some(16));
    assert_eq!(wal.tag_starts()[0], (4, 16));
    let (mut wal, recovered) = open_wal(&disk).unwrap();
    assert_eq!((recovered.first_index, recovered.last_index), (Some(16), Some(30)));
    assert_eq!(recovered.meta.as_deref(), Some(&b"m1"[..]));
    assert_eq!(contents(&wal).len(), 15);
    wal.cut_before(1000).unwrap();
    assert_eq!(wal.first_index(), Some(24), "the last segment stays");
    assert_eq!(open_wal(&disk).unwrap().1.first_index, Some(24));
}

#[test]
fn a_file_cut_away_becomes_the_next_segment() {
    let disk = MemoryDisk::new();
    filled(&disk, 30);
    let (mut wal, _) = open_wal(&disk).unwrap();
    wal.cut_before(20).unwrap();
    let expected = ["spare-wal-0000000000000001", "wal-0000000000000003", "wal-0000000000000004"];
    assert_eq!(names(&disk), expected, "one spare is kept, the other file removed");
    let old = disk.bytes("spare-wal-0000000000000001");
    assert_eq!(wal.prepare_ahead(1), Ok(true), "a rename, no zeros");
    assert_eq!(disk.bytes("wal-0000000000000005"), old);
}

#[test]
fn recycled_bytes_are_never_read_as_batches() {
    for spare_batches in 0..10 {
        let disk = MemoryDisk::new();
        filled(&disk, 30);
        let (mut wal, _) = open_wal(&disk).unwrap();
        wal.cut_before(20).unwrap();
        assert_eq!(wal.prepare_ahead(1), Ok(true));
        for index in 31..31 + spare_batches {
            commit(&mut wal, &records(&[record(index, 9, "new")]));
        }
        let expected = contents(&wal);
        drop(wal);
        for _ in 0..2 {
            let (wal, recovered) = open_wal(&disk).unwrap();
            assert_eq!((contents(&wal), recovered.torn), (expected.clone(), None));
        }
        // Nor when the write that was to replace them is lost in part.
        for seed in 0..40 {
            let crashed = disk.fork();
            let (mut wal, _) = open_wal(&crashed).unwrap();
            let next = expected.len() as u64 + 16;
            wal.write(&records(&[record(next, 10, &"n".repeat(1500))])).unwrap();
            crashed.crash(&mut Prng::named(seed, "crash"));
            let found = contents(&open_wal(&crashed).unwrap().0);
            assert!(found == expected || found[..found.len() - 1] == expected);
        }
    }
}

#[test]
fn the_start_of_a_cut_log_is_known_and_its_loss_is_noticed() {
    let disk = MemoryDisk::new();
    filled(&disk, 30);
    let (mut wal, _) = open_wal(&disk).unwrap();
    wal.cut_before(20).unwrap();
    let mut gone = disk.fork();
    gone.remove("wal-0000000000000003").unwrap();
    let loss = open_wal(&gone).unwrap().1.loss.unwrap();
    assert_eq!((loss.damage.segment, loss.damage.reason), (Some(3), "the file is missing"));
    assert_eq!((loss.first_missing, loss.owed), (16, Some((30, 7))));
    assert_eq!(loss.salvaged.len(), 7, "what is in the last segment");
    for offset in 0..64 {
        let damaged = disk.fork();
        damaged.flip("wal-0000000000000003", offset, 2);
        let loss = open_wal(&damaged).unwrap().1.loss.unwrap();
        assert_eq!((loss.first_missing, loss.owed), (16, Some((30, 7))), "{offset}");
        assert_eq!(loss.salvaged.len(), 14, "all but the first batch");
    }
}

#[test]
fn a_cut_interrupted_anywhere_is_done_or_not_done() {
    use DiskOperation::{Len, Remove, Rename, Sync, SyncDir, WriteAt};
    for operation in [Len, Remove, Rename, Sync, SyncDir, WriteAt] {
        for (after, seed) in (0..3).flat_map(|after| (0..10).map(move |seed| (after, seed))) {
            let disk = MemoryDisk::new();
            filled(&disk, 30);
            let (mut wal, _) = open_wal(&disk).unwrap();
            disk.fail(operation, after);
            let _ = wal.cut_before(20);
            disk.crash(&mut Prng::named(seed, "crash"));
            let (mut wal, recovered) = open_wal(&disk).unwrap();
            assert!([Some(1), Some(16)].contains(&recovered.first_index));
            assert_eq!(wal.last_index(), Some(30));
            commit(&mut wal, &Batch { truncate_from: Some(29), ..Batch::default() });
            assert_eq!(open_wal(&disk).unwrap().1.last_index, Some(28));
        }
    }
}

/// A log whose next segment is prepared, so that what is cut away can wait to be recycled.
fn prepared(disk: &MemoryDisk) -> Wal<MemoryDisk> {
    filled(disk, 23);
    let (mut wal, _) = open_wal(disk).unwrap();
    while !wal.prepare_ahead(4096).unwrap() {}
    wal
}

const FIRST: &str = "wal-0000000000000001";

#[test]
fn a_cut_that_frees_no_space_waits_for_the_next_two_segments() {
    let disk = MemoryDisk::new();
    let mut wal = prepared(&disk);
    let (slots, files) = (manifest_slots(&disk), names(&disk));
    wal.cut_before(9).unwrap();
    assert_eq!(wal.first_index(), Some(8));
    assert_eq!((manifest_slots(&disk), names(&disk)), (slots, files), "the disk rests");

    commit(&mut wal, &records(&[record(24, 9, "in the next segment")]));
    assert!(names(&disk).contains(&FIRST.to_owned()), "one slot still needs it");
    while !wal.prepare_ahead(4096).unwrap() {}
    for index in 25..=32 {
        commit(&mut wal, &records(&[record(index, 9, "and the one after that")]));
    }
    assert!(names(&disk).contains(&format!("spare-{FIRST}")), "both slots know");
    assert_eq!(open_wal(&disk).unwrap().1.first_index, Some(8));
}

#[test]
fn a_waiting_cut_is_finished_when_the_log_is_idle_or_space_is_needed() {
    let sealed: fn(&mut Wal<MemoryDisk>) = |wal| assert_eq!(wal.seal_if_idle(), Ok(true));
    let cut_further: fn(&mut Wal<MemoryDisk>) = |wal| wal.cut_before(17).unwrap();
    for (first_index, finish) in [(8, sealed), (16, cut_further)] {
        let disk = MemoryDisk::new();
        let mut wal = prepared(&disk);
        wal.cut_before(9).unwrap();
        finish(&mut wal);
        assert!(!names(&disk).contains(&FIRST.to_owned()));
        assert_eq!(open_wal(&disk).unwrap().1.first_index, Some(first_index));
    }
}

/// Whatever is left of a cut that waits: either slot alone finds all that it needs.
#[test]
fn a_waiting_cut_survives_a_crash_and_the_loss_of_a_slot() {
    for (batches, seed) in (0..20).flat_map(|batches| (0..10).map(move |seed| (batches, seed))) {
        let disk = MemoryDisk::new();
        let mut wal = prepared(&disk);
        wal.cut_before(9).unwrap();
        for index in 24..24 + batches {
            commit(&mut wal, &records(&[record(index, 9, "on")]));
            wal.prepare_if_due(1024).unwrap();
        }
        disk.crash(&mut Prng::named(seed, "crash"));
        for slot in ["manifest-0", "manifest-1"] {
            let damaged = disk.fork();
            damaged.flip(slot, 20, 1);
            let (wal, recovered) = open_wal(&damaged).unwrap();
            assert_eq!(recovered.loss, None, "{batches} {seed} {slot}");
            assert!([Some(1), Some(8)].contains(&recovered.first_index));
            assert_eq!(wal.last_index(), Some(23 + batches));
        }
    }
}

fn manifest_slots(disk: &MemoryDisk) -> [Vec<u8>; 2] {
    ["manifest-0", "manifest-1"].map(|slot| disk.bytes(slot))
}
