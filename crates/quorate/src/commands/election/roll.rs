//! `quorate election roll`.

use super::{act, bad_file, path};
use crate::commands::Failure;
use crate::files;
use crate::http::{ApiClient, Octets};
use clap::Args;
use election::{ElectionId, roll::SMALL_CLASS};
use reqwest::Method;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct RollArgs {
    /// The election
    id: ElectionId,
    /// The public roll: lines `credential,weight,group`
    #[arg(value_name = "PUBLIC_ROLL")]
    roll: PathBuf,
    /// Only read the file and tell what is wrong
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Body {
    chunks: Vec<Octets>,
}

pub(super) async fn run(api: &ApiClient, args: RollArgs) -> Result<(), Failure> {
    let roll = formats::roll::read_public_roll(&files::read(&args.roll)?)
        .map_err(|wrong| bad_file(&args.roll, &wrong))?;
    let summary = roll.summary();
    eprintln!("{} voters of total weight {}", summary.count, summary.total_weight);
    if let Some(((group, weight), voters)) = roll.classes().smallest() {
        eprintln!(
            "note: the class of group {group} and weight {weight} has {voters} of the voters; \
             classes below {SMALL_CLASS} need accept_small_classes in the definition"
        );
    }
    if args.dry_run {
        println!("the roll is good; nothing was sent");
        return Ok(());
    }
    let body = Body { chunks: roll.chunks().into_iter().map(Octets).collect() };
    act(api, (Method::PUT, &path(args.id, "roll")), &body, &[]).await?;
    println!("the roll of {} voters is set", summary.count);
    Ok(())
}
