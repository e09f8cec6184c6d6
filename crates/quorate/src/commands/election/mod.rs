//! `quorate election …`: what administrators, trustees and voters do. Everything secret is made
//! and used here; nodes get signatures, ciphertexts and proofs.

mod approvals;
mod audit;
mod cast;
mod ceremony;
mod close;
mod create;
mod enrol;
mod export;
mod open;
mod order;
mod rehearse;
mod results;
mod roll;
mod rounds;
mod show;
mod tally;

use super::Failure;
use crate::exit;
use crate::http::{ApiClient, ApiError, ElectionView, NodeArgs, PAUSE, block_on};
use clap::{Args, Subcommand};
use election::{Draft, ElectionId, Order};
use formats::definition::Wrong;
use reqwest::Method;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// How long an act is tried again that a node is not ready for, since it lags behind.
const LAG_PATIENCE: Duration = Duration::from_secs(15);

/// Hold an election
#[derive(Args, Debug)]
pub(crate) struct ElectionCommand {
    #[command(flatten)]
    nodes: NodeArgs,
    #[command(subcommand)]
    command: Act,
}

#[derive(Subcommand, Debug)]
enum Act {
    /// Announce an election from a definition in TOML and print its id
    Create(create::CreateArgs),
    /// List all elections
    List,
    /// Show one election
    Show {
        /// The election
        id: ElectionId,
    },
    /// Set the public roll that `issuer codes` wrote
    Roll(roll::RollArgs),
    /// Take part in the key ceremony as a trustee, and endorse the manifest
    Ceremony(ceremony::CeremonyArgs),
    /// Seal the manifest, wait for the endorsements, and open
    Open(open::OpenArgs),
    /// Make a voting code on this machine, and what the issuer needs to put its key on the roll
    Enrol(enrol::EnrolArgs),
    /// Cast a ballot with a voter's code
    Cast(cast::CastArgs),
    /// Take no ballots until the election is resumed
    Pause(order::OrderArgs),
    /// Take ballots again
    Resume(order::OrderArgs),
    /// Close later than announced, as far as the definition allows
    Extend(order::ExtendArgs),
    /// Forget all ballots of a test
    Reset(order::OrderArgs),
    /// Add, withdraw or replace a credential of the roll
    ChangeRoll(order::ChangeRollArgs),
    /// Mark that the holder of a credential votes on paper
    MarkPaper(order::MarkPaperArgs),
    /// List acts that wait for a second person
    Approvals,
    /// Agree to an act that somebody else has proposed, which is then done, or decline it
    Approve(approvals::ApproveArgs),
    /// Announce an election once more as a test with an id of its own
    Rehearse(rehearse::RehearseArgs),
    /// Close the election
    Close(close::CloseArgs),
    /// Decrypt the sums as a trustee, after verifying the whole ledger
    Tally(tally::TallyArgs),
    /// Print the published result
    Results(results::ResultsArgs),
    /// Show how entries became final: who proposed, checked, signed, is behind, refused what
    Rounds(rounds::RoundsArgs),
    /// Show who did what to an election, and when
    Audit(audit::AuditArgs),
    /// Save the archive for `quorate verify`, and the authorities' keys beside it
    Export(export::ExportArgs),
}

/// Whose file, and how to open it.
#[derive(Args, Debug)]
struct TrusteeArgs {
    /// Number of the trustee, from 1
    #[arg(long, value_name = "N")]
    trustee: u8,
    /// The trustee's secret file, sealed by a passphrase
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
    /// File with the passphrase in its first line; asked for when left out
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// `quorate election …`.
pub(crate) fn run(command: ElectionCommand) -> Result<(), Failure> {
    let api = ApiClient::from_args(&command.nodes)?;
    block_on(async {
        match command.command {
            Act::Create(args) => create::run(&api, args).await,
            Act::List => show::list(&api).await,
            Act::Show { id } => show::show(&api, id).await,
            Act::Roll(args) => roll::run(&api, args).await,
            Act::Ceremony(args) => ceremony::run(&api, args).await,
            Act::Open(args) => open::run(&api, args).await,
            Act::Enrol(args) => enrol::run(args).await,
            Act::Cast(args) => cast::run(&api, args).await,
            Act::Pause(args) => order::run(&api, args, Order::Pause).await,
            Act::Resume(args) => order::run(&api, args, Order::Resume).await,
            Act::Extend(args) => order::extend(&api, args).await,
            Act::Reset(args) => order::run(&api, args, Order::Reset).await,
            Act::ChangeRoll(args) => order::change_roll(&api, args).await,
            Act::MarkPaper(args) => order::mark_paper(&api, args).await,
            Act::Approvals => approvals::list(&api).await,
            Act::Approve(args) => approvals::decide(&api, args).await,
            Act::Rehearse(args) => rehearse::run(&api, args).await,
            Act::Close(args) => close::run(&api, args).await,
            Act::Tally(args) => tally::run(&api, args).await,
            Act::Results(args) => results::run(&api, args).await,
            Act::Rounds(args) => rounds::run(&api, args).await,
            Act::Audit(args) => audit::run(&api, args).await,
            Act::Export(args) => export::run(&api, args).await,
        }
    })
}

/// The path of something of an election.
fn path(id: ElectionId, what: &str) -> String {
    format!("/api/v1/elections/{id}/{what}")
}

fn failed(message: impl ToString) -> Failure {
    Failure::new(exit::FAILED, message)
}

/// All mistakes of an input file, one a line.
pub(super) fn bad_file(path: &Path, wrong: &[Wrong]) -> Failure {
    let lines: Vec<String> =
        wrong.iter().map(|wrong| format!("{}: {wrong}", path.display())).collect();
    let message = format!("nothing was taken from the file\n{}", lines.join("\n"));
    Failure::new(exit::BAD_DATA, message)
}

/// An election and its draft; waits a moment for a node that has only just heard of it.
async fn drafted(api: &ApiClient, id: ElectionId) -> Result<(ElectionView, Draft), Failure> {
    let started = Instant::now();
    let ready = |view: &ElectionView| {
        (view.draft.is_some() || started.elapsed() > LAG_PATIENCE).then(|| view.clone())
    };
    let view = api.wait_for_election(id, ready, |_| {}).await?;
    let draft = draft_of(&view, id)?;
    Ok((view, draft))
}

/// The draft of exactly this election.
fn draft_of(view: &ElectionView, id: ElectionId) -> Result<Draft, Failure> {
    let bytes = view.draft.as_ref().ok_or_else(|| failed("the election has no draft yet"))?;
    let draft = Draft::decode(&bytes.0).map_err(failed)?;
    if draft.id != id {
        return Err(failed(format!("the node sent the draft of election {}", draft.id)));
    }
    Ok(draft)
}

/// Does an act. `done` are refusals that mean it has been done before. What a node is not ready
/// for, because it lags behind the others, is tried again for a while.
async fn act(
    api: &ApiClient,
    (method, path): (Method, &str),
    body: &impl Serialize,
    done: &[&str],
) -> Result<(), Failure> {
    use election::refusal::code::{NO_MANIFEST, NOT_READY};
    let started = Instant::now();
    loop {
        match api.send(method.clone(), path, body).await {
            Ok(()) => return Ok(()),
            Err(ApiError::Refused(problem)) if done.contains(&problem.code.as_str()) => {
                return Ok(());
            }
            Err(ApiError::Refused(problem))
                if [NO_MANIFEST, NOT_READY].contains(&problem.code.as_str())
                    && started.elapsed() < LAG_PATIENCE =>
            {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Prints a line on standard error when it differs from the one before.
#[derive(Default)]
struct Progress(String);

impl Progress {
    fn tell(&mut self, line: String) {
        if self.0 != line {
            eprintln!("{line}");
            self.0 = line;
        }
    }
}
