//! The election's rules through their public door.
#![allow(missing_docs, clippy::unwrap_used)]

mod golden;
mod manifest;
mod properties;
mod recount;
mod robustness;
mod setup;
mod vectors;
