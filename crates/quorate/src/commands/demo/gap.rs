//! How long nothing could be written while the cluster had no leader.

use bytes::Bytes;
use client::Client;
use client::etcd::{EtcdClient, Patience};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kv::api::{PutRequest, Request};
use std::convert::Infallible;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Between two puts of the probe.
const PROBE_EVERY: Duration = Duration::from_millis(5);
/// Puts of the probe that may be under way; no more are sent then.
const PROBE_MAX: usize = 512;
/// A put of the probe that takes longer is given up.
const PROBE_PATIENCE: Patience =
    Patience { call: Duration::from_secs(1), attempt: Duration::from_millis(300) };
/// An interval without ballots counts when it ends or starts this long after the kill.
const AFTER_KILL: Duration = Duration::from_secs(20);

/// Puts one key every few milliseconds through all nodes in turn, and keeps when each put was
/// acknowledged.
pub(super) struct Probe {
    clients: Vec<EtcdClient>,
    acknowledged: watch::Sender<Vec<Instant>>,
}

impl Probe {
    /// A probe of the nodes at these client addresses: each client starts at another node.
    pub(super) fn new(addresses: &[String]) -> Result<Self, client::etcd::EndpointError> {
        let rotated = |first: usize| {
            let order = addresses.iter().cycle().skip(first).take(addresses.len());
            EtcdClient::connect(order).map(|client| client.with_patience(PROBE_PATIENCE))
        };
        let clients = (0..addresses.len()).map(rotated).collect::<Result<_, _>>()?;
        Ok(Self { clients, acknowledged: watch::Sender::new(Vec::new()) })
    }

    /// Runs until it is dropped.
    pub(super) async fn run(&self) -> Infallible {
        let mut clock = tokio::time::interval(PROBE_EVERY);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut under_way = FuturesUnordered::new();
        let mut turn = 0;
        loop {
            tokio::select! {
                _ = clock.tick() => if under_way.len() < PROBE_MAX {
                    under_way.push(self.put(turn));
                    turn += 1;
                },
                Some(()) = under_way.next() => {}
            }
        }
    }

    async fn put(&self, turn: usize) {
        let request = Request::Put(PutRequest {
            key: Bytes::from_static(b"demo/probe"),
            value: Bytes::from(turn.to_string()),
            ..PutRequest::default()
        });
        if self.clients[turn % self.clients.len()].call(request).await.is_ok() {
            self.acknowledged.send_modify(|times| times.push(Instant::now()));
        }
    }

    /// Waits until `count` puts have been acknowledged after `moment`.
    pub(super) async fn wait_for(&self, count: usize, moment: Instant) {
        let after = |times: &Vec<Instant>| times.iter().filter(|at| **at > moment).count();
        let mut seen = self.acknowledged.subscribe();
        let waited = seen.wait_for(|times| after(times) >= count).await;
        debug_assert!(waited.is_ok(), "the sender lives as long as self");
    }

    /// Longest time without an acknowledged put around `moment`.
    pub(super) fn longest_gap(&self, moment: Instant) -> Option<Duration> {
        longest_gap(&self.acknowledged.borrow(), moment)
    }
}

/// The longest interval between two neighbours in `times` that ends after `moment` and starts at
/// most [`AFTER_KILL`] after it. `None` when nothing happened after `moment`.
pub(super) fn longest_gap(times: &[Instant], moment: Instant) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let pairs = times.windows(2).map(|pair| (pair[0], pair[1]));
    pairs
        .filter(|(start, end)| *end > moment && *start < moment + AFTER_KILL)
        .map(|(start, end)| end - start)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times_ms: &[u64], moment_ms: u64, expect_ms: Option<u64>) {
        let zero = Instant::now();
        let at = |ms: &u64| zero + Duration::from_millis(*ms);
        let times: Vec<Instant> = times_ms.iter().map(at).collect();
        let found = longest_gap(&times, at(&moment_ms));
        assert_eq!(found, expect_ms.map(Duration::from_millis));
    }

    #[test]
    fn only_gaps_around_the_kill_count() {
        check(&[0, 900, 1000, 1010, 1300, 1310], 1005, Some(290));
        check(&[1300, 0, 1010], 500, Some(1010));
        check(&[0, 10, 20], 100, None);
        check(&[0, 10, 20, 21_000, 40_000], 15, Some(20_980));
        check(&[], 0, None);
    }
}
