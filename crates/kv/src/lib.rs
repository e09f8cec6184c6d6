//! The key-value store as a state machine: etcd's semantics without gRPC, Raft or disks.
//!
//! * [`api`] is what a client says and hears; [`access`] and [`api::Request::check`] refuse what
//!   can be refused without state.
//! * [`command`] is what is replicated. [`Kv::apply`] executes commands one by one, the same way
//!   on every member; [`Kv::read`] answers reads from the state as it is.
//! * [`watch`] hands changes to watchers.
//! * [`caller`] is the other end: how a client asks one node after another.
//!
//! Keys and their history live in `mvcc`. Leases, the clock and the table of applied calls live
//! here and are rebuilt at open from the bytes kept beside each change.
#![forbid(unsafe_code)]

pub mod access;
pub mod api;
pub mod caller;
mod check;
pub mod command;
mod delta;
mod draft;
mod error;
mod lease;
mod mutant;
mod range;
mod session;
mod store;
mod txn;
pub mod watch;

/// A state in memory, for tests of what stands on the store.
pub use mvcc::MemoryBacking;

pub use lease::{LEASE_TTL_MAX_S, LEASE_TTL_MIN_S, LEASES_ENDED_PER_ADVANCE_MAX};
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
pub use session::{INCARNATIONS_MAX, RUNS_MAX};
pub use store::{Applied, CHANGES_BYTES_MAX, Fault, Kv, Opening, RevisionEvents};
pub use watch::{HubOptions, WatchHub, WatchId};
