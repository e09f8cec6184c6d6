//! Figures of one node for Prometheus. Each node has its own registry, so that several nodes in
//! one process (tests) do not add up.

use crate::usage::Usage;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Label of a figure kept per peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerLabel {
    peer: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabel {
    version: String,
}

/// Writes whose times are kept for [`Metrics::recent_commits`].
const RECENT_MAX: usize = 4096;

/// How far back [`Metrics::recent_commits`] looks.
const RECENT_TIME: Duration = Duration::from_secs(5);

/// How long the writes of the last [`RECENT_TIME`] took, from being taken here to the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RecentCommits {
    /// How many there were, the newest [`RECENT_MAX`] at most.
    pub count: usize,
    /// Half of them were faster, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 were faster, in milliseconds.
    pub p99_ms: f64,
}

/// Counters of one peer's connection.
#[derive(Clone, Debug)]
pub(crate) struct PeerMetrics {
    pub(crate) sent: Counter,
    pub(crate) dropped: Counter,
}

/// All figures of one node.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    pub(crate) term: Gauge,
    pub(crate) is_leader: Gauge,
    pub(crate) leader_changes: Counter,
    pub(crate) commit_index: Gauge,
    pub(crate) applied_index: Gauge,
    pub(crate) last_index: Gauge,
    pub(crate) calls: Counter,
    pub(crate) pending_writes: Gauge,
    pub(crate) pending_reads: Gauge,
    pub(crate) sync_seconds: Histogram,
    pub(crate) batch_entries: Histogram,
    pub(crate) apply_seconds: Histogram,
    pub(crate) watchers: Gauge,
    pub(crate) disk_full: Gauge,
    pub(crate) disk_stalled_ms: Gauge,
    pub(crate) log_entries: Gauge,
    pub(crate) snapshots_sent: Counter,
    pub(crate) snapshots_installed: Counter,
    pub(crate) members: Gauge,
    pub(crate) records_damaged: Gauge,
    pub(crate) records_repaired: Gauge,
    pub(crate) scrub_rounds: Gauge,
    pub(crate) log_segments_cut: Gauge,
    commit_seconds: Histogram,
    recent: Arc<Mutex<VecDeque<(Instant, f64)>>>,
    cpu_seconds: Gauge<f64, AtomicU64>,
    uptime_seconds: Gauge,
    memory_bytes: Gauge,
    disk_free_bytes: Gauge,
    disk_total_bytes: Gauge,
    peer_lag: Family<PeerLabel, Gauge>,
    peer_silent: Family<PeerLabel, Gauge>,
    peer_sent: Family<PeerLabel, Counter>,
    peer_dropped: Family<PeerLabel, Counter>,
}

impl Metrics {
    /// Fresh figures, all zero.
    pub fn new(version: &str) -> Self {
        let mut registry = Registry::with_prefix("quorate");
        let build = Family::<BuildLabel, Gauge>::default();
        build.get_or_create(&BuildLabel { version: version.to_owned() }).set(1);
        registry.register("build_info", "Version of the binary", build);
        let seconds = || Histogram::new(exponential_buckets(0.000_05, 2.0, 16));
        let mut metrics = Self {
            registry: Arc::default(),
            term: Gauge::default(),
            is_leader: Gauge::default(),
            leader_changes: Counter::default(),
            commit_index: Gauge::default(),
            applied_index: Gauge::default(),
            last_index: Gauge::default(),
            calls: Counter::default(),
            pending_writes: Gauge::default(),
            pending_reads: Gauge::default(),
            sync_seconds: seconds(),
            batch_entries: Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            apply_seconds: seconds(),
            watchers: Gauge::default(),
            disk_full: Gauge::default(),
            disk_stalled_ms: Gauge::default(),
            log_entries: Gauge::default(),
            snapshots_sent: Counter::default(),
            snapshots_installed: Counter::default(),
            members: Gauge::default(),
            records_damaged: Gauge::default(),
            records_repaired: Gauge::default(),
            scrub_rounds: Gauge::default(),
            log_segments_cut: Gauge::default(),
            commit_seconds: seconds(),
            recent: Arc::default(),
            cpu_seconds: Gauge::default(),
            uptime_seconds: Gauge::default(),
            memory_bytes: Gauge::default(),
            disk_free_bytes: Gauge::default(),
            disk_total_bytes: Gauge::default(),
            peer_lag: Family::default(),
            peer_silent: Family::default(),
            peer_sent: Family::default(),
            peer_dropped: Family::default(),
        };
        metrics.register(&mut registry);
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// A write was answered; it took `seconds`.
    pub(crate) fn committed(&self, seconds: f64) {
        self.commit_seconds.observe(seconds);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back((Instant::now(), seconds));
    }

    /// How long the writes taken at this node took lately; `None` when there were none.
    pub fn recent_commits(&self) -> Option<RecentCommits> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent.front().is_some_and(|(at, _)| at.elapsed() > RECENT_TIME) {
            recent.pop_front();
        }
        let mut times: Vec<f64> = recent.iter().map(|(_, seconds)| *seconds * 1e3).collect();
        drop(recent);
        times.sort_unstable_by(f64::total_cmp);
        let at = |share: usize| times.get(times.len().saturating_sub(1) * share / 100).copied();
        let (p50_ms, p99_ms) = (at(50)?, at(99)?);
        Some(RecentCommits { count: times.len(), p50_ms, p99_ms })
    }

    fn register(&self, registry: &mut Registry) {
        let mut gauge = |name: &str, help: &str, metric: &Gauge| {
            registry.register(name, help, metric.clone());
        };
        gauge("raft_term", "Current term", &self.term);
        gauge("raft_is_leader", "1 while this member leads", &self.is_leader);
        gauge("raft_commit_index", "Highest index known to be committed", &self.commit_index);
        gauge("raft_applied_index", "Highest applied index", &self.applied_index);
        gauge("raft_last_index", "Last index of the log", &self.last_index);
        gauge("pending_writes", "Writes under way", &self.pending_writes);
        gauge("pending_reads", "Reads under way", &self.pending_reads);
        gauge("watchers", "Open watches", &self.watchers);
        gauge("disk_full", "1 while the log or the state waits for space", &self.disk_full);
        gauge("disk_stalled_ms", "Age of the oldest unfinished write", &self.disk_stalled_ms);
        gauge("raft_log_entries", "Entries in the log", &self.log_entries);
        gauge("raft_members", "Members, learners included", &self.members);
        gauge("state_records_damaged", "1 while a record waits for repair", &self.records_damaged);
        let repaired = "Records of the state repaired from other members since the start";
        gauge("state_records_repaired", repaired, &self.records_repaired);
        let rounds = "Times the whole state was checked for damage since the start";
        gauge("state_scrub_rounds", rounds, &self.scrub_rounds);
        let given_up = "Damaged segments of the log given up since the start";
        gauge("log_segments_given_up", given_up, &self.log_segments_cut);
        gauge("uptime_seconds", "Time since the process began", &self.uptime_seconds);
        gauge("memory_bytes", "Resident memory", &self.memory_bytes);
        gauge("disk_free_bytes", "Space left where the data lie", &self.disk_free_bytes);
        gauge("disk_total_bytes", "Space where the data lie", &self.disk_total_bytes);
        registry.register("cpu_seconds", "Processor time used", self.cpu_seconds.clone());
        registry.register("snapshots_sent", "Snapshots offered", self.snapshots_sent.clone());
        registry.register(
            "snapshots_installed",
            "Snapshots that replaced the state",
            self.snapshots_installed.clone(),
        );
        registry.register(
            "raft_commit_seconds",
            "Time from taking a write to answering it",
            self.commit_seconds.clone(),
        );
        registry.register(
            "raft_peer_lag_entries",
            "Entries that a peer lacks, as the leader knows",
            self.peer_lag.clone(),
        );
        registry.register(
            "raft_peer_silent_ms",
            "Time since a peer last spoke, as the leader knows",
            self.peer_silent.clone(),
        );
        registry.register("calls", "Calls taken", self.calls.clone());
        registry.register(
            "raft_leader_changes",
            "Changes of role or known leader",
            self.leader_changes.clone(),
        );
        registry.register(
            "log_sync_seconds",
            "Time to write one batch and sync it",
            self.sync_seconds.clone(),
        );
        registry.register("log_batch_entries", "Entries per sync", self.batch_entries.clone());
        registry.register("apply_seconds", "Time to apply one batch", self.apply_seconds.clone());
        registry.register("peer_messages_sent", "Messages written", self.peer_sent.clone());
        registry.register("peer_messages_dropped", "Messages given up", self.peer_dropped.clone());
    }

    pub(crate) fn peer(&self, peer: u64) -> PeerMetrics {
        let label = PeerLabel { peer };
        PeerMetrics {
            sent: self.peer_sent.get_or_create(&label).clone(),
            dropped: self.peer_dropped.get_or_create(&label).clone(),
        }
    }

    /// What the process uses now.
    pub(crate) fn set_usage(&self, usage: &Usage, uptime: Duration) {
        self.cpu_seconds.set(usage.cpu_seconds);
        self.uptime_seconds.set(as_gauge(uptime.as_secs()));
        self.memory_bytes.set(as_gauge(usage.memory_bytes));
        self.disk_free_bytes.set(as_gauge(usage.disk_free_bytes));
        self.disk_total_bytes.set(as_gauge(usage.disk_total_bytes));
    }

    /// How far behind a peer is, and for how long it has been silent; `None` when not known.
    pub(crate) fn set_peer(&self, peer: u64, known: Option<(u64, u64)>) {
        let label = PeerLabel { peer };
        match known {
            Some((lag_entries, silent_ms)) => {
                self.peer_lag.get_or_create(&label).set(as_gauge(lag_entries));
                self.peer_silent.get_or_create(&label).set(as_gauge(silent_ms));
            }
            None => {
                self.peer_lag.remove(&label);
                self.peer_silent.remove(&label);
            }
        }
    }

    /// The text form (OpenMetrics 1.0).
    pub fn render(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

/// A number as gauges hold it.
pub(crate) fn as_gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_named_and_kept_per_node() {
        let (one, two) = (Metrics::new("1"), Metrics::new("1"));
        assert_eq!(one.recent_commits(), None);
        (1..=200).for_each(|ms| one.committed(f64::from(ms) / 1e3));
        let recent = one.recent_commits().expect("just now");
        assert_eq!(recent.count, 200);
        assert!((recent.p50_ms - 100.0).abs() < 1.5 && (recent.p99_ms - 198.0).abs() < 1.5);
        one.term.set(7);
        one.peer(2).sent.inc();
        let text = one.render();
        assert!(text.contains("quorate_raft_term 7"), "{text}");
        assert!(text.contains("quorate_peer_messages_sent_total{peer=\"2\"} 1"), "{text}");
        assert!(two.render().contains("quorate_raft_term 0"));
    }
}
