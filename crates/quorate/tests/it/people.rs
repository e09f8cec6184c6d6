//! Accounts from the command line, and how the nodes see each other, on real processes.

use crate::support::{Nodes, get_as, run, said, turn, wait_for};
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt;

const PASSWORD: &str = "a sentence that nobody guesses";

/// Runs a command against all nodes; the token file is the first node's unless it is given.
fn quorate(nodes: &Nodes, token: &str, arguments: &[&str]) -> (bool, String) {
    let web = |addresses: &crate::support::Addresses| format!("http://{}", addresses.web);
    let all: Vec<String> = nodes.addresses.iter().map(web).collect();
    let mut whole = arguments.to_vec();
    let all = all.join(",");
    whole.extend(["--nodes", &all, "--token-file", token]);
    let output = run(&whole);
    (output.status.success(), said(&output))
}

#[test]
fn the_first_administrator_comes_from_the_one_time_token_and_nodes_are_judged() {
    let _turn = turn();
    let mut nodes = Nodes::start(3);
    let folder = nodes.folder.path().to_owned();
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("password"), format!("{PASSWORD}\n")).expect("written");
    // Each node has a one-time token of its own; the first node's is asked of the first node.
    let own = nodes.data_dir(0).join("admin-token").display().to_string();
    let first = format!("http://{}", nodes.addresses[0].web);
    let add = |name: &str, role: &str| {
        let password = path("password");
        let arguments = [
            "user",
            "add",
            name,
            "--role",
            role,
            "--password-file",
            &password,
            "--nodes",
            &first,
            "--token-file",
            &own,
        ];
        let output = run(&arguments);
        (output.status.success(), said(&output))
    };
    let (done, text) = add("ada", "administrator");
    assert!(done && text.contains("ada: administrator"), "{text}");
    let (done, text) = add("eve", "administrator");
    assert!(!done && text.contains("void since there is an administrator"), "{text}");

    let (out, password) = (path("token"), path("password"));
    let make = ["token", "make", "robot", "--user", "ada", "--password-file", &password];
    let make = [&make[..], &["--role", "administrator", "--out", &out]].concat();
    let (done, text) = quorate(&nodes, &own, &make);
    assert!(done, "{text}");
    let mode = std::fs::metadata(&out).expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (done, text) = quorate(&nodes, &out, &["user", "add", "bob", "--role", "auditor"]);
    assert!(done && text.contains("bob: auditor"), "{text}");
    let (done, text) = quorate(&nodes, &out, &["user", "lock", "bob"]);
    assert!(done && text.contains("bob (locked): auditor"), "{text}");
    let (done, text) = quorate(&nodes, &out, &["user", "list"]);
    assert!(done && text.contains("ada: administrator\nbob (locked): auditor"), "{text}");
    let (done, text) = quorate(&nodes, &out, &["election", "audit", "--actor", "ada"]);
    assert!(done && text.contains("  login    ada  logged in"), "{text}");
    let format = ["election", "audit", "--text", "/ACCOUNTS", "--since", "1h", "--format", "csv"];
    let (done, text) = quorate(&nodes, &out, &format);
    assert!(done && text.starts_with("number,time_ms,"), "{text}");
    assert!(text.contains(",operator,operator,POST /api/v1/accounts,"), "{text}");

    let token = std::fs::read_to_string(&out).expect("written").trim().to_owned();
    let url = format!("http://{}/api/v1/cluster", nodes.addresses[0].web);
    let verdict = |part: &str| {
        wait_for(part, || get_as(&url, &token).filter(|view| view.contains(part)));
    };
    verdict("All 3 nodes are healthy");
    drop(nodes.processes[2].take());
    verdict("Node 3 is unreachable");
    let mut second = nodes.processes[1].take().expect("it runs");
    second.signal(Signal::TERM);
    assert!(second.wait().success(), "it takes its leave");
    verdict("ode 2 is stopped");
}
