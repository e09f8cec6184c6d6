//! What every request passes on its way in and out, outermost first.
//!
//! 0. room ([`crate::door`]): whoever has none is turned away before any of this
//! 1. a name (`x-request-id`), its place in a trace ([`crate::trace`]) and one log line; a panic
//!    becomes a problem
//! 2. security headers; CORS for public data
//! 3. a bound of what is under way ([`crate::shed::Gauge`]), and time
//! 4. who asks, whether they may (`x-rights` of the OpenAPI document), how often
//! 5. [`crate::forward`], when another node must serve it
//! 6. the record of what people with accounts change ([`crate::audit`])
//! 7. [`crate::idempotency`]
//!
//! Log lines name the route's template, never the path: a path holds trackers and credentials, and
//! no line may hold one of those beside an address.

use crate::auth::directory::{Caller, Entrance, Nobody};
use crate::auth::rights::{self, Decision, Object};
use crate::auth::{Grant, Role};
use crate::limits::{Limiter, Rate, client_address, network_of};
use crate::routes::demo;
use crate::token::Standing;
use crate::{Gateway, Problem, audit, clock, door, headers, idempotency, request_id, shed, trace};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::Instrument;

/// Longest time for one request, body included; feeds have none.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// The route of the feed.
const FEED: &str = "/api/v1/feed";

/// How often callers may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Strangers, by address; never for ballots.
    pub address: Rate,
    /// People with accounts, by account.
    pub account: Rate,
    /// Logging in, by name.
    pub login_name: Rate,
    /// Logging in, by address.
    pub login_address: Rate,
    /// Ordered ballots, by credential.
    pub credential: Rate,
}

impl Limits {
    /// Rates that nobody reaches, for measuring and for tests.
    pub fn none() -> Self {
        let all = Rate { burst: 1_000_000, per_minute: 60_000 };
        Self { address: all, account: all, login_name: all, login_address: all, credential: all }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            address: Rate { burst: 600, per_minute: 3000 },
            account: Rate { burst: 300, per_minute: 1200 },
            login_name: Rate { burst: 10, per_minute: 6 },
            login_address: Rate { burst: 60, per_minute: 60 },
            credential: Rate { burst: 20, per_minute: 10 },
        }
    }
}

/// The limits with their memory.
pub(crate) struct Throttle {
    address: Mutex<Limiter<IpAddr>>,
    account: Mutex<Limiter<String>>,
    login_name: Mutex<Limiter<String>>,
    login_address: Mutex<Limiter<IpAddr>>,
    credential: Mutex<Limiter<[u8; 32]>>,
}

impl Throttle {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            address: Mutex::new(Limiter::new(limits.address)),
            account: Mutex::new(Limiter::new(limits.account)),
            login_name: Mutex::new(Limiter::new(limits.login_name)),
            login_address: Mutex::new(Limiter::new(limits.login_address)),
            credential: Mutex::new(Limiter::new(limits.credential)),
        }
    }

    /// One attempt to log in as `name` from `address`.
    pub(crate) fn login(&self, name: &str, address: IpAddr) -> Result<(), Problem> {
        let now = clock::milliseconds();
        let detail = "Too many attempts to log in. Wait a little.";
        take(&self.login_address, network_of(address), now, detail)?;
        take(&self.login_name, name.trim().to_lowercase(), now, detail)
    }

    /// Whether another ballot of this credential is taken now.
    pub(crate) fn look_credential(&self, credential: &[u8; 32]) -> Result<(), Problem> {
        let limiter = self.credential.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.look(credential, clock::milliseconds()).map_err(|wait| {
            Problem::too_often("This credential has cast many ballots in short time.", wait)
        })
    }

    /// A ballot of this credential was ordered.
    pub(crate) fn charge_credential(&self, credential: [u8; 32]) {
        let mut limiter = self.credential.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = limiter.take(credential, clock::milliseconds());
    }
}

fn take<K: std::hash::Hash + Eq>(
    limiter: &Mutex<Limiter<K>>,
    key: K,
    now_ms: u64,
    detail: &str,
) -> Result<(), Problem> {
    let mut limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
    limiter.take(key, now_ms).map_err(|wait| Problem::too_often(detail, wait))
}

/// Who asks, for handlers.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// `None`: just anybody.
    pub(crate) caller: Option<Caller>,
    /// From where; for throttling only, never for a log line.
    pub(crate) address: IpAddr,
}

impl Who {
    /// The caller of a route that needs one.
    pub(crate) fn known(&self) -> Result<&Caller, Problem> {
        self.caller.as_ref().ok_or_else(Problem::token)
    }
}

/// The outermost layer of all routes.
pub(crate) async fn guard(
    State(gateway): State<Gateway>,
    mut request: Request,
    next: Next,
) -> Response {
    let route = Route::of(&request);
    let given = request.headers().get("x-request-id").and_then(|value| value.to_str().ok());
    let id = request_id::of(given, gateway.node.node);
    let span = tracing::info_span!(target: "api", "request", request_id = %id);
    let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let context = trace::Context::of(traceparent);
    let traced = traced_span(&context, &route, &id);
    let shown = id.clone();
    let work = request_id::under(
        id,
        async move {
            let started = Instant::now();
            let (mut response, name) = inside(&gateway, &route, &mut request, next).await;
            headers::secure(response.headers_mut(), route.is_api());
            if route.is_shared(&gateway) {
                headers::share(response.headers_mut());
            }
            let node = HeaderValue::from(gateway.node.node);
            // What another node has served carries that node's number.
            response.headers_mut().entry("x-node").or_insert(node);
            if let Ok(id) = HeaderValue::from_str(&shown) {
                response.headers_mut().insert("x-request-id", id);
            }
            let (status, time) = (response.status().as_u16(), started.elapsed());
            traced.record("status", u64::from(status));
            gateway.figures.answered(&route.template, route.method.as_str(), status, time);
            tracing::debug!(
                target: "api",
                method = %route.method,
                route = route.template,
                status,
                account = name,
                ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
                "answered"
            );
            response
        }
        .instrument(span),
    );
    trace::under(context, work).await
}

/// The span that is exported, if anybody exports and the caller wants it kept.
fn traced_span(context: &trace::Context, route: &Route, request_id: &str) -> tracing::Span {
    if !context.is_sampled() {
        return tracing::Span::none();
    }
    tracing::info_span!(
        target: trace::TARGET,
        parent: None,
        "request",
        trace_id = context.trace(),
        span_id = context.span(),
        parent_id = context.parent(),
        method = route.method.as_str(),
        route = route.template,
        request_id,
        status = tracing::field::Empty,
    )
}

/// Where a request goes.
struct Route {
    method: Method,
    /// The template of its path; empty when there is none.
    template: String,
    path: String,
}

impl Route {
    fn of(request: &Request) -> Self {
        let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        Self {
            method: request.method().clone(),
            template: matched.unwrap_or_default().replace("{*", "{"),
            path: request.uri().path().to_owned(),
        }
    }

    /// Its method as the document writes it; HEAD is a GET without body.
    fn verb(&self) -> String {
        if self.method == Method::HEAD {
            "get".to_owned()
        } else {
            self.method.as_str().to_lowercase()
        }
    }

    fn is_api(&self) -> bool {
        self.path.starts_with("/api/")
    }

    fn object(&self) -> Object<'_> {
        rights::object_of(&self.template, &self.path)
    }

    /// Whether other people's pages may read it.
    fn is_shared(&self, gateway: &Gateway) -> bool {
        let verb = if self.method == Method::OPTIONS { "get".to_owned() } else { self.verb() };
        let is_shared = |verb: &str| gateway.table.is_shared(verb, &self.template);
        is_shared(&verb) || (self.method == Method::OPTIONS && is_shared("post"))
    }
}

/// Everything below the log line; also gives the caller's name for it.
async fn inside(
    gateway: &Gateway,
    route: &Route,
    request: &mut Request,
    next: Next,
) -> (Response, Option<String>) {
    if route.method == Method::OPTIONS && route.is_shared(gateway) {
        let mut response = StatusCode::NO_CONTENT.into_response();
        headers::preflight(response.headers_mut());
        return (response, None);
    }
    let kind = door::kind_of(&route.method, &route.path);
    let is_ballot = kind == shed::Kind::Ballot;
    let Some(under_way) = gateway.gauge.enter(kind) else {
        return (gateway.turn_away(kind), None);
    };
    let asking = Asking::of(request);
    let who = match admit(gateway, route, &asking, is_ballot).await {
        Ok(who) => who,
        Err(problem) => return (problem.into_response(), None),
    };
    let name = who.caller.as_ref().map(|caller| caller.name.clone());
    request.extensions_mut().insert(who.clone());
    let request = std::mem::take(request);
    let work = serve_or_pass_on(gateway, route, who, (request, is_ballot), next);
    let response = if route.template == FEED {
        work.await
    } else {
        tokio::time::timeout(REQUEST_TIME_MAX, work)
            .await
            .unwrap_or_else(|_| late().into_response())
    };
    drop(under_way);
    (response, name)
}

/// Serves a request here, or at a node that can.
async fn serve_or_pass_on(
    gateway: &Gateway,
    route: &Route,
    who: Who,
    (mut request, is_ballot): (Request, bool),
    next: Next,
) -> Response {
    let is_ours = !route.is_api() || route.template.is_empty() || route.template == FEED;
    let election = route.object().election;
    if !is_ours && gateway.needs_another(&route.method, election, request.headers()).await {
        match gateway.pass_on(request, is_ballot).await {
            Ok(response) => return response,
            Err(unserved) => request = *unserved,
        }
    }
    serve(gateway, route, who, request, next).await
}

async fn serve(
    gateway: &Gateway,
    route: &Route,
    who: Who,
    request: Request,
    next: Next,
) -> Response {
    let Some(caller) = who.caller.filter(|_| changes(&route.method)) else {
        return guarded(next.run(request)).await;
    };
    let key = request.headers().get("idempotency-key").cloned();
    let answer =
        idempotency::around(gateway, &caller, key, request, |request| guarded(next.run(request)));
    let response = answer.await;
    let status = response.status().as_u16();
    if route.template.starts_with(demo::PATH) {
        // Who brings a node back does not wait for a store that lacks this node.
        let (gateway, verb, template) = (gateway.clone(), route.verb(), route.template.clone());
        tokio::spawn(request_id::under(request_id::current(), async move {
            let object = Object::default();
            audit::note(&gateway, &caller, verb, &template, &object, status).await;
        }));
        return response;
    }
    audit::note(gateway, &caller, route.verb(), &route.template, &route.object(), status).await;
    response
}

/// Runs a handler; a panic in it is this request's alone.
async fn guarded(work: impl Future<Output = Response>) -> Response {
    use futures::FutureExt;
    std::panic::AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(target: "api", "a handler broke an invariant");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "This is a fault of ours. The node's log knows more under this request id.",
        )
        .into_response()
    })
}

/// Whether a request with this method may change something.
pub(crate) fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn late() -> Problem {
    Problem::unavailable("This took longer than a minute. It may or may not be done; look first.")
}

/// What a request says of who asks.
struct Asking {
    peer: IpAddr,
    forwarded_for: Option<HeaderValue>,
    bearer: Option<HeaderValue>,
}

impl Asking {
    fn of(request: &Request) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Self {
            peer: peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip()),
            forwarded_for: request.headers().get("x-forwarded-for").cloned(),
            bearer: request.headers().get(header::AUTHORIZATION).cloned(),
        }
    }
}

/// Who asks; refuses who may not, or comes too often.
async fn admit(
    gateway: &Gateway,
    route: &Route,
    asking: &Asking,
    is_ballot: bool,
) -> Result<Who, Problem> {
    let forwarded = asking.forwarded_for.as_ref().and_then(|value| value.to_str().ok());
    let address = client_address(asking.peer, forwarded, &gateway.settings.trusted_proxies);
    let now = clock::milliseconds();
    let strangers = &gateway.throttle.address;
    let detail = "Too many requests from this address. Ballots are taken all the same.";
    if is_ballot || route.template.is_empty() || !route.is_api() {
        if !is_ballot {
            take(strangers, network_of(address), now, detail)?;
        }
        return Ok(Who { caller: None, address });
    }
    let rule = gateway.table.rule(&route.verb(), &route.template).ok_or_else(no_such_method)?;
    let caller = match &asking.bearer {
        None => None,
        Some(value) => match identify(gateway, value).await {
            Ok(caller) => Some(caller),
            // Public data is for everybody, also for who brings a token that has just ended.
            Err(_) if rule.is_public() => None,
            Err(problem) => {
                take(strangers, network_of(address), now, detail)?;
                return Err(problem);
            }
        },
    };
    match &caller {
        None => take(strangers, network_of(address), now, detail)?,
        Some(caller) => {
            let detail = "This account asks too often.";
            take(&gateway.throttle.account, caller.name.clone(), now, detail)?;
        }
    }
    match rule.decide(caller.as_ref(), route.object()) {
        Decision::Allowed => Ok(Who { caller, address }),
        Decision::LogIn => Err(Problem::token()),
        Decision::Forbidden => Err(Problem::forbidden(
            "Your account has no right to this. Its grants are listed at /api/v1/session; an \
             administrator can change them.",
        )),
    }
}

pub(crate) fn no_such_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "This path does not take this method; /api/v1/openapi.json lists what it takes.",
    )
}

/// Who stands behind an `Authorization` header.
pub(crate) async fn identify(gateway: &Gateway, value: &HeaderValue) -> Result<Caller, Problem> {
    let text = value.to_str().ok().and_then(|value| value.split_once(' '));
    let Some((scheme, token)) = text else { return Err(Problem::token()) };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::token());
    }
    identify_token(gateway, token.trim()).await
}

/// Who stands behind a bearer token.
pub(crate) async fn identify_token(gateway: &Gateway, token: &str) -> Result<Caller, Problem> {
    if gateway.token.is(token) {
        let is_founded = gateway.office.followed.read().is_founded;
        return match gateway.token.standing() {
            Standing::OneTime if is_founded => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "token-used",
                "The one-time token of this node is void since there is an administrator; log in.",
            )),
            Standing::OneTime | Standing::Permanent => Ok(Caller {
                name: "operator".to_owned(),
                grants: vec![Grant::everywhere(Role::Administrator)],
                within: None,
                entrance: Entrance::Operator,
            }),
        };
    }
    if !gateway.office.followed.is_ready() {
        return Err(Problem::unavailable("This node has not read the accounts yet; ask again."));
    }
    gateway.office.caller(token).await.map_err(|nobody| match nobody {
        Nobody::Malformed => Problem::token(),
        Nobody::Unknown | Nobody::Void => Problem::new(
            StatusCode::UNAUTHORIZED,
            "token-void",
            "This token is not good any more: its time is over, or the session has ended. Refresh \
             it, or log in again.",
        ),
    })
}
