//! A disk that keeps only what it must: sectors, a cache in front of them, power cuts and damage.
//!
//! Every write goes to the cache. [`SimDisk::sync`](storage::Disk::sync) moves the cached sectors
//! of one file to the platter. What a crash leaves depends on its kind:
//!
//! * the *process* dies: the cache stays, so the next process reads bytes that are not durable;
//! * the *power* goes: each cached sector is on its own kept, lost, torn at a random byte or
//!   filled with garbage; a length that was not synced and names changed since the last directory
//!   sync may be lost. Garbage falls only on bytes that the write was to change: a sector that is
//!   written again with equal content keeps it.
//!
//! A [`Mishap`] waits for the operation that it spoils; an [injury](inode::Injury) sits in bytes
//! that were synced long ago. Both carry the number of the fault that brought them, and
//! [`SimDisk::take_struck`] says which have been *noticed*: a flipped bit that nobody reads is no
//! fault. Which member may be injured is not decided here but by the [atlas](crate::atlas).
//!
//! A failed sync marks its sectors clean without writing them, as common file systems do
//! (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020): a later
//! sync says Ok, the bytes can be read until the power goes, and then they are gone.

mod inode;
mod names;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use base::Prng;
use storage::{Disk, DiskError, DiskErrorKind, DiskOperation};

use crate::faults::FaultId;
use inode::{InjuryKind, Inode};
use names::{NameChange, Names};

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
    /// As `Mixed`, and some sectors hold garbage.
    Garbled,
}

/// Something that spoils one later operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// After so many further operations every operation fails: the process is dead.
    Fuse {
        /// Operations left.
        operations: u64,
    },
    /// The next sync fails and forgets what it was asked to write.
    FailSync,
    /// The next write writes a first part and fails.
    ShortWrite,
    /// The next write lands at another place of its file, and says Ok.
    MisdirectWrite,
    /// The next read brings the bytes of another place of its file.
    MisdirectRead,
}

/// What the disk has done, for counting effects of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCounts {
    /// Syncs that succeeded.
    pub syncs: u64,
    /// Syncs that were made to fail.
    pub syncs_failed: u64,
    /// Operations of any kind that were made to fail, those syncs included.
    pub failures: u64,
    /// Cached sectors lost, torn or garbled by power cuts.
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
    names: Names,
    mishaps: Vec<(FaultId, Mishap)>,
    /// Bytes by which files may still grow, while a fault fills the disk.
    space: Option<(FaultId, u64)>,
    /// Faults that somebody noticed since the last look.
    struck: Vec<FaultId>,
    /// A file was made durable whose name was not, and has been since.
    nameless: Option<String>,
    counts: DiskCounts,
}

impl SimDisk {
    /// An empty folder.
    pub fn new(random: Prng) -> Self {
        Self(Rc::new(RefCell::new(Platter {
            random,
            next_inode: 0,
            inodes: BTreeMap::new(),
            names: Names::default(),
            mishaps: Vec::new(),
            space: None,
            struck: Vec::new(),
            nameless: None,
            counts: DiskCounts::default(),
        })))
    }

    /// Lets `mishap` spoil a later operation of this process.
    pub fn arm(&self, fault: FaultId, mishap: Mishap) {
        self.0.borrow_mut().mishaps.push((fault, mishap));
    }

    /// Whether a fuse is lit, burnt down or not.
    pub fn is_burning(&self) -> bool {
        let is_fuse = |(_, mishap): &(_, _)| matches!(mishap, Mishap::Fuse { .. });
        self.0.borrow().mishaps.iter().any(is_fuse)
    }

    /// Whether a fuse has burnt down: the process is dead.
    pub fn is_blown(&self) -> bool {
        let is_blown = |(_, mishap): &(_, _)| *mishap == Mishap::Fuse { operations: 0 };
        self.0.borrow().mishaps.iter().any(is_blown)
    }

    /// Leaves room for `bytes` more.
    pub fn fill(&self, fault: FaultId, bytes: u64) {
        self.0.borrow_mut().space = Some((fault, bytes));
    }

    /// There is room again.
    pub fn free(&self, fault: FaultId) {
        let space = &mut self.0.borrow_mut().space;
        space.take_if(|(by, _)| *by == fault);
    }

    /// Flips a bit of an old sector; false when there is none to flip.
    pub fn rot(&self, fault: FaultId) -> bool {
        self.0.borrow_mut().injure(fault, InjuryKind::Changed)
    }

    /// Makes an old sector unreadable until it is written again; false when there is none.
    pub fn scratch(&self, fault: FaultId) -> bool {
        self.0.borrow_mut().injure(fault, InjuryKind::Unreadable)
    }

    /// Flips a bit of an old sector of each file whose name begins with `names`.
    pub fn rot_copies(&self, fault: FaultId, names: &str) {
        let platter = &mut *self.0.borrow_mut();
        let files = platter.names.files().filter(|(name, _)| name.starts_with(names));
        let copies: Vec<u64> = files.map(|(_, inode)| inode).collect();
        for inode in copies {
            if let Some(file) = platter.inodes.get_mut(&inode).filter(|it| it.has_old_sectors()) {
                file.injure(fault, InjuryKind::Changed, &mut platter.random);
            }
        }
    }

    /// Whether bytes that were durable are not what they were.
    pub fn is_injured(&self) -> bool {
        self.0.borrow().inodes.values().any(|inode| !inode.injuries().is_empty())
    }

    /// Whether each injury has later writes behind it, by which it can be told from a write that
    /// was never finished. Who starts on a disk on which one has not may be deceived.
    pub fn is_provable(&self) -> bool {
        self.0.borrow().inodes.values().all(Inode::is_provable)
    }

    /// What in the folder is not durable, apart from the file `hint`.
    pub fn unclean(&self, hint: &str) -> Option<String> {
        let platter = self.0.borrow();
        let is_clean = |inode: u64| platter.inodes.get(&inode).is_none_or(Inode::is_clean);
        let mut files = platter.names.files().filter(|(name, _)| *name != hint);
        let file = files.find(|(_, inode)| !is_clean(*inode)).map(|(name, _)| name.to_owned());
        file.or_else(|| (!platter.names.is_synced()).then(|| "the folder".to_owned()))
    }

    /// Everything is gone.
    pub fn wipe(&self) {
        let platter = &mut *self.0.borrow_mut();
        platter.inodes.clear();
        platter.names = Names::default();
    }

    /// Which faults were noticed since the last call.
    pub fn take_struck(&self) -> Vec<FaultId> {
        core::mem::take(&mut self.0.borrow_mut().struck)
    }

    /// A file that was synced since the last call while its name was not durable (S6), and whose
    /// name still is not.
    pub fn take_nameless(&self) -> Option<String> {
        self.0.borrow_mut().nameless.take()
    }

    /// What the disk has done so far.
    pub fn counts(&self) -> DiskCounts {
        self.0.borrow().counts
    }

    /// The process died; the cache stays for the next one, mishaps meant for it do not.
    pub fn process_died(&self) {
        self.0.borrow_mut().mishaps.clear();
    }

    /// The power went, and with it what `cut` says.
    pub fn power_cut(&self, cut: PowerCut) {
        self.process_died();
        self.0.borrow_mut().power_cut(cut);
    }

    /// A disk of its own that holds only what is durable here.
    pub fn durable_copy(&self) -> Self {
        let mut platter = self.0.borrow().clone();
        platter.mishaps.clear();
        platter.space = None;
        platter.power_cut(PowerCut::LoseAll);
        Self(Rc::new(RefCell::new(platter)))
    }
}

impl Platter {
    fn power_cut(&mut self, cut: PowerCut) {
        self.nameless = None;
        self.names.power_cut(cut, &mut self.random);
        let reachable: BTreeSet<u64> = self.names.inodes().collect();
        self.inodes.retain(|inode, _| reachable.contains(inode));
        for inode in self.inodes.values_mut() {
            self.counts.sectors_lost += inode.power_cut(cut, &mut self.random);
        }
    }

    fn injure(&mut self, fault: FaultId, kind: InjuryKind) -> bool {
        let random = &mut self.random;
        let mut victims: Vec<&mut Inode> =
            self.inodes.values_mut().filter(|inode| inode.has_old_sectors()).collect();
        let at = random.below(victims.len() as u64) as usize;
        victims.get_mut(at).is_some_and(|inode| inode.injure(fault, kind, random))
    }

    /// Counts one operation; an error once the process is dead.
    fn enter(&mut self, operation: DiskOperation, name: &str) -> Result<(), DiskError> {
        for (fault, mishap) in &mut self.mishaps {
            let Mishap::Fuse { operations } = mishap else { continue };
            if *operations == 0 {
                self.struck.push(*fault);
                return Err(io(operation, name, "the process is dead"));
            }
            *operations -= 1;
        }
        Ok(())
    }

    /// Takes out the first mishap that `wanted` says is due, and notes that it struck.
    fn strike(&mut self, wanted: Mishap) -> bool {
        let Some(at) = self.mishaps.iter().position(|(_, mishap)| *mishap == wanted) else {
            return false;
        };
        let (fault, _) = self.mishaps.remove(at);
        self.struck.push(fault);
        true
    }

    fn file(&mut self, operation: DiskOperation, name: &str) -> Result<&mut Inode, DiskError> {
        let inode = self.names.find(operation, name)?;
        Ok(self.inodes.get_mut(&inode).expect("every name leads to an inode"))
    }

    /// Takes `growth` bytes of the space that is left; `Err` with what there was.
    fn take_space(&mut self, growth: u64) -> Result<(), u64> {
        let Some((fault, left)) = &mut self.space else { return Ok(()) };
        if growth <= *left {
            *left -= growth;
            return Ok(());
        }
        let room = core::mem::take(left);
        self.struck.push(*fault);
        self.counts.failures += 1;
        Err(room)
    }

    fn write(&mut self, name: &str, offset: usize, bytes: &[u8]) -> Result<(), DiskError> {
        let failed = |kind| Err(DiskError::new(DiskOperation::WriteAt, name, kind));
        if self.mishaps.is_empty() && self.space.is_none() {
            self.file(DiskOperation::WriteAt, name)?.write(offset, bytes);
            return Ok(());
        }
        let len = self.file(DiskOperation::WriteAt, name)?.len();
        let growth = (offset + bytes.len()).saturating_sub(len.max(offset));
        if let Err(room) = self.take_space(growth as u64) {
            let fits = bytes.len() - growth + room as usize;
            self.file(DiskOperation::WriteAt, name)?.write(offset, &bytes[..fits]);
            return failed(DiskErrorKind::Full);
        }
        if !bytes.is_empty() && self.strike(Mishap::ShortWrite) {
            self.counts.failures += 1;
            let first = self.random.below(bytes.len() as u64) as usize;
            self.file(DiskOperation::WriteAt, name)?.write(offset, &bytes[..first]);
            return failed(DiskErrorKind::Io("input/output error".to_owned()));
        }
        let wanted = |(_, mishap): &(FaultId, Mishap)| *mishap == Mishap::MisdirectWrite;
        if let Some((fault, _)) = self.mishaps.iter().copied().find(wanted) {
            let inode = self.names.find(DiskOperation::WriteAt, name)?;
            let random = &mut self.random;
            let file = self.inodes.get_mut(&inode).expect("every name leads to an inode");
            if file.misdirect(fault, offset, bytes, random) {
                self.mishaps.retain(|(armed, _)| *armed != fault);
                return Ok(()); // struck when somebody reads it
            }
        }
        self.file(DiskOperation::WriteAt, name)?.write(offset, bytes);
        Ok(())
    }

    fn read(&mut self, name: &str, offset: usize, buffer: &mut [u8]) -> Result<(), DiskError> {
        let failed = |kind| Err(DiskError::new(DiskOperation::ReadAt, name, kind));
        let inode = self.names.find(DiskOperation::ReadAt, name)?;
        let file = self.inodes.get(&inode).expect("every name leads to an inode");
        if offset + buffer.len() > file.len() {
            return failed(DiskErrorKind::UnexpectedEnd);
        }
        let mut from = offset;
        let elsewhere = file.len().saturating_sub(buffer.len()) / SECTOR_BYTES;
        if elsewhere > 0 && self.strike(Mishap::MisdirectRead) {
            self.counts.failures += 1;
            from = self.random.below(elsewhere as u64 + 1) as usize * SECTOR_BYTES;
        }
        let file = self.inodes.get(&inode).expect("every name leads to an inode");
        let hurt = file.read(from, buffer, &mut self.struck);
        if hurt.is_err() {
            self.counts.failures += 1;
            return failed(DiskErrorKind::Io("unreadable sector".to_owned()));
        }
        Ok(())
    }
}

fn io(operation: DiskOperation, name: &str, reason: &str) -> DiskError {
    DiskError::new(operation, name, DiskErrorKind::Io(reason.to_owned()))
}

impl Disk for SimDisk {
    fn list(&self) -> Result<Vec<String>, DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::List, "")?;
        Ok(platter.names.list())
    }

    fn create(&mut self, name: &str) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::Create, name)?;
        if platter.names.contains(name) {
            let kind = DiskErrorKind::AlreadyExists;
            return Err(DiskError::new(DiskOperation::Create, name, kind));
        }
        platter.next_inode += 1;
        let inode = platter.next_inode;
        platter.inodes.insert(inode, Inode::default());
        platter.names.change(NameChange::Link { name: name.to_owned(), inode });
        Ok(())
    }

    fn len(&self, name: &str) -> Result<u64, DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::Len, name)?;
        Ok(platter.file(DiskOperation::Len, name)?.len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::ReadAt, name)?;
        platter.read(name, offset as usize, buffer)
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::WriteAt, name)?;
        platter.write(name, offset as usize, bytes)
    }

    fn set_len(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::SetLen, name)?;
        let growth = len.saturating_sub(platter.file(DiskOperation::SetLen, name)?.len() as u64);
        if platter.take_space(growth).is_err() {
            return Err(DiskError::new(DiskOperation::SetLen, name, DiskErrorKind::Full));
        }
        platter.file(DiskOperation::SetLen, name)?.set_len(len as usize);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::Sync, name)?;
        let fails = platter.strike(Mishap::FailSync);
        let file = platter.file(DiskOperation::Sync, name)?;
        if fails {
            file.forget();
            platter.counts.syncs_failed += 1;
            platter.counts.failures += 1;
            return Err(io(DiskOperation::Sync, name, "input/output error"));
        }
        file.sync();
        platter.counts.syncs += 1;
        if !platter.names.is_durable(name) {
            platter.nameless = Some(name.to_owned());
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::Rename, from)?;
        let inode = platter.names.find(DiskOperation::Rename, from)?;
        let (from, to) = (from.to_owned(), to.to_owned());
        platter.names.change(NameChange::Rename { from, to, inode });
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::Remove, name)?;
        platter.names.find(DiskOperation::Remove, name)?;
        platter.names.change(NameChange::Unlink { name: name.to_owned() });
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        let platter = &mut *self.0.borrow_mut();
        platter.enter(DiskOperation::SyncDir, "")?;
        platter.names.sync();
        platter.nameless = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
