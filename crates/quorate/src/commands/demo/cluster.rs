//! The demonstration's nodes: `quorate serve` processes on loopback, each with its own folder.

use super::Failure;
use super::children::{Program, last_lines};
use crate::exit;
use client::etcd::EtcdClient;
use rustix::process::{Pid, Signal, kill_process};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::process::Child;

/// How long a node may take to be ready: recovery, a campaign, a busy machine.
const READY_PATIENCE: Duration = Duration::from_secs(60);
/// How long a node may take to stop cleanly.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const POLL: Duration = Duration::from_millis(50);

/// Where one node listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) peer: SocketAddr,
    pub(super) client: SocketAddr,
    pub(super) web: SocketAddr,
    pub(super) admin: SocketAddr,
}

/// One node.
#[derive(Debug)]
struct Node {
    id: u64,
    addresses: Addresses,
    child: Option<Child>,
}

/// All nodes.
#[derive(Debug)]
pub(super) struct Cluster {
    program: Program,
    folder: PathBuf,
    token_file: PathBuf,
    nodes: Vec<Node>,
    http: reqwest::Client,
}

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
        let addresses = free_addresses(count)?;
        let nodes = (1..).zip(addresses);
        let nodes = nodes.map(|(id, addresses)| Node { id, addresses, child: None }).collect();
        let mut cluster = Self { program, folder: folder.to_owned(), token_file, nodes, http };
        for place in 0..cluster.nodes.len() {
            cluster.spawn(place)?;
        }
        for place in 0..cluster.nodes.len() {
            cluster.wait_ready(place).await?;
        }
        Ok(cluster)
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Numbers and addresses of the nodes.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (u64, Addresses)> + '_ {
        self.nodes.iter().map(|node| (node.id, node.addresses))
    }

    /// Base addresses of the web listeners.
    pub(super) fn web_urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("http://{}", node.addresses.web)).collect()
    }

    /// Addresses of the store's client listeners.
    pub(super) fn client_addresses(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.addresses.client.to_string()).collect()
    }

    fn spawn(&mut self, place: usize) -> Result<(), Failure> {
        let members = self.nodes.iter().map(|node| format!("{}={}", node.id, node.addresses.peer));
        let members = members.collect::<Vec<_>>().join(",");
        let Node { id, addresses, .. } = self.nodes[place];
        let data_dir = self.folder.join(format!("node-{id}"));
        let arguments = [
            "serve".to_owned(),
            format!("--node-id={id}"),
            format!("--cluster={members}"),
            format!("--bind={}", addresses.peer),
            format!("--client={}", addresses.client),
            format!("--web={}", addresses.web),
            format!("--admin={}", addresses.admin),
            format!("--data-dir={}", data_dir.display()),
            format!("--admin-token-file={}", self.token_file.display()),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let child = self.program.start(&arguments, &self.folder, &format!("node-{id}"))?;
        self.nodes[place].child = Some(child);
        Ok(())
    }

    /// Waits until the node says on its admin listener that it is ready.
    async fn wait_ready(&mut self, place: usize) -> Result<(), Failure> {
        let started = Instant::now();
        let url = format!("http://{}/readyz", self.nodes[place].addresses.admin);
        let mut said = "nothing".to_owned();
        while started.elapsed() < READY_PATIENCE {
            match self.http.get(&url).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => said = answer.text().await.unwrap_or_default(),
                Err(_) => {}
            }
            let ended = self.nodes[place].child.as_mut().map(Child::try_wait);
            if let Some(Ok(Some(status))) = ended {
                said = format!("it ended: {status}");
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        let id = self.nodes[place].id;
        let log = self.folder.join(format!("node-{id}.log"));
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let message = format!("node {id} is not ready: {said}\n{}", last_lines(&log));
        Err(Failure::new(exit::FAILED, message))
    }

    /// The place of the node that leads, once a quorum knows one.
    pub(super) async fn leader(&self) -> Result<usize, Failure> {
        let store = EtcdClient::connect(self.client_addresses())
            .map_err(|error| Failure::new(exit::FAILED, error))?;
        let started = Instant::now();
        while started.elapsed() < READY_PATIENCE {
            let statuses = store.statuses().await;
            let leads = |(_, status): &(String, Result<kv::api::Status, kv::api::Error>)| {
                status.as_ref().is_ok_and(|status| status.leader == Some(status.member_id))
            };
            if let Some(place) = statuses.iter().position(leads) {
                return Ok(place);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(Failure::new(exit::FAILED, "the nodes have no leader"))
    }

    /// Number of the node at a place.
    pub(super) fn id(&self, place: usize) -> u64 {
        self.nodes[place].id
    }

    /// Kills a node with SIGKILL, and gives the moment at which it was gone.
    pub(super) async fn kill(&mut self, place: usize) -> Result<Instant, Failure> {
        let moment = Instant::now();
        if let Some(mut child) = self.nodes[place].child.take() {
            child.kill().await.map_err(Failure::because(exit::FAILED, "cannot kill a node"))?;
        }
        Ok(moment)
    }

    /// Starts a killed node again on its folder and addresses, until it is ready.
    pub(super) async fn restart(&mut self, place: usize) -> Result<(), Failure> {
        self.spawn(place)?;
        self.wait_ready(place).await
    }

    /// Stops all nodes: SIGTERM, and SIGKILL for those that take too long. Says whether all
    /// stopped cleanly.
    pub(super) async fn stop(mut self) -> bool {
        for child in self.nodes.iter().filter_map(|node| node.child.as_ref()) {
            let pid = child.id().and_then(|id| Pid::from_raw(id as i32));
            if let Some(Err(error)) = pid.map(|pid| kill_process(pid, Signal::TERM)) {
                eprintln!("quorate: cannot stop process {pid:?}: {error}");
            }
        }
        let mut clean = true;
        for child in self.nodes.iter_mut().filter_map(|node| node.child.as_mut()) {
            match tokio::time::timeout(STOP_PATIENCE, child.wait()).await {
                Ok(Ok(status)) => clean &= status.success(),
                Ok(Err(_)) | Err(_) => clean = false,
            }
        }
        clean
    }
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
