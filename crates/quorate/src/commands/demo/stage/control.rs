//! The supervisor's door: HTTP on loopback, for the demonstration's own nodes only. Each request
//! brings the token that lies in a file which the nodes were started with.

use super::fault::Kind;
use super::{Settings, Stage, load};
use crate::commands::Failure;
use crate::{exit, random};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use std::net::Ipv4Addr;
use std::path::Path;
use tokio::net::TcpListener;

/// Name of the file that says where the supervisor is and what it wants to hear:
/// `ADDRESS TOKEN`.
pub(crate) const FILE: &str = "supervisor";

/// A door that is there and not open yet.
pub(in super::super) struct Door {
    listener: TcpListener,
    token: String,
}

#[derive(Clone)]
struct Guarded {
    stage: Stage,
    token: String,
}

impl Door {
    /// Takes a port and writes down where it is, before any node is started.
    pub(in super::super) async fn build(control: &Path) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(Failure::because(exit::UNAVAILABLE, "no free port"))?;
        let address = listener.local_addr().map_err(Failure::because(exit::FAILED, "listener"))?;
        let token = hex::encode(random::bytes::<24>());
        let what = format!("cannot write into {}", control.display());
        std::fs::create_dir_all(control)
            .map_err(|error| Failure::because(exit::FAILED, &what)(error))?;
        crate::secret_file::read_or_make(&control.join(FILE), || Ok(format!("{address} {token}")))?;
        Ok(Self { listener, token })
    }

    /// Answers from now on. Inside a tokio runtime, until that ends.
    pub(in super::super) fn open(self, stage: &Stage) {
        let guarded = Guarded { stage: stage.clone(), token: self.token };
        let router = Router::new()
            .route("/state", get(state))
            .route("/faults", post(faults))
            .route("/settings", put(settings))
            .layer(axum::extract::DefaultBodyLimit::max(4096))
            .layer(axum::middleware::from_fn_with_state(guarded.clone(), admit))
            .with_state(guarded);
        tokio::spawn(async move {
            if let Err(error) = axum::serve(self.listener, router).await {
                eprintln!("quorate: the supervisor's listener failed: {error}");
            }
        });
    }
}

async fn admit(
    State(guarded): State<Guarded>,
    headers: HeaderMap,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.and_then(|value| value.strip_prefix("Bearer ")) == Some(&guarded.token) {
        next.run(request).await
    } else {
        (StatusCode::UNAUTHORIZED, "This door is for the demonstration's nodes.").into_response()
    }
}

async fn state(State(guarded): State<Guarded>) -> Response {
    Json(guarded.stage.view()).into_response()
}

/// What is to be done.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    kind: Kind,
    node: Option<u64>,
}

async fn faults(State(guarded): State<Guarded>, body: axum::body::Bytes) -> Response {
    let wanted: Wanted = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => return (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
    };
    match guarded.stage.act_now(wanted.kind, wanted.node) {
        Ok(()) => Json(guarded.stage.view()).into_response(),
        Err(failure) => (StatusCode::CONFLICT, failure.message).into_response(),
    }
}

/// What is to be chosen anew.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    load_per_second: Option<u64>,
    tour: Option<bool>,
    script: Option<bool>,
}

async fn settings(State(guarded): State<Guarded>, body: axum::body::Bytes) -> Response {
    let choice: Choice = match serde_json::from_slice(&body) {
        Ok(choice) => choice,
        Err(error) => return (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
    };
    if choice.load_per_second.is_some_and(|rate| rate > load::RATE_MAX) {
        let text = format!("The load is at most {} writes a second.", load::RATE_MAX);
        return (StatusCode::UNPROCESSABLE_ENTITY, text).into_response();
    }
    guarded.stage.choose(|settings| {
        let Settings { load_per_second, tour, script } = *settings;
        *settings = Settings {
            load_per_second: choice.load_per_second.unwrap_or(load_per_second),
            tour: choice.tour.unwrap_or(tour),
            script: choice.script.unwrap_or(script),
        };
    });
    Json(guarded.stage.view()).into_response()
}
