//! One trustee as a participant: takes part in the key ceremony, endorses the manifest, and later
//! decrypts the sums, once.
//!
//! ```text
//! SecretFile ── Ceremony: announce ─ deal ─ confirm ─ check manifest ─> endorsement
//!      └─────── decrypt(ledger, final checkpoint) ───────────────────> decryption share
//! ```
//!
//! A trustee believes no server. Keys, hashes and sums are recomputed here from public messages
//! and ledger entries; what a node says counts only as far as it carries signatures.
//!
//! Invariants: everything a trustee sends follows from its one secret and what was posted before,
//! so an interrupted one repeats itself; it endorses one manifest and decrypts one tally, and its
//! secret file remembers which before anything is sent; below the manifest's minimum of ballots it
//! decrypts nothing.
#![forbid(unsafe_code)]

mod ceremony;
mod decryption;
mod refusal;
mod secret_file;

pub use ceremony::{Ceremony, Effect, Event, Round, Stage};
pub use decryption::{Decryption, decrypt};
pub use refusal::{Refusal, code};
pub use secret_file::{SecretFile, SecretFileError};

#[cfg(test)]
mod tests;
