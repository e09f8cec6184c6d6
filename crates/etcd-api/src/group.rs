//! What the services Cluster and Maintenance need of the group itself: who takes part, and the way
//! to change that. Whoever serves the API brings it along; nothing here decides anything.

use std::net::SocketAddr;

use futures::future::BoxFuture;
use kv::api::Error;
use tonic::Status;

use crate::error::status;

/// A member of the group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// Its number, not what clients are shown for it.
    pub id: u64,
    /// Where its peers reach it, `HOST:PORT`.
    pub peer: String,
    /// Whether it only receives the log.
    pub is_learner: bool,
}

/// A wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupChange {
    /// Take a node in, as a learner. If it is to vote, it does so once it has caught up.
    Add {
        /// Where its peers reach it.
        peer: SocketAddr,
        /// Whether it is to stay a learner.
        is_learner: bool,
    },
    /// Let a member go.
    Remove {
        /// Its number.
        id: u64,
    },
    /// A member is reached elsewhere.
    Move {
        /// Its number.
        id: u64,
        /// Where its peers reach it.
        peer: SocketAddr,
    },
    /// Let a learner vote.
    Promote {
        /// Its number.
        id: u64,
    },
    /// Let that voter lead.
    Transfer {
        /// Its number.
        to: u64,
    },
}

/// Why a wish is not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupError {
    /// A refusal that etcd has words for.
    Known(Error),
    /// Another one, in the group's own words; nothing was changed.
    Refused(String),
}

impl From<GroupError> for Status {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Known(error) => status(error),
            GroupError::Refused(text) => Status::failed_precondition(format!("quorate: {text}")),
        }
    }
}

/// The group as the answering node sees it.
pub trait Group: Send + Sync + 'static {
    /// Who takes part, ascending.
    fn members(&self) -> Vec<GroupMember>;

    /// Wishes for a change and waits until it is done; the number of the member it concerned.
    fn change(&self, change: GroupChange) -> BoxFuture<'_, Result<u64, GroupError>>;
}
