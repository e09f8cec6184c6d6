//! The operator's token: the secret with which a cluster is entered before it has accounts.
//!
//! Made by the node at its first start it is good for one thing: making the first administrator.
//! From then on it is void at the web listener of every node. An operator may also give a token by
//! file (`admin-token-file`); that one stays, for automation and as the key under the mat.

use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Shortest token that is taken, in characters.
const LENGTH_MIN: usize = 16;

/// How long a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Until there is an administrator.
    OneTime,
    /// As long as the operator gives it.
    Permanent,
}

/// A secret that does not print.
#[derive(Clone)]
pub struct AdminToken {
    secret: Arc<str>,
    standing: Standing,
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

impl AdminToken {
    /// The token in `text`, without blanks around it.
    ///
    /// # Errors
    /// A sentence when it is shorter than 16 characters or holds anything but visible ASCII.
    pub fn parse(text: &str, standing: Standing) -> Result<Self, String> {
        let text = text.trim();
        if text.len() < LENGTH_MIN {
            return Err(format!("the token has {} characters; at least 16", text.len()));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the token may hold visible ASCII characters only".to_owned());
        }
        Ok(Self { secret: text.into(), standing })
    }

    /// Whether `given` is the token; takes the same time for every wrong one of its length.
    pub fn is(&self, given: &str) -> bool {
        self.secret.as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// How long it is good.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

#[cfg(test)]
mod tests {
    use super::{AdminToken, Standing};

    #[test]
    fn tokens_are_compared_whole_and_do_not_print() {
        let parse = |text| AdminToken::parse(text, Standing::OneTime);
        let token = parse(" 0123456789abcdef\n").expect("long enough");
        assert!(token.is("0123456789abcdef"));
        assert!(!token.is("0123456789abcdeX"));
        assert!(!token.is("0123456789abcdef0"));
        assert!(!token.is(""));
        assert_eq!(format!("{token:?}"), "AdminToken(…)");
        assert!(parse("short").is_err());
    }
}
