//! The etcd API over real connections, in front of a real state machine without a log: what
//! generated clients, our own engine and etcdctl see.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod cluster;
mod engine;
mod etcdctl;
mod group;
mod keys;
mod lease;
mod member;
mod refusals;
mod server;
mod watch;
