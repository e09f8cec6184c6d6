//! Reading the record of acts.

use super::accounts::Page;
use crate::desk_log::{Entry, LIST};
use crate::extract::Q;
use crate::{Gateway, Problem};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

/// Most entries in one answer.
const PAGE_MAX: usize = 500;

/// One entry with its number.
#[derive(Serialize)]
pub(crate) struct Line {
    pub(crate) number: u64,
    #[serde(flatten)]
    pub(crate) entry: Entry,
}

/// `?cursor=&limit=&account=&election=`.
#[derive(Deserialize)]
pub(crate) struct DeskQuery {
    /// Number of the last entry that is known already.
    #[serde(default)]
    cursor: u64,
    limit: Option<usize>,
    account: Option<String>,
    election: Option<String>,
}

pub(crate) async fn list(
    State(gateway): State<Gateway>,
    Q(query): Q<DeskQuery>,
) -> Result<Json<Page<Line>>, Problem> {
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let found = LIST.after(&gateway.store, query.cursor, limit).await?;
    let lines: Vec<Line> =
        found.into_iter().map(|(number, entry)| Line { number, entry }).collect();
    let last = lines.last().map(|line| line.number);
    let is_full = lines.len() == limit;
    let is_wanted = |line: &Line| {
        let entry = &line.entry;
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        is(&query.account, Some(&entry.account)) && is(&query.election, entry.election.as_deref())
    };
    let items = lines.into_iter().filter(is_wanted).collect();
    let next_cursor = last.filter(|_| is_full).map(|last| last.to_string());
    Ok(Json(Page { items, next_cursor }))
}
