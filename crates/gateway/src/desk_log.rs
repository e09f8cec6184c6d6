//! The record of what people with accounts have done at the gateways: who, what, to what, when,
//! under which request, and how it ended.
//!
//! A numbered list in the store, the same at every node. Reading leaves no entry; whatever may
//! change something does, also when it was refused. Nobody's password, token or ballot is in it.

use crate::auth::directory::{Caller, Entrance};
use crate::auth::rights::Object;
use crate::numbered::List;
use crate::{Gateway, clock, request_id};
use serde::{Deserialize, Serialize};

/// Where it lies; the last hundred thousand acts stay.
pub(crate) const LIST: List = List { prefix: "\0q/desk/", keep: 100_000 };

/// One act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Milliseconds since 1970 UTC, by the node's clock.
    pub(crate) time_ms: u64,
    /// The node that was asked.
    pub(crate) node: u64,
    /// Who.
    pub(crate) account: String,
    /// `session`, `api-token` or `operator`.
    pub(crate) entrance: String,
    /// What: method and route.
    pub(crate) act: String,
    /// The election that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) election: Option<String>,
    /// The account that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<String>,
    /// How it ended: the HTTP status.
    pub(crate) status: u16,
    pub(crate) request_id: String,
}

/// Notes an act. A store that cannot be written loses no more than the note: the act itself would
/// not have gone through either, and the log line stays.
pub(crate) async fn note(
    gateway: &Gateway,
    caller: &Caller,
    method: String,
    template: &str,
    object: &Object<'_>,
    status: u16,
) {
    let entry = Entry {
        time_ms: clock::milliseconds(),
        node: gateway.node.node,
        account: caller.name.clone(),
        entrance: match &caller.entrance {
            Entrance::Session(_) => "session".to_owned(),
            Entrance::Token(_) => "api-token".to_owned(),
            Entrance::Operator => "operator".to_owned(),
        },
        act: format!("{} {template}", method.to_uppercase()),
        election: object.election.map(str::to_owned),
        object: object.account.map(str::to_owned),
        status,
        request_id: request_id::current(),
    };
    tracing::info!(
        target: "audit",
        account = entry.account,
        act = entry.act,
        election = entry.election,
        object = entry.object,
        status = entry.status,
        "act"
    );
    if let Err(error) = LIST.add(&gateway.store, &entry).await {
        tracing::warn!(target: "audit", %error, "the act could not be noted in the store");
    }
}
