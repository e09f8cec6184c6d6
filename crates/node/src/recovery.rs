//! The last resort: a cluster that lost its majority for good goes on from one member's folder.
//!
//! The folder's log gets one more entry, which makes this member the only one, and all folders get
//! the id of a new cluster. The id is the fence: members of the old cluster that come back after
//! all belong to another cluster and are turned away at the door, by peers and by name.

use crate::disk::RealDisk;
use bytes::Bytes;
use raft::{MemberId, Membership};
use replica::LogStore;
use std::fmt;
use std::path::{Path, PathBuf};
use storage::{OpenError, Owner, WalOptions, owner_of, reassign};

/// What a folder holds, before anybody decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The cluster it belongs to.
    pub cluster: u64,
    /// The member it belongs to.
    pub member: u64,
    /// The newest term it knows.
    pub term: u64,
    /// The last entry of its log: term and index.
    pub last: (u64, u64),
    /// Who took part, as far as its log tells.
    pub members: String,
    /// How many members, this one not counted, would be gone.
    pub others: usize,
    /// What damage took from its log, if anything.
    pub loss: Option<String>,
    /// The folders that would change cluster.
    pub folders: Vec<PathBuf>,
}

/// The folder cannot be used.
#[derive(Debug)]
pub struct RecoveryError(String);

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RecoveryError {}

fn wrong(path: &Path) -> impl Fn(&dyn fmt::Display) -> RecoveryError + '_ {
    move |error| RecoveryError(format!("{}: {error}", path.display()))
}

/// Looks at a data folder of a stopped node. Opening the log counts as a start and cuts a torn
/// last write, as any start does; nothing else changes.
///
/// # Errors
/// [`RecoveryError`] when the folder is in use, or no data folder.
pub fn inspect(data_dir: &Path) -> Result<Findings, RecoveryError> {
    let folders = folders(data_dir)?;
    let log_dir = data_dir.join("log");
    let owner = owner(&log_dir)?;
    let log = open_log(&log_dir, owner)?;
    let recovered = log.recovered(log.last_index()).map_err(|error| wrong(&log_dir)(&error))?;
    let newest = recovered.memberships.last().map(|(_, membership)| membership);
    let member = MemberId::new(owner.member);
    Ok(Findings {
        cluster: owner.cluster,
        member: owner.member,
        term: recovered.hard_state.term.get(),
        last: (recovered.last.term.get(), recovered.last.index.get()),
        members: newest.map(ToString::to_string).unwrap_or_default(),
        others: newest.map_or(0, |members| members.ids().filter(|id| *id != member).count()),
        loss: log.loss().map(|loss| loss.damage.to_string()),
        folders,
    })
}

/// Makes the folder's member the only one of a new cluster. `address` is where its peers will
/// reach it. Returns the index of the entry that says so.
///
/// # Errors
/// [`RecoveryError`]. If it says that a folder could not be given to the new cluster, the call is
/// to be made again.
pub fn take_over(data_dir: &Path, cluster: u64, address: &str) -> Result<u64, RecoveryError> {
    let log_dir = data_dir.join("log");
    let owner = owner(&log_dir)?;
    let mut log = open_log(&log_dir, owner)?;
    let context = Bytes::from(address.to_owned());
    let entry = log
        .take_over(MemberId::new(owner.member), context)
        .map_err(|error| wrong(&log_dir)(&error))?;
    drop(log);
    // The log last: until it has moved, the old identity still opens everything.
    let mut folders = folders(data_dir)?;
    folders.sort_by_key(|folder| *folder == log_dir);
    for folder in folders {
        let mut disk = RealDisk::open(&folder).map_err(|error| wrong(&folder)(&error))?;
        reassign(&mut disk, cluster).map_err(|error| wrong(&folder)(&error))?;
    }
    Ok(entry.index.get())
}

fn open_log(log_dir: &Path, owner: Owner) -> Result<LogStore<RealDisk>, RecoveryError> {
    let disk = RealDisk::open(log_dir).map_err(|error| wrong(log_dir)(&error))?;
    LogStore::open(disk, WalOptions::new(owner), Membership::default())
        .map_err(|error| wrong(log_dir)(&error))
}

fn owner(folder: &Path) -> Result<Owner, RecoveryError> {
    if !folder.is_dir() {
        return Err(RecoveryError(format!("{}: there is no such folder", folder.display())));
    }
    let disk = RealDisk::open(folder).map_err(|error| wrong(folder)(&error))?;
    owner_of(&disk).map_err(|error: OpenError| wrong(folder)(&error))
}

/// The folders below `data_dir` that say to which cluster they belong.
fn folders(data_dir: &Path) -> Result<Vec<PathBuf>, RecoveryError> {
    let cannot = wrong(data_dir);
    let mut found = Vec::new();
    let mut waiting = vec![data_dir.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| cannot(&error))? {
            let path = entry.map_err(|error| cannot(&error))?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.file_name().is_some_and(|name| name == "identity") {
                found.push(folder.clone());
            }
        }
    }
    found.sort();
    Ok(found)
}
