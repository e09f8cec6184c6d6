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
use serde::Deserialize;

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
