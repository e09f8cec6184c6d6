//! All routes, by resource. The table in [`TABLE`] is what the OpenAPI document must list.

mod admin;
mod ballots;
mod elections;
mod ledger;
mod service;

use crate::{BALLOT_BYTES_MAX, BODY_BYTES_MAX, Gateway, Problem, token};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post, put};

/// Every method and path, as the OpenAPI document writes them.
#[cfg(test)]
pub(crate) const TABLE: [(&str, &str); 27] = [
    ("get", "/api/v1"),
    ("get", "/api/v1/openapi.json"),
    ("get", "/api/v1/node"),
    ("get", "/api/v1/elections"),
    ("post", "/api/v1/elections"),
    ("get", "/api/v1/elections/{id}"),
    ("get", "/api/v1/elections/{id}/roll"),
    ("put", "/api/v1/elections/{id}/roll"),
    ("get", "/api/v1/elections/{id}/ceremony"),
    ("post", "/api/v1/elections/{id}/ceremony"),
    ("get", "/api/v1/elections/{id}/manifest"),
    ("post", "/api/v1/elections/{id}/manifest"),
    ("post", "/api/v1/elections/{id}/endorsements"),
    ("post", "/api/v1/elections/{id}/open"),
    ("post", "/api/v1/elections/{id}/close"),
    ("post", "/api/v1/elections/{id}/shares"),
    ("get", "/api/v1/elections/{id}/result"),
    ("post", "/api/v1/elections/{id}/result"),
    ("post", "/api/v1/elections/{id}/ballots"),
    ("get", "/api/v1/elections/{id}/ballots/{tracker}"),
    ("get", "/api/v1/elections/{id}/credentials/{key}"),
    ("get", "/api/v1/elections/{id}/checkpoint"),
    ("get", "/api/v1/elections/{id}/leaves"),
    ("get", "/api/v1/elections/{id}/rounds"),
    ("get", "/api/v1/elections/{id}/refusals"),
    ("get", "/api/v1/elections/{id}/archive"),
    ("get", "/api/v1/elections/{id}/trust"),
];

/// Everything, with limits and a problem for what does not exist.
pub(crate) fn router(gateway: Gateway) -> Router {
    let ballots = Router::new()
        .route("/api/v1/elections/{id}/ballots", post(ballots::cast))
        .layer(DefaultBodyLimit::max(BALLOT_BYTES_MAX));
    Router::new()
        .merge(public())
        .merge(administrative(&gateway))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .merge(ballots)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(gateway)
}

fn public() -> Router<Gateway> {
    Router::new()
        .route("/", get(service::page))
        .route("/api/v1", get(service::about))
        .route("/api/v1/openapi.json", get(service::openapi))
        .route("/api/v1/node", get(service::node))
        .route("/api/v1/elections", get(elections::list))
        .route("/api/v1/elections/{id}", get(elections::show))
        .route("/api/v1/elections/{id}/roll", get(elections::roll))
        .route("/api/v1/elections/{id}/ceremony", get(elections::ceremony))
        .route("/api/v1/elections/{id}/manifest", get(elections::manifest))
        .route("/api/v1/elections/{id}/result", get(elections::result))
        .route("/api/v1/elections/{id}/ballots/{tracker}", get(ballots::state))
        .route("/api/v1/elections/{id}/credentials/{key}", get(ballots::credential))
        .route("/api/v1/elections/{id}/checkpoint", get(ledger::checkpoint))
        .route("/api/v1/elections/{id}/tile/{*path}", get(ledger::tile))
        .route("/api/v1/elections/{id}/leaves", get(ledger::leaves))
        .route("/api/v1/elections/{id}/rounds", get(ledger::rounds))
        .route("/api/v1/elections/{id}/refusals", get(ledger::refusals))
        .route("/api/v1/elections/{id}/archive", get(ledger::archive))
        .route("/api/v1/elections/{id}/trust", get(ledger::trust))
}

fn administrative(gateway: &Gateway) -> Router<Gateway> {
    Router::new()
        .route("/api/v1/elections", post(admin::create))
        .route("/api/v1/elections/{id}/roll", put(admin::roll))
        .route("/api/v1/elections/{id}/ceremony", post(admin::ceremony))
        .route("/api/v1/elections/{id}/manifest", post(admin::seal))
        .route("/api/v1/elections/{id}/endorsements", post(admin::endorse))
        .route("/api/v1/elections/{id}/open", post(admin::open))
        .route("/api/v1/elections/{id}/close", post(admin::close))
        .route("/api/v1/elections/{id}/shares", post(admin::share))
        .route("/api/v1/elections/{id}/result", post(admin::publish))
        .route_layer(axum::middleware::from_fn_with_state(gateway.clone(), token::require))
}

async fn no_such_path() -> Problem {
    Problem::not_found("There is nothing at this path; /api/v1/openapi.json lists what there is.")
}

async fn no_such_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "This path does not take this method; /api/v1/openapi.json lists what it takes.",
    )
}
