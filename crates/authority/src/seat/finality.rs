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
    Manifest, Successions,
    keys::{Key, Step},
};
use ledger::{Checkpoint, Cosignature, Hash, SignedCheckpoint};

use super::Seat;
use crate::{
    alarm::code,
    api::Notice,
    desk::Desk,
    journal::Record,
    mutant::Mutant,
    rounds::{Effect, Input, Leaves, Quorum, Recovered, Rounds, Setup},
    vote::{Certificate, Kind, VOTE_BYTES, Value, Vote},
};

/// Bytes of a cosignature.
const COSIGNATURE_BYTES: usize = 72;
/// Cosignatures kept for sizes the own tree has not reached; above that the smallest sizes go.
const EARLY_MAX: usize = 1024;

/// Heights below the own one whose statements still get into the record for people.
const LATE_HEIGHTS: u64 = 2;

/// What waits for the journal.
enum Deferred {
    Vote { vote: Vote, evidence: Vec<Vote> },
    Cosign(Certificate),
}

/// The keys of all authorities, by place, that count from a size on.
struct Generation {
    /// Leaves.
    from: u64,
    keys: Vec<PublicKey>,
    cosigners: Vec<ledger::AuthorityKey>,
}

/// What manifest and changes of keys say about authorities, ready for use.
pub(super) struct Authorities {
    fingerprint: [u8; 32],
    origin: String,
    numbers: Vec<u8>,
    /// The manifest's first; see [`election::succession`] for what counts when.
    generations: Vec<Generation>,
    quorum: Quorum,
    /// What a quorum is.
    votes: usize,
}

impl Authorities {
    /// `None` when the manifest has no usable set; a checked one has.
    fn of(manifest: &Manifest, successions: &Successions) -> Option<Self> {
        let sizes = successions.all().iter().map(|change| change.leaf + 1);
        let generation = |from| {
            let listed = successions.authorities_at(manifest, from);
            let keys = listed.iter().map(|one| PublicKey::from_bytes(one.key.public()).ok());
            let keys = keys.collect::<Option<_>>()?;
            Some(Generation { from, keys, cosigners: listed.into_iter().map(|a| a.key).collect() })
        };
        let listed = &manifest.authorities;
        let quorum = Quorum::new(u8::try_from(listed.len()).ok()?, manifest.faulty)?;
        Some(Self {
            fingerprint: manifest.fingerprint().0,
            origin: manifest.origin(),
            numbers: listed.iter().map(|one| one.index).collect(),
            generations: core::iter::once(0).chain(sizes).map(generation).collect::<Option<_>>()?,
            quorum,
            votes: quorum.votes(),
        })
    }

    /// The keys that count for a checkpoint of this size, and in the round behind it.
    fn at(&self, size: u64) -> &Generation {
        let counts = |one: &&Generation| one.from <= size;
        let newest = self.generations.iter().rev().find(counts);
        newest.unwrap_or_else(|| self.generations.first().expect("the manifest's are there"))
    }

    /// The place of the authority with this number if this key counts there at this size.
    fn place_of(&self, number: u8, key: &ledger::AuthorityKey, size: u64) -> Option<u8> {
        let place = self.place(number)?;
        (self.at(size).cosigners.get(usize::from(place)) == Some(key)).then_some(place)
    }

    /// A quorum of `ready`, by keys that counted in the round: those in force below the size, or
    /// those before if the last change itself became final with it.
    fn holds(&self, certificate: &Certificate) -> bool {
        let counts = |one: &&Generation| one.from <= certificate.value.size;
        let recent = self.generations.iter().rev().filter(counts).take(2);
        recent.into_iter().any(|one| certificate.verify(&self.fingerprint, &one.keys, self.votes))
    }

    /// Whether a vote is signed by a key that counts: of the height under way, behind the final
    /// size `last`, exactly that; of a later height any, since what counts there is not known yet.
    fn signed(&self, vote: &Vote, height: u64, last: u64) -> bool {
        let by = |one: &Generation| vote.verify(&self.fingerprint, &one.keys);
        if vote.statement.height == height {
            return by(self.at(last));
        }
        self.generations.iter().rev().any(by)
    }

    /// Numbers of the authorities that signed this checkpoint, with keys that count there.
    pub(super) fn signers(&self, note: &SignedCheckpoint) -> Vec<u8> {
        let listed = self.numbers.iter().zip(&self.at(note.checkpoint.size).cosigners);
        let signed = listed.filter(|(_, key)| {
            let line = note.find(key).and_then(|line| Cosignature::from_bytes(&line.bytes));
            line.is_some_and(|line| key.verify_cosignature(&note.checkpoint, &line))
        });
        signed.map(|(number, _)| *number).collect()
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn votes(&self) -> usize {
        self.votes
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
    successions: Successions,
    /// The size decided before the one under way.
    decided_before: u64,
}

impl Finality {
    /// Rounds from what the journal remembers.
    fn begin(&mut self, desk: &Desk) {
        let Some(set) = &self.authorities else { return };
        let memory = self.memory.entry(set.fingerprint).or_default();
        self.rounds = set.place(desk.config.index).map(|me| {
            let setup = Setup { me, quorum: set.quorum, timeouts: desk.config.timeouts };
            let mut rounds = Rounds::new(setup, &memory.recovered, desk.now_ms);
            rounds.set_mutant(desk.config.mutant());
            rounds
        });
        self.decided_before = self.decided_size();
        self.give_voice(desk);
    }

    /// Whoever's key does not count behind the last decided size only observes.
    fn give_voice(&mut self, desk: &Desk) {
        let last = self.decided_size();
        let Some(set) = &self.authorities else { return };
        let own = set.place_of(desk.config.index, desk.signer.key(), last);
        if let Some(rounds) = &mut self.rounds {
            rounds.observe(own.is_none());
        }
    }

    /// Takes a journal record at start; answers with a decision in it.
    pub(super) fn remember(&mut self, record: Record) -> Option<Certificate> {
        match record {
            Record::Voted { fingerprint, vote, evidence } => {
                let memory = self.memory.entry(fingerprint).or_default();
                memory.recovered.heard.extend(evidence);
                memory.recovered.cast.push(vote);
            }
            Record::Decided { fingerprint, certificate } => {
                self.memory.entry(fingerprint).or_default().decided(certificate.clone());
                return Some(certificate);
            }
            Record::Entries { .. } | Record::Cut { .. } | Record::Alarm { .. } => {}
        }
        None
    }

    /// The authorities of the manifest.
    pub(super) fn authorities(&self) -> Option<&Authorities> {
        self.authorities.as_ref()
    }

    /// Their numbers, by place.
    pub(super) fn numbers(&self) -> &[u8] {
        self.authorities.as_ref().map_or(&[], |set| &set.numbers)
    }

    /// The size decided last here.
    pub(super) fn decided_size(&self) -> u64 {
        self.rounds.as_ref().and_then(Rounds::last).map_or(0, |value| value.size)
    }

    /// The largest size that an authority has cosigned, as far as known.
    pub(super) fn cosigned_size(&self, number: u8) -> u64 {
        let place = self.authorities.as_ref().and_then(|set| set.place(number));
        let signed = self.cosignatures.iter().rev();
        let newest =
            signed.filter_map(|(value, by)| by.contains_key(&place?).then_some(value.size));
        newest.into_iter().next().unwrap_or(0)
    }

    /// The checkpoint of this size with all cosignatures known.
    pub(super) fn checkpoint(&self, value: Value) -> Option<SignedCheckpoint> {
        let set = self.authorities.as_ref()?;
        Some(note(set, value, self.cosignatures.get(&value)?))
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
        let quorum = self.authorities.as_ref().map(|set| (set, set.votes));
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

    /// The keys that the authority with this number has, and had.
    pub(super) fn keys_of(&self, number: u8) -> impl Iterator<Item = PublicKey> {
        let set = self.authorities.as_ref();
        let place = set.and_then(|set| set.place(number)).map(usize::from);
        let generations = set.into_iter().flat_map(|set| &set.generations);
        generations.filter_map(move |one| one.keys.get(place?).copied())
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
        note.add(&set.at(value.size).cosigners[usize::from(*place)], cosignature);
    }
    note
}

impl Seat {
    /// Begins, or begins anew, when the fold has come to a (different) manifest.
    pub(super) fn attend(&mut self, desk: &Desk) {
        let Some(manifest) = self.copy.fold().manifest() else { return };
        let successions = self.copy.fold().successions();
        let known = self.finality.authorities.as_ref();
        let is_known = known.is_some_and(|known| known.fingerprint == manifest.fingerprint().0);
        if is_known && self.finality.successions == *successions {
            return;
        }
        let Some(mut set) = Authorities::of(manifest, successions) else { return };
        set.votes -= usize::from(desk.config.mutant() == Some(Mutant::QuorumTooSmall));
        self.finality.successions = successions.clone();
        self.finality.authorities = Some(set);
        if is_known {
            return self.finality.give_voice(desk);
        }
        self.finality.begin(desk);
        let Some(set) = self.finality.authorities.as_ref() else { return };
        let memory = self.finality.memory.entry(set.fingerprint).or_default();
        for vote in &memory.recovered.cast {
            let (key, value) =
                post(self.election, desk.config.index, vote, &memory.recovered.heard);
            memory.posts.insert(key, value);
        }
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
                Effect::Decided(certificate) => {
                    if self.on_decided(certificate, desk) {
                        // What follows was said by a machine that is no more, and never left.
                        return;
                    }
                }
                Effect::Equivocated { first, second } => {
                    let author = self.number_of(first.author);
                    let (first, second) = (first.statement, second.statement);
                    let texts = vec![format!("{first:?}"), format!("{second:?}")];
                    let (height, round, kind) = (first.height, first.round, first.kind.name());
                    let what = format!(
                        "authority {author} signed two different `{kind}` in height {height}, \
                         round {round}"
                    );
                    self.shout(code::EQUIVOCATION, what, texts, desk);
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

    /// Whether the rounds began anew, because other keys count from here on.
    fn on_decided(&mut self, certificate: Certificate, desk: &mut Desk) -> bool {
        let Some(set) = &self.finality.authorities else { return false };
        let fingerprint = set.fingerprint;
        let record = Record::Decided { fingerprint, certificate: certificate.clone() };
        let ticket = desk.persist(self.election, &record);
        let settled = certificate.height;
        self.chronicle.decided(&certificate, &set.numbers, Some(desk.now_ms));
        let signed = self.finality.cosignatures.get(&certificate.value);
        for (place, cosignature) in signed.into_iter().flatten() {
            let number = set.numbers[usize::from(*place)];
            self.chronicle.cosigned(certificate.value, number, cosignature.unix_seconds);
        }
        let changed =
            set.at(self.finality.decided_before).from != set.at(certificate.value.size).from;
        self.finality.decided_before = certificate.value.size;
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
        if changed {
            // What was heard under the old keys is read again.
            self.finality.begin(desk);
            self.read_again(desk);
        }
        changed
    }

    /// Everything up to this ticket is durable.
    pub(crate) fn on_persisted(&mut self, ticket: u64, desk: &mut Desk) {
        while self.finality.deferred.front().is_some_and(|(waiting, _)| *waiting <= ticket) {
            match self.finality.deferred.pop_front() {
                Some((_, Deferred::Vote { vote, evidence })) => {
                    let (key, value) = post(self.election, desk.config.index, &vote, &evidence);
                    self.expect_post(key, value);
                    self.chronicle.heard(desk.config.index, &vote, desk.now_ms);
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
        let value = certificate.value;
        let own = set.place_of(desk.config.index, desk.signer.key(), value.size);
        let Some(me) = own else { return };
        assert_eq!(
            self.copy.root_at(value.size),
            Some(value.root),
            "about to cosign what the own copy does not hold"
        );
        let checkpoint = set.checkpoint(value);
        let cosignature = desk.signer.cosign(&checkpoint, u64::from(desk.minutes) * 60);
        self.chronicle.cosigned(value, desk.config.index, cosignature.unix_seconds);
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
        let (current, last) = (self.finality.height(), self.finality.decided_size());
        if height + LATE_HEIGHTS < current || !value.len().is_multiple_of(VOTE_BYTES) {
            return;
        }
        let votes: Option<Vec<Vote>> =
            value.chunks(VOTE_BYTES).take(1 + set.numbers.len()).map(Vote::decode).collect();
        let Some((vote, evidence)) = votes.as_deref().and_then(<[Vote]>::split_first) else {
            return;
        };
        let said = &vote.statement;
        let fits = (said.height, said.round, said.kind) == (height, round, kind_of(step))
            && set.place(authority) == Some(vote.author);
        let signed = |vote: &Vote| set.signed(vote, current, last);
        if !fits || !signed(vote) {
            return;
        }
        let evidence: Vec<Vote> = evidence.iter().filter(|vote| signed(vote)).cloned().collect();
        let disputed = said.value.filter(|_| said.kind == Kind::Proposal && evidence.is_empty());
        let vote = vote.clone();
        self.chronicle.heard(authority, &vote, desk.now_ms);
        if height < current {
            return;
        }
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
        let certificate = Certificate::decode(certificate);
        let said = certificate.as_ref().map(|certificate| certificate.value);
        let certificate = certificate
            .filter(|certificate| certificate.height >= self.finality.height())
            .filter(|certificate| set.holds(certificate));
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
            let signer = &set.at(size).cosigners[usize::from(place)];
            let known = self.finality.cosignatures.get(&ours).and_then(|by| by.get(&place));
            if known == Some(&cosignature)
                || signer.verify_cosignature(&set.checkpoint(ours), &cosignature)
            {
                let by = self.finality.cosignatures.entry(ours).or_default();
                by.entry(place).or_insert(cosignature);
                self.chronicle.cosigned(ours, number, cosignature.unix_seconds);
            } else if let Some(other) = said.filter(|said| said.size == size) {
                let mut note = SignedCheckpoint::unsigned(set.checkpoint(other));
                note.add(signer, &cosignature);
                self.compare_checkpoint(&note, desk);
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
        let votes = set.votes;
        let newest = self.finality.cosignatures.iter().rev().find(|(_, by)| by.len() >= votes);
        let Some((&value, _)) =
            newest.filter(|(value, _)| Some(**value) > self.finality.last_final)
        else {
            return;
        };
        self.finality.last_final = Some(value);
        let Value { size, root } = value;
        let election = self.election;
        desk.notify(Notice::Final { election, size, root });
        if let Some(note) = self.finality.final_checkpoint() {
            desk.notify(Notice::Checkpoint { election, size, note: note.to_string() });
        }
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
        self.compare_shown(desk);
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
