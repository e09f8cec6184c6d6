//! Writes at a chosen rate, each acknowledgement remembered, so that a lost one would be seen.
//!
//! Every slot is a key of its own that counts up. A write is a transaction that asks for the
//! version which the one before left, so that an attempt which comes late changes nothing. Where
//! an answer is missing, nobody can know whether the write was taken: the slot goes on under a new
//! name, and what was acknowledged under the old one is still looked after.

use super::super::cluster::Cluster;
use client::Client;
use client::etcd::{EtcdClient, Patience};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kv::api::{
    Compare, CompareResult, CompareTarget, KeyRange, PutRequest, Request, Response, TxnOperation,
    TxnRequest,
};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Where the writes go.
pub(super) const PREFIX: &[u8] = b"demo/load/";
/// Writes a second, at most.
pub(in super::super) const RATE_MAX: u64 = 2_000;
/// Writes that may be under way; more are not offered, and count as refused.
const SLOTS: usize = 512;
/// Names a slot has had, all slots together, that are still looked after.
const OLD_NAMES_MAX: usize = 2_048;
/// Between two bursts.
const TURN: Duration = Duration::from_millis(10);
/// Longest time that missed turns are made up for.
const ARREARS_MAX: Duration = Duration::from_millis(100);
/// A write that takes longer is refused; it is offered again.
const PATIENCE: Patience =
    Patience { call: Duration::from_secs(3), attempt: Duration::from_millis(600) };
/// What the figures look back on.
const WINDOW: Duration = Duration::from_secs(2);
/// Moments that are kept for the figures and the stopwatch.
const MOMENTS_MAX: usize = 16_384;

/// A key of the load: number of the slot, and how often it had to take a new name.
type Name = (usize, u64);

fn key((slot, name): Name) -> Vec<u8> {
    let mut key = PREFIX.to_vec();
    key.extend(format!("{slot:03}/{name}").into_bytes());
    key
}

/// One slot.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    name: u64,
    /// Version of its key, as acknowledged.
    version: i64,
    is_busy: bool,
}

#[derive(Debug, Default)]
struct Kept {
    slots: Vec<Slot>,
    /// Highest acknowledged version of each key.
    acknowledged: BTreeMap<Vec<u8>, i64>,
    /// Names that are in use no more, oldest first.
    old: VecDeque<Vec<u8>>,
    moments: VecDeque<Moment>,
    accepted: u64,
    refused: u64,
}

/// One answer, or none.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    /// How long it took, when it was acknowledged.
    took: Option<Duration>,
}

/// For the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Figures {
    accepted_per_second: f64,
    refused_per_second: f64,
    accepted: u64,
    refused: u64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// The generator.
#[derive(Debug, Default)]
pub(super) struct Load(Mutex<Kept>);

impl Load {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers as many writes a second as `rate` says, until the runtime ends.
    pub(super) async fn run(&self, cluster: &Cluster, mut rate: watch::Receiver<u64>) {
        let addresses = cluster.client_addresses();
        let rotated = |first: usize| {
            let order = addresses.iter().cycle().skip(first).take(addresses.len());
            EtcdClient::connect(order).map(|client| client.with_patience(PATIENCE))
        };
        let Ok(clients) = (0..addresses.len()).map(rotated).collect::<Result<Vec<_>, _>>() else {
            return;
        };
        self.kept().slots = vec![Slot::default(); SLOTS];
        let mut clock = tokio::time::interval(TURN);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut under_way = FuturesUnordered::new();
        let (mut due, mut turn, mut last) = (0.0, 0, Instant::now());
        loop {
            tokio::select! {
                now = clock.tick() => {
                    let passed = now.into_std().duration_since(last).min(ARREARS_MAX);
                    last = now.into_std();
                    due += *rate.borrow_and_update() as f64 * passed.as_secs_f64();
                    while due >= 1.0 {
                        due -= 1.0;
                        turn += 1;
                        match self.take_slot(turn) {
                            Some(slot) => {
                                under_way.push(self.write(&clients[turn % clients.len()], slot));
                            }
                            None => self.note(None),
                        }
                    }
                }
                Some(()) = under_way.next() => {}
            }
        }
    }

    fn take_slot(&self, turn: usize) -> Option<usize> {
        let mut kept = self.kept();
        let slot = (0..SLOTS).map(|step| (turn + step) % SLOTS);
        let slot = slot.into_iter().find(|slot| !kept.slots[*slot].is_busy)?;
        kept.slots[slot].is_busy = true;
        Some(slot)
    }

    async fn write(&self, client: &EtcdClient, slot: usize) {
        let Slot { name, version, .. } = self.kept().slots[slot];
        let key = key((slot, name));
        let request = Request::Txn(TxnRequest {
            compare: vec![Compare {
                range: KeyRange::single(key.clone()),
                result: CompareResult::Equal,
                target: CompareTarget::Version(version),
            }],
            success: vec![TxnOperation::Put(PutRequest {
                key: key.clone().into(),
                value: (version + 1).to_string().into(),
                ..PutRequest::default()
            })],
            failure: Vec::new(),
        });
        let started = Instant::now();
        let answer = client.call(request).await;
        let is_taken = matches!(answer, Ok(Response::Txn(txn)) if txn.succeeded);
        let mut kept = self.kept();
        kept.slots[slot].is_busy = false;
        if is_taken {
            kept.slots[slot].version = version + 1;
            kept.acknowledged.insert(key, version + 1);
        } else {
            kept.slots[slot] = Slot { name: name + 1, version: 0, is_busy: false };
            if version > 0 {
                kept.old.push_back(key);
            }
            if kept.old.len() > OLD_NAMES_MAX
                && let Some(forgotten) = kept.old.pop_front()
            {
                kept.acknowledged.remove(&forgotten);
            }
        }
        drop(kept);
        self.note(is_taken.then(|| started.elapsed()));
    }

    fn note(&self, took: Option<Duration>) {
        let mut kept = self.kept();
        match took {
            Some(_) => kept.accepted += 1,
            None => kept.refused += 1,
        }
        if kept.moments.len() == MOMENTS_MAX {
            kept.moments.pop_front();
        }
        kept.moments.push_back(Moment { at: Instant::now(), took });
    }

    /// Every key with its highest acknowledged version, and how many writes were acknowledged.
    pub(super) fn acknowledged(&self) -> (BTreeMap<Vec<u8>, i64>, u64) {
        let kept = self.kept();
        (kept.acknowledged.clone(), kept.accepted)
    }

    /// Writes that were not acknowledged so far.
    pub(super) fn refused(&self) -> u64 {
        self.kept().refused
    }

    /// How it goes.
    pub(super) fn figures(&self) -> Figures {
        let kept = self.kept();
        let recent = kept.moments.iter().rev().take_while(|moment| moment.at.elapsed() < WINDOW);
        let (mut times, mut refused) = (Vec::new(), 0_usize);
        for moment in recent {
            match moment.took {
                Some(took) => times.push(took.as_secs_f64() * 1e3),
                None => refused += 1,
            }
        }
        times.sort_unstable_by(f64::total_cmp);
        let at = |share: usize| times.get(times.len().saturating_sub(1) * share / 100).copied();
        let per_second = |count: usize| count as f64 / WINDOW.as_secs_f64();
        Figures {
            accepted_per_second: per_second(times.len()),
            refused_per_second: per_second(refused),
            accepted: kept.accepted,
            refused: kept.refused,
            p50_ms: at(50),
            p99_ms: at(99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_tell_what_was_taken_and_what_was_not() {
        let load = Load::default();
        for ms in 1..=100 {
            load.note(Some(Duration::from_millis(ms)));
        }
        load.note(None);
        let figures = load.figures();
        assert_eq!((figures.accepted, figures.refused), (100, 1));
        assert_eq!((figures.accepted_per_second, figures.refused_per_second), (50.0, 0.5));
        assert_eq!(figures.p50_ms.map(f64::round), Some(50.0));
        assert_eq!(figures.p99_ms.map(f64::round), Some(99.0));
        assert_eq!(Load::default().figures(), Figures::default());
    }

    #[test]
    fn a_slot_under_way_is_not_taken_twice() {
        let load = Load::default();
        load.kept().slots = vec![Slot::default(); SLOTS];
        let taken: std::collections::BTreeSet<_> =
            (0..SLOTS).map(|turn| load.take_slot(turn).expect("one is free")).collect();
        assert_eq!(taken.len(), SLOTS);
        assert_eq!(load.take_slot(7), None);
    }
}
