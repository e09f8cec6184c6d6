//! Whether the past is what it was, down to the edge of compaction and no further.
//!
//! * A read at a revision that is not compacted shows the keys exactly as they were then.
//! * A read that was called after a compaction above its revision was acknowledged is refused.
//! * A read is refused only when such a compaction had been asked for before it returned.
//! * No revision that somebody was told of is in the future.

use std::collections::BTreeMap;

use super::verdict::{Kind, Verdict};
use crate::history::{Compaction, Event, Key, PastAnswer, PastRead, Stored};

/// Checks all reads of the past against the history.
pub(super) fn check(
    reads: &[PastRead],
    compactions: &[Compaction],
    history: &[Event],
    verdict: &mut Verdict,
) {
    let mut ordered: Vec<&PastRead> = reads.iter().collect();
    ordered.sort_unstable_by_key(|read| read.revision);
    let mut state: BTreeMap<Key, Stored> = BTreeMap::new();
    let mut events = history.iter().peekable();
    for read in ordered {
        while let Some(event) = events.next_if(|event| event.revision <= read.revision) {
            match event.put {
                Some(put) => drop(state.insert(event.key, put)),
                None => drop(state.remove(&event.key)),
            }
        }
        match &read.answer {
            PastAnswer::Found(found) => {
                let there = state.range(read.first..read.end).map(|(_, stored)| stored);
                if !found.iter().eq(there) {
                    verdict.add(Kind::WrongAnswer, || format!("not what was there: {read:?}"));
                }
            }
            PastAnswer::Future => verdict.add(Kind::WrongAnswer, || format!("no future: {read:?}")),
            PastAnswer::Compacted => {}
        }
        check_edge(read, compactions, verdict);
    }
}

fn check_edge(read: &PastRead, compactions: &[Compaction], verdict: &mut Verdict) {
    let above = || compactions.iter().filter(|it| it.revision > read.revision);
    let is_refused = read.answer == PastAnswer::Compacted;
    if is_refused && !above().any(|it| it.called_ns < read.returned_ns) {
        verdict.add(Kind::CompactedTooMuch, || format!("nobody had asked for that: {read:?}"));
    }
    let done = above().find(|it| it.returned_ns.is_some_and(|at| at < read.called_ns));
    if let Some(done) = done.filter(|_| !is_refused) {
        verdict.add(Kind::CompactionIgnored, || format!("after {done:?}: {read:?}"));
    }
}
