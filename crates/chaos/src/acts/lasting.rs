//! Pauses, partitions and clocks: nothing dies, and yet nothing goes on.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::sleep;

use super::{Strike, Supervisor};
use crate::failure::Failure;
use crate::faults::cut_pairs;
use crate::http;

/// A paused node is asked, and must not answer, for at most so long.
const SILENT_MAX: Duration = Duration::from_millis(300);

/// The clock's file is read once a second by the library, and the header's date is made once a
/// second by the node.
const CLOCK_WAIT: Duration = Duration::from_millis(2_200);

/// A clock's reading may be off by so much through these two, seconds.
const CLOCK_SLACK: i64 = 5;

/// Jumps: half a minute to ten days, either way.
const JUMP_SECONDS: (u64, u64) = (30, 864_000);

impl Supervisor {
    pub(super) async fn pause(&mut self, strike: &Strike) -> Result<bool, Failure> {
        let until = Instant::now() + strike.lasts;
        let mut effective = true;
        for number in &strike.victims {
            effective &= self.cluster.node(*number).signal(Signal::STOP);
        }
        for number in &strike.victims {
            effective &= self.is_silent(*number, strike.lasts).await;
        }
        self.crash_another(&strike.victims).await?;
        sleep(until.saturating_duration_since(Instant::now())).await;
        for number in &strike.victims {
            effective &= self.cluster.node(*number).signal(Signal::CONT);
        }
        for number in &strike.victims {
            if !self.cluster.up(*number).await? {
                self.find(format!("node {number} ended in or after a pause"), *number);
                effective = false;
            }
        }
        Ok(effective)
    }

    async fn is_silent(&mut self, number: usize, lasts: Duration) -> bool {
        let node = self.cluster.node(number);
        // A signal takes effect when the kernel gets to it.
        for _ in 0..20 {
            if node.is_stopped() {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        node.is_stopped() && !node.answers(lasts.min(SILENT_MAX)).await
    }

    pub(super) async fn partition(&mut self, strike: &Strike) -> Result<bool, Failure> {
        let Some(network) = self.cluster.network.clone() else { return Ok(false) };
        let nodes = self.cluster.places();
        let victim = strike.victims.first().copied().filter(|_| !strike.struck.all);
        let (shape, pairs) = cut_pairs(victim, &nodes, &mut self.random);
        network.cut(&pairs)?;
        let until = Instant::now() + strike.lasts;
        self.crash_another(&strike.victims).await?;
        sleep(until.saturating_duration_since(Instant::now())).await;
        let dropped = network.dropped()?;
        network.heal()?;
        self.note(format!("partition {shape} {pairs:?}: {dropped} packets dropped"));
        Ok(dropped > 0)
    }

    /// Sets clocks to somewhere else. The node's web server makes its date anew only when the old
    /// one is a second past, so a clock put back shows as a date that stands still.
    pub(super) async fn clock_jump(&mut self, strike: &Strike) -> Result<bool, Failure> {
        let (low, high) = JUMP_SECONDS;
        let jump = self.random.between(low, high) as i64;
        let jump = if self.random.chance(1, 2) { jump } else { -jump };
        for number in &strike.victims {
            let path = &self.cluster.clocks[number - 1];
            let cannot = format!("cannot write {}", path.display());
            std::fs::write(path, format!("{jump:+}")).map_err(Failure::because(cannot))?;
        }
        sleep(CLOCK_WAIT).await;
        let first = self.dates(&strike.victims).await;
        sleep(CLOCK_WAIT).await;
        let second = self.dates(&strike.victims).await;
        let now = now_seconds();
        let jumped = |(first, second): (&Option<i64>, &Option<i64>)| {
            let (Some(first), Some(second)) = (first, second) else { return false };
            (second - now - jump).abs() <= CLOCK_SLACK || first == second
        };
        let effective = first.iter().zip(&second).all(jumped);
        self.note(format!("clocks set to {jump:+} s, show {first:?}, {second:?} at {now}"));
        Ok(effective)
    }

    async fn dates(&mut self, victims: &[usize]) -> Vec<Option<i64>> {
        let mut dates = Vec::new();
        for number in victims {
            let admin = self.cluster.node(*number).own().admin;
            let answer = http::get(admin, "/livez", Duration::from_secs(2)).await;
            dates.push(answer.and_then(|answer| answer.date));
        }
        dates
    }
}

/// Seconds since 1970 by this process's clock.
fn now_seconds() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}
