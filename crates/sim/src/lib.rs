//! A whole group of store members in one thread, on simulated time, network and disks.
//!
//! # The idea
//! Members are the same machines that `node` runs with threads: [`replica::Replica`] decides,
//! [`replica::LogStore`] writes, [`replica::StateStore`] applies. Here one queue of events takes
//! the place of threads, sockets and clocks. Everything random comes from named streams of one
//! seed, so a run is its seed: what fails once fails always, and can be looked at.
//!
//! # A run
//! 1. [`swarm`] draws a configuration: size, speeds, limits, load, which faults there are.
//! 2. For 60 simulated seconds [`callers`] put, get, swap and delete, while [`faults`] kill
//!    processes, cut power, partition, lose, double, delay and damage frames, stall and fail
//!    disks, stop processes and bend clocks.
//! 3. Then all faults end; the group must recover and hold what was acknowledged.
//!
//! # Truth and checkers
//! [`truth`] follows what is really so: which orders reached which platter, what was ever treated
//! as committed. The checkers in [`check`] look at each fact and at the truth, never at what a
//! member believes about another. Answers are compared with [`model`].
//!
//! # What makes a run void
//! Less than 50 calls or one effective fault a simulated second: such a run fails, since it shows
//! nothing. A fault counts only if somebody noticed it.
//!
//! Left out for now: damage of synced data, full disks, watches and leases, shrinking.
#![forbid(unsafe_code)]

pub mod callers;
pub mod check;
pub mod clock;
pub mod disk;
pub mod faults;
mod hash;
mod host;
pub mod model;
pub mod net;
mod run;
pub mod swarm;
pub mod time;
pub mod truth;
pub mod voting;
mod world;

pub use run::{Outcome, run};
pub use world::{Figures, Options};
