//! How long no write is acknowledged when the leader is killed.
//!
//! Puts leave at a fixed rate to all three nodes in turn, whatever becomes of the earlier ones.
//! Then the node that leads gets SIGKILL. The gap is the longest time between two neighbouring
//! acknowledgements from then on, until writes have flowed again for a while. Puts that were sent
//! to the dead node fail, as they would for a client that knows no other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::Prng;
use client::proto::etcdserverpb::PutRequest;
use client::proto::etcdserverpb::kv_client::KvClient;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tonic::transport::Channel;

use crate::arguments::Arguments;
use crate::cluster::{Cluster, OUR_ELECTION_MS, System, Systems};
use crate::etcd;
use crate::failure::Failure;
use crate::figures::Figure;
use crate::load::{key, value};
use crate::paths::Paths;
use crate::stats::{longest_gap, median};

const NODES: usize = 3;

/// Between two puts: 200 a second.
const PUT_EVERY: Duration = Duration::from_millis(5);

/// A put is given up after this time, so that never more than 600 are under way.
const PUT_MAX: Duration = Duration::from_secs(3);

/// Load before the kill.
const BEFORE: Duration = Duration::from_secs(1);

/// The least that is watched after the kill: longer than two of the longest election timeouts.
const AFTER_MIN: Duration = Duration::from_millis(2500);

/// The most that is waited for writes to flow again.
const AFTER_MAX: Duration = Duration::from_secs(12);

/// Writes flow again when so many were acknowledged within this time.
const FLOWING: (usize, Duration) = (20, Duration::from_millis(300));

/// etcd as it comes, and with timeouts in the range of ours: the end of the figure's name, then
/// heartbeat and election timeout in milliseconds.
const PEERS: [(&str, u32, u32); 2] = [("defaults", 100, 1000), ("short", 50, 300)];

/// When puts were acknowledged, since the load began.
type Acknowledged = Arc<Mutex<Vec<Duration>>>;

/// Kills leaders of ours and of etcd in turn.
pub(crate) async fn measure(
    arguments: &Arguments,
    systems: &Systems,
    paths: &Paths,
) -> Result<Vec<Figure>, Failure> {
    let ours = systems.ours()?;
    let mut our_gaps = Vec::new();
    let mut peers = PEERS.map(|(_, heartbeat, election)| systems.etcd(heartbeat, election));
    let mut peer_gaps = PEERS.map(|_| Vec::new());
    for number in 1..=arguments.rounds {
        our_gaps.push(told(&ours, "", number, paths).await?);
        for (at, (name, ..)) in PEERS.iter().enumerate() {
            let Some(etcd) = &peers[at] else { continue };
            match told(etcd, name, number, paths).await {
                Ok(gap) => peer_gaps[at].push(gap),
                Err(failure) => {
                    println!("  no further rounds of etcd {name}: {failure}");
                    peers[at] = None;
                }
            }
        }
    }
    let value = median(our_gaps).unwrap_or_default();
    let rows = PEERS.iter().zip(peer_gaps).map(|((name, heartbeat, election), gaps)| {
        let version = etcd::VERSION;
        let peer = format!("etcd {version}, heartbeat {heartbeat} ms, election {election} ms");
        Figure::new(format!("write_gap.leader_killed.etcd_{name}"), value, "ms")
            .with_peer(&peer, median(gaps))
            .with_limit("our shortest election timeout", f64::from(OUR_ELECTION_MS))
    });
    Ok(rows.collect())
}

async fn told(system: &System, name: &str, number: u64, paths: &Paths) -> Result<f64, Failure> {
    let gap = round(system, paths).await?.as_secs_f64() * 1e3;
    println!("  leader killed, round {number}, {} {name}: {gap:.0} ms", system.name());
    Ok(gap)
}

/// A fresh cluster, load, the kill, and the gap.
async fn round(system: &System, paths: &Paths) -> Result<Duration, Failure> {
    let mut cluster = Cluster::start(system, NODES, paths).await?;
    let mut clients = Vec::new();
    for node in 0..NODES {
        clients.push(KvClient::new(cluster.connect(node).await?));
    }
    let acknowledged = Acknowledged::default();
    let begun = Instant::now();
    // Aborted with everything below it when this round ends.
    let mut load = JoinSet::new();
    load.spawn(open_loop(clients, begun, Arc::clone(&acknowledged)));
    tokio::time::sleep(BEFORE).await;
    let leader = cluster.leader().await?;
    let killed = begun.elapsed();
    cluster.kill(leader)?;
    tokio::time::sleep(AFTER_MIN).await;
    while !is_flowing(&acknowledged, begun.elapsed()) {
        if begun.elapsed() > killed + AFTER_MAX {
            let text = format!("{AFTER_MAX:?} after the kill writes do not flow again");
            return Err(Failure::new(text));
        }
        tokio::time::sleep(FLOWING.1).await;
    }
    let instants = acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone();
    longest_gap(instants, killed).ok_or_else(|| Failure::new("no write was acknowledged"))
}

fn is_flowing(acknowledged: &Acknowledged, now: Duration) -> bool {
    let instants = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
    let (least, within) = FLOWING;
    instants.iter().rev().take_while(|instant| **instant + within >= now).count() >= least
}

/// Sends a put every [`PUT_EVERY`], to the nodes in turn, until it is aborted.
async fn open_loop(clients: Vec<KvClient<Channel>>, begun: Instant, acknowledged: Acknowledged) {
    let mut random = Prng::named(1, "open loop");
    let value = value(&mut random);
    let mut clock = tokio::time::interval(PUT_EVERY);
    // What was missed is made up for: the rate holds on a busy machine too.
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut puts = JoinSet::new();
    for number in 0_u64.. {
        clock.tick().await;
        while puts.try_join_next().is_some() {}
        let mut kv = clients[number as usize % clients.len()].clone();
        let request =
            PutRequest { key: key(number), value: value.clone(), ..PutRequest::default() };
        let acknowledged = Arc::clone(&acknowledged);
        puts.spawn(async move {
            if let Ok(Ok(_)) = tokio::time::timeout(PUT_MAX, kv.put(request)).await {
                let mut instants = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                instants.push(begun.elapsed());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_flow_when_enough_were_acknowledged_of_late() {
        let (least, within) = FLOWING;
        let old = vec![Duration::from_secs(1); 1000];
        let acknowledged: Acknowledged = Arc::new(Mutex::new(old));
        let now = Duration::from_secs(2);
        assert!(!is_flowing(&acknowledged, now));
        for count in 1..=least {
            acknowledged.lock().unwrap().push(now - within / 2);
            assert_eq!(is_flowing(&acknowledged, now), count == least);
        }
    }
}
