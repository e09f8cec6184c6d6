//! Looking at elections.

use crate::chart::Count;
use crate::extract::{P, Q};
use crate::views::{CeremonyMessage, ElectionDetail, ElectionSummary, ResultView, TurnoutView};
use crate::{Gateway, Problem, look};
use authority::ElectionView;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use election::ElectionId;
use serde::{Deserialize, Serialize};

/// Longest step of a turnout curve: a day.
const STEP_MINUTES_MAX: u32 = 1440;

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
    let chart = gateway.chart(&id).await?;
    Ok(Json(gateway.look(&id, |view| look::detail(view, chart)).await?))
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

/// `?since=&step=`.
#[derive(Deserialize)]
pub(crate) struct TurnoutQuery {
    /// First minute that is told, since 1970 UTC.
    #[serde(default)]
    since: u32,
    /// Minutes that are told as one.
    step: Option<u32>,
}

/// See `GET …/turnout`.
#[derive(Serialize)]
pub(crate) struct TurnoutCurve {
    turnout: TurnoutView,
    step: u32,
    counts: Vec<StepCount>,
}

/// How many came in one step; steps without a ballot are left out.
#[derive(Serialize)]
struct StepCount {
    /// First minute of the step, since 1970 UTC.
    minute: u32,
    voters: u64,
    ballots: u64,
}

pub(crate) async fn turnout(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    Q(query): Q<TurnoutQuery>,
) -> Result<Json<TurnoutCurve>, Problem> {
    let step = query.step.unwrap_or(1).clamp(1, STEP_MINUTES_MAX);
    let chart = gateway.chart(&id).await?;
    let turnout = gateway.look(&id, TurnoutView::of).await?;
    let count = |(minute, count): (u32, Count)| StepCount {
        minute,
        voters: count.voters,
        ballots: count.ballots,
    };
    let counts = chart.steps(query.since, step).into_iter().map(count).collect();
    Ok(Json(TurnoutCurve { turnout, step, counts }))
}
