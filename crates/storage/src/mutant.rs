//! Seeded bugs: each changes one real line, so that the tests can prove that they would notice.

/// One seeded bug. With the feature `mutants` it is chosen by `WalOptions::mutant` and
/// `ValueLogOptions::mutant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(test, feature = "mutants")), allow(unreachable_pub, dead_code))]
pub enum Mutant {
    /// Opening takes everything from the first bad checksum on for a torn tail.
    StopAtBadChecksum,
    /// Checksums do not say where a record or batch belongs: one gone astray is accepted.
    ChecksumNotChained,
    /// A sync that failed is tried once more, and believed.
    RetrySync,
    /// A write that found no space counts as done.
    FullIsSuccess,
}

#[cfg(any(test, feature = "mutants"))]
impl Mutant {
    /// All of them, with the name by which a command line chooses one.
    pub const ALL: [(&'static str, Self); 4] = [
        ("stop-at-bad-checksum", Self::StopAtBadChecksum),
        ("checksum-not-chained", Self::ChecksumNotChained),
        ("retry-sync", Self::RetrySync),
        ("full-is-success", Self::FullIsSuccess),
    ];
}

/// The seeded bug of one log; never one without the feature `mutants`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seeded {
    #[cfg(any(test, feature = "mutants"))]
    pub(crate) mutant: Option<Mutant>,
}

impl Seeded {
    pub(crate) fn has(self, mutant: Mutant) -> bool {
        #[cfg(any(test, feature = "mutants"))]
        return self.mutant == Some(mutant);
        #[cfg(not(any(test, feature = "mutants")))]
        {
            let _ = mutant;
            false
        }
    }
}
