//! R12: a snapshot is what it says: its last entry, its membership and its state are those that
//! were committed there; and the log is cut only below what the state holds durably.
//!
//! The state itself is compared by its digest when the snapshot is installed (R5).

use raft::{LogId, LogIndex, Persist, Rebase, Recovered, Snapshot};

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Member, Truth};

#[derive(Debug)]
pub(super) struct HonestSnapshots;

impl Checker for HonestSnapshots {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Ordered, FactKind::Opened, FactKind::Offered]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Ordered { member, persist } => rebased(truth, *member, persist),
            Fact::Opened { member, recovered } => opened(truth, *member, recovered),
            Fact::Offered { member, snapshot } => offered(truth, *member, snapshot),
            _ => Ok(()),
        }
    }
}

fn is_committed(truth: &Truth, id: LogId) -> bool {
    id == LogId::ZERO || truth.ledger.at(id.index).is_some_and(|link| link.id == id)
}

fn rebased(truth: &Truth, member: Member, persist: &Persist) -> Result<(), Violation> {
    let Some(rebase) = persist.rebase else { return Ok(()) };
    let (Rebase::Cut { base } | Rebase::Snapshot { base, .. }) = rebase;
    if !is_committed(truth, base) {
        let text = format!("member {} begins its log behind {base}, never committed", member + 1);
        return violated("R12", text);
    }
    let durable = truth.members[member].state_durable;
    if matches!(rebase, Rebase::Cut { .. }) && base.index > durable {
        let text = format!(
            "member {} cuts its log through {base}, its state is durable through {durable}",
            member + 1
        );
        return violated("R12", text);
    }
    Ok(())
}

fn opened(truth: &Truth, member: Member, recovered: &Recovered) -> Result<(), Violation> {
    if !is_committed(truth, recovered.base) {
        let base = recovered.base;
        let text = format!("member {} restarts behind {base}, never committed", member + 1);
        return violated("R12", text);
    }
    Ok(())
}

fn offered(truth: &Truth, member: Member, snapshot: &Snapshot) -> Result<(), Violation> {
    let Snapshot { last, membership_index, membership } = snapshot;
    if !is_committed(truth, *last) {
        let text = format!("member {} has a snapshot of {last}, never committed", member + 1);
        return violated("R12", text);
    }
    let (since, expected) = truth.ledger.membership_at(last.index);
    if (since, expected) != (*membership_index, membership) {
        let text = format!(
            "member {} has a snapshot of {last} with {membership} since {membership_index}, but \
             it was {expected} since {since}",
            member + 1
        );
        return violated("R12", text);
    }
    Ok(())
}

/// Whether the state of a member that starts reaches up to its log.
pub(crate) fn has_hole(base: LogIndex, applied: u64) -> bool {
    applied < base.get()
}
