//! Accounts, their tokens and sessions.

use crate::auth::account::{Account, AccountName, Grant, Identity, check_grants};
use crate::auth::directory::{ApiToken, Caller, Kept};
use crate::auth::rights::Scope;
use crate::auth::{Role, session};
use crate::extract::{J, P, Q};
use crate::front::Who;
use crate::idempotency::NoCopy;
use crate::{Gateway, Problem, clock};
use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// Most accounts in one answer.
const PAGE_MAX: usize = 200;

/// Longest life of an API token, in days.
const TOKEN_DAYS_MAX: u64 = 366;

/// An account as people see it: without its password's hash.
#[derive(Serialize)]
pub(crate) struct AccountView {
    name: String,
    display: String,
    grants: Vec<Grant>,
    enabled: bool,
    has_password: bool,
    identity: Option<Identity>,
    created: u64,
}

impl From<&Account> for AccountView {
    fn from(account: &Account) -> Self {
        Self {
            name: account.name.to_string(),
            display: account.display.clone(),
            grants: account.grants.clone(),
            enabled: account.enabled,
            has_password: account.password.is_some(),
            identity: account.identity.clone(),
            created: account.created,
        }
    }
}

/// One page of a list.
#[derive(Serialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// What to send as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

/// `?limit=&cursor=`.
#[derive(Deserialize)]
pub(crate) struct PageQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

impl PageQuery {
    /// How many, at most `max`.
    fn limit(&self, max: usize) -> usize {
        self.limit.unwrap_or(max).clamp(1, max)
    }
}

pub(crate) async fn list(
    State(gateway): State<Gateway>,
    Q(query): Q<PageQuery>,
) -> Json<Page<AccountView>> {
    let directory = gateway.office.followed.read();
    let after = query.cursor.as_deref().unwrap_or_default();
    let limit = query.limit(PAGE_MAX);
    let mut rest = directory.accounts.iter().filter(|(name, _)| name.as_str() > after);
    let items: Vec<AccountView> =
        rest.by_ref().take(limit).map(|(_, kept)| (&kept.value).into()).collect();
    let next_cursor = rest.next().and(items.last()).map(|last| last.name.clone());
    Json(Page { items, next_cursor })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    name: String,
    display: String,
    #[serde(default)]
    grants: Vec<Grant>,
    password: Option<String>,
    identity: Option<Identity>,
}

pub(crate) async fn create(
    State(gateway): State<Gateway>,
    J(body): J<NewAccount>,
) -> Result<Response, Problem> {
    let name = AccountName::parse(&body.name).map_err(|error| Problem::invalid("/name", error))?;
    if name.as_str() == "operator" {
        return Err(Problem::invalid("/name", "'operator' stands for the operator's token."));
    }
    let password = match body.password {
        Some(password) => Some(gateway.office.hash_password(password).await?),
        None => None,
    };
    let account = Account {
        name,
        display: body.display,
        grants: body.grants,
        password,
        identity: body.identity,
        enabled: true,
        generation: 1,
        created: clock::seconds(),
    };
    account.check().map_err(|error| Problem::invalid("", error))?;
    let Some(revision) = gateway.office.write_account(&account, 0).await? else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "account-exists",
            format!("There is an account '{}' already.", account.name),
        ));
    };
    let mut response = shown(&account, revision);
    *response.status_mut() = StatusCode::CREATED;
    let place = format!("/api/v1/accounts/{}", account.name);
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn shown(account: &Account, revision: i64) -> Response {
    let mut response = Json(AccountView::from(account)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

impl Gateway {
    /// The account of that name, as the caller knew it (`If-Match`), or 404, or 412.
    async fn account_if(&self, name: &str, headers: &HeaderMap) -> Result<Kept<Account>, Problem> {
        let name = AccountName::parse(name).map_err(Problem::malformed)?;
        let kept = self.office.account(name.as_str()).await?;
        let kept = kept.ok_or_else(|| no_account(name.as_str()))?;
        let wanted = headers.get(header::IF_MATCH).map(|tag| tag.to_str().unwrap_or_default());
        match wanted {
            Some(tag) if tag != "*" && tag != format!("\"{}\"", kept.revision) => {
                Err(Problem::changed_meanwhile())
            }
            _ => Ok(kept),
        }
    }

    async fn write(&self, account: &Account, revision: i64) -> Result<Response, Problem> {
        let written = self.office.write_account(account, revision).await?;
        written.map(|revision| shown(account, revision)).ok_or_else(Problem::changed_meanwhile)
    }

    /// Refuses to leave the cluster without an administrator.
    fn check_last_administrator(&self, name: &AccountName) -> Result<(), Problem> {
        let directory = self.office.followed.read();
        let mut accounts = directory.accounts.values().map(|kept| &kept.value);
        if accounts.any(|account| account.is_administrator() && account.name != *name) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::CONFLICT,
            "last-administrator",
            "This is the last administrator; make another one first.",
        ))
    }
}

fn no_account(name: &str) -> Problem {
    Problem::not_found(format!("There is no account '{name}'."))
}

pub(crate) async fn show(
    State(gateway): State<Gateway>,
    P(name): P<String>,
) -> Result<Response, Problem> {
    let kept = gateway.account_if(&name, &HeaderMap::new()).await?;
    Ok(shown(&kept.value, kept.revision))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedAccount {
    display: String,
    grants: Vec<Grant>,
    enabled: bool,
    identity: Option<Identity>,
}

pub(crate) async fn change(
    State(gateway): State<Gateway>,
    P(name): P<String>,
    headers: HeaderMap,
    J(body): J<ChangedAccount>,
) -> Result<Response, Problem> {
    let kept = gateway.account_if(&name, &headers).await?;
    let was_administrator = kept.value.is_administrator();
    let locks = kept.value.enabled && !body.enabled;
    let generation = kept.value.generation + u32::from(locks);
    let ChangedAccount { display, grants, enabled, identity } = body;
    let account = Account { display, grants, enabled, identity, generation, ..kept.value };
    account.check().map_err(|error| Problem::invalid("", error))?;
    if was_administrator && !account.is_administrator() {
        gateway.check_last_administrator(&account.name)?;
    }
    gateway.write(&account, kept.revision).await
}

pub(crate) async fn remove(
    State(gateway): State<Gateway>,
    P(name): P<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let kept = gateway.account_if(&name, &headers).await?;
    if kept.value.is_administrator() {
        gateway.check_last_administrator(&kept.value.name)?;
    }
    let gone = gateway.office.delete_account(kept.value.name.as_str(), kept.revision).await?;
    gone.map(|_| StatusCode::NO_CONTENT).ok_or_else(Problem::changed_meanwhile)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// Needed when one changes one's own.
    old: Option<String>,
    new: String,
}

pub(crate) async fn password(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
    P(name): P<String>,
    J(body): J<NewPassword>,
) -> Result<StatusCode, Problem> {
    let kept = gateway.account_if(&name, &HeaderMap::new()).await?;
    if who.known()?.name == kept.value.name.as_str() {
        gateway.throttle.login(&name, who.address)?;
        let old = body.old.unwrap_or_default();
        gateway.office.check_password(&name, old).await.map_err(|problem| {
            match problem.code() {
                "login-failed" => Problem::forbidden("The old password is another one."),
                _ => problem,
            }
        })?;
    }
    let password = Some(gateway.office.hash_password(body.new).await?);
    // Whoever knew the old one is out, everywhere.
    let generation = kept.value.generation + 1;
    let account = Account { password, generation, ..kept.value };
    gateway.write(&account, kept.revision).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all sessions of an account.
pub(crate) async fn revoke(
    State(gateway): State<Gateway>,
    P(name): P<String>,
) -> Result<StatusCode, Problem> {
    let kept = gateway.account_if(&name, &HeaderMap::new()).await?;
    let account = Account { generation: kept.value.generation + 1, ..kept.value };
    gateway.write(&account, kept.revision).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
pub(crate) struct SessionLine {
    id: String,
    created: u64,
    expires: u64,
    node: u64,
    by: String,
}

pub(crate) async fn sessions(
    State(gateway): State<Gateway>,
    P(name): P<String>,
) -> Json<Page<SessionLine>> {
    let directory = gateway.office.followed.read();
    let (account, now) = (directory.account(&name), clock::seconds());
    let lives = |session: &session::Session| {
        account.is_some_and(|account| session.is_backed_by(account, now))
    };
    let sessions = directory.sessions.iter().filter(|(_, kept)| lives(&kept.value));
    let items = sessions.map(|(id, Kept { value, .. })| SessionLine {
        id: id.clone(),
        created: value.created,
        expires: value.expires,
        node: value.node,
        by: value.by.clone(),
    });
    Json(Page { items: items.collect(), next_cursor: None })
}

pub(crate) async fn end_session(
    State(gateway): State<Gateway>,
    P((name, session)): P<(String, String)>,
) -> Result<StatusCode, Problem> {
    let is_theirs = gateway
        .office
        .followed
        .read()
        .sessions
        .get(&session)
        .is_some_and(|kept| kept.value.account.as_str() == name);
    if is_theirs && gateway.office.end(&session).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found("This account has no such session."))
}

#[derive(Serialize)]
pub(crate) struct TokenLine {
    id: String,
    name: String,
    grants: Vec<Grant>,
    created: u64,
    expires: u64,
}

pub(crate) async fn tokens(
    State(gateway): State<Gateway>,
    P(name): P<String>,
) -> Json<Page<TokenLine>> {
    let directory = gateway.office.followed.read();
    let own = directory.tokens.iter().filter(|(_, kept)| kept.value.account.as_str() == name);
    let items = own.map(|(id, kept)| line(id, &kept.value)).collect();
    Json(Page { items, next_cursor: None })
}

fn line(id: &str, token: &ApiToken) -> TokenLine {
    TokenLine {
        id: id.to_owned(),
        name: token.name.clone(),
        grants: token.grants.clone(),
        created: token.created,
        expires: token.expires,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    name: String,
    grants: Vec<Grant>,
    days: u64,
}

/// A new token; its text is in this answer and nowhere else.
#[derive(Serialize)]
pub(crate) struct TokenMade {
    token: String,
    #[serde(flatten)]
    line: TokenLine,
}

pub(crate) async fn make_token(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
    P(name): P<String>,
    J(body): J<NewToken>,
) -> Result<Response, Problem> {
    let kept = gateway.account_if(&name, &HeaderMap::new()).await?;
    check_grants(&body.grants).map_err(|error| Problem::invalid("/grants", error))?;
    // By what the caller came in with: a narrow token makes no wider one.
    let owner = who.known()?;
    if let Some(grant) = body.grants.iter().find(|grant| !owner.covers(grant)) {
        let role = grant.role.name();
        let detail = format!("You have no such right yourself ({role}).");
        return Err(Problem::invalid("/grants", detail));
    }
    if !(1..=TOKEN_DAYS_MAX).contains(&body.days) {
        return Err(Problem::invalid("/days", format!("days is 1 to {TOKEN_DAYS_MAX}.")));
    }
    if body.name.trim().is_empty() || body.name.len() > 200 {
        return Err(Problem::invalid("/name", "A token's name has 1 to 200 bytes."));
    }
    let now = clock::seconds();
    let mut made = None;
    let (token, id) = gateway
        .office
        .make_token(|secret| {
            let token = ApiToken {
                account: kept.value.name,
                name: body.name,
                secret,
                grants: body.grants,
                created: now,
                expires: now + body.days * 86_400,
            };
            made = Some(token.clone());
            token
        })
        .await?;
    let line = made.as_ref().map(|token| line(&id, token));
    let Some(line) = line else { return Err(Problem::unavailable("No token was made.")) };
    let mut response = (StatusCode::CREATED, Json(TokenMade { token, line })).into_response();
    response.extensions_mut().insert(NoCopy);
    Ok(response)
}

impl Caller {
    /// Whether the caller has what the grant gives.
    fn covers(&self, grant: &Grant) -> bool {
        match &grant.election {
            None => self.has(grant.role, Scope::Everywhere, None),
            Some(election) => self.has(grant.role, Scope::Own, Some(election)),
        }
    }
}

pub(crate) async fn end_token(
    State(gateway): State<Gateway>,
    P((name, token)): P<(String, String)>,
) -> Result<StatusCode, Problem> {
    let is_theirs = gateway
        .office
        .followed
        .read()
        .tokens
        .get(&token)
        .is_some_and(|kept| kept.value.account.as_str() == name);
    if !is_theirs {
        return Err(Problem::not_found("This account has no such token."));
    }
    gateway.office.end_token(&token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The roles that exist, for forms.
#[derive(Serialize)]
pub(crate) struct Roles {
    roles: Vec<&'static str>,
}

pub(crate) async fn roles() -> Json<Roles> {
    Json(Roles { roles: Role::ALL.into_iter().map(Role::name).collect() })
}
