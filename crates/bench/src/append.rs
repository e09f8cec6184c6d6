//! The write-ahead log against the bare loop that no log can beat: overwrite blocks that were
//! written before, then `fdatasync`, as many bytes at a time as the log writes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use node::disk::RealDisk;
use storage::{Batch, Owner, Wal, WalOptions};

use crate::failure::Failure;
use crate::figures::Figure;
use crate::load::{KEY_BYTES, VALUE_BYTES};
use crate::paths::Paths;
use crate::stats::median;

/// What the bare loop is called.
const LIMIT: &str = "bare loop: overwrite written blocks, fdatasync";

/// Records made durable at a time.
const BATCHES: [usize; 3] = [1, 16, 128];

/// Runs of log and loop each, in alternation.
const PAIRS: usize = 3;

/// Of one run.
const RUN: Duration = Duration::from_millis(400);

const OWNER: Owner = Owner { cluster: 1, member: 1, salt: 1 };

/// How far a log gets with the next segment after each sync, as the node does.
const PREPARE_BYTES: u64 = 256 << 10;

/// Of the file that the loop overwrites: a segment of the log.
const FILE_BYTES: u64 = 32 << 20;

/// Log and loop at each size of batch.
pub(crate) fn measure(paths: &Paths) -> Result<Vec<Figure>, Failure> {
    let mut log = Log::open(&paths.fresh("log"))?;
    let file = Overwritten::make(&paths.fresh("overwritten"))?;
    let mut figures = Vec::new();
    for records in BATCHES {
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            ours.push(per_second(records, || log.append(records))?);
            let bytes = batch_bytes(records, log.sector_bytes);
            let mut offset = 0;
            bare.push(per_second(records, || file.overwrite(&mut offset, bytes))?);
        }
        let value = median(ours).unwrap_or_default();
        let limit = median(bare).unwrap_or_default();
        println!("  {records} records a sync: log {value:.0}/s, bare loop {limit:.0}/s");
        let name = format!("log_append.{records}_a_sync");
        figures.push(Figure::new(name, value, "records/s").with_limit(LIMIT, limit));
    }
    Ok(figures)
}

/// Repeats `work`, which makes `records` durable, for [`RUN`].
fn per_second(
    records: usize,
    mut work: impl FnMut() -> Result<(), Failure>,
) -> Result<f64, Failure> {
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < RUN {
        work()?;
        done += records;
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

/// What such a batch takes on disk: a header of 64 bytes, 24 before each record, whole sectors.
fn batch_bytes(records: usize, sector_bytes: u64) -> u64 {
    (64 + records as u64 * (24 + (KEY_BYTES + VALUE_BYTES) as u64)).next_multiple_of(sector_bytes)
}

/// The log under measurement.
struct Log {
    wal: Wal<RealDisk>,
    sector_bytes: u64,
    next: u64,
    record: Bytes,
}

impl Log {
    fn open(folder: &Path) -> Result<Self, Failure> {
        let cannot = || Failure::because(format!("cannot open a log in {}", folder.display()));
        let disk = RealDisk::open(folder).map_err(cannot())?;
        let options = WalOptions::new(OWNER);
        let (wal, _) = Wal::open(disk, options)
            .map_err(Failure::because(format!("cannot open a log in {}", folder.display())))?;
        let record = Bytes::from(vec![7; KEY_BYTES + VALUE_BYTES]);
        Ok(Self { wal, sector_bytes: options.sector_bytes, next: 1, record })
    }

    fn append(&mut self, records: usize) -> Result<(), Failure> {
        let until = self.next + records as u64;
        let records = (self.next..until).map(|index| (index, 1, self.record.clone())).collect();
        self.next = until;
        let written = self.wal.write(&Batch { records, ..Batch::default() });
        written
            .and_then(|()| self.wal.sync())
            .and_then(|()| self.wal.prepare_if_due(PREPARE_BYTES))
            .map_err(Failure::because("cannot append"))
    }
}

/// A file all of whose blocks were written and synced once.
struct Overwritten {
    file: File,
    bytes: Vec<u8>,
}

impl Overwritten {
    fn make(path: &Path) -> Result<Self, Failure> {
        let make = || {
            let file = File::create(path)?;
            let block = vec![1; 1 << 20];
            for offset in (0..FILE_BYTES).step_by(block.len()) {
                file.write_all_at(&block, offset)?;
            }
            file.sync_all()?;
            Ok::<_, std::io::Error>(Self { file, bytes: vec![9; 1 << 20] })
        };
        make().map_err(Failure::because(format!("cannot write {}", path.display())))
    }

    /// Writes `bytes` at `offset`, makes them durable and moves on, round and round.
    fn overwrite(&self, offset: &mut u64, bytes: u64) -> Result<(), Failure> {
        if *offset + bytes > FILE_BYTES {
            *offset = 0;
        }
        let part = &self.bytes[..bytes as usize];
        let written = self.file.write_all_at(part, *offset).and_then(|()| self.file.sync_data());
        *offset += bytes;
        written.map_err(Failure::because("cannot overwrite"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_and_loop_write_where_they_should() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(&folder.path().join("log")).unwrap();
        for records in BATCHES {
            log.append(records).unwrap();
        }
        assert_eq!(log.wal.last_index(), Some(145));

        let file = Overwritten::make(&folder.path().join("file")).unwrap();
        let mut offset = FILE_BYTES - 512;
        file.overwrite(&mut offset, 512).unwrap();
        assert_eq!(offset, FILE_BYTES);
        file.overwrite(&mut offset, 512).unwrap();
        assert_eq!(offset, 512, "round and round");
        assert_eq!(file.file.metadata().unwrap().len(), FILE_BYTES);
    }

    #[test]
    fn batches_take_whole_sectors() {
        assert_eq!(batch_bytes(1, 512), 512);
        assert_eq!(batch_bytes(2, 512), 1024);
        assert_eq!(batch_bytes(128, 512), 39_936);
    }
}
