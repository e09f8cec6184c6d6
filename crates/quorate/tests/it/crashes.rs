//! `kill -9` of every node in the middle of a load.

use crate::support::{Nodes, block_on, get, put, turn};
use client::Client;
use client::etcd::EtcdClient;
use futures::future::join_all;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Writers at the same time.
const WRITERS: u64 = 16;
/// Acknowledged puts at which the nodes are killed.
const KILL_AT: u64 = 400;

#[test]
fn every_acknowledged_put_survives_the_death_of_all_nodes() {
    let _turn = turn();
    let mut nodes = Nodes::start(3);
    let acknowledged = Mutex::new(Vec::new());
    let count = AtomicU64::new(0);
    let is_dead = AtomicBool::new(false);
    let addresses = nodes.client_addresses();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            crate::support::wait_for("enough puts", || {
                (count.load(Ordering::SeqCst) >= KILL_AT).then_some(())
            });
            nodes.kill_all();
            is_dead.store(true, Ordering::SeqCst);
        });
        scope.spawn(|| {
            block_on(join_all(
                (0..WRITERS)
                    .map(|writer| write(writer, &addresses, &is_dead, &count, &acknowledged)),
            ))
        });
    });
    let acknowledged = acknowledged.into_inner().expect("no writer panics");
    assert!(acknowledged.len() as u64 >= KILL_AT);
    nodes.start_all();
    block_on(async {
        let store = EtcdClient::connect(nodes.client_addresses()).expect("addresses");
        for key in &acknowledged {
            let value = get(&store, key).await.expect("the cluster is up again");
            assert_eq!(value.as_deref(), Some(key.as_bytes()), "{key} was acknowledged");
        }
    });
}

/// Puts one key after the other until nobody answers any more.
async fn write(
    writer: u64,
    addresses: &[String],
    is_dead: &AtomicBool,
    count: &AtomicU64,
    acknowledged: &Mutex<Vec<String>>,
) {
    let store = EtcdClient::connect(addresses).expect("addresses");
    for number in 0.. {
        if is_dead.load(Ordering::SeqCst) {
            return;
        }
        let key = format!("load/{writer}/{number}");
        // What is not acknowledged may be there or not.
        if store.call(put(key.clone(), key.clone())).await.is_ok() {
            acknowledged.lock().expect("no writer panics").push(key);
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_node_of_another_cluster_or_with_damaged_files_does_not_start() {
    let _turn = turn();
    let mut nodes = Nodes::start(1);
    let store = nodes.client_addresses();
    block_on(async {
        let store = EtcdClient::connect(store).expect("addresses");
        store.call(put("key", "value")).await.expect("one node is a quorum");
    });
    nodes.kill_all();
    let data_dir = nodes.data_dir(0).display().to_string();
    let other = ["serve", "--node-id=2", "--cluster=2=127.0.0.1:1", "--data-dir", &data_dir];
    let refused = crate::support::run(&other);
    let said = crate::support::said(&refused);
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("quorate: "), "{said}");
    nodes.start_all();
}
