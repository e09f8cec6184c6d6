//! The admin listener: health with reasons, version, figures, the group. What only looks needs no
//! authentication and shows no secrets; what changes the group, or shows messages, needs the
//! administrators' token. Loopback unless the operator says otherwise.

mod cluster;

use crate::backup::Backups;
use crate::group::Group;
use crate::{Leadership, Metrics};
use axum::Json;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response as Answer};
use axum::routing::{get, post};
use client::Client;
use kv::api::{Request, Response};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
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
    /// Whether the node takes leave.
    pub draining: watch::Receiver<bool>,
    /// Figures of other parts of the process, in OpenMetrics without the end mark.
    pub others: Arc<dyn Fn() -> String + Send + Sync>,
    /// Where the node keeps its data.
    pub data_dir: PathBuf,
    /// When the process began.
    pub started: Instant,
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

/// One thing that must be so for the node to be ready.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    /// Why it is not so.
    problem: Option<String>,
}

/// `/readyz` as JSON.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    uptime_seconds: u64,
    checks: Vec<Check>,
}

/// Text for people and probes, JSON on `Accept: application/json`. Lists every check with
/// `?verbose`, or when one failed.
async fn ready(
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let checks = checks(&admin).await;
    let ready = checks.iter().all(|check| check.problem.is_none());
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.contains("application/json")) {
        let uptime_seconds = admin.started.elapsed().as_secs();
        return (code, Json(Readiness { ready, uptime_seconds, checks })).into_response();
    }
    let is_verbose =
        query.is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
    if ready && !is_verbose {
        return (code, "ok\n").into_response();
    }
    let mut report = String::new();
    for Check { name, problem } in &checks {
        let line = match problem {
            None => writeln!(report, "[+] {name} ok"),
            Some(reason) => writeln!(report, "[-] {name} failed: {reason}"),
        };
        debug_assert!(line.is_ok(), "writing to a string succeeds");
    }
    (code, report).into_response()
}

async fn checks(admin: &Admin) -> Vec<Check> {
    let leader = admin.leadership.borrow().leader;
    let lag = match admin.client.call(Request::Status).await {
        Ok(Response::Status(status)) => {
            let lag = status.raft_commit_index.saturating_sub(status.raft_applied_index);
            (lag > LAG_ENTRIES_MAX).then(|| format!("{lag} committed entries are not applied"))
        }
        Ok(_) => Some("the store gave an answer to something else".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    let view = admin.group.view();
    let stall = view.disk_stalled_ms;
    let stalled = (stall > DISK_STALL_MS_MAX).then(|| {
        format!("a write has been under way for {stall} ms: the disk is full or stands still")
    });
    let leaving = *admin.draining.borrow();
    let check = |name, problem| Check { name, problem };
    vec![
        check("leader", leader.is_none().then(|| "no leader is known".to_owned())),
        check("applied", lag),
        check("disk", stalled),
        check("votes", view.restriction),
        check("serving", leaving.then(|| "the node takes leave".to_owned())),
    ]
}

async fn version(State(admin): State<Arc<Admin>>) -> String {
    format!("quorate {}\n", admin.version)
}

async fn metrics(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let usage = crate::usage::usage(&admin.data_dir);
    admin.metrics.set_usage(&usage, admin.started.elapsed());
    let own = admin.metrics.render();
    let text = own.strip_suffix("# EOF\n").unwrap_or(&own).to_owned() + &(admin.others)();
    ([(header::CONTENT_TYPE, kind)], text + "# EOF\n")
}
