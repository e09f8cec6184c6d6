//! The write-ahead log when nothing is damaged: contents, bounds, errors of the disk.

use crate::support::*;
use base::Prng;
use bytes::Bytes;
use storage::memory::MemoryDisk;
use storage::{Batch, DiskOperation, ReadError, Wal, WalOptions, WriteError};

#[test]
fn what_was_synced_is_there_after_a_crash() {
    let disk = MemoryDisk::new();
    let (mut wal, recovered) = open_wal(&disk).unwrap();
    assert_eq!((recovered.first_index, recovered.last_index), (None, None));
    let first = [record(1, 1, "one"), record(2, 1, "two"), record(3, 2, "three")];
    commit(&mut wal, &Batch { meta: Some("term 2".into()), ..records(&first) });
    let second = [record(3, 3, "drei"), record(4, 3, "vier")];
    commit(&mut wal, &Batch { truncate_from: Some(3), ..records(&second) });
    disk.crash(&mut Prng::named(1, "crash"));

    let (wal, recovered) = open_wal(&disk).unwrap();
    assert_eq!(recovered.meta.as_deref(), Some(&b"term 2"[..]));
    assert_eq!((recovered.first_index, recovered.last_index), (Some(1), Some(4)));
    assert_eq!((recovered.sealed, recovered.torn), (false, None));
    assert_eq!(contents(&wal), [&first[..2], &second].concat());
    assert_eq!(wal.tag_starts(), [(1, 1), (3, 3)]);
    assert_eq!((wal.tag(2), wal.tag(3), wal.tag(5)), (Some(1), Some(3), None));
}

#[test]
fn reads_are_bounded_by_bytes_but_give_at_least_one_record() {
    let (mut wal, _) = open_wal(&MemoryDisk::new()).unwrap();
    for index in 10..30 {
        commit(&mut wal, &records(&[record(index, 1, "0123456789")]));
    }
    let read = |from, max| wal.read(from, max).map(|records| records.len());
    assert_eq!(read(10, 0), Ok(1));
    assert_eq!(read(10, 19), Ok(1));
    assert_eq!(read(10, 20), Ok(2));
    assert_eq!(read(25, 1000), Ok(5));
    assert_eq!(read(9, 1000), Err(ReadError::OutOfRange { position: 9 }));
    assert_eq!(read(30, 1000), Err(ReadError::OutOfRange { position: 30 }));
}

#[test]
fn truncation_reaches_any_point_and_an_empty_log_starts_anywhere() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(5, 1, "a"), record(6, 1, "b")]));
    // Beyond the end: nothing to drop.
    commit(&mut wal, &Batch { truncate_from: Some(9), ..Batch::default() });
    assert_eq!(wal.last_index(), Some(6));
    commit(&mut wal, &Batch { truncate_from: Some(6), ..Batch::default() });
    assert_eq!(wal.last_index(), Some(5));
    // Below the start: everything goes, and the next record may have any index.
    commit(&mut wal, &Batch { truncate_from: Some(2), ..records(&[record(2, 4, "c")]) });
    assert_eq!(contents(&wal), [record(2, 4, "c")]);
    commit(&mut wal, &Batch { truncate_from: Some(0), ..Batch::default() });
    commit(&mut wal, &records(&[record(100, 9, "d")]));
    let (wal, _) = open_wal(&disk).unwrap();
    assert_eq!(contents(&wal), [record(100, 9, "d")]);
    assert_eq!(wal.tag_starts(), [(9, 100)]);
}

#[test]
fn a_batch_larger_than_a_segment_is_written_in_parts() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    let many: Vec<Record> =
        (1..=100).map(|index| (index, 1, Bytes::from(vec![index as u8; 300]))).collect();
    let whole = Batch { meta: Some("vote".into()), truncate_from: Some(1), records: many.clone() };
    commit(&mut wal, &whole);
    assert_eq!(contents(&wal), many);
    let (wal, recovered) = open_wal(&disk).unwrap();
    assert_eq!((contents(&wal), recovered.meta), (many, whole.meta));
}

#[test]
fn a_record_that_fits_no_segment_is_refused_and_changes_nothing() {
    let (mut wal, _) = open_wal(&MemoryDisk::new()).unwrap();
    let max_bytes = wal.record_bytes_max();
    let longest = Bytes::from(vec![7; max_bytes as usize]);
    let too_long = Bytes::from(vec![7; max_bytes as usize + 1]);
    let error = wal.write(&records(&[(1, 1, too_long)])).unwrap_err();
    assert_eq!(error, WriteError::TooLarge { bytes: max_bytes + 1, max_bytes });
    let meta = Some(Bytes::from(vec![1; 1024]));
    commit(&mut wal, &Batch { meta, ..records(&[(1, 1, longest.clone())]) });
    assert_eq!(wal.read(1, 0).unwrap(), [(1, 1, longest)]);
}

#[test]
fn an_empty_batch_writes_nothing() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    let before = disk.operations();
    wal.write(&Batch::default()).unwrap();
    wal.sync().unwrap();
    assert_eq!((wal.seal_if_idle(), disk.operations()), (Ok(false), before));
}

#[test]
fn a_seal_is_written_once_and_found_again() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    wal.write(&records(&[record(1, 1, "a")])).unwrap();
    assert_eq!(wal.seal_if_idle(), Ok(false), "not while a batch is not durable");
    wal.sync().unwrap();
    assert_eq!(wal.seal_if_idle(), Ok(true));
    let operations = disk.operations();
    assert_eq!(wal.seal_if_idle(), Ok(true));
    assert_eq!(disk.operations(), operations);
    let (mut wal, recovered) = open_wal(&disk).unwrap();
    assert!(recovered.sealed);
    commit(&mut wal, &records(&[record(2, 1, "b")]));
    let (wal, recovered) = open_wal(&disk).unwrap();
    assert!(!recovered.sealed);
    assert_eq!(wal.last_index(), Some(2));
}

#[test]
#[should_panic(expected = "only after the sync of the one before it")]
fn writing_before_the_last_batch_is_durable_breaks_the_invariant() {
    let (mut wal, _) = open_wal(&MemoryDisk::new()).unwrap();
    wal.write(&records(&[record(1, 1, "a")])).unwrap();
    let _ = wal.write(&records(&[record(2, 1, "b")]));
}

#[test]
#[should_panic(expected = "record 3 where 2 continues the log")]
fn a_gap_in_the_indexes_breaks_the_invariant() {
    let (mut wal, _) = open_wal(&MemoryDisk::new()).unwrap();
    commit(&mut wal, &records(&[record(1, 1, "a")]));
    let _ = wal.write(&records(&[record(3, 1, "b")]));
}

#[test]
fn a_failed_sync_poisons_for_ever() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(1, 1, "kept")]));
    wal.write(&records(&[record(2, 1, "lost")])).unwrap();
    disk.fail(DiskOperation::Sync, 0);
    let error = wal.sync().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot sync wal-0000000000000001: a planned fault: the process must end"
    );
    assert_eq!(wal.sync(), Err(WriteError::Poisoned));
    assert_eq!(wal.write(&meta("x")), Err(WriteError::Poisoned));
    assert_eq!(wal.seal_if_idle(), Err(WriteError::Poisoned));
    assert_eq!(wal.prepare_ahead(1), Err(WriteError::Poisoned));
    assert_eq!(wal.cut_before(1), Err(WriteError::Poisoned));
    assert_eq!(wal.read(1, 1), Err(ReadError::Poisoned));
    // The next process sees the batch in the cache and makes it durable before it relies on it.
    let (wal, _) = open_wal(&disk).unwrap();
    let seen = contents(&wal);
    for seed in 0..50 {
        disk.crash(&mut Prng::named(seed, "crash"));
        assert_eq!(contents(&open_wal(&disk).unwrap().0), seen);
    }
    assert_eq!(seen, [record(1, 1, "kept"), record(2, 1, "lost")]);
}

#[test]
fn a_failed_write_poisons_and_is_not_acknowledged() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(1, 1, "kept")]));
    disk.fail(DiskOperation::WriteAt, 0);
    assert!(matches!(wal.write(&records(&[record(2, 1, "x")])), Err(WriteError::Disk(_))));
    assert_eq!(wal.sync(), Err(WriteError::Poisoned));
}

#[test]
fn without_space_nothing_is_acknowledged_and_reads_go_on() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    disk.limit_capacity(Some(disk.used_bytes() + 1000));
    let mut acknowledged = Vec::new();
    let error = loop {
        let next = record(acknowledged.len() as u64 + 1, 1, &"x".repeat(400));
        match wal.write(&records(core::slice::from_ref(&next))) {
            Ok(()) => wal.sync().unwrap(),
            Err(error) => break error,
        }
        acknowledged.push(next);
    };
    assert!(matches!(error, WriteError::Full(_)), "{error}");
    assert_eq!(error.to_string(), "cannot write preparing: no space is left: free some space",);
    assert_eq!(acknowledged.len(), 8, "one batch a sector pair fills the first segment");
    assert!(matches!(wal.prepare_ahead(600), Err(WriteError::Full(_)) | Ok(false)));
    assert_eq!(contents(&wal), acknowledged);
    assert_eq!(contents(&open_wal(&disk.fork()).unwrap().0), acknowledged);

    // Space is back: the same call goes through.
    disk.limit_capacity(None);
    acknowledged.push(record(9, 1, "more"));
    commit(&mut wal, &records(&acknowledged[8..]));
    assert_eq!(contents(&open_wal(&disk).unwrap().0), acknowledged);
}

#[test]
fn the_next_segment_is_prepared_in_small_steps_and_then_costs_no_write() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    let mut steps = 1;
    while !wal.prepare_ahead(1000).unwrap() {
        steps += 1;
    }
    assert_eq!(steps, 5, "4096 bytes by 1000");
    disk.limit_capacity(Some(disk.used_bytes()));
    for index in 1..=16 {
        commit(&mut wal, &records(&[record(index, 1, "y")]));
    }
    assert!(matches!(wal.write(&meta("x")), Err(WriteError::Full(_))));
    // What a process that died left of its preparation does not disturb the next.
    disk.limit_capacity(Some(disk.used_bytes() + 2000));
    assert_eq!(wal.prepare_ahead(1500), Ok(false));
    disk.limit_capacity(None);
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(17, 1, "z")]));
    assert_eq!(open_wal(&disk).unwrap().1.last_index, Some(17));
}

#[test]
fn under_load_the_next_segment_is_ready_before_it_is_needed() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    for index in 1..=50 {
        let before = disk.operations();
        commit(&mut wal, &records(&[record(index, 1, "y")]));
        // The first batch of a segment is announced in the manifest.
        let switched = 2 * u64::from(index % 8 == 1 && index > 1);
        let operations = disk.operations() - before;
        assert_eq!(operations, 2 + switched, "write and sync, nothing else");
        wal.prepare_if_due(1024).unwrap();
        assert!(disk.operations() - before <= operations + 5, "one step at most");
    }
}

#[test]
fn the_geometry_is_that_of_the_day_the_log_was_made() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    for index in 1..30 {
        commit(&mut wal, &records(&[record(index, 1, "a")]));
    }
    let options = WalOptions { segment_bytes: 1 << 20, sector_bytes: 4096, ..wal_options() };
    let (mut wal, recovered) = Wal::open(disk.clone(), options).unwrap();
    assert_eq!(recovered.last_index, Some(29));
    commit(&mut wal, &records(&[record(30, 1, "a")]));
    assert_eq!(open_wal(&disk).unwrap().1.last_index, Some(30));
}

#[test]
fn larger_sectors_hold_one_batch_each() {
    let disk = MemoryDisk::new();
    let options = WalOptions { segment_bytes: 8 * 4096, sector_bytes: 4096, ..wal_options() };
    let (mut wal, _) = Wal::open(disk.clone(), options).unwrap();
    for index in 1..=8 {
        commit(&mut wal, &records(&[record(index, 1, "a")]));
    }
    let bytes = disk.bytes("wal-0000000000000001");
    assert!(bytes.chunks(4096).all(|sector| sector.starts_with(b"QWLB")));
    assert_eq!(Wal::open(disk, options).unwrap().1.last_index, Some(8));
}

#[test]
fn options_that_contradict_themselves_are_refused() {
    let check = |segment_bytes, sector_bytes, expected: &str| {
        let options = WalOptions { segment_bytes, sector_bytes, ..wal_options() };
        let error = Wal::open(MemoryDisk::new(), options).unwrap_err();
        assert_eq!(error.to_string(), format!("invalid options: {expected}"));
    };
    check(4096, 500, "sector_bytes must be a power of two from 512 to 65536");
    let multiple = "segment_bytes must be a multiple of sector_bytes, at least 8 sectors";
    check(4096, 1024, multiple);
    check(10_000, 512, multiple);
    check(1 << 31, 512, "segment_bytes must be at most 1 GiB");
}

#[test]
fn the_format_is_frozen() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    let batch = records(&[record(5, 3, "abc"), record(6, 3, "")]);
    commit(&mut wal, &Batch { meta: Some("m".into()), truncate_from: Some(5), ..batch });
    wal.seal_if_idle().unwrap();
    let log = disk.bytes("wal-0000000000000001");
    check_hex(&log[..64 + 25 + 27 + 24], BATCH);
    check_hex(&log[512..512 + 64], SEAL);
    let slot = disk.bytes("manifest-1");
    check_hex(&slot[..180], SLOT);
    assert_eq!((&slot[180..4096], &slot[4096..]), (&[0; 3916][..], &padded(b"m")[..]));
}

/// Magic, crc, segment, number; truncate from, last index, its tag; previous crc, records, body
/// bytes, kind and flags; then crc, length, index, tag, payload of each record.
const BATCH: &str = "
    51574c42 173832ae 0100000000000000 0100000000000000
    0500000000000000 0600000000000000 0300000000000000
    00000000 03000000 4c000000 01070000
    55426567 01000000 0000000000000000 0000000000000000 6d
    24bbc127 03000000 0500000000000000 0300000000000000 616263
    0f0f421a 00000000 0600000000000000 0300000000000000";

const SEAL: &str = "
    51574c42 bb4994d5 0100000000000000 0200000000000000
    0000000000000000 0600000000000000 0300000000000000
    0f0f421a 00000000 00000000 02040000";

/// Magic, crc, sequence, first segment; its first batch, active segment, durable batch, end; its
/// tag, next index, first index, batch of the meta; start crc, flags, cut; loss; meta length.
const SLOT: &str = "
    51574c4d 1d5c99ad 0700000000000000 0100000000000000
    0100000000000000 0100000000000000 0100000000000000 0600000000000000 0300000000000000
    0000000000000000 0000000000000000 0100000000000000
    00000000 07000000 0000000000000000 0000000000000000
    0000000000000000 0000000000000000 0000000000000000 0000000000000000
    0000000000000000 0000000000000000 0000000000000000 0000000000000000 01000000";

fn padded(meta: &[u8]) -> Vec<u8> {
    let mut padded = meta.to_vec();
    padded.resize(4096, 0);
    padded
}

fn check_hex(bytes: &[u8], expected: &str) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, expected.split_whitespace().collect::<String>());
}
