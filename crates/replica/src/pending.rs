//! Who waits for what: calls under way, in bounded tables.

use bytes::Bytes;
use kv::api::{Error, Request};
use raft::{LogIndex, MemberId, ReadId, Term};
use std::collections::BTreeMap;

/// A write that was taken and not yet seen applied.
#[derive(Clone, Debug)]
pub(crate) struct PendingWrite {
    /// The shell's token for the caller.
    pub(crate) call: u64,
    /// The encoded envelope, kept to be sent again: the state machine applies it once.
    pub(crate) payload: Bytes,
    /// Tick at which the caller is told that the outcome is unknown.
    pub(crate) deadline: u64,
    /// Where it was last handed to.
    pub(crate) handed: Handed,
}

/// Where a write was handed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    /// To nobody: it is certain not to have happened.
    Never,
    /// Whoever it was handed to last did not keep it; an earlier copy may still travel.
    Refused,
    /// To this leader in this term, at this tick.
    To {
        /// The leader (perhaps this member).
        leader: MemberId,
        /// Its term.
        term: Term,
        /// When.
        tick: u64,
    },
}

/// Writes by their number in this incarnation.
#[derive(Debug, Default)]
pub(crate) struct PendingWrites {
    writes: BTreeMap<u64, PendingWrite>,
    /// Numbers never handed to anybody, oldest first.
    fresh: Vec<u64>,
    bytes: usize,
}

impl PendingWrites {
    pub(crate) fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether some were never handed to anybody.
    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn insert(&mut self, number: u64, call: u64, payload: Bytes, deadline: u64) {
        self.bytes += payload.len();
        let write = PendingWrite { call, payload, deadline, handed: Handed::Never };
        assert!(self.writes.insert(number, write).is_none(), "write {number} was used twice");
        self.fresh.push(number);
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<PendingWrite> {
        let write = self.writes.remove(&number)?;
        self.bytes -= write.payload.len();
        Some(write)
    }

    /// Notes that whoever `number` was handed to last did not keep it.
    pub(crate) fn refused(&mut self, number: u64) {
        if let Some(write) = self.writes.get_mut(&number) {
            write.handed = Handed::Refused;
        }
    }

    /// The payloads never handed to anybody; marks them handed to `leader`.
    pub(crate) fn hand_over_fresh(
        &mut self,
        leader: MemberId,
        term: Term,
        tick: u64,
    ) -> Vec<Bytes> {
        let mut payloads = Vec::with_capacity(self.fresh.len());
        for number in self.fresh.drain(..) {
            if let Some(write) = self.writes.get_mut(&number) {
                write.handed = Handed::To { leader, term, tick };
                payloads.push(write.payload.clone());
            }
        }
        payloads
    }

    /// All payloads that `leader` in `term` does not hold for sure: refused ones, those handed
    /// to another leader or term, and with `patience_ticks` those handed longer ago than that.
    /// Marks them handed.
    pub(crate) fn hand_over_stale(
        &mut self,
        leader: MemberId,
        term: Term,
        tick: u64,
        patience_ticks: Option<u64>,
    ) -> Vec<Bytes> {
        let mut payloads = Vec::new();
        for write in self.writes.values_mut() {
            let due = match write.handed {
                Handed::Never => false,
                Handed::Refused => true,
                Handed::To { leader: to, term: then, tick: at } => {
                    (to, then) != (leader, term)
                        || patience_ticks.is_some_and(|patience| tick >= at + patience)
                }
            };
            if due {
                write.handed = Handed::To { leader, term, tick };
                payloads.push(write.payload.clone());
            }
        }
        payloads
    }

    /// Takes out the writes whose deadline is `tick` or earlier: the caller's token, and what
    /// may be said.
    pub(crate) fn expire(&mut self, tick: u64) -> Vec<(u64, Error)> {
        let due: Vec<u64> = self
            .writes
            .iter()
            .filter(|(_, write)| write.deadline <= tick)
            .map(|(number, _)| *number)
            .collect();
        let mut expired = Vec::with_capacity(due.len());
        for number in due {
            if let Some(write) = self.remove(number) {
                let error = match write.handed {
                    Handed::Never => Error::NoLeader,
                    Handed::Refused => Error::TimeoutLeaderFailure,
                    Handed::To { .. } => Error::Timeout,
                };
                expired.push((write.call, error));
            }
        }
        if !expired.is_empty() {
            let writes = &self.writes;
            self.fresh.retain(|number| writes.contains_key(number));
        }
        expired
    }
}

/// Reads that wait for an index, in groups that share one quorum round.
#[derive(Debug, Default)]
pub(crate) struct PendingReads {
    /// Asked of the quorum, index not known.
    asked: BTreeMap<ReadId, ReadGroup>,
    /// Index known, not applied yet.
    confirmed: BTreeMap<LogIndex, Vec<WaitingRead>>,
    len: usize,
}

/// One read under way.
#[derive(Clone, Debug)]
pub(crate) struct WaitingRead {
    pub(crate) call: u64,
    pub(crate) request: Request,
    pub(crate) deadline: u64,
}

#[derive(Debug)]
struct ReadGroup {
    reads: Vec<WaitingRead>,
}

impl PendingReads {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn asked(&mut self, id: ReadId, reads: Vec<WaitingRead>) {
        self.len += reads.len();
        let fresh = self.asked.insert(id, ReadGroup { reads }).is_none();
        assert!(fresh, "read id {id:?} was used twice");
    }

    /// The quorum answered: these reads may be served once `index` is applied.
    pub(crate) fn confirmed(&mut self, id: ReadId, index: LogIndex) {
        if let Some(group) = self.asked.remove(&id) {
            self.confirmed.entry(index).or_default().extend(group.reads);
        }
    }

    /// The round came to nothing; its reads are to be asked again.
    pub(crate) fn aborted(&mut self, id: ReadId) -> Vec<WaitingRead> {
        let reads = self.asked.remove(&id).map(|group| group.reads).unwrap_or_default();
        self.len -= reads.len();
        reads
    }

    /// Takes out the reads that `applied` satisfies.
    pub(crate) fn ready(&mut self, applied: LogIndex) -> Vec<WaitingRead> {
        let later = self.confirmed.split_off(&applied.next());
        let ready = core::mem::replace(&mut self.confirmed, later);
        let reads: Vec<WaitingRead> = ready.into_values().flatten().collect();
        self.len -= reads.len();
        reads
    }

    /// Takes out the calls whose deadline is `tick` or earlier.
    pub(crate) fn expire(&mut self, tick: u64) -> Vec<u64> {
        let mut due = Vec::new();
        let mut keep = |read: &WaitingRead| {
            let late = read.deadline <= tick;
            if late {
                due.push(read.call);
            }
            !late
        };
        self.asked.values_mut().for_each(|group| group.reads.retain(&mut keep));
        self.confirmed.values_mut().for_each(|reads| reads.retain(&mut keep));
        self.asked.retain(|_, group| !group.reads.is_empty());
        self.confirmed.retain(|_, reads| !reads.is_empty());
        self.len -= due.len();
        due
    }
}
