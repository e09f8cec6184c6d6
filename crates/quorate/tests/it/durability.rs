//! What the operating system sees: between the write of a command to the log and the answer to
//! its caller stands an fdatasync of that log.

use crate::support::{Nodes, Process, block_on, put, turn};
use client::Client;
use client::etcd::EtcdClient;
use kv::api::{PutRequest, Request, Response};
use std::process::Command;

#[test]
fn fdatasync_stands_between_write_and_answer() {
    let _turn = turn();
    if Command::new("strace").arg("--version").output().is_err() {
        println!("skipped: strace is not installed");
        return;
    }
    let mut nodes = Nodes::start(1);
    nodes.kill_all();
    let trace = nodes.folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "8192", "-e", "signal=none", "-o"]).arg(&trace);
    strace.args(["-e", "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fdatasync,fsync"]);
    strace.arg(env!("CARGO_BIN_EXE_quorate"));
    let traced = nodes.command(0, strace).spawn().expect("strace starts");
    nodes.processes[0] = Some(Process(traced));
    nodes.wait_ready();
    block_on(async {
        let store = EtcdClient::connect(nodes.client_addresses()).expect("addresses");
        store.call(put("key", "canary-before")).await.expect("one node is a quorum");
        let request = PutRequest {
            key: "key".into(),
            value: "canary-after".into(),
            prev_kv: true,
            ..PutRequest::default()
        };
        let answer = store.call(Request::Put(request)).await.expect("one node is a quorum");
        let Response::Put(answer) = answer else { panic!("a put was asked for") };
        assert_eq!(answer.prev_kv.expect("there was a value").value, "canary-before");
    });
    stop_traced(&mut nodes);
    let trace = std::fs::read_to_string(trace).expect("strace has written");
    check_order(&trace);
}

/// strace passes on what ends it only to itself: its child, the node, is ended by its own id.
fn stop_traced(nodes: &mut Nodes) {
    let process = nodes.processes[0].as_mut().expect("started");
    let children = format!("/proc/{0}/task/{0}/children", process.0.id());
    let children = std::fs::read_to_string(children).expect("the kernel lists children");
    for child in children.split_whitespace().filter_map(|id| id.parse().ok()) {
        let child = rustix::process::Pid::from_raw(child).expect("an id");
        rustix::process::kill_process(child, rustix::process::Signal::KILL).expect("our node");
    }
    let _ = process.wait();
}

/// The trace has one call a line, or two where another thread came between: `… <unfinished ...>`
/// and `<... name resumed>`.
fn check_order(trace: &str) {
    let lines: Vec<&str> = trace.lines().collect();
    let to_socket = |line: &str| line.contains("<TCP:") || line.contains("<socket:");
    let written = lines
        .iter()
        .position(|line| line.contains("canary-after") && !to_socket(line))
        .expect("the command is written to a file");
    let file = path_of(lines[written]).expect("strace names the file");
    let answered = lines
        .iter()
        .position(|line| line.contains("canary-before") && to_socket(line))
        .expect("the answer with the value before is written to a socket");
    assert!(written < answered, "the answer came before the write");
    let between = &lines[written..answered];
    let started = between
        .iter()
        .position(|line| is_sync(line) && path_of(line) == Some(file))
        .unwrap_or_else(|| panic!("no fdatasync of {file} before the answer:\n{between:#?}"));
    let line = between[started];
    if line.contains("unfinished") {
        let thread = line.split_whitespace().next().expect("a thread id");
        let ended = between[started..].iter().any(|line| {
            line.starts_with(thread) && line.contains("sync resumed") && line.ends_with("= 0")
        });
        assert!(ended, "the fdatasync ended after the answer:\n{between:#?}");
    } else {
        assert!(line.ends_with("= 0"), "{line}");
    }
}

fn is_sync(line: &str) -> bool {
    line.contains("fdatasync(") || line.contains("fsync(")
}

/// `17</path/to/file>`, the first argument.
fn path_of(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once('<')?;
    rest.split_once('>').map(|(path, _)| path)
}
