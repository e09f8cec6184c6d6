//! A log as an outsider keeps it: entries behind a base, and the memberships that they brought.

use crate::{Entry, LogId, LogIndex, Membership, Payload, Persist, Rebase, Snapshot};
use std::vec::Vec;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Shadow {
    pub(super) base: LogId,
    pub(super) entries: Vec<Entry>,
}

impl Shadow {
    pub(super) fn last(&self) -> LogId {
        self.entries.last().map_or(self.base, |entry| entry.id)
    }

    /// The entry at `index`, if it is above the base and there.
    pub(super) fn get(&self, index: LogIndex) -> Option<&Entry> {
        let offset = index.get().checked_sub(self.base.index.get() + 1)?;
        self.entries.get(offset as usize)
    }

    /// The entries above `index` through `through`.
    pub(super) fn between(&self, index: LogIndex, through: LogIndex) -> &[Entry] {
        let base = self.base.index.get();
        let from = index.get().saturating_sub(base) as usize;
        let to = through.get().saturating_sub(base) as usize;
        self.entries.get(from..to.min(self.entries.len())).unwrap_or_default()
    }

    pub(super) fn truncate(&mut self, from: LogIndex) {
        let kept = from.get() - 1 - self.base.index.get();
        self.entries.truncate(kept as usize);
    }

    fn rebase(&mut self, base: LogId, keeps_log: bool) {
        if keeps_log {
            let gone = (base.index.get() - self.base.index.get()) as usize;
            self.entries.drain(..gone.min(self.entries.len()));
        } else {
            self.entries.clear();
        }
        self.base = base;
    }

    /// Does what `persist` orders.
    pub(super) fn carry_out(&mut self, persist: &Persist) {
        match persist.rebase {
            Some(Rebase::Cut { base }) => self.rebase(base, true),
            Some(Rebase::Snapshot { base, keeps_log }) => self.rebase(base, keeps_log),
            None => {}
        }
        if let Some(from) = persist.truncate_from {
            self.truncate(from);
        }
        self.entries.extend(persist.entries.iter().cloned());
    }

    /// The newest membership in these entries.
    pub(super) fn newest_membership(&self) -> Option<&Membership> {
        self.entries.iter().rev().find_map(membership_in)
    }

    pub(super) fn term_starts(&self) -> Vec<LogId> {
        let mut starts: Vec<LogId> = Vec::new();
        for entry in &self.entries {
            if starts.last().is_none_or(|start| start.term < entry.id.term) {
                starts.push(entry.id);
            }
        }
        starts
    }
}

/// The membership that an entry brings.
pub(super) fn membership_in(entry: &Entry) -> Option<&Membership> {
    match &entry.payload {
        Payload::Membership(membership) => Some(membership),
        Payload::Empty | Payload::Data(_) => None,
    }
}

/// A snapshot on its way.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) from: crate::MemberId,
    pub(super) to: crate::MemberId,
    pub(super) snapshot: Snapshot,
}
