//! The group over HTTP: its view for everybody at the admin listener, wishes and traces for whoever
//! holds the administrators' token.

use super::Admin;
use crate::group::{GroupView, MemberView};
use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use kv::api::{RangeRequest, Request};
use raft::{ChangeStep, MemberId, Plan};
use replica::{Wish, WishError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio_stream::wrappers::{BroadcastStream, ReceiverStream};

/// Longest trace.
const TRACE_MAX: Duration = Duration::from_secs(600);

/// `GET /cluster`.
#[derive(Debug, Serialize)]
struct ViewBody {
    cluster: String,
    member: u64,
    role: &'static str,
    term: u64,
    leader: Option<u64>,
    commit: u64,
    applied: u64,
    last: u64,
    base: u64,
    joint: bool,
    members: Vec<MemberBody>,
    restriction: Option<String>,
    disk_stalled_ms: u64,
    transfer_to: Option<u64>,
    snapshots_sending: u64,
    receiving_snapshot: bool,
    damaged_record: Option<u64>,
    halted: bool,
    records_repaired: u64,
    scrub_rounds: u64,
    log_segments_given_up: u64,
}

#[derive(Debug, Serialize)]
struct MemberBody {
    id: u64,
    address: String,
    voter: bool,
    plan: Option<String>,
    matched: Option<u64>,
    state: Option<&'static str>,
    silent_ms: Option<u64>,
}

/// `POST /cluster/change`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBody {
    steps: Vec<StepBody>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum StepBody {
    AddLearner { id: u64, address: String, plan: PlanBody },
    Promote { id: u64 },
    Demote { id: u64 },
    Remove { id: u64 },
    Describe { id: u64, address: String },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PlanBody {
    Stay,
    Promote,
    Replace(u64),
}

/// `POST /cluster/transfer`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferBody {
    to: Option<u64>,
}

/// `GET /cluster/trace`.
#[derive(Debug, Deserialize)]
pub(super) struct TraceQuery {
    seconds: Option<u64>,
}

/// `GET /cluster/backup`.
#[derive(Debug, Deserialize)]
pub(super) struct BackupQuery {
    stale: Option<bool>,
}

pub(super) async fn view(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    Json(body_of(admin.cluster, admin.group.view()))
}

fn body_of(cluster: u64, view: GroupView) -> ViewBody {
    ViewBody {
        cluster: format!("{cluster:016x}"),
        member: view.member,
        role: view.role,
        term: view.term,
        leader: view.leader,
        commit: view.commit,
        applied: view.applied,
        last: view.last,
        base: view.base,
        joint: view.is_joint,
        members: view.members.into_iter().map(member_of).collect(),
        restriction: view.restriction,
        disk_stalled_ms: view.disk_stalled_ms,
        transfer_to: view.transfer_to,
        snapshots_sending: view.snapshots_sending,
        receiving_snapshot: view.is_receiving_snapshot,
        damaged_record: view.health.damaged_record,
        halted: view.health.is_halted,
        records_repaired: view.health.records_repaired,
        scrub_rounds: view.health.scrub_rounds,
        log_segments_given_up: view.health.log_segments_given_up,
    }
}

fn member_of(member: MemberView) -> MemberBody {
    let MemberView { id, address, is_voter, plan, matched, state, silent_ms } = member;
    MemberBody { id, address, voter: is_voter, plan, matched, state, silent_ms }
}

pub(super) async fn change(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
    Json(body): Json<ChangeBody>,
) -> Response {
    let steps = body.steps.into_iter().map(step_of).collect();
    fulfil(&admin, &headers, Wish::Change(steps)).await
}

pub(super) async fn transfer(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
    Json(body): Json<TransferBody>,
) -> Response {
    fulfil(&admin, &headers, Wish::Transfer { to: body.to.map(MemberId::new) }).await
}

pub(super) async fn trace(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
    Query(query): Query<TraceQuery>,
) -> Response {
    if let Some(refusal) = refuse(&admin, &headers) {
        return refusal;
    }
    let time = query.seconds.map_or(TRACE_MAX, Duration::from_secs).min(TRACE_MAX);
    let lines = BroadcastStream::new(admin.group.trace())
        .map(|line| match line {
            Ok(line) => Bytes::from(line + "\n"),
            Err(lost) => Bytes::from(format!("… {lost}\n")),
        })
        .map(Ok::<_, std::io::Error>)
        .take_until(tokio::time::sleep(time));
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (kind, Body::from_stream(lines)).into_response()
}

/// Everything the node holds, secrets of the store included: for administrators.
pub(super) async fn backup(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
    Query(query): Query<BackupQuery>,
) -> Response {
    if let Some(refusal) = refuse(&admin, &headers) {
        return refusal;
    }
    // A read of the quorum: what was acknowledged before now is applied here after it.
    let key = kv::api::KeyRange::single(Bytes::from_static(b"\0"));
    let barrier = RangeRequest { range: key, count_only: true, ..RangeRequest::default() };
    if query.stale != Some(true)
        && let Err(error) = admin.client.call(Request::Range(barrier)).await
    {
        let text = format!(
            "{error}; what this node has by itself is given out with ?stale=true, and may lack \
             what the others acknowledged\n"
        );
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    let backups = admin.backups.clone();
    match tokio::task::spawn_blocking(move || backups.begin()).await {
        Ok(Ok((facts, parts))) => {
            let head = [(header::CONTENT_TYPE, "application/octet-stream".to_owned())];
            let size = [("x-quorate-state-bytes", facts.through.to_string())];
            (head, size, Body::from_stream(ReceiverStream::new(parts))).into_response()
        }
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn fulfil(admin: &Admin, headers: &HeaderMap, wish: Wish) -> Response {
    if let Some(refusal) = refuse(admin, headers) {
        return refusal;
    }
    match admin.group.wish(wish).await {
        Ok(membership) => (StatusCode::OK, format!("{membership}\n")).into_response(),
        Err(error) => {
            let code = match error {
                WishError::NoLeader => StatusCode::SERVICE_UNAVAILABLE,
                WishError::Refused(_) => StatusCode::CONFLICT,
                WishError::Unknown => StatusCode::GATEWAY_TIMEOUT,
            };
            (code, format!("{error}\n")).into_response()
        }
    }
}

/// Whoever may look at figures may not change the cluster.
fn refuse(admin: &Admin, headers: &HeaderMap) -> Option<Response> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if (admin.is_authorized)(token) {
        return None;
    }
    let text = "this needs the administrators' token (Authorization: Bearer …)\n";
    Some((StatusCode::UNAUTHORIZED, text).into_response())
}

fn step_of(step: StepBody) -> ChangeStep {
    match step {
        StepBody::AddLearner { id, address, plan } => {
            let plan = match plan {
                PlanBody::Stay => Plan::Stay,
                PlanBody::Promote => Plan::Promote,
                PlanBody::Replace(old) => Plan::Replace(old.into()),
            };
            ChangeStep::AddLearner { id: id.into(), context: address.into(), plan }
        }
        StepBody::Promote { id } => ChangeStep::Promote { id: id.into() },
        StepBody::Demote { id } => ChangeStep::Demote { id: id.into() },
        StepBody::Remove { id } => ChangeStep::Remove { id: id.into() },
        StepBody::Describe { id, address } => {
            ChangeStep::Describe { id: id.into(), context: address.into() }
        }
    }
}
