//! What ended the log: a write nobody was told about, or the loss of something durable.
//!
//! For a loss everything is gathered that the folder can still prove: the intact batches behind
//! the damage, the manifest, and which files are not what they must be. From them follow where
//! the log was proven to end, whether more may have followed, and which records can be salvaged.

use super::format::{Header, Kind, segment_file};
use super::loss::{EARLY_END, GAP, NO_SLOT, Note};
use super::manifest::SLOT_FILES;
use super::recovery::{Body, Scan, Stop, Suspect, read_body};
use crate::disk::{Disk, DiskError};
use crate::error::Damage;
use crate::mutant::Mutant;
use bytes::Bytes;

/// Damage, and what is left behind it.
pub(super) struct Finding {
    pub(super) note: Note,
    pub(super) salvaged: Vec<(u64, u64, Bytes)>,
}

/// A batch at or behind the place where the log stops, whose header is intact.
struct Later {
    segment: u64,
    offset: u64,
    header: Header,
    whole: Option<Whole>,
}

struct Whole {
    records: Vec<(u64, u64, Bytes)>,
    meta: Option<Bytes>,
    chain: u32,
}

/// An end of the log that was durable once.
#[derive(Clone, Copy)]
struct Proven {
    /// Number of the batch after which the log ended so.
    number: u64,
    end: Option<(u64, u64)>,
    is_exact: bool,
    /// Where the proof stands; what is suspect further on may have followed it.
    place: (u64, u64),
}

impl<D: Disk> Scan<'_, D> {
    /// Decides what stopped the scan; `behind` is where in the segment a later batch may stand.
    pub(super) fn judge(&mut self, behind: u64, stop: Stop) -> Result<(), DiskError> {
        let mut later = self.gather(behind)?;
        let suspects = self.relevant_suspects();
        let early =
            self.ground.manifest.is_some_and(|m| m.durable_batch > self.found.durable_batch);
        let missed = self.ground.manifest.is_none_or(|known| known.cut.is_some());
        let contradicts = matches!(stop, Stop::Contradiction(_));
        let mut damaged = !later.is_empty() || early || missed || contradicts;
        damaged |= !suspects.is_empty();
        damaged &= !self.ground.seeded.has(Mutant::StopAtBadChecksum);
        if !damaged {
            return Ok(());
        }
        if let Some((header, _)) = self.header_here().filter(|_| stop != Stop::NoHeader) {
            let (segment, offset) = (self.found.segment, self.found.offset);
            later.insert(0, Later { segment, offset, header, whole: None });
        }
        later.sort_by_key(|batch| batch.header.number);
        later.dedup_by_key(|batch| batch.header.number);
        self.take_newest_meta(&later);
        let damage =
            self.damage(&suspects, stop, later.len() > usize::from(stop != Stop::NoHeader));
        let note = self.note(damage, &later, &suspects);
        let mut salvaged = salvage(later);
        if salvaged.last().map(|(index, tag, _)| (*index, *tag)) != note.owed {
            salvaged.clear();
        }
        if self.expected.is_none() {
            // Above every number in the folder, since nothing says where they go on.
            let seen = self.ground.manifest.map_or(0, |known| known.durable_batch);
            self.found.next_number = self.found.next_number.max(seen + 1);
        }
        self.found.torn = None;
        self.found.finding = Some(Finding { note, salvaged });
        Ok(())
    }

    /// The batches with the expected number or a higher one at or behind `from`, even one that
    /// belongs elsewhere (a write gone astray). A former life of a recycled segment has lower
    /// numbers.
    fn gather(&mut self, from: u64) -> Result<Vec<Later>, DiskError> {
        let lowest = self.expected.map_or(0, |(number, _)| number);
        let sector = self.ground.geometry.sector_bytes as usize;
        let mut later = Vec::new();
        for segment in self.found.segment..=self.found.last_segment {
            let (start, other) = match segment == self.found.segment {
                true => (from as usize, None),
                false => (0, Some(self.load(segment)?)),
            };
            let block = other.as_deref().unwrap_or(&self.block);
            for at in (start..block.len()).step_by(sector) {
                let decoded = Header::decode(&block[at..], self.ground.seed);
                let Some((header, crc)) = decoded.filter(|(header, _)| header.number >= lowest)
                else {
                    continue;
                };
                let whole = whole_batch(block, at, &header, crc);
                later.push(Later { segment, offset: at as u64, header, whole });
            }
        }
        Ok(later)
    }

    /// Suspect places where batches may have been that are not in the log now. A segment above
    /// the active one was never written to.
    fn relevant_suspects(&self) -> Vec<Suspect> {
        let active = match self.ground.manifest {
            Some(manifest) if self.ground.manifest_is_newest => manifest.active_segment,
            _ => u64::MAX,
        };
        let relevant = |suspect: &&Suspect| {
            suspect.segment >= self.found.segment
                && (suspect.segment <= active || suspect.segment == self.found.segment)
        };
        let mut suspects: Vec<Suspect> = self.suspects.iter().filter(relevant).copied().collect();
        suspects.sort_unstable_by_key(|suspect| (suspect.segment, suspect.offset));
        suspects
    }

    fn take_newest_meta(&mut self, later: &[Later]) {
        for batch in later {
            let meta = batch.whole.as_ref().and_then(|whole| whole.meta.clone());
            let known = self.found.meta.as_ref().map(|(number, _)| *number);
            if let Some(meta) = meta.filter(|_| known < Some(batch.header.number)) {
                self.found.meta = Some((batch.header.number, meta));
            }
        }
    }

    /// The damage as a sentence: the file that is not what it must be, else the batch.
    fn damage(&self, suspects: &[Suspect], stop: Stop, followed: bool) -> Damage {
        let intact = self.found.torn.map_or(0, |torn| torn.intact_records);
        let index = self.found.index.next().map(|next| next + intact);
        let (mut segment, mut offset) = (self.found.segment, self.found.offset);
        let reason = match (suspects.first(), stop) {
            _ if self.ground.manifest.is_none() => {
                let file = SLOT_FILES[0].to_owned();
                return Damage { file, segment: None, offset: 0, index: None, reason: NO_SLOT };
            }
            (Some(suspect), _) => {
                (segment, offset) = (suspect.segment, suspect.offset);
                suspect.reason
            }
            (None, Stop::Contradiction(reason)) => reason,
            (None, _) if followed => GAP,
            (None, _) => EARLY_END,
        };
        Damage { file: segment_file(segment), segment: Some(segment), offset, index, reason }
    }

    fn note(&self, damage: Damage, later: &[Later], suspects: &[Suspect]) -> Note {
        let proven = self.proven_end(later);
        let followed = suspects.iter().any(|at| (at.segment, at.offset) >= proven.place);
        let manifest = self.ground.manifest;
        let end_is_exact = proven.is_exact && !followed && manifest.is_some();
        let first = self.found.next_number;
        let last = later.last().map_or(0, |batch| batch.header.number);
        let last = manifest.map_or(last, |known| last.max(known.durable_batch));
        let mut seen = later.iter().map(|batch| batch.header.number);
        let all_seen = (first..=last).all(|number| seen.any(|seen| seen == number));
        let cut = manifest.is_some_and(|known| known.cut.is_some());
        let known_start = manifest.map(|known| known.first_index).filter(|index| *index > 0);
        let next = self.found.index.next().or(known_start).unwrap_or(1);
        let truncated = later.iter().filter_map(|batch| batch.header.truncate_from).min();
        Note {
            damage,
            first_missing: truncated.map_or(next, |from| from.min(next)),
            owed: proven.end,
            end_is_exact,
            prefix_is_certain: end_is_exact && all_seen && !cut,
        }
    }

    /// The latest of: the end of the intact log, what the batches behind it prove, what the
    /// manifest proves.
    fn proven_end(&self, later: &[Later]) -> Proven {
        let place = (self.found.segment, self.found.offset);
        let (number, end) = (self.found.next_number - 1, self.found.index.end());
        let mut proven = Proven { number, end, is_exact: true, place };
        if let Some(newest) = newest_proof(later) {
            proven = newest;
        }
        match self.ground.manifest {
            Some(manifest) if manifest.durable_batch > proven.number => {
                let (number, end) = (manifest.durable_batch, manifest.end);
                Proven { number, end, is_exact: true, place }
            }
            _ => proven,
        }
    }
}

/// A batch is proven by being whole, or by the one after it. When the newest is neither, what it
/// says is more than what is proven, which is the safe side.
fn newest_proof(later: &[Later]) -> Option<Proven> {
    let newest = later.last()?;
    let proof = |of: &Later, is_exact| Proven {
        number: of.header.number,
        end: of.header.end,
        is_exact,
        place: (newest.segment, newest.offset + 1),
    };
    if newest.whole.is_some() || newest.header.kind == Kind::Seal {
        return Some(proof(newest, true));
    }
    let before = later.len().checked_sub(2).and_then(|at| later.get(at));
    match before.filter(|before| before.header.number + 1 == newest.header.number) {
        Some(before) => Some(proof(before, true)),
        None => Some(proof(newest, false)),
    }
}

fn whole_batch(block: &[u8], at: usize, header: &Header, crc: u32) -> Option<Whole> {
    let Body::Whole { records, meta, chain } = read_body(block, at, header, crc) else {
        return None;
    };
    let payload = |offset: u32, len: u32| {
        let start = offset as usize + super::format::RECORD_BYTES;
        Bytes::copy_from_slice(&block[start..start + len as usize])
    };
    let records = records.into_iter();
    let records = records.map(|(index, tag, slot)| (index, tag, payload(slot.offset, slot.len)));
    Some(Whole { records: records.collect(), meta, chain })
}

/// The records at the end of the log that lie in whole batches without a gap between them.
fn salvage(later: Vec<Later>) -> Vec<(u64, u64, Bytes)> {
    let (mut run, mut before): (Vec<(u64, u64, Bytes)>, _) = (Vec::new(), None);
    for batch in later {
        let Some(whole) = batch.whole else {
            run.clear();
            before = None;
            continue;
        };
        if before != Some((batch.header.number, batch.header.previous)) {
            run.clear();
        }
        if let Some(from) = batch.header.truncate_from {
            run.retain(|(index, ..)| *index < from);
        }
        for record in whole.records {
            if run.last().is_some_and(|(last, ..)| last + 1 != record.0) {
                run.clear();
            }
            run.push(record);
        }
        before = Some((batch.header.number + 1, whole.chain));
    }
    run
}
