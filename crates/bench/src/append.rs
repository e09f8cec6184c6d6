//! The write-ahead log against the bare loop that no log can beat: overwrite blocks that were
//! written before, then `fdatasync`, as many bytes at a time as the log writes.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use node::disk::RealDisk;
use storage::{Batch, Owner, Wal, WalOptions};

use crate::failure::Failure;
use crate::figures::Figure;
use crate::paths::Paths;
use crate::stats::median;

/// What the bare loop is called.
const LIMIT: &str = "bare loop: overwrite written blocks, fdatasync";

/// Payload bytes of a record.
const RECORDS: [usize; 2] = [256, 1536];

/// Records made durable at a time.
const GROUPS: [usize; 4] = [1, 16, 128, 1000];

/// Runs of which the median counts.
const RUNS: usize = 9;

/// Of one run, log and loop together.
const RUN: Duration = Duration::from_millis(500);

const OWNER: Owner = Owner { cluster: 1, member: 1, salt: 1 };

/// How far a log gets with the next segment after each sync, as the node does.
const PREPARE_BYTES: u64 = 256 << 10;

/// Of the file that the loop overwrites: a segment of the log.
const FILE_BYTES: u64 = SEGMENT_BYTES;

const SEGMENT_BYTES: u64 = 32 << 20;

/// So many segments are kept: what is older is cut away, as below a snapshot, and its files are
/// used again.
const KEPT_SEGMENTS: u64 = 2;

/// Log and loop at each size of record and group.
pub(crate) fn measure(paths: &Paths) -> Result<Vec<Figure>, Failure> {
    let file = Overwritten::make(&paths.fresh("overwritten"))?;
    let mut figures = Vec::new();
    for record in RECORDS {
        let mut log = Log::open(&paths.fresh(&format!("log-{record}")), record)?;
        log.warm_up()?;
        for group in GROUPS {
            figures.push(pairs(&mut log, &file, group)?);
        }
    }
    Ok(figures)
}

/// Medians of runs in which log and loop take turns batch by batch, since the disk of a busy
/// machine is another one every second.
fn pairs(log: &mut Log, file: &Overwritten, group: usize) -> Result<Figure, Failure> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let bytes = batch_bytes(group, log.record.len(), log.sector_bytes);
    let mut offset = 0;
    for _ in 0..RUNS {
        let (mut in_log, mut in_loop, mut done) = (Duration::ZERO, Duration::ZERO, 0);
        while in_log + in_loop < RUN {
            let begun = Instant::now();
            log.append(group)?;
            in_log += begun.elapsed();
            let begun = Instant::now();
            file.overwrite(&mut offset, bytes)?;
            in_loop += begun.elapsed();
            done += group;
        }
        ours.push(done as f64 / in_log.as_secs_f64());
        bare.push(done as f64 / in_loop.as_secs_f64());
    }
    let value = median(ours).unwrap_or_default();
    let limit = median(bare).unwrap_or_default();
    let (record, ratio) = (log.record.len(), value / limit);
    println!(
        "  {group} records of {record} B a sync: log {value:.0}/s, bare loop {limit:.0}/s, \
         ratio {ratio:.2}"
    );
    let name = format!("log_append.{record}B.{group}_a_sync");
    Ok(Figure::new(name, value, "records/s").with_limit(LIMIT, limit))
}

/// What such a batch takes on disk: a header of 64 bytes, 24 before each record, whole sectors.
fn batch_bytes(group: usize, record: usize, sector_bytes: u64) -> u64 {
    (64 + group as u64 * (24 + record as u64)).next_multiple_of(sector_bytes)
}

/// The log under measurement.
struct Log {
    wal: Wal<RealDisk>,
    sector_bytes: u64,
    next: u64,
    record: Bytes,
    /// Since the last mark.
    written_bytes: u64,
    /// An index for about each segment written.
    marks: VecDeque<u64>,
}

impl Log {
    fn open(folder: &Path, record: usize) -> Result<Self, Failure> {
        let cannot = format!("cannot open a log in {}", folder.display());
        let disk = RealDisk::open(folder).map_err(Failure::because(cannot.clone()))?;
        let options = WalOptions::new(OWNER);
        let (wal, _) = Wal::open(disk, options).map_err(Failure::because(cannot))?;
        let record = Bytes::from(vec![7; record]);
        Ok(Self {
            wal,
            sector_bytes: options.sector_bytes,
            next: 1,
            record,
            written_bytes: 0,
            marks: VecDeque::new(),
        })
    }

    /// Goes on until the log recycles its segments, as one does that has run for a while.
    fn warm_up(&mut self) -> Result<(), Failure> {
        let bytes = (KEPT_SEGMENTS + 3) * SEGMENT_BYTES;
        let group = 128;
        for _ in 0..bytes / batch_bytes(group, self.record.len(), self.sector_bytes) {
            self.append(group)?;
        }
        Ok(())
    }

    fn append(&mut self, group: usize) -> Result<(), Failure> {
        let until = self.next + group as u64;
        let records = (self.next..until).map(|index| (index, 1, self.record.clone())).collect();
        let batch = Batch { records, ..Batch::default() };
        let written = self.wal.write(&batch);
        written
            .and_then(|()| self.wal.sync())
            .and_then(|()| self.wal.prepare_if_due(PREPARE_BYTES))
            .map_err(Failure::because("cannot append"))?;
        self.written_bytes += batch_bytes(group, self.record.len(), self.sector_bytes);
        if self.written_bytes >= SEGMENT_BYTES {
            self.written_bytes = 0;
            self.marks.push_back(self.next);
        }
        self.next = until;
        if self.marks.len() as u64 > KEPT_SEGMENTS
            && let Some(below) = self.marks.pop_front()
        {
            self.wal.cut_before(below).map_err(Failure::because("cannot cut"))?;
        }
        Ok(())
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
            Ok::<_, std::io::Error>(Self { file, bytes: vec![9; 2 << 20] })
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
        let mut log = Log::open(&folder.path().join("log"), 256).unwrap();
        for group in GROUPS {
            log.append(group).unwrap();
        }
        assert_eq!(log.wal.last_index(), Some(1145));

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
        assert_eq!(batch_bytes(1, 256, 512), 512);
        assert_eq!(batch_bytes(2, 256, 512), 1024);
        assert_eq!(batch_bytes(128, 256, 512), 36_352);
    }
}
