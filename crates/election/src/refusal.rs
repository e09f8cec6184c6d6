//! Why something is no leaf: a stable code for programs, a sentence for people, and an authority's
//! signature so that whoever refuses must answer for it.

use core::fmt;

use ballot::signature::{PublicKey, SigningKey};

use crate::{
    id::ElectionId,
    wire::{DecodeError, Reader, put_text},
};

const TAG: &str = "quorate/refusal/v1";
const VERSION: u8 = 1;

/// The stable codes. They never change their meaning; new ones may come.
pub mod code {
    /// Not the layout it must have.
    pub const MALFORMED: &str = "malformed";
    /// A format version this election does not use.
    pub const WRONG_VERSION: &str = "wrong-version";
    /// Made for another election.
    pub const WRONG_ELECTION: &str = "wrong-election";
    /// The election is not open yet.
    pub const TOO_EARLY: &str = "too-early";
    /// The election is closed.
    pub const TOO_LATE: &str = "too-late";
    /// The credential is not on the roll.
    pub const NOT_ON_ROLL: &str = "not-on-roll";
    /// A signature is not by the key it must be by.
    pub const BAD_SIGNATURE: &str = "bad-signature";
    /// A proof does not hold.
    pub const BAD_PROOF: &str = "bad-proof";
    /// Does not follow the credential's last accepted ballot.
    pub const BROKEN_CHAIN: &str = "broken-chain";
    /// The credential has voted, and this election does not allow voting again.
    pub const REVOTE_NOT_ALLOWED: &str = "revote-not-allowed";
    /// A ciphertext stands in an accepted ballot already.
    pub const REPEATED_CIPHERTEXT: &str = "repeated-ciphertext";
    /// These bytes are a leaf already.
    pub const ALREADY_ACCEPTED: &str = "already-accepted";
    /// The stamp runs backwards too far, or lies outside opening and closing.
    pub const STAMP_OUT_OF_RANGE: &str = "stamp-out-of-range";
    /// Longer than 65,535 bytes.
    pub const ENTRY_TOO_LARGE: &str = "entry-too-large";
    /// The appender is not an authority of the election, or did not sign the entry.
    pub const UNKNOWN_APPENDER: &str = "unknown-appender";
    /// The election has no manifest yet.
    pub const NO_MANIFEST: &str = "no-manifest";
    /// The manifest breaks a rule.
    pub const BAD_MANIFEST: &str = "bad-manifest";
    /// The roll chunk is not the next one of this roll.
    pub const BAD_ROLL: &str = "bad-roll";
    /// The ceremony message does not belong here.
    pub const BAD_CEREMONY: &str = "bad-ceremony";
    /// Something that must come before is missing.
    pub const NOT_READY: &str = "not-ready";
    /// This has been said already.
    pub const REPEATED: &str = "repeated";
    /// The kind of entry does not belong into this phase.
    pub const WRONG_PHASE: &str = "wrong-phase";
    /// Fewer ballots than the manifest demands for decryption.
    pub const TOO_FEW_BALLOTS: &str = "too-few-ballots";
    /// The decryption share is not valid.
    pub const BAD_SHARE: &str = "bad-share";
    /// The result is not what the shares decrypt to.
    pub const BAD_RESULT: &str = "bad-result";
    /// The election is paused.
    pub const PAUSED: &str = "paused";
    /// The ballot is for another group than the credential's.
    pub const WRONG_GROUP: &str = "wrong-group";
    /// The credential was withdrawn or replaced.
    pub const WITHDRAWN: &str = "withdrawn";
    /// The credential is marked to vote on paper.
    pub const VOTES_ON_PAPER: &str = "votes-on-paper";
    /// The credential has an accepted ballot.
    pub const HAS_VOTED: &str = "has-voted";
    /// The manifest does not allow this order.
    pub const NOT_ALLOWED: &str = "not-allowed";
    /// The order does not carry the next number.
    pub const WRONG_NUMBER: &str = "wrong-number";
    /// The order cannot be carried out.
    pub const BAD_ORDER: &str = "bad-order";
    /// The answer to a question of an open poll is not valid.
    pub const BAD_ANSWER: &str = "bad-answer";

    /// All of them.
    pub const ALL: [&str; 34] = [
        MALFORMED,
        WRONG_VERSION,
        WRONG_ELECTION,
        TOO_EARLY,
        TOO_LATE,
        NOT_ON_ROLL,
        BAD_SIGNATURE,
        BAD_PROOF,
        BROKEN_CHAIN,
        REVOTE_NOT_ALLOWED,
        REPEATED_CIPHERTEXT,
        ALREADY_ACCEPTED,
        STAMP_OUT_OF_RANGE,
        ENTRY_TOO_LARGE,
        UNKNOWN_APPENDER,
        NO_MANIFEST,
        BAD_MANIFEST,
        BAD_ROLL,
        BAD_CEREMONY,
        NOT_READY,
        REPEATED,
        WRONG_PHASE,
        TOO_FEW_BALLOTS,
        BAD_SHARE,
        BAD_RESULT,
        PAUSED,
        WRONG_GROUP,
        WITHDRAWN,
        VOTES_ON_PAPER,
        HAS_VOTED,
        NOT_ALLOWED,
        WRONG_NUMBER,
        BAD_ORDER,
        BAD_ANSWER,
    ];
}

/// Why an entry is no leaf, or a ballot would not become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`code`].
    pub code: &'static str,
    /// What is wrong and what to do, for people.
    pub sentence: String,
    /// With [`code::ALREADY_ACCEPTED`]: the leaf these bytes are.
    pub leaf: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into(), leaf: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.sentence)
    }
}

impl std::error::Error for Refusal {}

/// An authority's signed word that it refuses an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRefusal {
    /// The election.
    pub election: ElectionId,
    /// Number of the entry in the store, from 1; 0 when a ballot was refused before it was
    /// ordered.
    pub entry: u64,
    /// SHA-256 of the entry, or zeros.
    pub entry_hash: [u8; 32],
    /// SHA-256 of the ballot in it, or zeros when it is no ballot.
    pub ballot_hash: [u8; 32],
    /// One of [`code`].
    pub code: String,
    /// For people.
    pub sentence: String,
    /// Number of the authority.
    pub authority: u8,
    /// Its signature over everything above.
    pub signature: [u8; 64],
}

impl SignedRefusal {
    /// Fills in the signature.
    #[must_use]
    pub fn sign(mut self, key: &SigningKey) -> Self {
        self.signature = key.sign(TAG, &self.signed_bytes());
        self
    }

    /// Whether the signature is by this key.
    #[must_use]
    pub fn verify(&self, key: &PublicKey) -> bool {
        key.verify(TAG, &self.signed_bytes(), &self.signature).is_ok()
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.election.0);
        bytes.extend_from_slice(&self.entry.to_be_bytes());
        bytes.extend_from_slice(&self.entry_hash);
        bytes.extend_from_slice(&self.ballot_hash);
        put_text(&mut bytes, &self.code);
        put_text(&mut bytes, &self.sentence);
        bytes.push(self.authority);
        bytes
    }

    /// The canonical bytes.
    ///
    /// # Panics
    /// When the sentence is longer than a u16 can say.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.signed_bytes();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads the canonical bytes.
    ///
    /// # Errors
    /// Field and offset of what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("refusal", bytes);
        if reader.u8("version")? != VERSION {
            return Err(reader.wrong("version", "must be 1"));
        }
        let refusal = Self {
            election: ElectionId(reader.array("election id")?),
            entry: reader.u64("entry number")?,
            entry_hash: reader.array("entry hash")?,
            ballot_hash: reader.array("ballot hash")?,
            code: reader.text("code")?,
            sentence: reader.text("sentence")?,
            authority: reader.u8("authority's number")?,
            signature: reader.array("signature")?,
        };
        reader.finish()?;
        Ok(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_kebab_case() {
        for (at, one) in code::ALL.iter().enumerate() {
            assert!(one.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{one}");
            assert!(!code::ALL[..at].contains(one), "{one}");
        }
    }

    #[test]
    fn a_refusal_binds_every_field() {
        let key = SigningKey::from_seed(&[1; 32]);
        let refusal = SignedRefusal {
            election: ElectionId([1; 16]),
            entry: 7,
            entry_hash: [2; 32],
            ballot_hash: [3; 32],
            code: code::TOO_LATE.into(),
            sentence: "The election is closed.".into(),
            authority: 2,
            signature: [0; 64],
        }
        .sign(&key);
        assert!(refusal.verify(&key.public()));
        let bytes = refusal.encode();
        assert_eq!(SignedRefusal::decode(&bytes), Ok(refusal));
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            let valid = SignedRefusal::decode(&other).is_ok_and(|r| r.verify(&key.public()));
            assert!(!valid, "byte {at}");
        }
    }
}
