//! Between the manifest and the opening: the roll, the ceremony and the endorsements come in, and
//! whatever is still missing blocks the opening, each with a sentence.

use core::fmt;
use std::{collections::BTreeSet, sync::Arc};

use super::{ceremony::CeremonyLog, charter::Charter};
use crate::{
    definition::Secrecy,
    manifest::{Act, Endorser},
    refusal::{Refusal, code},
    roll::{ChunkError, Roll, RollBuilder, SMALL_CLASS, Voter},
};

/// One thing that keeps an election from opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// Voters of the roll are not on the ledger yet.
    RollIncomplete {
        /// How many are.
        found: usize,
        /// How many the manifest says.
        expected: u32,
    },
    /// The ceremony's messages are not all on the ledger.
    CeremonyIncomplete {
        /// The message that comes next: announcement, dealing or confirmation.
        message: &'static str,
        /// The trustee it must come from.
        trustee: String,
    },
    /// A trustee has not signed the manifest.
    TrusteeEndorsement {
        /// Number, from 1.
        index: u8,
        /// Name.
        name: String,
    },
    /// Too few authorities have signed the manifest.
    AuthorityEndorsements {
        /// How many have.
        found: usize,
        /// The quorum.
        needed: usize,
    },
    /// A class has so few voters that results may show how single people voted, and the
    /// administrator has not accepted that.
    SmallClass {
        /// Group of the class.
        group: u8,
        /// Weight of the class.
        weight: u32,
        /// Its voters.
        voters: usize,
    },
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RollIncomplete { found, expected } => {
                write!(f, "the roll is incomplete: {found} of {expected} voters")
            }
            Self::CeremonyIncomplete { message, trustee } => {
                write!(f, "the key ceremony waits for the {message} of {trustee}")
            }
            Self::TrusteeEndorsement { index, name } => {
                write!(f, "trustee {index} ({name}) has not signed the manifest")
            }
            Self::AuthorityEndorsements { found, needed } => {
                write!(f, "authority endorsements: {found} of {needed}")
            }
            Self::SmallClass { group, weight, voters } => write!(
                f,
                "the class of group {group} and weight {weight} has {voters} voters, fewer than \
                 {SMALL_CLASS}: merge it, or define the election with small classes accepted"
            ),
        }
    }
}

/// The state between manifest and opening.
pub(crate) struct Setup {
    pub(crate) charter: Arc<Charter>,
    roll: RollBuilder,
    ceremony: CeremonyLog,
    endorsed: BTreeSet<Endorser>,
}

impl Setup {
    pub(crate) fn new(charter: Arc<Charter>) -> Self {
        let (roll, ceremony) = (RollBuilder::default(), CeremonyLog::new());
        Self { charter, roll, ceremony, endorsed: BTreeSet::new() }
    }

    /// The voters of the next chunk, checked.
    pub(crate) fn check_chunk(&self, chunk: &[u8]) -> Result<Vec<Voter>, Refusal> {
        let expected = &self.charter.manifest.roll;
        let voters = self.roll.check(chunk, expected.count).map_err(|error| match error {
            ChunkError::Decode(error) => Refusal::new(code::MALFORMED, error.to_string()),
            ChunkError::Roll(error) => Refusal::new(code::BAD_ROLL, error.to_string()),
        })?;
        let questions = &self.charter.questions;
        if let Some(voter) = voters.iter().find(|voter| questions.of_group(voter.group).is_empty())
        {
            let sentence = format!(
                "A voter of the roll is in group {}, which has no question to answer.",
                voter.group
            );
            return Err(Refusal::new(code::BAD_ROLL, sentence));
        }
        if self.roll.count() + voters.len() == expected.count as usize {
            let mut complete = self.roll.clone();
            complete.add(chunk, voters.clone());
            if complete.summary() != *expected {
                let sentence = "The roll on the ledger is not the one the manifest names: its \
                                root or total weight differs.";
                return Err(Refusal::new(code::BAD_ROLL, sentence));
            }
        }
        Ok(voters)
    }

    pub(crate) fn add_chunk(&mut self, chunk: &[u8], voters: Vec<Voter>) {
        self.roll.add(chunk, voters);
    }

    pub(crate) fn check_ceremony(&self, message: &[u8]) -> Result<CeremonyLog, Refusal> {
        self.ceremony.with(message, &self.charter.manifest)
    }

    pub(crate) fn set_ceremony(&mut self, log: CeremonyLog) {
        self.ceremony = log;
    }

    pub(crate) fn check_endorsement(
        &self,
        endorser: Endorser,
        signature: &[u8; 64],
    ) -> Result<(), Refusal> {
        if self.endorsed.contains(&endorser) {
            let sentence = format!("The manifest carries the signature of {endorser} already.");
            return Err(Refusal::new(code::REPEATED, sentence));
        }
        let Charter { manifest, fingerprint, .. } = &*self.charter;
        if Act::Endorse(endorser).verify(manifest, fingerprint, signature) {
            return Ok(());
        }
        let sentence = format!("The manifest is not signed by {endorser} of this election.");
        Err(Refusal::new(code::BAD_SIGNATURE, sentence))
    }

    pub(crate) fn add_endorsement(&mut self, endorser: Endorser) {
        self.endorsed.insert(endorser);
    }

    pub(crate) fn check_opening(&self, signature: &[u8; 64]) -> Result<(), Refusal> {
        let blockers = self.blockers();
        if !blockers.is_empty() {
            let all: Vec<String> = blockers.iter().map(Blocker::to_string).collect();
            let sentence = format!("The election cannot open yet: {}.", all.join("; "));
            return Err(Refusal::new(code::NOT_READY, sentence));
        }
        let Charter { manifest, fingerprint, .. } = &*self.charter;
        if Act::Open.verify(manifest, fingerprint, signature) {
            return Ok(());
        }
        let sentence = "The opening is not signed by the administrator.";
        Err(Refusal::new(code::BAD_SIGNATURE, sentence))
    }

    /// Everything that is missing, in the order in which it is usually done.
    pub(crate) fn blockers(&self) -> Vec<Blocker> {
        let manifest = &self.charter.manifest;
        let mut blockers = Vec::new();
        let (found, expected) = (self.roll.count(), manifest.roll.count);
        if found < expected as usize {
            blockers.push(Blocker::RollIncomplete { found, expected });
        } else if let Some(small) = self.small_class() {
            blockers.push(small);
        }
        if let Some((message, trustee)) = self.ceremony.expected(manifest) {
            let name = &manifest.definition.trustees[usize::from(trustee) - 1];
            let trustee = format!("trustee {trustee} ({name})");
            blockers.push(Blocker::CeremonyIncomplete { message, trustee });
        }
        for (index, name) in (1u8..).zip(&manifest.definition.trustees) {
            if !self.endorsed.contains(&Endorser::Trustee(index)) {
                blockers.push(Blocker::TrusteeEndorsement { index, name: name.clone() });
            }
        }
        let authority = |one: &&Endorser| matches!(one, Endorser::Authority(_));
        let found = self.endorsed.iter().filter(authority).count();
        let needed = manifest.quorum();
        if found < needed {
            blockers.push(Blocker::AuthorityEndorsements { found, needed });
        }
        blockers
    }

    fn small_class(&self) -> Option<Blocker> {
        let definition = &self.charter.manifest.definition;
        if definition.accept_small_classes || definition.secrecy == Secrecy::Open {
            return None;
        }
        let ((group, weight), voters) = self.roll.classes().smallest()?;
        Some(Blocker::SmallClass { group, weight, voters })
    }

    /// The complete roll.
    pub(crate) fn roll(&self) -> Roll {
        self.roll.build()
    }
}
