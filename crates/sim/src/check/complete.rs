//! R4: a new leader holds every entry committed before its term (Raft paper 5.4, "Leader
//! Completeness"); and, which this rests on, a leader commits by counting only entries of its own
//! term (5.4.2, figure 8).

use raft::{LogIndex, RoleName, Status};

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Member, Truth};

#[derive(Debug, Default)]
pub(super) struct LeaderCompleteness {
    committed: LogIndex,
}

impl LeaderCompleteness {
    /// Whoever commits something first has counted.
    fn counted(&mut self, member: Member, status: &Status, truth: &Truth) -> Result<(), Violation> {
        let newest = truth.ledger.last_id();
        if newest.index <= self.committed {
            return Ok(());
        }
        self.committed = newest.index;
        if newest.term != status.term {
            let text = format!(
                "member {} commits {newest} by counting in term {}",
                member + 1,
                status.term
            );
            return violated("R4", text);
        }
        Ok(())
    }
}

impl Checker for LeaderCompleteness {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Became, FactKind::Observed]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        let (member, term) = match fact {
            Fact::Became { member, role: RoleName::Leader, term } => (member, term),
            Fact::Observed { member, status } => return self.counted(*member, status, truth),
            _ => return Ok(()),
        };
        // Votes may arrive so late that a newer leader has committed more meanwhile; that is no
        // business of this one, which can commit nothing any more.
        let owed = truth.committed_in.partition_point(|committed| committed < term);
        let owed = LogIndex::new(owed as u64);
        let held = truth.members[*member].ordered.chain_at(owed);
        if held != truth.ledger.chain_at(owed) {
            let text = format!(
                "member {} leads term {term} without the entries committed up to {owed}",
                member + 1
            );
            return violated("R4", text);
        }
        Ok(())
    }
}
