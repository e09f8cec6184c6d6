//! What a caller is told when something is refused: `application/problem+json` (RFC 9457).
//!
//! Every problem has a stable `code` in kebab-case beside the sentence for people. What only the
//! operator should know goes to the log, never here.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

/// Where `type` URIs point; the anchor is the code.
const TYPE_BASE: &str = "urn:quorate:problem:";

/// One refusal.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// Identifies the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// A few words.
    title: &'static str,
    /// HTTP status.
    status: u16,
    /// What was wrong and what to do, in one or two sentences.
    detail: String,
    /// Stable code for programs.
    code: String,
    /// Names this answer in the node's log.
    request_id: String,
    /// Signed refusal of this node's authority, where it is about a ballot.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    /// Which parts of the body were wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    /// Seconds after which to come back.
    #[serde(skip)]
    retry_after_s: u64,
}

/// One wrong part of a body.
#[derive(Clone, Debug, Serialize)]
struct Fault {
    /// JSON pointer (RFC 6901).
    pointer: String,
    /// What is wrong with it.
    detail: String,
}

impl Problem {
    /// A refusal with `status`, `code` and a sentence.
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        let code = code.into();
        let problem = Self {
            kind: format!("{TYPE_BASE}{code}"),
            title: status.canonical_reason().unwrap_or("Refused"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            request_id: crate::request_id::current(),
            refusal: None,
            errors: Vec::new(),
            retry_after_s: 1,
        };
        tracing::debug!(
            code = problem.code,
            request_id = problem.request_id,
            detail = problem.detail,
            "refused"
        );
        problem
    }

    /// Its stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// 400: the request cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// 401: there is no token, or none that is good.
    pub fn token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "token-required",
            "This call needs a token in 'Authorization: Bearer …' that is good here: log in, or \
             use an API token. The one-time token that a node makes at its first start is good at \
             that node only.",
        )
    }

    /// 403: the caller is known and may not.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 422: one part of the body is wrong.
    pub fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let fault = Fault { pointer: pointer.to_owned(), detail: detail.clone() };
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        problem.errors.push(fault);
        problem
    }

    /// 412: somebody else has changed it meanwhile.
    pub fn changed_meanwhile() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "changed-meanwhile",
            "Somebody else changed this meanwhile. Look at it again, then decide.",
        )
    }

    /// 429: too often.
    pub fn too_often(detail: impl Into<String>, wait_ms: u64) -> Self {
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-often", detail);
        problem.retry_after_s = wait_ms.div_ceil(1000).max(1);
        problem
    }

    /// 503: ask this or another node again.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// The body of the answer.
    pub(crate) fn to_json(&self) -> Bytes {
        // A struct of texts and numbers is always written.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Adds the authority's signed refusal.
    #[must_use]
    pub fn with_refusal(mut self, refusal: String) -> Self {
        self.refusal = Some(refusal);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let wait = self.retry_after_s;
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
