//! The memberships that may still matter: the newest one that is committed, and what follows it.
//!
//! The last one is in force, committed or not (thesis 4.1). When the log is cut, those in the cut
//! part are gone and the one before is in force again. On the way into the next one at most one is
//! uncommitted, so the list stays short.

use crate::{LogIndex, MemberId, Membership};
use alloc::vec::Vec;

/// See the module. Never empty; ascending by index.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Configurations {
    list: Vec<(LogIndex, Membership)>,
    /// Whether the list differs from what was last written.
    is_dirty: bool,
}

impl Configurations {
    /// As recovered.
    ///
    /// # Panics
    /// When the list is empty; the caller has checked it.
    pub(crate) fn new(list: Vec<(LogIndex, Membership)>) -> Self {
        assert!(!list.is_empty(), "a member always knows a membership, be it an empty one");
        Self { list, is_dirty: false }
    }

    /// The one in force, and the index of its entry.
    pub(crate) fn in_force(&self) -> &(LogIndex, Membership) {
        self.list.last().expect("the list is never empty")
    }

    /// Index of the oldest one that is kept. Older ones are forgotten only once it is committed, so
    /// it is; after a restart this may be more than the state machine has applied, and without it
    /// no snapshot could say what the membership is.
    pub(crate) fn oldest(&self) -> LogIndex {
        self.list.first().map_or(LogIndex::ZERO, |(index, _)| *index)
    }

    /// The newest one at or below `index`.
    pub(crate) fn at(&self, index: LogIndex) -> Option<&(LogIndex, Membership)> {
        self.list.iter().rev().find(|(since, _)| *since <= index)
    }

    /// Whether `id` votes in the newest one at or below `index` or in a later one.
    pub(crate) fn is_voter_since(&self, index: LogIndex, id: MemberId) -> bool {
        let since = self.at(index).map_or(LogIndex::ZERO, |(since, _)| *since);
        self.list.iter().any(|(at, membership)| *at >= since && membership.is_voter(id))
    }

    /// The entry at `index` brings this one.
    pub(crate) fn push(&mut self, index: LogIndex, membership: Membership) {
        self.list.push((index, membership));
        self.is_dirty = true;
    }

    /// The log was cut at `from`; whether one was cut away with it.
    ///
    /// # Panics
    /// When a committed one would be cut away.
    pub(crate) fn truncate(&mut self, from: LogIndex) -> bool {
        let before = self.list.len();
        self.list.retain(|(index, _)| *index < from);
        assert!(!self.list.is_empty(), "the membership before entry {from} is not known");
        let is_shorter = self.list.len() != before;
        self.is_dirty |= is_shorter;
        is_shorter
    }

    /// A snapshot at `index` brings this one, in force since `since`; later ones stay if the log
    /// behind the snapshot stays.
    pub(crate) fn rebase(
        &mut self,
        index: LogIndex,
        since: LogIndex,
        membership: Membership,
        keeps_log: bool,
    ) {
        self.list.retain(|(later, _)| keeps_log && *later > index);
        self.list.insert(0, (since, membership));
        self.is_dirty = true;
    }

    /// Everything up to `settled` is committed and no snapshot below it will be made.
    pub(crate) fn forget_below(&mut self, settled: LogIndex) {
        let keep = self.list.partition_point(|(index, _)| *index <= settled).saturating_sub(1);
        if keep > 0 {
            self.list.drain(..keep);
        }
    }

    /// What must be written, if something changed since it was last asked.
    pub(crate) fn take_changes(&mut self) -> Option<Vec<(LogIndex, Membership)>> {
        core::mem::take(&mut self.is_dirty).then(|| self.list.clone())
    }

    /// Whether something must be written.
    pub(crate) fn is_dirty(&self) -> bool {
        self.is_dirty
    }
}
