//! The etcd engine against nodes that behave as a script says, over real connections.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod calls;
mod node;
mod watches;
