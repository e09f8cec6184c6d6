//! Reading the log from the disk: what is whole, what is torn, where it is damaged.
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
//!
//! What damage means is for [`super::judgement`].

use super::format::{
    HEADER_BYTES, Header, Kind, RECORD_BYTES, decode_record, segment_file, segment_of,
};
use super::index::{RecordIndex, Slot};
use super::judgement::Finding;
use super::loss::{INDEX_JUMP, MISSING, OTHER_END, UNREADABLE, WRONG_LENGTH};
use super::manifest::Manifest;
use crate::codec::len32;
use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::identity::Geometry;
use crate::mutant::{Mutant, Seeded};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// What the batches on disk amount to.
pub(super) struct Recovery {
    pub(super) first_segment: u64,
    /// Number of the first batch of each segment from the first to the last used one, and the
    /// crc that it repeats; number 0 if unknown.
    pub(super) starts: VecDeque<(u64, u32)>,
    /// Last segment that can be used, be it only prepared.
    pub(super) last_segment: u64,
    /// Where the next batch goes.
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) next_number: u64,
    pub(super) chain: u32,
    pub(super) index: RecordIndex,
    /// The newest meta and the number of its batch, be it the manifest's.
    pub(super) meta: Option<(u64, Bytes)>,
    pub(super) durable_batch: u64,
    pub(super) sealed: bool,
    /// The last batch as it was read, to be written again.
    pub(super) last_batch: Option<LastBatch>,
    pub(super) torn: Option<Torn>,
    /// Segments whose files have another length than a segment, which costs nothing.
    pub(super) wrong_lengths: Vec<u64>,
    /// What of it is damaged.
    pub(super) finding: Option<Finding>,
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

/// How the folder is written, and what its manifest says.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) geometry: Geometry,
    pub(super) seed: u32,
    pub(super) seeded: Seeded,
    /// The newest intact slot of the manifest.
    pub(super) manifest: Option<&'a Manifest>,
    /// Whether no newer slot can have been lost: both are intact.
    pub(super) manifest_is_newest: bool,
}

/// Follows the batches in the folder and judges what ends them.
pub(super) fn recover<D: Disk>(disk: &D, ground: Ground<'_>) -> Result<Recovery, DiskError> {
    let mut scan = Scan::new(disk, ground)?;
    let (behind, stop) = scan.run()?;
    scan.keep_last_batch();
    if let Some((number, chain)) = scan.expected {
        (scan.found.next_number, scan.found.chain) = (number, chain);
    }
    if stop != Stop::Limit {
        scan.judge(behind, stop)?;
    }
    Ok(scan.found)
}

/// Why following the batches ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Where an earlier opening decided to cut.
    Limit,
    /// No header of the next batch.
    NoHeader,
    /// Its header is intact, its body is not.
    Broken,
    /// It is intact but does not fit what precedes it.
    Contradiction(&'static str),
}

/// A place where something unknown may have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suspect {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) reason: &'static str,
}

pub(super) struct Scan<'a, D> {
    disk: &'a D,
    pub(super) ground: Ground<'a>,
    /// Lengths of the segments' files that there are.
    lengths: BTreeMap<u64, u64>,
    pub(super) suspects: Vec<Suspect>,
    /// All bytes of the segment `found.segment`.
    pub(super) block: Vec<u8>,
    /// Where in `block` the last batch lies, if it does.
    last_range: Option<(usize, usize)>,
    /// Number of the next batch and the crc it must repeat.
    pub(super) expected: Option<(u64, u32)>,
    pub(super) found: Recovery,
}

/// The bytes of a batch whose header is intact.
pub(super) enum Body {
    Whole { records: Vec<(u64, u64, Slot)>, meta: Option<Bytes>, chain: u32 },
    Broken { intact_records: u64 },
}

impl<'a, D: Disk> Scan<'a, D> {
    fn new(disk: &'a D, ground: Ground<'a>) -> Result<Self, DiskError> {
        let names = disk.list()?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_of(name)).collect();
        numbers.sort_unstable();
        let manifest = ground.manifest;
        let first = manifest.map_or_else(|| last_run(&numbers), |known| known.first_segment);
        numbers.retain(|number| *number >= first);
        let mut lengths = BTreeMap::new();
        for number in numbers {
            lengths.insert(number, disk.len(&segment_file(number))?);
        }
        let used = manifest.map_or(first, |known| known.active_segment);
        let last = lengths.keys().last().map_or(used, |last| used.max(*last));
        let expected = manifest.map(|known| known.start).filter(|(number, _)| *number > 0);
        let floor = manifest.map_or(0, |known| known.next_index);
        let mut scan = Self {
            disk,
            ground,
            lengths,
            suspects: Vec::new(),
            block: Vec::new(),
            last_range: None,
            expected,
            found: Recovery {
                first_segment: first,
                starts: VecDeque::from([expected.unwrap_or((0, 0))]),
                last_segment: last,
                segment: first,
                offset: 0,
                next_number: 1,
                chain: 0,
                index: RecordIndex::from_floor(floor),
                meta: manifest.and_then(|known| Some((known.meta_batch, known.meta.clone()?))),
                durable_batch: expected.map_or(0, |(number, _)| number - 1),
                sealed: false,
                last_batch: None,
                torn: None,
                wrong_lengths: Vec::new(),
                finding: None,
            },
        };
        scan.check_files();
        Ok(scan)
    }

    /// Notes every segment's file that is missing or has another length.
    fn check_files(&mut self) {
        let whole = self.ground.geometry.segment_bytes;
        for segment in self.found.first_segment..=self.found.last_segment {
            let Some(len) = self.lengths.get(&segment).copied() else {
                self.suspects.push(Suspect { segment, offset: 0, reason: MISSING });
                continue;
            };
            if len != whole {
                self.found.wrong_lengths.push(segment);
            }
            if len < whole {
                self.suspects.push(Suspect { segment, offset: len, reason: WRONG_LENGTH });
            }
        }
    }

    /// Follows the batches. Returns where in the last segment one may stand behind the stop.
    fn run(&mut self) -> Result<(u64, Stop), DiskError> {
        self.block = self.load(self.found.segment)?;
        let limit = self.ground.manifest.and_then(|known| known.cut);
        loop {
            let offset = self.found.offset;
            if limit == Some((self.found.segment, offset)) {
                return Ok((offset, Stop::Limit));
            }
            let Some((header, crc)) = self.header_here() else {
                if self.enter_next_segment()? {
                    continue;
                }
                // A cut at the start of a segment may have removed that one already.
                let at_limit = limit == Some((self.found.segment + 1, 0));
                return Ok((offset, if at_limit { Stop::Limit } else { Stop::NoHeader }));
            };
            let behind = offset + header.extent(self.ground.geometry.sector_bytes);
            match read_body(&self.block, offset as usize, &header, crc) {
                Body::Whole { records, meta, chain } => {
                    if let Err(reason) = self.accept(&header, records, meta) {
                        return Ok((behind, Stop::Contradiction(reason)));
                    }
                    self.expected = Some((header.number + 1, chain));
                }
                Body::Broken { intact_records } => {
                    let segment = self.found.segment;
                    self.found.torn = Some(Torn { segment, offset, intact_records });
                    return Ok((behind, Stop::Broken));
                }
            }
        }
    }

    /// The expected header at the current position.
    pub(super) fn header_here(&self) -> Option<(Header, u32)> {
        let bytes = self.block.get(self.found.offset as usize..)?;
        self.expected_header(bytes, self.found.segment)
    }

    fn expected_header(&self, bytes: &[u8], segment: u64) -> Option<(Header, u32)> {
        let (header, crc) = Header::decode(bytes, self.ground.seed)?;
        let continues = |(number, previous)| header.number == number && header.previous == previous;
        let mut here = header.segment == segment && self.expected.is_none_or(continues);
        here |= self.ground.seeded.has(Mutant::ChecksumNotChained);
        here.then_some((header, crc))
    }

    /// Moves to the start of the next segment if the expected batch is there.
    fn enter_next_segment(&mut self) -> Result<bool, DiskError> {
        let next = self.found.segment + 1;
        let Some(expected) = self.expected.filter(|_| self.lengths.contains_key(&next)) else {
            return Ok(false);
        };
        let block = self.load(next)?;
        if self.expected_header(&block, next).is_none() {
            return Ok(false);
        }
        self.keep_last_batch();
        self.block = block;
        (self.found.segment, self.found.offset) = (next, 0);
        self.found.starts.push_back(expected);
        Ok(true)
    }

    /// Takes a whole batch, or says how it contradicts what precedes it; the records of one that
    /// does may have been taken in part and are dropped again.
    fn accept(
        &mut self,
        header: &Header,
        records: Vec<(u64, u64, Slot)>,
        meta: Option<Bytes>,
    ) -> Result<(), &'static str> {
        let offset = self.found.offset;
        let mut index = self.found.index.clone_end();
        if let Some(from) = header.truncate_from {
            index.truncate_from(from);
        }
        for (at, ..) in &records {
            if !index.continue_with(*at) {
                return Err(INDEX_JUMP);
            }
        }
        let last = records.last().map(|(index, tag, _)| (*index, *tag));
        if last.is_some() && last != header.end {
            return Err(OTHER_END);
        }
        if let Some(from) = header.truncate_from {
            self.found.index.truncate_from(from);
        }
        for (index, tag, slot) in records {
            self.found.index.push(index, tag, slot);
        }
        let newer = |known: &(u64, Bytes)| known.0 < header.number;
        if let Some(meta) = meta.filter(|_| self.found.meta.as_ref().is_none_or(newer)) {
            self.found.meta = Some((header.number, meta));
        }
        self.found.sealed = header.kind == Kind::Seal;
        // A seal says that the batch before it is durable, be that one cut away.
        self.found.durable_batch = match header.kind {
            Kind::Data => header.number,
            Kind::Seal => header.number - 1,
        };
        if let Some(start @ (0, _)) = self.found.starts.back_mut() {
            *start = (header.number, header.previous);
        }
        let extent = header.extent(self.ground.geometry.sector_bytes);
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

    /// A segment's bytes; zeros, and a suspect, where there are none to be had.
    pub(super) fn load(&mut self, segment: u64) -> Result<Vec<u8>, DiskError> {
        let whole = self.ground.geometry.segment_bytes;
        let mut block = vec![0; whole as usize];
        let len = self.lengths.get(&segment).map_or(0, |len| whole.min(*len)) as usize;
        let file = segment_file(segment);
        match self.disk.read_at(&file, 0, &mut block[..len]) {
            _ if len == 0 => {}
            Err(error) if matches!(error.kind, DiskErrorKind::Io(_)) => {
                let piece = self.ground.geometry.sector_bytes as usize;
                if let Some(offset) = load_in_pieces(self.disk, &file, &mut block[..len], piece)? {
                    self.suspects.push(Suspect { segment, offset, reason: UNREADABLE });
                }
            }
            other => other?,
        }
        Ok(block)
    }
}

/// The first number of the last run without a gap.
fn last_run(numbers: &[u64]) -> u64 {
    let Some(mut first) = numbers.last().copied() else { return 1 };
    for number in numbers.iter().rev() {
        if number + 1 < first {
            break;
        }
        first = *number;
    }
    first
}

/// Reads sector by sector what could not be read at once. Returns the first place that still
/// could not be read.
///
/// # Errors
/// When nothing can be read: then it is the disk, not its surface.
fn load_in_pieces<D: Disk>(
    disk: &D,
    file: &str,
    block: &mut [u8],
    piece_bytes: usize,
) -> Result<Option<u64>, DiskError> {
    let (mut first_bad, mut failure, mut any) = (None, None, false);
    for (number, piece) in block.chunks_mut(piece_bytes).enumerate() {
        let offset = (number * piece_bytes) as u64;
        match disk.read_at(file, offset, piece) {
            Ok(()) => any = true,
            Err(error) => {
                piece.fill(0);
                first_bad = first_bad.or(Some(offset));
                failure = Some(error);
            }
        }
    }
    match failure {
        Some(error) if !any => Err(error),
        _ => Ok(first_bad),
    }
}

/// The body of the batch whose header, with this crc, stands at `offset` of a segment.
pub(super) fn read_body(block: &[u8], offset: usize, header: &Header, crc: u32) -> Body {
    let start = offset + HEADER_BYTES;
    let (mut at, mut seed) = (start, crc);
    let end = start + header.body_bytes as usize;
    let (mut records, mut meta) = (Vec::new(), None);
    for ordinal in 0..header.record_count {
        let bytes = block.get(at..end).unwrap_or_default();
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

/// Segment numbers in memory: 2^32 segments of 1 MiB would be 4 PiB.
pub(super) fn segment32(segment: u64) -> u32 {
    u32::try_from(segment).expect("segment numbers stay below 2^32")
}
