//! Forgetting when things happened, for exhaustive search: two members that differ only in their
//! count of ticks, or in the numbers of writes long done, behave alike once enough time goes by.
//!
//! After [`Raft::forget_time`] it is as if the member's clock had just been started and every
//! patience with others had run out without consequence. A search that decides itself when a
//! member loses patience thereby sees every order of events, whatever the clocks do.

use crate::Ticket;
use crate::durability::Durability;
use crate::progress::Progress;
use crate::raft::Raft;
use crate::role::{Leader, Role, Timer};

impl Raft {
    /// See the module. Unfinished writes are numbered from 1 afterwards.
    pub fn forget_time(&mut self) {
        let Self { core, role } = self;
        core.forget_time();
        match role {
            Role::Follower(follower) => follower.forget_time(),
            Role::PreCandidate(pre_candidate) => pre_candidate.timer.forget(),
            Role::Candidate(candidate) => candidate.timer.forget(),
            Role::Leader(leader) => leader.forget_time(),
        }
    }
}

impl Timer {
    pub(crate) fn forget(&mut self) {
        (self.since, self.timeout) = (0, None);
    }
}

impl Leader {
    fn forget_time(&mut self) {
        self.round_at = 0;
        self.peers.values_mut().for_each(Progress::forget_time);
        if let Some(transfer) = &mut self.transfer {
            transfer.deadline = u64::MAX;
        }
    }
}

impl Progress {
    fn forget_time(&mut self) {
        self.heard_at = 0;
        self.departs_at = self.departs_at.map(|_| u64::MAX);
    }
}

impl Durability {
    /// The number of an unfinished write when those done are not counted.
    pub(crate) fn shifted(&self, ticket: Ticket) -> Ticket {
        Ticket::new(ticket.get().saturating_sub(self.done.get()))
    }

    pub(crate) fn forget_time(&mut self) {
        let done = self.done;
        let shift = |ticket: Ticket| Ticket::new(ticket.get().saturating_sub(done.get()));
        for write in &mut self.unfinished {
            (write.ticket, write.since) = (shift(write.ticket), 0);
        }
        for held in &mut self.held {
            held.ticket = shift(held.ticket);
        }
        self.issued = shift(self.issued);
        self.hard_state_ticket = shift(self.hard_state_ticket);
        self.done = shift(self.done);
    }
}
