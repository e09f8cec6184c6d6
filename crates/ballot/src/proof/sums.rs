//! P1: *certain sums of the encrypted numbers have allowed values* (kinds `some`, `score`,
//! `lists`).
//!
//! **Statement.** For each rule of the contest (`contest`), the sum of plaintexts that it names is
//! one of its values. The first rules bound every single number; the others are about sums, and
//! are read knowing that.
//!
//! **Protocol.** For each rule, in order, one disjunction over its values, about the same sum of
//! the ciphertexts. A rule with one value is a plain equality proof. All disjunctions of the
//! contest share one challenge.
//!
//! **Transcript order.** statement (every ciphertext of the whole ballot) → commitments of the
//! whole ballot, here rule by rule → challenge.
//!
//! **Soundness.** A conjunction of disjunctions under one challenge: two answers to different
//! challenges open every ciphertext. No sum wraps modulo ℓ: numbers, factors and counts are below
//! 2^16. That the rules admit exactly the valid answers is the test
//! `rules_admit_exactly_the_valid_answers`; `spec/soundness.md` has the argument.

use alloc::vec::Vec;

use curve25519_dalek::scalar::Scalar;

use super::{Claim, Combination};
use crate::contest::Rule;

/// One claim for each rule.
pub(crate) fn claims(rules: Vec<Rule>) -> Vec<Claim> {
    let claim = |rule: Rule| Claim {
        combination: Combination::Sum(rule.sum),
        values: rule.values.into_iter().map(Scalar::from).collect(),
    };
    rules.into_iter().map(claim).collect()
}
