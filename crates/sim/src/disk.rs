//! A disk that keeps only what it must: sectors, a cache in front of them, and power cuts.
//!
//! Every write goes to the cache. [`SimDisk::sync`](storage::Disk::sync) moves the cached sectors
//! of one file to the platter. What a crash leaves depends on its kind:
//!
//! * the *process* dies: the cache stays, so the next process reads bytes that are not durable;
//! * the *power* goes: each cached sector is on its own kept, lost, or torn at a random byte; a
//!   length that was not synced and names changed since the last directory sync may be lost.
//!
//! A failed sync marks its sectors clean without writing them, as common file systems do
//! (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020): a later
//! sync says Ok, the bytes can be read until the power goes, and then they are gone.
//!
//! A *fuse* lets the process die in the middle of something: after a number of further operations
//! every operation fails, and the world takes the process down.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use base::Prng;
use storage::{Disk, DiskError, DiskErrorKind, DiskOperation};

/// What one write of the device makes durable as a whole, at best.
pub const SECTOR_BYTES: usize = 512;

/// How much of the cache a power cut leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerCut {
    /// All of it: the cut came just after everything had been written.
    KeepAll,
    /// Nothing.
    LoseAll,
    /// Each sector for itself: kept, lost or torn.
    Mixed,
}

/// What the disk has done, for counting effects of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCounts {
    /// Syncs that succeeded.
    pub syncs: u64,
    /// Syncs that were made to fail.
    pub syncs_failed: u64,
    /// Cached sectors lost or torn by power cuts.
    pub sectors_lost: u64,
}

/// A handle to one member's folder; clones share it, and it outlives the processes using it.
#[derive(Clone, Debug)]
pub struct SimDisk(Rc<RefCell<Platter>>);

#[derive(Clone, Debug)]
struct Platter {
    random: Prng,
    next_inode: u64,
    inodes: BTreeMap<u64, Inode>,
    /// The folder as a process sees it.
    names: BTreeMap<String, u64>,
    /// The folder as it is on the platter.
    durable_names: BTreeMap<String, u64>,
    /// Changes of names since the last directory sync.
    changes: Vec<NameChange>,
    /// Operations left until the process dies; 0 = it is dead.
    fuse: Option<u64>,
    fail_next_sync: bool,
    counts: DiskCounts,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    /// As a process reads it.
    cached: Vec<u8>,
    /// As it is on the platter.
    durable: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Link { name: String, inode: u64 },
    Rename { from: String, to: String, inode: u64 },
    Unlink { name: String },
}

impl NameChange {
    fn carry_out(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Link { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            Self::Rename { from, to, inode } => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            Self::Unlink { name } => {
                names.remove(name);
            }
        }
    }
}

impl SimDisk {
    /// An empty folder.
    pub fn new(random: Prng) -> Self {
        Self(Rc::new(RefCell::new(Platter {
            random,
            next_inode: 0,
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            fuse: None,
            fail_next_sync: false,
            counts: DiskCounts::default(),
        })))
    }

    /// Lets the process die after `operations` more operations.
    pub fn light_fuse(&self, operations: u64) {
        self.0.borrow_mut().fuse = Some(operations);
    }

    /// Whether a fuse is lit, burnt down or not.
    pub fn is_burning(&self) -> bool {
        self.0.borrow().fuse.is_some()
    }

    /// Whether the fuse has burnt down: the process is dead.
    pub fn is_blown(&self) -> bool {
        self.0.borrow().fuse == Some(0)
    }

    /// Makes the next sync fail.
    pub fn fail_next_sync(&self) {
        self.0.borrow_mut().fail_next_sync = true;
    }

    /// What the disk has done so far.
    pub fn counts(&self) -> DiskCounts {
        self.0.borrow().counts
    }

    /// The process died; the cache stays for the next one.
    pub fn process_died(&self) {
        let platter = &mut *self.0.borrow_mut();
        platter.fuse = None;
        platter.fail_next_sync = false;
    }

    /// The power went, and with it what `cut` says.
    pub fn power_cut(&self, cut: PowerCut) {
        self.process_died();
        self.0.borrow_mut().power_cut(cut);
    }

    /// A disk of its own that holds only what is durable here.
    pub fn durable_copy(&self) -> Self {
        let mut platter = self.0.borrow().clone();
        platter.power_cut(PowerCut::LoseAll);
        platter.fuse = None;
        Self(Rc::new(RefCell::new(platter)))
    }
}

impl Platter {
    fn power_cut(&mut self, cut: PowerCut) {
        self.lose_names(cut);
        let reachable: BTreeSet<u64> = self.names.values().copied().collect();
        self.inodes.retain(|inode, _| reachable.contains(inode));
        for inode in self.inodes.values_mut() {
            self.counts.sectors_lost += inode.power_cut(cut, &mut self.random);
        }
    }

    /// Of the changed names, all, none, or (as a journal would) some first ones survive; without
    /// a journal any of them.
    fn lose_names(&mut self, cut: PowerCut) {
        let changes = core::mem::take(&mut self.changes);
        let in_order = self.random.chance(1, 2);
        let first = self.random.below(changes.len() as u64 + 1) as usize;
        for (at, change) in changes.iter().enumerate() {
            let kept = match cut {
                PowerCut::KeepAll => true,
                PowerCut::LoseAll => false,
                PowerCut::Mixed if in_order => at < first,
                PowerCut::Mixed => self.random.chance(1, 2),
            };
            if kept {
                change.carry_out(&mut self.durable_names);
            }
        }
        self.names = self.durable_names.clone();
    }

    /// Counts one operation; an error once the process is dead.
    fn enter(&mut self, operation: DiskOperation, name: &str) -> Result<(), DiskError> {
        match &mut self.fuse {
            Some(0) => Err(io(operation, name, "the process is dead")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn inode(&self, operation: DiskOperation, name: &str) -> Result<u64, DiskError> {
        let missing = || DiskError::new(operation, name, DiskErrorKind::NotFound);
        self.names.get(name).copied().ok_or_else(missing)
    }

    fn file(&mut self, operation: DiskOperation, name: &str) -> Result<&mut Inode, DiskError> {
        let inode = self.inode(operation, name)?;
        Ok(self.inodes.get_mut(&inode).expect("every name leads to an inode"))
    }

    fn change(&mut self, change: NameChange) {
        change.carry_out(&mut self.names);
        self.changes.push(change);
    }
}

impl Inode {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.cached.len() < end {
            self.set_len(end);
        }
        self.cached[offset..end].copy_from_slice(bytes);
        if !bytes.is_empty() {
            self.dirty.extend(offset / SECTOR_BYTES..=(end - 1) / SECTOR_BYTES);
        }
    }

    fn set_len(&mut self, len: usize) {
        let (short, long) = (self.cached.len().min(len), self.cached.len().max(len));
        self.cached.resize(len, 0);
        self.dirty.extend(short / SECTOR_BYTES..long.div_ceil(SECTOR_BYTES));
    }

    fn sync(&mut self) {
        self.durable.resize(self.cached.len(), 0);
        for sector in core::mem::take(&mut self.dirty) {
            let range = sector_range(sector, self.cached.len());
            self.durable[range.clone()].copy_from_slice(&self.cached[range]);
        }
    }

    /// Returns how many sectors did not survive whole.
    fn power_cut(&mut self, cut: PowerCut, random: &mut Prng) -> u64 {
        let mut lost = 0;
        let keeps_len = match cut {
            PowerCut::KeepAll => true,
            PowerCut::LoseAll => false,
            PowerCut::Mixed => random.chance(1, 2),
        };
        if keeps_len {
            self.durable.resize(self.cached.len(), 0);
        }
        for sector in core::mem::take(&mut self.dirty) {
            let range = sector_range(sector, self.cached.len().min(self.durable.len()));
            let range = match cut {
                PowerCut::KeepAll => range,
                PowerCut::LoseAll => range.start..range.start,
                PowerCut::Mixed => match random.below(3) {
                    0 => range,
                    1 => range.start..range.start,
                    _ => torn(range, random),
                },
            };
            lost += u64::from(range.len() < SECTOR_BYTES);
            self.durable[range.clone()].copy_from_slice(&self.cached[range]);
        }
        self.cached.clone_from(&self.durable);
        lost
    }
}

/// The first or the last bytes of a sector.
fn torn(range: core::ops::Range<usize>, random: &mut Prng) -> core::ops::Range<usize> {
    let at = range.start + random.below(range.len() as u64 + 1) as usize;
    if random.chance(1, 2) { range.start..at } else { at..range.end }
}

fn sector_range(sector: usize, len: usize) -> core::ops::Range<usize> {
    let start = (sector * SECTOR_BYTES).min(len);
    start..(start + SECTOR_BYTES).min(len)
}

fn io(operation: DiskOperation, name: &str, reason: &str) -> DiskError {
    DiskError::new(operation, name, DiskErrorKind::Io(reason.to_owned()))
}

impl Disk for SimDisk {
    fn list(&self) -> Result<Vec<String>, DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::List, "")?;
        Ok(platter.names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::Create, name)?;
        if platter.names.contains_key(name) {
            let kind = DiskErrorKind::AlreadyExists;
            return Err(DiskError::new(DiskOperation::Create, name, kind));
        }
        platter.next_inode += 1;
        let inode = platter.next_inode;
        platter.inodes.insert(inode, Inode::default());
        platter.change(NameChange::Link { name: name.to_owned(), inode });
        Ok(())
    }

    fn len(&self, name: &str) -> Result<u64, DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::Len, name)?;
        Ok(platter.file(DiskOperation::Len, name)?.cached.len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::ReadAt, name)?;
        let file = platter.file(DiskOperation::ReadAt, name)?;
        let range = offset as usize..offset as usize + buffer.len();
        let short = || DiskError::new(DiskOperation::ReadAt, name, DiskErrorKind::UnexpectedEnd);
        buffer.copy_from_slice(file.cached.get(range).ok_or_else(short)?);
        Ok(())
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::WriteAt, name)?;
        platter.file(DiskOperation::WriteAt, name)?.write(offset as usize, bytes);
        Ok(())
    }

    fn set_len(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::SetLen, name)?;
        platter.file(DiskOperation::SetLen, name)?.set_len(len as usize);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::Sync, name)?;
        let fails = core::mem::take(&mut platter.fail_next_sync);
        let file = platter.file(DiskOperation::Sync, name)?;
        if fails {
            file.dirty.clear();
            platter.counts.syncs_failed += 1;
            return Err(io(DiskOperation::Sync, name, "input/output error"));
        }
        file.sync();
        platter.counts.syncs += 1;
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::Rename, from)?;
        let inode = platter.inode(DiskOperation::Rename, from)?;
        let (from, to) = (from.to_owned(), to.to_owned());
        platter.change(NameChange::Rename { from, to, inode });
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::Remove, name)?;
        platter.inode(DiskOperation::Remove, name)?;
        platter.change(NameChange::Unlink { name: name.to_owned() });
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::SyncDir, "")?;
        platter.changes.clear();
        platter.durable_names = platter.names.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
