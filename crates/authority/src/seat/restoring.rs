//! The own copy against what the store holds: follow it, or put back what it lost.
//!
//! Entries up to the *floor*, the last one below a final or guarded size, stay as they are here:
//! where the store shows nothing or something else, the own bytes are put back. Above it nothing is
//! promised yet: where the store shows something else it is followed, and where it shows nothing
//! the own entries are put back, because their voters were told "ordered".
//!
//! Every repair is a transaction that compares what was read, so two authorities that repair at
//! once, or an append in between, do no harm: the loser reads again.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use election::keys::Key;
use kv::api::{
    Compare, CompareResult, CompareTarget, Error, KeyRange, KeyValue, PutRequest, Request,
    Response, TxnOperation, TxnRequest,
};

use super::Seat;
use crate::{
    alarm::code,
    desk::{Desk, Purpose, SeatCall},
    head::Head,
    journal::Record,
    mutant::Mutant,
};

/// Most entries in one transaction.
const ENTRIES_MAX: usize = 100;
/// Most bytes of entries in one transaction.
const BYTES_MAX: usize = 1024 * 1024;
/// Reads that end before a hole below the head until the head is set back to the hole. Whoever
/// holds the missing entry has put it back by then.
const HOLES_MAX: u8 = 3;

/// Entries to put back.
#[derive(Debug)]
pub(super) struct Repair {
    /// Numbers, with the revision at which the store's own bytes were written (0 for none).
    numbers: VecDeque<(u64, i64)>,
    /// The head as it is.
    head: Head,
    /// What it becomes in the end; `None` when it stays.
    new_head: Option<Head>,
    /// What it is if the transaction under way succeeds; `None` when none is.
    sent: Option<Head>,
}

impl Seat {
    /// Compares the store's entries with the own ones.
    pub(super) fn compare(
        &mut self,
        found: BTreeMap<u64, KeyValue>,
        head: Option<Bytes>,
        desk: &mut Desk,
    ) {
        let floor = self.floor();
        let head = Head::read(head);
        self.reader.head = head.clone();
        let mut numbers = VecDeque::new();
        let mut replaced = None;
        for number in 1..=self.copy.position() {
            let own = self.copy.entry(number);
            match found.get(&number) {
                None => numbers.push_back((number, 0)),
                Some(kv) if Some(&kv.value) == own => {}
                Some(kv) if number <= floor => numbers.push_back((number, kv.mod_revision)),
                Some(_) => {
                    replaced = Some(number);
                    break;
                }
            }
        }
        if let Some(&(first, _)) = numbers.front() {
            let count = numbers.len();
            let what = format!("{count} entries from {first} on are lost or changed in the store");
            let what = format!("{what}; putting back the own ones");
            self.shout(code::RESTORED, what, Vec::new(), desk);
        }
        let dropped = replaced.map_or(Vec::new(), |number| self.give_up_from(number, desk));
        let next = self.copy.position() + 1;
        let adopted: Vec<Bytes> =
            (next..).map_while(|number| Some(found.get(&number)?.value.clone())).collect();
        self.adopt(&adopted, desk);
        self.order_again(&dropped, desk);
        self.plan_repair(numbers, head, desk);
    }

    fn plan_repair(&mut self, numbers: VecDeque<(u64, i64)>, head: Head, desk: &mut Desk) {
        let position = self.copy.position();
        let own = self.copy.head_at(position);
        let hole = head.entries() > position;
        self.holes = if hole { self.holes + 1 } else { 0 };
        let mut new_head = (!hole && own.value() != head.value()).then(|| own.clone());
        if self.holes >= HOLES_MAX {
            let what = format!("entry {} of {} is nowhere", position + 1, head.entries());
            self.shout(code::HOLE, format!("{what}; going on without"), Vec::new(), desk);
            self.holes = 0;
            new_head = Some(own);
        }
        let needed = !numbers.is_empty() || new_head.is_some();
        self.repair = needed.then_some(Repair { numbers, head, new_head, sent: None });
    }

    /// Another order is the store's now: follow it. Returns what is given up.
    fn give_up_from(&mut self, number: u64, desk: &mut Desk) -> Vec<Bytes> {
        assert!(number > self.floor(), "entry {number} must stay");
        let what = format!("the store shows another entry {number} than before; following it");
        self.shout(code::OTHER_ORDER, what, Vec::new(), desk);
        let dropped: Vec<Bytes> = (number..=self.copy.position())
            .filter_map(|number| self.copy.entry(number).cloned())
            .collect();
        desk.persist(self.election, &Record::Cut { from: number });
        self.copy.cut(number, &mut desk.rng);
        self.forget_unbacked_cosignatures();
        dropped
    }

    /// Takes entries into the own copy.
    pub(super) fn adopt(&mut self, batch: &[Bytes], desk: &mut Desk) {
        if batch.is_empty() {
            return;
        }
        let from = self.copy.position() + 1;
        let entries = batch.to_vec();
        desk.persist(self.election, &Record::Entries { from, entries });
        self.copy.append(batch, &mut desk.rng);
        if self.reader.head.entries() < self.copy.position() {
            self.reader.head = self.copy.head_at(self.copy.position());
        }
        self.on_folded(from, desk);
    }

    /// Sends the next repair, if there is one to send.
    pub(super) fn repair_on(&mut self, desk: &mut Desk) {
        let election = self.election;
        let reversed = desk.config.mutant() == Some(Mutant::RestoredInOtherOrder);
        let newest = self.copy.position();
        let Some(repair) = self.repair.as_mut().filter(|repair| repair.sent.is_none()) else {
            return;
        };
        let mut compare = vec![head_is(election, &repair.head)];
        let (mut success, mut bytes, mut through) = (Vec::new(), 0, repair.head.entries());
        while let Some(&(number, mod_revision)) = repair.numbers.front() {
            let source = if reversed { newest + 1 - number } else { number };
            let entry = self.copy.entry(source).expect("only a comparison cuts the copy").clone();
            bytes += entry.len();
            if success.len() == ENTRIES_MAX || (bytes > BYTES_MAX && !success.is_empty()) {
                break;
            }
            let key = Bytes::from(Key::Entry(number).of(election));
            compare.push(was_written_at(key.clone(), mod_revision));
            success.push(put(key, entry));
            through = through.max(number);
            repair.numbers.pop_front();
        }
        let mut head = repair.head.clone();
        if repair.numbers.is_empty() {
            if let Some(new_head) = &repair.new_head {
                head = new_head.clone();
            }
            if head.entries() < through {
                // A hole is given up: whatever lies behind it will be written over.
                let key = Key::Entry(head.entries() + 1).of(election);
                compare.push(was_written_at(key.into(), 0));
            }
        } else if through > head.entries() {
            head = self.copy.head_at(through);
        }
        success.extend(head.raw().map(|raw| put(Key::Head.of(election).into(), raw.clone())));
        repair.sent = Some(head);
        let request = Request::Txn(TxnRequest { compare, success, failure: Vec::new() });
        desk.call(Purpose::Seat(election, SeatCall::Repair), request);
    }

    pub(super) fn on_repaired(&mut self, result: Result<Response, Error>, desk: &mut Desk) {
        let Some(repair) = &mut self.repair else { return };
        let Some(head) = repair.sent.take() else { return };
        match result {
            Ok(Response::Txn(reply)) if reply.succeeded => {
                self.reader.saw_revision(reply.header.revision);
                repair.head = head.clone();
                if repair.numbers.is_empty() {
                    self.repair = None;
                }
                self.reader.head = head;
                // What stood behind a hole that was given up is to be ordered again.
                self.order_again(&[], desk);
            }
            _ => {
                self.repair = None;
                self.read_again(desk);
            }
        }
    }
}

/// The head is this one, byte for byte.
pub(super) fn head_is(election: election::ElectionId, head: &Head) -> Compare {
    let key = Bytes::from(Key::Head.of(election));
    match head.raw() {
        Some(raw) => compare(key, CompareTarget::Value(raw.clone())),
        None => compare(key, CompareTarget::Create(0)),
    }
}

fn was_written_at(key: Bytes, mod_revision: i64) -> Compare {
    compare(key, CompareTarget::Mod(mod_revision))
}

fn compare(key: Bytes, target: CompareTarget) -> Compare {
    Compare { range: KeyRange::single(key), result: CompareResult::Equal, target }
}

pub(super) fn put(key: Bytes, value: Bytes) -> TxnOperation {
    TxnOperation::Put(PutRequest { key, value, ..PutRequest::default() })
}
