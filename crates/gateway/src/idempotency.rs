//! `Idempotency-Key`: the same request twice is done once, and answered twice alike.
//!
//! A caller with an account may send a key of its own with whatever changes something. The first
//! request with a key leaves a mark in the store, under its account; its answer is kept there for
//! a day, at every node. The same key with another body is refused (422), and while the first one
//! is under way, too (409). Answers of 5xx are not kept: doing it again is what the caller should.
//! Ballots need no key: their bytes are one.

use crate::auth::directory::Caller;
use crate::extract::too_large;
use crate::{BODY_BYTES_MAX, Gateway, Problem};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long an answer is kept, in seconds.
const KEPT_S: u64 = 24 * 3600;

/// Longest key.
const KEY_LENGTH_MAX: usize = 200;

/// Largest answer that is kept, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Laid into an answer that holds a secret: no copy of it is kept, and the request is done again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoCopy;

/// What lies in the store.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// SHA-256 of method, path and body, hex.
    request: String,
    /// Missing while the request is under way.
    #[serde(default)]
    answer: Option<Answer>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    status: u16,
    kind: String,
    /// Base64.
    body: String,
}

/// What to do with a request whose key has left this mark.
#[derive(Debug, PartialEq, Eq)]
enum Verdict<'m> {
    Replay(&'m Answer),
    UnderWay,
    OtherRequest,
}

fn judge<'m>(mark: &'m Mark, request: &str) -> Verdict<'m> {
    match &mark.answer {
        _ if mark.request != request => Verdict::OtherRequest,
        Some(answer) => Verdict::Replay(answer),
        None => Verdict::UnderWay,
    }
}

/// Runs `work` on the request, unless its key says that it was done before.
pub(crate) async fn around<W: Future<Output = Response>>(
    gateway: &Gateway,
    caller: &Caller,
    key: Option<HeaderValue>,
    request: Request,
    work: impl FnOnce(Request) -> W,
) -> Response {
    let Some(key) = key else { return work(request).await };
    match with_key(gateway, caller, &key, request, work).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn with_key<W: Future<Output = Response>>(
    gateway: &Gateway,
    caller: &Caller,
    key: &HeaderValue,
    request: Request,
    work: impl FnOnce(Request) -> W,
) -> Result<Response, Problem> {
    let is_key = !key.is_empty() && key.len() <= KEY_LENGTH_MAX;
    let key = key.to_str().ok().filter(|_| is_key).ok_or_else(|| {
        Problem::malformed(format!("An Idempotency-Key has 1 to {KEY_LENGTH_MAX} visible letters."))
    })?;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| too_large())?;
    let hash = digest(&[parts.method.as_str().as_bytes(), parts.uri.to_string().as_bytes(), &body]);
    let name = digest(&[caller.name.as_bytes(), key.as_bytes()]);
    let path = [b"\0q/once/", name.as_bytes()].concat();
    let lease = gateway.store.grant(KEPT_S).await?;
    let mark = Mark { request: hash.clone(), answer: None };
    let Some(revision) = gateway.store.put_if(path.clone(), &mark, 0, lease).await? else {
        gateway.store.revoke(lease).await?;
        return replay(gateway, &path, &hash).await;
    };
    let response = work(Request::from_parts(parts, Body::from(body))).await;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| too_large())?;
    let is_secret = parts.extensions.get::<NoCopy>().is_some();
    let is_kept = !is_secret && !parts.status.is_server_error() && body.len() <= ANSWER_BYTES_MAX;
    if is_kept {
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let answer = Answer {
            status: parts.status.as_u16(),
            kind: kind.unwrap_or_default().to_owned(),
            body: STANDARD.encode(&body),
        };
        let mark = Mark { request: hash, answer: Some(answer) };
        gateway.store.put_if(path, &mark, revision, lease).await?;
    } else {
        // The mark first: a lease with reserved keys cannot be revoked. What was done is told in
        // any case; a mark that stays only makes the key useless until its time is over.
        let forgotten = async {
            gateway.store.delete(path).await?;
            gateway.store.revoke(lease).await
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(target: "api", %error, "an idempotency key could not be given up");
        }
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

async fn replay(gateway: &Gateway, path: &[u8], hash: &str) -> Result<Response, Problem> {
    let found = gateway.store.get(path).await?;
    let mark: Option<Mark> = found.and_then(|found| serde_json::from_slice(&found.value).ok());
    let Some(mark) = mark else {
        return Err(Problem::unavailable("The first request with this key has failed; try again."));
    };
    match judge(&mark, hash) {
        Verdict::OtherRequest => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "This Idempotency-Key was used for another request.",
        )),
        Verdict::UnderWay => Err(Problem::new(
            StatusCode::CONFLICT,
            "idempotency-under-way",
            "The first request with this Idempotency-Key is still under way; ask again.",
        )),
        Verdict::Replay(answer) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
            let body = STANDARD.decode(&answer.body).unwrap_or_default();
            let mut response = (status, body).into_response();
            response.headers_mut().remove(header::CONTENT_TYPE);
            if let Ok(kind) = HeaderValue::from_str(&answer.kind)
                && !answer.kind.is_empty()
            {
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
            }
            response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
            Ok(response)
        }
    }
}

/// SHA-256 over parts of any length, hex.
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_one_request() {
        let answer = Answer { status: 201, kind: String::new(), body: String::new() };
        let done = Mark { request: "a".to_owned(), answer: Some(answer) };
        assert!(matches!(judge(&done, "a"), Verdict::Replay(answer) if answer.status == 201));
        assert_eq!(judge(&done, "b"), Verdict::OtherRequest);
        let running = Mark { request: "a".to_owned(), answer: None };
        assert_eq!(judge(&running, "a"), Verdict::UnderWay);
        assert_eq!(judge(&running, "b"), Verdict::OtherRequest);
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
    }
}
