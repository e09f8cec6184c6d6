//! What one member can see of the protocol's promises, checked on leaving each step, in every
//! build. A violation is a bug here or in the shell; the process must not go on.

use crate::core::Core;
use crate::role::Role;
use crate::{LogIndex, Term};

/// What may only grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watermarks {
    term: Term,
    commit: LogIndex,
    handed: LogIndex,
    applied: LogIndex,
}

impl Watermarks {
    /// As it is before a step.
    pub(crate) fn of(core: &Core) -> Self {
        let Core { commit, handed, applied, .. } = *core;
        Self { term: core.term(), commit, handed, applied }
    }

    /// Checks the state after the step; cost: the number of members.
    ///
    /// # Panics
    /// With a sentence that names the broken invariant.
    pub(crate) fn check(self, core: &Core, role: &Role) {
        let Core { commit, handed, applied, .. } = *core;
        let last = core.log.last();
        let durable = core.durability.durable();
        assert!(core.term() >= self.term, "the term went back from {}", self.term);
        assert!(commit >= self.commit, "the commit index went back from {}", self.commit);
        assert!(handed >= self.handed && applied >= self.applied, "applying went back");
        assert!(applied <= handed, "{applied} is applied, only {handed} was handed out");
        assert!(handed <= commit, "{handed} is handed out, only {commit} is committed");
        assert!(handed <= durable, "{handed} is handed out, only {durable} is durable");
        assert!(commit <= last.index, "{commit} is committed, the log ends at {}", last.index);
        assert!(durable <= last.index, "{durable} is durable, the log ends at {}", last.index);
        assert!(core.term() >= last.term, "the log is ahead of the term {}", core.term());
        assert!(core.log.base().index <= commit, "the log begins behind the commit index {commit}");
        let needed = handed.min(durable).max(core.log.base().index).next();
        assert!(core.log.first_cached() <= needed, "entries that are still needed left the memory");
        #[cfg(any(test, feature = "mutants"))]
        core.check_quorum();
        check_role(core, role);
    }
}

fn check_role(core: &Core, role: &Role) {
    match role {
        Role::Follower(_) | Role::PreCandidate(_) => {}
        Role::Candidate(_) => {
            assert!(core.vote() == Some(core.id()), "a candidate votes for itself");
        }
        Role::Leader(leader) => {
            assert!(core.vote() == Some(core.id()), "a leader voted for itself");
            assert!(core.durability.is_hard_state_durable(), "a leader's term is durable");
            assert!(core.restriction.is_none(), "a member that may not vote leads");
            let last = core.log.last();
            assert!(last.term == core.term(), "a leader's last entry is its own");
            for (matched, next) in leader.positions() {
                assert!(matched < next, "next {next} is not above matched {matched}");
                assert!(next <= last.index.next(), "next {next} lies beyond the log");
            }
        }
    }
}
