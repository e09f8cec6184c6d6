//! Random histories of the value log with crashes beside a plain list.

use crate::support::*;
use base::Prng;
use storage::memory::MemoryDisk;
use storage::{DiskOperation, WriteError};

struct World {
    disk: MemoryDisk,
    prng: Prng,
    /// Everything appended in this life and found at its start.
    values: Values,
    /// How many of them must survive.
    synced: usize,
    shortened: u32,
}

impl World {
    /// One life of the process, ended by a fault, a crash, or an ordinary end.
    fn live(&mut self) {
        let Ok((mut log, seen)) = open_values(&self.disk) else {
            return self.disk.crash(&mut self.prng);
        };
        assert!(seen.len() >= self.synced, "{} of {} synced records", seen.len(), self.synced);
        assert_eq!(seen, self.values[..seen.len()], "only what was appended, in order");
        self.shortened += u32::from(seen.len() < self.values.len());
        self.values = seen;
        for _ in 0..self.prng.below(30) {
            let result = match self.prng.below(8) {
                0 => log.sync().map(|()| self.synced = self.values.len()),
                1 if self.prng.chance(1, 3) => {
                    let operations = [DiskOperation::Sync, DiskOperation::WriteAt];
                    self.disk.fail(operations[self.prng.below(2) as usize], self.prng.below(4));
                    Ok(())
                }
                _ => self.append(&mut log),
            };
            match result {
                Ok(()) => {}
                Err(WriteError::Disk(_)) => break,
                Err(other) => panic!("{other}"),
            }
        }
        if self.prng.chance(3, 4) {
            self.disk.crash(&mut self.prng);
        }
    }

    fn append(&mut self, log: &mut storage::ValueLog<MemoryDisk>) -> Result<(), WriteError> {
        let mut payloads = Vec::new();
        for _ in 0..self.prng.between(1, 4) {
            let mut payload = vec![0; self.prng.below(200) as usize];
            self.prng.fill(&mut payload);
            payloads.push(payload);
        }
        let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        // Positions follow from the lengths: what fails may be found at the next opening.
        let mut end = log.end();
        let planned = slices.iter().map(|payload| {
            let extent = 12 + payload.len() as u64;
            if end % 512 + extent > 512 || (end.is_multiple_of(512) && end == log.end() && end > 0)
            {
                end = end.next_multiple_of(512);
            }
            let position = storage::Position { offset: end, len: payload.len() as u32 };
            end = position.end();
            (position, payload.to_vec())
        });
        let planned: Values = planned.collect();
        self.values.extend_from_slice(&planned);
        let positions = log.append_many(&slices)?;
        assert_eq!(positions, planned.iter().map(|(position, _)| *position).collect::<Vec<_>>());
        for (position, payload) in planned {
            assert_eq!(log.read(position).unwrap(), payload);
        }
        Ok(())
    }
}

#[test]
fn synced_records_survive_and_the_rest_is_a_first_part() {
    let mut shortened = 0;
    for seed in 0..300 {
        let (disk, prng) = (MemoryDisk::new(), Prng::named(seed, "values"));
        let mut world = World { disk, prng, values: Values::new(), synced: 0, shortened: 0 };
        for _ in 0..8 {
            world.live();
        }
        shortened += world.shortened;
    }
    assert!(shortened > 200, "{shortened} lives began with less than the one before wrote");
}
