//! Whose folder it is: identity, first opening, what is refused.

use crate::support::*;
use base::Prng;
use storage::memory::MemoryDisk;
use storage::{Disk, DiskOperation, Owner, ValueLog, ValueLogOptions, Wal, WalOptions};

fn wal_error(disk: &MemoryDisk, owner: Owner) -> String {
    Wal::open(disk.clone(), WalOptions { owner, ..wal_options() }).unwrap_err().to_string()
}

#[test]
fn a_folder_of_someone_else_is_refused_with_a_sentence() {
    let disk = MemoryDisk::new();
    open_wal(&disk).unwrap();
    assert_eq!(
        wal_error(&disk, Owner { member: 3, ..OWNER }),
        "the folder belongs to member 2, not to member 3: check the data folder given to this \
         member"
    );
    assert_eq!(
        wal_error(&disk, Owner { cluster: 8, ..OWNER }),
        "the folder belongs to cluster 7, not to cluster 8: check the data folder given to this \
         member"
    );
    let error = ValueLog::open(disk.clone(), value_options(), &mut |_, _| Ok(())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the folder belongs to kind wal, not to kind values: check the data folder given to this \
         member"
    );
    // The salt is chosen once.
    Wal::open(disk, WalOptions { owner: Owner { salt: 1, ..OWNER }, ..wal_options() }).unwrap();
}

#[test]
fn the_identity_is_a_readable_text_and_frozen() {
    let disk = MemoryDisk::new();
    open_wal(&disk).unwrap();
    let text = String::from_utf8(disk.bytes("identity")).unwrap();
    assert_eq!(
        text,
        "quorate storage 2\nkind wal\ncluster 7\nmember 2\nsalt 99\nsegment_bytes 4096\n\
         sector_bytes 512\nstate ready\ncrc32c fbf04c2c\n"
    );
}

#[test]
fn a_missing_identity_beside_other_files_is_refused() {
    let mut disk = MemoryDisk::new();
    open_wal(&disk).unwrap();
    disk.remove("identity").unwrap();
    assert_eq!(
        wal_error(&disk, OWNER),
        "the folder holds manifest-0 but no identity file: it is not a data folder, or part of \
         it was deleted; restore the file `identity` or choose an empty folder"
    );
    let mut disk = MemoryDisk::new();
    disk.create("holiday.jpg").unwrap();
    assert!(wal_error(&disk, OWNER).contains("holds holiday.jpg but no identity file"));
}

#[test]
fn other_formats_are_refused() {
    let check = |format: u64, expect: &str| {
        let mut disk = MemoryDisk::new();
        open_wal(&disk).unwrap();
        let body = format!("quorate storage {format}\nsomething else\n");
        let text = format!("{body}crc32c {:08x}\n", base::crc32c(body.as_bytes()));
        disk.set_len("identity", 0).unwrap();
        disk.write_at("identity", 0, text.as_bytes()).unwrap();
        assert_eq!(wal_error(&disk, OWNER), expect);
    };
    check(
        3,
        "the folder has format 3, this program knows formats up to 2: start it with the newer \
         program that wrote it",
    );
    check(
        1,
        "the folder has format 1, this program reads formats from 2 on: take the member in anew, \
         under a new id and with an empty folder, or start it with the older program that wrote it",
    );
}

#[test]
fn every_flipped_byte_of_the_identity_is_noticed() {
    let disk = MemoryDisk::new();
    open_wal(&disk).unwrap();
    for offset in 0..disk.bytes("identity").len() as u64 {
        for mask in [1, 0x80, 0xff] {
            let damaged = disk.fork();
            damaged.flip("identity", offset, mask);
            let error = wal_error(&damaged, OWNER);
            assert!(error.starts_with("the file `identity` is damaged"), "{offset}: {error}");
        }
    }
}

/// Opens with the `after`-th call of `operation` failing, crashes, opens again.
fn check_interrupted(operation: DiskOperation, after: u64, seed: u64) -> bool {
    let disk = MemoryDisk::new();
    disk.fail(operation, after);
    let failed = open_wal(&disk).is_err();
    disk.crash(&mut Prng::named(seed, "crash"));
    let (wal, _) = open_wal(&disk).unwrap_or_else(|error| panic!("{operation} {after}: {error}"));
    assert_eq!(wal.last_index(), None);

    let disk = MemoryDisk::new();
    disk.fail(operation, after);
    let values = ValueLog::open(disk.clone(), value_options(), &mut |_, _| Ok(()));
    disk.crash(&mut Prng::named(seed, "crash"));
    open_values(&disk).unwrap();
    failed || values.is_err()
}

#[test]
fn a_first_opening_interrupted_anywhere_is_begun_again() {
    use DiskOperation::{
        Create, Len, List, ReadAt, Remove, Rename, SetLen, Sync, SyncDir, WriteAt,
    };
    let mut interrupted = 0;
    for operation in [Create, Len, List, ReadAt, Remove, Rename, SetLen, Sync, SyncDir, WriteAt] {
        for (after, seed) in (0..20).zip(0..) {
            for more in 0..5 {
                interrupted += u32::from(check_interrupted(operation, after, seed * 5 + more));
            }
        }
    }
    assert!(interrupted > 100, "{interrupted} openings were interrupted");
}

/// A process ends before it has synced the folder; the next one sees names that are not
/// durable, and must make them so before it acknowledges anything.
#[test]
fn names_seen_in_the_cache_only_are_made_durable_first() {
    for (after, seed) in (0..5).flat_map(|after| (0..20).map(move |seed| (after, seed))) {
        let disk = MemoryDisk::new();
        disk.fail(DiskOperation::SyncDir, after);
        open_wal(&disk).unwrap_err();
        let (mut wal, _) = open_wal(&disk).unwrap();
        commit(&mut wal, &records(&[record(1, 1, "kept")]));
        disk.crash(&mut Prng::named(seed, "crash"));
        assert_eq!(open_wal(&disk).unwrap().1.last_index, Some(1), "{after} {seed}");
    }
}

#[test]
fn files_that_are_gone_are_noticed() {
    let mut disk = MemoryDisk::new();
    open_wal(&disk).unwrap();
    disk.remove("wal-0000000000000001").unwrap();
    let loss = open_wal(&disk).unwrap().1.loss.unwrap();
    let reason = loss.damage.to_string();
    assert!(reason.contains("wal-0000000000000001 is damaged") && reason.contains("missing"));
    assert!(!loss.end_is_exact);

    let mut disk = MemoryDisk::new();
    open_wal(&disk).unwrap();
    disk.remove("manifest-1").unwrap();
    assert_eq!(open_wal(&disk).unwrap().1.loss, None, "the other slot says the same");
    disk.remove("manifest-1").unwrap();
    disk.remove("manifest-0").unwrap();
    assert!(wal_error(&disk, OWNER).contains("neither slot of the manifest is intact"));

    let mut disk = MemoryDisk::new();
    open_values(&disk).unwrap();
    disk.remove("values-0000000000000000").unwrap();
    assert_eq!(open_values(&disk).unwrap().0.cut().unwrap().reason, "a segment's file is missing");
}

#[test]
fn impossible_value_log_options_are_refused() {
    for segment_bytes in [0, 511, (1 << 30) + 1] {
        let options = ValueLogOptions { segment_bytes, ..value_options() };
        let error = ValueLog::open(MemoryDisk::new(), options, &mut |_, _| Ok(())).unwrap_err();
        assert!(error.to_string().contains("from 512 bytes to 1 GiB"));
    }
}
