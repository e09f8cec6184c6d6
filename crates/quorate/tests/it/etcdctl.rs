//! etcdctl against a real cluster: members that come, move, vote and go, and the leader's place.

use crate::support::{
    Addresses, Nodes, Process, free_addresses, http_body, quorate, said, turn, wait_for,
};
use serde_json::Value;
use std::process::{Command, Stdio};

/// Runs etcdctl on these client addresses; both its outputs.
fn etcdctl(endpoints: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3").args(["--endpoints", endpoints]).args(arguments);
    said(&command.stdin(Stdio::null()).output().expect("etcdctl runs"))
}

/// Whether etcdctl can be run; says so if not.
fn is_installed() -> bool {
    let installed = Command::new("etcdctl").arg("version").output().is_ok();
    if !installed {
        println!("skipped: etcdctl is not on the PATH (Debian: apt-get install etcd-client)");
    }
    installed
}

/// The members as etcdctl prints them: id, state, name, peer, client, learner.
fn members(endpoints: &str) -> Vec<Vec<String>> {
    let listed = etcdctl(endpoints, &["member", "list"]);
    let lines = listed.lines().map(|line| line.split(", ").map(str::to_owned).collect());
    lines.collect()
}

fn fourth(nodes: &Nodes, own: Addresses) -> Process {
    let view = http_body(&format!("http://{}/cluster", nodes.addresses[0].admin));
    let view: Value = serde_json::from_str(&view).expect("JSON");
    let known = (1..).zip(&nodes.addresses);
    let mut known: Vec<String> =
        known.map(|(id, addresses): (u64, _)| format!("{id}={}", addresses.peer)).collect();
    known.push(format!("4={}", own.peer));
    let mut command = quorate();
    command.args(["serve", "--join", "--node-id=4", "--name=fourth"]);
    command.args(["--cluster-id", view["cluster"].as_str().expect("an id")]);
    command.args(["--cluster", &known.join(","), "--client", &own.client.to_string()]);
    command.arg("--data-dir").arg(nodes.folder.path().join("node-4"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Process(command.spawn().expect("the binary starts"))
}

#[test]
fn members_come_and_go_by_etcdctl() {
    if !is_installed() {
        return;
    }
    let _turn = turn();
    let nodes = Nodes::start(3);
    let all = nodes.client_addresses().join(",");
    let one = nodes.addresses[1].client.to_string();
    let listed = wait_for("all nodes to have said who they are", || {
        let listed = members(&one);
        listed.iter().all(|member| member[1] == "started").then_some(listed)
    });
    for (member, (place, own)) in listed.iter().zip(nodes.addresses.iter().enumerate()) {
        let expect = [
            format!("710000000000000{}", place + 1),
            "started".to_owned(),
            format!("node-{}", place + 1),
            format!("http://{}", own.peer),
            format!("http://{}", own.client),
            "false".to_owned(),
        ];
        assert_eq!(*member, expect);
    }
    let table = etcdctl(&one, &["member", "list", "-w", "table"]);
    assert!(table.contains("| 7100000000000003 | started | node-3 |"), "{table}");
    let json = etcdctl(&one, &["member", "list", "-w", "json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["members"][2]["ID"].as_u64(), Some(0x7100_0000_0000_0003));
    let status = etcdctl(&all, &["endpoint", "status"]);
    assert_eq!(status.lines().count(), 3, "{status}");
    assert_eq!(status.matches("true").count(), 1, "one of them leads: {status}");
    let status = etcdctl(&one, &["endpoint", "status", "--cluster"]);
    assert_eq!(status.lines().count(), 3, "{status}");
    let hashes = etcdctl(&all, &["endpoint", "hashkv"]);
    assert_eq!(hashes.lines().count(), 3, "{hashes}");
    let health = etcdctl(&one, &["endpoint", "health", "--cluster"]);
    assert_eq!(health.matches("is healthy").count(), 3, "{health}");

    let own = free_addresses(1)[0];
    let peer = format!("--peer-urls=http://{}", own.peer);
    let added = etcdctl(&one, &["member", "add", "fourth", &peer, "--learner"]);
    assert!(added.contains("Member 7100000000000004 added to cluster"), "{added}");
    let again = etcdctl(&one, &["member", "add", "fourth", &peer, "--learner"]);
    assert!(again.contains("Peer URLs already exists"), "{again}");
    let listed = members(&one);
    assert_eq!(listed[3][1..3], ["unstarted", ""]);
    let promote = ["member", "promote", "7100000000000004"];
    let unready = etcdctl(&one, &promote);
    assert!(unready.contains("learner member which is in sync with leader"), "{unready}");
    let _fourth = fourth(&nodes, own);
    wait_for("the learner to be heard", || {
        etcdctl(&one, &promote).contains("promoted in cluster").then_some(())
    });
    let refused = etcdctl(&one, &promote);
    assert!(refused.contains("can only promote a learner member"), "{refused}");
    wait_for("the newcomer to say who it is", || {
        members(&one).into_iter().nth(3).filter(|member| member[1..3] == ["started", "fourth"])
    });

    let target = "7100000000000004";
    wait_for("the newcomer to lead", || {
        etcdctl(&all, &["move-leader", target]).contains("Leadership transferred").then_some(())
    });
    let bad = etcdctl(&own.client.to_string(), &["move-leader", "7100000000000009"]);
    assert!(bad.contains("bad leader transferee"), "{bad}");
    let removed = etcdctl(&one, &["member", "remove", target]);
    assert!(removed.contains("removed from cluster"), "{removed}");
    assert_eq!(members(&one).len(), 3);
    let absent = etcdctl(&one, &["member", "remove", target]);
    assert!(absent.contains("member not found"), "{absent}");
    let wrong =
        etcdctl(&one, &["member", "update", "7100000000000001", "--peer-urls=http://nowhere:1"]);
    assert!(wrong.contains("given member URLs are invalid"), "{wrong}");
}
