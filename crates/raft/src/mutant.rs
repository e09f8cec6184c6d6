//! Seeded bugs: each changes one real line, so that the tests can prove that they would notice.

/// One seeded bug. With the feature `mutants` it is chosen by `Config::mutant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(not(any(test, feature = "mutants")), allow(unreachable_pub))]
pub enum Mutant {
    /// A granted vote is sent before it is durable.
    VoteNotPersisted,
    /// A restarted member has forgotten whom it voted for.
    VoteForgotten,
    /// Logs are compared by their last index alone, not by its term first.
    LastIndexOnly,
    /// A leader commits entries of older terms by counting (Raft paper, figure 8).
    CommitOldTermByCounting,
    /// Half of the voters count as a majority.
    MajorityOffByOne,
    /// A leader counts itself for entries that its own disk does not hold yet.
    CountBeforeOwnFsync,
    /// A follower acknowledges entries before they are durable.
    AckBeforeFsync,
    /// A follower cuts its log at every append, not only where it differs.
    TruncateOnEveryAppend,
    /// A follower takes entries without comparing the term of the one before.
    SkipPrevTermCheck,
    /// A follower commits beyond the last entry it shares with the leader for certain.
    CommitBeyondNewEntry,
    /// An acknowledgement of an older term counts.
    StaleAppendReply,
    /// A leader serves reads without asking whether it still leads.
    ReadWithoutRound,
    /// A round of heartbeats for reads takes the number of the one before.
    ReadRoundReused,
    /// A new leader serves reads before it knows what is committed.
    ReadBeforeOwnCommit,
    /// The leader's lease lasts as long as a follower's longest patience, clocks being perfect.
    LeaseWithoutMargin,
    /// While joint, only the incoming voters are asked.
    SingleQuorumWhileJoint,
    /// A membership is in force when it is applied, not when it is appended.
    MembershipAtApply,
    /// The membership may be changed while the change before is not committed.
    SecondChangeAllowed,
    /// Learners count like voters.
    LearnerCounted,
    /// A snapshot leaves a log in place that contradicts it.
    SnapshotKeepsConflict,
    /// A leader without contact to a majority stays.
    NoStepDown,
    /// Pre-votes are granted while a leader is alive.
    PreVoteDespiteLeader,
    /// A member that was removed is heard like any other.
    RemovedMemberHeard,
    /// A member that may have lost its promises takes part before it is admitted.
    FoundingMemberHeard,
}

#[cfg(any(test, feature = "mutants"))]
impl Mutant {
    /// All that random runs bring out, with the name by which a command line chooses one.
    pub const ALL: [(&'static str, Self); 22] = [
        ("vote-not-persisted", Self::VoteNotPersisted),
        ("vote-forgotten", Self::VoteForgotten),
        ("last-index-only", Self::LastIndexOnly),
        ("commit-old-term-by-counting", Self::CommitOldTermByCounting),
        ("majority-off-by-one", Self::MajorityOffByOne),
        ("count-before-own-fsync", Self::CountBeforeOwnFsync),
        ("ack-before-fsync", Self::AckBeforeFsync),
        ("truncate-on-every-append", Self::TruncateOnEveryAppend),
        ("skip-prev-term-check", Self::SkipPrevTermCheck),
        ("commit-beyond-new-entry", Self::CommitBeyondNewEntry),
        ("stale-append-reply", Self::StaleAppendReply),
        ("read-without-round", Self::ReadWithoutRound),
        ("read-round-reused", Self::ReadRoundReused),
        ("read-before-own-commit", Self::ReadBeforeOwnCommit),
        ("lease-without-margin", Self::LeaseWithoutMargin),
        ("single-quorum-while-joint", Self::SingleQuorumWhileJoint),
        ("membership-at-apply", Self::MembershipAtApply),
        ("second-change-allowed", Self::SecondChangeAllowed),
        ("learner-counted", Self::LearnerCounted),
        ("snapshot-keeps-conflict", Self::SnapshotKeepsConflict),
        ("no-step-down", Self::NoStepDown),
        ("pre-vote-despite-leader", Self::PreVoteDespiteLeader),
    ];

    /// Those that only scripts look for: random runs do not bring about what shows them.
    pub const SCRIPTED: [(&'static str, Self); 2] = [
        ("removed-member-heard", Self::RemovedMemberHeard),
        ("founding-member-heard", Self::FoundingMemberHeard),
    ];
}
