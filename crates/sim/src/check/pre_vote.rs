//! R11: a pre-vote is a question (thesis 9.6). Whoever is asked changes neither term nor vote.

use raft::Body;

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Member, Truth};

#[derive(Debug, Default)]
pub(super) struct PreVoteChangesNothing {
    /// Who was asked, and in which event.
    asked: Option<(Member, u64)>,
}

impl Checker for PreVoteChangesNothing {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Received, FactKind::Ordered, FactKind::Became]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Received { member, message, .. } => {
                let is_question = matches!(message.body, Body::PreVoteRequest { .. });
                self.asked = is_question.then_some((*member, truth.event));
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
