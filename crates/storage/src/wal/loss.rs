//! What a damaged log still owes: found once, remembered durably until the owner settles it.

use super::format::{decode_record, encode_record, segment_file};
use super::manifest::SLOT_FILES;
use crate::codec::{u32_at, u64_at};
use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::error::Damage;
use bytes::Bytes;

const FILE: &str = "salvage";
const NEW_FILE: &str = "salvage.tmp";
/// The salvage is written in pieces of about this many bytes.
const PIECE_BYTES: usize = 1 << 20;

pub(super) const GAP: &str = "a batch is not intact, but one written after it is";
pub(super) const EARLY_END: &str = "it ends before a batch that the manifest knows to be durable";
pub(super) const INDEX_JUMP: &str = "a batch does not continue the indexes before it";
pub(super) const OTHER_END: &str = "a batch contradicts its own header";
pub(super) const MISSING: &str = "the file is missing";
pub(super) const WRONG_LENGTH: &str = "the file does not have the length of a segment";
pub(super) const UNREADABLE: &str = "some of its sectors cannot be read";
pub(super) const NO_SLOT: &str = "neither slot of the manifest is intact";
const UNKNOWN: &str = "it was found damaged by another version of this program";

/// Reasons by the number that stands for them in the manifest; new ones are added at the end.
const REASONS: [&str; 8] =
    [GAP, EARLY_END, INDEX_JUMP, OTHER_END, MISSING, WRONG_LENGTH, UNREADABLE, NO_SLOT];

/// Something that was durable once is gone. The log goes on with the intact records before it,
/// and every opening returns the loss again until [`Wal::settle_loss`](super::Wal::settle_loss).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What was found, as a sentence.
    pub damage: Damage,
    /// Index of the first record lost: the log as it was opened first ended just before it.
    pub first_missing: u64,
    /// The highest end of the log, index and tag, that is proven to have been durable. The owner
    /// must not act on what it does not hold up to here. `None` when nothing proves an end.
    pub owed: Option<(u64, u64)>,
    /// Whether the log was proven to end with `owed`. If not, more may have followed, which
    /// nothing on this disk can tell: a file is missing or has the wrong length, sectors cannot
    /// be read, or the manifest is gone.
    pub end_is_exact: bool,
    /// Whether no lost batch can have dropped records before `first_missing`. If one can, the
    /// intact records at the end of the log may be older than those that were acknowledged.
    pub prefix_is_certain: bool,
    /// Intact records from behind the damage, consecutive, ending with `owed` when all of them
    /// could be read. They are not part of the log.
    pub salvaged: Vec<(u64, u64, Bytes)>,
}

/// What the manifest says about a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) damage: Damage,
    pub(super) first_missing: u64,
    pub(super) owed: Option<(u64, u64)>,
    pub(super) end_is_exact: bool,
    pub(super) prefix_is_certain: bool,
}

pub(super) const NOTE_BYTES: usize = 64;
const FLAG_OWED: u32 = 1;
const FLAG_EXACT: u32 = 2;
const FLAG_CERTAIN: u32 = 4;
const FLAG_SEGMENT: u32 = 8;
const FLAG_INDEX: u32 = 16;

impl Note {
    /// The note with what a later opening found while it was not settled. Tags do not fall along
    /// a log, so the end with the higher tag is the later one.
    pub(super) fn merge(self, newer: Self) -> Self {
        let later = |(index, tag): (u64, u64)| (tag, index);
        Self {
            first_missing: self.first_missing.min(newer.first_missing),
            owed: self.owed.max_by_later(newer.owed, later),
            end_is_exact: self.end_is_exact && newer.end_is_exact,
            prefix_is_certain: self.prefix_is_certain && newer.prefix_is_certain,
            damage: newer.damage,
        }
    }

    pub(super) fn into_loss(self, salvaged: Vec<(u64, u64, Bytes)>) -> Loss {
        let Self { damage, first_missing, owed, end_is_exact, prefix_is_certain } = self;
        Loss { damage, first_missing, owed, end_is_exact, prefix_is_certain, salvaged }
    }

    /// first missing | owed index | its tag | segment | offset | index | reason | flags
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let (owed_index, owed_tag) = self.owed.unwrap_or((0, 0));
        let place = [self.damage.segment.unwrap_or(0), self.damage.offset];
        let index = self.damage.index.unwrap_or(0);
        for number in [self.first_missing, owed_index, owed_tag, place[0], place[1], index] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let reason = REASONS.iter().position(|reason| *reason == self.damage.reason);
        let reason = reason.and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX);
        let mut flags = 0;
        for (flag, set) in [
            (FLAG_OWED, self.owed.is_some()),
            (FLAG_EXACT, self.end_is_exact),
            (FLAG_CERTAIN, self.prefix_is_certain),
            (FLAG_SEGMENT, self.damage.segment.is_some()),
            (FLAG_INDEX, self.damage.index.is_some()),
        ] {
            flags |= if set { flag } else { 0 };
        }
        out.extend_from_slice(&reason.to_le_bytes());
        out.extend_from_slice(&flags.to_le_bytes());
        out.resize(out.len() + NOTE_BYTES - 56, 0);
    }

    /// The note in the first [`NOTE_BYTES`] of `block`, whose checksum was verified.
    pub(super) fn decode(block: &[u8]) -> Self {
        let flags = u32_at(block, 52);
        let has = |flag| flags & flag != 0;
        let segment = has(FLAG_SEGMENT).then(|| u64_at(block, 24));
        let file = segment.map_or_else(|| SLOT_FILES[0].to_owned(), segment_file);
        let reason = REASONS.get(u32_at(block, 48) as usize).copied().unwrap_or(UNKNOWN);
        let index = has(FLAG_INDEX).then(|| u64_at(block, 40));
        Self {
            damage: Damage { file, segment, offset: u64_at(block, 32), index, reason },
            first_missing: u64_at(block, 0),
            owed: has(FLAG_OWED).then(|| (u64_at(block, 8), u64_at(block, 16))),
            end_is_exact: has(FLAG_EXACT),
            prefix_is_certain: has(FLAG_CERTAIN),
        }
    }
}

/// `max` of two options by a key.
trait Later<T>: Sized {
    fn max_by_later<K: Ord>(self, other: Self, key: impl Fn(T) -> K) -> Self;
}

impl<T: Copy> Later<T> for Option<T> {
    fn max_by_later<K: Ord>(self, other: Self, key: impl Fn(T) -> K) -> Self {
        match (self, other) {
            (Some(one), Some(two)) => Some(if key(two) > key(one) { two } else { one }),
            (one, two) => one.or(two),
        }
    }
}

/// Makes `records` durable in a file of their own, in place of those of an earlier loss.
pub(super) fn save_salvage<D: Disk>(
    disk: &mut D,
    seed: u32,
    records: &[(u64, u64, Bytes)],
) -> Result<(), DiskError> {
    match disk.create(NEW_FILE) {
        Err(error) if error.kind == DiskErrorKind::AlreadyExists => disk.set_len(NEW_FILE, 0)?,
        other => other?,
    }
    let (mut at, mut crc, mut piece) = (0, seed, Vec::new());
    for (position, (index, tag, payload)) in records.iter().enumerate() {
        crc = encode_record(crc, *index, *tag, payload, &mut piece);
        if piece.len() >= PIECE_BYTES || position + 1 == records.len() {
            disk.write_at(NEW_FILE, at, &piece)?;
            at += piece.len() as u64;
            piece.clear();
        }
    }
    disk.sync(NEW_FILE)?;
    disk.rename(NEW_FILE, FILE)?;
    disk.sync_dir()
}

/// The salvaged records; those before the first that is not intact, if one is not.
pub(super) fn load_salvage<D: Disk>(
    disk: &D,
    seed: u32,
) -> Result<Vec<(u64, u64, Bytes)>, DiskError> {
    let len = match disk.len(FILE) {
        Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut block = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    disk.read_at(FILE, 0, &mut block)?;
    let block = Bytes::from(block);
    let (mut at, mut crc, mut records) = (0, seed, Vec::new());
    while let Some(record) = block.get(at..).and_then(|rest| decode_record(rest, crc)) {
        let end = at + record.extent();
        records.push((record.index, record.tag, block.slice(end - record.len..end)));
        (at, crc) = (end, record.crc);
    }
    Ok(records)
}

/// Removes the files of salvaged records, if there are any.
pub(super) fn remove_salvage<D: Disk>(disk: &mut D) -> Result<(), DiskError> {
    let names = disk.list()?;
    let mut gone = false;
    for file in [FILE, NEW_FILE] {
        if names.iter().any(|name| name == file) {
            disk.remove(file)?;
            gone = true;
        }
    }
    if gone { disk.sync_dir() } else { Ok(()) }
}
