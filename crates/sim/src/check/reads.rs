//! R10: a read that is not allowed to be stale shows everything that was committed *anywhere*
//! when it was asked for, whether anybody had heard of it or not; and the number of a read is
//! never used twice, nor that of a round of heartbeats (a second
//! use let late answers of the first confirm it: etcd-io/raft 397).

use std::collections::BTreeMap;

use raft::{Body, LogIndex, ReadId, Term};

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Member, Operation, Truth};

#[derive(Debug, Default)]
pub(super) struct FreshReads {
    /// For each call under way, what was committed when it was made.
    floors: BTreeMap<Operation, LogIndex>,
    /// The last number that a member used in one of its lives.
    used: BTreeMap<(Member, u64), ReadId>,
    /// The last numbered heartbeat from one to another, and its term.
    rounds: BTreeMap<(Member, Member), (Term, u64)>,
}

impl Checker for FreshReads {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Called, FactKind::Answered, FactKind::Sent]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Called { operation, .. } => {
                self.floors.insert(*operation, truth.ledger.last_index());
            }
            Fact::Answered { operation, result, served_at, .. } => {
                let floor = self.floors.remove(operation).unwrap_or_default();
                let (Ok(_), Some(place)) = (result, served_at) else { return Ok(()) };
                if *place < floor {
                    let text = format!(
                        "operation {operation} reads the state at {place}, but {floor} was \
                         committed when it was called"
                    );
                    return violated("R10", text);
                }
            }
            Fact::Sent { member, to, message } => {
                if let Body::Heartbeat { round: Some(round), .. } = message.body {
                    let this = (message.term, round);
                    if self.rounds.insert((*member, *to), this).is_some_and(|last| last >= this) {
                        let text = format!(
                            "member {} begins round {round} of term {} again",
                            member + 1,
                            message.term
                        );
                        return violated("R10", text);
                    }
                }
                let Body::ReadRequest { read, incarnation } = message.body else { return Ok(()) };
                let before = self.used.insert((*member, incarnation), read);
                if before.is_some_and(|before| before >= read) {
                    let text = format!("member {} uses the read number {read} again", member + 1);
                    return violated("R10", text);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
