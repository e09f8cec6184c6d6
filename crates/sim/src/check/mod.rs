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
//! | C1-C4 | acknowledged writes stay; nothing unwritten is read; once; refused means never |
//! | T1 | the history is linearizable, with the log index of each answer as the witness |
//!
//! After every fact each checker is asked; a checker keeps what it needs and costs O(1) a fact.

mod applied;
mod client;
mod complete;
mod durable;
mod leaders;
mod linear;
mod marks;
mod matching;
mod promises;
mod restart;

use crate::truth::{Fact, Truth};

pub use marks::{Mark, Marks};

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
    /// Looks at `fact`, which `truth` has taken in already.
    ///
    /// # Errors
    /// The violation.
    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation>;
}

/// All of them.
pub fn all() -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(leaders::OneLeader::default()),
        Box::new(leaders::AppendOnly),
        Box::new(matching::LogMatching::default()),
        Box::new(complete::LeaderCompleteness::default()),
        Box::new(applied::SameState::default()),
        Box::new(durable::CommittedIsDurable::default()),
        Box::new(promises::PromiseLedger),
        Box::new(restart::NoRegress::new()),
        Box::new(client::Callers::default()),
        Box::new(linear::Linearizable::default()),
    ]
}

#[cfg(test)]
mod tests;
