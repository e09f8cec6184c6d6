//! What a run looks like: one line an event, one column a member.
//!
//! ```text
//!     event  milliseconds  1: role term log/durable/commit/applied  2: ...       what
//!      1234       503.120  L3 17/17/16/16  F3 17/16/15/15  .             wrote 12
//! ```
//! `F` follower, `P` pre-candidate, `C` candidate, `L` leader, `.` down, `x` stays away.

use raft::{LogIndex, MemberId, RoleName};

use super::World;
use crate::truth::{Fact, Member};

/// Width of one member's column.
const COLUMN: usize = 24;

impl World {
    /// Prints one line, with the state of every member in front of `text`.
    pub(super) fn print(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        let columns: String = (0..self.hosts.len())
            .map(|member| format!("{:<COLUMN$}", self.column(member)))
            .collect();
        let ms = self.queue.now() as f64 / 1e6;
        println!("{:>8} {ms:>12.3}  {columns}{text}", self.figures.events);
    }

    fn column(&self, member: Member) -> String {
        let (host, it) = (&self.hosts[member], &self.truth.members[member]);
        let Some(process) = &host.process else {
            return if host.absence.is_some() { "x" } else { "." }.to_owned();
        };
        let role = match it.role {
            RoleName::Follower => 'F',
            RoleName::PreCandidate => 'P',
            RoleName::Candidate => 'C',
            RoleName::Leader => 'L',
        };
        let (log, durable) = (it.ordered.last_index(), it.durable.last_index());
        let applied = process.state.applied();
        format!("{role}{} {log}/{durable}/{}/{applied}", it.term, it.commit)
    }
}

/// One fact in words; facts that every line shows anyway have none.
pub(super) fn shown(fact: &Fact<'_>) -> String {
    match fact {
        Fact::Opened { member, recovered } => format!(
            "{}: opened, term {} vote {:?} base {} last {} applied {} {:?}",
            member + 1,
            recovered.hard_state.term,
            recovered.hard_state.vote.map(MemberId::get),
            recovered.base,
            recovered.last,
            recovered.applied,
            recovered.restriction
        ),
        Fact::Died { member } => format!("{}: died", member + 1),
        Fact::Became { member, role, term } => format!("{}: {role:?} in term {term}", member + 1),
        Fact::Ordered { member, persist } => format!(
            "{}: write {} state {:?} rebase {:?} cut {:?} entries {:?}",
            member + 1,
            persist.ticket,
            persist.hard_state.map(|state| (state.term.get(), state.vote.map(MemberId::get))),
            persist.rebase,
            persist.truncate_from.map(LogIndex::get),
            persist.entries.iter().map(|entry| entry.id.to_string()).collect::<Vec<_>>()
        ),
        Fact::Persisted { member, ticket } => format!("{}: wrote {ticket}", member + 1),
        Fact::Sent { member, to, message } => {
            format!("{}: to {} in term {}: {}", member + 1, to + 1, message.term, body(message))
        }
        Fact::Received { member, from, message } => {
            let (member, from) = (member + 1, from + 1);
            format!("{member}: from {from} in term {}: {}", message.term, body(message))
        }
        Fact::StateDurable { member, through } => {
            format!("{}: state durable through {through}", member + 1)
        }
        Fact::Offered { member, snapshot } => {
            format!("{}: offers a snapshot of {}", member + 1, snapshot.last)
        }
        Fact::Applied { member, through, .. } => format!("{}: applied {through}", member + 1),
        Fact::Called { operation, .. } => format!("operation {operation} called"),
        Fact::Answered { operation, result, served_at, .. } => {
            let result = result.as_ref().map(|_| "ok").map_err(ToString::to_string);
            format!("operation {operation} answered {result:?} {served_at:?}")
        }
        Fact::Observed { .. }
        | Fact::Ticked { .. }
        | Fact::Applying { .. }
        | Fact::Final { .. } => String::new(),
    }
}

fn body(message: &raft::Message) -> String {
    match &message.body {
        raft::Body::Append { prev, entries, commit } => {
            format!("Append after {prev}: {} entries, commit {commit}", entries.len())
        }
        other => format!("{other:?}"),
    }
}
