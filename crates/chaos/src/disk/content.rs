//! The bytes of one file, as the page cache shows them and as they would survive a power cut.
//!
//! Between two syncs every sector of 512 bytes that was written may, after a cut, hold what it held
//! at the last sync or what was written, each by itself. A sector is never half of both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Prng;

/// Bytes that a disk writes as one.
pub(crate) const SECTOR: u64 = 512;

/// Bytes that are kept together in memory.
const PAGE: u64 = 4096;

const PAGE_SECTORS: u64 = PAGE / SECTOR;

type Page = [u8; PAGE as usize];

/// Bytes with holes; holes read as zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bytes {
    len: u64,
    pages: BTreeMap<u64, Arc<Page>>,
}

impl Bytes {
    fn read(&self, offset: u64, size: u64) -> Vec<u8> {
        let end = (offset.saturating_add(size)).min(self.len);
        let mut out = Vec::with_capacity(end.saturating_sub(offset) as usize);
        let mut at = offset;
        while at < end {
            let (page, within) = (at / PAGE, at % PAGE);
            let until = end.min((page + 1) * PAGE);
            let range = within as usize..(within + until - at) as usize;
            match self.pages.get(&page) {
                Some(bytes) => out.extend_from_slice(&bytes[range]),
                None => out.resize(out.len() + range.len(), 0),
            }
            at = until;
        }
        out
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let within = (at % PAGE) as usize;
            let size = rest.len().min(PAGE as usize - within);
            let page = self.pages.entry(at / PAGE).or_insert_with(|| Arc::new([0; PAGE as usize]));
            Arc::make_mut(page)[within..within + size].copy_from_slice(&rest[..size]);
            at += size as u64;
            rest = &rest[size..];
        }
        self.len = self.len.max(at);
    }

    fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.split_off(&len.div_ceil(PAGE));
            let within = (len % PAGE) as usize;
            if within > 0
                && let Some(page) = self.pages.get_mut(&(len / PAGE))
            {
                Arc::make_mut(page)[within..].fill(0);
            }
        }
        self.len = len;
    }

    /// Takes one sector over from `other`.
    fn copy_sector(&mut self, other: &Self, sector: u64) {
        let (page, within) = (sector / PAGE_SECTORS, (sector % PAGE_SECTORS * SECTOR) as usize);
        let range = within..within + SECTOR as usize;
        let Some(from) = other.pages.get(&page) else {
            if let Some(to) = self.pages.get_mut(&page) {
                Arc::make_mut(to)[range].fill(0);
            }
            return;
        };
        let to = self.pages.entry(page).or_insert_with(|| Arc::new([0; PAGE as usize]));
        Arc::make_mut(to)[range.clone()].copy_from_slice(&from[range]);
    }
}

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Nothing.
    All,
    /// Sectors at random.
    Torn,
    /// What was written first, up to some sector.
    Tail,
}

/// One file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    durable: Bytes,
    current: Bytes,
    /// Sectors written since the last sync, in the order of their first write.
    dirty: Vec<u64>,
    is_dirty: BTreeSet<u64>,
    /// Sectors that a failed sync has declared clean: readable until the next cut, then gone.
    forgotten: BTreeSet<u64>,
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        self.current.len
    }

    /// Bytes of memory pages that the file occupies.
    pub(crate) fn occupied(&self) -> u64 {
        self.current.pages.len() as u64 * PAGE
    }

    /// Pages that a write of `size` bytes at `offset` would add.
    pub(crate) fn new_bytes(&self, offset: u64, size: u64) -> u64 {
        let pages = offset / PAGE..(offset + size).div_ceil(PAGE);
        pages.filter(|page| !self.current.pages.contains_key(page)).count() as u64 * PAGE
    }

    pub(crate) fn read(&self, offset: u64, size: u64) -> Vec<u8> {
        self.current.read(offset, size)
    }

    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        // A write behind the end makes a hole, and the sectors of the hole stay as they are.
        self.current.write(offset, data);
        self.touch(offset, offset + data.len() as u64);
    }

    pub(crate) fn set_len(&mut self, len: u64) {
        let (low, high) = (len.min(self.current.len), len.max(self.current.len));
        let shrinks = len < self.current.len;
        self.current.set_len(len);
        if shrinks {
            // The bytes behind the new end are zeros from now on, which has to become durable.
            self.touch(low, high);
        }
    }

    fn touch(&mut self, from: u64, until: u64) {
        for sector in from / SECTOR..until.div_ceil(SECTOR) {
            self.forgotten.remove(&sector);
            if self.is_dirty.insert(sector) {
                self.dirty.push(sector);
            }
        }
    }

    /// Whether a cut could change the file.
    pub(crate) fn pending(&self) -> u64 {
        let len = u64::from(self.durable.len != self.current.len);
        (self.dirty.len() + self.forgotten.len()) as u64 + len
    }

    /// Everything written so far survives.
    pub(crate) fn sync(&mut self) {
        self.durable.set_len(self.current.len);
        for sector in std::mem::take(&mut self.dirty) {
            self.durable.copy_sector(&self.current, sector);
        }
        self.is_dirty.clear();
    }

    /// What Linux file systems do when a sync fails: the pages are clean afterwards and yet not on
    /// the disk, and the next sync says that all is well.
    pub(crate) fn fail_sync(&mut self) {
        self.forgotten.extend(std::mem::take(&mut self.dirty));
        self.is_dirty.clear();
    }

    /// Power is cut; how many sectors were lost.
    pub(crate) fn cut(&mut self, loss: Loss, random: &mut Prng) -> u64 {
        let pending = self.pending();
        let keep: Vec<u64> = match loss {
            Loss::All => Vec::new(),
            Loss::Torn => self.dirty.iter().copied().filter(|_| random.chance(1, 2)).collect(),
            Loss::Tail => {
                let first = random.below(self.dirty.len() as u64 + 1) as usize;
                self.dirty[..first].to_vec()
            }
        };
        let mut left = std::mem::take(&mut self.durable);
        let (grown, is_len_pending) = (self.current.len > left.len, self.current.len != left.len);
        let keeps_len = match loss {
            Loss::All => false,
            Loss::Torn | Loss::Tail => random.chance(1, 2),
        };
        let last = keep.iter().max().map_or(0, |sector| (sector + 1) * SECTOR);
        let len = match (grown, keeps_len) {
            (_, true) => self.current.len,
            (true, false) => left.len.max(last.min(self.current.len)),
            (false, false) => left.len,
        };
        for sector in &keep {
            left.copy_sector(&self.current, *sector);
        }
        left.set_len(left.len.max(len));
        left.set_len(len);
        let kept = keep.len() as u64 + u64::from(is_len_pending && len == self.current.len);
        *self = Self { durable: left.clone(), current: left, ..Self::default() };
        pending.saturating_sub(kept)
    }

    /// Turns one bit of what is durable, in a page that is not all zeros (or else most bits would
    /// turn in space that is only reserved); `false` when there is none.
    pub(crate) fn rot(&mut self, random: &mut Prng) -> bool {
        let is_used = |page: &Page| page.iter().any(|byte| *byte != 0);
        let pages = self.durable.pages.iter().filter(|(_, page)| is_used(page));
        let pages: Vec<u64> = pages.map(|(number, _)| *number).collect();
        let Some(page) = random.pick(&pages).copied() else { return false };
        let within = PAGE.min(self.durable.len.saturating_sub(page * PAGE));
        let (byte, bit) = (random.below(within) as usize, random.below(8));
        for bytes in [&mut self.durable, &mut self.current] {
            if let Some(page) = bytes.pages.get_mut(&page) {
                Arc::make_mut(page)[byte] ^= 1 << bit;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> Prng {
        Prng::named(1, "content")
    }

    fn written(synced: &[u8], after: &[u8]) -> Content {
        let mut content = Content::default();
        content.write(0, synced);
        content.sync();
        content.write(0, after);
        content
    }

    #[test]
    fn synced_bytes_survive_and_others_may_not() {
        let mut content = written(&[1; 2000], &[2; 3000]);
        assert_eq!(content.read(0, 9000), [2; 3000]);
        assert!(content.cut(Loss::All, &mut random()) > 0);
        assert_eq!(content.read(0, 9000), [1; 2000]);
        assert_eq!(content.cut(Loss::All, &mut random()), 0);
    }

    #[test]
    fn torn_writes_mix_whole_sectors() {
        let mut random = random();
        let (mut old, mut new) = (0, 0);
        for _ in 0..50 {
            let mut content = written(&[1; 8192], &[2; 8192]);
            content.cut(Loss::Torn, &mut random);
            for sector in content.read(0, 8192).chunks(SECTOR as usize) {
                assert!(sector == [sector[0]; 512]);
                if sector[0] == 1 { old += 1 } else { new += 1 }
            }
        }
        assert!(old > 200 && new > 200, "{old} {new}");
        for _ in 0..50 {
            let mut content = written(&[1; 8192], &[2; 8192]);
            content.cut(Loss::Tail, &mut random);
            let bytes = content.read(0, 8192);
            assert!(bytes.is_sorted_by(|a, b| a >= b), "the first writes are kept");
        }
    }

    #[test]
    fn a_failed_sync_is_followed_by_one_that_lies() {
        let mut content = written(&[1; 1024], &[2; 1024]);
        content.fail_sync();
        content.sync();
        assert_eq!(content.read(0, 1024), [2; 1024], "still in the page cache");
        content.cut(Loss::Tail, &mut random());
        assert_eq!(content.read(0, 1024), [1; 1024]);
        // A later write of the same sectors is safe again.
        let mut content = written(&[1; 1024], &[2; 1024]);
        content.fail_sync();
        content.write(0, &[3; 1024]);
        content.sync();
        content.cut(Loss::All, &mut random());
        assert_eq!(content.read(0, 1024), [3; 1024]);
    }

    #[test]
    fn lengths_shrink_and_grow() {
        let mut content = written(&[7; 5000], &[]);
        content.set_len(100);
        content.set_len(6000);
        let expected: Vec<u8> = [[7; 100].as_slice(), &[0; 5900]].concat();
        assert_eq!(content.read(0, 9000), expected);
        content.sync();
        content.cut(Loss::All, &mut random());
        assert_eq!(content.read(0, 9000), expected);
        content.set_len(50);
        content.cut(Loss::All, &mut random());
        assert_eq!(content.len(), 6000);
        assert_eq!(content.read(0, 9000), expected);
    }

    #[test]
    fn one_bit_rots() {
        let mut random = random();
        for _ in 0..50 {
            let mut content = written(&[&[0; 8192], [1; 20].as_slice()].concat(), &[]);
            assert!(content.rot(&mut random));
            let bytes = content.read(0, 9000);
            let turned = bytes[8192..].iter().map(|byte| (byte ^ 1).count_ones()).sum::<u32>();
            assert_eq!((turned, bytes.len()), (1, 8212));
        }
        assert!(!written(&[0; 8192], &[]).rot(&mut random));
    }
}
