//! The admin listener: health with reasons, version, figures, the group. What only looks needs no
//! authentication and shows no secrets; what changes the group, or shows messages, needs the
//! administrators' token. Loopback unless the operator says otherwise.

mod cluster;

use crate::backup::Backups;
use crate::group::Group;
use crate::{Leadership, Metrics};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use client::Client;
use kv::api::{Request, Response};
use std::fmt::Write;
use std::sync::Arc;
use tokio::sync::watch;

/// Entries a member may be behind its own commit index and still count as ready.
const LAG_ENTRIES_MAX: u64 = 10_000;

/// A write that takes longer than this makes the node not ready.
const DISK_STALL_MS_MAX: u64 = 5_000;

/// What the endpoints look at.
#[derive(Clone)]
pub struct Admin {
    /// The store.
    pub client: Arc<dyn Client>,
    /// Part in consensus.
    pub leadership: watch::Receiver<Leadership>,
    /// Figures.
    pub metrics: Metrics,
    /// Version of the binary.
    pub version: String,
    /// Id of the cluster.
    pub cluster: u64,
    /// Members, wishes, traces.
    pub group: Group,
    /// Copies of the state.
    pub backups: Backups,
    /// Whether a text is the administrators' token.
    pub is_authorized: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

/// Serves `/livez`, `/readyz`, `/healthz`, `/version`, `/metrics` and `/cluster` until `stop`
/// resolves.
///
/// # Errors
/// Of the listener.
pub async fn serve(
    listener: tokio::net::TcpListener,
    admin: Admin,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/healthz", get(ready))
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .route("/cluster", get(cluster::view))
        .route("/cluster/change", post(cluster::change))
        .route("/cluster/transfer", post(cluster::transfer))
        .route("/cluster/trace", get(cluster::trace))
        .route("/cluster/backup", get(cluster::backup))
        .with_state(Arc::new(admin));
    axum::serve(listener, routes).with_graceful_shutdown(stop).await
}

async fn ready(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let leader = admin.leadership.borrow().leader;
    let mut report = String::new();
    let mut is_ready = true;
    let mut check = |name: &str, problem: Option<String>| {
        let line = match problem {
            None => writeln!(report, "[+] {name} ok"),
            Some(reason) => {
                is_ready = false;
                writeln!(report, "[-] {name} failed: {reason}")
            }
        };
        debug_assert!(line.is_ok(), "writing to a string succeeds");
    };
    check("leader", leader.is_none().then(|| "no leader is known".to_owned()));
    let lag = match admin.client.call(Request::Status).await {
        Ok(Response::Status(status)) => {
            let lag = status.raft_commit_index.saturating_sub(status.raft_applied_index);
            (lag > LAG_ENTRIES_MAX).then(|| format!("{lag} committed entries are not applied"))
        }
        Ok(_) => Some("the store gave an answer to something else".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    check("applied", lag);
    let view = admin.group.view();
    let stall = view.disk_stalled_ms;
    check(
        "disk",
        (stall > DISK_STALL_MS_MAX).then(|| {
            format!("a write has been under way for {stall} ms: the disk is full or stands still")
        }),
    );
    check("votes", view.restriction);
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, report)
}

async fn version(State(admin): State<Arc<Admin>>) -> String {
    format!("quorate {}\n", admin.version)
}

async fn metrics(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], admin.metrics.render())
}
