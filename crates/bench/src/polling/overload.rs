//! Ten times as many voters as the nodes can serve: what is still done, and for whom.
//!
//! The nodes share one core, the voters come from another. First the peak is looked for, with more
//! and more voters a second; then ten times the peak come, in the same way. Readers of the
//! election's page come along, one for four voters.

use std::time::Duration;

use super::arrivals::{Offer, Outcome, Queue, come};
use super::electorate::Electorate;
use super::pinned::{Core, two_cores};
use super::station::Station;
use crate::cluster::Systems;
use crate::failure::Failure;
use crate::figures::Figure;
use crate::paths::Paths;

/// Enough for the search and the overload.
const VOTERS: usize = 90_000;

/// Voters a second in the first step of the search.
const FIRST_RATE: f64 = 100.0;

/// Each step has so many times the voters of the one before.
const STEP: f64 = 1.4;

/// The search ends after so many steps in which no more was done than before.
const BEYOND: u32 = 2;

/// More voters a second than any of these machines serves.
const RATE_MAX: f64 = 5_000.0;

/// How many times the peak.
const OVERLOAD: f64 = 10.0;

/// Readers for each voter.
const PAGES: f64 = 0.25;

const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(12);

const PEAK: &str = "the peak, measured alike";

pub(crate) async fn measure(systems: &Systems, paths: &Paths) -> Result<Vec<Figure>, Failure> {
    let [nodes_core, load_core] = two_cores()?;
    let electorate = Electorate::new(VOTERS);
    let station = Station::open(systems.program()?, &electorate, Some(nodes_core), paths).await?;
    let mut queue = Queue::new(electorate.ballots(station.manifest())?);
    let before = station.final_leaves().await?;
    let mut hall = Hall { station: &station, queue: &mut queue, core: load_core, receipts: 0 };
    let peak = hall.peak().await?;
    let peak_mib = station.usage()?.peak_mib();
    let over = hall.offer(peak.goodput() * OVERLOAD)?;
    let over_mib = station.usage()?.peak_mib();
    let receipts = hall.receipts;
    station.ballots_since(before, receipts).await?;
    Ok(figures(&peak, &over, [peak_mib, over_mib]))
}

struct Hall<'a> {
    station: &'a Station,
    queue: &'a mut Queue,
    core: Core,
    receipts: u64,
}

impl Hall<'_> {
    /// The step in which most ballots became final.
    async fn peak(&mut self) -> Result<Outcome, Failure> {
        let mut best = Outcome { seconds: 1.0, ..Outcome::default() };
        let (mut rate, mut beyond) = (FIRST_RATE, 0);
        while rate < RATE_MAX && beyond < BEYOND {
            let outcome = self.offer(rate)?;
            self.station.final_leaves().await?;
            if outcome.goodput() > best.goodput() {
                (best, beyond) = (outcome, 0);
            } else {
                beyond += 1;
            }
            rate *= STEP;
        }
        Ok(best)
    }

    fn offer(&mut self, rate: f64) -> Result<Outcome, Failure> {
        let (ballots_per_second, pages_per_second) = (rate, rate * PAGES);
        let offer =
            Offer { ballots_per_second, pages_per_second, warm_up: WARM_UP, measured: MEASURED };
        let outcome = come(self.station, offer, self.queue, Some(self.core))?;
        self.receipts += outcome.receipts;
        println!(
            "  {rate:.0} voters/s: {:.0} ballots/s final, p50 {:.0} ms, p99 {:.0} ms; turned away \
             {} of {} voters; pages {:.0} %, p99 {:.0} ms; {} voters left{}",
            outcome.goodput(),
            outcome.ballots.percentile_ms(50),
            outcome.ballots.percentile_ms(99),
            outcome.ballots.turned_away,
            outcome.ballots.came,
            outcome.pages.served_share() * 100.0,
            outcome.pages.percentile_ms(99),
            self.queue.len(),
            outcome.complaint.as_ref().map_or(String::new(), |what| format!("; last: {what}")),
        );
        Ok(outcome)
    }
}

fn figures(peak: &Outcome, over: &Outcome, [peak_mib, over_mib]: [f64; 2]) -> Vec<Figure> {
    let served = "of those who came";
    vec![
        Figure::new("overload.10x.goodput", over.goodput(), "ballots final/s")
            .with_limit(PEAK, peak.goodput()),
        Figure::new("overload.10x.p99", over.ballots.percentile_ms(99), "ms, of those served")
            .with_limit(PEAK, peak.ballots.percentile_ms(99)),
        Figure::new("overload.10x.ballots_served", over.ballots.served_share(), served)
            .with_limit(PEAK, peak.ballots.served_share()),
        Figure::new("overload.10x.pages_served", over.pages.served_share(), served)
            .with_limit(PEAK, peak.pages.served_share()),
        Figure::new("overload.10x.peak_memory", over_mib, "MiB, largest server")
            .with_limit(PEAK, peak_mib),
    ]
}
