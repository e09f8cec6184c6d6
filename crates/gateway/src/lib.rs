//! The web listener: HTTP and JSON for voters, administrators, trustees and auditors.
//!
//! The gateway decides nothing. It reads a request, checks what is cheap to check, hands it to
//! the authority of this node ([`runner`]) and renders the answer. Every refusal is a
//! [`Problem`] with a stable code. The whole surface is in [`openapi`].
#![forbid(unsafe_code)]

mod acts;
mod encoding;
mod look;
pub mod openapi;
mod problem;
mod routes;
pub mod runner;
mod token;
mod views;

pub use problem::Problem;
pub use runner::{AskError, AuthorityHandle, Journal};
pub use token::AdminToken;

use axum::Router;
use client::Client;
use std::sync::Arc;

/// Largest body of a ballot, in bytes: it must fit an entry of the ledger.
pub const BALLOT_BYTES_MAX: usize = 65_535;

/// Largest body of any other request, in bytes (a roll of some 200,000 voters).
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// What every handler sees.
#[derive(Clone)]
pub struct Gateway {
    authority: AuthorityHandle,
    client: Arc<dyn Client>,
    token: AdminToken,
    node: Arc<NodeFacts>,
}

/// What this node says of itself.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// Number of the node.
    pub node: u64,
    /// Version of the binary.
    pub version: String,
    /// Verifier key of its authority, as text.
    pub authority_key: String,
}

impl Gateway {
    /// A gateway to `authority` and the store `client`, with administrative calls behind `token`.
    pub fn new(
        authority: AuthorityHandle,
        client: Arc<dyn Client>,
        token: AdminToken,
        node: NodeFacts,
    ) -> Self {
        Self { authority, client, token, node: Arc::new(node) }
    }

    /// All routes.
    pub fn router(self) -> Router {
        routes::router(self)
    }

    /// Serves HTTP/1.1 on `listener` until `stop` resolves. gRPC needs HTTP/2, which this
    /// listener does not speak, so no call of the store's API can reach anything here.
    ///
    /// # Errors
    /// Of the listener.
    pub async fn serve(
        self,
        listener: tokio::net::TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        axum::serve(listener, self.router()).with_graceful_shutdown(stop).await
    }
}
