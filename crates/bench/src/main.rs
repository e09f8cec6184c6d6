//! `bench`: ratios against etcd and against what the machine allows, in one run on one machine.
//!
//! Each part measures ours and its peer in turn (ours, peer, ours, peer, …), takes medians, and
//! puts [`figures::Figure`]s into one file, which later benchmarks join. Nothing here asserts on
//! time: a busy machine gives other figures, never a failure. `docs/benchmarks.md` says what each
//! row means.
#![forbid(unsafe_code)]

mod append;
mod arguments;
mod ballots;
mod clock;
mod cluster;
mod consensus;
mod etcd;
mod failure;
mod figures;
mod gap;
mod load;
mod machine;
mod paths;
mod polling;
mod puts;
mod simulation;
mod stats;
mod table;
mod usage;

use std::process::ExitCode;

use arguments::{Arguments, Part};
use clap::Parser;
use cluster::Systems;
use failure::Failure;
use figures::{Figure, Figures};
use machine::Machine;
use paths::Paths;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    // The servers need cores too: the load comes from one fewer than there are.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers.saturating_sub(1).max(1))
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(until_signalled(run(&arguments))),
        Err(error) => Err(Failure::because("cannot start the runtime")(error)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Ends the work on Ctrl-C and SIGTERM: dropping it kills its servers and removes its folder.
async fn until_signalled(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let cannot = "cannot listen for signals";
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::because(cannot))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::because(cannot))?;
    tokio::select! {
        result = work => result,
        _ = interrupt.recv() => Err(Failure::new("stopped by Ctrl-C")),
        _ = terminate.recv() => Err(Failure::new("stopped by SIGTERM")),
    }
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let machine = Machine::now()?;
    println!("{machine}");
    if let Some(warning) = machine.warning() {
        println!("{warning}");
    }
    let paths = Paths::prepare(arguments.out.clone())?;
    let mut figures = Figures::load(paths.figures())?;
    let command = arguments.command();
    let mut new: Vec<Figure> = machine.figures();
    let systems = Systems::find(arguments, &paths);
    let mut failed = Vec::new();
    for part in arguments.parts() {
        println!("{part}:");
        match measure(part, arguments, &systems, &paths).await {
            Ok(measured) => new.extend(measured),
            Err(failure) => {
                println!("  {part} gave no figures: {failure}");
                failed.push(part.to_string());
            }
        }
        new.iter_mut().for_each(|figure| figure.command.clone_from(&command));
        // After each part, so that a run that is ended early keeps what it measured.
        figures.merge(&new);
        figures.save()?;
    }
    println!("\n{}", table::render(&new));
    println!("{} holds these and earlier figures", paths.figures().display());
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("without figures: {}", failed.join(", "))))
}

async fn measure(
    part: Part,
    arguments: &Arguments,
    systems: &Systems,
    paths: &Paths,
) -> Result<Vec<Figure>, Failure> {
    match part {
        Part::Puts => puts::measure(arguments, systems, paths).await,
        Part::Gap => gap::measure(arguments, systems, paths).await,
        Part::Append => append::measure(paths),
        Part::Raft => consensus::measure(),
        Part::Sim => simulation::measure(),
        Part::Ballots => ballots::measure(),
        Part::Election => {
            let voters = usize::try_from(arguments.voters).unwrap_or(usize::MAX);
            polling::measure_election(voters, systems, paths).await
        }
        Part::Overload => polling::measure_overload(systems, paths).await,
    }
}
