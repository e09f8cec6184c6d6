//! R3: equal (term, index) means equal logs up to there (Raft paper 5.3, "Log Matching").

use std::collections::BTreeMap;

use raft::LogId;

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Truth};

/// The hash of the log below every entry ever written by anybody.
#[derive(Debug, Default)]
pub(super) struct LogMatching {
    chains: BTreeMap<LogId, u64>,
}

impl Checker for LogMatching {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Ordered]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        let Fact::Ordered { member, persist } = fact else { return Ok(()) };
        let log = &truth.members[*member].ordered;
        for entry in persist.entries.iter() {
            let Some(link) = log.at(entry.id.index).filter(|link| link.id == entry.id) else {
                let text = format!(
                    "member {} writes {} at another place of its log",
                    member + 1,
                    entry.id
                );
                return violated("R3", text);
            };
            let first = *self.chains.entry(entry.id).or_insert(link.chain);
            if first != link.chain {
                let text = format!(
                    "member {} holds another log below {} than who wrote that entry first",
                    member + 1,
                    entry.id
                );
                return violated("R3", text);
            }
        }
        Ok(())
    }
}
