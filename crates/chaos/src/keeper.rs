//! Cleaning up, whatever happens: the first process makes the network and the folder, lets a
//! second one do the work inside, and removes everything when that one has ended in any way.
//!
//! Both start by removing what an earlier run left whose process is gone. Only what carries our
//! name and a dead owner's number is touched: namespaces, mounts, processes and folders.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Arguments;
use crate::cluster::PLACES;
use crate::command;
use crate::failure::Failure;
use crate::network::{self, NAME, Network};

/// The folder of the run that `owner` watches over.
pub(crate) fn folder(owner: u32) -> PathBuf {
    std::env::temp_dir().join(format!("{NAME}-{owner}"))
}

/// Runs the work in a second process.
pub(crate) async fn keep(arguments: &Arguments) -> Result<ExitCode, Failure> {
    remove_leftovers();
    let owner = std::process::id();
    let folder = folder(owner);
    let cannot = format!("cannot make {}", folder.display());
    std::fs::create_dir_all(&folder).map_err(Failure::because(cannot))?;
    let network = Network::of(owner, PLACES);
    let made = network.make();
    let worked = work(owner, made.as_ref().map(|()| &network)).await;
    clean(owner);
    let is_well = worked.as_ref().is_ok_and(|code| *code == 0);
    if is_well && !arguments.keep {
        remove_folder(&folder);
    } else {
        println!("the nodes' output and the list of faults are in {}", folder.display());
    }
    // A code that is no exit code is a signal's: a failure like any other.
    worked.map(|code| ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Starts the second process and waits for it; its exit code, -1 for a signal.
async fn work(owner: u32, network: Result<&Network, &Failure>) -> Result<i32, Failure> {
    let cannot = "cannot start the process that does the work";
    let own = std::env::current_exe().map_err(Failure::because(cannot))?;
    let prefix = network.map(Network::hub_prefix).unwrap_or_default();
    let words: Vec<_> = prefix.into_iter().map(Into::into).chain([own.into_os_string()]).collect();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(std::env::args_os().skip(1));
    command.args(["--owner", &owner.to_string()]);
    if let Err(why) = network {
        command.args(["--no-network", &why.to_string()]);
    }
    let mut child = command.kill_on_drop(true).spawn().map_err(Failure::because(cannot))?;
    // Ctrl-C reaches both processes; SIGTERM is handed on. Either way this one waits.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::because(cannot))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::because(cannot))?;
    loop {
        tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(Failure::because("cannot wait for the work"))?;
                return Ok(status.code().unwrap_or(-1));
            }
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                if let Some(id) = child.id() {
                    kill(id, Signal::TERM);
                }
            }
        }
    }
}

fn kill(process: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        // It may have ended meanwhile.
        let _ended = kill_process(pid, signal);
    }
}

/// Removes the processes, mounts and namespaces of one run.
fn clean(owner: u32) {
    let folder = folder(owner);
    for process in processes_on(&folder) {
        kill(process, Signal::KILL);
    }
    for mount in mounts_under(&folder) {
        // Lazily: a process that is dying may still hold it.
        if let Err(failure) = command::run(&["umount", "-l", &mount.to_string_lossy()]) {
            eprintln!("chaos: {failure}");
        }
    }
    network::remove(owner);
}

fn remove_folder(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        eprintln!("chaos: cannot remove {}: {error}", folder.display());
    }
}

/// Removes what runs left whose process is gone.
fn remove_leftovers() {
    let mut owners = network::owners();
    let names = std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    owners.extend(names.filter_map(|entry| {
        entry.file_name().to_str()?.strip_prefix(NAME)?.strip_prefix('-')?.parse::<u32>().ok()
    }));
    for owner in owners.into_iter().filter(|owner| !is_chaos(*owner)) {
        let folder = folder(owner);
        let left = !mounts_under(&folder).is_empty() || network::owners().contains(&owner);
        // What a run that failed in good order left is its output, for a person to look at.
        if left || !processes_on(&folder).is_empty() {
            println!("removing what the run of process {owner} left behind");
            clean(owner);
            remove_folder(&folder);
        }
    }
}

/// Whether that process lives and is one of ours.
fn is_chaos(process: u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{process}/comm"));
    name.is_ok_and(|name| name.trim() == "chaos")
}

/// Processes that were started with a path in `folder`.
fn processes_on(folder: &Path) -> BTreeSet<u32> {
    let wanted = format!("{}/", folder.display());
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    processes
        .filter(|process| {
            let words = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            let mut words = words.split(|byte| *byte == 0);
            words.any(|word| String::from_utf8_lossy(word).starts_with(&wanted))
        })
        .collect()
}

fn mounts_under(folder: &Path) -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    points.filter(|point| point.starts_with(folder)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(processes_on(folder.path()), BTreeSet::new());
        assert_eq!(mounts_under(folder.path()), [] as [PathBuf; 0]);
        assert!(mounts_under(Path::new("/")).contains(&PathBuf::from("/proc")));
        assert!(!is_chaos(1));
    }
}
