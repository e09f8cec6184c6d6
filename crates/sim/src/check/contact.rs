//! R16: a leader that hears no majority steps down, within two election timeouts of its own
//! clock. What it hears is what arrived at its door; what it believes does not matter.

use std::collections::BTreeMap;

use raft::{LogIndex, RoleName, Term};

use super::{Checker, Violation, violated};
use crate::swarm::Swarm;
use crate::truth::{Fact, FactKind, Member, Truth, is_quorum};

#[derive(Debug, Default)]
struct Seen {
    ticks: u64,
    term: Term,
    /// The tick at which it began to lead.
    leads_since: Option<u64>,
    /// Index of the membership in force.
    membership: LogIndex,
    /// The tick at which each other member last spoke in this term.
    heard_at: BTreeMap<Member, u64>,
}

#[derive(Debug)]
pub(super) struct QuorumContact {
    timeout_ticks: u64,
    members: Vec<Seen>,
}

impl QuorumContact {
    pub(super) fn new(swarm: &Swarm) -> Self {
        let timing = swarm.timing;
        let timeout_ticks = timing.election_max_ms.div_ceil(timing.tick_ms);
        Self { timeout_ticks, members: Vec::new() }
    }
}

fn seen(members: &mut Vec<Seen>, member: Member) -> &mut Seen {
    if members.len() <= member {
        members.resize_with(member + 1, Seen::default);
    }
    &mut members[member]
}

impl Checker for QuorumContact {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Opened, FactKind::Received, FactKind::Became, FactKind::Ticked]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Opened { member, .. } => {
                *seen(&mut self.members, *member) = Seen::default();
            }
            Fact::Received { member, from, message } => {
                let seen = seen(&mut self.members, *member);
                if message.term == truth.members[*member].term {
                    seen.heard_at.insert(*from, seen.ticks);
                }
            }
            Fact::Became { member, role, term } => {
                let seen = seen(&mut self.members, *member);
                if *role != RoleName::Leader {
                    seen.leads_since = None;
                } else if seen.leads_since.is_none() || seen.term != *term {
                    seen.leads_since = Some(seen.ticks);
                }
                if seen.term != *term {
                    seen.heard_at.clear();
                }
                seen.term = *term;
            }
            Fact::Ticked { member } => {
                let patience = 2 * self.timeout_ticks;
                let seen = seen(&mut self.members, *member);
                seen.ticks += 1;
                let Some(since) = seen.leads_since else { return Ok(()) };
                let floor = seen.ticks.saturating_sub(patience);
                let (in_force, membership) = truth.members[*member].ordered.in_force();
                if seen.membership != in_force {
                    // New voters have had no time to speak yet.
                    (seen.membership, seen.leads_since) = (in_force, Some(seen.ticks));
                    return Ok(());
                }
                if since >= floor {
                    return Ok(());
                }
                let is_heard = |id: Member| {
                    id == *member || seen.heard_at.get(&id).is_some_and(|at| *at >= floor)
                };
                if !is_quorum(membership, is_heard) {
                    let heard = seen.heard_at.values().filter(|at| **at >= floor).count() + 1;
                    let text = format!(
                        "member {} leads term {} and has heard {} of {} members for {patience} \
                         ticks",
                        member + 1,
                        seen.term,
                        heard,
                        membership.ids().count()
                    );
                    return violated("R16", text);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
