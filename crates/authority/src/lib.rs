//! One election authority as a machine: it takes ballots in, has them ordered in the store, checks
//! every entry itself, agrees with the other authorities what is final, and signs that.
//!
//! The store is trusted with nothing but availability. Everything an authority signs it has
//! computed from its own copy of the entries.
#![forbid(unsafe_code)]

pub mod rounds;
pub mod vote;
