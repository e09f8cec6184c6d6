//! What members say to each other.
//!
//! Every message carries the term its sender was in. A receiver that is behind adopts the newer
//! term first; a message of an older term is answered, if at all, with [`Body::NewerTerm`]. Only
//! pre-votes stand outside this rule: they are questions and change nobody's term.

use crate::{Entries, Entry, LogId, LogIndex, ReadId, Term};
use core::fmt;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The term of the sender when it wrote the message.
    pub term: Term,
    /// What it says.
    pub body: Body,
}

/// The content of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// "Would you vote for me in the term after mine?"
    PreVoteRequest {
        /// The sender's last entry.
        last: LogId,
    },
    /// Answer to a pre-vote; promises nothing.
    PreVoteReply {
        /// The term asked about.
        campaign: Term,
        /// Whether the vote would be granted now.
        granted: bool,
    },
    /// "Vote for me in this term."
    VoteRequest {
        /// The sender's last entry, durable.
        last: LogId,
        /// The leader itself asked for this campaign; whoever heard it lately may vote too.
        is_transfer: bool,
    },
    /// Answer to a vote request, durable.
    VoteReply {
        /// Whether the sender voted for the receiver in this term.
        granted: bool,
    },
    /// "These entries follow that one."
    Append {
        /// The entry before.
        prev: LogId,
        /// Consecutive entries after `prev`; may be empty.
        entries: Entries,
        /// The leader's commit index.
        commit: LogIndex,
    },
    /// The sender holds the leader's log, durable, up to here.
    AppendAccepted {
        /// The last index known to agree.
        matched: LogIndex,
    },
    /// The sender does not hold `prev` of an append.
    AppendRejected {
        /// Index of that `prev`.
        prev: LogIndex,
        /// What the sender holds at `prev` or, if its log ends before, its last entry.
        have: LogId,
        /// The first index of the term of `have` in the sender's log.
        term_start: LogIndex,
    },
    /// "I lead." Without a round it only carries the commit index and asks for no answer.
    Heartbeat {
        /// Committed, and known to be held by the receiver.
        commit: LogIndex,
        /// The number of this round of heartbeats; one leader never uses a number twice.
        round: Option<u64>,
    },
    /// Answer to a numbered heartbeat: the receiver is still the sender's leader.
    HeartbeatReply {
        /// The round that is answered.
        round: u64,
        /// The sender has received (perhaps not yet persisted) the leader's log up to here.
        received: LogIndex,
        /// The sender holds the leader's log, durable, up to here.
        matched: LogIndex,
        /// Damage took a part of the sender's log: it may hold less than it once acknowledged.
        has_lost: bool,
    },
    /// "Campaign now; I step aside" (thesis 3.10).
    TimeoutNow,
    /// "From which index may I serve this read?"
    ReadRequest {
        /// The follower's read.
        read: ReadId,
        /// The follower's process life.
        incarnation: u64,
    },
    /// Answer to a forwarded read.
    ReadReply {
        /// The follower's read.
        read: ReadId,
        /// The follower's process life.
        incarnation: u64,
        /// The index, or `None` if the sender cannot confirm that it leads.
        index: Option<LogIndex>,
    },
    /// "You are in an older term."
    NewerTerm,
}

/// A message that no correct member sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A number above [`Message::NUMBER_MAX`].
    Number {
        /// Where.
        field: &'static str,
    },
    /// Entries that do not follow `prev` or each other, or whose terms run backwards or ahead.
    Entries {
        /// Which one, from 0.
        position: usize,
    },
    /// A rejection that contradicts itself.
    Rejection,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { field } => write!(f, "{field} is above {}", Message::NUMBER_MAX),
            Self::Entries { position } => {
                write!(f, "entry {position} of the append does not follow the one before it")
            }
            Self::Rejection => write!(f, "the rejected append and what is held do not fit"),
        }
    }
}

impl core::error::Error for Malformed {}

impl Message {
    /// Terms and indexes above this are refused, so that counting on never overflows.
    pub const NUMBER_MAX: u64 = 1 << 62;

    /// Whether a correct member could have sent this.
    ///
    /// # Errors
    /// [`Malformed`] with the place of the first contradiction.
    pub fn check(&self) -> Result<(), Malformed> {
        bounded("term", self.term.get())?;
        match &self.body {
            Body::PreVoteRequest { last } | Body::VoteRequest { last, .. } => {
                check_id("last", *last)
            }
            Body::PreVoteReply { campaign, .. } => bounded("campaign", campaign.get()),
            Body::Append { prev, entries, commit } => {
                check_id("prev", *prev)?;
                bounded("commit", commit.get())?;
                check_entries(self.term, *prev, entries)
            }
            Body::AppendAccepted { matched } => bounded("matched", matched.get()),
            Body::AppendRejected { prev, have, term_start } => {
                check_id("have", *have)?;
                bounded("prev", prev.get())?;
                let sound = have.index <= *prev && *term_start <= have.index;
                if sound { Ok(()) } else { Err(Malformed::Rejection) }
            }
            Body::Heartbeat { commit, .. } => bounded("commit", commit.get()),
            Body::HeartbeatReply { received, matched, .. } => {
                bounded("received", received.get())?;
                bounded("matched", matched.get())
            }
            Body::ReadReply { index, .. } => bounded("index", index.map_or(0, LogIndex::get)),
            Body::VoteReply { .. }
            | Body::ReadRequest { .. }
            | Body::TimeoutNow
            | Body::NewerTerm => Ok(()),
        }
    }
}

fn bounded(field: &'static str, number: u64) -> Result<(), Malformed> {
    if number > Message::NUMBER_MAX { Err(Malformed::Number { field }) } else { Ok(()) }
}

fn check_id(field: &'static str, id: LogId) -> Result<(), Malformed> {
    bounded(field, id.term.get())?;
    bounded(field, id.index.get())
}

fn check_entries(term: Term, prev: LogId, entries: &[Entry]) -> Result<(), Malformed> {
    let mut before = prev;
    for (position, entry) in entries.iter().enumerate() {
        let id = entry.id;
        if id.index != before.index.next() || id.term < before.term || id.term > term {
            return Err(Malformed::Entries { position });
        }
        before = id;
    }
    bounded("entries", before.index.get())
}
