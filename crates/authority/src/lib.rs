//! One election authority as a machine: it takes ballots in, has them ordered in the store, checks
//! every entry itself, agrees with the other authorities what is final, and signs that.
//!
//! ```text
//! Submitted ──> courtesy check ──> compare-and-swap on the head ──> Ordered
//!                                            │ watch
//!                          own copy ── fold ─┴─> leaf or signed refusal
//!                             │
//!                          rounds: checked, ready ──> decided ──> cosignature ──> Final
//! ```
//!
//! The store is trusted with nothing but availability. Everything an authority signs it has
//! computed from its own copy of the entries, and everything it signs is in its journal before it
//! leaves. A store that loses or changes what it showed is noticed by name; entries below a final
//! size are put back.
//!
//! Invariants:
//! * no two cosignatures of an honest authority are inconsistent, whatever the store shows;
//! * a final leaf never leaves the own copy;
//! * a submission or act is answered once.
//!
//! Left out on purpose: who may administer (the gateway), the election of one appender among the
//! authorities (any may append), scheduled opening and closing.
#![forbid(unsafe_code)]

pub mod alarm;
mod api;
mod authority;
pub mod chronicle;
mod copy;
mod desk;
mod head;
mod journal;
mod mutant;
mod outbox;
pub mod rounds;
mod seat;
#[cfg(feature = "testing")]
pub mod testing;
pub mod vote;

pub use api::{Act, Answer, Comparison, Config, Effect, Event, Notice};
pub use authority::{Authority, StartError};
pub use journal::JournalError;
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
pub use seat::{ElectionView, Standing};
