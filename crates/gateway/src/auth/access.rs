//! Access tokens: JSON Web Tokens (RFC 7519, RFC 9068) in exactly one form.
//!
//! One algorithm (EdDSA), one type (`at+jwt`), one order of parts, no claim that is not known, no
//! key in the token: what is not of this form is refused before any signature is looked at. The
//! key is found by `kid` among those that the nodes published in the store, so a token is good at
//! every node and dies with its issuer's key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long a token is good, in seconds.
pub(crate) const LIFETIME_S: u64 = 300;

/// Clocks of two nodes may differ by this, in seconds.
const LEEWAY_S: u64 = 30;

/// Longest token that is read.
const LENGTH_MAX: usize = 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    /// The cluster, so that a token of another one is nothing here.
    pub(crate) aud: String,
    /// The account.
    pub(crate) sub: String,
    /// The session.
    pub(crate) sid: String,
    /// Issued, seconds since 1970 UTC.
    pub(crate) iat: u64,
    /// Ends, seconds since 1970 UTC.
    pub(crate) exp: u64,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// It is not of our form.
    Malformed,
    /// No node published its key (yet).
    UnknownKey,
    /// The signature is another's.
    Forged,
    /// Its time is over, or not come, or it is of another cluster.
    Void,
}

/// Name of a key: the first 8 bytes of its SHA-256, in hex.
pub(crate) fn key_id(key: &VerifyingKey) -> String {
    hex::encode(&Sha256::digest(key.as_bytes())[..8])
}

/// Signs `claims`.
pub(crate) fn issue(key: &SigningKey, claims: &Claims) -> String {
    let header = Header {
        alg: "EdDSA".to_owned(),
        kid: key_id(&key.verifying_key()),
        typ: "at+jwt".to_owned(),
    };
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn part(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("text and numbers only");
    URL_SAFE_NO_PAD.encode(json)
}

/// Which key a token wants and what it says, before anything is verified: to find the key.
pub(crate) fn peek(token: &str) -> Result<(String, Claims), TokenError> {
    let parts = split(token)?;
    let claims: Claims =
        serde_json::from_slice(&parts.claims).map_err(|_| TokenError::Malformed)?;
    let is_name = |text: &str| !text.is_empty() && text.len() <= 64 && !text.contains('/');
    let is_sound = is_name(&claims.sub) && is_name(&claims.sid) && is_name(&parts.header.kid);
    if is_sound { Ok((parts.header.kid, claims)) } else { Err(TokenError::Malformed) }
}

/// What a token says, when its signature is `key_of` its key id's and its time is now.
pub(crate) fn read(
    token: &str,
    audience: &str,
    now_s: u64,
    key_of: impl FnOnce(&str) -> Option<VerifyingKey>,
) -> Result<Claims, TokenError> {
    let Parts { header, claims, signed, signature } = split(token)?;
    let key = key_of(&header.kid).ok_or(TokenError::UnknownKey)?;
    key.verify_strict(signed.as_bytes(), &signature).map_err(|_| TokenError::Forged)?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| TokenError::Malformed)?;
    let lives = claims.exp.saturating_sub(claims.iat) <= LIFETIME_S
        && now_s < claims.exp.saturating_add(LEEWAY_S)
        && now_s.saturating_add(LEEWAY_S) >= claims.iat;
    if lives && claims.aud == audience { Ok(claims) } else { Err(TokenError::Void) }
}

struct Parts<'t> {
    header: Header,
    claims: Vec<u8>,
    signed: &'t str,
    signature: Signature,
}

fn split(token: &str) -> Result<Parts<'_>, TokenError> {
    let parts = || {
        if token.len() > LENGTH_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let signature = Signature::from_bytes(&signature.try_into().ok()?);
        let is_ours = header.alg == "EdDSA" && header.typ == "at+jwt" && header.kid.len() == 16;
        is_ours.then_some(Parts { header, claims, signed, signature })
    };
    parts().ok_or(TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn claims() -> Claims {
        let text = |text: &str| text.to_owned();
        Claims { aud: text("c1"), sub: text("ada"), sid: text("s1"), iat: 1000, exp: 1300 }
    }

    fn reading(token: &str, now_s: u64) -> Result<Claims, TokenError> {
        read(token, "c1", now_s, |kid| {
            let own = key(1).verifying_key();
            (kid == key_id(&own)).then_some(own)
        })
    }

    #[test]
    fn a_token_is_good_in_its_time_and_cluster() {
        let token = issue(&key(1), &claims());
        assert_eq!(reading(&token, 1000), Ok(claims()));
        assert_eq!(reading(&token, 1329), Ok(claims()), "clocks may differ");
        assert_eq!(reading(&token, 1330), Err(TokenError::Void));
        assert_eq!(reading(&token, 969), Err(TokenError::Void));
        let elsewhere = issue(&key(1), &Claims { aud: "c2".to_owned(), ..claims() });
        assert_eq!(reading(&elsewhere, 1000), Err(TokenError::Void));
        let eternal = issue(&key(1), &Claims { exp: u64::MAX, ..claims() });
        assert_eq!(reading(&eternal, 1000), Err(TokenError::Void));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let token = issue(&key(1), &claims());
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert!(reading(&changed, 1000).is_err(), "byte {at}");
        }
    }

    #[test]
    fn other_keys_and_other_algorithms_are_refused() {
        assert_eq!(reading(&issue(&key(2), &claims()), 1000), Err(TokenError::UnknownKey));
        let token = issue(&key(1), &claims());
        let (_, rest) = token.split_once('.').expect("three parts");
        let kid = key_id(&key(1).verifying_key());
        for header in [
            format!(r#"{{"alg":"none","kid":"{kid}","typ":"at+jwt"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"at+jwt"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"at+jwt","jwk":{{}}}}"#),
            r#"{"alg":"EdDSA","typ":"at+jwt"}"#.to_owned(),
        ] {
            let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(reading(&forged, 1000), Err(TokenError::Malformed));
        }
    }
}
