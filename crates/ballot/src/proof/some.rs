//! P1: *each option is chosen or not, and an allowed number of them is chosen*.
//!
//! **Statement.** Every ciphertext `(a_i, b_i)` encrypts 0 or 1, and their sum encrypts one of
//! `min … max`.
//!
//! **Protocol.** For each option a disjunction over the values 0 and 1, in option order; then for
//! `(Σ a_i, Σ b_i)` a disjunction over `min … max`. With `min = max` the latter has one clause and
//! is a plain equality proof; with `min = 0` and `max = n` every sum of bits is allowed and there
//! is none. All disjunctions of the contest share one challenge.
//!
//! **Transcript order.** statement (every ciphertext of the whole ballot) → commitments of the
//! whole ballot, here option by option, then the sum's → challenge.
//!
//! **Soundness.** A conjunction of disjunctions under one challenge: two answers to different
//! challenges open every ciphertext. Sums of at most 65,535 bits do not wrap modulo ℓ.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use curve25519_dalek::scalar::Scalar;

use super::{Claim, Combination};

/// The claims of a contest; `sums` are the allowed sums if they must be proven.
pub(crate) fn claims(options: u16, sums: Option<RangeInclusive<u16>>) -> Vec<Claim> {
    let bit = |option: u16| Claim {
        combination: Combination::Only(option.into()),
        values: alloc::vec![Scalar::ZERO, Scalar::ONE],
    };
    let sum = |allowed: RangeInclusive<u16>| Claim {
        combination: Combination::All,
        values: allowed.map(Scalar::from).collect(),
    };
    (0..options).map(bit).chain(sums.map(sum)).collect()
}
