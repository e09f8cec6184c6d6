//! Accounts: a name, ways to log in, and rights.

use election::ElectionId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most grants of one account.
pub(crate) const GRANTS_MAX: usize = 256;

/// Longest name that is shown, in bytes.
const DISPLAY_BYTES_MAX: usize = 200;

/// What somebody is to an election, or to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything that is not secret: accounts, cluster, all elections. Never for one election.
    Administrator,
    /// Prepares, opens and closes elections.
    ElectionOfficer,
    /// Takes part in the key ceremony and the count.
    Trustee,
    /// Reads what others may not: audit log, deliveries.
    Auditor,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Administrator, Self::ElectionOfficer, Self::Trustee, Self::Auditor];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::ElectionOfficer => "election-officer",
            Self::Trustee => "trustee",
            Self::Auditor => "auditor",
        }
    }
}

/// A role, for one election or for all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Its election as 32 hex digits; every election when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub election: Option<String>,
}

impl Grant {
    /// The role for every election.
    pub fn everywhere(role: Role) -> Self {
        Self { role, election: None }
    }

    /// The role for one election.
    pub fn at(role: Role, election: ElectionId) -> Self {
        Self { role, election: Some(election.to_string()) }
    }

    fn check(&self) -> Result<(), String> {
        let Some(election) = &self.election else { return Ok(()) };
        let is_id = election.parse::<ElectionId>().is_ok_and(|id| id.to_string() == *election);
        if !is_id {
            return Err(format!("'{election}' is no election id; ids have 32 hex digits"));
        }
        if self.role == Role::Administrator {
            return Err("an administrator is one for the whole cluster, not for one election; \
                        the role for one election is election-officer"
                .to_owned());
        }
        Ok(())
    }
}

/// Checks a list of grants.
///
/// # Errors
/// A sentence about the first that cannot be.
pub(crate) fn check_grants(grants: &[Grant]) -> Result<(), String> {
    if grants.len() > GRANTS_MAX {
        return Err(format!("{} grants; at most {GRANTS_MAX}", grants.len()));
    }
    grants.iter().try_for_each(Grant::check)
}

/// How an account is called: 2 to 64 of `a-z 0-9 . _ - @`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);

impl AccountName {
    /// The name in `text`; capital letters count as small ones, blanks around it as none.
    ///
    /// # Errors
    /// A sentence that says what a name is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.trim().to_ascii_lowercase();
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_allowed = |byte: u8| is_plain(byte) || b"._-@".contains(&byte);
        let fits = (2..=64).contains(&name.len())
            && name.bytes().all(is_allowed)
            && name.bytes().next().is_some_and(is_plain);
        if fits {
            Ok(Self(name))
        } else {
            Err("an account's name has 2 to 64 of the characters a-z 0-9 . _ - @ and begins with \
                 a letter or digit"
                .to_owned())
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AccountName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> Self {
        name.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who somebody is at an identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The provider's issuer URL.
    pub issuer: String,
    /// The subject it gives.
    pub subject: String,
}

/// One account as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// How it is called.
    pub name: AccountName,
    /// The person's name.
    pub display: String,
    /// Rights.
    pub grants: Vec<Grant>,
    /// Hash of its password, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<super::password::PasswordHash>,
    /// Its identity at a provider, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Whether it may log in and act.
    pub enabled: bool,
    /// Sessions and tokens of earlier generations are void.
    pub generation: u32,
    /// When it was made, seconds since 1970 UTC.
    pub created: u64,
}

impl Account {
    /// Checks what people wrote.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.display.trim().is_empty() || self.display.len() > DISPLAY_BYTES_MAX {
            return Err(format!("display has 1 to {DISPLAY_BYTES_MAX} bytes"));
        }
        check_grants(&self.grants)
    }

    /// Whether it administers the cluster.
    pub fn is_administrator(&self) -> bool {
        self.enabled && self.grants.iter().any(|grant| grant.role == Role::Administrator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_and_checked() {
        let name = |text| AccountName::parse(text).map(String::from);
        assert_eq!(name(" Ada@Example.org "), Ok("ada@example.org".to_owned()));
        for wrong in ["a", "", ".ada", "a b", "a/b", "ä1", "a\0b", &"x".repeat(65)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn grants_name_real_elections_and_administrators_have_none() {
        let grant =
            |role, election: Option<&str>| Grant { role, election: election.map(str::to_owned) };
        let id = "000102030405060708090a0b0c0d0e0f";
        assert_eq!(check_grants(&[grant(Role::Trustee, Some(id))]), Ok(()));
        assert!(check_grants(&[grant(Role::Trustee, Some("1"))]).is_err());
        let upper = id.to_uppercase();
        assert!(check_grants(&[grant(Role::Trustee, Some(&upper))]).is_err(), "one form only");
        assert!(check_grants(&[grant(Role::Administrator, Some(id))]).is_err());
        assert!(check_grants(&vec![grant(Role::Auditor, None); GRANTS_MAX + 1]).is_err());
    }

    #[test]
    fn role_names_are_those_of_json() {
        for role in Role::ALL {
            let json = serde_json::to_string(&role).expect("a word");
            assert_eq!(json, format!("\"{}\"", role.name()));
        }
    }
}
