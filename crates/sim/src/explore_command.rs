//! `sim explore`: small worlds searched exhaustively, one after another.

use std::time::Instant;

use sim::explore::{Options, Report, WORLDS, run as search, world};

/// Memory that one search may take.
const MEMORY_BYTES_MAX: usize = 6 << 30;

/// A line says how far a search is, every so many seconds.
const PROGRESS_S: f64 = 10.0;

/// Searches `worlds`, or all; true when no promise was broken.
pub(crate) fn run(worlds: &[String], states_max: u64, mutant: Option<&str>) -> bool {
    let all: Vec<String> = WORLDS.iter().map(|name| (*name).to_owned()).collect();
    let chosen = if worlds.is_empty() { &all } else { worlds };
    let mut total = 0;
    for name in chosen {
        let Some(world) = world(name) else {
            eprintln!("`{name}` is no world; there are {}", all.join(", "));
            return false;
        };
        #[cfg(not(feature = "mutants"))]
        let _ = mutant;
        let options = Options {
            world,
            #[cfg(feature = "mutants")]
            mutant: mutant.and_then(seeded),
            states_max: usize::try_from(states_max).unwrap_or(usize::MAX),
            memory_bytes_max: MEMORY_BYTES_MAX,
            seed: 1,
        };
        let started = Instant::now();
        let mut told = 0.0;
        let report = search(&options, &mut |progress| {
            let seconds = started.elapsed().as_secs_f64();
            if seconds - told >= PROGRESS_S {
                told = seconds;
                println!("{name}: {} states, depth {}", progress.states, progress.depth);
            }
        });
        total += report.states;
        println!("{name}: {}", summary(&report, started.elapsed().as_secs_f64()));
        if let Some(story) = &report.violation {
            println!("{story}");
            return false;
        }
    }
    println!("{total} different states in {} worlds, no promise broken", chosen.len());
    true
}

fn summary(report: &Report, seconds: f64) -> String {
    format!(
        "{} different states, {} transitions, depth {}, {}, in {seconds:.0} s; two states were \
         taken for one with a probability below {:.0e}",
        report.states,
        report.transitions,
        report.depth,
        if report.is_complete { "complete" } else { "cut off" },
        report.collision_bound
    )
}

#[cfg(feature = "mutants")]
fn seeded(name: &str) -> Option<raft::Mutant> {
    let all = raft::Mutant::ALL.iter().chain(&raft::Mutant::SCRIPTED);
    all.clone().find(|(known, _)| *known == name).map(|(_, mutant)| *mutant)
}
