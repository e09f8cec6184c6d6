//! Emptying the log for a snapshot, and full disks at every write of everything.

use crate::support::*;
use base::Prng;
use bytes::Bytes;
use storage::memory::MemoryDisk;
use storage::{Batch, Wal, WriteError};

/// Twelve batches over two segments.
fn filled() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &meta("old"));
    for index in 1..=11 {
        commit(&mut wal, &records(&[record(index, index / 4, "value")]));
    }
    disk
}

fn text(wal: &Wal<MemoryDisk>) -> &[u8] {
    wal.meta().map_or(b"", |meta| meta)
}

#[test]
fn an_emptied_log_goes_on_at_the_index_it_was_given() {
    let disk = filled();
    let (mut wal, _) = open_wal(&disk).unwrap();
    wal.reset("base 100".into(), 101).unwrap();
    assert_eq!((wal.first_index(), wal.last_index(), wal.tag(11)), (None, None, None));
    let (mut wal, recovered) = open_wal(&disk).unwrap();
    assert_eq!((contents(&wal), text(&wal), recovered.loss), (vec![], &b"base 100"[..], None));
    commit(&mut wal, &records(&[record(101, 9, "a"), record(102, 9, "b")]));
    commit(&mut wal, &Batch { truncate_from: Some(101), ..Batch::default() });
    commit(&mut wal, &records(&[record(101, 10, "A")]));
    let (mut wal, recovered) = open_wal(&disk).unwrap();
    assert_eq!((contents(&wal), recovered.loss), (vec![record(101, 10, "A")], None));
    // Again and again, over recycled segments, with a seal before the first batch.
    for round in 2..12u64 {
        wal.reset("again".into(), round * 100).unwrap();
        wal.seal_if_idle().unwrap();
        let added = record(round * 100, round, "first");
        commit(&mut wal, &records(core::slice::from_ref(&added)));
        let (reopened, recovered) = open_wal(&disk).unwrap();
        assert_eq!((contents(&reopened), recovered.loss), (vec![added], None));
        wal = reopened;
    }
}

#[test]
#[should_panic(expected = "record 100 where 101 continues the log")]
fn another_index_breaks_the_invariant() {
    let (mut wal, _) = open_wal(&filled()).unwrap();
    wal.reset("base 100".into(), 101).unwrap();
    let _ = wal.write(&records(&[record(100, 9, "a")]));
}

#[test]
fn emptying_is_done_or_not_done() {
    for (operations, seed) in (0..40).flat_map(|operations| (0..8).map(move |s| (operations, s))) {
        let disk = filled();
        let (mut wal, _) = open_wal(&disk).unwrap();
        let before = contents(&wal);
        disk.die_after(operations);
        let done = wal.reset("base 100".into(), 101).is_ok();
        disk.revive();
        if seed > 0 {
            disk.crash(&mut Prng::named(seed, "crash"));
        }
        let (mut wal, recovered) = open_wal(&disk).unwrap();
        assert_eq!(recovered.loss, None);
        let emptied = text(&wal) == b"base 100";
        assert!(emptied || !done, "{operations} {seed}");
        let (expected, next) = if emptied { (vec![], 101) } else { (before, 12) };
        assert_eq!(contents(&wal), expected, "{operations} {seed}");
        commit(&mut wal, &records(&[record(next, 9, "on")]));
        assert_eq!(open_wal(&disk).unwrap().1.last_index, Some(next));
    }
}

#[test]
fn a_log_cut_empty_still_knows_its_next_index() {
    let disk = filled();
    let (mut wal, _) = open_wal(&disk).unwrap();
    for term in 0..8 {
        commit(&mut wal, &meta(&format!("term {term}")));
    }
    wal.cut_before(12).unwrap();
    assert_eq!(wal.last_index(), None);
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(12, 5, "on")]));
    assert_eq!(contents(&open_wal(&disk).unwrap().0), [record(12, 5, "on")]);
}

type Work = fn(&mut Wal<MemoryDisk>) -> Result<(), WriteError>;

/// Everything that writes. Each may be called again after it found no space.
const WORKS: [(&str, Work); 7] = [
    ("write", |wal| write_once(wal, &records(&[record(12, 9, &"x".repeat(900))]))),
    ("write into the next segment", |wal| {
        write_once(wal, &records(&[record(12, 9, &"x".repeat(2500))]))
    }),
    ("meta", |wal| write_once(wal, &meta("new"))),
    ("seal", |wal| wal.seal_if_idle().map(drop)),
    ("prepare", |wal| wal.prepare_ahead(1000).map(drop)),
    ("cut", |wal| wal.cut_before(10)),
    ("settle", |wal| wal.settle_loss().and_then(|()| wal.settle_meta())),
];

/// Writes the batch if it is not written yet, and makes it durable.
fn write_once(wal: &mut Wal<MemoryDisk>, batch: &Batch) -> Result<(), WriteError> {
    let last = batch.records.last().map(|(index, ..)| *index);
    let written = match last {
        Some(last) => wal.last_index() == Some(last),
        None => wal.meta() == batch.meta.as_ref(),
    };
    if !written {
        wal.write(batch)?;
    }
    wal.sync()
}

#[test]
fn a_full_disk_at_any_write_is_said_and_got_over() {
    for (name, work) in WORKS {
        for writes in 0.. {
            let disk = filled();
            if name == "settle" {
                disk.flip("wal-0000000000000002", 70, 1);
            }
            let (mut wal, _) = open_wal(&disk).unwrap();
            let before = contents(&wal);
            disk.fill_after(writes);
            let result = work(&mut wal);
            let full = matches!(result, Err(WriteError::Full(_)));
            assert!(full || result.is_ok(), "{name} {writes}: {result:?}");
            if full {
                // Reads go on, and what was durable stays so.
                let held = contents(&wal);
                let cut = name == "cut" && before.ends_with(&held);
                assert!(cut || held.starts_with(&before), "{name} {writes}");
                // A seal that is durable is merely missing from the manifest.
                let again = work(&mut wal);
                assert!(matches!(again, Err(WriteError::Full(_))) || name == "seal", "{name}");
                let crashed = disk.fork();
                let (reopened, recovered) = open_wal(&crashed).unwrap();
                let found = contents(&reopened);
                let cut = name == "cut" && before.ends_with(&found);
                assert!(cut || found.starts_with(&before), "{name} {writes}");
                assert!(recovered.loss.is_none() || name == "settle");
            }
            disk.make_room();
            work(&mut wal).unwrap();
            let next = wal.last_index().map_or(12, |last| last + 1);
            commit(
                &mut wal,
                &Batch { meta: Some("after".into()), ..records(&[record(next, 10, "y")]) },
            );
            let held = contents(&wal);
            let (reopened, recovered) = open_wal(&disk).unwrap();
            assert_eq!((contents(&reopened), recovered.loss), (held, None), "{name} {writes}");
            assert_eq!(text(&reopened), b"after");
            if !full {
                break;
            }
        }
    }
}

/// What found no space may be replaced by another batch of the same number.
#[test]
fn a_batch_without_space_never_returns_beside_its_replacement() {
    for (writes, seed) in (0..3).flat_map(|writes| (0..60).map(move |seed| (writes, seed))) {
        let disk = filled();
        let (mut wal, _) = open_wal(&disk).unwrap();
        let before = contents(&wal);
        disk.fill_after(writes);
        let refused = wal.write(&records(&[record(12, 7, &"refused".repeat(100))]));
        disk.make_room();
        if refused.is_ok() {
            continue;
        }
        let instead = record(12, 8, "instead");
        wal.write(&records(core::slice::from_ref(&instead))).unwrap();
        let synced = seed % 2 == 0 && wal.sync().is_ok();
        drop(wal);
        disk.crash(&mut Prng::named(seed, "crash"));
        let found = contents(&open_wal(&disk).unwrap().0);
        let whole = [&before[..], &[instead]].concat();
        assert!(found == whole || (!synced && found == before), "{writes} {seed}: {found:?}");
    }
}

#[test]
fn emptying_without_space_is_finished_when_there_is_some() {
    let mut halves = 0;
    for writes in 0.. {
        let disk = filled();
        let (mut wal, _) = open_wal(&disk).unwrap();
        let before = contents(&wal);
        disk.fill_after(writes);
        let result = wal.reset("base 100".into(), 101);
        let full = matches!(result, Err(WriteError::Full(_)));
        assert!(full || result.is_ok(), "{writes}: {result:?}");
        if full {
            assert_eq!(contents(&wal), before, "reads go on");
            assert!(matches!(wal.reset("base 100".into(), 101), Err(WriteError::Full(_))));
            let (crashed, recovered) = open_wal(&disk.fork()).unwrap();
            let is_done = contents(&crashed).is_empty() && text(&crashed) == b"base 100";
            assert!(is_done || contents(&crashed) == before, "all or nothing");
            assert_eq!(recovered.loss, None);
            if is_done {
                // What says so already must not be followed by anything but the rest of it.
                assert_eq!(wal.write(&meta("other")), Err(WriteError::Poisoned));
                halves += 1;
            }
            disk.make_room();
            wal.reset("base 100".into(), 101).unwrap();
        }
        disk.make_room();
        commit(&mut wal, &records(&[record(101, 9, "on")]));
        let (wal, recovered) = open_wal(&disk).unwrap();
        assert_eq!((contents(&wal), recovered.loss), (vec![record(101, 9, "on")], None));
        assert_eq!(text(&wal), b"base 100");
        if !full {
            break;
        }
    }
    assert!(halves > 0, "one slot of the two found space");
}

#[test]
fn a_batch_of_several_segments_goes_on_where_it_found_no_space() {
    let mut parts = 0;
    for writes in 0.. {
        let disk = filled();
        let (mut wal, _) = open_wal(&disk).unwrap();
        let before = contents(&wal);
        let large = (12..32).map(|index| record(index, 9, &"x".repeat(900)));
        let batch = Batch { meta: Some("large".into()), ..records(&large.collect::<Vec<_>>()) };
        disk.fill_after(writes);
        let result = wal.write(&batch);
        let full = matches!(result, Err(WriteError::Full(_)));
        assert!(full || result.is_ok(), "{writes}: {result:?}");
        let whole = [&before[..], &batch.records[..]].concat();
        if full {
            assert!(matches!(wal.write(&batch), Err(WriteError::Full(_))));
            let (crashed, recovered) = open_wal(&disk.fork()).unwrap();
            let found = contents(&crashed);
            assert!(found.len() >= before.len() && whole.starts_with(&found), "{writes}");
            assert_eq!(recovered.loss, None);
            parts += usize::from(found.len() > before.len());
            disk.make_room();
            wal.write(&batch).unwrap();
        }
        disk.make_room();
        wal.sync().unwrap();
        assert_eq!(contents(&wal), whole);
        let (reopened, recovered) = open_wal(&disk).unwrap();
        assert_eq!((contents(&reopened), recovered.loss), (whole, None), "{writes}");
        assert_eq!(text(&reopened), b"large");
        if !full {
            break;
        }
    }
    assert!(parts > 5, "{parts}");
}

#[test]
fn opening_without_space_changes_nothing() {
    for writes in 0..40 {
        let disk = filled();
        disk.flip("wal-0000000000000001", 600, 1);
        let expected = open_wal(&disk.fork()).unwrap();
        disk.fill_after(writes);
        if let Err(error) = open_wal(&disk) {
            assert!(error.to_string().contains("no space is left"), "{error}");
        }
        disk.make_room();
        let (wal, recovered) = open_wal(&disk).unwrap();
        assert_eq!(contents(&wal), contents(&expected.0), "{writes}");
        assert_eq!(recovered.loss, expected.1.loss, "{writes}");
    }
}

#[test]
fn metas_have_a_bound_that_can_be_used_up() {
    let disk = MemoryDisk::new();
    let options = storage::WalOptions { segment_bytes: 1 << 16, ..wal_options() };
    let (mut wal, _) = Wal::open(disk.clone(), options).unwrap();
    assert_eq!(wal.meta_bytes_max(), 4096);
    let longest = Bytes::from(vec![7; 4096]);
    commit(&mut wal, &Batch { meta: Some(longest.clone()), ..Batch::default() });
    wal.reset(longest.clone(), 5).unwrap();
    assert_eq!(Wal::open(disk, options).unwrap().1.meta, Some(longest));
}
