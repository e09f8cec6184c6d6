//! A node gives its state out, part by part, while it goes on.

use super::format::{Facts, ending, frame};
use crate::Fatal;
use crate::disk::RealDisk;
use crate::group::Group;
use crate::runtime::state::SharedState;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// About so many bytes of records are read at once, so that applying never waits long.
const CHUNK_BYTES: u64 = 256 << 10;

/// Parts that may wait for the receiver; reading waits then.
const PARTS_MAX: usize = 4;

/// The parts of a backup; an error is the last, and then what came is of no use.
pub type BackupStream = mpsc::Receiver<std::io::Result<Bytes>>;

/// Makes backups of a node's state.
#[derive(Clone, Debug)]
pub struct Backups {
    pub(crate) state: SharedState<RealDisk>,
    pub(crate) group: Group,
    pub(crate) cluster: u64,
    pub(crate) version: String,
    /// At most so many bytes are read in a second, as for snapshots.
    pub(crate) bytes_per_second: u64,
    pub(crate) fatal: Fatal,
}

impl Backups {
    /// Begins one: everything applied up to now. Syncs the state, so not for a thread that others
    /// wait for; a sync that fails ends the process, as any does.
    pub fn begin(&self) -> std::io::Result<(Facts, BackupStream)> {
        let export = match self.state.export() {
            Ok(export) => export,
            Err(halt) => {
                self.fatal.raise(format!("the state could not be synced for a backup: {halt}"));
                return Err(std::io::Error::other(halt.to_string()));
            }
        };
        let view = self.group.view();
        let members = view.members.iter().map(|it| format!("{}={}", it.id, it.address));
        let made = SystemTime::now().duration_since(UNIX_EPOCH);
        let facts = Facts {
            version: self.version.clone(),
            cluster: self.cluster,
            member: view.member,
            made_s: made.map_or(0, |made| made.as_secs()),
            revision: export.revision,
            applied: export.export.applied.get(),
            term: view.term,
            digest: export.export.digest,
            segment_bytes: export.export.segment_bytes,
            through: export.export.through,
            members: members.collect::<Vec<_>>().join(" "),
        };
        let (parts, stream) = mpsc::channel(PARTS_MAX);
        let maker = Maker {
            parts,
            state: self.state.clone(),
            begun: Instant::now(),
            bytes_per_second: self.bytes_per_second,
            hash: Sha256::new(),
            written: 0,
        };
        let (head, replacements) = (facts.clone(), export.replacements);
        let make = move || maker.run(&head, replacements);
        std::thread::Builder::new().name("backup".to_owned()).spawn(make)?;
        Ok((facts, stream))
    }
}

/// The receiver is gone, or was told why there is no more.
struct Over;

struct Maker {
    parts: mpsc::Sender<std::io::Result<Bytes>>,
    state: SharedState<RealDisk>,
    begun: Instant,
    bytes_per_second: u64,
    hash: Sha256,
    written: u64,
}

impl Maker {
    fn run(mut self, facts: &Facts, replacements: u64) {
        // Whoever waited has heard it already.
        let _over = self.all(facts, replacements);
    }

    fn all(&mut self, facts: &Facts, replacements: u64) -> Result<(), Over> {
        self.put(Bytes::from(facts.encode()))?;
        let mut from = 0;
        while from < facts.through {
            let chunk = self.state.export_chunk(from, CHUNK_BYTES, facts.through, replacements);
            let chunk = chunk.or_else(|reason| self.fail(reason))?;
            if chunk.next == from {
                // Behind the last record.
                break;
            }
            from = chunk.next;
            self.put(frame(&chunk))?;
            self.pace();
        }
        self.put(ending(self.written))?;
        let sum: [u8; 32] = self.hash.clone().finalize().into();
        self.send(Ok(Bytes::copy_from_slice(&sum)))
    }

    fn put(&mut self, part: Bytes) -> Result<(), Over> {
        self.hash.update(&part);
        self.written += part.len() as u64;
        self.send(Ok(part))
    }

    /// Waits until so much may have been read. A thread of its own, which nobody waits for.
    fn pace(&self) {
        let due = self.written as f64 / self.bytes_per_second.max(1) as f64;
        let ahead = Duration::from_secs_f64(due).saturating_sub(self.begun.elapsed());
        std::thread::sleep(ahead);
    }

    fn fail<T>(&self, reason: String) -> Result<T, Over> {
        tracing::warn!(reason, "a backup could not be finished");
        self.send(Err(std::io::Error::other(reason)))?;
        Err(Over)
    }

    fn send(&self, part: std::io::Result<Bytes>) -> Result<(), Over> {
        self.parts.blocking_send(part).map_err(|_| Over)
    }
}
