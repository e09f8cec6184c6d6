//! `chaos`: a real cluster under real faults, every answer checked.
//!
//! Three `quorate serve` processes, each in a network namespace of its own, keep their data on a
//! FUSE file system that forgets what was not synced. Clients write, compare and read all the time
//! while processes are killed and stopped, the power is cut, packets are dropped, disks fill up,
//! hang and fail, and clocks jump. At the end every member is read back, and [`checker`] decides
//! about every single operation. `docs/reliability.md` says what a run promises.
#![forbid(unsafe_code)]

mod acts;
mod arguments;
mod checker;
mod cluster;
mod command;
mod disk;
mod failure;
mod faults;
mod historian;
mod history;
mod http;
mod keeper;
mod leases;
mod load;
mod network;
mod node;
mod readback;
mod run;
mod tally;
mod watchers;

use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use failure::Failure;
use tokio::signal::unix::{SignalKind, signal};

/// Threads that carry the clients; the nodes and the disks need the cores too.
const CLIENT_THREADS: usize = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CLIENT_THREADS)
        .enable_all()
        .build();
    let outcome = match (runtime, arguments.owner) {
        (Err(error), _) => Err(Failure::because("cannot start the runtime")(error)),
        (Ok(runtime), None) => runtime.block_on(keeper::keep(&arguments)),
        (Ok(runtime), Some(owner)) => runtime.block_on(until_signalled(&arguments, owner)),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("chaos: {failure}");
        ExitCode::FAILURE
    })
}

/// Ends the work on Ctrl-C and SIGTERM: dropping it kills the nodes and unmounts their disks.
async fn until_signalled(arguments: &Arguments, owner: u32) -> Result<ExitCode, Failure> {
    let cannot = "cannot listen for signals";
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::because(cannot))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::because(cannot))?;
    let folder = keeper::folder(owner);
    let is_well = tokio::select! {
        result = run::run(arguments, owner, &folder) => result?,
        _ = interrupt.recv() => return Err(Failure::new("stopped by Ctrl-C")),
        _ = terminate.recv() => return Err(Failure::new("stopped by SIGTERM")),
    };
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
