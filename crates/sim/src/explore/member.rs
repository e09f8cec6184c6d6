//! One member with its disk, and what it makes of one event. Everything that can be checked by
//! looking at one member alone is checked here.

use super::intern::hash_of;
use base::Machine;
use raft::{
    Body, Config, Effect, Entry, HardState, Input, LogId, LogIndex, MemberId, Membership, Message,
    Payload, Persist, Raft, Rebase, Recovered, RoleName, Snapshot, Status, Ticket,
};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// `Err` names the broken promise.
pub(super) type Check = Result<(), String>;

macro_rules! ensure {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err(format!($($words)+));
        }
    };
}
pub(super) use ensure;

/// Something under way from one member to another.
#[derive(Clone, Debug, Hash)]
pub(super) struct Packet {
    pub(super) from: MemberId,
    pub(super) to: MemberId,
    pub(super) load: Load,
}

/// See [`Packet`].
#[derive(Clone, Debug, Hash)]
pub(super) enum Load {
    Message(Message),
    Snapshot(Snapshot),
}

impl Packet {
    /// Whether its receiver, which is as in `view`, will never heed it: an answer of a term that is
    /// over there, or to a candidate or leader that is none any more in the term of the answer (and
    /// never will be again). The receiver's term is durable, so a crash does not bring it back.
    pub(super) fn is_void(&self, view: &View) -> bool {
        let Load::Message(message) = &self.load else { return false };
        let term = message.term.get() as u32;
        let is_over = |role| term < view.disk_term || term == view.disk_term && view.role != role;
        match message.body {
            Body::VoteReply { .. } => is_over(RoleName::Candidate),
            Body::AppendAccepted { .. }
            | Body::AppendRejected { .. }
            | Body::HeartbeatReply { .. } => {
                is_over(RoleName::Leader) && view.role != RoleName::Candidate
            }
            Body::NewerTerm => term <= view.disk_term,
            Body::TimeoutNow => term < view.disk_term,
            _ => false,
        }
    }
}

/// A log as an outsider keeps it.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Shadow {
    base: LogId,
    entries: Vec<Entry>,
}

impl Shadow {
    fn last(&self) -> LogId {
        self.entries.last().map_or(self.base, |entry| entry.id)
    }

    fn get(&self, index: LogIndex) -> Option<&Entry> {
        let offset = index.get().checked_sub(self.base.index.get() + 1)?;
        self.entries.get(offset as usize)
    }

    fn carry_out(&mut self, persist: &Persist) {
        if let Some(rebase) = persist.rebase {
            let (base, keeps_log) = match rebase {
                Rebase::Cut { base } => (base, true),
                Rebase::Snapshot { base, keeps_log } => (base, keeps_log),
            };
            self.entries.retain(|entry| keeps_log && entry.id.index > base.index);
            self.base = base;
        }
        if let Some(from) = persist.truncate_from {
            self.entries.retain(|entry| entry.id.index < from);
        }
        self.entries.extend(persist.entries.iter().cloned());
    }

    fn memberships(&self) -> impl DoubleEndedIterator<Item = (LogIndex, &Membership)> {
        self.entries.iter().filter_map(|entry| match &entry.payload {
            Payload::Membership(membership) => Some((entry.id.index, membership.as_ref())),
            Payload::Empty | Payload::Data(_) => None,
        })
    }

    fn view(&self) -> LogView {
        let entries = self.entries.iter().map(|entry| Seen {
            term: entry.id.term.get() as u32,
            hash: hash_of(&entry.payload),
            membership: match &entry.payload {
                Payload::Membership(membership) => Some(Sets::of(membership)),
                Payload::Empty | Payload::Data(_) => None,
            },
        });
        let base = (self.base.term.get() as u32, self.base.index.get() as usize);
        LogView { base, entries: entries.collect() }
    }
}

/// An entry as far as checks need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    pub(super) term: u32,
    pub(super) hash: u64,
    pub(super) membership: Option<Sets>,
}

/// The sets of voters of a membership, as bits, and a hash of all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sets {
    pub(super) incoming: u32,
    pub(super) outgoing: u32,
    pub(super) hash: u64,
}

impl Sets {
    pub(super) fn of(membership: &Membership) -> Self {
        let bits = |ids: &std::collections::BTreeSet<MemberId>| {
            ids.iter().fold(0, |bits, id| bits | 1 << id.get())
        };
        let (incoming, outgoing) = (bits(membership.voters()), bits(membership.outgoing()));
        Self { incoming, outgoing, hash: hash_of(membership) }
    }
}

/// A log as far as checks need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogView {
    /// Term and index.
    pub(super) base: (u32, usize),
    pub(super) entries: Vec<Seen>,
}

impl LogView {
    pub(super) fn last_index(&self) -> usize {
        self.base.1 + self.entries.len()
    }

    /// The entry at `index`; `None` at and below the base and beyond the end.
    pub(super) fn get(&self, index: usize) -> Option<&Seen> {
        self.entries.get(index.checked_sub(self.base.1 + 1)?)
    }
}

/// What the world sees of a member.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) role: RoleName,
    pub(super) term: u32,
    pub(super) commit: usize,
    /// In memory, and on the disk.
    pub(super) log: LogView,
    pub(super) disk: LogView,
    pub(super) disk_term: u32,
    /// What it takes others to hold, if it leads.
    pub(super) matched: Vec<(MemberId, usize)>,
    pub(super) unfinished: usize,
    pub(super) applied: usize,
}

/// A member between two events.
#[derive(Clone, Debug)]
pub(super) struct Member {
    config: Config,
    raft: Raft,
    hard_state: HardState,
    /// The newest that was ordered to be written.
    ordered: HardState,
    disk: Shadow,
    log: Shadow,
    memberships: Vec<(LogIndex, Membership)>,
    unfinished: VecDeque<Persist>,
    applied: LogIndex,
}

impl Hash for Member {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raft.hash(state);
        self.hard_state.hash(state);
        self.ordered.hash(state);
        self.disk.hash(state);
        self.memberships.hash(state);
        self.unfinished.hash(state);
        self.applied.hash(state);
    }
}

/// What one event brought about.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) sent: Vec<Packet>,
    /// Reads served: which, and at what index.
    pub(super) reads: Vec<(u32, u32)>,
    /// A snapshot came in, and the member is based on it now.
    pub(super) is_installed: bool,
}

impl Member {
    pub(super) fn new(config: Config, membership: Membership) -> Self {
        let recovered = Recovered::empty(membership.clone());
        let mut raft = Raft::new(config.clone(), recovered).expect("a sound start");
        raft.forget_time();
        Self {
            config,
            raft,
            hard_state: HardState::default(),
            ordered: HardState::default(),
            disk: Shadow::default(),
            log: Shadow::default(),
            memberships: vec![(LogIndex::ZERO, membership)],
            unfinished: VecDeque::new(),
            applied: LogIndex::ZERO,
        }
    }

    pub(super) fn view(&self) -> View {
        let status = self.raft.status();
        let peers = status.peers.iter();
        View {
            role: status.role,
            term: status.term.get() as u32,
            commit: status.commit.get() as usize,
            log: self.log.view(),
            disk: self.disk.view(),
            disk_term: self.hard_state.term.get() as u32,
            matched: peers.map(|(id, peer)| (*id, peer.matched.get() as usize)).collect(),
            unfinished: self.unfinished.len(),
            applied: self.applied.get() as usize,
        }
    }

    /// Whom it voted for, durable or not.
    pub(super) fn vote(&self) -> Option<MemberId> {
        self.ordered.vote
    }

    /// The log in memory.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.log.entries
    }

    pub(super) fn status(&self) -> Status {
        self.raft.status()
    }

    /// Takes `inputs` one after the other, and with each what follows from it at once: applying,
    /// and writing, unless that takes time.
    pub(super) fn take(
        &mut self,
        input: Input,
        is_disk_slow: bool,
        outcome: &mut Outcome,
    ) -> Check {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.step(input, &mut inputs, outcome)?;
            if !is_disk_slow && inputs.is_empty() && !self.unfinished.is_empty() {
                inputs.push_back(self.finish_one());
            }
        }
        Ok(())
    }

    /// The oldest unfinished write is durable.
    pub(super) fn finish_one(&mut self) -> Input {
        let persist = self.unfinished.pop_front().expect("a write is unfinished");
        self.hard_state = persist.hard_state.unwrap_or(self.hard_state);
        self.disk.carry_out(&persist);
        let before = std::mem::take(&mut self.memberships);
        self.memberships = persist.memberships.unwrap_or(before);
        // The member counts unfinished writes from 1.
        self.raft.forget_time();
        Input::Persisted { ticket: Ticket::new(1) }
    }

    /// Stops, loses what is not durable, starts again.
    pub(super) fn restart(&mut self) -> Check {
        let mut term_starts: Vec<LogId> = Vec::new();
        for entry in &self.disk.entries {
            if term_starts.last().is_none_or(|start| start.term < entry.id.term) {
                term_starts.push(entry.id);
            }
        }
        let recovered = Recovered {
            hard_state: self.hard_state,
            base: self.disk.base,
            memberships: self.memberships.clone(),
            applied: self.disk.base.index,
            term_starts,
            last: self.disk.last(),
            tail: self.disk.entries.clone(),
            restriction: None,
        };
        let raft = Raft::new(self.config.clone(), recovered);
        self.raft = raft.map_err(|why| format!("a restart fails: {why}"))?;
        self.log = self.disk.clone();
        self.ordered = self.hard_state;
        self.unfinished.clear();
        self.applied = self.disk.base.index;
        Ok(())
    }

    pub(super) fn forget_time(&mut self) {
        self.raft.forget_time();
    }

    fn step(&mut self, input: Input, inputs: &mut VecDeque<Input>, outcome: &mut Outcome) -> Check {
        let is_question = matches!(
            &input,
            Input::Received { message: Message { body: Body::PreVoteRequest { .. }, .. }, .. }
        );
        let before = self.raft.status();
        let effects = self.raft.step(input);
        let after = self.raft.status();
        ensure!(
            !is_question || (before.term, before.role) == (after.term, after.role),
            "R11: a pre-vote changes member {}",
            after.id
        );
        for effect in effects {
            self.on_effect(effect, (&before, &after), inputs, outcome)?;
        }
        let in_log = self.log.memberships().next_back();
        ensure!(
            in_log.is_none_or(|(_, membership)| *membership == after.membership),
            "R9: member {} follows {}, the newest in its log is {:?}",
            after.id,
            after.membership,
            in_log.map(|(_, membership)| membership.to_string())
        );
        Ok(())
    }

    fn on_effect(
        &mut self,
        effect: Effect,
        (before, after): (&Status, &Status),
        inputs: &mut VecDeque<Input>,
        outcome: &mut Outcome,
    ) -> Check {
        let id = self.config.id;
        match effect {
            Effect::Persist(persist) => self.on_persist(persist, before, after)?,
            Effect::Send { to, message } => {
                self.check_promise(to, &message)?;
                outcome.sent.push(Packet { from: id, to, load: Load::Message(message) });
            }
            Effect::Apply { entries } => {
                for entry in entries.iter() {
                    let follows = entry.id.index == self.applied.next();
                    ensure!(follows, "R5: member {id} skips or repeats {}", entry.id);
                    let is_durable = self.disk.get(entry.id.index) == Some(entry);
                    ensure!(is_durable, "R6: member {id} applies {}, not durable", entry.id);
                    self.applied = entry.id.index;
                }
                inputs.push_back(Input::Applied { through: self.applied });
            }
            Effect::InstallSnapshot { snapshot } => {
                let is_durable = self.disk.base.index >= snapshot.last.index;
                ensure!(is_durable, "R12: member {id} installs {} too early", snapshot.last);
                self.applied = self.applied.max(snapshot.last.index);
                inputs.push_back(Input::Applied { through: self.applied });
            }
            Effect::SendSnapshot { to } => match self.raft.snapshot_at(self.applied) {
                Some(snapshot) => {
                    outcome.sent.push(Packet { from: id, to, load: Load::Snapshot(snapshot) });
                }
                None => inputs.push_back(Input::SnapshotSent { to, installed: None }),
            },
            Effect::ReadReady { read, index } => {
                outcome.reads.push((read.get() as u32, index.get() as u32));
            }
            Effect::Load { .. } => inputs.push_back(Input::Loaded { entries: Vec::new() }),
            _ => {}
        }
        Ok(())
    }

    fn on_persist(&mut self, persist: Persist, before: &Status, after: &Status) -> Check {
        let id = self.config.id;
        let leads = after.role == RoleName::Leader;
        ensure!(!leads || persist.truncate_from.is_none(), "R2: leader {id} cuts its own log");
        if let Some(next) = persist.hard_state {
            let last = self.ordered;
            ensure!(next.term >= last.term, "R8: the term of member {id} goes back");
            ensure!(
                next.term > last.term || last.vote.is_none() || next.vote == last.vote,
                "R7: member {id} voted for {:?} in term {} and votes for {:?} now",
                last.vote,
                last.term,
                next.vote
            );
            self.ordered = next;
        }
        if leads && before.role == RoleName::Leader {
            self.check_changes(&persist, after)?;
        }
        self.log.carry_out(&persist);
        let ends_well = self.log.last() == after.last;
        ensure!(ends_well, "member {id} has not ordered all of its log written");
        self.unfinished.push_back(Persist { ticket: Ticket::new(0), ..persist });
        Ok(())
    }

    /// R9: a leader changes the membership when the one before is committed and not joint (or
    /// leaves the joint one), and something of its own term is committed.
    fn check_changes(&self, persist: &Persist, after: &Status) -> Check {
        let id = self.config.id;
        let mut earlier = self.log.memberships().map(|(index, _)| index).collect::<Vec<_>>();
        for entry in persist.entries.iter() {
            let Payload::Membership(next) = &entry.payload else { continue };
            let open = earlier.iter().find(|index| **index > after.commit);
            ensure!(open.is_none(), "R9: leader {id} changes to {next} while {open:?} is open");
            let committed = self.log.get(after.commit).map_or(LogId::ZERO, |entry| entry.id);
            let is_ready = committed.term == entry.id.term || self.log.base == committed;
            ensure!(is_ready, "R9: leader {id} changes to {next} before its first commit");
            earlier.push(entry.id.index);
        }
        Ok(())
    }

    /// R7: whatever a message promises is durable when it leaves.
    fn check_promise(&self, to: MemberId, message: &Message) -> Check {
        let id = self.config.id;
        let durable = self.hard_state;
        ensure!(
            durable.term >= message.term,
            "R7: member {id} speaks in term {}, its disk knows {durable:?}",
            message.term
        );
        match &message.body {
            Body::VoteReply { granted: true } => {
                let promised = HardState { term: message.term, vote: Some(to) };
                ensure!(durable == promised, "R7: member {id} votes for {to}, not durably");
            }
            Body::AppendAccepted { matched } | Body::HeartbeatReply { matched, .. } => {
                let from = self.disk.base.index.max(self.log.base.index).get() + 1;
                let is_held = self.disk.last().index >= *matched
                    && (from..=matched.get()).all(|index| {
                        self.disk.get(index.into()).map(|entry| entry.id)
                            == self.log.get(index.into()).map(|entry| entry.id)
                    });
                ensure!(is_held, "R7: member {id} acknowledges {matched}, not durable");
            }
            _ => {}
        }
        Ok(())
    }
}
