//! What the checker found, by kind.

use std::collections::BTreeMap;
use std::fmt;

/// Findings of one kind that are told in words; the others are counted.
const EXAMPLES_MAX: usize = 5;

/// What may be wrong with a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An acknowledged write is gone.
    LostWrite,
    /// A read stands behind something that was answered before it was called.
    StaleRead,
    /// A read, or a failed comparison, found something else than was there at its revision.
    WrongAnswer,
    /// An answer names a revision that does not exist.
    FutureRevision,
    /// A write stands before something that was answered before it was called.
    OrderReversed,
    /// Acknowledged at one revision, happened at another.
    WrongRevision,
    /// One write happened twice.
    DoneTwice,
    /// Refused, and happened.
    RefusedYetDone,
    /// A write happened in part, or mixed with another.
    NotWhole,
    /// A write happened though its comparison did not hold.
    ComparisonIgnored,
    /// A value that no client wrote.
    Invented,
    /// A revision is missing, twice there or out of order.
    BrokenEvents,
    /// An event's creation revision or version is wrong.
    WrongNumbers,
    /// Members deliver different events.
    MembersDiffer,
    /// A member's final state is not what its events lead to.
    WrongFinalState,
    /// A read below the compacted revision was answered.
    CompactionIgnored,
    /// A read that nothing forbade was refused as compacted.
    CompactedTooMuch,
    /// A watch told something else than what happened.
    WatchWrong,
    /// A watch did not tell everything by the end.
    WatchStopped,
    /// A lease ended before its time.
    LeaseTooShort,
    /// A lease did not end.
    LeaseTooLong,
    /// A lease that had ended was alive again, or written under.
    LeaseRaised,
    /// The load itself is at fault.
    Load,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::LostWrite => "lost acknowledged write",
            Self::StaleRead => "stale read",
            Self::WrongAnswer => "answer that was never true",
            Self::FutureRevision => "answer from the future",
            Self::OrderReversed => "write before what preceded it",
            Self::WrongRevision => "write at another revision",
            Self::DoneTwice => "write done twice",
            Self::RefusedYetDone => "refused write done",
            Self::NotWhole => "write done in part",
            Self::ComparisonIgnored => "comparison ignored",
            Self::Invented => "value nobody wrote",
            Self::BrokenEvents => "broken event list",
            Self::WrongNumbers => "event with wrong numbers",
            Self::MembersDiffer => "members differ",
            Self::WrongFinalState => "wrong final state",
            Self::CompactionIgnored => "answer from compacted history",
            Self::CompactedTooMuch => "history gone too early",
            Self::WatchWrong => "watch that is not the history",
            Self::WatchStopped => "watch that stopped short",
            Self::LeaseTooShort => "lease ended too early",
            Self::LeaseTooLong => "lease did not end",
            Self::LeaseRaised => "ended lease in use",
            Self::Load => "fault of the load",
        }
    }
}

/// All findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    found: BTreeMap<Kind, (u64, Vec<String>)>,
}

impl Verdict {
    /// One more finding; the text is made only if it will be told.
    pub(super) fn add(&mut self, kind: Kind, text: impl FnOnce() -> String) {
        let (count, examples) = self.found.entry(kind).or_default();
        *count += 1;
        if examples.len() < EXAMPLES_MAX {
            examples.push(text());
        }
    }

    /// Whether nothing was found.
    pub(crate) fn is_good(&self) -> bool {
        self.found.is_empty()
    }

    /// Findings of one kind.
    pub(crate) fn count(&self, kind: Kind) -> u64 {
        self.found.get(&kind).map_or(0, |(count, _)| *count)
    }

    /// Findings about watches.
    pub(crate) fn bad_watches(&self) -> u64 {
        [Kind::WatchWrong, Kind::WatchStopped].into_iter().map(|kind| self.count(kind)).sum()
    }

    /// Findings about compaction.
    pub(crate) fn bad_compactions(&self) -> u64 {
        let kinds = [Kind::CompactionIgnored, Kind::CompactedTooMuch];
        kinds.into_iter().map(|kind| self.count(kind)).sum()
    }

    /// Findings about leases.
    pub(crate) fn bad_leases(&self) -> u64 {
        let kinds = [Kind::LeaseTooShort, Kind::LeaseTooLong, Kind::LeaseRaised];
        kinds.into_iter().map(|kind| self.count(kind)).sum()
    }

    /// Reads that did not show the newest state: stale, never true, or from the future.
    pub(crate) fn bad_reads(&self) -> u64 {
        let kinds = [Kind::StaleRead, Kind::WrongAnswer, Kind::FutureRevision];
        kinds.into_iter().map(|kind| self.count(kind)).sum()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, (count, examples)) in &self.found {
            writeln!(f, "{}: {count}", kind.name())?;
            for example in examples {
                writeln!(f, "    {example}")?;
            }
        }
        Ok(())
    }
}
