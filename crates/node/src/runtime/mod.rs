//! The threads of one member and the bounded queues between them.
//!
//! | thread | runs | takes from |
//! |---|---|---|
//! | `replica` | the replica machine, the peers' sockets | callers, peers, completions |
//! | `log` | [`LogStore`](replica::LogStore): write, sync | the replica's orders |
//! | `state` | [`StateStore`](replica::StateStore): apply | the replica's orders |
//! | `read` | reads on the state, beside applying | the replica's orders |
//! | `watch` | the watch hub | state, callers |
//!
//! Orders from the replica go through queues without a bound of their own: what can be in them is
//! bounded by consensus (uncommitted and unapplied bytes) and by the replica's tables of calls
//! under way. So the replica never waits for a disk, and no two threads can wait for each other.
//!
//! A thread that cannot go on (a failed sync, a damaged record) says why through [`Fatal`] and
//! the whole process ends: nothing is acknowledged after that.

pub(crate) mod log;
pub(crate) mod read;
pub(crate) mod replica;
pub(crate) mod state;
pub(crate) mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Where a thread says why it had to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fatal {
    shared: Arc<FatalShared>,
}

#[derive(Debug, Default)]
struct FatalShared {
    reason: Mutex<Option<String>>,
    raised: Notify,
}

impl Fatal {
    /// Keeps the first reason and wakes whoever waits.
    pub(crate) fn raise(&self, reason: impl Into<String>) {
        let reason = reason.into();
        tracing::error!(reason, "this node stops");
        self.slot().get_or_insert(reason);
        self.shared.raised.notify_one();
    }

    /// Waits for a reason.
    pub(crate) async fn raised(&self) -> String {
        loop {
            if let Some(reason) = self.slot().clone() {
                return reason;
            }
            self.shared.raised.notified().await;
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.shared.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
