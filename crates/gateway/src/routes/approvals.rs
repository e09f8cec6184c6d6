//! Acts that wait for a second person.

use super::accounts::Page;
use crate::acts::{OrderBody, SignedBody};
use crate::auth::directory::read;
use crate::auth::eyes::{self, NoApproval, Proposal};
use crate::extract::{J, P};
use crate::front::Who;
use crate::{Gateway, Problem, clock};
use authority::Act;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

/// One proposal.
#[derive(Serialize)]
pub(crate) struct ProposalView {
    approval: String,
    /// `close-early` or `reset`.
    act: String,
    election: String,
    by: String,
    created: u64,
    expires: u64,
}

fn view(id: &str, proposal: &Proposal) -> ProposalView {
    ProposalView {
        approval: id.to_owned(),
        act: proposal.act.clone(),
        election: proposal.election.clone(),
        by: proposal.by.clone(),
        created: proposal.created,
        expires: proposal.expires,
    }
}

impl Gateway {
    /// Keeps an act for a second person, if there is one who could approve it.
    pub(crate) async fn second_person(
        &self,
        who: &Who,
        act: &str,
        election: &str,
        body: &impl Serialize,
    ) -> Result<Option<ProposalView>, Problem> {
        let by = who.known()?.name.clone();
        let needed = {
            let directory = self.office.followed.read();
            let accounts = directory.accounts.values().map(|kept| &kept.value);
            eyes::needs_second(accounts, election, &by)
        };
        if !needed {
            return Ok(None);
        }
        let created = clock::seconds();
        let body = serde_json::to_string(body).map_err(|e| Problem::malformed(e.to_string()))?;
        let proposal = Proposal {
            act: act.to_owned(),
            election: election.to_owned(),
            body,
            by,
            created,
            expires: created + eyes::LIFETIME_S,
        };
        let id = self.office.propose(&proposal).await?;
        Ok(Some(view(&id, &proposal)))
    }
}

pub(crate) async fn list(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
) -> Result<Json<Page<ProposalView>>, Problem> {
    let grants = &who.known()?.grants;
    let directory = gateway.office.followed.read();
    let theirs = directory.proposals.iter();
    let theirs = theirs.filter(|(_, kept)| eyes::may(grants, &kept.value.election));
    let items = theirs.map(|(id, kept)| view(id, &kept.value)).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verdict {
    approve: bool,
}

pub(crate) async fn decide(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
    P(id): P<String>,
    J(verdict): J<Verdict>,
) -> Result<Response, Problem> {
    let kept = gateway.office.followed.read().proposals.get(&id).cloned();
    let proposal = kept.ok_or_else(|| Problem::not_found("No act waits under this id."))?.value;
    let caller = who.known()?;
    if !verdict.approve {
        if !eyes::may(&caller.grants, &proposal.election) {
            return Err(not_approved(NoApproval::NoRight));
        }
        gateway.office.take_proposal(&id).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    eyes::judge(&proposal, &caller.name, &caller.grants, clock::seconds()).map_err(not_approved)?;
    let election = super::elections::parse_id(&proposal.election)?;
    let act = act_of(&proposal)?;
    if !gateway.office.take_proposal(&id).await? {
        return Err(Problem::not_found("Somebody else has decided this at the same moment."));
    }
    Ok(gateway.act(election, act).await?.into_response())
}

/// What was proposed, as it was signed.
fn act_of(proposal: &Proposal) -> Result<Act, Problem> {
    let body = proposal.body.as_bytes();
    let unreadable = || Problem::not_found("The proposal cannot be read any more.");
    match proposal.act.as_str() {
        "close-early" => {
            let SignedBody { signature } = read(body).ok_or_else(unreadable)?;
            Ok(Act::Close { signature })
        }
        "reset" => {
            let body: OrderBody = read(body).ok_or_else(unreadable)?;
            body.decode().map(Act::Order)
        }
        other => Err(Problem::not_found(format!("'{other}' is no act of this version."))),
    }
}

fn not_approved(reason: NoApproval) -> Problem {
    let (code, detail) = match reason {
        NoApproval::Own => ("own-proposal", "This is your own proposal; somebody else must agree."),
        NoApproval::Expired => ("approval-expired", "This proposal has expired; make it again."),
        NoApproval::NoRight => ("forbidden", "You could not do this act yourself."),
    };
    Problem::new(StatusCode::FORBIDDEN, code, detail)
}
