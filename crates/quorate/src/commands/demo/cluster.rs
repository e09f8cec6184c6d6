//! The demonstration's nodes: `quorate serve` processes on loopback, each with its own folder.

use super::Failure;
use super::children::{Program, last_lines};
use super::links::Links;
use crate::exit;
use client::etcd::{EtcdClient, Patience};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::process::Child;
use tokio::sync::{Mutex, watch};

/// How long a node may take to be ready: recovery, a campaign, a busy machine.
const READY_PATIENCE: Duration = Duration::from_secs(60);
/// How long a node may take to stop cleanly.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const POLL: Duration = Duration::from_millis(50);
/// How long a node may take to say who leads.
const LOOK: Patience =
    Patience { call: Duration::from_millis(250), attempt: Duration::from_millis(250) };

/// Where one node listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) peer: SocketAddr,
    pub(super) client: SocketAddr,
    pub(super) web: SocketAddr,
    pub(super) admin: SocketAddr,
}

/// What a node's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Process {
    /// It has been started and is not ready yet.
    Starting,
    /// It runs.
    Running,
    /// It is stopped in the middle of what it did (SIGSTOP).
    Paused,
    /// It is gone.
    Killed,
}

/// One node.
#[derive(Debug)]
struct Node {
    id: u64,
    addresses: Addresses,
    /// Where the other nodes reach it: over a wire that can be cut.
    wire: SocketAddr,
    child: Mutex<Option<Child>>,
}

/// All nodes; every copy means the same ones.
#[derive(Clone, Debug)]
pub(super) struct Cluster(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: Program,
    folder: PathBuf,
    token_file: PathBuf,
    nodes: Vec<Node>,
    http: reqwest::Client,
    links: Links,
    /// What each process does, and how many milliseconds a sync takes longer than it must.
    states: watch::Sender<Vec<(Process, u64)>>,
    /// One client for each node, so that one that hangs holds up no other.
    stores: Vec<EtcdClient>,
}

/// Where the nodes find their supervisor and their brakes, below the demonstration's folder.
pub(super) const CONTROL: &str = "control";

impl Cluster {
    /// Starts `count` nodes in `folder` and waits until all are ready.
    pub(super) async fn start(
        program: Program,
        folder: &Path,
        token_file: PathBuf,
        count: u64,
    ) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(2))
            .build()
            .map_err(Failure::because(exit::FAILED, "no HTTP client"))?;
        let links = Links::new();
        let mut nodes = Vec::new();
        for (id, addresses) in (1..).zip(free_addresses(count)?) {
            let wire = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
            let wire = wire.map_err(Failure::because(exit::UNAVAILABLE, "no free port"))?;
            let at = wire.local_addr().map_err(Failure::because(exit::FAILED, "listener"))?;
            links.carry(wire, id, addresses.peer);
            nodes.push(Node { id, addresses, wire: at, child: Mutex::new(None) });
        }
        let store = |node: &Node| {
            let client = EtcdClient::connect([node.addresses.client.to_string()]);
            client.map(|client| client.with_patience(LOOK))
        };
        let stores = nodes.iter().map(store).collect::<Result<_, _>>();
        let stores = stores.map_err(|error| Failure::new(exit::FAILED, error))?;
        let states = watch::Sender::new(vec![(Process::Killed, 0); nodes.len()]);
        let folder = folder.to_owned();
        let cluster = Self(Arc::new(Shared {
            program,
            folder,
            token_file,
            nodes,
            http,
            links,
            states,
            stores,
        }));
        for place in 0..cluster.len() {
            cluster.spawn(place).await?;
        }
        for place in 0..cluster.len() {
            cluster.wait_ready(place).await?;
        }
        Ok(cluster)
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.0.nodes.len()
    }

    /// Numbers and addresses of the nodes.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (u64, Addresses)> + '_ {
        self.0.nodes.iter().map(|node| (node.id, node.addresses))
    }

    /// Addresses of the node at a place.
    pub(super) fn address(&self, place: usize) -> Addresses {
        self.0.nodes[place].addresses
    }

    /// Base addresses of the web listeners.
    pub(super) fn web_urls(&self) -> Vec<String> {
        self.addresses().map(|(_, addresses)| format!("http://{}", addresses.web)).collect()
    }

    /// Addresses of the store's client listeners.
    pub(super) fn client_addresses(&self) -> Vec<String> {
        self.addresses().map(|(_, addresses)| addresses.client.to_string()).collect()
    }

    /// Number of the node at a place.
    pub(super) fn id(&self, place: usize) -> u64 {
        self.0.nodes[place].id
    }

    /// The place of the node with a number.
    pub(super) fn place(&self, id: u64) -> Option<usize> {
        self.0.nodes.iter().position(|node| node.id == id)
    }

    /// Numbers of all nodes.
    pub(super) fn ids(&self) -> Vec<u64> {
        self.0.nodes.iter().map(|node| node.id).collect()
    }

    /// What the process at a place does.
    pub(super) fn process(&self, place: usize) -> Process {
        self.0.states.borrow()[place].0
    }

    /// How many milliseconds longer a sync takes at a place than it must.
    pub(super) fn disk_delay_ms(&self, place: usize) -> u64 {
        self.0.states.borrow()[place].1
    }

    /// Whether the node at a place hears nobody, and whether nobody hears it.
    pub(super) fn is_cut(&self, place: usize) -> (bool, bool) {
        self.0.links.is_cut(self.id(place), &self.ids())
    }

    /// Whether the node at a place runs and is not cut off.
    pub(super) fn is_well(&self, place: usize) -> bool {
        self.process(place) == Process::Running && self.is_cut(place) == (false, false)
    }

    /// Changes whenever [`Cluster::is_well`] may have.
    pub(super) fn news(&self) -> watch::Receiver<Vec<(Process, u64)>> {
        self.0.states.subscribe()
    }

    /// Notices processes that have ended by themselves.
    pub(super) fn reap(&self) {
        for (place, node) in self.0.nodes.iter().enumerate() {
            let Ok(mut child) = node.child.try_lock() else { continue };
            if let Some(Ok(Some(status))) = child.as_mut().map(Child::try_wait) {
                *child = None;
                eprintln!("quorate: node {} ended by itself: {status}", node.id);
                self.set(place, Process::Killed);
            }
        }
    }

    fn set(&self, place: usize, process: Process) {
        self.0.states.send_modify(|states| states[place].0 = process);
    }

    async fn spawn(&self, place: usize) -> Result<(), Failure> {
        let shared = &*self.0;
        let members = shared.nodes.iter().map(|node| format!("{}={}", node.id, node.wire));
        let members = members.collect::<Vec<_>>().join(",");
        let Node { id, addresses, .. } = &shared.nodes[place];
        let data_dir = shared.folder.join(format!("node-{id}"));
        let arguments = [
            "serve".to_owned(),
            format!("--node-id={id}"),
            format!("--cluster={members}"),
            format!("--bind={}", addresses.peer),
            format!("--client={}", addresses.client),
            format!("--web={}", addresses.web),
            format!("--admin={}", addresses.admin),
            format!("--data-dir={}", data_dir.display()),
            format!("--admin-token-file={}", shared.token_file.display()),
            format!("--demo-folder={}", shared.folder.join(CONTROL).display()),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut slot = shared.nodes[place].child.lock().await;
        if let Some(running) = slot.as_mut()
            && matches!(running.try_wait(), Ok(None))
        {
            return Ok(());
        }
        *slot = Some(shared.program.start(&arguments, &shared.folder, &format!("node-{id}"))?);
        drop(slot);
        self.set(place, Process::Starting);
        Ok(())
    }

    /// Waits until the node says on its admin listener that it is ready.
    async fn wait_ready(&self, place: usize) -> Result<(), Failure> {
        let started = Instant::now();
        let Node { id, addresses, child, .. } = &self.0.nodes[place];
        let url = format!("http://{}/readyz", addresses.admin);
        let mut said = "nothing".to_owned();
        while started.elapsed() < READY_PATIENCE {
            match self.0.http.get(&url).send().await {
                Ok(answer) if answer.status().is_success() => {
                    self.set(place, Process::Running);
                    return Ok(());
                }
                Ok(answer) => {
                    // It is there, it only waits for the others.
                    self.set(place, Process::Running);
                    said = answer.text().await.unwrap_or_default();
                }
                Err(_) => {}
            }
            let ended = child.lock().await.as_mut().map(Child::try_wait);
            if let Some(Ok(Some(status))) = ended {
                self.set(place, Process::Killed);
                said = format!("it ended: {status}");
                break;
            }
            if ended.is_none() {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        let log = self.0.folder.join(format!("node-{id}.log"));
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let message = format!("node {id} is not ready: {said}\n{}", last_lines(&log));
        Err(Failure::new(exit::FAILED, message))
    }

    /// The place of the node that leads, once a quorum knows one.
    pub(super) async fn leader(&self) -> Result<usize, Failure> {
        let started = Instant::now();
        while started.elapsed() < READY_PATIENCE {
            if let Some((place, _)) = self.leader_now().await {
                return Ok(place);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(Failure::new(exit::FAILED, "the nodes have no leader"))
    }

    /// The place of the node that says it leads, and its term; of several the one of the newest
    /// term, since a leader that is cut off hears last that it is none any more.
    pub(super) async fn leader_now(&self) -> Option<(usize, u64)> {
        let able =
            |place: &usize| matches!(self.process(*place), Process::Running | Process::Starting);
        let ask = |place: usize| async move {
            let (_, status) = self.0.stores[place].statuses().await.pop()?;
            let status = status.ok()?;
            let leads = status.leader == Some(status.member_id);
            leads.then_some((place, status.header.raft_term))
        };
        let answers = futures::future::join_all((0..self.len()).filter(able).map(ask)).await;
        answers.into_iter().flatten().max_by_key(|(_, term)| *term)
    }

    /// Whether all nodes that run and are not cut off name the same leader.
    pub(super) async fn is_together(&self) -> bool {
        let ask = |place: usize| async move {
            let (_, status) = self.0.stores[place].statuses().await.pop()?;
            status.ok()?.leader
        };
        let well = (0..self.len()).filter(|place| self.is_well(*place));
        let leaders = futures::future::join_all(well.map(ask)).await;
        leaders.first().is_some_and(|first| first.is_some())
            && leaders.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Kills a node with SIGKILL, and gives the moment at which it was gone.
    pub(super) async fn kill(&self, place: usize) -> Result<Instant, Failure> {
        let moment = Instant::now();
        if let Some(mut child) = self.0.nodes[place].child.lock().await.take() {
            child.kill().await.map_err(Failure::because(exit::FAILED, "cannot kill a node"))?;
        }
        self.set(place, Process::Killed);
        Ok(moment)
    }

    /// Stops a node in the middle of what it does (SIGSTOP).
    pub(super) async fn pause(&self, place: usize) -> Result<(), Failure> {
        self.signal(place, Signal::STOP).await?;
        self.set(place, Process::Paused);
        Ok(())
    }

    /// Lets a paused node go on.
    pub(super) async fn resume(&self, place: usize) -> Result<(), Failure> {
        self.signal(place, Signal::CONT).await?;
        self.set(place, Process::Running);
        Ok(())
    }

    async fn signal(&self, place: usize, signal: Signal) -> Result<(), Failure> {
        let id = self.0.nodes[place].child.lock().await.as_ref().and_then(Child::id);
        let id = id.and_then(|id| Pid::from_raw(id.cast_signed()));
        let gone = || Failure::new(exit::FAILED, format!("node {} is gone", self.id(place)));
        kill_process(id.ok_or_else(gone)?, signal)
            .map_err(Failure::because(exit::FAILED, "cannot send a signal to a node"))
    }

    /// Cuts the node off: what it hears, what it says, or both.
    pub(super) fn cut(&self, place: usize, hears: bool, says: bool) {
        self.0.links.cut(self.id(place), &self.ids(), hears, says);
        self.0.states.send_modify(|_| ());
    }

    /// Mends the node's wires.
    pub(super) fn heal(&self, place: usize) {
        self.0.links.heal(self.id(place));
        self.0.states.send_modify(|_| ());
    }

    /// Makes every sync of the node's disk take so much longer.
    pub(super) fn slow_disk(&self, place: usize, delay: Duration) -> Result<(), Failure> {
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let path = self.0.folder.join(CONTROL).join(brake_file(self.id(place)));
        // A name is changed at once: the node never reads half a number.
        let draft = path.with_extension("new");
        std::fs::write(&draft, ms.to_string())
            .and_then(|()| std::fs::rename(&draft, &path))
            .map_err(Failure::because(exit::FAILED, "cannot reach the node's brake"))?;
        self.0.states.send_modify(|states| states[place].1 = ms);
        Ok(())
    }

    /// Starts a node (again) on its folder and addresses, until it is ready; one that runs is
    /// stopped cleanly before.
    pub(super) async fn restart(&self, place: usize) -> Result<(), Failure> {
        self.halt(place).await;
        self.spawn(place).await?;
        self.wait_ready(place).await
    }

    /// Stops a node: SIGTERM, and SIGKILL when it takes too long. Says whether it stopped cleanly.
    async fn halt(&self, place: usize) -> bool {
        let Some(mut child) = self.0.nodes[place].child.lock().await.take() else { return true };
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        for signal in [Signal::TERM, Signal::CONT] {
            if let Some(Err(error)) = pid.map(|pid| kill_process(pid, signal)) {
                eprintln!("quorate: cannot stop process {pid:?}: {error}");
            }
        }
        let ended = tokio::time::timeout(STOP_PATIENCE, child.wait()).await;
        if ended.is_err() {
            let _ = child.kill().await;
        }
        self.set(place, Process::Killed);
        matches!(ended, Ok(Ok(status)) if status.success())
    }

    /// Stops all nodes at once. Says whether all that ran stopped cleanly.
    pub(super) async fn stop(&self) -> bool {
        let each = (0..self.len()).map(|place| {
            let cluster = self.clone();
            async move { cluster.halt(place).await }
        });
        futures::future::join_all(each).await.into_iter().all(|clean| clean)
    }
}

/// Name of the file that says how slow a node's disk is, below [`CONTROL`].
pub(crate) fn brake_file(node: u64) -> String {
    format!("disk-{node}")
}

/// First port that is tried. The ports below 32768 are not given to outgoing connections, so none
/// can take the place of a node while it is away.
const PORT_FIRST: u16 = 20_000;
/// How many ports are tried.
const PORTS: u16 = 12_000;

/// Loopback addresses on which nobody listens.
fn free_addresses(nodes: u64) -> Result<Vec<Addresses>, Failure> {
    let start = u16::from_be_bytes(crate::random::bytes()) % PORTS;
    let ports = (0..PORTS).map(|step| PORT_FIRST + (start + step) % PORTS);
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
    // All stay bound until the last one is found.
    let wanted = nodes as usize * 4;
    let held: Vec<TcpListener> = ports.filter_map(listen).take(wanted).collect();
    let addresses: Vec<SocketAddr> =
        held.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    if addresses.len() < wanted {
        return Err(Failure::new(exit::UNAVAILABLE, "no free ports on 127.0.0.1"));
    }
    let each = |four: &[SocketAddr]| Addresses {
        peer: four[0],
        client: four[1],
        web: four[2],
        admin: four[3],
    };
    Ok(addresses.chunks_exact(4).map(each).collect())
}
