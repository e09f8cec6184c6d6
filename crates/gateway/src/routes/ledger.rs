//! The public record: checkpoint, tiles, leaves, archive.

use crate::extract::{P, Q};
use crate::finality::{HEIGHTS_MAX, RoundsView};
use crate::views::{KeyChangeView, LeavesView, RefusedEntry};
use crate::{Gateway, Problem, finality, look};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};

const BYTES: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

/// Most leaves in one answer.
const LEAVES_MAX: usize = 4096;

/// Most refused entries in one answer.
const REFUSALS_MAX: usize = 1000;

pub(crate) async fn checkpoint(
    State(gateway): State<Gateway>,
    P(id): P<String>,
) -> Result<impl IntoResponse, Problem> {
    match gateway.look(&id, |view| view.final_checkpoint()).await? {
        Some(note) => Ok(([(header::CONTENT_TYPE, TEXT)], note.to_string())),
        None => Err(Problem::not_found("No checkpoint of this election is final yet.")),
    }
}

pub(crate) async fn tile(
    State(gateway): State<Gateway>,
    P((id, path)): P<(String, String)>,
) -> Result<impl IntoResponse, Problem> {
    let wanted = format!("tile/{path}");
    match gateway.look(&id, move |view| look::tile(view, &wanted)).await? {
        Some((bytes, is_full)) => {
            let cache = if is_full { "public, max-age=31536000, immutable" } else { "no-store" };
            Ok(([(header::CONTENT_TYPE, BYTES), (header::CACHE_CONTROL, cache)], bytes))
        }
        None => Err(Problem::not_found(format!(
            "The final ledger has no file tile/{path} (yet); the checkpoint says how far it goes."
        ))),
    }
}

/// Which leaves.
#[derive(Deserialize)]
pub(crate) struct Page {
    #[serde(default)]
    from: u64,
    limit: Option<usize>,
}

pub(crate) async fn leaves(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    Q(page): Q<Page>,
) -> Result<Json<LeavesView>, Problem> {
    let limit = page.limit.unwrap_or(LEAVES_MAX).min(LEAVES_MAX);
    Ok(Json(gateway.look(&id, move |view| look::leaves(view, page.from, limit)).await?))
}

/// `?heights=`.
#[derive(Deserialize)]
pub(crate) struct Heights {
    heights: Option<usize>,
}

pub(crate) async fn rounds(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    Q(query): Q<Heights>,
) -> Result<Json<RoundsView>, Problem> {
    let heights = query.heights.unwrap_or(HEIGHTS_MAX).min(HEIGHTS_MAX);
    Ok(Json(gateway.look(&id, move |view| finality::rounds(view, heights)).await?))
}

/// See `GET …/refusals`.
#[derive(Serialize)]
pub(crate) struct Refusals {
    refusals: Vec<RefusedEntry>,
    /// What to send as `after` for more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// `?after=&limit=`.
#[derive(Deserialize)]
pub(crate) struct RefusalsQuery {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

pub(crate) async fn refusals(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    Q(query): Q<RefusalsQuery>,
) -> Result<Json<Refusals>, Problem> {
    let limit = query.limit.unwrap_or(REFUSALS_MAX).clamp(1, REFUSALS_MAX);
    let found = gateway.look(&id, move |view| look::refusals(view, query.after, limit)).await?;
    Ok(Json(Refusals { refusals: found.0, next: found.1 }))
}

pub(crate) async fn archive(
    State(gateway): State<Gateway>,
    P(id): P<String>,
) -> Result<impl IntoResponse, Problem> {
    match gateway.look(&id, |view| view.archive()).await? {
        Some(archive) => Ok(([(header::CONTENT_TYPE, BYTES)], archive.encode())),
        None => Err(Problem::not_found("Nothing of this election is final yet.")),
    }
}

/// The authorities' keys and quorum as this node knows them. Whoever verifies compares them with
/// what was published elsewhere.
pub(crate) async fn trust(
    State(gateway): State<Gateway>,
    P(id): P<String>,
) -> Result<impl IntoResponse, Problem> {
    let policy = gateway
        .look(&id, |view| view.fold().manifest().map(|manifest| manifest.policy()))
        .await?
        .ok_or_else(|| Problem::not_found("The manifest of this election is not sealed yet."))?
        .map_err(|error| Problem::unavailable(format!("The manifest has no policy: {error}")))?;
    Ok(([(header::CONTENT_TYPE, TEXT)], policy.to_string()))
}

/// See `GET …/successions`.
#[derive(Serialize)]
pub(crate) struct Successions {
    successions: Vec<KeyChangeView>,
}

/// The keys that have followed those of the trust file. They come one at a time, each behind the
/// last one's finality and by hand, so a ledger holds few of them.
pub(crate) async fn successions(
    State(gateway): State<Gateway>,
    P(id): P<String>,
) -> Result<Json<Successions>, Problem> {
    let successions = gateway.look(&id, look::key_changes).await?;
    Ok(Json(Successions { successions }))
}
