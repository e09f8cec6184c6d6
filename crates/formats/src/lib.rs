//! What people write and offices save: definitions of elections, lists of voters, public rolls,
//! real elections in the Pabulib format.
//!
//! Bytes go in, values come out, or every mistake by line and column in words. Nothing is guessed
//! that changes who may vote or what is asked.
//!
//! Left out on purpose: files and printing (`quorate`), and what the rules of an election allow
//! (`election`).
#![forbid(unsafe_code)]

pub mod definition;
pub mod pabulib;
pub mod roll;
mod table;
pub mod voters;

pub use definition::Wrong;
