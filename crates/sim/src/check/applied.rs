//! R5: state machine safety. At an index every member applies the same entry, at all times and
//! across restarts, and reaches the same state.

use std::collections::BTreeMap;

use raft::LogIndex;

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Truth};

#[derive(Debug, Default)]
pub(super) struct SameState {
    /// Digest of the state after an index, as the first member reported it.
    digests: BTreeMap<LogIndex, u64>,
}

impl Checker for SameState {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Observed, FactKind::Applying, FactKind::Applied]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Observed { member, status } => {
                let own = truth.members[*member].ordered.chain_at(status.commit);
                if own != truth.ledger.chain_at(status.commit) {
                    let text = format!(
                        "member {} commits another log up to {} than was committed before",
                        member + 1,
                        status.commit
                    );
                    return violated("R5", text);
                }
            }
            Fact::Applying { member, entries } => {
                for entry in *entries {
                    let committed = truth.ledger.at(entry.id.index);
                    let same = committed.is_some_and(|link| {
                        let payload = truth.payload(entry.id.index, link.chain);
                        link.id == entry.id && payload == Some(&entry.payload)
                    });
                    if !same {
                        let text = format!(
                            "member {} applies {}, which is not what was committed there",
                            member + 1,
                            entry.id
                        );
                        return violated("R5", text);
                    }
                }
            }
            Fact::Applied { member, through, digest, .. } => {
                let first = *self.digests.entry(*through).or_insert(*digest);
                if first != *digest {
                    let text = format!(
                        "member {} has state {digest:016x} after {through}, another {first:016x}",
                        member + 1
                    );
                    return violated("R5", text);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
