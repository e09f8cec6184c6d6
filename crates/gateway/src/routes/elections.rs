//! Looking at elections.

use crate::extract::P;
use crate::views::{CeremonyMessage, ElectionDetail, ElectionSummary, ResultView};
use crate::{Gateway, Problem, look};
use authority::ElectionView;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use election::ElectionId;
use serde::Serialize;

/// Reads the election's id in a path.
pub(crate) fn parse_id(text: &str) -> Result<ElectionId, Problem> {
    text.parse().map_err(|error| {
        Problem::malformed(format!("'{text}' is no election id: {error}; ids have 32 hex digits."))
    })
}

impl Gateway {
    /// Looks at one election on the authority's thread.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        id: &str,
        look: impl FnOnce(ElectionView<'_>) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let id = parse_id(id)?;
        let found = self.authority.query(move |authority| look::at(authority, id, look)).await?;
        found.ok_or_else(|| Problem::not_found(format!("This node knows no election {id}.")))
    }
}

/// A list under a name, so that more fields may come.
#[derive(Serialize)]
pub(crate) struct Elections {
    elections: Vec<ElectionSummary>,
}

pub(crate) async fn list(State(gateway): State<Gateway>) -> Result<Json<Elections>, Problem> {
    let elections = gateway.authority.query(look::elections).await?;
    Ok(Json(Elections { elections }))
}

pub(crate) async fn show(
    State(gateway): State<Gateway>,
    P(id): P<String>,
) -> Result<Json<ElectionDetail>, Problem> {
    Ok(Json(gateway.look(&id, look::detail).await?))
}

/// See `GET …/roll`.
#[derive(Serialize)]
pub(crate) struct Chunks {
    chunks: Vec<String>,
}

pub(crate) async fn roll(
    State(gateway): State<Gateway>,
    P(id): P<String>,
) -> Result<Json<Chunks>, Problem> {
    Ok(Json(Chunks { chunks: gateway.look(&id, look::roll).await? }))
}

/// See `GET …/ceremony`.
#[derive(Serialize)]
pub(crate) struct Messages {
    messages: Vec<CeremonyMessage>,
}

pub(crate) async fn ceremony(
    State(gateway): State<Gateway>,
    P(id): P<String>,
) -> Result<Json<Messages>, Problem> {
    Ok(Json(Messages { messages: gateway.look(&id, look::ceremony).await? }))
}

pub(crate) async fn manifest(
    State(gateway): State<Gateway>,
    P(id): P<String>,
) -> Result<impl IntoResponse, Problem> {
    match gateway.look(&id, look::manifest).await? {
        Some(bytes) => Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes)),
        None => Err(Problem::not_found("The manifest of this election is not sealed yet.")),
    }
}

pub(crate) async fn result(
    State(gateway): State<Gateway>,
    P(id): P<String>,
) -> Result<Json<ResultView>, Problem> {
    match gateway.look(&id, look::result).await? {
        Some(result) => Ok(Json(result)),
        None => Err(Problem::not_found("This election has no result yet.")),
    }
}
