//! Where accounts and what belongs to them lie in the store.
//!
//! ```text
//! \0q/auth/account/<name>          an account
//! \0q/auth/session/<32 hex>        a session; on a lease of its own length
//! \0q/auth/token/<32 hex>          an API token
//! \0q/auth/key/<16 hex>            a node's key for access tokens; on a lease
//! \0q/auth/proposal/<32 hex>       an act that waits for a second person; on a lease
//! \0q/auth/founded                 there is an administrator: one-time tokens are void
//! ```

/// Everything of this module.
pub(crate) const ALL: &[u8] = b"\0q/auth/";

/// Written with the first administrator.
pub(crate) const FOUNDED: &[u8] = b"\0q/auth/founded";

/// The kinds of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Account,
    Session,
    Token,
    Key,
    Proposal,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Account, Self::Session, Self::Token, Self::Key, Self::Proposal];

    fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Session => "session",
            Self::Token => "token",
            Self::Key => "key",
            Self::Proposal => "proposal",
        }
    }

    /// The key of one of them.
    pub(crate) fn key(self, id: &str) -> Vec<u8> {
        [ALL, self.name().as_bytes(), b"/", id.as_bytes()].concat()
    }

    /// What a key is about.
    pub(crate) fn parse(key: &[u8]) -> Option<(Self, &str)> {
        let (kind, id) = core::str::from_utf8(key.strip_prefix(ALL)?).ok()?.split_once('/')?;
        let kind = Self::ALL.into_iter().find(|known| known.name() == kind)?;
        (!id.is_empty() && !id.contains('/')).then_some((kind, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(&kind.key("x.y@z")), Some((kind, "x.y@z")));
        }
        for foreign in [FOUNDED, b"\0q/auth/account/", b"\0q/auth/other/x", b"\0q/x"] {
            assert_eq!(Kind::parse(foreign), None);
        }
    }
}
