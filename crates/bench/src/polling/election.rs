//! A whole election: cast through HTTP on three nodes, closed, tallied, archived, verified.

use std::time::{Duration, Instant};

use super::arrivals::{Offer, Queue, come};
use super::electorate::Electorate;
use super::station::Station;
use crate::cluster::Systems;
use crate::failure::Failure;
use crate::figures::Figure;
use crate::paths::Paths;

/// Voters a second.
const RATE: f64 = 200.0;

/// Voters who come before it is measured, in seconds of them.
const WARM_UP: Duration = Duration::from_secs(2);

/// Within the last moment the last voter has come.
const SLACK: Duration = Duration::from_millis(2);

pub(crate) async fn measure(
    voters: usize,
    systems: &Systems,
    paths: &Paths,
) -> Result<Vec<Figure>, Failure> {
    let electorate = Electorate::new(voters);
    let begun = Instant::now();
    let station = Station::open(systems.program()?, &electorate, None, paths).await?;
    println!("  a roll of {voters} voters, open after {:.1} s", begun.elapsed().as_secs_f64());
    let mut queue = Queue::new(electorate.ballots(station.manifest())?);
    let before = station.final_leaves().await?;
    let whole = Duration::from_secs_f64(voters as f64 / RATE);
    let measured = whole.saturating_sub(WARM_UP + SLACK);
    let offer =
        Offer { ballots_per_second: RATE, pages_per_second: 0.0, warm_up: WARM_UP, measured };
    let outcome = come(&station, offer, &mut queue, None)?;
    if let Some(complaint) = &outcome.complaint {
        println!("  the last thing that went wrong: {complaint}");
    }
    let leaves = station.ballots_since(before, outcome.receipts).await?;
    println!(
        "  {leaves} ballots final, p50 {:.0} ms, p99 {:.0} ms; {} turned away",
        outcome.ballots.percentile_ms(50),
        outcome.ballots.percentile_ms(99),
        outcome.ballots.turned_away
    );
    let name = |what: &str| format!("election.{voters}_voters.{what}");
    let mut figures = vec![
        Figure::new(name("cast"), outcome.goodput(), "ballots final/s")
            .with_limit("as many as came", RATE),
        Figure::new(name("final_p50"), outcome.ballots.percentile_ms(50), "ms from sending"),
        Figure::new(name("final_p99"), outcome.ballots.percentile_ms(99), "ms from sending"),
    ];
    let mib = station.usage()?.peak_mib();
    figures.push(Figure::new(name("peak_memory"), mib, "MiB, largest server"));
    let begun = Instant::now();
    station.close().await?;
    station.final_leaves().await?;
    figures.push(Figure::new(name("close"), begun.elapsed().as_secs_f64(), "s"));
    let begun = Instant::now();
    station.tally().await?;
    figures.push(Figure::new(name("tally"), begun.elapsed().as_secs_f64(), "s"));
    let bytes = station.export().await?;
    let each = bytes as f64 / leaves.max(1) as f64;
    figures.push(Figure::new(name("archive"), each, "bytes/ballot"));
    let begun = Instant::now();
    station.verify().await?;
    let rate = leaves as f64 / begun.elapsed().as_secs_f64();
    figures.push(Figure::new(name("verify"), rate, "ballots/s, all steps, all cores"));
    Ok(figures)
}
