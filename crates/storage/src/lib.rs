//! Bytes that survive: a write-ahead log and a value log over segment files, on [`Disk`].
//!
//! * [`Wal`]: numbered batches, each durable as a whole or not at all. Recovery tells a *torn*
//!   tail (never acknowledged: cut) from *damage* (once durable: a [`Loss`], by name).
//! * [`ValueLog`]: append-only records with global offsets, not durable per append; whoever
//!   writes it can write its tail again from the write-ahead log.
//!
//! Every log lives in a folder of its own, whose identity file ([`identity`]) says whose it is.
//! Nothing here knows Raft, keys, or `std::fs`: positions are plain numbers and the folder comes
//! in as a [`Disk`]. [`memory::MemoryDisk`] is the one for tests.
#![forbid(unsafe_code)]

mod codec;
mod disk;
mod error;
pub mod identity;
pub mod memory;
mod mutant;
#[cfg(test)]
mod mutant_tests;
mod value_log;
mod wal;

pub use disk::{Disk, DiskError, DiskErrorKind, DiskOperation};
pub use error::{Damage, IdentityError, OpenError, ReadError, WriteError};
pub use identity::{Owner, owner_of, reassign};
pub use value_log::{
    Chunk, Cut, ImportError, Position, RepairError, Scanned, Scrub, Scrubbed, ValueLog,
    ValueLogOptions, Visit,
};
pub use wal::{Batch, Loss, Torn, Wal, WalOptions, WalRecovered, WalScrub};

#[cfg(any(test, feature = "mutants"))]
pub use mutant::Mutant;
