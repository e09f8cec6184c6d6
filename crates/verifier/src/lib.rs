//! Recomputes a whole election from its archive, and says in a numbered list what was checked.
//!
//! Nothing in an archive is believed. Hashes are computed again, every signature and proof is
//! checked, every entry must be a leaf by the same fold that authorities run, and the sums and the
//! result are computed anew. What makes the archive *the* record, and not just a record, is the
//! quorum of cosignatures on its final checkpoint, and whether those count is decided by the trust
//! file, which must come from elsewhere. Without it the best possible answer is "consistent in
//! itself, not anchored".
//!
//! Left out on purpose: where archives come from, and own receipts (`ledger::Receipt::verify`).
#![forbid(unsafe_code)]

mod checks;
mod entries;
mod json;
mod report;
mod workers;

use bytes::Bytes;
use election::{ArchiveBytes, ArchiveError, StoredArchive};
use ledger::Policy;
use rand_core::CryptoRng;

pub use checks::Title;
pub use report::{Check, Facts, Finding, Report, Verdict};
pub use workers::{LeafOf, Workers};

/// Verifies an archive. `rng` must be unpredictable for whoever made the archive: its numbers are
/// the weights with which many proofs are checked at once.
pub fn verify(
    archive: &[u8],
    trust: Option<&Policy>,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Report {
    verify_with_progress(&Bytes::copy_from_slice(archive), trust, rng, &mut |_| ())
}

/// How many leaves are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// So far.
    pub done: u64,
    /// In the archive.
    pub total: u64,
}

/// [`verify`], told about every thousand leaves how far it is.
pub fn verify_with_progress(
    archive: &Bytes,
    trust: Option<&Policy>,
    rng: &mut (impl CryptoRng + ?Sized),
    progress: &mut dyn FnMut(Progress),
) -> Report {
    verify_by(archive, trust, &mut workers::Alone(rng), progress)
}

/// [`verify_with_progress`], with workers that may be several threads, of an archive that is read
/// where it lies.
pub fn verify_by(
    archive: impl ArchiveBytes + Sync,
    trust: Option<&Policy>,
    workers: &mut dyn Workers,
    progress: &mut dyn FnMut(Progress),
) -> Report {
    let report =
        StoredArchive::open(archive).and_then(|archive| judge(&archive, trust, workers, progress));
    report.unwrap_or_else(|error| report::unreadable(&error))
}

fn judge<S: ArchiveBytes + Sync>(
    archive: &StoredArchive<S>,
    trust: Option<&Policy>,
    workers: &mut dyn Workers,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ArchiveError> {
    let mut run = checks::Run::new(archive, trust)?;
    run.check_trust();
    run.check_tree();
    run.check_cosignatures();
    run.check_prefixes();
    let outcome = entries::check(archive, workers, progress)?;
    run.check_entries(&outcome);
    Ok(run.finish(&outcome))
}
