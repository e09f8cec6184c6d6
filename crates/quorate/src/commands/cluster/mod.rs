//! `quorate cluster`: the members and their leader, seen and changed through the admin listeners.

mod backup;
mod recover;
mod render;
mod restore;

use super::Failure;
use crate::exit;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How long one node may take to answer; a change waits for a commit.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Between two looks at whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Look at the cluster, change its members, move its leader.
///
/// Any node will do: it carries the wish to the leader.
#[derive(Args, Debug)]
pub(crate) struct ClusterCommand {
    /// Admin addresses of one or more nodes
    #[arg(
        long,
        global = true,
        env = "QUORATE_CLUSTER_ADMIN",
        value_name = "ADDR,…",
        value_delimiter = ',',
        default_value = "127.0.0.1:7401"
    )]
    admin: Vec<SocketAddr>,
    /// File that holds the administrators' token, for everything but `status`
    #[arg(long, global = true, env = "QUORATE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Who takes part, who leads, who is behind
    Status,
    /// Take a node in; it votes once it has caught up
    Add {
        /// Its number (never used before) and peer address
        #[arg(value_name = "N=ADDR")]
        member: String,
        /// It only receives the log and never votes
        #[arg(long)]
        learner: bool,
        /// Come back only when it votes; start it meanwhile. (It begins as a learner all the same:
        /// a voter with an empty folder could not be told from one that lost its disk)
        #[arg(long, conflicts_with = "learner")]
        voter: bool,
    },
    /// Let a new node take the place of another once it has caught up
    Replace {
        /// Number of the node that goes
        old: u64,
        /// Number (never used before) and peer address of the one that comes
        #[arg(value_name = "N=ADDR")]
        new: String,
    },
    /// Let a node go
    Remove {
        /// Its number
        member: u64,
    },
    /// Let a learner vote
    Promote {
        /// Its number
        member: u64,
    },
    /// Let a voter only receive the log
    Demote {
        /// Its number
        member: u64,
    },
    /// Say that a node has moved to another peer address
    Move {
        /// Its number and new peer address
        #[arg(value_name = "N=ADDR")]
        member: String,
    },
    /// Let another voter lead
    Transfer {
        /// Its number; without one the voter that is best up to date
        to: Option<u64>,
    },
    /// When a majority is lost for good: go on with one member's folder alone (the node must be
    /// stopped). Without --execute it only says what it found and what may be lost
    Recover {
        /// The data folder of the member that goes on; of several, the one whose log ends last
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
        /// Do it
        #[arg(long)]
        execute: bool,
        /// Where the peers to come will reach it
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7101")]
        bind: SocketAddr,
    },
    /// Copy everything that a node holds into a file, while it goes on working
    Backup {
        /// The file to make
        file: PathBuf,
        /// What the asked node has by itself, without asking the others: it may lack what they
        /// acknowledged, but needs no majority
        #[arg(long)]
        stale: bool,
    },
    /// Make the folder of one node of a new cluster from a backup; once for each of its nodes
    Restore(restore::RestoreCommand),
    /// Show the messages and transitions of a node as they happen
    Trace {
        /// For how long
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
}

/// `quorate cluster …`.
pub(crate) fn run(command: ClusterCommand) -> Result<(), Failure> {
    if let Action::Recover { data_dir, execute, bind } = &command.action {
        return recover::run(data_dir, *execute, *bind);
    }
    if let Action::Restore(order) = &command.action {
        return restore::run(order);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::because(exit::FAILED, "cannot start the runtime"))?;
    runtime.block_on(act(command))
}

async fn act(command: ClusterCommand) -> Result<(), Failure> {
    let nodes = Nodes::new(&command)?;
    let step = match command.action {
        Action::Status => return status(&nodes).await,
        Action::Transfer { to } => {
            let members = nodes.post("/cluster/transfer", &json!({ "to": to })).await?;
            println!("done; the members are {members}");
            return Ok(());
        }
        // Need no node, see `run`.
        Action::Recover { .. } | Action::Restore(_) => return Ok(()),
        Action::Backup { file, stale } => return backup::run(&nodes, &file, stale).await,
        Action::Trace { seconds } => return nodes.trace(seconds).await,
        Action::Add { member, learner, voter } => {
            return add(&nodes, &member, learner, voter).await;
        }
        Action::Replace { old, new } => {
            let (id, address) = parse_member(&new)?;
            json!({ "add-learner": { "id": id, "address": address, "plan": { "replace": old } } })
        }
        Action::Remove { member } => json!({ "remove": { "id": member } }),
        Action::Promote { member } => json!({ "promote": { "id": member } }),
        Action::Demote { member } => json!({ "demote": { "id": member } }),
        Action::Move { member } => {
            let (id, address) = parse_member(&member)?;
            json!({ "describe": { "id": id, "address": address } })
        }
    };
    change(&nodes, step).await
}

async fn change(nodes: &Nodes, step: Value) -> Result<(), Failure> {
    let members = nodes.post("/cluster/change", &json!({ "steps": [step] })).await?;
    println!("the members are {members}");
    Ok(())
}

async fn add(nodes: &Nodes, member: &str, learner: bool, voter: bool) -> Result<(), Failure> {
    let (id, address) = parse_member(member)?;
    let plan = if learner { "stay" } else { "promote" };
    let step = json!({ "add-learner": { "id": id, "address": address, "plan": plan } });
    change(nodes, step).await?;
    let view = nodes.view().await?;
    println!("now start it:");
    println!("  {}", render::serve_line(&view, id, address));
    if voter { wait_for_vote(nodes, id).await } else { Ok(()) }
}

/// Waits until member `id` votes and one set of voters decides.
async fn wait_for_vote(nodes: &Nodes, id: u64) -> Result<(), Failure> {
    let mut was_seen = false;
    loop {
        let view = nodes.view().await?;
        let mut members = view["members"].as_array().into_iter().flatten();
        match members.find(|member| member["id"] == id) {
            Some(member) if member["voter"] == true && view["joint"] == false => {
                println!("member {id} votes");
                return Ok(());
            }
            Some(_) => was_seen = true,
            None if was_seen => {
                let text = format!("member {id} was removed meanwhile");
                return Err(Failure::new(exit::FAILED, text));
            }
            // The asked node may not have heard of it yet.
            None => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn status(nodes: &Nodes) -> Result<(), Failure> {
    let mut views = Vec::new();
    let mut silent = Vec::new();
    for node in &nodes.addresses {
        match nodes.get(*node).await {
            Ok(view) => views.push(view),
            Err(reason) => silent.push((*node, reason)),
        }
    }
    if views.is_empty() {
        return Err(nodes.unavailable(&silent));
    }
    print!("{}", render::status(&views));
    for (node, reason) in silent {
        println!("{node} does not answer: {reason}");
    }
    Ok(())
}

fn parse_member(text: &str) -> Result<(u64, SocketAddr), Failure> {
    let members = crate::config::parse_cluster(text)
        .map_err(|error| Failure::new(exit::BAD_CONFIG, error))?;
    match members.into_iter().next() {
        Some(member) if !text.contains(',') => Ok(member),
        _ => Err(Failure::new(exit::BAD_CONFIG, "one node at a time, as N=ADDR")),
    }
}

/// The nodes to ask.
struct Nodes {
    addresses: Vec<SocketAddr>,
    token: Option<String>,
    http: reqwest::Client,
}

impl Nodes {
    fn new(command: &ClusterCommand) -> Result<Self, Failure> {
        let token = match &command.token_file {
            Some(path) => {
                let what = path.display().to_string();
                let text = std::fs::read_to_string(path);
                Some(text.map_err(Failure::because(exit::BAD_CONFIG, &what))?.trim().to_owned())
            }
            None => None,
        };
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .build()
            .map_err(Failure::because(exit::FAILED, "cannot make an HTTP client"))?;
        Ok(Self { addresses: command.admin.clone(), token, http })
    }

    async fn get(&self, node: SocketAddr) -> Result<Value, String> {
        let request = self.http.get(format!("http://{node}/cluster")).timeout(ANSWER_TIMEOUT);
        let answer = request.send().await.map_err(|error| reason(&error))?;
        answer.json().await.map_err(|error| reason(&error))
    }

    /// What the first node that answers sees.
    async fn view(&self) -> Result<Value, Failure> {
        let mut silent = Vec::new();
        for node in &self.addresses {
            match self.get(*node).await {
                Ok(view) => return Ok(view),
                Err(reason) => silent.push((*node, reason)),
            }
        }
        Err(self.unavailable(&silent))
    }

    /// Asks the nodes in turn until one takes the wish; the members after it.
    async fn post(&self, path: &str, body: &Value) -> Result<String, Failure> {
        let mut silent = Vec::new();
        for node in &self.addresses {
            let mut request = self.http.post(format!("http://{node}{path}")).json(body);
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            let answer = match request.timeout(ANSWER_TIMEOUT).send().await {
                Ok(answer) => answer,
                // Once it may have been sent, only the membership can tell.
                Err(error) if !error.is_connect() => {
                    let text = format!("{node}: {}; {UNKNOWN}", reason(&error));
                    return Err(Failure::new(exit::FAILED, text));
                }
                Err(error) => {
                    silent.push((*node, reason(&error)));
                    continue;
                }
            };
            let code = answer.status();
            let text = answer.text().await.unwrap_or_default().trim().to_owned();
            return match code.as_u16() {
                200 => Ok(text),
                401 => Err(Failure::new(exit::BAD_CONFIG, format!("{text}: use --token-file"))),
                503 => {
                    silent.push((*node, text));
                    continue;
                }
                _ => Err(Failure::new(exit::FAILED, text)),
            };
        }
        Err(self.unavailable(&silent))
    }

    async fn trace(&self, seconds: u64) -> Result<(), Failure> {
        let Some(node) = self.addresses.first() else { return Ok(()) };
        let url = format!("http://{node}/cluster/trace?seconds={seconds}");
        let mut request = self.http.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let failed = |error| Failure::new(exit::UNAVAILABLE, format!("{node}: {}", reason(&error)));
        let mut answer = request.send().await.map_err(failed)?;
        if !answer.status().is_success() {
            let text = answer.text().await.unwrap_or_default();
            return Err(Failure::new(
                exit::BAD_CONFIG,
                format!("{}: use --token-file", text.trim()),
            ));
        }
        while let Some(part) = answer.chunk().await.map_err(failed)? {
            let mut out = std::io::stdout().lock();
            out.write_all(&part).map_err(Failure::because(exit::FAILED, "standard output"))?;
        }
        Ok(())
    }

    fn unavailable(&self, silent: &[(SocketAddr, String)]) -> Failure {
        let mut text = "no node took it; check --admin and that the nodes run".to_owned();
        for (node, reason) in silent {
            text.push_str(&format!("\n  {node}: {reason}"));
        }
        Failure::new(exit::UNAVAILABLE, text)
    }
}

const UNKNOWN: &str = "the outcome is unknown, look at `quorate cluster status`";

/// The innermost reason, without the address that is shown beside it.
fn reason(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    source.to_string()
}
