//! All routes, by resource. What each may be asked by whom stands in the OpenAPI document; a route
//! that it does not list is not served.

mod accounts;
mod admin;
mod approvals;
mod audit;
mod ballots;
mod cluster;
pub(crate) mod demo;
mod elections;
mod entries;
mod feed;
mod hooks;
mod ledger;
mod mail;
mod service;
mod session;

use crate::{BALLOT_BYTES_MAX, BODY_BYTES_MAX, Gateway, front, pages};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post, put};

/// Largest body of what people with accounts fill in, in bytes.
const FORM_BYTES_MAX: usize = 256 << 10;

/// Everything, with limits, and pages for what is not the API.
pub(crate) fn router(gateway: Gateway) -> Router {
    let ballots = Router::new()
        .route("/api/v1/elections/{id}/ballots", post(ballots::cast))
        .layer(DefaultBodyLimit::max(BALLOT_BYTES_MAX));
    let forms =
        Router::new().merge(people()).merge(house()).layer(DefaultBodyLimit::max(FORM_BYTES_MAX));
    Router::new()
        .merge(elections())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .merge(ballots)
        .merge(forms)
        .route("/feed-test", get(pages::feed_test))
        .fallback(pages::serve)
        .method_not_allowed_fallback(|| async { front::no_such_method() })
        .layer(axum::middleware::from_fn_with_state(gateway.clone(), front::guard))
        .with_state(gateway)
}

/// The service, the nodes, the feed.
fn house() -> Router<Gateway> {
    Router::new()
        .route("/api/v1", get(service::about))
        .route("/api/v1/version", get(service::version))
        .route("/api/v1/openapi.json", get(service::openapi))
        .route("/api/v1/node", get(service::node))
        .route("/api/v1/cluster", get(cluster::view))
        .route("/api/v1/cluster/events", get(cluster::events))
        .route("/api/v1/demo", get(demo::state))
        .route("/api/v1/demo/faults", post(demo::fault))
        .route("/api/v1/demo/settings", put(demo::settings))
        .route("/api/v1/feed", get(feed::feed))
        .route("/api/v1/desk", get(audit::desk))
        .route("/api/v1/audit", get(audit::list))
        .route("/api/v1/audit/export", get(audit::export))
}

/// Logging in, accounts, approvals.
fn people() -> Router<Gateway> {
    Router::new()
        .route("/api/v1/login", get(session::ways).post(session::login))
        .route("/api/v1/login/oidc", get(session::oidc_start))
        .route("/api/v1/login/oidc/callback", get(session::oidc_finish))
        .route("/api/v1/session", get(session::myself).delete(session::logout))
        .route("/api/v1/session/refresh", post(session::refresh))
        .route("/api/v1/roles", get(accounts::roles))
        .route("/api/v1/accounts", get(accounts::list).post(accounts::create))
        .route(
            "/api/v1/accounts/{name}",
            get(accounts::show).put(accounts::change).delete(accounts::remove),
        )
        .route("/api/v1/accounts/{name}/password", put(accounts::password))
        .route("/api/v1/accounts/{name}/sessions", get(accounts::sessions).delete(accounts::revoke))
        .route("/api/v1/accounts/{name}/sessions/{session}", delete(accounts::end_session))
        .route("/api/v1/accounts/{name}/tokens", get(accounts::tokens).post(accounts::make_token))
        .route("/api/v1/accounts/{name}/tokens/{token}", delete(accounts::end_token))
        .route("/api/v1/approvals", get(approvals::list))
        .route("/api/v1/approvals/{approval}", post(approvals::decide))
}

/// Elections and their public record.
fn elections() -> Router<Gateway> {
    Router::new()
        .route("/api/v1/elections", get(elections::list).post(admin::create))
        .route("/api/v1/elections/{id}", get(elections::show))
        .route("/api/v1/elections/{id}/turnout", get(elections::turnout))
        .route("/api/v1/elections/{id}/roll", get(elections::roll).put(admin::roll))
        .route("/api/v1/elections/{id}/ceremony", get(elections::ceremony).post(admin::ceremony))
        .route("/api/v1/elections/{id}/manifest", get(elections::manifest).post(admin::seal))
        .route("/api/v1/elections/{id}/endorsements", post(admin::endorse))
        .route("/api/v1/elections/{id}/open", post(admin::open))
        .route("/api/v1/elections/{id}/close", post(admin::close))
        .route("/api/v1/elections/{id}/orders", post(admin::order))
        .route("/api/v1/elections/{id}/shares", post(admin::share))
        .route("/api/v1/elections/{id}/result", get(elections::result).post(admin::publish))
        .route("/api/v1/elections/{id}/ballots/{tracker}", get(ballots::state))
        .route("/api/v1/elections/{id}/credentials/{key}", get(ballots::credential))
        .route("/api/v1/elections/{id}/checkpoint", get(ledger::checkpoint))
        .route("/api/v1/elections/{id}/tile/{*path}", get(ledger::tile))
        .route("/api/v1/elections/{id}/entries", get(entries::list))
        .route("/api/v1/elections/{id}/leaves", get(ledger::leaves))
        .route("/api/v1/elections/{id}/rounds", get(ledger::rounds))
        .route("/api/v1/elections/{id}/refusals", get(ledger::refusals))
        .route("/api/v1/elections/{id}/archive", get(ledger::archive))
        .route("/api/v1/elections/{id}/trust", get(ledger::trust))
        .route("/api/v1/elections/{id}/successions", get(ledger::successions).post(admin::agree))
        .route("/api/v1/elections/{id}/audit", get(audit::list_election))
        .route("/api/v1/elections/{id}/audit/export", get(audit::export_election))
        .route("/api/v1/elections/{id}/hooks", get(hooks::list).post(hooks::make))
        .route("/api/v1/elections/{id}/hooks/{hook}", delete(hooks::end))
        .route("/api/v1/elections/{id}/mail", get(mail::list).post(mail::queue))
        .route("/api/v1/elections/{id}/mail/{message}/again", post(mail::again))
}
