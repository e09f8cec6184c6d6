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
//! 2. For 60 simulated seconds or more [`callers`] put, get, swap and delete, while [`faults`]
//!    kill processes, cut power, partition, lose, double, delay and damage frames, stall, fail,
//!    fill and damage disks, stop processes and bend clocks.
//! 3. Then all faults end. In half of the runs a bare majority must manage alone first; in all
//!    of them the group must recover and hold what was acknowledged.
//! 4. What failed is run again with a shorter and shorter [`script`], until [`shrink`] finds
//!    nothing more to leave out.
//!
//! # Truth and checkers
//! [`truth`] follows what is really so: which orders reached which platter, what was ever treated
//! as committed. The checkers in [`check`] look at each fact and at the truth, never at what a
//! member believes about another. Answers are compared with [`model`].
//!
//! # What makes a run void
//! Less than 50 calls or one effective fault a simulated second in a harsh run, more than one call
//! a second in an idle one, a campaign in one without faults: such a run fails, since it shows
//! nothing. A fault counts only if somebody noticed it, and [`matrix`] says what its victim was
//! doing.
//!
//! Left out for now: leases; the return of a wiped machine under its old id.
#![forbid(unsafe_code)]

#[macro_use]
mod listed;

pub mod atlas;
pub mod callers;
pub mod check;
pub mod clock;
pub mod disk;
pub mod explore;
pub mod faults;
mod hash;
mod host;
pub mod matrix;
pub mod model;
pub mod net;
mod readers;
mod run;
pub mod script;
#[cfg(feature = "mutants")]
mod seeded;
pub mod shrink;
pub mod swarm;
pub mod time;
pub mod truth;
pub mod voting;
mod world;

pub use run::{Outcome, run};
#[cfg(feature = "mutants")]
pub use seeded::Seeded;
pub use world::{Figures, Options};
