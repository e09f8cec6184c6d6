//! What must never happen, looked for all the time: an acknowledged write lost, a final ballot
//! lost, a ballot counted twice, nodes that tell different things.
//!
//! Nothing here believes the nodes. Acknowledgements and receipts are kept outside of them, the
//! ledger's tree is built anew from its leaves, and each node's signed root is held against it.

use super::super::cluster::{Cluster, Process};
use super::load::{self, Load};
use crate::http::{ApiClient, Content, Leaves, Reply};
use ballot::Tracker;
use client::Client;
use client::etcd::{EtcdClient, Patience};
use election::ElectionId;
use election::entry::{Body, Entry};
use kv::api::{KeyRange, RangeRequest, Request, Response};
use ledger::{SignedCheckpoint, Tree, leaf_hash};
use reqwest::Method;
use serde::Serialize;
use sha2::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Between two rounds.
const EVERY: Duration = Duration::from_millis(700);
/// How long one node may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How long the store may take to answer.
const PATIENCE: Patience =
    Patience { call: Duration::from_secs(2), attempt: Duration::from_millis(700) };

/// One promise, and how it stands.
#[derive(Clone, Debug, Serialize)]
pub(in super::super) struct Invariant {
    id: &'static str,
    /// Whether it has held always.
    holds: bool,
    /// How many things were looked at so far.
    checked: u64,
    pub(in super::super) violations: u64,
    /// What was looked at, in words.
    text: String,
    /// How long ago.
    age_ms: Option<u64>,
}

/// What one kind of check has found.
#[derive(Clone, Debug, Default)]
struct Found {
    checked: u64,
    violations: u64,
    /// The first violation, in words.
    first: Option<String>,
    at: Option<Instant>,
}

impl Found {
    fn wrong(&mut self, what: impl FnOnce() -> String) {
        self.violations += 1;
        self.first.get_or_insert_with(what);
    }
}

/// A ballot of which a voter holds the receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FinalBallot {
    tracker: String,
    leaf: u64,
}

/// One election's ledger, built from its leaves.
#[derive(Debug)]
struct Ledger {
    election: ElectionId,
    tree: Tree,
    /// Trackers of the ballots, by leaf.
    trackers: Vec<Option<String>>,
    seen: BTreeSet<String>,
    finals: Vec<FinalBallot>,
    /// Of them the first ones, which were found.
    found: usize,
}

impl Ledger {
    fn new(election: ElectionId) -> Self {
        Self {
            election,
            tree: Tree::new(),
            trackers: Vec::new(),
            seen: BTreeSet::new(),
            finals: Vec::new(),
            found: 0,
        }
    }

    /// Takes in the next leaf; gives the tracker of a ballot that was there before.
    fn append(&mut self, leaf: &[u8]) -> Option<String> {
        self.tree.append(leaf_hash(leaf));
        let tracker = match Entry::decode(leaf).map(|entry| entry.body) {
            Ok(Body::Ballot(ballot)) => {
                let hash: [u8; 32] = sha2::Sha256::digest(ballot).into();
                Some(Tracker::of_hash(&hash).to_string())
            }
            _ => None,
        };
        self.trackers.push(tracker.clone());
        tracker.filter(|tracker| !self.seen.insert(tracker.clone()))
    }

    /// Looks for the final ballots that should be there by now; gives those that are not, and how
    /// many were looked for.
    fn missing(&mut self) -> (u64, Vec<FinalBallot>) {
        self.finals[self.found..].sort_unstable_by_key(|ballot| ballot.leaf);
        let mut missing = Vec::new();
        let mut looked = 0;
        while let Some(ballot) = self.finals.get(self.found).cloned() {
            let Ok(leaf) = usize::try_from(ballot.leaf) else { break };
            let Some(tracker) = self.trackers.get(leaf) else { break };
            looked += 1;
            self.found += 1;
            if tracker.as_ref() != Some(&ballot.tracker) {
                missing.push(ballot);
            }
        }
        (looked, missing)
    }
}

#[derive(Debug, Default)]
struct Kept {
    ledger: Option<Ledger>,
    writes: Found,
    finals: Found,
    once: Found,
    roots: Found,
    counts: Found,
}

/// The watchdog; voters and counters tell it what they were promised.
#[derive(Debug)]
pub(in super::super) struct Watchdog {
    kept: Mutex<Kept>,
    /// Complete rounds so far.
    rounds: watch::Sender<u64>,
}

impl Default for Watchdog {
    fn default() -> Self {
        Self { kept: Mutex::default(), rounds: watch::Sender::new(0) }
    }
}

impl Watchdog {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this election is looked at.
    pub(in super::super) fn follow(&self, election: ElectionId) {
        self.kept().ledger = Some(Ledger::new(election));
    }

    /// A voter holds a receipt.
    pub(in super::super) fn is_final(&self, election: ElectionId, tracker: &str, leaf: u64) {
        if let Some(ledger) = &mut self.kept().ledger
            && ledger.election == election
        {
            ledger.finals.push(FinalBallot { tracker: tracker.to_owned(), leaf });
        }
    }

    /// An election was counted; `difference` says where the result is not what was voted.
    pub(in super::super) fn counted(&self, difference: Option<String>) {
        let counts = &mut self.kept().counts;
        counts.checked += 1;
        counts.at = Some(Instant::now());
        if let Some(difference) = difference {
            counts.wrong(|| difference);
        }
    }

    /// Complete rounds, as they come.
    pub(super) fn rounds(&self) -> watch::Receiver<u64> {
        self.rounds.subscribe()
    }

    /// Everything that was ever wrong.
    pub(in super::super) fn violations(&self) -> u64 {
        self.invariants().iter().map(|invariant| invariant.violations).sum()
    }

    /// How the promises stand.
    pub(in super::super) fn invariants(&self) -> Vec<Invariant> {
        let kept = self.kept();
        let of = |id, found: &Found, text: String| Invariant {
            id,
            holds: found.violations == 0,
            checked: found.checked,
            violations: found.violations,
            text: found.first.clone().unwrap_or(text),
            age_ms: found.at.map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)),
        };
        let waiting = kept.ledger.as_ref().map_or(0, |ledger| ledger.finals.len() - ledger.found);
        let leaves = kept.ledger.as_ref().map_or(0, |ledger| ledger.tree.size());
        vec![
            of("writes", &kept.writes, "Every acknowledged write is read back.".to_owned()),
            of(
                "finals",
                &kept.finals,
                format!(
                    "Every ballot with a receipt is in the ledger ({waiting} to be looked up)."
                ),
            ),
            of("once", &kept.once, "No ballot is in the ledger twice.".to_owned()),
            of(
                "roots",
                &kept.roots,
                format!("Each node's root is that of the same {leaves} leaves."),
            ),
            of("counts", &kept.counts, "Each result is what was voted.".to_owned()),
        ]
    }

    /// Looks again and again, until the runtime ends.
    pub(super) async fn run(&self, cluster: &Cluster, load: &Load) {
        let Ok(store) = EtcdClient::connect(cluster.client_addresses()) else { return };
        let store = store.with_patience(PATIENCE);
        let Ok(api) = ApiClient::new(&cluster.web_urls(), None) else { return };
        loop {
            let is_read = self.read_back(&store, load).await;
            let are_seen = self.look_at_ledgers(cluster, &api).await;
            if is_read && are_seen {
                self.rounds.send_modify(|rounds| *rounds += 1);
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Reads all keys of the load; whether that went.
    async fn read_back(&self, store: &EtcdClient, load: &Load) -> bool {
        let (acknowledged, count) = load.acknowledged();
        let range = KeyRange::prefix(load::PREFIX);
        let request = Request::Range(RangeRequest { range, ..RangeRequest::default() });
        let Ok(Response::Range(found)) = store.call(request).await else { return false };
        let found: BTreeMap<&[u8], i64> =
            found.kvs.iter().map(|kv| (&kv.key[..], kv.version)).collect();
        let mut kept = self.kept();
        for (key, version) in &acknowledged {
            let held = found.get(&key[..]).copied().unwrap_or(0);
            if held < *version {
                kept.writes.wrong(|| {
                    let key = String::from_utf8_lossy(key);
                    format!("Write {version} to {key} was acknowledged; the store holds {held}.")
                });
            }
        }
        kept.writes.checked = count;
        kept.writes.at = Some(Instant::now());
        true
    }

    /// Asks every node that runs for the end of its ledger; whether at least one answered.
    async fn look_at_ledgers(&self, cluster: &Cluster, api: &ApiClient) -> bool {
        let Some(election) = self.kept().ledger.as_ref().map(|ledger| ledger.election) else {
            return true;
        };
        let mut is_seen = false;
        for place in 0..cluster.len() {
            if cluster.process(place) == Process::Running {
                let looked = self.look_at(place, election, api);
                let looked = tokio::time::timeout(ANSWER, looked).await;
                is_seen |= matches!(looked, Ok(Some(())));
            }
        }
        is_seen
    }

    async fn look_at(&self, place: usize, election: ElectionId, api: &ApiClient) -> Option<()> {
        let path = format!("/api/v1/elections/{election}/checkpoint");
        let body = match api.ask_once(place, Method::GET, &path, &Content::None).await {
            Reply::Done { body } => body,
            // Nothing is final yet.
            Reply::Refused(problem) if problem.status == 404 => return Some(()),
            Reply::Refused(_) | Reply::NotNow(_) => return None,
        };
        let note = SignedCheckpoint::parse(&body).ok()?.checkpoint;
        let known = self.kept().ledger.as_ref().map_or(0, |ledger| ledger.tree.size());
        let mut news = Vec::new();
        while known + (news.len() as u64) < note.size {
            let from = known + news.len() as u64;
            let path = format!("/api/v1/elections/{election}/leaves?from={from}");
            let reply = api.ask_once(place, Method::GET, &path, &Content::None).await;
            let Reply::Done { body } = reply else { return None };
            let page: Leaves = serde_json::from_slice(&body).ok()?;
            if page.leaves.is_empty() {
                return None;
            }
            news.extend(page.leaves);
        }
        let mut kept = self.kept();
        let kept = &mut *kept;
        let ledger = kept.ledger.as_mut().filter(|ledger| ledger.election == election)?;
        let wanted = usize::try_from(note.size.saturating_sub(known)).unwrap_or(usize::MAX);
        for leaf in news.iter().take(wanted) {
            kept.once.checked += 1;
            if let Some(tracker) = ledger.append(&leaf.0) {
                kept.once.wrong(|| format!("Ballot {tracker} is in the ledger twice."));
            }
        }
        kept.roots.checked += 1;
        if ledger.tree.root_at(note.size) != Some(note.root) {
            let node = place + 1;
            kept.roots.wrong(|| format!("Node {node} has another root over {} leaves.", note.size));
        }
        let (looked, missing) = ledger.missing();
        kept.finals.checked += looked;
        for ballot in missing {
            let FinalBallot { tracker, leaf } = ballot;
            kept.finals.wrong(|| format!("Ballot {tracker} has a receipt and is not leaf {leaf}."));
        }
        let now = Some(Instant::now());
        (kept.once.at, kept.roots.at, kept.finals.at) = (now, now, now);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger_of(trackers: &[&str]) -> Ledger {
        let mut ledger = Ledger::new(ElectionId([1; 16]));
        ledger.trackers = trackers.iter().map(|text| Some((*text).to_owned())).collect();
        ledger
    }

    fn ballot(tracker: &str, leaf: u64) -> FinalBallot {
        FinalBallot { tracker: tracker.to_owned(), leaf }
    }

    #[test]
    fn a_final_ballot_that_is_not_at_its_leaf_is_missing_and_a_later_one_is_waited_for() {
        let mut ledger = ledger_of(&["a", "b"]);
        ledger.finals = vec![ballot("c", 2), ballot("b", 1), ballot("x", 0)];
        assert_eq!(ledger.missing(), (2, vec![ballot("x", 0)]));
        assert_eq!(ledger.missing(), (0, Vec::new()));
        ledger.trackers.push(Some("c".to_owned()));
        assert_eq!(ledger.missing(), (1, Vec::new()));
    }

    #[test]
    fn what_went_wrong_stays_wrong_and_is_named() {
        let watchdog = Watchdog::default();
        watchdog.counted(None);
        assert_eq!(watchdog.violations(), 0);
        watchdog.counted(Some("Option 'Trees' has 4, 5 voted for it.".to_owned()));
        watchdog.counted(None);
        assert_eq!(watchdog.violations(), 1);
        let invariants = watchdog.invariants();
        let counts = invariants.iter().find(|it| it.id == "counts").expect("listed");
        assert_eq!((counts.holds, counts.checked), (false, 3));
        assert_eq!(counts.text, "Option 'Trees' has 4, 5 voted for it.");
    }
}
