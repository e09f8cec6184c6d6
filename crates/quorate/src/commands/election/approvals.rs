//! `quorate election approvals` and `approve`: acts that wait for a second person.

use crate::commands::Failure;
use crate::http::ApiClient;
use clap::Args;
use reqwest::Method;
use serde::{Deserialize, Serialize};

#[derive(Args, Debug)]
pub(super) struct ApproveArgs {
    /// What `quorate election approvals` shows in the first column
    #[arg(value_name = "PROPOSAL")]
    approval: String,
    /// Do not do it
    #[arg(long)]
    decline: bool,
}

#[derive(Deserialize)]
struct Proposals {
    items: Vec<Proposal>,
}

#[derive(Deserialize)]
struct Proposal {
    approval: String,
    act: String,
    election: String,
    by: String,
    /// Seconds since 1970.
    expires: u64,
}

#[derive(Serialize)]
struct Verdict {
    approve: bool,
}

pub(super) async fn list(api: &ApiClient) -> Result<(), Failure> {
    let proposals: Proposals = api.get_json("/api/v1/approvals").await?;
    for Proposal { approval, act, election, by, expires } in proposals.items {
        let until = base::show_utc(expires / 60);
        println!("{approval}  {act:<11}  {election}  proposed by {by}, until {until}");
    }
    Ok(())
}

pub(super) async fn decide(api: &ApiClient, args: ApproveArgs) -> Result<(), Failure> {
    let path = format!("/api/v1/approvals/{}", args.approval);
    api.send(Method::POST, &path, &Verdict { approve: !args.decline }).await?;
    println!("{}", if args.decline { "declined" } else { "done" });
    Ok(())
}
