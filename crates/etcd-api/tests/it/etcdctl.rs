//! etcdctl as the judge, when it is installed.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::server::Server;

fn etcdctl(server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3").args(["--endpoints", &server.address]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Whether etcdctl can be run; says so if not.
async fn is_installed() -> bool {
    let installed = Command::new("etcdctl").arg("version").output().await.is_ok();
    if !installed {
        println!("skipped: etcdctl is not on the PATH (Debian: apt-get install etcd-client)");
    }
    installed
}

/// Runs etcdctl with `input`; its output, standard error behind standard output.
async fn run(server: &Server, arguments: &[&str], input: &str) -> String {
    let mut child = etcdctl(server, arguments).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "current_thread")]
async fn keys_and_transactions() {
    if !is_installed().await {
        return;
    }
    let server = Server::start().await;
    let check = async |command: &str, input: &str, expect: &str| {
        let arguments: Vec<_> = command.split(' ').collect();
        let output = run(&server, &arguments, input).await;
        let lines: Vec<_> = output.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.join("|"), expect, "etcdctl {command}");
    };
    check("put k/a 1", "", "OK").await;
    check("put k/b 2", "", "OK").await;
    check("put --prev-kv k/a 3", "", "OK|k/a|1").await;
    check("get k/a", "", "k/a|3").await;
    check("get --prefix k/", "", "k/a|3|k/b|2").await;
    check("get --prefix --limit 1 k/", "", "k/a|3").await;
    check("get --prefix --keys-only k/", "", "k/a|k/b").await;
    check("get --rev 2 k/a", "", "k/a|1").await;
    check("get --consistency s --print-value-only k/b", "", "2").await;
    let txn = "ver(\"k/a\") = \"2\"\n\nput k/c 4\nget k/c\n\n\n";
    check("txn", txn, "SUCCESS|OK|k/c|4").await;
    check("del --prev-kv k/c", "", "1|k/c|4").await;
    check("del --prefix k/", "", "2").await;
    let fields = run(&server, &["get", "--prefix", "k/", "-w", "fields"], "").await;
    assert!(fields.ends_with("\"More\" : false\n\"Count\" : 0"), "{fields}");
    let refused = run(&server, &["get", "--rev", "99", "k/a"], "").await;
    assert!(refused.contains("required revision is a future revision"), "{refused}");
    let refused = run(&server, &["put", "k/a", "--ignore-value"], "").await;
    assert!(refused.contains("etcdserver: key not found"), "{refused}");
}

#[tokio::test(flavor = "current_thread")]
async fn leases() {
    if !is_installed().await {
        return;
    }
    let server = Server::start().await;
    let granted = run(&server, &["lease", "grant", "60"], "").await;
    let id = granted.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(granted, format!("lease {id} granted with TTL(60s)"));
    assert_eq!(run(&server, &["put", "k", "v", "--lease", &id], "").await, "OK");
    let life = run(&server, &["lease", "timetolive", "--keys", &id], "").await;
    assert!(life.starts_with(&format!("lease {id} granted with TTL(60s), remaining(")), "{life}");
    assert!(life.ends_with("attached keys([k])"), "{life}");
    let list = run(&server, &["lease", "list"], "").await;
    assert_eq!(list, format!("found 1 leases\n{id}"));
    let renewed = run(&server, &["lease", "keep-alive", "--once", &id], "").await;
    assert_eq!(renewed, format!("lease {id} keepalived with TTL(60)"));
    assert_eq!(run(&server, &["lease", "revoke", &id], "").await, format!("lease {id} revoked"));
    assert_eq!(run(&server, &["get", "k"], "").await, "");
    let refused = run(&server, &["lease", "revoke", &id], "").await;
    assert!(refused.contains("etcdserver: requested lease not found"), "{refused}");
}

#[tokio::test(flavor = "current_thread")]
async fn watches() {
    if !is_installed().await {
        return;
    }
    let server = Server::start().await;
    server.put("k", "1").await;
    server.put("k", "2").await;
    let seen = async |mut command: Command, input: &str, count: usize| {
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = Vec::new();
        while seen.len() < count {
            seen.push(lines.next_line().await.unwrap().expect("etcdctl ended early"));
        }
        seen.join("|")
    };
    let from_old = etcdctl(&server, &["watch", "k", "--rev", "2"]);
    assert_eq!(seen(from_old, "", 6).await, "PUT|k|1|PUT|k|2");
    let with_values = etcdctl(&server, &["watch", "--prefix", "--prev-kv", "", "--rev", "3"]);
    assert_eq!(seen(with_values, "", 5).await, "PUT|k|1|k|2");
    let interactive = etcdctl(&server, &["watch", "-i"]);
    assert_eq!(seen(interactive, "watch k --rev 3\n", 3).await, "PUT|k|2");
}

#[tokio::test(flavor = "current_thread")]
async fn the_cluster() {
    if !is_installed().await {
        return;
    }
    let server = Server::start().await;
    let health = run(&server, &["endpoint", "health"], "").await;
    assert!(health.contains("is healthy: successfully committed proposal"), "{health}");
    let health = run(&server, &["endpoint", "health", "--cluster"], "").await;
    assert!(health.contains(&format!("http://{} is healthy", server.address)), "{health}");
    let status = run(&server, &["endpoint", "status"], "").await;
    assert!(status.contains("710000000badcafe, 3.5.17, 2.0 kB, true, false, 3, 0, 0,"), "{status}");
    let status = run(&server, &["endpoint", "status", "-w", "json"], "").await;
    assert!(
        status.contains(&format!("\"leader\":{}", client::ids::shown(0x0bad_cafe))),
        "{status}"
    );
    let members = run(&server, &["member", "list"], "").await;
    let url = format!("http://{}", server.address);
    assert_eq!(
        members,
        format!("710000000badcafe, started, one, http://127.0.0.1:1, {url}, false")
    );
}
