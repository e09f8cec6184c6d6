//! R7: the promise ledger. A granted vote, a call for votes and an acknowledgement each say that
//! something is durable; it must be, at the moment the message leaves. One vote a term, for ever.

use raft::{Body, LogIndex};

use super::{Checker, Violation, violated};
use crate::truth::{Fact, FactKind, Member, Truth, id_of};

#[derive(Debug)]
pub(super) struct PromiseLedger;

impl Checker for PromiseLedger {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Sent, FactKind::Persisted, FactKind::Opened]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Sent { member, to, message } => match &message.body {
                Body::VoteReply { granted: true } => {
                    vote(truth, *member, *to, message.term, "grants its vote")
                }
                Body::VoteRequest { .. } => {
                    vote(truth, *member, *member, message.term, "asks for votes")
                }
                Body::AppendAccepted { matched } | Body::HeartbeatReply { matched, .. } => {
                    acknowledged(truth, *member, *matched)
                }
                _ => Ok(()),
            },
            Fact::Persisted { member, .. } | Fact::Opened { member, .. } => {
                one_vote(truth, *member)
            }
            _ => Ok(()),
        }
    }
}

fn vote(
    truth: &Truth,
    member: Member,
    whom: Member,
    term: raft::Term,
    does: &str,
) -> Result<(), Violation> {
    if truth.members[member].votes.get(&term) == Some(&id_of(whom)) {
        return Ok(());
    }
    let durable = truth.members[member].hard_state;
    let text = format!(
        "member {} {does} in term {term} for member {}, but its disk holds term {} and vote {:?}",
        member + 1,
        whom + 1,
        durable.term,
        durable.vote.map(raft::MemberId::get)
    );
    violated("R7", text)
}

fn acknowledged(truth: &Truth, member: Member, matched: LogIndex) -> Result<(), Violation> {
    let it = &truth.members[member];
    let believed = it.ordered.chain_at(matched);
    if believed.is_some() && it.durable.chain_at(matched) == believed {
        return Ok(());
    }
    let text = format!(
        "member {} acknowledges entries up to {matched}; its disk holds {} of them",
        member + 1,
        it.durable.last_index()
    );
    violated("R7", text)
}

/// The first vote of each term is kept by the truth; a later one must be the same.
fn one_vote(truth: &Truth, member: Member) -> Result<(), Violation> {
    let it = &truth.members[member];
    let first = it.votes.get(&it.hard_state.term).copied();
    if it.hard_state.vote.is_some() && it.hard_state.vote != first {
        let text = format!("member {} votes twice in term {}", member + 1, it.hard_state.term);
        return violated("R7", text);
    }
    Ok(())
}
