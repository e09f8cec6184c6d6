//! Results that nobody has to decrypt.

use election::{Body, Entry, Phase, testing::ElectionBuilder};

use crate::cluster::Cluster;
use crate::machine::{close, vote};

fn polled(seed: u64) -> Cluster {
    let election = ElectionBuilder::new(seed).authorities(3, 0).voters(6).open_poll().build();
    let mut cluster = Cluster::new(election);
    cluster.open();
    for voter in 0..5 {
        vote(&mut cluster, voter % 3, voter);
    }
    cluster
}

/// How many entries of a node's copy are results.
fn results(cluster: &Cluster, node: usize) -> usize {
    let view = cluster.view(node);
    let entries = (1..=view.position()).filter_map(|number| view.entry(number));
    entries
        .filter(|entry| {
            Entry::decode(entry).is_ok_and(|entry| matches!(entry.body, Body::Result(_)))
        })
        .count()
}

#[test]
fn the_authorities_publish_the_result_of_an_open_poll_once() {
    let mut cluster = polled(41);
    cluster.pass(10_000);
    assert_eq!(cluster.view(0).fold().phase(), Phase::Open, "not before the close");
    close(&mut cluster);
    cluster.pass(10_000);
    cluster.assert_settled(0..3);
    for node in 0..3 {
        let outcome = cluster.view(node).fold().result().expect("it is published").clone();
        assert_eq!(outcome.ballots, 5);
        assert_eq!(results(&cluster, node), 1);
    }
}

#[test]
fn another_authority_does_it_when_the_first_is_silent() {
    let mut cluster = polled(42);
    close(&mut cluster);
    cluster.nodes[0].stopped = true;
    cluster.pass(20_000);
    for node in 1..3 {
        assert_eq!(cluster.view(node).fold().phase(), Phase::Published, "node {node}");
    }
}
