//! `quorate demo`: a whole election on this machine, with an accident in the middle.
//!
//! Nodes, administrator, issuer, trustees and auditor are processes of their own, started from
//! this same binary; only the voters are tasks in this one. What they chose is known here, so the
//! result can be held against the count in the clear.

mod casting;
mod children;
mod cluster;
mod folder;
mod gap;
mod office;
mod outage;
mod report;
mod results;
mod scenario;

use super::{Failure, progress};
use crate::exit;
use crate::pabulib::PbElection;
use casting::{Cast, Casting};
use children::Program;
use clap::Args;
use cluster::Cluster;
use folder::Folder;
use indicatif::ProgressBar;
use office::{Office, Signed};
use outage::Outage;
use report::{GapFacts, Summary, say};
use scenario::Scenario;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A whole election on this machine: nodes, voters, an accident, the count, the proof
///
/// Starts the nodes, lets issuer and trustees do their work, casts every ballot through all
/// nodes in turn, kills the leader meanwhile and starts it again, counts, exports the archive and
/// verifies it. Stays up until Ctrl-C, so that you can look around.
#[derive(Args, Debug)]
pub(crate) struct DemoCommand {
    /// A real election in Pabulib format (approval or choose-1) instead of the built-in one
    #[arg(long, value_name = "FILE.pb")]
    election: Option<PathBuf>,
    /// How many nodes
    #[arg(long, value_name = "1|3|5", default_value = "3", value_parser = read_nodes)]
    nodes: u64,
    /// More voters, with random choices
    #[arg(long, value_name = "N", default_value_t = 0)]
    ballots: usize,
    /// Write the archive here, and the authorities' keys beside it as PATH.trust
    #[arg(long, value_name = "PATH")]
    archive: Option<PathBuf>,
    /// Keep everything in this new folder; without it, in a temporary one that goes at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Makes random choices and codes the same again
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Let the leader live
    #[arg(long)]
    no_kill: bool,
    /// End when the election is verified
    #[arg(long)]
    exit: bool,
}

/// Clusters of other sizes tolerate no more failures than the next smaller one of these.
fn read_nodes(text: &str) -> Result<u64, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        "5" => Ok(5),
        _ => Err("a cluster of this demonstration has 1, 3 or 5 nodes".to_owned()),
    }
}

/// Exit code of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// `quorate demo …`.
pub(crate) fn run(command: &DemoCommand) -> Result<(), Failure> {
    let scenario = scenario_of(command)?;
    let folder = Folder::make(command.data_dir.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::because(exit::FAILED, "cannot start the runtime"))?;
    let outcome = runtime.block_on(async {
        let shown = tokio::select! {
            shown = demonstrate(command, &scenario, &folder) => shown?,
            () = interrupted() => return Err(Failure::new(INTERRUPTED, "interrupted")),
        };
        shown.stay(command.exit).await
    });
    match &outcome {
        Err(failure) if failure.code != INTERRUPTED => {
            eprintln!("quorate: logs and data are in {}", folder.path().display());
        }
        _ => folder.remove(),
    }
    outcome
}

fn scenario_of(command: &DemoCommand) -> Result<Scenario, Failure> {
    let seed = command.seed.unwrap_or(1);
    let Some(path) = &command.election else { return Ok(Scenario::sample(command.ballots, seed)) };
    let name = path.display();
    let bytes = std::fs::read(path)
        .map_err(Failure::because(exit::BAD_DATA, &format!("cannot read {name}")))?;
    let election =
        PbElection::parse(&bytes).map_err(Failure::because(exit::BAD_DATA, &name.to_string()))?;
    if let Some((project, official, count)) = election.contradiction() {
        let message = format!(
            "{name}: option '{}' ({}): the official total is {official}, the ballots say {count}",
            project.name, project.id
        );
        return Err(Failure::new(exit::FAILED, message));
    }
    Ok(Scenario::from_pabulib(&election, command.ballots, seed))
}

async fn demonstrate(
    command: &DemoCommand,
    scenario: &Scenario,
    folder: &Folder,
) -> Result<Shown, Failure> {
    let archive = match &command.archive {
        Some(path) => folder::absolute(path)?,
        None => folder.path().join("election.archive"),
    };
    println!(
        "{}: {} voters, {} ballots",
        scenario.title,
        scenario.voters.len(),
        scenario.ballots()
    );
    let program = Program::own()?;
    let started = Instant::now();
    folder.write("token", &format!("{}\n", hex::encode(crate::random::bytes::<24>())))?;
    let token_file = folder.path().join("token");
    let mut cluster =
        Cluster::start(program.clone(), folder.path(), token_file.clone(), command.nodes).await?;
    say(&format!("{} nodes are up ({})", cluster.len(), since(started)));
    let office = Office::create(&program, folder, cluster.web_urls(), scenario).await?;
    let vote = vote(command, scenario, folder, &office, &mut cluster).await?;
    let counted = count(&office, &archive, folder).await?;
    let summary = summary(
        scenario,
        &vote,
        counted,
        &cluster,
        Kept {
            archive,
            is_archive_kept: command.archive.is_some() || !folder.is_temporary(),
            election: office.election().to_string(),
            token_file,
        },
    );
    print!("{summary}");
    let judged = judge(&summary, &vote);
    Ok(Shown { cluster, judged, invitation: summary.invitation() })
}

/// An election that is over, on nodes that are still up.
struct Shown {
    cluster: Cluster,
    judged: Result<(), Failure>,
    invitation: String,
}

impl Shown {
    /// Lets people look around until Ctrl-C, unless the demonstration shall end or something was
    /// wrong; then stops the nodes.
    async fn stay(self, ends_now: bool) -> Result<(), Failure> {
        if self.judged.is_ok() && !ends_now {
            print!("{}\n  Ctrl-C ends it\n", self.invitation);
            interrupted().await;
        }
        if !self.cluster.stop().await {
            say("not every node stopped cleanly");
        }
        self.judged
    }
}

/// The vote from enrolment to close.
struct Vote {
    cast: Cast,
    casting_time: Duration,
    outage: Option<Outage>,
}

async fn vote(
    command: &DemoCommand,
    scenario: &Scenario,
    folder: &Folder,
    office: &Office<'_>,
    cluster: &mut Cluster,
) -> Result<Vote, Failure> {
    let started = Instant::now();
    let codes = office.enrol(scenario, command.seed).await?;
    say(&format!(
        "the issuer has made {} codes, the roll is imported ({})",
        codes.len(),
        since(started)
    ));
    let started = Instant::now();
    office.open().await?;
    say(&format!("the trustees have made the key, the vote is open ({})", since(started)));
    let receipts = folder.path().join("receipts");
    let casting = Casting::new(&cluster.web_urls(), office.election(), codes, receipts).await?;
    let started = Instant::now();
    let kills = !command.no_kill && cluster.len() > 1;
    let bar = progress::bar_on_stderr("casting");
    bar.set_length(scenario.ballots() as u64);
    let disturbed = async {
        if !kills {
            return Ok(None);
        }
        let progress = casting.progress();
        outage::run(cluster, office.election(), scenario.ballots(), progress, &bar).await.map(Some)
    };
    let timed = async { Ok((casting.run(scenario).await?, started.elapsed())) };
    let shown = show_progress(&casting, &bar);
    let both = futures::future::try_join(timed, disturbed);
    let ((cast, casting_time), outage) = tokio::select! {
        both = both => both?,
        never = shown => match never {},
    };
    bar.finish_and_clear();
    say(&format!("{} ballots are final ({})", cast.finals, since(started)));
    let started = Instant::now();
    office.close().await?;
    say(&format!("the vote is closed ({})", since(started)));
    Ok(Vote { cast, casting_time, outage })
}

/// Moves the bar on; where there is no terminal nobody sees it.
async fn show_progress(casting: &Casting, bar: &ProgressBar) -> Infallible {
    let mut casting = casting.progress();
    loop {
        bar.set_position(casting.borrow_and_update().finals as u64);
        if casting.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What came out, and what the auditor says of it.
struct Counted {
    result: Vec<Vec<u64>>,
    signed: Signed,
    verdict: String,
    receipts: (usize, usize),
}

async fn count(office: &Office<'_>, archive: &Path, folder: &Folder) -> Result<Counted, Failure> {
    let started = Instant::now();
    let result = office.tally().await?;
    say(&format!("two of three trustees have decrypted the sums ({})", since(started)));
    let started = Instant::now();
    let signed = office.wait_signed().await?;
    office.export(&signed.node, archive).await?;
    let verdict = office.verify(archive).await?;
    let receipts = office.count_receipts(archive, &folder.path().join("receipts")).await?;
    say(&format!("the archive is exported and verified ({})", since(started)));
    Ok(Counted { result, signed, verdict, receipts })
}

/// What stays for whoever wants to look.
struct Kept {
    archive: PathBuf,
    is_archive_kept: bool,
    election: String,
    token_file: PathBuf,
}

fn summary(
    scenario: &Scenario,
    vote: &Vote,
    counted: Counted,
    cluster: &Cluster,
    kept: Kept,
) -> Summary {
    let Counted { result, signed, verdict, receipts } = counted;
    let name = |number: &usize| signed.names.get(number - 1).cloned().unwrap_or_default();
    let Vote { cast, casting_time, outage } = vote;
    Summary {
        title: scenario.title.clone(),
        tables: report::tables(scenario, &result),
        ordered: cast.ordered.len(),
        finals: cast.finals,
        refused: cast.refused.len(),
        unknown: cast.unknown.len(),
        receipts,
        gap: outage.as_ref().map(|outage| GapFacts {
            node: outage.node,
            cast_after: outage.ordered_after_kill(cast),
            cast_without: outage.ordered_without_node(cast),
            puts: outage.put_gap,
            ballots: outage.ballot_gap(cast),
        }),
        casting: *casting_time,
        cosigners: signed.signers.iter().map(name).collect(),
        authorities: signed.names.len(),
        checkpoint_size: signed.size,
        verdict,
        archive: kept.archive,
        is_archive_kept: kept.is_archive_kept,
        election: kept.election,
        token_file: kept.token_file,
        nodes: cluster.addresses().collect(),
    }
}

/// Whether everything that must hold holds.
fn judge(summary: &Summary, vote: &Vote) -> Result<(), Failure> {
    let wrong = |message: String| Err(Failure::new(exit::FAILED, message));
    if let Some(row) = report::first_difference(&summary.tables) {
        let official = row.official.map(|count| format!(", the official total {count}"));
        return wrong(format!(
            "option '{}': the result is {}, the count in the clear {}{}",
            row.option,
            row.result,
            row.clear,
            official.unwrap_or_default()
        ));
    }
    let (found, absent) = summary.receipts;
    if absent > 0 || found != summary.finals {
        return wrong(format!("{} ballots were final, {found} are in the archive", summary.finals));
    }
    if let Some(reason) = vote.cast.refused.first().or(vote.cast.unknown.first()) {
        return wrong(reason.clone());
    }
    if summary.cosigners.len() < summary.authorities {
        let (signed, all) = (summary.cosigners.len(), summary.authorities);
        return wrong(format!("only {signed} of {all} nodes have signed the final checkpoint"));
    }
    Ok(())
}

/// Resolves at Ctrl-C and at SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

fn since(started: Instant) -> String {
    format!("{:.1} s", started.elapsed().as_secs_f64())
}
