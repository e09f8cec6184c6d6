//! Seeded bugs: each changes one real line, so that the tests can prove that they would notice.

/// One seeded bug. With the feature `mutants` it is chosen by `Config::mutant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "mutants"), allow(unreachable_pub))]
pub enum Mutant {
    /// One of the fold's.
    #[cfg(feature = "mutants")]
    Fold(election::Mutant),
    /// `checked` is said for leaves that the own tree does not have yet.
    CheckedUnseen,
    /// f + 1 authorities that are `ready` decide.
    DecidedByWitnesses,
    /// A locked authority checks whatever is proposed.
    LockDropped,
    /// A quorum is one less than ⌊(n+f)/2⌋+1.
    QuorumTooSmall,
    /// Entries that the store lost are put back in another order.
    RestoredInOtherOrder,
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// All of them, with the name by which a command line chooses one.
    pub fn all() -> Vec<(&'static str, Self)> {
        let fold = election::Mutant::ALL.into_iter().map(|(name, it)| (name, Self::Fold(it)));
        let own = [
            ("checked-unseen", Self::CheckedUnseen),
            ("decided-by-witnesses", Self::DecidedByWitnesses),
            ("lock-dropped", Self::LockDropped),
            ("quorum-too-small", Self::QuorumTooSmall),
            ("restored-in-other-order", Self::RestoredInOtherOrder),
        ];
        fold.chain(own).collect()
    }
}
