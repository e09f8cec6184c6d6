//! What a person at the terminal reads.

use std::time::Instant;

use sim::check::Marks;
use sim::{Figures, Options, Outcome};

use crate::workers::run_seeds;

/// Every so many seeds one is run twice and compared.
const TWICE_EVERY: u64 = 100;

/// Every so many seeds a line says how far it is.
const PROGRESS_EVERY: u64 = 100;

/// From so many seeds on, a mark that was never hit is a failure.
const MARKS_FROM: u64 = 100;

/// Most failing seeds that are shown.
const SHOWN_MAX: usize = 20;

/// Runs many seeds; true when none failed.
pub(crate) fn run(first_seed: u64, seeds: u64, options: Options) -> bool {
    let started = Instant::now();
    let mut total = Figures::default();
    let mut marks = Marks::default();
    let mut failed = Vec::new();
    let mut done = 0;
    let mut twice = 0;
    run_seeds(first_seed, seeds, options, |outcome| {
        done += 1;
        add(&mut total, &outcome.figures);
        marks.add(&outcome.marks);
        if outcome.violation.is_some() {
            if failed.len() < SHOWN_MAX {
                show_failure(&outcome);
            }
            failed.push(outcome.seed);
        } else if outcome.seed.is_multiple_of(TWICE_EVERY) {
            twice += 1;
            let again = sim::run(outcome.seed, options);
            if again.trace != outcome.trace {
                println!("seed {}: two runs differ, something is random", outcome.seed);
                failed.push(outcome.seed);
            }
        }
        if done % PROGRESS_EVERY == 0 {
            println!("{done} of {seeds} seeds, {} failed", failed.len());
        }
        true
    });
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", shown(&total));
    println!(
        "{seeds} seeds from {first_seed} in {seconds:.0} s ({:.0} simulated seconds a second), \
         {twice} run twice, {} failed",
        total.simulated_ns as f64 / 1e9 / seconds,
        failed.len()
    );
    let dead = marks.dead();
    if !dead.is_empty() {
        println!("never seen to happen: {dead:?}");
    }
    failed.is_empty() && (seeds < MARKS_FROM || dead.is_empty())
}

/// Runs one seed; true when it did not fail.
pub(crate) fn replay(seed: u64, options: Options) -> bool {
    let outcome = sim::run(seed, options);
    println!("{}", shown(&outcome.figures));
    println!("trace {:016x}", outcome.trace);
    match &outcome.violation {
        Some(violation) => println!("seed {seed}: {violation}"),
        None => println!("seed {seed}: every invariant held"),
    }
    outcome.violation.is_none()
}

fn show_failure(outcome: &Outcome) {
    if let Some(violation) = &outcome.violation {
        let seed = outcome.seed;
        println!("seed {seed}: {violation}");
        println!("    again: cargo run --release -p sim -- replay {seed}");
    }
}

fn add(total: &mut Figures, one: &Figures) {
    total.simulated_ns += one.simulated_ns;
    total.events += one.events;
    total.called += one.called;
    total.succeeded += one.succeeded;
    total.faults.begun += one.faults.begun;
    total.faults.effective += one.faults.effective;
    total.committed += one.committed;
    total.leaders += one.leaders;
    total.starts += one.starts;
    total.repeated += one.repeated;
}

fn shown(figures: &Figures) -> String {
    let Figures { events, called, succeeded, faults, committed, leaders, starts, repeated, .. } =
        figures;
    format!(
        "{:.0} simulated s, {events} events; {called} calls, {succeeded} answered; {} faults, {} \
         effective; {committed} entries committed, {repeated} of them repeated; {leaders} leaders, \
         {starts} starts",
        figures.simulated_ns as f64 / 1e9,
        faults.begun,
        faults.effective
    )
}
