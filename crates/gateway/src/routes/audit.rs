//! Reading the audit log.

use super::accounts::Page;
use super::elections::parse_id;
use crate::audit::export::{self, Format};
use crate::audit::filter::{Filter, Order, page};
use crate::audit::{Kind, Line};
use crate::extract::{P, Q};
use crate::{Gateway, Problem};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};

/// Most entries in one answer.
const PAGE_MAX: usize = 500;

/// What is wanted, and where to go on.
#[derive(Deserialize)]
pub(crate) struct AuditQuery {
    actor: Option<String>,
    kind: Option<Kind>,
    election: Option<String>,
    since: Option<u64>,
    until: Option<u64>,
    text: Option<String>,
    #[serde(default)]
    order: Order,
    cursor: Option<u64>,
    limit: Option<usize>,
    #[serde(default)]
    format: Format,
}

impl AuditQuery {
    fn filter(&self) -> Filter {
        let filter = Filter {
            actor: self.actor.clone(),
            kind: self.kind,
            election: self.election.clone(),
            since: self.since,
            until: self.until,
            ..Filter::default()
        };
        filter.with_text(self.text.clone())
    }
}

pub(crate) async fn list(
    State(gateway): State<Gateway>,
    Q(query): Q<AuditQuery>,
) -> Result<Json<Page<Line>>, Problem> {
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let place = (query.order, query.cursor, limit);
    let found = page(&gateway.store, &query.filter(), place).await?;
    let next_cursor = found.next.map(|next| next.to_string());
    Ok(Json(Page { items: found.lines, next_cursor }))
}

pub(crate) async fn export(
    State(gateway): State<Gateway>,
    Q(query): Q<AuditQuery>,
) -> Result<Response, Problem> {
    Ok(export::export(gateway.store.clone(), query.filter(), query.format))
}

pub(crate) async fn list_election(
    gateway: State<Gateway>,
    P(id): P<String>,
    Q(query): Q<AuditQuery>,
) -> Result<Json<Page<Line>>, Problem> {
    list(gateway, Q(about(&id, query)?)).await
}

pub(crate) async fn export_election(
    gateway: State<Gateway>,
    P(id): P<String>,
    Q(query): Q<AuditQuery>,
) -> Result<Response, Problem> {
    export(gateway, Q(about(&id, query)?)).await
}

/// The election in the path, and no other one, however the query is filled in.
fn about(id: &str, query: AuditQuery) -> Result<AuditQuery, Problem> {
    let election = Some(parse_id(id)?.to_string());
    Ok(AuditQuery { election, ..query })
}

/// An act of a person, as `GET /desk` shows it.
#[derive(Serialize)]
pub(crate) struct DeskLine {
    number: u64,
    time_ms: u64,
    node: u64,
    account: String,
    entrance: String,
    act: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    election: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    status: u16,
    request_id: String,
}

/// `?cursor=&limit=&account=&election=`.
#[derive(Deserialize)]
pub(crate) struct DeskQuery {
    cursor: Option<u64>,
    limit: Option<usize>,
    account: Option<String>,
    election: Option<String>,
}

/// The acts alone.
pub(crate) async fn desk(
    State(gateway): State<Gateway>,
    Q(query): Q<DeskQuery>,
) -> Result<Json<Page<DeskLine>>, Problem> {
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let filter = Filter {
        actor: query.account,
        election: query.election,
        kind: Some(Kind::Act),
        ..Filter::default()
    };
    let found = page(&gateway.store, &filter, (Order::Oldest, query.cursor, limit)).await?;
    let items = found.lines.into_iter().map(desk_line).collect();
    Ok(Json(Page { items, next_cursor: found.next.map(|next| next.to_string()) }))
}

fn desk_line(Line { number, entry }: Line) -> DeskLine {
    DeskLine {
        number,
        time_ms: entry.time_ms,
        node: entry.node,
        account: entry.actor,
        entrance: entry.entrance.unwrap_or_default(),
        act: entry.act,
        election: entry.election,
        object: entry.object,
        status: entry.status.unwrap_or_default(),
        request_id: entry.request_id.unwrap_or_default(),
    }
}
