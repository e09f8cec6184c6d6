//! Fresh folders for one member of a new cluster, out of a backup.

use super::format::{BackupError, Facts, at, check, hex, open};
use crate::disk::{RealDisk, create_folders};
use raft::{LogId, LogIndex, MemberId, Membership, Term};
use replica::{LogStore, StateStore};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use storage::{Owner, ValueLogOptions, WalOptions};

/// What is wanted.
#[derive(Clone, Debug)]
pub struct RestoreOrder {
    /// The backup.
    pub file: PathBuf,
    /// The folder to make: absent, or empty.
    pub data_dir: PathBuf,
    /// The member whose folder it is.
    pub member: u64,
    /// All members of the new cluster with their peer addresses; the same for each of them.
    pub members: BTreeMap<u64, SocketAddr>,
    /// Any name for the new cluster. The same file restored again at the same addresses needs
    /// another one, or members of the first attempt could mix in.
    pub name: String,
    /// An authority's folder to take along, with its key and journal.
    pub authority: Option<PathBuf>,
    /// A random number for the folders' checksums.
    pub salt: u64,
}

/// What was made, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the backup is.
    pub facts: Facts,
    /// SHA-256 of the file.
    pub sum: String,
    /// The id of the new cluster.
    pub cluster: u64,
}

/// Checks everything and changes nothing. `seen` hears how many of how many bytes were read.
///
/// # Errors
/// [`BackupError`] says what stands in the way.
pub fn plan(order: &RestoreOrder, seen: &mut dyn FnMut(u64, u64)) -> Result<Restored, BackupError> {
    let RestoreOrder { data_dir, member, members, authority, .. } = order;
    if !members.contains_key(member) {
        return Err(BackupError(format!("the cluster does not list node {member}")));
    }
    if data_dir.exists() {
        let mut entries = std::fs::read_dir(data_dir).map_err(at(data_dir))?;
        if entries.next().is_some() {
            return Err(at(data_dir)("the folder is not empty; a restored node needs a new one"));
        }
    }
    let temporary = temporary(data_dir);
    if temporary.exists() {
        return Err(at(&temporary)("left by an attempt that did not end; remove it first"));
    }
    if let Some(folder) = authority {
        check_authority(folder, *member)?;
    }
    let (facts, sum) = check(&order.file, seen)?;
    Ok(Restored { facts, cluster: cluster_id(&sum, order), sum: hex(&sum) })
}

/// Makes the folder: under another name first, and under its own when all is there and durable.
///
/// # Errors
/// [`BackupError`]; the folder is as it was.
pub fn restore(
    order: &RestoreOrder,
    seen: &mut dyn FnMut(u64, u64),
) -> Result<Restored, BackupError> {
    let restored = plan(order, &mut |_, _| ())?;
    let folder = temporary(&order.data_dir);
    let made = fill(order, &restored, &folder, seen).and_then(|()| put_in_place(order, &folder));
    if made.is_err() && folder.exists() {
        // What cannot be removed is named by the next attempt.
        let _left = std::fs::remove_dir_all(&folder);
    }
    made.map(|()| restored)
}

/// Where a folder is made before it gets its name.
fn temporary(data_dir: &Path) -> PathBuf {
    let mut name = data_dir.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    data_dir.with_file_name(name)
}

/// The same for all members, another for any other file, membership or name.
fn cluster_id(sum: &[u8; 32], order: &RestoreOrder) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"quorate restored cluster 1\n");
    hash.update(sum);
    for (member, address) in &order.members {
        hash.update(format!("{member}={address}\n"));
    }
    hash.update(&order.name);
    let id: [u8; 32] = hash.finalize().into();
    id.first_chunk().copied().map_or(1, u64::from_be_bytes).max(1)
}

fn fill(
    order: &RestoreOrder,
    restored: &Restored,
    folder: &Path,
    seen: &mut dyn FnMut(u64, u64),
) -> Result<(), BackupError> {
    let owner = Owner { cluster: restored.cluster, member: order.member, salt: order.salt };
    let disk = |name: &str| {
        let path = folder.join(name);
        RealDisk::open(&path).map_err(|error| at(&path)(error))
    };
    create_folders(folder).map_err(at(folder))?;
    let wrong = at(&order.file);
    let Facts { applied, digest, term, through, .. } = restored.facts;
    let options = ValueLogOptions::new(owner);
    let folders = [disk("state")?, disk("state-other")?];
    let mut state = StateStore::open(folders, options, 0).map_err(at(folder))?;
    let (facts, mut frames) = open(&order.file)?;
    state.stage(facts.segment_bytes).map_err(at(folder))?;
    while let Some(chunk) = frames.next().map_err(&wrong)? {
        let next = state.stage_chunk(&chunk).map_err(at(folder))?;
        if next != chunk.next {
            return Err(wrong(format!("its records end at {next}, not {}", chunk.next)));
        }
        seen(next, through);
    }
    let last = LogIndex::new(applied);
    state.finish_stage(last, digest).map_err(|error| wrong(error.to_string()))?;
    state.install(last);
    let incarnation = state.kv().newest_incarnation();
    drop(state);
    let each = order.members.iter();
    let founding = Membership::founding(
        each.map(|(id, address)| (MemberId::new(*id), address.to_string().into())),
    );
    let mut log = LogStore::open(disk("log")?, WalOptions::new(owner), founding.clone())
        .map_err(at(folder))?;
    log.begin_at(LogId::new(Term::new(term), last), founding, incarnation).map_err(at(folder))?;
    drop(log);
    match &order.authority {
        Some(from) => take_authority(from, &folder.join("authority"), restored.cluster),
        None => Ok(()),
    }
}

/// Gives the folder its name, durably.
fn put_in_place(order: &RestoreOrder, folder: &Path) -> Result<(), BackupError> {
    let data_dir = &order.data_dir;
    std::fs::rename(folder, data_dir).map_err(at(data_dir))?;
    let above = data_dir.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    File::open(above).and_then(|folder| folder.sync_all()).map_err(at(above))
}

/// Whether the folder is that of this member's authority.
fn check_authority(folder: &Path, member: u64) -> Result<(), BackupError> {
    let journal = folder.join("journal");
    if !folder.join("key").is_file() || !journal.is_dir() {
        return Err(at(folder)("no authority's folder: it holds no key, or no journal"));
    }
    let disk = RealDisk::open(&journal).map_err(|error| at(&journal)(error))?;
    let owner = storage::owner_of(&disk).map_err(at(&journal))?;
    match owner.member == member {
        true => Ok(()),
        false => Err(at(folder)(format!("it is that of node {}, not {member}", owner.member))),
    }
}

/// Copies key and journal, and gives the journal to the new cluster.
fn take_authority(from: &Path, to: &Path, cluster: u64) -> Result<(), BackupError> {
    copy(&from.join("key"), &to.join("key"))?;
    let (from, to) = (from.join("journal"), to.join("journal"));
    for entry in std::fs::read_dir(&from).map_err(at(&from))? {
        let name = entry.map_err(at(&from))?.file_name();
        if name != "LOCK" {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    let mut disk = RealDisk::open(&to).map_err(|error| at(&to)(error))?;
    storage::reassign(&mut disk, cluster).map(drop).map_err(at(&to))
}

/// Copies a file, with who may read it, durably.
fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let above = to.parent().unwrap_or(Path::new("."));
    create_folders(above).map_err(at(above))?;
    std::fs::copy(from, to).map_err(at(from))?;
    File::open(to).and_then(|file| file.sync_all()).map_err(at(to))?;
    File::open(above).and_then(|folder| folder.sync_all()).map_err(at(above))
}
