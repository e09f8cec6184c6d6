//! R6: what is committed lies on the platters of a majority, whatever members believe about each
//! other; and applied <= commit <= last.

use raft::LogIndex;

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Truth, is_quorum};

#[derive(Debug, Default)]
pub(super) struct CommittedIsDurable {
    checked: LogIndex,
}

impl Checker for CommittedIsDurable {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Observed]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        let Fact::Observed { member, status } = fact else { return Ok(()) };
        if !(status.applied <= status.commit && status.commit <= status.last.index) {
            let text = format!(
                "member {} has applied {} of committed {} of {} entries",
                member + 1,
                status.applied,
                status.commit,
                status.last.index
            );
            return violated("R6", text);
        }
        let committed = truth.ledger.last_index();
        if committed > self.checked {
            self.checked = committed;
            let chain = truth.ledger.chain_at(committed);
            let holds = |member: &&crate::truth::MemberTruth| member.holds(committed, chain);
            // What is in force at whoever commits: the last in its log, committed or not.
            let (_, membership) = truth.members[*member].ordered.in_force();
            if !is_quorum(membership, |id| truth.members.get(id).is_some_and(|it| holds(&it))) {
                let holders = truth.members.iter().filter(holds).count();
                let text = format!(
                    "member {} commits {committed}, which {holders} members hold durably, under \
                     {membership}",
                    member + 1
                );
                return violated("R6", text);
            }
        }
        Ok(())
    }
}
