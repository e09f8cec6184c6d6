//! What the logs promise, through their public doors.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

mod folder;
mod support;
mod values;
mod values_damage;
mod values_model;
mod wal;
mod wal_damage;
mod wal_loss;
mod wal_model;
mod wal_recycling;
mod wal_reset;
