//! What can be listened to, and by whom.
//!
//! | topic | kind | who | message |
//! |---|---|---|---|
//! | `elections/{id}/turnout` | state | anybody | how many have voted |
//! | `elections/{id}/status` | state | anybody | phase, blockers, sizes |
//! | `elections/{id}/results` | state | anybody | the published result, or none |
//! | `elections/{id}/ledger` | list | anybody | entries with what became of them |
//! | `cluster/nodes` | state | accounts | the judged nodes and the verdict |
//! | `cluster/events` | list | accounts | lines of the event log |
//! | `audit` | list | administrators, auditors | acts of people with accounts |
//!
//! A *list* has numbered items; a listener that has item n gets n+1 next, at any node, without a
//! gap. A *state* is sent whole each time, so that the last message is all one needs.

use crate::auth::Role;
use crate::auth::directory::Caller;
use crate::auth::rights::Scope;
use election::ElectionId;
use std::fmt;
use std::str::FromStr;

/// What of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    Turnout,
    Status,
    Results,
    Ledger,
}

impl About {
    const ALL: [Self; 4] = [Self::Turnout, Self::Status, Self::Results, Self::Ledger];

    fn name(self) -> &'static str {
        match self {
            Self::Turnout => "turnout",
            Self::Status => "status",
            Self::Results => "results",
            Self::Ledger => "ledger",
        }
    }
}

/// One topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    Election([u8; 16], About),
    Nodes,
    Events,
    Audit,
}

impl Topic {
    /// Whether its items are numbered and none may be missed.
    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::Election(_, About::Ledger) | Self::Events | Self::Audit)
    }

    /// Whether `caller` may listen.
    pub(crate) fn is_open_to(self, caller: Option<&Caller>) -> bool {
        match (self, caller) {
            (Self::Election(..), _) => true,
            (Self::Nodes | Self::Events, caller) => caller.is_some(),
            (Self::Audit, None) => false,
            (Self::Audit, Some(caller)) => [Role::Administrator, Role::Auditor]
                .into_iter()
                .any(|role| caller.has(role, Scope::Everywhere, None)),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Election(id, about) => {
                write!(f, "elections/{}/{}", ElectionId(*id), about.name())
            }
            Self::Nodes => f.write_str("cluster/nodes"),
            Self::Events => f.write_str("cluster/events"),
            Self::Audit => f.write_str("audit"),
        }
    }
}

impl FromStr for Topic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let election = || {
            let (id, about) = text.strip_prefix("elections/")?.split_once('/')?;
            let about = About::ALL.into_iter().find(|known| known.name() == about)?;
            Some(Self::Election(id.parse::<ElectionId>().ok()?.0, about))
        };
        match text {
            "cluster/nodes" => Some(Self::Nodes),
            "cluster/events" => Some(Self::Events),
            "audit" => Some(Self::Audit),
            _ => election(),
        }
        .ok_or_else(|| "There is no such topic; /api/v1/openapi.json lists them.".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Grant;
    use crate::auth::directory::Entrance;

    fn caller(grants: Vec<Grant>) -> Caller {
        Caller { name: "ada".to_owned(), grants, within: None, entrance: Entrance::Operator }
    }

    #[test]
    fn names_are_read_back() {
        let id = [7; 16];
        let elections = About::ALL.map(|about| Topic::Election(id, about));
        for topic in elections.into_iter().chain([Topic::Nodes, Topic::Events, Topic::Audit]) {
            assert_eq!(topic.to_string().parse(), Ok(topic));
        }
        for wrong in ["", "elections/x/turnout", "elections//turnout", "cluster", "audit/"] {
            assert!(wrong.parse::<Topic>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn topics_are_for_roles() {
        let plain = caller(Vec::new());
        let trustee = caller(vec![Grant::everywhere(Role::Trustee)]);
        let auditor = caller(vec![Grant::everywhere(Role::Auditor)]);
        let open = |topic: Topic| {
            [None, Some(&plain), Some(&trustee), Some(&auditor)].map(|who| topic.is_open_to(who))
        };
        assert_eq!(open(Topic::Election([1; 16], About::Ledger)), [true; 4]);
        assert_eq!(open(Topic::Nodes), [false, true, true, true]);
        assert_eq!(open(Topic::Audit), [false, false, false, true]);
    }
}
