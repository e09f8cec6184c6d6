//! What the logs promise, through their public doors.

mod folder;
mod support;
mod values;
mod values_model;
mod wal;
mod wal_damage;
mod wal_model;
mod wal_recycling;
