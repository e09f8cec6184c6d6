//! Runs the fold over the leaves: each must be accepted, in order.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use election::{
    ArchiveBytes, ArchiveError, ElectionId, Entry, Fold, Refusal, StoredArchive, entry::Kind,
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
///
/// # Errors
/// When leaves cannot be read, or are others than at the opening of the archive.
pub(crate) fn check<S: ArchiveBytes + Sync>(
    archive: &StoredArchive<S>,
    workers: &mut dyn Workers,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, ArchiveError> {
    // Without a readable manifest any id will do: the first leaf is then refused for its content.
    let election = archive.manifest()?.map_or(ElectionId([0; 16]), |first| first.id);
    let mut fold = Fold::new(election).without_leaves();
    let at_once = BATCH * BATCHES_EACH * workers.count();
    let kinds = archive.kinds();
    let mut end = 0;
    for run in kinds.chunk_by(|one, next| one == next) {
        for part in run.chunks(at_once) {
            let leaves = archive.leaves(end..end + part.len())?;
            end += part.len();
            if run[0] == Kind::Close as u8 {
                add_up(&mut fold, archive, workers)?;
            }
            let refused = push(&mut fold, &leaves, workers);
            if refused.is_some() {
                return Ok(Outcome { fold, refused });
            }
            progress(Progress { done: fold.tree().size(), total: kinds.len() as u64 });
        }
    }
    if fold.tree().root() != archive.tree().root() {
        return Err(ArchiveError::Changed);
    }
    Ok(Outcome { fold, refused: None })
}

/// Gives the fold the sums of the ballots that count, from their leaves in the archive.
fn add_up<S: ArchiveBytes + Sync>(
    fold: &mut Fold,
    archive: &StoredArchive<S>,
    workers: &mut dyn Workers,
) -> Result<(), ArchiveError> {
    let failure = Mutex::new(None);
    let leaf = |index| {
        let read = archive.leaf(index);
        let noted = |error| *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        read.map_err(noted).ok().flatten()
    };
    let sums = workers.add_up(fold, &leaf);
    fold.set_sums(sums);
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
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
