//! The runtime of a node: threads, the real disk, the peers' connections, clock and figures.
//!
//! [`Node::start`] opens the folders, starts the threads of [`runtime`] and gives out a
//! [`LocalClient`] through which everything else in the process asks the store. Nothing here
//! decides on the domain: that is the [`replica`] machine.
#![forbid(unsafe_code)]

pub mod admin;
pub mod backup;
pub mod disk;
pub mod group;
mod metrics;
pub mod peer;
pub mod recovery;
mod runtime;
pub mod usage;

pub use metrics::{Metrics, RecentCommits};
pub use runtime::replica::Leadership;

use backup::Backups;
use base::Prng;
use bytes::Bytes;
use client::local::{LocalClient, Operation};
use disk::RealDisk;
use group::{Group, GroupView, WishCall};
use peer::Peers;
use peer::accept::Acceptor;
use raft::{LeaderLease, LogIndex, MemberId, Membership, RoleName};
use replica::{LogKeeping, LogStore, Replica, StateStore, Timing};
use runtime::Fatal;
use runtime::log::LogThread;
use runtime::replica::{Inputs, Outputs, ReplicaThread};
use runtime::state::{SharedState, StateThread};
use runtime::watch::WatchThread;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;
use storage::{Owner, ValueLogOptions, WalOptions};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

/// Messages from peers that may wait for the replica; the connections wait then.
const FROM_PEERS_MAX: usize = 4096;

/// What a node is told at start.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Id of the cluster; all members have the same.
    pub cluster: u64,
    /// This member.
    pub member: u64,
    /// Members with their peer addresses, this one included: the founding ones when the cluster
    /// is new, otherwise those whose addresses are known.
    pub members: BTreeMap<u64, SocketAddr>,
    /// This member is to be taken in by a cluster that is there already: with an empty folder it
    /// waits for that instead of founding one.
    pub joins: bool,
    /// What of the log is kept.
    pub log_keeping: LogKeeping,
    /// Bytes of snapshots sent in a second, at most.
    pub snapshot_bytes_per_second: u64,
    /// Reads by the leader's lease, with this bound on how wrong any member's clock may run, in
    /// parts per million. Off by default: with a worse clock a read can be stale.
    pub lease_drift_ppm: Option<u64>,
    /// Folder for log and state.
    pub data_dir: PathBuf,
    /// Durations.
    pub timing: Timing,
    /// Seed of timeouts and lease ids; different on each node and at each start.
    pub seed: u64,
    /// Version of the binary, for the figures.
    pub version: String,
    /// Slows the disk down; released by default.
    pub disk_brake: disk::Brake,
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
    group: Group,
    backups: Backups,
    fatal: Fatal,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// The parts of a member after its folders were opened.
struct Opened {
    log: LogStore<RealDisk>,
    state: SharedState<RealDisk>,
    replica: Replica,
    membership: Membership,
}

/// The node's ends of the queues of [`Group`].
struct GroupEnds {
    wishes: mpsc::Receiver<WishCall>,
    view: watch::Sender<GroupView>,
    trace: broadcast::Sender<String>,
}

fn group_ends() -> (Group, GroupEnds) {
    let (wishes, wished) = mpsc::channel(group::WISHES_MAX);
    let (view_in, view) = watch::channel(GroupView::default());
    let (trace, _) = broadcast::channel(group::TRACE_LINES_MAX);
    let ends = GroupEnds { wishes: wished, view: view_in, trace: trace.clone() };
    (Group { wishes, view, trace }, ends)
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
        let (stop, _) = watch::channel(false);
        let first = Leadership { role: RoleName::Follower, term: 0, leader: None };
        let (leadership_in, leadership) = watch::channel(first);
        let (group, ends) = group_ends();
        let backups = Backups {
            state: opened.state.clone(),
            group: group.clone(),
            cluster: config.cluster,
            version: config.version.clone(),
            bytes_per_second: config.snapshot_bytes_per_second,
            fatal: fatal.clone(),
        };
        let threads = Vec::new();
        let mut node = Self { client, metrics, leadership, group, backups, fatal, stop, threads };
        node.spawn_all(&config, opened, peers, operations, (leadership_in, ends))?;
        Ok(node)
    }

    /// The way to its part in the group: members, leader, trace.
    pub fn group(&self) -> Group {
        self.group.clone()
    }

    /// The way to a copy of its state.
    pub fn backups(&self) -> Backups {
        self.backups.clone()
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
        (leadership, ends): (watch::Sender<Leadership>, GroupEnds),
    ) -> Result<(), StartError> {
        let stop = self.stop.subscribe();
        let (completions, completed) = mpsc::unbounded_channel();
        let (log, log_orders) = std::sync::mpsc::channel();
        let (state, state_orders) = std::sync::mpsc::channel();
        let (reads, read_orders) = std::sync::mpsc::channel();
        let (watches, watch_orders) = std::sync::mpsc::channel();
        let (from_peers_in, from_peers) = mpsc::channel(FROM_PEERS_MAX);
        let shared = opened.state;
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
            completions: completions.clone(),
            watches: watches.clone(),
            metrics: metrics.clone(),
            fatal: fatal.clone(),
        };
        self.spawn("state", move || state_thread.run())?;
        let (readable, met) = (shared.clone(), completions.clone());
        self.spawn("read", move || runtime::read::run(&readable, &read_orders, &met))?;
        let watch_thread = WatchThread::new(shared, watch_orders, metrics.clone(), completions);
        self.spawn("watch", move || watch_thread.run())?;

        let mut random = Prng::named(config.seed, "node");
        let member = MemberId::new(config.member);
        let addresses = config.members.iter().map(|(id, address)| (MemberId::new(*id), *address));
        let links = Peers::new(
            config.cluster,
            member,
            metrics.clone(),
            random.fork("peers"),
            addresses.collect(),
        );
        let GroupEnds { wishes, view: group, trace } = ends;
        let outputs =
            Outputs { log, state, reads, watches, peers: links, leadership, group, trace };
        let thread = ReplicaThread {
            replica: opened.replica,
            outputs,
            metrics,
            random,
            tick: Duration::from_millis(config.timing.tick_ms),
            callers: HashMap::new(),
            wishers: HashMap::new(),
            next_call: 0,
            fatal: self.fatal.clone(),
            born: Instant::now(),
            reads_clock: config.lease_drift_ppm.is_some(),
        };
        let acceptor = Acceptor { cluster: config.cluster, member, events: from_peers_in };
        let inputs = Inputs { operations, from_peers, completions: completed, wishes, stop };
        self.spawn_replica(thread, inputs, peers, acceptor, opened.membership)
    }

    fn spawn_replica(
        &mut self,
        mut thread: ReplicaThread,
        inputs: Inputs,
        peers: std::net::TcpListener,
        acceptor: Acceptor,
        membership: Membership,
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
                thread.outputs.peers.begin(&membership);
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
    let named = |name: &str| config.data_dir.join(name).display().to_string();
    let folder = |name: &str| {
        RealDisk::open(config.data_dir.join(name))
            .map(|disk| disk.with_brake(config.disk_brake.clone()))
            .map_err(|e| failed(&named(name))(&e))
    };
    let founders = config.members.iter().filter(|_| !config.joins);
    let founding = Membership::founding(
        founders.map(|(id, address)| (MemberId::new(*id), Bytes::from(address.to_string()))),
    );
    let log = LogStore::open(folder("log")?, WalOptions::new(owner), founding.clone())
        .map_err(|e| failed(&named("log"))(&e))?;
    if let Some(loss) = log.loss() {
        tracing::error!(
            damage = %loss.damage,
            first_missing = loss.first_missing,
            salvaged = loss.salvaged.len(),
            "the log was damaged; this member does not vote until the others have filled it again"
        );
    }
    let folders = [folder("state")?, folder("state-other")?];
    let state = StateStore::open(folders, ValueLogOptions::new(owner), log.generation())
        .map_err(|e| failed(&named("state"))(&e))?;
    if let Some(cut) = state.cut() {
        tracing::warn!(
            offset = cut.offset,
            dropped_bytes = cut.dropped_bytes,
            damaged = cut.damaged,
            "the end of the state was cut; the log or a snapshot brings it back"
        );
    }
    let applied = LogIndex::new(state.applied());
    let recovered =
        log.recovered(applied).map_err(|e| failed(&config.data_dir.display().to_string())(&e))?;
    tracing::info!(
        member = config.member,
        start = log.starts(),
        term = recovered.hard_state.term.get(),
        base = recovered.base.index.get(),
        last = recovered.last.index.get(),
        applied = applied.get(),
        "opened log and state"
    );
    let membership =
        recovered.memberships.last().map(|(_, membership)| membership.clone()).unwrap_or_default();
    let salvaged = log.salvaged().map_err(|e| failed(&named("log"))(&e))?;
    let replica_config = replica_config(config, &log, founding);
    let replica = Replica::new(replica_config, recovered, salvaged, state.summary())
        .map_err(|e| failed("configuration")(&e))?;
    let state = SharedState::new(state);
    Ok(Opened { log, state, replica, membership })
}

fn replica_config(
    config: &NodeConfig,
    log: &LogStore<RealDisk>,
    founding: Membership,
) -> replica::Config {
    let tick_ns = config.timing.tick_ms * 1_000_000;
    let lease = |drift_ppm_max| LeaderLease { tick_ns, drift_ppm_max };
    replica::Config {
        timing: config.timing,
        seed: config.seed,
        admission: log.admission(),
        founding,
        hints: config.members.keys().copied().map(MemberId::new).collect(),
        log_keeping: config.log_keeping,
        snapshot_bytes_per_second: config.snapshot_bytes_per_second,
        raft: raft::Config {
            // Always, so that leases can be switched on at one node after another.
            waits_at_start: true,
            leader_lease: config.lease_drift_ppm.map(lease),
            ..raft::Config::new(MemberId::new(config.member), log.starts())
        },
    }
}
