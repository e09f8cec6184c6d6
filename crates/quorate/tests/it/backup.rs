//! The backup drill, as an operator does it: under load, into a new cluster, and with bad files.

use crate::support::{Nodes, Process, block_on, http_body, put, quorate, said, turn, wait_for};
use client::Client;
use client::etcd::EtcdClient;
use kv::api::{
    Error, HashResponse, KeyRange, KeyValue, LeaseGrantRequest, PutRequest, RangeRequest, Request,
    Response,
};
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

/// The lease that some keys hang on.
const LEASE: i64 = 77;

fn token(nodes: &Nodes) -> String {
    let path = nodes.data_dir(0).join("admin-token");
    path.display().to_string()
}

fn backup(nodes: &Nodes, file: &Path) -> Output {
    let mut command = quorate();
    command.args(["cluster", "--admin", &nodes.addresses[0].admin.to_string()]);
    command.args(["--token-file", &token(nodes), "backup"]).arg(file);
    command.output().expect("the binary runs")
}

/// `quorate cluster restore` for the node at `place` of `nodes`.
fn restore(nodes: &Nodes, place: usize, file: &Path, more: &[&str]) -> Output {
    let members = (1..).zip(&nodes.addresses);
    let members: Vec<String> =
        members.map(|(id, addresses)| format!("{id}={}", addresses.peer)).collect();
    let mut command = quorate();
    command.args(["cluster", "restore"]).arg(file).arg("--data-dir").arg(nodes.data_dir(place));
    command.args(["--node-id", &(place + 1).to_string(), "--cluster", &members.join(",")]);
    command.args(more).output().expect("the binary runs")
}

async fn keys(store: &EtcdClient, revision: i64) -> Vec<KeyValue> {
    let range = KeyRange::prefix("");
    let request = RangeRequest { range, revision, ..RangeRequest::default() };
    match store.call(Request::Range(request)).await.expect("a range") {
        Response::Range(found) => found.kvs,
        other => panic!("a range was asked for, not {other:?}"),
    }
}

async fn hash(store: &EtcdClient, revision: i64) -> HashResponse {
    match store.call(Request::Hash { revision }).await.expect("a hash") {
        Response::Hash(hash) => hash,
        other => panic!("a hash was asked for, not {other:?}"),
    }
}

/// Writes until told to stop; each key once, a few of them under a lease.
async fn write(store: &EtcdClient, stop: &AtomicBool) -> u64 {
    let grant = LeaseGrantRequest { ttl: 3_000, id: LEASE };
    store.call(Request::LeaseGrant(grant)).await.expect("a lease");
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let lease = if number % 10 == 0 { LEASE } else { 0 };
        let Request::Put(request) = put(format!("k{:05}", number % 500), format!("v{number}"))
        else {
            panic!("a put is a put")
        };
        let request = PutRequest { lease, ..request };
        store.call(Request::Put(request)).await.expect("a put");
        number += 1;
    }
    number
}

/// Starts a restored node, with the new cluster's id.
fn start(nodes: &mut Nodes, place: usize, id: &str) {
    let mut command = nodes.command(place, quorate());
    command.arg(format!("--cluster-id={id}"));
    nodes.processes[place] = Some(Process(command.spawn().expect("the binary starts")));
}

fn new_id(output: &Output) -> String {
    let text = said(output);
    assert!(output.status.success(), "{text}");
    let id = text.split("--cluster-id ").nth(1).and_then(|rest| rest.split(' ').next());
    id.unwrap_or_else(|| panic!("no id in: {text}")).to_owned()
}

fn number_behind(text: &str, word: &str) -> i64 {
    let rest = text.split(word).nth(1).unwrap_or_else(|| panic!("no '{word}' in: {text}"));
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

#[test]
fn a_backup_under_load_becomes_a_new_cluster_with_everything_in_it() {
    let _turn = turn();
    let mut old = Nodes::start(3);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("store.backup");
    let stop = AtomicBool::new(false);
    let (written, made) = std::thread::scope(|scope| {
        let addresses = old.client_addresses();
        let writer = scope.spawn(|| {
            block_on(async {
                let store = EtcdClient::connect(addresses).expect("addresses");
                write(&store, &stop).await
            })
        });
        wait_for("some load", || {
            let store = || EtcdClient::connect(old.client_addresses()).expect("addresses");
            let count = block_on(async { keys(&store(), 0).await.len() });
            (count > 100).then_some(())
        });
        let made = backup(&old, &file);
        stop.store(true, Ordering::Relaxed);
        (writer.join().expect("the writer"), made)
    });
    let told = said(&made);
    assert!(made.status.success() && written > 100, "{told}");
    let revision = number_behind(&told, "revision ");
    assert!(revision > 100, "{told}");
    // What the old cluster held at that revision is what the new one must hold.
    let (expected, sum) = block_on(async {
        let store = EtcdClient::connect(old.client_addresses()).expect("addresses");
        (keys(&store, revision).await, hash(&store, revision).await.hash)
    });
    old.kill_all();

    let mut new = Nodes::start(3);
    new.kill_all();
    let full = restore(&new, 0, &file, &[]);
    assert!(said(&full).contains("the folder is not empty"), "{}", said(&full));
    (0..3).for_each(|place| std::fs::remove_dir_all(new.data_dir(place)).expect("removed"));
    let planned = restore(&new, 0, &file, &["--dry-run"]);
    assert!(said(&planned).contains("nothing was made"), "{}", said(&planned));
    assert!(!new.data_dir(0).exists());
    let ids: Vec<String> = (0..3).map(|place| new_id(&restore(&new, place, &file, &[]))).collect();
    assert!(ids.iter().all(|id| *id == ids[0]) && new_id(&planned) == ids[0], "{ids:?}");
    (0..3).for_each(|place| start(&mut new, place, &ids[0]));
    new.wait_ready();
    block_on(async {
        for address in new.client_addresses() {
            let store = EtcdClient::connect([address]).expect("an address");
            assert_eq!(keys(&store, 0).await, expected);
            let now = hash(&store, revision).await;
            assert_eq!((now.hash, now.compact_revision), (sum, 0));
        }
        // History, leases and numbers go on where they were.
        let store = EtcdClient::connect(new.client_addresses()).expect("addresses");
        let early = keys(&store, 50).await;
        assert!(!early.is_empty() && early.iter().all(|kv| kv.mod_revision <= 50));
        let keys = Request::LeaseTimeToLive { id: LEASE, keys: true };
        let Ok(Response::LeaseTimeToLive(lease)) = store.call(keys).await else {
            panic!("no answer about the lease")
        };
        assert!(lease.ttl > 0 && lease.granted_ttl == 3_000, "{lease:?}");
        let held = expected.iter().filter(|kv| kv.lease == LEASE).count();
        assert_eq!(lease.keys.len(), held);
        for number in 0..50 {
            store.call(put(format!("new{number}"), "v")).await.expect("a put");
        }
    });
    // A node that is restored once more into the running cluster has forgotten what it promised.
    new.processes[2] = None;
    std::fs::remove_dir_all(new.data_dir(2)).expect("removed");
    assert_eq!(new_id(&restore(&new, 2, &file, &[])), ids[0]);
    start(&mut new, 2, &ids[0]);
    let ended = new.processes[2].as_mut().expect("started").wait();
    assert!(!ended.success(), "it takes part again");
    // Another name, another cluster.
    std::fs::remove_dir_all(new.data_dir(2)).expect("removed");
    assert_ne!(new_id(&restore(&new, 2, &file, &["--cluster-name", "second"])), ids[0]);
}

#[test]
fn a_damaged_backup_is_refused_and_nothing_is_made() {
    let _turn = turn();
    let nodes = Nodes::start(1);
    block_on(async {
        let store = EtcdClient::connect(nodes.client_addresses()).expect("addresses");
        store.call(put("k", vec![b'v'; 1_000])).await.expect("a put");
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("store.backup");
    let made = backup(&nodes, &file);
    assert!(made.status.success(), "{}", said(&made));
    let again = backup(&nodes, &file);
    assert!(said(&again).contains("is there already"), "{}", said(&again));
    let bytes = std::fs::read(&file).expect("the backup");
    let target = folder.path().join("data");
    let bad = folder.path().join("bad.backup");
    let order = |file: &Path| node::backup::RestoreOrder {
        file: file.to_owned(),
        data_dir: target.clone(),
        member: 1,
        members: [(1, ([127, 0, 0, 1], 1).into())].into(),
        name: String::new(),
        authority: None,
        salt: 1,
    };
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        std::fs::write(&bad, damaged).expect("written");
        let error = node::backup::restore(&order(&bad), &mut |_, _| ()).expect_err("damaged");
        let text = error.to_string();
        assert!(text.contains("bad.backup: its checksum does not fit"), "byte {place}: {text}");
        assert!(!target.exists(), "byte {place}: something was made");
    }
    std::fs::write(&bad, &bytes[..bytes.len() - 512]).expect("written");
    let mut cut = quorate();
    cut.args(["cluster", "restore"]).arg(&bad).arg("--data-dir").arg(&target);
    let cut = said(&cut.output().expect("the binary runs"));
    assert!(cut.contains("its checksum does not fit its content"), "{cut}");
    node::backup::restore(&order(&file), &mut |_, _| ()).expect("the whole one");
    // A backup needs the administrators' token.
    let address = nodes.addresses[0].admin.to_string();
    let other = folder.path().join("other.backup");
    let refused = quorate().args(["cluster", "--admin", &address, "backup"]).arg(&other).output();
    let refused = said(&refused.expect("the binary runs"));
    assert!(refused.contains("use --token-file") && !other.exists(), "{refused}");
    let view = http_body(&format!("http://{address}/cluster"));
    assert!(view.contains("\"leader\":1"), "{view}");
}

#[test]
fn without_a_majority_only_what_a_node_has_by_itself_is_given_out() {
    let _turn = turn();
    let mut nodes = Nodes::start(3);
    block_on(async {
        let store = EtcdClient::connect(nodes.client_addresses()).expect("addresses");
        store.call(put("k", "v")).await.expect("a put");
    });
    nodes.processes[1] = None;
    nodes.processes[2] = None;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("store.backup");
    let refused = said(&backup(&nodes, &file));
    assert!(refused.contains("stale=true") && !file.exists(), "{refused}");
    let stale = quorate()
        .args(["cluster", "--admin", &nodes.addresses[0].admin.to_string()])
        .args(["--token-file", &token(&nodes), "backup", "--stale"])
        .arg(&file)
        .output()
        .expect("the binary runs");
    assert!(stale.status.success() && file.exists(), "{}", said(&stale));
}

#[test]
fn history_is_put_out_of_reach_from_the_shell() {
    let _turn = turn();
    let nodes = Nodes::start(1);
    let cluster = nodes.client_addresses().join(",");
    let kv = |arguments: &[&str]| {
        let output = quorate().args(["kv", "--cluster", &cluster]).args(arguments).output();
        said(&output.expect("the binary runs"))
    };
    for value in ["1", "2", "3"] {
        kv(&["put", "a", value]);
    }
    let revision = number_behind(&kv(&["put", "a", "4"]), "revision ");
    let compacted = kv(&["compact", &(revision - 1).to_string()]);
    assert!(compacted.contains("compacted"), "{compacted}");
    let text = Error::Compacted.text().trim_start_matches("etcdserver: ");
    for old in [kv(&["get", "a", "--rev", "2"]), kv(&["watch", "a", "--rev", "2"])] {
        assert!(old.contains(text), "{old}");
    }
    assert!(kv(&["get", "a", "--rev", &(revision - 1).to_string()]).contains('3'));
    let granted = kv(&["lease", "grant", "60", "--id", "9"]);
    assert!(granted.contains("lease 9 for 60 s"), "{granted}");
    kv(&["put", "held", "v", "--lease", "9"]);
    let shown = kv(&["lease", "show", "9"]);
    assert!(shown.contains("of 60 s") && shown.contains("held"), "{shown}");
    assert!(kv(&["lease", "keep-alive", "9", "--once"]).contains("lease 9 has 60 s"));
    assert!(kv(&["lease", "list"]).contains('9'));
    kv(&["lease", "revoke", "9"]);
    assert!(kv(&["lease", "show", "9"]).contains("there is no lease 9"));
    assert!(kv(&["lease", "keep-alive", "9"]).contains("lease 9 has ended"));
    assert!(kv(&["hash"]).contains("at revision"), "a hash");
}
