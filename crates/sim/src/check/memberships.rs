//! R9: memberships change safely. The last one in the log is in force; of those of a leader at most
//! one is not committed, and none before an entry of its own term; whoever wins has the votes of a
//! majority of each set of voters; and one membership leads to the next only through a joint one.
//! R13: learners count for nothing in any of this.

use std::collections::BTreeMap;

use raft::{LogIndex, RoleName, Status, Term};

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Member, Truth, id_of, is_quorum};

#[derive(Debug, Default)]
pub(super) struct SafeMemberships {
    /// The committed membership that was looked at last.
    checked: LogIndex,
    /// The membership that each member had in force when it was last looked at.
    in_force: BTreeMap<Member, LogIndex>,
}

impl Checker for SafeMemberships {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Observed, FactKind::Became]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Became { member, role: RoleName::Leader, term } => elected(truth, *member, *term),
            Fact::Observed { member, status } => {
                self.in_force(truth, *member, status)?;
                self.leading(truth, *member, status)?;
                self.committed(truth)
            }
            _ => Ok(()),
        }
    }
}

fn elected(truth: &Truth, member: Member, term: Term) -> Result<(), Violation> {
    let (_, membership) = truth.members[member].ordered.in_force();
    let votes = |voter: Member| {
        let voter = truth.members.get(voter);
        voter.is_some_and(|voter| voter.votes.get(&term) == Some(&id_of(member)))
    };
    if !is_quorum(membership, votes) {
        let text = format!(
            "member {} leads term {term} without the votes of a majority of {membership}",
            member + 1
        );
        return violated("R9", text);
    }
    Ok(())
}

impl SafeMemberships {
    fn in_force(&self, truth: &Truth, member: Member, status: &Status) -> Result<(), Violation> {
        if status.restriction.is_some() {
            return Ok(()); // damage may have taken the entry that brought it
        }
        let (since, membership) = truth.members[member].ordered.in_force();
        let is_known = self.in_force.get(&member) == Some(&since);
        if since != status.membership_index || (!is_known && *membership != status.membership) {
            let text = format!(
                "member {} acts under {} since {}, but its log ends with {membership} at {since}",
                member + 1,
                status.membership,
                status.membership_index
            );
            return violated("R9", text);
        }
        Ok(())
    }

    fn leading(&mut self, truth: &Truth, member: Member, status: &Status) -> Result<(), Violation> {
        let log = &truth.members[member].ordered;
        let (since, membership) = log.in_force();
        let is_new = self.in_force.insert(member, since) != Some(since);
        if status.role != RoleName::Leader || !is_new {
            return Ok(());
        }
        if log.memberships_behind(status.commit) > 1 {
            let text = format!(
                "member {} begins {membership} at {since} before what precedes it is committed",
                member + 1
            );
            return violated("R9", text);
        }
        let is_own = log.at(since).is_some_and(|link| link.id.term == status.term);
        let committed = truth.ledger.at(status.commit).map(|link| link.id.term);
        if is_own && committed != Some(status.term) {
            let text = format!(
                "member {} begins {membership} at {since} before it committed anything in term {}",
                member + 1,
                status.term
            );
            return violated("R9", text);
        }
        Ok(())
    }

    /// Consecutive memberships share a set of voters.
    fn committed(&mut self, truth: &Truth) -> Result<(), Violation> {
        let (since, after) = truth.ledger.in_force();
        if since <= self.checked {
            return Ok(());
        }
        let mut at = since;
        let mut after = after;
        while at > self.checked {
            let (earlier, before) = truth.ledger.membership_at(at.before());
            let is_step = if before.is_joint() {
                !after.is_joint() && after.voters() == before.voters()
            } else if after.is_joint() {
                after.outgoing() == before.voters()
            } else {
                after.voters() == before.voters()
            };
            if !is_step {
                return violated("R9", format!("{before} is followed by {after} at {at}"));
            }
            (at, after) = (earlier, before);
        }
        self.checked = since;
        Ok(())
    }
}
