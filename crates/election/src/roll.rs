//! The roll: who may vote, as sorted public keys with weight and group. No names.
//!
//! On the ledger it comes in chunks of exactly 1,700 voters (the last one may be shorter), so that
//! one roll has one sequence of entries; its root in the manifest is a hash over all chunks.

use core::fmt;
use std::collections::BTreeMap;

use ballot::CredentialPublicKey;

use crate::wire::{DecodeError, Reader, sha256};

/// Voters in a full chunk.
pub const CHUNK_VOTERS: usize = 1700;
/// Classes of fewer voters need the administrator's explicit consent.
pub const SMALL_CLASS: usize = 20;
/// Most voters: chunks are numbered by a u16.
pub const VOTERS_MAX: usize = CHUNK_VOTERS * (u16::MAX as usize);
const VOTER_BYTES: usize = 37;
const ROOT_TAG: &[u8] = b"quorate/roll/v1";

/// One voter: a credential's public key and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Voter {
    /// Ed25519 public key, canonical and torsion-free.
    pub credential: [u8; 32],
    /// How many votes its ballot counts, at least 1.
    pub weight: u32,
    /// Number of its group in the definition, which decides its contests; 0 for none.
    pub group: u8,
}

impl Voter {
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.credential);
        bytes.extend_from_slice(&self.weight.to_be_bytes());
        bytes.push(self.group);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            credential: reader.array("credential")?,
            weight: reader.u32("weight")?,
            group: reader.u8("group")?,
        })
    }
}

/// What the manifest says about the roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollSummary {
    /// Hash over all chunks.
    pub root: [u8; 32],
    /// Number of voters.
    pub count: u32,
    /// Sum of their weights.
    pub total_weight: u64,
}

impl RollSummary {
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.root);
        bytes.extend_from_slice(&self.count.to_be_bytes());
        bytes.extend_from_slice(&self.total_weight.to_be_bytes());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            root: reader.array("roll's root")?,
            count: reader.u32("voters on the roll")?,
            total_weight: reader.u64("total weight")?,
        })
    }
}

/// Why voters make no roll. Positions count from 0 in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollError {
    /// Nobody, or more than [`VOTERS_MAX`].
    Count(usize),
    /// Not after the voter before it in the order of keys, or the same key.
    Order {
        /// Position of the later one.
        position: usize,
    },
    /// The same key twice.
    Twice {
        /// Positions of both.
        positions: (usize, usize),
    },
    /// Not a canonical, torsion-free Ed25519 key.
    Key {
        /// Position.
        position: usize,
    },
    /// Weight 0.
    Weight {
        /// Position.
        position: usize,
    },
    /// The chunk has another number than expected.
    ChunkNumber {
        /// The number it should have.
        expected: u16,
        /// The number it has.
        found: u16,
    },
    /// The chunk holds another number of voters than it must.
    ChunkLength {
        /// How many it should hold.
        expected: usize,
        /// How many it holds.
        found: usize,
    },
}

impl fmt::Display for RollError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "a roll has 1 to {VOTERS_MAX} voters, not {count}"),
            Self::Order { position } => {
                write!(f, "voter {position} is not after the one before it in the order of keys")
            }
            Self::Twice { positions: (one, two) } => {
                write!(f, "voters {one} and {two} have the same key")
            }
            Self::Key { position } => write!(f, "voter {position} has no usable Ed25519 key"),
            Self::Weight { position } => write!(f, "voter {position} has weight 0"),
            Self::ChunkNumber { expected, found } => {
                write!(f, "roll chunk {expected} was expected, not {found}")
            }
            Self::ChunkLength { expected, found } => {
                write!(f, "the roll chunk must hold {expected} voters, not {found}")
            }
        }
    }
}

impl std::error::Error for RollError {}

/// A complete roll, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    voters: Vec<Voter>,
}

impl Roll {
    /// The roll of these voters, in any order.
    ///
    /// # Errors
    /// Nobody, too many, a key twice, a bad key or a weight of 0; positions are those given.
    pub fn new(voters: Vec<Voter>) -> Result<Self, RollError> {
        if voters.is_empty() || voters.len() > VOTERS_MAX {
            return Err(RollError::Count(voters.len()));
        }
        let mut seen = BTreeMap::new();
        let keys = KeyChecks::of(&voters);
        for (position, voter) in voters.iter().enumerate() {
            keys.check(voter, position)?;
            if let Some(earlier) = seen.insert(voter.credential, position) {
                return Err(RollError::Twice { positions: (earlier, position) });
            }
        }
        let mut voters = voters;
        voters.sort_unstable();
        Ok(Self { voters })
    }

    /// The voters, sorted by key.
    pub fn voters(&self) -> &[Voter] {
        &self.voters
    }

    /// Place of a key in the roll.
    pub fn position(&self, credential: &[u8; 32]) -> Option<usize> {
        self.voters.binary_search_by(|voter| voter.credential.cmp(credential)).ok()
    }

    /// The canonical chunks, each the body of one entry.
    pub fn chunks(&self) -> Vec<Vec<u8>> {
        let chunks = self.voters.chunks(CHUNK_VOTERS);
        (0u16..).zip(chunks).map(|(number, voters)| encode_chunk(number, voters)).collect()
    }

    /// What the manifest says about it.
    pub fn summary(&self) -> RollSummary {
        RollSummary {
            root: root(self.chunks().iter().map(Vec::as_slice)),
            count: u32::try_from(self.voters.len()).expect("VOTERS_MAX fits a u32"),
            total_weight: self.voters.iter().map(|voter| u64::from(voter.weight)).sum(),
        }
    }

    /// How many voters each class (group, weight) has.
    pub fn classes(&self) -> Classes {
        let mut classes = Classes::default();
        self.voters.iter().for_each(|voter| classes.add(voter));
        classes
    }
}

/// Voters of the same group and weight, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes(BTreeMap<(u8, u32), usize>);

impl Classes {
    pub(crate) fn add(&mut self, voter: &Voter) {
        *self.0.entry((voter.group, voter.weight)).or_default() += 1;
    }

    pub(crate) fn remove(&mut self, voter: &Voter) {
        if let Some(count) = self.0.get_mut(&(voter.group, voter.weight)) {
            *count = count.saturating_sub(1);
        }
    }

    /// How many voters share group and weight with this one.
    pub(crate) fn of(&self, voter: &Voter) -> usize {
        self.0.get(&(voter.group, voter.weight)).copied().unwrap_or_default()
    }

    /// Voters by (group, weight).
    pub fn counts(&self) -> &BTreeMap<(u8, u32), usize> {
        &self.0
    }

    /// The class with the fewest voters, if one has fewer than [`SMALL_CLASS`].
    pub fn smallest(&self) -> Option<((u8, u32), usize)> {
        let smallest = self.0.iter().min_by_key(|(_, count)| **count);
        smallest.map(|(class, count)| (*class, *count)).filter(|(_, count)| *count < SMALL_CLASS)
    }
}

/// Root over canonical chunks.
fn root<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let hashes: Vec<[u8; 32]> = chunks.map(|chunk| sha256(&[chunk])).collect();
    sha256(&[ROOT_TAG, hashes.as_flattened()])
}

fn encode_chunk(number: u16, voters: &[Voter]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + voters.len() * VOTER_BYTES);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&(voters.len() as u16).to_be_bytes());
    voters.iter().for_each(|voter| voter.put(&mut bytes));
    bytes
}

/// Number and voters of a chunk. Order and keys are checked where the roll is put together.
///
/// # Errors
/// Field and offset of what is wrong.
pub fn decode_chunk(bytes: &[u8]) -> Result<(u16, Vec<Voter>), DecodeError> {
    let mut reader = Reader::new("roll chunk", bytes);
    let number = reader.u16("chunk number")?;
    let count = usize::from(reader.u16("number of voters")?);
    if count == 0 || count > CHUNK_VOTERS {
        return Err(reader.wrong("number of voters", "must be 1 to 1700"));
    }
    let mut voters = Vec::with_capacity(count);
    for _ in 0..count {
        voters.push(Voter::read(&mut reader)?);
    }
    reader.finish()?;
    Ok((number, voters))
}

/// Weight and key of one voter.
pub(crate) fn check_voter(voter: &Voter, position: usize) -> Result<(), RollError> {
    KeyChecks { all_good: false }.check(voter, position)
}

/// What is known about the keys of many voters before each of them is looked at.
struct KeyChecks {
    /// Only if some are bad must each be asked, to tell which.
    all_good: bool,
}

impl KeyChecks {
    fn of(voters: &[Voter]) -> Self {
        let keys: Vec<[u8; 32]> = voters.iter().map(|voter| voter.credential).collect();
        Self { all_good: CredentialPublicKey::are_all_good(&keys) }
    }

    fn check(&self, voter: &Voter, position: usize) -> Result<(), RollError> {
        if voter.weight == 0 {
            return Err(RollError::Weight { position });
        }
        if self.all_good || CredentialPublicKey::from_bytes(&voter.credential).is_ok() {
            return Ok(());
        }
        Err(RollError::Key { position })
    }
}

/// Puts a roll together chunk by chunk, as its entries come.
#[derive(Clone, Debug, Default)]
pub(crate) struct RollBuilder {
    voters: Vec<Voter>,
    chunks: Vec<[u8; 32]>,
    classes: Classes,
}

/// Why a chunk is refused.
pub(crate) enum ChunkError {
    Decode(DecodeError),
    Roll(RollError),
}

impl RollBuilder {
    /// How many voters have come so far.
    pub(crate) fn count(&self) -> usize {
        self.voters.len()
    }

    /// Checks the next chunk of a roll of `total` voters without adding it.
    pub(crate) fn check(&self, bytes: &[u8], total: u32) -> Result<Vec<Voter>, ChunkError> {
        let (found, voters) = decode_chunk(bytes).map_err(ChunkError::Decode)?;
        let expected = u16::try_from(self.chunks.len()).unwrap_or(u16::MAX);
        if found != expected {
            return Err(ChunkError::Roll(RollError::ChunkNumber { expected, found }));
        }
        let missing = (total as usize).saturating_sub(self.voters.len());
        let expected = missing.min(CHUNK_VOTERS);
        if voters.len() != expected {
            let found = voters.len();
            return Err(ChunkError::Roll(RollError::ChunkLength { expected, found }));
        }
        let keys = KeyChecks::of(&voters);
        let mut before = self.voters.last();
        for (at, voter) in voters.iter().enumerate() {
            let position = self.voters.len() + at;
            if before.is_some_and(|before| before.credential >= voter.credential) {
                return Err(ChunkError::Roll(RollError::Order { position }));
            }
            keys.check(voter, position).map_err(ChunkError::Roll)?;
            before = Some(voter);
        }
        Ok(voters)
    }

    /// Adds a checked chunk.
    pub(crate) fn add(&mut self, bytes: &[u8], voters: Vec<Voter>) {
        self.chunks.push(sha256(&[bytes]));
        voters.iter().for_each(|voter| self.classes.add(voter));
        self.voters.extend(voters);
    }

    /// Classes of what has come so far.
    pub(crate) fn classes(&self) -> &Classes {
        &self.classes
    }

    /// What the manifest would have to say about what has come so far.
    pub(crate) fn summary(&self) -> RollSummary {
        RollSummary {
            root: sha256(&[ROOT_TAG, self.chunks.as_flattened()]),
            count: u32::try_from(self.voters.len()).unwrap_or(u32::MAX),
            total_weight: self.voters.iter().map(|voter| u64::from(voter.weight)).sum(),
        }
    }

    /// The roll of what has come.
    pub(crate) fn build(&self) -> Roll {
        Roll { voters: self.voters.clone() }
    }
}

#[cfg(test)]
mod tests {
    use ballot::Credential;

    use super::*;

    fn voters(count: u32) -> Vec<Voter> {
        (0..count)
            .map(|i| {
                let mut seed = [0; 32];
                seed[..4].copy_from_slice(&i.to_be_bytes());
                let credential = Credential::from_seed(&seed).public().to_bytes();
                Voter { credential, weight: 1 + i % 2, group: (i % 3) as u8 }
            })
            .collect()
    }

    #[test]
    fn a_roll_is_sorted_and_its_chunks_build_it_again() {
        let roll = Roll::new(voters(1701)).unwrap();
        assert!(roll.voters().is_sorted());
        let chunks = roll.chunks();
        assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [4 + 1700 * 37, 4 + 37]);
        let mut builder = RollBuilder::default();
        for chunk in &chunks {
            let voters = builder.check(chunk, 1701).ok().unwrap();
            builder.add(chunk, voters);
        }
        assert_eq!(builder.summary(), roll.summary());
        assert_eq!(builder.build(), roll);
        for (at, voter) in roll.voters().iter().enumerate() {
            assert_eq!(roll.position(&voter.credential), Some(at));
        }
        assert_eq!(roll.position(&[0; 32]), None);
    }

    #[test]
    fn one_bad_key_among_many_is_named() {
        for position in [0, 150, 299] {
            let mut with_bad = voters(300);
            with_bad[position].credential = [0; 32];
            assert_eq!(Roll::new(with_bad), Err(RollError::Key { position }));
        }
        let mut sorted = Roll::new(voters(300)).unwrap();
        sorted.voters[0].credential = [0; 32];
        let chunk = sorted.chunks().swap_remove(0);
        let checked = RollBuilder::default().check(&chunk, 300);
        let error = RollError::Key { position: 0 };
        assert!(matches!(checked, Err(ChunkError::Roll(found)) if found == error));
    }

    #[test]
    fn order_of_import_does_not_matter_but_content_does() {
        let mut shuffled = voters(50);
        base::Prng::named(1, "roll").shuffle(&mut shuffled);
        let one = Roll::new(voters(50)).unwrap().summary();
        assert_eq!(Roll::new(shuffled.clone()).unwrap().summary(), one);
        shuffled[7].weight += 1;
        assert_ne!(Roll::new(shuffled).unwrap().summary().root, one.root);
    }

    #[test]
    fn bad_voters_are_named_by_position() {
        let check = |change: fn(&mut Vec<Voter>), expected: &str| {
            let mut voters = voters(5);
            change(&mut voters);
            assert_eq!(Roll::new(voters).unwrap_err().to_string(), expected);
        };
        check(Vec::clear, "a roll has 1 to 111409500 voters, not 0");
        check(|v| v[3].weight = 0, "voter 3 has weight 0");
        check(|v| v[4] = v[1], "voters 1 and 4 have the same key");
        check(|v| v[2].credential = [0; 32], "voter 2 has no usable Ed25519 key");
        check(|v| v[2].credential = [0xff; 32], "voter 2 has no usable Ed25519 key");
    }

    #[test]
    fn chunks_have_one_form_only() {
        let roll = Roll::new(voters(3)).unwrap();
        let chunk = &roll.chunks()[0];
        let check = |chunk: &[u8], total, expected: &str| {
            let text = match RollBuilder::default().check(chunk, total) {
                Err(ChunkError::Decode(error)) => error.to_string(),
                Err(ChunkError::Roll(error)) => error.to_string(),
                Ok(_) => "accepted".to_owned(),
            };
            assert_eq!(text, expected);
        };
        check(chunk, 3, "accepted");
        check(chunk, 4, "the roll chunk must hold 4 voters, not 3");
        check(
            &chunk[..chunk.len() - 1],
            3,
            "roll chunk: group at byte 114: the bytes end inside it",
        );
        check(
            &[chunk, &[0u8][..]].concat(),
            3,
            "roll chunk: end at byte 115: more bytes follow the last field",
        );
        let mut other = chunk.clone();
        other[1] = 1;
        check(&other, 3, "roll chunk 0 was expected, not 1");
        let mut other = chunk.clone();
        other[4..78].rotate_left(37);
        check(&other, 3, "voter 1 is not after the one before it in the order of keys");
    }

    #[test]
    fn small_classes_are_found() {
        let roll = Roll::new(voters(120)).unwrap();
        assert_eq!(roll.classes().smallest(), None);
        let roll = Roll::new(voters(119)).unwrap();
        assert_eq!(roll.classes().smallest(), Some(((2, 2), 19)));
    }
}
