//! `quorate election rehearse`: the same election once more, as a test.

use super::{create::announce, drafted};
use crate::commands::Failure;
use crate::files;
use crate::http::ApiClient;
use clap::Args;
use election::ElectionId;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct RehearseArgs {
    /// The election to rehearse
    id: ElectionId,
    /// The administrator's key of the rehearsal; made if there is no such file
    #[arg(long, value_name = "FILE")]
    admin_key: PathBuf,
    /// The rehearsal's id, 32 hex digits [default: random]
    #[arg(long, value_name = "HEX")]
    new_id: Option<ElectionId>,
}

/// The rehearsal is an election of its own: it needs a roll, a ceremony and an opening, and its
/// title and the mark of a test show everywhere what it is.
pub(super) async fn run(api: &ApiClient, args: RehearseArgs) -> Result<(), Failure> {
    let (_, draft) = drafted(api, args.id).await?;
    let admin = files::admin_key(&args.admin_key, true)?;
    announce(api, draft.definition.rehearsal(), &admin, args.new_id).await
}
