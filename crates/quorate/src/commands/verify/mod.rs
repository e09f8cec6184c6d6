//! `quorate verify`: recomputes an election from its archive, and says check by check what holds.
//!
//! The work is crate `verifier`'s; here are files, progress and exit codes: 0 verified, 1 not
//! verified, 3 could not check or not anchored. Receipts ([`receipts`]) come on top: each must
//! stand in the archive as the ballot it was given for.

mod file;
mod receipts;
mod threads;

use super::{Failure, progress};
use crate::exit;
use clap::Args;
use file::ArchiveFile;
use ledger::Policy;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use threads::Threads;
use verifier::{Facts, Report, Verdict};

/// Check a whole election from its archive
///
/// The trust file holds the authorities' public keys and must come from elsewhere than the
/// archive: paper, mail, a web page you trust. Without it the best possible answer is
/// "consistent in itself, not anchored".
///
/// Exit code: 0 verified, 1 not verified, 3 could not check or not anchored.
#[derive(Args, Debug)]
pub(crate) struct VerifyCommand {
    /// The archive that `quorate election export` wrote
    archive: PathBuf,
    /// The authorities' public keys and their quorum
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Folder of `*.receipt` files: each one must stand in the archive
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    receipts: Option<PathBuf>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    /// Threads that check ballots at the same time; as many as there are cores if not given
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// Exit code: no verdict is possible.
const NOT_CHECKED: u8 = 3;

/// `quorate verify …`.
pub(crate) fn run(command: &VerifyCommand) -> Result<(), Failure> {
    let archive = open(&command.archive)?;
    let trust = command.trust.as_deref().map(read_trust).transpose()?;
    let report = report(&archive, trust.as_ref(), Threads::new(command.threads));
    if command.json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    let holds = matches!(report.verdict, Verdict::Verified | Verdict::ConsistentNotAnchored);
    if let Some(facts) = report.facts.as_ref().filter(|_| holds && !command.json) {
        print_facts(facts);
    }
    let counted = match &command.receipts {
        Some(folder) => receipts::count(folder, &archive, trust.as_ref())?,
        None => receipts::Count::default(),
    };
    if command.receipts.is_some() {
        print!("{counted}");
    }
    match report.verdict.exit_status() {
        0 if counted.absent.is_empty() => Ok(()),
        0 => Err(Failure::new(
            exit::FAILED,
            format!("{} receipts are not in the archive", counted.absent.len()),
        )),
        code => Err(Failure::new(code, summary(&report.verdict))),
    }
}

/// One line for standard error; the details stand in the list.
fn summary(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Verified => "verified".to_owned(),
        Verdict::NotVerified { check, entry: Some(entry), .. } => {
            format!("not verified: check {check} failed at entry {entry}")
        }
        Verdict::NotVerified { check, .. } => format!("not verified: check {check} failed"),
        Verdict::ConsistentNotAnchored => "not anchored: no trust file was given".to_owned(),
        Verdict::CouldNotCheck { .. } => "could not check".to_owned(),
    }
}

fn open(path: &Path) -> Result<ArchiveFile, Failure> {
    let what = format!("cannot read {}", path.display());
    ArchiveFile::open(path).map_err(Failure::because(NOT_CHECKED, &what))
}

fn read_trust(path: &Path) -> Result<Policy, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(Failure::because(NOT_CHECKED, &format!("cannot read {name}")))?;
    Policy::parse(&text).map_err(Failure::because(NOT_CHECKED, &format!("{name} is no trust file")))
}

/// Verifies with weights from the system's randomness, a bar on the terminal meanwhile.
fn report(archive: &ArchiveFile, trust: Option<&Policy>, mut threads: Threads) -> Report {
    let bar = progress::bar_on_stdout("checking leaves");
    let report = verifier::verify_by(archive, trust, &mut threads, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    report
}

fn print_facts(facts: &Facts) {
    println!();
    println!("election  {}  {}", facts.election, facts.manifest.definition.title);
    println!("leaves    {}", facts.size);
    if let Some(booth) = facts.manifest.definition.booth {
        println!("booth     {}  (pinned)", hex::encode(booth));
    }
    let Some(result) = &facts.result else { return };
    println!("ballots   {} counted", result.ballots);
    for (contest, counts) in facts.manifest.definition.contests.iter().zip(&result.counts) {
        println!("{}", contest.title);
        for (option, count) in counts.iter().enumerate() {
            println!("{count:>10}  {}", contest.option_text(option).unwrap_or("?"));
        }
    }
}
