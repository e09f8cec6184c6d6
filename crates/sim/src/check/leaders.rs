//! R1: a term has at most one leader. R2: a leader only appends.

use std::collections::BTreeMap;

use raft::{RoleName, Term};

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Member, Truth};

/// R1 (Raft paper 5.2, "Election Safety").
#[derive(Debug, Default)]
pub(super) struct OneLeader {
    leaders: BTreeMap<Term, Member>,
}

impl Checker for OneLeader {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Became]
    }

    fn see(&mut self, fact: &Fact<'_>, _: &Truth) -> Result<(), Violation> {
        let Fact::Became { member, role: RoleName::Leader, term } = fact else { return Ok(()) };
        let first = *self.leaders.entry(*term).or_insert(*member);
        if first != *member {
            let text = format!("members {} and {} both lead term {term}", first + 1, member + 1);
            return violated("R1", text);
        }
        Ok(())
    }
}

/// R2 (Raft paper 5.3, "Leader Append-Only").
#[derive(Debug)]
pub(super) struct AppendOnly;

impl Checker for AppendOnly {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Ordered]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        let Fact::Ordered { member, persist } = fact else { return Ok(()) };
        let role = truth.members[*member].role;
        match persist.truncate_from {
            Some(from) if role == RoleName::Leader => {
                violated("R2", format!("member {} leads and cuts its log at {from}", member + 1))
            }
            _ => Ok(()),
        }
    }
}
