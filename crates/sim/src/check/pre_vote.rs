//! R11: a pre-vote is a question (thesis 9.6). Whoever is asked changes neither term nor vote.
//! V4: and nobody says yes who heard its leader lately.

use std::collections::BTreeMap;

use raft::{Body, Term};

use super::{Checker, Violation, violated};
use crate::swarm::Swarm;
use crate::truth::{Fact, FactKind, Member, Truth};

#[derive(Debug, Default)]
pub(super) struct PreVoteChangesNothing {
    /// Who was asked, and in which event.
    asked: Option<(Member, u64)>,
    heard: BTreeMap<Member, Heard>,
    election_ticks_min: u64,
}

/// What one member heard in this process life.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    /// Its ticks so far.
    ticks: u64,
    /// The newest round of heartbeats, of which term, and at which tick it came in. An older round
    /// is a late copy and no sign of life.
    round: Option<(Term, u64, u64)>,
}

impl PreVoteChangesNothing {
    pub(super) fn new(swarm: &Swarm) -> Self {
        let timing = swarm.timing;
        let election_ticks_min = timing.election_min_ms.div_ceil(timing.tick_ms);
        Self { election_ticks_min, ..Self::default() }
    }
}

impl Checker for PreVoteChangesNothing {
    fn wants(&self) -> &'static [FactKind] {
        &[
            FactKind::Received,
            FactKind::Ordered,
            FactKind::Became,
            FactKind::Sent,
            FactKind::Ticked,
            FactKind::Opened,
        ]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Received { member, message, .. } => {
                let is_question = matches!(message.body, Body::PreVoteRequest { .. });
                self.asked = is_question.then_some((*member, truth.event));
                let it = self.heard.entry(*member).or_default();
                if let Body::Heartbeat { round: Some(round), .. } = message.body
                    && message.term >= truth.members[*member].term
                    && it.round.is_none_or(|(term, last, _)| (message.term, round) > (term, last))
                {
                    it.round = Some((message.term, round, it.ticks));
                }
            }
            Fact::Ticked { member } => self.heard.entry(*member).or_default().ticks += 1,
            Fact::Opened { member, .. } => {
                self.heard.remove(member);
            }
            Fact::Sent { member, message, .. } => {
                let Body::PreVoteReply { granted: true, .. } = message.body else { return Ok(()) };
                let Heard { ticks: now, round } =
                    self.heard.get(member).copied().unwrap_or_default();
                let Some((term, _, at)) = round else { return Ok(()) };
                if self.asked != Some((*member, truth.event)) {
                    return Ok(()); // it was said earlier and waited for the disk
                }
                if term == truth.members[*member].term && now - at < self.election_ticks_min {
                    let text = format!(
                        "member {} would vote, {} ticks after it heard the leader of term {term}",
                        member + 1,
                        now - at
                    );
                    return violated("V4", text);
                }
            }
            Fact::Ordered { member, persist } if self.asked == Some((*member, truth.event)) => {
                if let Some(state) = persist.hard_state {
                    let text = format!(
                        "member {} is asked for a pre-vote and writes term {} and vote {:?}",
                        member + 1,
                        state.term,
                        state.vote.map(raft::MemberId::get)
                    );
                    return violated("R11", text);
                }
            }
            Fact::Became { member, role, term } if self.asked == Some((*member, truth.event)) => {
                let text =
                    format!("member {} is asked for a pre-vote: {role:?} in {term}", member + 1);
                return violated("R11", text);
            }
            _ => {}
        }
        Ok(())
    }
}
