//! The rules of a ballot against the ballots accepted before it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ballot::{EncryptedTally, Tracker};
use bytes::Bytes;

use super::{charter::Charter, electorate::Electorate};
use crate::{
    definition::Revote,
    entry::{Body, Entry},
    order::Order,
    outcome::{Electors, Participation},
    refusal::{Refusal, code},
    roll::{Roll, Voter},
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
    /// Credentials on the roll now.
    pub roll_voters: u32,
    /// Total weight of the roll now.
    pub roll_weight: u64,
    /// Credentials marked to vote on paper.
    pub paper: Electors,
    /// Voters added to the roll since the opening.
    pub added: u32,
    /// Credentials withdrawn since the opening.
    pub withdrawn: u32,
    /// Credentials replaced since the opening.
    pub replaced: u32,
}

/// How many of one class, the voters with the same group and weight, have voted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassTurnout {
    /// Number of the group; 0 for none.
    pub group: u8,
    /// Weight of each of them.
    pub weight: u32,
    /// On the roll now.
    pub voters: u32,
    /// With an accepted ballot.
    pub voted: u32,
    /// Marked to vote on paper.
    pub paper: u32,
}

impl ClassTurnout {
    fn electors(&self, voters: u32) -> Electors {
        Electors { voters, weight: u64::from(voters) * u64::from(self.weight) }
    }
}

/// Whether ballots are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    Taking,
    Paused,
}

/// A ballot that breaks no rule about other ballots.
pub(crate) struct Vote {
    pub(crate) hash: [u8; 32],
    pub(crate) seq: u32,
    pub(crate) credential: [u8; 32],
    /// The answers, in an open poll.
    pub(crate) answers: Vec<Vec<u16>>,
    position: usize,
    a_prefixes: Vec<[u8; 16]>,
}

/// The state from the opening on; unchanged after the close.
pub(crate) struct Voting {
    pub(crate) charter: Arc<Charter>,
    pub(crate) electorate: Electorate,
    pub(crate) intake: Intake,
    /// First minute in which no more ballots are taken.
    pub(crate) closes: Option<u32>,
    /// How many orders of the administrator have been carried out.
    pub(crate) orders: u32,
    pub(crate) last: Vec<Option<CredentialState>>,
    a_seen: BTreeSet<[u8; 16]>,
    trackers: BTreeMap<Tracker, ([u8; 32], u64)>,
    pub(crate) turnout: Turnout,
    /// Of each class (group, weight): who has voted, and who is marked on paper.
    attended: BTreeMap<(u8, u32), (u32, u32)>,
    /// In an open poll: the last answers of each place, and their weighted sums.
    answers: BTreeMap<usize, Vec<Vec<u16>>>,
    live: Vec<Vec<u64>>,
}

impl Voting {
    pub(crate) fn new(charter: Arc<Charter>, roll: Roll) -> Self {
        let last = vec![None; roll.voters().len()];
        let turnout = Turnout {
            roll_voters: charter.manifest.roll.count,
            roll_weight: charter.manifest.roll.total_weight,
            ..Turnout::default()
        };
        let mut voting = Self {
            electorate: Electorate::new(roll),
            intake: Intake::Taking,
            closes: charter.manifest.definition.closes,
            orders: 0,
            last,
            a_seen: BTreeSet::new(),
            trackers: BTreeMap::new(),
            turnout,
            attended: BTreeMap::new(),
            answers: BTreeMap::new(),
            live: Vec::new(),
            charter,
        };
        voting.forget_ballots();
        voting
    }

    /// Begins again, but for ciphertexts and trackers, which may not come back, and the roll.
    pub(crate) fn forget_ballots(&mut self) {
        self.last.fill(None);
        self.answers.clear();
        let kinds = self.charter.questions.kinds().iter();
        self.live = kinds.map(|kind| vec![0; kind.counters().into()]).collect();
        self.attended.values_mut().for_each(|(voted, _)| *voted = 0);
        (self.turnout.voters, self.turnout.weight, self.turnout.ballots) = (0, 0, 0);
    }

    /// Whether the ballot is readable, of this election and by somebody on the roll: what can be
    /// said before any state of other ballots matters.
    pub(crate) fn concerns(&self, ballot: &[u8]) -> bool {
        let header = self.charter.header(ballot);
        header.is_ok_and(|header| self.electorate.place(header.credential).is_some())
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
        if self.intake == Intake::Paused {
            let sentence = "The election is paused; send the ballot again when it goes on.";
            return Err(Refusal::new(code::PAUSED, sentence));
        }
        let position = self.check_place(header.credential)?;
        let group = self.electorate.voter(position).group;
        if header.group != group {
            let sentence = format!(
                "The ballot is for voters of group {}, but this credential is of group {group}.",
                header.group
            );
            return Err(Refusal::new(code::WRONG_GROUP, sentence));
        }
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
        let answers = Vec::new();
        Ok(Vote { hash, seq: header.seq, credential, answers, position, a_prefixes })
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
        let Vote { hash, seq, position, a_prefixes, answers, .. } = vote;
        self.trackers.insert(Tracker::of_hash(&hash), (hash, leaf_index));
        self.a_seen.extend(a_prefixes);
        let before = self.last[position].replace(CredentialState { seq, hash, leaf_index });
        self.turnout.ballots += 1;
        if before.is_none() {
            let Voter { group, weight, .. } = *self.electorate.voter(position);
            self.turnout.voters += 1;
            self.turnout.weight += u64::from(weight);
            self.attended.entry((group, weight)).or_default().0 += 1;
        }
        if self.charter.context.is_none() {
            self.count_answers(position, answers);
        }
    }

    /// Replaces the answers of a place in the live counts of an open poll.
    fn count_answers(&mut self, position: usize, answers: Vec<Vec<u16>>) {
        let Voter { weight, group, .. } = *self.electorate.voter(position);
        let asked = self.charter.questions.of_group(group);
        let before = self.answers.get(&position);
        for (number, (&contest, new)) in asked.iter().zip(&answers).enumerate() {
            let counts = &mut self.live[usize::from(contest)];
            for (counter, (count, value)) in counts.iter_mut().zip(new).enumerate() {
                let old = before.map_or(0, |before| before[number][counter]);
                *count -= u64::from(old) * u64::from(weight);
                *count += u64::from(*value) * u64::from(weight);
            }
        }
        self.answers.insert(position, answers);
    }

    /// The weighted sums of an open poll so far.
    pub(crate) fn live(&self) -> &[Vec<u64>] {
        &self.live
    }

    /// The weighted sums of an open poll when it had `size` leaves, of which `leaves` are the ones
    /// that came since; `None` when ballots were forgotten among them.
    pub(crate) fn live_before(&self, leaves: &[Bytes], all: &[Bytes]) -> Option<Vec<Vec<u64>>> {
        let mut live = self.live.clone();
        for leaf in leaves.iter().rev() {
            match Entry::decode(leaf).ok()?.body {
                Body::Ballot(ballot) => self.take_out(ballot, all, &mut live)?,
                Body::Order(signed) if signed.order == Order::Reset => return None,
                _ => {}
            }
        }
        Some(live)
    }

    /// Undoes what an accepted ballot of an open poll did to the sums.
    fn take_out(&self, ballot: &[u8], all: &[Bytes], live: &mut [Vec<u64>]) -> Option<()> {
        let header = self.charter.header(ballot).ok()?;
        let Voter { weight, group, .. } =
            *self.electorate.voter(self.electorate.place(header.credential)?);
        let answers = self.charter.open_ballot(ballot).ok()?.values().to_vec();
        let before = match header.seq {
            0 => None,
            _ => {
                let leaf = self.find_tracker(&Tracker::of_hash(header.prev))?;
                let entry = Entry::decode(all.get(usize::try_from(leaf).ok()?)?).ok()?;
                let Body::Ballot(ballot) = entry.body else { return None };
                Some(self.charter.open_ballot(ballot).ok()?.values().to_vec())
            }
        };
        for (number, &contest) in self.charter.questions.of_group(group).iter().enumerate() {
            let counts = live.get_mut(usize::from(contest))?.iter_mut().zip(&answers[number]);
            for (counter, (count, value)) in counts.enumerate() {
                let old = before.as_ref().map_or(0, |before| before[number][counter]);
                *count += u64::from(old) * u64::from(weight);
                *count -= u64::from(*value) * u64::from(weight);
            }
        }
        Some(())
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
        self.electorate.roll()
    }

    pub(crate) fn credential_state(&self, credential: &[u8; 32]) -> Option<CredentialState> {
        self.last[self.electorate.place(credential)?]
    }

    /// A voter is marked to vote on paper.
    pub(crate) fn mark_paper(&mut self, place: usize) {
        let Voter { group, weight, .. } = *self.electorate.voter(place);
        self.electorate.mark_paper(place);
        self.turnout.paper.add(weight);
        self.attended.entry((group, weight)).or_default().1 += 1;
    }

    /// Who has voted by class, classes ascending; those that nobody is in are left out.
    pub(crate) fn classes(&self) -> impl Iterator<Item = ClassTurnout> {
        let classes = self.electorate.classes().counts().iter().filter(|(_, count)| **count > 0);
        classes.map(|(&(group, weight), &count)| {
            let (voted, paper) = self.attended.get(&(group, weight)).copied().unwrap_or_default();
            let voters = u32::try_from(count).expect("a roll has less than 2^32 voters");
            ClassTurnout { group, weight, voters, voted, paper }
        })
    }

    /// Who may answer each contest, and who did.
    pub(crate) fn participation(&self) -> Vec<Participation> {
        let questions = &self.charter.questions;
        let mut all = vec![Participation::default(); questions.kinds().len()];
        for class in self.classes() {
            for &contest in questions.of_group(class.group) {
                let part = &mut all[usize::from(contest)];
                part.eligible += class.electors(class.voters);
                part.ballots += class.electors(class.voted);
                part.paper += class.electors(class.paper);
            }
        }
        all
    }

    pub(crate) fn find_tracker(&self, tracker: &Tracker) -> Option<u64> {
        self.trackers.get(tracker).map(|(_, leaf)| *leaf)
    }

    /// Leaves that count, in the order of the roll, with their weights.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (u64, u32)> {
        let last = self.last.iter().zip(self.electorate.voters());
        last.filter_map(|(last, voter)| Some(((*last)?.leaf_index, voter.weight)))
    }

    /// The weighted sums of ballots that are leaves; `None` in an open poll, or when a leaf is not
    /// given.
    pub(crate) fn add_up(
        &self,
        leaf: impl Fn(u64) -> Option<Bytes>,
        ballots: impl Iterator<Item = (u64, u32)>,
    ) -> Option<EncryptedTally> {
        let context = self.charter.context.as_ref()?;
        let mut tally = EncryptedTally::new(context);
        for (index, weight) in ballots {
            let bytes = leaf(index)?;
            let entry = Entry::decode(&bytes).expect("a leaf was decoded before");
            let Body::Ballot(ballot) = entry.body else {
                let kind = entry.body.kind().name();
                panic!("leaf {index} was recorded as a ballot but is a {kind}")
            };
            let added = tally.add_verified(ballot, context, weight.into());
            added.expect("an accepted ballot was parsed before");
        }
        Some(tally)
    }
}
