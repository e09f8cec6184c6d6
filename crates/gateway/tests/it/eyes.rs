//! Closing before the announced time, and resetting a test, needs a second person, as soon as there is one.

use crate::feed::serve_election;
use crate::server::TOKEN;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use election::Order;
use election::entry::{Body, Entry};
use election::testing::{ElectionBuilder, STAMP};
use gateway::Settings;
use serde_json::json;

#[test]
fn an_election_is_closed_early_by_two_and_by_one_only_where_there_is_one() {
    // Thirty years from the stamp of everything else here.
    let closes = STAMP + 30 * 366 * 24 * 60;
    let election = ElectionBuilder::new(6).define(|own| own.closes = Some(closes)).build();
    let election = authority::testing::own_keys(election);
    let id = election.id().to_string();
    let closing = election.closing();
    let Body::Close { signature } = Entry::decode(&closing).expect("an entry").body else {
        panic!("the closing closes");
    };
    let body = json!({ "signature": STANDARD.encode(signature) }).to_string();
    let servers = serve_election(&election, Settings::default());
    let server = &servers[0];
    server.account("ada", json!([{ "role": "administrator" }]));
    server.account("bob", json!([{ "role": "election-officer", "election": id }]));
    server.account("eve", json!([{ "role": "election-officer", "election": "1".repeat(32) }]));
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| server.token(name));
    let phase = || server.get(&format!("/api/v1/elections/{id}")).json()["phase"].clone();

    let close = format!("/api/v1/elections/{id}/close");
    let waits = server.call("POST", &close, &ada, &body).expect(202).json();
    assert_eq!((&waits["act"], &waits["by"]), (&json!("close-early"), &json!("ada")));
    assert_eq!(phase(), "open");
    let list = |token: &str| {
        let list = server.call("GET", "/api/v1/approvals", token, "").expect(200).json();
        list["items"].as_array().map(Vec::len)
    };
    assert_eq!((list(&bob), list(&eve)), (Some(1), Some(0)));

    let path = format!("/api/v1/approvals/{}", waits["approval"].as_str().expect("an id"));
    let decide = |token: &str, approve: bool| {
        server.call("POST", &path, token, &json!({ "approve": approve }).to_string())
    };
    assert_eq!(decide(&ada, true).expect(403).json()["code"], "own-proposal");
    decide(&eve, true).expect(403);
    decide(&eve, false).expect(403);
    decide(&bob, true).expect(200);
    server.wait(|| phase() == "closed");
    decide(&bob, true).expect(404);

    // What two have done is on record, with both their names.
    let desk = server.call("GET", "/api/v1/audit", TOKEN, "").expect(200).json().to_string();
    for who in ["ada", "bob"] {
        assert!(desk.contains(&format!("\"actor\":\"{who}\"")), "{desk}");
    }
}

#[test]
fn a_test_is_reset_by_two() {
    let election = ElectionBuilder::new(8).define(|own| own.test = true).build();
    let election = authority::testing::own_keys(election);
    let id = election.id().to_string();
    let servers = serve_election(&election, Settings::default());
    let server = &servers[0];
    server.account("ada", json!([{ "role": "administrator" }]));
    server.account("bob", json!([{ "role": "election-officer", "election": id }]));
    let [ada, bob] = ["ada", "bob"].map(|name| server.token(name));
    let path = format!("/api/v1/elections/{id}");
    let orders = || server.get(&path).json()["next_order"].as_u64();
    let before = orders().expect("the number of the next order");
    let entry = election.order_at(STAMP, before as u32, Order::Reset);
    let Body::Order(signed) = Entry::decode(&entry).expect("an entry").body else {
        panic!("the order is one");
    };
    let body = json!({ "order": STANDARD.encode(signed.encode_with_kind()) }).to_string();
    let waits = server.call("POST", &format!("{path}/orders"), &ada, &body).expect(202).json();
    assert_eq!((&waits["act"], &waits["by"]), (&json!("reset"), &json!("ada")));
    assert_eq!(orders(), Some(before));
    let approval = waits["approval"].as_str().expect("an id");
    let approval = format!("/api/v1/approvals/{approval}");
    let agree = json!({ "approve": true }).to_string();
    assert_eq!(
        server.call("POST", &approval, &ada, &agree).expect(403).json()["code"],
        "own-proposal"
    );
    server.call("POST", &approval, &bob, &agree).expect(200);
    server.wait(|| orders() == Some(before + 1));
}

#[test]
fn where_one_person_does_everything_nobody_is_waited_for() {
    let closes = STAMP + 30 * 366 * 24 * 60;
    let election = ElectionBuilder::new(7).define(|own| own.closes = Some(closes)).build();
    let election = authority::testing::own_keys(election);
    let closing = election.closing();
    let Body::Close { signature } = Entry::decode(&closing).expect("an entry").body else {
        panic!("the closing closes");
    };
    let body = json!({ "signature": STANDARD.encode(signature) }).to_string();
    let servers = serve_election(&election, Settings::default());
    let close = format!("/api/v1/elections/{}/close", election.id());
    servers[0].call("POST", &close, TOKEN, &body).expect(200);
}
