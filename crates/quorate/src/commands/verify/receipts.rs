//! Receipts against an archive: was every ballot that a client was told is final really kept?

use super::NOT_CHECKED;
use super::file::ArchiveFile;
use crate::commands::Failure;
use ballot::Tracker;
use election::succession::Successions;
use election::{ArchiveError, Body, Entry, StoredArchive};
use ledger::{Policy, Receipt, leaf_hash, verify_inclusion};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};

/// Absent receipts that are named one by one.
const NAMED_MAX: usize = 20;

/// How the receipts of a folder stand.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// Receipts whose ballot is in the archive.
    pub(super) present: usize,
    /// Those that are not, by file and reason.
    pub(super) absent: Vec<(PathBuf, String)>,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "receipts: {} final, {} absent", self.present, self.absent.len())?;
        for (path, reason) in self.absent.iter().take(NAMED_MAX) {
            writeln!(f, "  absent: {}: {reason}", path.display())?;
        }
        if self.absent.len() > NAMED_MAX {
            writeln!(f, "  … and {} more", self.absent.len() - NAMED_MAX)?;
        }
        Ok(())
    }
}

/// Checks every `*.receipt` file in `folder`.
pub(super) fn count(
    folder: &Path,
    archive: &ArchiveFile,
    trust: Option<&Policy>,
) -> Result<Count, Failure> {
    let mut count = Count::default();
    let Ok(archive) = StoredArchive::open(archive) else { return Ok(count) };
    let unreadable = |error: ArchiveError| Failure::new(NOT_CHECKED, error.to_string());
    let manifest = archive.manifest().map_err(unreadable)?;
    let keys = archive.successions(manifest.as_ref()).map_err(unreadable)?;
    let files = files(folder)?;
    if files.is_empty() {
        let what = format!("{} holds no file named *.receipt", folder.display());
        return Err(Failure::new(NOT_CHECKED, what));
    }
    for path in files {
        let checked = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot be read: {error}"))
            .and_then(|text| check(&text, &path, &archive, (trust, &keys)));
        match checked {
            Ok(()) => count.present += 1,
            Err(reason) => count.absent.push((path, reason)),
        }
    }
    Ok(count)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let what = format!("cannot read the folder {}", folder.display());
    let failed = Failure::because(NOT_CHECKED, &what);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(&failed)? {
        let path = entry.map_err(&failed)?.path();
        if path.extension().is_some_and(|extension| extension == "receipt") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether the archive has, at the receipt's index, the leaf that the receipt's own path and
/// cosigned checkpoint prove, and that leaf is the ballot named by the receipt.
fn check(
    text: &str,
    path: &Path,
    archive: &StoredArchive<&ArchiveFile>,
    (trust, keys): (Option<&Policy>, &Successions),
) -> Result<(), String> {
    let receipt = Receipt::parse(text).map_err(|error| error.to_string())?;
    let leaf = archive.leaf(receipt.index).map_err(|error| error.to_string())?;
    let leaf = leaf.ok_or_else(|| {
        format!("it says leaf {}; the archive ends at {}", receipt.index, archive.tree().size())
    })?;
    match trust {
        Some(policy) => {
            let policy = keys.policy_at(policy, receipt.checkpoint.checkpoint.size);
            receipt.verify(&policy, leaf_hash(&leaf)).map(|_| ())
        }
        None => {
            let signed = &receipt.checkpoint.checkpoint;
            let (index, path) = (receipt.index, &receipt.path);
            verify_inclusion(leaf_hash(&leaf), index, signed.size, path, signed.root)
                .map_err(ledger::ReceiptError::Path)
        }
    }
    .map_err(|error| error.to_string())?;
    let found = tracker_of(&leaf).ok_or_else(|| format!("leaf {} is no ballot", receipt.index))?;
    match named_by(path) {
        Some(named) if named != found => Err(format!("leaf {} is ballot {found}", receipt.index)),
        _ => Ok(()),
    }
}

fn tracker_of(leaf: &[u8]) -> Option<Tracker> {
    match Entry::decode(leaf).ok()?.body {
        Body::Ballot(ballot) => Some(Tracker::of_hash(&Sha256::digest(ballot).into())),
        _ => None,
    }
}

/// A receipt file is usually named after its ballot's tracker.
fn named_by(path: &Path) -> Option<Tracker> {
    path.file_stem()?.to_str()?.parse().ok()
}
