//! `quorate election export`.

use super::{Progress, failed, path};
use crate::commands::Failure;
use crate::files;
use crate::http::ApiClient;
use clap::Args;
use election::{Archive, ElectionId};
use ledger::Policy;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait until everything ordered is final.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// The election
    id: ElectionId,
    /// Where to put the archive; the authorities' keys go to FILE.trust
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) async fn run(api: &ApiClient, args: ExportArgs) -> Result<(), Failure> {
    let mut progress = Progress::default();
    let started = Instant::now();
    api.wait_for_election(
        args.id,
        |view| (view.settled || started.elapsed() > PATIENCE).then_some(()),
        |view| progress.tell(format!("{} of {} leaves are final", view.final_size, view.leaves)),
    )
    .await?;
    let bytes = api.get_bytes(&path(args.id, "archive")).await?;
    let archive = Archive::decode(&bytes).map_err(failed)?;
    let trust = api.get_bytes(&path(args.id, "trust")).await?;
    let trust = String::from_utf8(trust.to_vec()).map_err(failed)?;
    let policy = Policy::parse(&trust).map_err(failed)?;
    files::write_public(&args.out, &bytes)?;
    let mut trust_path = args.out.clone().into_os_string();
    trust_path.push(".trust");
    files::write_public(trust_path.as_ref(), trust.as_bytes())?;
    println!(
        "{} leaves to {}, {} authorities to {}",
        archive.leaves.len(),
        args.out.display(),
        policy.authorities().len(),
        PathBuf::from(trust_path).display()
    );
    eprintln!(
        "compare the authorities' keys with what was published elsewhere before you trust them"
    );
    Ok(())
}
