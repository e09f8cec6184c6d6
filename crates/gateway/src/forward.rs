//! Requests that this node cannot serve itself, served by one that can.
//!
//! Any node takes any request. Two things can stand in the way: this node's authority has not
//! heard of the election yet, or the node knows no leader of the store, so that nothing can be
//! written from here. Then the request goes on to another node as it came: with its token, which
//! is good at every node, and under the same request id. The other node checks everything again.
//!
//! A request is passed on once: what has come from another node is answered here, whatever the
//! answer is.

use crate::front::changes;
use crate::{BALLOT_BYTES_MAX, BODY_BYTES_MAX, Gateway, Problem, extract, request_id, trace};
use authority::Authority;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use election::ElectionId;
use futures::stream;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Marks a request that another node has passed on; holds that node's number.
pub(crate) const HOP: &str = "x-quorate-hop";

/// Longest wait for another node: it may itself wait 20 s for finality.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(25);

/// Longest wait for a connection to it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Headers that are about one connection only, or that the next hop writes itself.
const OF_A_CONNECTION: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
];

/// The way to the other nodes.
#[derive(Clone)]
pub(crate) struct Forward {
    http: reqwest::Client,
    /// Elections that the authority knows: none is ever forgotten.
    known: Arc<Mutex<BTreeSet<ElectionId>>>,
}

impl Forward {
    /// A way that nobody has gone yet.
    ///
    /// # Errors
    /// When there is no HTTP client.
    pub(crate) fn new() -> Result<Self, String> {
        crate::install_tls();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| format!("no HTTP client for other nodes: {error}"))?;
        Ok(Self { http, known: Arc::default() })
    }
}

impl Gateway {
    /// Whether another node should serve it: a request with this method about this election.
    pub(crate) async fn needs_another(
        &self,
        method: &Method,
        election: Option<&str>,
        headers: &HeaderMap,
    ) -> bool {
        if headers.contains_key(HOP) {
            return false;
        }
        if changes(method) && !self.life.knows_leader() {
            return true;
        }
        match election.and_then(|text| text.parse().ok()) {
            Some(id) => !self.knows(id).await,
            None => false,
        }
    }

    async fn knows(&self, id: ElectionId) -> bool {
        let is_known = || {
            let known = self.forward.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.contains(&id)
        };
        if is_known() {
            return true;
        }
        let looked = self.authority.query(move |authority: &Authority| {
            // A draft that is being made here is known, too; its acts wait for it.
            authority.election(id).is_some()
        });
        let found = looked.await.unwrap_or(true);
        if found {
            let mut known = self.forward.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(id);
        }
        found
    }

    /// The answer of the first other node that can give one; the request itself comes back when
    /// there is none.
    ///
    /// # Errors
    /// The request, to be answered here.
    pub(crate) async fn pass_on(
        &self,
        request: Request,
        is_ballot: bool,
    ) -> Result<Response, Box<Request>> {
        let peers = self.life.peers();
        if peers.is_empty() {
            return Err(Box::new(request));
        }
        let (parts, body) = request.into_parts();
        let bytes =
            match to_bytes(body, if is_ballot { BALLOT_BYTES_MAX } else { BODY_BYTES_MAX }).await {
                Ok(bytes) => bytes,
                Err(_) if is_ballot => return Ok(too_large_ballot().into_response()),
                Err(_) => return Ok(extract::too_large().into_response()),
            };
        let place = parts.uri.path_and_query().map_or("/", |place| place.as_str());
        for peer in peers {
            let asked = self
                .forward
                .http
                .request(parts.method.clone(), format!("{peer}{place}"))
                .headers(self.passed_on(&parts.headers))
                .body(bytes.clone());
            match asked.send().await {
                Ok(answer) if can_not(answer.status()) => {}
                Ok(answer) => {
                    tracing::debug!(target: "api", peer, "passed on");
                    return Ok(passed_back(answer));
                }
                Err(error) => tracing::debug!(target: "api", peer, %error, "not passed on"),
            }
        }
        Err(Box::new(Request::from_parts(parts, Body::from(bytes))))
    }

    fn passed_on(&self, given: &HeaderMap) -> HeaderMap {
        let mut headers = without_connection(given);
        headers.insert(HOP, HeaderValue::from(self.node.node));
        if let Ok(id) = HeaderValue::from_str(&request_id::current()) {
            headers.insert("x-request-id", id);
        }
        if let Some(trace) = trace::for_next_hop() {
            headers.insert("traceparent", trace);
        }
        headers
    }
}

/// Whether another node may do better: it does not know the election either, is not able now, or
/// does not know the token; the operator's is good at one node only, where it was let in already.
fn can_not(status: reqwest::StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE | StatusCode::UNAUTHORIZED
    )
}

fn too_large_ballot() -> Problem {
    let detail = "A ballot has at most 65,535 bytes.";
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "ballot-too-large", detail)
}

fn without_connection(headers: &HeaderMap) -> HeaderMap {
    let is_kept = |name: &HeaderName| !OF_A_CONNECTION.contains(&name.as_str());
    let kept = headers.iter().filter(|(name, _)| is_kept(name));
    let mut all = HeaderMap::new();
    for (name, value) in kept {
        all.append(name.clone(), value.clone());
    }
    all
}

/// The other node's answer as ours, its body while it comes.
fn passed_back(answer: reqwest::Response) -> Response {
    let status = answer.status();
    let mut headers = without_connection(answer.headers());
    headers.remove("x-request-id");
    // The length is known again when the body has no end of its own.
    if let Some(length) = answer.content_length() {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let chunks = stream::try_unfold(answer, |mut answer| async move {
        let chunk: Option<Bytes> = answer.chunk().await?;
        Ok::<_, reqwest::Error>(chunk.map(|chunk| (chunk, answer)))
    });
    let mut response = (status, Body::from_stream(chunks)).into_response();
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_a_connection_ends_with_it() {
        let mut given = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive"),
            ("host", "n1.test"),
            ("content-length", "7"),
            ("authorization", "Bearer x"),
            ("accept", "a"),
            ("accept", "b"),
        ] {
            given.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let kept = without_connection(&given);
        let names: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
        assert_eq!((names, kept.len()), (vec!["authorization", "accept"], 3));
    }
}
