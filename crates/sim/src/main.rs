//! `sim run | report | replay | shrink | mutants | explore | voting`: seeds on every core, by name
//! when they fail.
#![forbid(unsafe_code)]

mod command_line;
mod explore_command;
#[cfg(feature = "mutants")]
mod mutants;
mod report;
mod workers;

use std::process::ExitCode;

use command_line::{Command, Kind};
use sim::Options;

// A simulated world allocates all the time; glibc's allocator took a sixth of the run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = match command_line::parse(&arguments) {
        Ok(command) => command,
        Err(why) => {
            eprintln!("{why}\n\n{}", command_line::USAGE);
            return ExitCode::from(2);
        }
    };
    // Panics of members are violations and reported as such.
    if !matches!(command, Command::Replay { .. }) {
        std::panic::set_hook(Box::new(|_| {}));
    }
    let good = match command {
        Command::Run { range, kind } => report::run(range.first_seed, range.seeds, &options(&kind)),
        Command::Report { range, kind } => {
            report::page(range.first_seed, range.seeds, &options(&kind))
        }
        Command::Replay { seed, dump, until, cut, kind } => {
            report::replay(seed, &cut, &Options { dump, until, ..options(&kind) })
        }
        Command::Shrink { seed, kind } => report::shrink(seed, &options(&kind)),
        Command::Mutants { range, only } => mutants(range.first_seed, range.seeds, only.as_deref()),
        Command::Explore { worlds, states, mutant } => {
            explore_command::run(&worlds, states, mutant.as_deref())
        }
        Command::Voting { range, dump } => {
            sim::voting::run_seeds(range.first_seed, range.seeds, dump)
        }
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options(kind: &Kind) -> Options {
    Options {
        profile: kind.profile,
        aim: kind.aim,
        #[cfg(feature = "mutants")]
        mutant: kind.mutant.as_deref().and_then(mutants::by_name),
        ..Options::default()
    }
}

#[cfg(feature = "mutants")]
fn mutants(first_seed: u64, seeds: u64, only: Option<&str>) -> bool {
    mutants::run(first_seed, seeds, only)
}

#[cfg(not(feature = "mutants"))]
fn mutants(_: u64, _: u64, _: Option<&str>) -> bool {
    eprintln!("{}", command_line::NO_MUTANTS);
    false
}
