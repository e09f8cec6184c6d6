//! Many versions of every key: an ordered index in memory over an append-only value log.
//!
//! # The idea
//! Every commit is one record in the value log ([`Backing`]): the changes of one or more
//! revisions, the index of the log entry that caused them, and a few bytes that belong to the
//! layer above (`aux`). Nothing else is ever written. The index keeps, for each key, the list of
//! its versions with the place of each value inside its record; values are read on demand and
//! checked against a fingerprint that the index holds. Opening a store reads the records once, in
//! order, rebuilds the index and hands every `aux` to the caller, who folds its own state.
//!
//! # Example
//! ```text
//! revision 2   put a=1            record 1   applied 7   {2: [put a]}
//! revision 3   put a=2, del b     record 2   applied 8   {3: [put a, del b]}
//! (nothing)    a refused command  record 3   applied 9   {}            aux: "call 9 is done"
//! ```
//! A new store stands at revision 1, so the first change has revision 2.
//!
//! # Invariants
//! * Each group of changes raises the revision by exactly one; a record without changes by none.
//! * A record is all or nothing: what a log entry did is in the store with its applied index, or
//!   neither is. The index is touched only after the record was appended.
//! * `create_revision <= mod_revision`; `version` counts the puts since creation.
//! * A value that cannot be read or has another fingerprint is an error, never a result.
//!
//! # Bounds
//! The index lives in memory: about 110 B a key plus the key, 40 B for each version beyond the
//! first, 24 B a revision for the way from a revision to its record, and 16 B for every 64th record
//! for the way from a log entry to its record ([`Place`]). Values stay in the log,
//! apart from the newest [`RECENT_BYTES`] of records.
//!
//! # Left out
//! Requests, leases (a lease is a number here), Raft, and files.
#![forbid(unsafe_code)]

mod backing;
mod book;
pub mod codec;
mod cursor;
mod digest;
mod error;
mod index;
mod recent;
mod record;
mod store;
mod types;

pub use backing::{Backing, BackingError, MemoryBacking, Position, Visit};
pub use book::Place;
pub use cursor::{Cursor, PAGE_KEYS_MAX, Span, SpanEnd};
pub use error::{CommitError, OpenError, ReadError};
pub use recent::RECENT_BYTES;
pub use record::{Change, WriteBatch};
pub use store::{Opening, Reading, Store};
pub use types::{Committed, Event, Item, KeyValue, RevisionEvents};
