//! The runtime of a node: threads, the real disk, the peers' connections, clock and figures.
//!
//! [`Node::start`] opens the folders, starts the threads of [`runtime`] and gives out a
//! [`LocalClient`] through which everything else in the process asks the store. Nothing here
//! decides on the domain: that is the [`replica`] machine.
#![forbid(unsafe_code)]

pub mod admin;
pub mod disk;
mod metrics;
pub mod peer;
mod runtime;

pub use metrics::Metrics;
pub use runtime::replica::Leadership;

use base::Prng;
use client::local::{LocalClient, Operation};
use disk::RealDisk;
use peer::accept::Acceptor;
use peer::dial::{self, Dialer};
use peer::frame::Hello;
use raft::{LogIndex, MemberId, RoleName};
use replica::{LogStore, Replica, StateStore, Timing};
use runtime::Fatal;
use runtime::log::LogThread;
use runtime::replica::{Inputs, Outputs, ReplicaThread};
use runtime::state::{SharedState, StateThread};
use runtime::watch::WatchThread;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;
use storage::{Owner, ValueLogOptions, WalOptions};
use tokio::sync::{mpsc, watch};

/// Messages from peers that may wait for the replica; the connections wait then.
const FROM_PEERS_MAX: usize = 4096;

/// What a node is told at start.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Id of the cluster; all members have the same.
    pub cluster: u64,
    /// This member.
    pub member: u64,
    /// All members with their peer addresses, this one included.
    pub members: BTreeMap<u64, SocketAddr>,
    /// Folder for log and state.
    pub data_dir: PathBuf,
    /// Durations.
    pub timing: Timing,
    /// Seed of timeouts and lease ids; different on each node and at each start.
    pub seed: u64,
    /// Version of the binary, for the figures.
    pub version: String,
}

/// A node that could not start; nothing was acknowledged.
#[derive(Debug)]
pub struct StartError(String);

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

fn failed(what: &str) -> impl Fn(&dyn std::fmt::Display) -> StartError + '_ {
    move |error| StartError(format!("{what}: {error}"))
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    client: LocalClient,
    metrics: Metrics,
    leadership: watch::Receiver<Leadership>,
    fatal: Fatal,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// The parts of a member after its folders were opened.
struct Opened {
    log: LogStore<RealDisk>,
    state: StateStore<RealDisk>,
    replica: Replica,
}

impl Node {
    /// Opens the folders and starts the threads. `peers` is the listener for the other members.
    ///
    /// # Errors
    /// [`StartError`] when a folder is another's, damaged or locked, or when log and state do
    /// not fit together.
    pub fn start(config: NodeConfig, peers: std::net::TcpListener) -> Result<Self, StartError> {
        let opened = open(&config)?;
        let metrics = Metrics::new(&config.version);
        let fatal = Fatal::default();
        let (client, operations) = client::local::channel();
        let (stop, stopped) = watch::channel(false);
        let first = Leadership { role: RoleName::Follower, term: 0, leader: None };
        let (leadership_in, leadership) = watch::channel(first);
        let mut node = Self { client, metrics, leadership, fatal, stop, threads: Vec::new() };
        node.spawn_all(&config, opened, peers, operations, stopped, leadership_in)?;
        Ok(node)
    }

    /// The way to this node's store.
    pub fn client(&self) -> LocalClient {
        self.client.clone()
    }

    /// Its figures.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Its part in consensus, as it changes.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Waits until the node cannot go on, and says why. The process is to end then.
    pub async fn failed(&self) -> String {
        self.fatal.raised().await
    }

    /// Stops all threads, with what was applied made durable.
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }

    fn spawn_all(
        &mut self,
        config: &NodeConfig,
        opened: Opened,
        peers: std::net::TcpListener,
        operations: mpsc::Receiver<Operation>,
        stop: watch::Receiver<bool>,
        leadership: watch::Sender<Leadership>,
    ) -> Result<(), StartError> {
        let (completions, completed) = mpsc::unbounded_channel();
        let (log, log_orders) = std::sync::mpsc::channel();
        let (state, state_orders) = std::sync::mpsc::channel();
        let (reads, read_orders) = std::sync::mpsc::channel();
        let (watches, watch_orders) = std::sync::mpsc::channel();
        let (from_peers_in, from_peers) = mpsc::channel(FROM_PEERS_MAX);
        let shared = SharedState::new(opened.state);
        let (metrics, fatal) = (self.metrics.clone(), self.fatal.clone());

        let log_thread = LogThread {
            store: opened.log,
            orders: log_orders,
            completions: completions.clone(),
            metrics: metrics.clone(),
            fatal: fatal.clone(),
        };
        self.spawn("log", move || log_thread.run())?;
        let state_thread = StateThread {
            state: shared.clone(),
            orders: state_orders,
            completions,
            watches: watches.clone(),
            metrics: metrics.clone(),
            fatal: fatal.clone(),
        };
        self.spawn("state", move || state_thread.run())?;
        let readable = shared.clone();
        self.spawn("read", move || runtime::read::run(&readable, &read_orders))?;
        let watch_thread = WatchThread::new(shared, watch_orders, metrics.clone(), fatal);
        self.spawn("watch", move || watch_thread.run())?;

        let mut random = Prng::named(config.seed, "node");
        let (queues, dialers) = dialers(config, &metrics, &mut random);
        let outputs = Outputs { log, state, reads, watches, peers: queues, leadership };
        let thread = ReplicaThread {
            replica: opened.replica,
            outputs,
            metrics,
            random,
            tick: Duration::from_millis(config.timing.tick_ms),
            callers: HashMap::new(),
            next_call: 0,
        };
        let acceptor = Acceptor {
            cluster: config.cluster,
            member: MemberId::new(config.member),
            members: config.members.keys().copied().map(MemberId::new).collect(),
            events: from_peers_in,
        };
        let inputs = Inputs { operations, from_peers, completions: completed, stop };
        self.spawn_replica(thread, inputs, peers, acceptor, dialers)
    }

    fn spawn_replica(
        &mut self,
        thread: ReplicaThread,
        inputs: Inputs,
        peers: std::net::TcpListener,
        acceptor: Acceptor,
        dialers: Vec<Dialer>,
    ) -> Result<(), StartError> {
        let cannot = failed("cannot start the runtime");
        peers.set_nonblocking(true).map_err(|e| cannot(&e))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| cannot(&e))?;
        let fatal = self.fatal.clone();
        self.spawn("replica", move || {
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(peers) {
                    Ok(listener) => drop(tokio::spawn(peer::accept::run(listener, acceptor))),
                    Err(error) => return fatal.raise(format!("peer listener: {error}")),
                }
                for dialer in dialers {
                    tokio::spawn(dialer.run());
                }
                thread.run(inputs).await;
            });
        })
    }

    /// A thread that panics takes the node down with it: a broken invariant is never served.
    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), StartError> {
        let fatal = self.fatal.clone();
        let named = name.to_owned();
        let guarded = move || {
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
                fatal.raise(format!("the {named} thread broke an invariant; see the log"));
            }
        };
        let builder = std::thread::Builder::new().name(name.to_owned());
        let thread = builder.spawn(guarded).map_err(|e| failed("cannot start a thread")(&e))?;
        self.threads.push(thread);
        Ok(())
    }
}

fn open(config: &NodeConfig) -> Result<Opened, StartError> {
    let owner = Owner { cluster: config.cluster, member: config.member, salt: config.seed };
    let folder = |name: &str| {
        let path = config.data_dir.join(name);
        RealDisk::open(&path).map_err(|e| failed(&path.display().to_string())(&e))
    };
    let log = LogStore::open(folder("log")?, WalOptions::new(owner))
        .map_err(|e| failed(&config.data_dir.join("log").display().to_string())(&e))?;
    let state = StateStore::open(folder("state")?, ValueLogOptions::new(owner))
        .map_err(|e| failed(&config.data_dir.join("state").display().to_string())(&e))?;
    if let Some(cut) = state.cut() {
        tracing::warn!(
            offset = cut.offset,
            dropped_bytes = cut.dropped_bytes,
            damaged = cut.damaged,
            "the end of the state was cut; the log brings it back"
        );
    }
    let applied = LogIndex::new(state.applied());
    let recovered =
        log.recovered(applied).map_err(|e| failed(&config.data_dir.display().to_string())(&e))?;
    tracing::info!(
        member = config.member,
        start = log.starts(),
        term = recovered.hard_state.term.get(),
        last = recovered.last.index.get(),
        applied = applied.get(),
        "opened log and state"
    );
    let voters: BTreeSet<MemberId> = config.members.keys().copied().map(MemberId::new).collect();
    let member = MemberId::new(config.member);
    let replica_config = replica::Config {
        timing: config.timing,
        seed: config.seed,
        raft: raft::Config::new(member, voters, log.starts()),
    };
    let replica = Replica::new(replica_config, recovered, state.summary())
        .map_err(|e| failed("configuration")(&e))?;
    Ok(Opened { log, state, replica })
}

/// One queue and one dialer per peer.
fn dialers(
    config: &NodeConfig,
    metrics: &Metrics,
    random: &mut Prng,
) -> (BTreeMap<MemberId, mpsc::Sender<replica::PeerMessage>>, Vec<Dialer>) {
    let mut queues = BTreeMap::new();
    let mut dialers = Vec::new();
    for (&id, &address) in config.members.iter().filter(|(id, _)| **id != config.member) {
        let (sender, queue) = mpsc::channel(dial::QUEUE_MAX);
        queues.insert(MemberId::new(id), sender);
        let hello = Hello { cluster: config.cluster, from: config.member, to: id };
        let (metrics, random) = (metrics.peer(id), random.fork("dial"));
        dialers.push(Dialer { hello, address, queue, metrics, random });
    }
    (queues, dialers)
}
