//! The demonstration's supervisor, behind this node's door.
//!
//! Only `quorate demo` starts nodes that know a supervisor; every other node answers 404. The
//! supervisor listens on loopback and believes nobody who does not bring the token that it made at
//! its start; who may ask for what is decided here, by the rights of the caller's account.

use crate::{Gateway, Problem};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::time::Duration;

/// Where all of it lies.
pub(crate) const PATH: &str = "/api/v1/demo";

/// The supervisor answers at once; a restarted node is waited for elsewhere.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the supervisor is, and how it knows this node.
#[derive(Clone)]
pub struct Supervisor {
    address: SocketAddr,
    token: String,
    http: reqwest::Client,
}

/// The token stays out of every log.
impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// The supervisor at a loopback address.
    ///
    /// # Errors
    /// A sentence: the address is another machine's, or there is no HTTP client.
    pub fn new(address: SocketAddr, token: String) -> Result<Self, String> {
        if !address.ip().is_loopback() {
            return Err(format!(
                "the demonstration's supervisor is on this machine, not {address}"
            ));
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(ANSWER_TIMEOUT)
            .build()
            .map_err(|error| format!("no HTTP client: {error}"))?;
        Ok(Self { address, token, http })
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Response, Problem> {
        let silent = |_| {
            Problem::unavailable(
                "The demonstration's supervisor does not answer; has `quorate demo` ended?",
            )
        };
        let url = format!("http://{}{path}", self.address);
        let request = self.http.request(method, url).bearer_auth(&self.token);
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        let answer = request.send().await.map_err(silent)?;
        let status = answer.status();
        let text = answer.bytes().await.map_err(silent)?;
        if status.is_success() {
            return Ok((status, [(header::CONTENT_TYPE, "application/json")], text).into_response());
        }
        let detail = String::from_utf8_lossy(&text).into_owned();
        Err(match status {
            StatusCode::UNPROCESSABLE_ENTITY => Problem::invalid("", detail),
            StatusCode::CONFLICT => Problem::new(StatusCode::CONFLICT, "not-now", detail),
            _ => Problem::unavailable(format!("The demonstration's supervisor said: {detail}")),
        })
    }
}

async fn forward(
    gateway: &Gateway,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Response, Problem> {
    match &gateway.settings.demo {
        Some(supervisor) => supervisor.ask(method, path, body).await,
        None => Err(Problem::not_found("This node is not part of a demonstration.")),
    }
}

pub(crate) async fn state(State(gateway): State<Gateway>) -> Result<Response, Problem> {
    forward(&gateway, Method::GET, "/state", Bytes::new()).await
}

pub(crate) async fn fault(
    State(gateway): State<Gateway>,
    body: Bytes,
) -> Result<Response, Problem> {
    forward(&gateway, Method::POST, "/faults", body).await
}

pub(crate) async fn settings(
    State(gateway): State<Gateway>,
    body: Bytes,
) -> Result<Response, Problem> {
    forward(&gateway, Method::PUT, "/settings", body).await
}
