//! Logging in at an identity provider: OpenID Connect, authorisation code with PKCE.
//!
//! ```text
//! browser ── GET /login/oidc ──► node: state, nonce, verifier; state in a short cookie
//!         ◄─ 303 to the provider (code_challenge = SHA-256 of the verifier)
//!         ── logs in there ──► 303 back with code and state
//!         ── GET /login/oidc/callback ──► node: cookie = state? then code + verifier ──► provider
//!                                         ID token: signature, issuer, audience, nonce, time
//!         ◄─ 303 to the page, with the session cookie
//! ```
//!
//! Nobody gets an account by logging in: administrators make accounts that name an issuer and a
//! subject, or the issuer alone; the latter is tied to the subject at the first login whose
//! verified e-mail address is the account's name. Signatures are checked by `jsonwebtoken` with
//! the provider's published keys, asymmetric algorithms only.

use super::account::{Account, Identity};
use super::office::Office;
use crate::{Problem, clock, random};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::Url;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a person may take at the provider, in seconds.
pub(crate) const PENDING_S: u64 = 600;

/// Logins under way at this node; beyond that the oldest is forgotten.
const PENDING_MAX: usize = 1000;

/// Longest wait for one answer of the provider.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);

/// Signature algorithms that are taken.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::EdDSA,
];

/// A provider as the operator configures it.
#[derive(Clone)]
pub struct OidcSettings {
    /// Its issuer URL; `/.well-known/openid-configuration` is looked up below it.
    pub issuer: String,
    /// What it calls this cluster.
    pub client_id: String,
    /// The secret it gave, if it gave one.
    pub client_secret: Option<String>,
    /// What the button says.
    pub name: String,
}

impl std::fmt::Debug for OidcSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OidcSettings({} as {})", self.issuer, self.client_id)
    }
}

/// What has been started and not finished.
struct Pending {
    nonce: String,
    verifier: String,
    redirect: String,
    started: u64,
}

/// Parts of the provider's configuration document.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

#[derive(Debug, Deserialize)]
struct IdClaims {
    sub: String,
    nonce: Option<String>,
    azp: Option<String>,
    aud: Audience,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What the provider sends back with the browser.
#[derive(Deserialize)]
pub(crate) struct Callback {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    /// RFC 9207: who answers.
    iss: Option<String>,
}

/// One provider.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) settings: Arc<OidcSettings>,
    http: reqwest::Client,
    pending: Arc<Mutex<BTreeMap<String, Pending>>>,
}

impl Provider {
    /// A provider; nothing is asked of it yet.
    ///
    /// # Errors
    /// When there is no HTTP client.
    pub(crate) fn new(settings: OidcSettings) -> Result<Self, String> {
        crate::install_tls();
        let http = reqwest::Client::builder()
            .timeout(PROVIDER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| format!("no HTTP client for the identity provider: {error}"))?;
        Ok(Self { settings: Arc::new(settings), http, pending: Arc::default() })
    }

    /// Where to send the browser, and the state for its cookie.
    ///
    /// # Errors
    /// 503 when the provider cannot be asked.
    pub(crate) async fn start(&self, redirect: String) -> Result<(String, String), Problem> {
        let discovery = self.discover().await?;
        let text = |bytes: [u8; 32]| URL_SAFE_NO_PAD.encode(bytes);
        let state = text(random::bytes()?);
        let nonce = text(random::bytes()?);
        let verifier = text(random::bytes()?);
        let url =
            authorisation_url(&discovery, &self.settings, &redirect, &state, &nonce, &verifier)
                .ok_or_else(|| provider_broken("its authorisation endpoint is no URL"))?;
        let started = clock::seconds();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|_, one| one.started + PENDING_S > started);
        if pending.len() >= PENDING_MAX {
            let oldest = pending.iter().min_by_key(|(_, one)| one.started);
            if let Some(state) = oldest.map(|(state, _)| state.clone()) {
                pending.remove(&state);
            }
        }
        pending.insert(state.clone(), Pending { nonce, verifier, redirect, started });
        Ok((url, state))
    }

    /// The account that logged in.
    ///
    /// # Errors
    /// 401 with the reason; 503 when the provider cannot be asked.
    pub(crate) async fn finish(
        &self,
        office: &Office,
        callback: Callback,
        cookie: Option<&str>,
    ) -> Result<Account, Problem> {
        if let Some(error) = callback.error {
            let shown: String = error.chars().filter(char::is_ascii_graphic).take(60).collect();
            return Err(refused(&format!("The identity provider said no ({shown}).")));
        }
        let (Some(state), Some(code)) = (callback.state, callback.code) else {
            return Err(refused("The identity provider's answer has no state or no code."));
        };
        if cookie != Some(state.as_str()) {
            return Err(refused("This login was not started in this browser; start again."));
        }
        if callback.iss.is_some_and(|issuer| issuer != self.settings.issuer) {
            return Err(refused("The answer is of another identity provider."));
        }
        let pending = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.remove(&state)
        };
        let pending = pending
            .filter(|pending| pending.started + PENDING_S > clock::seconds())
            .ok_or_else(|| refused("This login took too long or is used already; start again."))?;
        let claims = self.exchange(&code, &pending).await?;
        find_account(office, &self.settings.issuer, &claims).await
    }

    async fn discover(&self) -> Result<Discovery, Problem> {
        let issuer = self.settings.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let discovery: Discovery = self.get(&url).await?;
        if discovery.issuer != self.settings.issuer {
            return Err(provider_broken("its configuration names another issuer"));
        }
        Ok(discovery)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, Problem> {
        let answer = self.http.get(url).send().await.and_then(|a| a.error_for_status());
        let answer = answer.map_err(|error| provider_broken(&error.to_string()))?;
        answer.json().await.map_err(|error| provider_broken(&error.to_string()))
    }

    async fn exchange(&self, code: &str, pending: &Pending) -> Result<IdClaims, Problem> {
        let discovery = self.discover().await?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", pending.redirect.as_str()),
            ("client_id", self.settings.client_id.as_str()),
            ("code_verifier", pending.verifier.as_str()),
        ];
        let mut request = self.http.post(&discovery.token_endpoint).form(&form);
        if let Some(secret) = &self.settings.client_secret {
            request = request.basic_auth(&self.settings.client_id, Some(secret));
        }
        let answer = request.send().await.map_err(|error| provider_broken(&error.to_string()))?;
        if !answer.status().is_success() {
            return Err(refused("The identity provider did not take the code; start again."));
        }
        let tokens: Tokens =
            answer.json().await.map_err(|error| provider_broken(&error.to_string()))?;
        let keys: JwkSet = self.get(&discovery.jwks_uri).await?;
        read_id_token(&tokens.id_token, &keys, &self.settings, &pending.nonce)
            .map_err(|reason| refused(&format!("The identity provider's token: {reason}.")))
    }
}

/// What an ID token says, if all of OpenID Connect Core 3.1.3.7 holds.
fn read_id_token(
    token: &str,
    keys: &JwkSet,
    settings: &OidcSettings,
    nonce: &str,
) -> Result<IdClaims, String> {
    let header = jsonwebtoken::decode_header(token).map_err(|error| error.to_string())?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err("its signature algorithm is not taken".to_owned());
    }
    let key = match (&header.kid, &keys.keys[..]) {
        (Some(kid), _) => keys.find(kid),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let key = key.ok_or("its key is not published")?;
    let key = DecodingKey::from_jwk(key).map_err(|error| error.to_string())?;
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[&settings.client_id]);
    validation.set_issuer(&[&settings.issuer]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims = jsonwebtoken::decode::<IdClaims>(token, &key, &validation)
        .map_err(|error| error.to_string())?
        .claims;
    if claims.nonce.as_deref() != Some(nonce) {
        return Err("it belongs to another login".to_owned());
    }
    let is_for_many = matches!(&claims.aud, Audience::Many(all) if all.len() > 1);
    let party = claims.azp.as_deref();
    if (is_for_many && party.is_none()) || party.is_some_and(|party| party != settings.client_id) {
        return Err("it was made for another party".to_owned());
    }
    if let Audience::One(only) = &claims.aud
        && *only != settings.client_id
    {
        return Err("it was made for another party".to_owned());
    }
    Ok(claims)
}

fn authorisation_url(
    discovery: &Discovery,
    settings: &OidcSettings,
    redirect: &str,
    state: &str,
    nonce: &str,
    verifier: &str,
) -> Option<String> {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let mut url = Url::parse(&discovery.authorization_endpoint).ok()?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &settings.client_id)
        .append_pair("redirect_uri", redirect)
        .append_pair("scope", "openid email")
        .append_pair("state", state)
        .append_pair("nonce", nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    Some(url.into())
}

async fn find_account(
    office: &Office,
    issuer: &str,
    claims: &IdClaims,
) -> Result<Account, Problem> {
    let found = {
        let directory = office.followed.read();
        let of_subject = |account: &&Account| {
            let identity = account.identity.as_ref();
            identity.is_some_and(|id| id.issuer == issuer && id.subject == claims.sub)
        };
        let accounts = || directory.accounts.values().map(|kept| &kept.value);
        accounts().find(of_subject).cloned()
    };
    if let Some(account) = found {
        return if account.enabled { Ok(account) } else { Err(unknown_person()) };
    }
    let email = claims.email.as_deref().filter(|_| claims.email_verified);
    let name = email.and_then(|email| super::AccountName::parse(email).ok());
    let name = name.ok_or_else(unknown_person)?;
    let kept = office.account(name.as_str()).await?.ok_or_else(unknown_person)?;
    let waits = Identity { issuer: issuer.to_owned(), subject: String::new() };
    if !kept.value.enabled || kept.value.identity.as_ref() != Some(&waits) {
        return Err(unknown_person());
    }
    let identity = Identity { subject: claims.sub.clone(), ..waits };
    let account = Account { identity: Some(identity), ..kept.value };
    match office.write_account(&account, kept.revision).await? {
        Some(_) => Ok(account),
        None => Err(refused("The account changed at the same moment; start again.")),
    }
}

fn refused(reason: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "login-failed", reason)
}

fn unknown_person() -> Problem {
    refused(
        "The identity provider knows you, but no account here names you. An administrator makes \
         one with your issuer and subject, or with your e-mail address as its name.",
    )
}

fn provider_broken(reason: &str) -> Problem {
    tracing::warn!(reason, "identity provider");
    Problem::unavailable("The identity provider does not answer as it should. Try again later.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_is_sent_with_challenge_and_without_verifier() {
        let discovery = Discovery {
            issuer: "https://id.test".to_owned(),
            authorization_endpoint: "https://id.test/auth?tenant=1".to_owned(),
            token_endpoint: String::new(),
            jwks_uri: String::new(),
        };
        let settings = OidcSettings {
            issuer: "https://id.test".to_owned(),
            client_id: "quorate".to_owned(),
            client_secret: None,
            name: "Test".to_owned(),
        };
        // Verifier and challenge of RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let url = authorisation_url(&discovery, &settings, "https://n1/cb?x=1", "s", "n", verifier)
            .expect("a URL");
        assert!(url.starts_with("https://id.test/auth?tenant=1&response_type=code&"), "{url}");
        assert!(url.contains("code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        assert!(url.contains("redirect_uri=https%3A%2F%2Fn1%2Fcb%3Fx%3D1"), "{url}");
        assert!(!url.contains(verifier));
    }

    #[test]
    fn unsigned_and_shared_secret_tokens_are_refused() {
        let settings = OidcSettings {
            issuer: "https://id.test".to_owned(),
            client_id: "quorate".to_owned(),
            client_secret: None,
            name: "Test".to_owned(),
        };
        let keys = JwkSet { keys: Vec::new() };
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS256"}"#, r#"{"alg":"RS256"}"#, "{}"] {
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            let token = format!("{}.{}.", part(header), part(r#"{"sub":"x","aud":"quorate"}"#));
            assert!(read_id_token(&token, &keys, &settings, "n").is_err(), "{header}");
        }
    }
}
