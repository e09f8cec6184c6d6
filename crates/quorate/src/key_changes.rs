//! The authorities' changes of keys, as nodes tell them.

use crate::commands::Failure;
use crate::exit;
use crate::http::ApiClient;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use election::Manifest;
use election::succession::Successions;
use ledger::{Policy, Receipt};
use serde::Deserialize;

/// What `GET …/successions` answers.
#[derive(Deserialize)]
struct Answer {
    successions: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    entry: String,
    receipt: String,
}

impl Change {
    fn read(&self) -> Result<(Vec<u8>, Receipt), String> {
        let entry = STANDARD.decode(&self.entry).map_err(|error| error.to_string())?;
        Ok((entry, Receipt::parse(&self.receipt).map_err(|error| error.to_string())?))
    }
}

/// The changes that are final, checked against the keys of a policy.
///
/// # Errors
/// When no node answers, or a change does not hold.
pub(crate) async fn follow(
    api: &ApiClient,
    manifest: &Manifest,
    policy: &Policy,
) -> Result<Successions, Failure> {
    let path = format!("/api/v1/elections/{}/successions", manifest.id);
    let answer: Answer = api.get_json(&path).await?;
    let changes = answer.successions.iter().map(Change::read).collect::<Result<Vec<_>, _>>();
    changes
        .and_then(|changes| Successions::follow(manifest, policy, &changes))
        .map_err(Failure::because(exit::FAILED, "the node's changes of keys do not hold"))
}
