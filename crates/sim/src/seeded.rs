//! Seeded bugs of all layers, by name: those of consensus, of the replica and of storage.

/// One seeded bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// In consensus.
    Raft(raft::Mutant),
    /// In what drives it.
    Replica(replica::Mutant),
    /// In the logs.
    Storage(storage::Mutant),
    /// In the watches.
    Kv(kv::Mutant),
}

impl Seeded {
    /// All of them, by name.
    pub fn all() -> Vec<(&'static str, Self)> {
        let raft = raft::Mutant::ALL.into_iter().map(|(name, it)| (name, Self::Raft(it)));
        let replica = replica::Mutant::ALL.into_iter().map(|(name, it)| (name, Self::Replica(it)));
        let storage = storage::Mutant::ALL.into_iter().map(|(name, it)| (name, Self::Storage(it)));
        let kv = kv::Mutant::ALL.into_iter().map(|(name, it)| (name, Self::Kv(it)));
        raft.chain(replica).chain(storage).chain(kv).collect()
    }

    pub(crate) fn raft(self) -> Option<raft::Mutant> {
        if let Self::Raft(mutant) = self { Some(mutant) } else { None }
    }

    pub(crate) fn replica(self) -> Option<replica::Mutant> {
        if let Self::Replica(mutant) = self { Some(mutant) } else { None }
    }

    pub(crate) fn kv(self) -> Option<kv::Mutant> {
        if let Self::Kv(mutant) = self { Some(mutant) } else { None }
    }

    pub(crate) fn storage(self) -> Option<storage::Mutant> {
        if let Self::Storage(mutant) = self { Some(mutant) } else { None }
    }
}
