//! The invariants, each in a file of its own, apart from the world they look at.
//!
//! | rule | says |
//! |---|---|
//! | R1 | a term has at most one leader, over all history |
//! | R2 | a leader never cuts or replaces its own entries |
//! | R3 | equal (term, index) means equal logs up to there |
//! | R4 | a new leader holds everything committed before its term |
//! | R5 | what is applied at an index is the same everywhere, and so is the state |
//! | R6 | what is committed lies on the platters of a majority |
//! | R7 | whatever a message promises was durable when it left; one vote a term, for ever |
//! | R8 | a restart finds all that was promised, and nothing that nobody wrote |
//! | R9, R13 | memberships change one by one, through joint ones; learners never count |
//! | R10 | a read shows all that was committed anywhere when it was asked for |
//! | R11 | a pre-vote changes nothing |
//! | R12 | a snapshot is what was committed there; the log is cut only below durable state |
//! | R14 | who was removed is heard no more |
//! | R15 | what a leader believes of a follower is so, and bounded |
//! | R16 | a leader that hears no majority steps down in time |
//! | S4, S6, S7 | after a failed sync nothing more; names are durable; what is read was written |
//! | W1-W9, W11 | a watch tells everything it should, once, in order, whole and right |
//! | V1-V5, V7, V8 | the group, or any majority of it, lives once the faults are over |
//! | L1-L4 | leases last as long as promised, and end |
//! | C1-C4 | acknowledged writes stay; nothing unwritten is read; once; refused means never |
//! | T1 | the history is linearizable, with the log index of each answer as the witness |
//!
//! After every fact each checker is asked; a checker keeps what it needs and costs O(1) a fact.

mod applied;
mod client;
mod complete;
mod contact;
mod durable;
mod leaders;
mod leases;
mod linear;
mod marks;
mod matching;
mod memberships;
mod needless;
mod pre_vote;
mod progress;
mod promises;
mod reads;
mod removed;
mod restart;
mod snapshots;
mod watches;

use crate::swarm::Swarm;
use crate::truth::{Fact, FactKind, Truth};

pub use marks::{Mark, Marks};
pub(crate) use snapshots::has_hole;
pub(crate) use watches::Stream;

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which: `R1` … `R8`, `C1` … `C4`, `T1`, or what the world itself noticed.
    pub rule: &'static str,
    /// What was seen.
    pub text: String,
}

impl core::fmt::Display for Violation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.rule, self.text)
    }
}

/// `Err` with a [`Violation`] of `rule`.
pub(crate) fn violated<T>(rule: &'static str, text: String) -> Result<T, Violation> {
    Err(Violation { rule, text })
}

/// One invariant, or some that look at the same facts.
pub trait Checker {
    /// The kinds of facts it looks at; it is not shown others.
    fn wants(&self) -> &'static [FactKind];

    /// Looks at `fact`, which `truth` has taken in already.
    ///
    /// # Errors
    /// The violation.
    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation>;
}

/// Checkers, found by the kind of fact.
pub struct Checkers {
    all: Vec<Box<dyn Checker>>,
    by_kind: [Vec<usize>; FactKind::COUNT],
}

impl Checkers {
    /// All of them.
    pub fn new(swarm: &Swarm) -> Self {
        let all = all(swarm);
        let mut by_kind: [Vec<usize>; FactKind::COUNT] = Default::default();
        for (at, checker) in all.iter().enumerate() {
            checker.wants().iter().for_each(|kind| by_kind[*kind as usize].push(at));
        }
        Self { all, by_kind }
    }

    /// Shows `fact`, which `truth` has taken in already, to those who want it.
    ///
    /// # Errors
    /// The first violation.
    pub fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        let wanting = &self.by_kind[fact.kind() as usize];
        wanting.iter().try_for_each(|at| self.all[*at].see(fact, truth))
    }
}

/// All of them, in the order in which they are asked.
fn all(swarm: &Swarm) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(snapshots::HonestSnapshots),
        Box::new(leaders::OneLeader::default()),
        Box::new(memberships::SafeMemberships::default()),
        Box::new(leaders::AppendOnly),
        Box::new(matching::LogMatching::default()),
        Box::new(complete::LeaderCompleteness::default()),
        Box::new(applied::SameState::default()),
        Box::new(durable::CommittedIsDurable::default()),
        Box::new(promises::PromiseLedger),
        Box::new(restart::NoRegress::new()),
        Box::new(removed::RemovedStayAway::default()),
        Box::new(pre_vote::PreVoteChangesNothing::new(swarm)),
        Box::new(progress::HonestProgress::new(swarm)),
        Box::new(contact::QuorumContact::new(swarm)),
        Box::new(needless::NoNeedlessCampaigns::new(swarm)),
        Box::new(leases::LeasesLast::new(swarm)),
        Box::new(client::Callers::default()),
        Box::new(linear::Linearizable::default()),
        Box::new(reads::FreshReads::default()),
    ]
}

#[cfg(test)]
mod tests;
