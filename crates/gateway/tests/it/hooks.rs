//! Hooks against a real HTTP server: signed, in order, once though two nodes send, again until
//! they arrive.

use crate::feed::open_election;
use crate::server::{Server, TOKEN};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use election::testing::choose;
use gateway::Settings;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// One delivery as it came.
#[derive(Clone, Debug)]
struct Came {
    headers: BTreeMap<String, String>,
    body: String,
    answered: u16,
}

/// A program of the organisation: answers with `script`, then with 204.
struct Receiver {
    address: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Receiver {
    fn start(script: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let came: Arc<Mutex<Vec<Came>>> = Arc::default();
        let kept = Arc::clone(&came);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let mut headers = BTreeMap::new();
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                    if let Some((name, value)) = line.trim_end().split_once(": ") {
                        headers.insert(name.to_lowercase(), value.to_owned());
                    }
                    line.clear();
                }
                let length = headers.get("content-length").and_then(|text| text.parse().ok());
                let mut body = vec![0; length.unwrap_or(0)];
                reader.read_exact(&mut body).expect("the whole body");
                let mut kept = kept.lock().expect("no panic under the lock");
                let answered = script.get(kept.len()).copied().unwrap_or(204);
                let body = String::from_utf8(body).expect("text");
                kept.push(Came { headers, body, answered });
                drop(kept);
                let answer = format!(
                    "HTTP/1.1 {answered} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                let _ = reader.get_mut().write_all(answer.as_bytes());
            }
        });
        Self { address, came }
    }

    fn came(&self) -> Vec<Came> {
        self.came.lock().expect("no panic under the lock").clone()
    }

    /// The events of what has arrived, in order.
    fn events(&self) -> Vec<Value> {
        let arrived = self.came().into_iter().filter(|came| came.answered < 300);
        let events = arrived.map(|came| came.json()["events"].clone());
        events.filter_map(|events| events.as_array().cloned()).flatten().collect()
    }
}

impl Came {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Whether the signature is by this secret, worked out once more.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("its prefix"));
        let mut key = key.expect("base64");
        assert_eq!(key.len(), 32);
        key.resize(64, 0);
        let pad = |byte: u8| key.iter().map(|key| key ^ byte).collect::<Vec<u8>>();
        let [id, time] =
            ["webhook-id", "webhook-timestamp"].map(|name| self.headers[name].as_str());
        let message = format!("{id}.{time}.{}", self.body);
        let inner = Sha256::digest([pad(0x36), message.into_bytes()].concat());
        let outer = Sha256::digest([pad(0x5c), inner.to_vec()].concat());
        self.headers["webhook-signature"] == format!("v1,{}", STANDARD.encode(outer))
    }
}

fn make(server: &Server, election: &str, body: Value) -> Value {
    let path = format!("/api/v1/elections/{election}/hooks");
    server.call("POST", &path, TOKEN, &body.to_string()).expect(201).json()
}

fn hooks(server: &Server, election: &str) -> Value {
    let path = format!("/api/v1/elections/{election}/hooks");
    server.call("GET", &path, TOKEN, "").expect(200).json()["items"].clone()
}

fn cast(server: &Server, election: &str, ballot: &[u8]) -> u16 {
    let mut request = format!(
        "POST /api/v1/elections/{election}/ballots HTTP/1.1\r\nHost: t\r\nConnection: \
         close\r\nContent-Length: {}\r\n\r\n",
        ballot.len()
    )
    .into_bytes();
    request.extend_from_slice(ballot);
    let answer = String::from_utf8_lossy(&server.raw(&request)).into_owned();
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status")
}

#[test]
fn a_hook_tells_everything_once_in_order_and_signed() {
    let receiver = Receiver::start(&[500, 302]);
    let (servers, mut election, id) = open_election(6, Settings::default());
    let text = id.to_string();
    let topics = ["ordered", "final", "refused", "phase", "checkpoint"];
    let url = format!("http://{}/quorate", receiver.address);
    let body = json!({ "url": url, "topics": topics, "from_start": true });
    let made = make(&servers[1], &text, body);
    let secret = made["secret"].as_str().expect("shown once").to_owned();
    let ballots: Vec<Vec<u8>> =
        (0..6).map(|voter| election.cast(voter, &[choose(0), choose(1)])).collect();
    for (ballot, server) in ballots.iter().zip(servers.iter().cycle()) {
        server.wait(|| matches!(cast(server, &text, ballot), 200 | 202));
    }
    let leaves = election.setup_entries().len() as u64 + 1 + 6;
    let is_final = |event: &Value| event["event"] == "final" && event["size"] == json!(leaves);
    servers[0].wait(|| receiver.events().iter().any(is_final));

    let came = receiver.came();
    assert!(came.iter().all(|came| came.is_signed_with(&secret)), "{came:?}");
    let ids: Vec<&String> = came.iter().map(|came| &came.headers["webhook-id"]).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "the same until it arrives: {ids:?}");
    assert!(came[0].body == came[1].body && came[1].body == came[2].body);
    let arrived: Vec<u64> =
        came[2..].iter().filter_map(|came| came.json()["seq"].as_u64()).collect();
    assert_eq!(arrived, (1..=arrived.len() as u64).collect::<Vec<_>>(), "each once, in order");
    let events = receiver.events();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    let entries: Vec<u64> = of("ordered").iter().filter_map(|e| e["entry"].as_u64()).collect();
    assert_eq!(entries, (1..=leaves).collect::<Vec<_>>());
    let phases: Vec<&Value> = of("phase").iter().map(|event| &event["phase"]).collect();
    assert_eq!(phases, ["open"]);
    let note = of("checkpoint").last().and_then(|event| event["checkpoint"].as_str());
    assert!(note.is_some_and(|note| note.starts_with(&election.manifest.origin())), "{note:?}");
    let finals = of("final");
    let mut size = json!(0);
    for event in finals {
        assert_eq!(event["from"], size, "no gap");
        size = event["size"].clone();
    }

    let hook = &hooks(&servers[0], &text)[0];
    assert!(hook["secret"].is_null(), "{hook}");
    assert_eq!((&hook["hook"], &hook["url"]), (&made["hook"], &json!(url)));
    let path = format!("/api/v1/elections/{text}/hooks/{}", made["hook"].as_str().expect("an id"));
    servers[0].call("DELETE", &path, TOKEN, "").expect(204);
    servers[0].call("DELETE", &path, TOKEN, "").expect(404);
    assert_eq!(hooks(&servers[1], &text), json!([]));
}

#[test]
fn a_receiver_that_is_gone_is_left_alone_and_bad_hooks_are_refused() {
    let receiver = Receiver::start(&[410]);
    let (servers, election, id) = open_election(1, Settings::default());
    let (server, text) = (&servers[0], id.to_string());
    let url = format!("http://{}/", receiver.address);
    // What was before the hook is not told.
    make(server, &text, json!({ "url": url, "topics": ["phase"] }));
    let make_first = json!({ "url": url, "topics": ["ordered"], "from_start": true });
    make(server, &text, make_first);
    let gone = |hook: &Value| hook["state"] == "gone";
    server.wait(|| hooks(server, &text).as_array().is_some_and(|all| all.iter().any(gone)));
    let entries = election.setup_entries().len() + 1;
    let events = receiver.came()[0].json()["events"].clone();
    assert_eq!(events.as_array().map(Vec::len), Some(entries));
    assert!(events.as_array().into_iter().flatten().all(|event| event["event"] == "ordered"));
    let path = format!("/api/v1/elections/{text}/hooks");
    let check = |body: Value, status: u16, pointer: &str| {
        let answer = server.call("POST", &path, TOKEN, &body.to_string()).expect(status).json();
        let found = answer["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert_eq!(found, pointer, "{body}: {answer}");
    };
    for url in ["", "office", "ftp://a/b", "http://ada:pw@a/b", "https://a/b#c", "file:///etc"] {
        check(json!({ "url": url, "topics": ["phase"] }), 422, "/url");
    }
    check(json!({ "url": "https://a.example/", "topics": [] }), 422, "/topics");
    check(json!({ "url": "https://a.example/", "topics": ["votes"] }), 422, "");
    for _ in 2..10 {
        make(server, &text, json!({ "url": url, "topics": ["refused"] }));
    }
    let body = json!({ "url": url, "topics": ["refused"] }).to_string();
    let refused = server.call("POST", &path, TOKEN, &body).expect(409).json();
    assert_eq!(refused["code"], "too-many-hooks");
    assert_eq!(receiver.came().len(), 1, "410 is the last word");
}
