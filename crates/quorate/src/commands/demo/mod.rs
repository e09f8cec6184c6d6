//! `quorate demo`: a whole election on this machine, with an accident in the middle.
//!
//! Nodes, administrator, issuer, trustees and auditor are processes of their own, started from
//! this same binary; only the voters are tasks in this one. What they chose is known here, so the
//! result can be held against the count in the clear.

mod casting;
mod children;
pub(crate) mod cluster;
mod entrance;
mod folder;
mod gap;
mod links;
mod logins;
mod office;
mod outage;
mod report;
mod results;
mod scenario;
mod script;
pub(crate) mod stage;
mod tour;

use super::{Failure, progress};
use crate::exit;
use casting::{Cast, Casting};
use children::Program;
use clap::Args;
use cluster::Cluster;
use folder::Folder;
use formats::pabulib::PbElection;
use indicatif::ProgressBar;
use office::{Office, Signed};
use outage::{Kills, Outage, Plan};
use report::{GapFacts, Summary, say};
use scenario::Scenario;
use script::Script;
use stage::control::Door;
use stage::{Settings, Stage};
use std::convert::Infallible;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A whole election on this machine: nodes, voters, an accident, the count, the proof
///
/// Starts the nodes, lets issuer and trustees do their work, casts every ballot through all
/// nodes in turn, kills the leader meanwhile and starts it again, counts, exports the archive and
/// verifies it. Then it stays up until Ctrl-C: a dashboard shows the nodes, lets you harm and mend
/// them, and elections follow one another.
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
    #[arg(long, conflicts_with = "kills")]
    no_kill: bool,
    /// Kill and restart nodes so many times while ballots are cast, evenly over the vote
    #[arg(long, value_name = "N", default_value_t = NonZeroU16::MIN)]
    kills: NonZeroU16,
    /// End when the election is verified
    #[arg(long)]
    exit: bool,
    /// Hold no further elections after the first one
    #[arg(long)]
    no_tour: bool,
    /// Let a series of faults come by itself: once with --exit, again and again without
    #[arg(long, value_name = "SCRIPT", value_enum)]
    script: Option<Script>,
    /// Port of the dashboard [default: any that is free]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
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

/// Writes a second while the script runs by itself.
const SCRIPT_LOAD: u64 = 100;

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
        shown.stay(command, &folder).await
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
    let stage = set_stage(command, &program, folder, &token_file).await?;
    let cluster = stage.cluster();
    say(&format!("{} nodes are up ({})", cluster.len(), since(started)));
    if !command.exit {
        let logins = logins::make(cluster, &token_file).await?;
        println!("{}", logins::shown(&dashboard(command, cluster).await?, &logins));
    }
    tour::begin(&stage, scenario, 1);
    let office = Office::create(&program, folder, cluster.web_urls(), scenario).await?;
    let vote = vote(command, scenario, folder, &office, &stage).await?;
    tour::end_voting(&stage, &vote.cast);
    let counted = count(&office, &archive, folder).await?;
    let summary = summary(
        scenario,
        &vote,
        counted,
        cluster,
        Kept {
            archive,
            is_archive_kept: command.archive.is_some() || !folder.is_temporary(),
            election: office.election().to_string(),
            token_file,
        },
    );
    print!("{summary}");
    let judged = judge(&summary, &vote, usize::from(command.kills.get()));
    let difference = report::first_difference(&summary.tables);
    stage.watchdog().counted(difference.map(|row| format!("Option '{}' differs.", row.option)));
    stage.scene().step = "done";
    Ok(Shown { stage, program, judged, invitation: summary.invitation() })
}

/// Starts the nodes, and whoever watches and steers them.
async fn set_stage(
    command: &DemoCommand,
    program: &Program,
    folder: &Folder,
    token_file: &Path,
) -> Result<Stage, Failure> {
    let door = Door::build(&folder.path().join(cluster::CONTROL)).await?;
    let token_file = token_file.to_owned();
    let cluster = Cluster::start(program.clone(), folder.path(), token_file, command.nodes).await?;
    let is_watched = !command.exit;
    let settings = Settings {
        load_per_second: 0,
        tour: is_watched && !command.no_tour,
        script: is_watched && command.script.is_some(),
    };
    let stage = Stage::set(&cluster, settings);
    door.open(&stage);
    Ok(stage)
}

/// Opens the address that outlives every node.
async fn dashboard(command: &DemoCommand, cluster: &Cluster) -> Result<String, Failure> {
    let address = (std::net::Ipv4Addr::LOCALHOST, command.port);
    let what = format!("cannot listen on port {}", command.port);
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.map_err(|error| Failure::because(exit::UNAVAILABLE, &what)(error))?;
    let address = listener.local_addr().map_err(Failure::because(exit::FAILED, "listener"))?;
    entrance::open(listener, cluster);
    Ok(format!("http://{address}"))
}

/// An election that is over, on nodes that are still up.
struct Shown {
    stage: Stage,
    program: Program,
    judged: Result<(), Failure>,
    invitation: String,
}

impl Shown {
    /// Lets people look around until Ctrl-C, unless the demonstration shall end or something was
    /// wrong; then stops the nodes.
    async fn stay(self, command: &DemoCommand, folder: &Folder) -> Result<(), Failure> {
        let mut judged = self.judged;
        if judged.is_ok() && !command.exit {
            print!("{}\n  Ctrl-C ends it\n", self.invitation);
            tokio::select! {
                () = interrupted() => {}
                never = tour::run(&self.stage, &self.program, folder) => match never {},
                never = script::follow(&self.stage) => match never {},
            }
        } else if judged.is_ok() && command.script.is_some() {
            self.stage.choose(|settings| settings.load_per_second = SCRIPT_LOAD);
            judged = script::once(&self.stage).await;
        }
        if !self.stage.cluster().stop().await {
            say("not every node stopped cleanly");
        }
        judged
    }
}

/// The vote from enrolment to close.
struct Vote {
    cast: Cast,
    casting_time: Duration,
    outage: Option<(Outage, Kills)>,
}

async fn vote(
    command: &DemoCommand,
    scenario: &Scenario,
    folder: &Folder,
    office: &Office<'_>,
    stage: &Stage,
) -> Result<Vote, Failure> {
    let cluster = stage.cluster();
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
    let casting = Casting::new(stage, office.election(), codes, receipts).await?;
    tour::begin_voting(stage, office, None);
    let started = Instant::now();
    let kills = !command.no_kill && cluster.len() > 1;
    let bar = progress::bar_on_stderr("casting");
    bar.set_length(scenario.ballots() as u64);
    let disturbed = async {
        if !kills {
            return Ok(None);
        }
        let plan = Plan {
            election: office.election(),
            ballots: scenario.ballots(),
            kills: usize::from(command.kills.get()),
            seed: command.seed.unwrap_or(1),
        };
        outage::run(cluster, plan, casting.progress(), &bar).await.map(Some)
    };
    let timed = async { Ok((casting.run(scenario).await?, started.elapsed())) };
    let shown = show_progress(&casting, &bar);
    let both = futures::future::try_join(timed, disturbed);
    let ((cast, casting_time), outage) = tokio::select! {
        both = both => both?,
        never = shown => match never {},
        never = tour::show(stage, &casting) => match never {},
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
        gap: outage.as_ref().map(|(outage, kills)| GapFacts {
            node: outage.node,
            kills: *kills,
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
fn judge(summary: &Summary, vote: &Vote, kills: usize) -> Result<(), Failure> {
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
    if let Some((_, done)) = &vote.outage
        && done.all < kills
    {
        let all = done.all;
        return wrong(format!("the vote was over after {all} of {kills} kills: cast more ballots"));
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
