//! The trustees make the election key together (Pedersen 1991, Feldman 1987), commitments first.
//!
//! Each trustee `i` of `m` chooses a secret polynomial `f_i` of degree `t − 1`. The election's
//! secret key is `Σ f_i(0)`, which nobody ever computes; trustee `j` ends with `x_j = Σ f_i(j)`, a
//! point of the sum polynomial, so any `t` trustees can decrypt and `t − 1` learn nothing.
//!
//! ```text
//! 1  everyone:  Announcement  signing key, encryption key, hash of the commitments to f_i
//! 2  everyone:  Dealing       commitments A_{i,k} = a_{i,k} G, proof of knowing a_{i,0},
//!                             f_i(j) encrypted to each other trustee j
//! 3  everyone:  Confirmation  signature over the hash of all of this, if every share fits
//!            or Complaint     the shared secret with the dealer, proven, so that all can look
//! ```
//!
//! For example with `t = 2`, `m = 3`: three announcements, three dealings of two shares each,
//! three confirmations; then `Y = A_{1,0} + A_{2,0} + A_{3,0}`.
//!
//! **Invariants.** Round 2 starts only with all announcements, and every dealing names their hash.
//! As the commitments were hashed before any was shown, the last to speak cannot bias the key; the
//! proof of the constant term stops a trustee from using another's commitment. A share is checked
//! against the commitments (`f_i(j) G = Σ j^k A_{i,k}`). A confirmation covers every byte of rounds
//! 1 and 2. A complaint makes one share public and blames either dealer or complainer; then the
//! ceremony starts again with the next `attempt` number and new polynomials.
//!
//! Everything a trustee sends follows from one 32-byte secret and the messages before, so one
//! that crashes and repeats itself sends the same bytes, and never two polynomials.
//!
//! **Types are rounds.** [`Announcements`] exists only when all announcements are there and
//! valid, [`Dealings`] only on top of it. Who may be trustee `i`, and where messages are posted, is
//! decided elsewhere. Messages, transcripts and tags byte by byte: `spec/ceremony.md`.
//!
//! **Left out on purpose.** Excluding a trustee in the middle; resharing; trustees who disagree
//! on what was posted (the ledger shows everyone the same bytes).

mod announcement;
mod complaint;
mod confirmation;
mod dealing;
mod dealings;
mod message;
mod share;
mod trustee;

pub use announcement::{Announcement, Announcements};
pub use complaint::{Complaint, Verdict};
pub use confirmation::Confirmation;
pub use dealing::Dealing;
pub use dealings::{Dealings, Received, Rehearsal};
pub use trustee::TrusteeSecret;

use core::fmt;

use crate::encoding::EncodingError;
use crate::hash::Framed;
use crate::signature::SignatureError;

/// The most trustees of one election.
pub const TRUSTEES_MAX: u16 = 64;

/// What a ceremony is for; every message names its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    election_id: [u8; 16],
    attempt: u32,
    trustees: u16,
    threshold: u16,
}

impl Parameters {
    /// A ceremony of `trustees`, any `threshold` of whom will decrypt; `attempt` counts restarts
    /// for this election, from 0. One trustee alone is allowed: they can read every vote.
    ///
    /// # Errors
    /// Unless `1 ≤ threshold ≤ trustees ≤` [`TRUSTEES_MAX`].
    pub fn new(
        election_id: [u8; 16],
        attempt: u32,
        trustees: u16,
        threshold: u16,
    ) -> Result<Self, CeremonyError> {
        if threshold == 0 || threshold > trustees || trustees > TRUSTEES_MAX {
            return Err(CeremonyError::general(Fault::Parameters));
        }
        Ok(Self { election_id, attempt, trustees, threshold })
    }

    /// How many trustees there are.
    pub fn trustees(&self) -> u16 {
        self.trustees
    }

    /// How many of them decrypt.
    pub fn threshold(&self) -> u16 {
        self.threshold
    }

    /// The name of this ceremony in all its messages.
    pub fn ceremony_id(&self) -> [u8; 32] {
        Framed::new("quorate/ceremony/v1/parameters")
            .field(&self.election_id)
            .u32(self.attempt)
            .u16(self.trustees)
            .u16(self.threshold)
            .short()
    }
}

/// What is wrong with a ceremony or one of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not `1 ≤ threshold ≤ trustees ≤ 64`.
    Parameters,
    /// Not as long as this kind of message.
    Length {
        /// The length in bytes this message must have.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// Another version, or another kind of message.
    Kind,
    /// Of another ceremony, or another attempt of this one.
    Ceremony,
    /// The number is not that of a trustee of this ceremony.
    Number,
    /// A point or scalar is not canonical.
    Encoding(EncodingError),
    /// The signing key or the signature is not valid.
    Signature(SignatureError),
    /// Not exactly one message of each trustee.
    Missing,
    /// Two trustees announce the same key or the same commitments.
    Repeated,
    /// The message belongs to other messages of the rounds before.
    Transcript,
    /// The commitments are not those that were announced.
    Commitments,
    /// The dealer has not proven to know the constant term.
    Knowledge,
    /// The joint key is the identity.
    JointKey,
    /// The trustee's own message of an earlier round was replaced by another.
    NotMine,
    /// A complaint's shared secret is not proven.
    SharedSecret,
}

/// A refused ceremony message, with the trustee it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CeremonyError {
    /// The trustee's number (from 1), where one trustee is to blame.
    pub trustee: Option<u16>,
    /// What is wrong.
    pub fault: Fault,
}

impl CeremonyError {
    pub(crate) fn general(fault: Fault) -> Self {
        Self { trustee: None, fault }
    }

    pub(crate) fn of(trustee: u16, fault: Fault) -> Self {
        Self { trustee: Some(trustee), fault }
    }

    /// The stable name of this refusal.
    pub fn code(&self) -> &'static str {
        match self.fault {
            Fault::Parameters => "ceremony-parameters",
            Fault::Length { .. } => "ceremony-length",
            Fault::Kind => "ceremony-kind",
            Fault::Ceremony => "ceremony-other",
            Fault::Number => "ceremony-number",
            Fault::Encoding(_) => "ceremony-encoding",
            Fault::Signature(_) => "ceremony-signature",
            Fault::Missing => "ceremony-missing",
            Fault::Repeated => "ceremony-repeated",
            Fault::Transcript => "ceremony-transcript",
            Fault::Commitments => "ceremony-commitments",
            Fault::Knowledge => "ceremony-knowledge",
            Fault::JointKey => "ceremony-joint-key",
            Fault::NotMine => "ceremony-not-mine",
            Fault::SharedSecret => "ceremony-shared-secret",
        }
    }
}

impl fmt::Display for CeremonyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trustee {
            Some(trustee) => write!(f, "trustee {trustee}: ")?,
            None => f.write_str("key ceremony: ")?,
        }
        match self.fault {
            Fault::Parameters => {
                write!(f, "the threshold must be at least 1, at most the number of trustees, ")?;
                write!(f, "and there may be at most {TRUSTEES_MAX} trustees")
            }
            Fault::Length { expected, found } => {
                write!(f, "the message has {found} bytes instead of {expected}")
            }
            Fault::Kind => f.write_str("the message is of another version or round"),
            Fault::Ceremony => f.write_str("the message belongs to another ceremony or attempt"),
            Fault::Number => f.write_str("there is no trustee with this number"),
            Fault::Encoding(error) => write!(f, "the message is malformed: {error}"),
            Fault::Signature(error) => write!(f, "the message is not signed: {error}"),
            Fault::Missing => f.write_str("there is not exactly one message of each trustee"),
            Fault::Repeated => f.write_str("a key or commitment is the same as another trustee's"),
            Fault::Transcript => f.write_str("the message answers other messages than these"),
            Fault::Commitments => f.write_str("the commitments are not those announced before"),
            Fault::Knowledge => f.write_str("the proof of the constant term does not hold"),
            Fault::JointKey => f.write_str("the joint key is the identity; start again"),
            Fault::NotMine => f.write_str("this is not the message this trustee made"),
            Fault::SharedSecret => f.write_str("the complaint's shared secret is not proven"),
        }
    }
}

impl core::error::Error for CeremonyError {}

#[cfg(test)]
pub(crate) mod tests;
