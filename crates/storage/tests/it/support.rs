//! Small logs on small disks.

use bytes::Bytes;
use storage::memory::MemoryDisk;
use storage::{
    Batch, OpenError, Owner, Position, ValueLog, ValueLogOptions, Wal, WalOptions, WalRecovered,
};

pub(crate) const OWNER: Owner = Owner { cluster: 7, member: 2, salt: 99 };
pub(crate) const SECTOR: u64 = 512;

pub(crate) type Record = (u64, u64, Bytes);

/// Segments of 4 KiB: a log of a dozen batches has several.
pub(crate) fn wal_options() -> WalOptions {
    let segment_bytes = 8 * SECTOR;
    WalOptions { segment_bytes, sector_bytes: SECTOR, spare_segments: 1, ..WalOptions::new(OWNER) }
}

pub(crate) fn open_wal(disk: &MemoryDisk) -> Result<(Wal<MemoryDisk>, WalRecovered), OpenError> {
    Wal::open(disk.clone(), wal_options())
}

pub(crate) fn record(index: u64, tag: u64, text: &str) -> Record {
    (index, tag, Bytes::copy_from_slice(text.as_bytes()))
}

pub(crate) fn records(records: &[Record]) -> Batch {
    Batch { records: records.to_vec(), ..Batch::default() }
}

pub(crate) fn meta(text: &str) -> Batch {
    Batch { meta: Some(Bytes::copy_from_slice(text.as_bytes())), ..Batch::default() }
}

pub(crate) fn commit(wal: &mut Wal<MemoryDisk>, batch: &Batch) {
    wal.write(batch).unwrap();
    wal.sync().unwrap();
}

/// Every record of the log.
pub(crate) fn contents(wal: &Wal<MemoryDisk>) -> Vec<Record> {
    match wal.first_index() {
        Some(first) => wal.read(first, u64::MAX).unwrap(),
        None => Vec::new(),
    }
}

pub(crate) type Values = Vec<(Position, Vec<u8>)>;

pub(crate) fn value_options() -> ValueLogOptions {
    ValueLogOptions { segment_bytes: 512, ..ValueLogOptions::new(OWNER) }
}

pub(crate) fn open_values(disk: &MemoryDisk) -> Result<(ValueLog<MemoryDisk>, Values), OpenError> {
    let mut seen = Values::new();
    let mut visit = |position: Position, bytes: &[u8]| {
        seen.push((position, bytes.to_vec()));
        Ok(())
    };
    let log = ValueLog::open(disk.clone(), value_options(), &mut visit)?;
    Ok((log, seen))
}
