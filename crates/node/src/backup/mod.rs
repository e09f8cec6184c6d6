//! Backups: the whole state of one node in one file, and a new cluster out of such a file.
//!
//! # The idea
//! The value log only grows, so the state after an entry is the log's beginning up to a place. A
//! backup is that beginning, record by record as it would be sent to a member that is far behind,
//! with a head that says what it is and a SHA-256 over all of it. Making one costs the node a sync
//! and some reading; writes go on.
//!
//! A restored cluster is a *new* one. Its id follows from the file and from who takes part, so all
//! its members find it by themselves, and members of the old cluster, or of one restored from
//! another file or at other addresses, are turned away at the door. It begins with an empty log
//! behind the entry that the backup ends with, and its members meet as founding members do, so one
//! that is restored a second time into a running cluster is noticed and stops.
//!
//! # Left out on purpose
//! Backups of single keys, increments, encryption: the file is as secret as the store.

mod format;
mod make;
mod restore;

pub use format::{BackupError, Facts, check, read_facts};
pub use make::{BackupStream, Backups};
pub use restore::{RestoreOrder, Restored, plan, restore};
