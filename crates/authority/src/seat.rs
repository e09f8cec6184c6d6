//! One authority in one election: following the store, appending, finality, setup.

mod appending;
mod finality;
mod pruning;
mod publishing;
mod reading;
mod restoring;
mod setup;
mod shouting;
mod succeeding;
mod view;

use std::collections::BTreeMap;

use ballot::Tracker;
use bytes::Bytes;
use election::{Body, ElectionId, Entry, SignedRefusal, keys::Key};
use kv::api::{Error, KeyValue, Response};

use crate::{
    alarm::Alarms,
    api::{Config, Notice},
    chronicle::{Chronicle, HEIGHTS_MAX},
    copy::LedgerCopy,
    desk::{Desk, Purpose, SeatCall, sha256},
    journal::{JournalError, Record},
    rounds::Input,
    vote::{Certificate, Value},
};
use appending::{Intake, Matter};
use finality::Finality;
use pruning::Pruning;
use reading::Reader;
use restoring::Repair;
use setup::Setup;
use shouting::Shown;
use succeeding::Changes;

pub use view::{ElectionView, Standing};

/// See the module.
pub(crate) struct Seat {
    election: ElectionId,
    copy: LedgerCopy,
    reader: Reader,
    repair: Option<Repair>,
    /// Comparisons in a row that ended before a hole below the head.
    holes: u8,
    intake: Intake,
    finality: Finality,
    outbox: crate::outbox::Outbox,
    setup: Setup,
    changes: Changes,
    /// Since when everything up to the close of an open poll is final.
    poll_final_ms: Option<u64>,
    chronicle: Chronicle,
    alarms: Alarms,
    shown: Shown,
    pruning: Pruning,
    /// Signed refusals by entry and authority, the own ones included.
    refusals: BTreeMap<u64, BTreeMap<u8, SignedRefusal>>,
    phase: &'static str,
    /// As of the last tick.
    now_ms: u64,
}

impl Seat {
    pub(crate) fn new(election: ElectionId, config: &Config) -> Self {
        Self {
            election,
            copy: LedgerCopy::new(election).with_mutant(config.mutant()),
            reader: Reader::new(),
            repair: None,
            holes: 0,
            intake: Intake::default(),
            finality: Finality::default(),
            outbox: crate::outbox::Outbox::default(),
            setup: Setup::default(),
            changes: Changes::default(),
            poll_final_ms: None,
            chronicle: Chronicle::default(),
            alarms: Alarms::default(),
            shown: Shown::default(),
            pruning: Pruning::default(),
            refusals: BTreeMap::new(),
            phase: "empty",
            now_ms: 0,
        }
    }

    /// Takes what the journal holds of this election, in its order.
    ///
    /// # Errors
    /// When the entries have a gap, or do not give what was decided over them.
    pub(crate) fn restore(
        &mut self,
        records: Vec<Record>,
        desk: &mut Desk,
    ) -> Result<(), JournalError> {
        let broken = |record, reason| Err(JournalError { record, reason });
        let mut entries: Vec<Bytes> = Vec::new();
        let mut decided: Vec<Certificate> = Vec::new();
        let count = records.len();
        for (number, record) in records.into_iter().enumerate() {
            match record {
                Record::Entries { from, entries: more } => {
                    if from != entries.len() as u64 + 1 {
                        return broken(number, "does not follow the entries before it");
                    }
                    entries.extend(more);
                }
                Record::Cut { from } => {
                    entries.truncate(usize::try_from(from - 1).unwrap_or(usize::MAX));
                }
                Record::Alarm { number, alarm } => {
                    self.alarms.learn(desk.config.index, number, &alarm);
                }
                other => {
                    decided.extend(self.finality.remember(other));
                }
            }
        }
        let values: Vec<Value> = decided.iter().map(|certificate| certificate.value).collect();
        self.copy.restore(&entries, &values, &mut desk.rng);
        self.phase = phase_name(&self.copy);
        self.attend(desk);
        for certificate in decided.iter().rev().take(HEIGHTS_MAX).rev() {
            self.chronicle.decided(certificate, self.finality.numbers(), None);
        }
        if !self.holds_what_it_decided() {
            return broken(count, "is missing: the entries are not those that were decided");
        }
        Ok(())
    }

    /// The last entry that must stay: that of the last leaf below a final or guarded size.
    fn floor(&self) -> u64 {
        let leaf = self.finality.floor_size().checked_sub(1);
        leaf.and_then(|leaf| self.copy.entry_of_leaf(leaf)).unwrap_or(0)
    }

    pub(crate) fn on_ticked(&mut self, desk: &mut Desk) {
        self.now_ms = desk.now_ms;
        self.read_on(desk);
        self.drive(Input::Ticked { now_ms: desk.now_ms }, desk);
        self.endorse(desk);
        self.succeed_on(desk);
        self.publish_on(desk);
        self.prune(desk);
    }

    pub(crate) fn on_replied(
        &mut self,
        what: SeatCall,
        call: u64,
        result: Result<Response, Error>,
        desk: &mut Desk,
    ) {
        match what {
            SeatCall::Page => self.on_page(call, result, desk),
            SeatCall::Audit => self.on_audit(call, result, desk),
            SeatCall::Repair => self.on_repaired(result, desk),
            SeatCall::Append => self.on_appended(result, desk),
            SeatCall::Recheck => self.on_rechecked(result, desk),
            SeatCall::Post => self.outbox.on_replied(result.is_ok(), desk.now_ms),
            SeatCall::Prune => self.on_pruned(result.is_ok()),
            SeatCall::Setup(ticket) => self.on_setup_stored(ticket, result, desk),
        }
    }

    /// Sends whatever has become due during a step.
    pub(crate) fn settle(&mut self, desk: &mut Desk) {
        self.repair_on(desk);
        self.append_on(desk);
        if let Some(request) = self.outbox.next(desk.now_ms) {
            desk.call(Purpose::Seat(self.election, SeatCall::Post), request);
        }
    }

    /// A key beside the entries, read or changed.
    fn on_key(&mut self, key: Key, kv: &KeyValue, desk: &mut Desk) {
        let own = desk.config.index;
        match key {
            Key::Round { authority, .. } if authority == own => self.insist(&kv.key, &kv.value),
            Key::Round { .. } => self.on_round_key(key, &kv.value, desk),
            Key::Cosignature { size, authority } => {
                self.on_cosignature_key(size, authority, &kv.value, desk);
                if authority == own {
                    self.keep_own_cosignature(size, &kv.key, &kv.value);
                    self.insist(&kv.key, &kv.value);
                }
            }
            Key::Refusal { entry, authority } => self.on_refusal_key(entry, authority, &kv.value),
            Key::Succession { generation, authority } => {
                self.on_succession_key(generation, authority, &kv.value, desk);
            }
            Key::Alarm { authority, number } => self.alarms.learn(authority, number, &kv.value),
            _ => self.setup.on_key(key, &kv.value),
        }
    }

    /// Only this authority may write its keys; whatever else stands there is written over.
    fn insist(&mut self, key: &[u8], value: &Bytes) {
        let own = self.finality.posts().find(|(known, _)| known.as_slice() == key);
        if let Some((_, expected)) = own.filter(|(_, expected)| *expected != value) {
            self.outbox.put(key.to_vec(), expected.clone());
        }
    }

    fn on_key_deleted(&mut self, key: Key) {
        self.setup.on_key_deleted(key);
        let key = key.of(self.election);
        let own = self.finality.posts().find(|(known, _)| **known == key);
        if let Some((_, expected)) = own {
            self.outbox.put(key, expected.clone());
        }
    }

    /// After everything was read: own posts that the store does not hold.
    fn post_what_is_missing(&mut self, found: &[(Key, KeyValue)], desk: &mut Desk) {
        self.cosign_again(desk);
        let holds = |key: &[u8]| found.iter().any(|(_, kv)| kv.key == key);
        let missing: Vec<(Vec<u8>, Bytes)> = self
            .finality
            .posts()
            .filter(|(key, _)| !holds(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        for (key, value) in missing {
            self.outbox.put(key, value);
        }
        let own = desk.config.index;
        let refused: Vec<u64> = found
            .iter()
            .filter_map(|(key, _)| match key {
                Key::Refusal { entry, authority } if *authority == own => Some(*entry),
                _ => None,
            })
            .collect();
        for number in 1..=self.copy.position() {
            if refused.binary_search(&number).is_err() {
                self.refuse(number, desk);
            }
        }
    }

    /// Entries from `from` on were folded just now.
    fn on_folded(&mut self, from: u64, desk: &mut Desk) {
        let mut hurry = false;
        for number in from..=self.copy.position() {
            let (Some(entry), Some(outcome)) = (self.copy.entry(number), self.copy.outcome(number))
            else {
                continue;
            };
            let election = self.election;
            let decoded = Entry::decode(entry).ok();
            let kind = decoded.as_ref().map(|entry| entry.body.kind().name());
            if let Some(Entry { appender, .. }) = decoded
                && appender != desk.config.index
            {
                self.intake.turn.saw(appender, number, desk.now_ms);
            }
            let tracker = decoded.and_then(|entry| match entry.body {
                Body::Ballot(ballot) => Some(Tracker::of_hash(&sha256(ballot))),
                _ => None,
            });
            desk.notify(Notice::Ordered { election, entry: number, kind, tracker });
            let notice = match outcome {
                Ok(leaf) => Notice::Accepted { election, entry: number, leaf: *leaf },
                Err(refusal) => {
                    Notice::Refused { election, entry: number, refusal: refusal.clone() }
                }
            };
            let matter = Matter::of(entry);
            hurry |= matches!(matter, Some(Matter::Close { .. })) && outcome.is_ok();
            desk.notify(notice);
            self.refuse(number, desk);
            if let Some(matter) = matter {
                self.folded(number, &matter, desk);
            }
        }
        let phase = phase_name(&self.copy);
        if phase != self.phase {
            self.phase = phase;
            desk.notify(Notice::Phase { election: self.election, phase });
        }
        self.grown(hurry, desk);
    }

    /// Signs and posts why an entry is no leaf, if it is none.
    fn refuse(&mut self, number: u64, desk: &Desk) {
        let (Some(entry), Some(Err(refusal))) =
            (self.copy.entry(number), self.copy.outcome(number))
        else {
            return;
        };
        let ballot = match Entry::decode(entry).map(|entry| entry.body) {
            Ok(Body::Ballot(ballot)) => sha256(ballot),
            _ => [0; 32],
        };
        let authority = desk.config.index;
        let signed = SignedRefusal {
            election: self.election,
            entry: number,
            entry_hash: sha256(entry),
            ballot_hash: ballot,
            code: refusal.code.to_owned(),
            sentence: refusal.sentence.clone(),
            authority,
            signature: [0; 64],
        }
        .sign(&desk.key);
        let key = Key::Refusal { entry: number, authority }.of(self.election);
        self.outbox.put(key, signed.encode());
        self.refusals.entry(number).or_default().insert(authority, signed);
    }

    fn on_refusal_key(&mut self, entry: u64, authority: u8, value: &[u8]) {
        let Ok(refusal) = SignedRefusal::decode(value) else { return };
        let fits = (refusal.election, refusal.entry, refusal.authority)
            == (self.election, entry, authority);
        if fits && self.finality.keys_of(authority).any(|key| refusal.verify(&key)) {
            self.refusals.entry(entry).or_default().entry(authority).or_insert(refusal);
        }
    }
}

fn phase_name(copy: &LedgerCopy) -> &'static str {
    match copy.fold().phase() {
        election::Phase::Empty => "empty",
        election::Phase::Setup { .. } => "setup",
        election::Phase::Open => "open",
        election::Phase::Paused => "paused",
        election::Phase::Closed { .. } => "closed",
        election::Phase::Published => "published",
    }
}
