//! The words everything else is written in: typed ids, a named seeded PRNG, checksums, bounded
//! queues, times as people read them, and the one shape every participant has ([`Machine`]).
//!
//! Nothing here knows a product word. No clock, no IO, no threads, no global state.
#![forbid(unsafe_code)]

mod bounded;
mod calendar;
mod checksum;
mod id;
mod machine;
mod prng;

pub use bounded::{BoundedQueue, Full};
pub use calendar::show_utc;
pub use checksum::{crc32c, crc32c_append};
pub use machine::Machine;
pub use prng::Prng;
