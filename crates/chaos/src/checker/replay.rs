//! The events in their order, on a plain map.

use std::collections::BTreeMap;

use super::verdict::{Kind, Verdict};
use crate::history::{Answer, Call, Event, Key, Member, Operation, Outcome, Stored, Value, Write};

/// The first revision that a write can have.
const FIRST_WRITE: i64 = 2;

/// A replay under way.
pub(super) struct Replay<'a> {
    operations: &'a [Operation],
    writes: BTreeMap<Value, (usize, &'a Write)>,
    /// Answers to be compared with the state at their revision, ascending, taken from the end.
    answers: Vec<(i64, usize)>,
    state: BTreeMap<Key, Stored>,
    revision: i64,
    /// Revisions without an event, and the first of them.
    hidden: u64,
    first_hidden: Option<i64>,
    /// At which revision each operation happened, writes only.
    happened: Vec<Option<i64>>,
    /// At which revision the keys of each lease went.
    ended: BTreeMap<i64, i64>,
}

/// What a replay found out.
pub(super) struct Found {
    /// At which revision each operation happened, writes only.
    pub(super) happened: Vec<Option<i64>>,
    /// At which revision the keys of each lease went.
    pub(super) ended: BTreeMap<i64, i64>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(
        operations: &'a [Operation],
        writes: BTreeMap<Value, (usize, &'a Write)>,
    ) -> Self {
        let mut answers: Vec<(i64, usize)> = operations
            .iter()
            .enumerate()
            .filter_map(|(index, operation)| Some((seen_at(operation)?, index)))
            .collect();
        answers.sort_unstable();
        answers.reverse();
        let happened = vec![None; operations.len()];
        let revision = FIRST_WRITE - 1;
        Self {
            operations,
            writes,
            answers,
            state: BTreeMap::new(),
            revision,
            hidden: 0,
            first_hidden: None,
            happened,
            ended: BTreeMap::new(),
        }
    }

    /// Replays all events up to the revision `newest` and compares all answers.
    pub(super) fn run(&mut self, events: &[Event], newest: i64, verdict: &mut Verdict) {
        self.check_answers(verdict);
        for group in events.chunk_by(|a, b| a.revision == b.revision) {
            let revision = group[0].revision;
            if revision <= self.revision {
                let before = self.revision;
                verdict.add(Kind::BrokenEvents, || {
                    format!("revision {revision} follows revision {before}")
                });
            }
            self.pass_hidden(revision - 1, verdict);
            self.check_group(revision, group, verdict);
            self.apply(revision, group, verdict);
            self.revision = self.revision.max(revision);
            self.check_answers(verdict);
        }
        self.pass_hidden(newest, verdict);
        let newest = self.revision;
        for (revision, index) in std::mem::take(&mut self.answers) {
            let operation = &self.operations[index];
            verdict.add(Kind::FutureRevision, || {
                format!("of revision {revision}, the newest is {newest}: {operation:?}")
            });
        }
    }

    /// Passes over revisions that changed nothing a client may see, up to `last`.
    fn pass_hidden(&mut self, last: i64, verdict: &mut Verdict) {
        if last > self.revision {
            self.hidden += last.abs_diff(self.revision);
            self.first_hidden.get_or_insert(self.revision + 1);
            self.revision = last;
            self.check_answers(verdict);
        }
    }

    /// Whether no more revisions were hidden than there is an explanation for.
    pub(super) fn check_hidden(&self, hidden_max: u64, verdict: &mut Verdict) {
        if self.hidden > hidden_max {
            verdict.add(Kind::BrokenEvents, || {
                let (hidden, first) = (self.hidden, self.first_hidden);
                format!(
                    "{hidden} revisions without an event, the first is {first:?}; \
                     {hidden_max} at most can be explained"
                )
            });
        }
    }

    /// Whether the events of one revision are one write that was sent, as a whole.
    fn check_group(&mut self, revision: i64, group: &[Event], verdict: &mut Verdict) {
        let mut keys: Vec<Key> = group.iter().map(|event| event.key).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            verdict.add(Kind::BrokenEvents, || {
                format!("a key changes twice at revision {revision}: {group:?}")
            });
        }
        if group.iter().all(|event| event.put.is_none()) {
            return self.end_lease(revision, &keys, verdict);
        }
        let values: Vec<Value> =
            group.iter().filter_map(|event| event.put).map(|put| put.value).collect();
        let Some((index, write)) = values.first().and_then(|value| self.writes.get(value)).copied()
        else {
            verdict.add(Kind::Invented, || format!("revision {revision}: {group:?}"));
            return;
        };
        if let Some(before) = self.happened[index] {
            verdict.add(Kind::DoneTwice, || {
                format!("at revisions {before} and {revision}: {:?}", self.operations[index])
            });
        }
        self.happened[index].get_or_insert(revision);
        let mut expected = write.puts.clone();
        expected.extend(write.delete.filter(|key| self.state.contains_key(key)));
        expected.sort_unstable();
        let is_deleted = |event: &Event| write.delete == Some(event.key);
        let fits = group.iter().all(|event| event.put.is_none() == is_deleted(event));
        if expected != keys || !fits || values.iter().any(|value| *value != write.value) {
            verdict.add(Kind::NotWhole, || {
                format!("revision {revision}: {group:?} of {:?}", self.operations[index])
            });
        }
        self.check_decision(revision, index, write, verdict);
        if self.ended.contains_key(&write.lease) {
            verdict.add(Kind::LeaseRaised, || {
                format!("written at {revision} under it: {:?}", self.operations[index])
            });
        }
    }

    /// No client only deletes: it must be the end of a lease, with all its keys.
    fn end_lease(&mut self, revision: i64, keys: &[Key], verdict: &mut Verdict) {
        let first = keys.first().and_then(|key| self.state.get(key));
        let lease = first.map_or(0, |stored| stored.lease);
        if lease == 0 {
            verdict.add(Kind::Invented, || format!("at revision {revision} {keys:?} were deleted"));
            return;
        }
        let of_lease = self.state.values().filter(|stored| stored.lease == lease);
        if !of_lease.map(|stored| &stored.key).eq(keys) {
            verdict.add(Kind::NotWhole, || {
                format!("at revision {revision} lease {lease} ended, and of its keys only {keys:?}")
            });
        }
        if let Some(before) = self.ended.insert(lease, revision) {
            verdict.add(Kind::DoneTwice, || {
                format!("lease {lease} ended at revisions {before} and {revision}")
            });
        }
    }

    /// Whether the comparison held, and the deletion was counted right.
    fn check_decision(&self, revision: i64, index: usize, write: &Write, verdict: &mut Verdict) {
        if let Some((key, wanted)) = write.compare {
            let found = self.state.get(&key).map_or(0, |stored| stored.mod_revision);
            if found != wanted {
                verdict.add(Kind::ComparisonIgnored, || {
                    let operation = &self.operations[index];
                    format!("revision {revision}: key {key} was at {found}: {operation:?}")
                });
            }
        }
        let outcome = &self.operations[index].outcome;
        if let Outcome::Answered { answer: Answer::Written { deleted, .. }, .. } = outcome {
            let met = write.delete.is_some_and(|key| self.state.contains_key(&key));
            if *deleted != u32::from(met) {
                verdict.add(Kind::WrongAnswer, || {
                    format!("deletions at revision {revision}: {:?}", self.operations[index])
                });
            }
        }
    }

    fn apply(&mut self, revision: i64, group: &[Event], verdict: &mut Verdict) {
        for event in group {
            let Some(put) = event.put else {
                self.state.remove(&event.key);
                continue;
            };
            let (create_revision, version) = self
                .state
                .get(&event.key)
                .map_or((revision, 1), |before| (before.create_revision, before.version + 1));
            let write = self.writes.get(&put.value);
            let lease = write.map_or(put.lease, |(_, write)| write.lease);
            let expected =
                Stored { create_revision, version, mod_revision: revision, lease, ..put };
            if put != expected {
                verdict.add(Kind::WrongNumbers, || {
                    format!("event {put:?}, by its history {expected:?}")
                });
            }
            self.state.insert(event.key, expected);
        }
    }

    /// Compares the answers given at the present revision with the present state.
    fn check_answers(&mut self, verdict: &mut Verdict) {
        while let Some((revision, index)) =
            self.answers.pop_if(|(revision, _)| *revision <= self.revision)
        {
            let operation = &self.operations[index];
            let (first, end, found) = match (&operation.call, &operation.outcome) {
                (
                    Call::Read { first, end },
                    Outcome::Answered { answer: Answer::Read { found, .. }, .. },
                ) => (*first, *end, found),
                (
                    Call::Write(Write { compare: Some((key, _)), .. }),
                    Outcome::Answered { answer: Answer::Unequal { found, .. }, .. },
                ) => (*key, key.saturating_add(1), found),
                _ => {
                    verdict.add(Kind::WrongAnswer, || format!("to something else: {operation:?}"));
                    continue;
                }
            };
            let expected: Vec<Stored> =
                self.state.range(first..end).map(|(_, stored)| *stored).collect();
            if revision < FIRST_WRITE - 1 || *found != expected {
                verdict.add(Kind::WrongAnswer, || {
                    format!("at revision {revision} there was {expected:?}: {operation:?}")
                });
            }
            self.check_unequal(operation, &expected, verdict);
        }
    }

    /// A comparison that held must not have been refused.
    fn check_unequal(&self, operation: &Operation, there: &[Stored], verdict: &mut Verdict) {
        if let Call::Write(Write { compare: Some((_, wanted)), .. }) = operation.call {
            let found = there.first().map_or(0, |stored| stored.mod_revision);
            if found == wanted {
                verdict.add(Kind::WrongAnswer, || format!("the comparison held: {operation:?}"));
            }
        }
    }

    /// Whether a member's last word is what the events lead to.
    pub(super) fn check_final(&self, member: &Member, verdict: &mut Verdict) {
        let expected: Vec<Stored> = self.state.values().copied().collect();
        if member.revision != self.revision || member.state != expected {
            let differs = member.state.iter().zip(&expected).find(|(a, b)| a != b);
            verdict.add(Kind::WrongFinalState, || {
                format!(
                    "node {} is at revision {} with {} keys; its events lead to revision {} with \
                     {} keys; first difference: {differs:?}",
                    member.number,
                    member.revision,
                    member.state.len(),
                    self.revision,
                    expected.len(),
                )
            });
        }
    }

    /// What was found out.
    pub(super) fn into_found(self) -> Found {
        Found { happened: self.happened, ended: self.ended }
    }
}

/// The revision whose state an answer shows.
fn seen_at(operation: &Operation) -> Option<i64> {
    match &operation.outcome {
        Outcome::Answered { answer: Answer::Read { revision, .. }, .. }
        | Outcome::Answered { answer: Answer::Unequal { revision, .. }, .. } => Some(*revision),
        _ => None,
    }
}
