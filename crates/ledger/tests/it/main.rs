//! The ledger through its public door: known answers and the frozen vectors.
#![allow(missing_docs, clippy::unwrap_used)]

mod vectors;
