//! Reading the log from the disk: what is whole, what is torn, what is damaged.
//!
//! Batches are followed from the first segment on; each must name its segment, continue the
//! numbers and repeat the crc that ended the one before. Where that ends, one question decides.
//! A batch is written only after the one before it was durable. So if *any* intact header of
//! this or a later batch stands behind the gap, the bytes in the gap were durable once and have
//! changed: damage. If none does, the gap is the last write, which nobody was told about: torn,
//! and cut.
//!
//! ```text
//! | 7 | 8 | 9 ?          nothing behind:   9 is torn, the log ends with 8
//! | 7 | 8 ? | 9 |        9 stands behind:  8 is damaged
//! | 7 | 8 ? | seal 9 |   the same for the last batch, once it was sealed
//! ```

use super::format::{
    HEADER_BYTES, Header, Kind, RECORD_BYTES, decode_record, segment_file, segment_of,
};
use super::index::{RecordIndex, Slot};
use super::manifest::Manifest;
use crate::codec::len32;
use crate::disk::{Disk, DiskError};
use crate::error::{Damage, OpenError};
use crate::identity::Geometry;
use bytes::Bytes;

/// What the batches on disk amount to.
pub(super) struct Recovery {
    /// Last segment that there is, be it only prepared.
    pub(super) last_segment: u64,
    /// Where the next batch goes.
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) next_number: u64,
    pub(super) chain: u32,
    pub(super) index: RecordIndex,
    pub(super) meta: Option<Bytes>,
    pub(super) durable_batch: u64,
    pub(super) sealed: bool,
    /// The last batch as it was read, to be written again.
    pub(super) last_batch: Option<LastBatch>,
    pub(super) torn: Option<Torn>,
}

pub(super) struct LastBatch {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

/// A last write that was never acknowledged, and is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Its segment.
    pub segment: u64,
    /// Its first byte there.
    pub offset: u64,
    /// How many of its records were intact.
    pub intact_records: u64,
}

/// Follows the batches in the folder and judges what ends them.
pub(super) fn recover<D: Disk>(
    disk: &D,
    geometry: Geometry,
    seed: u32,
    manifest: &Manifest,
) -> Result<Recovery, OpenError> {
    let last_segment = check_files(disk, geometry, manifest.first_segment)?;
    let mut scan = Scan {
        disk,
        geometry,
        seed,
        block: Vec::new(),
        last_range: None,
        // A log that was never cut begins with batch 1; what one that was cut begins with, the
        // batch itself says.
        expected: (manifest.first_segment == 1).then_some((1, 0)),
        found: Recovery {
            last_segment,
            segment: manifest.first_segment,
            offset: 0,
            next_number: 1,
            chain: 0,
            index: RecordIndex::default(),
            meta: manifest.meta.clone(),
            durable_batch: 0,
            sealed: false,
            last_batch: None,
            torn: None,
        },
    };
    scan.run()?;
    let found = scan.found;
    if found.durable_batch < manifest.durable_batch {
        let reason = "it ends before a batch that the manifest knows to be durable";
        return Err(damage(&found, found.offset, found.index.next(), reason));
    }
    Ok(found)
}

/// Checks that the segments from `first` on are all there and as long as they must be.
fn check_files<D: Disk>(disk: &D, geometry: Geometry, first: u64) -> Result<u64, OpenError> {
    let names = disk.list()?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_of(name)).collect();
    numbers.sort_unstable();
    numbers.retain(|number| *number >= first);
    let wrong = |segment, offset, reason| {
        let file = segment_file(segment);
        let damage = Damage { file, segment: Some(segment), offset, index: None, reason };
        Err(OpenError::Damaged(damage))
    };
    for (expected, number) in (first..).zip(&numbers) {
        if *number != expected {
            return wrong(expected, 0, "the file is missing");
        }
        let len = disk.len(&segment_file(*number))?;
        if len != geometry.segment_bytes {
            return wrong(*number, len, "the file does not have the length of a segment");
        }
    }
    match numbers.last() {
        Some(last) => Ok(*last),
        None => wrong(first, 0, "the file is missing"),
    }
}

fn damage(at: &Recovery, offset: u64, index: Option<u64>, reason: &'static str) -> OpenError {
    let (file, segment) = (segment_file(at.segment), Some(at.segment));
    OpenError::Damaged(Damage { file, segment, offset, index, reason })
}

struct Scan<'a, D> {
    disk: &'a D,
    geometry: Geometry,
    seed: u32,
    /// All bytes of the segment `found.segment`.
    block: Vec<u8>,
    /// Where in `block` the last batch lies, if it does.
    last_range: Option<(usize, usize)>,
    /// Number of the next batch and the crc it must repeat.
    expected: Option<(u64, u32)>,
    found: Recovery,
}

/// The bytes of a batch whose header is intact.
enum Body {
    Whole { records: Vec<(u64, u64, Slot)>, meta: Option<Bytes>, chain: u32 },
    Broken { intact_records: u64 },
}

impl<D: Disk> Scan<'_, D> {
    fn run(&mut self) -> Result<(), OpenError> {
        self.block = self.load(self.found.segment)?;
        let behind = loop {
            let Some((header, crc)) = self.header_here() else {
                if self.enter_next_segment()? {
                    continue;
                }
                break self.found.offset;
            };
            match self.body(&header, crc) {
                Body::Whole { records, meta, chain } => {
                    self.accept(&header, records, meta)?;
                    self.expected = Some((header.number + 1, chain));
                }
                Body::Broken { intact_records } => {
                    let (segment, offset) = (self.found.segment, self.found.offset);
                    self.found.torn = Some(Torn { segment, offset, intact_records });
                    break offset + header.extent(self.geometry.sector_bytes);
                }
            }
        };
        self.keep_last_batch();
        self.refuse_what_stands_behind(behind)?;
        if let Some((number, chain)) = self.expected {
            (self.found.next_number, self.found.chain) = (number, chain);
        }
        Ok(())
    }

    /// The expected header at the current position.
    fn header_here(&self) -> Option<(Header, u32)> {
        let bytes = self.block.get(self.found.offset as usize..)?;
        self.expected_header(bytes, self.found.segment)
    }

    fn expected_header(&self, bytes: &[u8], segment: u64) -> Option<(Header, u32)> {
        let (header, crc) = Header::decode(bytes, self.seed)?;
        let continues = |(number, previous)| header.number == number && header.previous == previous;
        let here = header.segment == segment && self.expected.is_none_or(continues);
        here.then_some((header, crc))
    }

    /// Moves to the start of the next segment if the expected batch is there.
    fn enter_next_segment(&mut self) -> Result<bool, OpenError> {
        let next = self.found.segment + 1;
        if next > self.found.last_segment || self.expected.is_none() {
            return Ok(false);
        }
        let mut start = [0; HEADER_BYTES];
        self.disk.read_at(&segment_file(next), 0, &mut start)?;
        if self.expected_header(&start, next).is_none() {
            return Ok(false);
        }
        self.keep_last_batch();
        self.block = self.load(next)?;
        (self.found.segment, self.found.offset) = (next, 0);
        Ok(true)
    }

    fn body(&self, header: &Header, crc: u32) -> Body {
        let start = self.found.offset as usize + HEADER_BYTES;
        let (mut at, mut seed) = (start, crc);
        let end = start + header.body_bytes as usize;
        let (mut records, mut meta) = (Vec::new(), None);
        for ordinal in 0..header.record_count {
            let bytes = self.block.get(at..end).unwrap_or_default();
            let Some(record) = decode_record(bytes, seed) else {
                let intact_records = records.len() as u64;
                return Body::Broken { intact_records };
            };
            if ordinal == 0 && header.has_meta {
                let payload = &bytes[RECORD_BYTES..record.extent()];
                meta = Some(Bytes::copy_from_slice(payload));
            } else {
                let segment = segment32(header.segment);
                let slot = Slot { segment, offset: at as u32, len: len32(record.len), seed };
                records.push((record.index, record.tag, slot));
            }
            (at, seed) = (at + record.extent(), record.crc);
        }
        Body::Whole { records, meta, chain: seed }
    }

    fn accept(
        &mut self,
        header: &Header,
        records: Vec<(u64, u64, Slot)>,
        meta: Option<Bytes>,
    ) -> Result<(), OpenError> {
        let offset = self.found.offset;
        if let Some(from) = header.truncate_from {
            self.found.index.truncate_from(from);
        }
        for (index, tag, slot) in records {
            if self.found.index.next().is_some_and(|next| next != index) {
                let reason = "a batch does not continue the indexes before it";
                return Err(damage(&self.found, offset, self.found.index.next(), reason));
            }
            self.found.index.push(index, tag, slot);
        }
        let end = self.found.index.end();
        if end.is_some() && end != header.end {
            let reason = "a batch contradicts its own header";
            return Err(damage(&self.found, offset, self.found.index.next(), reason));
        }
        self.found.meta = meta.or(self.found.meta.take());
        self.found.sealed = header.kind == Kind::Seal;
        // A seal says that the batch before it is durable, be that one cut away.
        self.found.durable_batch = match header.kind {
            Kind::Data => header.number,
            Kind::Seal => header.number - 1,
        };
        let extent = header.extent(self.geometry.sector_bytes);
        self.last_range = Some((offset as usize, (offset + extent) as usize));
        self.found.last_batch = None;
        self.found.offset += extent;
        Ok(())
    }

    /// Copies the last batch before `block` is given up.
    fn keep_last_batch(&mut self) {
        if let Some((start, end)) = self.last_range.take() {
            let bytes = self.block[start..end].to_vec();
            let segment = self.found.segment;
            self.found.last_batch = Some(LastBatch { segment, offset: start as u64, bytes });
        }
    }

    /// Damage if a header of the expected batch or a later one stands at or behind `from`, even
    /// one that belongs elsewhere (a write gone astray). A former life of a recycled segment has
    /// lower numbers.
    fn refuse_what_stands_behind(&mut self, from: u64) -> Result<(), OpenError> {
        let lowest = self.expected.map_or(0, |(number, _)| number);
        let sector = self.geometry.sector_bytes as usize;
        for segment in self.found.segment..=self.found.last_segment {
            let start = if segment == self.found.segment { from as usize } else { 0 };
            if segment != self.found.segment {
                self.block = self.load(segment)?;
            }
            for at in (start..self.block.len()).step_by(sector) {
                let header = Header::decode(&self.block[at..], self.seed);
                if header.is_some_and(|(header, _)| header.number >= lowest) {
                    let intact = self.found.torn.map_or(0, |torn| torn.intact_records);
                    let index = self.found.index.next().map(|next| next + intact);
                    let reason = "a batch is not intact, but one written after it is";
                    return Err(damage(&self.found, self.found.offset, index, reason));
                }
            }
        }
        Ok(())
    }

    fn load(&self, segment: u64) -> Result<Vec<u8>, DiskError> {
        let mut block = vec![0; self.geometry.segment_bytes as usize];
        self.disk.read_at(&segment_file(segment), 0, &mut block)?;
        Ok(block)
    }
}

/// Segment numbers in memory: 2^32 segments of 1 MiB would be 4 PiB.
pub(super) fn segment32(segment: u64) -> u32 {
    u32::try_from(segment).expect("segment numbers stay below 2^32")
}
