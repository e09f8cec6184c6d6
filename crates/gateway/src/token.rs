//! The administrators' token: one secret that administrative calls carry.

use crate::{Gateway, Problem};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;

/// Shortest token that is taken, in characters.
const LENGTH_MIN: usize = 16;

/// A secret that does not print.
#[derive(Clone)]
pub struct AdminToken(Arc<str>);

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

impl AdminToken {
    /// The token in `text`, without blanks around it.
    ///
    /// # Errors
    /// A sentence when it is shorter than 16 characters or holds anything but visible ASCII.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() < LENGTH_MIN {
            return Err(format!("the token has {} characters; at least 16", text.len()));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the token may hold visible ASCII characters only".to_owned());
        }
        Ok(Self(text.into()))
    }

    /// Whether `given` is the token; takes the same time for every wrong one of its length.
    pub fn is(&self, given: &str) -> bool {
        let (own, given) = (self.0.as_bytes(), given.as_bytes());
        let differences = own.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
        own.len() == given.len() && differences == 0
    }
}

/// Lets a request through that carries the administrators' token.
pub(crate) async fn require(
    State(gateway): State<Gateway>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    Bearer::from_request_parts(&mut parts, &gateway).await?;
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// Proof that the request carried the token.
struct Bearer;

impl FromRequestParts<Gateway> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match header.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(given) if gateway.token.is(given.trim()) => Ok(Self),
            _ => Err(Problem::token()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AdminToken;

    #[test]
    fn tokens_are_compared_whole_and_do_not_print() {
        let token = AdminToken::parse(" 0123456789abcdef\n").expect("long enough");
        assert!(token.is("0123456789abcdef"));
        assert!(!token.is("0123456789abcdeX"));
        assert!(!token.is("0123456789abcdef0"));
        assert!(!token.is(""));
        assert_eq!(format!("{token:?}"), "AdminToken(…)");
        assert!(AdminToken::parse("short").is_err());
    }
}
