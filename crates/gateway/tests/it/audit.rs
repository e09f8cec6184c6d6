//! The audit log: who did what, each thing once, filtered and as a file.

use crate::feed::open_election;
use crate::server::{PASSWORD, Server, Store, TOKEN};
use gateway::Settings;
use serde_json::{Value, json};

fn page(server: &Server, query: &str) -> Value {
    server.call("GET", &format!("/api/v1/audit{query}"), TOKEN, "").expect(200).json()
}

fn items(page: &Value) -> Vec<Value> {
    page["items"].as_array().expect("a list").clone()
}

fn numbers(page: &Value) -> Vec<u64> {
    items(page).iter().filter_map(|item| item["number"].as_u64()).collect()
}

#[test]
fn every_decision_of_the_authorities_is_noted_apart_from_what_people_do() {
    let (servers, election, id) = open_election(2, Settings::default());
    let (one, two) = (&servers[0], &servers[1]);
    let about = format!("/api/v1/elections/{id}/audit");
    let leaves = election.setup_entries().len() + 1;
    let decisions = |server: &Server| {
        items(&server.call("GET", &format!("{about}?kind=finality"), TOKEN, "").expect(200).json())
    };
    let last_size = format!("size {leaves}");
    two.wait(|| decisions(two).iter().any(|noted| noted["object"] == json!(last_size)));
    let noted = decisions(one);
    let sizes: Vec<&str> = noted.iter().filter_map(|one| one["object"].as_str()).collect();
    let distinct: std::collections::BTreeSet<&&str> = sizes.iter().collect();
    assert_eq!(distinct.len(), sizes.len(), "each once: {sizes:?}");
    let last = noted.last().expect("there are some");
    assert_eq!((&last["act"], &last["election"]), (&json!("decided"), &json!(id.to_string())));
    let names = [1, 2].map(authority::testing::key_name);
    let text = last["text"].as_str().expect("words");
    let root = one.get(&format!("/api/v1/elections/{id}/rounds")).expect(200).json();
    let root = root["heights"][0]["decided"]["root"].as_str().expect("a root").to_owned();
    assert!(text.contains(&format!("root {root}.")), "{text}");
    assert!(text.ends_with(&format!("cosigned by {}, {}.", names[0], names[1])), "{text}");
    let since = last["time_ms"].as_u64().expect("a time");
    let known = |actor: &Value| names.iter().any(|name| actor == name);
    assert!(noted.iter().all(|one| known(&one["actor"])), "{noted:?}");
    let later = format!("{about}?kind=finality&since={}", since + 1);
    assert_eq!(items(&one.call("GET", &later, TOKEN, "").expect(200).json()), [] as [Value; 0]);
    let others = page(one, "");
    assert!(items(&others).iter().all(|one| one["kind"] != "finality"), "a list of its own");
    let export = format!("{about}/export?kind=finality&format=csv");
    let csv = one.call("GET", &export, TOKEN, "").expect(200).body;
    let lines = csv.lines().filter(|line| line.contains(",finality,"));
    assert_eq!(lines.count(), noted.len(), "{csv}");
    assert!(!csv.contains(",ledger,"), "{csv}");
}

#[test]
fn the_ledger_s_acts_are_noted_once_by_two_nodes_and_people_s_acts_beside_them() {
    let (servers, election, id) = open_election(1, Settings::default());
    let (one, two) = (&servers[0], &servers[1]);
    one.account("ada", json!([{ "role": "auditor", "election": id.to_string() }]));
    let refused = json!({ "name": "ada", "password": "not this one at all" }).to_string();
    two.wait(|| {
        let json = [("Content-Type", "application/json")];
        two.request("POST", "/api/v1/login", &json, &refused).status == 401
    });
    let ada = two.token("ada");
    let entries = election.setup_entries().len() + 1;
    two.wait(|| items(&page(two, "?kind=ledger")).len() >= entries);
    let ledger = items(&page(one, "?kind=ledger"));
    assert_eq!(ledger.len(), entries, "each once");
    let last = ledger.last().expect("the opening");
    assert_eq!((&last["act"], &last["election"]), (&json!("opening"), &json!(id.to_string())));
    assert_eq!(last["actor"], authority::testing::key_name(1));
    assert_eq!(last["object"], format!("entry {entries}"));
    let text = last["text"].as_str().expect("words");
    assert!(text.starts_with(&format!("It is leaf {}, stamped 20", entries - 1)), "{text}");
    let logins: Vec<Value> = items(&page(one, "?kind=login&actor=ada"));
    let acts: Vec<&Value> = logins.iter().map(|login| &login["act"]).collect();
    assert_eq!(acts, ["login refused", "logged in"]);
    assert!(logins.iter().all(|login| login["request_id"].is_string()), "{logins:?}");

    // Whoever may see one election sees that one only.
    let path = format!("/api/v1/elections/{id}/audit");
    let own = two.call("GET", &path, &ada, "").expect(200).json();
    assert_eq!(items(&own), ledger);
    let query = format!("{path}?election=00000000000000000000000000000000");
    assert_eq!(two.call("GET", &query, &ada, "").expect(200).json(), own);
    two.call("GET", "/api/v1/audit", &ada, "").expect(403);
    let other = "/api/v1/elections/00000000000000000000000000000000/audit";
    two.call("GET", other, &ada, "").expect(403);
}

#[test]
fn pages_go_both_ways_and_filters_fit_together() {
    let server = Server::start();
    for number in 0..7 {
        server.account(&format!("account-{number}"), json!([]));
    }
    let first = page(&server, "?limit=3");
    assert_eq!(numbers(&first), [1, 2, 3]);
    let next = first["next_cursor"].as_str().expect("there is more");
    assert_eq!(numbers(&page(&server, &format!("?limit=3&cursor={next}"))), [4, 5, 6]);
    assert_eq!(numbers(&page(&server, "?cursor=6")), [7]);
    assert!(page(&server, "?cursor=6")["next_cursor"].is_null());
    let newest = page(&server, "?order=newest&limit=4");
    assert_eq!(numbers(&newest), [7, 6, 5, 4]);
    let next = newest["next_cursor"].as_str().expect("there is more");
    let older = page(&server, &format!("?order=newest&limit=4&cursor={next}"));
    assert_eq!(numbers(&older), [3, 2, 1]);
    assert!(older["next_cursor"].is_null());
    assert_eq!(numbers(&page(&server, "?order=newest&cursor=0")), [] as [u64; 0]);
    assert_eq!(numbers(&page(&server, "?order=newest&cursor=1")), [] as [u64; 0]);
    let far = format!("?order=newest&limit=1&cursor={}", u64::MAX);
    assert_eq!(numbers(&page(&server, &far)), [7]);
    let far = format!("?cursor={}", u64::MAX);
    assert_eq!(numbers(&page(&server, &far)), [] as [u64; 0]);
    let time = items(&first)[2]["time_ms"].as_u64().expect("a time");
    let since = numbers(&page(&server, &format!("?since={time}")));
    assert!(since.contains(&3) && since.ends_with(&[4, 5, 6, 7]), "{since:?}");
    let until = numbers(&page(&server, &format!("?until={time}")));
    assert!(until.iter().all(|number| *number < 3), "{until:?}");
    assert_eq!(numbers(&page(&server, "?text=API/V1/ACC")).len(), 7);
    assert_eq!(numbers(&page(&server, "?text=nothing&kind=act")), [] as [u64; 0]);
    assert_eq!(numbers(&page(&server, "?actor=operator&limit=1")), [1]);
    let wrong = |query: &str| {
        let answer = server.call("GET", &format!("/api/v1/audit{query}"), TOKEN, "");
        assert_eq!(answer.expect(400).json()["code"], "malformed", "{query}");
    };
    ["?kind=dance", "?since=-1", "?order=up", "?cursor=x"].into_iter().for_each(wrong);
}

#[test]
fn the_whole_log_is_a_file_that_spreadsheets_and_programs_read() {
    let settings = Settings { limits: gateway::Limits::none(), ..Settings::default() };
    let server = Server::node(1, &Store::new(), settings, gateway::Standing::Permanent);
    // More than are read at once.
    let create = |name: &str| {
        let body = json!({ "name": name, "display": "=1+1", "grants": [] }).to_string();
        server.call("POST", "/api/v1/accounts", TOKEN, &body).expect(201);
    };
    (0..520).for_each(|number| create(&format!("account-{number}")));
    let export = |query: &str| {
        let path = format!("/api/v1/audit/export{query}");
        let headers = [("Authorization", format!("Bearer {TOKEN}"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let bytes = server.raw(
            format!("GET {path} HTTP/1.0\r\nHost: t\r\n{}: {}\r\n\r\n", headers[0].0, headers[0].1)
                .as_bytes(),
        );
        let text = String::from_utf8(bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        assert!(head.contains(" 200 ") && head.contains("attachment; filename"), "{head}");
        (head.to_owned(), body.to_owned())
    };
    let (head, lines) = export("");
    assert!(head.contains("application/jsonl"), "{head}");
    let entries: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<u64> = entries.iter().filter_map(|entry| entry["number"].as_u64()).collect();
    assert_eq!(told, (1..=520).collect::<Vec<u64>>());
    assert!(!lines.contains(PASSWORD));
    let (head, rows) = export("?format=csv&kind=act");
    assert!(head.contains("text/csv"), "{head}");
    let rows: Vec<&str> = rows.split_terminator("\r\n").collect();
    assert_eq!((rows.len(), rows[0].split(',').count()), (521, 12));
    assert!(rows[520].starts_with("520,") && rows[520].contains(",operator,operator,"));
    let (_, nothing) = export("?format=csv&actor=nobody");
    assert_eq!(nothing.lines().count(), 1, "the head alone");
}
