//! Disks that are full, slow, stuck, rotten, or fail a sync.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::sleep;

use super::{Strike, Supervisor};
use crate::disk::{Counts, Faults, Full, Loss};
use crate::failure::Failure;
use crate::faults::Kind;

/// A failing sync must be met within this time; a node that does nothing syncs nothing.
const MET_MAX: Duration = Duration::from_secs(3);

/// A node must have ended within this time after a failed sync.
const ENDED_MAX: Duration = Duration::from_secs(5);

const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Supervisor {
    fn set(&self, victims: &[usize], faults: Faults) {
        for number in victims {
            self.cluster.disks[number - 1].set(faults);
        }
    }

    fn counts(&self, victims: &[usize]) -> Vec<Counts> {
        victims.iter().map(|number| self.cluster.disks[number - 1].counts()).collect()
    }

    /// Whether each victim's count has grown.
    fn have_met(&self, victims: &[usize], before: &[Counts], count: fn(&Counts) -> u64) -> bool {
        let now = self.counts(victims);
        now.iter().zip(before).all(|(now, before)| count(now) > count(before))
    }

    /// No room for a while. A node acknowledges nothing meanwhile, and goes on when there is room.
    pub(super) async fn full_disk(&mut self, strike: &Strike) -> Result<bool, Failure> {
        let before = self.counts(&strike.victims);
        let new_blocks = self.random.chance(1, 3);
        let full = Some(if new_blocks { Full::NewBlocks } else { Full::AllWrites });
        self.set(&strike.victims, Faults { full, ..Faults::default() });
        sleep(strike.lasts).await;
        let met = self.have_met(&strike.victims, &before, |counts| counts.refused);
        self.set(&strike.victims, Faults::default());
        for number in &strike.victims {
            self.revive(*number).await?;
        }
        self.note(format!("{full:?}"));
        Ok(met)
    }

    /// One sync fails; the node must end by itself. Half of the time the power goes off then, so
    /// that what the failed sync left unwritten is gone for good.
    pub(super) async fn sync_error(&mut self, strike: &Strike) -> Result<bool, Failure> {
        if self.cluster.disks.is_empty() {
            return self.traced_sync_error(strike).await;
        }
        let before = self.counts(&strike.victims);
        let fails_sync_after = Some(self.random.below(8) as u32);
        self.set(&strike.victims, Faults { fails_sync_after, ..Faults::default() });
        let until = Instant::now() + MET_MAX;
        let failed = |counts: &Counts| counts.failed_syncs;
        while !self.have_met(&strike.victims, &before, failed) && Instant::now() < until {
            sleep(LOOK_EVERY).await;
        }
        let met = self.have_met(&strike.victims, &before, failed);
        for (number, before) in strike.victims.iter().copied().zip(before) {
            if self.counts(&[number])[0].failed_syncs > before.failed_syncs {
                self.expect_end(number).await?;
            }
        }
        self.set(&strike.victims, Faults::default());
        for number in &strike.victims {
            self.revive(*number).await?;
        }
        Ok(met)
    }

    /// The same on the machine's own disk, by strace: a node that ended by itself, with an error,
    /// has met it.
    async fn traced_sync_error(&mut self, strike: &Strike) -> Result<bool, Failure> {
        let mut met = true;
        for number in &strike.victims {
            let after = self.random.below(8) as u32;
            let mut tracer = self.cluster.node(*number).inject_sync_error(after)?;
            let until = Instant::now() + MET_MAX;
            let mut status = None;
            while status.is_none() && Instant::now() < until {
                sleep(LOOK_EVERY).await;
                status = self.cluster.node(*number).ended()?;
            }
            met &= status.is_some_and(|status| status.code().is_some_and(|code| code != 0));
            // It has ended with the node, unless that met no sync.
            let _ended = tracer.kill();
            tracer.wait().map_err(Failure::because("cannot wait for strace"))?;
            self.note(format!("node {number} ended after a traced sync failed: {status:?}"));
            self.revive(*number).await?;
        }
        Ok(met)
    }

    async fn expect_end(&mut self, number: usize) -> Result<(), Failure> {
        let until = Instant::now() + ENDED_MAX;
        let status = loop {
            if let Some(status) = self.cluster.node(number).ended()? {
                break Some(status);
            }
            if Instant::now() > until {
                break None;
            }
            sleep(LOOK_EVERY).await;
        };
        match status {
            None => {
                self.find(format!("node {number} went on after a failed sync"), number);
                self.cluster.node(number).signal(Signal::KILL);
                self.cluster.node(number).gone().await?;
            }
            Some(status) if status.success() => {
                self.find(
                    format!("node {number} ended as if all were well after a failed sync"),
                    number,
                );
            }
            Some(status) => self.note(format!("node {number} ended after a failed sync, {status}")),
        }
        if self.random.chance(1, 2) {
            self.cut_power(number, Loss::Torn);
        }
        Ok(())
    }

    pub(super) async fn slow_disk(&mut self, strike: &Strike) -> Result<bool, Failure> {
        let before = self.counts(&strike.victims);
        let stuck = strike.kind == Kind::StuckDisk;
        let delay = Duration::from_millis(if stuck { 0 } else { self.random.between(2, 60) });
        self.set(&strike.victims, Faults { stuck, delay, ..Faults::default() });
        let until = Instant::now() + strike.lasts;
        self.crash_another(&strike.victims).await?;
        sleep(until.saturating_duration_since(Instant::now())).await;
        self.set(&strike.victims, Faults::default());
        let count: fn(&Counts) -> u64 = match stuck {
            true => |counts| counts.held,
            false => |counts| counts.delayed,
        };
        Ok(self.have_met(&strike.victims, &before, count))
    }

    /// Turns a bit under a node that is down. It may find that out at its start and refuse; the
    /// old bytes come back then, since nothing here can repair it yet.
    pub(super) async fn bit_rot(&mut self, strike: &Strike) -> Result<bool, Failure> {
        let number = strike.victims[0];
        let one = Strike { kind: Kind::Kill, victims: vec![number], ..strike.clone() };
        let died = self.strike_down(&one).await?;
        let disk = &self.cluster.disks[number - 1];
        let backup = disk.copy();
        let file = disk.rot(&mut self.random);
        self.note(format!("a bit of {file:?} of node {number} turned"));
        self.cluster.node(number).start()?;
        if !self.cluster.up(number).await? {
            let words = self.cluster.node(number).last_words();
            self.note(format!("node {number} refuses its damaged disk: {words}"));
            self.cluster.disks[number - 1].put_back(backup);
        }
        self.revive(number).await?;
        Ok(died && file.is_some())
    }
}
