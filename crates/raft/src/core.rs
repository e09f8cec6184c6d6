//! What a member has in every role: log, hard state, positions, and the orders of this step.

use crate::config::{Config, Recovered, Restriction};
use crate::configurations::Configurations;
use crate::durability::Durability;
use crate::log::Log;
use crate::message::{Body, Message};
use crate::mutant::Mutant;
use crate::quorum::Quorum;
use crate::{
    Effect, Entry, HardState, LogId, LogIndex, MemberId, Membership, Payload, Rebase, Snapshot,
    Term, Ticket,
};
use alloc::vec::Vec;

/// See the module.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) quorum: Quorum,
    /// Ticks since the start of the process.
    pub(crate) now: u64,
    /// The shell's clock when it last spoke of it, nanoseconds.
    pub(crate) clock_ns: Option<u64>,
    /// The clock went back once: nothing is built on it any more.
    pub(crate) is_clock_doubted: bool,
    /// A candidate that counts on this learner's vote has an older log, and no leader is known.
    is_asked_for: bool,
    /// The shell spoke of its clock right before the present input.
    pub(crate) is_clock_fresh: bool,
    /// The tick at which a leader last spoke, in whatever term. Who leads may change with the
    /// term; what was promised to the leader by listening to it does not.
    heard_at: Option<u64>,
    hard_state: HardState,
    configurations: Configurations,
    /// Index of the membership that `quorum` was made of; `None` once that may be gone, since
    /// another one can take its very place in the log.
    quorum_since: Option<LogIndex>,
    pub(crate) restriction: Option<Restriction>,
    /// The term at the start, for [`Restriction::OwesUnknown`].
    started_in: Term,
    pub(crate) log: Log,
    pub(crate) durability: Durability,
    pub(crate) commit: LogIndex,
    /// Handed out to be applied up to here.
    pub(crate) handed: LogIndex,
    pub(crate) applied: LogIndex,
    /// The state machine held everything up to here at the start, be it more than the log.
    pub(crate) state_held: LogIndex,
    load: Load,
    /// A snapshot on which the log is being rebased, and the write that does it.
    installing: Option<(Ticket, Snapshot)>,
    pub(crate) effects: Vec<Effect>,
}

/// Entries read back from the disk for slow followers, one request at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
        let Recovered { mut hard_state, base, memberships, applied, .. } = recovered;
        if config.has(Mutant::VoteForgotten) {
            hard_state.vote = None;
        }
        let configurations = Configurations::new(memberships);
        let (quorum_since, membership) = configurations.in_force();
        let last = recovered.last;
        // Of a log that damage may have cut, nobody knows.
        let known = configurations.oldest().min(last.index);
        let committed = if recovered.restriction.is_none() { known } else { LogIndex::ZERO };
        Self {
            quorum: Quorum::new(membership, &config),
            quorum_since: Some(*quorum_since),
            config,
            now: 0,
            clock_ns: None,
            is_clock_doubted: false,
            is_asked_for: false,
            is_clock_fresh: false,
            heard_at: None,
            hard_state,
            configurations,
            restriction: recovered.restriction,
            started_in: hard_state.term,
            log: Log::new(base, recovered.term_starts, last, recovered.tail),
            durability: Durability::new(last.index),
            commit: applied.max(base.index).max(committed),
            handed: applied,
            applied,
            state_held: LogIndex::ZERO,
            load: Load::Idle,
            installing: None,
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

    /// The membership in force.
    pub(crate) fn membership(&self) -> &Membership {
        &self.in_force().1
    }

    /// Index of the entry that brought the membership in force.
    pub(crate) fn membership_index(&self) -> LogIndex {
        self.in_force().0
    }

    fn in_force(&self) -> &(LogIndex, Membership) {
        if self.has(Mutant::MembershipAtApply)
            && let Some(applied) = self.configurations.at(self.applied)
        {
            return applied;
        }
        self.configurations.in_force()
    }

    /// Whether the newest membership is committed and not on the way to another.
    pub(crate) fn is_membership_settled(&self) -> bool {
        let (since, membership) = self.configurations.in_force();
        *since <= self.commit && !membership.is_joint()
    }

    /// Whether this member may give its vote, as far as its own past goes. It may have promised a
    /// leader to wait before its start; a transfer is that leader's own wish.
    pub(crate) fn may_vote(&self, is_transfer: bool) -> bool {
        let waits = self.config.waits_at_start && self.now < self.config.election_ticks_min;
        self.restriction.is_none() && (is_transfer || !waits)
    }

    /// See [`Raft::forget_time`](crate::Raft::forget_time).
    #[cfg(any(test, feature = "search"))]
    pub(crate) fn forget_time(&mut self) {
        (self.now, self.heard_at) = (0, None);
        if let Load::Resting { until } = &mut self.load {
            *until = 0;
        }
        if let Some((ticket, _)) = &mut self.installing {
            *ticket = self.durability.shifted(*ticket);
        }
        self.durability.forget_time();
    }

    /// A leader has just spoken.
    pub(crate) fn on_leader_heard(&mut self) {
        self.heard_at = Some(self.now);
        self.is_asked_for = false;
    }

    /// A candidate asked whose log is older than this one, while no leader is known. If this is a
    /// learner here, the candidate holds an entry that makes it a voter, and nobody who has that
    /// entry can win without this vote: a learner that only waited could keep the group without a
    /// leader for ever, although one voter of three is lost. It campaigns among the voters that its
    /// own log names, so it wins only where any leader might; it leads until its log is committed
    /// and then names one of them. Whoever hears a leader refuses it like everybody else.
    pub(crate) fn on_asked_by_older(&mut self) {
        self.is_asked_for = self.membership().learners().contains_key(&self.id());
    }

    /// Whether a leader spoke so lately that it may still count on not being replaced. That holds
    /// in newer terms too: an answer to an old question can bring one, and the leader's lease
    /// would end for nothing.
    pub(crate) fn has_heard_leader(&self) -> bool {
        self.heard_at.is_some_and(|heard| self.now - heard < self.config.election_ticks_min)
    }

    /// Whether the state machine holds what the log begins behind, or will once it has applied
    /// what was handed to it.
    fn has_state(&self) -> bool {
        self.handed >= self.log.base().index && self.installing.is_none()
    }

    /// Whether this member may campaign: it votes, its disk works, and it has the state that a
    /// leader answers from. A voter that is on its way out, by an entry that is not committed yet,
    /// may still be needed: perhaps no one else holds that entry (thesis 4.2.2). So may a learner
    /// that a candidate with an older log asks for its vote: [`Self::on_asked_by_older`].
    pub(crate) fn may_campaign(&self) -> bool {
        let is_leaving = self.configurations.is_voter_since(self.commit, self.id());
        // Without a state it could commit and never apply.
        let has_state = self.handed >= self.log.base().index;
        (self.quorum.contains(self.id()) || is_leaving || self.is_asked_for)
            && has_state
            && self.restriction.is_none()
            && self.has_state()
            && self.durability.stalled_ticks(self.now) < self.config.disk_patience_ticks
    }

    /// What a snapshot of the state at `index` is of, if it is applied and still known. Who was
    /// never told who the group is has nothing of it: its empty log is no beginning of the group's.
    pub(crate) fn snapshot_at(&self, index: LogIndex) -> Option<Snapshot> {
        let last = self.log.id_at(index).filter(|last| last.index <= self.applied)?;
        let (membership_index, membership) = self.configurations.at(index)?.clone();
        (!membership.voters().is_empty()).then_some(Snapshot { last, membership_index, membership })
    }

    /// Notes the shell's clock.
    pub(crate) fn on_clock_read(&mut self, at_ns: u64) {
        self.is_clock_doubted |= self.clock_ns.is_some_and(|before| at_ns < before);
        self.clock_ns = Some(at_ns);
        self.is_clock_fresh = true;
    }

    /// Adds an entry to the log; a membership is in force at once.
    #[inline]
    pub(crate) fn append(&mut self, entry: Entry) {
        if let Payload::Membership(membership) = &entry.payload {
            self.configurations.push(entry.id.index, (**membership).clone());
        }
        self.log.append(entry);
    }

    /// Makes the quorum follow the membership in force; whether it had to change.
    pub(crate) fn refresh_quorum(&mut self) -> bool {
        let (since, membership) = self.in_force();
        if Some(*since) == self.quorum_since {
            return false;
        }
        let (index, membership) = (*since, membership.clone());
        self.quorum = Quorum::new(&membership, &self.config);
        self.quorum_since = Some(index);
        self.effects.push(Effect::MembershipChanged { index, membership });
        true
    }

    /// Checks that who decides is who the membership in force names.
    ///
    /// # Panics
    /// When it is another.
    #[cfg(any(test, feature = "mutants"))]
    pub(crate) fn check_quorum(&self) {
        let is_right = self.quorum.is_of(self.membership(), &self.config);
        assert!(is_right, "the quorum is not of the membership in force");
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
    #[inline]
    pub(crate) fn send(&mut self, to: MemberId, body: Body) {
        self.send_after(self.durability.hard_state_ticket(), to, body);
    }

    /// Sends `body` as soon as the log is durable through `index`, and term and vote too.
    pub(crate) fn send_covering(&mut self, index: LogIndex, to: MemberId, body: Body) {
        self.send_after(self.durability.ticket_covering(index), to, body);
    }

    /// Sends `body` now: only for what promises nothing.
    #[inline]
    pub(crate) fn send_now(&mut self, to: MemberId, body: Body) {
        let message = Message { term: self.term(), body };
        self.effects.push(Effect::Send { to, message });
    }

    #[inline]
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
        if self.has(Mutant::LastIndexOnly) {
            return last.index >= self.log.last().index;
        }
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
        if self.configurations.truncate(from) {
            self.quorum_since = None;
        }
        self.durability.on_truncated(from);
    }

    /// The shell wants the log through `through` gone.
    pub(crate) fn on_log_cut_requested(&mut self, through: LogIndex) {
        if through <= self.log.base().index || self.installing.is_some() {
            return;
        }
        assert!(
            through <= self.applied && through <= self.durability.durable(),
            "the log is to be cut through {through}, applied is {}",
            self.applied
        );
        self.log.cut(through);
        self.durability.on_cut(Rebase::Cut { base: self.log.base() });
    }

    /// A snapshot came in: the log is rebased on it, unless it tells nothing new.
    pub(crate) fn on_snapshot_received(&mut self, snapshot: Snapshot) {
        let last = snapshot.last;
        if self.installing.is_some()
            || last.index < self.log.base().index
            || (self.has_state() && last.index <= self.commit)
        {
            return self.effects.push(Effect::SnapshotRefused { snapshot });
        }
        let keeps_log = self.log.id_at(last.index) == Some(last)
            || (self.has(Mutant::SnapshotKeepsConflict) && last.index <= self.log.last().index);
        let rebase = Rebase::Snapshot { base: last, keeps_log };
        if keeps_log {
            self.log.cut(last.index);
            self.durability.on_cut(rebase);
        } else {
            let kept = self.commit.min(self.durability.durable());
            self.log.reset(last);
            self.durability.on_reset(last.index, kept, rebase);
        }
        let (since, membership) = (snapshot.membership_index, snapshot.membership.clone());
        self.configurations.rebase(last.index, since, membership, keeps_log);
        self.quorum_since = None;
        self.commit = self.commit.max(last.index);
        self.installing = Some((self.durability.next_ticket(), snapshot));
    }

    /// Entries that a damaged log lacks came from a peer that holds what is owed. What lies behind
    /// that is the leader's business.
    pub(crate) fn on_refilled(&mut self, entries: Vec<Entry>) {
        let Some(Restriction::Owes(owed)) = self.restriction else { return };
        for entry in entries {
            let last = self.log.last();
            let follows = entry.id.index == last.index.next() && entry.id.term >= last.term;
            if follows && entry.id <= owed && entry.id.index <= owed.index {
                self.append(entry);
            }
        }
    }

    /// Lifts the restriction once its reason is gone. Then the log again holds every entry that
    /// this member may have helped to commit, so what the state machine held is committed *in this
    /// log*. Whoever did not say so could lead with a log that begins behind what the others need
    /// and a state that is ahead of what it may call committed: it could send neither.
    fn review_restriction(&mut self) {
        let durable_through = |index| self.durability.durable() >= index;
        let is_over = match self.restriction {
            None | Some(Restriction::Founding) => return,
            Some(Restriction::Owes(owed)) => {
                self.log.last() >= owed && durable_through(self.log.last().index)
            }
            Some(Restriction::OwesUnknown) => {
                let committed = self.log.id_at(self.commit).map(|id| id.term);
                committed.is_some_and(|term| term > self.started_in) && durable_through(self.commit)
            }
        };
        if is_over {
            self.restriction = None;
            self.advance_commit(self.state_held);
        }
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
        for held in self.durability.on_persisted(ticket) {
            self.effects.push(Effect::Send { to: held.to, message: held.message });
        }
        if let Some((_, snapshot)) = self.installing.take_if(|(rebased, _)| *rebased <= ticket) {
            self.handed = self.handed.max(snapshot.last.index);
            self.effects.push(Effect::InstallSnapshot { snapshot });
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
        self.configurations.forget_below(self.applied);
    }

    /// Orders what the step left to do: first the write, so that the disk starts at once, then
    /// what the step sent, then what may be applied.
    pub(crate) fn flush(&mut self) {
        let last = self.log.last().index;
        let pending = self.durability.pending(last);
        if pending.is_some() || self.configurations.is_dirty() {
            let entries = self.log.slice(pending.unwrap_or(last.next()), last, u64::MAX);
            let memberships = self.configurations.take_changes();
            let durability = &mut self.durability;
            let persist = durability.issue(self.now, self.hard_state, memberships, entries, last);
            self.effects.insert(0, Effect::Persist(persist));
        }
        self.review_restriction();
        self.hand_out();
        let settled = self.applied.min(self.durability.durable());
        self.log.evict(settled, self.config.cache_bytes);
    }

    fn hand_out(&mut self) {
        let through = self.commit.min(self.durability.durable());
        let waiting = self.log.bytes_between(self.applied, self.handed);
        let budget = self.config.apply_bytes_max.saturating_sub(waiting);
        if self.handed >= through || budget == 0 || !self.has_state() {
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
