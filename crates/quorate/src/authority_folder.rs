//! The authority's own folder: its signing key, made on this node and never leaving it, and its
//! journal.
//!
//! ```text
//! <data-dir>/authority/key        hex of 32 random bytes, readable by the owner only
//! <data-dir>/authority/journal/   what it has seen, said and signed
//! ```

use crate::commands::Failure;
use crate::config::NodeSettings;
use crate::{exit, secret_file};
use authority::Authority;
use bytes::Bytes;
use gateway::Journal;
use node::disk::{RealDisk, create_folders};
use std::path::Path;
use storage::{Owner, ValueLog, ValueLogOptions};

/// The journal on this node's disk.
struct DiskJournal(ValueLog<RealDisk>);

impl Journal for DiskJournal {
    fn append(&mut self, record: &[u8]) -> Result<(), String> {
        self.0.append(record).map(drop).map_err(|error| error.to_string())
    }

    fn sync(&mut self) -> Result<(), String> {
        self.0.sync().map_err(|error| error.to_string())
    }
}

/// Opens the folder and starts the authority where its journal ends.
///
/// # Errors
/// When the folder is another node's, the key cannot be read, or a record that was once durable
/// is damaged: an authority that forgot what it signed must not sign again.
pub(crate) fn open(
    settings: &NodeSettings,
    cluster: u64,
    random: u64,
) -> Result<(Authority, Box<dyn Journal>), Failure> {
    let folder = settings.data_dir.join("authority");
    let shown = folder.display().to_string();
    let wrong = |reason: String| Failure::new(exit::FAILED, format!("{shown}: {reason}"));
    // The folder above first: its own name must be durable too.
    for folder in [&settings.data_dir, &folder] {
        create_folders(folder).map_err(|error| wrong(error.to_string()))?;
    }
    let seed = key_seed(&folder.join("key"), &settings.data_dir)?;
    let disk = RealDisk::open(&folder.join("journal")).map_err(|error| wrong(error.to_string()))?;
    let owner = Owner { cluster, member: settings.node_id, salt: random };
    let mut records: Vec<Bytes> = Vec::new();
    let log = ValueLog::open(disk, ValueLogOptions::new(owner), &mut |_, record| {
        records.push(Bytes::copy_from_slice(record));
        Ok(())
    })
    .map_err(|error| wrong(error.to_string()))?;
    if let Some(cut) = log.cut()
        && cut.damaged
    {
        return Err(wrong(format!(
            "the journal is damaged at byte {}: the authority could have forgotten what it \
             signed, so it does not start; restore the folder from a copy of this node, or \
             replace the authority",
            cut.offset
        )));
    }
    let index = u8::try_from(settings.node_id).map_err(|error| wrong(error.to_string()))?;
    let name = format!("node-{index}.quorate");
    let mut config = authority::Config::new(index, &name, batch_seed()?);
    config.faulty = faulty(settings.cluster.len());
    let authority = Authority::new(config, &seed, records).map_err(|e| wrong(e.to_string()))?;
    Ok((authority, Box::new(DiskJournal(log))))
}

/// How many malicious authorities n of them can tolerate: n >= 3f + 1.
fn faulty(authorities: usize) -> u8 {
    u8::try_from(authorities.saturating_sub(1) / 3).unwrap_or(u8::MAX)
}

fn batch_seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(Failure::because(exit::FAILED, "no randomness from the system"))?;
    Ok(seed)
}

/// The seed of the key in a node's folder that has run before.
///
/// # Errors
/// When there is none, or it cannot be read.
pub(crate) fn read_key(data_dir: &Path) -> Result<[u8; 32], Failure> {
    let path = data_dir.join("authority").join("key");
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(Failure::because(exit::FAILED, &shown))?;
    parse_seed(&path, &text)
}

/// Whether the node of this folder has run before, or was restored.
pub(crate) fn has_run(data_dir: &Path) -> bool {
    data_dir.join("log").is_dir()
}

/// The key's seed, made at the first start.
fn key_seed(path: &Path, data_dir: &Path) -> Result<[u8; 32], Failure> {
    let text = secret_file::read_or_make(path, || {
        if has_run(data_dir) {
            tracing::warn!(
                target: "election",
                path = %path.display(),
                "this node has run before, but the key of its authority is gone: it signs with a \
                 new one, which no election under way knows. If a copy of the folder exists, stop \
                 the node and put it back; if not, replace the key in each of them with `quorate \
                 election list` and `quorate authority replace-key`"
            );
        }
        Ok(hex::encode(batch_seed()?))
    })?;
    parse_seed(path, &text)
}

fn parse_seed(path: &Path, text: &str) -> Result<[u8; 32], Failure> {
    let bytes = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| {
        Failure::new(
            exit::FAILED,
            format!("{}: expected 64 hex digits; restore the file", path.display()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::faulty;

    #[test]
    fn the_tolerated_number_follows_the_rule() {
        let tolerated: Vec<u8> = [1, 3, 4, 5, 7].into_iter().map(faulty).collect();
        assert_eq!(tolerated, [0, 0, 1, 1, 2]);
    }
}
