//! Records of the value log that are not what was written: found, and put right in place.
//!
//! A checksum is verified at every read, and a step of the background check ([`StateOrder::Scrub`])
//! now and then reads what nobody asked for, so that damage is found while others still hold the
//! record. Whatever is found is repaired from another member: each log entry has one record, the
//! same bytes on every member, so a record is named by its entry. The value log itself proves that
//! what came is what was written ([`storage::ValueLog::repair_run`]).
//!
//! A damaged read inside applying is never a result: applying stands still at that entry, what
//! is to be applied later waits here (no more than consensus hands out at a time), and it goes on
//! once the record is repaired. The first damaged record of a segment goes first, since each one
//! is proven by those before it.
//!
//! [`StateOrder::Scrub`]: crate::StateOrder::Scrub

use crate::interface::DamagedRecord;
use crate::state_store::{Halt, StateStore};
use bytes::Bytes;
use raft::{Entry, LogIndex};
use storage::{Disk, ReadError, RepairError, Scrub, Scrubbed, WriteError};

/// Records in one answer to another member; 4 KiB, which a disk loses at once, hold fewer.
const RECORDS_MAX: usize = 512;

/// About so many bytes of them.
const RECORDS_BYTES: u64 = 256 << 10;

/// What is known of the value log beside its content.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// The damaged record that is to be repaired next, and its offset.
    damaged: Option<(DamagedRecord, u64)>,
    /// Entries that wait for its repair.
    waiting: Vec<Entry>,
    /// A place that was damaged and, looked at again, was not.
    doubted: Option<u64>,
    scrub: Scrub,
    /// Rounds over a value log that has been replaced since.
    earlier_rounds: u64,
    pub(crate) repaired: u64,
}

impl Health {
    pub(crate) fn damaged(&self) -> Option<DamagedRecord> {
        self.damaged.map(|(damaged, _)| damaged)
    }

    pub(crate) fn scrub_rounds(&self) -> u64 {
        self.earlier_rounds + self.scrub.rounds()
    }

    /// The state is another one.
    pub(crate) fn renew(&mut self) {
        let (earlier_rounds, repaired) = (self.scrub_rounds(), self.repaired);
        *self = Self { earlier_rounds, repaired, ..Self::default() };
    }
}

impl<D: Disk> StateStore<D> {
    /// Whether applying stands still.
    pub(crate) fn is_halted(&self) -> bool {
        self.health.damaged.is_some_and(|(damaged, _)| damaged.halts)
    }

    /// These entries are applied after the repair.
    pub(crate) fn wait_with(&mut self, entries: &[Entry]) {
        self.health.waiting.extend_from_slice(entries);
    }

    /// What waited, if it need not wait any more.
    pub(crate) fn take_waiting(&mut self) -> Vec<Entry> {
        match self.is_halted() {
            true => Vec::new(),
            false => core::mem::take(&mut self.health.waiting),
        }
    }

    /// An entry needs the record at `offset`, which is damaged. If it is not on a second look, the
    /// entry is tried once more.
    pub(crate) fn halt_for(&mut self, offset: u64, reason: String) -> Result<(), Halt> {
        match self.first_damage(offset)? {
            Some((index, at)) => {
                self.note_damage(index, at, true);
                self.health.doubted = None;
                Ok(())
            }
            None if self.health.doubted == Some(offset) => {
                Err(Halt { index: self.applied() + 1, reason })
            }
            None => {
                self.health.doubted = Some(offset);
                Ok(())
            }
        }
    }

    /// A reader met damage at `offset`.
    pub(crate) fn inspect(&mut self, offset: u64) -> Result<(), Halt> {
        if let Some((index, at)) = self.first_damage(offset)? {
            self.note_damage(index, at, false);
        }
        Ok(())
    }

    /// Checks some more of the value log; nothing more while a record waits for its repair.
    pub(crate) fn scrub(&mut self, budget_bytes: u64) -> Result<Scrubbed, Halt> {
        if self.health.damaged.is_some() {
            return Ok(Scrubbed::More);
        }
        let log = self.kv.store().backing().log();
        match log.scrub(&mut self.health.scrub, budget_bytes) {
            Ok(scrubbed) => Ok(scrubbed),
            Err(ReadError::Damaged(_)) => {
                self.inspect(self.health.scrub.offset())?;
                Ok(Scrubbed::More)
            }
            Err(error) => Err(self.halt(&error)),
        }
    }

    /// The records of the entries from `index` on, for another member; none if the first one
    /// cannot be had here.
    pub(crate) fn records_from(&mut self, index: u64) -> Result<Vec<Bytes>, Halt> {
        let store = self.kv.store();
        let place = store.place_before_index(index).filter(|_| index <= self.applied());
        let Some(place) = place else { return Ok(Vec::new()) };
        let (mut at, mut from, mut bytes) = (place.index, place.offset, 0);
        let mut records = Vec::new();
        while records.len() < RECORDS_MAX && bytes < RECORDS_BYTES {
            let scanned = store.backing().log().scan(from, RECORDS_BYTES, &mut |_, record| {
                if at >= index && records.len() < RECORDS_MAX && bytes < RECORDS_BYTES {
                    bytes += record.len() as u64;
                    records.push(Bytes::copy_from_slice(record));
                }
                at += 1;
            });
            match scanned {
                Ok(storage::Scanned::More(next)) => from = next,
                Ok(storage::Scanned::End(_)) => break,
                Err(ReadError::Damaged(damage)) => {
                    let offset = self.offset_of(&damage);
                    self.inspect(offset)?;
                    break;
                }
                Err(error) => return Err(self.halt(&error)),
            }
        }
        Ok(records)
    }

    /// Puts the damaged record of the entry `index`, and those behind it that are damaged too,
    /// right. Answers `false` when there is no space for it.
    pub(crate) fn repair(&mut self, index: u64, records: &[Bytes]) -> Result<bool, Halt> {
        let is_that = |(damaged, _): &(DamagedRecord, u64)| damaged.index.get() == index;
        let Some((mut damaged, offset)) = self.health.damaged.filter(is_that) else {
            return Ok(true);
        };
        match self.kv.backing_mut().log_mut().repair_run(offset, records) {
            Ok(count) => {
                self.health.repaired += count as u64;
                self.health.damaged = None;
            }
            Err(RepairError::Write(WriteError::Full(_))) => return Ok(false),
            Err(RepairError::Write(error)) => {
                return Err(Halt { index: self.applied(), reason: error.to_string() });
            }
            Err(RepairError::Unproven { .. } | RepairError::OutOfRange { .. }) => {
                damaged.unproven += 1;
                self.health.damaged = Some((damaged, offset));
            }
        }
        Ok(true)
    }

    fn note_damage(&mut self, index: u64, offset: u64, halts: bool) {
        let index = LogIndex::new(index);
        let known = self.health.damaged.map(|(known, _)| known);
        let same = known.filter(|known| known.index == index);
        // What applying waits for goes first.
        if same.is_none() && known.is_some_and(|known| known.halts) && !halts {
            return;
        }
        let halts = halts || same.is_some_and(|known| known.halts);
        let unproven = same.map_or(0, |known| known.unproven);
        self.health.damaged = Some((DamagedRecord { index, halts, unproven }, offset));
    }

    /// The first damaged record between the beginning of the segment that holds `offset`, or
    /// somewhat before that, and the record at `offset`: its entry and where it begins.
    fn first_damage(&self, offset: u64) -> Result<Option<(u64, u64)>, Halt> {
        let (store, log) = (self.kv.store(), self.kv.store().backing().log());
        let segment = offset - offset % log.segment_bytes();
        let Some(place) = store.place_before_offset(segment) else { return Ok(None) };
        let mut index = place.index;
        let bytes = offset + 1 - place.offset;
        match log.scan(place.offset, bytes, &mut |_, _| index += 1) {
            Ok(_) => Ok(None),
            Err(ReadError::Damaged(damage)) => Ok(Some((index, self.offset_of(&damage)))),
            Err(error) => Err(self.halt(&error)),
        }
    }

    fn offset_of(&self, damage: &storage::Damage) -> u64 {
        damage.offset_in(self.kv.store().backing().log().segment_bytes())
    }

    fn halt(&self, error: &ReadError) -> Halt {
        Halt { index: self.applied(), reason: error.to_string() }
    }
}
