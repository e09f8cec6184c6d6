//! Passwords: argon2id (RFC 9106) with a salt of its own for each, costs stored beside the hash so
//! that they can be raised later.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// Shortest password, in characters. Length is what counts (NIST SP 800-63B); no other rules.
pub(crate) const CHARACTERS_MIN: usize = 12;

/// Longest password, in bytes: hashing time must not depend on what strangers send.
const BYTES_MAX: usize = 256;

/// Memory in KiB, passes, lanes: OWASP's recommendation, some 50 ms and 19 MiB a login.
const COSTS: (u32, u32, u32) = (19 * 1024, 2, 1);

/// A salted, slow hash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordHash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// Hex.
    salt: String,
    /// Hex.
    hash: String,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Checks a new password.
///
/// # Errors
/// A sentence that never repeats the password.
pub(crate) fn check(password: &str) -> Result<(), String> {
    if password.chars().count() < CHARACTERS_MIN || password.len() > BYTES_MAX {
        return Err(format!(
            "a password has at least {CHARACTERS_MIN} characters and at most {BYTES_MAX} bytes; \
             a sentence is a good one"
        ));
    }
    Ok(())
}

impl PasswordHash {
    /// The hash of `password` with this salt. Takes some 50 ms: not on a thread that serves.
    pub(crate) fn new(password: &str, salt: [u8; 16]) -> Self {
        let (memory_kib, passes, lanes) = COSTS;
        let hash = derive(password, &salt, COSTS).expect("our own costs are in argon2's bounds");
        Self { memory_kib, passes, lanes, salt: hex::encode(salt), hash: hex::encode(hash) }
    }

    /// Whether it is the hash of `password`; as slow as making it.
    pub(crate) fn matches(&self, password: &str) -> bool {
        if password.len() > BYTES_MAX {
            return false;
        }
        let costs = (self.memory_kib, self.passes, self.lanes);
        let salt = hex::decode(&self.salt).unwrap_or_default();
        let stored = hex::decode(&self.hash).unwrap_or_default();
        derive(password, &salt, costs).is_some_and(|found| found[..].ct_eq(&stored).into())
    }

    /// A hash that no password has, for names that no account has: both answers take as long.
    pub(crate) fn of_nobody() -> Self {
        let (memory_kib, passes, lanes) = COSTS;
        Self { memory_kib, passes, lanes, salt: "00".repeat(16), hash: "00".repeat(32) }
    }
}

fn derive(password: &str, salt: &[u8], costs: (u32, u32, u32)) -> Option<[u8; 32]> {
    let params = Params::new(costs.0, costs.1, costs.2, Some(32)).ok()?;
    let mut out = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut out)
        .ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_matches_and_nothing_is_shown() {
        let hash = PasswordHash::new("correct horse battery", [1; 16]);
        assert!(hash.matches("correct horse battery"));
        assert!(!hash.matches("correct horse batterx"));
        assert!(!hash.matches(&"x".repeat(BYTES_MAX + 1)));
        assert!(!PasswordHash::of_nobody().matches(""));
        assert_ne!(hash, PasswordHash::new("correct horse battery", [2; 16]));
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
    }

    #[test]
    fn length_is_the_only_rule() {
        assert!(check("0123456789a").is_err());
        assert!(check("0123456789ab").is_ok());
        assert!(check(&"x".repeat(257)).is_err());
        assert!(!check("geheim").expect_err("short").contains("geheim"));
    }
}
