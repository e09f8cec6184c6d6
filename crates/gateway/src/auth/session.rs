//! Sessions: what a refresh cookie stands for.
//!
//! Each use of the cookie replaces its secret. An answer may be lost on the way, so the secret
//! before is still taken for [`GRACE_S`]; used later it is a copy in somebody's hands, and the
//! session ends for both.

use super::account::{Account, AccountName};
use super::secret::SecretHash;
use serde::{Deserialize, Serialize};

/// How long a session lasts, in seconds.
pub(crate) const LIFETIME_S: u64 = 8 * 3600;

/// How long the secret before is still taken, in seconds.
pub(crate) const GRACE_S: u64 = 30;

/// One session as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    pub(crate) account: AccountName,
    /// Generation of the account at login.
    pub(crate) generation: u32,
    /// Hash of the present secret.
    pub(crate) secret: SecretHash,
    /// Hash of the secret before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<SecretHash>,
    /// When the present secret was made, seconds since 1970 UTC.
    pub(crate) rotated: u64,
    /// When it began.
    pub(crate) created: u64,
    /// When it ends.
    pub(crate) expires: u64,
    /// The node that was logged in at.
    pub(crate) node: u64,
    /// `password` or `oidc`.
    pub(crate) by: String,
}

/// What to do with a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Give out a new secret.
    Renew,
    /// An old secret: end the session.
    Stolen,
    /// Not (or no longer) good.
    Void,
}

impl Session {
    /// Judges a presented secret.
    pub(crate) fn judge(&self, secret: &[u8; 32], now_s: u64) -> Verdict {
        if now_s >= self.expires {
            return Verdict::Void;
        }
        if self.secret.matches(secret) {
            return Verdict::Renew;
        }
        match &self.before {
            Some(before) if before.matches(secret) => {
                let is_fresh = now_s < self.rotated.saturating_add(GRACE_S);
                if is_fresh { Verdict::Renew } else { Verdict::Stolen }
            }
            _ => Verdict::Void,
        }
    }

    /// The session with another secret; `used` is the one that was presented.
    pub(crate) fn renewed(&self, used: &[u8; 32], next: &[u8; 32], now_s: u64) -> Self {
        Self {
            before: Some(SecretHash::of(used)),
            secret: SecretHash::of(next),
            rotated: now_s,
            ..self.clone()
        }
    }

    /// Whether the account still stands behind it.
    pub(crate) fn is_backed_by(&self, account: &Account, now_s: u64) -> bool {
        account.enabled
            && account.name == self.account
            && account.generation == self.generation
            && now_s < self.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            account: AccountName::parse("ada").expect("a name"),
            generation: 1,
            secret: SecretHash::of(&[1; 32]),
            before: None,
            rotated: 100,
            created: 100,
            expires: 1000,
            node: 1,
            by: "password".to_owned(),
        }
    }

    #[test]
    fn a_secret_is_used_once_and_a_lost_answer_is_forgiven() {
        let first = session();
        assert_eq!(first.judge(&[1; 32], 200), Verdict::Renew);
        let second = first.renewed(&[1; 32], &[2; 32], 200);
        assert_eq!(second.judge(&[2; 32], 210), Verdict::Renew);
        assert_eq!(second.judge(&[1; 32], 229), Verdict::Renew, "the answer was lost");
        assert_eq!(second.judge(&[1; 32], 230), Verdict::Stolen);
        assert_eq!(second.judge(&[9; 32], 230), Verdict::Void);
        assert_eq!(second.judge(&[2; 32], 1000), Verdict::Void);
    }
}
