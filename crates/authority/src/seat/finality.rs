//! Rounds, cosignatures and what is final, in one election.
//!
//! ```text
//! rounds say  ──> journal ──durable──> `round/…` in the store, and back into the rounds
//! rounds decide ─> journal ──durable──> `cosig/…`: cosignature ‖ certificate
//! ```
//!
//! A size is *final* once a quorum has cosigned it. The certificate beside each cosignature lets an
//! authority that was away decide, and cosign, without the statements of the rounds it missed.

use std::collections::{BTreeMap, VecDeque};

use ballot::signature::PublicKey;
use bytes::Bytes;
use election::{
    Manifest,
    keys::{Key, Step},
};
use ledger::{Checkpoint, Cosignature, Hash, SignedCheckpoint};

use super::Seat;
use crate::{
    api::Notice,
    desk::Desk,
    journal::Record,
    rounds::{Effect, Input, Leaves, Quorum, Recovered, Rounds, Setup},
    vote::{Certificate, Kind, VOTE_BYTES, Value, Vote},
};

/// Bytes of a cosignature.
const COSIGNATURE_BYTES: usize = 72;
/// Cosignatures kept for sizes the own tree has not reached; above that the smallest sizes go.
const EARLY_MAX: usize = 1024;

/// What waits for the journal.
enum Deferred {
    Vote { vote: Vote, evidence: Vec<Vote> },
    Cosign(Certificate),
}

/// What a manifest says about authorities, ready for use.
struct Authorities {
    fingerprint: [u8; 32],
    origin: String,
    numbers: Vec<u8>,
    keys: Vec<PublicKey>,
    cosigners: Vec<ledger::AuthorityKey>,
    quorum: Quorum,
}

impl Authorities {
    /// `None` when the manifest has no usable set; a checked one has.
    fn of(manifest: &Manifest) -> Option<Self> {
        let listed = &manifest.authorities;
        let keys = listed.iter().map(|one| PublicKey::from_bytes(one.key.public()).ok());
        Some(Self {
            fingerprint: manifest.fingerprint().0,
            origin: manifest.origin(),
            numbers: listed.iter().map(|one| one.index).collect(),
            keys: keys.collect::<Option<_>>()?,
            cosigners: listed.iter().map(|one| one.key.clone()).collect(),
            quorum: Quorum::new(u8::try_from(listed.len()).ok()?, manifest.faulty)?,
        })
    }

    fn place(&self, number: u8) -> Option<u8> {
        let place = self.numbers.iter().position(|known| *known == number)?;
        u8::try_from(place).ok()
    }

    fn checkpoint(&self, value: Value) -> Checkpoint {
        let Value { size, root } = value;
        Checkpoint { origin: self.origin.clone(), size, root: Hash(root) }
    }
}

/// What the journal and the store have told about one manifest's rounds.
#[derive(Default)]
pub(super) struct Memory {
    recovered: Recovered,
    /// Own statements of this height and the own cosignature of the last decision, as they are, or
    /// are to be, in the store.
    posts: BTreeMap<Vec<u8>, Bytes>,
    certificate: Option<Certificate>,
}

/// Finality of one election.
#[derive(Default)]
pub(super) struct Finality {
    authorities: Option<Authorities>,
    /// `None` without a manifest that names this authority.
    rounds: Option<Rounds>,
    memory: BTreeMap<[u8; 32], Memory>,
    deferred: VecDeque<(u64, Deferred)>,
    cosignatures: BTreeMap<Value, BTreeMap<u8, Cosignature>>,
    early: BTreeMap<(u64, u8), Bytes>,
    last_final: Option<Value>,
}

impl Finality {
    /// Takes a journal record at start.
    pub(super) fn remember(&mut self, record: Record) {
        match record {
            Record::Voted { fingerprint, vote, evidence } => {
                let memory = self.memory.entry(fingerprint).or_default();
                memory.recovered.heard.extend(evidence);
                memory.recovered.cast.push(vote);
            }
            Record::Decided { fingerprint, certificate } => {
                self.memory.entry(fingerprint).or_default().decided(certificate);
            }
            Record::Entries { .. } | Record::Cut { .. } => {}
        }
    }

    pub(super) fn height(&self) -> u64 {
        self.rounds.as_ref().map_or(0, Rounds::height)
    }

    pub(super) fn round(&self) -> u32 {
        self.rounds.as_ref().map_or(0, Rounds::round)
    }

    /// The largest size whose leaves must never change here.
    pub(super) fn floor_size(&self) -> u64 {
        let rounds = self.rounds.as_ref();
        let decided = rounds.and_then(Rounds::last);
        let guarded = rounds.and_then(Rounds::guarded);
        [decided, guarded, self.last_final]
            .into_iter()
            .flatten()
            .map(|value| value.size)
            .max()
            .unwrap_or(0)
    }

    /// The largest size cosigned by a quorum.
    pub(super) fn last_final(&self) -> Option<Value> {
        self.last_final
    }

    /// Every size cosigned by a quorum, with all cosignatures known.
    pub(super) fn checkpoints(&self) -> impl Iterator<Item = SignedCheckpoint> {
        let quorum = self.authorities.as_ref().map(|set| (set, set.quorum.votes()));
        quorum.into_iter().flat_map(move |(set, votes)| {
            let signed = self.cosignatures.iter().filter(move |(_, by)| by.len() >= votes);
            signed.map(move |(value, by)| note(set, *value, by))
        })
    }

    /// The newest of them.
    pub(super) fn final_checkpoint(&self) -> Option<SignedCheckpoint> {
        let value = self.last_final?;
        Some(note(self.authorities.as_ref()?, value, self.cosignatures.get(&value)?))
    }

    /// The key of the authority with this number.
    pub(super) fn key_of(&self, number: u8) -> Option<PublicKey> {
        let set = self.authorities.as_ref()?;
        set.keys.get(usize::from(set.place(number)?)).copied()
    }

    /// What of the own should be in the store now.
    pub(super) fn posts(&self) -> impl Iterator<Item = (&Vec<u8>, &Bytes)> {
        let current = self.authorities.as_ref().and_then(|set| self.memory.get(&set.fingerprint));
        current.into_iter().flat_map(|memory| memory.posts.iter())
    }
}

impl Memory {
    fn decided(&mut self, certificate: Certificate) {
        let height = certificate.height;
        let later = |vote: &Vote| vote.statement.height > height;
        self.recovered.cast.retain(later);
        self.recovered.heard.retain(later);
        self.recovered.decided = Some((height, certificate.value));
        self.certificate = Some(certificate);
        self.posts.clear();
    }
}

fn note(set: &Authorities, value: Value, by: &BTreeMap<u8, Cosignature>) -> SignedCheckpoint {
    let mut note = SignedCheckpoint::unsigned(set.checkpoint(value));
    for (place, cosignature) in by {
        note.add(&set.cosigners[usize::from(*place)], cosignature);
    }
    note
}

impl Seat {
    /// Begins, or begins anew, when the fold has come to a (different) manifest.
    pub(super) fn attend(&mut self, desk: &Desk) {
        let Some(manifest) = self.copy.fold().manifest() else { return };
        let Some(set) = Authorities::of(manifest) else { return };
        if self.finality.authorities.as_ref().map(|known| known.fingerprint)
            == Some(set.fingerprint)
        {
            return;
        }
        let listed = manifest.authority(desk.config.index);
        let is_own = listed.is_some_and(|own| own.key == *desk.signer.key());
        let me = set.place(desk.config.index).filter(|_| is_own);
        let memory = self.finality.memory.entry(set.fingerprint).or_default();
        self.finality.rounds = me.map(|me| {
            let setup = Setup { me, quorum: set.quorum, timeouts: desk.config.timeouts };
            Rounds::new(setup, &memory.recovered, desk.now_ms)
        });
        for vote in &memory.recovered.cast {
            let (key, value) =
                post(self.election, desk.config.index, vote, &memory.recovered.heard);
            memory.posts.insert(key, value);
        }
        self.finality.authorities = Some(set);
        self.finality.cosignatures.clear();
        self.finality.last_final = None;
    }

    /// Whether the own copy has the root that was decided last.
    pub(super) fn holds_what_it_decided(&self) -> bool {
        let decided = self.finality.rounds.as_ref().and_then(Rounds::last);
        decided.is_none_or(|value| self.copy.root_at(value.size) == Some(value.root))
    }

    /// Gives the rounds a fact and does what they order.
    pub(super) fn drive(&mut self, input: Input, desk: &mut Desk) {
        let Some(rounds) = &mut self.finality.rounds else { return };
        let effects = rounds.step(input, &self.copy);
        for effect in effects {
            match effect {
                Effect::Cast(statement) => self.vote(statement, desk),
                Effect::Decided(certificate) => self.on_decided(certificate, desk),
                Effect::Equivocated { first, second } => {
                    let author = self.number_of(first.author);
                    let (first, second) = (first.statement, second.statement);
                    let what = format!("authority {author} signed both {first:?} and {second:?}");
                    desk.alarm(self.election, what);
                }
            }
        }
    }

    fn number_of(&self, place: u8) -> u8 {
        let numbers = self.finality.authorities.as_ref().map(|set| &set.numbers);
        numbers.and_then(|numbers| numbers.get(usize::from(place))).copied().unwrap_or(0)
    }

    fn vote(&mut self, statement: crate::vote::Statement, desk: &mut Desk) {
        let finality = &mut self.finality;
        let (Some(set), Some(rounds)) = (&finality.authorities, &finality.rounds) else { return };
        let Some(me) = set.place(desk.config.index) else { return };
        let evidence = rounds.evidence(&statement);
        let fingerprint = set.fingerprint;
        let vote = statement.sign(&fingerprint, me, &desk.key);
        let record = Record::Voted { fingerprint, vote: vote.clone(), evidence: evidence.clone() };
        let ticket = desk.persist(self.election, &record);
        finality.remember(record);
        finality.deferred.push_back((ticket, Deferred::Vote { vote, evidence }));
    }

    fn on_decided(&mut self, certificate: Certificate, desk: &mut Desk) {
        let Some(set) = &self.finality.authorities else { return };
        let fingerprint = set.fingerprint;
        let record = Record::Decided { fingerprint, certificate: certificate.clone() };
        let ticket = desk.persist(self.election, &record);
        let settled = certificate.height;
        self.finality.remember(record);
        self.finality.deferred.retain(|(_, deferred)| match deferred {
            Deferred::Vote { vote, .. } => vote.statement.height > settled,
            Deferred::Cosign(_) => true,
        });
        self.outbox.retain(|key| match Key::parse(key) {
            Some((_, Key::Round { height, .. })) => height > settled,
            _ => true,
        });
        self.finality.deferred.push_back((ticket, Deferred::Cosign(certificate)));
    }

    /// Everything up to this ticket is durable.
    pub(crate) fn on_persisted(&mut self, ticket: u64, desk: &mut Desk) {
        while self.finality.deferred.front().is_some_and(|(waiting, _)| *waiting <= ticket) {
            match self.finality.deferred.pop_front() {
                Some((_, Deferred::Vote { vote, evidence })) => {
                    let (key, value) = post(self.election, desk.config.index, &vote, &evidence);
                    self.expect_post(key, value);
                    self.drive(Input::Heard(vote), desk);
                }
                Some((_, Deferred::Cosign(certificate))) => self.cosign(&certificate, desk),
                None => {}
            }
        }
    }

    fn expect_post(&mut self, key: Vec<u8>, value: Bytes) {
        let Some(set) = &self.finality.authorities else { return };
        let memory = self.finality.memory.entry(set.fingerprint).or_default();
        memory.posts.insert(key.clone(), value.clone());
        self.outbox.put(key, value);
    }

    fn cosign(&mut self, certificate: &Certificate, desk: &mut Desk) {
        let Some(set) = &self.finality.authorities else { return };
        let Some(me) = set.place(desk.config.index) else { return };
        let value = certificate.value;
        assert_eq!(
            self.copy.root_at(value.size),
            Some(value.root),
            "about to cosign what the own copy does not hold"
        );
        let checkpoint = set.checkpoint(value);
        let cosignature = desk.signer.cosign(&checkpoint, u64::from(desk.minutes) * 60);
        self.finality.cosignatures.entry(value).or_default().insert(me, cosignature);
        let authority = desk.config.index;
        let key = Key::Cosignature { size: value.size, authority }.of(self.election);
        let post = [&cosignature.to_bytes()[..], &certificate.encode()].concat();
        self.expect_post(key, post.into());
        self.count_cosignatures(desk);
    }

    /// After a restart: the last decision is durable, its cosignature may never have left.
    pub(super) fn cosign_again(&mut self, desk: &mut Desk) {
        let Some(set) = &self.finality.authorities else { return };
        let memory = self.finality.memory.get(&set.fingerprint);
        let Some(certificate) = memory.and_then(|memory| memory.certificate.clone()) else {
            return;
        };
        let pending = |(_, deferred): &(u64, Deferred)| matches!(deferred, Deferred::Cosign(_));
        let own = set.place(desk.config.index);
        let signed = self.finality.cosignatures.get(&certificate.value);
        let done = signed.is_some_and(|by| own.is_some_and(|own| by.contains_key(&own)));
        if !done && !self.finality.deferred.iter().any(pending) {
            self.cosign(&certificate, desk);
        }
    }

    /// Somebody's statement in the store.
    pub(super) fn on_round_key(&mut self, key: Key, value: &[u8], desk: &mut Desk) {
        let Key::Round { height, round, step, authority } = key else { return };
        let Some(set) = &self.finality.authorities else { return };
        if height < self.finality.height() || !value.len().is_multiple_of(VOTE_BYTES) {
            return;
        }
        let votes: Option<Vec<Vote>> =
            value.chunks(VOTE_BYTES).take(1 + set.keys.len()).map(Vote::decode).collect();
        let Some((vote, evidence)) = votes.as_deref().and_then(<[Vote]>::split_first) else {
            return;
        };
        let said = &vote.statement;
        let fits = (said.height, said.round, said.kind) == (height, round, kind_of(step))
            && set.place(authority) == Some(vote.author);
        let signed = |vote: &Vote| vote.verify(&set.fingerprint, &set.keys);
        if !fits || !signed(vote) {
            return;
        }
        let evidence: Vec<Vote> = evidence.iter().filter(|vote| signed(vote)).cloned().collect();
        let disputed = said.value.filter(|_| said.kind == Kind::Proposal && evidence.is_empty());
        let vote = vote.clone();
        for heard in evidence {
            self.drive(Input::Heard(heard), desk);
        }
        self.drive(Input::Heard(vote), desk);
        self.doubt_if_other(disputed, desk);
    }

    fn doubt_if_other(&mut self, value: Option<Value>, desk: &mut Desk) {
        let Some(value) = value else { return };
        if self.copy.root_at(value.size).is_some_and(|root| root != value.root) {
            self.doubt(desk);
        }
    }

    /// Somebody's cosignature in the store.
    pub(super) fn on_cosignature_key(
        &mut self,
        size: u64,
        number: u8,
        value: &Bytes,
        desk: &mut Desk,
    ) {
        let Some(set) = &self.finality.authorities else { return };
        let Some((cosignature, certificate)) = value.split_at_checked(COSIGNATURE_BYTES) else {
            return;
        };
        let votes = set.quorum.votes();
        let certificate = Certificate::decode(certificate)
            .filter(|certificate| certificate.height >= self.finality.height())
            .filter(|certificate| certificate.verify(&set.fingerprint, &set.keys, votes));
        let Some(root) = self.copy.root_at(size) else {
            self.finality.early.insert((size, number), value.clone());
            if self.finality.early.len() > EARLY_MAX {
                self.finality.early.pop_first();
            }
            return self.certified(certificate, desk);
        };
        let place = set.place(number);
        let cosignature = Cosignature::from_bytes(cosignature);
        if let (Some(place), Some(cosignature)) = (place, cosignature) {
            let ours = Value { size, root };
            let signer = &set.cosigners[usize::from(place)];
            if signer.verify_cosignature(&set.checkpoint(ours), &cosignature) {
                let by = self.finality.cosignatures.entry(ours).or_default();
                by.entry(place).or_insert(cosignature);
            } else {
                self.doubt(desk);
            }
        }
        self.certified(certificate, desk);
        self.count_cosignatures(desk);
    }

    fn certified(&mut self, certificate: Option<Certificate>, desk: &mut Desk) {
        let Some(certificate) = certificate else { return };
        let value = certificate.value;
        self.drive(Input::Certified(certificate), desk);
        self.doubt_if_other(Some(value), desk);
    }

    fn count_cosignatures(&mut self, desk: &mut Desk) {
        let Some(set) = &self.finality.authorities else { return };
        let votes = set.quorum.votes();
        let newest = self.finality.cosignatures.iter().rev().find(|(_, by)| by.len() >= votes);
        let Some((&value, _)) =
            newest.filter(|(value, _)| Some(**value) > self.finality.last_final)
        else {
            return;
        };
        self.finality.last_final = Some(value);
        let Value { size, root } = value;
        desk.notify(Notice::Final { election: self.election, size, root });
    }

    /// The own tree has grown or changed.
    pub(super) fn grown(&mut self, hurry: bool, desk: &mut Desk) {
        self.attend(desk);
        let size = self.copy.size();
        let later = self.finality.early.split_off(&(size + 1, 0));
        for ((size, number), value) in core::mem::replace(&mut self.finality.early, later) {
            self.on_cosignature_key(size, number, &value, desk);
        }
        self.drive(Input::Grown { hurry }, desk);
    }

    /// Cosignatures over leaves that were given up are no longer backed by the own copy.
    pub(super) fn forget_unbacked_cosignatures(&mut self) {
        let copy = &self.copy;
        let backed = |value: &Value| copy.root_at(value.size) == Some(value.root);
        self.finality.cosignatures.retain(|value, _| backed(value));
    }

    /// The own cosignature of the last decision, found in the store after a restart, is the one to
    /// keep there.
    pub(super) fn keep_own_cosignature(&mut self, size: u64, key: &[u8], value: &Bytes) {
        let Some(set) = &self.finality.authorities else { return };
        let Some(memory) = self.finality.memory.get_mut(&set.fingerprint) else { return };
        let last = memory.certificate.as_ref().map(|certificate| certificate.value.size);
        if last == Some(size) && value.len() > COSIGNATURE_BYTES {
            memory.posts.entry(key.to_vec()).or_insert_with(|| value.clone());
        }
    }
}

fn kind_of(step: Step) -> Kind {
    match step {
        Step::Proposal => Kind::Proposal,
        Step::Checked => Kind::Checked,
        Step::Ready => Kind::Ready,
    }
}

/// Key and value under which an own statement goes into the store.
fn post(
    election: election::ElectionId,
    authority: u8,
    vote: &Vote,
    evidence: &[Vote],
) -> (Vec<u8>, Bytes) {
    let said = vote.statement;
    let (step, evidence) = match said.kind {
        Kind::Proposal => (Step::Proposal, evidence),
        Kind::Checked => (Step::Checked, &[][..]),
        Kind::Ready => (Step::Ready, &[][..]),
    };
    let key = Key::Round { height: said.height, round: said.round, step, authority }.of(election);
    let mut value = vote.encode();
    let supports = |other: &&Vote| {
        other.statement.value == said.value && Some(other.statement.round) == said.valid_round
    };
    for other in evidence.iter().filter(supports) {
        value.extend_from_slice(&other.encode());
    }
    (key, value.into())
}
