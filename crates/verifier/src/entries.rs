//! Runs the fold over the leaves: each must be accepted, in order.

use bytes::Bytes;
use election::{
    Archive, ElectionId, Entry, Fold, Manifest, Refusal,
    entry::{Body, Kind},
};

use crate::{Progress, workers::Workers};

/// Ballots that are verified together: larger batches are no faster.
const BATCH: usize = 512;
/// Batches for each worker between two times that all wait for each other.
const BATCHES_EACH: usize = 2;

/// What the fold said.
pub(crate) struct Outcome {
    /// The state after the last good leaf.
    pub(crate) fold: Fold,
    /// The first leaf that is not right.
    pub(crate) refused: Option<Refused>,
}

/// A leaf that must not be one.
pub(crate) struct Refused {
    pub(crate) index: u64,
    /// `None` when it is not even an entry.
    pub(crate) kind: Option<Kind>,
    pub(crate) refusal: Refusal,
}

/// Judges every leaf until one is refused.
pub(crate) fn check(
    archive: &Archive,
    workers: &mut dyn Workers,
    progress: &mut dyn FnMut(Progress),
) -> Outcome {
    let total = archive.leaves.len() as u64;
    // Without a readable manifest any id will do: the first leaf is then refused for its content.
    let election = first_manifest(&archive.leaves).map_or(ElectionId([0; 16]), |first| first.id);
    let mut fold = Fold::new(election);
    let at_once = BATCH * BATCHES_EACH * workers.count();
    for run in archive.leaves.chunk_by(|one, next| kind(one) == kind(next)) {
        for leaves in run.chunks(at_once) {
            if kind(&run[0]) == Some(Kind::Close as u8) {
                let sums = workers.add_up(&fold);
                fold.set_sums(sums);
            }
            let refused = push(&mut fold, leaves, workers);
            if refused.is_some() {
                return Outcome { fold, refused };
            }
            progress(Progress { done: fold.tree().size(), total });
        }
    }
    Outcome { fold, refused: None }
}

/// What an entry says it is; nothing about it is checked.
fn kind(entry: &Bytes) -> Option<u8> {
    entry.get(1).copied()
}

/// Judges leaves, and tells the first that is refused.
fn push(fold: &mut Fold, leaves: &[Bytes], workers: &mut dyn Workers) -> Option<Refused> {
    let first = fold.tree().size();
    let batches: Vec<&[Bytes]> = leaves.chunks(BATCH).collect();
    let verified = workers.verify(fold, &batches);
    let verdicts = verified.into_iter().flat_map(|batch| fold.push_verified(batch));
    let (at, refusal) =
        verdicts.enumerate().find_map(|(at, verdict)| Some((at, verdict.err()?)))?;
    let kind = Entry::decode(&leaves[at]).ok().map(|entry| entry.body.kind());
    Some(Refused { index: first + at as u64, kind, refusal })
}

/// The manifest in the first leaf, as far as it can be read; nothing about it is checked.
pub(crate) fn first_manifest(leaves: &[Bytes]) -> Option<Manifest> {
    match Entry::decode(leaves.first()?).ok()?.body {
        Body::Manifest { manifest, .. } => Manifest::decode(manifest).ok(),
        _ => None,
    }
}
