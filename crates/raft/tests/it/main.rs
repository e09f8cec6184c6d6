//! The core through its public door: golden scripts of a small group, and its wire format.

mod cluster;
mod golden;
mod show;
mod start;
mod wire;
