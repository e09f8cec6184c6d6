//! Secrets that callers hold and the store knows by hash only: refresh cookies, API tokens.
//!
//! A secret is 32 random bytes in base64url without padding; what is stored is its SHA-256. Random
//! secrets of that length need no slow hash.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// First characters of every API token, so that people and scanners recognise one.
pub(crate) const API_TOKEN_PREFIX: &str = "qt_";

/// SHA-256 of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Of the secret's bytes.
    pub(crate) fn of(secret: &[u8; 32]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Whether it is the hash of `secret`, in constant time.
    pub(crate) fn matches(&self, secret: &[u8; 32]) -> bool {
        self.0.ct_eq(&Self::of(secret).0).into()
    }
}

impl TryFrom<String> for SecretHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = hex::decode(text).map_err(|error| error.to_string())?;
        bytes.try_into().map(Self).map_err(|_| "a hash has 32 bytes".to_owned())
    }
}

impl From<SecretHash> for String {
    fn from(hash: SecretHash) -> Self {
        hex::encode(hash.0)
    }
}

/// An id (16 bytes) and its secret, as a cookie or a token carries them: `<32 hex>.<43 chars>`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) id: String,
    pub(crate) secret: [u8; 32],
}

impl Pair {
    /// Both from 48 random bytes.
    pub(crate) fn from_random(bytes: [u8; 48]) -> Self {
        let mut secret = [0; 32];
        secret.copy_from_slice(&bytes[16..]);
        Self { id: hex::encode(&bytes[..16]), secret }
    }

    /// As text.
    pub(crate) fn show(&self) -> String {
        format!("{}.{}", self.id, URL_SAFE_NO_PAD.encode(self.secret))
    }

    /// Reads what [`show`](Self::show) wrote, and nothing else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.split_once('.')?;
        let is_id = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_id || secret.len() != 43 {
            return None;
        }
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
        Some(Self { id: id.to_owned(), secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_back_and_foreign_texts_are_nothing() {
        let pair = Pair::from_random([7; 48]);
        let text = pair.show();
        let read = Pair::parse(&text).expect("its own text");
        assert!(read == pair && SecretHash::of(&pair.secret).matches(&read.secret));
        assert!(!SecretHash::of(&pair.secret).matches(&[8; 32]));
        let upper = text.to_uppercase();
        let padded = format!("{text}=");
        for wrong in ["", ".", &text[1..], &text[..60], &upper, &padded, "0.0"] {
            assert!(Pair::parse(wrong).is_none(), "{wrong}");
        }
    }
}
