//! A run: start, load and faults, an end in peace, everything read back and checked.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use base::Prng;
use tokio::time::sleep;

use crate::acts::Supervisor;
use crate::arguments::{Arguments, Control};
use crate::checker::{self, Kind as Finding, Verdict};
use crate::cluster::{Cluster, NODES};
use crate::disk::{Faults, Loss};
use crate::failure::Failure;
use crate::faults::Kind;
use crate::historian::{Historian, Notes};
use crate::history::Evidence;
use crate::leases::Holders;
use crate::load::{Load, Settings};
use crate::readback;
use crate::tally::{Figures, Tally};
use crate::watchers::{Watchers, told_before};

/// Between two lines that say how it goes.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Load before the first fault and behind the last one.
const CALM: Duration = Duration::from_secs(1);

/// At its start a node publishes its addresses, its state, and two keys in the part of the store
/// that clients do not see, each once more when the first answer was lost; and the state of the
/// life before ends with its lease.
const HIDDEN_PER_START: u64 = 10;

/// So often each node publishes its figures there, perhaps twice.
const FIGURES_EVERY_S: u64 = 30;

/// Load of a control before and after its disks begin to lie.
const CONTROL: Duration = Duration::from_secs(3);

/// All who use the cluster.
struct Everybody {
    clients: Load,
    watchers: Watchers,
    holders: Holders,
    historian: Historian,
}

/// Does what the arguments ask for in `folder`; whether all was well.
pub(crate) async fn run(arguments: &Arguments, owner: u32, folder: &Path) -> Result<bool, Failure> {
    let mut kinds = match (arguments.control, arguments.faults.is_empty()) {
        (Some(Control::StaleReads), _) => [Kind::Pause, Kind::Partition, Kind::Kill].into(),
        (_, true) => Kind::usual(),
        (_, false) => arguments.faults.iter().copied().collect(),
    };
    let mut cluster = Cluster::prepare(arguments, owner, folder, &mut kinds)?;
    for (kind, why) in &cluster.missing {
        println!("not available on this machine: {kind}: {why}");
    }
    cluster.start_all()?;
    for number in 1..=NODES {
        if !cluster.up(number).await? {
            let words = cluster.node(number).last_words();
            return Err(Failure::new(format!("node {number} does not start: {words}")));
        }
    }
    let Arguments { clients, rate, seed, .. } = *arguments;
    let serializable = arguments.control == Some(Control::StaleReads);
    let settings = Settings { clients, rate, seed, serializable };
    let endpoints = cluster.endpoints();
    let clients = Load::start(settings, &endpoints)?;
    let watchers = Watchers::start(seed, &clients.progress, &endpoints)?;
    let holders = Holders::start(seed, &clients.progress, &endpoints)?;
    let historian = Historian::start(seed, &clients.progress, &endpoints, watchers.told())?;
    let load = Everybody { clients, watchers, holders, historian };
    let supervisor = Supervisor {
        cluster,
        progress: load.clients.progress.clone(),
        random: Prng::named(seed, "faults"),
        kinds,
        tally: Tally::default(),
        rotten: seed as usize % NODES + 1,
        journal: Vec::new(),
    };
    match arguments.control {
        None => chaos(arguments, folder, supervisor, load).await,
        Some(Control::NoFsync) => no_fsync(folder, supervisor, load).await,
        Some(Control::StaleReads) => stale_reads(supervisor, load).await,
    }
}

async fn chaos(
    arguments: &Arguments,
    folder: &Path,
    mut supervisor: Supervisor,
    load: Everybody,
) -> Result<bool, Failure> {
    let kinds: Vec<String> = supervisor.kinds.iter().map(ToString::to_string).collect();
    println!(
        "seed {}, {} minutes, faults: {}",
        arguments.seed,
        arguments.minutes,
        kinds.join(", ")
    );
    sleep(CALM).await;
    let begun = Instant::now();
    let length = Duration::from_secs_f64(arguments.minutes.clamp(0.0, 1e5) * 60.0);
    let mut said = begun;
    let mut outcome = Ok(());
    while begun.elapsed() < length && outcome.is_ok() {
        outcome = supervisor.act().await;
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            println!("{}", progress(&supervisor, begun.elapsed()));
        }
    }
    let length = begun.elapsed();
    let outcome = match outcome {
        Ok(()) => supervisor.make_good().await,
        failed => failed,
    };
    supervisor.save_journal(folder)?;
    outcome?;
    sleep(CALM).await;
    let (evidence, verdict) = judge(&mut supervisor, load).await?;
    let revisions = evidence.members.first().map_or(0, |member| member.revision);
    let figures = Figures::of(&evidence, revisions);
    println!("\n{}", supervisor.tally.table(length, &figures, &verdict));
    let missed = supervisor.tally.missed(length, &figures);
    missed.iter().for_each(|text| println!("missed: {text}"));
    supervisor.tally.findings.iter().for_each(|text| println!("finding: {text}"));
    if !verdict.is_good() {
        println!("{verdict}");
        save(&evidence, folder)?;
    }
    Ok(verdict.is_good() && missed.is_empty() && supervisor.tally.findings.is_empty())
}

fn progress(supervisor: &Supervisor, elapsed: Duration) -> String {
    use std::sync::atomic::Ordering::Relaxed;
    let progress = &supervisor.progress;
    let mut text = String::new();
    // Writing to a string succeeds.
    let _ok = write!(
        text,
        "{:6.0} s  {} faults  {} answered  {} unknown  {} findings",
        elapsed.as_secs_f64(),
        supervisor.tally.effective(),
        progress.answered.load(Relaxed),
        progress.unknown.load(Relaxed),
        supervisor.tally.findings.len(),
    );
    text
}

/// Ends the load, reads every member back and checks everything.
async fn judge(
    supervisor: &mut Supervisor,
    load: Everybody,
) -> Result<(Evidence, Verdict), Failure> {
    let Everybody { clients, watchers, holders, historian } = load;
    let progress = clients.progress.clone();
    clients.end().await?;
    let leases = holders.end().await?;
    let Notes { compactions, reads: past_reads } = historian.end().await?;
    // Only now: the holders of leases write and read on until they have ended.
    let operations = progress.take_operations();
    let edge = compactions.iter().map(|it| it.revision).max().unwrap_or(1);
    println!("{} operations, {} leases; reading every node back …", operations.len(), leases.len());
    readback::wait_for_leases(&supervisor.cluster.endpoints()).await?;
    let mut members = Vec::new();
    for place in supervisor.cluster.places() {
        let endpoint = supervisor.cluster.node(place).own().client.to_string();
        let number = u8::try_from(place).unwrap_or(u8::MAX);
        members.push(readback::member(number, &endpoint, edge).await?);
    }
    let starts: u64 = supervisor.cluster.nodes.iter().map(|node| node.starts).sum();
    let ended_ns = progress.now_ns();
    let figures = ended_ns / 1_000_000_000 / FIGURES_EVERY_S + 1;
    let nodes = supervisor.cluster.nodes.len() as u64;
    let hidden_max = starts * HIDDEN_PER_START + 2 * nodes * figures;
    let tail = members.first().map(|member| &member.events[..]).unwrap_or_default();
    let watchers = watchers.finish(tail).await?;
    let before = watchers.first().map(|all| told_before(all, edge)).unwrap_or_default();
    for member in &mut members {
        member.events.splice(0..0, before.iter().copied());
    }
    let evidence = Evidence {
        operations,
        leases,
        watchers,
        compactions,
        past_reads,
        members,
        ended_ns,
        hidden_max,
    };
    let begun = Instant::now();
    let verdict = checker::check(&evidence);
    println!("checked in {:.2?}", begun.elapsed());
    Ok((evidence, verdict))
}

/// Writes the history down for whoever looks for the reason.
fn save(evidence: &Evidence, folder: &Path) -> Result<(), Failure> {
    let path = folder.join("history.txt");
    let mut text = String::new();
    for operation in &evidence.operations {
        let _ok = writeln!(text, "{operation:?}");
    }
    for lease in &evidence.leases {
        let _ok = writeln!(text, "{lease:?}");
    }
    for watcher in &evidence.watchers {
        for stream in &watcher.streams {
            let _ok = writeln!(text, "watcher {} {stream:?}", watcher.number);
        }
    }
    for member in &evidence.members {
        for event in &member.events {
            let _ok = writeln!(text, "node {} {event:?}", member.number);
        }
    }
    let cannot = format!("cannot write {}", path.display());
    std::fs::write(path, text).map_err(Failure::because(cannot))
}

/// The disks lie: a sync does nothing. Then the power of all nodes is cut, and acknowledged writes
/// must be gone, or else this tool sees nothing.
async fn no_fsync(
    folder: &Path,
    mut supervisor: Supervisor,
    load: Everybody,
) -> Result<bool, Failure> {
    if supervisor.cluster.disks.is_empty() {
        return Err(Failure::new("this control needs disks that lie, see above"));
    }
    println!("control: from now on syncs do nothing, then the power of all nodes is cut");
    sleep(CONTROL).await;
    for disk in &supervisor.cluster.disks {
        disk.set(Faults { lies: true, ..Faults::default() });
    }
    sleep(CONTROL).await;
    for number in supervisor.cluster.places() {
        supervisor.cluster.node(number).signal(rustix::process::Signal::KILL);
    }
    for number in supervisor.cluster.places() {
        supervisor.cluster.node(number).gone().await?;
    }
    for disk in &supervisor.cluster.disks {
        disk.set(Faults::default());
        let cut = disk.cut(Loss::All, &mut supervisor.random);
        println!(
            "{} sectors and names were never synced; {} of them are lost",
            cut.pending, cut.lost
        );
    }
    supervisor.make_good().await?;
    sleep(CALM).await;
    let (evidence, verdict) = judge(&mut supervisor, load).await?;
    supervisor.save_journal(folder)?;
    let losses = verdict.count(Finding::LostWrite);
    println!("{verdict}");
    match losses {
        0 => {
            save(&evidence, folder)?;
            println!("control FAILED: no loss was found, so the power cut or the checker is blind");
        }
        _ => println!("control passed: {losses} lost writes were found, as they must be"),
    }
    Ok(losses > 0)
}

/// Reads that need not be fresh are judged as if they had to be: the checker must object.
async fn stale_reads(mut supervisor: Supervisor, load: Everybody) -> Result<bool, Failure> {
    println!("control: reads ask one node alone, while nodes are paused, cut off and killed");
    let begun = Instant::now();
    while begun.elapsed() < 4 * CONTROL {
        supervisor.act().await?;
    }
    supervisor.make_good().await?;
    let (_, verdict) = judge(&mut supervisor, load).await?;
    let (stale, losses) = (verdict.count(Finding::StaleRead), verdict.count(Finding::LostWrite));
    match stale {
        0 => println!(
            "control FAILED: no stale read was found, so the faults or the checker are blind"
        ),
        _ => println!("control passed: {stale} stale reads were found, as they must be"),
    }
    if losses > 0 {
        println!("{verdict}");
    }
    Ok(stale > 0 && losses == 0)
}
