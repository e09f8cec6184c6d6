//! The matrix of all routes and roles, for people: `spec/rights.md`.

use super::account::{Grant, Role};
use super::directory::{Caller, Entrance};
use super::rights::{Decision, Object, Table};

/// The whole matrix as a table for people: every route, every role, own and other object.
fn matrix(table: &Table) -> String {
    let mut text = String::from(
        "# Who may do what\n\nGenerated from `x-rights` in `openapi.json`; a test compares both. \
         ✓ allowed · – refused (401 without an account, 403 with one). *own* is the election for \
         which the account has the role, or the account itself; *other* any other one. A voter has \
         no account: ballots carry their own signature.\n\n| route | voter | any account | \
         administrator | officer, own | officer, other | trustee, own | trustee, other | auditor, \
         own | auditor, other | account itself |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (method, path, rule) in table.iter() {
        text += &format!("| {} `{path}` |", method.to_uppercase());
        for subject in Subject::all() {
            let allowed = rule.decide(subject.caller().as_ref(), subject.object(path));
            text += if allowed == Decision::Allowed { " ✓ |" } else { " – |" };
        }
        text.push('\n');
    }
    text
}

/// A column of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Voter,
    Plain,
    Administrator,
    Role(Role, bool),
    Itself,
}

/// Elections and accounts of the matrix.
const OWN_ELECTION: &str = "11111111111111111111111111111111";
const OTHER_ELECTION: &str = "22222222222222222222222222222222";
const OTHER_ACCOUNT: &str = "somebody-else";

impl Subject {
    /// All columns in order.
    fn all() -> Vec<Self> {
        let mut all = vec![Self::Voter, Self::Plain, Self::Administrator];
        for role in [Role::ElectionOfficer, Role::Trustee, Role::Auditor] {
            all.extend([Self::Role(role, true), Self::Role(role, false)]);
        }
        all.push(Self::Itself);
        all
    }

    /// Name of the account that stands for it.
    fn account(self) -> Option<String> {
        match self {
            Self::Voter => None,
            Self::Plain | Self::Itself => Some("plain".to_owned()),
            Self::Administrator => Some("administrator".to_owned()),
            Self::Role(role, _) => Some(role.name().to_owned()),
        }
    }

    /// Its grants.
    fn grants(self) -> Vec<Grant> {
        match self {
            Self::Voter | Self::Plain | Self::Itself => Vec::new(),
            Self::Administrator => vec![Grant::everywhere(Role::Administrator)],
            Self::Role(role, _) => vec![Grant { role, election: Some(OWN_ELECTION.to_owned()) }],
        }
    }

    fn caller(self) -> Option<Caller> {
        Some(Caller {
            name: self.account()?,
            grants: self.grants(),
            within: None,
            entrance: Entrance::Operator,
        })
    }

    /// The object it asks about.
    fn object(self, path: &str) -> Object<'static> {
        let election =
            if matches!(self, Self::Role(_, false)) { OTHER_ELECTION } else { OWN_ELECTION };
        let account = if self == Self::Itself { "plain" } else { OTHER_ACCOUNT };
        Object {
            election: path.contains("{id}").then_some(election),
            account: path.contains("{name}").then_some(account),
        }
    }
}

#[test]
fn the_committed_matrix_is_the_one_of_the_document() {
    let table = Table::read(crate::openapi::DOCUMENT).expect("rights everywhere");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/rights.md");
    let found = matrix(&table);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &found).expect("written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == found, "spec/rights.md differs: run this test with BLESS=1 and review");
}
