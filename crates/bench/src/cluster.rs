//! Server processes on loopback: ours or etcd's, started, watched and killed in the same way.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::proto::etcdserverpb::kv_client::KvClient;
use client::proto::etcdserverpb::maintenance_client::MaintenanceClient;
use client::proto::etcdserverpb::{PutRequest, StatusRequest};
use tonic::transport::{Channel, Endpoint};

use crate::arguments::Arguments;
use crate::etcd;
use crate::failure::Failure;
use crate::paths::{Paths, beside_programs, remove_folder};

/// Within this time a new cluster must take a write through each of its nodes.
const START_MAX: Duration = Duration::from_secs(20);

/// Between two looks at whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Starts of a cluster, each with other ports: somebody may take one before its server does.
const STARTS_MAX: u32 = 3;

/// Our shortest time without a leader before a member campaigns, milliseconds.
pub(crate) const OUR_ELECTION_MS: u32 = 150;

/// A program that serves the etcd v3 API, with its settings.
#[derive(Clone, Debug)]
pub(crate) enum System {
    Ours {
        program: PathBuf,
    },
    /// Heartbeat and election timeout in milliseconds.
    Etcd {
        program: PathBuf,
        heartbeat_ms: u32,
        election_ms: u32,
    },
}

/// The programs of this run.
#[derive(Debug)]
pub(crate) struct Systems {
    quorate: Result<PathBuf, Failure>,
    etcd: Option<PathBuf>,
}

impl Systems {
    /// Finds both; says so when etcd is not to be had.
    pub(crate) fn find(arguments: &Arguments, paths: &Paths) -> Self {
        let needed = arguments.parts().iter().any(|part| part.has_peer());
        let etcd = if needed { find_etcd(arguments, paths) } else { None };
        Self { quorate: find_quorate(arguments), etcd }
    }

    pub(crate) fn ours(&self) -> Result<System, Failure> {
        Ok(System::Ours { program: self.program()? })
    }

    /// Our program.
    pub(crate) fn program(&self) -> Result<PathBuf, Failure> {
        self.quorate.clone()
    }

    /// etcd with these timeouts, milliseconds, if there is an etcd.
    pub(crate) fn etcd(&self, heartbeat_ms: u32, election_ms: u32) -> Option<System> {
        let program = self.etcd.clone()?;
        Some(System::Etcd { program, heartbeat_ms, election_ms })
    }
}

fn find_etcd(arguments: &Arguments, paths: &Paths) -> Option<PathBuf> {
    if arguments.no_etcd {
        return None;
    }
    let found = match &arguments.etcd {
        Some(program) => etcd::check(program).map(|()| program.clone()),
        None => etcd::fetch(&paths.etcd()),
    };
    found.map_err(|why| println!("no etcd {}, so no peer: {why}", etcd::VERSION)).ok()
}

fn find_quorate(arguments: &Arguments) -> Result<PathBuf, Failure> {
    let program = match &arguments.quorate {
        Some(program) => program.clone(),
        None => beside_programs()?.join("quorate"),
    };
    if program.is_file() {
        return Ok(program);
    }
    let shown = program.display();
    Err(Failure::new(format!("no program {shown}: build it, `cargo build --release -p quorate`")))
}

/// The addresses of one node.
#[derive(Clone, Copy, Debug)]
struct Addresses {
    peer: SocketAddr,
    client: SocketAddr,
}

impl System {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Ours { .. } => "ours",
            Self::Etcd { .. } => "etcd",
        }
    }

    /// What starts node `number` (from 0) with its data in `folder`.
    fn command(&self, number: usize, all: &[Addresses], folder: &Path) -> Command {
        let own = all[number];
        match self {
            Self::Ours { program } => {
                let cluster = list(all, |number, peer| format!("{number}={peer}"));
                let election = OUR_ELECTION_MS.to_string();
                let mut command = Command::new(program);
                command.args(["serve", "--node-id", &(number + 1).to_string()]);
                command.args(["--cluster", &cluster, "--client", &own.client.to_string()]);
                command.args(["--election-ms", &election]).arg("--data-dir").arg(folder);
                command.env("QUORATE_LOG", "warn");
                command
            }
            Self::Etcd { program, heartbeat_ms, election_ms } => {
                let cluster = list(all, |number, peer| format!("n{number}=http://{peer}"));
                let (client, peer) =
                    (format!("http://{}", own.client), format!("http://{}", own.peer));
                let mut command = Command::new(program);
                command.args(["--name", &format!("n{}", number + 1), "--log-level", "warn"]);
                command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
                command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
                command.args(["--initial-cluster", &cluster]).arg("--data-dir").arg(folder);
                command.args(["--heartbeat-interval", &heartbeat_ms.to_string()]);
                command.args(["--election-timeout", &election_ms.to_string()]);
                command
            }
        }
    }
}

/// The members with their peer addresses, numbered from 1, as both programs want them.
fn list(all: &[Addresses], one: impl Fn(usize, SocketAddr) -> String) -> String {
    let members = (1..).zip(all).map(|(number, addresses)| one(number, addresses.peer));
    members.collect::<Vec<_>>().join(",")
}

/// A running process; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

impl Server {
    /// Starts one with its output in the file `log`.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Result<Self, Failure> {
        let ours = |name: &str| name.starts_with("QUORATE_") || name.starts_with("ETCD_");
        let kept = command.get_envs().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        // Settings of whoever runs this must not change what is measured.
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(&name.to_string_lossy())) {
            if !kept.contains(&name) {
                command.env_remove(name);
            }
        }
        let program = command.get_program().to_string_lossy().into_owned();
        let cannot = format!("cannot start {program}");
        let file = File::create(&log).map_err(Failure::because(cannot.clone()))?;
        let errors = file.try_clone().map_err(Failure::because(cannot.clone()))?;
        let process = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
        Ok(Self { process: process.map_err(Failure::because(cannot))?, log })
    }

    /// Number of the process.
    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// If it has ended, it is named by `number`, with the last line it wrote.
    pub(crate) fn check_running(&mut self, number: usize) -> Result<(), Failure> {
        let ended = self.process.try_wait();
        if let Some(status) = ended.map_err(Failure::because("cannot look at a server"))? {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let last = log.lines().last().unwrap_or("it wrote nothing").to_owned();
            return Err(Failure::new(format!("node {number} ended, {status}: {last}")));
        }
        Ok(())
    }
}

/// Nodes of one system that take writes. Dropping it kills them and removes their data.
#[derive(Debug)]
pub(crate) struct Cluster {
    servers: Vec<Server>,
    endpoints: Vec<Endpoint>,
    folder: PathBuf,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.servers.clear();
        remove_folder(&self.folder);
    }
}

impl Cluster {
    /// Starts `nodes` nodes and waits until each of them takes a write.
    pub(crate) async fn start(
        system: &System,
        nodes: usize,
        paths: &Paths,
    ) -> Result<Self, Failure> {
        let mut starts = 1;
        loop {
            let mut cluster = Self::spawn(system, nodes, paths.fresh(system.name()))?;
            match cluster.ready().await {
                Ok(()) => return Ok(cluster),
                Err(failure) if starts == STARTS_MAX => return Err(failure),
                // A server that runs and is silent will not do better on other ports.
                Err(failure) if cluster.check_running().is_ok() => return Err(failure),
                Err(_) => starts += 1,
            }
        }
    }

    fn spawn(system: &System, nodes: usize, folder: PathBuf) -> Result<Self, Failure> {
        std::fs::create_dir_all(&folder)
            .map_err(Failure::because(format!("cannot make {}", folder.display())))?;
        let all = free_addresses(nodes)?;
        let endpoints = all.iter().map(|own| endpoint(own.client)).collect::<Result<_, _>>()?;
        let mut cluster = Self { servers: Vec::new(), endpoints, folder };
        for number in 0..nodes {
            let data = cluster.folder.join(format!("node-{}", number + 1));
            let command = system.command(number, &all, &data);
            let log = cluster.folder.join(format!("node-{}.log", number + 1));
            cluster.servers.push(Server::start(command, log)?);
        }
        Ok(cluster)
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        let until = Instant::now() + START_MAX;
        for node in 0..self.servers.len() {
            while !self.takes_writes(node).await {
                self.check_running()?;
                if Instant::now() >= until {
                    let text = format!("after {START_MAX:?} node {} takes no write", node + 1);
                    return Err(Failure::new(text));
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    async fn takes_writes(&self, node: usize) -> bool {
        let put = async {
            let mut kv = KvClient::new(self.endpoints[node].connect().await.ok()?);
            let (key, value) = (Bytes::from_static(b"bench/ready"), Bytes::from_static(b"1"));
            kv.put(PutRequest { key, value, ..PutRequest::default() }).await.ok()
        };
        matches!(tokio::time::timeout(Duration::from_secs(2), put).await, Ok(Some(_)))
    }

    fn check_running(&mut self) -> Result<(), Failure> {
        (1..).zip(&mut self.servers).try_for_each(|(number, server)| server.check_running(number))
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    pub(crate) fn processes(&self) -> Vec<u32> {
        self.servers.iter().map(Server::process).collect()
    }

    /// Where the nodes keep their data.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A fresh connection to node `number`.
    pub(crate) async fn connect(&self, number: usize) -> Result<Channel, Failure> {
        let endpoint = &self.endpoints[number];
        let cannot = format!("cannot connect to {}", endpoint.uri());
        endpoint.connect().await.map_err(Failure::because(cannot))
    }

    /// Which node says that it leads.
    pub(crate) async fn leader(&self) -> Result<usize, Failure> {
        for number in 0..self.servers.len() {
            let mut maintenance = MaintenanceClient::new(self.connect(number).await?);
            let status = maintenance.status(StatusRequest {}).await;
            let status = status.map_err(Failure::because("no status"))?.into_inner();
            let own = status.header.map_or(0, |header| header.member_id);
            if own != 0 && status.leader == own {
                return Ok(number);
            }
        }
        Err(Failure::new("no node says that it leads"))
    }

    /// SIGKILL, at once.
    pub(crate) fn kill(&mut self, number: usize) -> Result<(), Failure> {
        let process = &mut self.servers[number].process;
        process.kill().map_err(Failure::because("cannot kill a server"))
    }
}

/// Addresses that were free a moment ago.
fn free_addresses(nodes: usize) -> Result<Vec<Addresses>, Failure> {
    let ports = free_ports(nodes * 2)?;
    let pairs = ports.chunks_exact(2);
    Ok(pairs.map(|pair| Addresses { peer: pair[0], client: pair[1] }).collect())
}

/// So many different addresses on loopback, free a moment ago.
pub(crate) fn free_ports(count: usize) -> Result<Vec<SocketAddr>, Failure> {
    // All are held until all are known, so that they differ.
    let held: std::io::Result<Vec<TcpListener>> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect();
    held.and_then(|held| held.iter().map(TcpListener::local_addr).collect())
        .map_err(Failure::because("cannot find free ports"))
}

fn endpoint(address: SocketAddr) -> Result<Endpoint, Failure> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(Failure::because(format!("{address} is no address")))?;
    Ok(endpoint.tcp_nodelay(true).connect_timeout(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(system: &System) -> String {
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let node = |number| Addresses { peer: address(number), client: address(100 + number) };
        let command = system.command(1, &[node(1), node(2)], Path::new("data"));
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn both_programs_are_told_the_same_cluster() {
        assert_eq!(
            words(&System::Ours { program: "quorate".into() }),
            "serve --node-id 2 --cluster 1=127.0.0.1:1,2=127.0.0.1:2 --client 127.0.0.1:102 \
             --election-ms 150 --data-dir data"
        );
        let etcd = System::Etcd { program: "etcd".into(), heartbeat_ms: 50, election_ms: 300 };
        let words = words(&etcd);
        let cluster = "--initial-cluster n1=http://127.0.0.1:1,n2=http://127.0.0.1:2";
        assert!(words.contains(cluster) && words.starts_with("--name n2 "), "{words}");
        assert!(words.ends_with("--heartbeat-interval 50 --election-timeout 300"), "{words}");
    }

    #[test]
    fn ports_of_a_cluster_differ() {
        let all = free_addresses(5).unwrap();
        let ports: std::collections::BTreeSet<_> =
            all.iter().flat_map(|own| [own.peer.port(), own.client.port()]).collect();
        assert_eq!(ports.len(), 10);
    }

    #[tokio::test]
    async fn a_server_that_ends_is_named_with_its_last_words() {
        let out = tempfile::tempdir().unwrap();
        let paths = Paths::prepare(Some(out.path().to_path_buf())).unwrap();
        // `sh serve …` finds no script of that name.
        let system = System::Ours { program: "sh".into() };
        let failure = Cluster::start(&system, 1, &paths).await.unwrap_err().to_string();
        assert!(failure.starts_with("node 1 ended, exit status: "), "{failure}");
        assert!(failure.contains("serve"), "{failure}");
    }
}
