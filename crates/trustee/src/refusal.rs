//! Why a trustee will not do something.

use core::fmt;

/// The stable codes of a trustee's own refusals. Those of ceremony messages are `ceremony-…`.
pub mod code {
    /// The message belongs to another step than the present one.
    pub const OUT_OF_TURN: &str = "out-of-turn";
    /// A message of this trustee for this round is there already.
    pub const REPEATED: &str = "repeated";
    /// The message is posted under another number than its own.
    pub const WRONG_PLACE: &str = "wrong-place";
    /// Someone has posted another message in this trustee's place.
    pub const NOT_MINE: &str = "not-mine";
    /// There is no such trustee.
    pub const NO_SUCH_TRUSTEE: &str = "no-such-trustee";
    /// A share did not fit; someone is to blame.
    pub const COMPLAINT: &str = "complaint";
    /// The manifest is not what draft and ceremony make.
    pub const BAD_MANIFEST: &str = "bad-manifest";
    /// Another manifest was endorsed before.
    pub const OTHER_MANIFEST: &str = "other-manifest";
    /// Too early: the election is not closed, or its end is not final.
    pub const NOT_READY: &str = "not-ready";
    /// The signed checkpoint does not fit the entries.
    pub const BAD_LEDGER: &str = "bad-ledger";
    /// Fewer ballots than the manifest demands.
    pub const TOO_FEW_BALLOTS: &str = "too-few-ballots";
    /// Another tally of this election was decrypted before.
    pub const OTHER_TALLY: &str = "other-tally";
}

/// A trustee's "no".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`code`], or of a ceremony message.
    pub code: &'static str,
    /// What is wrong and what to do, for people.
    pub sentence: String,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.sentence, self.code)
    }
}

impl std::error::Error for Refusal {}

impl From<ballot::ceremony::CeremonyError> for Refusal {
    fn from(error: ballot::ceremony::CeremonyError) -> Self {
        Self::new(error.code(), format!("In the key ceremony, {error}."))
    }
}
