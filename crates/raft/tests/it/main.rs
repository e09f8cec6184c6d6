//! The core through its public door: golden scripts, and random runs against invariants.

mod cluster;
mod golden;
mod random;
mod show;
mod wire;
