//! Words for what tonic refuses before a service sees it: calls that do not exist here, and
//! messages above the limit.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use kv::api::Error;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::service::Routes;
use tonic::{Code, Status};

use crate::error::status;

/// How tonic begins its refusal of a message above the limit.
const TOO_LARGE: &str = "Error, decoded message length too large";

/// All services, with words for what they do not take.
#[derive(Clone)]
pub(crate) struct Texts {
    routes: Routes,
}

impl Texts {
    pub(crate) fn new(routes: Routes) -> Self {
        Self { routes: routes.prepare() }
    }
}

type Answer = Result<http::Response<Body>, Infallible>;

impl Service<http::Request<Body>> for Texts {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<Body>>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let uri = request.uri().clone();
        let answer = self.routes.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(match reworded(&answer, uri.path()) {
                Some(status) => status.into_http(),
                None => answer,
            })
        })
    }
}

/// The refusal to send instead of `answer`, if there is a better one.
fn reworded(answer: &http::Response<Body>, path: &str) -> Option<Status> {
    let code = answer.headers().get("grpc-status")?;
    let refusal = Status::from_header_map(answer.headers())?;
    match Code::from_bytes(code.as_bytes()) {
        Code::Unimplemented if refusal.message().is_empty() => {
            Some(Status::unimplemented(format!("quorate: this node does not offer {path}")))
        }
        Code::OutOfRange if refusal.message().starts_with(TOO_LARGE) => {
            Some(status(Error::RequestTooLarge))
        }
        _ => None,
    }
}
