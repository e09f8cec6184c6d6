//! The demonstration as something to steer: faults through the dashboard's address, their
//! stopwatch, and what must hold meanwhile.

use crate::demo::Stage;
use crate::support::{Nodes, block_on, run, said, turn, wait_for};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

fn client() -> Client {
    gateway::install_tls();
    let builder = Client::builder().no_proxy().timeout(Duration::from_secs(10));
    builder.build().expect("a client")
}

/// One request; none when nobody answered.
fn ask(method: &Method, url: &str, token: &str, body: Option<&Value>) -> Option<(u16, Value)> {
    block_on(async {
        let mut request = client().request(method.clone(), url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.unwrap_or(Value::Null)))
    })
}

/// The dashboard's address and who may come, as they stood on the terminal.
struct Way {
    origin: String,
    said: String,
}

impl Way {
    fn of(stage: &Stage) -> Self {
        let line = stage.said.lines().find_map(|line| line.trim().strip_prefix("dashboard"));
        let origin = line.expect("an address").trim().trim_end_matches("/cluster").to_owned();
        Self { origin, said: stage.said.clone() }
    }

    fn password(&self, name: &str) -> String {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let found = self
            .said
            .lines()
            .map(words)
            .find(|words| words.len() == 3 && words[1] == name && words[2].len() == 19);
        found.unwrap_or_else(|| panic!("no login of {name}: {}", self.said))[2].clone()
    }

    fn log_in(&self, name: &str) -> String {
        let body = json!({ "name": name, "password": self.password(name) });
        let url = format!("{}/api/v1/login", self.origin);
        let (status, answer) = ask(&Method::POST, &url, "", Some(&body)).expect("it answers");
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/demo{path}", self.origin)
    }

    fn state(&self, token: &str) -> Option<Value> {
        let (status, state) = ask(&Method::GET, &self.url(""), token, None)?;
        (status == 200).then_some(state)
    }

    /// Does something, and waits until it is known what came of it.
    fn fault(&self, token: &str, kind: &str, node: Option<u64>) -> Value {
        let mut body = json!({ "kind": kind });
        if let Some(node) = node {
            body["node"] = node.into();
        }
        let state = wait_for("a supervisor that listens", || {
            let (status, state) = ask(&Method::POST, &self.url("/faults"), token, Some(&body))?;
            assert!(status != 409 && status != 422, "{state}");
            (status == 200).then_some(state)
        });
        let number = state["faults"][0]["number"].clone();
        wait_for("an outcome", || {
            let state = self.state(token)?;
            let faults = state["faults"].as_array()?;
            let fault = faults.iter().find(|fault| fault["number"] == number)?;
            (fault["outcome"]["is_settled"] == true).then(|| fault.clone())
        })
    }
}

#[test]
fn faults_are_told_before_measured_after_and_lose_nothing() {
    let _turn = turn();
    let stage = Stage::set(&["--seed", "5", "--no-tour", "--no-kill"]);
    let way = Way::of(&stage);
    let admin = way.log_in("admin");
    let load = json!({ "load_per_second": 60 });
    let (status, _) =
        ask(&Method::PUT, &way.url("/settings"), &admin, Some(&load)).expect("it answers");
    assert_eq!(status, 200);
    let state = wait_for("a leader and accepted writes", || {
        let state = way.state(&admin)?;
        let accepted = state["load"]["accepted"].as_u64()?;
        (state["leader"].is_u64() && accepted > 20).then_some(state)
    });
    let leader = state["leader"].as_u64().expect("a leader");
    let node = |state: &Value, id: u64| {
        let nodes = state["nodes"].as_array().cloned().unwrap_or_default();
        nodes.into_iter().find(|node| node["node"] == id).unwrap_or_default()
    };
    let forecast = &node(&state, leader)["effects"]["kill"];
    assert_eq!(forecast["effect"], "leader-change", "{forecast}");
    assert!(forecast["text"].as_str().is_some_and(|text| text.contains(" leads. Killing node ")));
    // Killed, through an address that may lead to that very node.
    let killed = way.fault(&admin, "kill", Some(leader));
    let outcome = &killed["outcome"];
    assert!(outcome["leader"].as_u64().is_some_and(|new| new != leader), "{killed}");
    assert!(outcome["leader_after_ms"].is_u64() && outcome["gap_ms"].is_u64(), "{killed}");
    assert_eq!(outcome["lost"], 0, "{killed}");
    // Two are left; what would stop them says so, and what makes no sense is refused.
    let state = way.state(&admin).expect("it answers");
    assert_eq!(node(&state, leader)["process"], "killed");
    let other = outcome["leader"].as_u64().expect("a leader");
    assert_eq!(node(&state, other)["effects"]["pause"]["stops_cluster"], true, "{state}");
    let again = json!({ "kind": "kill", "node": leader });
    let refused = ask(&Method::POST, &way.url("/faults"), &admin, Some(&again));
    assert_eq!(refused.expect("it answers").0, 409);
    let back = way.fault(&admin, "restart", Some(leader));
    assert!(back["outcome"]["ready_after_ms"].is_u64(), "{back}");
    // Cut off, it leads no more although it runs.
    let cut = way.fault(&admin, "cut", Some(other));
    assert!(cut["outcome"]["leader"].as_u64().is_some_and(|new| new != other), "{cut}");
    let state = way.state(&admin).expect("it answers");
    assert_eq!(node(&state, other)["cut_in"], true);
    let slow = way.fault(&admin, "slow-disk", Some(leader));
    assert_eq!(slow["outcome"]["lost"], 0, "{slow}");
    let mended = way.fault(&admin, "repair", None);
    assert_eq!(mended["outcome"]["lost"], 0, "{mended}");
    let state = way.state(&admin).expect("it answers");
    for node in state["nodes"].as_array().expect("nodes") {
        let is_well = node["process"] == "running"
            && node["cut_in"] == false
            && node["cut_out"] == false
            && node["disk_delay_ms"] == 0;
        assert!(is_well, "{node}");
    }
    for invariant in state["invariants"].as_array().expect("invariants") {
        assert_eq!(invariant["holds"], true, "{invariant}");
        assert!(invariant["checked"].as_u64().is_some_and(|checked| checked > 0), "{invariant}");
    }
    check_rights(&stage, &way);
    stage.strike();
}

/// Who may only look, may only look; and the supervisor's own door opens to nodes alone.
fn check_rights(stage: &Stage, way: &Way) {
    let kill = json!({ "kind": "kill", "node": 1 });
    for name in ["officer", "auditor", "trustee"] {
        let token = way.log_in(name);
        assert!(way.state(&token).is_some(), "{name} may look");
        let refused = ask(&Method::POST, &way.url("/faults"), &token, Some(&kill));
        assert_eq!(refused.expect("it answers").0, 403, "{name}");
    }
    let stranger = ask(&Method::GET, &way.url(""), "", None).expect("it answers");
    assert_eq!(stranger.0, 401);
    let file = std::fs::read_to_string(stage.path("control/supervisor")).expect("written");
    let (address, token) = file.trim().split_once(' ').expect("address and token");
    let door = format!("http://{address}/state");
    let without = ask(&Method::GET, &door, "guessed", None).expect("it answers");
    assert_eq!(without.0, StatusCode::UNAUTHORIZED.as_u16());
    assert_eq!(ask(&Method::GET, &door, token, None).expect("it answers").0, 200);
}

#[test]
fn a_node_that_is_no_demonstration_says_so() {
    let _turn = turn();
    let nodes = Nodes::start(1);
    let token = std::fs::read_to_string(nodes.data_dir(0).join("admin-token")).expect("made");
    let base = format!("http://{}/api/v1/demo", nodes.addresses[0].web);
    let kill = json!({ "kind": "kill", "node": 1 });
    let look = ask(&Method::GET, &base, token.trim(), None);
    let harm = ask(&Method::POST, &format!("{base}/faults"), token.trim(), Some(&kill));
    assert_eq!((look.expect("it answers").0, harm.expect("it answers").0), (404, 404));
}

#[test]
fn the_script_harms_and_mends_every_way_and_nothing_is_lost() {
    let _turn = turn();
    let output = run(&["demo", "--exit", "--no-kill", "--seed", "3", "--script", "faults"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let steps = ["kill", "pause", "cut", "cut-out", "slow-disk", "restart", "heal", "resume"];
    for step in steps {
        let line = said.lines().find(|line| line.trim_start().starts_with(step));
        let line = line.unwrap_or_else(|| panic!("no {step} in:\n{said}"));
        assert!(line.contains(" 0 lost, "), "{line}");
    }
    assert!(said.contains(" leads after "), "{said}");
}
