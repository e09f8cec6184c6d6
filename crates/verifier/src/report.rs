//! What a verification says: numbered checks, one verdict, and the facts that were established.

use core::fmt;

use election::{ArchiveError, ElectionId, Manifest, Outcome, Turnout};
use ledger::Hash;

use crate::checks::Title;

/// How one check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It could not be made: something it needs is missing, or an earlier entry is not right.
    NotMade,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "ok",
            Self::Failed => "FAILED",
            Self::NotMade => "not made",
        })
    }
}

/// One numbered check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its number, from 1.
    pub number: u8,
    /// What is checked.
    pub title: &'static str,
    /// How it ended.
    pub finding: Finding,
    /// What was found, as a sentence.
    pub detail: String,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, title, finding, detail } = self;
        write!(f, "{number:2}. {title}: {finding}. {detail}")
    }
}

/// The end of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every check passed, and the cosignatures are by the authorities of the trust file.
    Verified,
    /// Something does not hold.
    NotVerified {
        /// Number of the first failed check.
        check: u8,
        /// What does not hold.
        sentence: String,
        /// Index of the first leaf that is not right, if one was found.
        entry: Option<u64>,
    },
    /// Every check passed, but no trust file says whose cosignatures count.
    ConsistentNotAnchored,
    /// No verdict is possible.
    CouldNotCheck {
        /// Why.
        sentence: String,
    },
}

impl Verdict {
    /// The exit status of a program that verifies: 0 verified, 1 not verified, 3 otherwise.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::NotVerified { .. } => 1,
            Self::ConsistentNotAnchored | Self::CouldNotCheck { .. } => 3,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => f.write_str("verified"),
            Self::NotVerified { check, sentence, entry } => {
                write!(f, "not verified: check {check}: {sentence}")?;
                entry.map_or(Ok(()), |entry| write!(f, " (entry {entry})"))
            }
            Self::ConsistentNotAnchored => f.write_str(
                "consistent in itself, not anchored: give the authorities' keys (--trust) to know \
                 whether this is the record that they signed",
            ),
            Self::CouldNotCheck { sentence } => write!(f, "could not check: {sentence}"),
        }
    }
}

/// What the archive says about itself; to be believed as far as the verdict goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The election.
    pub election: ElectionId,
    /// Name of its log.
    pub origin: String,
    /// SHA-256 of its manifest.
    pub fingerprint: [u8; 32],
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Questions, rules and keys.
    pub manifest: Manifest,
    /// How many voted.
    pub turnout: Turnout,
    /// The recomputed result.
    pub result: Option<Outcome>,
}

/// Everything a verification says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The checks by number, without gaps.
    pub checks: Vec<Check>,
    /// The end.
    pub verdict: Verdict,
    /// What was established; `None` when the manifest is not readable.
    pub facts: Option<Facts>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.checks.iter().try_for_each(|check| writeln!(f, "{check}"))?;
        writeln!(f, "{}", self.verdict)
    }
}

/// The report about bytes that are no sound archive, or cannot be read.
pub(crate) fn unreadable(error: &ArchiveError) -> Report {
    let is_unknown =
        matches!(error, ArchiveError::Foreign(_) | ArchiveError::Read(_) | ArchiveError::Changed);
    let finding = if is_unknown { Finding::NotMade } else { Finding::Failed };
    let sentence = format!("{error}.");
    let mut checks = vec![Title::Archive.check(finding, sentence.clone())];
    let not_made = |title: &Title| title.check(Finding::NotMade, "The archive is not readable.");
    checks.extend(Title::ALL[1..].iter().map(not_made));
    let verdict = if is_unknown {
        Verdict::CouldNotCheck { sentence }
    } else {
        let entry = match error {
            ArchiveError::Leaf { index } => Some(*index),
            _ => None,
        };
        Verdict::NotVerified { check: Title::Archive.number(), sentence, entry }
    };
    Report { checks, verdict, facts: None }
}
