//! Hooks of an election.

use super::accounts::Page;
use crate::extract::{J, P};
use crate::front::Who;
use crate::hooks::HOOKS_MAX;
use crate::hooks::state::{Hook, Places, State as HookState, Topic, show_secret};
use crate::idempotency::NoCopy;
use crate::views::phase_name;
use crate::{Gateway, Problem, clock, random};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Longest address, in bytes.
const URL_BYTES_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewHook {
    url: String,
    topics: Vec<Topic>,
    /// Begin with the first entry instead of with what comes now.
    #[serde(default)]
    from_start: bool,
}

/// A hook as people see it: without its secret.
#[derive(Serialize)]
pub(crate) struct HookView {
    hook: String,
    url: String,
    topics: Vec<Topic>,
    by: String,
    created_ms: u64,
    /// `idle`, `sending`, `waiting` (for another try) or `gone`.
    state: &'static str,
    /// Deliveries that have arrived.
    arrived: u64,
    arrived_ms: Option<u64>,
    /// Tries of the delivery on its way.
    tries: u32,
    /// When it is tried next, milliseconds since 1970 UTC.
    next_try_ms: Option<u64>,
    trouble: Option<String>,
    /// Number of the last entry that was told.
    entry: u64,
}

fn view(id: String, hook: Hook, state: HookState) -> HookView {
    let tries = state.delivery.as_ref().map_or(0, |delivery| delivery.tries);
    HookView {
        hook: id,
        url: hook.url,
        topics: hook.topics,
        by: hook.by,
        created_ms: hook.created_ms,
        state: match &state.delivery {
            _ if state.gone => "gone",
            None => "idle",
            Some(_) if tries == 0 => "sending",
            Some(_) => "waiting",
        },
        arrived: state.seq.saturating_sub(1),
        arrived_ms: state.arrived_ms,
        tries,
        next_try_ms: state.delivery.filter(|_| !state.gone).map(|own| own.not_before_ms),
        trouble: state.trouble,
        entry: state.places.entry,
    }
}

pub(crate) async fn list(
    State(gateway): State<Gateway>,
    P(id): P<String>,
) -> Result<Json<Page<HookView>>, Problem> {
    let election = super::elections::parse_id(&id)?.to_string();
    let hooks = gateway.hooks.list(&election).await?;
    let items = hooks.into_iter().map(|(id, hook, state)| view(id, hook, state)).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

/// What only its maker sees, once.
#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    hook: HookView,
    secret: String,
}

pub(crate) async fn make(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
    P(id): P<String>,
    J(new): J<NewHook>,
) -> Result<Response, Problem> {
    let election = super::elections::parse_id(&id)?.to_string();
    check(&new)?;
    let now = gateway.look(&id, |view| Places {
        entry: view.position(),
        final_size: view.final_size(),
        phase: phase_name(&view.fold().phase()).to_owned(),
    });
    let now = now.await?;
    if gateway.hooks.list(&election).await?.len() >= HOOKS_MAX {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "too-many-hooks",
            format!("An election has at most {HOOKS_MAX} hooks; end one first."),
        ));
    }
    let secret = random::bytes::<32>()?;
    let hook = Hook {
        url: new.url,
        topics: new.topics,
        secret: STANDARD.encode(secret),
        by: who.known()?.name.clone(),
        created_ms: clock::milliseconds(),
    };
    let places = if new.from_start { Places::default() } else { now };
    let state = HookState { seq: 1, places, ..HookState::default() };
    let name = hex::encode(random::bytes::<8>()?);
    gateway.hooks.make(&election, &name, (&hook, &state)).await?;
    let made = Made { hook: view(name, hook, state), secret: show_secret(&secret) };
    let mut response = (StatusCode::CREATED, Json(made)).into_response();
    response.extensions_mut().insert(NoCopy);
    Ok(response)
}

fn check(new: &NewHook) -> Result<(), Problem> {
    let wrong = |detail: &str| Err(Problem::invalid("/url", detail));
    if new.url.len() > URL_BYTES_MAX {
        return wrong("It is longer than 1000 bytes.");
    }
    let Ok(url) = new.url.parse::<reqwest::Url>() else {
        return wrong("It is no address; expected https://HOST/PATH.");
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return wrong("It begins with https:// (or http:// inside your own network).");
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return wrong("It holds no name, password or fragment: the signature says who calls.");
    }
    if new.topics.is_empty() {
        return Err(Problem::invalid("/topics", "A hook tells at least one thing."));
    }
    Ok(())
}

pub(crate) async fn end(
    State(gateway): State<Gateway>,
    P((id, hook)): P<(String, String)>,
) -> Result<StatusCode, Problem> {
    let election = super::elections::parse_id(&id)?.to_string();
    match gateway.hooks.end(&election, &hook).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("This election has no such hook.")),
    }
}
