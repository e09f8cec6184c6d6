//! The etcd v3 API (contract 3.5) in front of any [`Client`]: translation only, no state.
//!
//! One file per service. A request comes in as protobuf, `convert` makes it one of [`kv::api`],
//! `guard` refuses what the public may not touch, the client answers, `convert` makes the answer
//! protobuf again, and `error` gives a refusal the code and exact text that etcd's clients map
//! back. `edge` is what the services share: the call itself, the header's ids, and the refusal of
//! calls that ask for a leader while there is none. `texts` gives words to what tonic refuses
//! before a service sees it.
//!
//! A watch or lease stream is one task; everything it holds is bounded. Streams end when the
//! server stops.
//!
//! Left out on purpose: what the `.proto` files do not list is answered `Unimplemented`.
#![forbid(unsafe_code)]

use std::future::Future;
use std::sync::Arc;

use client::Client;
use client::proto::etcdserverpb as pb;
use client::proto::health::health_server::HealthServer;
use futures::StreamExt;
use pb::cluster_server::ClusterServer;
use pb::kv_server::KvServer;
use pb::lease_server::LeaseServer;
use pb::maintenance_server::MaintenanceServer;
use pb::watch_server::WatchServer;
use tokio::net::TcpListener;
use tokio::sync::watch as signal;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

mod cluster;
mod convert;
mod edge;
mod error;
mod group;
mod guard;
mod health;
mod kv_service;
mod leader;
mod lease;
mod maintenance;
mod scheme;
mod texts;
mod watch;

use edge::Edge;
pub use group::{Group, GroupChange, GroupError, GroupMember};

/// Calls and streams that one connection may have open; more wait at the client.
pub const CONCURRENT_STREAMS_MAX: u32 = 4096;

/// Room for framing above the largest request, so that a request a little too large is refused in
/// etcd's words and not by the transport (etcd's `grpcOverheadBytes`).
const MESSAGE_OVERHEAD_BYTES: usize = 512 * 1024;

/// Largest message taken off the wire, in bytes.
const MESSAGE_BYTES_MAX: usize = kv::api::REQUEST_BYTES_MAX + MESSAGE_OVERHEAD_BYTES;

/// What the answers say about the member and its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// The cluster's id.
    pub cluster_id: u64,
    /// The answering member's id.
    pub member_id: u64,
    /// Its name.
    pub name: String,
    /// Where clients reach it, `HOST:PORT`.
    pub client: String,
    /// The version that is told to clients, `3.5.x`: some of them choose what to ask by it.
    pub version: String,
}

/// Serves `listener` until `shutdown` is ready; then ends all streams, answers the calls under
/// way, and returns. Runs on whatever runtime it is called from, `current_thread` too.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    client: Arc<dyn Client>,
    group: Arc<dyn Group>,
    info: ServerInfo,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    tracing::info!(name = info.name, member = info.member_id, "serving the etcd API");
    let (stop, stopped) = signal::channel(());
    let leader = leader::Sight::watch(client.clone(), stopped.clone());
    let edge = Edge::new(client, group, info, leader, stopped);
    let shutdown = async move {
        shutdown.await;
        drop(stop);
    };
    let connections = TcpIncoming::from(listener).with_nodelay(Some(true));
    let connections = connections.map(|accepted| accepted.map(scheme::Mended::new));
    Server::builder()
        .max_concurrent_streams(CONCURRENT_STREAMS_MAX)
        .serve_with_incoming_shutdown(texts::Texts::new(routes(&edge)), connections, shutdown)
        .await
}

/// All services, each with the bound on messages.
fn routes(edge: &Edge) -> Routes {
    let kv = KvServer::new(kv_service::Kv(edge.clone()));
    let watch = WatchServer::new(watch::Watch(edge.clone()));
    let lease = LeaseServer::new(lease::Lease(edge.clone()));
    let cluster = ClusterServer::new(cluster::Cluster(edge.clone()));
    let maintenance = MaintenanceServer::new(maintenance::Maintenance(edge.clone()));
    let health = HealthServer::new(health::Health(edge.clone()));
    Routes::new(kv.max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(watch.max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(lease.max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(cluster.max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(maintenance.max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(health.max_decoding_message_size(MESSAGE_BYTES_MAX))
}
