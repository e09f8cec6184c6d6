//! Seeded bugs: each changes one real line, so that the simulator can prove that it would notice.

/// One seeded bug. With the feature `mutants` it is chosen by `HubOptions::mutant` and
/// `Kv::seed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "mutants"), allow(unreachable_pub, dead_code))]
pub enum Mutant {
    /// A watch stays where it is when a snapshot takes the place of the state (etcd 15271).
    WatchIgnoresSnapshot,
    /// What does not fit into a watch's queue is dropped (etcd 17529).
    WatchDropsWhenFull,
    /// Progress is told before the events that it speaks of (etcd 15220).
    ProgressBeforeEvents,
    /// A watch that is to begin in the future begins at once (etcd 20221).
    FutureWatchBeginsNow,
    /// A lease that has ended is said to be renewed (etcd 20616).
    EndedLeaseRenewed,
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// All of them, with the name by which a command line chooses one.
    pub const ALL: [(&'static str, Self); 5] = [
        ("watch-ignores-snapshot", Self::WatchIgnoresSnapshot),
        ("watch-drops-when-full", Self::WatchDropsWhenFull),
        ("progress-before-events", Self::ProgressBeforeEvents),
        ("future-watch-begins-now", Self::FutureWatchBeginsNow),
        ("ended-lease-renewed", Self::EndedLeaseRenewed),
    ];
}
