//! Every kind of damage to every byte of a small folder, and crashes while it is dealt with.

use crate::support::*;
use base::Prng;
use bytes::Bytes;
use std::cell::Cell;
use std::collections::BTreeSet;
use storage::memory::MemoryDisk;
use storage::{Batch, Disk, Loss, OpenError, Wal, WalRecovered};

/// A log and everything that was ever in it.
struct History {
    disk: MemoryDisk,
    /// What it holds now.
    log: Vec<Record>,
    meta: Option<Bytes>,
    ever: BTreeSet<Record>,
    checks: Cell<u64>,
}

/// Three segments with metas, truncations, batches of one and of several sectors, and one that
/// is prepared; the first two were cut away.
fn history(sealed: bool) -> History {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    let (mut log, mut ever, mut next) = (Vec::<Record>::new(), BTreeSet::new(), 1);
    for step in 1..=22u64 {
        let mut batch = Batch::default();
        if step % 5 == 0 {
            next -= 2;
            batch.truncate_from = Some(next);
            log.retain(|(index, ..)| *index < next);
        }
        if step % 4 == 1 {
            batch.meta = Some(Bytes::from(format!("term {step}")));
        }
        for _ in 0..step % 3 + 1 {
            let text = format!("{step}.{next} ").repeat(20 + (step as usize * 7) % 60);
            batch.records.push(record(next, step, &text));
            next += 1;
        }
        commit(&mut wal, &batch);
        log.extend_from_slice(&batch.records);
        ever.extend(batch.records);
    }
    wal.cut_before(18).unwrap();
    let first = wal.first_index().unwrap();
    log.retain(|(index, ..)| *index >= first);
    if sealed {
        wal.seal_if_idle().unwrap();
    }
    while !wal.prepare_ahead(4096).unwrap() {}
    let meta = wal.meta().cloned();
    assert_eq!(contents(&wal), log);
    drop(wal);
    History { disk: disk.fork(), log, meta, ever, checks: Cell::new(0) }
}

impl History {
    fn end(&self) -> Option<(u64, u64)> {
        self.log.last().map(|(index, tag, _)| (*index, *tag))
    }

    /// What opening `damaged` says is the truth, and the log can be used. Returns whether it
    /// holds everything, names a loss, or is refused.
    fn check(&self, damaged: &MemoryDisk, case: &str) -> Outcome {
        let (mut wal, recovered) = match open_wal(damaged) {
            Ok(opened) => opened,
            Err(error @ (OpenError::Identity(_) | OpenError::Damaged(_))) => {
                assert!(error.to_string().len() > 40, "{case}: {error}");
                return Outcome::Refused;
            }
            Err(other) => panic!("{case}: {other}"),
        };
        if recovered.meta_is_certain {
            assert_eq!(recovered.meta, self.meta, "{case}");
        }
        let Some(loss) = recovered.loss.clone() else {
            assert_eq!(contents(&wal), self.log, "{case}");
            assert!(recovered.meta_is_certain, "{case}");
            return Outcome::Same;
        };
        self.check_loss(&wal, &loss, case);
        self.checks.update(|checks| checks + 1);
        if self.checks.get() % 5 != 1 {
            return Outcome::Loss;
        }
        // It can be written, and the loss is remembered until it is settled.
        let next = record(loss.first_missing, 99, "fetched");
        commit(&mut wal, &records(core::slice::from_ref(&next)));
        drop(wal);
        let (mut wal, again) = open_wal(damaged).unwrap();
        assert_eq!((again.loss, again.torn), (Some(loss), None), "{case}");
        assert_eq!(contents(&wal).last(), Some(&next), "{case}");
        wal.settle_loss().unwrap();
        assert_eq!(open_wal(damaged).unwrap().1.loss, None, "{case}");
        Outcome::Loss
    }

    fn check_loss(&self, wal: &Wal<MemoryDisk>, loss: &Loss, case: &str) {
        let prefix = contents(wal);
        if let Some((last, ..)) = prefix.last() {
            assert_eq!(last + 1, loss.first_missing, "{case}");
        }
        let last = self.log.first().map_or(0, |(first, ..)| first + prefix.len() as u64);
        if loss.prefix_is_certain && last > 0 {
            assert_eq!(prefix, self.log[..prefix.len()], "{case}");
        }
        assert!(prefix.iter().all(|record| self.ever.contains(record)), "{case}");
        assert!(loss.owed.is_some() && loss.owed <= self.end(), "{case}: {:?}", loss.owed);
        if loss.end_is_exact {
            assert_eq!(loss.owed, self.end(), "{case}");
        }
        if let Some((first, ..)) = loss.salvaged.first() {
            let start = (first - self.log[0].0) as usize;
            assert_eq!(loss.salvaged, self.log[start..start + loss.salvaged.len()], "{case}");
            let (last, tag, _) = loss.salvaged.last().unwrap();
            assert_eq!(Some((*last, *tag)), loss.owed, "{case}");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Same,
    Loss,
    Refused,
}

/// Counts outcomes by their order above.
fn tally(outcomes: impl IntoIterator<Item = Outcome>) -> [u32; 3] {
    let mut counts = [0; 3];
    for outcome in outcomes {
        counts[outcome as usize] += 1;
    }
    counts
}

#[test]
fn every_flipped_byte_of_every_file_is_named_or_harmless() {
    let history = history(true);
    let mut outcomes = Vec::new();
    for file in history.disk.list().unwrap() {
        for (offset, byte) in (0..).zip(history.disk.bytes(&file)) {
            let all: [u8; 3] = [1, 0x80, 0xff];
            let masks = if byte == 0 { &all[offset as usize % 3..][..1] } else { &all };
            for mask in masks {
                let damaged = history.disk.fork();
                damaged.flip(&file, offset, *mask);
                outcomes.push(history.check(&damaged, &format!("{file} {offset} {mask}")));
            }
        }
    }
    let [same, loss, refused] = tally(outcomes);
    assert!(same > 10_000 && loss > 20_000 && refused > 300, "{same} {loss} {refused}");
}

#[test]
fn every_truncation_of_every_file_is_named_or_harmless() {
    let history = history(true);
    let mut outcomes = Vec::new();
    for file in history.disk.list().unwrap() {
        for len in 0..history.disk.bytes(&file).len() as u64 {
            let mut damaged = history.disk.fork();
            damaged.set_len(&file, len).unwrap();
            outcomes.push(history.check(&damaged, &format!("{file} cut to {len}")));
        }
        let mut damaged = history.disk.fork();
        damaged.remove(&file).unwrap();
        outcomes.push(history.check(&damaged, &format!("{file} removed")));
    }
    let [same, loss, refused] = tally(outcomes);
    assert!(same > 10_000 && loss > 5000 && refused > 100, "{same} {loss} {refused}");
}

/// Both slots and one place of the log at once: the worst that two faults can do to a vote.
#[test]
fn a_meta_that_may_be_stale_is_never_called_certain() {
    let history = history(true);
    let mut uncertain = 0;
    for file in ["wal-0000000000000004", "wal-0000000000000005", "manifest-0", "manifest-1"] {
        for offset in (0..4096).step_by(11) {
            let damaged = history.disk.fork();
            damaged.flip(file, offset, 0x10);
            damaged.flip("manifest-0", 9, 1);
            damaged.flip("manifest-1", 9, 1);
            if let Ok((_, recovered)) = open_wal(&damaged) {
                let certain = recovered.meta_is_certain;
                assert!(!certain || recovered.meta == history.meta, "{file} {offset}");
                uncertain += u32::from(!certain);
            }
        }
    }
    assert!(uncertain > 500, "{uncertain}");
}

/// One slot and the batch with the newest vote: the other slot still has it.
#[test]
fn a_slot_and_the_last_batch_damaged_together_leave_the_vote() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(1, 1, "one")]));
    commit(&mut wal, &meta("vote for 1 in term 8"));
    commit(&mut wal, &meta("vote for 3 in term 9"));
    for slot in ["manifest-0", "manifest-1"] {
        for offset in 1024..1024 + 108 {
            let damaged = disk.fork();
            damaged.flip(slot, 100, 1);
            damaged.flip("wal-0000000000000001", offset, 1);
            let (_, recovered) = open_wal(&damaged).unwrap();
            assert_eq!(recovered.meta.as_deref(), Some(&b"vote for 3 in term 9"[..]));
            assert!(recovered.meta_is_certain);
        }
    }
}

#[test]
fn every_unreadable_sector_is_named_or_harmless() {
    let history = history(true);
    let mut outcomes = Vec::new();
    for file in history.disk.list().unwrap().iter().filter(|file| *file != "identity") {
        for offset in (0..history.disk.bytes(file).len() as u64).step_by(512) {
            let damaged = history.disk.fork();
            damaged.spoil(file, offset);
            outcomes.push(history.check(&damaged, &format!("{file} {offset} unreadable")));
        }
    }
    let [same, loss, refused] = tally(outcomes);
    assert!(same > 30 && loss > 10 && refused == 0, "{same} {loss} {refused}");
}

#[test]
fn a_disk_that_fails_as_a_whole_is_no_damage() {
    let history = history(true);
    for operations in 0..60 {
        let dead = history.disk.fork();
        dead.die_after(operations);
        if let Err(error) = open_wal(&dead) {
            assert!(matches!(error, OpenError::Disk(_)), "{error}");
        }
        dead.revive();
        assert_eq!(history.check(&dead, "revived"), Outcome::Same);
    }
}

type Damage = fn(&mut MemoryDisk);

/// One of each kind.
const DAMAGES: [(&str, Damage); 8] = [
    ("first segment", |disk| disk.flip("wal-0000000000000003", 70, 1)),
    ("middle", |disk| disk.flip("wal-0000000000000004", 70, 1)),
    ("header", |disk| disk.flip("wal-0000000000000004", 9, 1)),
    ("cut file", |disk| disk.set_len("wal-0000000000000004", 700).unwrap()),
    ("first file gone", |disk| disk.remove("wal-0000000000000003").unwrap()),
    ("last file gone", |disk| disk.remove("wal-0000000000000005").unwrap()),
    ("unreadable", |disk| disk.spoil("wal-0000000000000004", 600)),
    ("slots", |disk| {
        disk.flip("manifest-0", 9, 1);
        disk.flip("manifest-1", 9, 1);
    }),
];

fn state(opened: (Wal<MemoryDisk>, WalRecovered)) -> (Vec<Record>, WalRecovered) {
    (contents(&opened.0), WalRecovered { torn: None, sealed: false, ..opened.1 })
}

/// Lets the process die before each operation of `work` in turn, then the machine crash or not.
/// Shows `check` every folder that is left, with whether `work` had ended.
fn with_every_death(
    disk: &MemoryDisk,
    work: &dyn Fn(&MemoryDisk) -> bool,
    check: &dyn Fn(&MemoryDisk, bool, &str),
) {
    for operations in 0.. {
        let mut ended = false;
        for seed in 0..5 {
            let cut = disk.fork();
            cut.die_after(operations);
            ended = work(&cut);
            let died = cut.revive();
            if seed > 0 {
                cut.crash(&mut Prng::named(seed, "crash"));
            }
            check(&cut, ended, &format!("operation {operations}, seed {seed}"));
            ended &= !died;
        }
        if ended {
            assert!(operations > 5, "{operations}");
            return;
        }
    }
}

#[test]
fn a_crash_anywhere_while_damage_is_dealt_with_changes_nothing() {
    let history = history(false);
    for (name, damage) in DAMAGES {
        let mut damaged = history.disk.fork();
        damage(&mut damaged);
        let expected = state(open_wal(&damaged.fork()).unwrap());
        assert!(expected.1.loss.is_some(), "{name}");
        let again = damaged.fork();
        open_wal(&again).unwrap();
        assert_eq!(state(open_wal(&again).unwrap()), expected, "{name}");
        with_every_death(&damaged, &|disk| open_wal(disk).is_ok(), &|disk, _, case| {
            let found = state(open_wal(disk).unwrap());
            assert_eq!(found.1.loss, expected.1.loss, "{name}, {case}");
            assert_eq!(found, expected, "{name}, {case}");
            history.check(disk, case);
        });
    }
}

#[test]
fn a_crash_anywhere_while_a_loss_is_settled_settles_it_or_not() {
    let history = history(false);
    DAMAGES[1].1(&mut history.disk.clone());
    open_wal(&history.disk).unwrap();
    let settle =
        |disk: &MemoryDisk| open_wal(disk).is_ok_and(|(mut wal, _)| wal.settle_loss().is_ok());
    with_every_death(&history.disk, &settle, &|disk, settled, case| {
        let loss = open_wal(disk).unwrap().1.loss;
        assert!(loss.is_none() || !settled, "{case}");
        if let Some(loss) = loss {
            assert!(!loss.salvaged.is_empty(), "{case}");
        }
        assert_eq!(
            disk.list().unwrap().contains(&"salvage".to_owned()),
            !settled && open_wal(disk).unwrap().1.loss.is_some(),
            "{case}"
        );
    });
}

/// A later batch that dropped records is intact: so are those before the damage that it left.
#[test]
fn records_that_a_later_batch_dropped_do_not_come_back() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(1, 1, "a"), record(2, 1, "b"), record(3, 1, "c")]));
    commit(&mut wal, &records(&[record(4, 1, "lost")]));
    commit(&mut wal, &Batch { truncate_from: Some(2), ..records(&[record(2, 2, "B")]) });
    disk.flip("wal-0000000000000001", 512 + 90, 1);
    for _ in 0..2 {
        let (wal, recovered) = open_wal(&disk).unwrap();
        assert_eq!(contents(&wal), [record(1, 1, "a")]);
        let loss = recovered.loss.unwrap();
        assert_eq!((loss.first_missing, loss.owed), (2, Some((2, 2))));
        assert_eq!(loss.salvaged, [record(2, 2, "B")]);
        assert!(loss.end_is_exact && loss.prefix_is_certain);
    }
    // Where the dropping batch itself cannot be read, the log does not claim to know.
    let disk = MemoryDisk::new();
    let (mut wal, _) = open_wal(&disk).unwrap();
    commit(&mut wal, &records(&[record(1, 1, "a"), record(2, 1, "b")]));
    commit(&mut wal, &Batch { truncate_from: Some(2), ..records(&[record(2, 2, "B")]) });
    commit(&mut wal, &records(&[record(3, 2, "C")]));
    disk.flip("wal-0000000000000001", 512 + 9, 1);
    let loss = open_wal(&disk).unwrap().1.loss.unwrap();
    assert_eq!((loss.first_missing, loss.owed), (3, Some((3, 2))));
    assert!(loss.end_is_exact && !loss.prefix_is_certain);
}

#[test]
fn damage_found_before_the_last_was_settled_is_added_to_it() {
    let history = history(true);
    history.disk.flip("wal-0000000000000005", 70, 1);
    let (mut wal, recovered) = open_wal(&history.disk).unwrap();
    let first = recovered.loss.unwrap();
    commit(&mut wal, &records(&[record(first.first_missing, 50, "on")]));
    history.disk.flip("wal-0000000000000004", 70, 1);
    let loss = open_wal(&history.disk).unwrap().1.loss.unwrap();
    assert!(loss.first_missing < first.first_missing);
    // The later term is the later end.
    assert_eq!(loss.owed, Some((first.first_missing, 50)));
    assert_eq!(loss.damage.segment, Some(4));
}

/// The disk says that it wrote, and did not, or wrote elsewhere; then the log is sealed.
#[test]
fn lost_and_misdirected_writes_are_named() {
    for to in [None, Some(512), Some(1024), Some(2048), Some(3584)] {
        for lost in 1..=6 {
            let disk = MemoryDisk::new();
            let (mut wal, _) = open_wal(&disk).unwrap();
            let mut log = Vec::new();
            for index in 1..=6 {
                let added = record(index, index, &format!("value {index}"));
                if index == lost {
                    disk.misdirect(0, to);
                }
                commit(&mut wal, &records(core::slice::from_ref(&added)));
                log.push(added);
            }
            wal.seal_if_idle().unwrap();
            let (wal, recovered) = open_wal(&disk).unwrap();
            if to == Some((lost - 1) * 512) {
                assert_eq!((contents(&wal), recovered.loss), (log, None));
                continue;
            }
            let loss = recovered.loss.unwrap();
            let prefix = contents(&wal);
            assert_eq!(prefix, log[..prefix.len()], "{lost} {to:?}");
            assert_eq!((loss.owed, loss.end_is_exact), (Some((6, 6)), true), "{lost} {to:?}");
            assert!(prefix.len() < 6 && loss.first_missing == prefix.len() as u64 + 1);
            assert!(loss.salvaged.iter().all(|record| log.contains(record)));
        }
    }
}
