//! R8: nothing goes back. Within a process life term, commit and applied never decrease; a
//! restart finds every durable entry and the newest durable term, and only what was written.

use std::collections::BTreeMap;

use raft::{LogIndex, Term};

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Member, Truth};

#[derive(Debug, Default)]
struct Seen {
    term: Term,
    commit: LogIndex,
    applied: LogIndex,
    /// The highest term that was ever durable; survives restarts.
    durable_term: Term,
    /// Id of the last durable entry when the process died.
    durable_last: LogIndex,
}

#[derive(Debug)]
pub(super) struct NoRegress {
    members: BTreeMap<Member, Seen>,
}

impl NoRegress {
    pub(super) fn new() -> Self {
        Self { members: BTreeMap::new() }
    }
}

impl Checker for NoRegress {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Observed, FactKind::Persisted, FactKind::Opened]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Observed { member, status } => {
                let seen = self.members.entry(*member).or_default();
                let before = (seen.term, seen.commit, seen.applied);
                let now = (status.term, status.commit, status.applied);
                if now.0 < before.0 || now.1 < before.1 || now.2 < before.2 {
                    let text = format!(
                        "member {} goes back from (term, commit, applied) {before:?} to {now:?}",
                        member + 1
                    );
                    return violated("R8", text);
                }
                (seen.term, seen.commit, seen.applied) = now;
            }
            Fact::Persisted { member, .. } => {
                let it = &truth.members[*member];
                let seen = self.members.entry(*member).or_default();
                seen.durable_term = seen.durable_term.max(it.hard_state.term);
                seen.durable_last = it.durable.last_index();
            }
            Fact::Opened { member, recovered } => {
                let seen = self.members.entry(*member).or_default();
                if recovered.hard_state.term < seen.durable_term {
                    let text = format!(
                        "member {} restarts in term {} after term {} was durable",
                        member + 1,
                        recovered.hard_state.term,
                        seen.durable_term
                    );
                    return violated("R8", text);
                }
                if !truth.members[*member].found_its_log {
                    let text = format!(
                        "member {} restarts with a log that ends at {}, which is neither its \
                         durable log (up to {}) nor that with some later orders",
                        member + 1,
                        recovered.last,
                        seen.durable_last
                    );
                    return violated("R8", text);
                }
                seen.durable_term = recovered.hard_state.term;
                (seen.term, seen.commit) = (recovered.hard_state.term, LogIndex::ZERO);
                seen.applied = recovered.applied;
            }
            _ => {}
        }
        Ok(())
    }
}
