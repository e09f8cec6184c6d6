//! The door: who finds no room ([`crate::shed`]) is answered here, before anything else is looked
//! at. Nine of ten callers may be turned away, and what that costs is taken from the tenth, so the
//! answers are ready-made: no route is looked up, nothing is logged, traced or named.

use crate::front::changes;
use crate::shed::Kind;
use crate::{AskError, Gateway, Problem, headers};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::RouterIntoService;
use bytes::Bytes;
use futures::future::{Either, Ready, ready};
use std::convert::Infallible;
use std::task::{Context, Poll};
use tower_service::Service;

/// All routes behind the door.
#[derive(Clone)]
pub(crate) struct Door {
    gateway: Gateway,
    routes: RouterIntoService<Body>,
}

impl Door {
    pub(crate) fn new(gateway: Gateway, routes: Router) -> Self {
        Self { gateway, routes: routes.into_service() }
    }
}

impl Service<Request> for Door {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Response, Infallible>>,
        <RouterIntoService<Body> as Service<Request>>::Future,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.gateway.turns_away(&request) {
            Some(response) => Either::Left(ready(Ok(response))),
            None => Either::Right(self.routes.call(request)),
        }
    }
}

impl Gateway {
    /// The answer to a caller for whom there is no room now.
    fn turns_away(&self, request: &Request) -> Option<Response> {
        let kind = kind_of(request.method(), request.uri().path());
        let has_room = match kind {
            Kind::Ballot => self.intake.has_room(),
            Kind::Other => comes_first(request) || self.intake.admits_page(),
        };
        (!has_room).then(|| self.turn_away(kind))
    }

    /// Counts a request that is turned away, and answers it.
    pub(crate) fn turn_away(&self, kind: Kind) -> Response {
        self.figures.shed(kind.name());
        self.busy.answer(kind)
    }
}

/// Which kind a request is; the router need not have seen it.
pub(crate) fn kind_of(method: &Method, path: &str) -> Kind {
    let rest = path.strip_prefix("/api/v1/elections/").and_then(|rest| rest.split_once('/'));
    let is_ballot = method == Method::POST && rest.is_some_and(|(_, what)| what == "ballots");
    if is_ballot { Kind::Ballot } else { Kind::Other }
}

/// Whether something that is no ballot is let in however many ballots there are: whoever changes
/// something or has an account, and the question of a browser that precedes a ballot.
fn comes_first(request: &Request) -> bool {
    let method = request.method();
    changes(method)
        || method == Method::OPTIONS
        || request.headers().contains_key(header::AUTHORIZATION)
}

/// The answers to those for whom there is no room.
pub(crate) struct Busy([ReadyMade; 2]);

struct ReadyMade {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Busy {
    pub(crate) fn new(node: u64) -> Self {
        Self([Kind::Ballot, Kind::Other].map(|kind| ReadyMade::new(problem(kind), node)))
    }

    fn answer(&self, kind: Kind) -> Response {
        let ReadyMade { status, headers, body } = &self.0[kind as usize];
        let mut response = Response::new(Body::from(body.clone()));
        *response.status_mut() = *status;
        *response.headers_mut() = headers.clone();
        response
    }
}

impl ReadyMade {
    fn new(problem: Problem, node: u64) -> Self {
        let body = problem.to_json();
        let response = problem.into_response();
        let (status, mut headers) = (response.status(), response.headers().clone());
        headers::secure(&mut headers, true);
        // It holds nothing of anybody, so programs in any page may read it.
        headers::share(&mut headers);
        headers.insert("x-node", HeaderValue::from(node));
        Self { status, headers, body }
    }
}

fn problem(kind: Kind) -> Problem {
    match kind {
        Kind::Ballot => AskError::Overloaded.into(),
        Kind::Other => Problem::unavailable(
            "This node is busy with ballots. Come back in a moment, or ask another node.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ballots_are_known_by_method_and_path() {
        let ballots = "/api/v1/elections/0123/ballots";
        assert_eq!(kind_of(&Method::POST, ballots), Kind::Ballot);
        for (method, path) in [
            (Method::GET, ballots),
            (Method::POST, "/api/v1/elections/0123/ballots/ABC"),
            (Method::POST, "/api/v1/elections/0123/roll"),
            (Method::POST, "/api/v1/elections/ballots"),
            (Method::POST, "/"),
        ] {
            assert_eq!(kind_of(&method, path), Kind::Other, "{method} {path}");
        }
    }

    #[test]
    fn who_acts_and_who_asks_before_casting_comes_before_readers() {
        let request = |method: Method, token: Option<&str>| {
            let mut request = Request::new(Body::empty());
            *request.method_mut() = method;
            if let Some(token) = token {
                let value = HeaderValue::from_str(token).expect("a value");
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            request
        };
        assert!(comes_first(&request(Method::OPTIONS, None)));
        assert!(comes_first(&request(Method::PUT, None)));
        assert!(comes_first(&request(Method::GET, Some("Bearer t"))));
        assert!(!comes_first(&request(Method::GET, None)));
        assert!(!comes_first(&request(Method::HEAD, None)));
    }

    #[test]
    fn the_answers_say_when_to_come_back_and_can_be_read_anywhere() {
        let busy = Busy::new(3);
        for (kind, status) in [
            (Kind::Ballot, StatusCode::TOO_MANY_REQUESTS),
            (Kind::Other, StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let response = busy.answer(kind);
            assert_eq!(response.status(), status);
            let header = |name: &str| response.headers().get(name).expect(name).to_str().unwrap();
            assert_eq!(header("retry-after"), "1");
            assert_eq!(header("content-type"), "application/problem+json");
            assert_eq!(header("access-control-allow-origin"), "*");
            assert_eq!(header("cache-control"), "no-store");
            assert_eq!(header("x-node"), "3");
        }
    }
}
