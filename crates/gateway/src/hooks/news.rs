//! What a hook has to tell: read from the authority's state behind the hook's places; runs on the
//! authority's thread.

use super::state::{Places, Topic};
use crate::look::sha256;
use crate::views::phase_name;
use authority::ElectionView;
use ballot::Tracker;
use election::entry::{Body, Entry};
use serde_json::{Value, json};

/// Events in one delivery; the rest comes in the next one.
const EVENTS_MAX: usize = 500;

/// Entries looked at in one turn.
pub(super) const LOOK_MAX: u64 = 20_000;

/// What happened behind `places` that belongs to `topics`, and where the hook is after it.
pub(super) fn news(
    view: ElectionView<'_>,
    topics: &[Topic],
    places: &Places,
) -> (Vec<Value>, Places) {
    let wants = |topic: Topic| topics.contains(&topic);
    let mut events = Vec::new();
    let mut then = places.clone();
    let end = view.position().min(places.entry.saturating_add(LOOK_MAX));
    // A store that was set back: what comes is told again.
    then.entry = then.entry.min(view.position());
    if !wants(Topic::Ordered) && !wants(Topic::Refused) {
        then.entry = view.position();
    }
    while then.entry < end && events.len() < EVENTS_MAX {
        then.entry += 1;
        if wants(Topic::Ordered) {
            events.push(ordered(view, then.entry));
        }
        if wants(Topic::Refused) {
            events.extend(refused(view, then.entry));
        }
    }
    let size = view.final_size();
    if size > places.final_size {
        if wants(Topic::Final) {
            events.push(json!({ "event": "final", "from": places.final_size, "size": size }));
        }
        if wants(Topic::Checkpoint)
            && let Some(note) = view.final_checkpoint()
        {
            let text = note.to_string();
            events.push(json!({ "event": "checkpoint", "size": size, "checkpoint": text }));
        }
    }
    then.final_size = size;
    let phase = phase_name(&view.fold().phase());
    if phase != places.phase && wants(Topic::Phase) {
        events.push(json!({ "event": "phase", "phase": phase }));
    }
    then.phase = phase.to_owned();
    (events, then)
}

fn ordered(view: ElectionView<'_>, number: u64) -> Value {
    let entry = view.entry(number).and_then(|bytes| Entry::decode(bytes).ok());
    let leaf = view.outcome(number).and_then(|outcome| outcome.as_ref().ok());
    json!({
        "event": "ordered",
        "entry": number,
        "kind": entry.as_ref().map_or("unreadable", |entry| entry.body.kind().name()),
        "stamp": entry.as_ref().map(|entry| entry.stamp),
        "leaf": leaf,
        "tracker": entry.as_ref().and_then(tracker),
    })
}

fn refused(view: ElectionView<'_>, number: u64) -> Option<Value> {
    let refusal = view.outcome(number)?.as_ref().err()?;
    let entry = view.entry(number).and_then(|bytes| Entry::decode(bytes).ok());
    Some(json!({
        "event": "refused",
        "entry": number,
        "code": refusal.code,
        "sentence": refusal.sentence,
        "tracker": entry.as_ref().and_then(tracker),
    }))
}

fn tracker(entry: &Entry<'_>) -> Option<String> {
    match entry.body {
        Body::Ballot(ballot) => Some(Tracker::of_hash(&sha256(ballot)).to_string()),
        _ => None,
    }
}
