//! The live feed: topics by role, places kept over a node's death, slow readers cut.

use crate::server::{Server, Store, TOKEN};
use bytes::Bytes;
use election::ElectionId;
use election::testing::{ElectionBuilder, TestElection, choose};
use futures::{SinkExt, StreamExt};
use gateway::{Limits, Settings, Standing};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Subscribers on one node.
const SUBSCRIBERS: usize = 1000;

/// Nothing here waits longer.
const PATIENCE: Duration = Duration::from_secs(120);

type Socket = WebSocketStream<TcpStream>;

async fn connect(address: SocketAddr) -> Option<Socket> {
    let stream = TcpStream::connect(address).await.ok()?;
    let url = format!("ws://{address}/api/v1/feed");
    let (socket, _) = tokio_tungstenite::client_async(url, stream).await.ok()?;
    Some(socket)
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.expect("the node listens");
}

/// The next message that is no heartbeat; `Err` holds the close code, 0 for a broken connection.
async fn next(socket: &mut Socket) -> Result<Value, u16> {
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.expect("in time");
        match message {
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(&text).expect("JSON");
                if message["type"] != "heartbeat" {
                    return Ok(message);
                }
            }
            Some(Ok(Message::Close(frame))) => return Err(frame.map_or(0, |f| f.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(0),
        }
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// Two nodes with an election that takes ballots.
pub(crate) fn open_election(
    voters: u32,
    settings: Settings,
) -> (Vec<Server>, TestElection, ElectionId) {
    let election = authority::testing::own_keys(ElectionBuilder::new(5).voters(voters).build());
    let servers = serve_election(&election, settings);
    let id = election.id();
    (servers, election, id)
}

/// Two nodes that hold an election, once it takes ballots.
pub(crate) fn serve_election(election: &TestElection, settings: Settings) -> Vec<Server> {
    let mut entries = election.setup_entries();
    entries.push(election.opening());
    serve_entries(election.id(), &entries, settings)
}

/// Two nodes that hold an election with these entries, once it takes ballots.
pub(crate) fn serve_entries(id: ElectionId, entries: &[Bytes], settings: Settings) -> Vec<Server> {
    let store = Store::new();
    store.append(id, entries);
    let settings = Settings { limits: Limits::none(), ..settings };
    let node = |index| Server::node(index, &store, settings.clone(), Standing::Permanent);
    let servers = vec![node(1), node(2)];
    for server in &servers {
        server.wait(|| {
            let shown = server.get(&format!("/api/v1/elections/{id}"));
            let is_voted_on = |phase: &Value| phase == "open" || phase == "published";
            shown.status == 200 && is_voted_on(&shown.json()["phase"])
        });
    }
    servers
}

fn cast(server: &Server, id: ElectionId, ballot: &[u8]) -> u16 {
    let path = format!("/api/v1/elections/{id}/ballots");
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        ballot.len()
    )
    .into_bytes();
    request.extend_from_slice(ballot);
    let answer = server.raw(&request);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status")
}

/// One listener to a ledger: checks that nothing is missing and nothing comes twice.
struct Listener {
    topic: String,
    at: u64,
}

impl Listener {
    async fn subscribe(&self, address: SocketAddr) -> Option<Socket> {
        let mut socket = connect(address).await?;
        let topics = json!([{ "topic": self.topic, "after": self.at }]);
        say(&mut socket, json!({ "type": "subscribe", "topics": topics })).await;
        Some(socket)
    }

    /// Reads until entry `end`, or until the connection breaks (`false`).
    async fn read_to(&mut self, socket: &mut Socket, end: u64) -> bool {
        while self.at < end {
            let Ok(message) = next(socket).await else { return false };
            if message["type"] == "message" {
                self.take(&message);
            }
        }
        true
    }

    fn take(&mut self, message: &Value) {
        assert_eq!(message["prev"], self.at, "no gap: {message}");
        for entry in message["data"]["entries"].as_array().expect("entries") {
            self.at += 1;
            assert_eq!(entry["entry"], self.at, "in order: {message}");
        }
        assert_eq!(message["seq"], self.at);
    }
}

#[test]
fn a_thousand_listen_while_ballots_flow_and_a_node_dies_under_them() {
    raise_file_limit();
    let (mut servers, mut election, id) = open_election(40, Settings::default());
    let ballots: Vec<Vec<u8>> =
        (0..40).map(|voter| election.cast(voter, &[choose(0), choose(1)])).collect();
    let topic = format!("elections/{id}/ledger");
    let (first, second) = (servers[0].address, servers[1].address);
    let before = servers[1].get(&format!("/api/v1/elections/{id}")).json()["entries"].clone();
    let before = before.as_u64().expect("a number");
    let (half, end) = (before + 20, before + 40);
    let (halfway, at_half) = tokio::sync::mpsc::channel::<()>(SUBSCRIBERS);
    let listening = std::thread::spawn(move || {
        run(async move {
            let listen = |_| {
                let (topic, halfway) = (topic.clone(), halfway.clone());
                tokio::spawn(async move {
                    let mut listener = Listener { topic, at: 0 };
                    let mut socket = listener.subscribe(first).await.expect("the node is up");
                    assert!(listener.read_to(&mut socket, half).await, "the first node is up");
                    drop(halfway);
                    let whole = listener.read_to(&mut socket, end).await;
                    assert!(!whole, "the first node dies before the end");
                    let mut socket = listener.subscribe(second).await.expect("another node");
                    assert!(listener.read_to(&mut socket, end).await, "the second node is up");
                })
            };
            let listeners: Vec<_> = (0..SUBSCRIBERS).map(listen).collect();
            drop(halfway);
            for listener in listeners {
                listener.await.expect("a listener that missed nothing");
            }
        });
    });
    servers[0].wait(|| servers[0].gateway.load().2 == SUBSCRIBERS);
    let cast_all = |ballots: &[Vec<u8>]| {
        for ballot in ballots {
            servers[1].wait(|| matches!(cast(&servers[1], id, ballot), 200 | 202));
        }
    };
    cast_all(&ballots[..20]);
    // Everybody has heard the first half.
    let mut at_half = at_half;
    run(async { while at_half.recv().await.is_some() {} });
    servers[0].kill();
    let cast_all = |ballots: &[Vec<u8>]| {
        for ballot in ballots {
            servers[1].wait(|| matches!(cast(&servers[1], id, ballot), 200 | 202));
        }
    };
    cast_all(&ballots[20..]);
    listening.join().expect("everybody heard everything once");
}

/// Two ends of each connection lie in this process.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to the hard limit");
}

#[test]
fn topics_are_for_those_who_may_and_end_with_the_session() {
    let server = Server::start();
    server.account("ada", json!([{ "role": "auditor" }]));
    let token = server.token("ada");
    run(async {
        let mut socket = connect(server.address).await.expect("open");
        say(&mut socket, json!({ "type": "subscribe", "topics": ["audit"] })).await;
        let refused = next(&mut socket).await.expect("an answer");
        assert_eq!((&refused["type"], &refused["code"]), (&json!("refused"), &json!("forbidden")));
        say(&mut socket, json!({ "type": "auth", "token": token })).await;
        let topics = json!([{ "topic": "audit", "after": 0 }]);
        say(&mut socket, json!({ "type": "subscribe", "topics": topics })).await;
        assert_eq!(next(&mut socket).await.expect("an answer")["type"], "subscribed");
        let message = next(&mut socket).await.expect("the act so far");
        assert_eq!(message["data"]["entries"][0]["act"], "POST /api/v1/accounts");
        assert_eq!(message["data"]["entries"][0]["number"], 1);
    });
    let logout = || server.call("DELETE", "/api/v1/accounts/ada/sessions", TOKEN, "").expect(204);
    run(async {
        let mut socket = connect(server.address).await.expect("open");
        say(&mut socket, json!({ "type": "auth", "token": server.token("ada") })).await;
        say(&mut socket, json!({ "type": "subscribe", "topics": ["cluster/nodes"] })).await;
        assert_eq!(next(&mut socket).await.expect("an answer")["type"], "subscribed");
        let nodes = next(&mut socket).await.expect("the nodes");
        assert!(nodes["data"]["verdict"].is_string(), "{nodes}");
        logout();
        let code = loop {
            if let Err(code) = next(&mut socket).await {
                break code;
            }
        };
        assert_eq!(code, 4001);
    });
}

#[test]
fn nonsense_ends_the_connection_and_a_leaving_node_says_so() {
    let server = Server::start();
    run(async {
        for nonsense in ["", "{}", "[1]", "{\"type\":\"subscribe\"}", "{\"type\":\"dance\"}"] {
            let mut socket = connect(server.address).await.expect("open");
            socket.send(Message::text(nonsense)).await.expect("sent");
            assert_eq!(next(&mut socket).await, Err(4002), "{nonsense}");
        }
        let mut socket = connect(server.address).await.expect("open");
        say(&mut socket, json!({ "type": "subscribe", "topics": ["elections/x/turnout"] })).await;
        assert_eq!(next(&mut socket).await.expect("an answer")["code"], "not-found");
        server.gateway.drain();
        assert_eq!(next(&mut socket).await, Err(1001));
    });
}

#[test]
fn events_of_a_browser_go_on_where_they_were() {
    let server = Server::start();
    server.account("ada", json!([]));
    let bearer = format!("Bearer {TOKEN}");
    let read = |last: &str| -> String {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(server.address).expect("open");
        let request = format!(
            "GET /api/v1/feed?topics=audit HTTP/1.1\r\nHost: t\r\nAccept: text/event-stream\r\n\
             Authorization: {bearer}\r\nLast-Event-ID: {last}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut text = String::new();
        let mut bytes = [0; 4096];
        while !text.contains("\"entries\":[{") {
            let count = stream.read(&mut bytes).expect("the node tells");
            assert!(count > 0, "it ended: {text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        text
    };
    let first = read("0");
    assert!(
        first.contains("text/event-stream") && first.contains("POST /api/v1/accounts"),
        "{first}"
    );
    server.account("bob", json!([]));
    let second = read("1");
    assert!(second.contains("\"prev\":1") && second.contains("\"number\":2"), "{second}");
    assert!(!second.contains("\"number\":1,"), "{second}");
}
