//! Processes killed, with and without the power going off under their disks.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::sleep;

use super::{Strike, Supervisor};
use crate::disk::Loss;
use crate::failure::Failure;
use crate::faults::Kind;

/// What SIGKILL is in an exit status.
const SIGKILL: i32 = 9;

/// A crash is followed by another one in the middle of the start so often, in percent.
const AGAIN_PERCENT: u64 = 12;

impl Supervisor {
    /// Kills the victims at once, cuts the power if that is the kind, starts them again, and now
    /// and then strikes once more before they are up.
    pub(super) async fn crash(&mut self, strike: &Strike) -> Result<bool, Failure> {
        let effective = self.strike_down(strike).await?;
        while self.random.below(100) < AGAIN_PERCENT {
            self.start(&strike.victims)?;
            let early = Duration::from_millis(self.random.between(5, 200));
            sleep(early).await;
            let again = self.strike_down(strike).await?;
            // Nobody leads who has just been started.
            let struck = crate::tally::Struck { leader: false, ..strike.struck };
            // Before it is up a node may have written nothing that the power could take.
            if again || strike.kind == Kind::Kill {
                self.tally.count(strike.kind, struck, again);
            }
        }
        sleep(strike.lasts).await;
        self.start(&strike.victims)?;
        for number in &strike.victims {
            self.revive(*number).await?;
        }
        Ok(effective)
    }

    fn start(&mut self, victims: &[usize]) -> Result<(), Failure> {
        self.tally.restarts += victims.len() as u64;
        victims.iter().try_for_each(|number| self.cluster.node(*number).start())
    }

    /// SIGKILL to all victims, then the power; whether all of them died of it, and a power cut took
    /// something.
    pub(super) async fn strike_down(&mut self, strike: &Strike) -> Result<bool, Failure> {
        let mut died = true;
        for number in &strike.victims {
            died &= self.cluster.node(*number).signal(Signal::KILL);
        }
        for number in &strike.victims {
            let status = self.cluster.node(*number).gone().await?;
            let by_kill = |status: &ExitStatus| status.signal() == Some(SIGKILL);
            died &= status.as_ref().is_some_and(by_kill);
            if let Some(status) = status.filter(|status| !by_kill(status)) {
                self.find(format!("node {number} ended by itself, {status}"), *number);
            }
        }
        if strike.kind != Kind::PowerCut {
            return Ok(died);
        }
        let loss = match self.random.below(10) {
            0..=3 => Loss::All,
            4..=6 => Loss::Torn,
            _ => Loss::Tail,
        };
        let mut lost = 0;
        for number in &strike.victims {
            lost += self.cut_power(*number, loss);
        }
        Ok(died && lost > 0)
    }

    /// Cuts the power of a dead node; how much was lost.
    pub(super) fn cut_power(&mut self, number: usize, loss: Loss) -> u64 {
        let cut = self.cluster.disks[number - 1].cut(loss, &mut self.random);
        self.tally.lossy_cuts += u64::from(cut.lost > 0);
        self.tally.sectors_lost += cut.lost;
        self.note(format!(
            "power of {number}: {loss:?} of {} pending, {} lost",
            cut.pending, cut.lost
        ));
        cut.lost
    }

    /// While something else lasts: now and then another node is killed too.
    pub(super) async fn crash_another(&mut self, spared: &[usize]) -> Result<(), Failure> {
        if !self.kinds.contains(&Kind::Kill) || !self.random.chance(1, 4) {
            return Ok(());
        }
        let mut others = self.cluster.places();
        others.retain(|number| !spared.contains(number));
        let Some(victim) = self.random.pick(&others).copied() else { return Ok(()) };
        let leads = self.cluster.leader().await == Some(victim);
        let struck = crate::tally::Struck { leader: leads, all: false };
        let victims = vec![victim];
        let strike = Strike { kind: Kind::Kill, victims, struck, lasts: Duration::ZERO };
        let effective = self.strike_down(&strike).await?;
        self.start(&strike.victims)?;
        self.revive(victim).await?;
        self.note(format!("kill of {victim} meanwhile, {struck:?}, effect {effective}"));
        self.tally.count(Kind::Kill, struck, effective);
        Ok(())
    }
}
