//! Things kept once and named by a number, and a set of hashes that needs little memory.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Two independent 64-bit lanes over what is written; together they name a thing.
#[derive(Clone, Copy)]
struct Lanes(u64, u64);

fn fold(state: u64, word: u64, odd: u64) -> u64 {
    let wide = u128::from(state ^ word).wrapping_mul(u128::from(odd));
    (wide as u64 ^ (wide >> 64) as u64).wrapping_add(word.rotate_left(32))
}

impl Hasher for Lanes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
        self.write_u64(bytes.len() as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = fold(self.0, word, 0x9e37_79b9_7f4a_7c15);
        self.1 = fold(self.1, !word, 0xd6e8_feb8_6659_fd93);
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}

/// 128 bits of `thing`.
pub(super) fn name_of(thing: &impl Hash) -> u128 {
    let mut lanes = Lanes(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344);
    thing.hash(&mut lanes);
    u128::from(lanes.0) << 64 | u128::from(lanes.1)
}

/// 64 bits of `thing`.
pub(super) fn hash_of(thing: &impl Hash) -> u64 {
    name_of(thing) as u64
}

/// 64 bits of words, with a seed.
pub(super) fn hash_words(seed: u64, words: &[u32]) -> u64 {
    let mut state = seed ^ words.len() as u64;
    for pair in words.chunks(2) {
        let high = pair.get(1).map_or(0, |word| u64::from(*word) << 32);
        state = fold(state, u64::from(pair[0]) | high, 0x9e37_79b9_7f4a_7c15);
    }
    state ^= state >> 32;
    state = state.wrapping_mul(0xd6e8_feb8_6659_fd93);
    state ^ (state >> 29)
}

/// Takes a key that is a hash already.
#[derive(Default)]
pub(super) struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, word: u64) {
        self.0 = (word ^ (word >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u128(&mut self, word: u128) {
        self.0 = word as u64;
    }
}

/// A map whose keys are hashes or small numbers.
pub(super) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<Already>>;

/// Things by number, each once.
pub(super) struct Interner<T> {
    numbers: FastMap<u128, u32>,
    things: Vec<T>,
}

impl<T: Hash> Interner<T> {
    pub(super) fn new() -> Self {
        Self { numbers: FastMap::default(), things: Vec::new() }
    }

    /// The number of `thing`, old or new.
    pub(super) fn number(&mut self, thing: T) -> u32 {
        let name = name_of(&thing);
        let next = self.things.len() as u32;
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.things.push(thing);
        }
        number
    }

    pub(super) fn get(&self, number: u32) -> &T {
        &self.things[number as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.things.len()
    }
}

/// A set of 64-bit hashes: open addressing, 0 is an empty place.
pub(super) struct HashSet64 {
    places: Vec<u64>,
    len: usize,
}

impl HashSet64 {
    pub(super) fn new() -> Self {
        Self { places: vec![0; 1 << 16], len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.places.len() * 8
    }

    /// Adds `hash`; whether it is new.
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        if self.len * 4 >= self.places.len() * 3 {
            self.grow();
        }
        let is_new = Self::place(&mut self.places, hash.max(1));
        self.len += usize::from(is_new);
        is_new
    }

    fn place(places: &mut [u64], hash: u64) -> bool {
        let mask = places.len() - 1;
        let mut at = (hash >> 7) as usize & mask;
        loop {
            match places[at] {
                0 => {
                    places[at] = hash;
                    return true;
                }
                held if held == hash => return false,
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn grow(&mut self) {
        let mut wider = vec![0; self.places.len() * 2];
        for hash in self.places.iter().filter(|hash| **hash != 0) {
            Self::place(&mut wider, *hash);
        }
        self.places = wider;
    }
}
