//! Consensus on one log: Raft (Ongaro and Ousterhout 2014; Ongaro's thesis 2014) as a machine.
//!
//! # The idea
//! Members of a group keep copies of one growing list of entries. In each *term* at most one
//! member is leader; it alone appends, and an entry that a majority holds on disk is *committed*:
//! every later leader has it, at the same place. [`Raft`] is one member. It does nothing itself:
//! it takes facts ([`Input`]: a tick went by, a message came, a write is durable) and returns
//! orders ([`Effect`]: send, persist, apply). Time and chance come in with `Ticked`, so that equal
//! histories give equal effects, under real threads and in the simulator alike.
//!
//! # A small example
//! ```text
//! leader 1            follower 2              disk of 1 / disk of 2
//! Proposed [x]
//!   Persist #7 ------------------------------> 1 writes
//!   Send Append ----> Received Append
//!                       Persist #4 ----------> 2 writes
//!                       Persisted #4 <-------- 2 is done: the held answer leaves
//!   <---------------- Send AppendReply
//! Persisted #7 <------------------------------ 1 is done: 1 counts itself; 1 + 2 is a majority
//!   Apply [x], and the next message to 2 says that x is committed
//! ```
//!
//! # What always holds
//! - **Nothing is promised before it is durable.** Each message that speaks in a term, grants a
//!   vote or acknowledges entries waits in [`Raft`] until the covering [`Effect::Persist`] is
//!   reported by [`Input::Persisted`]. A change of term drops what still waits, so that entries
//!   which were replaced meanwhile are never acknowledged.
//! - A leader counts itself for an entry only when its own disk holds it, and commits by counting
//!   only entries of its own term (Raft paper, figure 8).
//! - [`Effect::Apply`] holds entries that are committed *and* locally durable, each index once.
//! - A read is served at a commit index that a majority confirmed in a heartbeat round which began
//!   after the read arrived; rounds are numbered and never reused (thesis 6.4).
//! - A member that hears a live leader does not help to replace it: pre-votes and votes are refused
//!   (thesis 4.2.3, 9.6), and a leader without contact to a majority steps down.
//! - Every buffer is bounded: entries in memory, messages in flight, held answers, waiting reads.
//!
//! `invariants` checks what one member can see of this on leaving each step.
//!
//! - Who takes part is itself in the log, in force from its entry on; voters change by joint
//!   consensus ([`Membership`]), one change at a time.
//! - The log may begin behind a *base*: what lies below is committed and in a durable snapshot of
//!   the state. Who needs what was cut away gets a snapshot ([`Effect::SendSnapshot`]); the bytes
//!   of snapshots are the shell's.
//! - A member whose disk lost something that it promised neither votes nor campaigns until its log
//!   is whole again ([`Restriction`]).
//!
//! # Left out on purpose
//! What a snapshot consists of, and how it travels. Members that only vote (witnesses).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod config;
mod configurations;
mod core;
mod durability;
mod entry;
mod interface;
mod invariants;
mod log;
mod membership;
mod message;
mod mutant;
mod progress;
mod quorum;
mod raft;
mod read;
mod role;
mod status;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "search"))]
mod timeless;
pub mod wire;

pub use config::{Config, ConfigError, LeaderLease, Recovered, Restriction};
pub use entry::{Entries, Entry, HardState, LogId, LogIndex, MemberId, Payload, Term};
pub use interface::{
    Aborted, ChangeRefused, Effect, Input, Persist, ReadId, Rebase, Refused, RoleName, Snapshot,
    Ticket, TransferFailed,
};
pub use membership::{
    CONTEXT_BYTES_MAX, ChangeError, ChangeStep, MEMBERS_MAX, Membership, MembershipParts, Plan,
};
pub use message::{Body, Malformed, Message};
#[cfg(any(test, feature = "mutants"))]
pub use mutant::Mutant;
pub use raft::Raft;
pub use status::{PeerProgress, PeerState, Status};
