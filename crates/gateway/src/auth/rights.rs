//! What each route asks for, read from the OpenAPI document, and whether a caller has it.
//!
//! Every operation carries `x-rights`, a list of which one suffices:
//!
//! | word | who |
//! |---|---|
//! | `public` | anybody; a voter is one |
//! | `signed-in` | anybody with an account |
//! | `self` | the account that the path names |
//! | `<role>` | who has the role for every election |
//! | `<role>@own` | who has the role for the election that the path names, or for every one |
//! | `<role>@any` | who has the role for at least one election; the answer shows only theirs |
//!
//! The document is the policy: a route without the word is not served, and the matrix of all
//! routes and roles (`spec/rights.md`) is generated from the same list
//! (module `matrix`, in tests).

use super::account::{Grant, Role};
use super::directory::Caller;
use std::collections::BTreeMap;

/// For which elections a role must be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// For all.
    Everywhere,
    /// For the one in the path.
    Own,
    /// For at least one.
    Any,
}

/// One of the words of the list above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Public,
    SignedIn,
    Myself,
    Role(Role, Scope),
}

impl Need {
    fn parse(word: &str) -> Result<Self, String> {
        let role = |name: &str| Role::ALL.into_iter().find(|role| role.name() == name);
        let known = match word.split_once('@') {
            None if word == "public" => Some(Self::Public),
            None if word == "signed-in" => Some(Self::SignedIn),
            None if word == "self" => Some(Self::Myself),
            None => role(word).map(|role| Self::Role(role, Scope::Everywhere)),
            Some((name, "own")) => role(name).map(|role| Self::Role(role, Scope::Own)),
            Some((name, "any")) => role(name).map(|role| Self::Role(role, Scope::Any)),
            Some(_) => None,
        };
        known.ok_or_else(|| format!("'{word}' is no right"))
    }
}

/// What a request is about, from its path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Object<'p> {
    pub(crate) election: Option<&'p str>,
    pub(crate) account: Option<&'p str>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed,
    /// Nobody is logged in: 401.
    LogIn,
    /// Somebody is, who may not: 403.
    Forbidden,
}

/// What one route asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    needs: Vec<Need>,
    /// `x-cors: true`: programs in other people's pages may read the answer.
    is_shared: bool,
}

impl Rule {
    /// Whether anybody may.
    pub(crate) fn is_public(&self) -> bool {
        self.needs.contains(&Need::Public)
    }

    /// Whether trustees may, whose page is opened from disk and so has no origin of its own.
    fn is_for_trustees(&self) -> bool {
        self.needs.iter().any(|need| matches!(need, Need::Role(Role::Trustee, _)))
    }

    /// Judges a request.
    pub(crate) fn decide(&self, caller: Option<&Caller>, object: Object<'_>) -> Decision {
        if self.is_public() {
            return Decision::Allowed;
        }
        let Some(caller) = caller else { return Decision::LogIn };
        let has = |need: &Need| match *need {
            Need::Public | Need::SignedIn => true,
            Need::Myself => object.account == Some(caller.name.as_str()),
            Need::Role(role, scope) => caller.has(role, scope, object.election),
        };
        if self.needs.iter().any(has) { Decision::Allowed } else { Decision::Forbidden }
    }
}

impl Caller {
    /// Whether the caller has `role` in this scope.
    pub(crate) fn has(&self, role: Role, scope: Scope, election: Option<&str>) -> bool {
        let among =
            |grants: &[Grant]| grants.iter().any(|grant| fits(grant, role, scope, election));
        among(&self.grants) && self.within.as_deref().is_none_or(among)
    }
}

fn fits(grant: &Grant, role: Role, scope: Scope, election: Option<&str>) -> bool {
    if grant.role != role {
        return false;
    }
    match (&grant.election, scope) {
        (None, _) | (Some(_), Scope::Any) => true,
        (Some(granted), Scope::Own) => election == Some(granted),
        (Some(_), Scope::Everywhere) => false,
    }
}

/// All routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(BTreeMap<(String, String), Rule>);

impl Table {
    /// Reads an OpenAPI document.
    ///
    /// # Errors
    /// A sentence about the first operation without rights, or with one that is not known.
    pub(crate) fn read(document: &str) -> Result<Self, String> {
        let document: serde_json::Value =
            serde_json::from_str(document).map_err(|error| format!("not JSON: {error}"))?;
        let paths = document["paths"].as_object().ok_or("no paths")?;
        let mut table = BTreeMap::new();
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().ok_or("a path without methods")? {
                let words = operation["x-rights"]
                    .as_array()
                    .ok_or_else(|| format!("{method} {path} has no x-rights"))?;
                let needs = words
                    .iter()
                    .map(|word| Need::parse(word.as_str().unwrap_or_default()))
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|error| format!("{method} {path}: {error}"))?;
                let rule = Rule { needs, is_shared: operation["x-cors"] == true };
                if rule.is_shared && !rule.is_public() && !rule.is_for_trustees() {
                    return Err(format!("{method} {path} is shared but not public"));
                }
                table.insert((method.clone(), path.clone()), rule);
            }
        }
        Ok(Self(table))
    }

    /// The rule of a route, by method in small letters and path as the document writes it.
    pub(crate) fn rule(&self, method: &str, path: &str) -> Option<&Rule> {
        self.0.get(&(method.to_owned(), path.to_owned()))
    }

    /// Whether the answers of a route are for other people's pages, too.
    pub(crate) fn is_shared(&self, method: &str, path: &str) -> bool {
        self.rule(method, path).is_some_and(|rule| rule.is_shared)
    }

    /// Methods, paths and rules in order.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str, &Rule)> {
        self.0.iter().map(|((method, path), rule)| (method.as_str(), path.as_str(), rule))
    }
}

/// The object that a path names, given the template it matched (`/elections/{id}/…`,
/// `/accounts/{name}/…`). Segments are compared as they stand: names and ids need no escaping.
pub(crate) fn object_of<'p>(template: &str, path: &'p str) -> Object<'p> {
    let mut object = Object::default();
    for (wanted, found) in template.split('/').zip(path.split('/')) {
        match wanted {
            "{id}" => object.election = Some(found),
            "{name}" => object.account = Some(found),
            _ => {}
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::directory::Entrance;

    fn rule(words: &[&str]) -> Rule {
        let needs = words.iter().map(|word| Need::parse(word).expect("a right")).collect();
        Rule { needs, is_shared: false }
    }

    const OWN_ELECTION: &str = "11111111111111111111111111111111";
    const OTHER_ELECTION: &str = "22222222222222222222222222222222";

    fn caller(grants: Vec<Grant>) -> Caller {
        Caller { name: "ada".to_owned(), grants, within: None, entrance: Entrance::Operator }
    }

    fn at(role: Role) -> Grant {
        Grant { role, election: Some(OWN_ELECTION.to_owned()) }
    }

    #[test]
    fn roles_for_one_election_end_there() {
        let rule = rule(&["election-officer@own"]);
        let officer = caller(vec![at(Role::ElectionOfficer)]);
        let about = |id| Object { election: Some(id), account: None };
        assert_eq!(rule.decide(Some(&officer), about(OWN_ELECTION)), Decision::Allowed);
        assert_eq!(rule.decide(Some(&officer), about(OTHER_ELECTION)), Decision::Forbidden);
        assert_eq!(rule.decide(None, about(OWN_ELECTION)), Decision::LogIn);
        let all = caller(vec![Grant::everywhere(Role::ElectionOfficer)]);
        assert_eq!(rule.decide(Some(&all), about(OTHER_ELECTION)), Decision::Allowed);
        let trustee = caller(vec![at(Role::Trustee)]);
        assert_eq!(rule.decide(Some(&trustee), about(OWN_ELECTION)), Decision::Forbidden);
    }

    #[test]
    fn a_token_narrows_what_its_account_may() {
        let rule = rule(&["administrator"]);
        let mut admin = caller(vec![Grant::everywhere(Role::Administrator)]);
        assert_eq!(rule.decide(Some(&admin), Object::default()), Decision::Allowed);
        admin.within = Some(vec![Grant::everywhere(Role::Auditor)]);
        assert_eq!(rule.decide(Some(&admin), Object::default()), Decision::Forbidden);
        let mut plain = caller(Vec::new());
        plain.within = Some(vec![Grant::everywhere(Role::Administrator)]);
        assert_eq!(rule.decide(Some(&plain), Object::default()), Decision::Forbidden);
    }

    #[test]
    fn oneself_is_the_account_in_the_path() {
        let rule = rule(&["self"]);
        let ada = caller(Vec::new());
        let about = |path| object_of("/api/v1/accounts/{name}/password", path);
        let decide = |path| rule.decide(Some(&ada), about(path));
        assert_eq!(decide("/api/v1/accounts/ada/password"), Decision::Allowed);
        assert_eq!(decide("/api/v1/accounts/bob/password"), Decision::Forbidden);
        assert_eq!(decide("/api/v1/accounts/ADA/password"), Decision::Forbidden);
    }

    #[test]
    fn documents_with_gaps_are_refused() {
        let read = |operation: &str| {
            Table::read(&format!(r#"{{"paths":{{"/x":{{"get":{operation}}}}}}}"#)).map(drop)
        };
        assert_eq!(read(r#"{"x-rights":["public"]}"#), Ok(()));
        assert!(read(r#"{"x-rights":["auditor"],"x-cors":true}"#).is_err());
        assert_eq!(read(r#"{"x-rights":["trustee@own"],"x-cors":true}"#), Ok(()));
        assert!(read("{}").is_err());
        assert!(read(r#"{"x-rights":["admin"]}"#).is_err());
        assert!(read(r#"{"x-rights":["trustee@none"]}"#).is_err());
    }
}
