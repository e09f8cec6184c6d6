//! What the messages of an election's topics hold; runs on the authority's thread.

use super::sequence::Batch;
use super::topic::About;
use crate::look;
use crate::sentence::Sentence;
use crate::views::{TurnoutView, phase_name};
use authority::ElectionView;
use ballot::Tracker;
use election::Phase;
use election::entry::{Body, Entry};
use serde::Serialize;
use serde_json::Value;

/// See `elections/{id}/status`.
#[derive(Serialize)]
struct StatusView {
    phase: &'static str,
    title: Option<String>,
    blockers: Vec<Sentence>,
    /// Minute of the closing, as extended.
    closes: Option<u32>,
    entries: u64,
    leaves: u64,
    final_size: u64,
    settled: bool,
    shares: Vec<u8>,
}

/// One item of `elections/{id}/ledger`.
#[derive(Serialize)]
pub(crate) struct LedgerLine {
    entry: u64,
    kind: &'static str,
    /// Minutes since 1970 UTC.
    stamp: Option<u32>,
    /// Index of the leaf, if it is one.
    leaf: Option<u64>,
    /// Tracker, for ballots.
    tracker: Option<String>,
    /// Why it is no leaf, if it is none.
    refused: Option<&'static str>,
}

/// The state of a topic that is one.
pub(crate) fn state(view: ElectionView<'_>, about: About) -> Value {
    let value = match about {
        About::Turnout => serde_json::to_value(TurnoutView::of(view)),
        About::Results => serde_json::to_value(look::result(view)),
        About::Status | About::Ledger => serde_json::to_value(status(view)),
    };
    value.unwrap_or_default()
}

fn status(view: ElectionView<'_>) -> StatusView {
    let fold = view.fold();
    let phase = fold.phase();
    StatusView {
        phase: phase_name(&phase),
        title: look::title(view),
        blockers: look::blockers(&phase),
        closes: fold.closes(),
        entries: view.head(),
        leaves: fold.tree().size(),
        final_size: view.final_size(),
        settled: view.is_settled(),
        shares: match phase {
            Phase::Closed { shares } => shares,
            _ => Vec::new(),
        },
    }
}

/// The entries of a batch.
pub(crate) fn ledger(view: ElectionView<'_>, batch: Batch) -> Value {
    let lines: Vec<LedgerLine> =
        (batch.after + 1..=batch.end).map(|number| line(view, number)).collect();
    serde_json::json!({ "entries": lines })
}

/// One entry in short.
pub(crate) fn line(view: ElectionView<'_>, number: u64) -> LedgerLine {
    let entry = view.entry(number).and_then(|bytes| Entry::decode(bytes).ok());
    let outcome = view.outcome(number);
    let tracker = match entry.as_ref().map(|entry| &entry.body) {
        Some(Body::Ballot(ballot)) => Some(Tracker::of_hash(&look::sha256(ballot)).to_string()),
        _ => None,
    };
    LedgerLine {
        entry: number,
        kind: entry.as_ref().map_or("unreadable", |entry| entry.body.kind().name()),
        stamp: entry.as_ref().map(|entry| entry.stamp),
        leaf: outcome.and_then(|outcome| outcome.as_ref().ok().copied()),
        tracker,
        refused: outcome.and_then(|outcome| outcome.as_ref().err().map(|refusal| refusal.code)),
    }
}
