//! Lines of the ledger without the bytes of its entries: what a browser lists, a hundred thousand
//! and more, and what a curve over time is drawn from.

use crate::extract::{P, Q};
use crate::feed::data::{LedgerLine, line};
use crate::{Gateway, Problem};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

/// Most lines in one answer.
const LINES_MAX: usize = 2000;

/// Which entries: `?from=&limit=&every=`.
#[derive(Deserialize)]
pub(crate) struct Page {
    /// First entry, from 1.
    #[serde(default)]
    from: u64,
    limit: Option<usize>,
    /// Only every n-th entry, beginning with `from`.
    every: Option<u64>,
}

/// Lines, and where to go on.
#[derive(Serialize)]
pub(crate) struct Lines {
    entries: Vec<LedgerLine>,
    /// `from` of the next page, if there is more.
    next: Option<u64>,
    /// Number of the last entry held here.
    last: u64,
}

pub(crate) async fn list(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    Q(page): Q<Page>,
) -> Result<Json<Lines>, Problem> {
    let limit = page.limit.unwrap_or(LINES_MAX).min(LINES_MAX);
    let every = page.every.unwrap_or(1).max(1);
    let from = page.from.max(1);
    let lines = gateway.look(&id, move |view| {
        let last = view.position();
        let step = usize::try_from(every).unwrap_or(usize::MAX);
        let mut numbers = (from..=last).step_by(step);
        let entries = numbers.by_ref().take(limit).map(|number| line(view, number)).collect();
        Lines { entries, next: numbers.next(), last }
    });
    Ok(Json(lines.await?))
}
