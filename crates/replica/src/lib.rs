//! One member of the store as a machine: consensus, log and state machine in one place, without
//! threads, sockets or clocks.
//!
//! Three parts, each run by its own thread in `node` and by one event queue in `sim`:
//!
//! * [`Replica`] decides: it takes calls and peers' messages, batches waiting writes into one
//!   append and waiting reads into one quorum round, and remembers who waits for what;
//! * [`LogStore`] makes what Raft orders durable: `Persist` in, `Persisted` out;
//! * [`StateStore`] applies what is committed and answers reads: `Apply` in, `Applied` out.
//!
//! # A put
//!
//! ```text
//! Called ─► waiting ─ Drained ─► raft ─┬─ Persist ─► LogStore ─► Persisted ─┐
//!           (batched)                  └─ Send ────► followers ─► Received ─┤
//!                        Reply ◄── Applied ◄── StateStore ◄── Apply ◄───────┘
//! ```
//!
//! A follower forwards writes to the leader and answers its caller when it applies the entry
//! itself; its reads ask the leader only for an index. Every write carries the origin
//! (member, incarnation, call), and the state machine applies an origin once, so the replica may
//! send a write again after a lost message or a change of leader: a caller sees one outcome.
//!
//! # Invariants
//!
//! * a call is answered exactly once, within its deadline;
//! * a refusal whose outcome is "not applied" is given only before the write left the replica;
//! * what is applied is durable in this member's own log, so the state never runs ahead of it.
//!
//! # Beside it
//! [`Wish`]es change members and leaders. Who lacks what was cut from the log gets a snapshot of
//! the state, in parts that it asks for. A log that lost something asks the others for it, and so
//! does a state in which a record is damaged.
#![forbid(unsafe_code)]

mod admission;
mod cutting;
mod health;
mod interface;
mod log_store;
mod mending;
mod mutant;
mod peer;
mod pending;
mod records;
mod replica;
mod snapshots;
mod state_store;
mod state_thread;
mod wish;
mod wishes;

pub use admission::{Admission, Greeting, Standing};
pub use cutting::LogKeeping;
pub use interface::{
    AppliedReport, Config, ConfigError, DamagedRecord, Effect, Event, LoadPurpose, StateSummary,
    Timing,
};
pub use log_store::{LogStore, LogStoreError};
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
pub use peer::{Offer, PeerMessage, SnapshotId, WireError};
pub use replica::{READS_PENDING_MAX, Replica, WRITE_BYTES_PENDING_MAX, WRITES_PENDING_MAX};
pub use state_store::{Applied, Export, Halt, StageError, StateOpenError, StateStore, offset_of};
pub use state_thread::{StateOrder, StateOutcome};
pub use wish::{Wish, WishError, WishResult};
