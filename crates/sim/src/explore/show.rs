//! Members and packets as short words, for stories.

use super::member::{Load, Member, Packet};
use raft::{Body, Entry, Payload};
use std::fmt;

fn entry(entry: &Entry) -> String {
    match &entry.payload {
        Payload::Empty => entry.id.to_string(),
        Payload::Data(data) => format!("{} {}", entry.id, String::from_utf8_lossy(data)),
        Payload::Membership(membership) => format!("{} {membership}", entry.id),
    }
}

pub(super) fn entries(list: &[Entry]) -> String {
    let words: Vec<_> = list.iter().map(entry).collect();
    format!("[{}]", words.join(", "))
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}  ", self.from, self.to)?;
        let message = match &self.load {
            Load::Snapshot(snapshot) => {
                return write!(f, "snapshot of {}, {}", snapshot.last, snapshot.membership);
            }
            Load::Message(message) => message,
        };
        write!(f, "t{} ", message.term)?;
        match &message.body {
            Body::Append { prev, entries: list, commit } => {
                write!(f, "append after {prev} {} commit={commit}", entries(list))
            }
            Body::VoteRequest { last, .. } => write!(f, "vote? last={last}"),
            Body::VoteReply { granted: true } => write!(f, "vote granted"),
            Body::VoteReply { granted: false } => write!(f, "vote refused"),
            Body::AppendAccepted { matched } => write!(f, "accepted through {matched}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status();
        write!(
            f,
            "{}: {:?} t{} vote={:?} commit={} members={} log={}",
            status.id,
            status.role,
            status.term,
            self.vote().map(raft::MemberId::get),
            status.commit,
            status.membership,
            entries(self.entries()),
        )?;
        if status.persisted < status.last.index {
            write!(f, " durable={}", status.persisted)
        } else {
            Ok(())
        }
    }
}
