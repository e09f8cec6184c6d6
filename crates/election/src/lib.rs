//! The rules of an election: what is asked, who may vote, what becomes a leaf of the ledger, and
//! what the ballots add up to.
//!
//! ```text
//! Definition ─ Draft ─ ceremony, roll ─> Manifest ─ endorsements ─> open ─ ballots ─> close
//!                                                       ─ shares ─> result
//! ```
//!
//! [`Fold`] is the heart: one pure function from entries to leaves, phases and tallies. Every
//! authority runs it over what the store ordered, every verifier over what an archive holds, and
//! both must come to the same end. It has no clock, no network, no store and no randomness of its
//! own.
#![forbid(unsafe_code)]

pub mod archive;
pub mod contest;
pub mod definition;
pub mod entry;
mod fold;
mod id;
pub mod keys;
pub mod manifest;
mod mutant;
pub mod order;
pub mod outcome;
pub mod receipt;
pub mod refusal;
pub mod roll;
pub mod succession;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod wire;

pub use archive::{Archive, ArchiveBytes, ArchiveError, StoredArchive};
pub use contest::{Contest, Decision, Majority, Rule, Tie};
pub use definition::{Definition, Issuer, Problem, Revote, Secrecy};
pub use entry::{Appender, Body, Entry};
pub use fold::{
    Accepted, Blocker, CheckedBallot, ClassTurnout, CredentialState, Fold, LIVE_LEAVES_MAX,
    PartialSums, Phase, Standing, Turnout, Verified,
};
pub use id::{ElectionId, ElectionIdError};
pub use manifest::{Act, Authority, Draft, Endorser, Manifest, Trustee};
#[cfg(any(test, feature = "mutants"))]
pub use mutant::Mutant;
pub use order::{Order, SignedOrder};
pub use outcome::{Decided, Electors, Finding, Outcome, Participation};
pub use refusal::{Refusal, SignedRefusal};
pub use roll::{Classes, Roll, RollError, RollSummary, Voter};
pub use succession::{SignedSuccession, Succession, Successions};
pub use wire::DecodeError;
