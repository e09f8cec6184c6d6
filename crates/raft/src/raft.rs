//! One member of the group: takes a fact, finds the role that it concerns, changes roles.
//!
//! The rules about terms are here, since they hold in every role (Raft paper 5.1): a newer term in
//! a message is adopted and makes a follower; a message of an older term has no effect.

use crate::config::{Config, ConfigError, Recovered};
use crate::core::Core;
use crate::invariants::Watermarks;
use crate::message::{Body, Message};
use crate::mutant::Mutant;
use crate::read::Reader;
use crate::role::{Candidate, Follower, Leader, Next, PreCandidate, Role};
use crate::{
    Aborted, ChangeRefused, ChangeStep, Effect, Entry, Input, LogId, LogIndex, MemberId,
    Membership, ReadId, Refused, Restriction, RoleName, Snapshot, Status, Term, TransferFailed,
};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use base::Machine;
use bytes::Bytes;

/// One member of the group. See the crate's description.
#[derive(Clone, Debug, Hash)]
pub struct Raft {
    pub(crate) core: Core,
    pub(crate) role: Role,
}

impl Machine for Raft {
    type Event = Input;
    type Effect = Effect;

    /// Takes one fact and returns the orders that follow.
    ///
    /// # Panics
    /// When an invariant is broken: the shell reports what was never ordered, or another member
    /// proves that the group has diverged. Going on would do more harm.
    fn step(&mut self, event: Input) -> Vec<Effect> {
        let before = Watermarks::of(&self.core);
        let outside = self.outside();
        let is_clock = matches!(event, Input::ClockRead { .. });
        let next = self.dispatch(event);
        self.settle(next);
        let after = self.outside();
        if after != outside {
            let (role, term, leader) = after;
            self.core.effects.push(Effect::RoleChanged { role, term, leader });
        }
        self.core.flush();
        self.core.is_clock_fresh &= is_clock;
        before.check(&self.core, &self.role);
        core::mem::take(&mut self.core.effects)
    }
}

impl Raft {
    /// A member as it was left on the disk: a follower without a leader.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration makes no sense or what was recovered contradicts
    /// itself.
    pub fn new(config: Config, recovered: Recovered) -> Result<Self, ConfigError> {
        config.check()?;
        recovered.check()?;
        let core = Core::new(config, recovered);
        let role = Role::Follower(Follower::new(&core, None));
        Ok(Self { core, role })
    }

    /// A look at this member.
    pub fn status(&self) -> Status {
        let (role, term, leader) = self.outside();
        let core = &self.core;
        let (peers, transfer_to) = match &self.role {
            Role::Leader(leader) => (leader.status(core.now), leader.transfer_to()),
            _ => (BTreeMap::new(), None),
        };
        Status {
            id: core.id(),
            role,
            term,
            leader,
            commit: core.commit,
            applied: core.applied,
            base: core.log.base(),
            last: core.log.last(),
            persisted: core.durability.durable(),
            membership_index: core.membership_index(),
            membership: core.membership().clone(),
            restriction: core.restriction,
            disk_stalled_ticks: core.durability.stalled_ticks(core.now),
            transfer_to,
            peers,
        }
    }

    /// The state machine holds everything up to `through`, although damage took the end of the log
    /// before that: so much is committed. To be told before the first step.
    pub fn note_state_held(&mut self, through: LogIndex) {
        self.core.state_held = through;
    }

    /// The leader of `term` has said, in answer to a question asked in *this* process life, that
    /// its log ends with `last`. A member that does not know what it owes
    /// ([`Restriction::OwesUnknown`]) and is in that term owes just that from now on.
    ///
    /// # Why that is enough
    /// What the member may have promised before the damage is of two kinds. *Votes*: term and vote
    /// are not in doubt, or it would not have started. *Acknowledged entries* that it helped to
    /// commit, now or later by an acknowledgement still on its way. They are of terms up to
    /// `term`, which is at least the one that is on its disk:
    /// * of earlier terms: the leader was elected by members that had not lost what they owed when
    ///   they voted (this one has not voted since), so its log held every entry that is or will be
    ///   committed in an earlier term (Leader Completeness, thesis 3.6.3);
    /// * of `term` itself: only this leader made such entries, and it never drops one while it
    ///   leads. It answered after this process began, hence after every acknowledgement given
    ///   before; so they all lie at or before `last`. Its commit index would not do, since it may
    ///   still count such an acknowledgement for an entry that is not committed yet; nor would what
    ///   its own disk holds, since an entry may be durable here before it is there.
    ///
    /// Once the log is at least as up to date as `last`, it equals the leader's up to there (Log
    /// Matching) or is of a newer leader, whose log held it if it was committed. A leader that has
    /// been deposed meanwhile without knowing it makes no difference: what this member promised was
    /// promised to leaders of terms up to its own.
    pub fn learn_owed(&mut self, term: Term, last: LogId) {
        let is_leaders = term == self.core.term() && last.term == term;
        if is_leaders && self.core.restriction == Some(Restriction::OwesUnknown) {
            self.core.restriction = Some(Restriction::Owes(last));
        }
    }

    /// Brings `seen`, an earlier look at this same member, up to date; false if nothing but the
    /// age of its oldest write and the silences of its peers has changed. What rarely changes is
    /// not copied again, so that one may look after every step.
    pub fn refresh(&self, seen: &mut Status) -> bool {
        let (role, term, leader) = self.outside();
        let core = &self.core;
        seen.disk_stalled_ticks = core.durability.stalled_ticks(core.now);
        // Another membership at the same index needs a cut, and then the log ends elsewhere.
        let is_same_log = seen.base == core.log.base()
            && seen.last.term == core.log.last().term
            && seen.last.index <= core.log.last().index;
        if !is_same_log || seen.membership_index != core.membership_index() {
            seen.membership.clone_from(core.membership());
        }
        let transfer_to = match &self.role {
            Role::Leader(leader) => leader.transfer_to(),
            _ => None,
        };
        let mut is_new = update(&mut seen.role, role);
        is_new |= update(&mut seen.term, term);
        is_new |= update(&mut seen.leader, leader);
        is_new |= update(&mut seen.commit, core.commit);
        is_new |= update(&mut seen.applied, core.applied);
        is_new |= update(&mut seen.base, core.log.base());
        is_new |= update(&mut seen.last, core.log.last());
        is_new |= update(&mut seen.persisted, core.durability.durable());
        is_new |= update(&mut seen.membership_index, core.membership_index());
        is_new |= update(&mut seen.restriction, core.restriction);
        is_new |= update(&mut seen.transfer_to, transfer_to);
        match &self.role {
            Role::Leader(leader) => is_new | leader.refresh(core.now, &mut seen.peers),
            _ => is_new | update(&mut seen.peers, BTreeMap::new()),
        }
    }

    /// Why it does not vote, although it may have a vote.
    pub fn restriction(&self) -> Option<Restriction> {
        self.core.restriction
    }

    /// The membership in force.
    pub fn membership(&self) -> &Membership {
        self.core.membership()
    }

    /// Index of the entry that brought the membership in force.
    pub fn membership_index(&self) -> LogIndex {
        self.core.membership_index()
    }

    /// Everything up to here is committed.
    pub fn commit(&self) -> LogIndex {
        self.core.commit
    }

    /// The last entry before the log begins.
    pub fn base(&self) -> LogId {
        self.core.log.base()
    }

    /// The last entry.
    pub fn last(&self) -> LogId {
        self.core.log.last()
    }

    /// Whether the log holds that entry, as far as it is known without reading the disk.
    pub fn holds(&self, id: LogId) -> bool {
        self.core.log.id_at(id.index) == Some(id)
    }

    /// What a snapshot of the state at `index` is of; `None` if that is not applied yet, or the log
    /// no longer knows it.
    pub fn snapshot_at(&self, index: LogIndex) -> Option<Snapshot> {
        self.core.snapshot_at(index)
    }

    /// Changes roles and draws conclusions until nothing follows any more.
    fn settle(&mut self, mut next: Next) {
        loop {
            while next != Next::Stay {
                next = self.become_next(next);
            }
            let is_changed = self.core.refresh_quorum();
            let Role::Leader(leader) = &mut self.role else { return };
            if is_changed {
                leader.on_membership_changed(&mut self.core);
            }
            let index_before = self.core.membership_index();
            next = leader.settle(&mut self.core);
            if next == Next::Stay && self.core.membership_index() == index_before {
                return;
            }
        }
    }

    fn outside(&self) -> (RoleName, Term, Option<MemberId>) {
        (self.role.name(), self.core.term(), self.role.leader(&self.core))
    }

    fn dispatch(&mut self, event: Input) -> Next {
        match event {
            Input::Ticked { jitter } => return self.on_ticked(jitter),
            Input::Received { from, message } => return self.on_received(from, message),
            Input::Proposed { payloads } => self.on_proposed(payloads),
            Input::ReadRequested { read } => self.on_read_requested(read),
            Input::ClockRead { at_ns } => self.core.on_clock_read(at_ns),
            Input::ChangeRequested { steps } => self.on_change_requested(&steps),
            Input::TransferRequested { to } => self.on_transfer_requested(to),
            Input::SnapshotReceived { snapshot } => self.on_snapshot_received(snapshot),
            Input::SnapshotSent { to, installed } => {
                if let Role::Leader(leader) = &mut self.role {
                    leader.on_snapshot_sent(&mut self.core, to, installed);
                }
            }
            Input::LogCutRequested { through } => self.core.on_log_cut_requested(through),
            Input::Refilled { entries } => self.core.on_refilled(entries),
            Input::Admitted => self.on_admitted(),
            Input::Persisted { ticket } => {
                self.core.on_persisted(ticket);
                if let Role::Candidate(candidate) = &mut self.role {
                    return candidate.on_persisted(&self.core);
                }
            }
            Input::Applied { through } => self.core.on_applied(through),
            Input::Loaded { entries } => self.on_loaded(&entries),
        }
        Next::Stay
    }

    fn on_ticked(&mut self, jitter: u64) -> Next {
        self.core.now += 1;
        match &mut self.role {
            Role::Follower(follower) => follower.on_ticked(&mut self.core, jitter),
            Role::PreCandidate(pre_candidate) => pre_candidate.on_ticked(&self.core, jitter),
            Role::Candidate(candidate) => candidate.on_ticked(&self.core, jitter),
            Role::Leader(leader) => leader.on_ticked(&mut self.core),
        }
    }

    fn on_proposed(&mut self, payloads: Vec<Bytes>) {
        if let Role::Leader(leader) = &mut self.role {
            return leader.on_proposed(&mut self.core, payloads);
        }
        let reason = Refused::NotLeader { leader: self.role.leader(&self.core) };
        self.core.effects.push(Effect::ProposalRefused { payloads, reason });
    }

    fn on_change_requested(&mut self, steps: &[ChangeStep]) {
        if let Role::Leader(leader) = &mut self.role {
            return leader.on_change_requested(&mut self.core, steps);
        }
        let reason = ChangeRefused::NotLeader { leader: self.role.leader(&self.core) };
        self.core.effects.push(Effect::ChangeRefused { reason });
    }

    fn on_transfer_requested(&mut self, to: Option<MemberId>) {
        if let Role::Leader(leader) = &mut self.role {
            return leader.on_transfer_requested(&mut self.core, to);
        }
        let reason = TransferFailed::NotLeader { leader: self.role.leader(&self.core) };
        self.core.effects.push(Effect::TransferFailed { reason });
    }

    /// A snapshot is as good as a message of the term of its last entry: who sent it may have
    /// entered that term since this member asked for it.
    fn on_snapshot_received(&mut self, snapshot: Snapshot) {
        if snapshot.last.term > self.core.term() {
            self.enter_term(snapshot.last.term, None);
        }
        self.core.on_snapshot_received(snapshot);
    }

    fn on_admitted(&mut self) {
        self.core.restriction.take_if(|restriction| *restriction == Restriction::Founding);
    }

    fn on_read_requested(&mut self, read: ReadId) {
        match &mut self.role {
            Role::Leader(leader) => leader.on_read(&mut self.core, Reader::Local(read)),
            Role::Follower(follower) => follower.on_read_requested(&mut self.core, read),
            Role::PreCandidate(_) | Role::Candidate(_) => {
                let reason = Aborted::NoLeader;
                self.core.effects.push(Effect::ReadAborted { read, reason });
            }
        }
    }

    /// Entries that are no longer in the log, or not of it, are of no use: the answer counts as
    /// empty.
    fn on_loaded(&mut self, entries: &[Entry]) {
        let is_ours = |entry: &Entry| self.core.log.id_at(entry.id.index) == Some(entry.id);
        let follows = |pair: &[Entry]| pair[1].id.index == pair[0].id.index.next();
        let is_sound = entries.iter().all(is_ours) && entries.windows(2).all(follows);
        self.core.on_load_answered(entries.is_empty() || !is_sound);
        if let (true, Role::Leader(leader)) = (is_sound, &mut self.role) {
            leader.on_loaded(&mut self.core, entries);
        }
    }

    fn on_received(&mut self, from: MemberId, message: Message) -> Next {
        // A member that may have forgotten a vote must not even acknowledge: the leader could be
        // one that it helped to replace.
        let is_deaf = self.core.restriction == Some(Restriction::Founding)
            && !self.core.has(Mutant::FoundingMemberHeard);
        if from == self.core.id()
            || is_deaf
            || message.check().is_err()
            || self.is_of_no_account(from, &message)
        {
            return Next::Stay;
        }
        let Message { term, body } = message;
        if let Body::PreVoteRequest { last } = body {
            self.on_pre_vote_request(from, term.next(), last);
            return Next::Stay;
        }
        if term < self.core.term() {
            return self.on_older_term(from, body);
        }
        if term > self.core.term() && !self.adopt_term(from, term, &body) {
            return Next::Stay;
        }
        self.on_body(from, body)
    }

    /// Whether the sender is no member and says something that only a member may say, so that its
    /// log is not waited for and its term disturbs nobody. A leader that removed itself goes on to
    /// lead until that is committed. An id that was never used here may belong to a member that
    /// this log does not tell of yet; it may lead or ask for a vote, but who has left may not.
    fn is_of_no_account(&self, from: MemberId, message: &Message) -> bool {
        let membership = self.core.membership();
        if membership.contains(from) || self.core.has(Mutant::RemovedMemberHeard) {
            return false;
        }
        let is_heard = match message.body {
            Body::Append { .. } | Body::Heartbeat { .. } => true,
            Body::PreVoteRequest { .. } | Body::VoteRequest { .. } => !membership.is_gone(from),
            // From who is leaving: what it holds still counts for the old voters' sake, and a
            // leader that has removed itself names its successor and answers reads.
            Body::AppendAccepted { .. }
            | Body::AppendRejected { .. }
            | Body::HeartbeatReply { .. }
            | Body::ReadReply { .. }
            | Body::TimeoutNow => message.term == self.core.term(),
            _ => false,
        };
        !is_heard
    }

    /// Enters the newer term of a message; `false` if the message must be ignored instead.
    fn adopt_term(&mut self, from: MemberId, term: Term, body: &Body) -> bool {
        if let Body::VoteRequest { is_transfer, .. } = *body
            && !self.may_vote(is_transfer)
        {
            return false;
        }
        let leads = matches!(body, Body::Append { .. } | Body::Heartbeat { .. });
        self.enter_term(term, leads.then_some(from));
        true
    }

    fn enter_term(&mut self, term: Term, leader: Option<MemberId>) {
        self.leave_role();
        self.core.enter_term(term);
        self.role = Role::Follower(Follower::new(&self.core, leader));
    }

    /// Whether this member may vote for another now. Only the leader itself can free it from the
    /// promise to wait.
    fn may_vote(&self, is_transfer: bool) -> bool {
        self.core.may_vote(is_transfer) && (is_transfer || !self.role.is_in_lease(&self.core))
    }

    /// The sender is behind. Whoever wants something learns of the newer term; a former leader
    /// must, or a member ahead of all others could never rejoin (thesis 4.2.3, 9.6).
    fn on_older_term(&mut self, from: MemberId, body: Body) -> Next {
        match body {
            Body::Append { .. } | Body::Heartbeat { .. } => self.core.send(from, Body::NewerTerm),
            Body::VoteRequest { .. } => self.core.send(from, Body::VoteReply { granted: false }),
            Body::PreVoteReply { campaign, granted } => {
                return self.on_pre_vote_reply(from, campaign, granted);
            }
            Body::AppendAccepted { .. } if self.core.has(Mutant::StaleAppendReply) => {
                self.on_answer(from, body);
            }
            _ => {}
        }
        Next::Stay
    }

    /// A message of the present term.
    fn on_body(&mut self, from: MemberId, body: Body) -> Next {
        match body {
            Body::PreVoteReply { campaign, granted } => {
                return self.on_pre_vote_reply(from, campaign, granted);
            }
            Body::VoteRequest { last, is_transfer } => {
                self.on_vote_request(from, last, is_transfer);
            }
            Body::VoteReply { granted } => {
                if let Role::Candidate(candidate) = &mut self.role {
                    return candidate.on_reply(&self.core, from, granted);
                }
            }
            Body::Append { .. } | Body::Heartbeat { .. } => {
                let (core, follower) = self.follow(from, &body);
                match body {
                    Body::Append { prev, entries, commit } => {
                        follower.on_append(core, from, prev, entries, commit);
                    }
                    Body::Heartbeat { commit, round } => {
                        follower.on_heartbeat(core, from, commit, round);
                    }
                    _ => {}
                }
            }
            Body::ReadReply { read, incarnation, index } => {
                let is_mine = incarnation == self.core.config.incarnation;
                if let (true, Role::Follower(follower)) = (is_mine, &mut self.role) {
                    follower.on_read_reply(&mut self.core, read, index);
                }
            }
            Body::ReadRequest { read, incarnation } => {
                self.on_read_forwarded(from, read, incarnation);
            }
            Body::AppendAccepted { .. }
            | Body::AppendRejected { .. }
            | Body::HeartbeatReply { .. } => self.on_answer(from, body),
            Body::TimeoutNow => {
                if let Role::Follower(follower) = &self.role
                    && follower.leader() == Some(from)
                {
                    return follower.on_timeout_now(&self.core);
                }
            }
            Body::PreVoteRequest { .. } | Body::NewerTerm => {}
        }
        Next::Stay
    }

    /// What followers answer concerns only a leader.
    fn on_answer(&mut self, from: MemberId, body: Body) {
        let Role::Leader(leader) = &mut self.role else { return };
        let core = &mut self.core;
        leader.on_peer_heard(core, from);
        match body {
            Body::AppendAccepted { matched } => leader.on_accepted(core, from, matched),
            Body::AppendRejected { prev, have, term_start } => {
                leader.on_rejected(core, from, prev, have, term_start);
            }
            Body::HeartbeatReply { round, received, matched, has_lost } => {
                leader.on_heartbeat_reply(core, from, (round, has_lost), received, matched);
            }
            _ => {}
        }
    }

    fn on_read_forwarded(&mut self, member: MemberId, read: ReadId, incarnation: u64) {
        match &mut self.role {
            Role::Leader(leader) => {
                let reader = Reader::Remote { member, read, incarnation };
                leader.on_read(&mut self.core, reader);
            }
            _ => self.core.send(member, Body::ReadReply { read, incarnation, index: None }),
        }
    }

    /// Answers a question that changes nothing: would this member vote for `from` in `campaign`?
    fn on_pre_vote_request(&mut self, from: MemberId, campaign: Term, last: LogId) {
        let is_led =
            self.role.is_in_lease(&self.core) && !self.core.has(Mutant::PreVoteDespiteLeader);
        let is_up_to_date = self.core.is_up_to_date(last);
        if !is_up_to_date && !is_led {
            self.core.on_asked_by_older();
        }
        let granted =
            campaign > self.core.term() && is_up_to_date && self.core.may_vote(false) && !is_led;
        self.core.send(from, Body::PreVoteReply { campaign, granted });
    }

    fn on_pre_vote_reply(&mut self, from: MemberId, campaign: Term, granted: bool) -> Next {
        match &mut self.role {
            Role::PreCandidate(pre_candidate) => {
                pre_candidate.on_reply(&self.core, from, campaign, granted)
            }
            _ => Next::Stay,
        }
    }

    /// Raft paper 5.2 and 5.4.1: one vote a term, for a log that is at least as up to date, and
    /// not while a leader is known or was heard lately.
    fn on_vote_request(&mut self, from: MemberId, last: LogId, is_transfer: bool) {
        let may_vote = self.may_vote(is_transfer);
        let core = &mut self.core;
        let is_free = core.vote().is_none_or(|earlier| earlier == from);
        let is_led = self.role.leader(core).is_some_and(|leader| leader != from);
        let granted = is_free && !is_led && may_vote && core.is_up_to_date(last);
        if granted {
            core.give_vote(from);
            match &mut self.role {
                Role::Follower(follower) => follower.on_vote_given(core),
                _ => self.become_follower(None),
            }
        }
        let answer = Body::VoteReply { granted };
        if self.core.has(Mutant::VoteNotPersisted) {
            self.core.send_now(from, answer);
        } else {
            self.core.send(from, answer);
        }
    }

    /// Makes this member a follower of `leader`, which spoke as the leader of this term.
    fn follow(&mut self, leader: MemberId, body: &Body) -> (&mut Core, &mut Follower) {
        let core_term = self.core.term();
        match &self.role {
            Role::Follower(_) => {}
            Role::Leader(_) => panic!("member {leader} claims term {core_term}, which is mine"),
            Role::PreCandidate(_) | Role::Candidate(_) => self.become_follower(Some(leader)),
        }
        match &mut self.role {
            Role::Follower(follower) => {
                follower.on_leader_heard(&mut self.core, leader, body);
                (&mut self.core, follower)
            }
            _ => unreachable!("every other role became a follower"),
        }
    }

    fn become_next(&mut self, next: Next) -> Next {
        match next {
            Next::Stay => Next::Stay,
            Next::Follow { leader } => {
                self.become_follower(leader);
                Next::Stay
            }
            Next::PreCampaign => self.become_pre_candidate(),
            Next::Campaign { is_transfer } => self.become_candidate(is_transfer),
            Next::Lead => self.become_leader(),
        }
    }

    fn become_follower(&mut self, leader: Option<MemberId>) {
        self.leave_role();
        self.role = Role::Follower(Follower::new(&self.core, leader));
    }

    fn become_pre_candidate(&mut self) -> Next {
        self.leave_role();
        let (pre_candidate, next) = PreCandidate::begin(&mut self.core);
        self.role = Role::PreCandidate(pre_candidate);
        next
    }

    fn become_candidate(&mut self, is_transfer: bool) -> Next {
        self.leave_role();
        self.role = Role::Candidate(Candidate::begin(&mut self.core, is_transfer));
        Next::Stay
    }

    fn become_leader(&mut self) -> Next {
        self.leave_role();
        self.role = Role::Leader(Leader::begin(&mut self.core));
        Next::Stay
    }

    /// Ends what the present role has begun; a role is set right after.
    fn leave_role(&mut self) {
        let idle = Role::Follower(Follower::new(&self.core, None));
        match core::mem::replace(&mut self.role, idle) {
            Role::Follower(follower) => follower.on_left(&mut self.core),
            Role::Leader(leader) => leader.on_left(&mut self.core),
            Role::PreCandidate(_) | Role::Candidate(_) => {}
        }
    }
}

/// Whether `slot` held another value before.
fn update<T: PartialEq>(slot: &mut T, value: T) -> bool {
    let is_new = *slot != value;
    if is_new {
        *slot = value;
    }
    is_new
}
