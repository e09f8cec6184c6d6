//! The HTTP API of the nodes as their clients see it: many nodes, one answer.
//!
//! A call goes to one node; when that one cannot be reached, does not answer in time or says "not
//! now", the next one is asked, round and round until the client's patience ends. A refusal is an
//! answer and ends the call at once. Going on at another node is safe because every act of this
//! API may be done twice: what has been done already is recognised by its bytes.

mod bodies;

pub(crate) use bodies::{
    AuthorityView, CeremonyMessage, CeremonyMessages, CredentialView, DecisionView, ElectionList,
    ElectionView, Leaves, NodeView, Octets, ResultView, RollChunks, SubmitAnswer,
};

#[cfg(test)]
pub(crate) use bodies::ElectorsView;

use crate::commands::Failure;
use crate::exit;
use bytes::Bytes;
use clap::Args;
use client::balance::Balancer;
use reqwest::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait for a connection to one node.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for one answer of one node: the gateway itself waits up to 20 seconds.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(25);
/// How long one call is tried at all nodes in turn.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a node may not know an election that another one has just taken.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(5);
/// Wait after all nodes have been asked in vain.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// Which nodes to talk to, and as whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct NodeArgs {
    /// Web addresses of one or more nodes; any of them will do
    #[arg(
        long,
        global = true,
        env = "QUORATE_NODES",
        value_name = "URL,…",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:7301"
    )]
    pub(crate) nodes: Vec<String>,
    /// File that holds the administrators' token, for calls that need it
    #[arg(long, global = true, env = "QUORATE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// A node's refusal (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Problem {
    /// HTTP status.
    #[serde(default)]
    pub(crate) status: u16,
    /// Stable code.
    pub(crate) code: String,
    /// What was wrong and what to do.
    pub(crate) detail: String,
    /// The authority's signed refusal, where it is about a ballot.
    #[serde(default)]
    pub(crate) refusal: Option<String>,
}

/// What a node answers when somebody else must agree first.
#[derive(Deserialize)]
struct Proposal {
    approval: String,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ApiError {
    /// A node answered: no.
    Refused(Problem),
    /// No node gave an answer; the last words of each.
    Unavailable(Vec<(String, String)>),
    /// A node answered something that is no answer to this call.
    Strange {
        /// Which node.
        node: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// The act is not done: it waits for a second person (four eyes).
    Waits {
        /// Name of the proposal.
        approval: String,
    },
    /// The nodes' addresses or the token cannot be used.
    Settings(String),
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problem) => {
                write!(f, "{} ({})", problem.detail, problem.code)?;
                let is_token = problem.code == "token-required";
                if is_token {
                    f.write_str("; name a file with a good one with --token-file")
                } else {
                    Ok(())
                }
            }
            Self::Unavailable(nodes) => {
                f.write_str("no node gave an answer; check --nodes and that the nodes run")?;
                nodes.iter().try_for_each(|(node, reason)| write!(f, "\n  {node}: {reason}"))
            }
            Self::Strange { node, reason } => write!(f, "strange answer of {node}: {reason}"),
            Self::Waits { approval } => write!(
                f,
                "this needs a second person and is not done yet: within a day somebody else who \
                 may do it must agree: `quorate election approve {approval}`, or the page Approvals"
            ),
            Self::Settings(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for ApiError {}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let code = match error {
            ApiError::Unavailable(_) => exit::UNAVAILABLE,
            ApiError::Settings(_) => exit::BAD_CONFIG,
            ApiError::Refused(_) | ApiError::Strange { .. } | ApiError::Waits { .. } => {
                exit::FAILED
            }
        };
        Self::new(code, error)
    }
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Nothing.
    None,
    /// A JSON text.
    Json(Bytes),
    /// Bytes as they are.
    Octets(Bytes),
}

impl Content {
    /// JSON of `body`.
    pub(crate) fn json(body: &impl Serialize) -> Self {
        Self::Json(serde_json::to_vec(body).expect("our bodies have text keys only").into())
    }
}

/// What one node said to one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// 2xx.
    Done {
        /// The body.
        body: Bytes,
    },
    /// An answer that another node would give too.
    Refused(Problem),
    /// Not reached, no answer in time, or not now: another node may do it.
    NotNow(String),
}

/// A client of all nodes of one cluster.
#[derive(Debug)]
pub(crate) struct ApiClient {
    http: reqwest::Client,
    nodes: Vec<String>,
    token: Option<String>,
    /// The node that answered last: what it was told, it knows first.
    preferred: AtomicUsize,
    /// How the nodes are.
    balancer: Mutex<Balancer>,
    born: Instant,
}

impl ApiClient {
    /// A client of these nodes (`http://HOST:PORT`, or `HOST:PORT`).
    ///
    /// # Errors
    /// [`ApiError::Settings`].
    pub(crate) fn new(nodes: &[String], token: Option<String>) -> Result<Self, ApiError> {
        let nodes: Vec<String> = nodes
            .iter()
            .map(|node| node.trim().trim_end_matches('/'))
            .filter(|node| !node.is_empty())
            .map(base_url)
            .collect::<Result<_, _>>()?;
        if nodes.is_empty() {
            return Err(ApiError::Settings("--nodes names no node".to_owned()));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            .user_agent(concat!("quorate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ApiError::Settings(format!("no HTTP client: {}", chain(&error))))?;
        // Many programs at once begin at different nodes.
        let preferred = AtomicUsize::new(std::process::id() as usize % nodes.len());
        let balancer = Mutex::new(Balancer::new(nodes.len()));
        Ok(Self { http, nodes, token, preferred, balancer, born: Instant::now() })
    }

    /// The client that the flags ask for.
    ///
    /// # Errors
    /// [`ApiError::Settings`], also when the token file cannot be read.
    pub(crate) fn from_args(args: &NodeArgs) -> Result<Self, ApiError> {
        let token = match &args.token_file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    ApiError::Settings(format!(
                        "cannot read the token in {}: {error}",
                        path.display()
                    ))
                })?;
                Some(text.trim().to_owned())
            }
        };
        Self::new(&args.nodes, token)
    }

    /// Base addresses of the nodes, in the order given.
    pub(crate) fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// One request to one node, once. `node` counts round: any number will do.
    pub(crate) async fn ask_once(
        &self,
        node: usize,
        method: Method,
        path: &str,
        content: &Content,
    ) -> Reply {
        let url = format!("{}{path}", self.nodes[node % self.nodes.len()]);
        let mut request = self.http.request(method, url).timeout(ANSWER_TIMEOUT);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request = match content {
            Content::None => request,
            Content::Json(body) => {
                request.header(header::CONTENT_TYPE, "application/json").body(body.clone())
            }
            Content::Octets(body) => {
                request.header(header::CONTENT_TYPE, "application/octet-stream").body(body.clone())
            }
        };
        let answer = async {
            let response = request.send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        };
        let reply = match answer.await {
            Ok((status, body)) => read_reply(status, body),
            Err(error) => Reply::NotNow(chain(&error)),
        };
        let mut balancer = self.balancer.lock().unwrap_or_else(PoisonError::into_inner);
        match &reply {
            Reply::NotNow(_) => balancer.failed(node % self.nodes.len(), self.now_ms()),
            Reply::Done { .. } | Reply::Refused(_) => balancer.answered(node % self.nodes.len()),
        }
        drop(balancer);
        reply
    }

    /// The nodes in the order in which to ask them: the one that answered last first, those that
    /// have just failed last.
    fn order(&self) -> Vec<usize> {
        let balancer = self.balancer.lock().unwrap_or_else(PoisonError::into_inner);
        balancer.order_from(self.preferred.load(Ordering::Relaxed), self.now_ms())
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// One request to all nodes in turn until one answers.
    ///
    /// # Errors
    /// A refusal, or no answer at all within a minute.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        content: &Content,
    ) -> Result<(String, Bytes), ApiError> {
        let started = Instant::now();
        let mut words = vec![String::new(); self.nodes.len()];
        while started.elapsed() <= PATIENCE {
            for node in self.order() {
                match self.ask_once(node, method.clone(), path, content).await {
                    Reply::Done { body, .. } => {
                        self.preferred.store(node, Ordering::Relaxed);
                        return Ok((self.nodes[node].clone(), body));
                    }
                    Reply::Refused(problem) => {
                        let unknown = problem.status == StatusCode::NOT_FOUND.as_u16();
                        if !unknown || started.elapsed() > UNKNOWN_PATIENCE {
                            return Err(ApiError::Refused(problem));
                        }
                        words[node] = problem.detail;
                    }
                    Reply::NotNow(reason) => words[node] = reason,
                }
                if started.elapsed() > PATIENCE {
                    break;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(ApiError::Unavailable(self.nodes.iter().cloned().zip(words).collect()))
    }

    /// The same client with another token.
    ///
    /// # Errors
    /// [`ApiError::Settings`].
    pub(crate) fn with_token(&self, token: String) -> Result<Self, ApiError> {
        Self::new(&self.nodes, Some(token))
    }

    /// An act with a JSON body, and its answer as JSON.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), or an answer of another form.
    pub(crate) async fn call_json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        let (node, body) = self.ask(method.clone(), path, &Content::json(body)).await?;
        serde_json::from_slice(&body).map_err(|error| ApiError::Strange {
            node,
            reason: format!("{method} {path}: {error}"),
        })
    }

    /// GET, as JSON.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), or an answer of another form.
    pub(crate) async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let (node, body) = self.ask(Method::GET, path, &Content::None).await?;
        serde_json::from_slice(&body)
            .map_err(|error| ApiError::Strange { node, reason: format!("GET {path}: {error}") })
    }

    /// GET, as bytes.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub(crate) async fn get_bytes(&self, path: &str) -> Result<Bytes, ApiError> {
        Ok(self.ask(Method::GET, path, &Content::None).await?.1)
    }

    /// An act with a JSON body. What it answers is of no interest, only that it is done.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), and when it waits for a second person.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(), ApiError> {
        let (_, answer) = self.ask(method, path, &Content::json(body)).await?;
        match serde_json::from_slice::<Proposal>(&answer) {
            Ok(Proposal { approval }) => Err(ApiError::Waits { approval }),
            Err(_) => Ok(()),
        }
    }

    /// What the nodes say of an election.
    ///
    /// # Errors
    /// As [`get_json`](Self::get_json).
    pub(crate) async fn election(
        &self,
        election: election::ElectionId,
    ) -> Result<ElectionView, ApiError> {
        self.get_json(&format!("/api/v1/elections/{election}")).await
    }

    /// Looks at an election again and again until `ready` finds what it waits for. `waiting` is
    /// told what the election looks like each time nothing was found.
    ///
    /// # Errors
    /// As [`get_json`](Self::get_json); there is no other end.
    pub(crate) async fn wait_for_election<T>(
        &self,
        election: election::ElectionId,
        mut ready: impl FnMut(&ElectionView) -> Option<T>,
        mut waiting: impl FnMut(&ElectionView),
    ) -> Result<T, ApiError> {
        loop {
            let view = self.election(election).await?;
            if let Some(found) = ready(&view) {
                return Ok(found);
            }
            waiting(&view);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Runs an asynchronous command on this thread.
pub(crate) fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::because(exit::FAILED, "cannot start the runtime"))?
        .block_on(command)
}

fn base_url(node: &str) -> Result<String, ApiError> {
    let url = if node.contains("://") { node.to_owned() } else { format!("http://{node}") };
    if url.starts_with("http://") && reqwest::Url::parse(&url).is_ok_and(|url| url.has_host()) {
        return Ok(url);
    }
    Err(ApiError::Settings(format!(
        "'{node}' is no address of a node; expected http://HOST:PORT (put a proxy before nodes \
         that are reached by https)"
    )))
}

fn read_reply(status: StatusCode, body: Bytes) -> Reply {
    if status.is_success() {
        return Reply::Done { body };
    }
    let problem = serde_json::from_slice::<Problem>(&body);
    let passing = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT;
    match problem {
        Ok(problem) if passing => Reply::NotNow(problem.detail),
        Ok(problem) => Reply::Refused(Problem { status: status.as_u16(), ..problem }),
        Err(_) if passing => Reply::NotNow(format!("HTTP {status}")),
        Err(_) => Reply::Refused(Problem {
            status: status.as_u16(),
            code: "http".to_owned(),
            detail: format!("HTTP {status}: this is not a Quorate node, or one of another version"),
            refusal: None,
        }),
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    fn reply(status: u16, body: &str) -> String {
        let status = StatusCode::from_u16(status).expect("a status");
        match read_reply(status, Bytes::copy_from_slice(body.as_bytes())) {
            Reply::Done { body, .. } => format!("done {body:?}"),
            Reply::Refused(problem) => format!("{}: {}", problem.code, problem.detail),
            Reply::NotNow(reason) => format!("not now: {reason}"),
        }
    }

    #[test]
    fn replies_are_done_refused_or_for_another_node() {
        let problem = r#"{"type":"urn:x","status":409,"code":"too-late","detail":"Closed."}"#;
        assert_eq!(reply(200, "x"), "done b\"x\"");
        assert_eq!(reply(409, problem), "too-late: Closed.");
        assert_eq!(reply(503, problem), "not now: Closed.");
        assert_eq!(reply(429, "busy"), "not now: HTTP 429 Too Many Requests");
        assert!(reply(404, "<html>").contains("this is not a Quorate node"));
    }

    #[test]
    fn addresses_of_nodes_may_leave_out_the_scheme() {
        gateway::install_tls();
        let client = ApiClient::new(&["127.0.0.1:7301".into(), "http://b:1/".into()], None);
        assert_eq!(client.expect("good").nodes(), ["http://127.0.0.1:7301", "http://b:1"]);
        let error = ApiClient::new(&["https://vote.example".into()], None).expect_err("no TLS");
        assert!(error.to_string().starts_with("'https://vote.example' is no address"), "{error}");
        let error = ApiClient::new(&[" ".into()], None).expect_err("nothing");
        assert_eq!(error.to_string(), "--nodes names no node");
    }

    /// A node that answers every request with its name, until it is killed.
    struct Node {
        address: std::net::SocketAddr,
        served: Arc<AtomicUsize>,
        is_killed: Arc<AtomicBool>,
    }

    impl Node {
        fn start(name: &'static str) -> Self {
            use std::io::{Read, Write};
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("bound");
            let (served, is_killed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
            let (count, ends) = (Arc::clone(&served), Arc::clone(&is_killed));
            std::thread::spawn(move || {
                for mut stream in listener.incoming().map_while(Result::ok) {
                    if ends.load(Ordering::SeqCst) {
                        return;
                    }
                    let mut bytes = [0; 4096];
                    let _ = stream.read(&mut bytes);
                    count.fetch_add(1, Ordering::SeqCst);
                    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1";
                    let _ = stream.write_all(format!("{head}\r\n\r\n{name}").as_bytes());
                }
            });
            Self { address, served, is_killed }
        }

        /// From now on connections to it break.
        fn kill(&self) {
            self.is_killed.store(true, Ordering::SeqCst);
            // It looks up when somebody comes.
            drop(std::net::TcpStream::connect(self.address));
        }
    }

    #[test]
    fn calls_go_on_at_another_node_when_one_is_killed() {
        gateway::install_tls();
        let nodes = [Node::start("a"), Node::start("b"), Node::start("c")];
        let url = |node: &Node| format!("http://{}", node.address);
        let urls: Vec<String> = nodes.iter().map(url).collect();
        let client = ApiClient::new(&urls, None).expect("addresses of nodes");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let ask = || {
            let answer = runtime.block_on(client.get_bytes("/api/v1"));
            let name = answer.expect("somebody answers");
            ["a", "b", "c"].iter().position(|own| own.as_bytes() == name).expect("one of them")
        };
        let first = ask();
        assert_eq!(ask(), first, "what it was told, it knows first");
        nodes[first].kill();
        let second = ask();
        assert_ne!(second, first);
        nodes[second].kill();
        let third = ask();
        assert!(third != first && third != second);
        let before = nodes.each_ref().map(|node| node.served.load(Ordering::SeqCst));
        assert_eq!(ask(), third, "those that have failed are not asked first");
        let after = nodes.each_ref().map(|node| node.served.load(Ordering::SeqCst));
        assert_eq!(after.iter().sum::<usize>(), before.iter().sum::<usize>() + 1);
    }

    #[test]
    fn an_unreachable_cluster_is_told_node_by_node() {
        let nodes = vec![("http://a".to_owned(), "refused".to_owned())];
        let text = ApiError::Unavailable(nodes).to_string();
        assert!(text.ends_with("\n  http://a: refused"), "{text}");
    }
}
