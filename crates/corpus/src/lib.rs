//! Wrong archives, and what every verifier must say about each of them.
//!
//! An item is an archive of a small election with one thing wrong, a trust file, and the verdict
//! with step and entry that `spec/verification.md` demands. Everything that needs no key is made
//! right again after the change (hashes, roots, checksum), and in most items everything that needs
//! a key too, so that only the check that is meant can notice. What is expected follows from the
//! rule that is broken and is written down beside the change; nothing here asks a verifier.
//!
//! ```text
//! stale       only leaf hashes and checksum are made again     step 3
//! forged      … and the roots in the checkpoints               step 4
//! cosigned    … and the authorities sign them                  the appender's signature, step 9
//! appended    … and the appender signs the entry               the rule of the entry's kind
//! ```
//!
//! Two programs judge the items: crate `verifier` (`corpus check`) and the one in TypeScript,
//! which reads what `corpus write` puts into a folder.
#![forbid(unsafe_code)]

mod ballots;
mod checkpoints;
mod entries;
mod fields;
mod foreign;
mod honest;
mod layout;
mod prover;
mod shares;
mod successions;
mod world;

use bytes::Bytes;
use verifier::{Report, Verdict};

/// What a verifier must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expect {
    /// Everything holds.
    Verified,
    /// Everything holds, but there is no trust file.
    NotAnchored,
    /// The archive ends before the result.
    CouldNotCheck,
    /// Something does not hold.
    NotVerified {
        /// The first step that fails.
        check: u8,
        /// The first leaf that is not right.
        entry: Option<u64>,
    },
}

impl Expect {
    /// The verdict of a report in these words.
    pub fn of(report: &Report) -> Self {
        match report.verdict {
            Verdict::Verified => Self::Verified,
            Verdict::ConsistentNotAnchored => Self::NotAnchored,
            Verdict::CouldNotCheck { .. } => Self::CouldNotCheck,
            Verdict::NotVerified { check, entry, .. } => Self::NotVerified { check, entry },
        }
    }

    /// Its name in reports.
    pub fn verdict(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::NotAnchored => "not-anchored",
            Self::CouldNotCheck => "could-not-check",
            Self::NotVerified { .. } => "not-verified",
        }
    }

    /// The first failing step.
    pub fn check(self) -> Option<u8> {
        match self {
            Self::NotVerified { check, .. } => Some(check),
            _ => None,
        }
    }

    /// The first leaf that is not right.
    pub fn entry(self) -> Option<u64> {
        match self {
            Self::NotVerified { entry, .. } => entry,
            _ => None,
        }
    }
}

/// Fails at a step and a leaf.
fn fails(check: u8, entry: u64) -> Expect {
    Expect::NotVerified { check, entry: Some(entry) }
}

/// Fails at a step, and no leaf is wrong.
fn fails_at(check: u8) -> Expect {
    Expect::NotVerified { check, entry: None }
}

/// An archive and what must be said about it.
pub struct Item {
    /// Family, election and change, unique in the corpus.
    pub name: String,
    /// The archive's bytes.
    pub archive: Bytes,
    /// The trust file's text, if one is given.
    pub trust: Option<String>,
    /// What must be said.
    pub expect: Expect,
}

/// Every item, one after the other: tampered ones and honest ones.
pub fn for_each(mut see: impl FnMut(Item)) {
    let see = &mut see;
    let worlds = world::all();
    for world in &worlds {
        let other = worlds.iter().find(|other| other.name != world.name);
        let other = other.expect("there are several worlds");
        entries::tamper(world, other, see);
        shares::tamper(world, see);
        checkpoints::tamper(world, see);
        // Field by field where shapes differ; a third election of the same shape teaches nothing.
        if world.name != "plain" {
            fields::tamper(world, other, see);
        }
        match world.name {
            "plain" => {}
            "orders" => {
                let ballots = world.indices(election::entry::Kind::Ballot);
                ballots::cheating_provers(world, ballots[0], world.voters[0], see);
            }
            _ => ballots::tamper(world, see),
        }
    }
    foreign::tamper(&worlds[0], see);
    successions::make(see);
    honest::make(see);
}
