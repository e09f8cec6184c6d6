//! The acceptance fold: from ordered entries to leaves, phases and sums.
//!
//! The store orders entries and decides nothing. This function decides: an entry becomes a leaf of
//! the ledger iff it is right in itself and right after the leaves before it. Anything else is
//! skipped, with a [`Refusal`]; it changes nothing, so the state depends on the leaves alone, and a
//! verifier that has only the leaves comes to the same state as an authority that saw everything.
//!
//! ```text
//! entry 1  manifest              leaf 0    Setup { roll, ceremony, endorsements missing }
//! entry 2  roll chunk            leaf 1
//! …        ceremony, endorsements …
//! entry 9  open                  leaf 8    Open
//! entry 10 ballot of Ann, 0      leaf 9
//! entry 11 the same bytes again            already-accepted (leaf 9)
//! entry 12 ballot of Ann, 2                broken-chain
//! entry 13 ballot of Ann, 1      leaf 10   Ann's leaf 9 no longer counts
//! entry 14 close                 leaf 11   Closed: the sums are fixed
//! entry 15 share of trustee 2    leaf 12
//! entry 16 share of trustee 3    leaf 13
//! entry 17 result                leaf 14   Published
//! ```
//!
//! Invariants:
//! * Same entries, same leaves, same refusals: no clock, no randomness in any decision.
//!   [`Fold::push_batch`] uses randomness only to verify many ballots faster; a batch that fails is
//!   taken apart until each bad ballot is found by an exact check.
//! * Nobody but the holder of a credential can make that credential's next ballot fail: chains are
//!   per credential, stamps are judged per appender, and refused entries leave no trace.
//! * What is counted is each credential's last accepted ballot, once, with the roll's weight.
//! * A share is bound to size and root of the tree up to and including the closing entry.
//!
//! * Orders of the administrator (`orders`) are numbered and signed; between a pause and its
//!   resumption no ballot is a leaf.
//! * In an open poll ballots are in clear; all other rules are the same, and there is no ceremony
//!   and no share.
//!
//! Left out on purpose: challenged ballots, which never come near a ledger.

mod batch;
mod ceremony;
mod charter;
mod counting;
mod electorate;
mod orders;
mod setup;
mod sums;
mod verdicts;
mod voting;

use std::{collections::BTreeMap, sync::Arc};

use ballot::{
    BallotContext, EncryptedTally, Fingerprint, TallyStatement, Tracker, threshold::VerifiedShare,
};
use base::show_utc;
use bytes::Bytes;
use ledger::{Policy, Tree, leaf_hash};

use ceremony::CeremonyLog;
use charter::Charter;
use counting::Closed;
use setup::Setup;
use sums::Sums;
use verdicts::Verdicts;
use voting::{Intake, Vote, Voting};

pub use batch::Verified;
pub use electorate::Standing;
pub use setup::Blocker;
pub use sums::PartialSums;
pub use voting::{ClassTurnout, CredentialState, Turnout};

use crate::{
    entry::{Body, ENTRY_BYTES_MAX, Entry, Kind},
    id::ElectionId,
    manifest::{Act, Authority, Endorser, Manifest},
    mutant::Mutant,
    order::Order,
    outcome::{Outcome, Participation},
    refusal::{Refusal, code},
    roll::{Roll, Voter},
    succession::Successions,
    wire::sha256,
};

/// Most leaves that [`Fold::live_counts_at`] goes back.
pub const LIVE_LEAVES_MAX: usize = 4096;

/// How far an election has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No manifest yet.
    Empty,
    /// The manifest is there; these things are missing before it can open.
    Setup {
        /// What is missing.
        missing: Vec<Blocker>,
    },
    /// Ballots are taken.
    Open,
    /// No ballot is taken until the administrator resumes.
    Paused,
    /// No ballot is taken; shares of these trustees are on the ledger.
    Closed {
        /// Numbers of the trustees.
        shares: Vec<u8>,
    },
    /// The result is on the ledger; nothing follows.
    Published,
}

impl Phase {
    /// The name of the phase: `draft`, `roll`, `ceremony`, `ready`, `open`, `paused`, `closed`,
    /// `tallying` or `published`. A `ready` election has nothing that blocks its opening.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Empty => "draft",
            Self::Setup { missing } => match missing.first() {
                None => "ready",
                Some(Blocker::RollIncomplete { .. } | Blocker::SmallClass { .. }) => "roll",
                Some(_) => "ceremony",
            },
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Closed { shares } if shares.is_empty() => "closed",
            Self::Closed { .. } => "tallying",
            Self::Published => "published",
        }
    }
}

/// An entry became a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its index, from 0.
    pub leaf_index: u64,
}

/// A ballot that would be accepted if it were ordered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedBallot {
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
    /// Its short name.
    pub tracker: Tracker,
    /// Who voted.
    pub credential: [u8; 32],
    /// Its place in the credential's chain.
    pub seq: u32,
}

enum Stage {
    Empty,
    Setup(Box<Setup>),
    Open(Box<Voting>),
    Closed(Box<Closed>),
    Published(Box<Closed>, Outcome),
}

/// What an acceptable entry changes.
enum Change {
    Found(Box<Charter>),
    Chunk(Vec<Voter>),
    Ceremony(CeremonyLog),
    Endorsed(Endorser),
    Opened,
    Voted(Vote),
    Ordered(Order),
    Closed,
    Shared(u8, VerifiedShare),
    Published(Outcome),
    Succeeded(Authority),
}

/// The state of one election after some entries.
pub struct Fold {
    election: ElectionId,
    tree: Tree,
    /// All of them, or none where they are not kept.
    leaves: Vec<Bytes>,
    keeps_leaves: bool,
    /// The latest stamp of each appender.
    stamps: BTreeMap<u8, u32>,
    verdicts: Verdicts,
    sums: Option<Sums>,
    successions: Successions,
    stage: Stage,
    #[cfg(any(test, feature = "mutants"))]
    mutant: Option<Mutant>,
}

impl Fold {
    /// The state before any entry.
    pub fn new(election: ElectionId) -> Self {
        Self {
            election,
            tree: Tree::new(),
            leaves: Vec::new(),
            keeps_leaves: true,
            stamps: BTreeMap::new(),
            verdicts: Verdicts::default(),
            sums: None,
            successions: Successions::default(),
            stage: Stage::Empty,
            #[cfg(any(test, feature = "mutants"))]
            mutant: None,
        }
    }

    /// The same for who has the leaves elsewhere: [`leaves`](Self::leaves) stays empty, so nothing
    /// that is told from leaves is told here, and the sums have to be [set](Self::set_sums) before
    /// a secret election closes.
    #[must_use]
    pub fn without_leaves(mut self) -> Self {
        self.keeps_leaves = false;
        self
    }

    /// The same with a seeded bug.
    #[cfg(any(test, feature = "mutants"))]
    #[must_use]
    pub fn with_mutant(mut self, mutant: Option<Mutant>) -> Self {
        self.mutant = mutant;
        self
    }

    /// Whether the seeded bug is on; never without the feature `mutants`.
    fn has(&self, mutant: Mutant) -> bool {
        #[cfg(any(test, feature = "mutants"))]
        return self.mutant == Some(mutant);
        #[cfg(not(any(test, feature = "mutants")))]
        {
            let _ = mutant;
            false
        }
    }

    /// Judges the next entry; an accepted one becomes a leaf.
    ///
    /// # Errors
    /// Why it is no leaf; the state is as before.
    pub fn push(&mut self, bytes: &Bytes) -> Result<Accepted, Refusal> {
        let entry = decode(bytes)?;
        let change = match self.judge(&entry) {
            Err(refusal) if !self.has(Mutant::RefusedIsLeaf) => {
                self.forget(&entry);
                return Err(refusal);
            }
            change => change,
        };
        let leaf_index = self.tree.append(leaf_hash(bytes));
        if self.keeps_leaves {
            self.leaves.push(bytes.clone());
        }
        let latest = self.stamps.entry(entry.appender).or_default();
        *latest = entry.stamp.max(*latest);
        if let Ok(change) = change {
            self.apply(change, &entry, leaf_index);
        }
        Ok(Accepted { leaf_index })
    }

    fn judge(&self, entry: &Entry<'_>) -> Result<Change, Refusal> {
        let Some(charter) = self.charter() else {
            return self.judge_first(entry);
        };
        if !self.verdicts.are_appended() {
            charter.check_appender(entry, self.successions.newest(entry.appender))?;
        }
        self.check_stamp(entry, &charter.manifest)?;
        match (&self.stage, entry.body) {
            (Stage::Closed(closed), Body::Ballot(ballot)) if self.takes_late(entry) => {
                closed.voting.check_rules(ballot).map(Change::Voted)
            }
            (Stage::Setup(_) | Stage::Open(_) | Stage::Closed(_), Body::AuthorityKey(body)) => {
                let (manifest, fingerprint) = (&charter.manifest, &charter.fingerprint);
                self.successions.check(manifest, fingerprint, body).map(Change::Succeeded)
            }
            (_, Body::Ballot(ballot)) => self.judge_ballot(ballot, charter).map(Change::Voted),
            (Stage::Setup(setup), Body::RollChunk(chunk)) => {
                setup.check_chunk(chunk).map(Change::Chunk)
            }
            (Stage::Setup(setup), Body::Ceremony(message)) => {
                setup.check_ceremony(message).map(Change::Ceremony)
            }
            (Stage::Setup(setup), Body::Endorsement { endorser, signature }) => {
                setup.check_endorsement(endorser, &signature)?;
                Ok(Change::Endorsed(endorser))
            }
            (Stage::Setup(setup), Body::Open { signature }) => {
                setup.check_opening(&signature)?;
                Ok(Change::Opened)
            }
            (Stage::Open(voting), Body::Order(order)) => {
                voting.check_order(&order, entry.stamp)?;
                Ok(Change::Ordered(order.order))
            }
            (Stage::Open(_), Body::Close { signature }) => {
                if !Act::Close.verify(&charter.manifest, &charter.fingerprint, &signature) {
                    let sentence = "The closing is not signed by the administrator.";
                    return Err(Refusal::new(code::BAD_SIGNATURE, sentence));
                }
                Ok(Change::Closed)
            }
            (Stage::Closed(closed), Body::Share { trustee, share }) => {
                let share = closed.check_share(trustee, share)?;
                Ok(Change::Shared(trustee, share))
            }
            (Stage::Closed(closed), Body::Result(body)) => {
                closed.check_result(body).map(Change::Published)
            }
            (_, body) => Err(self.misplaced(body.kind())),
        }
    }

    /// Never, but for seeded bugs.
    fn takes_late(&self, entry: &Entry<'_>) -> bool {
        let latest = self.stamps.values().max().copied().unwrap_or_default();
        self.has(Mutant::PhaseAtAppendOnly)
            || (self.has(Mutant::BallotAfterClose) && entry.stamp <= latest)
    }

    /// A refused entry leaves no trace.
    fn forget(&mut self, entry: &Entry<'_>) {
        let weeds = self.has(Mutant::WeedsAgainstRefused);
        if let (Stage::Open(voting), Body::Ballot(ballot), true) =
            (&mut self.stage, entry.body, weeds)
        {
            voting.weed(ballot);
        }
    }

    fn judge_first(&self, entry: &Entry<'_>) -> Result<Change, Refusal> {
        let Body::Manifest { manifest, signature } = entry.body else {
            let kind = entry.body.kind().name();
            let sentence = format!("The first leaf must be the manifest; this entry is: {kind}.");
            return Err(Refusal::new(code::NO_MANIFEST, sentence));
        };
        let charter = Charter::new(self.election, manifest, &signature)?;
        charter.check_appender(entry, None)?;
        Ok(Change::Found(Box::new(charter)))
    }

    fn judge_ballot(&self, ballot: &[u8], charter: &Charter) -> Result<Vote, Refusal> {
        let mut vote = self.check_rules(ballot)?;
        match self.verdicts.get(&vote.hash) {
            Some(verdict) => verdict?,
            None => charter.check_exactly(ballot)?,
        }
        if charter.context.is_none() {
            let parsed = charter.open_ballot(ballot);
            let parsed = parsed.map_err(|error| charter.refuse_ballot(&error))?;
            vote.answers = parsed.values().to_vec();
        }
        Ok(vote)
    }

    /// Everything about a ballot but its points, signature and proofs.
    fn check_rules(&self, ballot: &[u8]) -> Result<Vote, Refusal> {
        match &self.stage {
            Stage::Empty => {
                Err(Refusal::new(code::NO_MANIFEST, "The election has no manifest yet."))
            }
            Stage::Setup(setup) => {
                setup.charter.header(ballot)?;
                Err(Refusal::new(code::TOO_EARLY, "The election is not open yet."))
            }
            Stage::Open(voting) => voting.check_rules(ballot),
            Stage::Closed(closed) | Stage::Published(closed, _) => {
                closed.voting.charter.header(ballot)?;
                closed.voting.check_new(&sha256(&[ballot]))?;
                Err(Refusal::new(code::TOO_LATE, "The election is closed."))
            }
        }
    }

    /// Stamps are judged per appender, so that none can shut the others out.
    fn check_stamp(&self, entry: &Entry<'_>, manifest: &Manifest) -> Result<(), Refusal> {
        let refuse = |sentence| Err(Refusal::new(code::STAMP_OUT_OF_RANGE, sentence));
        let (stamp, slack) = (entry.stamp, u32::from(manifest.stamp_slack_minutes));
        let latest = self.stamps.get(&entry.appender).copied().unwrap_or_default();
        if stamp.saturating_add(slack) < latest {
            return refuse(format!(
                "The stamp {} is more than {slack} minutes before {}, an earlier stamp of authority \
                 {}.",
                show_utc(stamp.into()),
                show_utc(latest.into()),
                entry.appender
            ));
        }
        let definition = &manifest.definition;
        let early = definition.opens.filter(|opens| stamp < *opens);
        let late = self.closes().filter(|closes| stamp >= *closes);
        match (entry.body.kind(), early, late) {
            (Kind::Ballot, Some(opens), _) => {
                let (stamp, opens) = (show_utc(stamp.into()), show_utc(opens.into()));
                refuse(format!("The stamp {stamp} is before the opening at {opens}."))
            }
            (Kind::Ballot, _, Some(closes)) => {
                let (stamp, closes) = (show_utc(stamp.into()), show_utc(closes.into()));
                refuse(format!("The stamp {stamp} is not before the closing at {closes}."))
            }
            _ => Ok(()),
        }
    }

    fn misplaced(&self, kind: Kind) -> Refusal {
        let phase = match &self.stage {
            Stage::Empty => "without a manifest",
            Stage::Setup(_) => "being set up",
            Stage::Open(_) => "open",
            Stage::Closed(_) => "closed",
            Stage::Published(..) => "finished",
        };
        let sentence =
            format!("This entry ({}) has no place now: the election is {phase}.", kind.name());
        Refusal::new(code::WRONG_PHASE, sentence)
    }

    fn apply(&mut self, change: Change, entry: &Entry<'_>, leaf_index: u64) {
        let stage = core::mem::replace(&mut self.stage, Stage::Empty);
        self.stage = match (stage, change) {
            (stage, Change::Succeeded(authority)) => {
                self.successions.add(leaf_index, authority);
                stage
            }
            // A seeded bug only: `takes_late`.
            (Stage::Closed(mut closed), Change::Voted(vote)) => {
                closed.voting.add(vote, leaf_index);
                Stage::Closed(closed)
            }
            (Stage::Empty, Change::Found(charter)) => {
                Stage::Setup(Box::new(Setup::new(Arc::new(*charter))))
            }
            (Stage::Setup(setup), Change::Opened) => {
                Stage::Open(Box::new(Voting::new(Arc::clone(&setup.charter), setup.roll())))
            }
            (Stage::Setup(mut setup), change) => {
                apply_to_setup(&mut setup, change, entry);
                Stage::Setup(setup)
            }
            (Stage::Open(mut voting), Change::Voted(vote)) => {
                voting.add(vote, leaf_index);
                Stage::Open(voting)
            }
            (Stage::Open(mut voting), Change::Ordered(order)) => {
                voting.obey(order);
                Stage::Open(voting)
            }
            (Stage::Open(voting), Change::Closed) => {
                let participation = voting.participation();
                let statement = self.statement(&voting, &participation);
                Stage::Closed(Box::new(Closed::new(*voting, participation, statement)))
            }
            (Stage::Closed(mut closed), Change::Shared(trustee, share)) => {
                closed.add_share(trustee, share);
                Stage::Closed(closed)
            }
            (Stage::Closed(closed), Change::Published(outcome)) => {
                Stage::Published(closed, outcome)
            }
            _ => unreachable!("judge() allows each change in its stage only"),
        };
    }

    /// What trustees decrypt, with the closing entry as the last leaf.
    fn statement(
        &mut self,
        voting: &Voting,
        participation: &[Participation],
    ) -> Option<TallyStatement> {
        let mut tally = self.sums_at_close(voting)?;
        let minimum = voting.charter.manifest.definition.minimum_ballots;
        counting::withheld(participation, minimum).for_each(|contest| tally.withhold(contest));
        Some(TallyStatement {
            fingerprint: voting.charter.fingerprint,
            checkpoint_root: self.tree.root().0,
            checkpoint_size: self.tree.size(),
            tally,
        })
    }
}

fn decode(bytes: &[u8]) -> Result<Entry<'_>, Refusal> {
    if bytes.len() > ENTRY_BYTES_MAX {
        let sentence = format!("The entry has {} bytes, more than {ENTRY_BYTES_MAX}.", bytes.len());
        return Err(Refusal::new(code::ENTRY_TOO_LARGE, sentence));
    }
    Entry::decode(bytes).map_err(|error| Refusal::new(code::MALFORMED, error.to_string()))
}

fn apply_to_setup(setup: &mut Setup, change: Change, entry: &Entry<'_>) {
    match (change, entry.body) {
        (Change::Chunk(voters), Body::RollChunk(chunk)) => setup.add_chunk(chunk, voters),
        (Change::Ceremony(log), _) => setup.set_ceremony(log),
        (Change::Endorsed(endorser), _) => setup.add_endorsement(endorser),
        _ => unreachable!("judge() allows each change in its stage only"),
    }
}

/// What can be asked.
impl Fold {
    fn charter(&self) -> Option<&Charter> {
        match &self.stage {
            Stage::Empty => None,
            Stage::Setup(setup) => Some(&setup.charter),
            Stage::Open(voting) => Some(&voting.charter),
            Stage::Closed(closed) | Stage::Published(closed, _) => Some(&closed.voting.charter),
        }
    }

    fn voting(&self) -> Option<&Voting> {
        match &self.stage {
            Stage::Empty | Stage::Setup(_) => None,
            Stage::Open(voting) => Some(voting),
            Stage::Closed(closed) | Stage::Published(closed, _) => Some(&closed.voting),
        }
    }

    fn closed(&self) -> Option<&Closed> {
        match &self.stage {
            Stage::Closed(closed) | Stage::Published(closed, _) => Some(closed),
            _ => None,
        }
    }

    /// The election.
    pub fn election(&self) -> ElectionId {
        self.election
    }

    /// How far it has come.
    pub fn phase(&self) -> Phase {
        match &self.stage {
            Stage::Empty => Phase::Empty,
            Stage::Setup(setup) => Phase::Setup { missing: setup.blockers() },
            Stage::Open(voting) => match voting.intake {
                Intake::Taking => Phase::Open,
                Intake::Paused => Phase::Paused,
            },
            Stage::Closed(closed) => Phase::Closed { shares: closed.trustees() },
            Stage::Published(..) => Phase::Published,
        }
    }

    /// The tree over all leaves.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Changes of authorities' keys, oldest first.
    pub fn successions(&self) -> &Successions {
        &self.successions
    }

    /// The authorities with the keys that count below `size` leaves; none without a manifest.
    pub fn authorities_at(&self, size: u64) -> Vec<Authority> {
        let manifest = self.manifest();
        manifest.map_or(Vec::new(), |manifest| self.successions.authorities_at(manifest, size))
    }

    /// Whose cosignatures count on a checkpoint of this size; `None` without a manifest.
    pub fn policy_at(&self, size: u64) -> Option<Policy> {
        let policy = self.manifest()?.policy().ok()?;
        Some(self.successions.policy_at(&policy, size))
    }

    /// The latest stamp of an authority on the ledger, in minutes since 1970 UTC; 0 for none.
    pub fn latest_stamp(&self, authority: u8) -> u32 {
        self.stamps.get(&authority).copied().unwrap_or_default()
    }

    /// The leaves, in order; none if they are [not kept](Self::without_leaves).
    pub fn leaves(&self) -> &[Bytes] {
        &self.leaves
    }

    /// The manifest, once it is leaf 0.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.charter().map(|charter| &charter.manifest)
    }

    /// SHA-256 of the manifest's bytes.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.charter().map(|charter| charter.fingerprint)
    }

    /// What encrypted ballots are made for; none in an open poll.
    pub fn ballot_context(&self) -> Option<&BallotContext> {
        self.charter()?.context.as_ref()
    }

    /// The first minute in which no more ballots are taken, extensions included.
    pub fn closes(&self) -> Option<u32> {
        match self.voting() {
            Some(voting) => voting.closes,
            None => self.manifest()?.definition.closes,
        }
    }

    /// The number that the administrator's next order must carry.
    pub fn next_order(&self) -> u32 {
        self.voting().map_or(0, |voting| voting.orders)
    }

    /// A voter of the roll, as the manifest names or an order added it, from the opening on; and
    /// why it has no online vote, if it has none.
    pub fn voter(&self, credential: &[u8; 32]) -> Option<(Voter, Option<Standing>)> {
        let electorate = &self.voting()?.electorate;
        let place = electorate.place(credential)?;
        Some((*electorate.voter(place), electorate.standing(place)))
    }

    /// Who has voted by class (group and weight), classes ascending; empty before the opening.
    pub fn classes(&self) -> Vec<ClassTurnout> {
        self.voting().map(|voting| voting.classes().collect()).unwrap_or_default()
    }

    /// Who may answer each contest now, and who did; empty before the opening. Goes over all
    /// classes.
    pub fn participation(&self) -> Vec<Participation> {
        match self.closed() {
            Some(closed) => closed.participation.clone(),
            None => self.voting().map(Voting::participation).unwrap_or_default(),
        }
    }

    /// The weighted counts of an open poll so far, by contest and counter, and the number of
    /// leaves they belong to. `None` in a secret election: nobody knows them.
    pub fn live_counts(&self) -> Option<(u64, &[Vec<u64>])> {
        let voting = self.voting()?;
        voting.charter.context.is_none().then(|| (self.tree.size(), voting.live()))
    }

    /// The weighted counts of an open poll as its first `size` leaves have them, so that they
    /// belong to a checkpoint of that size. Reads the leaves that came since: `None` when they are
    /// more than [`LIVE_LEAVES_MAX`], when ballots were forgotten among them, when the tree is
    /// smaller, before the opening, and in a secret election.
    pub fn live_counts_at(&self, size: u64) -> Option<Vec<Vec<u64>>> {
        let voting = self.voting().filter(|voting| voting.charter.context.is_none())?;
        let since = self.leaves.get(usize::try_from(size).ok()?..)?;
        (since.len() <= LIVE_LEAVES_MAX).then(|| voting.live_before(since, &self.leaves))?
    }

    /// The roll that the manifest names, from the opening on.
    pub fn roll(&self) -> Option<&Roll> {
        self.voting().map(Voting::roll)
    }

    /// How many have voted; all zero before the opening.
    pub fn turnout(&self) -> Turnout {
        self.voting().map(Voting::turnout).unwrap_or_default()
    }

    /// The last accepted ballot of a credential.
    pub fn credential_state(&self, credential: &[u8; 32]) -> Option<CredentialState> {
        self.voting()?.credential_state(credential)
    }

    /// The leaf of an accepted ballot, replaced ones included.
    pub fn find_tracker(&self, tracker: &Tracker) -> Option<u64> {
        self.voting()?.find_tracker(tracker)
    }

    /// Leaves of the ballots that count and their weights, in the order of the roll.
    pub fn counted(&self) -> Vec<(u64, u32)> {
        if self.has(Mutant::RevoteCountedTwice) {
            return self.voting().map(Voting::accepted).unwrap_or_default();
        }
        self.voting().map(|voting| voting.counted().collect()).unwrap_or_default()
    }

    /// What trustees decrypt, from the close on; none in an open poll.
    pub fn tally_statement(&self) -> Option<&TallyStatement> {
        self.closed()?.statement.as_ref()
    }

    /// The encrypted sums, from the close on.
    pub fn encrypted_tally(&self) -> Option<&EncryptedTally> {
        self.tally_statement().map(|statement| &statement.tally)
    }

    /// What the shares on the ledger decrypt to, or the counts of an open poll: the body of the
    /// result entry to be appended.
    ///
    /// # Errors
    /// Not closed yet, or too few shares.
    pub fn decrypt(&self) -> Result<Outcome, Refusal> {
        match self.closed() {
            Some(closed) => closed.decrypt(),
            None => Err(Refusal::new(code::NOT_READY, "The election is not closed yet.")),
        }
    }

    /// The result, once it is published.
    pub fn result(&self) -> Option<&Outcome> {
        match &self.stage {
            Stage::Published(_, outcome) => Some(outcome),
            _ => None,
        }
    }
}
