//! Reads without a log write (ReadIndex, thesis 6.4).
//!
//! A leader may serve a read at its commit index if it was still the leader after the read came
//! in. It shows that by a round of numbered heartbeats which begins later and which a majority
//! answers. All reads that wait when a round begins share it; those that come in meanwhile share
//! the next one. Before the first commit of its own term a leader does not know the commit index
//! of the group, so until then no round serves reads.

use crate::{LogIndex, MemberId, ReadId};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// At most this many reads wait at one member; further ones are aborted at once.
pub(crate) const READS_MAX: usize = 1 << 16;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reader {
    /// This member's shell.
    Local(ReadId),
    /// A follower, in one of its process lives.
    Remote { member: MemberId, read: ReadId, incarnation: u64 },
}

/// Reads that a leader has not answered yet.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Reads {
    waiting: Vec<Reader>,
    rounds: VecDeque<Round>,
    count: usize,
}

#[derive(Clone, Debug, Hash)]
struct Round {
    number: u64,
    index: LogIndex,
    readers: Vec<Reader>,
}

impl Reads {
    /// Takes a read in, or gives `false` if too many wait.
    #[must_use]
    pub(crate) fn add(&mut self, reader: Reader) -> bool {
        if self.count >= READS_MAX {
            return false;
        }
        self.count += 1;
        self.waiting.push(reader);
        true
    }

    /// Whether reads wait and no round is under way for others.
    pub(crate) fn wants_round(&self) -> bool {
        !self.waiting.is_empty() && self.rounds.is_empty()
    }

    /// Whether a round that serves reads is under way.
    pub(crate) fn awaits_answers(&self) -> bool {
        !self.rounds.is_empty()
    }

    /// Round `number` begins while everything up to `commit` is known to be committed.
    pub(crate) fn on_round_started(&mut self, number: u64, commit: LogIndex) {
        if !self.waiting.is_empty() {
            let readers = core::mem::take(&mut self.waiting);
            self.rounds.push_back(Round { number, index: commit, readers });
        }
    }

    /// A majority answered round `number` or a later one: the reads to serve, with their index.
    pub(crate) fn on_confirmed(&mut self, number: u64) -> Vec<(Reader, LogIndex)> {
        let mut ready = Vec::new();
        while self.rounds.front().is_some_and(|round| round.number <= number) {
            let Some(round) = self.rounds.pop_front() else { break };
            ready.extend(round.readers.into_iter().map(|reader| (reader, round.index)));
        }
        self.count -= ready.len();
        ready
    }

    /// Everything that waits, when leadership is lost.
    pub(crate) fn abandon(self) -> impl Iterator<Item = Reader> {
        let begun = self.rounds.into_iter().flat_map(|round| round.readers);
        begun.chain(self.waiting)
    }
}
