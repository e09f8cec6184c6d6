//! The engine over gRPC: any cluster that speaks the etcd v3 API.
//!
//! A client holds one connection per node, made when first needed, and talks to one node until
//! that node fails it; then it moves on to the next. Any subset of the cluster's nodes will do.
//!
//! What happens when a call fails ([`kv::caller`] decides, `call` does it):
//! - a refusal that says what is wrong with the request goes to the caller at once;
//! - a read, and a write that surely did not happen (the connection was never made, or the node
//!   said so), is tried on the next node, with growing pauses between the rounds, until the
//!   client's time is up;
//! - a write that may have happened is never sent twice: the caller gets an error whose
//!   [`Outcome`](kv::api::Outcome) is `Unknown`.
//!
//! A watch ([`watch`]) survives its node: it goes on at the next revision on another one, so that
//! its reader sees neither a gap nor an event twice.
//!
//! Left out on purpose: TLS and users, which the client listener does not offer yet.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use kv::api::{Error, Request, Response, Status, WatchRequest};

use crate::{Client, WatchStream};

mod answers;
mod attempt;
mod call;
mod endpoints;
mod failure;
mod requests;
mod watch;

pub use endpoints::EndpointError;
use endpoints::Endpoints;

/// How long a client tries; see the fields.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one call from its start to its last attempt.
    pub call: Duration,
    /// For one attempt of a call that may be repeated, so that a node which hangs does not use up
    /// the time of the others.
    pub attempt: Duration,
}

impl Default for Patience {
    /// Ten seconds and two: several campaigns fit into a call.
    fn default() -> Self {
        Self { call: Duration::from_secs(10), attempt: Duration::from_secs(2) }
    }
}

/// A client of a cluster.
#[derive(Clone, Debug)]
pub struct EtcdClient {
    endpoints: Arc<Endpoints>,
    patience: Patience,
}

impl EtcdClient {
    /// A client of the nodes at `endpoints` (`HOST:PORT` or `http://HOST:PORT`). Connects when
    /// first needed. Must be called inside a tokio runtime, which then carries the connections.
    ///
    /// # Errors
    /// An address that is none, or none at all.
    pub fn connect<E: AsRef<str>>(
        endpoints: impl IntoIterator<Item = E>,
    ) -> Result<Self, EndpointError> {
        let endpoints = Arc::new(Endpoints::parse(endpoints)?);
        Ok(Self { endpoints, patience: Patience::default() })
    }

    /// The same client with other limits of time.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// What each node says about itself, in the order the endpoints were given. A node that does
    /// not answer within one attempt's time is [`Error::Unreachable`].
    pub async fn statuses(&self) -> Vec<(String, Result<Status, Error>)> {
        let each = self.endpoints.iter().map(|endpoint| async {
            let status = attempt::status(endpoint.channel());
            let status = match tokio::time::timeout(self.patience.attempt, status).await {
                Ok(Ok(status)) => Ok(status),
                Ok(Err(failed)) => Err(failure::error(&failed)),
                Err(_elapsed) => Err(Error::Unreachable),
            };
            (endpoint.address().to_owned(), status)
        });
        join_all(each).await
    }
}

impl Client for EtcdClient {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, Error>> {
        call::call(&self.endpoints, self.patience, request).boxed()
    }

    fn watch(&self, request: WatchRequest) -> BoxFuture<'_, Result<WatchStream, Error>> {
        watch::open(self.endpoints.clone(), self.patience, request).boxed()
    }
}
