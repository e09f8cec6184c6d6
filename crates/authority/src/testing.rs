//! A store in memory for tests: the real key-value machine, without members, and with a history
//! that can be set back.

use ballot::signature::SigningKey;
use election::{Appender, Authority, testing::TestElection};
use kv::{
    Kv, MemoryBacking,
    api::{Error, Event, KeyRange, Request, Response},
    command::{Body, CallOrigin, Envelope},
};
use ledger::AuthoritySigner;

/// SHA-256, the name of a ballot.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    crate::desk::sha256(bytes)
}

/// The seed of authority `index`'s key in an election made by [`own_keys`].
pub fn key_seed(index: u8) -> [u8; 32] {
    let mut seed = [0xa5; 32];
    seed[0] = index;
    seed
}

/// The name of authority `index` in such an election.
pub fn key_name(index: u8) -> String {
    format!("node-{index}.vote.example")
}

/// Gives the authorities of an election keys whose seeds are known.
///
/// # Panics
/// When the election is not a valid one.
#[must_use]
pub fn own_keys(mut election: TestElection) -> TestElection {
    let indexes = 1..=election.manifest.authorities.len() as u8;
    let signer = |index| AuthoritySigner::from_seed(&key_name(index), &key_seed(index));
    election.signers =
        indexes.clone().map(|index| signer(index).expect("the name is printable")).collect();
    election.appenders = indexes
        .map(|index| Appender { index, key: SigningKey::from_seed(&key_seed(index)) })
        .collect();
    let keys = (1..).zip(&election.signers);
    election.manifest.authorities =
        keys.map(|(index, signer)| Authority { index, key: signer.key().clone() }).collect();
    election.context = election.manifest.ballot_context().ok();
    election
}

/// One store. Cloning gives another one with the same history.
pub struct TestStore {
    kv: Kv<MemoryBacking>,
    commands: Vec<Request>,
}

impl Default for TestStore {
    fn default() -> Self {
        let kv = Kv::open(MemoryBacking::default()).expect("an empty store opens");
        Self { kv, commands: Vec::new() }
    }
}

impl Clone for TestStore {
    fn clone(&self) -> Self {
        self.set_back(self.commands.len())
    }
}

impl TestStore {
    /// Answers a call at once.
    ///
    /// # Errors
    /// What the store says.
    ///
    /// # Panics
    /// When the store halts: nothing in it can be damaged.
    pub fn call(&mut self, request: &Request) -> Result<Response, Error> {
        request.check()?;
        if !request.is_write() {
            return self.kv.read(request, 1);
        }
        self.commands.push(request.clone());
        let body = Body::Write(request.clone());
        let envelope = Envelope { origin: CallOrigin::default(), body };
        let index = self.commands.len() as u64;
        self.kv.apply(index, 1, &envelope).expect("nothing is damaged").result
    }

    /// The newest revision.
    pub fn revision(&self) -> i64 {
        self.kv.revision()
    }

    /// Writes so far, failed comparisons included.
    pub fn commands(&self) -> usize {
        self.commands.len()
    }

    /// The store as it was after so many writes: what a restored backup or a lossy failover is.
    #[must_use]
    pub fn set_back(&self, commands: usize) -> Self {
        let mut store = Self::default();
        for request in &self.commands[..commands] {
            // What was refused then is refused again.
            store.call(request).ok();
        }
        store
    }

    /// Changes in a range from a revision on, by revision.
    ///
    /// # Panics
    /// When the history cannot be read.
    pub fn changes(&self, range: &KeyRange, from_revision: i64) -> Vec<(i64, Vec<Event>)> {
        if from_revision > self.revision() {
            return Vec::new();
        }
        let all = self.kv.changes(from_revision, usize::MAX).expect("nothing is damaged");
        let of_range = all.into_iter().map(|change| {
            let events = change.events.into_iter().filter(|event| range.contains(&event.kv.key));
            (change.revision, events.collect::<Vec<_>>())
        });
        of_range.filter(|(_, events)| !events.is_empty()).collect()
    }
}
