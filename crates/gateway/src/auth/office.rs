//! Reads and writes accounts, sessions, tokens and proposals.

use super::access::{self, Claims};
use super::account::{Account, AccountName};
use super::directory::{ApiToken, Caller, Directory, Entrance, Kept, Nobody, read};
use super::eyes::Proposal;
use super::follow::{self, Followed};
use super::keys::{self, Kind};
use super::password::PasswordHash;
use super::secret::{API_TOKEN_PREFIX, Pair, SecretHash};
use super::session::{self, Session, Verdict};
use crate::audit::{self, Entry};
use crate::store::{Store, delete, put};
use crate::{Problem, clock, random};
use axum::http::StatusCode;
use ed25519_dalek::SigningKey;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Passwords hashed at the same time: each takes a core and 19 MiB.
const HASHES_MAX: usize = 2;

/// Questions to the store about tokens that this node does not know, at the same time.
const LOOKUPS_MAX: usize = 8;

/// The one place that changes what lies under `\0q/auth/`.
#[derive(Clone)]
pub(crate) struct Office {
    pub(crate) store: Store,
    pub(crate) followed: Followed,
    signer: SigningKey,
    audience: Arc<str>,
    node: u64,
    hashing: Arc<Semaphore>,
    looking: Arc<Semaphore>,
}

/// A session that has just begun or been renewed.
pub(crate) struct LoggedIn {
    pub(crate) account: Account,
    /// For the cookie.
    pub(crate) cookie: String,
    /// For the header.
    pub(crate) access_token: String,
    /// When the session ends, seconds since 1970 UTC.
    pub(crate) expires: u64,
}

impl Office {
    /// An office over `store` for the cluster named `audience`.
    ///
    /// # Errors
    /// When there is no randomness for the node's key.
    pub(crate) fn new(store: Store, audience: &str, node: u64) -> Result<Self, Problem> {
        Ok(Self {
            store,
            followed: Followed::new(),
            signer: SigningKey::from_bytes(&random::bytes()?),
            audience: audience.into(),
            node,
            hashing: Arc::new(Semaphore::new(HASHES_MAX)),
            looking: Arc::new(Semaphore::new(LOOKUPS_MAX)),
        })
    }

    /// Starts what keeps it up to date; inside a tokio runtime.
    pub(crate) fn start(&self) {
        tokio::spawn(self.followed.clone().run(self.store.clone()));
        tokio::spawn(follow::publish_key(self.store.clone(), self.signer.clone(), self.node));
    }

    /// Who carries this bearer token.
    pub(crate) async fn caller(&self, token: &str) -> Result<Caller, Nobody> {
        let now = clock::seconds();
        let known = self.followed.read().caller(token, &self.audience, now);
        match known {
            Err(Nobody::Unknown) => self.look_up(token, now).await,
            known => known,
        }
    }

    /// The same caller with present rights, if account and session (or token) still stand.
    pub(crate) fn still(&self, caller: &Caller, now_s: u64) -> Option<Caller> {
        let directory = self.followed.read();
        let grants = match &caller.entrance {
            Entrance::Operator => return Some(caller.clone()),
            Entrance::Session(id) => {
                let session = &directory.sessions.get(id)?.value;
                let account = directory.account(&caller.name)?;
                session.is_backed_by(account, now_s).then(|| account.grants.clone())
            }
            Entrance::Token(id) => {
                let token = &directory.tokens.get(id)?.value;
                let account = directory.account(token.account.as_str())?;
                (account.enabled && now_s < token.expires).then(|| account.grants.clone())
            }
        };
        Some(Caller { grants: grants?, ..caller.clone() })
    }

    /// Asks the store about a token that this node has not heard of: it may just have been made.
    async fn look_up(&self, token: &str, now: u64) -> Result<Caller, Nobody> {
        let Ok(_turn) = self.looking.try_acquire() else { return Err(Nobody::Unknown) };
        let mut directory = Directory::default();
        let mut newest = 0;
        let mut fetch = Vec::new();
        if let Some(pair) = token.strip_prefix(API_TOKEN_PREFIX) {
            let pair = Pair::parse(pair).ok_or(Nobody::Malformed)?;
            let key = Kind::Token.key(&pair.id);
            let found = self.store.get(&key).await.ok().flatten().ok_or(Nobody::Unknown)?;
            let token: ApiToken = read(&found.value).ok_or(Nobody::Unknown)?;
            fetch.extend([key, Kind::Account.key(token.account.as_str())]);
        } else {
            let (kid, claims) = access::peek(token).map_err(|_| Nobody::Malformed)?;
            fetch.push(Kind::Key.key(&kid));
            fetch.push(Kind::Session.key(&claims.sid));
            fetch.push(Kind::Account.key(&claims.sub));
        }
        for key in fetch {
            let found = self.store.get(&key).await.ok().flatten().ok_or(Nobody::Unknown)?;
            newest = newest.max(found.mod_revision);
            directory.apply(&key, Some(&found.value), found.mod_revision);
        }
        let caller = directory.caller(token, &self.audience, now)?;
        // What is asked next (a feed's session, say) finds it here, too.
        self.followed.reach(newest).await;
        Ok(caller)
    }

    /// Checks a password; takes as long for names that do not exist.
    ///
    /// # Errors
    /// One and the same 401 for every reason, or 429 when too many want to.
    pub(crate) async fn check_password(
        &self,
        name: &str,
        password: String,
    ) -> Result<Account, Problem> {
        let account = AccountName::parse(name)
            .ok()
            .and_then(|name| self.followed.read().account(name.as_str()).cloned());
        let hash = account.as_ref().and_then(|account| account.password.clone());
        let hash = hash.unwrap_or_else(PasswordHash::of_nobody);
        let is_right = self.hashing(move || hash.matches(&password)).await?;
        match account {
            Some(account) if is_right && account.enabled => Ok(account),
            _ => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "login-failed",
                "Name and password do not belong together, or the account is locked.",
            )),
        }
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// 422 when it is too short, 429, 503.
    pub(crate) async fn hash_password(&self, password: String) -> Result<PasswordHash, Problem> {
        super::password::check(&password).map_err(|error| Problem::invalid("/password", error))?;
        let salt = random::bytes()?;
        self.hashing(move || PasswordHash::new(&password, salt)).await
    }

    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let Ok(_turn) = self.hashing.clone().acquire_owned().await else {
            return Err(Problem::unavailable("This node is stopping; ask another one."));
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Problem::unavailable("This node is stopping; ask another one."))
    }

    /// Begins a session.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn begin(&self, account: Account, by: &str) -> Result<LoggedIn, Problem> {
        let now = clock::seconds();
        let pair = Pair::from_random(random::bytes()?);
        let session = Session {
            account: account.name.clone(),
            generation: account.generation,
            secret: SecretHash::of(&pair.secret),
            before: None,
            rotated: now,
            created: now,
            expires: now + session::LIFETIME_S,
            node: self.node,
            by: by.to_owned(),
        };
        let lease = self.store.grant(session::LIFETIME_S).await?;
        let key = Kind::Session.key(&pair.id);
        if let Some(revision) = self.store.put_if(key, &session, 0, lease).await? {
            self.followed.reach(revision).await;
        }
        Ok(self.logged_in(account, &pair, session.expires, now))
    }

    fn logged_in(&self, account: Account, pair: &Pair, expires: u64, now: u64) -> LoggedIn {
        let claims = Claims {
            aud: self.audience.to_string(),
            sub: account.name.to_string(),
            sid: pair.id.clone(),
            iat: now,
            exp: now + access::LIFETIME_S,
        };
        let access_token = access::issue(&self.signer, &claims);
        LoggedIn { account, cookie: pair.show(), access_token, expires }
    }

    /// Another access token for a refresh cookie, and another cookie.
    ///
    /// # Errors
    /// 401 when the cookie is not good (any more); of the store.
    pub(crate) async fn refresh(&self, cookie: &str) -> Result<LoggedIn, Problem> {
        let pair = Pair::parse(cookie).ok_or_else(logged_out)?;
        let key = Kind::Session.key(&pair.id);
        let found = self.store.get(&key).await?.ok_or_else(logged_out)?;
        let session: Session = read(&found.value).ok_or_else(logged_out)?;
        let account = self.account(session.account.as_str()).await?.ok_or_else(logged_out)?;
        let account = account.value;
        let now = clock::seconds();
        if !session.is_backed_by(&account, now) {
            return Err(logged_out());
        }
        match session.judge(&pair.secret, now) {
            Verdict::Void => Err(logged_out()),
            Verdict::Stolen => {
                tracing::warn!(account = %account.name, "an old refresh secret was used");
                self.end(&pair.id).await?;
                let entry = Entry {
                    entrance: Some("session".to_owned()),
                    text: Some("An old refresh secret was used: it was stolen.".to_owned()),
                    request_id: Some(crate::request_id::current()),
                    ..Entry::new(self.node, audit::Kind::Login, account.name.as_str(), "cut off")
                };
                audit::write(&self.store, &entry).await;
                Err(logged_out())
            }
            Verdict::Renew => {
                let next = Pair { secret: random::bytes()?, id: pair.id };
                let renewed = session.renewed(&pair.secret, &next.secret, now);
                let put = self.store.put_if(key, &renewed, found.mod_revision, found.lease).await?;
                // Somebody renewed it at the same moment: their answer holds the good secret, and
                // ours is forgiven as the one before.
                put.map(|_| self.logged_in(account, &next, session.expires, now)).ok_or_else(|| {
                    Problem::new(
                        StatusCode::CONFLICT,
                        "refreshed-twice",
                        "Another window renewed this session at the same moment; ask again.",
                    )
                })
            }
        }
    }

    /// Ends a session.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn end(&self, session: &str) -> Result<bool, Problem> {
        Ok(self.store.delete(Kind::Session.key(session)).await?)
    }

    /// Ends the session of a cookie, if the cookie is good, and says whose it was.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn end_by_cookie(&self, cookie: &str) -> Result<Option<String>, Problem> {
        let Some(pair) = Pair::parse(cookie) else { return Ok(None) };
        let found = self.store.get(&Kind::Session.key(&pair.id)).await?;
        let session: Option<Session> = found.and_then(|found| read(&found.value));
        match session.filter(|session| session.judge(&pair.secret, 0) != Verdict::Void) {
            None => Ok(None),
            Some(session) => {
                self.end(&pair.id).await?;
                Ok(Some(session.account.to_string()))
            }
        }
    }

    /// Whether there is an account of this name.
    pub(crate) fn is_account(&self, name: &str) -> bool {
        let name = AccountName::parse(name);
        name.is_ok_and(|name| self.followed.read().account(name.as_str()).is_some())
    }

    /// An account with the revision of its last change; linearizable.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn account(&self, name: &str) -> Result<Option<Kept<Account>>, Problem> {
        let found = self.store.get(&Kind::Account.key(name)).await?;
        Ok(found.and_then(|found| {
            Some(Kept { revision: found.mod_revision, value: read(&found.value)? })
        }))
    }

    /// Writes an account that was last changed at `revision` (0: makes it). `None` when somebody
    /// else was first. The first administrator voids all one-time tokens in the same write.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn write_account(
        &self,
        account: &Account,
        revision: i64,
    ) -> Result<Option<i64>, Problem> {
        let key = Kind::Account.key(account.name.as_str());
        let mut writes = vec![put(key.clone(), account, 0)];
        if account.is_administrator() && !self.followed.read().is_founded {
            writes.push(put(keys::FOUNDED.to_vec(), &true, 0));
        }
        let done = self.store.swap(vec![(key, revision)], writes).await?;
        if let Some(revision) = done {
            self.followed.reach(revision).await;
        }
        Ok(done)
    }

    /// Deletes an account with its sessions and tokens, if it was last changed at `revision`.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn delete_account(
        &self,
        name: &str,
        revision: i64,
    ) -> Result<Option<i64>, Problem> {
        let mut writes = vec![delete(Kind::Account.key(name))];
        {
            let directory = self.followed.read();
            let sessions = directory.sessions.iter();
            let sessions = sessions.filter(|(_, kept)| kept.value.account.as_str() == name);
            writes.extend(sessions.map(|(id, _)| delete(Kind::Session.key(id))).take(50));
            let tokens = directory.tokens.iter();
            let tokens = tokens.filter(|(_, kept)| kept.value.account.as_str() == name);
            writes.extend(tokens.map(|(id, _)| delete(Kind::Token.key(id))).take(50));
        }
        let done = self.store.swap(vec![(Kind::Account.key(name), revision)], writes).await?;
        if let Some(revision) = done {
            self.followed.reach(revision).await;
        }
        Ok(done)
    }

    /// Makes an API token and gives out its text, which is nowhere else.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn make_token(
        &self,
        make: impl FnOnce(SecretHash) -> ApiToken,
    ) -> Result<(String, String), Problem> {
        let pair = Pair::from_random(random::bytes()?);
        let token = make(SecretHash::of(&pair.secret));
        let put = self.store.put_if(Kind::Token.key(&pair.id), &token, 0, 0).await?;
        self.followed.reach(put.unwrap_or_default()).await;
        Ok((format!("{API_TOKEN_PREFIX}{}", pair.show()), pair.id))
    }

    /// Ends an API token.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn end_token(&self, id: &str) -> Result<bool, Problem> {
        Ok(self.store.delete(Kind::Token.key(id)).await?)
    }

    /// Keeps an act for a second person.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn propose(&self, proposal: &Proposal) -> Result<String, Problem> {
        let id = hex::encode(random::bytes::<16>()?);
        let lease = self.store.grant(super::eyes::LIFETIME_S).await?;
        let put = self.store.put_if(Kind::Proposal.key(&id), proposal, 0, lease).await?;
        self.followed.reach(put.unwrap_or_default()).await;
        Ok(id)
    }

    /// Takes a proposal away, so that it is decided once; `None` when it is gone.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn take_proposal(&self, id: &str) -> Result<bool, Problem> {
        Ok(self.store.delete(Kind::Proposal.key(id)).await?)
    }
}

/// The one answer to every cookie that is not good.
pub(crate) fn logged_out() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "logged-out", "This session has ended; log in again.")
}
