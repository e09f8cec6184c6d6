//! Seeded bugs: the proof that the invariants would notice.

use sim::swarm::Aim;
use sim::{Options, Seeded};

use crate::workers::run_seeds;

/// The bug called `name`.
pub(crate) fn by_name(name: &str) -> Option<Seeded> {
    Seeded::all().into_iter().find(|(known, _)| *known == name).map(|(_, mutant)| mutant)
}

/// All names, for a mistaken caller.
pub(crate) fn names() -> String {
    let names: Vec<&str> = Seeded::all().into_iter().map(|(name, _)| name).collect();
    format!("there are {}", names.join(", "))
}

/// What makes a bug show that shows seldom.
fn aim(name: &str) -> Option<Aim> {
    Some(match name {
        "vote-forgotten" | "last-index-only" | "skip-prev-term-check" | "stale-append-reply" => {
            Aim::Terms
        }
        "lease-without-margin" => Aim::Lease,
        "single-quorum-while-joint" | "second-change-allowed" | "learner-counted" => Aim::Members,
        "snapshot-keeps-conflict" => Aim::Snapshots,
        "stop-at-bad-checksum" | "checksum-not-chained" => Aim::Damage,
        "watch-ignores-snapshot"
        | "watch-drops-when-full"
        | "progress-before-events"
        | "future-watch-begins-now"
        | "leader-counts-old-time"
        | "ended-lease-renewed" => Aim::Watches,
        "retry-sync" | "full-is-success" => Aim::Disks,
        _ => return None,
    })
}

/// Hunts each bug on its own; true when all are caught.
pub(crate) fn run(first_seed: u64, seeds: u64, only: Option<&str>) -> bool {
    let (mut caught, mut is_sound) = (0, true);
    let mut all = Seeded::all();
    all.retain(|(name, _)| only.is_none_or(|only| only == *name));
    for (name, mutant) in &all {
        let options = Options { mutant: Some(*mutant), aim: aim(name), ..Options::default() };
        let mut tried = 0;
        let mut first = None;
        run_seeds(
            first_seed,
            seeds,
            &options,
            |_| false,
            |run| {
                let outcome = run.outcome;
                tried += 1;
                let Some(violation) = outcome.violation.filter(|_| first.is_none()) else {
                    return first.is_none();
                };
                // Only what holds without the bug has been broken by it.
                match sim::run(outcome.seed, Options { mutant: None, ..options.clone() }).violation
                {
                    None => first = Some((tried, outcome.seed, violation)),
                    Some(own) => {
                        is_sound = false;
                        println!("seed {} fails without {name}: {own}", outcome.seed);
                        let aim = options.aim.map_or("", Aim::name);
                        println!("    again: sim replay {} --aim {aim}", outcome.seed);
                    }
                }
                first.is_none()
            },
        );
        match first {
            Some((tried, seed, violation)) => {
                caught += 1;
                println!("{name}: caught after {tried} seeds, by seed {seed}: {violation}");
            }
            None => println!("{name}: NOT caught in {tried} seeds"),
        }
    }
    println!("{caught} of {} caught", all.len());
    is_sound && caught == all.len()
}
