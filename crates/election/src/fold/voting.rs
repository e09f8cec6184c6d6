//! The rules of a ballot against the ballots accepted before it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ballot::{EncryptedTally, ParsedBallot, Tracker};
use bytes::Bytes;

use super::charter::Charter;
use crate::{
    definition::Revote,
    entry::{Body, Entry},
    refusal::{Refusal, code},
    roll::Roll,
    wire::sha256,
};

/// The last accepted ballot of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialState {
    /// Its place in the credential's chain, from 0.
    pub seq: u32,
    /// SHA-256 of its bytes: the `prev` of the next one.
    pub hash: [u8; 32],
    /// Its leaf.
    pub leaf_index: u64,
}

/// How many have voted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turnout {
    /// Credentials with an accepted ballot.
    pub voters: u32,
    /// Their total weight.
    pub weight: u64,
    /// Accepted ballots, those that were replaced later included.
    pub ballots: u64,
    /// Credentials on the roll.
    pub roll_voters: u32,
    /// Total weight of the roll.
    pub roll_weight: u64,
}

/// A ballot that breaks no rule about other ballots.
pub(crate) struct Vote {
    pub(crate) hash: [u8; 32],
    pub(crate) seq: u32,
    pub(crate) credential: [u8; 32],
    position: usize,
    a_prefixes: Vec<[u8; 16]>,
}

/// The state from the opening on; unchanged after the close.
pub(crate) struct Voting {
    pub(crate) charter: Arc<Charter>,
    roll: Roll,
    last: Vec<Option<CredentialState>>,
    a_seen: BTreeSet<[u8; 16]>,
    trackers: BTreeMap<Tracker, ([u8; 32], u64)>,
    turnout: Turnout,
}

impl Voting {
    pub(crate) fn new(charter: Arc<Charter>, roll: Roll) -> Self {
        let last = vec![None; roll.voters().len()];
        let turnout = Turnout {
            roll_voters: charter.manifest.roll.count,
            roll_weight: charter.manifest.roll.total_weight,
            ..Turnout::default()
        };
        let (a_seen, trackers) = (BTreeSet::new(), BTreeMap::new());
        Self { charter, roll, last, a_seen, trackers, turnout }
    }

    /// Whether the ballot is readable, of this election and by somebody on the roll: what can be
    /// said before any state of other ballots matters.
    pub(crate) fn concerns(&self, ballot: &[u8]) -> bool {
        let header = self.charter.header(ballot);
        header.is_ok_and(|header| self.roll.position(header.credential).is_some())
    }

    /// Refuses a ballot that is a leaf already, naming the leaf.
    pub(crate) fn check_new(&self, hash: &[u8; 32]) -> Result<(), Refusal> {
        match self.trackers.get(&Tracker::of_hash(hash)) {
            None => Ok(()),
            Some((known, leaf)) if known == hash => Err(Refusal {
                leaf: Some(*leaf),
                ..Refusal::new(
                    code::ALREADY_ACCEPTED,
                    format!("These bytes are leaf {leaf} already; ask for its receipt."),
                )
            }),
            Some(_) => Err(Refusal::new(
                code::REPEATED,
                "Another accepted ballot has this tracker; encrypt the vote again.",
            )),
        }
    }

    /// Checks every rule that concerns other ballots.
    pub(crate) fn check_rules(&self, ballot: &[u8]) -> Result<Vote, Refusal> {
        let header = self.charter.header(ballot)?;
        let hash = sha256(&[ballot]);
        self.check_new(&hash)?;
        let Some(position) = self.roll.position(header.credential) else {
            let sentence = "The ballot is signed by a credential that is not on the roll.";
            return Err(Refusal::new(code::NOT_ON_ROLL, sentence));
        };
        self.check_chain(self.last[position].as_ref(), header.seq, header.prev)?;
        let a_prefixes = self.charter.a_prefixes(ballot);
        let distinct: BTreeSet<_> = a_prefixes.iter().collect();
        let repeated = a_prefixes.iter().any(|prefix| self.a_seen.contains(prefix));
        if repeated || distinct.len() < a_prefixes.len() {
            let sentence = "A ciphertext of this ballot stands in an accepted ballot already: \
                            ballots must not be copied; encrypt the vote again.";
            return Err(Refusal::new(code::REPEATED_CIPHERTEXT, sentence));
        }
        let credential = *header.credential;
        Ok(Vote { hash, seq: header.seq, credential, position, a_prefixes })
    }

    fn check_chain(
        &self,
        last: Option<&CredentialState>,
        seq: u32,
        prev: &[u8; 32],
    ) -> Result<(), Refusal> {
        let broken = |sentence: String| Err(Refusal::new(code::BROKEN_CHAIN, sentence));
        let Some(last) = last else {
            if seq == 0 && *prev == [0; 32] {
                return Ok(());
            }
            return broken(format!(
                "The ballot has number {seq} in its credential's chain, but none was accepted \
                 before: the first has number 0 and no predecessor."
            ));
        };
        if self.charter.manifest.definition.revote == Revote::Off {
            let sentence = format!(
                "This credential has voted (leaf {}), and this election does not allow voting \
                 again.",
                last.leaf_index
            );
            return Err(Refusal::new(code::REVOTE_NOT_ALLOWED, sentence));
        }
        if last.seq.checked_add(1) == Some(seq) && *prev == last.hash {
            return Ok(());
        }
        broken(format!(
            "The ballot has number {seq} in its credential's chain and does not follow the last \
             accepted one, number {} (leaf {}): make a new ballot that does.",
            last.seq, last.leaf_index
        ))
    }

    pub(crate) fn add(&mut self, vote: Vote, leaf_index: u64) {
        let Vote { hash, seq, position, a_prefixes, .. } = vote;
        self.trackers.insert(Tracker::of_hash(&hash), (hash, leaf_index));
        self.a_seen.extend(a_prefixes);
        let before = self.last[position].replace(CredentialState { seq, hash, leaf_index });
        self.turnout.ballots += 1;
        if before.is_none() {
            self.turnout.voters += 1;
            self.turnout.weight += u64::from(self.roll.voters()[position].weight);
        }
    }

    /// For a seeded bug: ciphertexts of a ballot that is no leaf.
    pub(crate) fn weed(&mut self, ballot: &[u8]) {
        if self.charter.header(ballot).is_ok() {
            self.a_seen.extend(self.charter.a_prefixes(ballot));
        }
    }

    /// For a seeded bug: every accepted ballot, replaced ones included.
    pub(crate) fn accepted(&self) -> Vec<(u64, u32)> {
        self.trackers.values().map(|(_, leaf)| (*leaf, 1)).collect()
    }

    pub(crate) fn turnout(&self) -> Turnout {
        self.turnout
    }

    pub(crate) fn roll(&self) -> &Roll {
        &self.roll
    }

    pub(crate) fn credential_state(&self, credential: &[u8; 32]) -> Option<CredentialState> {
        self.last[self.roll.position(credential)?]
    }

    pub(crate) fn find_tracker(&self, tracker: &Tracker) -> Option<u64> {
        self.trackers.get(tracker).map(|(_, leaf)| *leaf)
    }

    /// Leaves that count, in the order of the roll, with their weights.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (u64, u32)> {
        let last = self.last.iter().zip(self.roll.voters());
        last.filter_map(|(last, voter)| Some(((*last)?.leaf_index, voter.weight)))
    }

    /// The weighted sum of each credential's last accepted ballot.
    pub(crate) fn tally(&self, leaves: &[Bytes], all: bool) -> EncryptedTally {
        let mut tally = EncryptedTally::new(&self.charter.context);
        let counted = if all { self.accepted() } else { self.counted().collect() };
        for (leaf, weight) in counted {
            let entry = Entry::decode(&leaves[leaf as usize]).expect("a leaf was decoded before");
            let Body::Ballot(ballot) = entry.body else {
                panic!("leaf {leaf} was recorded as a ballot but is a {}", entry.body.kind().name())
            };
            let ballot = ParsedBallot::parse(ballot, &self.charter.context)
                .expect("an accepted ballot was parsed before");
            tally.add(&ballot, u64::from(weight));
        }
        tally
    }
}
