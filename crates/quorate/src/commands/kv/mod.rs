//! `quorate kv`: the store from a shell, one command at a time or at a prompt.

mod lease;
mod prompt;
mod render;
mod txn;
mod words;

use super::Failure;
use crate::exit;
use bytes::Bytes;
use clap::{Args, Parser, Subcommand};
use client::Client;
use client::etcd::EtcdClient;
use futures::StreamExt;
use kv::api::{
    DeleteRangeRequest, Error, KeyRange, Outcome, PutRequest, RangeRequest, Request, WatchRequest,
    WatchResponse,
};

/// Read and write the store.
///
/// Any subset of the nodes' client addresses will do; requests find the leader by themselves
/// and survive its loss, or say plainly that their outcome is unknown. Without a subcommand a
/// prompt opens.
#[derive(Args, Debug)]
pub(crate) struct KvCommand {
    /// Client addresses of one or more nodes
    #[arg(
        long,
        env = "QUORATE_KV_CLUSTER",
        value_name = "ADDR,…",
        value_delimiter = ',',
        default_value = "127.0.0.1:7201"
    )]
    cluster: Vec<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

/// What a line of the prompt may hold.
#[derive(Parser, Debug)]
#[command(name = "", no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
#[command(disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    action: Action,
}

/// One thing to do.
#[derive(Subcommand, Debug)]
enum Action {
    /// Write a key:  put KEY VALUE
    Put {
        /// The key
        key: String,
        /// Its value
        value: String,
        /// Also print the value before
        #[arg(long)]
        prev: bool,
        /// Attach to this lease
        #[arg(long, default_value_t = 0)]
        lease: i64,
    },
    /// Read a key:  get KEY
    Get {
        /// The key
        key: String,
        /// As it was at this revision
        #[arg(long, default_value_t = 0)]
        rev: i64,
        /// Answer from the asked node without asking the quorum; may be stale
        #[arg(long)]
        stale: bool,
    },
    /// Delete a key:  delete KEY
    Delete {
        /// The key
        key: String,
        /// Every key that starts with KEY
        #[arg(long)]
        prefix: bool,
    },
    /// List keys and values:  list [PREFIX]
    List {
        /// Only keys that start with it
        #[arg(default_value = "")]
        prefix: String,
        /// Only the keys
        #[arg(long)]
        keys_only: bool,
        /// At most so many
        #[arg(long, default_value_t = 0)]
        limit: i64,
        /// As it was at this revision
        #[arg(long, default_value_t = 0)]
        rev: i64,
    },
    /// Print changes as they happen:  watch KEY [--prefix] [--rev N], until Ctrl-C
    Watch {
        /// The key
        key: String,
        /// Every key that starts with KEY
        #[arg(long)]
        prefix: bool,
        /// From this revision on
        #[arg(long, default_value_t = 0)]
        rev: i64,
    },
    /// Compare, then write:  txn --if 'value(a) = 1' --then 'put b 2' --else 'get a'
    Txn(txn::TxnAction),
    /// Put the history below a revision out of reach:  compact REVISION
    Compact {
        /// The oldest revision that can still be read
        revision: i64,
        /// Wait until it is done on the node that is asked
        #[arg(long)]
        physical: bool,
    },
    /// Keys that go when their holder is gone:  lease grant 60, then put --lease ID KEY VALUE
    #[command(subcommand)]
    Lease(lease::LeaseAction),
    /// A checksum of the keys, equal on all nodes:  hash [--rev N]
    Hash {
        /// As they were at this revision
        #[arg(long, default_value_t = 0)]
        rev: i64,
    },
    /// What each node says of itself
    Status,
}

/// `quorate kv …`.
pub(crate) fn run(command: KvCommand) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::because(exit::FAILED, "cannot start the runtime"))?;
    let nodes: Vec<String> = command.cluster.iter().map(|node| node.trim().to_owned()).collect();
    let session = runtime.block_on(async { Session::open(nodes) })?;
    match command.action {
        Some(action) => runtime.block_on(session.perform(action)),
        None => prompt::run(&runtime, &session),
    }
}

/// Connections to the cluster.
struct Session {
    nodes: Vec<String>,
    client: EtcdClient,
}

impl Session {
    fn open(nodes: Vec<String>) -> Result<Self, Failure> {
        let client =
            EtcdClient::connect(&nodes).map_err(Failure::because(exit::BAD_DATA, "--cluster"))?;
        Ok(Self { nodes, client })
    }

    async fn perform(&self, action: Action) -> Result<(), Failure> {
        match action {
            Action::Put { key, value, prev, lease } => {
                let put = PutRequest {
                    key: key.into(),
                    value: value.into(),
                    lease,
                    prev_kv: prev,
                    ..PutRequest::default()
                };
                self.ask(Request::Put(put)).await
            }
            Action::Get { key, rev, stale } => {
                let range = RangeRequest {
                    range: KeyRange::single(key),
                    revision: rev,
                    serializable: stale,
                    ..RangeRequest::default()
                };
                self.ask(Request::Range(range)).await
            }
            Action::Delete { key, prefix } => {
                let delete = DeleteRangeRequest { range: range(key, prefix), prev_kv: false };
                self.ask(Request::DeleteRange(delete)).await
            }
            Action::List { prefix, keys_only, limit, rev } => {
                let range = RangeRequest {
                    range: KeyRange::prefix(prefix),
                    revision: rev,
                    keys_only,
                    limit,
                    ..RangeRequest::default()
                };
                self.ask(Request::Range(range)).await
            }
            Action::Watch { key, prefix, rev } => self.watch(range(key, prefix), rev).await,
            Action::Txn(txn) => {
                let request = txn.request().map_err(|e| Failure::new(exit::BAD_DATA, e))?;
                self.ask(Request::Txn(request)).await
            }
            Action::Compact { revision, physical } => {
                self.ask(Request::Compact { revision, physical }).await
            }
            Action::Lease(action) => self.lease(action).await,
            Action::Hash { rev } => self.each(&Request::Hash { revision: rev }).await,
            Action::Status => self.each(&Request::Status).await,
        }
    }

    async fn ask(&self, request: Request) -> Result<(), Failure> {
        let response = self.client.call(request).await.map_err(explain)?;
        print!("{}", render::response(&response));
        Ok(())
    }

    async fn watch(&self, range: KeyRange, start_revision: i64) -> Result<(), Failure> {
        let request = WatchRequest { range, start_revision, ..WatchRequest::default() };
        let mut messages = self.client.watch(request).await.map_err(explain)?;
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                _ = tokio::signal::ctrl_c() => return Ok(()),
            };
            match message {
                Some(Ok(WatchResponse::Canceled { reason, .. })) => {
                    return Err(Failure::new(exit::FAILED, format!("the watch ended: {reason}")));
                }
                Some(Ok(message)) => print!("{}", render::watch(&message)),
                Some(Err(error)) => return Err(explain(error)),
                None => return Ok(()),
            }
        }
    }

    /// Asks each node for itself, so that a missing one shows as missing.
    async fn each(&self, request: &Request) -> Result<(), Failure> {
        let mut reached = 0;
        for node in &self.nodes {
            let one = EtcdClient::connect(std::slice::from_ref(node))
                .map_err(Failure::because(exit::BAD_DATA, "--cluster"))?;
            match one.call(request.clone()).await {
                Ok(response) => {
                    reached += 1;
                    println!("{node}  {}", render::response(&response).trim_end());
                }
                Err(error @ (Error::Compacted | Error::FutureRevision)) => {
                    return Err(explain(error));
                }
                Err(error) => println!("{node}  not reachable: {error}"),
            }
        }
        if reached == 0 {
            return Err(explain(Error::Unreachable));
        }
        Ok(())
    }
}

fn range(key: String, is_prefix: bool) -> KeyRange {
    if is_prefix { KeyRange::prefix(key) } else { KeyRange::single(Bytes::from(key)) }
}

/// The refusal in words, with what it means for the write.
fn explain(error: Error) -> Failure {
    let text = error.text().trim_start_matches("etcdserver: ").trim_start_matches("quorate: ");
    let code = match error {
        Error::Unreachable | Error::NoLeader => exit::UNAVAILABLE,
        _ => exit::FAILED,
    };
    let hint = match (error, error.outcome()) {
        (Error::NoLeader, _) => "\n  nothing was changed; a majority of the nodes must be up",
        (Error::Unreachable | Error::OutcomeUnknown, _) => "",
        (_, Outcome::Unknown) => {
            "\n  a write may or may not have happened: read the key before you try again"
        }
        (_, Outcome::NotApplied) => "\n  nothing was changed",
    };
    Failure::new(code, format!("{text}{hint}"))
}
