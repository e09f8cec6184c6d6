//! What has happened, seen from outside, and the promises it must keep. Numbers in brackets are
//! those of the Raft paper's figure 3 and what follows from it for disks and reads.

use super::shadow::{Shadow, membership_in};
use crate::{Entry, HardState, LogId, LogIndex, MemberId, Membership, Payload, ReadId, Term};
use std::collections::{BTreeMap, BTreeSet};
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
#[derive(Debug)]
pub(super) struct Truth {
    founding: Membership,
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
    pub(super) fn new(founding: Membership) -> Self {
        Self {
            founding,
            leaders: BTreeMap::new(),
            entries: BTreeMap::new(),
            committed: Vec::new(),
            votes: BTreeMap::new(),
            spoken: BTreeMap::new(),
            reads: BTreeMap::new(),
            reads_served: 0,
        }
    }

    /// Index of the last committed entry.
    pub(super) fn commit(&self) -> LogIndex {
        LogIndex::new(self.committed.len() as u64)
    }

    /// Id of the committed entry at `index`.
    pub(super) fn id_at(&self, index: LogIndex) -> Option<LogId> {
        match index.get().checked_sub(1) {
            None => Some(LogId::ZERO),
            Some(at) => self.committed.get(at as usize).map(|entry| entry.id),
        }
    }

    /// The membership after the committed entries through `index`.
    pub(super) fn membership_at(&self, index: LogIndex) -> &Membership {
        let through = self.committed.get(..index.get() as usize).unwrap_or(&self.committed);
        through.iter().rev().find_map(membership_in).unwrap_or(&self.founding)
    }

    /// What lies below a base is committed: the base is the committed entry of that index.
    pub(super) fn check_base(&self, id: MemberId, base: LogId) -> Check {
        let known = self.id_at(base.index);
        ensure!(
            known == Some(base),
            "the log of {id} begins behind {base}, committed is {known:?}"
        );
        Ok(())
    }

    /// At most one leader in a term, and its log holds all that is committed.
    pub(super) fn on_leader(&mut self, id: MemberId, term: Term, log: &Shadow) -> Check {
        let earlier = *self.leaders.entry(term).or_insert(id);
        ensure!(earlier == id, "election safety: {earlier} and {id} lead term {term}");
        let above = &self.committed[(log.base.index.get() as usize).min(self.committed.len())..];
        ensure!(
            log.last().index >= self.commit()
                && log.between(log.base.index, self.commit()) == above,
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

    /// A leader commits what is durable on a real majority of whoever votes by its log.
    pub(super) fn on_leader_commit(
        &mut self,
        id: MemberId,
        (log, commit): (&Shadow, LogIndex),
        disks: &BTreeMap<MemberId, [&Shadow; 2]>,
    ) -> Check {
        let by_log = log.newest_membership();
        let in_force = by_log.unwrap_or_else(|| self.membership_at(log.base.index)).clone();
        for entry in log.between(self.commit(), commit) {
            for voters in [in_force.voters(), in_force.outgoing()] {
                ensure!(
                    is_held(voters, disks, entry.id),
                    "{id} commits {}, which no majority of {voters:?} holds durably",
                    entry.id
                );
            }
        }
        self.on_committed(log.between(log.base.index, commit))
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

    /// What is committed stays durable on a majority of who votes by what is committed.
    pub(super) fn check_durable(&self, disks: &BTreeMap<MemberId, [&Shadow; 2]>) -> Check {
        let Some(last) = self.committed.last() else { return Ok(()) };
        let voters = self.membership_at(self.commit()).voters();
        let held = is_held(voters, disks, last.id);
        ensure!(held, "{} is committed, no majority of {voters:?} holds it", last.id);
        Ok(())
    }

    /// A read index is never reused, a membership change never skips another: two memberships that
    /// follow each other in a log share a majority.
    pub(super) fn check_step(before: &Membership, after: &Membership) -> Check {
        let changes_voters = before.voters() != after.voters();
        let is_entered = after.outgoing() == before.voters() && !before.is_joint();
        let is_left = before.is_joint() && !after.is_joint() && !changes_voters;
        let is_plain = !before.is_joint() && !after.is_joint() && !changes_voters;
        ensure!(
            is_entered || is_left || is_plain,
            "membership {before} is followed by {after} in one step"
        );
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

/// Whether a majority of `voters` (if there are any) holds `entry`, be it below a base, or owes it:
/// who owes helps nobody to be elected who lacks it.
fn is_held(
    voters: &BTreeSet<MemberId>,
    disks: &BTreeMap<MemberId, [&Shadow; 2]>,
    entry: LogId,
) -> bool {
    let holds = |voter: &&MemberId| {
        let in_one = |disk: &&Shadow| {
            disk.base.index >= entry.index
                || disk.get(entry.index).is_some_and(|held| held.id == entry)
        };
        disks.get(voter).is_some_and(|disks| disks.iter().any(in_one))
    };
    voters.is_empty() || voters.iter().filter(holds).count() * 2 > voters.len()
}
