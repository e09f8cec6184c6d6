//! Faults as they are done: strike, see the effect, make good again.
//!
//! A fault counts only when its effect was observed: a process gone by SIGKILL and answering again,
//! packets dropped by a rule that counts, a stopped process that did not answer, an error that a
//! node's own system call met. What a node must not do meanwhile (end by itself, go on after a
//! failed sync, stay away) is a finding, and one finding fails the run.

mod crash;
mod disks;
mod lasting;
mod members;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::Prng;
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::faults::{self, Aim, Kind};
use crate::load::Progress;
use crate::tally::{Struck, Tally};

/// Who leads is asked for so long when a fault is aimed at the leader.
const LEADER_MAX: Duration = Duration::from_millis(1_500);

/// With all nodes up, clients must be answered again within this time.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A node that ends by itself is started again so often in a row.
const STARTS_MAX: u32 = 3;

/// Pause between two faults, milliseconds.
const PAUSE_MS: (u64, u64) = (50, 500);

/// Does the faults.
pub(crate) struct Supervisor {
    pub(crate) cluster: Cluster,
    pub(crate) progress: Arc<Progress>,
    pub(crate) random: Prng,
    pub(crate) kinds: BTreeSet<Kind>,
    pub(crate) tally: Tally,
    /// The one node whose bits may turn: damage on several is more than a cluster can bear.
    pub(crate) rotten: usize,
    /// One line per fault, for whoever looks into a failed run.
    pub(crate) journal: Vec<String>,
}

/// A fault under way.
#[derive(Clone, Debug)]
struct Strike {
    kind: Kind,
    victims: Vec<usize>,
    struck: Struck,
    lasts: Duration,
}

impl Supervisor {
    /// One fault of a kind chosen by chance, and the pause behind it.
    pub(crate) async fn act(&mut self) -> Result<(), Failure> {
        let Some(kind) = faults::choose(&self.kinds, &mut self.random) else {
            sleep(Duration::from_millis(PAUSE_MS.1)).await;
            return Ok(());
        };
        self.act_of(kind).await?;
        self.mend().await?;
        let (low, high) = PAUSE_MS;
        sleep(Duration::from_millis(self.random.between(low, high))).await;
        self.wait_for_answers().await
    }

    /// One fault of this kind.
    pub(crate) async fn act_of(&mut self, kind: Kind) -> Result<(), Failure> {
        let strike = self.aim(kind).await;
        let began = self.progress.now_ns();
        let effective = match kind {
            Kind::Kill | Kind::PowerCut => self.crash(&strike).await?,
            Kind::Pause => self.pause(&strike).await?,
            Kind::Partition => self.partition(&strike).await?,
            Kind::ClockJump => self.clock_jump(&strike).await?,
            Kind::FullDisk => self.full_disk(&strike).await?,
            Kind::SyncError => self.sync_error(&strike).await?,
            Kind::SlowDisk | Kind::StuckDisk => self.slow_disk(&strike).await?,
            Kind::BitRot => self.bit_rot(&strike).await?,
            Kind::Transfer => self.transfer(&strike).await?,
            Kind::Replace => self.replace(&strike).await?,
        };
        let took = Duration::from_nanos(self.progress.now_ns() - began);
        let Strike { victims, struck, .. } = strike;
        self.note(format!("{kind} of {victims:?}, {struck:?}, {took:.2?}, effect {effective}"));
        self.tally.count(kind, struck, effective);
        Ok(())
    }

    async fn aim(&mut self, kind: Kind) -> Strike {
        let aim = Aim::choose(kind, &mut self.random);
        let leader = match aim {
            Aim::Leader => self.leader_in_time().await,
            Aim::All | Aim::Some => self.cluster.leader().await,
        };
        let mut all = self.cluster.places();
        let count = all.len();
        self.random.shuffle(&mut all);
        let victims = match (aim, leader) {
            _ if kind == Kind::BitRot => vec![self.rotten],
            (Aim::All, _) => all,
            (Aim::Leader, Some(leader)) => vec![leader],
            (Aim::Leader | Aim::Some, _) => {
                // Mostly one; two of three are a majority.
                all.truncate(if self.random.chance(1, 4) { count - 1 } else { 1 });
                all
            }
        };
        let struck = Struck {
            leader: leader.is_some_and(|leader| victims.contains(&leader)),
            all: victims.len() == count,
        };
        Strike { kind, victims, struck, lasts: faults::duration(kind, &mut self.random) }
    }

    async fn leader_in_time(&self) -> Option<usize> {
        let until = Instant::now() + LEADER_MAX;
        loop {
            let leader = self.cluster.leader().await;
            if leader.is_some() || Instant::now() > until {
                return leader;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts nodes that have ended; ending by itself is a finding unless a fault of its disk
    /// explains it, which the fault's own code looks after.
    pub(crate) async fn mend(&mut self) -> Result<(), Failure> {
        for number in self.cluster.places() {
            if let Some(status) = self.cluster.node(number).ended()? {
                self.find(format!("node {number} ended by itself, {status}"), number);
            }
            self.revive(number).await?;
        }
        Ok(())
    }

    /// Starts a node, unless it runs, and waits until it answers.
    async fn revive(&mut self, number: usize) -> Result<(), Failure> {
        for _ in 0..STARTS_MAX {
            self.cluster.node(number).start()?;
            if self.cluster.up(number).await? {
                return Ok(());
            }
            self.find(format!("node {number} ended right after its start"), number);
        }
        Err(Failure::new(format!("node {number} cannot be started again")))
    }

    fn find(&mut self, text: String, number: usize) {
        let words = self.cluster.node(number).last_words();
        self.note(format!("FINDING: {text}"));
        println!("FINDING: {text}; its last words:\n{words}");
        self.tally.findings.push(text);
    }

    fn note(&mut self, text: String) {
        let at = Duration::from_nanos(self.progress.now_ns());
        self.journal.push(format!("{:9.3} {text}", at.as_secs_f64()));
    }

    /// With all nodes up and nothing wrong, the clients must get on.
    pub(crate) async fn wait_for_answers(&mut self) -> Result<(), Failure> {
        let until = Instant::now() + ANSWER_MAX;
        while self.progress.silence() > Duration::from_millis(300) {
            if Instant::now() > until {
                let text = format!("all nodes are up, and for {ANSWER_MAX:?} nothing is answered");
                return Err(Failure::new(text));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Takes all faults back and starts all nodes.
    pub(crate) async fn make_good(&mut self) -> Result<(), Failure> {
        for disk in &self.cluster.disks {
            disk.set(crate::disk::Faults::default());
        }
        if let Some(network) = &self.cluster.network {
            network.heal()?;
        }
        self.mend().await?;
        self.wait_for_answers().await
    }

    /// Writes the journal beside the nodes' output.
    pub(crate) fn save_journal(&self, folder: &Path) -> Result<(), Failure> {
        let path = folder.join("faults.txt");
        let cannot = format!("cannot write {}", path.display());
        std::fs::write(path, self.journal.join("\n")).map_err(Failure::because(cannot))
    }
}
