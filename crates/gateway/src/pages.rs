//! Pages and their files, out of the binary.
//!
//! | path | what | policy |
//! |---|---|---|
//! | `/`, `/e/…`, `/admin/…`, … | the application, whose router reads the path | nonce |
//! | `/booth.html`, `/check.html` | the voter's pages | no nonce; may talk to the other nodes |
//! | `/quorate-trustee.html` | offered for download, never run here | attachment |
//! | `/assets/…` | files whose names hold their hash | kept for a year |
//! | `/feed-test` | a plain page that shows the live feed | nonce |
//!
//! A page holds `__CSP_NONCE__` where its nonce belongs. A browser that asks for a page that does
//! not exist gets the application's page, which says so, with status 404; programs get a problem.
//! Without built pages there is one that says how to build them.

use crate::{Gateway, Problem, encoding, headers, random};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
/// One file of the pages.
pub use web_assets::Asset;

/// What stands in a page for its nonce.
const NONCE: &str = "__CSP_NONCE__";

/// First parts of the paths whose pages the application draws.
const APPLICATION: [&str; 6] = ["", "e", "admin", "cluster", "login", "limits"];

/// Pages that voters use: built without anything inline, the same for everybody.
const VOTERS: [&str; 2] = ["booth.html", "check.html"];

/// The page that is served when none was built.
const UNBUILT: &str = include_str!("pages/unbuilt.html");

/// The page that shows the feed.
const FEED_TEST: &str = include_str!("pages/feed-test.html");

/// The built pages.
#[derive(Clone, Copy, Debug)]
pub struct Assets(pub &'static [Asset]);

impl Default for Assets {
    fn default() -> Self {
        Self(web_assets::FILES)
    }
}

impl Assets {
    fn find(self, path: &str) -> Option<&'static Asset> {
        self.0.iter().find(|asset| asset.path == path)
    }
}

/// Everything that is no route of the API.
pub(crate) async fn serve(
    State(gateway): State<Gateway>,
    method: Method,
    uri: Uri,
    given: HeaderMap,
) -> Result<Response, Problem> {
    let path = uri.path().trim_start_matches('/');
    if !matches!(method, Method::GET | Method::HEAD) {
        return Err(no_such_path());
    }
    if path.starts_with("api/") || path == "api" {
        return Err(no_such_path());
    }
    let assets = gateway.settings.assets;
    let is_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    match assets.find(path) {
        Some(asset) if VOTERS.contains(&path) => Ok(voters(&gateway, asset)),
        Some(asset) if path == "quorate-trustee.html" => Ok(download(asset)),
        Some(asset) if path.ends_with(".html") => page(text_of(asset)),
        Some(asset) => Ok(file(asset, &given)),
        None if is_file => Err(no_such_path()),
        None => match assets.find("index.html") {
            Some(index) => application(index, path, &given),
            None if path.is_empty() => page(UNBUILT),
            None => Err(no_such_path()),
        },
    }
}

/// `GET /feed-test`.
pub(crate) async fn feed_test() -> Result<Response, Problem> {
    page(FEED_TEST)
}

fn no_such_path() -> Problem {
    Problem::not_found("There is nothing at this path; /api/v1/openapi.json lists what there is.")
}

fn text_of(asset: &'static Asset) -> &'static str {
    core::str::from_utf8(asset.bytes).unwrap_or(UNBUILT)
}

/// The application's page, also where it can only say that there is nothing.
fn application(index: &'static Asset, path: &str, given: &HeaderMap) -> Result<Response, Problem> {
    let first = path.split('/').next().unwrap_or_default();
    if APPLICATION.contains(&first) {
        return page(text_of(index));
    }
    let accepted = given.get(header::ACCEPT).and_then(|kinds| kinds.to_str().ok());
    if !accepted.is_some_and(|kinds| kinds.contains("text/html")) {
        return Err(no_such_path());
    }
    let mut response = page(text_of(index))?;
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

/// A page with a nonce of its own.
fn page(text: &str) -> Result<Response, Problem> {
    let nonce = encoding::encode(&random::bytes::<16>()?);
    Ok(html(text.replace(NONCE, &nonce), &headers::page_policy(&nonce)))
}

fn html(text: String, policy: &str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The booth sends its ballot to other nodes when this one falls, so it may talk to them.
fn voters(gateway: &Gateway, asset: &'static Asset) -> Response {
    let nodes = gateway.life.web_origins().join(" ");
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; img-src \
         'self' data:; connect-src 'self' {nodes}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    html(text_of(asset).to_owned(), &policy)
}

fn download(asset: &'static Asset) -> Response {
    let mut response = asset.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let kept = HeaderValue::from_static("attachment; filename=\"quorate-trustee.html\"");
    headers.insert(header::CONTENT_DISPOSITION, kept);
    response
}

fn file(asset: &'static Asset, given: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(asset.bytes)[..16]));
    let known = given.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => asset.bytes.into_response(),
    };
    let is_hashed = asset.path.starts_with("assets/");
    let cache = if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind_of(asset.path)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn kind_of(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}
