//! Node life: each node says every two seconds that it lives; each node listens to all others,
//! judges them ([`judge`]) and can answer for the whole cluster.
//!
//! A beat is a renewed lease: it costs an entry of the log and no revision of the store, so that a
//! cluster at rest does not grow. What the node says of itself hangs on that lease and is written
//! anew when something about it has changed, or after half a minute. How long ago a node beat is
//! read off its lease's remaining time, to the second.
//!
//! ```text
//! \0q/node/live/<3 digits>     what the node says of itself; on a lease of ten seconds
//! \0q/node/known/<3 digits>    that the node exists; holds when it was stopped on purpose
//! \0q/node/watched            somebody looks: put anew every ten seconds while that is so
//! \0q/event/…                  the event log, a numbered list
//! ```
//!
//! While somebody looks at the cluster, at any node, all nodes write their figures every second.
//!
//! The node that leads the store writes the event log from the changes that it judges; when it
//! falls, the next leader goes on from its own view. Members that were never heard are listed,
//! too: what is missing must not vanish.

mod beat;
pub(crate) mod judge;

pub use beat::{Beat, Commits, Follower, Vitals};

use crate::audit::{self, Entry, Kind};
use crate::numbered::List;
use crate::sentence::Sentence;
use crate::store::{Store, put};
use crate::{NodeFacts, clock};
use futures::StreamExt;
use judge::{BEAT_MS, ClusterView, Sighting, State};
use kv::api::{Error, EventKind, KeyRange, KeyValue, WatchRequest, WatchResponse};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Asks the node about itself; must not block.
pub type Probe = Arc<dyn Fn() -> Vitals + Send + Sync>;

/// The event log; the last ten thousand events stay.
pub(crate) const EVENTS: List = List { prefix: "\0q/event/", keep: 10_000 };

const LIVE: &str = "\0q/node/live/";
const KNOWN: &str = "\0q/node/known/";
const WATCHED: &str = "\0q/node/watched";
const NODES: &[u8] = b"\0q/node/";

/// How long a registration outlives its node, in seconds.
const LEASE_S: u64 = judge::UNREACHABLE_MS / 1000;

/// A node's figures are written at least this often.
const FIGURES_EVERY: Duration = Duration::from_secs(30);

/// While somebody looks they are written this often.
const WATCHED_EVERY: Duration = Duration::from_millis(BEAT_MS / 2);

/// How often a node says that somebody looks.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Beats by which a clock is judged: the one that came fastest says most.
const CLOCK_BEATS: usize = 16;

/// How often nodes are judged anew.
const JUDGE_EVERY: Duration = Duration::from_millis(500);

/// Wait before a broken watch is opened again.
const PAUSE: Duration = Duration::from_millis(200);

/// What stays of a node when it does not run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Known {
    /// When it said that it stops, milliseconds since 1970 UTC; absent while it runs or is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopped_ms: Option<u64>,
}

/// One line of the event log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClusterEvent {
    /// Milliseconds since 1970 UTC by the clock of the node that saw it.
    pub(crate) time_ms: u64,
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<u64>,
    /// All of it in English.
    pub(crate) text: String,
    /// The same for translation: what has happened, then why. Events that nodes of earlier
    /// versions have noted have the text alone.
    #[serde(default)]
    pub(crate) sentences: Vec<Sentence>,
    /// The node that saw it.
    pub(crate) seen_by: u64,
}

/// What was heard of one node.
#[derive(Clone, Debug, Default)]
struct Heard {
    /// What it said last, and when it last beat.
    beat: Option<(Beat, Instant)>,
    /// The lease that its beats renew.
    lease: i64,
    known: Known,
    /// By how many milliseconds the newest beats were stamped later than they came here.
    ahead_ms: VecDeque<i64>,
}

/// What this node has said and on which lease.
#[derive(Debug, Default)]
struct Said {
    lease: Option<i64>,
    beat: Option<(Beat, Instant)>,
}

/// The life of this node, and what it knows of the others'.
#[derive(Clone)]
pub struct Life(Arc<Shared>);

struct Shared {
    store: Store,
    facts: NodeFacts,
    web_origin: Option<String>,
    probe: Probe,
    started_ms: u64,
    draining: AtomicBool,
    heard: Mutex<BTreeMap<u64, Heard>>,
    /// Until when somebody looks, at whatever node; and when this node last said so.
    watched_until: Mutex<Option<Instant>>,
    looked: Mutex<Option<Instant>>,
    /// Nodes whose authorities hold elections.
    authorities: Mutex<BTreeSet<u64>>,
    view: watch::Sender<Arc<ClusterView>>,
}

impl Life {
    /// A life that has not begun.
    pub(crate) fn new(
        store: Store,
        facts: &NodeFacts,
        web_origin: Option<String>,
        probe: Probe,
    ) -> Self {
        let view = judge::cluster(facts.node, 0, (None, 0), &BTreeMap::new());
        Self(Arc::new(Shared {
            store,
            facts: facts.clone(),
            web_origin: web_origin.filter(|origin| is_origin(origin)),
            probe,
            started_ms: clock::milliseconds(),
            draining: AtomicBool::new(false),
            heard: Mutex::default(),
            watched_until: Mutex::default(),
            looked: Mutex::default(),
            authorities: Mutex::default(),
            view: watch::Sender::new(Arc::new(view)),
        }))
    }

    /// Begins: beats, listens, judges. Inside a tokio runtime.
    pub(crate) fn start(&self) {
        tokio::spawn(self.clone().beat_for_ever());
        tokio::spawn(self.clone().listen_for_ever());
        tokio::spawn(self.clone().feel_for_ever());
        tokio::spawn(self.clone().judge_for_ever());
    }

    /// From the next beat on the others see this node as draining.
    pub(crate) fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Seconds since the node started.
    pub(crate) fn uptime_s(&self) -> u64 {
        clock::milliseconds().saturating_sub(self.0.started_ms) / 1000
    }

    /// Says that this node stops on purpose; at most a second.
    pub(crate) async fn farewell(&self) {
        let known = Known { stopped_ms: Some(clock::milliseconds()) };
        let write = put(key(KNOWN, self.0.facts.node), &known, 0);
        let said = self.0.store.swap(Vec::new(), vec![write]);
        if tokio::time::timeout(Duration::from_secs(1), said).await.is_err() {
            tracing::debug!(target: "heartbeat", "the farewell was not heard");
        }
    }

    /// Somebody looks at the cluster here: from now on, for a while, every node tells its figures
    /// every second. Waits for nothing.
    pub(crate) fn look(&self) {
        let mut looked = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        *looked = Some(Instant::now());
        drop(looked);
        let life = self.clone();
        tokio::spawn(async move {
            let write = put(WATCHED.as_bytes().to_vec(), &life.0.facts.node, 0);
            if let Err(error) = life.0.store.swap(Vec::new(), vec![write]).await {
                tracing::debug!(target: "heartbeat", %error, "nobody heard that somebody looks");
            }
        });
    }

    /// Whether somebody looks at the cluster, at whatever node.
    fn is_watched(&self) -> bool {
        let until = self.0.watched_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// The cluster as this node sees it now.
    pub(crate) fn view(&self) -> ClusterView {
        let vitals = (self.0.probe)();
        let mut sightings: BTreeMap<u64, Sighting> = BTreeMap::new();
        for (member, address, votes) in &vitals.members {
            let sighting = sightings.entry(*member).or_default();
            (sighting.address, sighting.votes) = (Some(address.clone()), *votes);
        }
        let now = clock::milliseconds();
        for (node, heard) in self.heard().iter() {
            // Who has left the cluster is not listed; who belongs to it always is.
            let Some(sighting) = sightings.get_mut(node) else { continue };
            sighting.beat = heard.beat.as_ref().map(|(beat, at)| (beat.clone(), age_ms(*at)));
            sighting.clock_ahead_ms = heard.ahead_ms.iter().copied().max();
            let since = |stopped: u64| now.saturating_sub(stopped);
            let last_beat = heard.beat.as_ref().map_or(0, |(beat, _)| beat.time_ms);
            let stopped = heard.known.stopped_ms.filter(|stopped| *stopped > last_beat);
            sighting.stopped_ms = stopped.map(since);
        }
        if let Some(Sighting { beat: Some((own, _)), clock_ahead_ms, .. }) =
            sightings.get_mut(&self.0.facts.node)
        {
            *own = std::mem::take(own).refreshed(&vitals);
            *clock_ahead_ms = None;
        }
        measure_lag(vitals.leader, &mut sightings);
        judge::cluster(self.0.facts.node, now, (vitals.leader, vitals.term), &sightings)
    }

    /// Whether this node knows who leads the store: by the last view, or, when that knew nobody, by
    /// what is so now.
    pub(crate) fn knows_leader(&self) -> bool {
        let by_view = self.0.view.borrow().leader.is_some();
        by_view || (self.0.probe)().leader.is_some()
    }

    /// Where the other nodes serve HTTP, the healthiest first; none that is away or takes leave.
    pub(crate) fn peers(&self) -> Vec<String> {
        let view = self.view();
        let mut peers: Vec<(State, String)> = view
            .nodes
            .iter()
            .filter(|node| node.node != self.0.facts.node)
            .filter(|node| matches!(node.state, State::Healthy | State::Slow))
            .filter_map(|node| Some((node.state, web_address(node)?)))
            .collect();
        peers.sort_by_key(|(state, _)| *state != State::Healthy);
        peers.into_iter().map(|(_, address)| address).collect()
    }

    /// How browsers reach the nodes whose authorities hold elections, as they say themselves, and
    /// no others: the booth sends ballots there. A node on loopback need not say it.
    pub(crate) fn web_origins(&self) -> Vec<String> {
        let authorities = self.0.authorities.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = self.heard();
        let nodes = heard.iter().filter(|(node, _)| authorities.contains(node));
        let beats = nodes.filter_map(|(_, heard)| heard.beat.as_ref());
        beats.filter_map(|(beat, _)| origin_of(beat)).collect()
    }

    /// These nodes' authorities hold elections.
    pub(crate) fn know_authorities(&self, nodes: BTreeSet<u64>) {
        *self.0.authorities.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
    }

    /// The last view, and news of later ones (every half second).
    pub(crate) fn views(&self) -> watch::Receiver<Arc<ClusterView>> {
        self.0.view.subscribe()
    }

    fn heard(&self) -> MutexGuard<'_, BTreeMap<u64, Heard>> {
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn beat_for_ever(self) {
        let mut said = Said::default();
        let mut count = 0;
        let mut cpu_before = (Instant::now(), 0.0);
        let mut clock = tokio::time::interval(WATCHED_EVERY);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for turn in 0_u64.. {
            clock.tick().await;
            if turn % 2 == 1 && !self.is_watched() {
                continue;
            }
            count += 1;
            let beat = self.beat(count, &mut cpu_before);
            if let Err(error) = self.say(beat, &mut said).await {
                tracing::debug!(target: "heartbeat", %error, "a beat was not taken");
                said = Said::default();
            }
        }
    }

    fn beat(&self, count: u64, cpu_before: &mut (Instant, f64)) -> Beat {
        let vitals = (self.0.probe)();
        let now = Instant::now();
        let seconds = now.duration_since(cpu_before.0).as_secs_f64().max(0.001);
        let cpu_percent = ((vitals.cpu_seconds - cpu_before.1) / seconds * 100.0).max(0.0);
        *cpu_before = (now, vitals.cpu_seconds);
        let facts = &self.0.facts;
        let address =
            |(name, address): &(String, std::net::SocketAddr)| (name.clone(), address.to_string());
        Beat {
            name: facts.name.clone(),
            version: facts.version.clone(),
            count,
            started_ms: self.0.started_ms,
            time_ms: clock::milliseconds(),
            addresses: facts.addresses.iter().map(address).collect(),
            web_origin: self.0.web_origin.clone(),
            role: vitals.role,
            term: vitals.term,
            commit: vitals.commit,
            applied: vitals.applied,
            last: vitals.last,
            draining: self.0.draining.load(Ordering::Relaxed),
            restriction: vitals.restriction,
            disk_stalled_ms: vitals.disk_stalled_ms,
            cpu_seconds: vitals.cpu_seconds,
            cpu_percent: if count == 1 { 0.0 } else { (cpu_percent * 10.0).round() / 10.0 },
            memory_bytes: vitals.memory_bytes,
            disk_free_bytes: vitals.disk_free_bytes,
            disk_total_bytes: vitals.disk_total_bytes,
            store_bytes: vitals.store_bytes,
            commits: vitals.commits,
            followers: vitals.followers,
        }
    }

    /// Renews the node's lease, granted anew when there is none (any more), and writes what has
    /// changed.
    async fn say(&self, beat: Beat, said: &mut Said) -> Result<(), Error> {
        let store = &self.0.store;
        let held = match said.lease {
            Some(id) if store.keep_alive(id).await? => id,
            _ => {
                let id = store.grant(LEASE_S).await?;
                let known = put(key(KNOWN, self.0.facts.node), &Known::default(), 0);
                store.swap(Vec::new(), vec![known]).await?;
                *said = Said { lease: Some(id), beat: None };
                id
            }
        };
        let is_said = said.beat.as_ref().is_some_and(|(old, at)| {
            old.is_like(&beat) && at.elapsed() < FIGURES_EVERY && !self.is_watched()
        });
        if !is_said {
            let live = put(key(LIVE, self.0.facts.node), &beat, held);
            store.swap(Vec::new(), vec![live]).await?;
            said.beat = Some((beat, Instant::now()));
        }
        Ok(())
    }

    /// Reads off the leases when each node last beat.
    async fn feel_for_ever(self) {
        let mut clock = tokio::time::interval(Duration::from_millis(BEAT_MS / 2));
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            let leases: Vec<(u64, i64)> =
                self.heard().iter().map(|(node, heard)| (*node, heard.lease)).collect();
            for (node, lease) in leases {
                let asked = Instant::now();
                let Ok(Some(left)) = self.0.store.time_to_live(lease).await else { continue };
                let age = Duration::from_secs(LEASE_S.saturating_sub(left));
                let beat_at = asked.checked_sub(age).unwrap_or(asked);
                if let Some(Heard { beat: Some((_, at)), lease: own, .. }) =
                    self.heard().get_mut(&node)
                    && *own == lease
                {
                    *at = (*at).max(beat_at);
                }
            }
        }
    }

    async fn listen_for_ever(self) {
        loop {
            if let Err(error) = self.listen().await {
                tracing::debug!(target: "heartbeat", %error, "the watch on nodes is opened again");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn listen(&self) -> Result<(), Error> {
        let (found, revision) = self.0.store.list(NODES).await?;
        for kv in found.iter().filter(|kv| kv.key != WATCHED.as_bytes()) {
            self.hear(kv, false);
        }
        let range = KeyRange::prefix(NODES);
        let request =
            WatchRequest { range, start_revision: revision + 1, ..WatchRequest::default() };
        let mut messages = self.0.store.client.watch(request).await?;
        while let Some(message) = messages.next().await {
            match message? {
                WatchResponse::Events { events, .. } => {
                    // A lease that ends deletes its beat; what was heard last stays known.
                    let puts = events.iter().filter(|event| event.kind == EventKind::Put);
                    puts.for_each(|event| self.hear(&event.kv, true));
                }
                WatchResponse::Canceled { .. } => return Ok(()),
                WatchResponse::Created { .. } | WatchResponse::Progress { .. } => {}
            }
        }
        Ok(())
    }

    /// Takes in what lies under a key; `is_live` when it has been written just now.
    fn hear(&self, kv: &KeyValue, is_live: bool) {
        if kv.key == WATCHED.as_bytes() {
            let mut until = self.0.watched_until.lock().unwrap_or_else(PoisonError::into_inner);
            *until = Some(Instant::now() + LOOK_EVERY * 2);
            return;
        }
        let Ok(key) = core::str::from_utf8(&kv.key) else { return };
        let number = |prefix| key.strip_prefix(prefix).and_then(|n: &str| n.parse::<u64>().ok());
        if let Some(node) = number(LIVE)
            && let Ok(beat) = serde_json::from_slice::<Beat>(&kv.value)
        {
            let mut heard = self.heard();
            let heard = heard.entry(node).or_default();
            if is_live {
                let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
                let ahead = signed(beat.time_ms).saturating_sub(signed(clock::milliseconds()));
                heard.ahead_ms.push_back(ahead);
                heard.ahead_ms.drain(..heard.ahead_ms.len().saturating_sub(CLOCK_BEATS));
            }
            heard.beat = Some((beat, Instant::now()));
            heard.lease = kv.lease;
        } else if let Some(node) = number(KNOWN)
            && let Ok(known) = serde_json::from_slice(&kv.value)
        {
            self.heard().entry(node).or_default().known = known;
        }
    }

    async fn judge_for_ever(self) {
        let mut clock = tokio::time::interval(JUDGE_EVERY);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut before: Option<Arc<ClusterView>> = None;
        loop {
            clock.tick().await;
            let view = Arc::new(self.view());
            self.0.view.send_replace(Arc::clone(&view));
            let is_mine = view.leader == Some(self.0.facts.node);
            if let Some(before) = before.filter(|_| is_mine) {
                for change in judge::changes(&before, &view) {
                    self.note(change, view.time_ms).await;
                }
            }
            before = Some(view);
        }
    }

    async fn note(&self, change: judge::Change, time_ms: u64) {
        let text = change.text();
        tracing::info!(target: "node", kind = change.kind, node = change.node, "{text}");
        let event = ClusterEvent {
            time_ms,
            kind: change.kind.to_owned(),
            node: change.node,
            text,
            sentences: change.sentences,
            seen_by: self.0.facts.node,
        };
        if let Err(error) = EVENTS.add(&self.0.store, &event).await {
            tracing::debug!(target: "node", %error, "an event was not noted");
        }
        // What the members decide is on record for auditors, too.
        if matches!(event.kind.as_str(), "leader" | "member") {
            let node = event.node.map(|node| format!("node {node}"));
            let actor = format!("node {}", event.seen_by);
            let entry = Entry {
                object: node,
                text: Some(event.text),
                ..Entry::new(event.seen_by, Kind::Cluster, &actor, event.kind)
            };
            audit::write(&self.0.store, &entry).await;
        }
    }
}

/// Lays what the leader knows of the others' logs beside each of them.
fn measure_lag(leader: Option<u64>, sightings: &mut BTreeMap<u64, Sighting>) {
    let said = leader.and_then(|leader| sightings.get(&leader)?.beat.clone());
    let Some((said, _)) = said else { return };
    for follower in &said.followers {
        if let Some(sighting) = sightings.get_mut(&follower.node) {
            // A new leader that has not heard it yet knows nothing of its log; it did.
            let own = sighting.beat.as_ref().map_or(0, |(beat, _)| beat.last);
            let held = if follower.matched == 0 { own } else { follower.matched };
            let lag = said.last.saturating_sub(held);
            sighting.behind = Some((lag, follower.silent_ms));
        }
    }
}

/// How browsers reach a node.
fn origin_of(beat: &Beat) -> Option<String> {
    let on_loopback = || {
        let named = beat.addresses.iter().find(|(name, _)| name == "web")?;
        let web: std::net::SocketAddr = named.1.parse().ok()?;
        web.ip().is_loopback().then(|| format!("http://{web}"))
    };
    beat.web_origin.clone().filter(|origin| is_origin(origin)).or_else(on_loopback)
}

/// Where a node serves HTTP to other nodes. A listener on all addresses is asked at the one that
/// the node's peers know.
fn web_address(node: &judge::NodeView) -> Option<String> {
    let named = node.last.as_ref()?.addresses.iter().find(|(name, _)| name == "web")?;
    let web: std::net::SocketAddr = named.1.parse().ok()?;
    if !web.ip().is_unspecified() {
        return Some(format!("http://{web}"));
    }
    let (host, _) = node.peer_address.as_deref()?.rsplit_once(':')?;
    Some(format!("http://{host}:{}", web.port()))
}

/// Whether it may stand in a page's policy: scheme, host and port, nothing that ends a word.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or(text.strip_prefix("http://"));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_plain))
}

fn age_ms(at: Instant) -> u64 {
    u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn key(prefix: &str, node: u64) -> Vec<u8> {
    format!("{prefix}{node:03}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::ClusterEvent;

    #[test]
    fn events_are_read_back_those_of_other_versions_too() {
        let old = r#"{"time_ms":7,"kind":"slow","node":3,"text":"Node 3 is slow.","seen_by":1}"#;
        let event: ClusterEvent = serde_json::from_str(old).expect("an event");
        assert_eq!((event.text.as_str(), event.sentences.len()), ("Node 3 is slow.", 0));
        let told = r#"{"time_ms":7,"kind":"odd","text":"X.","sentences":[{"code":"new-here",
            "text":"X.","values":{"node":3}}],"seen_by":1}"#;
        let event: ClusterEvent = serde_json::from_str(told).expect("an event");
        assert_eq!(event.sentences[0].code, "new-here");
        let again = serde_json::to_value(&event).expect("it is written");
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(told).expect("JSON"));
    }
}
