//! Logging in, staying in, leaving.

use crate::audit::note_login;
use crate::auth::account::Grant;
use crate::auth::directory::Entrance;
use crate::auth::office::{LoggedIn, logged_out};
use crate::auth::oidc::{self, Callback};
use crate::auth::{access, session};
use crate::extract::{J, Q};
use crate::front::Who;
use crate::{Gateway, Problem};
use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

/// Where the refresh cookie is sent to; `__Host-` cookies have no choice.
const COOKIE_PATH: &str = "/api/v1/session";

/// Where the cookie of a login under way is sent to.
const OIDC_PATH: &str = "/api/v1/login/oidc";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginBody {
    name: String,
    password: String,
}

/// What a login or a refresh gives.
#[derive(Serialize)]
pub(crate) struct SessionView {
    access_token: String,
    token_type: &'static str,
    /// Seconds until the access token ends.
    expires_in: u64,
    /// When the session ends, seconds since 1970 UTC.
    session_expires: u64,
    account: AccountLine,
}

#[derive(Serialize)]
pub(crate) struct AccountLine {
    name: String,
    display: String,
    grants: Vec<Grant>,
}

/// See `GET /login`.
#[derive(Serialize)]
pub(crate) struct Ways {
    password: bool,
    /// What the button says, if there is a provider.
    oidc: Option<String>,
    /// Whether the cluster still waits for its first administrator.
    waits_for_administrator: bool,
}

pub(crate) async fn ways(State(gateway): State<Gateway>) -> Json<Ways> {
    Json(Ways {
        password: true,
        oidc: gateway.oidc.as_ref().map(|provider| provider.settings.name.clone()),
        waits_for_administrator: !gateway.office.followed.read().is_founded,
    })
}

pub(crate) async fn login(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
    J(body): J<LoginBody>,
) -> Result<Response, Problem> {
    gateway.throttle.login(&body.name, who.address)?;
    let account = match gateway.office.check_password(&body.name, body.password).await {
        Ok(account) => account,
        Err(problem) => {
            // Only names of accounts: people type passwords into the wrong field.
            if problem.code() == "login-failed" && gateway.office.is_account(&body.name) {
                note_login(&gateway, &body.name, "password", "login refused").await;
            }
            return Err(problem);
        }
    };
    let name = account.name.to_string();
    let logged_in = gateway.office.begin(account, "password").await?;
    note_login(&gateway, &name, "password", "logged in").await;
    Ok(gateway.answer(logged_in))
}

pub(crate) async fn refresh(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_origin(&headers)?;
    let cookie = cookie_of(&headers, gateway.cookie_name()).ok_or_else(logged_out)?;
    let logged_in = gateway.office.refresh(cookie).await?;
    Ok(gateway.answer(logged_in))
}

pub(crate) async fn logout(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_origin(&headers)?;
    if let Some(Entrance::Session(session)) = who.caller.map(|caller| caller.entrance) {
        gateway.office.end(&session).await?;
    }
    if let Some(cookie) = cookie_of(&headers, gateway.cookie_name())
        && let Some(name) = gateway.office.end_by_cookie(cookie).await?
    {
        note_login(&gateway, &name, "session", "logged out").await;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    gateway.set_cookie(response.headers_mut(), "", 0);
    Ok(response)
}

/// See `GET /session`.
#[derive(Serialize)]
pub(crate) struct Myself {
    name: String,
    display: String,
    grants: Vec<Grant>,
    /// `session`, `api-token` or `operator`.
    entrance: &'static str,
    /// When the session ends, seconds since 1970 UTC; for sessions.
    session_expires: Option<u64>,
}

pub(crate) async fn myself(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
) -> Result<Json<Myself>, Problem> {
    let caller = who.known()?;
    let directory = gateway.office.followed.read();
    let account = directory.account(&caller.name);
    let (entrance, session_expires) = match &caller.entrance {
        Entrance::Session(id) => {
            ("session", directory.sessions.get(id).map(|kept| kept.value.expires))
        }
        Entrance::Token(_) => ("api-token", None),
        Entrance::Operator => ("operator", None),
    };
    Ok(Json(Myself {
        display: account.map_or_else(|| caller.name.clone(), |account| account.display.clone()),
        name: caller.name.clone(),
        grants: caller.within.clone().unwrap_or_else(|| caller.grants.clone()),
        entrance,
        session_expires,
    }))
}

pub(crate) async fn oidc_start(State(gateway): State<Gateway>) -> Result<Response, Problem> {
    let provider = gateway.oidc.as_ref().ok_or_else(no_provider)?;
    let (url, state) = provider.start(gateway.callback_url()?).await?;
    let mut response = Redirect::to(&url).into_response();
    let cookie = gateway.oidc_cookie(&state, oidc::PENDING_S);
    append_cookie(response.headers_mut(), &cookie);
    Ok(response)
}

pub(crate) async fn oidc_finish(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    Q(callback): Q<Callback>,
) -> Result<Response, Problem> {
    let provider = gateway.oidc.as_ref().ok_or_else(no_provider)?;
    let cookie = cookie_of(&headers, "quorate-login");
    let account = provider.finish(&gateway.office, callback, cookie).await?;
    let name = account.name.to_string();
    let logged_in = gateway.office.begin(account, "oidc").await?;
    note_login(&gateway, &name, "oidc", "logged in").await;
    // The page asks for its access token itself: none stands in an address line.
    let mut response = Redirect::to("/").into_response();
    gateway.set_cookie(response.headers_mut(), &logged_in.cookie, session::LIFETIME_S);
    append_cookie(response.headers_mut(), &gateway.oidc_cookie("", 0));
    Ok(response)
}

fn no_provider() -> Problem {
    Problem::not_found("This cluster has no identity provider; log in with name and password.")
}

impl Gateway {
    fn answer(&self, logged_in: LoggedIn) -> Response {
        let LoggedIn { account, cookie, access_token, expires } = logged_in;
        let view = SessionView {
            access_token,
            token_type: "Bearer",
            expires_in: access::LIFETIME_S,
            session_expires: expires,
            account: AccountLine {
                name: account.name.to_string(),
                display: account.display,
                grants: account.grants,
            },
        };
        let mut response = Json(view).into_response();
        self.set_cookie(response.headers_mut(), &cookie, session::LIFETIME_S);
        response
    }

    fn is_secure(&self) -> bool {
        let origin = self.settings.web_origin.as_deref();
        origin.is_some_and(|origin| origin.starts_with("https://"))
    }

    /// Two names, so that a cookie of plain HTTP is never taken for one of TLS.
    fn cookie_name(&self) -> &'static str {
        if self.is_secure() { "__Host-quorate" } else { "quorate-session" }
    }

    fn set_cookie(&self, headers: &mut HeaderMap, value: &str, seconds: u64) {
        let (name, is_secure) = (self.cookie_name(), self.is_secure());
        let place = if is_secure { "Path=/; Secure" } else { &format!("Path={COOKIE_PATH}") };
        let cookie =
            format!("{name}={value}; {place}; HttpOnly; SameSite=Strict; Max-Age={seconds}");
        append_cookie(headers, &cookie);
    }

    /// Lax, since the browser comes back from another site; it holds the state only.
    fn oidc_cookie(&self, state: &str, seconds: u64) -> String {
        let secure = if self.is_secure() { "; Secure" } else { "" };
        format!(
            "quorate-login={state}; Path={OIDC_PATH}; HttpOnly; SameSite=Lax; \
             Max-Age={seconds}{secure}"
        )
    }

    fn callback_url(&self) -> Result<String, Problem> {
        let origin = self.settings.web_origin.as_deref().ok_or_else(|| {
            Problem::unavailable("This node does not know its own address (web-origin).")
        })?;
        Ok(format!("{}{OIDC_PATH}/callback", origin.trim_end_matches('/')))
    }
}

fn append_cookie(headers: &mut HeaderMap, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// The value of a cookie.
fn cookie_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim())
}

/// A cookie speaks for its owner only when the page that sends it is this node's own. Browsers say
/// where a request comes from; programs without a browser have no cookies of others.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_own = match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some(site), _, _) => site == "same-origin",
        (None, Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, origin)| origin == host)
        }
        (None, Some(_), None) => false,
        (None, None, _) => true,
    };
    if is_own {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "other-origin",
        "A session can be renewed and ended only by pages of the node that it began at.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &'static str)| {
            (header::HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn cookies_are_found_among_others() {
        let found = headers(&[("cookie", "a=1; quorate-session=x.y ;b=2")]);
        assert_eq!(cookie_of(&found, "quorate-session"), Some("x.y"));
        assert_eq!(cookie_of(&found, "session"), None);
    }

    #[test]
    fn other_sites_cannot_use_a_cookie() {
        let check = |pairs: &[(&'static str, &'static str)], expect: bool| {
            assert_eq!(check_origin(&headers(pairs)).is_ok(), expect, "{pairs:?}");
        };
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[("sec-fetch-site", "same-site")], false);
        check(&[("sec-fetch-site", "cross-site")], false);
        check(&[("sec-fetch-site", "none")], false);
        check(&[("origin", "https://n1.test"), ("host", "n1.test")], true);
        check(&[("origin", "https://evil.test"), ("host", "n1.test")], false);
        check(&[("origin", "null"), ("host", "n1.test")], false);
        check(&[], true);
    }
}
