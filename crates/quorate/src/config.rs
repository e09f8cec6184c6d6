//! Configuration of a node: flags over environment over TOML file over defaults.
//!
//! Flags and environment come through clap ([`ServeArgs`]); the file has the same names with
//! dashes. An unknown key in the file is an error with a suggestion, never silently ignored.

use crate::config_web::{self, WebArgs, WebSettings};
use clap::Args;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Flags of `quorate serve`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServeArgs {
    /// This node's number in the cluster, from 1
    #[arg(long, env = "QUORATE_NODE_ID", value_name = "N")]
    pub(crate) node_id: Option<u64>,
    /// Address for the other nodes
    #[arg(long, env = "QUORATE_BIND", value_name = "ADDR")]
    pub(crate) bind: Option<SocketAddr>,
    /// All nodes with their peer addresses; the same list on every node
    #[arg(long, env = "QUORATE_CLUSTER", value_name = "1=ADDR,2=ADDR,…")]
    pub(crate) cluster: Option<String>,
    /// This node is to be taken in by a cluster that runs already (see `quorate cluster add`)
    #[arg(long, env = "QUORATE_JOIN")]
    pub(crate) join: bool,
    /// The cluster's id, as `quorate cluster status` shows it; needed with --join
    #[arg(long, env = "QUORATE_CLUSTER_ID", value_name = "HEX")]
    pub(crate) cluster_id: Option<String>,
    /// Serve linearizable reads by the leader's lease, trusting every node's clock to run at most
    /// this wrong, in parts per million; off unless given
    #[arg(long, env = "QUORATE_LEASE_DRIFT_PPM", value_name = "PPM")]
    pub(crate) lease_drift_ppm: Option<u64>,
    /// Most that this node sends of snapshots in a second, MiB [default: 64]
    #[arg(long, env = "QUORATE_SNAPSHOT_MIB_PER_SECOND", value_name = "MIB")]
    pub(crate) snapshot_mib_per_second: Option<u64>,
    /// Address for clients of the store (etcd v3 API)
    #[arg(long, env = "QUORATE_CLIENT", value_name = "ADDR")]
    pub(crate) client: Option<SocketAddr>,
    /// Address for voters and administrators (HTTP)
    #[arg(long, env = "QUORATE_WEB", value_name = "ADDR")]
    pub(crate) web: Option<SocketAddr>,
    /// Address for health and metrics
    #[arg(long, env = "QUORATE_ADMIN", value_name = "ADDR")]
    pub(crate) admin: Option<SocketAddr>,
    /// Folder for everything this node keeps
    #[arg(long, env = "QUORATE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Name shown to clients of the store [default: node-N]
    #[arg(long, env = "QUORATE_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// File that holds the administrators' token; without it a token is made and printed once
    #[arg(long, env = "QUORATE_ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub(crate) admin_token_file: Option<PathBuf>,
    /// Time between two heartbeats of the leader, milliseconds [default: 40]
    #[arg(long, env = "QUORATE_HEARTBEAT_MS", value_name = "MS")]
    pub(crate) heartbeat_ms: Option<u64>,
    /// Shortest time without a leader before a node campaigns, milliseconds; the longest is
    /// twice that [default: 150]
    #[arg(long, env = "QUORATE_ELECTION_MS", value_name = "MS")]
    pub(crate) election_ms: Option<u64>,
    /// Log lines as text or as one JSON object each [default: text]
    #[arg(long, env = "QUORATE_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Send a span of every request to this OpenTelemetry collector, http://HOST:4318 [default:
    /// none are sent]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub(crate) otlp_endpoint: Option<String>,
    /// Read further settings from this TOML file; flags and environment win
    #[arg(long, env = "QUORATE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where a demonstration keeps what steers this node; `quorate demo` sets it
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) demo_folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) web_side: WebArgs,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line, for collectors.
    Json,
}

/// A complete configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeSettings {
    pub(crate) node_id: u64,
    pub(crate) name: String,
    pub(crate) bind: SocketAddr,
    pub(crate) cluster: BTreeMap<u64, SocketAddr>,
    pub(crate) join: bool,
    pub(crate) cluster_id: Option<u64>,
    pub(crate) lease_drift_ppm: Option<u64>,
    pub(crate) snapshot_mib_per_second: u64,
    pub(crate) client: SocketAddr,
    pub(crate) web: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) admin_token_file: Option<PathBuf>,
    pub(crate) heartbeat_ms: u64,
    pub(crate) election_ms: u64,
    pub(crate) log_format: LogFormat,
    pub(crate) otlp_endpoint: Option<String>,
    pub(crate) demo_folder: Option<PathBuf>,
    pub(crate) web_side: WebSettings,
}

/// What is wrong with a configuration, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigError(pub(crate) String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

fn wrong<T>(message: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError(message.into()))
}

const FILE_KEYS: [&str; 17] = [
    "join",
    "cluster-id",
    "lease-drift-ppm",
    "snapshot-mib-per-second",
    "node-id",
    "bind",
    "cluster",
    "client",
    "web",
    "admin",
    "data-dir",
    "name",
    "admin-token-file",
    "heartbeat-ms",
    "election-ms",
    "log-format",
    "otlp-endpoint",
];

fn known_keys() -> impl Iterator<Item = &'static str> {
    FILE_KEYS.into_iter().chain(config_web::FILE_KEYS)
}

/// Puts flags, environment and file together and checks the whole.
///
/// # Errors
/// [`ConfigError`] names the setting, what it holds and what is expected.
pub(crate) fn settle(args: ServeArgs) -> Result<NodeSettings, ConfigError> {
    let args = match args.config.clone() {
        Some(path) => over_file(args, &path)?,
        None => args,
    };
    let node_id = args.node_id.unwrap_or(1);
    let (bind, cluster) = addresses(node_id, args.bind, args.cluster.as_deref())?;
    let heartbeat_ms = args.heartbeat_ms.unwrap_or(40);
    let election_ms = args.election_ms.unwrap_or(150);
    if heartbeat_ms == 0 || election_ms < heartbeat_ms * 2 {
        return wrong(format!(
            "election-ms ({election_ms}) must be at least twice heartbeat-ms ({heartbeat_ms}), \
             and heartbeat-ms at least 1"
        ));
    }
    let cluster_id = args.cluster_id.as_deref().map(parse_cluster_id).transpose()?;
    if args.join && cluster_id.is_none() {
        return wrong("join needs cluster-id, as `quorate cluster status` shows it");
    }
    if args.lease_drift_ppm.is_some_and(|ppm| ppm >= 1_000_000) {
        return wrong("lease-drift-ppm must be below 1000000; real clocks stay below 500");
    }
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let settings = NodeSettings {
        node_id,
        name: args.name.unwrap_or_else(|| format!("node-{node_id}")),
        bind,
        cluster,
        join: args.join,
        cluster_id,
        lease_drift_ppm: args.lease_drift_ppm,
        snapshot_mib_per_second: args.snapshot_mib_per_second.unwrap_or(64).max(1),
        client: args.client.unwrap_or(any),
        web: args.web.unwrap_or(any),
        admin: args.admin.unwrap_or(any),
        data_dir: args.data_dir.unwrap_or_else(|| format!("quorate-data/{node_id}").into()),
        admin_token_file: args.admin_token_file,
        heartbeat_ms,
        election_ms,
        log_format: args.log_format.unwrap_or_default(),
        otlp_endpoint: args.otlp_endpoint.filter(|url| !url.is_empty()),
        demo_folder: args.demo_folder,
        web_side: args.web_side.settle()?,
    };
    refuse_open_listeners(&settings)?;
    Ok(settings)
}

/// Without authentication the store and the peers may be reached from this machine only.
fn refuse_open_listeners(settings: &NodeSettings) -> Result<(), ConfigError> {
    for (name, address) in [("bind", settings.bind), ("client", settings.client)] {
        if !address.ip().is_loopback() {
            return wrong(format!(
                "{name} is {address}: a peer or client listener outside loopback needs \
                 authentication, which this version does not have; use a 127.0.0.1 address"
            ));
        }
    }
    Ok(())
}

fn addresses(
    node_id: u64,
    bind: Option<SocketAddr>,
    cluster: Option<&str>,
) -> Result<(SocketAddr, BTreeMap<u64, SocketAddr>), ConfigError> {
    if node_id == 0 || node_id > 255 {
        return wrong(format!("node-id is {node_id}; nodes are numbered from 1 to 255"));
    }
    let Some(cluster) = cluster else {
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let bind = bind.unwrap_or(any);
        return Ok((bind, BTreeMap::from([(node_id, bind)])));
    };
    let cluster = parse_cluster(cluster)?;
    let Some(own) = cluster.get(&node_id).copied() else {
        return wrong(format!("cluster does not list this node: no entry {node_id}=…"));
    };
    Ok((bind.unwrap_or(own), cluster))
}

/// Reads a cluster's id.
fn parse_cluster_id(text: &str) -> Result<u64, ConfigError> {
    u64::from_str_radix(text.trim(), 16).map_err(|_| {
        ConfigError(format!("cluster-id is '{text}'; expected up to 16 hexadecimal digits"))
    })
}

/// Reads `1=127.0.0.1:7101,2=…`.
pub(crate) fn parse_cluster(text: &str) -> Result<BTreeMap<u64, SocketAddr>, ConfigError> {
    let mut cluster = BTreeMap::new();
    for entry in text.split(',').map(str::trim) {
        let Some((id, address)) = entry.split_once('=') else {
            return wrong(format!("cluster entry '{entry}' is not of the form N=HOST:PORT"));
        };
        let Ok(id) = id.trim().parse::<u64>() else {
            return wrong(format!("cluster entry '{entry}': '{id}' is no node number"));
        };
        let Ok(parsed) = address.trim().parse::<SocketAddr>() else {
            return wrong(format!(
                "cluster entry '{entry}': '{address}' is no address; expected IP:PORT"
            ));
        };
        if cluster.insert(id, parsed).is_some() {
            return wrong(format!("cluster names node {id} twice"));
        }
    }
    if cluster.len() > 7 {
        return wrong(format!("cluster has {} nodes; at most 7 can vote", cluster.len()));
    }
    Ok(cluster)
}

/// Fills what flags and environment left open from the file at `path`.
fn over_file(mut args: ServeArgs, path: &Path) -> Result<ServeArgs, ConfigError> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("cannot read {name}: {error}")))?;
    let table: toml::Table =
        text.parse().map_err(|error| ConfigError(format!("{name}: {error}")))?;
    for key in table.keys() {
        if !known_keys().any(|known| known == key) {
            let hint = nearest(key).map(|near| format!("; did you mean '{near}'?"));
            return wrong(format!("{name}: unknown key '{key}'{}", hint.unwrap_or_default()));
        }
    }
    let file = File { name: name.to_string(), table };
    args.node_id = args.node_id.or(file.number("node-id")?);
    args.bind = args.bind.or(file.parsed("bind")?);
    args.cluster = args.cluster.or(file.cluster()?);
    args.client = args.client.or(file.parsed("client")?);
    args.web = args.web.or(file.parsed("web")?);
    args.admin = args.admin.or(file.parsed("admin")?);
    args.data_dir = args.data_dir.or(file.parsed("data-dir")?);
    args.name = args.name.or(file.parsed("name")?);
    args.admin_token_file = args.admin_token_file.or(file.parsed("admin-token-file")?);
    args.web_side.over(|key| Ok(file.text(key)?.map(str::to_owned)))?;
    args.join = args.join || file.flag("join")?;
    args.cluster_id = args.cluster_id.or(file.text("cluster-id")?.map(str::to_owned));
    args.lease_drift_ppm = args.lease_drift_ppm.or(file.number("lease-drift-ppm")?);
    args.snapshot_mib_per_second =
        args.snapshot_mib_per_second.or(file.number("snapshot-mib-per-second")?);
    args.heartbeat_ms = args.heartbeat_ms.or(file.number("heartbeat-ms")?);
    args.election_ms = args.election_ms.or(file.number("election-ms")?);
    args.otlp_endpoint = args.otlp_endpoint.or(file.text("otlp-endpoint")?.map(str::to_owned));
    args.log_format = match (args.log_format, file.text("log-format")?) {
        (Some(given), _) => Some(given),
        (None, None) => None,
        (None, Some("text")) => Some(LogFormat::Text),
        (None, Some("json")) => Some(LogFormat::Json),
        (None, Some(other)) => {
            return wrong(format!("{name}: log-format is '{other}'; expected 'text' or 'json'"));
        }
    };
    Ok(args)
}

struct File {
    name: String,
    table: toml::Table,
}

impl File {
    fn text(&self, key: &str) -> Result<Option<&str>, ConfigError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text)),
            Some(other) => wrong(format!(
                "{}: {key} is a {}; expected text in quotes",
                self.name,
                other.type_str()
            )),
        }
    }

    fn parsed<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => wrong(format!("{}: {key} is '{text}'; expected IP:PORT", self.name)),
        }
    }

    fn number(&self, key: &str) -> Result<Option<u64>, ConfigError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(toml::Value::Integer(number)) if *number >= 0 => Ok(Some(*number as u64)),
            Some(other) => {
                wrong(format!("{}: {key} is {other}; expected a whole number", self.name))
            }
        }
    }

    fn flag(&self, key: &str) -> Result<bool, ConfigError> {
        match self.table.get(key) {
            None => Ok(false),
            Some(toml::Value::Boolean(value)) => Ok(*value),
            Some(other) => {
                wrong(format!("{}: {key} is {other}; expected true or false", self.name))
            }
        }
    }

    /// `cluster` as one text or as a table `{ 1 = "ADDR", … }`.
    fn cluster(&self) -> Result<Option<String>, ConfigError> {
        let Some(toml::Value::Table(nodes)) = self.table.get("cluster") else {
            return Ok(self.text("cluster")?.map(str::to_owned));
        };
        let entries: Vec<String> = nodes
            .iter()
            .map(|(id, address)| format!("{id}={}", address.as_str().unwrap_or_default()))
            .collect();
        Ok(Some(entries.join(",")))
    }
}

/// The known key within an edit distance of three, if any.
fn nearest(key: &str) -> Option<&'static str> {
    known_keys()
        .map(|known| (distance(key, known), known))
        .min()
        .and_then(|(distance, known)| (distance <= 3).then_some(known))
}

/// Edit distance (Levenshtein) of two short words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> Result<NodeSettings, String> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("q.toml");
        std::fs::write(&path, text).expect("written");
        let args = ServeArgs { config: Some(path), ..ServeArgs::default() };
        let shown = folder.path().display().to_string();
        settle(args).map_err(|error| error.to_string().replace(&shown, ""))
    }

    #[test]
    fn one_node_alone_needs_nothing() {
        let settings = settle(ServeArgs::default()).expect("defaults work");
        assert_eq!(settings.cluster.len(), 1);
        assert_eq!(settings.web.to_string(), "127.0.0.1:0");
    }

    #[test]
    fn the_collector_of_traces_may_stand_in_the_file() {
        let settings = with_file("otlp-endpoint = \"http://collector:4318\"").expect("known");
        assert_eq!(settings.otlp_endpoint.as_deref(), Some("http://collector:4318"));
        let wrong = with_file("otlp-endpoint = 4318").expect_err("a number");
        assert!(wrong.contains("otlp-endpoint is a integer; expected text in quotes"), "{wrong}");
    }

    #[test]
    fn flags_win_over_the_file() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("q.toml");
        std::fs::write(&path, "name = \"file\"\nheartbeat-ms = 20\n").expect("written");
        let args =
            ServeArgs { config: Some(path), name: Some("flag".to_owned()), ..ServeArgs::default() };
        let settings = settle(args).expect("fits");
        assert_eq!((settings.name.as_str(), settings.heartbeat_ms), ("flag", 20));
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, expect: &str| {
            let error = with_file(text).expect_err(text);
            assert!(error.contains(expect), "{text}: {error}");
        };
        check("hartbeat-ms = 1", "unknown key 'hartbeat-ms'; did you mean 'heartbeat-ms'?");
        check("node-id = \"x\"", "node-id is \"x\"; expected a whole number");
        check("bind = \"nowhere\"", "bind is 'nowhere'; expected IP:PORT");
        check("cluster = \"1:2\"", "cluster entry '1:2' is not of the form N=HOST:PORT");
        check("cluster = \"2=127.0.0.1:1\"", "cluster does not list this node: no entry 1=…");
        check("client = \"10.0.0.1:1\"", "outside loopback needs authentication");
        check("election-ms = 50", "must be at least twice heartbeat-ms");
        check("log-format = \"xml\"", "expected 'text' or 'json'");
        check("node-id = 1\nnode-id", "line 2");
    }
}
