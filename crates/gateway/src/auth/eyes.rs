//! Four eyes: acts that one person alone must not do, as soon as there are two who could.
//!
//! Closing an election before its time, and resetting a test election. The first person's request
//! is kept as a proposal; a second person who has the same right approves it, and then it is done
//! as it was written. Where only one account may do the act (a small organisation, a
//! demonstration) it is done at once, and the audit log says so.

use super::account::{Account, Grant, Role};
use serde::{Deserialize, Serialize};

/// How long a proposal waits, in seconds.
pub(crate) const LIFETIME_S: u64 = 24 * 3600;

/// An act that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proposal {
    /// `close-early` or `reset`.
    pub(crate) act: String,
    /// Which election.
    pub(crate) election: String,
    /// Body of the request, as it was sent.
    pub(crate) body: String,
    /// Who wants it.
    pub(crate) by: String,
    /// Since when, seconds since 1970 UTC.
    pub(crate) created: u64,
    /// Until when.
    pub(crate) expires: u64,
}

/// Why somebody's approval does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoApproval {
    /// It is their own proposal.
    Own,
    /// It came too late.
    Expired,
    /// They may not do the act themselves.
    NoRight,
}

/// Whether somebody with these grants may do such acts at `election`.
pub(crate) fn may(grants: &[Grant], election: &str) -> bool {
    let fits = |grant: &Grant| match grant.role {
        Role::Administrator => true,
        Role::ElectionOfficer => grant.election.as_deref().is_none_or(|own| own == election),
        Role::Trustee | Role::Auditor => false,
    };
    grants.iter().any(fits)
}

/// Whether a second person is needed: somebody other than `by` could be it.
pub(crate) fn needs_second<'a>(
    mut accounts: impl Iterator<Item = &'a Account>,
    election: &str,
    by: &str,
) -> bool {
    let may = |account: &Account| account.enabled && may(&account.grants, election);
    accounts.any(|account| account.name.as_str() != by && may(account))
}

/// Judges an approval by `name`, who has these grants.
pub(crate) fn judge(
    proposal: &Proposal,
    name: &str,
    grants: &[Grant],
    now_s: u64,
) -> Result<(), NoApproval> {
    if now_s >= proposal.expires {
        Err(NoApproval::Expired)
    } else if name == proposal.by {
        Err(NoApproval::Own)
    } else if !may(grants, &proposal.election) {
        Err(NoApproval::NoRight)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AccountName;

    const ELECTION: &str = "11111111111111111111111111111111";

    fn account(name: &str, role: Role, election: Option<&str>) -> Account {
        Account {
            name: AccountName::parse(name).expect("a name"),
            display: name.to_owned(),
            grants: vec![Grant { role, election: election.map(str::to_owned) }],
            password: None,
            identity: None,
            enabled: true,
            generation: 1,
            created: 0,
        }
    }

    #[test]
    fn a_second_person_is_needed_once_there_is_one() {
        let ada = account("ada", Role::Administrator, None);
        let bob = account("bob", Role::ElectionOfficer, Some(ELECTION));
        let eve = account("eve", Role::Auditor, None);
        let needs = |all: &[&Account]| needs_second(all.iter().copied(), ELECTION, "ada");
        assert!(!needs(&[&ada]));
        assert!(!needs(&[&ada, &eve]));
        assert!(needs(&[&ada, &eve, &bob]));
        let away = Account { enabled: false, ..bob };
        assert!(!needs(&[&ada, &away]));
    }

    #[test]
    fn only_another_person_with_the_right_approves_in_time() {
        let proposal = Proposal {
            act: "close-early".to_owned(),
            election: ELECTION.to_owned(),
            body: String::new(),
            by: "ada".to_owned(),
            created: 0,
            expires: 100,
        };
        let check = |account: &Account, now, expect| {
            assert_eq!(judge(&proposal, account.name.as_str(), &account.grants, now), expect);
        };
        let bob = account("bob", Role::ElectionOfficer, Some(ELECTION));
        check(&bob, 99, Ok(()));
        check(&bob, 100, Err(NoApproval::Expired));
        check(&account("ada", Role::Administrator, None), 1, Err(NoApproval::Own));
        check(&account("eve", Role::Auditor, None), 1, Err(NoApproval::NoRight));
        let other = "22222222222222222222222222222222";
        let far = account("far", Role::ElectionOfficer, Some(other));
        check(&far, 1, Err(NoApproval::NoRight));
    }
}
