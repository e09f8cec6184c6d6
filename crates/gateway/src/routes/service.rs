//! What this node is.

use crate::views::{AuthorityView, NodeView};
use crate::{Gateway, Problem, openapi};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use kv::api::{KeyRange, RangeRequest, Request, Response};
use serde::Serialize;

/// Where authorities publish their keys; `election::keys::authority` adds the number.
const AUTHORITY_PREFIX: &[u8] = b"\0q/authority/";

/// See `GET /api/v1`.
#[derive(Serialize)]
pub(crate) struct About {
    service: &'static str,
    version: String,
    node: u64,
    openapi: &'static str,
}

pub(crate) async fn about(State(gateway): State<Gateway>) -> Json<About> {
    let facts = &gateway.node;
    Json(About {
        service: "quorate",
        version: facts.version.clone(),
        node: facts.node,
        openapi: "/api/v1/openapi.json",
    })
}

/// See `GET /api/v1/version`.
#[derive(Serialize)]
pub(crate) struct Version {
    version: String,
    /// Version of this API.
    api: u32,
    node: u64,
    name: String,
    /// Id of the cluster, hex.
    cluster: String,
    /// Seconds since the node started.
    uptime_s: u64,
    /// Whether it takes leave: go to another node.
    draining: bool,
}

pub(crate) async fn version(State(gateway): State<Gateway>) -> Json<Version> {
    let facts = &gateway.node;
    Json(Version {
        version: facts.version.clone(),
        api: 1,
        node: facts.node,
        name: facts.name.clone(),
        cluster: format!("{:016x}", facts.cluster),
        uptime_s: gateway.life.uptime_s(),
        draining: *gateway.draining.borrow(),
    })
}

pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi::DOCUMENT)
}

pub(crate) async fn node(State(gateway): State<Gateway>) -> Result<Json<NodeView>, Problem> {
    let status = gateway.client.call(Request::Status).await;
    let Ok(Response::Status(status)) = status else {
        return Err(Problem::unavailable("The store of this node does not answer."));
    };
    let facts = &gateway.node;
    Ok(Json(NodeView {
        node: facts.node,
        version: facts.version.clone(),
        authority_key: facts.authority_key.clone(),
        leader: status.leader,
        term: status.header.raft_term,
        revision: status.header.revision,
        authorities: authorities(&gateway).await?,
        origins: gateway.life.web_origins(),
    }))
}

/// The keys that authorities published in the store.
async fn authorities(gateway: &Gateway) -> Result<Vec<AuthorityView>, Problem> {
    let range = KeyRange::prefix(AUTHORITY_PREFIX);
    let request = RangeRequest { range, serializable: true, ..RangeRequest::default() };
    let Ok(Response::Range(found)) = gateway.client.call(Request::Range(request)).await else {
        return Err(Problem::unavailable("The store of this node does not answer."));
    };
    let view = |kv: &kv::api::KeyValue| {
        let index = election::keys::parse_authority(&kv.key)?;
        let vkey = String::from_utf8(kv.value.to_vec()).ok()?;
        Some(AuthorityView { index, vkey })
    };
    Ok(found.kvs.iter().filter_map(view).collect())
}
