//! Acts of administrators and trustees; all behind the administrators' token. What they may do
//! beyond that is decided by signatures, which every authority checks.

use super::elections::parse_id;
use crate::acts::{
    CeremonyBody, CreateBody, EndorseBody, ResultBody, RollBody, SealBody, ShareBody, SignedBody,
};
use crate::{Gateway, Problem};
use authority::{Act, Answer};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use election::{Draft, ElectionId};
use serde::Serialize;

/// A JSON body, or why it is none.
type Body<T> = Result<Json<T>, JsonRejection>;

fn read<T>(body: Body<T>) -> Result<T, Problem> {
    body.map(|Json(body)| body).map_err(|rejection| Problem::malformed(rejection.body_text()))
}

/// What an act did.
#[derive(Serialize)]
pub(crate) struct Done {
    id: String,
    /// Numbers of the ledger entries that it made.
    entries: Vec<u64>,
}

impl Gateway {
    async fn act(&self, id: ElectionId, act: Act) -> Result<Json<Done>, Problem> {
        match self.authority.administer(id, act).await? {
            Answer::Done { entries } => Ok(Json(Done { id: id.to_string(), entries })),
            Answer::Impossible(refusal) => {
                Err(Problem::new(StatusCode::CONFLICT, refusal.code, refusal.sentence))
            }
            Answer::UnknownElection => {
                Err(Problem::not_found(format!("This node knows no election {id}.")))
            }
            Answer::Unavailable(error) => Err(Problem::unavailable(format!(
                "The store did not take it ({error}). Doing it again is safe."
            ))),
            Answer::Overloaded => Err(crate::AskError::Overloaded.into()),
            Answer::Refused(refusal) => Err(Problem::new(
                StatusCode::CONFLICT,
                refusal.code.clone(),
                refusal.sentence.clone(),
            )),
            Answer::Ordered { .. } | Answer::AlreadyAccepted { .. } | Answer::Compared(_) => {
                Err(Problem::unavailable("The authority gave an answer to something else."))
            }
        }
    }
}

pub(crate) async fn create(
    State(gateway): State<Gateway>,
    body: Body<CreateBody>,
) -> Result<(StatusCode, Json<Done>), Problem> {
    let body = read(body)?;
    let draft = Draft::decode(body.draft()).map_err(|e| Problem::malformed(e.to_string()))?;
    Ok((StatusCode::CREATED, gateway.act(draft.id, body.into()).await?))
}

pub(crate) async fn roll(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    body: Body<RollBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, read(body)?.into()).await
}

pub(crate) async fn ceremony(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    body: Body<CeremonyBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, read(body)?.into()).await
}

pub(crate) async fn seal(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    body: Body<SealBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, read(body)?.into()).await
}

pub(crate) async fn endorse(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    body: Body<EndorseBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, read(body)?.into()).await
}

pub(crate) async fn open(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    body: Body<SignedBody>,
) -> Result<Json<Done>, Problem> {
    let signature = read(body)?.signature;
    gateway.act(parse_id(&id)?, Act::Open { signature }).await
}

pub(crate) async fn close(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    body: Body<SignedBody>,
) -> Result<Json<Done>, Problem> {
    let signature = read(body)?.signature;
    gateway.act(parse_id(&id)?, Act::Close { signature }).await
}

pub(crate) async fn share(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    body: Body<ShareBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, read(body)?.into()).await
}

pub(crate) async fn publish(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    body: Body<ResultBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, read(body)?.into()).await
}
