//! Casting, and what became of a ballot.

use crate::extract::{P, Q, unread_bytes};
use crate::runner::{AskError, Reached};
use crate::shed::Place;
use crate::views::{BallotView, CredentialView};
use crate::{Gateway, Problem, encoding, look};
use authority::{Answer, Authority};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ballot::Tracker;
use election::{ElectionId, SignedRefusal};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait for finality in one request; the caller asks again after it.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// How often a waiting request looks, when nothing became final: the ballot may be refused.
const LOOK_EVERY: Duration = Duration::from_millis(1000);

/// `?wait=final`.
#[derive(Deserialize)]
pub(crate) struct Wait {
    wait: Option<String>,
}

/// Takes a ballot: 200 with the receipt when it is final, 202 when it is ordered.
pub(crate) async fn cast(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    Q(wait): Q<Wait>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let waits = match wait.wait.as_deref() {
        None => false,
        Some("final") => true,
        Some(other) => {
            return Err(Problem::malformed(format!("wait is '{other}'; it may be 'final'.")));
        }
    };
    let deadline = Instant::now() + WAIT_MAX;
    let ballot = body.map_err(|rejection| unread(&rejection))?;
    let id = super::elections::parse_id(&id)?;
    let hash = look::sha256(&ballot);
    let credential = credential_in(&ballot);
    if let Some(credential) = &credential {
        gateway.throttle.look_credential(credential)?;
    }
    let place = gateway.intake.enter().ok_or(AskError::Overloaded)?;
    let answer = gateway.authority.submit(id, ballot).await?;
    let (tracker, entry) = match answer {
        Answer::Ordered { entry, tracker } => {
            gateway.figures.ordered();
            // Only now is it known that the credential's holder made it.
            credential.into_iter().for_each(|own| gateway.throttle.charge_credential(own));
            let judged = gateway.judged((id, entry), place, deadline);
            if waits {
                judged.await;
            } else {
                tokio::spawn(judged);
            }
            (tracker, Some(entry))
        }
        Answer::AlreadyAccepted { tracker, .. } => (tracker, None),
        other => {
            let problem = refused(other);
            gateway.figures.refused(problem.code());
            return Err(problem);
        }
    };
    let state = gateway.follow(id, (tracker, hash), waits.then_some(deadline)).await?;
    let mut view = match state {
        Followed::Leaf(view) => view,
        Followed::NotYet => BallotView {
            state: "ordered",
            tracker: tracker.to_string(),
            entry,
            ..BallotView::default()
        },
        Followed::Refused(problem) => return Err(*problem),
    };
    view.entry = entry;
    let is_final = view.receipt.is_some();
    let code = if is_final { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((code, Json(view)).into_response())
}

/// The credential that a ballot names, before anything is checked: 32 bytes at their place.
fn credential_in(ballot: &[u8]) -> Option<[u8; 32]> {
    ballot.get(33..65)?.try_into().ok()
}

fn unread(rejection: &BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "ballot-too-large",
            "A ballot has at most 65,535 bytes.",
        ),
        _ => unread_bytes(rejection),
    }
}

/// What became of an ordered ballot.
enum Followed {
    Leaf(BallotView),
    NotYet,
    Refused(Box<Problem>),
}

impl Gateway {
    /// Keeps the `place` of a ballot until this authority has judged its entry, or time is up.
    fn judged(
        &self,
        (id, entry): (ElectionId, u64),
        place: Place,
        deadline: Instant,
    ) -> impl Future<Output = ()> + use<> {
        let mut progress = self.authority.progress();
        async move {
            let judged = progress.wait_for(|progress| {
                progress.get(&id).is_some_and(|reached| reached.judged >= entry)
            });
            if let Ok(Ok(_)) = tokio::time::timeout_at(deadline, judged).await {
                place.done();
            }
        }
    }

    /// Looks where the ballot stands; with a deadline until it is final, refused or time is up.
    ///
    /// Thousands may wait at the same time, so a waiting request looks only when its leaf is final
    /// (a few times a second something is), or now and then while it has none.
    async fn follow(
        &self,
        id: ElectionId,
        (tracker, hash): (Tracker, [u8; 32]),
        deadline: Option<Instant>,
    ) -> Result<Followed, Problem> {
        let mut progress = self.authority.progress();
        loop {
            let cosigned = |reached: Option<&Reached>| reached.map_or(0, |one| one.cosigned);
            let before = cosigned(progress.borrow_and_update().get(&id));
            let followed = self.where_is(id, tracker, hash).await?;
            let leaf = match &followed {
                Followed::Leaf(view) if view.receipt.is_some() => return Ok(followed),
                Followed::Refused(_) => return Ok(followed),
                Followed::Leaf(view) => view.leaf,
                Followed::NotYet => None,
            };
            let now = Instant::now();
            let Some(deadline) = deadline.filter(|deadline| now < *deadline) else {
                return Ok(followed);
            };
            let wanted = leaf.map_or(before + 1, |leaf| leaf + 1);
            let is_final = progress.wait_for(|progress| cosigned(progress.get(&id)) >= wanted);
            let look_at = deadline.min(now + LOOK_EVERY);
            let _ = tokio::time::timeout_at(look_at, is_final).await;
        }
    }

    async fn where_is(
        &self,
        id: ElectionId,
        tracker: Tracker,
        hash: [u8; 32],
    ) -> Result<Followed, Problem> {
        let look = move |authority: &Authority| {
            look::at(authority, id, |view| {
                look::ballot(view, &tracker).ok_or_else(|| look::refusal(view, &hash))
            })
        };
        Ok(match self.authority.query(look).await?.unwrap_or(Err(None)) {
            Ok(view) => Followed::Leaf(view),
            Err(Some(refusal)) => {
                let (code, sentence) = (refusal.code, refusal.sentence);
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, sentence);
                Followed::Refused(Box::new(problem))
            }
            Err(None) => Followed::NotYet,
        })
    }
}

fn refused(answer: Answer) -> Problem {
    match answer {
        Answer::Refused(refusal) => signed(&refusal),
        Answer::Impossible(refusal) => {
            Problem::new(StatusCode::CONFLICT, refusal.code, refusal.sentence)
        }
        Answer::Overloaded => AskError::Overloaded.into(),
        Answer::UnknownElection => Problem::not_found("This node knows no such election."),
        Answer::Unavailable(error) => Problem::unavailable(format!(
            "The store did not take it ({error}). Send the same bytes again, to this or another \
             node; they count once."
        )),
        Answer::Ordered { .. }
        | Answer::AlreadyAccepted { .. }
        | Answer::Compared(_)
        | Answer::Done { .. } => {
            Problem::unavailable("The authority gave an answer to something else.")
        }
    }
}

fn signed(refusal: &SignedRefusal) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.code.clone(), refusal.sentence.clone())
        .with_refusal(encoding::encode(&refusal.encode()))
}

/// The state of a ballot by its tracker.
pub(crate) async fn state(
    State(gateway): State<Gateway>,
    P((id, tracker)): P<(String, String)>,
) -> Result<Json<BallotView>, Problem> {
    let parsed: Tracker = tracker.parse().map_err(|error| {
        Problem::malformed(format!("'{tracker}' is no tracker ({error}); it has 20 characters."))
    })?;
    let found = gateway.look(&id, move |view| {
        look::ballot(view, &parsed).or_else(|| look::refused_ballot(view, &parsed))
    });
    match found.await? {
        Some(view) => Ok(Json(view)),
        None => Err(Problem::not_found(
            "No ballot has this tracker on this node. If it was just cast, ask again.",
        )),
    }
}

/// The chain of a credential: what the next ballot must follow.
pub(crate) async fn credential(
    State(gateway): State<Gateway>,
    P((id, key)): P<(String, String)>,
) -> Result<Json<CredentialView>, Problem> {
    let parsed: [u8; 32] = hex::decode(&key)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Problem::malformed("A credential is 64 hex digits."))?;
    Ok(Json(gateway.look(&id, move |view| look::credential(view, &parsed)).await?))
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Overloaded => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "overloaded",
                "Too many requests wait at this node. Send the same bytes again in a moment, or \
                 to another node; they count once.",
            ),
            AskError::Stopped => Self::unavailable("This node is stopping; ask another one."),
        }
    }
}
