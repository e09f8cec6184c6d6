//! From a draft to a sealed manifest, and the later acts: checked here, stored beside the ledger or
//! appended to it. Whether an entry counts is the fold's word, and the answer waits for it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use election::{
    Act as Signed, Blocker, Draft, Endorser, Manifest, Phase, Refusal, Roll, SignedOrder,
    entry::BODY_BYTES_MAX,
    keys::{self, Key},
    refusal::code,
    roll::decode_chunk,
};
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, Error, KeyRange, RangeRequest,
    Request, Response, TxnOperation, TxnRequest,
};

use super::{Seat, appending::Matter, reading::value_at, restoring::put};
use crate::{
    api::{Act, Answer},
    desk::{Desk, Purpose, SeatCall},
};

/// Roll chunks in one transaction: below 1 MiB together.
const CHUNKS_MAX: usize = 14;
/// Rounds of one attempt at the key ceremony: announcements, dealings, confirmations. Attempt a has
/// the rounds 3a + 1 to 3a + 3.
const CEREMONY_ROUNDS: u8 = 3;
/// Wait before endorsing again when an endorsement has not come into the ledger, in milliseconds.
const ENDORSE_AGAIN_MS: u64 = 5_000;

/// One write of an act, and the value that makes doing it again harmless.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) request: Request,
    /// If the comparison fails: what the key must hold for the act to be done already.
    pub(super) expected: Option<Bytes>,
}

/// What lies beside the ledger, and acts under way.
#[derive(Debug, Default)]
pub(super) struct Setup {
    pub(super) draft: Option<Bytes>,
    pub(super) roll: BTreeMap<u16, Bytes>,
    pub(super) ceremony: BTreeMap<(u8, u8), Bytes>,
    jobs: BTreeMap<u64, VecDeque<Step>>,
    endorsed_at_ms: Option<u64>,
}

impl Setup {
    /// Everything is about to be read again.
    pub(super) fn forget(&mut self) {
        self.draft = None;
        self.roll.clear();
        self.ceremony.clear();
    }

    pub(super) fn on_key(&mut self, key: Key, value: &Bytes) {
        match key {
            Key::Draft => self.draft = Some(value.clone()),
            Key::Roll(chunk) => drop(self.roll.insert(chunk, value.clone())),
            Key::Ceremony { round, trustee } => {
                self.ceremony.insert((round, trustee), value.clone());
            }
            _ => {}
        }
    }

    pub(super) fn on_key_deleted(&mut self, key: Key) {
        match key {
            Key::Roll(chunk) => drop(self.roll.remove(&chunk)),
            Key::Ceremony { round, trustee } => drop(self.ceremony.remove(&(round, trustee))),
            _ => {}
        }
    }

    /// The draft and the administrator's signature on it.
    pub(super) fn draft(&self) -> Option<(Draft, [u8; 64])> {
        let (draft, signature) = self.draft.as_ref()?.split_last_chunk::<64>()?;
        Some((Draft::decode(draft).ok()?, *signature))
    }

    fn roll(&self) -> Result<Roll, Refusal> {
        read_roll(self.roll.values())
    }
}

pub(super) fn refuse(code: &'static str, sentence: impl Into<String>) -> Refusal {
    Refusal { code, sentence: sentence.into(), leaf: None }
}

fn read_roll<'a>(chunks: impl Iterator<Item = &'a Bytes>) -> Result<Roll, Refusal> {
    let mut voters = Vec::new();
    for chunk in chunks {
        let (_, more) =
            decode_chunk(chunk).map_err(|error| refuse(code::MALFORMED, error.to_string()))?;
        voters.extend(more);
    }
    Roll::new(voters).map_err(|error| refuse(code::BAD_ROLL, error.to_string()))
}

impl Seat {
    pub(super) fn phase(&self) -> Phase {
        self.copy.fold().phase()
    }

    /// An act of an administrator or trustee.
    pub(crate) fn on_administered(&mut self, ticket: u64, act: Act, desk: &mut Desk) {
        let done = match act {
            Act::Create { draft, signature } => self.create(ticket, &draft, &signature, desk),
            Act::ImportRoll { chunks } => self.import_roll(ticket, chunks, desk),
            Act::Ceremony { round, trustee, message } => {
                self.ceremony(ticket, round, trustee, message, desk)
            }
            Act::Seal { manifest, signature } => self.seal(ticket, manifest, signature, desk),
            Act::Endorse { trustee, signature } => {
                let endorser = Endorser::Trustee(trustee);
                self.sign_and_append(
                    ticket,
                    Signed::Endorse(endorser),
                    signature,
                    Matter::Endorsement { endorser, signature },
                )
            }
            Act::Open { signature } => self.open(ticket, signature),
            Act::Order(order) => self.order(ticket, order),
            Act::Close { signature } => {
                self.sign_and_append(ticket, Signed::Close, signature, Matter::Close { signature })
            }
            Act::Share { trustee, share } => {
                self.append_body(ticket, share.len(), Matter::Share { trustee, share })
            }
            Act::Agree { succession, signer, signature } => {
                self.agree(ticket, succession, signer, signature, desk)
            }
            Act::Result { result } => {
                self.append_body(ticket, result.len(), Matter::Result(result))
            }
        };
        if let Err(refusal) = done {
            desk.answer(ticket, Answer::Impossible(refusal));
        }
    }

    fn create(
        &mut self,
        ticket: u64,
        draft: &Bytes,
        signature: &[u8; 64],
        desk: &mut Desk,
    ) -> Result<(), Refusal> {
        let read =
            Draft::decode(draft).map_err(|error| refuse(code::MALFORMED, error.to_string()))?;
        if read.id != self.election {
            return Err(refuse(code::WRONG_ELECTION, "The draft names another election."));
        }
        if let Some(problem) = read.definition.check().err().and_then(|all| all.into_iter().next())
        {
            let sentence = format!("The definition's {} {}", problem.field, problem.sentence);
            return Err(refuse(code::BAD_MANIFEST, sentence));
        }
        if !read.verify(signature) {
            let sentence = "The draft is not signed by the administrator it names.";
            return Err(refuse(code::BAD_SIGNATURE, sentence));
        }
        let value = Bytes::from([&draft[..], signature].concat());
        let key = Bytes::from(Key::Draft.of(self.election));
        let listing = Bytes::from(keys::directory(self.election));
        let steps = [
            create_only(key, value),
            Step { request: write(vec![put(listing, Bytes::new())]), expected: None },
        ];
        self.start(ticket, steps, desk);
        Ok(())
    }

    /// A draft without a manifest: what is set up may still change.
    fn must_be_draft(&self) -> Result<Draft, Refusal> {
        if self.phase() != Phase::Empty {
            return Err(refuse(code::WRONG_PHASE, "The manifest is sealed: nothing changes now."));
        }
        let draft = self.setup.draft().map(|(draft, _)| draft);
        draft.ok_or_else(|| refuse(code::NOT_READY, "The election has no draft yet."))
    }

    fn import_roll(
        &mut self,
        ticket: u64,
        chunks: Vec<Bytes>,
        desk: &mut Desk,
    ) -> Result<(), Refusal> {
        self.must_be_draft()?;
        let roll = read_roll(chunks.iter())?;
        if !roll.chunks().iter().eq(chunks.iter()) {
            return Err(refuse(code::BAD_ROLL, "The chunks are not those of a sorted roll."));
        }
        let key = |chunk: usize| Bytes::from(Key::Roll(chunk as u16).of(self.election));
        let mut steps: Vec<Step> = Vec::new();
        for (at, part) in chunks.chunks(CHUNKS_MAX).enumerate() {
            let numbered = (at * CHUNKS_MAX..).zip(part);
            let puts = numbered.map(|(number, chunk)| put(key(number), chunk.clone())).collect();
            steps.push(Step { request: write(puts), expected: None });
        }
        if chunks.len() <= usize::from(u16::MAX) {
            let (key, range_end) = (key(chunks.len()), key(usize::from(u16::MAX)));
            let range = KeyRange { key, range_end };
            let delete = TxnOperation::DeleteRange(DeleteRangeRequest { range, prev_kv: false });
            steps.push(Step { request: write(vec![delete]), expected: None });
        }
        self.start(ticket, steps, desk);
        Ok(())
    }

    fn ceremony(
        &mut self,
        ticket: u64,
        round: u8,
        trustee: u8,
        message: Bytes,
        desk: &mut Desk,
    ) -> Result<(), Refusal> {
        let draft = self.must_be_draft()?;
        if trustee == 0 || usize::from(trustee) > draft.definition.trustees.len() || round == 0 {
            return Err(refuse(code::BAD_CEREMONY, "There is no such round or trustee."));
        }
        if message.is_empty() || message.len() > BODY_BYTES_MAX {
            return Err(refuse(code::ENTRY_TOO_LARGE, "The message does not fit an entry."));
        }
        let key = Key::Ceremony { round, trustee }.of(self.election);
        self.start(ticket, [create_only(key.into(), message)], desk);
        Ok(())
    }

    /// Checks that the manifest is what draft, roll and ceremony make, and appends them all.
    fn seal(
        &mut self,
        ticket: u64,
        manifest: Bytes,
        signature: [u8; 64],
        desk: &mut Desk,
    ) -> Result<(), Refusal> {
        let read = Manifest::decode(&manifest)
            .map_err(|error| refuse(code::MALFORMED, error.to_string()))?;
        if let Some(problem) = read.check().err().and_then(|all| all.into_iter().next()) {
            let sentence = format!("The manifest's {} {}", problem.field, problem.sentence);
            return Err(refuse(code::BAD_MANIFEST, sentence));
        }
        let draft = self.setup.draft().map(|(draft, _)| draft);
        let draft = draft.ok_or_else(|| refuse(code::NOT_READY, "There is no draft yet."))?;
        if (read.id, &read.definition, read.admin) != (draft.id, &draft.definition, draft.admin) {
            let sentence = "The manifest is not what the administrator drafted.";
            return Err(refuse(code::BAD_MANIFEST, sentence));
        }
        if self.setup.roll()?.summary() != read.roll {
            return Err(refuse(code::BAD_ROLL, "The manifest names another roll."));
        }
        if !Signed::Seal.verify(&read, &read.fingerprint(), &signature) {
            let sentence = "The manifest is not signed by the administrator.";
            return Err(refuse(code::BAD_SIGNATURE, sentence));
        }
        let attempt = u64::from(CEREMONY_ROUNDS) * u64::from(read.ceremony_attempt);
        let rounds = attempt + 1..=attempt + u64::from(CEREMONY_ROUNDS);
        let of_attempt =
            |((round, _), _): &(&(u8, u8), &Bytes)| rounds.contains(&u64::from(*round));
        let messages = self.setup.ceremony.iter().filter(of_attempt);
        let mut matters = vec![Matter::Manifest { manifest, signature }];
        matters.extend(self.setup.roll.values().cloned().map(Matter::RollChunk));
        matters.extend(messages.map(|(_, message)| Matter::Ceremony(message.clone())));
        self.append_missing(ticket, matters, desk);
        Ok(())
    }

    /// Appends what is neither in the ledger nor on its way; the last one carries the answer.
    fn append_missing(&mut self, ticket: u64, matters: Vec<Matter>, desk: &mut Desk) {
        let accepted: Vec<Matter> = (1..=self.copy.position())
            .filter(|number| matches!(self.copy.outcome(*number), Some(Ok(_))))
            .filter_map(|number| Matter::of(self.copy.entry(number)?))
            .collect();
        let mut missing: Vec<Matter> = matters
            .into_iter()
            .filter(|matter| !accepted.contains(matter) && !self.intake.holds(matter))
            .collect();
        let Some(last) = missing.pop() else {
            return desk.answer(ticket, Answer::Done { entries: Vec::new() });
        };
        missing.into_iter().for_each(|matter| self.enqueue(matter, None));
        self.enqueue(last, Some(ticket));
    }

    fn open(&mut self, ticket: u64, signature: [u8; 64]) -> Result<(), Refusal> {
        if let Phase::Setup { missing } = self.phase()
            && !missing.is_empty()
        {
            let all: Vec<String> = missing.iter().map(Blocker::to_string).collect();
            let sentence = format!("The election cannot open yet: {}.", all.join("; "));
            return Err(refuse(code::NOT_READY, sentence));
        }
        self.sign_and_append(ticket, Signed::Open, signature, Matter::Open { signature })
    }

    fn order(&mut self, ticket: u64, order: SignedOrder) -> Result<(), Refusal> {
        let fold = self.copy.fold();
        let (Some(manifest), Some(fingerprint)) = (fold.manifest(), fold.fingerprint()) else {
            return Err(refuse(code::NO_MANIFEST, "The election has no manifest yet."));
        };
        if !order.is_signed_by(&manifest.admin, &fingerprint) {
            let sentence = "The order is not signed by the administrator.";
            return Err(refuse(code::BAD_SIGNATURE, sentence));
        }
        self.append_body(ticket, 0, Matter::Order(order))
    }

    fn sign_and_append(
        &mut self,
        ticket: u64,
        act: Signed,
        signature: [u8; 64],
        matter: Matter,
    ) -> Result<(), Refusal> {
        let fold = self.copy.fold();
        let (Some(manifest), Some(fingerprint)) = (fold.manifest(), fold.fingerprint()) else {
            return Err(refuse(code::NO_MANIFEST, "The election has no manifest yet."));
        };
        if !act.verify(manifest, &fingerprint, &signature) {
            let sentence = "The signature is not by whoever may do this.";
            return Err(refuse(code::BAD_SIGNATURE, sentence));
        }
        self.append_body(ticket, 0, matter)
    }

    fn append_body(&mut self, ticket: u64, bytes: usize, matter: Matter) -> Result<(), Refusal> {
        if bytes >= BODY_BYTES_MAX {
            return Err(refuse(code::ENTRY_TOO_LARGE, "This does not fit an entry."));
        }
        if self.intake.holds(&matter) {
            return Err(refuse(code::REPEATED, "This is being done already."));
        }
        self.enqueue(matter, Some(ticket));
        Ok(())
    }

    /// Signs the manifest once everything but signatures is there and it names this authority as
    /// it should.
    pub(super) fn endorse(&mut self, desk: &mut Desk) {
        let Phase::Setup { missing } = self.phase() else { return };
        let incomplete = |one: &Blocker| {
            matches!(one, Blocker::RollIncomplete { .. } | Blocker::CeremonyIncomplete { .. })
        };
        let fold = self.copy.fold();
        let (Some(manifest), Some(fingerprint)) = (fold.manifest(), fold.fingerprint()) else {
            return;
        };
        let own = manifest.authority(desk.config.index);
        if missing.iter().any(incomplete)
            || own.is_none_or(|own| own.key != *desk.signer.key())
            || manifest.faulty < desk.config.faulty
        {
            return;
        }
        let due_ms = self.setup.endorsed_at_ms.map_or(0, |at_ms| at_ms + ENDORSE_AGAIN_MS);
        if desk.now_ms < due_ms {
            return;
        }
        self.setup.endorsed_at_ms = Some(desk.now_ms);
        let endorser = Endorser::Authority(desk.config.index);
        let signature = Signed::Endorse(endorser).sign(&fingerprint, &desk.key);
        let matter = Matter::Endorsement { endorser, signature };
        let held = (1..=self.copy.position())
            .filter_map(|number| self.copy.entry(number))
            .any(|entry| Matter::of(entry).as_ref() == Some(&matter));
        if !held && !self.intake.holds(&matter) {
            self.enqueue(matter, None);
        }
    }

    pub(super) fn start(
        &mut self,
        ticket: u64,
        steps: impl IntoIterator<Item = Step>,
        desk: &mut Desk,
    ) {
        self.setup.jobs.insert(ticket, steps.into_iter().collect());
        self.step_on(ticket, desk);
    }

    fn step_on(&mut self, ticket: u64, desk: &mut Desk) {
        let Some(steps) = self.setup.jobs.get(&ticket) else { return };
        let Some(step) = steps.front() else {
            self.setup.jobs.remove(&ticket);
            return desk.answer(ticket, Answer::Done { entries: Vec::new() });
        };
        let purpose = Purpose::Seat(self.election, SeatCall::Setup(ticket));
        desk.call(purpose, step.request.clone());
    }

    pub(super) fn on_setup_stored(
        &mut self,
        ticket: u64,
        result: Result<Response, Error>,
        desk: &mut Desk,
    ) {
        let Some(step) = self.setup.jobs.get_mut(&ticket).and_then(VecDeque::pop_front) else {
            return;
        };
        let failed = match result {
            Ok(Response::Txn(reply)) if reply.succeeded => None,
            Ok(Response::Txn(reply)) if value_at(&reply, 0) == step.expected => None,
            Ok(_) => {
                let sentence = "Something else stands there already; nothing was changed.";
                Some(Answer::Impossible(refuse(code::REPEATED, sentence)))
            }
            Err(error) => Some(Answer::Unavailable(error)),
        };
        match failed {
            None => self.step_on(ticket, desk),
            Some(answer) => {
                self.setup.jobs.remove(&ticket);
                desk.answer(ticket, answer);
            }
        }
    }
}

/// Writes a key that must not exist; the same value there already is as good.
pub(super) fn create_only(key: Bytes, value: Bytes) -> Step {
    let range = KeyRange::single(key.clone());
    let (result, target) = (CompareResult::Equal, CompareTarget::Create(0));
    let compare = vec![Compare { range: range.clone(), result, target }];
    let failure = vec![TxnOperation::Range(RangeRequest { range, ..RangeRequest::default() })];
    let success = vec![put(key, value.clone())];
    let request = Request::Txn(TxnRequest { compare, success, failure });
    Step { request, expected: Some(value) }
}

pub(super) fn write(success: Vec<TxnOperation>) -> Request {
    Request::Txn(TxnRequest { success, ..TxnRequest::default() })
}
