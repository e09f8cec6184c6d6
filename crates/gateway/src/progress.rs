//! What a page of one election needs beside its questions: counts, the signed checkpoint, how far
//! the trustees are, when what happened.

use crate::chart::{ActLine, Chart};
use authority::ElectionView;
use election::{Blocker, Phase};
use serde::Serialize;

/// Part of `GET /elections/{id}`.
#[derive(Debug, Serialize)]
pub(crate) struct Progress {
    counts: Counts,
    /// Text of the newest checkpoint that a quorum has cosigned.
    checkpoint: Option<String>,
    trustees: Vec<TrusteeProgress>,
    /// Entries of the ledger that are no ballots and no part of roll and ceremony, oldest first.
    acts: Vec<ActLine>,
    /// Alarms that some authority has raised; `…/rounds` has them with their proofs.
    alarms: usize,
}

/// How much there is.
#[derive(Debug, Serialize)]
struct Counts {
    /// Entries ordered so far.
    entries: u64,
    /// Accepted ones.
    leaves: u64,
    /// Accepted ones that a quorum has cosigned.
    #[serde(rename = "final")]
    is_final: u64,
    /// Entries that are no leaves.
    refused: u64,
    /// Ballots taken in here that are not ordered yet.
    waiting: usize,
}

/// How far one trustee is.
#[derive(Debug, Serialize)]
struct TrusteeProgress {
    /// From 1.
    trustee: u8,
    name: String,
    /// Rounds of the key ceremony for which its message is there; attempt a has 3a+1 to 3a+3.
    ceremony_rounds: Vec<u8>,
    /// Whether it has signed the manifest.
    endorsed: bool,
    /// Whether its decryption share is on the ledger.
    shared: bool,
}

/// Collects it; on the authority's thread.
pub(crate) fn progress(view: ElectionView<'_>, chart: Chart) -> Progress {
    let fold = view.fold();
    let leaves = fold.tree().size();
    Progress {
        counts: Counts {
            entries: view.head(),
            leaves,
            is_final: view.final_size(),
            refused: view.position().saturating_sub(leaves),
            waiting: view.waiting(),
        },
        checkpoint: view.final_checkpoint().map(|note| note.to_string()),
        trustees: trustees(view),
        acts: chart.acts,
        alarms: view.alarms().count(),
    }
}

fn trustees(view: ElectionView<'_>) -> Vec<TrusteeProgress> {
    let fold = view.fold();
    let names = match fold.manifest() {
        Some(manifest) => manifest.definition.trustees.clone(),
        None => view.draft().map(|(draft, _)| draft.definition.trustees).unwrap_or_default(),
    };
    let phase = fold.phase();
    let has_endorsed = |trustee: u8| {
        match &phase {
        Phase::Empty => false,
        Phase::Setup { missing } => !missing.iter().any(|blocker| {
            matches!(blocker, Blocker::TrusteeEndorsement { index, .. } if *index == trustee)
        }),
        _ => true,
    }
    };
    let has_shared = |trustee: u8| match &phase {
        Phase::Closed { shares } => shares.contains(&trustee),
        _ => fold.result().is_some_and(|_| shared(view).contains(&trustee)),
    };
    let progress = |(trustee, name): (u8, String)| TrusteeProgress {
        trustee,
        name,
        ceremony_rounds: view
            .ceremony_messages()
            .keys()
            .filter(|(_, of)| *of == trustee)
            .map(|(round, _)| *round)
            .collect(),
        endorsed: has_endorsed(trustee),
        shared: has_shared(trustee),
    };
    (1..).zip(names).map(progress).collect()
}

/// Whose shares stand on the ledger of a published election: its last leaves.
fn shared(view: ElectionView<'_>) -> Vec<u8> {
    use election::entry::{Body, Entry};
    let leaves = view.fold().leaves().iter().rev();
    let bodies = leaves.filter_map(|leaf| Entry::decode(leaf).ok()).map(|entry| entry.body);
    let after_close =
        bodies.take_while(|body| !matches!(body, Body::Close { .. } | Body::Ballot(_)));
    let trustee = |body| match body {
        Body::Share { trustee, .. } => Some(trustee),
        _ => None,
    };
    after_close.filter_map(trustee).collect()
}
