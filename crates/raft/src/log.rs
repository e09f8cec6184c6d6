//! A member's log as far as it must be in memory: the end of it, and where each term begins.
//!
//! The log begins behind its *base*, the last entry that was cut away or that a snapshot covers;
//! everything at and below the base is committed.
//!
//! The entries themselves live on disk; the tail kept here serves followers that are nearly up to
//! date, and everything not yet applied or durable. For the whole log only the first id of each
//! term is kept (a run-length code: terms never fall), so the term of any index, the check of an
//! append and the search for the place where two logs agree need no disk.

use crate::{Entries, Entry, LogId, LogIndex, Term};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

/// One entry in memory, with the sum of the sizes of all entries up to and including it, so that
/// the size of any range is one subtraction.
#[derive(Clone, Debug, Hash)]
struct Cached {
    entry: Entry,
    end_bytes: u64,
}

/// See the module.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Log {
    base: LogId,
    /// First id of each term behind the base, ascending.
    term_starts: Vec<LogId>,
    last: LogId,
    /// Consecutive entries that end at `last`.
    tail: VecDeque<Cached>,
    /// The running sum of sizes before the first entry of `tail`.
    base_bytes: u64,
    recent: Recent,
}

/// The last slice that was asked for, or came in: mostly the next one is of the same entries, for
/// another follower, the disk or the state machine. It is no state: whether it is there changes
/// nothing but the cost. It keeps one write's entries in memory for longer than `evict` would.
#[derive(Clone, Debug, Default)]
struct Recent(Entries);

impl Hash for Recent {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Log {
    /// The log that was recovered, whose consistency the caller has checked.
    pub(crate) fn new(base: LogId, term_starts: Vec<LogId>, last: LogId, tail: Vec<Entry>) -> Self {
        let mut log = Self {
            base,
            term_starts,
            last,
            tail: VecDeque::new(),
            base_bytes: 0,
            recent: Recent::default(),
        };
        for entry in tail {
            log.push(entry);
        }
        log
    }

    /// The last entry before the log begins.
    #[inline]
    pub(crate) fn base(&self) -> LogId {
        self.base
    }

    /// The id of the last entry.
    #[inline]
    pub(crate) fn last(&self) -> LogId {
        self.last
    }

    /// The first index whose entry is in memory; one above the last if none is.
    #[inline]
    pub(crate) fn first_cached(&self) -> LogIndex {
        self.tail.front().map_or(self.last.index.next(), |cached| cached.entry.id.index)
    }

    /// The sizes of all entries in memory.
    #[inline]
    pub(crate) fn cached_bytes(&self) -> u64 {
        self.end_bytes() - self.base_bytes
    }

    /// The id at `index`, or `None` beyond the end and below the base.
    #[inline]
    pub(crate) fn id_at(&self, index: LogIndex) -> Option<LogId> {
        if index > self.last.index || index < self.base.index {
            return None;
        }
        let term = self.run_of(index).map_or(self.base.term, |start| start.term);
        Some(LogId::new(term, index))
    }

    /// The first index, as far as this log knows, of the term that `index` is in.
    pub(crate) fn term_start(&self, index: LogIndex) -> LogIndex {
        self.run_of(index).map_or(self.base.index, |start| start.index)
    }

    /// The last entry at or below `limit` whose term is at most `term`; `None` if that lies below
    /// the base.
    pub(crate) fn last_at_most(&self, term: Term, limit: LogIndex) -> Option<LogId> {
        let limit = limit.min(self.last.index);
        let after = self.term_starts.partition_point(|start| start.term <= term);
        let end = match self.term_starts.get(after) {
            Some(start) => start.index.before(),
            None => self.last.index,
        };
        self.id_at(end.min(limit)).filter(|id| id.term <= term)
    }

    /// Forgets everything at and below `index`, which becomes the base.
    ///
    /// # Panics
    /// When the log does not hold that entry.
    pub(crate) fn cut(&mut self, index: LogIndex) {
        self.recent = Recent::default();
        self.base = self.id_at(index).expect("the log is cut inside");
        let follows = (index < self.last.index).then(|| self.run_of(index.next())).flatten();
        let runs_below = self.term_starts.partition_point(|start| start.index <= index);
        self.term_starts.drain(..runs_below);
        if let Some(run) = follows.filter(|run| run.index <= index) {
            self.term_starts.insert(0, LogId::new(run.term, index.next()));
        }
        while self.tail.front().is_some_and(|cached| cached.entry.id.index <= index) {
            self.base_bytes = self.tail.pop_front().map_or(0, |cached| cached.end_bytes);
        }
    }

    /// Empties the log: it begins anew behind `base`.
    pub(crate) fn reset(&mut self, base: LogId) {
        *self = Self::new(base, Vec::new(), base, Vec::new());
    }

    /// Adds the next entry.
    ///
    /// # Panics
    /// If it does not follow the last one.
    #[inline]
    pub(crate) fn append(&mut self, entry: Entry) {
        let id = entry.id;
        assert!(
            id.index == self.last.index.next() && id.term >= self.last.term,
            "entry {id} does not follow {}",
            self.last
        );
        if id.term > self.last.term || self.term_starts.is_empty() {
            self.term_starts.push(id);
        }
        self.last = id;
        self.push(entry);
    }

    /// Drops the entry at `from` and all after it.
    pub(crate) fn truncate(&mut self, from: LogIndex) {
        self.recent = Recent::default();
        while self.tail.back().is_some_and(|cached| cached.entry.id.index >= from) {
            self.tail.pop_back();
        }
        self.last = self.id_at(from.before()).expect("truncation begins inside the log");
        while self.term_starts.last().is_some_and(|start| start.index >= from) {
            self.term_starts.pop();
        }
    }

    /// Entries in memory from `from` through `through`: as many as fit into `max_bytes`, at least
    /// one if there is any.
    pub(crate) fn slice(&mut self, from: LogIndex, through: LogIndex, max_bytes: u64) -> Entries {
        let through = through.min(self.last.index);
        if from > through || from < self.first_cached() {
            return Entries::default();
        }
        let start = self.offset(from);
        let budget_end = self.end_bytes_at(from.before()).saturating_add(max_bytes);
        let limit = self.offset(through) + 1;
        let fits = |cached: &Cached| cached.end_bytes <= budget_end;
        let end = match self.tail.get(limit - 1) {
            Some(cached) if fits(cached) => limit,
            _ => self.tail.partition_point(fits).clamp(start + 1, limit),
        };
        if !self.is_recent(start, end) {
            let entries = self.tail.range(start..end).map(|cached| cached.entry.clone());
            self.recent = Recent(entries.collect());
        }
        self.recent.0.clone()
    }

    /// Keeps `entries`, which were just appended, for the next slice.
    pub(crate) fn remember(&mut self, entries: &Entries) {
        self.recent = Recent(entries.clone());
    }

    /// Whether the recent slice is of these places of `tail`: with the same number of entries and
    /// the same last one all are the same (log matching).
    fn is_recent(&self, start: usize, end: usize) -> bool {
        let last = self.tail.get(end - 1).map(|cached| cached.entry.id);
        self.recent.0.len() == end - start && self.recent.0.last().map(|entry| entry.id) == last
    }

    /// The sizes of the entries above `after` through `through`; those not in memory count 0.
    #[inline]
    pub(crate) fn bytes_between(&self, after: LogIndex, through: LogIndex) -> u64 {
        self.end_bytes_at(through).saturating_sub(self.end_bytes_at(after))
    }

    /// Forgets the oldest entries at or below `through` until at most `budget_bytes` remain.
    pub(crate) fn evict(&mut self, through: LogIndex, budget_bytes: u64) {
        while self.cached_bytes() > budget_bytes {
            match self.tail.front() {
                Some(cached) if cached.entry.id.index <= through => {
                    self.base_bytes = cached.end_bytes;
                    self.tail.pop_front();
                }
                _ => return,
            }
        }
    }

    #[inline]
    fn push(&mut self, entry: Entry) {
        let end_bytes = self.end_bytes() + entry.size_bytes();
        self.tail.push_back(Cached { entry, end_bytes });
    }

    #[inline]
    fn end_bytes(&self) -> u64 {
        self.tail.back().map_or(self.base_bytes, |cached| cached.end_bytes)
    }

    #[inline]
    fn end_bytes_at(&self, index: LogIndex) -> u64 {
        if index < self.first_cached() {
            return self.base_bytes;
        }
        self.tail.get(self.offset(index)).map_or(self.end_bytes(), |cached| cached.end_bytes)
    }

    #[inline]
    fn offset(&self, index: LogIndex) -> usize {
        (index.get() - self.first_cached().get()) as usize
    }

    /// The first id of the term that `index` is in.
    #[inline]
    fn run_of(&self, index: LogIndex) -> Option<LogId> {
        match self.term_starts.last() {
            Some(newest) if newest.index <= index => Some(*newest),
            _ => {
                let after = self.term_starts.partition_point(|start| start.index <= index);
                after.checked_sub(1).map(|run| self.term_starts[run])
            }
        }
    }
}

#[cfg(test)]
mod tests;
