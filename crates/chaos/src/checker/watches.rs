//! Whether each reader of changes was told the history: all of it, once, in order, in whole
//! revisions, on every stream from where it asked, and up to the end.

use std::collections::BTreeMap;

use super::verdict::{Kind, Verdict};
use crate::history::{Event, Key, Stored, WatchMessage, WatchStream, Watcher};

/// An event of the history with the value before it.
type Told<'a> = (&'a Event, Option<Stored>);

/// Checks all watchers against the history, which ends at revision `newest`.
pub(super) fn check(watchers: &[Watcher], history: &[Event], verdict: &mut Verdict) {
    let mut state: BTreeMap<Key, Stored> = BTreeMap::new();
    let told: Vec<Told<'_>> = history
        .iter()
        .map(|event| {
            let before = match event.put {
                Some(put) => state.insert(event.key, put),
                None => state.remove(&event.key),
            };
            (event, before)
        })
        .collect();
    for watcher in watchers {
        let span = watcher.first..watcher.end;
        let wanted: Vec<Told<'_>> =
            told.iter().copied().filter(|(event, _)| span.contains(&event.key)).collect();
        check_watcher(watcher, &wanted, verdict);
    }
}

fn check_watcher(watcher: &Watcher, wanted: &[Told<'_>], verdict: &mut Verdict) {
    // Revision up to which everything was told, and whether anything is known yet.
    let mut through = None;
    for stream in &watcher.streams {
        let start = match stream.start {
            0 => stream.created + 1,
            start => start,
        };
        if through.is_some_and(|through| start > through + 1) {
            verdict.add(Kind::Load, || {
                format!("watcher {} asks from {start}, has {through:?}", watcher.number)
            });
        }
        let reached = check_stream(watcher, stream, start, wanted, verdict);
        through = through.max(Some(reached));
    }
    let through = through.unwrap_or(0);
    let missing = wanted.iter().filter(|(event, _)| event.revision > through).count();
    if missing > 0 {
        verdict.add(Kind::WatchStopped, || {
            let (number, newest) = (watcher.number, wanted.last());
            format!(
                "watcher {number} was told everything up to revision {through}; {missing} events \
                 behind it never came, the last is {newest:?}"
            )
        });
    }
}

/// Checks one stream; the revision up to which it told everything.
fn check_stream(
    watcher: &Watcher,
    stream: &WatchStream,
    start: i64,
    wanted: &[Told<'_>],
    verdict: &mut Verdict,
) -> i64 {
    let place = |message: &WatchMessage| {
        let WatchStream { node, .. } = stream;
        format!("watcher {}, node {node}, from {start}: {message:?}", watcher.number)
    };
    let mut rest = &wanted[wanted.partition_point(|(event, _)| event.revision < start)..];
    let mut through = start - 1;
    for message in &stream.messages {
        let Some(last) = message.events.last() else {
            // Progress: all up to here was told.
            if rest.first().is_some_and(|(event, _)| event.revision <= message.revision) {
                verdict.add(Kind::WatchWrong, || format!("progress too early: {}", place(message)));
            }
            through = through.max(message.revision);
            continue;
        };
        let count = message.events.len().min(rest.len());
        let (expected, behind) = rest.split_at(count);
        let is_told = message.events.iter().eq(expected.iter().map(|(event, _)| *event));
        if !is_told {
            verdict.add(Kind::WatchWrong, || {
                let first = expected.first();
                format!("expected from {first:?} on: {}", place(message))
            });
            return last.revision;
        }
        if behind.first().is_some_and(|(event, _)| event.revision == last.revision)
            || message.revision < last.revision
        {
            verdict.add(Kind::WatchWrong, || format!("half a revision: {}", place(message)));
        }
        let befores = expected.iter().map(|(_, before)| before);
        if watcher.wants_previous && !message.previous.iter().eq(befores) {
            verdict.add(Kind::WatchWrong, || format!("other values before: {}", place(message)));
        }
        (rest, through) = (behind, last.revision);
    }
    through
}
