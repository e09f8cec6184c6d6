//! Acts of officers and trustees. Who may ask for them stands in the OpenAPI document; what they
//! may do beyond that is decided by signatures, which every authority checks.

use super::elections::parse_id;
use crate::acts::{
    AgreeBody, CeremonyBody, CreateBody, EndorseBody, OrderBody, ResultBody, RollBody, SealBody,
    ShareBody, SignedBody,
};
use crate::extract::{J, P};
use crate::front::Who;
use crate::{Gateway, Problem, clock};
use authority::{Act, Answer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use election::{Draft, ElectionId, Order};
use serde::Serialize;

/// What an act did.
#[derive(Serialize)]
pub(crate) struct Done {
    id: String,
    /// Numbers of the ledger entries that it made.
    entries: Vec<u64>,
}

impl Gateway {
    pub(crate) async fn act(&self, id: ElectionId, act: Act) -> Result<Json<Done>, Problem> {
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
    J(body): J<CreateBody>,
) -> Result<(StatusCode, Json<Done>), Problem> {
    let draft = Draft::decode(body.draft()).map_err(|e| Problem::malformed(e.to_string()))?;
    check_closing(draft.definition.closes, clock::seconds())?;
    Ok((StatusCode::CREATED, gateway.act(draft.id, body.into()).await?))
}

pub(crate) async fn roll(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    J(body): J<RollBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, body.into()).await
}

pub(crate) async fn ceremony(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    J(body): J<CeremonyBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, body.into()).await
}

pub(crate) async fn seal(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    J(body): J<SealBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, body.into()).await
}

pub(crate) async fn endorse(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    J(body): J<EndorseBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, body.into()).await
}

pub(crate) async fn open(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    J(body): J<SignedBody>,
) -> Result<Json<Done>, Problem> {
    check_closing(gateway.look(&id, |view| view.fold().closes()).await?, clock::seconds())?;
    gateway.act(parse_id(&id)?, Act::Open { signature: body.signature }).await
}

/// An election that would be closed before it opens is a mistake in its times.
fn check_closing(closes: Option<u32>, now_s: u64) -> Result<(), Problem> {
    match closes.filter(|closes| u64::from(*closes) <= now_s / 60) {
        None => Ok(()),
        Some(closes) => {
            let [closes, now] = [closes.into(), now_s / 60].map(base::show_utc);
            Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "closed-before-open",
                format!(
                    "The election would close at {closes}, and it is {now}: nobody could vote. \
                     Announce it again with a later closing time."
                ),
            ))
        }
    }
}

/// Closes at once, or, before the announced time, once a second person approves (202).
pub(crate) async fn close(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
    P(id): P<String>,
    J(body): J<SignedBody>,
) -> Result<Response, Problem> {
    let election = parse_id(&id)?;
    let closes = gateway.look(&id, |view| view.fold().closes()).await?;
    let is_early = closes.is_some_and(|closes| clock::seconds() / 60 < u64::from(closes));
    if is_early && let Some(waits) = gateway.second_person(&who, "close-early", &id, &body).await? {
        return Ok((StatusCode::ACCEPTED, Json(waits)).into_response());
    }
    let act = Act::Close { signature: body.signature };
    Ok(gateway.act(election, act).await?.into_response())
}

/// An authority's operator agrees to another one's new key. The signature says who asks.
pub(crate) async fn agree(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    J(body): J<AgreeBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, body.act()?).await
}

/// What the administrator orders while the election is under way. A reset is done once a second
/// person approves (202).
pub(crate) async fn order(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
    P(id): P<String>,
    J(body): J<OrderBody>,
) -> Result<Response, Problem> {
    let election = parse_id(&id)?;
    let signed = body.decode()?;
    let is_reset = signed.order == Order::Reset;
    if is_reset && let Some(waits) = gateway.second_person(&who, "reset", &id, &body).await? {
        return Ok((StatusCode::ACCEPTED, Json(waits)).into_response());
    }
    Ok(gateway.act(election, Act::Order(signed)).await?.into_response())
}

pub(crate) async fn share(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    J(body): J<ShareBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, body.into()).await
}

pub(crate) async fn publish(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    J(body): J<ResultBody>,
) -> Result<Json<Done>, Problem> {
    gateway.act(parse_id(&id)?, body.into()).await
}

#[cfg(test)]
mod tests {
    use super::check_closing;

    #[test]
    fn a_closing_in_the_past_is_named() {
        assert!(check_closing(None, 6000).is_ok());
        assert!(check_closing(Some(101), 6000).is_ok());
        let problem = check_closing(Some(100), 6059).expect_err("it is over");
        assert_eq!(problem.code(), "closed-before-open");
        assert!(String::from_utf8_lossy(&problem.to_json()).contains("1970-01-01 01:40 UTC"));
    }
}
