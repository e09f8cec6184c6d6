//! The outbox of an election.

use super::accounts::Page;
use crate::extract::{J, P, Q};
use crate::front::Who;
use crate::mail::outbox::{Item, Status, check_text};
use crate::{Gateway, Problem, clock};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use lettre::Address;
use serde::{Deserialize, Serialize};

/// Most recipients in one call.
const RECIPIENTS_MAX: usize = 1000;

/// Most messages in one answer.
const PAGE_MAX: usize = 500;

/// Longest subject and text, in bytes.
const SUBJECT_BYTES_MAX: usize = 200;
const TEXT_BYTES_MAX: usize = 20_000;

/// Reasons to write.
const KINDS: [&str; 3] = ["reminder", "result", "notice"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMail {
    kind: String,
    subject: String,
    text: String,
    recipients: Vec<String>,
}

/// What was queued.
#[derive(Serialize)]
pub(crate) struct Queued {
    messages: Vec<String>,
}

pub(crate) async fn queue(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
    P(id): P<String>,
    J(mail): J<NewMail>,
) -> Result<(StatusCode, Json<Queued>), Problem> {
    let election = super::elections::parse_id(&id)?;
    gateway.look(&id, |_| ()).await?;
    check(&mail)?;
    let now = clock::milliseconds();
    let by = &who.known()?.name;
    let mut messages = Vec::with_capacity(mail.recipients.len());
    for to in mail.recipients {
        let item = Item {
            kind: mail.kind.clone(),
            to,
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            by: by.clone(),
            created_ms: now,
            status: Status::Queued,
            tries: 0,
            not_before_ms: now,
            changed_ms: now,
            said: None,
        };
        messages.push(gateway.post.queue(&election.to_string(), &item).await?);
    }
    Ok((StatusCode::ACCEPTED, Json(Queued { messages })))
}

fn check(mail: &NewMail) -> Result<(), Problem> {
    if !KINDS.contains(&mail.kind.as_str()) {
        let known = KINDS.join(", ");
        return Err(Problem::invalid("/kind", format!("'{}' is none of {known}.", mail.kind)));
    }
    let bound = |pointer: &str, text: &str, max: usize| {
        if text.trim().is_empty() || text.len() > max {
            return Err(Problem::invalid(pointer, format!("It has 1 to {max} bytes.")));
        }
        check_text(text).map_err(|error| Problem::invalid(pointer, error))
    };
    bound("/subject", &mail.subject, SUBJECT_BYTES_MAX)?;
    bound("/text", &mail.text, TEXT_BYTES_MAX)?;
    if mail.subject.contains(['\r', '\n']) {
        return Err(Problem::invalid("/subject", "A subject is one line."));
    }
    if mail.recipients.is_empty() || mail.recipients.len() > RECIPIENTS_MAX {
        let detail = format!("There are 1 to {RECIPIENTS_MAX} recipients in one call.");
        return Err(Problem::invalid("/recipients", detail));
    }
    for (index, recipient) in mail.recipients.iter().enumerate() {
        recipient.parse::<Address>().map_err(|error| {
            Problem::invalid(&format!("/recipients/{index}"), format!("No address: {error}."))
        })?;
    }
    Ok(())
}

/// One message.
#[derive(Serialize)]
pub(crate) struct MailLine {
    message: String,
    #[serde(flatten)]
    item: Item,
}

/// `?status=&cursor=&limit=`.
#[derive(Deserialize)]
pub(crate) struct MailQuery {
    status: Option<Status>,
    cursor: Option<String>,
    limit: Option<usize>,
}

pub(crate) async fn list(
    State(gateway): State<Gateway>,
    P(id): P<String>,
    Q(query): Q<MailQuery>,
) -> Result<Json<Page<MailLine>>, Problem> {
    let election = super::elections::parse_id(&id)?.to_string();
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let cursor = query.cursor.unwrap_or_default();
    let found = gateway.post.list(&election, &cursor, limit).await?;
    let is_full = found.len() == limit;
    let next_cursor = found.last().filter(|_| is_full).map(|(id, _)| id.clone());
    let is_wanted = |item: &Item| query.status.is_none_or(|status| item.status == status);
    let items = found.into_iter().filter(|(_, item)| is_wanted(item));
    let items = items.map(|(message, item)| MailLine { message, item }).collect();
    Ok(Json(Page { items, next_cursor }))
}

pub(crate) async fn again(
    State(gateway): State<Gateway>,
    P((id, message)): P<(String, String)>,
) -> Result<Json<MailLine>, Problem> {
    let election = super::elections::parse_id(&id)?.to_string();
    let item = gateway.post.again(&election, &message).await?;
    Ok(Json(MailLine { message, item }))
}
