//! One file: what a process reads, what the platter holds, and where the two or the platter and
//! the truth differ.

use core::ops::Range;

use base::Prng;

use super::{PowerCut, SECTOR_BYTES};
use crate::faults::FaultId;

/// Syncs of a file after which a sector counts as old: a later batch stands behind it, so that
/// its damage can be told from a write that was never finished.
const OLD_AFTER_SYNCS: u32 = 2;

/// Bytes that were synced and are not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Injury {
    fault: FaultId,
    sector: usize,
    kind: InjuryKind,
    /// Syncs of the file when it happened.
    at_sync: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InjuryKind {
    /// The bytes are others.
    Changed,
    /// Reading fails.
    Unreadable,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// As a process reads it.
    cached: Vec<u8>,
    /// As it is on the platter.
    durable: Vec<u8>,
    /// For each sector the number of the sync that wrote it last; [`DIRTY`] = written since.
    synced_at: Vec<u32>,
    /// Sectors written since the last sync.
    dirty: Vec<usize>,
    /// Sectors that a failed sync forgot: the cache differs from the platter until a power cut.
    forgotten: Vec<usize>,
    syncs: u32,
    injuries: Vec<Injury>,
}

/// Marks a sector that was written since the last sync.
const DIRTY: u32 = u32::MAX;

impl Inode {
    pub(super) fn len(&self) -> usize {
        self.cached.len()
    }

    pub(super) fn injuries(&self) -> &[Injury] {
        &self.injuries
    }

    pub(super) fn is_provable(&self) -> bool {
        self.injuries.iter().all(|injury| injury.at_sync + OLD_AFTER_SYNCS <= self.syncs)
    }

    /// Whether a power cut would change nothing. What a failed sync forgot may be on the platter
    /// all the same: bytes that were written over by the same ones, or cut off since.
    pub(super) fn is_clean(&self) -> bool {
        let is_there = |sector: &usize| {
            let range = sector_range(*sector, self.cached.len());
            self.durable.get(range.clone()) == self.cached.get(range)
        };
        self.dirty.is_empty() && self.forgotten.iter().all(is_there)
    }

    fn touch(&mut self, sectors: Range<usize>) {
        self.synced_at.resize(self.synced_at.len().max(sectors.end), 0);
        for sector in sectors {
            if self.synced_at[sector] != DIRTY {
                self.synced_at[sector] = DIRTY;
                self.dirty.push(sector);
            }
        }
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        if self.cached.len() < end {
            self.set_len(end);
        }
        self.cached[offset..end].copy_from_slice(bytes);
        self.touch(offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
        if !self.injuries.is_empty() {
            let whole = offset.div_ceil(SECTOR_BYTES)..end / SECTOR_BYTES;
            self.injuries.retain(|injury| !whole.contains(&injury.sector));
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        let (short, long) = (self.cached.len().min(len), self.cached.len().max(len));
        self.cached.resize(len, 0);
        self.touch(short / SECTOR_BYTES..long.div_ceil(SECTOR_BYTES));
    }

    /// Copies to `buffer`; notes the faults whose injuries it meets.
    pub(super) fn read(
        &self,
        offset: usize,
        buffer: &mut [u8],
        struck: &mut Vec<FaultId>,
    ) -> Result<(), ()> {
        let range = offset..offset + buffer.len();
        buffer.copy_from_slice(&self.cached[range.clone()]);
        let sectors = range.start / SECTOR_BYTES..range.end.div_ceil(SECTOR_BYTES);
        let mut result = Ok(());
        for injury in self.injuries.iter().filter(|injury| sectors.contains(&injury.sector)) {
            struck.push(injury.fault);
            if injury.kind == InjuryKind::Unreadable {
                result = Err(());
            }
        }
        result
    }

    pub(super) fn sync(&mut self) {
        self.syncs += 1;
        self.durable.resize(self.cached.len(), 0);
        for run in self.dirty.chunk_by(|a, b| a + 1 == *b) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            self.synced_at[*first..=*last].fill(self.syncs);
            let len = self.cached.len();
            let range = sector_range(*first, len).start..sector_range(*last, len).end;
            self.durable[range.clone()].copy_from_slice(&self.cached[range]);
        }
        if !self.forgotten.is_empty() {
            self.forgotten.retain(|forgotten| !self.dirty.contains(forgotten));
        }
        self.dirty.clear();
    }

    /// A sync failed: what it was to write counts as clean and is not on the platter.
    pub(super) fn forget(&mut self) {
        for sector in core::mem::take(&mut self.dirty) {
            self.synced_at[sector] = self.syncs;
            self.forgotten.push(sector);
        }
    }

    /// Returns how many sectors did not survive whole.
    pub(super) fn power_cut(&mut self, cut: PowerCut, random: &mut Prng) -> u64 {
        let mut lost = 0;
        let keeps_len = match cut {
            PowerCut::KeepAll => true,
            PowerCut::LoseAll => false,
            PowerCut::Mixed | PowerCut::Garbled => random.chance(1, 2),
        };
        if keeps_len {
            self.durable.resize(self.cached.len(), 0);
        }
        let mut dirty = core::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        for &sector in &dirty {
            let range = sector_range(sector, self.cached.len().min(self.durable.len()));
            let kept = match cut {
                PowerCut::KeepAll => range,
                PowerCut::LoseAll => range.start..range.start,
                PowerCut::Garbled if random.chance(1, 4) => self.garble(range, random),
                PowerCut::Mixed | PowerCut::Garbled => match random.below(3) {
                    0 => range,
                    1 => range.start..range.start,
                    _ => torn(range, random),
                },
            };
            lost += u64::from(kept.len() < SECTOR_BYTES);
            self.durable[kept.clone()].copy_from_slice(&self.cached[kept]);
        }
        // Whoever reads now reads the platter.
        self.cached.resize(self.durable.len(), 0);
        dirty.extend(core::mem::take(&mut self.forgotten));
        for sector in dirty {
            self.synced_at[sector] = 0;
            let range = sector_range(sector, self.durable.len());
            self.cached[range.clone()].copy_from_slice(&self.durable[range]);
        }
        self.synced_at.truncate(self.durable.len().div_ceil(SECTOR_BYTES));
        lost
    }

    /// Fills the bytes of a sector that were to change with noise; nothing else of it is kept.
    fn garble(&mut self, range: Range<usize>, random: &mut Prng) -> Range<usize> {
        let differs = |at: &usize| self.cached[*at] != self.durable[*at];
        if let (Some(first), Some(last)) =
            (range.clone().find(differs), range.clone().rev().find(differs))
        {
            random.fill(&mut self.durable[first..=last]);
        }
        range.start..range.start
    }

    pub(super) fn has_old_sectors(&self) -> bool {
        self.syncs > OLD_AFTER_SYNCS && !self.durable.is_empty()
    }

    fn is_old(&self, sector: usize) -> bool {
        let synced_at = self.synced_at[sector];
        synced_at != DIRTY && synced_at > 0 && synced_at + OLD_AFTER_SYNCS <= self.syncs
    }

    /// Hurts an old sector, if there is one.
    pub(super) fn injure(&mut self, fault: FaultId, kind: InjuryKind, random: &mut Prng) -> bool {
        let old: Vec<usize> =
            (0..self.durable.len() / SECTOR_BYTES).filter(|sector| self.is_old(*sector)).collect();
        let Some(&sector) = random.pick(&old) else { return false };
        if kind == InjuryKind::Changed {
            let at = sector * SECTOR_BYTES + random.below(SECTOR_BYTES as u64) as usize;
            let flip = 1 << random.below(8);
            self.cached[at] ^= flip;
            self.durable[at] ^= flip;
        }
        self.injuries.push(Injury { fault, sector, kind, at_sync: self.syncs - OLD_AFTER_SYNCS });
        true
    }

    /// Writes `bytes` to another place, if there is one: that place and the intended one are
    /// both hurt.
    pub(super) fn misdirect(
        &mut self,
        fault: FaultId,
        offset: usize,
        bytes: &[u8],
        random: &mut Prng,
    ) -> bool {
        let places = self.len().saturating_sub(bytes.len()) / SECTOR_BYTES;
        let landing = random.below(places as u64 + 1) as usize * SECTOR_BYTES;
        let is_apart = landing + bytes.len() <= offset || offset + bytes.len() <= landing;
        if places == 0 || bytes.is_empty() || !is_apart || offset + bytes.len() > self.len() {
            return false;
        }
        let at_sync = self.syncs + 1;
        self.write(landing, bytes);
        for place in [offset, landing] {
            for sector in place / SECTOR_BYTES..(place + bytes.len()).div_ceil(SECTOR_BYTES) {
                let kind = InjuryKind::Changed;
                self.injuries.push(Injury { fault, sector, kind, at_sync });
            }
        }
        true
    }
}

/// The first or the last bytes of a sector.
fn torn(range: Range<usize>, random: &mut Prng) -> Range<usize> {
    let at = range.start + random.below(range.len() as u64 + 1) as usize;
    if random.chance(1, 2) { range.start..at } else { at..range.end }
}

fn sector_range(sector: usize, len: usize) -> Range<usize> {
    let start = (sector * SECTOR_BYTES).min(len);
    start..(start + SECTOR_BYTES).min(len)
}
