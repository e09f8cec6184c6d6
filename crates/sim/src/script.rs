//! A script: the faults and calls of a run, written down, so that some can be left out.
//!
//! A run without a script draws its faults; what it drew is in its [`Outcome`](crate::Outcome).
//! The same seed with a script carries out these and no others. All streams of chance are apart
//! by name, so that leaving one line out moves little else.

use std::collections::BTreeSet;

use crate::faults::Planned;
use crate::truth::Operation;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The faults, by time.
    pub faults: Vec<Planned>,
    /// The calls that are made; `None` = all.
    pub calls: Option<BTreeSet<Operation>>,
    /// The first so many members only; `None` = all.
    pub members: Option<usize>,
}

impl Script {
    /// Lines in it: faults, and calls if they are listed.
    pub fn len(&self) -> usize {
        self.faults.len() + self.calls.as_ref().map_or(0, BTreeSet::len)
    }

    /// Whether nothing happens by it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `operation` is not made.
    pub(crate) fn is_silent(&self, operation: Operation) -> bool {
        self.calls.as_ref().is_some_and(|calls| !calls.contains(&operation))
    }
}
