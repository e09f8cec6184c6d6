//! What a caller is told when something is refused: `application/problem+json` (RFC 9457).
//!
//! Every problem has a stable `code` in kebab-case beside the sentence for people. What only the
//! operator should know goes to the log, never here.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

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
}

/// Numbers the problems of this process.
static NEXT: AtomicU64 = AtomicU64::new(1);

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
            request_id: format!("r{:08x}", NEXT.fetch_add(1, Ordering::Relaxed)),
            refusal: None,
        };
        tracing::debug!(
            code = problem.code,
            request_id = problem.request_id,
            detail = problem.detail,
            "refused"
        );
        problem
    }

    /// 400: the request cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// 401: the administrator's token is missing or another.
    pub fn token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "token-required",
            "This call needs the administrators' token in 'Authorization: Bearer …'. The node \
             printed it once at its first start, or reads it from its token file.",
        )
    }

    /// 503: ask this or another node again.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
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
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
