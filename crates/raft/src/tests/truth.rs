//! What has happened, seen from outside, and the promises it must keep. Numbers in brackets are
//! those of the Raft paper's figure 3 and what follows from it for disks and reads.

use crate::{Entry, HardState, LogId, LogIndex, MemberId, Payload, ReadId, Term};
use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec::Vec;

pub(super) type Check = Result<(), String>;

/// Fails with a sentence unless `holds`.
macro_rules! ensure {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err(std::format!($($words)+));
        }
    };
}
pub(super) use ensure;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Truth {
    leaders: BTreeMap<Term, MemberId>,
    /// Each entry ever seen, with the id of the one before.
    entries: BTreeMap<LogId, (LogId, Payload)>,
    /// The committed log, by who learned of it first.
    pub(super) committed: Vec<Entry>,
    votes: BTreeMap<(MemberId, Term), MemberId>,
    /// The newest term each member has spoken in.
    spoken: BTreeMap<MemberId, Term>,
    /// Open reads: member, read, and what was committed when it was asked for.
    reads: BTreeMap<(MemberId, ReadId), LogIndex>,
    pub(super) reads_served: u64,
}

impl Truth {
    /// At most one leader in a term, and its log holds all that is committed.
    pub(super) fn on_leader(&mut self, id: MemberId, term: Term, log: &[Entry]) -> Check {
        let earlier = *self.leaders.entry(term).or_insert(id);
        ensure!(earlier == id, "election safety: {earlier} and {id} lead term {term}");
        ensure!(
            log.len() >= self.committed.len() && log[..self.committed.len()] == self.committed,
            "leader completeness: {id} leads term {term} without a committed entry"
        );
        Ok(())
    }

    /// Equal ids mean equal entries after equal entries.
    pub(super) fn on_entries(&mut self, mut prev: LogId, entries: &[Entry]) -> Check {
        for entry in entries {
            let seen = self.entries.entry(entry.id);
            let known = seen.or_insert_with(|| (prev, entry.payload.clone()));
            ensure!(
                *known == (prev, entry.payload.clone()),
                "log matching: two different entries {}",
                entry.id
            );
            prev = entry.id;
        }
        Ok(())
    }

    /// A leader commits what is durable on a real majority.
    pub(super) fn on_leader_commit(&mut self, log: &[Entry], disks: &[&[Entry]]) -> Check {
        for entry in log.iter().skip(self.committed.len()) {
            let at = entry.id.index.get() as usize - 1;
            let holders = disks.iter().filter(|disk| disk.get(at) == Some(entry)).count();
            ensure!(
                holders * 2 > disks.len(),
                "{} is committed, but durable on {holders} of {}",
                entry.id,
                disks.len()
            );
        }
        self.on_committed(log)
    }

    /// All members commit the same log, for ever.
    pub(super) fn on_committed(&mut self, log: &[Entry]) -> Check {
        for entry in log {
            let at = entry.id.index.get() as usize - 1;
            match self.committed.get(at) {
                Some(known) => ensure!(
                    known == entry,
                    "state machine safety: {} and {} are both committed",
                    known.id,
                    entry.id
                ),
                None => self.committed.push(entry.clone()),
            }
        }
        Ok(())
    }

    /// What is committed stays durable on a majority.
    pub(super) fn check_durable(&self, disks: &[&[Entry]]) -> Check {
        let Some(last) = self.committed.last() else { return Ok(()) };
        let at = last.id.index.get() as usize - 1;
        let holders = disks.iter().filter(|disk| disk.get(at) == Some(last)).count();
        ensure!(holders * 2 > disks.len(), "{} is committed, {holders} disks hold it", last.id);
        Ok(())
    }

    /// A message in `term` leaves `id`, whose disk holds `durable`.
    pub(super) fn on_spoken(&mut self, id: MemberId, term: Term, durable: HardState) -> Check {
        ensure!(durable.term >= term, "{id} speaks in term {term}, its disk knows {durable:?}");
        let newest = self.spoken.entry(id).or_default();
        *newest = term.max(*newest);
        Ok(())
    }

    /// A vote leaves `id`: one a term for ever, and durable.
    pub(super) fn on_vote(
        &mut self,
        id: MemberId,
        term: Term,
        to: MemberId,
        durable: HardState,
    ) -> Check {
        let earlier = *self.votes.entry((id, term)).or_insert(to);
        ensure!(earlier == to, "{id} votes for {earlier} and {to} in term {term}");
        let is_durable = durable == HardState { term, vote: Some(to) };
        ensure!(is_durable, "{id} votes for {to} in term {term}, its disk says {durable:?}");
        Ok(())
    }

    /// A member starts with no less than it promised.
    pub(super) fn on_restarted(&self, id: MemberId, durable: HardState) -> Check {
        let newest = self.spoken.get(&id).copied().unwrap_or_default();
        ensure!(durable.term >= newest, "{id} spoke in term {newest}, restarts with {durable:?}");
        Ok(())
    }

    pub(super) fn on_read_requested(&mut self, id: MemberId, read: ReadId) {
        let floor = LogIndex::new(self.committed.len() as u64);
        self.reads.insert((id, read), floor);
    }

    /// A read sees everything that was committed when it was asked for, and ends once.
    pub(super) fn on_read_ready(&mut self, id: MemberId, read: ReadId, at: LogIndex) -> Check {
        let Some(floor) = self.reads.remove(&(id, read)) else {
            return Err(format!("read {read} of {id} is answered twice or was never asked"));
        };
        ensure!(at >= floor, "stale read {read} of {id}: served at {at}, {floor} was committed");
        self.reads_served += 1;
        Ok(())
    }

    pub(super) fn on_read_aborted(&mut self, id: MemberId, read: ReadId) -> Check {
        let was_open = self.reads.remove(&(id, read)).is_some();
        ensure!(was_open, "read {read} of {id} is aborted after its end");
        Ok(())
    }

    /// The process of `id` ended, and its reads with it.
    pub(super) fn on_crashed(&mut self, id: MemberId) {
        self.reads.retain(|(member, _), _| *member != id);
    }

    pub(super) fn open_reads(&self) -> usize {
        self.reads.len()
    }
}
