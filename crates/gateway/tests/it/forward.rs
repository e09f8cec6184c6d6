//! Any node takes any request: what one cannot serve, another one does.

use crate::feed::open_election;
use crate::server::{Answer, Place, Server, Store, TOKEN};
use election::testing::choose;
use gateway::{Settings, Standing};
use serde_json::json;

/// A third node beside the two of an open election: its authority hears of nothing, and it knows
/// the leader or not.
fn beside(servers: &[Server], leader: Option<u64>) -> Server {
    let store = servers[0].store();
    let place = Place { members: vec![1, 2, 3], leader, authority: Store::new() };
    let settings = Settings { limits: gateway::Limits::none(), ..Settings::default() };
    Server::node_at(3, store, (settings, Standing::Permanent), place)
}

/// By which node it was answered.
fn node(answer: &Answer) -> Option<&str> {
    answer.header("x-node")
}

#[test]
fn a_node_that_has_not_heard_of_an_election_asks_one_that_has() {
    let (servers, mut election, id) = open_election(2, Settings::default());
    let lagging = beside(&servers, Some(1));
    let path = format!("/api/v1/elections/{id}");
    // It knows its peers once it has heard their beats.
    lagging.wait(|| lagging.get(&path).status == 200);
    let shown = lagging.get(&path).expect(200);
    assert!(matches!(node(&shown), Some("1" | "2")), "{}", shown.head);
    assert_eq!(shown.json()["phase"], "open");
    assert!(shown.header("access-control-allow-origin").is_some(), "{}", shown.head);
    let ids = shown.head.lines().filter(|line| line.starts_with("x-request-id")).count();
    assert_eq!(ids, 1, "{}", shown.head);

    let ballot = election.cast(0, &[choose(0), choose(1)]);
    let mut request = format!(
        "POST {path}/ballots?wait=final HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\
         x-request-id: from-the-voter\r\nContent-Length: {}\r\n\r\n",
        ballot.len()
    )
    .into_bytes();
    request.extend_from_slice(&ballot);
    let answer = String::from_utf8_lossy(&lagging.raw(&request)).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"state\":\"final\""), "{answer}");
    assert!(answer.contains("x-request-id: from-the-voter"), "{answer}");

    // Acts carry the caller's token, and are noted once, under the same request id.
    let hook = json!({ "url": "http://127.0.0.1:9/", "topics": ["phase"] }).to_string();
    let bearer = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("x-request-id", "one-act-one-id"),
    ];
    lagging.request("POST", &format!("{path}/hooks"), &headers, &hook).expect(201);
    let audit = lagging.call("GET", "/api/v1/audit?text=one-act-one-id", TOKEN, "").expect(200);
    assert_eq!(audit.json()["items"].as_array().map(Vec::len), Some(1), "{}", audit.body);
    assert_ne!(audit.json()["items"][0]["node"], 3);
    lagging.request("POST", &format!("{path}/hooks"), &[], &hook).expect(401);

    // What no node knows, and what was passed on already, is answered where it came in.
    let nowhere = "/api/v1/elections/00000000000000000000000000000000";
    let unknown = lagging.get(nowhere).expect(404);
    assert_eq!(node(&unknown), Some("3"));
    let passed = lagging.request("GET", &path, &[("x-quorate-hop", "1")], "").expect(404);
    assert_eq!(node(&passed), Some("3"));
}

#[test]
fn a_node_without_a_leader_passes_acts_on_and_survives_its_peers() {
    let (mut servers, _, _) = open_election(1, Settings::default());
    let cut_off = beside(&servers, None);
    let create = |name: &str| {
        let body = json!({ "name": name, "display": name, "grants": [] }).to_string();
        cut_off.call("POST", "/api/v1/accounts", TOKEN, &body)
    };
    cut_off.wait(|| matches!(node(&create("ada")), Some("1" | "2")));
    assert_eq!(create("ada").status, 409, "it was made at the other node");
    servers[0].kill();
    let first = servers[0].address;
    cut_off.wait(|| std::net::TcpStream::connect(first).is_err());
    let answer = create("bob").expect(201);
    assert_eq!(node(&answer), Some("2"), "the next peer that answers");
    // A token that the other node does not know was let in here, and is served here.
    let other = Place { members: vec![1, 2, 3], leader: None, authority: Store::new() };
    let settings = Settings { limits: gateway::Limits::none(), ..Settings::default() };
    let own_token = "a-token-of-this-node-alone";
    let alone = Server::node_with_token(
        3,
        servers[1].store(),
        (settings, Standing::Permanent),
        (other, own_token),
    );
    let body = json!({ "name": "eve", "display": "eve", "grants": [] }).to_string();
    let made = alone.call("POST", "/api/v1/accounts", own_token, &body).expect(201);
    assert_eq!(node(&made), Some("3"));
    // Reading needs no leader.
    let read = cut_off.call("GET", "/api/v1/accounts", TOKEN, "").expect(200);
    assert_eq!(node(&read), Some("3"));
}

#[test]
fn the_booth_may_talk_to_the_authorities_and_to_nobody_else() {
    static PAGES: [web_assets::Asset; 1] =
        [web_assets::Asset { path: "booth.html", bytes: b"<!doctype html>" }];
    let assets = gateway::Assets(&PAGES);
    let (servers, _, _) = open_election(1, Settings { assets, ..Settings::default() });
    let store = servers[0].store();
    let place = |index| Place { members: vec![index], leader: Some(1), authority: store.clone() };
    let origin = |origin: &str| Settings {
        web_origin: Some(origin.to_owned()),
        assets,
        limits: gateway::Limits::none(),
        ..Settings::default()
    };
    // Number 3 is an authority of the election, number 4 is a node only.
    let node = |index, at: &str| {
        Server::node_at(index, store, (origin(at), Standing::Permanent), place(index))
    };
    let (third, fourth) = (node(3, "https://n3.vote.test"), node(4, "https://n4.vote.test"));
    let own = |server: &Server| format!("http://{}", server.address);
    let expect = format!("{} {} https://n3.vote.test", own(&servers[0]), own(&servers[1]));
    for server in servers.iter().chain([&third, &fourth]) {
        let policy = || {
            let page = server.get("/booth.html").expect(200);
            let policy = page.header("content-security-policy").expect("a policy").to_owned();
            let part = policy.split("; ").find(|part| part.starts_with("connect-src"));
            part.expect("who it may talk to").to_owned()
        };
        server.wait(|| policy() == format!("connect-src 'self' {expect}"));
    }
}
