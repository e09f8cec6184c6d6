//! Exhaustive search of small worlds: the real consensus core, every order of events.
//!
//! # The idea
//! A simulated run shows one order of events out of very many. Here a group so small that all
//! orders can be listed is searched breadth first: from each state every event that may happen
//! next is tried, and each new state is checked against the promises of the protocol (R1-R15) from
//! outside, by what is on the disks and what was ever committed, not by what members believe. The
//! first violation found is therefore one of the shortest, and is printed as a story.
//!
//! # What a state is
//! The members (their whole [`raft::Raft`], disk and unfinished writes), the messages under way,
//! what the world remembers (the committed log, who led which term, open reads), and what is left
//! of each budget: crashes, doubled messages, proposals. Members, messages and memories are kept
//! once each and named by numbers, and what a member makes of an event is computed once, so that
//! most transitions are a look into a table.
//!
//! # What stands for what
//! - *Loss* is a message that is never delivered; the search need not drop any. An event without
//!   effect is such a loss too and is not followed.
//! - *Time*: any member may lose patience at any moment ([`raft::Raft::forget_time`]). Pre-votes
//!   promise nothing, so in most worlds they are taken as granted, which allows more campaigns
//!   than can happen; one world sends them.
//! - *Crash* means restart with what is durable; a member that stays down is one to which nothing
//!   happens. Unfinished writes are gone; that a write was finished and nobody heard of it is the
//!   crash after its end, with its messages not delivered.
//!
//! # Left out on purpose
//! Leases (they rest on time), torn writes (the log's own concern), and symmetry between members
//! beyond the first campaign.

mod acts;
mod intern;
mod member;
mod search;
mod show;
mod truth;
mod worlds;

pub use search::{Options, Progress, Report, run};
pub use worlds::{WORLDS, World, world};

#[cfg(test)]
mod tests;
