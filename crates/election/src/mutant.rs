//! Seeded bugs of the fold: each changes one real line, so that the tests can prove that they
//! would notice.

/// One seeded bug. With the feature `mutants` it is chosen by `Fold::with_mutant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(test, feature = "mutants")), allow(unreachable_pub))]
pub enum Mutant {
    /// A replaced ballot counts beside the one that replaced it.
    RevoteCountedTwice,
    /// A ballot ordered after the closing counts if it is stamped with the closing's minute.
    BallotAfterClose,
    /// What was refused becomes a leaf all the same.
    RefusedIsLeaf,
    /// Ciphertexts of refused ballots are weeded against, too: whoever copies a ballot into a bad
    /// one keeps the good one out.
    WeedsAgainstRefused,
    /// The fold trusts that whoever appended a ballot had looked at the phase.
    PhaseAtAppendOnly,
}

#[cfg(any(test, feature = "mutants"))]
impl Mutant {
    /// All of them, with the name by which a command line chooses one.
    pub const ALL: [(&'static str, Self); 5] = [
        ("revote-counted-twice", Self::RevoteCountedTwice),
        ("ballot-after-close", Self::BallotAfterClose),
        ("refused-is-leaf", Self::RefusedIsLeaf),
        ("weeds-against-refused", Self::WeedsAgainstRefused),
        ("phase-at-append-only", Self::PhaseAtAppendOnly),
    ];
}
