//! Three nodes, and the commands that administrator, trustee and auditor would type.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use election::{ElectionId, Manifest};
use tokio::process::Command;

use super::electorate::{Electorate, OPTIONS};
use super::pinned::Core;
use crate::cluster::{Server, free_ports};
use crate::failure::Failure;
use crate::paths::{Paths, remove_folder};
use crate::usage::Usage;

/// Nodes of the cluster.
const NODES: usize = 3;

/// Within this time all nodes must be ready, and the trustee's key made.
const START_MAX: Duration = Duration::from_secs(60);

/// Between two attempts.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Within this time after its end the whole ledger must be final.
const FINAL_MAX: Duration = Duration::from_secs(120);

/// Ports of one node: for the other nodes, the store's clients, people, operators.
const PORTS: usize = 4;

/// An election that takes ballots, on nodes of its own.
pub(crate) struct Station {
    nodes: Nodes,
    election: ElectionId,
    manifest: Manifest,
}

/// The nodes. Dropping them kills them and removes their data.
struct Nodes {
    servers: Vec<Server>,
    webs: Vec<SocketAddr>,
    folder: PathBuf,
    program: PathBuf,
    http: reqwest::Client,
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.servers.clear();
        remove_folder(&self.folder);
    }
}

impl Station {
    /// Starts nodes, on one core if one is given, and opens an election with one question for
    /// these voters.
    ///
    /// # Errors
    /// When a node does not start or a command fails.
    pub(crate) async fn open(
        program: PathBuf,
        electorate: &Electorate,
        core: Option<Core>,
        paths: &Paths,
    ) -> Result<Self, Failure> {
        let nodes = Nodes::start(program, core, paths.fresh("polling")).await?;
        let options: Vec<String> = (1..=OPTIONS).map(|at| format!("\"Option {at}\"")).collect();
        let definition = format!(
            "title = \"Bench\"\ndomain = \"bench.quorate.example\"\ntrustees = [\"Tara\"]\n\
             threshold = 1\nminimum_ballots = 1\naccept_small_classes = true\ntest = true\n\n\
             [[contests]]\ntitle = \"Question\"\nkind = \"one\"\noptions = [{}]\n",
            options.join(", ")
        );
        nodes.write("definition.toml", &definition)?;
        nodes.write("roll.csv", &electorate.roll())?;
        nodes.write("passphrase", "of nobody who keeps a secret\n")?;
        let (definition, key) = (nodes.file("definition.toml"), nodes.file("admin.key"));
        let said = nodes.ask(&["election", "create", &definition, "--admin-key", &key]).await?;
        let election: Option<ElectionId> =
            said.split_whitespace().find_map(|word| word.parse().ok());
        let election = election
            .ok_or_else(|| Failure::new(format!("election create has not told the id: {said}")))?;
        let id = election.to_string();
        nodes.ask(&["election", "roll", &id, &nodes.file("roll.csv")]).await?;
        tokio::try_join!(nodes.trustee("ceremony", election), nodes.open_vote(&id, &key))?;
        let url = nodes.url(0, election, "/manifest");
        let answer = nodes.http.get(&url).send().await.map_err(Failure::because(url.clone()))?;
        let bytes = answer.bytes().await.map_err(Failure::because(url))?;
        let manifest =
            Manifest::decode(&bytes).map_err(Failure::because("the manifest is none"))?;
        Ok(Self { nodes, election, manifest })
    }

    /// Ends the vote, and waits until every ballot is final.
    pub(crate) async fn close(&self) -> Result<(), Failure> {
        let (id, key) = (self.election.to_string(), self.nodes.file("admin.key"));
        self.nodes.ask(&["election", "close", &id, "--admin-key", &key]).await.map(drop)
    }

    /// The trustee decrypts the sums; the nodes publish them.
    pub(crate) async fn tally(&self) -> Result<(), Failure> {
        self.nodes.trustee("tally", self.election).await
    }

    /// Saves the archive, and gives its size in bytes.
    pub(crate) async fn export(&self) -> Result<u64, Failure> {
        let (id, out) = (self.election.to_string(), self.nodes.file("archive"));
        self.nodes.ask(&["election", "export", &id, "--out", &out]).await?;
        let metadata = std::fs::metadata(&out).map_err(Failure::because("no archive"))?;
        Ok(metadata.len())
    }

    /// Verifies the archive, in a process of its own.
    pub(crate) async fn verify(&self) -> Result<(), Failure> {
        let (archive, trust) = (self.nodes.file("archive"), self.nodes.file("archive.trust"));
        self.nodes.ask(&["verify", &archive, "--trust", &trust]).await.map(drop)
    }

    /// Leaves of the ledger, once all of them are final at the first node.
    ///
    /// # Errors
    /// When they do not become final.
    pub(crate) async fn final_leaves(&self) -> Result<u64, Failure> {
        let until = Instant::now() + FINAL_MAX;
        let mut last = "no answer".to_owned();
        while Instant::now() < until {
            let (leaves, signed) = (self.leaves().await, self.signed().await);
            match (leaves, signed) {
                (Some(leaves), Some(signed)) if leaves == signed => return Ok(leaves),
                (leaves, signed) => last = format!("{leaves:?} leaves, {signed:?} final"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(Failure::new(format!("the ledger is not final in {FINAL_MAX:?}: {last}")))
    }

    /// Ballots that became leaves since there were `before` leaves, once all are final.
    ///
    /// # Errors
    /// When there are fewer than `receipts`: somebody was promised what is not so.
    pub(crate) async fn ballots_since(&self, before: u64, receipts: u64) -> Result<u64, Failure> {
        let ballots = self.final_leaves().await? - before;
        if ballots < receipts {
            let text =
                format!("{receipts} voters have a receipt, the ledger has {ballots} ballots");
            return Err(Failure::new(text));
        }
        Ok(ballots)
    }

    async fn leaves(&self) -> Option<u64> {
        let answer = self.nodes.http.get(self.url(0, "")).send().await.ok()?;
        let view: serde_json::Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
        view["leaves"].as_u64()
    }

    /// The size in the newest checkpoint: its second line (C2SP tlog-checkpoint).
    async fn signed(&self) -> Option<u64> {
        let answer = self.nodes.http.get(self.url(0, "/checkpoint")).send().await.ok()?;
        answer.text().await.ok()?.lines().nth(1)?.parse().ok()
    }

    /// Where node `at` serves this part of the election.
    pub(crate) fn url(&self, at: usize, part: &str) -> String {
        self.nodes.url(at, self.election, part)
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes.servers.len()
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        let processes: Vec<u32> = self.nodes.servers.iter().map(Server::process).collect();
        Usage::of(&processes)
    }
}

impl Nodes {
    async fn start(program: PathBuf, core: Option<Core>, folder: PathBuf) -> Result<Self, Failure> {
        std::fs::create_dir_all(&folder)
            .map_err(Failure::because(format!("cannot make {}", folder.display())))?;
        gateway::install_tls();
        let http = reqwest::Client::builder().no_proxy().timeout(START_MAX).build();
        let http = http.map_err(Failure::because("no HTTP client"))?;
        let ports = free_ports(NODES * PORTS)?;
        let ports: Vec<&[SocketAddr]> = ports.chunks_exact(PORTS).collect();
        let webs = ports.iter().map(|ports| ports[2]).collect();
        let mut nodes = Self { servers: Vec::new(), webs, folder, program, http };
        nodes.write("token", "the-token-of-a-benchmark-on-loopback\n")?;
        let mut spawn_all = || {
            for at in 0..NODES {
                let server = nodes.serve(&ports, at)?;
                nodes.servers.push(server);
            }
            Ok(())
        };
        match core {
            None => spawn_all()?,
            Some(core) => core.run(spawn_all)?,
        }
        for ports in &ports {
            nodes.ready(ports[3]).await?;
        }
        Ok(nodes)
    }

    /// Starts the node at a place of the list.
    fn serve(&self, ports: &[&[SocketAddr]], at: usize) -> Result<Server, Failure> {
        let number = at + 1;
        let members: Vec<String> =
            (1..).zip(ports).map(|(number, ports)| format!("{number}={}", ports[0])).collect();
        let [_, client, web, admin] = ports[at] else { unreachable!("{PORTS} ports a node") };
        let mut command = std::process::Command::new(&self.program);
        command.args(["serve", "--node-id", &number.to_string()]);
        command.args(["--cluster", &members.join(",")]);
        command.args(["--client", &client.to_string(), "--web", &web.to_string()]);
        command.args(["--admin", &admin.to_string()]);
        command.args(["--data-dir", &self.file(&format!("node-{number}"))]);
        command.args(["--admin-token-file", &self.file("token")]);
        // Strangers are told apart by address: the load comes from many.
        command.args(["--trusted-proxies", "127.0.0.1"]).env("QUORATE_LOG", "warn");
        Server::start(command, self.folder.join(format!("node-{number}.log")))
    }

    async fn ready(&mut self, admin: SocketAddr) -> Result<(), Failure> {
        let (until, url) = (Instant::now() + START_MAX, format!("http://{admin}/readyz"));
        loop {
            if self.http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            for (number, server) in (1..).zip(&mut self.servers) {
                server.check_running(number)?;
            }
            if Instant::now() >= until {
                return Err(Failure::new(format!("{url} says nothing good in {START_MAX:?}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn open_vote(&self, id: &str, key: &str) -> Result<(), Failure> {
        let until = Instant::now() + START_MAX;
        loop {
            match self.ask(&["election", "open", id, "--admin-key", key]).await {
                Ok(_) => return Ok(()),
                Err(failure) if Instant::now() >= until => return Err(failure),
                Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    async fn trustee(&self, what: &str, election: ElectionId) -> Result<(), Failure> {
        let (id, secret) = (election.to_string(), self.file("secret"));
        let passphrase = self.file("passphrase");
        let trustee = ["--trustee", "1", "--secret", &secret, "--passphrase-file", &passphrase];
        self.ask(&[&["election", what, &id], &trustee[..]].concat()).await.map(drop)
    }

    fn url(&self, at: usize, election: ElectionId, part: &str) -> String {
        format!("http://{}/api/v1/elections/{election}{part}", self.webs[at])
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.file(name);
        std::fs::write(&path, text).map_err(Failure::because(format!("cannot write {path}")))
    }

    /// One command of the program against the nodes; gives what it said.
    async fn ask(&self, arguments: &[&str]) -> Result<String, Failure> {
        let nodes: Vec<String> = self.webs.iter().map(|web| format!("http://{web}")).collect();
        let mut command = Command::new(&self.program);
        command.args(arguments).kill_on_drop(true).stdin(std::process::Stdio::null());
        command.env("QUORATE_NODES", nodes.join(","));
        command.env("QUORATE_TOKEN_FILE", self.file("token"));
        let shown = arguments[..2].join(" ");
        let output = command.output().await.map_err(Failure::because(shown.clone()))?;
        let Output { status, stdout, stderr } = output;
        if status.success() {
            return Ok(String::from_utf8_lossy(&stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&stderr).trim().to_owned();
        Err(Failure::new(format!("quorate {shown}: {status}: {said}")))
    }
}
