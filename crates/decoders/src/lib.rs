//! Everything that turns bytes from outside into a value, as targets for fuzzing.
//!
//! A [`Target`] takes any bytes. Its check panics when the decoder does, and when what was decoded
//! does not mean what the bytes said: where an encoding has one form only, encoding again must
//! give the same bytes; elsewhere the same value. The seeds come from the real encoders.
//!
//! `fuzz/` drives the targets with libFuzzer; the test of this crate replays the seeds with a few
//! thousand simple mutations, so that every `cargo test` would notice the crudest mistakes.
#![forbid(unsafe_code)]

mod elections;
mod ledgers;
mod people;
mod store;

use base::Prng;

/// One decoder under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// By which it is chosen.
    pub name: &'static str,
    /// Decodes and checks; panics when something is wrong.
    pub check: fn(&[u8]),
    /// Inputs that the decoder accepts.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Longer inputs say nothing more, in bytes.
    pub bytes_max: usize,
}

impl Target {
    const fn new(name: &'static str, check: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Self {
        Self { name, check, seeds, bytes_max: 512 }
    }

    const fn up_to(self, bytes_max: usize) -> Self {
        Self { bytes_max, ..self }
    }
}

/// All targets, by layer.
pub fn targets() -> Vec<Target> {
    [store::TARGETS, ledgers::TARGETS, elections::TARGETS, people::TARGETS].concat()
}

/// The target of that name.
pub fn target(name: &str) -> Option<Target> {
    targets().into_iter().find(|target| target.name == name)
}

/// Changes a few bytes: flips, overwrites with telling values, removes, repeats, inserts.
pub fn mutate(bytes: &mut Vec<u8>, bytes_max: usize, random: &mut Prng) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        let span = random.below(8).min((bytes.len() - at) as u64) as usize;
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5) as usize],
            2 => drop(bytes.drain(at..at + span)),
            3 => {
                let copied = bytes[at..at + span].to_vec();
                bytes.splice(at..at, copied);
            }
            4 => bytes.insert(at, random.next_u64() as u8),
            _ if random.below(8) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes.truncate(bytes_max);
}
