//! The folder: names as a process sees them, and as they are on the platter.

use std::collections::BTreeMap;

use base::Prng;
use storage::{DiskError, DiskErrorKind, DiskOperation};

use super::PowerCut;

/// A change of the folder that a directory sync makes durable.
#[derive(Clone, Debug)]
pub(super) enum NameChange {
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

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    seen: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    /// Changes since the last directory sync.
    changes: Vec<NameChange>,
}

impl Names {
    pub(super) fn list(&self) -> Vec<String> {
        self.seen.keys().cloned().collect()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.seen.contains_key(name)
    }

    pub(super) fn find(&self, operation: DiskOperation, name: &str) -> Result<u64, DiskError> {
        let missing = || DiskError::new(operation, name, DiskErrorKind::NotFound);
        self.seen.get(name).copied().ok_or_else(missing)
    }

    /// Whether `name` would lead to the same file after a power cut.
    pub(super) fn is_durable(&self, name: &str) -> bool {
        self.changes.is_empty() || self.seen.get(name) == self.durable.get(name)
    }

    pub(super) fn is_synced(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.seen.iter().map(|(name, inode)| (name.as_str(), *inode))
    }

    pub(super) fn inodes(&self) -> impl Iterator<Item = u64> {
        self.seen.values().copied()
    }

    pub(super) fn change(&mut self, change: NameChange) {
        change.carry_out(&mut self.seen);
        self.changes.push(change);
    }

    pub(super) fn sync(&mut self) {
        if !self.changes.is_empty() {
            self.changes.clear();
            self.durable.clone_from(&self.seen);
        }
    }

    /// Of the changes, all, none, or (as a journal would) some first ones survive; without a
    /// journal any of them.
    pub(super) fn power_cut(&mut self, cut: PowerCut, random: &mut Prng) {
        let changes = core::mem::take(&mut self.changes);
        let in_order = random.chance(1, 2);
        let first = random.below(changes.len() as u64 + 1) as usize;
        for (at, change) in changes.iter().enumerate() {
            let kept = match cut {
                PowerCut::KeepAll => true,
                PowerCut::LoseAll => false,
                PowerCut::Mixed | PowerCut::Garbled if in_order => at < first,
                PowerCut::Mixed | PowerCut::Garbled => random.chance(1, 2),
            };
            if kept {
                change.carry_out(&mut self.durable);
            }
        }
        self.seen.clone_from(&self.durable);
    }
}
