//! What an administrator orders while an election is under way: `pause`, `resume`, `extend`,
//! `reset`, `change-roll`, `mark-paper`. Each order is signed here, with the number that the
//! ledger expects next.

use super::{bad_file, failed, path};
use crate::commands::Failure;
use crate::http::{ApiClient, CredentialView, Octets};
use crate::{exit, files};
use clap::Args;
use election::{ElectionId, Manifest, Order, Voter};
use reqwest::Method;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args, Clone, Debug)]
pub(super) struct OrderArgs {
    /// The election
    id: ElectionId,
    /// The administrator's key
    #[arg(long, value_name = "FILE")]
    admin_key: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct ExtendArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// The new closing in UTC, like "2027-03-01 20:00"
    #[arg(long, value_name = "MINUTE")]
    closes: String,
}

#[derive(Args, Debug)]
pub(super) struct ChangeRollArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// Add this credential, 64 hex digits
    #[arg(long, value_name = "KEY", conflicts_with_all = ["withdraw", "replace"])]
    add: Option<String>,
    /// Add every credential of this file, which `issuer roll --after` wrote: lines
    /// `credential,weight,group`; those that are on the roll already are passed over
    #[arg(long, value_name = "FILE", conflicts_with_all = ["add", "withdraw", "replace"])]
    add_all: Option<PathBuf>,
    /// How many votes the added credential's ballot counts
    #[arg(long, default_value_t = 1, requires = "add")]
    weight: u32,
    /// Number of the added credential's group
    #[arg(long, default_value_t = 0, requires = "add")]
    group: u8,
    /// Withdraw this credential, which has not voted
    #[arg(long, value_name = "KEY", conflicts_with = "replace")]
    withdraw: Option<String>,
    /// Replace this credential, which has not voted: its code is lost
    #[arg(long, value_name = "KEY", requires = "by")]
    replace: Option<String>,
    /// The credential that takes its place
    #[arg(long, value_name = "KEY", requires = "replace")]
    by: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct MarkPaperArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// The credential, 64 hex digits
    #[arg(long, value_name = "KEY")]
    credential: String,
}

#[derive(Serialize)]
struct Body {
    order: Octets,
}

/// Signs the order and has it ordered.
pub(super) async fn run(api: &ApiClient, args: OrderArgs, order: Order) -> Result<(), Failure> {
    let admin = files::admin_key(&args.admin_key, false)?;
    let bytes = api.get_bytes(&path(args.id, "manifest")).await?;
    let manifest = Manifest::decode(&bytes).map_err(failed)?;
    if manifest.id != args.id || manifest.admin != admin.public().to_bytes() {
        return Err(failed("this key is not the administrator's of this election"));
    }
    let number = api.election(args.id).await?.next_order;
    let signed = order.sign(number, &manifest.fingerprint(), &admin);
    let body = Body { order: Octets(signed.encode_with_kind()) };
    api.send(Method::POST, &path(args.id, "orders"), &body).await?;
    let done =
        |view: &crate::http::ElectionView| (view.next_order > number).then(|| view.phase.clone());
    let phase = api.wait_for_election(args.id, done, |_| {}).await?;
    println!("order {number} ({}) is on the ledger; the election is {phase}", order.kind().name());
    Ok(())
}

pub(super) async fn extend(api: &ApiClient, args: ExtendArgs) -> Result<(), Failure> {
    let closes = formats::definition::minutes_since_1970(&args.closes).ok_or_else(|| {
        let message = format!(
            "'{}' is no minute: expected a UTC time like \"2027-03-01 20:00\"",
            args.closes
        );
        Failure::new(exit::BAD_DATA, message)
    })?;
    run(api, args.order, Order::Extend { closes }).await
}

/// One order for each newcomer.
async fn add_all(api: &ApiClient, order: OrderArgs, path: &Path) -> Result<(), Failure> {
    let roll = formats::roll::read_public_roll(&files::read(path)?)
        .map_err(|wrong| bad_file(path, &wrong))?;
    let mut added = 0;
    for voter in roll.voters() {
        let key = hex::encode(voter.credential);
        let at = super::path(order.id, &format!("credentials/{key}"));
        let known: CredentialView = api.get_json(&at).await?;
        if !known.on_roll {
            run(api, order.clone(), Order::Add(*voter)).await?;
            added += 1;
        }
    }
    println!("{added} of {} voters were added to the roll", roll.voters().len());
    Ok(())
}

pub(super) async fn change_roll(api: &ApiClient, args: ChangeRollArgs) -> Result<(), Failure> {
    if let Some(path) = &args.add_all {
        return add_all(api, args.order, path).await;
    }
    let order = match (&args.add, &args.withdraw, &args.replace, &args.by) {
        (Some(key), ..) => {
            let (weight, group) = (args.weight, args.group);
            Order::Add(Voter { credential: read_key(key)?, weight, group })
        }
        (_, Some(key), ..) => Order::Withdraw { credential: read_key(key)? },
        (_, _, Some(old), Some(new)) => Order::Replace { old: read_key(old)?, new: read_key(new)? },
        _ => {
            let message = "say what changes: --add, --add-all, --withdraw, or --replace with --by";
            return Err(Failure::new(exit::BAD_DATA, message));
        }
    };
    run(api, args.order, order).await
}

pub(super) async fn mark_paper(api: &ApiClient, args: MarkPaperArgs) -> Result<(), Failure> {
    let credential = read_key(&args.credential)?;
    run(api, args.order, Order::MarkPaper { credential }).await
}

fn read_key(text: &str) -> Result<[u8; 32], Failure> {
    let mut key = [0; 32];
    match hex::decode_to_slice(text, &mut key) {
        Ok(()) => Ok(key),
        Err(_) => {
            let message = format!("'{text}' is no credential: expected 64 hex digits");
            Err(Failure::new(exit::BAD_DATA, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_64_hex_digits() {
        assert_eq!(read_key(&"0a".repeat(32)).ok(), Some([10; 32]));
        for wrong in ["", "0a", &"0g".repeat(32)] {
            let failure = read_key(wrong).expect_err("no credential");
            assert!(failure.message.contains("64 hex digits"), "{}", failure.message);
        }
    }
}
