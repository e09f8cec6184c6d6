//! R14: who was removed is heard no more. What a former member asks, answers or campaigns for
//! changes neither term nor vote of a member that knows of its removal.

use raft::Body;

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Member, Truth, id_of};

#[derive(Debug, Default)]
pub(super) struct RemovedStayAway {
    /// Who heard a former member, whom, and in which event.
    heard: Option<(Member, Member, u64)>,
}

impl RemovedStayAway {
    /// The former member that made `member` do something in this event, if one did.
    fn cause(&self, member: Member, truth: &Truth) -> Option<Member> {
        let (heard_by, from, event) = self.heard?;
        (heard_by == member && event == truth.event).then_some(from)
    }
}

impl Checker for RemovedStayAway {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Received, FactKind::Ordered, FactKind::Became]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Received { member, from, message } => {
                // Who leads may have removed itself, and goes on until that is committed.
                let leads = matches!(message.body, Body::Append { .. } | Body::Heartbeat { .. });
                let it = &truth.members[*member];
                let is_newer = message.term > it.term;
                let is_gone = it.ordered.in_force().1.is_gone(id_of(*from));
                self.heard =
                    (is_gone && is_newer && !leads).then_some((*member, *from, truth.event));
            }
            Fact::Ordered { member, persist } if persist.hard_state.is_some() => {
                if let Some(from) = self.cause(*member, truth) {
                    let text = format!(
                        "member {} writes a term or a vote because of member {}, which was removed",
                        member + 1,
                        from + 1
                    );
                    return violated("R14", text);
                }
            }
            Fact::Became { member, role, term } => {
                if let Some(from) = self.cause(*member, truth) {
                    let text = format!(
                        "member {} becomes {role:?} in term {term} because of member {}, which \
                         was removed",
                        member + 1,
                        from + 1
                    );
                    return violated("R14", text);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
