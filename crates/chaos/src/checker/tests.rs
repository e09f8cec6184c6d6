//! Good histories pass; every kind of damage to one is found, and called by its name.

use base::Prng;

use super::*;
use crate::history::{
    Compaction, Key, LEASE_KEY_MIN, Lease, LeaseAct, LeaseActKind, LeaseOutcome, Member,
    PastAnswer, PastRead, Stored, WatchMessage, WatchStream, Watcher,
};

const SECOND_NS: u64 = 1_000_000_000;

/// What a lease in these histories is granted for.
const TTL_S: i64 = 2;

/// A store of a few lines, and clients whose calls overlap.
struct Maker {
    random: Prng,
    now_ns: u64,
    revision: i64,
    state: BTreeMap<Key, Stored>,
    evidence: Evidence,
    events: Vec<Event>,
    next_value: Value,
    /// The lease that lives at the moment, the last one; and until when it surely does.
    alive_ns: Option<u64>,
}

const KEYS: Key = 6;

impl Maker {
    fn write(&mut self) -> Write {
        let mut keys: Vec<Key> = (0..KEYS).collect();
        self.random.shuffle(&mut keys);
        let (mut write, plain) = (Write { puts: vec![keys[0]], ..Write::default() }, 4);
        match self.random.below(8) {
            kind if kind < plain => {}
            4 => write.puts.push(keys[1]),
            5 => write.delete = Some(keys[1]),
            _ => {
                let now = self.state.get(&keys[2]).map_or(0, |stored| stored.mod_revision);
                let wanted = if self.random.chance(1, 2) { now } else { now + 1 };
                write.compare = Some((keys[2], wanted));
            }
        }
        self.next_value += 1;
        write.value = self.next_value;
        write
    }

    fn apply(&mut self, write: &Write) -> Answer {
        if let Some((key, wanted)) = write.compare {
            let found = self.state.get(&key).copied();
            if found.map_or(0, |stored| stored.mod_revision) != wanted {
                return Answer::Unequal {
                    revision: self.revision,
                    found: found.into_iter().collect(),
                };
            }
        }
        self.revision += 1;
        let revision = self.revision;
        for key in &write.puts {
            let before = self.state.get(key);
            let stored = Stored {
                key: *key,
                value: write.value,
                create_revision: before.map_or(revision, |before| before.create_revision),
                mod_revision: revision,
                version: before.map_or(1, |before| before.version + 1),
                lease: write.lease,
            };
            self.state.insert(*key, stored);
            self.events.push(Event { revision, key: *key, put: Some(stored) });
        }
        let gone = write.delete.and_then(|key| self.state.remove(&key));
        if let Some(gone) = gone {
            self.events.push(Event { revision, key: gone.key, put: None });
        }
        Answer::Written { revision, deleted: u32::from(gone.is_some()) }
    }

    /// A revision of somebody else, whose keys nobody here sees.
    fn hide(&mut self) {
        self.revision += 1;
        self.evidence.hidden_max += 1;
    }

    /// One call that takes effect now; called a little earlier, answered a little later.
    fn step(&mut self) {
        self.now_ns += 10;
        if self.random.chance(1, 20) {
            self.hide();
        }
        let call = match self.random.chance(1, 3) {
            true => Call::Read { first: self.random.below(3) as Key, end: KEYS },
            false => Call::Write(self.write()),
        };
        let fate = self.random.below(12);
        let answer = match &call {
            Call::Write(_) if fate < 2 => None,
            Call::Write(write) => Some(self.apply(write)),
            Call::Read { first, end } => {
                let found = self.state.range(*first..*end).map(|(_, stored)| *stored).collect();
                Some(Answer::Read { revision: self.revision, found })
            }
        };
        let returned_ns = self.now_ns + self.random.below(40);
        let outcome = match (answer, fate) {
            (None, 0) => Outcome::Refused,
            (None, _) => Outcome::Unknown,
            // It happened, and nobody heard of it.
            (Some(_), 11) => Outcome::Unknown,
            (Some(answer), _) => Outcome::Answered { returned_ns, answer },
        };
        let called_ns = self.now_ns.saturating_sub(self.random.below(40));
        let operation = Operation { client: 0, node: 1, called_ns, call, outcome };
        self.evidence.operations.push(operation);
    }
}

impl Maker {
    /// A lease is granted with a key, renewed, revoked, or runs out.
    fn lease(&mut self) {
        self.now_ns += 50;
        let Some(alive_ns) = self.alive_ns else {
            let number = self.evidence.leases.len();
            self.evidence.leases.push(Lease { id: 100 + number as i64, acts: Vec::new() });
            self.act(LeaseActKind::Grant);
            return self.put_under(100 + number as i64, LEASE_KEY_MIN + number as Key);
        };
        match self.random.below(4) {
            0 => {
                self.end_lease();
                self.act(LeaseActKind::Revoke);
            }
            1 => {
                self.now_ns = alive_ns + SECOND_NS;
                self.end_lease();
                self.now_ns += 50;
                let outcome = LeaseOutcome::Gone { returned_ns: self.now_ns };
                let called_ns = self.now_ns - 10;
                let act = LeaseAct { called_ns, kind: LeaseActKind::Renew, outcome };
                self.evidence.leases.last_mut().unwrap().acts.push(act);
                self.alive_ns = None;
            }
            _ => self.act(LeaseActKind::Renew),
        }
    }

    /// An act that succeeds; called a little before and answered now.
    fn act(&mut self, kind: LeaseActKind) {
        let (called_ns, returned_ns) = (self.now_ns - 40, self.now_ns);
        let ttl_s = if kind == LeaseActKind::Revoke { 0 } else { TTL_S };
        let outcome = LeaseOutcome::Done { returned_ns, revision: self.revision, ttl_s };
        self.evidence.leases.last_mut().unwrap().acts.push(LeaseAct { called_ns, kind, outcome });
        self.alive_ns = (ttl_s > 0).then_some(called_ns + ttl_s as u64 * SECOND_NS);
    }

    fn put_under(&mut self, lease: i64, key: Key) {
        self.next_value += 1;
        let write = Write { puts: vec![key], value: self.next_value, lease, ..Write::default() };
        let answer = self.apply(&write);
        let (called_ns, returned_ns) = (self.now_ns, self.now_ns + 5);
        let outcome = Outcome::Answered { returned_ns, answer };
        self.now_ns += 50;
        let call = Call::Write(write);
        self.evidence.operations.push(Operation { client: 1, node: 1, called_ns, call, outcome });
    }

    fn end_lease(&mut self) {
        let lease = self.evidence.leases.last().unwrap().id;
        let keys: Vec<Key> =
            self.state.values().filter(|it| it.lease == lease).map(|it| it.key).collect();
        self.revision += 1;
        for key in keys {
            self.state.remove(&key);
            self.events.push(Event { revision: self.revision, key, put: None });
        }
    }

    /// Reads of the past, before and after a compaction in the middle.
    fn look_back(&mut self) {
        let edge = self.revision / 2 + 1;
        let (called_ns, returned_ns) = (self.now_ns + 100, Some(self.now_ns + 200));
        self.evidence.compactions.push(Compaction { called_ns, revision: edge, returned_ns });
        for called_ns in [self.now_ns, self.now_ns + 300] {
            for revision in 1..=self.revision {
                let mut state = BTreeMap::new();
                for event in self.events.iter().take_while(|event| event.revision <= revision) {
                    match event.put {
                        Some(put) => drop(state.insert(event.key, put)),
                        None => drop(state.remove(&event.key)),
                    }
                }
                let found = state.into_values().filter(|stored| stored.key < KEYS).collect();
                let answer = match revision < edge && called_ns > self.now_ns {
                    true => PastAnswer::Compacted,
                    false => PastAnswer::Found(found),
                };
                let returned_ns = called_ns + 10;
                let read =
                    PastRead { called_ns, returned_ns, revision, first: 0, end: KEYS, answer };
                self.evidence.past_reads.push(read);
            }
        }
    }

    /// What watchers are told of all that.
    fn watch(&mut self) {
        for (number, wants_previous) in [(0, false), (1, true)] {
            let (first, end) = if number == 0 { (0, Key::MAX) } else { (1, LEASE_KEY_MIN + 3) };
            let mut watcher = Watcher { number, first, end, wants_previous, streams: Vec::new() };
            let mut next = 1;
            while next <= self.revision {
                let stream = self.stream(&watcher, next);
                next = stream.messages.iter().fold(next, |next, message| {
                    let last = message.events.last();
                    next.max(last.map_or(message.revision, |event| event.revision) + 1)
                });
                watcher.streams.push(stream);
            }
            self.evidence.watchers.push(watcher);
        }
    }

    /// Some messages from `start` on; the last stream ends with word of progress.
    fn stream(&mut self, watcher: &Watcher, start: i64) -> WatchStream {
        let mut stream = WatchStream { node: 1, start, created: start, messages: Vec::new() };
        let mut state = BTreeMap::new();
        let mut through = start - 1;
        for group in self.events.chunk_by(|a, b| a.revision == b.revision) {
            let mut message = WatchMessage {
                received_ns: self.now_ns,
                revision: self.revision,
                ..Default::default()
            };
            for event in group {
                let before = match event.put {
                    Some(put) => state.insert(event.key, put),
                    None => state.remove(&event.key),
                };
                if (watcher.first..watcher.end).contains(&event.key) {
                    message.events.push(*event);
                    message.previous.extend(watcher.wants_previous.then_some(before));
                }
            }
            if group[0].revision < start || message.events.is_empty() {
                continue;
            }
            through = group[0].revision;
            stream.messages.push(message);
            if self.random.chance(1, 6) {
                let received_ns = self.now_ns;
                let message = WatchMessage { received_ns, revision: through, ..Default::default() };
                stream.messages.push(message);
            }
            if self.random.chance(1, 10) {
                return stream;
            }
        }
        let revision = self.revision.max(through);
        stream.messages.push(WatchMessage {
            received_ns: self.now_ns,
            revision,
            ..Default::default()
        });
        stream
    }
}

pub(super) fn good(seed: u64, steps: usize) -> Evidence {
    let mut maker = Maker {
        random: Prng::named(seed, "history"),
        now_ns: 100,
        revision: 1,
        state: BTreeMap::new(),
        evidence: Evidence::default(),
        events: Vec::new(),
        next_value: 0,
        alive_ns: None,
    };
    for _ in 0..steps {
        match maker.random.chance(1, 8) {
            true => maker.lease(),
            false => maker.step(),
        }
    }
    maker.watch();
    maker.look_back();
    maker.evidence.ended_ns = maker.now_ns;
    let state: Vec<Stored> = maker.state.values().copied().collect();
    let (events, revision) = (maker.events, maker.revision);
    let member = |number| Member { number, events: events.clone(), state: state.clone(), revision };
    maker.evidence.members = (1..=3).map(member).collect();
    maker.evidence
}

#[test]
fn good_histories_pass() {
    for seed in 0..2_000 {
        let verdict = check(&good(seed, 60));
        assert!(verdict.is_good(), "seed {seed}:\n{verdict}");
    }
}

/// Damages 40 histories; each one in which the damage finds its place must be found out.
pub(super) fn check_damage(expected: Kind, mut damage: impl FnMut(&mut Evidence) -> Option<()>) {
    let mut damaged = 0;
    for seed in 0..40 {
        let mut evidence = good(seed, 80);
        if damage(&mut evidence).is_none() {
            continue;
        }
        damaged += 1;
        let verdict = check(&evidence);
        assert!(verdict.count(expected) > 0, "{expected:?}, seed {seed}: {verdict}");
    }
    assert!(damaged >= 20, "{expected:?}: only {damaged} of 40 histories could be damaged");
}

/// The same for the events and states of all members, as a fault of the replicated state.
fn check_all_members(expected: Kind, mut damage: impl FnMut(&mut Member) -> Option<()>) {
    check_damage(expected, |evidence| evidence.members.iter_mut().try_for_each(&mut damage));
}

fn answers(evidence: &mut Evidence) -> impl DoubleEndedIterator<Item = &mut Answer> {
    evidence.operations.iter_mut().filter_map(|operation| match &mut operation.outcome {
        Outcome::Answered { answer, .. } => Some(answer),
        _ => None,
    })
}

fn written(answer: &mut Answer) -> Option<&mut i64> {
    match answer {
        Answer::Written { revision, .. } => Some(revision),
        _ => None,
    }
}

fn read(answer: &mut Answer) -> Option<(&mut i64, &mut Vec<Stored>)> {
    match answer {
        Answer::Read { revision, found } => Some((revision, found)),
        _ => None,
    }
}

/// Takes the last revision back, on all members.
fn forget_newest(evidence: &mut Evidence) {
    for member in &mut evidence.members {
        member.events.retain(|event| event.revision < member.revision);
        member.revision -= 1;
    }
}

#[test]
fn a_lost_acknowledged_write() {
    check_damage(Kind::LostWrite, |evidence| {
        let newest = evidence.members[0].revision;
        answers(evidence).filter_map(written).find(|revision| **revision == newest)?;
        forget_newest(evidence);
        Some(())
    });
}

#[test]
fn a_read_that_is_stale_by_one() {
    check_damage(Kind::StaleRead, |evidence| {
        // What was there one revision before, asked for after the write was acknowledged.
        let acknowledged = evidence.operations.iter().rev().find_map(|operation| {
            let Outcome::Answered { returned_ns, answer } = &operation.outcome else { return None };
            let Answer::Written { revision, .. } = answer else { return None };
            Some((*returned_ns, *revision))
        });
        let (returned_ns, revision) = acknowledged?;
        let mut state = BTreeMap::new();
        for event in evidence.members[0].events.iter().take_while(|e| e.revision < revision) {
            match event.put {
                Some(put) => state.insert(event.key, put),
                None => state.remove(&event.key),
            };
        }
        let found = state.into_values().collect();
        let answer = Answer::Read { revision: revision - 1, found };
        let called_ns = returned_ns + 1;
        evidence.operations.push(Operation {
            client: 1,
            node: 2,
            called_ns,
            call: Call::Read { first: 0, end: KEYS },
            outcome: Outcome::Answered { returned_ns: called_ns + 1, answer },
        });
        Some(())
    });
}

#[test]
fn a_read_of_an_old_value_under_a_new_revision() {
    check_damage(Kind::WrongAnswer, |evidence| {
        let events = evidence.members[0].events.clone();
        let (_, found) =
            answers(evidence).filter_map(read).rfind(|(_, found)| !found.is_empty())?;
        let older = events.iter().filter_map(|event| event.put).find(|put| {
            found.iter().any(|stored| stored.key == put.key && stored.value != put.value)
        })?;
        *found.iter_mut().find(|stored| stored.key == older.key)? = older;
        Some(())
    });
}

#[test]
fn a_read_that_misses_a_key() {
    check_damage(Kind::WrongAnswer, |evidence| {
        answers(evidence).filter_map(read).find(|(_, found)| found.len() > 1)?.1.pop().map(drop)
    });
}

#[test]
fn a_read_with_a_wrong_version() {
    check_damage(Kind::WrongAnswer, |evidence| {
        let (_, found) = answers(evidence).filter_map(read).find(|(_, found)| !found.is_empty())?;
        found[0].version += 1;
        Some(())
    });
}

#[test]
fn a_read_from_the_future() {
    check_damage(Kind::FutureRevision, |evidence| {
        let newest = evidence.members[0].revision;
        *answers(evidence).find_map(read)?.0 = newest + 1;
        Some(())
    });
}

#[test]
fn two_acknowledgements_with_swapped_revisions() {
    check_damage(Kind::WrongRevision, |evidence| {
        let mut all: Vec<&mut i64> = answers(evidence).filter_map(written).collect();
        let (first, rest) = all.split_first_mut()?;
        std::mem::swap(*first, *rest.first_mut()?);
        Some(())
    });
}

#[test]
fn an_event_twice() {
    check_all_members(Kind::BrokenEvents, |member| {
        let event = *member.events.get(5)?;
        member.events.insert(5, event);
        Some(())
    });
}

#[test]
fn two_events_in_the_wrong_order() {
    check_all_members(Kind::BrokenEvents, |member| {
        let at = member.events.windows(2).position(|two| two[0].revision < two[1].revision)?;
        member.events.swap(at, at + 1);
        Some(())
    });
}

#[test]
fn a_dropped_event() {
    check_all_members(Kind::BrokenEvents, |member| {
        let revision = member.events.get(4)?.revision;
        member.events.retain(|event| event.revision != revision);
        Some(())
    });
}

#[test]
fn more_hidden_revisions_than_can_be_explained() {
    check_damage(Kind::BrokenEvents, |evidence| {
        evidence.hidden_max = evidence.hidden_max.checked_sub(1)?;
        Some(())
    });
}

#[test]
fn an_event_that_one_member_drops() {
    check_damage(Kind::MembersDiffer, |evidence| evidence.members[2].events.pop().map(drop));
}

#[test]
fn two_values_at_one_revision() {
    check_all_members(Kind::NotWhole, |member| {
        let at = member.events.windows(2).position(|two| {
            two[0].revision < two[1].revision && two[0].key != two[1].key && two[1].put.is_some()
        })?;
        let revision = member.events[at].revision;
        member.events[at + 1].revision = revision;
        Some(())
    });
}

#[test]
fn half_a_transaction() {
    check_all_members(Kind::NotWhole, |member| {
        let at = member.events.windows(2).position(|two| two[0].revision == two[1].revision)?;
        member.events.remove(at + 1);
        Some(())
    });
}

#[test]
fn a_value_that_nobody_wrote() {
    check_all_members(Kind::Invented, |member| {
        member.events.first_mut()?.put.as_mut()?.value = 0xdead;
        Some(())
    });
}

#[test]
fn a_write_that_happened_twice() {
    check_damage(Kind::DoneTwice, |evidence| {
        for member in &mut evidence.members {
            let last = *member.events.last()?;
            let put = last.put.filter(|_| {
                let same = |event: &&Event| event.revision == last.revision;
                member.events.iter().filter(same).count() == 1
            })?;
            let revision = last.revision + 1;
            let again = Stored { mod_revision: revision, version: put.version + 1, ..put };
            member.events.push(Event { revision, key: last.key, put: Some(again) });
        }
        Some(())
    });
}

#[test]
fn a_refused_write_that_happened() {
    check_damage(Kind::RefusedYetDone, |evidence| {
        let mut all = evidence.operations.iter_mut();
        let operation = all.find(|operation| {
            let Outcome::Answered { answer, .. } = &operation.outcome else { return false };
            matches!(answer, Answer::Written { .. })
        })?;
        operation.outcome = Outcome::Refused;
        Some(())
    });
}

#[test]
fn a_comparison_that_was_ignored() {
    check_damage(Kind::ComparisonIgnored, |evidence| {
        let mut all = evidence.operations.iter_mut().rev();
        all.find_map(|operation| match (&mut operation.call, &operation.outcome) {
            (Call::Write(write), Outcome::Answered { answer: Answer::Written { .. }, .. }) => {
                write.compare.as_mut().map(|(_, wanted)| *wanted += 1)
            }
            _ => None,
        })
    });
}

#[test]
fn a_comparison_that_held_and_was_refused() {
    check_damage(Kind::WrongAnswer, |evidence| {
        evidence.operations.iter_mut().find_map(|operation| {
            let Outcome::Answered { answer: Answer::Unequal { found, .. }, .. } =
                &operation.outcome
            else {
                return None;
            };
            let there = found.first().map_or(0, |stored| stored.mod_revision);
            let Call::Write(write) = &mut operation.call else { return None };
            write.compare.as_mut().map(|(_, wanted)| *wanted = there)
        })
    });
}

#[test]
fn a_deletion_counted_wrong() {
    check_damage(Kind::WrongAnswer, |evidence| {
        answers(evidence).find_map(|answer| match answer {
            Answer::Written { deleted, .. } => {
                *deleted += 1;
                Some(())
            }
            _ => None,
        })
    });
}

#[test]
fn a_write_before_what_was_answered_earlier() {
    check_damage(Kind::OrderReversed, |evidence| {
        let newest = evidence.members[0].revision;
        let mut all = evidence.operations.iter_mut();
        let operation = all.find(|operation| match &operation.outcome {
            Outcome::Answered { answer: Answer::Written { revision, .. }, .. } => {
                *revision < newest / 2
            }
            _ => false,
        })?;
        operation.called_ns = u64::MAX - 1;
        Some(())
    });
}

#[test]
fn wrong_numbers_of_an_event() {
    check_all_members(Kind::WrongNumbers, |member| {
        member.events.last_mut()?.put.as_mut()?.version += 1;
        Some(())
    });
    check_all_members(Kind::WrongNumbers, |member| {
        member.events.last_mut()?.put.as_mut()?.create_revision -= 1;
        Some(())
    });
}

#[test]
fn a_deletion_instead_of_a_put() {
    check_all_members(Kind::NotWhole, |member| {
        let two = member.events.windows(2).position(|two| two[0].revision == two[1].revision)?;
        member.events[two + 1].put = match member.events[two + 1].put {
            Some(_) => None,
            None => member.events[two].put,
        };
        Some(())
    });
}

#[test]
fn a_final_state_that_the_events_do_not_lead_to() {
    check_damage(Kind::WrongFinalState, |evidence| evidence.members[1].state.pop().map(drop));
    check_damage(Kind::WrongFinalState, |evidence| {
        evidence.members[1].revision += 1;
        Some(())
    });
}

#[test]
fn a_load_that_repeats_a_value_and_a_run_without_members() {
    check_damage(Kind::Load, |evidence| {
        let operation = evidence.operations.iter().find(|o| matches!(o.call, Call::Write(_)))?;
        evidence.operations.push(operation.clone());
        Some(())
    });
    check_damage(Kind::MembersDiffer, |evidence| {
        evidence.members.clear();
        Some(())
    });
}
