//! The value log: repair in place, background checks, snapshots, every byte damaged.

use crate::support::*;
use base::Prng;
use bytes::Bytes;
use storage::memory::MemoryDisk;
use storage::{
    Chunk, Disk, DiskOperation, ImportError, OpenError, Position, ReadError, RepairError, Scrub,
    Scrubbed, ValueLog, ValueLogOptions, WriteError,
};

/// Records of 20 to 50 bytes over several segments of 512, all durable.
fn synced() -> (MemoryDisk, Values) {
    let disk = MemoryDisk::new();
    let (mut log, _) = open_values(&disk).unwrap();
    let mut values = Values::new();
    for number in 0..30u8 {
        let payload = vec![number; 20 + usize::from(number)];
        values.push((log.append(&payload).unwrap(), payload));
    }
    log.sync().unwrap();
    (disk.fork(), values)
}

fn file(at: Position) -> String {
    format!("values-{:016x}", at.offset / 512)
}

/// Opens and says whether everything, a first part with a cut that says so, or nothing is there.
fn check(disk: &MemoryDisk, values: &Values, case: &str) -> [u32; 3] {
    match open_values(disk) {
        Ok((mut log, seen)) => {
            assert_eq!(seen, values[..seen.len()], "{case}");
            let same = seen.len() == values.len();
            assert!(same || log.cut().is_some(), "{case}: shorter without a word");
            let added = log.append(b"goes on").unwrap();
            log.sync().unwrap();
            let (log, again) = open_values(disk).unwrap();
            assert_eq!((again.len(), log.cut()), (seen.len() + 1, None), "{case}");
            assert_eq!(again.last().unwrap().0, added, "{case}");
            [u32::from(same), u32::from(!same), 0]
        }
        Err(OpenError::Identity(error)) => {
            assert!(error.to_string().len() > 40);
            [0, 0, 1]
        }
        Err(other) => panic!("{case}: {other}"),
    }
}

fn add(sum: &mut [u32; 3], one: [u32; 3]) {
    for (sum, one) in sum.iter_mut().zip(one) {
        *sum += one;
    }
}

#[test]
fn every_flipped_byte_of_every_file_is_named_or_harmless() {
    let (disk, values) = synced();
    let mut sum = [0; 3];
    for name in disk.list().unwrap() {
        for offset in 0..disk.bytes(&name).len() as u64 {
            for mask in [1, 0x80, 0xff] {
                let damaged = disk.fork();
                damaged.flip(&name, offset, mask);
                add(&mut sum, check(&damaged, &values, &format!("{name} {offset} {mask}")));
            }
        }
    }
    assert!(sum[0] > 2000 && sum[1] > 4000 && sum[2] > 300, "{sum:?}");
}

#[test]
fn every_truncation_and_unreadable_sector_is_named_or_harmless() {
    let (disk, values) = synced();
    let mut sum = [0; 3];
    for name in disk.list().unwrap() {
        for len in 0..disk.bytes(&name).len() as u64 {
            let mut damaged = disk.fork();
            damaged.set_len(&name, len).unwrap();
            add(&mut sum, check(&damaged, &values, &format!("{name} cut to {len}")));
        }
        let mut damaged = disk.fork();
        damaged.remove(&name).unwrap();
        add(&mut sum, check(&damaged, &values, &format!("{name} removed")));
        for offset in (0..disk.bytes(&name).len() as u64).step_by(512) {
            let damaged = disk.fork();
            damaged.spoil(&name, offset);
            if name != "identity" {
                add(&mut sum, check(&damaged, &values, &format!("{name} {offset} unreadable")));
            }
        }
    }
    assert!(sum[0] > 900 && sum[1] > 1000 && sum[2] > 100, "{sum:?}");
}

#[test]
fn a_disk_that_fails_as_a_whole_cuts_nothing() {
    let (disk, values) = synced();
    for operations in 0..40 {
        let dead = disk.fork();
        dead.die_after(operations);
        if let Err(error) = open_values(&dead) {
            assert!(matches!(error, OpenError::Disk(_)), "{error}");
        }
        dead.revive();
        assert_eq!(open_values(&dead).unwrap().1, values, "{operations}");
    }
}

#[test]
fn a_cut_of_synced_records_says_that_it_is_damage() {
    let (mut disk, values) = synced();
    let lost = values[12].0;
    disk.remove(&file(lost)).unwrap();
    let cut = open_values(&disk).unwrap().0.cut().unwrap();
    assert!(cut.damaged && cut.offset <= lost.offset);
    assert_eq!(cut.reason, "a segment's file is missing");
}

#[test]
fn a_record_damaged_anywhere_is_repaired_by_its_own_bytes_only() {
    let (disk, values) = synced();
    for (number, (at, payload)) in values.iter().enumerate() {
        for byte in at.offset % 512..(at.end() - 1) % 512 + 1 {
            let damaged = disk.fork();
            let (mut log, _) = open_values(&damaged).unwrap();
            damaged.flip(&file(*at), byte, 0x41);
            assert!(log.read(*at).is_err());
            let mut other = payload.clone();
            other[number % payload.len()] ^= 1;
            let unproven = Err(RepairError::Unproven { position: at.offset });
            assert_eq!(log.repair(*at, &other), unproven);
            assert_eq!(log.repair(*at, &payload[1..]), unproven);
            log.repair(*at, payload).unwrap();
            assert_eq!(log.read(*at).unwrap(), payload);
            // Durable before it was served.
            damaged.crash(&mut Prng::named(number as u64, "crash"));
            let (log, seen) = open_values(&damaged).unwrap();
            assert_eq!((&seen, log.cut()), (&values, None), "{number} {byte}");
        }
    }
}

#[test]
fn an_unreadable_or_wholly_overwritten_record_is_repaired_too() {
    let (disk, values) = synced();
    let (mut log, _) = open_values(&disk).unwrap();
    let (at, payload) = &values[20];
    let zeros = vec![0; payload.len() + 12];
    disk.clone().write_at(&file(*at), at.offset % 512, &zeros).unwrap();
    log.repair(*at, payload).unwrap();
    assert_eq!(log.read(*at).unwrap(), payload);
    // A sector with many records: nothing is left that would prove any of them.
    disk.spoil(&file(*at), 0);
    let Err(ReadError::Damaged(damage)) = log.read(*at) else { panic!("not damage") };
    assert_eq!(damage.reason, "the record cannot be read");
    let unproven = Err(RepairError::Unproven { position: at.offset });
    assert_eq!(log.repair(*at, payload), unproven);
    let beyond = Position { offset: log.end(), len: 3 };
    let nowhere = Err(RepairError::OutOfRange { position: beyond.offset });
    assert_eq!(log.repair(beyond, b"abc"), nowhere);
    let far = Position { offset: u64::MAX - 5, len: u32::MAX };
    assert!(matches!(log.repair(far, b"abc"), Err(RepairError::OutOfRange { .. })));
}

#[test]
fn a_repair_that_fails_is_not_served() {
    let (disk, values) = synced();
    let (mut log, _) = open_values(&disk).unwrap();
    let (at, payload) = &values[7];
    disk.flip(&file(*at), at.offset % 512 + 15, 1);
    disk.fill_after(0);
    let full = log.repair(*at, payload).unwrap_err();
    assert!(matches!(full, RepairError::Write(WriteError::Full(_))), "{full}");
    disk.make_room();
    log.repair(*at, payload).unwrap();
    disk.flip(&file(*at), at.offset % 512 + 15, 1);
    disk.fail(DiskOperation::Sync, 0);
    assert!(matches!(log.repair(*at, payload), Err(RepairError::Write(WriteError::Disk(_)))));
    assert_eq!(log.read(*at), Err(ReadError::Poisoned));
}

#[test]
fn a_scrub_goes_round_in_steps_and_stops_at_damage_until_it_is_repaired() {
    let (disk, values) = synced();
    let (mut log, _) = open_values(&disk).unwrap();
    let mut scrub = Scrub::default();
    let mut steps = 1;
    while log.scrub(&mut scrub, 100).unwrap() == Scrubbed::More {
        steps += 1;
    }
    assert!((10..30).contains(&steps), "{steps} steps");
    assert_eq!((scrub.rounds(), scrub.offset()), (1, 0));

    let (at, payload) = &values[17];
    disk.flip(&file(*at), at.offset % 512 + 13, 1);
    let damage = loop {
        match log.scrub(&mut scrub, 64) {
            Ok(step) => assert_eq!(step, Scrubbed::More, "found before the round ends"),
            Err(error) => break error,
        }
    };
    assert!(matches!(damage, ReadError::Damaged(_)));
    assert_eq!(scrub.offset(), at.offset);
    assert!(log.scrub(&mut scrub, 64).is_err(), "not passed over");
    log.repair(*at, payload).unwrap();
    while log.scrub(&mut scrub, 64).unwrap() == Scrubbed::More {}
    assert_eq!(scrub.rounds(), 2);
    // What is not durable yet is not looked at.
    let new = log.append(b"new").unwrap();
    disk.flip(&file(new), new.offset % 512 + 12, 1);
    while log.scrub(&mut scrub, 64).unwrap() == Scrubbed::More {}
    assert_eq!(log.durable_through(), values.last().unwrap().0.end());
}

fn import_all(from: &ValueLog<MemoryDisk>, into: &MemoryDisk, through: u64, bytes: u64) -> u32 {
    let (mut log, _) = open_values(into).unwrap();
    let mut chunks = 0;
    while log.end() < through {
        let chunk = from.export(log.end(), bytes, through).unwrap();
        assert!(!chunk.records.is_empty());
        log.import(&chunk).unwrap();
        assert_eq!(log.end(), chunk.next);
        chunks += 1;
    }
    log.sync().unwrap();
    chunks
}

#[test]
fn a_snapshot_in_chunks_of_any_size_gives_the_same_records_at_the_same_positions() {
    let (disk, values) = synced();
    let (log, _) = open_values(&disk).unwrap();
    let mut counts = Vec::new();
    for bytes in [1, 50, 100, 300, 700, 1 << 20] {
        for (number, (at, _)) in values.iter().enumerate() {
            let copy = MemoryDisk::new();
            counts.push(import_all(&log, &copy, at.end(), bytes));
            assert_eq!(open_values(&copy).unwrap().1, values[..=number], "{bytes} {number}");
        }
    }
    assert_eq!(counts.iter().max(), Some(&30), "a record at a time");
    assert_eq!(log.export(0, 100, 0).unwrap().records, [] as [Bytes; 0]);
    let beyond = log.end() + 1;
    assert_eq!(log.export(0, 9, beyond), Err(ReadError::OutOfRange { position: beyond }));
}

/// A segment that ended early would put every later record elsewhere than a receiver does.
#[test]
fn what_was_lost_goes_back_to_where_it_was_however_many_segments_were_begun() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open_values(&disk).unwrap();
    let lens = [300, 100, 200, 450];
    let positions = lens.map(|len| log.append(&vec![7; len]).unwrap());
    assert_eq!(positions.map(|at| at.offset / 512), [0, 0, 1, 2]);
    drop(log);
    // The files' names came to the disk, and nothing of what was in them.
    let mut after = disk.clone();
    after.set_len(&file(positions[0]), positions[0].end()).unwrap();
    after.set_len(&file(positions[2]), 0).unwrap();
    after.set_len(&file(positions[3]), 0).unwrap();
    let (mut log, _) = open_values(&disk).unwrap();
    assert_eq!(log.end(), positions[0].end());
    for (len, at) in lens.iter().zip(positions).skip(1) {
        assert_eq!(log.append(&vec![7; *len]).unwrap(), at);
    }
    log.sync().unwrap();
    import_all(&log, &MemoryDisk::new(), log.end(), 1 << 20);
}

#[test]
fn records_that_fill_segments_exactly_are_imported_alike() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open_values(&disk).unwrap();
    for len in [500, 244, 244, 500, 243, 244, 1, 500] {
        log.append(&vec![7; len]).unwrap();
    }
    log.sync().unwrap();
    for bytes in [1, 300, 1 << 20] {
        let copy = MemoryDisk::new();
        import_all(&log, &copy, log.end(), bytes);
        assert_eq!(open_values(&copy).unwrap().1, open_values(&disk).unwrap().1);
    }
}

#[test]
fn an_import_resumes_after_a_crash_where_its_log_ends() {
    let (disk, values) = synced();
    let (log, _) = open_values(&disk).unwrap();
    for seed in 0..100 {
        let (copy, mut prng) = (MemoryDisk::new(), Prng::named(seed, "import"));
        loop {
            let (mut importer, _) = open_values(&copy).unwrap();
            for _ in 0..prng.below(4) {
                let chunk = log.export(importer.end(), 150, log.end()).unwrap();
                importer.import(&chunk).unwrap();
                if prng.chance(1, 2) {
                    importer.sync().unwrap();
                }
            }
            if importer.end() == log.end() {
                break;
            }
            copy.crash(&mut prng);
        }
        assert_eq!(open_values(&copy).unwrap().1, values, "{seed}");
    }
}

#[test]
fn chunks_that_do_not_fit_change_nothing() {
    let (disk, values) = synced();
    let (log, _) = open_values(&disk).unwrap();
    let copy = MemoryDisk::new();
    let (mut importer, _) = open_values(&copy).unwrap();
    let chunk = log.export(0, 200, log.end()).unwrap();
    importer.import(&chunk).unwrap();
    let again = importer.import(&chunk).unwrap_err();
    assert_eq!(again, ImportError::Elsewhere { end: chunk.next, from: 0 });
    let next = log.export(chunk.next, 200, log.end()).unwrap();
    let end = next.next;
    let short = Chunk { next: end + 1, ..next.clone() };
    assert_eq!(importer.import(&short), Err(ImportError::WrongEnd { end, next: end + 1 }));
    let options = ValueLogOptions { segment_bytes: 1024, ..value_options() };
    let mut other = ValueLog::open(MemoryDisk::new(), options, &mut |_, _| Ok(())).unwrap();
    assert_eq!(
        other.import(&chunk).unwrap_err().to_string(),
        "the records come from segments of 512 bytes, this log has segments of 1024 bytes: make \
         it again with 512"
    );
    copy.fill_after(0);
    let full = importer.import(&next).unwrap_err();
    assert!(matches!(full, ImportError::Write(WriteError::Full(_))), "{full}");
    copy.make_room();
    importer.import(&next).unwrap();
    assert_eq!(open_values(&copy).unwrap().1, values[..chunk.records.len() + next.records.len()]);
    // A damaged record is never handed on.
    disk.flip("values-0000000000000000", 14, 1);
    assert!(matches!(log.export(0, 200, log.end()), Err(ReadError::Damaged(_))));
}

#[test]
fn a_full_disk_at_any_write_is_said_and_got_over() {
    for writes in 0.. {
        let (disk, mut values) = synced();
        let (mut log, _) = open_values(&disk).unwrap();
        disk.fill_after(writes);
        let payloads: [&[u8]; 3] = [&[1; 300], &[2; 300], &[3; 300]];
        let appended = log.append_many(&payloads);
        match &appended {
            Err(WriteError::Full(_)) => {
                assert!(log.append(b"x").is_err());
                assert_eq!(log.read(values[3].0).unwrap(), values[3].1);
                assert_eq!(open_values(&disk.fork()).unwrap().1, values);
                disk.make_room();
                let positions = log.append_many(&payloads).unwrap();
                values.extend(positions.into_iter().zip(payloads.map(<[u8]>::to_vec)));
            }
            other => {
                let positions = other.as_ref().unwrap().iter().copied();
                values.extend(positions.zip(payloads.map(<[u8]>::to_vec)));
            }
        }
        // The mark of a sync is worth nothing that would stop it.
        log.sync().unwrap();
        disk.make_room();
        drop(log);
        disk.crash(&mut Prng::named(writes, "crash"));
        let (log, seen) = open_values(&disk).unwrap();
        assert_eq!((seen, log.cut()), (values, None), "{writes}");
        if appended.is_ok() && writes > 20 {
            break;
        }
    }
}

#[test]
fn a_sector_of_many_records_is_repaired_as_a_whole() {
    let disk = MemoryDisk::new();
    let options = ValueLogOptions { segment_bytes: 4096, ..value_options() };
    let mut log = ValueLog::open(disk.clone(), options, &mut |_, _| Ok(())).unwrap();
    let payloads: Vec<Bytes> = (0..97u8).map(|number| vec![number; 30].into()).collect();
    let positions: Vec<Position> =
        payloads.iter().map(|payload| log.append(payload).unwrap()).collect();
    log.sync().unwrap();
    for sector in 0..log.end() / 512 {
        disk.spoil("values-0000000000000000", sector * 512);
        let mut scrub = Scrub::default();
        while let Ok(Scrubbed::More) = log.scrub(&mut scrub, 1000) {}
        let first = positions.iter().position(|at| at.offset == scrub.offset()).unwrap();
        assert!(positions[first].end() > sector * 512, "the first that is touched");
        let at = positions[first];
        let unproven = RepairError::Unproven { position: at.offset };
        let few = |count| payloads[first..first + count].to_vec();
        assert_eq!(log.repair_run(at.offset, &few(1)), Err(unproven.clone()), "not alone");
        assert_eq!(log.repair_run(at.offset, &few(3)), Err(unproven.clone()));
        let mut wrong = payloads[first..].to_vec();
        wrong[1] = vec![7; 31].into();
        assert_eq!(log.repair_run(at.offset, &wrong), Err(unproven));
        let repaired = log.repair_run(at.offset, &payloads[first..]).unwrap();
        assert!((12..=15).contains(&repaired), "{repaired} of 42 bytes in a sector");
        for (at, payload) in positions.iter().zip(&payloads) {
            assert_eq!(log.read(*at).as_ref(), Ok(payload));
        }
    }
    // At the very end the log itself remembers the last crc.
    disk.spoil("values-0000000000000000", log.end() - 1);
    let first = positions.iter().position(|at| log.read(*at).is_err()).unwrap();
    let repaired = log.repair_run(positions[first].offset, &payloads[first..]).unwrap();
    assert_eq!(repaired, payloads.len() - first);
    assert_eq!(log.repair_run(0, &[]), Err(RepairError::Unproven { position: 0 }));
}

/// A reader that goes on from record to record meets a sector that cannot be read only when it
/// comes to it, however much it fetches ahead.
#[test]
fn what_lies_before_an_unreadable_sector_can_be_read() {
    let (disk, values) = synced();
    let (log, _) = open_values(&disk).unwrap();
    let (at, _) = values[20];
    disk.spoil(&file(at), at.offset % 512);
    let mut shown = Vec::new();
    let scanned = log.scan(0, u64::MAX, &mut |at, _| shown.push(at));
    assert!(matches!(scanned, Err(ReadError::Damaged(_))), "{scanned:?}");
    assert!(shown.len() >= 8, "all of the segments before it: {}", shown.len());
    assert!(log.export(0, 200, log.end()).is_ok());
}
