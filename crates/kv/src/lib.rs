//! The key-value store as a state machine: etcd's semantics without gRPC, Raft or disks.
#![forbid(unsafe_code)]

pub mod api;
mod error;
