//! Seeded bugs: each changes one real line, so that the tests can prove that they would notice.

/// One seeded bug. With the feature `mutants` it is chosen by `Config::mutant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(test, feature = "mutants")), allow(unreachable_pub))]
pub enum Mutant {
    /// A granted vote is sent before it is durable.
    VoteNotPersisted,
    /// A leader commits entries of older terms by counting (Raft paper, figure 8).
    CommitOldTermByCounting,
    /// A follower acknowledges entries before they are durable.
    AckBeforeFsync,
    /// A follower takes entries without comparing the term of the one before.
    SkipPrevTermCheck,
    /// Half of the voters count as a majority.
    MajorityOffByOne,
}

#[cfg(any(test, feature = "mutants"))]
impl Mutant {
    /// All of them, with the name by which a command line chooses one.
    pub const ALL: [(&'static str, Self); 5] = [
        ("vote-not-persisted", Self::VoteNotPersisted),
        ("commit-old-term-by-counting", Self::CommitOldTermByCounting),
        ("ack-before-fsync", Self::AckBeforeFsync),
        ("skip-prev-term-check", Self::SkipPrevTermCheck),
        ("majority-off-by-one", Self::MajorityOffByOne),
    ];
}
