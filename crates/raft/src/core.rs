//! What a member has in every role: log, hard state, positions, and the orders of this step.

use crate::config::{Config, Recovered};
use crate::durability::Durability;
use crate::log::Log;
use crate::message::{Body, Message};
use crate::mutant::Mutant;
use crate::quorum::Quorum;
use crate::{Effect, HardState, LogId, LogIndex, MemberId, Term, Ticket};
use alloc::vec::Vec;

/// See the module.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) quorum: Quorum,
    /// Ticks since the start of the process.
    pub(crate) now: u64,
    hard_state: HardState,
    pub(crate) log: Log,
    pub(crate) durability: Durability,
    pub(crate) commit: LogIndex,
    /// Handed out to be applied up to here.
    pub(crate) handed: LogIndex,
    pub(crate) applied: LogIndex,
    load: Load,
    pub(crate) effects: Vec<Effect>,
}

/// Entries read back from the disk for slow followers, one request at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Idle,
    Ordered,
    /// The last answer was empty: not again before this tick.
    Resting {
        until: u64,
    },
}

impl Core {
    pub(crate) fn new(config: Config, recovered: Recovered) -> Self {
        let Recovered { hard_state, applied, term_starts, last, tail } = recovered;
        Self {
            quorum: Quorum::new(&config),
            config,
            now: 0,
            hard_state,
            log: Log::new(term_starts, last, tail),
            durability: Durability::new(last.index),
            commit: applied,
            handed: applied,
            applied,
            load: Load::Idle,
            effects: Vec::new(),
        }
    }

    pub(crate) fn id(&self) -> MemberId {
        self.config.id
    }

    pub(crate) fn term(&self) -> Term {
        self.hard_state.term
    }

    pub(crate) fn vote(&self) -> Option<MemberId> {
        self.hard_state.vote
    }

    pub(crate) fn has(&self, mutant: Mutant) -> bool {
        self.config.has(mutant)
    }

    /// Enters a newer term, in which nothing is voted yet. Answers of older terms are void.
    pub(crate) fn enter_term(&mut self, term: Term) {
        assert!(term > self.hard_state.term, "term {term} is not newer than {}", self.term());
        self.hard_state = HardState { term, vote: None };
        self.durability.on_hard_state_changed();
        self.durability.drop_held();
    }

    /// Votes in the present term; a vote is given once.
    pub(crate) fn give_vote(&mut self, to: MemberId) {
        match self.hard_state.vote {
            Some(earlier) => assert!(earlier == to, "a second vote in term {}", self.term()),
            None => {
                self.hard_state.vote = Some(to);
                self.durability.on_hard_state_changed();
            }
        }
    }

    /// Sends `body` as soon as the present term and vote are durable: at once, as a rule.
    pub(crate) fn send(&mut self, to: MemberId, body: Body) {
        self.send_after(self.durability.hard_state_ticket(), to, body);
    }

    /// Sends `body` as soon as the log is durable through `index`, and term and vote too.
    pub(crate) fn send_covering(&mut self, index: LogIndex, to: MemberId, body: Body) {
        self.send_after(self.durability.ticket_covering(index), to, body);
    }

    /// Sends `body` now: only for what promises nothing.
    pub(crate) fn send_now(&mut self, to: MemberId, body: Body) {
        let message = Message { term: self.term(), body };
        self.effects.push(Effect::Send { to, message });
    }

    fn send_after(&mut self, ticket: Ticket, to: MemberId, body: Body) {
        if self.durability.is_done(ticket) {
            self.send_now(to, body);
        } else {
            let message = Message { term: self.term(), body };
            self.durability.hold(ticket, to, message);
        }
    }

    /// Whether `last` is at least as up to date as this log (Raft paper 5.4.1).
    pub(crate) fn is_up_to_date(&self, last: LogId) -> bool {
        last >= self.log.last()
    }

    /// Drops the entries from `from` on.
    pub(crate) fn truncate(&mut self, from: LogIndex) {
        assert!(
            from > self.commit,
            "entry {from} is committed (commit {}) and would be replaced: the group has diverged",
            self.commit
        );
        self.log.truncate(from);
        self.durability.on_truncated(from);
    }

    /// Learns that everything up to `index` is committed; never goes back.
    pub(crate) fn advance_commit(&mut self, index: LogIndex) {
        self.commit = self.commit.max(index.min(self.log.last().index));
    }

    /// A timeout in ticks out of the configured range.
    pub(crate) fn draw_timeout(&self, jitter: u64) -> u64 {
        let Config { election_ticks_min: min, election_ticks_max: max, .. } = self.config;
        match (max - min).checked_add(1) {
            Some(width) => min + jitter % width,
            None => jitter,
        }
    }

    /// Whether entries pile up because applying them is slow. Only applying can free them, so
    /// nothing that must be accepted to make progress is refused for ever.
    pub(crate) fn is_swamped(&self) -> bool {
        let bound = self.config.cache_bytes.saturating_add(self.config.uncommitted_bytes_max);
        self.applied < self.commit && self.log.cached_bytes() > bound
    }

    /// Orders entries from `from` on to be read back, unless an order is under way.
    pub(crate) fn request_load(&mut self, from: LogIndex) {
        let may_ask = match self.load {
            Load::Idle => true,
            Load::Ordered => false,
            Load::Resting { until } => self.now >= until,
        };
        if may_ask {
            self.load = Load::Ordered;
            self.effects.push(Effect::Load { from, max_bytes: self.config.append_bytes_max });
        }
    }

    /// The order is answered; an empty answer is followed by a rest.
    pub(crate) fn on_load_answered(&mut self, is_empty: bool) {
        let rest = Load::Resting { until: self.now + self.config.heartbeat_ticks };
        self.load = if is_empty { rest } else { Load::Idle };
    }

    /// A write is durable: sends what waited for it.
    pub(crate) fn on_persisted(&mut self, ticket: Ticket) {
        for (to, message) in self.durability.on_persisted(ticket) {
            self.effects.push(Effect::Send { to, message });
        }
    }

    /// The state machine is done up to `through`.
    pub(crate) fn on_applied(&mut self, through: LogIndex) {
        assert!(
            through <= self.handed,
            "index {through} is reported applied, but only {} was handed out",
            self.handed
        );
        self.applied = self.applied.max(through);
    }

    /// Orders what the step left to do: first the write, so that the disk starts at once, then
    /// what the step sent, then what may be applied.
    pub(crate) fn flush(&mut self) {
        let last = self.log.last().index;
        if let Some(from) = self.durability.pending(last) {
            let entries = self.log.slice(from, last, u64::MAX);
            let persist = self.durability.issue(self.hard_state, entries, last);
            self.effects.insert(0, Effect::Persist(persist));
        }
        self.hand_out();
        let settled = self.applied.min(self.durability.durable());
        self.log.evict(settled, self.config.cache_bytes);
    }

    fn hand_out(&mut self) {
        let through = self.commit.min(self.durability.durable());
        let waiting = self.log.bytes_between(self.applied, self.handed);
        let budget = self.config.apply_bytes_max.saturating_sub(waiting);
        if self.handed >= through || budget == 0 {
            return;
        }
        // A single larger entry goes only when nothing else is being applied.
        let next_bytes = self.log.bytes_between(self.handed, self.handed.next());
        if next_bytes > budget && waiting > 0 {
            return;
        }
        let entries = self.log.slice(self.handed.next(), through, budget);
        if let Some(last) = entries.last() {
            self.handed = last.id.index;
            self.effects.push(Effect::Apply { entries });
        }
    }
}
