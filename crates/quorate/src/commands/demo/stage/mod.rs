//! What can be watched and steered while nodes run: faults with their consequences, load,
//! promises, and where the election stands.

pub(crate) mod control;
pub(super) mod fault;
mod load;
mod stopwatch;
pub(super) mod watchdog;

use super::Failure;
use super::cluster::{Cluster, Process};
use crate::exit;
use fault::{Condition, Effect, Forecast, Kind, Situation};
use load::Load;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use watchdog::Watchdog;

use stopwatch::Outcome;

/// Faults that are remembered.
const FAULTS_MAX: usize = 50;
/// Between two looks at who leads.
const LOOK: Duration = Duration::from_millis(250);

/// Where the election stands, for people.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Scene {
    /// Counts the elections of this demonstration.
    pub(super) number: u64,
    pub(super) id: Option<String>,
    pub(super) title: String,
    /// `preparing`, `voting`, `counting`, `done`, `waiting` or `stopped`.
    pub(super) step: &'static str,
    pub(super) ballots: u64,
    pub(super) ordered: u64,
    pub(super) finals: u64,
    /// Times a ballot was offered and not taken at once.
    pub(super) retried: u64,
    /// What went wrong last, if anything did.
    pub(super) trouble: Option<String>,
    /// A code that is nobody's, for whoever wants to vote.
    pub(super) guest_code: Option<String>,
}

/// One fault that was asked for.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Record {
    pub(super) number: u64,
    /// Milliseconds since 1970 UTC.
    pub(super) time_ms: u64,
    pub(super) kind: Kind,
    pub(super) node: Option<u64>,
    pub(super) effect: Effect,
    pub(super) expected: String,
    pub(super) outcome: Outcome,
}

/// What the viewer has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Settings {
    pub(super) load_per_second: u64,
    pub(super) tour: bool,
    pub(super) script: bool,
}

/// Everything there is to watch; every copy means the same.
#[derive(Clone, Debug)]
pub(super) struct Stage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cluster: Cluster,
    watchdog: Watchdog,
    load: Load,
    rate: watch::Sender<u64>,
    settings: watch::Sender<Settings>,
    scene: Mutex<Scene>,
    /// Ballots offered and not taken at once, so far.
    retried: AtomicU64,
    faults: Mutex<Vec<Record>>,
    numbers: AtomicU64,
    leader: Mutex<(Option<u64>, u64)>,
    /// Held while something is done to a node.
    acting: tokio::sync::Mutex<()>,
}

/// The whole, as the dashboard shows it.
#[derive(Serialize)]
struct View {
    time_ms: u64,
    leader: Option<u64>,
    term: u64,
    quorum: usize,
    nodes: Vec<NodeView>,
    repair: Forecast,
    faults: Vec<Record>,
    load: load::Figures,
    invariants: Vec<watchdog::Invariant>,
    election: Scene,
    settings: Settings,
}

#[derive(Serialize)]
struct NodeView {
    node: u64,
    process: Process,
    cut_in: bool,
    cut_out: bool,
    disk_delay_ms: u64,
    web: String,
    effects: std::collections::BTreeMap<String, Forecast>,
}

impl Stage {
    /// Watches these nodes. Inside a tokio runtime.
    pub(super) fn set(cluster: &Cluster, settings: Settings) -> Self {
        let stage = Self(Arc::new(Inner {
            cluster: cluster.clone(),
            watchdog: Watchdog::default(),
            load: Load::default(),
            rate: watch::Sender::new(settings.load_per_second),
            settings: watch::Sender::new(settings),
            scene: Mutex::default(),
            retried: AtomicU64::new(0),
            faults: Mutex::default(),
            numbers: AtomicU64::new(0),
            leader: Mutex::default(),
            acting: tokio::sync::Mutex::default(),
        }));
        let (one, two, three) = (stage.clone(), stage.clone(), stage.clone());
        tokio::spawn(async move { one.0.load.run(&one.0.cluster, one.0.rate.subscribe()).await });
        tokio::spawn(async move { two.0.watchdog.run(&two.0.cluster, &two.0.load).await });
        tokio::spawn(async move { three.look_for_leader().await });
        stage
    }

    /// The nodes.
    pub(super) fn cluster(&self) -> &Cluster {
        &self.0.cluster
    }

    /// Who looks after the promises.
    pub(super) fn watchdog(&self) -> &Watchdog {
        &self.0.watchdog
    }

    /// A ballot was not taken at once and is offered again.
    pub(super) fn retried(&self) {
        self.0.retried.fetch_add(1, Ordering::Relaxed);
    }

    /// Ballots and writes that were not taken at once, so far.
    fn refused(&self) -> u64 {
        self.0.retried.load(Ordering::Relaxed) + self.0.load.refused()
    }

    /// What the viewer has chosen, and news of it.
    pub(super) fn settings(&self) -> watch::Receiver<Settings> {
        self.0.settings.subscribe()
    }

    /// Chooses.
    pub(super) fn choose(&self, change: impl FnOnce(&mut Settings)) {
        self.0.settings.send_modify(change);
        self.0.rate.send_replace(self.0.settings.borrow().load_per_second.min(load::RATE_MAX));
    }

    /// The scene, to be changed.
    pub(super) fn scene(&self) -> MutexGuard<'_, Scene> {
        self.0.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_for_leader(&self) {
        loop {
            self.0.cluster.reap();
            let found = self.0.cluster.leader_now().await;
            self.is_led(found.map(|(place, term)| (self.0.cluster.id(place), term)));
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Who leads, and in which term; nobody keeps the last term.
    fn is_led(&self, found: Option<(u64, u64)>) {
        let mut leader = self.0.leader.lock().unwrap_or_else(PoisonError::into_inner);
        *leader = match found {
            Some((node, term)) => (Some(node), term),
            None => (None, leader.1),
        };
    }

    /// How all nodes are.
    pub(super) fn situation(&self) -> Situation {
        let (leader, term) = *self.0.leader.lock().unwrap_or_else(PoisonError::into_inner);
        let cluster = &self.0.cluster;
        let condition = |place| Condition {
            node: cluster.id(place),
            process: cluster.process(place),
            cut: cluster.is_cut(place),
            disk_delay_ms: cluster.disk_delay_ms(place),
        };
        Situation { leader, term, nodes: (0..cluster.len()).map(condition).collect() }
    }

    fn view(&self) -> View {
        let situation = self.situation();
        let node = |condition: &Condition| {
            let effects =
                situation.forecasts(condition.node).into_iter().map(|(kind, forecast)| {
                    let name = serde_json::to_value(kind).unwrap_or_default();
                    (name.as_str().unwrap_or_default().to_owned(), forecast)
                });
            let place = self.0.cluster.place(condition.node).unwrap_or_default();
            NodeView {
                node: condition.node,
                process: condition.process,
                cut_in: condition.cut.0,
                cut_out: condition.cut.1,
                disk_delay_ms: condition.disk_delay_ms,
                web: format!("http://{}", self.0.cluster.address(place).web),
                effects: effects.collect(),
            }
        };
        let mut election = self.scene().clone();
        election.retried = self.0.retried.load(Ordering::Relaxed);
        View {
            time_ms: now_ms(),
            leader: situation.leader,
            term: situation.term,
            quorum: situation.quorum(),
            nodes: situation.nodes.iter().map(node).collect(),
            repair: situation.repair(),
            faults: self.faults().iter().rev().cloned().collect(),
            load: self.0.load.figures(),
            invariants: self.0.watchdog.invariants(),
            election,
            settings: *self.0.settings.borrow(),
        }
    }

    /// Harms or mends; comes back when it is known what came of it.
    ///
    /// # Errors
    /// It cannot be done as things are.
    pub(super) async fn act(&self, kind: Kind, node: Option<u64>) -> Result<Record, Failure> {
        let number = self.begin(kind, node)?;
        self.finish(number, kind, node).await;
        let record = self.faults().iter().find(|record| record.number == number).cloned();
        record.ok_or_else(|| Failure::new(exit::FAILED, "the fault is forgotten"))
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// It cannot be done as things are.
    fn act_now(&self, kind: Kind, node: Option<u64>) -> Result<(), Failure> {
        let number = self.begin(kind, node)?;
        let stage = self.clone();
        tokio::spawn(async move { stage.finish(number, kind, node).await });
        Ok(())
    }

    fn begin(&self, kind: Kind, node: Option<u64>) -> Result<u64, Failure> {
        let situation = self.situation();
        let forecast = match (kind, node) {
            (Kind::Repair, None) => Some(situation.repair()),
            (Kind::Repair, Some(_)) | (_, None) => None,
            (kind, Some(node)) => situation.forecast(kind, node),
        };
        let Some(Forecast { effect, text: expected, .. }) = forecast else {
            let message = match node {
                Some(node) => format!("Node {node} is not in a state in which this can be done."),
                None => "Say which node.".to_owned(),
            };
            return Err(Failure::new(exit::FAILED, message));
        };
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let outcome = Outcome::default();
        let record = Record { number, time_ms: now_ms(), kind, node, effect, expected, outcome };
        let mut faults = self.faults();
        faults.push(record);
        let surplus = faults.len().saturating_sub(FAULTS_MAX);
        faults.drain(..surplus);
        Ok(number)
    }

    /// Writes down what has come of a fault so far.
    fn note(&self, number: u64, outcome: Outcome) {
        if let Some(record) = self.faults().iter_mut().find(|record| record.number == number) {
            record.outcome = outcome;
        }
    }

    /// Does it; gives the moment at which it was done.
    async fn execute(&self, kind: Kind, node: Option<u64>) -> Result<Instant, Failure> {
        let cluster = &self.0.cluster;
        let _acting = self.0.acting.lock().await;
        let place = node.and_then(|node| cluster.place(node)).unwrap_or_default();
        let moment = Instant::now();
        match kind {
            Kind::Kill => return cluster.kill(place).await,
            Kind::Pause => cluster.pause(place).await?,
            Kind::Resume => cluster.resume(place).await?,
            Kind::Restart => cluster.restart(place).await?,
            Kind::Cut => cluster.cut(place, true, true),
            Kind::CutIn => cluster.cut(place, true, false),
            Kind::CutOut => cluster.cut(place, false, true),
            Kind::Heal => cluster.heal(place),
            Kind::SlowDisk => {
                cluster.slow_disk(place, Duration::from_millis(fault::SLOW_DISK_MS))?;
            }
            Kind::FastDisk => cluster.slow_disk(place, Duration::ZERO)?,
            Kind::Repair => self.repair().await?,
        }
        Ok(moment)
    }

    async fn repair(&self) -> Result<(), Failure> {
        let cluster = &self.0.cluster;
        for place in 0..cluster.len() {
            cluster.heal(place);
            cluster.slow_disk(place, Duration::ZERO)?;
            if cluster.process(place) == Process::Paused {
                cluster.resume(place).await?;
            }
        }
        // All at once: alone none of them becomes ready.
        let dead = (0..cluster.len()).filter(|place| cluster.process(*place) == Process::Killed);
        let back = futures::future::join_all(dead.map(|place| cluster.restart(place))).await;
        back.into_iter().collect()
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
