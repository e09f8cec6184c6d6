//! A [`Disk`] in memory for tests: it forgets at a crash what was not synced.
//!
//! Model: every file has the content that reads see and the content that is durable; a crash
//! decides sector by sector (512 bytes) which of the two remains, or tears a sector in two.
//! Changes of names are durable at [`Disk::sync_dir`]; a crash keeps any first part of the
//! others, as a journalling file system does. A failed sync marks everything clean, so that
//! what it should have saved is lost at the next crash even if a later sync says `Ok`
//! ("Can applications recover from fsync failures?", Rebello et al., ATC 2020).

use crate::disk::{Disk, DiskError, DiskErrorKind, DiskOperation};
use base::Prng;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SECTOR: usize = 512;

/// A folder in memory. Clones are handles of the same folder, so that a test keeps one while a
/// log owns the other.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    folder: Arc<Mutex<Folder>>,
}

#[derive(Debug, Default)]
struct Folder {
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    /// The names after each change since the last sync of the folder, oldest first.
    name_changes: Vec<BTreeMap<String, u64>>,
    files: BTreeMap<u64, File>,
    next_file: u64,
    capacity_bytes: Option<u64>,
    faults: Vec<Fault>,
    operations: u64,
    /// Writing operations that still find space.
    writes_until_full: Option<u64>,
    /// Operations until the process is dead.
    operations_until_death: Option<u64>,
    /// Sectors that cannot be read until they are written again.
    unreadable: BTreeSet<(u64, usize)>,
    /// After so many writes, where the next one goes instead: nowhere, or to another place.
    astray: Option<(u64, Option<u64>)>,
}

#[derive(Debug, Default)]
struct File {
    content: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    length_dirty: bool,
}

#[derive(Debug)]
struct Fault {
    operation: DiskOperation,
    calls_left: u64,
}

/// The names only: the bytes of a log would bury every failed assertion.
impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryDisk").field(&self.folder().names.keys()).finish()
    }
}

impl MemoryDisk {
    /// An empty folder.
    pub fn new() -> Self {
        Self::default()
    }

    /// A folder with the same files (all durable), sharing nothing with this one.
    #[must_use]
    pub fn fork(&self) -> Self {
        let copy = Self::new();
        {
            let from = self.folder();
            let mut to = copy.folder();
            for (name, id) in &from.names {
                let content = from.files[id].content.clone();
                let file = File { durable: content.clone(), content, ..File::default() };
                to.files.insert(*id, file);
                to.names.insert(name.clone(), *id);
            }
            to.durable_names = to.names.clone();
            to.next_file = from.next_file;
            to.unreadable.clone_from(&from.unreadable);
        }
        copy
    }

    /// Power fails: every change not yet durable is kept, lost or torn as `prng` decides (in a
    /// quarter of the crashes all are lost, in another all are kept). Planned faults end.
    pub fn crash(&self, prng: &mut Prng) {
        let fate = prng.below(4);
        let mut folder = self.folder();
        let keep = match fate {
            0 => 0,
            1 => folder.name_changes.len() as u64,
            _ => prng.below(folder.name_changes.len() as u64 + 1),
        };
        if let Some(last_kept) = (keep as usize).checked_sub(1) {
            folder.durable_names = folder.name_changes.swap_remove(last_kept);
        }
        folder.names = folder.durable_names.clone();
        folder.name_changes.clear();
        folder.faults.clear();
        folder.operations_until_death = None;
        folder.astray = None;
        for file in folder.files.values_mut() {
            file.crash(fate, prng);
        }
        folder.forget_unnamed();
    }

    /// The `after`-th call of `operation` from now on fails (0: the next one), once.
    pub fn fail(&self, operation: DiskOperation, after: u64) {
        self.folder().faults.push(Fault { operation, calls_left: after });
    }

    /// Lets the files hold at most so many bytes together; `None` ends the limit.
    pub fn limit_capacity(&self, bytes: Option<u64>) {
        self.folder().capacity_bytes = bytes;
    }

    /// After `writes` more writing operations (write, grow, create, rename) there is no space,
    /// until [`MemoryDisk::make_room`]: not even for bytes that replace others.
    pub fn fill_after(&self, writes: u64) {
        self.folder().writes_until_full = Some(writes);
    }

    /// There is space again.
    pub fn make_room(&self) {
        let mut folder = self.folder();
        (folder.writes_until_full, folder.capacity_bytes) = (None, None);
    }

    /// After `operations` more operations the process is dead: everything fails until
    /// [`MemoryDisk::crash`] or [`MemoryDisk::revive`].
    pub fn die_after(&self, operations: u64) {
        self.folder().operations_until_death = Some(operations);
    }

    /// Another process uses the folder: the cache is as it was. Returns whether the last one had
    /// died of [`MemoryDisk::die_after`].
    pub fn revive(&self) -> bool {
        self.folder().operations_until_death.take() == Some(0)
    }

    /// Lets the sector that holds this byte be unreadable until it is written again.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn spoil(&self, name: &str, offset: u64) {
        let mut folder = self.folder();
        let id = folder.names[name];
        folder.unreadable.insert((id, offset as usize / SECTOR));
    }

    /// After `writes` more writes one goes to another offset of its file (`Some`) or nowhere
    /// (`None`), and says that it succeeded.
    pub fn misdirect(&self, writes: u64, to: Option<u64>) {
        self.folder().astray = Some((writes, to));
    }

    /// Bytes of all files together.
    pub fn used_bytes(&self) -> u64 {
        self.folder().used_bytes()
    }

    /// How many operations were called on all handles together.
    pub fn operations(&self) -> u64 {
        self.folder().operations
    }

    /// Changes a byte behind the back of every log: damage that a sync does not undo.
    ///
    /// # Panics
    /// When the file has no such byte.
    pub fn flip(&self, name: &str, offset: u64, mask: u8) {
        let mut folder = self.folder();
        let id = folder.names[name];
        let file = folder.files.get_mut(&id).expect("every name has its file");
        file.content[offset as usize] ^= mask;
        if let Some(byte) = file.durable.get_mut(offset as usize) {
            *byte ^= mask;
        }
    }

    /// All of a file's bytes.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let folder = self.folder();
        folder.files[&folder.names[name]].content.clone()
    }

    fn folder(&self) -> MutexGuard<'_, Folder> {
        // A test that panicked elsewhere has not left the maps half-changed.
        self.folder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl File {
    fn crash(&mut self, fate: u64, prng: &mut Prng) {
        let mut survivor = match (fate, self.length_dirty) {
            (0, _) | (_, false) => self.durable.clone(),
            (1, true) => resized(&self.durable, self.content.len()),
            (_, true) => {
                let (low, high) = (self.durable.len(), self.content.len());
                let len =
                    [low, high, prng.between(low.min(high) as u64, low.max(high) as u64) as usize];
                resized(&self.durable, len[prng.below(3) as usize])
            }
        };
        for sector in core::mem::take(&mut self.dirty) {
            let start = sector * SECTOR;
            let end = (start + SECTOR).min(self.content.len()).min(survivor.len());
            let kept = match fate {
                0 => 0,
                1 => SECTOR,
                _ => [0, SECTOR, prng.below(SECTOR as u64) as usize][prng.below(3) as usize],
            };
            let end = end.min(start + kept);
            if start < end {
                survivor[start..end].copy_from_slice(&self.content[start..end]);
            }
        }
        self.content.clone_from(&survivor);
        self.durable = survivor;
        self.length_dirty = false;
    }
}

fn resized(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    copy.resize(len, 0);
    copy
}

impl Folder {
    fn begin(&mut self, operation: DiskOperation, name: &str) -> Result<(), DiskError> {
        self.operations += 1;
        if let Some(left) = &mut self.operations_until_death {
            let Some(fewer) = left.checked_sub(1) else {
                let kind = DiskErrorKind::Io("the process is dead".to_owned());
                return Err(DiskError::new(operation, name, kind));
            };
            *left = fewer;
        }
        let mut hit = None;
        for (position, fault) in self.faults.iter_mut().enumerate() {
            if fault.operation == operation {
                match fault.calls_left.checked_sub(1) {
                    Some(left) => fault.calls_left = left,
                    None => hit = hit.or(Some(position)),
                }
            }
        }
        let Some(position) = hit else { return Ok(()) };
        self.faults.remove(position);
        let kind = DiskErrorKind::Io("a planned fault".to_owned());
        Err(DiskError::new(operation, name, kind))
    }

    fn id(&self, operation: DiskOperation, name: &str) -> Result<u64, DiskError> {
        let missing = || DiskError::new(operation, name, DiskErrorKind::NotFound);
        self.names.get(name).copied().ok_or_else(missing)
    }

    fn file(&mut self, operation: DiskOperation, name: &str) -> Result<&mut File, DiskError> {
        let id = self.id(operation, name)?;
        Ok(self.files.get_mut(&id).expect("every name has its file"))
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().map(|id| self.files[id].content.len() as u64).sum()
    }

    /// Counts a writing operation; false when there is no space for it.
    fn take_room(&mut self) -> bool {
        match &mut self.writes_until_full {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }

    /// Where a write to `offset` really goes.
    fn landing(&mut self, offset: usize) -> Option<usize> {
        match &mut self.astray {
            Some((0, to)) => {
                let to = to.map(|to| to as usize);
                self.astray = None;
                to
            }
            Some((left, _)) => {
                *left -= 1;
                Some(offset)
            }
            None => Some(offset),
        }
    }

    fn check_space(&self, growth: u64) -> bool {
        self.capacity_bytes.is_none_or(|capacity| self.used_bytes() + growth <= capacity)
    }

    fn forget_unnamed(&mut self) {
        let (names, durable, changes) = (&self.names, &self.durable_names, &self.name_changes);
        let mut named: BTreeSet<u64> = names.values().chain(durable.values()).copied().collect();
        named.extend(changes.iter().flat_map(|names| names.values().copied()));
        self.files.retain(|id, _| named.contains(id));
    }
}

impl Disk for MemoryDisk {
    fn list(&self) -> Result<Vec<String>, DiskError> {
        let mut folder = self.folder();
        folder.begin(DiskOperation::List, "")?;
        Ok(folder.names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> Result<(), DiskError> {
        let mut folder = self.folder();
        folder.begin(DiskOperation::Create, name)?;
        if folder.names.contains_key(name) {
            let kind = DiskErrorKind::AlreadyExists;
            return Err(DiskError::new(DiskOperation::Create, name, kind));
        }
        if !folder.take_room() {
            return Err(DiskError::new(DiskOperation::Create, name, DiskErrorKind::Full));
        }
        let id = folder.next_file;
        folder.next_file += 1;
        folder.files.insert(id, File::default());
        folder.names.insert(name.to_owned(), id);
        let names = folder.names.clone();
        folder.name_changes.push(names);
        Ok(())
    }

    fn len(&self, name: &str) -> Result<u64, DiskError> {
        let mut folder = self.folder();
        folder.begin(DiskOperation::Len, name)?;
        Ok(folder.file(DiskOperation::Len, name)?.content.len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let mut folder = self.folder();
        folder.begin(DiskOperation::ReadAt, name)?;
        let id = folder.id(DiskOperation::ReadAt, name)?;
        let sectors = offset as usize / SECTOR..(offset as usize + buffer.len()).div_ceil(SECTOR);
        let spoilt = |(file, sector): &(u64, usize)| *file == id && sectors.contains(sector);
        if folder.unreadable.iter().any(spoilt) {
            let kind = DiskErrorKind::Io("a sector cannot be read".to_owned());
            return Err(DiskError::new(DiskOperation::ReadAt, name, kind));
        }
        let content = &folder.file(DiskOperation::ReadAt, name)?.content;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        match start.checked_add(buffer.len()).and_then(|end| content.get(start..end)) {
            Some(bytes) => buffer.copy_from_slice(bytes),
            None => {
                let kind = DiskErrorKind::UnexpectedEnd;
                return Err(DiskError::new(DiskOperation::ReadAt, name, kind));
            }
        }
        Ok(())
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let mut folder = self.folder();
        let planned = folder.begin(DiskOperation::WriteAt, name);
        let id = folder.id(DiskOperation::WriteAt, name)?;
        let Some(start) = folder.landing(offset as usize) else { return planned };
        let len = folder.file(DiskOperation::WriteAt, name)?.content.len();
        let growth = (start + bytes.len()).saturating_sub(len);
        let full = !folder.check_space(growth as u64) || !folder.take_room();
        // A write that fails may have been done in part.
        let written = if planned.is_err() || full { bytes.len() / 2 } else { bytes.len() };
        if !full || start + written <= len {
            let file = folder.file(DiskOperation::WriteAt, name)?;
            if file.content.len() < start + written {
                file.content.resize(start + written, 0);
            }
            // Also when a failed sync has lost the length once.
            file.length_dirty |= file.durable.len() < start + written;
            file.content[start..start + written].copy_from_slice(&bytes[..written]);
            let sectors = start / SECTOR..(start + written).div_ceil(SECTOR);
            file.dirty.extend(sectors.clone());
            folder.unreadable.retain(|(file, at)| *file != id || !sectors.contains(at));
        }
        planned?;
        if full {
            return Err(DiskError::new(DiskOperation::WriteAt, name, DiskErrorKind::Full));
        }
        Ok(())
    }

    fn set_len(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        let mut folder = self.folder();
        folder.begin(DiskOperation::SetLen, name)?;
        let old = folder.file(DiskOperation::SetLen, name)?.content.len() as u64;
        if !folder.check_space(len.saturating_sub(old)) || (len > old && !folder.take_room()) {
            return Err(DiskError::new(DiskOperation::SetLen, name, DiskErrorKind::Full));
        }
        let file = folder.file(DiskOperation::SetLen, name)?;
        file.content.resize(len as usize, 0);
        file.dirty
            .extend((old.min(len) as usize) / SECTOR..(old.max(len) as usize).div_ceil(SECTOR));
        file.length_dirty = true;
        Ok(())
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        let mut folder = self.folder();
        let planned = folder.begin(DiskOperation::Sync, name);
        let file = folder.file(DiskOperation::Sync, name)?;
        let dirty = core::mem::take(&mut file.dirty);
        let length_dirty = core::mem::take(&mut file.length_dirty);
        planned?;
        if length_dirty {
            let len = file.content.len();
            file.durable.resize(len, 0);
        }
        for sector in dirty {
            let start = sector * SECTOR;
            let end = (start + SECTOR).min(file.content.len()).min(file.durable.len());
            if start < end {
                file.durable[start..end].copy_from_slice(&file.content[start..end]);
            }
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut folder = self.folder();
        folder.begin(DiskOperation::Rename, from)?;
        let id = folder.id(DiskOperation::Rename, from)?;
        if !folder.take_room() {
            return Err(DiskError::new(DiskOperation::Rename, from, DiskErrorKind::Full));
        }
        folder.names.remove(from);
        folder.names.insert(to.to_owned(), id);
        let names = folder.names.clone();
        folder.name_changes.push(names);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        let mut folder = self.folder();
        folder.begin(DiskOperation::Remove, name)?;
        folder.id(DiskOperation::Remove, name)?;
        folder.names.remove(name);
        let names = folder.names.clone();
        folder.name_changes.push(names);
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        let mut folder = self.folder();
        folder.begin(DiskOperation::SyncDir, "")?;
        folder.durable_names = folder.names.clone();
        folder.name_changes.clear();
        folder.forget_unnamed();
        Ok(())
    }
}
