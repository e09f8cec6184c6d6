//! A disk that can lose power: a FUSE file system in the memory of this process.
//!
//! A node writes to it as to any folder. Nothing is cached in the kernel (direct IO, no time to
//! live), so what this process holds is all there is. What was synced is durable; what was not may
//! be lost, torn or kept when [`Disk::cut`] is called, after the node was killed.
//!
//! Faults are switched on by [`Disk::set`] and counted where they take effect: in the call of the
//! node that met them.

mod content;
mod fuse;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Prng;
pub(crate) use content::Loss;
use fuser::{BackgroundSession, Config, MountOption};
use tree::Tree;

use crate::failure::Failure;

/// What is wrong with the disk at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// A sync does nothing and says that all is well.
    pub(crate) lies: bool,
    pub(crate) full: Option<Full>,
    /// So many syncs succeed, then one fails.
    pub(crate) fails_sync_after: Option<u32>,
    /// Each write and each sync takes so much longer.
    pub(crate) delay: Duration,
    /// Writes and syncs wait until this is over.
    pub(crate) stuck: bool,
}

/// How a disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// No room for new blocks.
    NewBlocks,
    /// No room even to write over old ones, as with copy on write.
    AllWrites,
}

/// How often faults took effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) syncs: u64,
    pub(crate) lied: u64,
    pub(crate) refused: u64,
    pub(crate) failed_syncs: u64,
    pub(crate) delayed: u64,
    pub(crate) held: u64,
}

/// What a power cut did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Sectors, lengths and names not synced when it came.
    pub(crate) pending: u64,
    /// How many of these are gone.
    pub(crate) lost: u64,
}

#[derive(Debug)]
struct State {
    tree: Tree,
    faults: Faults,
    counts: Counts,
}

/// Shared by the file system's thread and the supervisor.
#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<State>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a disk held at some time.
#[derive(Debug)]
pub(crate) struct Copy(Tree);

/// One mounted disk. Dropping it unmounts it.
#[derive(Debug)]
pub(crate) struct Disk {
    shared: Shared,
    path: PathBuf,
    session: Option<BackgroundSession>,
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.set(Faults::default());
        if let Some(session) = self.session.take()
            && let Err(error) = session.umount_and_join()
        {
            eprintln!("chaos: cannot unmount {}: {error}", self.path.display());
        }
    }
}

impl Disk {
    /// Mounts an empty disk at `path`, which is made.
    pub(crate) fn mount(path: &Path) -> Result<Self, Failure> {
        let cannot = || format!("cannot mount a file system at {}", path.display());
        std::fs::create_dir_all(path).map_err(Failure::because(cannot()))?;
        let state =
            State { tree: Tree::new(), faults: Faults::default(), counts: Counts::default() };
        let shared = Shared(Arc::new(Mutex::new(state)));
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("quorate-chaos".to_owned()),
            MountOption::NoSuid,
            MountOption::NoDev,
        ];
        let session = fuser::spawn_mount(fuse::Server(shared.clone()), path, &config);
        let session = session.map_err(Failure::because(cannot()))?;
        Ok(Self { shared, path: path.to_owned(), session: Some(session) })
    }

    /// Replaces the present faults.
    pub(crate) fn set(&self, faults: Faults) {
        self.shared.lock().faults = faults;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    /// Cuts the power. The node must be dead: its open files would show the past.
    pub(crate) fn cut(&self, loss: Loss, random: &mut Prng) -> Cut {
        let mut state = self.shared.lock();
        let pending = state.tree.pending();
        let lost = state.tree.cut(loss, random);
        Cut { pending, lost }
    }

    /// All files and folders as they are now.
    pub(crate) fn copy(&self) -> Copy {
        Copy(self.shared.lock().tree.clone())
    }

    /// Replaces everything; nobody may have a file open.
    pub(crate) fn put_back(&self, copy: Copy) {
        self.shared.lock().tree = copy.0;
    }

    /// An empty disk instead; nobody may have a file open.
    pub(crate) fn replace(&self) {
        self.shared.lock().tree = Tree::new();
    }

    /// Turns one bit in a log; the name of its file.
    pub(crate) fn rot(&self, random: &mut Prng) -> Option<String> {
        let is_wanted = |name: &std::ffi::OsStr| name != "LOCK" && name != "admin-token";
        let name = self.shared.lock().tree.rot(random, is_wanted)?;
        Some(name.to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests;
