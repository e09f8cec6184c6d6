//! `quorate election create`.

use super::{bad_file, drafted, failed};
use crate::commands::Failure;
use crate::http::{ApiClient, Octets};
use crate::{exit, files};
use ballot::signature::SigningKey;
use clap::Args;
use election::{Definition, Draft, ElectionId};
use reqwest::Method;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct CreateArgs {
    /// The definition, in TOML
    #[arg(value_name = "DEFINITION.toml")]
    definition: PathBuf,
    /// The administrator's key; made if there is no such file
    #[arg(long, value_name = "FILE")]
    admin_key: PathBuf,
    /// The election's id, 32 hex digits [default: random]
    #[arg(long, value_name = "HEX")]
    id: Option<ElectionId>,
}

#[derive(Serialize)]
struct Body {
    draft: Octets,
    signature: Octets,
}

pub(super) async fn run(api: &ApiClient, args: CreateArgs) -> Result<(), Failure> {
    let text = String::from_utf8(files::read(&args.definition)?)
        .map_err(Failure::because(exit::BAD_DATA, "the definition is not UTF-8"))?;
    let definition = formats::definition::parse_toml(&text)
        .map_err(|wrong| bad_file(&args.definition, &wrong))?;
    let admin = files::admin_key(&args.admin_key, true)?;
    announce(api, definition, &admin, args.id).await
}

/// Announces an election and prints its id.
pub(super) async fn announce(
    api: &ApiClient,
    definition: Definition,
    admin: &SigningKey,
    id: Option<ElectionId>,
) -> Result<(), Failure> {
    let id = id.unwrap_or_else(|| ElectionId(crate::random::bytes()));
    let draft = Draft { id, definition, admin: admin.public().to_bytes() };
    let body =
        Body { draft: Octets(draft.encode()), signature: Octets(draft.sign(admin).to_vec()) };
    api.send(Method::POST, "/api/v1/elections", &body).await?;
    if drafted(api, id).await?.1 != draft {
        return Err(failed("there is another draft under this id"));
    }
    eprintln!("announced '{}'", draft.definition.title);
    println!("{id}");
    Ok(())
}
