//! What a person at the terminal reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sim::check::{Mark, Marks};
use sim::faults::FaultClass;
use sim::matrix::{Matrix, Phase};
use sim::script::Script;
use sim::swarm::{Profile, Regime};
use sim::{Figures, Options, Outcome};

use crate::command_line::Cut;
use crate::workers::{Run, run_seeds};

/// Every so many seeds one is run twice and compared.
const TWICE_EVERY: u64 = 100;

/// Every so often a line says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(60);

/// From so many seeds on, a mark that was never hit is a failure.
const MARKS_FROM: u64 = 100;

/// Most failing seeds that are shown.
const SHOWN_MAX: usize = 20;

/// Most runs of a seed that is shortened.
const SHRINK_RUNS_MAX: u64 = 3000;

/// All that many seeds amount to.
#[derive(Default)]
struct Total {
    seeds: u64,
    /// CPU time of all seeds, second runs apart.
    cpu: Duration,
    failed: Vec<u64>,
    twice: u64,
    figures: Figures,
    marks: Marks,
    matrix: Matrix,
    /// Speed by regime: of all seeds, and of those with five members.
    regimes: BTreeMap<Regime, (Speed, Speed)>,
}

/// How fast seeds were.
#[derive(Clone, Copy, Default)]
struct Speed {
    seeds: u64,
    simulated_ns: u64,
    cpu: Duration,
}

impl Speed {
    fn add(&mut self, simulated_ns: u64, cpu: Duration) {
        self.seeds += 1;
        self.simulated_ns += simulated_ns;
        self.cpu += cpu;
    }

    /// Simulated seconds a CPU second.
    fn value(&self) -> f64 {
        self.simulated_ns as f64 / 1e9 / self.cpu.as_secs_f64().max(1e-9)
    }
}

/// Size of the groups whose speed is told apart.
const FIVE: usize = 5;

impl Total {
    fn add(&mut self, run: &Run) {
        let Run { outcome, cpu, repeated } = run;
        self.seeds += 1;
        self.cpu += *cpu;
        self.twice += u64::from(repeated.is_some());
        let (total, one) = (&mut self.figures, &outcome.figures);
        total.simulated_ns += one.simulated_ns;
        total.events += one.events;
        total.called += one.called;
        total.succeeded += one.succeeded;
        total.faults.add(&one.faults);
        total.committed += one.committed;
        total.leaders += one.leaders;
        total.starts += one.starts;
        total.repeated += one.repeated;
        total.absent += one.absent;
        self.marks.add(&outcome.marks);
        self.matrix.add(&outcome.matrix);
        let (all, five) = self.regimes.entry(outcome.regime).or_default();
        all.add(one.simulated_ns, *cpu);
        if outcome.members == FIVE {
            five.add(one.simulated_ns, *cpu);
        }
    }

    /// How far it is, and when it will be done.
    fn show_progress(&self, seeds: u64, passed: Duration) {
        let left = passed.as_secs_f64() * (seeds - self.seeds) as f64 / self.seeds as f64;
        println!(
            "{} of {seeds} seeds, {} failed, {:.0} ms of CPU a seed, {:.0} min left",
            self.seeds,
            self.failed.len(),
            self.cpu_ms(),
            left / 60.0
        );
    }

    /// Mean CPU time of a seed, milliseconds.
    fn cpu_ms(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / self.seeds.max(1) as f64
    }

    fn speeds(&self) -> String {
        let speed = |(regime, (all, five)): (&Regime, &(Speed, Speed))| {
            format!(
                "{regime:?}: {} seeds, {:.0} simulated s a CPU s ({:.0} with 5 members)",
                all.seeds,
                all.value(),
                five.value()
            )
        };
        self.regimes.iter().map(speed).collect::<Vec<_>>().join("; ")
    }
}

fn gather(first_seed: u64, seeds: u64, options: &Options) -> Total {
    let mut total = Total::default();
    let (began, mut said) = (Instant::now(), Instant::now());
    let twice = |seed: u64| seed.is_multiple_of(TWICE_EVERY);
    run_seeds(first_seed, seeds, options, twice, |run| {
        total.add(&run);
        let outcome = &run.outcome;
        if outcome.violation.is_some() {
            if total.failed.len() < SHOWN_MAX {
                show_failure(outcome, options);
            }
            total.failed.push(outcome.seed);
        } else if run.repeated == Some(false) {
            println!("seed {}: two runs differ, something is random", outcome.seed);
            total.failed.push(outcome.seed);
        }
        if said.elapsed() >= PROGRESS_EVERY {
            said = Instant::now();
            total.show_progress(seeds, began.elapsed());
        }
        true
    });
    total
}

/// Runs many seeds; true when none failed.
pub(crate) fn run(first_seed: u64, seeds: u64, options: &Options) -> bool {
    let started = Instant::now();
    let total = gather(first_seed, seeds, options);
    println!("{}", shown(&total.figures));
    println!("{}", total.speeds());
    println!(
        "{seeds} seeds from {first_seed} in {:.0} s, {:.0} ms of CPU a seed, {} run twice, \
         {} failed",
        started.elapsed().as_secs_f64(),
        total.cpu_ms(),
        total.twice,
        total.failed.len()
    );
    let dead = total.marks.dead(seeds);
    if !dead.is_empty() {
        println!("never seen to happen: {dead:?}");
    }
    let must_hit = seeds >= MARKS_FROM && options.profile != Profile::Idle;
    total.failed.is_empty() && (!must_hit || dead.is_empty())
}

/// One page about many seeds; true when nothing failed and no mark or cell is empty.
pub(crate) fn page(first_seed: u64, seeds: u64, options: &Options) -> bool {
    let total = gather(first_seed, seeds, options);
    let (figures, marks, matrix) = (&total.figures, &total.marks, &total.matrix);
    println!("seeds      {seeds} from {first_seed}, {} run twice, equal", total.twice);
    println!("failed     {} {:?}", total.failed.len(), total.failed);
    println!("simulated  {:.0} s", figures.simulated_ns as f64 / 1e9);
    let (cpu, each) = (total.cpu.as_secs_f64(), total.cpu_ms());
    println!("CPU        {cpu:.0} s, {each:.0} ms a seed");
    println!("speed      {}", total.speeds());
    println!("checked    {} calls, every one; {} answered", figures.called, figures.succeeded);
    println!("totals     {}", shown(figures));
    println!("\n{:<14}{:>10}{:>10}", "fault", "begun", "effective");
    for class in FaultClass::ALL {
        let count = figures.faults.of(*class);
        println!("{:<14}{:>10}{:>10}", format!("{class:?}"), count.begun, count.effective);
    }
    println!("\nphase x fault: how often a fault struck a member in a phase");
    let names: String = Phase::ALL.iter().map(|p| format!("{:>10}", format!("{p:?}"))).collect();
    println!("{:<14}{names}", "");
    for class in FaultClass::ALL {
        let cells: String =
            Phase::ALL.iter().map(|phase| format!("{:>10}", matrix.at(*phase, *class))).collect();
        println!("{:<14}{cells}", format!("{class:?}"));
    }
    println!("\nmarks");
    let line: Vec<String> =
        Mark::ALL.iter().map(|mark| format!("{mark:?} {}", marks.count(*mark))).collect();
    for some in line.chunks(4) {
        println!("  {}", some.join(", "));
    }
    let (dead, empty) = (marks.dead(seeds), matrix.empty());
    println!("\ndead marks: {dead:?}\nempty cells: {empty:?}");
    total.failed.is_empty() && dead.is_empty() && empty.is_empty()
}

/// Runs one seed, with parts left out if `cut` says so; true when it did not fail.
pub(crate) fn replay(seed: u64, cut: &Cut, options: &Options) -> bool {
    let script = cut.is_set().then(|| {
        let quiet = Options { dump: false, until: None, ..options.clone() };
        Arc::new(restricted(sim::run(seed, quiet).script, cut))
    });
    let outcome = sim::run(seed, Options { script, ..options.clone() });
    println!("{}", shown(&outcome.figures));
    println!("trace {:016x} after {} events", outcome.trace, outcome.figures.events);
    match &outcome.violation {
        Some(violation) => println!("seed {seed}: {violation}"),
        None => println!("seed {seed}: every invariant held"),
    }
    outcome.violation.is_none()
}

fn restricted(mut script: Script, cut: &Cut) -> Script {
    if let Some(faults) = &cut.faults {
        script.faults.retain(|planned| faults.contains(&planned.id));
    }
    let calls = cut.calls.as_ref();
    script.calls = calls.map(|calls| calls.iter().copied().map(Into::into).collect());
    script.members = cut.members;
    script
}

/// Shortens the failure of `seed` and prints what is left.
pub(crate) fn shrink(seed: u64, options: &Options) -> bool {
    let Some(shrunk) = sim::shrink::shrink(seed, options, SHRINK_RUNS_MAX) else {
        println!("seed {seed}: every invariant held, there is nothing to shrink");
        return true;
    };
    let (script, outcome) = (&shrunk.script, &shrunk.outcome);
    for planned in &script.faults {
        let ms = planned.at_ns as f64 / 1e6;
        let length = planned.length_ns as f64 / 1e6;
        println!("{ms:>12.3} ms  fault {} for {length:.3} ms: {:?}", planned.id, planned.fault);
    }
    let calls = script.calls.clone().unwrap_or_default();
    println!("{} calls: {calls:?}", calls.len());
    println!("{} events after {} runs, {} members", script.len(), shrunk.runs, outcome.members);
    if let Some(violation) = &outcome.violation {
        println!("seed {seed}: {violation}");
    }
    let join = |numbers: Vec<String>| match numbers.len() {
        0 => "none".to_owned(),
        _ => numbers.join(","),
    };
    println!(
        "    again: sim replay {seed} --profile {} --faults {} --calls {} --members {}",
        named(options.profile),
        join(script.faults.iter().map(|planned| planned.id.to_string()).collect()),
        join(calls.iter().map(ToString::to_string).collect()),
        outcome.members
    );
    false
}

fn show_failure(outcome: &Outcome, options: &Options) {
    if let Some(violation) = &outcome.violation {
        let (seed, profile) = (outcome.seed, named(options.profile));
        println!("seed {seed}: {violation}");
        println!("    again: cargo run --release -p sim -- replay {seed} --profile {profile}");
    }
}

fn named(profile: Profile) -> String {
    format!("{profile:?}").to_lowercase()
}

fn shown(figures: &Figures) -> String {
    let Figures { events, called, succeeded, faults, committed, leaders, .. } = figures;
    format!(
        "{:.0} simulated s, {events} events; {called} calls, {succeeded} answered; {} faults, {} \
         effective; {committed} entries committed, {} of them repeated; {leaders} leaders, {} \
         starts, {} members away at the end",
        figures.simulated_ns as f64 / 1e9,
        faults.total().begun,
        faults.total().effective,
        figures.repeated,
        figures.starts,
        figures.absent
    )
}
