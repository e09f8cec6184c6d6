//! Getting entries into the order: one batch at a time, by compare-and-swap on the head.
//!
//! ```text
//! queue ── seal ──> Txn { head = h ? put entries h+1…h+k, head = h+k : read head }
//!   ^                 │ lost: somebody else appended; try again behind it
//!   └─────────────────┤ outcome unknown: look whether entry h+1 is ours before trying again
//!                     └ done: "ordered"
//! ```
//!
//! While an outcome is unknown the batch keeps its bytes and its place: if both attempts reach the
//! store, the second compares a head that has moved. Should an entry stand twice all the same (a
//! store that was set back), the fold refuses the second.

use std::collections::{BTreeMap, VecDeque};

use ballot::Tracker;
use bytes::Bytes;
use election::{
    Body, Endorser, Entry, Refusal, SignedOrder, SignedRefusal, keys::Key, refusal::code,
};
use kv::api::{
    Code, Error, KeyRange, Outcome, RangeRequest, Request, Response, TxnOperation, TxnRequest,
};

use super::{
    Seat,
    reading::value_at,
    restoring::{head_is, put},
};
use crate::{
    api::Answer,
    desk::{Desk, Purpose, SeatCall, sha256},
    head::Head,
};

/// Most entries in one batch: with the head and the comparisons below etcd's 128 operations.
const ENTRIES_MAX: usize = 120;
/// Most bytes of entries in one batch.
const BYTES_MAX: usize = 1024 * 1024;
/// Wait after a failure, in milliseconds.
const RETRY_MS: u64 = 150;
/// After an own batch the others come first for so long, in milliseconds. Who is nearest to the
/// store would win every time otherwise, and the others' ballots would wait for seconds; and fewer,
/// larger batches are cheaper for everybody.
const TURN_MS: u64 = 60;
/// Others who have not appended for so long, in milliseconds, have nothing to append.
const OTHERS_MS: u64 = 5_000;
/// Most submissions of the same bytes that wait for one answer; more are told to try later.
const TICKETS_MAX: usize = 16;

/// What an entry will say; owned, unlike [`Body`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Matter {
    Manifest { manifest: Bytes, signature: [u8; 64] },
    RollChunk(Bytes),
    Ceremony(Bytes),
    Endorsement { endorser: Endorser, signature: [u8; 64] },
    Open { signature: [u8; 64] },
    Ballot(Bytes),
    Close { signature: [u8; 64] },
    Share { trustee: u8, share: Bytes },
    Result(Bytes),
    Order(SignedOrder),
    AuthorityKey(Bytes),
}

impl Matter {
    fn body(&self) -> Body<'_> {
        match self {
            Self::Manifest { manifest, signature } => {
                Body::Manifest { manifest, signature: *signature }
            }
            Self::RollChunk(chunk) => Body::RollChunk(chunk),
            Self::Ceremony(message) => Body::Ceremony(message),
            Self::Endorsement { endorser, signature } => {
                Body::Endorsement { endorser: *endorser, signature: *signature }
            }
            Self::Open { signature } => Body::Open { signature: *signature },
            Self::Ballot(ballot) => Body::Ballot(ballot),
            Self::Close { signature } => Body::Close { signature: *signature },
            Self::Share { trustee, share } => Body::Share { trustee: *trustee, share },
            Self::Result(result) => Body::Result(result),
            Self::Order(order) => Body::Order(*order),
            Self::AuthorityKey(body) => Body::AuthorityKey(body),
        }
    }

    /// What an entry says; `None` for bytes that are no entry.
    pub(super) fn of(bytes: &Bytes) -> Option<Self> {
        let entry = Entry::decode(bytes).ok()?;
        Some(match entry.body {
            Body::Manifest { manifest, signature } => {
                Self::Manifest { manifest: bytes.slice_ref(manifest), signature }
            }
            Body::RollChunk(chunk) => Self::RollChunk(bytes.slice_ref(chunk)),
            Body::Ceremony(message) => Self::Ceremony(bytes.slice_ref(message)),
            Body::Endorsement { endorser, signature } => Self::Endorsement { endorser, signature },
            Body::Open { signature } => Self::Open { signature },
            Body::Ballot(ballot) => Self::Ballot(bytes.slice_ref(ballot)),
            Body::Close { signature } => Self::Close { signature },
            Body::Share { trustee, share } => {
                Self::Share { trustee, share: bytes.slice_ref(share) }
            }
            Body::Result(result) => Self::Result(bytes.slice_ref(result)),
            Body::Order(order) => Self::Order(order),
            Body::AuthorityKey(body) => Self::AuthorityKey(bytes.slice_ref(body)),
        })
    }
}

/// Where something that was taken in stands.
#[derive(Debug)]
enum Place {
    /// In the queue or in the batch under way.
    Queued,
    /// Under this number, not folded here yet.
    Ordered(u64),
}

#[derive(Debug)]
struct Pending {
    place: Place,
    tickets: Vec<u64>,
}

#[derive(Debug)]
struct Batch {
    base: Head,
    /// The head with the batch behind it.
    after: Head,
    matters: Vec<Matter>,
    entries: Vec<Bytes>,
    /// An earlier attempt may have happened, or may still.
    in_doubt: bool,
    under_way: bool,
}

/// What waits to be ordered, and to be folded.
#[derive(Debug, Default)]
pub(super) struct Intake {
    queue: VecDeque<Matter>,
    batch: Option<Batch>,
    pending: BTreeMap<Matter, Pending>,
    retry_at_ms: u64,
    pub(super) turn: Turn,
}

/// Whose turn it is to append: nobody enforces it, but everybody keeps to it.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Number of the last entry of the last own batch, and when that was.
    own: Option<(u64, u64)>,
    /// The same of other authorities, as far as their entries were read here.
    others: BTreeMap<u8, (u64, u64)>,
}

impl Turn {
    /// An own batch was appended, up to this entry.
    fn took(&mut self, last: u64, now_ms: u64) {
        self.own = Some((last, now_ms));
    }

    /// Another authority has appended this entry.
    pub(super) fn saw(&mut self, appender: u8, entry: u64, now_ms: u64) {
        self.others.insert(appender, (entry, now_ms));
    }

    /// Whether another authority should come first.
    fn is_others(&self, now_ms: u64) -> bool {
        let is_within = |since: u64, time| now_ms.saturating_sub(since) < time;
        let Some((own, _)) = self.own.filter(|(_, at)| is_within(*at, TURN_MS)) else {
            return false;
        };
        self.others.values().any(|(entry, at)| *entry < own && is_within(*at, OTHERS_MS))
    }
}

impl Intake {
    /// Whether the same thing waits already.
    pub(super) fn holds(&self, matter: &Matter) -> bool {
        self.pending.contains_key(matter)
    }

    /// Ballots that wait to be ordered.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len() + self.batch.as_ref().map_or(0, |batch| batch.matters.len())
    }
}

impl Seat {
    /// Remembers which of these ballots are good.
    pub(crate) fn check_together(&mut self, ballots: &[&Bytes], desk: &mut Desk) {
        self.copy.check_ballots(ballots, &mut desk.rng);
    }

    /// A voter's ballot.
    pub(crate) fn on_submitted(&mut self, ticket: u64, ballot: Bytes, desk: &mut Desk) {
        let matter = Matter::Ballot(ballot.clone());
        if let Some(pending) = self.intake.pending.get_mut(&matter) {
            match pending.place {
                Place::Ordered(entry) => {
                    let tracker = tracker_of(&ballot);
                    desk.answer(ticket, Answer::Ordered { entry, tracker });
                }
                Place::Queued if pending.tickets.len() < TICKETS_MAX => {
                    pending.tickets.push(ticket)
                }
                Place::Queued => desk.answer(ticket, Answer::Overloaded),
            }
            return;
        }
        let checked = self.copy.check_ballot(&ballot, &mut desk.rng);
        if let Err(refusal) = checked {
            // Who is behind must not sign that something is wrong.
            let is_behind =
                !self.reader.is_current() || self.reader.head.entries() > self.copy.position();
            let answer = match refusal.leaf {
                None if is_behind => Answer::Overloaded,
                _ => self.refused(&ballot, refusal, desk),
            };
            return desk.answer(ticket, answer);
        }
        if desk.queued >= desk.config.queue_max {
            return desk.answer(ticket, Answer::Overloaded);
        }
        desk.queued += 1;
        self.enqueue(matter, Some(ticket));
    }

    fn refused(&self, ballot: &Bytes, refusal: Refusal, desk: &Desk) -> Answer {
        if let (code::ALREADY_ACCEPTED, Some(leaf)) = (refusal.code, refusal.leaf) {
            return Answer::AlreadyAccepted { leaf, tracker: tracker_of(ballot) };
        }
        let signed = SignedRefusal {
            election: self.election,
            entry: 0,
            entry_hash: [0; 32],
            ballot_hash: sha256(ballot),
            code: refusal.code.to_owned(),
            sentence: refusal.sentence,
            authority: desk.config.index,
            signature: [0; 64],
        };
        Answer::Refused(signed.sign(&desk.key))
    }

    /// Puts something at the end of the queue.
    pub(super) fn enqueue(&mut self, matter: Matter, ticket: Option<u64>) {
        let pending = Pending { place: Place::Queued, tickets: ticket.into_iter().collect() };
        self.intake.pending.insert(matter.clone(), pending);
        self.intake.queue.push_back(matter);
    }

    /// Sends the next batch, or looks what became of the last one.
    pub(super) fn append_on(&mut self, desk: &mut Desk) {
        if desk.now_ms < self.intake.retry_at_ms {
            return;
        }
        match &self.intake.batch {
            Some(batch) if batch.under_way => {}
            Some(_) => self.recheck(desk),
            None if self.intake.turn.is_others(desk.now_ms) => {}
            None if self.reader.is_current() && self.repair.is_none() => self.append(desk),
            None => {}
        }
    }

    fn append(&mut self, desk: &mut Desk) {
        let appender = desk.appender();
        let stamp = self.stamp(desk);
        let (mut matters, mut entries, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(matter) = self.intake.queue.front() {
            let sealed = appender.seal(self.election, stamp, &matter.body());
            let Ok(entry) = sealed else {
                // Checked before it came here; nothing that is too large was ever queued.
                let dropped = self.intake.queue.pop_front();
                self.unavailable(dropped.into_iter().collect(), Error::RequestTooLarge, desk);
                continue;
            };
            bytes += entry.len();
            if entries.len() == ENTRIES_MAX || (bytes > BYTES_MAX && !entries.is_empty()) {
                break;
            }
            entries.push(Bytes::from(entry));
            matters.extend(self.intake.queue.pop_front());
        }
        if entries.is_empty() {
            return;
        }
        let base = self.reader.head.clone();
        let Some(after) = base.after(&entries) else {
            matters.into_iter().rev().for_each(|matter| self.intake.queue.push_front(matter));
            return self.distrust("the head is no head any more".to_owned(), desk);
        };
        let (in_doubt, under_way) = (false, false);
        self.intake.batch = Some(Batch { base, after, matters, entries, in_doubt, under_way });
        self.send_batch(desk);
    }

    /// The minute, but not so long before the own latest one that the fold would refuse it: the
    /// clock may have been wrong then, or be wrong now.
    fn stamp(&self, desk: &Desk) -> u32 {
        let fold = self.copy.fold();
        let slack = fold.manifest().map_or(0, |manifest| manifest.stamp_slack_minutes.into());
        desk.minutes.max(fold.latest_stamp(desk.config.index).saturating_sub(slack))
    }

    fn send_batch(&mut self, desk: &mut Desk) {
        let election = self.election;
        let Some(batch) = &mut self.intake.batch else { return };
        batch.under_way = true;
        let head = Bytes::from(Key::Head.of(election));
        let numbered = (batch.base.entries() + 1..).zip(&batch.entries);
        let mut success: Vec<TxnOperation> = numbered
            .map(|(number, entry)| put(Key::Entry(number).of(election).into(), entry.clone()))
            .collect();
        success.extend(batch.after.raw().map(|raw| put(head.clone(), raw.clone())));
        let range = KeyRange::single(head);
        let failure = vec![TxnOperation::Range(RangeRequest { range, ..RangeRequest::default() })];
        let compare = vec![head_is(election, &batch.base)];
        let request = Request::Txn(TxnRequest { compare, success, failure });
        desk.call(Purpose::Seat(election, SeatCall::Append), request);
    }

    pub(super) fn on_appended(&mut self, result: Result<Response, Error>, desk: &mut Desk) {
        let Some(batch) = &mut self.intake.batch else { return };
        batch.under_way = false;
        match result {
            Ok(Response::Txn(reply)) if reply.succeeded => {
                self.reader.saw_revision(reply.header.revision);
                self.ordered(desk);
            }
            Ok(Response::Txn(_)) if batch.in_doubt => {}
            Ok(Response::Txn(reply)) => {
                self.lost(Head::read(value_at(&reply, 0)), desk);
            }
            Err(error) if is_final(error) && !batch.in_doubt => {
                let matters = self.intake.batch.take().map_or(Vec::new(), |batch| batch.matters);
                self.unavailable(matters, error, desk);
            }
            Err(error) if error.outcome() == Outcome::NotApplied && !batch.in_doubt => {
                self.intake.retry_at_ms = desk.now_ms + RETRY_MS;
                self.requeue();
            }
            _ => {
                batch.in_doubt = true;
                self.intake.retry_at_ms = desk.now_ms + RETRY_MS;
            }
        }
    }

    /// Whether entry base + 1 is ours: the batch is all or nothing.
    fn recheck(&mut self, desk: &mut Desk) {
        let Some(batch) = &mut self.intake.batch else { return };
        batch.under_way = true;
        let get = |key: Key| {
            let range = KeyRange::single(key.of(self.election));
            TxnOperation::Range(RangeRequest { range, ..RangeRequest::default() })
        };
        let success = vec![get(Key::Head), get(Key::Entry(batch.base.entries() + 1))];
        let request = Request::Txn(TxnRequest { success, ..TxnRequest::default() });
        desk.call(Purpose::Seat(self.election, SeatCall::Recheck), request);
    }

    pub(super) fn on_rechecked(&mut self, result: Result<Response, Error>, desk: &mut Desk) {
        let Some(batch) = &mut self.intake.batch else { return };
        batch.under_way = false;
        let Ok(Response::Txn(reply)) = result else {
            self.intake.retry_at_ms = desk.now_ms + RETRY_MS;
            return;
        };
        let head = Head::read(value_at(&reply, 0));
        let first = value_at(&reply, 1);
        if first.is_some() && first.as_ref() == batch.entries.first() {
            self.ordered(desk);
        } else if head.raw() == batch.base.raw() {
            self.send_batch(desk);
        } else {
            self.lost(head, desk);
        }
    }

    /// The batch stands in the store.
    fn ordered(&mut self, desk: &mut Desk) {
        let Some(batch) = self.intake.batch.take() else { return };
        self.intake.turn.took(batch.after.entries(), desk.now_ms);
        if self.reader.head.entries() < batch.after.entries() {
            self.reader.head = batch.after;
        }
        for (number, matter) in (batch.base.entries() + 1..).zip(batch.matters) {
            if let Matter::Ballot(_) = matter {
                desk.queued = desk.queued.saturating_sub(1);
            }
            let Some(pending) = self.intake.pending.get_mut(&matter) else { continue };
            pending.place = Place::Ordered(number);
            if let Matter::Ballot(ballot) = &matter {
                let tracker = tracker_of(ballot);
                for ticket in pending.tickets.drain(..) {
                    desk.answer(ticket, Answer::Ordered { entry: number, tracker });
                }
            }
            // The watch may have been faster than the reply.
            if self.copy.entry(number).and_then(Matter::of).as_ref() == Some(&matter) {
                self.folded(number, &matter, desk);
            }
        }
    }

    /// Somebody else appended first.
    fn lost(&mut self, head: Head, desk: &mut Desk) {
        self.requeue();
        self.reader.head = head;
        self.distrust_head(desk);
    }

    fn requeue(&mut self) {
        let Some(batch) = self.intake.batch.take() else { return };
        for matter in batch.matters.into_iter().rev() {
            self.intake.queue.push_front(matter);
        }
    }

    fn unavailable(&mut self, matters: Vec<Matter>, error: Error, desk: &mut Desk) {
        for matter in matters {
            if let Matter::Ballot(_) = matter {
                desk.queued = desk.queued.saturating_sub(1);
            }
            let pending = self.intake.pending.remove(&matter);
            for ticket in pending.into_iter().flat_map(|pending| pending.tickets) {
                desk.answer(ticket, Answer::Unavailable(error));
            }
        }
    }

    /// An entry was folded here: whoever waits for it is told what became of it.
    pub(super) fn folded(&mut self, number: u64, matter: &Matter, desk: &mut Desk) {
        let ours = self.intake.pending.get(matter);
        if !ours.is_some_and(|pending| matches!(pending.place, Place::Ordered(at) if at == number))
        {
            return;
        }
        let Some(pending) = self.intake.pending.remove(matter) else { return };
        let outcome = self.copy.outcome(number).cloned();
        for ticket in pending.tickets {
            let answer = match &outcome {
                Some(Err(refusal)) => Answer::Impossible(refusal.clone()),
                _ => Answer::Done { entries: vec![number] },
            };
            desk.answer(ticket, answer);
        }
    }

    /// The store has another order than before. What this authority had appended and what is not
    /// there any more goes into the queue again, since somebody was told "ordered".
    pub(super) fn order_again(&mut self, dropped: &[Bytes], desk: &mut Desk) {
        let (head, copy) = (self.reader.head.entries(), &self.copy);
        let is_gone = |(matter, pending): &(&Matter, &Pending)| match pending.place {
            Place::Queued => false,
            Place::Ordered(at) if at > copy.position() => at > head,
            Place::Ordered(at) => copy.entry(at).and_then(Matter::of).as_ref() != Some(*matter),
        };
        let gone = self.intake.pending.iter().filter(is_gone);
        let mut again: Vec<Matter> = gone.map(|(matter, _)| matter.clone()).collect();
        for entry in dropped {
            let own = Entry::decode(entry).is_ok_and(|entry| entry.appender == desk.config.index);
            again.extend(Matter::of(entry).filter(|matter| own && !self.intake.holds(matter)));
        }
        for matter in again {
            if let Matter::Ballot(ballot) = &matter {
                if self.copy.check_ballot(ballot, &mut desk.rng).is_err() {
                    self.intake.pending.remove(&matter);
                    continue;
                }
                desk.queued += 1;
            }
            let waiting = self.intake.pending.remove(&matter);
            let tickets = waiting.map_or(Vec::new(), |pending| pending.tickets);
            self.intake.pending.insert(matter.clone(), Pending { place: Place::Queued, tickets });
            self.intake.queue.push_back(matter);
        }
    }
}

/// Errors that trying again does not heal.
fn is_final(error: Error) -> bool {
    let code = matches!(
        error.code(),
        Code::InvalidArgument | Code::ResourceExhausted | Code::PermissionDenied
    );
    code && error != Error::TooManyRequests
}

fn tracker_of(ballot: &[u8]) -> Tracker {
    Tracker::of_hash(&sha256(ballot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_appends_alone_never_waits() {
        let mut turn = Turn::default();
        assert!(!turn.is_others(0));
        turn.took(5, 100);
        assert!(!turn.is_others(100) && !turn.is_others(101));
    }

    #[test]
    fn all_who_append_come_before_the_next_own_batch_for_a_while() {
        let mut turn = Turn::default();
        turn.saw(2, 1, 0);
        turn.saw(3, 2, 0);
        turn.took(5, 100);
        assert!(turn.is_others(120));
        turn.saw(2, 6, 130);
        assert!(turn.is_others(130), "3 has not appended yet");
        assert!(!turn.is_others(100 + TURN_MS), "but it is not waited for longer");
        turn.saw(3, 7, 140);
        assert!(!turn.is_others(140));
    }

    #[test]
    fn who_has_not_appended_for_long_is_not_waited_for() {
        let mut turn = Turn::default();
        turn.saw(2, 1, 0);
        turn.took(5, OTHERS_MS);
        assert!(!turn.is_others(OTHERS_MS));
    }
}
