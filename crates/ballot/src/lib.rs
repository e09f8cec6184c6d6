//! The cryptography of an election, and nothing else: no storage, no network, no election rules.
//!
//! A vote is a row of small numbers, each one ElGamal ciphertext over ristretto255; sums of
//! ciphertexts decrypt to sums of votes. A ballot proves in zero knowledge that it is a valid vote
//! of one credential at one place of that credential's chain, and is signed by it (`contest`,
//! `context`, `cast`, `parsed`, `batch`); the ballots of open polls are signed, but in clear
//! (`open`). Trustees make the election key together, so that no one of them can decrypt
//! (`ceremony`), and decrypt only the sums, each proving its share (`threshold`).
//!
//! ```text
//! Code ── Credential ─┐
//! Choice ── cast ─────┴─> bytes ─> ParsedBallot ─> batch::verify ─> EncryptedTally
//! ceremony ─> ElectionKey ──┘                      SecretShare ─> DecryptionShare ─> combine
//! ```
//!
//! Invariants: one canonical encoding for everything; every hash has its own tag and framed
//! fields; every challenge covers the whole statement and all commitments; secrets are wiped when
//! dropped, have no `Debug` and steer no branch; randomness comes in as an argument.
//! `spec/ballot.md` and `spec/ceremony.md` say the same byte by byte for other implementations.
//!
//! Left out on purpose: group negotiation (one group, one version byte), hashing to curves, any
//! notion of who may vote or when.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod base32;
pub mod batch;
mod cast;
pub mod ceremony;
mod choice;
mod code;
mod contest;
mod context;
mod credential;
mod discrete_log;
mod elgamal;
mod encoding;
pub mod enrolment;
mod hash;
mod open;
mod parsed;
mod proof;
pub mod seal;
pub mod signature;
mod statement;
mod tally;
pub mod threshold;
mod tracker;

pub use cast::{SealedBallot, cast};
pub use choice::{Choice, ChoiceError};
pub use code::{Code, CodeError};
pub use contest::{BALLOT_LEN_MAX, ContestKind, Fingerprint};
pub use context::{BallotContext, Contests, ContextError, GroupedContest};
pub use credential::{Credential, CredentialPublicKey};
pub use elgamal::{Ciphertext, ElectionKey};
pub use encoding::EncodingError;
pub use open::OpenBallot;
pub use parsed::{BallotError, HEADER_LEN, ParsedBallot, VERSION};
pub use tally::{EncryptedTally, TallyStatement};
pub use tracker::{Tracker, TrackerError};

/// Writes bytes as lower-case hex, for `Debug` of public values.
pub(crate) fn write_hex(f: &mut core::fmt::Formatter<'_>, bytes: &[u8]) -> core::fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests;
