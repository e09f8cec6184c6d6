//! The nodes, as this one sees them.

use super::accounts::Page;
use crate::extract::Q;
use crate::life::judge::ClusterView;
use crate::life::{ClusterEvent, EVENTS};
use crate::{Gateway, Problem};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

/// Most events in one answer.
const PAGE_MAX: usize = 500;

pub(crate) async fn view(State(gateway): State<Gateway>) -> Json<ClusterView> {
    gateway.life.look();
    Json(gateway.life.view())
}

/// One event with its number.
#[derive(Serialize)]
pub(crate) struct EventLine {
    number: u64,
    #[serde(flatten)]
    event: ClusterEvent,
}

/// `?cursor=&limit=`.
#[derive(Deserialize)]
pub(crate) struct EventsQuery {
    #[serde(default)]
    cursor: u64,
    limit: Option<usize>,
}

pub(crate) async fn events(
    State(gateway): State<Gateway>,
    Q(query): Q<EventsQuery>,
) -> Result<Json<Page<EventLine>>, Problem> {
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let found = EVENTS.after(&gateway.store, query.cursor, limit).await?;
    let is_full = found.len() == limit;
    let next_cursor = found.last().filter(|_| is_full).map(|(number, _)| number.to_string());
    let line = |(number, event)| EventLine { number, event };
    Ok(Json(Page { items: found.into_iter().map(line).collect(), next_cursor }))
}
