//! What all elections of one authority share: keys, clock, randomness, numbers for calls and
//! tickets, and the orders collected during one step.

use std::collections::BTreeMap;

use ballot::signature::SigningKey;
use election::{Appender, ElectionId};
use kv::api::{KeyRange, Request, WatchRequest};
use ledger::AuthoritySigner;

use crate::{
    api::{Answer, Config, Effect, Notice},
    journal::Record,
};

/// What a call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Publishing the own key.
    Publish,
    /// Reading the list of elections.
    Directory,
    /// Putting an election into the list again.
    Relist,
    /// One of an election's.
    Seat(ElectionId, SeatCall),
}

/// What an election called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SeatCall {
    /// A page of its keys.
    Page,
    /// Whether the store still holds what it showed.
    Audit,
    /// Putting entries back.
    Repair,
    /// Appending a batch.
    Append,
    /// Whether an append whose outcome is unknown has happened.
    Recheck,
    /// Statements, cosignatures, refusals.
    Post,
    /// Removing statements of settled heights.
    Prune,
    /// An act on keys beside the ledger; the ticket to answer.
    Setup(u64),
}

/// Whose watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watcher {
    Directory,
    Seat(ElectionId),
}

/// See the module.
pub(crate) struct Desk {
    pub(crate) config: Config,
    pub(crate) key: SigningKey,
    pub(crate) signer: AuthoritySigner,
    pub(crate) rng: chacha20::ChaCha20Rng,
    pub(crate) now_ms: u64,
    pub(crate) minutes: u32,
    /// Whether there was a tick yet.
    pub(crate) has_time: bool,
    /// Ballots that wait to be ordered, over all elections.
    pub(crate) queued: usize,
    pub(crate) calls: BTreeMap<u64, Purpose>,
    pub(crate) watches: BTreeMap<u64, Watcher>,
    next: u64,
    effects: Vec<Effect>,
}

impl Desk {
    pub(crate) fn new(config: Config, key: SigningKey, signer: AuthoritySigner) -> Self {
        let rng = rand_core::SeedableRng::from_seed(config.batch_seed);
        Self {
            config,
            key,
            signer,
            rng,
            now_ms: 0,
            minutes: 0,
            has_time: false,
            queued: 0,
            calls: BTreeMap::new(),
            watches: BTreeMap::new(),
            next: 1,
            effects: Vec::new(),
        }
    }

    pub(crate) fn appender(&self) -> Appender {
        Appender { index: self.config.index, key: self.key.clone() }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    pub(crate) fn call(&mut self, purpose: Purpose, request: Request) -> u64 {
        let call = self.number();
        self.calls.insert(call, purpose);
        self.effects.push(Effect::Call { call, request });
        call
    }

    /// Opens a watch from `start_revision` on and returns its number.
    pub(crate) fn watch(&mut self, watcher: Watcher, range: KeyRange, start_revision: i64) -> u64 {
        let watch = self.number();
        self.watches.insert(watch, watcher);
        let request = WatchRequest { range, start_revision, ..WatchRequest::default() };
        self.effects.push(Effect::Watch { watch, request });
        watch
    }

    pub(crate) fn unwatch(&mut self, watch: u64) {
        if self.watches.remove(&watch).is_some() {
            self.effects.push(Effect::Unwatch { watch });
        }
    }

    /// Orders a record to be made durable and returns its ticket.
    pub(crate) fn persist(&mut self, election: ElectionId, record: &Record) -> u64 {
        let ticket = self.number();
        self.effects.push(Effect::Persist { ticket, record: record.encode(election) });
        ticket
    }

    pub(crate) fn answer(&mut self, ticket: u64, answer: Answer) {
        self.effects.push(Effect::Answer { ticket, answer });
    }

    pub(crate) fn notify(&mut self, notice: Notice) {
        self.effects.push(Effect::Notify(notice));
    }

    /// Everything ordered since the last call.
    pub(crate) fn take(&mut self) -> Vec<Effect> {
        core::mem::take(&mut self.effects)
    }
}

/// SHA-256, the name of ballots and entries.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}
