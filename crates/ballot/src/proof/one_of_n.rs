//! P2: *exactly one of n options is chosen*, as one disjunction.
//!
//! **Statement.** The ciphertexts `(a_i, b_i)`, `i = 1 … n`, encrypt a unit vector: some `v_j = 1`
//! and all other `v_i = 0`.
//!
//! **Protocol.** After all ciphertexts are fixed, `ρ` is a hash of them. The combination
//! `A' = Σ ρ^i a_i`, `B' = Σ ρ^i b_i` encrypts `Σ ρ^i v_i`. The prover shows with one disjunction
//! that this is one of `ρ^1 … ρ^n`. Five options cost 20 points and 9 scalars; five bit proofs
//! and a sum proof would cost 32 and 16.
//!
//! **Transcript order.** statement (every ciphertext of the whole ballot) → `ρ` → commitments of
//! the whole ballot → challenge.
//!
//! **Soundness.** For a vector `v` that is no unit vector, `Σ ρ^i v_i = ρ^j` is for each `j` a
//! nonzero polynomial equation of degree at most `n` in `ρ` without constant term, so at most
//! `n²` of the ℓ values of `ρ` satisfy any of them; together with the disjunction an invalid vote
//! passes with probability at most `(n² + 1)/ℓ` per hash query. `ρ = 0` is among the bad values.
//! *Knowledge*: rewinding at `n` different `ρ` gives `r'(ρ) = Σ ρ^i r_i` at `n` points, and a
//! Vandermonde system gives every `r_i`; hence a ballot cannot be made from foreign ciphertexts.
//!
//! The values `ρ^i` are distinct except for at most `n²` values of `ρ`; a repeated value does no
//! harm to soundness (the clause is only stated twice).

use alloc::vec::Vec;

use curve25519_dalek::scalar::Scalar;

use super::{Claim, Combination};

/// The one claim of a contest of `options` options.
pub(crate) fn claims(options: u16, rho: &Scalar) -> Vec<Claim> {
    let powers: Vec<Scalar> = core::iter::successors(Some(*rho), |power| Some(power * rho))
        .take(options.into())
        .collect();
    alloc::vec![Claim { combination: Combination::Each(powers.clone()), values: powers }]
}
