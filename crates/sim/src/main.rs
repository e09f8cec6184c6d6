//! `sim run | replay | mutants | voting`: seeds on every core, failing ones by name.
#![forbid(unsafe_code)]

mod command_line;
#[cfg(feature = "mutants")]
mod mutants;
mod report;
mod workers;

use std::process::ExitCode;

use command_line::Command;
use sim::Options;

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
        Command::Run { seeds, first_seed, mutant } => {
            report::run(first_seed, seeds, options(false, mutant.as_deref()))
        }
        Command::Replay { seed, dump, mutant } => {
            report::replay(seed, options(dump, mutant.as_deref()))
        }
        Command::Mutants { seeds, first_seed } => mutants(first_seed, seeds),
        Command::Voting { seeds, first_seed, dump } => {
            sim::voting::run_seeds(first_seed, seeds, dump)
        }
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(feature = "mutants")]
fn options(dump: bool, name: Option<&str>) -> Options {
    Options { dump, mutant: name.and_then(mutants::by_name) }
}

#[cfg(not(feature = "mutants"))]
fn options(dump: bool, _: Option<&str>) -> Options {
    Options { dump }
}

#[cfg(feature = "mutants")]
fn mutants(first_seed: u64, seeds: u64) -> bool {
    mutants::run(first_seed, seeds)
}

#[cfg(not(feature = "mutants"))]
fn mutants(_: u64, _: u64) -> bool {
    eprintln!("{}", command_line::NO_MUTANTS);
    false
}
