//! The clients: unique writes, comparisons and linearizable reads, on all nodes, all the time.
//!
//! Each client is a closed loop that is slowed down to its share of the rate. It stays with a node
//! for a while and leaves it when a call fails; every fourth client knows all nodes and lets the
//! engine choose. Everything is recorded, whatever became of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::Prng;
use client::Client;
use client::etcd::{EtcdClient, Patience};
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, Error, KeyRange, KeyValue,
    Outcome as Known, PutRequest, RangeRequest, Request, Response, TxnOperation, TxnRequest,
    TxnResult,
};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::failure::Failure;
use crate::history::{
    Answer, Call, Key, Operation, Outcome, Stored, Write, key_bytes, key_of, value_bytes, value_of,
};

/// Keys of the workload: few enough that clients meet, many enough that most do not.
const KEYS: Key = 300;

/// A client goes to another node after so many calls at the latest.
const STAY_CALLS_MAX: u64 = 40;

/// How long a client tries; short, so that a fault does not stop the load.
const PATIENCE: Patience =
    Patience { call: Duration::from_millis(900), attempt: Duration::from_millis(600) };

/// A client whose call failed waits up to so long.
const FAILED_PAUSE_MAX_MS: u64 = 60;

/// How much load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) clients: u32,
    /// Calls per second of all clients together, at most.
    pub(crate) rate: u32,
    pub(crate) seed: u64,
    /// Whether reads ask the answering node alone: for a control that must go wrong.
    pub(crate) serializable: bool,
}

/// What the clients share with the supervisor.
#[derive(Debug)]
pub(crate) struct Progress {
    begun: Instant,
    stop: AtomicBool,
    /// Answered calls.
    pub(crate) answered: AtomicU64,
    pub(crate) unknown: AtomicU64,
    /// When the last answer came, nanoseconds.
    last_answer_ns: AtomicU64,
    next_value: AtomicU64,
    operations: Mutex<Vec<Operation>>,
}

impl Progress {
    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// How long nothing has been answered.
    pub(crate) fn silence(&self) -> Duration {
        let last = self.last_answer_ns.load(Ordering::Relaxed);
        Duration::from_nanos(self.now_ns().saturating_sub(last))
    }

    /// Whether the clients are to end.
    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A value that no other write has.
    pub(crate) fn fresh_value(&self) -> u64 {
        self.next_value.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn record(&self, operation: Operation) {
        match &operation.outcome {
            Outcome::Answered { returned_ns, .. } => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                self.last_answer_ns.fetch_max(*returned_ns, Ordering::Relaxed);
            }
            Outcome::Unknown => drop(self.unknown.fetch_add(1, Ordering::Relaxed)),
            Outcome::Refused => {}
        }
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    }

    /// Takes all that was recorded; to be called when everybody who records has ended.
    pub(crate) fn take_operations(&self) -> Vec<Operation> {
        std::mem::take(&mut self.operations.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) progress: Arc<Progress>,
    clients: JoinSet<()>,
}

impl Load {
    /// Starts all clients; `endpoints` are the client listeners of the nodes.
    pub(crate) fn start(settings: Settings, endpoints: &[String]) -> Result<Self, Failure> {
        let progress = Arc::new(Progress {
            begun: Instant::now(),
            stop: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            last_answer_ns: AtomicU64::new(0),
            next_value: AtomicU64::new(1),
            operations: Mutex::new(Vec::new()),
        });
        let mut clients = JoinSet::new();
        for number in 0..settings.clients {
            let stores = stores(number, endpoints)?;
            let every = Duration::from_secs(1) * settings.clients / settings.rate.max(1);
            let worker = Worker {
                number,
                stores,
                every,
                random: Prng::named(settings.seed, &format!("client/{number}")),
                progress: Arc::clone(&progress),
                serializable: settings.serializable,
                seen: vec![0; usize::from(KEYS)],
            };
            clients.spawn(worker.run());
        }
        Ok(Self { progress, clients })
    }

    /// Tells everybody to end and waits for the clients.
    pub(crate) async fn end(mut self) -> Result<(), Failure> {
        self.progress.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.map_err(Failure::because("a client broke"))?;
        }
        Ok(())
    }
}

/// What one client talks to, with the number that is recorded.
fn stores(number: u32, endpoints: &[String]) -> Result<Vec<(u8, EtcdClient)>, Failure> {
    let connect = |some: &[String]| {
        let client = EtcdClient::connect(some).map_err(Failure::because("cannot connect"))?;
        Ok(client.with_patience(PATIENCE))
    };
    if number % 4 == 3 {
        return Ok(vec![(0, connect(endpoints)?)]);
    }
    let each = (1..).zip(endpoints.chunks(1));
    each.map(|(node, one)| Ok((node, connect(one)?))).collect()
}

struct Worker {
    number: u32,
    stores: Vec<(u8, EtcdClient)>,
    every: Duration,
    random: Prng,
    progress: Arc<Progress>,
    serializable: bool,
    /// The last change this client saw of each key.
    seen: Vec<i64>,
}

impl Worker {
    async fn run(mut self) {
        let mut store = self.random.below(self.stores.len() as u64) as usize;
        let mut stays = self.random.below(STAY_CALLS_MAX);
        while !self.progress.is_over() {
            let begun = Instant::now();
            let is_answered = self.one(store).await;
            stays = stays.saturating_sub(1);
            if !is_answered || stays == 0 {
                store = (store + 1) % self.stores.len();
                stays = self.random.between(1, STAY_CALLS_MAX);
            }
            if !is_answered {
                sleep(Duration::from_millis(self.random.below(FAILED_PAUSE_MAX_MS))).await;
            }
            // Half to one and a half of a client's share, so that clients do not keep step.
            let pause = self.every.mul_f64(0.5 + self.random.below(1_000) as f64 / 1e3);
            sleep(pause.saturating_sub(begun.elapsed())).await;
        }
    }

    /// One call; whether it was answered.
    async fn one(&mut self, store: usize) -> bool {
        let call = self.call();
        let (node, client) = self.stores[store].clone();
        let called_ns = self.progress.now_ns();
        let result = client.call(request(&call, self.serializable)).await;
        let returned_ns = self.progress.now_ns();
        let outcome = outcome(result, returned_ns);
        let is_answered = matches!(outcome, Outcome::Answered { .. });
        self.learn(&call, &outcome);
        let operation = Operation { client: self.number, node, called_ns, call, outcome };
        self.progress.record(operation);
        is_answered
    }

    fn call(&mut self) -> Call {
        let first = self.random.below(u64::from(KEYS)) as Key;
        let second = (first + 1 + self.random.below(u64::from(KEYS) - 1) as Key) % KEYS;
        let kind = self.random.below(20);
        match kind {
            0..=8 => return Call::Read { first, end: first + 1 },
            9 => return Call::Read { first, end: (first + 12).min(KEYS) },
            _ => {}
        }
        let value = self.progress.fresh_value();
        let mut write = Write { puts: vec![first], value, ..Write::default() };
        match kind {
            10..=14 => {}
            15 => write.puts.push(second),
            16 => write.delete = Some(second),
            _ => write.compare = Some((first, self.seen[usize::from(first)])),
        }
        Call::Write(write)
    }

    /// Remembers what comparisons will be made with.
    fn learn(&mut self, call: &Call, outcome: &Outcome) {
        let Outcome::Answered { answer, .. } = outcome else { return };
        match (call, answer) {
            (Call::Write(write), Answer::Written { revision, .. }) => {
                for key in &write.puts {
                    self.seen[usize::from(*key)] = *revision;
                }
                if let Some(key) = write.delete {
                    self.seen[usize::from(key)] = 0;
                }
            }
            (Call::Write(Write { compare: Some((key, _)), .. }), answer) => {
                self.seen[usize::from(*key)] = 0;
                self.learn_found(answer);
            }
            (Call::Read { first, end }, answer) => {
                self.seen[usize::from(*first)..usize::from(*end)].fill(0);
                self.learn_found(answer);
            }
            _ => {}
        }
    }

    fn learn_found(&mut self, answer: &Answer) {
        let (Answer::Read { found, .. } | Answer::Unequal { found, .. }) = answer else { return };
        for stored in found {
            if let Some(seen) = self.seen.get_mut(usize::from(stored.key)) {
                *seen = stored.mod_revision;
            }
        }
    }
}

fn put(key: Key, Write { value, lease, .. }: &Write) -> PutRequest {
    let (key, value) = (key_bytes(key), value_bytes(*value));
    PutRequest { key, value, lease: *lease, ..PutRequest::default() }
}

fn single(key: Key) -> KeyRange {
    KeyRange::single(key_bytes(key))
}

/// The call in the store's words.
pub(crate) fn request(call: &Call, serializable: bool) -> Request {
    let write = match call {
        Call::Read { first, end } => {
            let range = KeyRange { key: key_bytes(*first), range_end: key_bytes(*end) };
            return Request::Range(RangeRequest { range, serializable, ..Default::default() });
        }
        Call::Write(write) => write,
    };
    if let Write { compare: None, puts, delete: None, .. } = write
        && let [key] = puts[..]
    {
        return Request::Put(put(key, write));
    }
    let compare = write.compare.map(|(key, revision)| Compare {
        range: single(key),
        result: CompareResult::Equal,
        target: CompareTarget::Mod(revision),
    });
    let puts = write.puts.iter().map(|key| TxnOperation::Put(put(*key, write)));
    let delete = write.delete.map(|key| {
        let range = single(key);
        TxnOperation::DeleteRange(DeleteRangeRequest { range, ..DeleteRangeRequest::default() })
    });
    let look = write.compare.map(|(key, _)| {
        TxnOperation::Range(RangeRequest { range: single(key), ..RangeRequest::default() })
    });
    Request::Txn(TxnRequest {
        compare: compare.into_iter().collect(),
        success: puts.chain(delete).collect(),
        failure: look.into_iter().collect(),
    })
}

/// A key as the store holds it; a key or value of somebody else becomes one that nobody wrote.
pub(crate) fn stored(kv: &KeyValue) -> Stored {
    Stored {
        key: key_of(&kv.key).unwrap_or(Key::MAX),
        value: value_of(&kv.value),
        create_revision: kv.create_revision,
        mod_revision: kv.mod_revision,
        version: kv.version,
        lease: kv.lease,
    }
}

pub(crate) fn outcome(result: Result<Response, Error>, returned_ns: u64) -> Outcome {
    let answer = match result {
        Err(error) if error.outcome() == Known::NotApplied => return Outcome::Refused,
        Err(_) => return Outcome::Unknown,
        Ok(Response::Put(put)) => Answer::Written { revision: put.header.revision, deleted: 0 },
        Ok(Response::Range(range)) => Answer::Read {
            revision: range.header.revision,
            found: range.kvs.iter().map(stored).collect(),
        },
        Ok(Response::Txn(txn)) if txn.succeeded => {
            let deleted = txn.responses.iter().map(|response| match response {
                TxnResult::DeleteRange(delete) => u32::try_from(delete.deleted).unwrap_or(u32::MAX),
                _ => 0,
            });
            Answer::Written { revision: txn.header.revision, deleted: deleted.sum() }
        }
        Ok(Response::Txn(txn)) => {
            let found = txn.responses.iter().flat_map(|response| match response {
                TxnResult::Range(range) => range.kvs.iter().map(stored).collect(),
                _ => Vec::new(),
            });
            Answer::Unequal { revision: txn.header.revision, found: found.collect() }
        }
        // An answer to something else: the checker refuses it.
        Ok(_) => Answer::Unequal { revision: 0, found: Vec::new() },
    };
    Outcome::Answered { returned_ns, answer }
}
