//! Torn writes are cut, damage is a loss, nothing in between.

use crate::support::*;
use base::Prng;
use bytes::Bytes;
use storage::memory::MemoryDisk;
use storage::{Batch, Disk, OpenError, Owner, ReadError, Wal, WalOptions, WalScrub};

const SEGMENT_1: &str = "wal-0000000000000001";

/// Three segments with metas, truncations, batches of one and of several sectors.
fn sample() -> (MemoryDisk, Vec<Record>, Option<Bytes>) {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    let mut expected: Vec<Record> = Vec::new();
    for step in 1..=12u64 {
        let mut batch = Batch::default();
        let mut next = expected.len() as u64 + 1;
        if step % 4 == 0 {
            next -= 2;
            batch.truncate_from = Some(next);
            expected.truncate(next as usize - 1);
        }
        if step % 5 == 1 {
            batch.meta = Some(Bytes::from(format!("term {step}")));
        }
        for index in next..next + step % 3 + 1 {
            batch.records.push(record(index, step, &"abcdefg".repeat(step as usize * 6)));
        }
        commit(&mut wal, &batch);
        expected.extend(batch.records);
    }
    let meta = wal.meta().cloned();
    assert_eq!(segments(&disk).len(), 3);
    (disk, expected, meta)
}

/// The files of the segments, in order.
fn segments(disk: &MemoryDisk) -> Vec<String> {
    let names = disk.list().unwrap();
    names.into_iter().filter(|name| name.starts_with("wal-")).collect()
}

/// What opening this disk gives: the contents, or `None` when something is missing.
fn outcome(disk: &MemoryDisk) -> Option<(Vec<Record>, Option<Bytes>)> {
    match open_wal(disk) {
        Ok((_, recovered)) if recovered.loss.is_some() => None,
        Ok((wal, recovered)) => Some((contents(&wal), recovered.meta)),
        Err(OpenError::Damaged(_) | OpenError::Identity(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_last_batch_torn_at_every_byte_is_cut_or_whole() {
    let (disk, expected, meta) = sample();
    let after = disk.fork();
    let (mut wal, _) = open_wal(&after).unwrap();
    let next = expected.len() as u64 + 1;
    let added: Vec<Record> =
        (next..next + 6).map(|index| record(index, 20, &"z".repeat(500))).collect();
    let batch = Batch { meta: Some("new".into()), ..records(&added) };
    wal.write(&batch).unwrap();
    let all = [&expected[..], &added].concat();
    // The batch is too large for what is left of the last segment.
    let file = segments(&after).pop().unwrap();
    assert_eq!(segments(&after).len(), segments(&disk).len() + 1);
    let new = after.bytes(&file);
    let last = new.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for cut in 0..=last {
        let mut torn = disk.fork();
        torn.create(&file).unwrap();
        torn.set_len(&file, 4096).unwrap();
        torn.write_at(&file, 0, &new[..cut]).unwrap();
        let cut_off = torn.fork();
        let (mut wal, recovered) = open_wal(&torn).unwrap();
        if cut < last {
            assert_eq!((contents(&wal), recovered.meta), (expected.clone(), meta.clone()));
            // The header ends with two zeros.
            assert_eq!(recovered.torn.is_some(), cut >= 62, "cut at {cut}");
        } else {
            assert_eq!((contents(&wal), &recovered.meta), (all.clone(), &batch.meta));
        }
        // Cutting never takes the last whole batch, from which the numbers go on.
        open_wal(&cut_off).unwrap().0.cut_before(u64::MAX).unwrap();
        assert_eq!(open_wal(&cut_off).unwrap().1.last_index, wal.last_index());
        // The log goes on, with a smaller batch over the larger one.
        let next = contents(&wal).len() as u64 + 1;
        commit(&mut wal, &records(&[record(next, 30, "on")]));
        let goes_on = contents(&wal);
        assert_eq!(contents(&open_wal(&torn).unwrap().0), goes_on);
    }
}

#[test]
fn the_last_batch_in_any_mixture_of_sectors_is_cut_or_whole() {
    let (disk, expected, meta) = sample();
    let mut cuts = 0;
    for seed in 0..400 {
        let crashed = disk.fork();
        let (mut wal, _) = open_wal(&crashed).unwrap();
        let next = expected.len() as u64 + 1;
        let added = record(next, 20, &"z".repeat(2900));
        wal.write(&records(core::slice::from_ref(&added))).unwrap();
        crashed.crash(&mut Prng::named(seed, "crash"));
        let found = outcome(&crashed);
        cuts += u32::from(found == Some((expected.clone(), meta.clone())));
        let whole = [&expected[..], &[added]].concat();
        assert!(
            found == Some((expected.clone(), meta.clone())) || found == Some((whole, meta.clone())),
            "seed {seed}"
        );
    }
    assert!((100..390).contains(&cuts), "{cuts} of 400 were cut");
}

fn check_every_flip(disk: &MemoryDisk, may_lose_last: bool) -> [u32; 3] {
    let (wal, recovered) = open_wal(&disk.fork()).unwrap();
    let whole = (contents(&wal), recovered.meta);
    let [mut same, mut refused, mut shorter] = [0; 3];
    for file in disk.list().unwrap() {
        for offset in 0..disk.bytes(&file).len() as u64 {
            // Most bytes of a segment are zeros behind the last batch: one mask is enough.
            let damaged = disk.fork();
            damaged.flip(&file, offset, [1, 0x80, 0xff][offset as usize % 3]);
            match open_wal(&damaged) {
                Ok((_, recovered)) if recovered.loss.is_some() => refused += 1,
                Ok((wal, recovered)) => {
                    let found = (contents(&wal), recovered.meta);
                    if found == whole {
                        same += 1;
                    } else {
                        assert!(may_lose_last, "{file} {offset}: shorter than sealed");
                        assert_eq!(found.1, whole.1, "{file} {offset}");
                        assert_eq!(found.0, whole.0[..whole.0.len() - 1], "{file} {offset}");
                        shorter += 1;
                    }
                }
                Err(OpenError::Damaged(_) | OpenError::Identity(_)) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
    [same, refused, shorter]
}

#[test]
fn every_flipped_byte_of_a_sealed_log_is_refused_or_harmless() {
    let (disk, ..) = sample();
    let (mut wal, _) = open_wal(&disk).unwrap();
    assert_eq!(wal.seal_if_idle(), Ok(true));
    let [same, refused, shorter] = check_every_flip(&disk, false);
    assert_eq!(shorter, 0);
    assert!(refused > 5000 && same > 5000, "{refused} refused, {same} harmless");
}

#[test]
fn a_flipped_byte_costs_at_most_the_last_batch_when_it_is_not_sealed() {
    let (disk, expected, _) = sample();
    let (mut wal, _) = open_wal(&disk).unwrap();
    let next = expected.len() as u64 + 1;
    commit(&mut wal, &records(&[record(next, 20, &"z".repeat(300))]));
    let [_, refused, shorter] = check_every_flip(&disk, true);
    assert_eq!(shorter, 64 + 24 + 300, "each byte of the last batch and no other");
    assert!(refused > 5000, "{refused}");
}

#[test]
fn a_damaged_last_batch_with_a_meta_is_refused_even_without_a_seal() {
    let (disk, ..) = sample();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &meta("vote for 3 in term 9"));
    let file = segments(&disk).pop().unwrap();
    let start = disk.bytes(&file).chunks(512).rposition(|sector| sector.starts_with(b"QWLB"));
    let start = start.unwrap() as u64 * 512;
    for offset in start..start + 64 + 24 + 20 {
        let damaged = disk.fork();
        damaged.flip(&file, offset, 4);
        assert_eq!(outcome(&damaged), None, "{offset}");
    }
}

#[test]
fn damage_is_named_by_segment_offset_and_index() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(1, 1, "one"), record(2, 1, "two")]));
    commit(&mut wal, &records(&[record(3, 1, "three"), record(4, 1, "four")]));
    commit(&mut wal, &records(&[record(5, 1, "five")]));
    // The payload of record 4.
    let place = disk.bytes(SEGMENT_1).windows(4).position(|window| window == b"four").unwrap();
    disk.flip(SEGMENT_1, place as u64, 1);
    let loss = open_wal(&disk.fork()).unwrap().1.loss.unwrap();
    assert_eq!(
        loss.damage.to_string(),
        "wal-0000000000000001 is damaged at byte 512 of segment 1 (record 4): a batch is not \
         intact, but one written after it is"
    );
    assert_eq!((loss.first_missing, loss.owed), (3, Some((5, 1))));
    assert_eq!((loss.end_is_exact, loss.prefix_is_certain), (true, true));
    assert_eq!(loss.salvaged, [record(5, 1, "five")]);
    // A running log notices when it reads.
    let damage = wal.read(4, 100).unwrap_err();
    assert_eq!(
        damage.to_string(),
        "wal-0000000000000001 is damaged at byte 605 of segment 1 (record 4): the checksum does \
         not match"
    );
    assert_eq!(wal.read(3, 0).unwrap(), [record(3, 1, "three")]);
}

#[test]
fn every_flipped_byte_under_a_running_log_is_an_error_or_harmless() {
    let (disk, expected, _) = sample();
    let (wal, _) = open_wal(&disk).unwrap();
    let mut refused = 0;
    for file in segments(&disk) {
        for offset in 0..4096 {
            disk.flip(&file, offset, 0x10);
            match wal.read(1, u64::MAX) {
                Ok(records) => assert_eq!(records, expected),
                Err(ReadError::Damaged(_)) => refused += 1,
                Err(other) => panic!("{other}"),
            }
            disk.flip(&file, offset, 0x10);
        }
    }
    assert!(refused > 1000);
}

#[test]
fn every_zeroed_sector_of_a_sealed_log_is_refused_or_harmless() {
    let (disk, expected, meta) = sample();
    let (mut wal, _) = open_wal(&disk).unwrap();
    wal.seal_if_idle().unwrap();
    let whole = (expected, meta);
    let mut refused = 0;
    for file in segments(&disk) {
        // One sector, and everything from it on.
        for (sector, len) in (0..8u64).flat_map(|s| [(s, 512), (s, 4096 - s * 512)]) {
            let mut damaged = disk.fork();
            damaged.write_at(&file, sector * 512, &vec![0; len as usize]).unwrap();
            match outcome(&damaged) {
                Some(found) => assert_eq!(found, whole, "{file} {sector} {len}"),
                None => refused += 1,
            }
        }
    }
    assert!(refused > 30, "{refused}");
}

#[test]
fn a_segment_of_another_length_or_none_is_a_loss() {
    let (disk, expected, meta) = sample();
    for file in segments(&disk) {
        for len in [0, 512, 4095] {
            let mut damaged = disk.fork();
            damaged.set_len(&file, len).unwrap();
            let (wal, recovered) = open_wal(&damaged).unwrap();
            let Some(loss) = recovered.loss else {
                // Nothing but padding was cut off, since the next segment goes on from it.
                assert_eq!((contents(&wal), &recovered.meta), (expected.clone(), &meta));
                assert!(len == 4095 && damaged.bytes(&file).len() == 4096, "{file} {len}");
                continue;
            };
            let reason = loss.damage.to_string();
            assert!(reason.contains("does not have the length of a segment"), "{reason}");
            assert_eq!(damaged.bytes(&segments(&damaged).pop().unwrap()).len(), 4096);
        }
        // Too long: nothing is missing, and it is put right.
        let mut damaged = disk.fork();
        damaged.set_len(&file, 8192).unwrap();
        assert_eq!(outcome(&damaged), Some((expected.clone(), meta.clone())));
        assert_eq!(damaged.bytes(&file).len(), 4096);
        let mut damaged = disk.fork();
        damaged.remove(&file).unwrap();
        assert_eq!(outcome(&damaged), None, "{file}");
    }
}

#[test]
fn exchanged_segments_are_refused() {
    let (disk, ..) = sample();
    let mut exchanged = disk.fork();
    for (from, to) in [("1", "x"), ("2", "1"), ("x", "2")] {
        let name = |n: &str| format!("wal-000000000000000{n}");
        exchanged.rename(&name(from), &name(to)).unwrap();
    }
    assert_eq!(outcome(&exchanged), None);
    let mut doubled = disk.fork();
    doubled.write_at("wal-0000000000000002", 0, &disk.bytes(SEGMENT_1)).unwrap();
    assert_eq!(outcome(&doubled), None);
}

/// The disk wrote an acknowledged batch to another place. It stands there whole, so something
/// was durable that is not where it belongs.
#[test]
fn a_last_batch_gone_astray_is_refused() {
    let check = |batches: u64, file: &str, offset: u64| {
        let disk = MemoryDisk::new();
        let (mut wal, _) = open_wal(&disk).unwrap();
        for index in 1..batches {
            commit(&mut wal, &records(&[record(index, 1, "x")]));
        }
        while !wal.prepare_ahead(4096).unwrap() {}
        let mut astray = disk.fork();
        commit(&mut wal, &records(&[record(batches, 1, "astray")]));
        let home = (batches as usize - 1) * 512;
        let sector = &disk.bytes(SEGMENT_1)[home..home + 512];
        astray.write_at(file, offset, sector).unwrap();
        assert_eq!(outcome(&astray), None, "{batches} {file} {offset}");
    };
    check(3, SEGMENT_1, 3 * 512);
    check(3, SEGMENT_1, 7 * 512);
    check(3, "wal-0000000000000002", 0);
    check(8, "wal-0000000000000002", 0);
    check(8, "wal-0000000000000002", 1024);
}

#[test]
fn batches_of_two_histories_do_not_follow_each_other() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(1, 1, "both")]));
    let other = disk.fork();
    for (disk, text) in [(&disk, "here"), (&other, "there")] {
        let (mut wal, _) = open_wal(disk).unwrap();
        for index in 2..=4 {
            commit(&mut wal, &records(&[record(index, 1, text)]));
        }
    }
    let mut mixed = disk.fork();
    mixed.write_at(SEGMENT_1, 1024, &other.bytes(SEGMENT_1)[1024..]).unwrap();
    let (_, recovered) = open_wal(&mixed).unwrap();
    let loss = recovered.loss.unwrap();
    assert_eq!((loss.damage.offset, loss.first_missing), (1024, 3));
}

#[test]
fn one_damaged_manifest_slot_is_replaced_and_two_are_a_loss() {
    let (disk, expected, meta) = sample();
    for slot in ["manifest-0", "manifest-1"] {
        let damaged = disk.fork();
        damaged.flip(slot, 9, 1);
        assert_eq!(outcome(&damaged), Some((expected.clone(), meta.clone())));
    }
    disk.flip("manifest-0", 9, 1);
    disk.flip("manifest-1", 9, 1);
    let (mut wal, recovered) = open_wal(&disk).unwrap();
    assert_eq!((contents(&wal), &recovered.meta), (expected, &meta));
    assert!(!recovered.meta_is_certain, "a newer vote may have been in a batch that is gone too");
    let loss = recovered.loss.unwrap();
    assert_eq!(loss.damage.reason, "neither slot of the manifest is intact");
    assert!(!loss.end_is_exact && loss.owed.is_some());
    wal.settle_loss().unwrap();
    assert!(!open_wal(&disk).unwrap().1.meta_is_certain, "the one does not settle the other");
    let (mut wal, recovered) = open_wal(&disk).unwrap();
    assert_eq!(recovered.loss, None);
    wal.settle_meta().unwrap();
    assert!(open_wal(&disk).unwrap().1.meta_is_certain);
}

#[test]
fn without_a_slot_and_without_a_meta_the_folder_is_refused() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(1, 1, "one")]));
    disk.flip("manifest-0", 9, 1);
    disk.flip("manifest-1", 9, 1);
    let before = disk.operations();
    let error = open_wal(&disk).unwrap_err().to_string();
    assert!(error.contains("neither slot of the manifest is intact"), "{error}");
    assert!(disk.operations() > before && open_wal(&disk).is_err(), "nothing was changed");
}

/// A client stores bytes that are a later batch, sector by sector; then the write is torn. The
/// forged header must not pass for proof of damage: it does not know the folder's salt.
#[test]
fn a_stored_value_shaped_like_a_batch_proves_nothing() {
    let forger = MemoryDisk::new();
    let salt = OWNER.salt + 1;
    let options = WalOptions { owner: Owner { salt, ..OWNER }, ..wal_options() };
    let (mut wal, _) = Wal::open(forger.clone(), options).unwrap();
    for index in 1..=5 {
        commit(&mut wal, &records(&[record(index, 1, "x")]));
    }
    let forged = forger.bytes(SEGMENT_1);

    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(1, 1, "x")]));
    let before = disk.fork();
    // 88 bytes of header and record precede the payload: pad to the next sector.
    let payload = [&vec![0; 512 - 88][..], &forged[1024..2560]].concat();
    wal.write(&records(&[(2, 1, Bytes::from(payload))])).unwrap();
    let mut torn = before.fork();
    let written = disk.bytes(SEGMENT_1);
    torn.write_at(SEGMENT_1, 1024, &written[1024..]).unwrap();
    assert_eq!(&written[1024..1028], b"QWLB");
    let (_, recovered) = open_wal(&torn).unwrap();
    assert_eq!(recovered.last_index, Some(1));

    // The same bytes under the right salt are what a later batch looks like.
    let mut honest = before.fork();
    let options = wal_options();
    let other = MemoryDisk::new();
    let (mut wal, _) = Wal::open(other.clone(), options).unwrap();
    for index in 1..=5 {
        commit(&mut wal, &records(&[record(index, 1, "x")]));
    }
    honest.write_at(SEGMENT_1, 1024, &other.bytes(SEGMENT_1)[1024..]).unwrap();
    assert_eq!(outcome(&honest), None);
}

#[test]
fn a_scrub_finds_every_flipped_byte_of_sealed_segments() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    for index in 1..=20 {
        let batch =
            Batch { meta: Some("meta".into()), ..records(&[record(index, 1, "some text")]) };
        commit(&mut wal, &batch);
    }
    let round = |wal: &Wal<MemoryDisk>, budget| {
        let mut scrub = WalScrub::default();
        for _ in 0..60 {
            wal.scrub(&mut scrub, budget)?;
        }
        Ok::<_, ReadError>(())
    };
    assert_eq!(round(&wal, 1), Ok(()));
    assert_eq!(round(&wal, 1 << 20), Ok(()));
    // A batch is 64 + 24 + 4 + 24 + 9 bytes in a sector of its own; 8 of them fill a segment.
    for (segment, last) in [(1, 8), (2, 16)] {
        let file = format!("wal-{segment:016x}");
        for at in (0..4096).filter(|at| at % 512 < 125) {
            disk.flip(&file, at, 4);
            let Err(ReadError::Damaged(damage)) = round(&wal, 700) else {
                panic!("{file} at {at}: nothing was found")
            };
            assert_eq!((damage.segment, damage.index), (Some(segment), Some(last)), "{at}");
            disk.flip(&file, at, 4);
        }
        disk.spoil(&file, 1024);
        assert!(round(&wal, 700).is_err());
        wal.cut_before(last + 1).unwrap();
        assert_eq!(round(&wal, 700), Ok(()), "it is given up");
    }
}
