//! Seeded bugs: each changes one real line, so that the simulator can prove that it would notice.

/// One seeded bug. With the feature `mutants` it is chosen by `Config::mutant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "mutants"), allow(unreachable_pub, dead_code))]
pub enum Mutant {
    /// The log is cut as soon as entries are applied, before the state is durable.
    CutBeforeSync,
    /// A snapshot is announced as one of the entry after its last.
    SnapshotOfNextIndex,
    /// A new leader counts time for leases in which another one counted it (etcd 15247).
    LeaderCountsOldTime,
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// All of them, with the name by which a command line chooses one.
    pub const ALL: [(&'static str, Self); 3] = [
        ("cut-before-sync", Self::CutBeforeSync),
        ("snapshot-of-next-index", Self::SnapshotOfNextIndex),
        ("leader-counts-old-time", Self::LeaderCountsOldTime),
    ];
}
