//! Authorities around one store in memory, stepped until nothing moves: no threads, no waiting.

use std::collections::{BTreeMap, VecDeque};

use authority::{
    Act, Answer, Authority, Comparison, Config, Effect, Event, Notice,
    testing::{TestStore, key_name, key_seed, own_keys},
};
use base::Machine;
use bytes::Bytes;
use election::{
    Act as Signed, ElectionId, keys,
    testing::{STAMP, TestElection},
};
use kv::api::{Error, Header, KeyRange, RangeRequest, Request, Response, WatchResponse};
use ledger::SignedCheckpoint;

/// One authority and what its process holds.
pub(crate) struct Node {
    pub(crate) authority: Authority,
    /// Of its key.
    seed: [u8; 32],
    pub(crate) config: Config,
    pub(crate) journal: Vec<Bytes>,
    pub(crate) answers: BTreeMap<u64, Answer>,
    pub(crate) notices: Vec<Notice>,
    watches: BTreeMap<u64, (KeyRange, i64)>,
    events: VecDeque<Event>,
    /// Whether it hears and does nothing.
    pub(crate) stopped: bool,
    /// Whether its watches deliver nothing.
    deaf: bool,
    /// Pages of the store that it has read.
    pub(crate) pages: usize,
    /// The next writing call happens, but its outcome is reported as unknown.
    pub(crate) lose_reply: bool,
}

pub(crate) struct Cluster {
    pub(crate) store: TestStore,
    pub(crate) nodes: Vec<Node>,
    pub(crate) election: TestElection,
    /// The cluster's clock.
    pub(crate) minutes: u32,
    now_ms: u64,
    next_ticket: u64,
}

impl Cluster {
    /// The authorities of `election`, which is not created yet.
    pub(crate) fn new(election: TestElection) -> Self {
        let election = own_keys(election);
        let count = election.manifest.authorities.len() as u8;
        let nodes = (1..=count).map(Node::new).collect();
        let (store, minutes) = (TestStore::default(), STAMP);
        let mut cluster = Self { store, nodes, election, minutes, now_ms: 1, next_ticket: 1 };
        for node in &mut cluster.nodes {
            node.events.push_back(Event::Started);
        }
        cluster.pass(100);
        cluster
    }

    pub(crate) fn id(&self) -> ElectionId {
        self.election.id()
    }

    /// Time goes by in steps of 20 ms; after each everything that follows has happened.
    pub(crate) fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(20) {
            self.now_ms += 20;
            for node in &mut self.nodes {
                let ticked = Event::Ticked { now_ms: self.now_ms, minutes: self.minutes };
                node.events.push_back(ticked);
            }
            self.settle();
        }
    }

    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for node in &mut self.nodes {
                moved |= node.run(&mut self.store);
            }
            if !moved {
                return;
            }
        }
    }

    /// Hands a ballot to a node, which takes it at once, and returns the ticket.
    pub(crate) fn submit(&mut self, node: usize, ballot: &[u8]) -> u64 {
        let ticket = self.hand_in(node, ballot);
        self.settle();
        ticket
    }

    /// Lays a ballot before a node and returns the ticket.
    pub(crate) fn hand_in(&mut self, node: usize, ballot: &[u8]) -> u64 {
        let (ticket, election) = (self.next_ticket, self.id());
        self.next_ticket += 1;
        let ballot = Bytes::copy_from_slice(ballot);
        self.nodes[node].events.push_back(Event::Submitted { ticket, election, ballot });
        ticket
    }

    /// Hands an act to a node, lets a second pass, and returns the answer.
    pub(crate) fn act(&mut self, node: usize, act: Act) -> Answer {
        let (ticket, election) = (self.next_ticket, self.id());
        self.next_ticket += 1;
        self.nodes[node].events.push_back(Event::Administered { ticket, election, act });
        self.pass(1_000);
        self.nodes[node].answers.remove(&ticket).expect("an act is answered")
    }

    /// From the draft to the opening.
    pub(crate) fn open(&mut self) {
        self.set_up();
        let fingerprint = self.election.manifest.fingerprint();
        let signature = Signed::Open.sign(&fingerprint, &self.election.admin);
        let answer = self.act(0, Act::Open { signature });
        assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    }

    /// Everything before the opening, spread over the nodes.
    pub(crate) fn set_up(&mut self) {
        let election = &self.election;
        let draft = Bytes::from(election.draft.encode());
        let signature = election.draft.sign(&election.admin);
        let chunks = election.roll.chunks().into_iter().map(Bytes::from).collect();
        let trustees = election.trustees.len() as u8;
        let messages: Vec<Bytes> = election.messages.iter().cloned().map(Bytes::from).collect();
        let manifest = election.manifest.clone();
        let fingerprint = manifest.fingerprint();
        let seal = Signed::Seal.sign(&fingerprint, &election.admin);
        let trustee_keys: Vec<_> =
            election.trustees.iter().map(|trustee| trustee.signing_key()).collect();
        let last = self.nodes.len() - 1;
        self.must(0, Act::Create { draft, signature });
        self.must(last, Act::ImportRoll { chunks });
        for (at, message) in (0u8..).zip(messages) {
            let (round, trustee) = (at / trustees + 1, at % trustees + 1);
            self.must(0, Act::Ceremony { round, trustee, message });
        }
        self.must(0, Act::Seal { manifest: manifest.encode().into(), signature: seal });
        for (trustee, key) in (1u8..).zip(trustee_keys) {
            let endorser = election::Endorser::Trustee(trustee);
            let signature = Signed::Endorse(endorser).sign(&fingerprint, &key);
            self.must(last, Act::Endorse { trustee, signature });
        }
    }

    fn must(&mut self, node: usize, act: Act) {
        let name = format!("{act:?}");
        let answer = self.act(node, act);
        assert!(matches!(answer, Answer::Done { .. }), "{answer:?} to {name:.100}");
    }

    /// Kills a node: what was not durable is gone.
    pub(crate) fn restart(&mut self, node: usize) {
        let old = &mut self.nodes[node];
        old.authority = Authority::new(old.config.clone(), &old.seed, old.journal.clone())
            .expect("the journal is whole");
        old.watches.clear();
        old.events.clear();
        old.events.push_back(Event::Started);
        old.stopped = false;
    }

    /// A node loses its folder and starts again with a new key, which is returned.
    pub(crate) fn lose_folder(&mut self, node: usize, seed: [u8; 32]) -> [u8; 32] {
        let old = &mut self.nodes[node];
        (old.seed, old.journal) = (seed, Vec::new());
        self.restart(node);
        *self.nodes[node].authority.key().public()
    }

    /// A node loses its journal, but not its key: as if it were behind from the beginning.
    pub(crate) fn lose_journal(&mut self, node: usize) {
        self.nodes[node].journal.clear();
        self.restart(node);
    }

    /// Watches deliver nothing, or deliver again.
    pub(crate) fn deaf(&mut self, deaf: bool) {
        for node in &mut self.nodes {
            node.deaf = deaf;
        }
    }

    /// Shows a node a checkpoint.
    pub(crate) fn show(&mut self, node: usize, note: &SignedCheckpoint) -> Comparison {
        let (ticket, election) = (self.next_ticket, self.id());
        self.next_ticket += 1;
        let note = Box::new(note.clone());
        self.nodes[node].events.push_back(Event::Compared { ticket, election, note });
        self.settle();
        match self.nodes[node].answers.remove(&ticket) {
            Some(Answer::Compared(comparison)) => comparison,
            other => panic!("{other:?} to a checkpoint"),
        }
    }

    /// How many keys of the election start with this tail.
    pub(crate) fn count_keys(&mut self, tail: &str) -> usize {
        let prefix = [&keys::prefix(self.id())[..], tail.as_bytes()].concat();
        let range = RangeRequest {
            range: KeyRange::prefix(prefix),
            keys_only: true,
            ..RangeRequest::default()
        };
        match self.store.call(&Request::Range(range)) {
            Ok(Response::Range(found)) => found.kvs.len(),
            other => panic!("{other:?} to a range"),
        }
    }

    /// The store is another one from now on; connections to the old one are gone.
    pub(crate) fn replace_store(&mut self, store: TestStore) {
        self.store = store;
        for node in &mut self.nodes {
            node.end_watches();
        }
    }

    pub(crate) fn view(&self, node: usize) -> authority::ElectionView<'_> {
        self.nodes[node].authority.election(self.election.id()).expect("the node knows it")
    }

    /// Every node has everything, and everything is final.
    pub(crate) fn assert_settled(&self, nodes: impl IntoIterator<Item = usize>) {
        for node in nodes {
            let view = self.view(node);
            let (size, last) = (view.fold().tree().size(), view.final_size());
            assert!(view.is_settled(), "node {node}: {last} of {size} are final");
        }
    }

    pub(crate) fn alarms(&self, node: usize) -> Vec<&str> {
        fn alarm(notice: &Notice) -> Option<&str> {
            match notice {
                Notice::Alarm { what, .. } => Some(what),
                _ => None,
            }
        }
        self.nodes[node].notices.iter().filter_map(alarm).collect()
    }
}

impl Node {
    fn new(index: u8) -> Self {
        let config = Config::new(index, &key_name(index), [index; 32]);
        Self {
            authority: Authority::new(config.clone(), &key_seed(index), []).expect("a fresh start"),
            seed: key_seed(index),
            config,
            journal: Vec::new(),
            answers: BTreeMap::new(),
            notices: Vec::new(),
            watches: BTreeMap::new(),
            events: VecDeque::new(),
            stopped: false,
            deaf: false,
            pages: 0,
            lose_reply: false,
        }
    }

    fn end_watches(&mut self) {
        let ended = core::mem::take(&mut self.watches).into_keys();
        self.events.extend(ended.map(|watch| Event::WatchEnded { watch }));
    }

    /// Takes all that waits; whether anything did.
    fn run(&mut self, store: &mut TestStore) -> bool {
        if self.stopped {
            self.events.clear();
            return false;
        }
        let heard = self.watches.iter_mut().filter(|_| !self.deaf);
        for (watch, (range, next)) in heard {
            for (revision, events) in store.changes(range, *next) {
                *next = revision + 1;
                let header = Header { revision, raft_term: 1 };
                let message = WatchResponse::Events { header, events };
                self.events.push_back(Event::Watched { watch: *watch, message });
            }
        }
        let moved = !self.events.is_empty();
        while let Some(event) = self.events.pop_front() {
            for effect in self.authority.step(event) {
                self.perform(effect, store);
            }
        }
        moved
    }

    fn perform(&mut self, effect: Effect, store: &mut TestStore) {
        match effect {
            Effect::Call { call, request } => {
                self.pages += usize::from(matches!(&request, Request::Range(_)));
                let mut result = store.call(&request);
                let appends = matches!(&request, Request::Txn(txn) if !txn.compare.is_empty());
                if appends && core::mem::take(&mut self.lose_reply) {
                    result = Err(Error::OutcomeUnknown);
                }
                self.events.push_back(Event::Replied { call, result });
            }
            Effect::Watch { watch, request } => {
                let header = Header { revision: store.revision(), raft_term: 1 };
                let message = WatchResponse::Created { header };
                self.watches.insert(watch, (request.range, request.start_revision));
                self.events.push_back(Event::Watched { watch, message });
            }
            Effect::Unwatch { watch } => drop(self.watches.remove(&watch)),
            Effect::Persist { ticket, record } => {
                self.journal.push(record);
                self.events.push_back(Event::Persisted { ticket });
            }
            Effect::Answer { ticket, answer } => {
                let before = self.answers.insert(ticket, answer);
                assert!(before.is_none(), "ticket {ticket} was answered twice");
            }
            Effect::Notify(notice) => self.notices.push(notice),
        }
    }
}
