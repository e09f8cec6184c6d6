//! Whether a history is strictly serializable, with the store's revisions as the witness.
//!
//! # The idea
//! The store numbers its writes, and every answer names the revision it was made at. So nobody has
//! to search for an order of the operations: the store claims one, and this module checks the
//! claim. That takes n log n steps, gives no "unknown", and looks at every operation.
//!
//! ```text
//!   write A ── revision 5     position 10 = 2·5
//!   read  B ── at revision 5  position 11 = 2·5 + 1     behind A, before the write of 6
//! ```
//!
//! # What is checked
//! 1. All members deliver the same events, ascending from revision 2 on (1 is the empty store),
//!    none twice. Revisions without an event are those of the authorities, whose keys no client
//!    may see; there must not be more of them than [`Evidence::hidden_max`].
//! 2. Each revision is one write that some client sent, whole, and not one sent twice. A write
//!    without an answer is recognised by its value; so it happened at most once, or not at all.
//! 3. Replayed in the order of revisions on a plain map, every answer comes out exactly: what was
//!    found with its three numbers, what a comparison decided, how many keys a deletion met.
//! 4. Every acknowledged write is there, at the revision its answer named; none that was refused.
//! 5. Real time: an operation that was answered before another one was called does not stand
//!    behind it. A stale read breaks this rule or the third.
//! 6. Each member's final state is the map's.
//! 7. Revisions that only delete are the ends of leases, each with all its keys; no lease ends
//!    before its time, is used after its end, or stays ([`leases`]).
//! 8. Every stream of every watcher told exactly the events from where it began, and together they
//!    told all ([`watches`]).
//! 9. Reads of the past show what was there, or are refused, as compaction allows ([`past`]).
//!
//! Acceptance exhibits an order of all operations that respects real time, hence it is sound. It
//! asks for more than linearizability, because revisions are part of the API.
//!

mod leases;
mod past;
mod replay;
mod verdict;
mod watches;

use std::collections::BTreeMap;

use crate::history::{Answer, Call, Event, Evidence, Operation, Outcome, Value, Write};
use replay::{Found, Replay};
pub(crate) use verdict::{Kind, Verdict};

/// Checks all of it.
pub(crate) fn check(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(first) = evidence.members.first() else {
        verdict.add(Kind::MembersDiffer, || "no member could be read back".to_owned());
        return verdict;
    };
    for other in &evidence.members[1..] {
        compare_events((first.number, &first.events), (other.number, &other.events), &mut verdict);
    }
    let writes = writes(&evidence.operations, &mut verdict);
    let mut replay = Replay::new(&evidence.operations, writes);
    replay.run(&first.events, first.revision, &mut verdict);
    replay.check_hidden(evidence.hidden_max, &mut verdict);
    for member in &evidence.members {
        replay.check_final(member, &mut verdict);
    }
    let Found { happened, ended } = replay.into_found();
    check_outcomes(&evidence.operations, &happened, &mut verdict);
    check_real_time(&evidence.operations, &happened, &mut verdict);
    leases::check(evidence, &ended, &mut verdict);
    past::check(&evidence.past_reads, &evidence.compactions, &first.events, &mut verdict);
    watches::check(&evidence.watchers, &first.events, &mut verdict);
    verdict
}

fn compare_events(first: (u8, &[Event]), other: (u8, &[Event]), verdict: &mut Verdict) {
    let ((first, all), (other, others)) = (first, other);
    let same = all.iter().zip(others).take_while(|(a, b)| a == b).count();
    if same < all.len().max(others.len()) {
        let (a, b) = (all.get(same), others.get(same));
        verdict.add(Kind::MembersDiffer, || {
            format!("event {same}: node {first} delivers {a:?}, node {other} {b:?}")
        });
    }
}

/// The writes by value; the load must not use one twice.
fn writes<'a>(
    operations: &'a [Operation],
    verdict: &mut Verdict,
) -> BTreeMap<Value, (usize, &'a Write)> {
    let mut writes = BTreeMap::new();
    for (index, operation) in operations.iter().enumerate() {
        if let Call::Write(write) = &operation.call
            && writes.insert(write.value, (index, write)).is_some()
        {
            let value = write.value;
            verdict.add(Kind::Load, || format!("the load wrote value {value:#x} twice"));
        }
    }
    writes
}

/// Whether what clients were told about their writes is what happened.
fn check_outcomes(operations: &[Operation], happened: &[Option<i64>], verdict: &mut Verdict) {
    for (operation, happened) in operations.iter().zip(happened) {
        let Call::Write(_) = operation.call else { continue };
        match (&operation.outcome, happened) {
            (Outcome::Answered { answer: Answer::Written { revision, .. }, .. }, None) => {
                verdict.add(Kind::LostWrite, || {
                    format!("acknowledged at revision {revision} and gone: {operation:?}")
                });
            }
            (Outcome::Answered { answer: Answer::Written { revision, .. }, .. }, Some(at))
                if revision != at =>
            {
                verdict.add(Kind::WrongRevision, || {
                    format!("acknowledged at revision {revision}, happened at {at}: {operation:?}")
                });
            }
            (Outcome::Refused, Some(at))
            | (Outcome::Answered { answer: Answer::Unequal { .. }, .. }, Some(at)) => {
                verdict.add(Kind::RefusedYetDone, || {
                    format!("refused, and happened at revision {at}: {operation:?}")
                });
            }
            _ => {}
        }
    }
}

/// Where an operation stands: writes at even numbers, reads right behind them.
fn position(operation: &Operation, happened: Option<i64>) -> Option<i64> {
    match (&operation.outcome, happened) {
        (_, Some(revision)) => Some(revision.saturating_mul(2)),
        (Outcome::Answered { answer: Answer::Read { revision, .. }, .. }, None)
        | (Outcome::Answered { answer: Answer::Unequal { revision, .. }, .. }, None) => {
            Some(revision.saturating_mul(2).saturating_add(1))
        }
        _ => None,
    }
}

/// Sweeps over the calls in their order, with the highest position answered before each.
fn check_real_time(operations: &[Operation], happened: &[Option<i64>], verdict: &mut Verdict) {
    let placed: Vec<(usize, i64)> = (0..operations.len())
        .filter_map(|index| Some((index, position(&operations[index], happened[index])?)))
        .collect();
    let mut called = placed.clone();
    called.sort_unstable_by_key(|(index, _)| operations[*index].called_ns);
    let mut returned: Vec<(u64, usize, i64)> = placed
        .iter()
        .filter_map(|(index, position)| match operations[*index].outcome {
            Outcome::Answered { returned_ns, .. } => Some((returned_ns, *index, *position)),
            Outcome::Refused | Outcome::Unknown => None,
        })
        .collect();
    returned.sort_unstable();
    let mut returned = returned.into_iter().peekable();
    let mut highest: Option<(i64, usize)> = None;
    for (index, position) in called {
        let operation = &operations[index];
        while let Some((_, earlier, place)) =
            returned.next_if(|(returned_ns, ..)| *returned_ns < operation.called_ns)
        {
            highest = highest.max(Some((place, earlier)));
        }
        let Some((place, earlier)) = highest.filter(|(place, _)| *place > position) else {
            continue;
        };
        let kind = match operation.call {
            Call::Read { .. } => Kind::StaleRead,
            Call::Write(_) => Kind::OrderReversed,
        };
        verdict.add(kind, || {
            format!(
                "at position {position}, called after the answer at position {place} of {:?}: \
                 {operation:?}",
                operations[earlier]
            )
        });
    }
}

#[cfg(test)]
mod service_tests;
#[cfg(test)]
mod tests;
