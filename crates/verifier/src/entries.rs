//! Runs the fold over the leaves: each must be accepted, in order.

use bytes::Bytes;
use election::{
    Archive, ElectionId, Entry, Fold, Manifest, Refusal,
    entry::{Body, Kind},
};
use rand_core::CryptoRng;

use crate::Progress;

/// Leaves between two reports of progress.
const STEP: usize = 256;

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
    rng: &mut (impl CryptoRng + ?Sized),
    progress: &mut dyn FnMut(Progress),
) -> Outcome {
    let total = archive.leaves.len() as u64;
    // Without a readable manifest any id will do: the first leaf is then refused for its content.
    let election = first_manifest(&archive.leaves).map_or(ElectionId([0; 16]), |first| first.id);
    let mut fold = Fold::new(election);
    for leaves in archive.leaves.chunks(STEP) {
        let start = fold.tree().size();
        let verdicts = fold.push_batch(leaves, rng);
        let refused = (start..).zip(verdicts).find_map(|(index, verdict)| {
            let refusal = verdict.err()?;
            let kind = Entry::decode(&leaves[(index - start) as usize]).ok();
            Some(Refused { index, kind: kind.map(|entry| entry.body.kind()), refusal })
        });
        if refused.is_some() {
            return Outcome { fold, refused };
        }
        progress(Progress { done: fold.tree().size(), total });
    }
    Outcome { fold, refused: None }
}

/// The manifest in the first leaf, as far as it can be read; nothing about it is checked.
pub(crate) fn first_manifest(leaves: &[Bytes]) -> Option<Manifest> {
    match Entry::decode(leaves.first()?).ok()?.body {
        Body::Manifest { manifest, .. } => Manifest::decode(manifest).ok(),
        _ => None,
    }
}
