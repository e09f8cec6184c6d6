//! Random histories with crashes and failing disks beside a plain model.

use crate::support::*;
use base::Prng;
use bytes::Bytes;
use storage::memory::MemoryDisk;
use storage::{Batch, DiskOperation, Wal, WriteError};

/// What a log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    records: Vec<Record>,
    meta: Option<Bytes>,
}

impl Model {
    fn last(&self) -> Option<u64> {
        self.records.last().map(|(index, ..)| *index)
    }

    /// The model after the meta, the truncation and the first `count` records of `batch`.
    fn after(&self, batch: &Batch, count: usize) -> Self {
        let mut after = self.clone();
        after.meta = batch.meta.clone().or(after.meta);
        if let Some(from) = batch.truncate_from {
            after.records.retain(|(index, ..)| *index < from);
        }
        after.records.extend_from_slice(&batch.records[..count]);
        after
    }

    /// Whether `found` is this model, but for records cut away at the front.
    fn agrees(&self, found: &Self, cut_below: u64) -> bool {
        let start = found.records.first().map_or(u64::MAX, |(index, ..)| *index);
        let hidden = self.records.iter().take_while(|(index, ..)| *index < start).count();
        // Everything from `cut_below` on must be there.
        let hidden_needed = self.records[..hidden].iter().any(|(index, ..)| *index >= cut_below);
        self.meta == found.meta && !hidden_needed && self.records[hidden..] == found.records
    }
}

struct World {
    disk: MemoryDisk,
    wal: Option<Wal<MemoryDisk>>,
    /// What was acknowledged.
    durable: Model,
    /// The batch that was written and neither acknowledged nor lost yet.
    pending: Option<Batch>,
    cut_below: u64,
    prng: Prng,
    kept: u32,
    lost: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            disk: MemoryDisk::new(),
            wal: None,
            durable: Model::default(),
            pending: None,
            cut_below: 0,
            prng: Prng::named(seed, "world"),
            kept: 0,
            lost: 0,
        }
    }

    /// Opens the log, possibly crashing on the way, and compares it with what was promised.
    fn open(&mut self) {
        while self.wal.is_none() {
            if self.prng.chance(1, 4) {
                self.plan_fault();
            }
            match open_wal(&self.disk) {
                Ok((wal, recovered)) => {
                    assert_eq!(recovered.loss, None);
                    assert!(recovered.meta_is_certain);
                    let found = Model { records: contents(&wal), meta: recovered.meta };
                    self.check(found);
                    self.wal = Some(wal);
                }
                Err(error) => {
                    assert!(error.to_string().contains("a planned fault"), "{error}");
                    self.disk.crash(&mut self.prng);
                }
            }
        }
    }

    fn check(&mut self, found: Model) {
        let promised = core::mem::take(&mut self.durable);
        if promised.agrees(&found, self.cut_below) {
            self.lost += u32::from(self.pending.take().is_some());
        } else {
            let Some(pending) = self.pending.take() else {
                panic!("promised {promised:?}\nfound {found:?}");
            };
            let possible = (0..=pending.records.len()).map(|count| promised.after(&pending, count));
            let agrees = possible.into_iter().any(|model| model.agrees(&found, self.cut_below));
            assert!(agrees, "promised {promised:?}\nthen {pending:?}\nfound {found:?}");
            self.kept += 1;
        }
        // What an opened log shows is durable.
        self.durable = found;
    }

    fn plan_fault(&mut self) {
        use DiskOperation::{Create, Rename, SetLen, Sync, SyncDir, WriteAt};
        let operations = [Create, Rename, SetLen, Sync, Sync, SyncDir, WriteAt, WriteAt];
        if let Some(operation) = self.prng.pick(&operations).copied() {
            self.disk.fail(operation, self.prng.below(6));
        }
    }

    fn batch(&mut self) -> Batch {
        let mut batch = Batch::default();
        if self.prng.chance(1, 5) {
            let mut meta = vec![0; self.prng.below(60) as usize];
            self.prng.fill(&mut meta);
            batch.meta = Some(meta.into());
        }
        let mut next = self.durable.last().map(|last| last + 1);
        if let (Some(at), true) = (next, self.prng.chance(1, 6)) {
            let from = at.saturating_sub(self.prng.below(5));
            if from >= self.cut_below {
                batch.truncate_from = Some(from);
                let remain = self.durable.records.first().is_some_and(|(first, ..)| *first < from);
                next = remain.then_some(from);
            }
        }
        let first = next.unwrap_or_else(|| self.cut_below.max(1) + self.prng.below(3));
        let sizes = [0, 10, 100, 700, 2000];
        let count = if self.prng.chance(1, 30) { 12 } else { self.prng.below(5) };
        for index in first..first + count {
            let size = sizes[self.prng.below(sizes.len() as u64) as usize];
            let mut payload = vec![0; size];
            self.prng.fill(&mut payload);
            batch.records.push((index, index / 3 + self.prng.below(2), payload.into()));
        }
        batch
    }

    fn step(&mut self) {
        let Some(mut wal) = self.wal.take() else { return self.open() };
        let result = match self.prng.below(20) {
            0 => return self.disk.crash(&mut self.prng),
            // The process ends, the machine does not.
            1 => return,
            2 => wal.seal_if_idle().map(drop),
            3 => wal.prepare_ahead(1 + self.prng.below(3000)).map(drop),
            4 => {
                let below = self.durable.last().unwrap_or(0).saturating_sub(self.prng.below(8));
                self.cut_below = self.cut_below.max(below);
                wal.cut_before(self.cut_below)
            }
            5 => {
                self.plan_fault();
                Ok(())
            }
            _ => {
                let batch = self.batch();
                self.pending = Some(batch.clone());
                let written = wal.write(&batch);
                if written.is_ok() && self.prng.chance(1, 10) {
                    return self.disk.crash(&mut self.prng);
                }
                written.and_then(|()| wal.sync()).map(|()| {
                    self.durable = self.durable.after(&batch, batch.records.len());
                    self.pending = None;
                })
            }
        };
        match result {
            Ok(()) => self.wal = Some(wal),
            // The process ends at a failed write or sync; sometimes the machine does too.
            Err(WriteError::Disk(_)) if self.prng.chance(1, 2) => self.disk.crash(&mut self.prng),
            Err(WriteError::Disk(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn every_acknowledged_batch_survives_random_histories() {
    let (mut kept, mut lost) = (0, 0);
    for seed in 0..600 {
        let mut world = World::new(seed);
        for _ in 0..60 {
            world.step();
        }
        world.wal = None;
        world.disk.crash(&mut world.prng);
        world.open();
        (kept, lost) = (kept + world.kept, lost + world.lost);
    }
    assert!(kept > 100 && lost > 100, "{kept} unacknowledged batches kept, {lost} lost");
}
