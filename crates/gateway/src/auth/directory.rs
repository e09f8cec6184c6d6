//! What a node knows of accounts: the keys of [`super::keys`] folded into maps, and the question
//! who a caller is.

use super::access::{self, TokenError};
use super::account::{Account, Grant};
use super::eyes::Proposal;
use super::keys::{self, Kind};
use super::secret::{API_TOKEN_PREFIX, Pair, SecretHash};
use super::session::Session;
use ed25519_dalek::VerifyingKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A thing of the store with the revision of its last change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept<T> {
    pub(crate) revision: i64,
    pub(crate) value: T,
}

/// A node's key for access tokens, as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishedKey {
    pub(crate) node: u64,
    /// Hex.
    pub(crate) key: String,
}

impl PublishedKey {
    fn verifying_key(&self) -> Option<VerifyingKey> {
        let bytes: [u8; 32] = hex::decode(&self.key).ok()?.try_into().ok()?;
        VerifyingKey::from_bytes(&bytes).ok()
    }
}

/// A secret for programs, as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiToken {
    /// Whose.
    pub(crate) account: super::AccountName,
    /// What it is for, in its owner's words.
    pub(crate) name: String,
    pub(crate) secret: SecretHash,
    /// Rights; it never has more than its account.
    pub(crate) grants: Vec<Grant>,
    /// When it was made, seconds since 1970 UTC.
    pub(crate) created: u64,
    /// When it ends.
    pub(crate) expires: u64,
}

/// How a caller came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// With an access token of this session.
    Session(String),
    /// With this API token.
    Token(String),
    /// With the operator's token, or the one-time token of a new cluster.
    Operator,
}

/// Who asks, when it is not just anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Name of the account; `operator` for the operator's token.
    pub(crate) name: String,
    pub(crate) grants: Vec<Grant>,
    /// Grants that limit `grants` further (an API token's own).
    pub(crate) within: Option<Vec<Grant>>,
    pub(crate) entrance: Entrance,
}

/// Why a caller is nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nobody {
    /// Not of any form of token.
    Malformed,
    /// The key, session or token is not known (yet): ask the store before refusing.
    Unknown,
    /// Known and not good (any more).
    Void,
}

/// Everything under `\0q/auth/`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) accounts: BTreeMap<String, Kept<Account>>,
    pub(crate) sessions: BTreeMap<String, Kept<Session>>,
    pub(crate) tokens: BTreeMap<String, Kept<ApiToken>>,
    pub(crate) proposals: BTreeMap<String, Kept<Proposal>>,
    keys: BTreeMap<String, VerifyingKey>,
    /// Whether there has ever been an administrator.
    pub(crate) is_founded: bool,
}

impl Directory {
    /// Takes in that `key` now has `value`, or is gone. What cannot be read is as good as gone.
    pub(crate) fn apply(&mut self, key: &[u8], value: Option<&[u8]>, revision: i64) {
        if key == keys::FOUNDED {
            self.is_founded = value.is_some();
            return;
        }
        let Some((kind, id)) = Kind::parse(key) else { return };
        match kind {
            Kind::Account => put(&mut self.accounts, id, value, revision),
            Kind::Session => put(&mut self.sessions, id, value, revision),
            Kind::Token => put(&mut self.tokens, id, value, revision),
            Kind::Proposal => put(&mut self.proposals, id, value, revision),
            Kind::Key => {
                let key = value.and_then(read::<PublishedKey>).and_then(|key| key.verifying_key());
                match key.filter(|key| access::key_id(key) == id) {
                    Some(key) => self.keys.insert(id.to_owned(), key),
                    None => self.keys.remove(id),
                };
            }
        }
    }

    /// The account of that name.
    pub(crate) fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.get(name).map(|kept| &kept.value)
    }

    /// Who carries this bearer token (never the operator's: that one is compared elsewhere).
    pub(crate) fn caller(&self, token: &str, audience: &str, now_s: u64) -> Result<Caller, Nobody> {
        match token.strip_prefix(API_TOKEN_PREFIX) {
            Some(pair) => self.by_api_token(pair, now_s),
            None => self.by_access_token(token, audience, now_s),
        }
    }

    fn by_access_token(&self, token: &str, audience: &str, now_s: u64) -> Result<Caller, Nobody> {
        let claims = access::read(token, audience, now_s, |kid| self.keys.get(kid).copied())
            .map_err(|error| match error {
                TokenError::Malformed => Nobody::Malformed,
                TokenError::UnknownKey => Nobody::Unknown,
                TokenError::Forged | TokenError::Void => Nobody::Void,
            })?;
        // The signature was good, so a session that is not known is one that has ended, or one
        // that this node has not heard of yet.
        let session = &self.sessions.get(&claims.sid).ok_or(Nobody::Unknown)?.value;
        let account = self.account(&claims.sub).ok_or(Nobody::Unknown)?;
        if !session.is_backed_by(account, now_s) {
            return Err(Nobody::Void);
        }
        Ok(Caller {
            name: claims.sub,
            grants: account.grants.clone(),
            within: None,
            entrance: Entrance::Session(claims.sid),
        })
    }

    fn by_api_token(&self, pair: &str, now_s: u64) -> Result<Caller, Nobody> {
        let pair = Pair::parse(pair).ok_or(Nobody::Malformed)?;
        let token = &self.tokens.get(&pair.id).ok_or(Nobody::Unknown)?.value;
        let account = self.account(token.account.as_str()).ok_or(Nobody::Unknown)?;
        if !token.secret.matches(&pair.secret) || now_s >= token.expires || !account.enabled {
            return Err(Nobody::Void);
        }
        Ok(Caller {
            name: token.account.to_string(),
            grants: account.grants.clone(),
            within: Some(token.grants.clone()),
            entrance: Entrance::Token(pair.id),
        })
    }
}

fn put<T: DeserializeOwned>(
    map: &mut BTreeMap<String, Kept<T>>,
    id: &str,
    value: Option<&[u8]>,
    revision: i64,
) {
    match value.and_then(read) {
        Some(value) => map.insert(id.to_owned(), Kept { revision, value }),
        None => map.remove(id),
    };
}

/// What lies in the store, read as it was written.
pub(crate) fn read<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    serde_json::from_slice(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::access::Claims;
    use crate::auth::{AccountName, Role};
    use ed25519_dalek::SigningKey;

    const NOW: u64 = 1000;

    fn account(enabled: bool, generation: u32) -> Account {
        Account {
            name: AccountName::parse("ada").expect("a name"),
            display: "Ada".to_owned(),
            grants: vec![Grant::everywhere(Role::Auditor)],
            password: None,
            identity: None,
            enabled,
            generation,
            created: 1,
        }
    }

    fn session() -> Session {
        Session {
            account: account(true, 1).name,
            generation: 1,
            secret: SecretHash::of(&[1; 32]),
            before: None,
            rotated: NOW,
            created: NOW,
            expires: NOW + 100,
            node: 1,
            by: "password".to_owned(),
        }
    }

    fn json(value: &impl Serialize) -> Vec<u8> {
        serde_json::to_vec(value).expect("JSON")
    }

    fn token(signer: &SigningKey) -> String {
        let text = |text: &str| text.to_owned();
        access::issue(
            signer,
            &Claims { aud: text("c"), sub: text("ada"), sid: text("s"), iat: NOW, exp: NOW + 300 },
        )
    }

    /// A directory in which `ada` is logged in, and her token.
    fn logged_in() -> (Directory, String) {
        let signer = SigningKey::from_bytes(&[5; 32]);
        let key = signer.verifying_key();
        let published = PublishedKey { node: 1, key: hex::encode(key.as_bytes()) };
        let mut directory = Directory::default();
        let id = access::key_id(&key);
        directory.apply(&Kind::Key.key(&id), Some(&json(&published)), 1);
        directory.apply(&Kind::Account.key("ada"), Some(&json(&account(true, 1))), 2);
        directory.apply(&Kind::Session.key("s"), Some(&json(&session())), 3);
        (directory, token(&signer))
    }

    #[test]
    fn a_logout_a_lock_and_a_new_generation_void_the_token_at_once() {
        let (directory, token) = logged_in();
        let caller = directory.caller(&token, "c", NOW).expect("she is logged in");
        assert_eq!((caller.name.as_str(), caller.within), ("ada", None));
        let check = |key: Vec<u8>, value: Option<Vec<u8>>, expect: Nobody| {
            let mut directory = directory.clone();
            directory.apply(&key, value.as_deref(), 9);
            assert_eq!(directory.caller(&token, "c", NOW), Err(expect));
        };
        check(Kind::Session.key("s"), None, Nobody::Unknown);
        check(Kind::Account.key("ada"), None, Nobody::Unknown);
        check(Kind::Account.key("ada"), Some(json(&account(false, 1))), Nobody::Void);
        check(Kind::Account.key("ada"), Some(json(&account(true, 2))), Nobody::Void);
        check(Kind::Account.key("ada"), Some(b"{".to_vec()), Nobody::Unknown);
        assert_eq!(directory.caller(&token, "other", NOW), Err(Nobody::Void));
        assert_eq!(directory.caller(&token, "c", NOW + 100), Err(Nobody::Void));
    }

    #[test]
    fn a_key_is_taken_only_under_its_own_name() {
        let (mut directory, _) = logged_in();
        let evil = SigningKey::from_bytes(&[6; 32]);
        let published = PublishedKey { node: 2, key: hex::encode(evil.verifying_key().as_bytes()) };
        directory.apply(&Kind::Key.key("0011223344556677"), Some(&json(&published)), 9);
        assert_eq!(directory.caller(&token(&evil), "c", NOW), Err(Nobody::Unknown));
    }

    #[test]
    fn api_tokens_are_limited_by_their_account() {
        let (mut directory, _) = logged_in();
        let pair = Pair::from_random([3; 48]);
        let token = ApiToken {
            account: account(true, 1).name,
            name: "backup".to_owned(),
            secret: SecretHash::of(&pair.secret),
            grants: Vec::new(),
            created: 1,
            expires: NOW + 5,
        };
        directory.apply(&Kind::Token.key(&pair.id), Some(&json(&token)), 4);
        let text = format!("{API_TOKEN_PREFIX}{}", pair.show());
        let caller = directory.caller(&text, "c", NOW).expect("a good token");
        assert_eq!(caller.within, Some(Vec::new()));
        assert_eq!(directory.caller(&text, "c", NOW + 5), Err(Nobody::Void));
        let other = Pair { secret: [9; 32], ..pair };
        let forged = format!("{API_TOKEN_PREFIX}{}", other.show());
        assert_eq!(directory.caller(&forged, "c", NOW), Err(Nobody::Void));
        assert_eq!(directory.caller("qt_x", "c", NOW), Err(Nobody::Malformed));
    }
}
