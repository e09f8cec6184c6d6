//! `quorate serve`: one node, until Ctrl-C, SIGTERM or a failure that must not be survived.

use super::{Failure, demo_side};
use crate::config::{self, LogFormat, NodeSettings, ServeArgs};
use crate::members::{self, NodeGroup};
use crate::telemetry::{self, Exporter, TraceLayer};
use crate::{authority_folder, exit, secret_file};
use clap::{Args, Subcommand};
use gateway::{AdminToken, Gateway, Standing};
use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Longest time for what is under way when the node is asked to stop.
const DRAIN_MAX: Duration = Duration::from_secs(25);

/// Longest wait for another node to take the lead.
const TRANSFER_MAX: Duration = Duration::from_secs(2);

/// Between two looks at what is still under way.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// Run one node of the cluster.
///
/// One node alone:       quorate serve
/// Three on one machine: quorate serve --node-id 1 \
///   --cluster 1=127.0.0.1:7101,2=127.0.0.1:7102,3=127.0.0.1:7103 --data-dir d1
/// and the same with --node-id 2 --data-dir d2, --node-id 3 --data-dir d3.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct ServeCommand {
    #[command(flatten)]
    args: ServeArgs,
}

/// Look at the configuration.
#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Check flags, environment and file as `serve` would, and say what is wrong
    Check(ServeCommand),
}

/// `quorate config …`.
pub(crate) fn config(command: ConfigCommand) -> Result<(), Failure> {
    let ConfigCommand::Check(serve) = command;
    let settings = settle(serve)?;
    println!("{settings:#?}");
    println!("the configuration is complete");
    Ok(())
}

fn settle(command: ServeCommand) -> Result<NodeSettings, Failure> {
    config::settle(command.args).map_err(|error| Failure::new(exit::BAD_CONFIG, error))
}

/// `quorate serve`.
pub(crate) fn run(command: ServeCommand) -> Result<(), Failure> {
    let settings = settle(command)?;
    // It sends the last traces when it is dropped, after everything else.
    let _exporter = start_log(&settings)?;
    let listeners = Listeners::bind(&settings)?;
    let settings = NodeSettings {
        bind: listeners.peer_address,
        client: address_of(&listeners.client)?,
        web: address_of(&listeners.web)?,
        admin: address_of(&listeners.admin)?,
        ..settings
    };
    let token = admin_token(&settings)?;
    let (node, gateway) = start(&settings, listeners.peer, token)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::because(exit::FAILED, "cannot start the runtime"))?;
    let open = [listeners.client, listeners.web, listeners.admin];
    let outcome = runtime.block_on(serve(&settings, &node, gateway, open));
    tracing::info!("stopping");
    node.stop();
    outcome
}

/// Log lines on standard error, and traces to a collector if the environment names one.
fn start_log(settings: &NodeSettings) -> Result<Option<Exporter>, Failure> {
    use tracing_subscriber::filter::filter_fn;
    let filter = tracing_subscriber::EnvFilter::try_from_env("QUORATE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let is_traced = |metadata: &tracing::Metadata<'_>| metadata.target() == gateway::TRACE_TARGET;
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match settings.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let lines = lines.with_filter(filter).with_filter(filter_fn(move |own| !is_traced(own)));
    let endpoint = telemetry::endpoint(settings.otlp_endpoint.as_deref())
        .map_err(|error| Failure::new(exit::BAD_CONFIG, error))?;
    let started = endpoint
        .map(|url| Exporter::start(url, settings.node_id))
        .transpose()
        .map_err(Failure::because(exit::FAILED, "cannot start the export of traces"))?;
    let (exporter, outlet) = started.unzip();
    let traces = outlet
        .map(|outlet| TraceLayer { outlet }.with_filter(filter_fn(move |own| is_traced(own))));
    tracing_subscriber::registry().with(lines).with(traces).init();
    Ok(exporter)
}

/// The four listeners, bound before anything else happens.
struct Listeners {
    peer: TcpListener,
    peer_address: SocketAddr,
    client: TcpListener,
    web: TcpListener,
    admin: TcpListener,
}

impl Listeners {
    fn bind(settings: &NodeSettings) -> Result<Self, Failure> {
        let bind = |name: &str, address: SocketAddr| {
            let what = format!("cannot listen on {address} ({name})");
            TcpListener::bind(address).map_err(|e| Failure::because(exit::UNAVAILABLE, &what)(e))
        };
        let peer = bind("bind", settings.bind)?;
        let peer_address = address_of(&peer)?;
        Ok(Self {
            peer,
            peer_address,
            client: bind("client", settings.client)?,
            web: bind("web", settings.web)?,
            admin: bind("admin", settings.admin)?,
        })
    }
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(Failure::because(exit::FAILED, "listener"))
}

/// Everything that runs on threads of its own: the member of the store and the authority.
struct Started {
    gateway: Gateway,
    /// Says why the authority had to stop.
    failed: tokio::sync::oneshot::Receiver<String>,
    token: AdminToken,
}

fn start(
    settings: &NodeSettings,
    peer: TcpListener,
    token: AdminToken,
) -> Result<(node::Node, Started), Failure> {
    let mut members = settings.cluster.clone();
    // The others reach this node at what the cluster's list says, which may be a proxy's address;
    // a node alone has no list.
    let own = members.entry(settings.node_id).or_insert(settings.bind);
    if own.port() == 0 {
        *own = settings.bind;
    }
    let cluster = cluster_of(settings);
    let seed = random_seed()?;
    let (authority, journal) = authority_folder::open(settings, cluster, seed)?;
    let authority_key = authority.key().to_string();
    let config = node::NodeConfig {
        cluster,
        member: settings.node_id,
        members,
        data_dir: settings.data_dir.clone(),
        timing: replica::Timing {
            heartbeat_ms: settings.heartbeat_ms,
            election_min_ms: settings.election_ms,
            election_max_ms: settings.election_ms * 2,
            ..replica::Timing::default()
        },
        joins: settings.join,
        log_keeping: replica::LogKeeping::default(),
        snapshot_bytes_per_second: settings.snapshot_mib_per_second << 20,
        lease_drift_ppm: settings.lease_drift_ppm,
        seed,
        version: VERSION.to_owned(),
        disk_brake: demo_side::brake(settings)?,
    };
    let node =
        node::Node::start(config, peer).map_err(|error| Failure::new(exit::FAILED, error))?;
    let client: Arc<dyn client::Client> = Arc::new(node.client());
    let (fail, failed) = tokio::sync::oneshot::channel();
    let handle = gateway::runner::start(authority, journal, Arc::clone(&client), |reason| {
        let _ = fail.send(reason);
    })
    .map_err(Failure::because(exit::FAILED, "cannot start the authority"))?;
    let facts = gateway::NodeFacts {
        node: settings.node_id,
        name: settings.name.clone(),
        version: VERSION.to_owned(),
        authority_key,
        cluster,
        addresses: named_addresses(settings).map(|(name, at)| (name.to_owned(), at)).to_vec(),
    };
    let probe = probe(node.group(), node.metrics(), settings.data_dir.clone());
    let web = web_settings(settings)?;
    let gateway = Gateway::new((handle, client), token.clone(), facts, web, probe)
        .map_err(|error| Failure::new(exit::BAD_CONFIG, error))?;
    Ok((node, Started { gateway, failed, token }))
}

fn named_addresses(settings: &NodeSettings) -> [(&'static str, SocketAddr); 4] {
    [
        ("peer", settings.bind),
        ("client", settings.client),
        ("web", settings.web),
        ("admin", settings.admin),
    ]
}

/// The gateway's settings, secrets read from their files.
fn web_settings(settings: &NodeSettings) -> Result<gateway::Settings, Failure> {
    let web = &settings.web_side;
    let secret = |path: &PathBuf| -> Result<String, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(Failure::because(exit::BAD_CONFIG, &path.display().to_string()))?;
        Ok(text.trim().to_owned())
    };
    let oidc = match &web.oidc {
        None => None,
        Some(oidc) => Some(gateway::OidcSettings {
            issuer: oidc.issuer.clone(),
            client_id: oidc.client_id.clone(),
            client_secret: oidc.secret_file.as_ref().map(secret).transpose()?,
            name: oidc.name.clone(),
        }),
    };
    let mail = web.mail.clone().map(|(server, from)| gateway::mail::MailSettings { server, from });
    Ok(gateway::Settings {
        web_origin: web.origin.clone(),
        trusted_proxies: web.trusted_proxies.clone(),
        oidc,
        mail,
        demo: demo_side::supervisor(settings)?,
        ..gateway::Settings::default()
    })
}

/// What the node says of itself, for its beats.
fn probe(
    group: node::group::Group,
    metrics: node::Metrics,
    data_dir: PathBuf,
) -> gateway::life::Probe {
    Arc::new(move || {
        let view = group.view();
        let usage = node::usage::usage(&data_dir);
        let member =
            |member: &node::group::MemberView| (member.id, member.address.clone(), member.is_voter);
        gateway::life::Vitals {
            role: view.role.to_owned(),
            term: view.term,
            leader: view.leader,
            commit: view.commit,
            applied: view.applied,
            last: view.last,
            members: view.members.iter().map(member).collect(),
            restriction: view.restriction,
            disk_stalled_ms: view.disk_stalled_ms,
            cpu_seconds: usage.cpu_seconds,
            memory_bytes: usage.memory_bytes,
            disk_free_bytes: usage.disk_free_bytes,
            disk_total_bytes: usage.disk_total_bytes,
            store_bytes: folder_bytes(&data_dir.join("state"))
                + folder_bytes(&data_dir.join("log")),
            commits: metrics.recent_commits().map(commits),
            followers: view.members.iter().filter_map(follower).collect(),
        }
    })
}

fn commits(recent: node::RecentCommits) -> gateway::life::Commits {
    let node::RecentCommits { count, p50_ms, p99_ms } = recent;
    gateway::life::Commits { count: count as u64, p50_ms, p99_ms }
}

fn follower(member: &node::group::MemberView) -> Option<gateway::life::Follower> {
    let (matched, silent_ms) = (member.matched?, member.silent_ms?);
    Some(gateway::life::Follower { node: member.id, matched, silent_ms })
}

/// Bytes of the files in a folder.
fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).sum()
}

/// The administrators' token: from the given file, or made once and printed once.
fn admin_token(settings: &NodeSettings) -> Result<AdminToken, Failure> {
    let (standing, text) = match &settings.admin_token_file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(Failure::because(exit::BAD_CONFIG, &path.display().to_string()))?;
            (Standing::Permanent, text)
        }
        None => {
            let wrong = Failure::because(exit::FAILED, "data-dir");
            node::disk::create_folders(&settings.data_dir).map_err(wrong)?;
            let text = secret_file::read_or_make(&settings.data_dir.join("admin-token"), || {
                let mut bytes = [0; 20];
                getrandom::fill(&mut bytes)
                    .map_err(Failure::because(exit::FAILED, "no randomness from the system"))?;
                let token = hex::encode(bytes);
                println!("administrators' token (shown once, kept in admin-token): {token}");
                println!("it makes the first account: quorate user add NAME --role administrator");
                if authority_folder::has_run(&settings.data_dir) {
                    println!("where accounts were restored it is void; log in as one of them");
                }
                Ok(token)
            })?;
            (Standing::OneTime, text)
        }
    };
    AdminToken::parse(&text, standing).map_err(|error| Failure::new(exit::BAD_CONFIG, error))
}

/// The id that was given, or the one that founding members agree on.
fn cluster_of(settings: &NodeSettings) -> u64 {
    let mut members: Vec<u64> = settings.cluster.keys().copied().collect();
    if !members.contains(&settings.node_id) {
        members.push(settings.node_id);
        members.sort_unstable();
    }
    settings.cluster_id.unwrap_or_else(|| cluster_id(&members))
}

/// The same on all nodes that were given the same member numbers: FNV-1a over them.
fn cluster_id(members: &[u64]) -> u64 {
    members
        .iter()
        .flat_map(|member| member.to_be_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

fn random_seed() -> Result<u64, Failure> {
    getrandom::u64().map_err(Failure::because(exit::FAILED, "no randomness from the system"))
}

async fn serve(
    settings: &NodeSettings,
    node: &node::Node,
    started: Started,
    [client_listener, web_listener, admin_listener]: [TcpListener; 3],
) -> Result<(), Failure> {
    let listening = Failure::because(exit::FAILED, "listener");
    let (stop, stopped) = watch::channel(false);
    let addresses = named_addresses(settings);
    let client: Arc<dyn client::Client> = Arc::new(node.client());
    let (token, gateway) = (started.token, started.gateway);
    let figures = gateway.clone();
    let admin = node::admin::Admin {
        client: Arc::clone(&client),
        leadership: node.leadership(),
        metrics: node.metrics(),
        version: VERSION.to_owned(),
        cluster: cluster_of(settings),
        group: node.group(),
        backups: node.backups(),
        is_authorized: Arc::new(move |given| token.is(given)),
        draining: gateway.draining(),
        others: Arc::new(move || figures.figures()),
        data_dir: settings.data_dir.clone(),
        started: Instant::now(),
    };
    let info = server_info(settings, addresses[1].1);
    let admin_task = node::admin::serve(tokio_listener(admin_listener)?, admin, until(&stopped));
    let publishing = {
        let (store, record) = (Arc::clone(&client), record(settings, &addresses));
        let member = settings.node_id;
        tokio::spawn(async move { members::publish(&*store, member, record).await })
    };
    let group = Arc::new(NodeGroup(node.group()));
    let etcd_task =
        etcd_api::serve(tokio_listener(client_listener)?, client, group, info, until(&stopped));
    let web_task = gateway.clone().serve(tokio_listener(web_listener)?, until(&stopped));
    announce(settings, &addresses);
    let leave = async {
        signalled().await;
        tokio::select! {
            () = take_leave(node, &gateway) => {}
            // Who asks twice does not want to wait.
            () = signalled() => {}
        }
    };
    let ended = tokio::select! {
        reason = node.failed() => Err(Failure::new(exit::FAILED, reason)),
        Ok(reason) = started.failed => {
            Err(Failure::new(exit::FAILED, format!("the authority stopped: {reason}")))
        }
        result = admin_task => result.map_err(&listening),
        result = web_task => result.map_err(&listening),
        result = etcd_task => {
            result.map_err(|error| Failure::new(exit::FAILED, format!("client listener: {error}")))
        }
        () = leave => Ok(()),
    };
    stop.send_replace(true);
    publishing.abort();
    ended
}

/// Says that the node goes, gives up the lead, and lets what is under way come to its end.
async fn take_leave(node: &node::Node, gateway: &Gateway) {
    gateway.drain();
    tracing::info!("taking leave");
    let group = node.group();
    if group.view().role == "leader" {
        let wish = group.wish(replica::Wish::Transfer { to: None });
        let _ = tokio::time::timeout(TRANSFER_MAX, wish).await;
    }
    let deadline = Instant::now() + DRAIN_MAX;
    while Instant::now() < deadline {
        let (ballots, others, listeners) = gateway.load();
        if ballots + others + listeners == 0 {
            break;
        }
        tokio::time::sleep(DRAIN_LOOK).await;
    }
    gateway.farewell().await;
}

async fn until_true(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

fn until(stopped: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
    until_true(stopped.clone())
}

fn tokio_listener(listener: TcpListener) -> Result<tokio::net::TcpListener, Failure> {
    listener
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(listener))
        .map_err(Failure::because(exit::FAILED, "listener"))
}

fn server_info(settings: &NodeSettings, client: SocketAddr) -> etcd_api::ServerInfo {
    etcd_api::ServerInfo {
        cluster_id: cluster_of(settings),
        member_id: settings.node_id,
        name: settings.name.clone(),
        client: client.to_string(),
        version: "3.5.17".to_owned(),
    }
}

/// What this node tells the others about itself.
fn record(
    settings: &NodeSettings,
    addresses: &[(&str, SocketAddr); 4],
) -> client::nodes::NodeRecord {
    let [_, (_, client), (_, web), (_, admin)] = addresses;
    client::nodes::NodeRecord {
        name: settings.name.clone(),
        client: client.to_string(),
        web: web.to_string(),
        admin: admin.to_string(),
    }
}

/// One line per listener on standard output, for people and for whoever started the node.
fn announce(settings: &NodeSettings, addresses: &[(&str, SocketAddr)]) {
    println!("node {} of {} is up", settings.node_id, settings.cluster.len());
    for (name, address) in addresses {
        println!("{name} {address}");
    }
    println!("ready");
}

async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be caught; Ctrl-C still stops the node");
            let _ = tokio::signal::ctrl_c().await;
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
