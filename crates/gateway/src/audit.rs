//! The audit log: what people with accounts have done at the gateways, who logged in, what the
//! authorities put on the ledgers beside ballots, what they decided to be final, what alarms they
//! raised, who led the store. Who, what, to what, when, under which request, and how it ended.
//!
//! A numbered list in the store, the same at every node. Reading leaves no entry; whatever may
//! change something does, also when it was refused. Nobody's password, token or ballot is in it.
//! What the ledger and the alarms tell is noted by [`clerk`], each thing once.

pub(crate) mod clerk;
pub(crate) mod export;
pub(crate) mod filter;

use crate::auth::directory::{Caller, Entrance};
use crate::auth::rights::Object;
use crate::numbered::List;
use crate::store::Store;
use crate::{Gateway, clock, request_id};
use serde::{Deserialize, Serialize};

/// Where it lies; the last hundred thousand entries stay.
pub(crate) const LIST: List = List { prefix: "\0q/audit/", keep: 100_000 };

/// Where the decisions about finality lie: a busy election makes several a second, and they must
/// not push out what people did.
pub(crate) const DECISIONS: List = List { prefix: "\0q/audit-decisions/", keep: 100_000 };

/// What kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A call that may change something.
    Act,
    /// A session that began, was refused or ended.
    Login,
    /// An entry of a ledger that is no ballot.
    Ledger,
    /// Raised by an authority.
    Alarm,
    /// The store's leader and members.
    Cluster,
    /// What the authorities agreed on: a size and a root of a ledger.
    Finality,
}

impl Kind {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Act => "act",
            Self::Login => "login",
            Self::Ledger => "ledger",
            Self::Alarm => "alarm",
            Self::Cluster => "cluster",
            Self::Finality => "finality",
        }
    }

    /// Where entries of this kind lie.
    pub(crate) fn list(self) -> List {
        match self {
            Self::Finality => DECISIONS,
            Self::Act | Self::Login | Self::Ledger | Self::Alarm | Self::Cluster => LIST,
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Milliseconds since 1970 UTC, by the clock of the node that noted it.
    pub(crate) time_ms: u64,
    /// The node that noted it.
    pub(crate) node: u64,
    pub(crate) kind: Kind,
    /// The account, the authority or the node.
    pub(crate) actor: String,
    /// `session`, `api-token` or `operator`; for logins `password` or `oidc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) entrance: Option<String>,
    /// What: method and route, kind of entry, code of alarm …
    pub(crate) act: String,
    /// The election that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) election: Option<String>,
    /// The account or entry that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<String>,
    /// How it ended: the HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
}

impl Entry {
    /// An entry of now, without what not every entry has.
    pub(crate) fn new(node: u64, kind: Kind, actor: &str, act: impl Into<String>) -> Self {
        Self {
            time_ms: clock::milliseconds(),
            node,
            kind,
            actor: actor.to_owned(),
            entrance: None,
            act: act.into(),
            election: None,
            object: None,
            status: None,
            text: None,
            request_id: None,
        }
    }
}

/// An entry with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub(crate) number: u64,
    #[serde(flatten)]
    pub(crate) entry: Entry,
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
    let entrance = match &caller.entrance {
        Entrance::Session(_) => "session",
        Entrance::Token(_) => "api-token",
        Entrance::Operator => "operator",
    };
    let act = format!("{} {template}", method.to_uppercase());
    let entry = Entry {
        entrance: Some(entrance.to_owned()),
        election: object.election.map(str::to_owned),
        object: object.account.map(str::to_owned),
        status: Some(status),
        request_id: Some(request_id::current()),
        ..Entry::new(gateway.node.node, Kind::Act, &caller.name, act)
    };
    write(&gateway.store, &entry).await;
}

/// Notes what became of a session: `logged in`, `login refused`, `logged out` …
pub(crate) async fn note_login(gateway: &Gateway, account: &str, by: &str, act: &str) {
    let entry = Entry {
        entrance: Some(by.to_owned()),
        request_id: Some(request_id::current()),
        ..Entry::new(gateway.node.node, Kind::Login, account, act)
    };
    write(&gateway.store, &entry).await;
}

/// Writes an entry to the log of the process and to the list.
pub(crate) async fn write(store: &Store, entry: &Entry) {
    say(entry);
    if let Err(error) = LIST.add(store, entry).await {
        tracing::warn!(target: "audit", %error, "an entry could not be noted in the store");
    }
}

/// The log line of an entry.
fn say(entry: &Entry) {
    tracing::info!(
        target: "audit",
        kind = entry.kind.name(),
        actor = entry.actor,
        act = entry.act,
        election = entry.election,
        object = entry.object,
        status = entry.status,
        "noted"
    );
}
