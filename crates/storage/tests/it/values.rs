//! The value log: contents, bounds, damage, errors of the disk.

use crate::support::*;
use storage::memory::MemoryDisk;
use storage::{Disk, DiskOperation, Position, ReadError, Scanned, ValueLog, WriteError};

/// Records of 20 to 60 bytes over several segments of 512.
fn sample() -> (MemoryDisk, Values) {
    let disk = MemoryDisk::new();
    let (mut log, _) = open_values(&disk).unwrap();
    let mut values = Values::new();
    for number in 0..40u8 {
        let payload = vec![number; 20 + usize::from(number)];
        values.push((log.append(&payload).unwrap(), payload));
    }
    (disk, values)
}

fn scan(log: &ValueLog<MemoryDisk>, from: u64, max_bytes: u64) -> Result<Values, ReadError> {
    let (mut values, mut from) = (Values::new(), from);
    let mut visit = |position, bytes: &[u8]| values.push((position, bytes.to_vec()));
    while let Scanned::More(next) = log.scan(from, max_bytes, &mut visit)? {
        from = next;
    }
    Ok(values)
}

#[test]
fn what_was_appended_is_read_scanned_and_found_again() {
    let (disk, values) = sample();
    let (log, seen) = open_values(&disk).unwrap();
    assert_eq!((&seen, log.cut()), (&values, None));
    for (position, payload) in &values {
        assert_eq!(log.read(*position).unwrap(), payload);
    }
    for max_bytes in [0, 1, 100, 1 << 20] {
        if max_bytes > 0 {
            assert_eq!(scan(&log, 0, max_bytes).unwrap(), values);
        }
    }
    assert_eq!(scan(&log, values[20].0.end(), 64).unwrap(), values[21..]);
    let bytes: u64 = values.iter().map(|(_, payload)| payload.len() as u64 + 12).sum();
    assert_eq!(log.size_bytes(), bytes);
}

#[test]
fn a_scan_goes_on_where_appends_go_on() {
    let (mut log, _) = open_values(&MemoryDisk::new()).unwrap();
    let mut from = log.end();
    for round in 0..100u8 {
        let position = log.append(&[round; 90]).unwrap();
        let mut seen = Vec::new();
        let scanned = log.scan(from, u64::MAX, &mut |position, _| seen.push(position)).unwrap();
        assert_eq!((seen, scanned), (vec![position], Scanned::End(log.end())));
        from = log.end();
    }
}

#[test]
fn many_are_appended_with_one_write_a_segment() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open_values(&disk).unwrap();
    let payloads: Vec<Vec<u8>> = (0..10u8).map(|number| vec![number; 100]).collect();
    let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let before = disk.operations();
    let positions = log.append_many(&slices).unwrap();
    assert_eq!(disk.operations() - before, 3 + 2 * 2, "3 writes, 2 new files");
    let values: Values = positions.into_iter().zip(payloads).collect();
    assert_eq!(scan(&log, 0, 200).unwrap(), values);
    assert_eq!(open_values(&disk).unwrap().1, values);
    assert_eq!(log.append_many(&[]), Ok(vec![]));
}

#[test]
fn a_position_that_is_no_record_is_an_error() {
    let (disk, values) = sample();
    let (log, _) = open_values(&disk).unwrap();
    let last = values.last().unwrap().0;
    let beyond = Position { offset: last.end(), len: 1 };
    assert_eq!(log.read(beyond), Err(ReadError::OutOfRange { position: beyond.offset }));
    let far = Position { offset: u64::MAX - 5, len: u32::MAX };
    assert!(matches!(log.read(far), Err(ReadError::OutOfRange { .. })));
    let other_len = Position { len: values[0].0.len - 1, ..values[0].0 };
    assert!(matches!(log.read(other_len), Err(ReadError::Damaged(_))));
    let inside = Position { offset: values[0].0.offset + 1, len: 3 };
    assert!(matches!(log.read(inside), Err(ReadError::Damaged(_))));
}

#[test]
fn every_flipped_byte_is_noticed_by_reads_and_scans() {
    let (disk, values) = sample();
    let (log, _) = open_values(&disk).unwrap();
    for (position, payload) in &values {
        let file = format!("values-{:016x}", position.offset / 512);
        for offset in position.offset % 512..(position.end() - 1) % 512 + 1 {
            disk.flip(&file, offset, 0x20);
            assert!(matches!(log.read(*position), Err(ReadError::Damaged(_))));
            assert!(matches!(scan(&log, position.offset, 1), Err(ReadError::Damaged(_))));
            disk.flip(&file, offset, 0x20);
        }
        assert_eq!(log.read(*position).unwrap(), payload);
    }
    let file = "values-0000000000000000";
    disk.flip(file, 12, 1);
    assert_eq!(
        log.read(values[0].0).unwrap_err().to_string(),
        "values-0000000000000000 is damaged at byte 0 of segment 0: the record is not what was \
         written"
    );
}

#[test]
fn opening_cuts_at_the_first_bad_record_and_what_was_cut_never_returns() {
    let (disk, values) = sample();
    for (number, (position, _)) in values.iter().enumerate() {
        let file = format!("values-{:016x}", position.offset / 512);
        for offset in position.offset % 512..(position.end() - 1) % 512 + 1 {
            let damaged = disk.fork();
            damaged.flip(&file, offset, 0x20);
            let (mut log, seen) = open_values(&damaged).unwrap();
            assert_eq!(seen, values[..number], "record {number}, byte {offset}");
            let cut = log.cut().unwrap();
            let end = number.checked_sub(1).map_or(0, |before| values[before].0.end());
            assert_eq!((cut.offset, log.end()), (end, end));
            // The bit flips back; the tail is gone all the same.
            let again = log.append(b"again").unwrap();
            let (log, seen) = open_values(&damaged).unwrap();
            assert_eq!((&seen[..number], log.cut()), (&values[..number], None));
            assert_eq!(seen[number..], [(again, b"again".to_vec())]);
        }
    }
}

#[test]
fn a_cut_tells_damage_from_a_torn_tail_once() {
    let (disk, values) = sample();
    let (mut log, _) = open_values(&disk).unwrap();
    log.sync().unwrap();
    let tail = log.append(b"not synced").unwrap();
    let file = |at: Position| format!("values-{:016x}", at.offset / 512);
    let torn = disk.fork();
    torn.flip(&file(tail), tail.offset % 512, 1);
    let cut = open_values(&torn).unwrap().0.cut().unwrap();
    assert_eq!((cut.offset, cut.dropped_bytes, cut.damaged), (tail.offset, 12 + 10, false));

    let synced = values[10].0;
    disk.flip(&file(synced), synced.offset % 512, 1);
    let cut = open_values(&disk).unwrap().0.cut().unwrap();
    assert_eq!((cut.offset, cut.damaged), (synced.offset, true));
    let (mut log, seen) = open_values(&disk).unwrap();
    assert_eq!((seen.len(), log.cut()), (10, None));
    log.append(b"again").unwrap();
    log.sync().unwrap();
    assert_eq!(open_values(&disk).unwrap().0.cut(), None);
}

#[test]
fn the_last_record_torn_at_every_byte_is_cut() {
    let (disk, values) = sample();
    let last = values.last().unwrap().0;
    let file = format!("values-{:016x}", last.offset / 512);
    for len in last.offset % 512..last.end() - last.offset / 512 * 512 {
        let mut torn = disk.fork();
        torn.set_len(&file, len).unwrap();
        assert_eq!(open_values(&torn).unwrap().1, values[..values.len() - 1]);
    }
}

#[test]
fn lost_lengths_and_files_end_the_log_there() {
    let (disk, values) = sample();
    // The end of a segment that is not the last: the chain notices.
    let mut short = disk.fork();
    let second: Vec<_> = values.iter().filter(|(at, _)| at.offset / 512 == 1).collect();
    let lost = second.last().unwrap().0;
    short.set_len("values-0000000000000001", lost.offset % 512).unwrap();
    let (_, seen) = open_values(&short).unwrap();
    let before = values.iter().filter(|(at, _)| *at < lost).count();
    assert_eq!(seen, values[..before]);
    // A whole file.
    let mut gone = disk.fork();
    gone.remove("values-0000000000000001").unwrap();
    let (mut log, seen) = open_values(&gone).unwrap();
    let before = values.iter().filter(|(at, _)| at.offset < 512).count();
    assert_eq!(seen, values[..before]);
    assert_eq!(log.cut().unwrap().reason, "a segment's file is missing");
    log.append(b"goes on").unwrap();
    assert_eq!(open_values(&gone).unwrap().1.len(), before + 1);
    let mut all_gone = disk.fork();
    for name in disk.list().unwrap().iter().filter(|name| name.starts_with("values-")) {
        all_gone.remove(name).unwrap();
    }
    assert_eq!(open_values(&all_gone).unwrap().1, []);
    // Too long: nothing is missing.
    for file in ["values-0000000000000001", "values-0000000000000004"] {
        let mut long = disk.fork();
        long.set_len(file, 700).unwrap();
        let (mut log, seen) = open_values(&long).unwrap();
        assert_eq!(seen, values, "{file}");
        log.append(b"goes on").unwrap();
        assert_eq!(open_values(&long).unwrap().1.len(), values.len() + 1);
    }
}

#[test]
fn the_visitor_may_refuse() {
    let (disk, values) = sample();
    let mut visit = |position: Position, _: &[u8]| {
        if position == values[3].0 { Err("unknown kind 9".to_owned()) } else { Ok(()) }
    };
    let error = ValueLog::open(disk, value_options(), &mut visit).unwrap_err();
    let offset = values[3].0.offset;
    let expected = format!("the record at offset {offset} cannot be used: unknown kind 9");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn without_space_nothing_is_appended_and_the_call_can_be_made_again() {
    for room in 0..700 {
        let (disk, mut values) = sample();
        let (mut log, _) = open_values(&disk).unwrap();
        disk.limit_capacity(Some(disk.used_bytes() + room));
        let payloads = [[1; 200], [2; 200], [3; 200], [4; 200]];
        let slices: Vec<&[u8]> = payloads.iter().map(<[u8; 200]>::as_slice).collect();
        let (size, end) = (log.size_bytes(), log.end());
        assert!(matches!(log.append_many(&slices), Err(WriteError::Full(_))));
        assert_eq!((log.size_bytes(), log.end()), (size, end));
        assert_eq!(scan(&log, 0, 1000).unwrap(), values);
        assert_eq!(open_values(&disk.fork()).unwrap().1, values);
        disk.limit_capacity(None);
        let positions = log.append_many(&slices).unwrap();
        values.extend(positions.into_iter().zip(payloads.map(|payload| payload.to_vec())));
        let (log, seen) = open_values(&disk).unwrap();
        assert_eq!((seen, log.cut()), (values, None));
    }
}

#[test]
fn a_record_that_fits_no_segment_is_refused() {
    let (mut log, _) = open_values(&MemoryDisk::new()).unwrap();
    log.append(&[0; 500]).unwrap();
    let error = log.append_many(&[&[1], &[0; 501]]).unwrap_err();
    assert_eq!(error, WriteError::TooLarge { bytes: 501, max_bytes: 500 });
    assert_eq!(log.size_bytes(), 512);
}

#[test]
fn failures_poison_for_ever() {
    for operation in [DiskOperation::Sync, DiskOperation::WriteAt] {
        let (disk, values) = sample();
        let (mut log, _) = open_values(&disk).unwrap();
        disk.fail(operation, 0);
        let result = log.append(b"x").and_then(|_| log.sync());
        assert!(matches!(result, Err(WriteError::Disk(_))));
        assert_eq!(log.append(b"x"), Err(WriteError::Poisoned));
        assert_eq!(log.sync(), Err(WriteError::Poisoned));
        assert_eq!(log.read(values[0].0), Err(ReadError::Poisoned));
        assert_eq!(scan(&log, 0, 1), Err(ReadError::Poisoned));
    }
}

#[test]
fn the_format_is_frozen() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open_values(&disk).unwrap();
    log.append(b"ab").unwrap();
    log.append(b"").unwrap();
    let bytes = disk.bytes("values-0000000000000000");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "020000000e837f9600000000616200000000d8b767190e837f96");
}
