//! Three nodes, room for a fourth, their disks and their network: found out what this machine
//! allows, and started.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::command::is_present;
use crate::disk::Disk;
use crate::failure::Failure;
use crate::faults::Kind;
use crate::http;
use crate::network::Network;
use crate::node::{Addresses, Node, Recipe};

/// Nodes of the cluster.
pub(crate) const NODES: usize = 3;

/// Places for nodes: one is free, for a newcomer.
pub(crate) const PLACES: usize = NODES + 1;

/// What the nodes take for an administrator.
pub(crate) const TOKEN: &str = "chaos-chaos-chaos-chaos-chaos-chaos";

/// A node that is started must answer within this time.
const UP_MAX: Duration = Duration::from_secs(30);

/// Between two looks at whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A node that does not say within this time who leads is not asked longer.
const ASK_MAX: Duration = Duration::from_millis(250);

/// Shortest time without a leader before a node campaigns: longer than the product's own 150 ms,
/// because clients, nodes and file systems share this machine's few cores.
const ELECTION_MS: u64 = 250;

/// The library that fakes the clock, where Debian puts it.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// What each node is, and why some faults cannot be had.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Dropped before the disks, so that nobody uses those any more.
    pub(crate) nodes: Vec<Node>,
    /// Empty where file systems cannot be mounted.
    pub(crate) disks: Vec<Disk>,
    pub(crate) network: Option<Network>,
    /// Files that say what the nodes' clocks show; empty without the library.
    pub(crate) clocks: Vec<PathBuf>,
    /// Kinds of faults that this machine does not allow, with the reason.
    pub(crate) missing: Vec<(Kind, String)>,
    /// The places whose nodes are members, with their ids.
    pub(crate) members: BTreeMap<usize, u64>,
    /// The highest id that was ever given out.
    pub(crate) highest: u64,
}

impl Cluster {
    /// Prepares all that `kinds` need in `folder`, and starts nothing yet.
    pub(crate) fn prepare(
        arguments: &Arguments,
        owner: u32,
        folder: &Path,
        kinds: &mut std::collections::BTreeSet<Kind>,
    ) -> Result<Self, Failure> {
        let mut missing = Vec::new();
        let mut give_up = |some: &[Kind], why: &str| {
            missing.extend(some.iter().filter(|kind| kinds.remove(kind)).map(|k| (*k, why.into())));
        };
        let network = match &arguments.no_network {
            None => Some(Network::of(owner, PLACES)),
            Some(why) => {
                give_up(&[Kind::Partition], why);
                None
            }
        };
        let disks = match mount(folder) {
            Ok(disks) => disks,
            Err(failure) => {
                use Kind::{BitRot, FullDisk, PowerCut, SlowDisk, StuckDisk, SyncError};
                let needing = [PowerCut, FullDisk, SlowDisk, StuckDisk, BitRot];
                give_up(&needing, &failure.to_string());
                if !is_present("strace") {
                    give_up(&[SyncError], &format!("{failure}, and there is no strace"));
                }
                Vec::new()
            }
        };
        if !Path::new(FAKETIME).is_file() {
            give_up(&[Kind::ClockJump], "there is no libfaketime (Debian package faketime)");
        }
        let jumps = kinds.contains(&Kind::ClockJump);
        let clocks: Vec<PathBuf> =
            (1..=PLACES).filter(|_| jumps).map(|n| folder.join(format!("clock-{n}"))).collect();
        let all = match &network {
            Some(network) => network.addresses(),
            None => free_addresses()?,
        };
        let program = find_quorate(arguments)?;
        let token = folder.join("token");
        std::fs::write(&token, TOKEN).map_err(Failure::because("cannot write the token"))?;
        let founding: BTreeMap<u64, SocketAddr> =
            (1..).zip(&all).take(NODES).map(|(member, node)| (member, node.peer)).collect();
        let mut nodes = Vec::new();
        for (number, own) in (1..).zip(&all) {
            let variables = match clocks.get(number - 1) {
                None => Vec::new(),
                Some(clock) => fake_clock(clock)?,
            };
            let recipe = Recipe {
                program: program.clone(),
                prefix: network.as_ref().map(|net| net.prefix(number)).unwrap_or_default(),
                number,
                member: number as u64,
                joins: None,
                members: founding.clone(),
                own: *own,
                token: token.clone(),
                data: folder.join(format!("disk-{number}")).join("data"),
                log: folder.join(format!("node-{number}.log")),
                variables,
                election_ms: ELECTION_MS,
            };
            nodes.push(Node::new(recipe));
        }
        let members = (1..=NODES).zip(1..).collect();
        let highest = NODES as u64;
        Ok(Self { nodes, disks, network, clocks, missing, members, highest })
    }

    /// The places whose nodes are members.
    pub(crate) fn places(&self) -> Vec<usize> {
        self.members.keys().copied().collect()
    }

    /// The place where nobody is.
    pub(crate) fn free_place(&self) -> Option<usize> {
        (1..=PLACES).find(|place| !self.members.contains_key(place))
    }

    /// The node `number`, from 1.
    pub(crate) fn node(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number - 1]
    }

    /// The client listeners of all places; at one of them nobody is.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.own().client.to_string()).collect()
    }

    /// Starts what does not run.
    pub(crate) fn start_all(&mut self) -> Result<(), Failure> {
        self.places().into_iter().try_for_each(|number| self.node(number).start())
    }

    /// Waits until node `number` answers. `Ok(false)` when it ended instead.
    pub(crate) async fn up(&mut self, number: usize) -> Result<bool, Failure> {
        let until = Instant::now() + UP_MAX;
        loop {
            let node = self.node(number);
            if node.answers(ASK_MAX).await {
                return Ok(true);
            }
            if node.ended()?.is_some() || !node.is_running() {
                return Ok(false);
            }
            if Instant::now() > until {
                let words = node.last_words();
                let text =
                    format!("node {number} does not answer {UP_MAX:?} after its start: {words}");
                return Err(Failure::new(text));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Who leads: says so itself, and nobody who answers knows a later term.
    pub(crate) async fn leader(&self) -> Option<usize> {
        let asked = self.nodes.iter().map(|node| http::get(node.own().admin, "/metrics", ASK_MAX));
        let said = join_all(asked).await.into_iter().enumerate().filter_map(|(index, answer)| {
            let body = answer?.body;
            let term = http::figure(&body, "quorate_raft_term")?;
            Some((term, http::figure(&body, "quorate_raft_is_leader")? == 1, index + 1))
        });
        let (_, leads, number) = said.max()?;
        leads.then_some(number)
    }
}

fn mount(folder: &Path) -> Result<Vec<Disk>, Failure> {
    (1..=PLACES).map(|number| Disk::mount(&folder.join(format!("disk-{number}")))).collect()
}

/// Preloads the library; the clock is right until the file says otherwise.
fn fake_clock(clock: &Path) -> Result<Vec<(String, String)>, Failure> {
    std::fs::write(clock, "+0").map_err(Failure::because("cannot write a clock's file"))?;
    let pairs = [
        ("LD_PRELOAD", FAKETIME),
        ("FAKETIME_TIMESTAMP_FILE", &clock.to_string_lossy()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_CACHE_DURATION", "1"),
    ];
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
}

fn find_quorate(arguments: &Arguments) -> Result<PathBuf, Failure> {
    let program = match &arguments.quorate {
        Some(program) => program.clone(),
        None => {
            let own = std::env::current_exe();
            own.map_err(Failure::because("where is this program?"))?.with_file_name("quorate")
        }
    };
    if program.is_file() {
        return Ok(program);
    }
    let shown = program.display();
    Err(Failure::new(format!("no program {shown}: build it, `cargo build --release -p quorate`")))
}

/// Addresses that were free a moment ago.
fn free_addresses() -> Result<Vec<Addresses>, Failure> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // All are held until all are known, so that they differ.
    let held: Vec<TcpListener> = (0..4 * PLACES)
        .map(|_| bind())
        .collect::<std::io::Result<_>>()
        .map_err(Failure::because("cannot find free ports"))?;
    let ports: Vec<SocketAddr> = held
        .iter()
        .map(TcpListener::local_addr)
        .collect::<std::io::Result<_>>()
        .map_err(Failure::because("cannot find free ports"))?;
    let four = |four: &[SocketAddr]| Addresses {
        peer: four[0],
        client: four[1],
        web: four[2],
        admin: four[3],
    };
    Ok(ports.chunks_exact(4).map(four).collect())
}
