//! When the log may be cut: what the state holds durably, and slow members no longer need.

use crate::interface::Effect;
use crate::mutant::Mutant;
use crate::replica::Replica;
use crate::state_thread::StateOrder;
use raft::{Entry, Input, LogIndex};
use std::collections::VecDeque;

/// How much of the log is kept, and how often the state is made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogKeeping {
    /// Applied entries that stay for slow members.
    pub keep_entries: u64,
    /// Their bytes; whichever is reached first.
    pub keep_bytes: u64,
    /// The state is made durable after so many applied entries.
    pub sync_every_entries: u64,
    /// Or after so many bytes.
    pub sync_every_bytes: u64,
}

impl Default for LogKeeping {
    fn default() -> Self {
        Self {
            keep_entries: 20_000,
            keep_bytes: 256 << 20,
            sync_every_entries: 10_000,
            sync_every_bytes: 64 << 20,
        }
    }
}

/// Sizes of what was handed to the state, in batches, as far as it is in the log.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    batches: VecDeque<(LogIndex, u64, u64)>,
    entries: u64,
    bytes: u64,
    unsynced_entries: u64,
    unsynced_bytes: u64,
    is_syncing: bool,
    /// The log cannot be read back up to here and is to be cut however short it gets.
    rotten: Option<LogIndex>,
}

impl Kept {
    /// These entries are being applied.
    pub(crate) fn add(&mut self, entries: &[Entry]) {
        let Some(last) = entries.last() else { return };
        let bytes = entries.iter().map(Entry::size_bytes).sum();
        let count = entries.len() as u64;
        self.batches.push_back((last.id.index, count, bytes));
        self.entries += count;
        self.bytes += bytes;
        self.unsynced_entries += count;
        self.unsynced_bytes += bytes;
    }

    /// The log is to be cut through this entry; `false` if that was said before.
    pub(crate) fn give_up(&mut self, through: LogIndex) -> bool {
        let is_new = self.rotten.is_none_or(|known| known < through);
        self.rotten = self.rotten.max(Some(through));
        is_new
    }

    /// Orders the state to be made durable, unless that is under way.
    pub(crate) fn sync_now(&mut self, effects: &mut Vec<Effect>) {
        if !self.is_syncing {
            (self.unsynced_entries, self.unsynced_bytes) = (0, 0);
            self.is_syncing = true;
            effects.push(Effect::State(StateOrder::Sync));
        }
    }
}

impl Replica {
    /// Orders the state to be made durable when enough was applied.
    pub(crate) fn sync_if_due(&mut self, effects: &mut Vec<Effect>) {
        if self.has(Mutant::CutBeforeSync) {
            self.synced = self.applied;
            self.cut_if_due(effects);
        }
        let (kept, keeping) = (&mut self.kept, self.log_keeping);
        let is_due = kept.unsynced_entries >= keeping.sync_every_entries
            || kept.unsynced_bytes >= keeping.sync_every_bytes;
        let is_due = is_due || kept.rotten.is_some_and(|rotten| rotten > self.synced);
        if is_due {
            kept.sync_now(effects);
        }
    }

    pub(crate) fn on_synced(&mut self, through: LogIndex, effects: &mut Vec<Effect>) {
        self.kept.is_syncing = false;
        self.synced = self.synced.max(through);
        self.cut_if_due(effects);
    }

    /// Cuts what is beyond the bounds. A receiver of a snapshot will need what follows it.
    pub(crate) fn cut_if_due(&mut self, effects: &mut Vec<Effect>) {
        let needed = self.snapshots.lowest_outgoing().unwrap_or(LogIndex::new(u64::MAX));
        let limit = self.synced.min(needed).min(self.applied);
        let durable = self.synced.min(self.applied);
        let kept = &mut self.kept;
        let rotten = kept.rotten.take_if(|rotten| *rotten <= durable);
        let mut through = rotten.filter(|rotten| *rotten > self.raft.base().index);
        while let Some((last, entries, bytes)) = kept.batches.front().copied() {
            let is_over = kept.entries > self.log_keeping.keep_entries
                || kept.bytes > self.log_keeping.keep_bytes;
            let is_rotten = rotten.is_some_and(|rotten| last <= rotten);
            if !(is_rotten || is_over && last <= limit) {
                break;
            }
            kept.batches.pop_front();
            kept.entries -= entries;
            kept.bytes -= bytes;
            through = through.max(Some(last));
        }
        if let Some(through) = through {
            self.drive(Input::LogCutRequested { through }, effects);
        }
    }
}
