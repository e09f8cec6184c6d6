//! `quorate election close`.

use super::{Progress, act, failed, path};
use crate::commands::Failure;
use crate::files;
use crate::http::{ApiClient, Octets};
use clap::Args;
use election::{Act, ElectionId, Manifest, refusal::code};
use reqwest::Method;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct CloseArgs {
    /// The election
    id: ElectionId,
    /// The administrator's key
    #[arg(long, value_name = "FILE")]
    admin_key: PathBuf,
}

/// An administrator's signature on an act.
#[derive(Serialize)]
pub(super) struct Signed {
    pub(super) signature: Octets,
}

pub(super) async fn run(api: &ApiClient, args: CloseArgs) -> Result<(), Failure> {
    let admin = files::admin_key(&args.admin_key, false)?;
    let bytes = api.get_bytes(&path(args.id, "manifest")).await?;
    let manifest = Manifest::decode(&bytes).map_err(failed)?;
    if manifest.id != args.id || manifest.admin != admin.public().to_bytes() {
        return Err(failed("this key is not the administrator's of this election"));
    }
    let signature = Octets(Act::Close.sign(&manifest.fingerprint(), &admin).to_vec());
    let view = api.election(args.id).await?;
    if view.phase == "open" || view.phase == "paused" {
        act(
            api,
            (Method::POST, &path(args.id, "close")),
            &Signed { signature },
            &[code::REPEATED, code::WRONG_PHASE],
        )
        .await?;
    } else if view.phase == "setup" {
        return Err(failed("the election has not been opened yet"));
    }
    let mut progress = Progress::default();
    let closed = |phase: &str| phase == "closed" || phase == "published";
    let turnout = api
        .wait_for_election(
            args.id,
            |view| (closed(&view.phase) && view.settled).then_some(view.turnout),
            |view| {
                let (done, all) = (view.final_size, view.leaves);
                progress.tell(format!("{}: {done} of {all} leaves are final", view.phase));
            },
        )
        .await?;
    println!(
        "closed: {} of {} voters have voted, {} ballots",
        turnout.voters, turnout.roll_voters, turnout.ballots
    );
    Ok(())
}
