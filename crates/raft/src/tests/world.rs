//! The members, their disks and the network between them; one random event after another.

use super::shadow::{Delivery, Shadow, membership_in};
use super::truth::{Check, Truth, ensure};
use crate::{
    Body, ChangeRefused, ChangeStep, Config, Effect, Entries, Entry, HardState, Input, LogIndex,
    MemberId, Membership, Message, Mutant, Persist, Plan, Raft, ReadId, Recovered, Refused,
    Restriction, RoleName, Status, Ticket,
};
use base::{Machine, Prng};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::format;
use std::string::String;
use std::vec::Vec;

/// Events in the faulty part of a run.
const EVENTS: u64 = 2000;
/// Rounds of ticks in which a healed group must come to rest.
const HEALING_ROUNDS: u64 = 400;
/// Most members that there ever are in a run.
const MEMBERS_MAX: u64 = 9;
/// Messages under way; the oldest is lost above this.
const NETWORK_MAX: usize = 200;

struct Member {
    config: Config,
    raft: Option<Raft>,
    hard_state: HardState,
    disk: Shadow,
    memberships: Vec<(LogIndex, Membership)>,
    writing: VecDeque<Persist>,
    /// Finished, not yet reported.
    finished: Option<Ticket>,
    /// The log in memory, as ordered.
    log: Shadow,
    to_apply: VecDeque<ToApply>,
    applied: LogIndex,
    /// The state machine's state is durable up to here.
    synced: LogIndex,
    handed: LogIndex,
    to_load: VecDeque<(LogIndex, u64)>,
    next_read: u64,
    /// Why it does not vote, as the disk says, and what the disk held before the damage.
    restriction: Option<Restriction>,
    lost: Option<Shadow>,
}

/// Orders for the state machine.
enum ToApply {
    Entries(Entries),
    Snapshot(LogIndex),
}

/// See the module.
pub(super) struct World {
    prng: Prng,
    members: BTreeMap<MemberId, Member>,
    network: Vec<(MemberId, MemberId, Message)>,
    deliveries: Vec<Delivery>,
    sizes: Config,
    cut: BTreeSet<(MemberId, MemberId)>,
    truth: Truth,
    next_payload: u64,
    digest: u64,
    marks: BTreeMap<&'static str, u64>,
    /// Of 100: how often a delivered message is lost, or stays to be delivered again.
    loss: u64,
    doubling: u64,
    crashes: u64,
    /// Of 100: how often a member falls right after it became leader or committed something.
    ambush: u64,
    ambushed: Option<MemberId>,
    /// Of 6: how often a cut event heals everything.
    healing: u64,
    /// Of 4: how often a restart finds entries lost; only where the voters stay.
    damages: u64,
    /// Of 4: how often the membership or the leader is to change when it may.
    changes: u64,
}

impl World {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut prng = Prng::named(seed, "raft world");
        let count = *prng.pick(&[1, 2, 3, 3, 3, 3, 4, 5]).expect("choices");
        let founding = Membership::founding((1..=count).map(|id| (id.into(), Bytes::new())));
        let sizes = Config { mutant, ..draw_sizes(&mut prng) };
        let changes = if prng.chance(1, 3) { 0 } else { prng.between(1, 4) };
        let member = |id| (id, Member::new(Config { id, ..sizes.clone() }, founding.clone()));
        Self {
            members: founding.ids().map(member).collect(),
            network: Vec::new(),
            deliveries: Vec::new(),
            cut: BTreeSet::new(),
            truth: Truth::new(founding),
            next_payload: 0,
            digest: 0,
            marks: BTreeMap::new(),
            loss: if prng.chance(1, 2) { 0 } else { prng.below(30) },
            doubling: if prng.chance(1, 2) { 0 } else { prng.below(30) },
            crashes: prng.below(5),
            ambush: if prng.chance(1, 2) { 0 } else { prng.between(2, 60) },
            ambushed: None,
            healing: prng.between(1, 5),
            changes,
            damages: if changes == 0 { prng.below(4) } else { 0 },
            sizes,
            prng,
        }
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// How often what is worth testing happened.
    pub(super) fn marks(&self) -> &BTreeMap<&'static str, u64> {
        &self.marks
    }

    fn mark(&mut self, name: &'static str) {
        *self.marks.entry(name).or_default() += 1;
    }

    /// Plays the run.
    ///
    /// # Errors
    /// The first broken promise.
    pub(super) fn run(&mut self) -> Check {
        for _ in 0..EVENTS {
            self.event()?;
            if let Some(leader) = self.ambushed.take() {
                self.fell(leader)?;
            }
        }
        self.heal()
    }

    fn event(&mut self) -> Check {
        let ids: Vec<_> = self.members.keys().copied().collect();
        let id = *self.prng.pick(&ids).expect("members");
        match self.prng.below(108) {
            0..20 => self.tick_event(id),
            20..60 => self.network_event(),
            60..75 => self.disk_event(id),
            75..82 => self.shell_event(id),
            82..90 => self.propose(id),
            90..95 => {
                let target = self.victim(id);
                self.read(target)
            }
            95..97 => {
                let target = self.victim(id);
                self.cut_event(target);
                Ok(())
            }
            97..100 if self.prng.chance(self.crashes, 4) => {
                let target = self.victim(id);
                self.crash(target)
            }
            100..102 if self.prng.chance(self.changes, 4) => {
                let target = self.victim(id);
                self.wish(target)
            }
            102..104 => self.snapshot_event(),
            _ => self.restart(id),
        }
    }

    /// Faults like to hit a leader: most of what can go wrong goes wrong then.
    fn victim(&mut self, id: MemberId) -> MemberId {
        let is_leader =
            |id: &MemberId| self.status(*id).is_some_and(|status| status.role == RoleName::Leader);
        let leaders: Vec<_> = self.members.keys().copied().filter(is_leader).collect();
        let wants_leader = self.prng.chance(1, 2);
        self.prng.pick(&leaders).copied().filter(|_| wants_leader).unwrap_or(id)
    }

    /// Mostly one tick; sometimes a member's clock runs ahead of all others.
    fn tick_event(&mut self, id: MemberId) -> Check {
        let count = if self.prng.chance(1, 12) { self.prng.between(2, 30) } else { 1 };
        for _ in 0..count {
            self.tick(id)?;
        }
        Ok(())
    }

    fn tick(&mut self, id: MemberId) -> Check {
        let jitter = self.prng.next_u64();
        self.step(id, Input::Ticked { jitter })
    }

    fn network_event(&mut self) -> Check {
        for _ in 0..self.prng.between(1, 8) {
            self.network_one()?;
        }
        Ok(())
    }

    fn network_one(&mut self) -> Check {
        if self.network.is_empty() {
            return Ok(());
        }
        // Mostly in order, so that something works; sometimes any message.
        let in_order = self.prng.chance(7, 8);
        let at = if in_order { 0 } else { self.prng.below(self.network.len() as u64) as usize };
        let (from, to, message) = match self.prng.chance(self.doubling, 100) {
            true => self.network[at].clone(),
            false => self.network.remove(at),
        };
        if self.prng.chance(self.loss, 100) || self.cut.contains(&(from, to)) {
            return Ok(());
        }
        self.deliver(from, to, message)
    }

    fn deliver(&mut self, from: MemberId, to: MemberId, message: Message) -> Check {
        let is_question = matches!(message.body, Body::PreVoteRequest { .. });
        let before = self.status(to).map(|status| status.term);
        self.step(to, Input::Received { from, message })?;
        let after = self.status(to).map(|status| status.term);
        ensure!(!is_question || before == after, "a pre-vote changed the term of {to}");
        Ok(())
    }

    /// Writes finish, or their end is reported; often not at the same time.
    fn disk_event(&mut self, id: MemberId) -> Check {
        let count = self.prng.between(1, 4);
        let member = self.members.get_mut(&id).expect("a member");
        if member.raft.is_some() {
            member.finish(count);
        }
        if self.prng.chance(2, 3) { self.report(id) } else { Ok(()) }
    }

    fn report(&mut self, id: MemberId) -> Check {
        let finished = self.members.get_mut(&id).and_then(|member| member.finished.take());
        match finished {
            Some(ticket) => self.step(id, Input::Persisted { ticket }),
            None => Ok(()),
        }
    }

    fn shell_event(&mut self, id: MemberId) -> Check {
        let load_fails = self.prng.chance(1, 4);
        let member = self.members.get_mut(&id).expect("a member");
        match member.to_apply.pop_front() {
            Some(ToApply::Entries(entries)) => {
                let through = entries.last().map_or(member.applied, |entry| entry.id.index);
                member.applied = through;
                return self.step(id, Input::Applied { through });
            }
            Some(ToApply::Snapshot(through)) => {
                (member.applied, member.synced) = (through, through);
                return self.step(id, Input::Applied { through });
            }
            None => {}
        }
        if self.members[&id].restriction.is_some() && self.prng.chance(1, 4) {
            return self.refill(id);
        }
        if self.prng.chance(1, 8) {
            return self.cut_log(id);
        }
        let member = self.members.get_mut(&id).expect("a member");
        let Some((from, max_bytes)) = member.to_load.pop_front() else { return Ok(()) };
        let mut entries = member.load(from, max_bytes);
        if load_fails {
            entries.clear();
        }
        self.step(id, Input::Loaded { entries })
    }

    /// Somebody wants another leader or another membership.
    fn wish(&mut self, id: MemberId) -> Check {
        let Some(status) = self.status(id) else { return Ok(()) };
        let all: Vec<MemberId> = status.membership.ids().collect();
        let any = self.prng.pick(&all).copied().unwrap_or(id);
        if self.prng.chance(1, 3) {
            let to = self.prng.chance(3, 4).then_some(any);
            return self.step(id, Input::TransferRequested { to });
        }
        let is_full = self.members.len() as u64 >= MEMBERS_MAX;
        let new = MemberId::new(self.members.len() as u64 + 1);
        let context = Bytes::new();
        let plan =
            *self.prng.pick(&[Plan::Stay, Plan::Promote, Plan::Replace(any)]).expect("three");
        let step = match self.prng.below(8) {
            0..2 if !is_full => ChangeStep::AddVoter { id: new, context },
            2..5 if !is_full => ChangeStep::AddLearner { id: new, context, plan },
            5 => ChangeStep::Promote { id: any },
            6 => ChangeStep::Demote { id: any },
            _ => ChangeStep::Remove { id: any },
        };
        let mut steps = Vec::from([step]);
        if self.prng.chance(1, 4) {
            let other = self.prng.pick(&all).copied().unwrap_or(id);
            steps.push(ChangeStep::Remove { id: other });
        }
        let adds = matches!(steps[0], ChangeStep::AddVoter { .. } | ChangeStep::AddLearner { .. });
        if adds && status.role == RoleName::Leader {
            // Whatever becomes of the change, the newcomer waits for the log.
            let config = Config { id: new, ..self.sizes.clone() };
            self.members.insert(new, Member::new(config, Membership::default()));
        }
        self.step(id, Input::ChangeRequested { steps })
    }

    /// A snapshot arrives, or gets lost, and whoever sent it hears of that.
    fn snapshot_event(&mut self) -> Check {
        if self.deliveries.is_empty() {
            return Ok(());
        }
        let at = self.prng.below(self.deliveries.len() as u64) as usize;
        let Delivery { from, to, snapshot } = self.deliveries.remove(at);
        let last = snapshot.last;
        let arrives = self.prng.chance(3, 4)
            && !self.cut.contains(&(from, to))
            && self.members.get(&to).is_some_and(|member| member.raft.is_some());
        if arrives {
            let arrives_again = self.prng.chance(1, 3);
            self.step(to, Input::SnapshotReceived { snapshot: snapshot.clone() })?;
            if arrives_again {
                self.step(to, Input::SnapshotReceived { snapshot })?;
            }
        }
        let holds = |status: Status| status.base.index >= last.index;
        let installed = arrives && self.status(to).is_some_and(holds);
        let installed = installed.then_some(last.index);
        self.step(from, Input::SnapshotSent { to, installed })
    }

    fn propose(&mut self, id: MemberId) -> Check {
        let count = self.prng.between(1, 3);
        let mut payload = || {
            self.next_payload += 1;
            Bytes::from(format!("command {}", self.next_payload))
        };
        let payloads = (0..count).map(|_| payload()).collect();
        self.step(id, Input::Proposed { payloads })
    }

    /// The state becomes durable, and a part of the log is no longer needed.
    fn cut_log(&mut self, id: MemberId) -> Check {
        let keep = self.prng.below(12);
        let member = self.members.get_mut(&id).expect("a member");
        if member.raft.is_none() {
            return Ok(());
        }
        member.synced = member.applied;
        let through = LogIndex::new(member.synced.get().saturating_sub(keep));
        self.step(id, Input::LogCutRequested { through })
    }

    fn read(&mut self, id: MemberId) -> Check {
        let member = self.members.get_mut(&id).expect("a member");
        if member.raft.is_none() {
            return Ok(());
        }
        // Numbers begin anew in each process life, as the shell's may.
        member.next_read += 1;
        let read = ReadId::new(member.next_read);
        self.truth.on_read_requested(id, read);
        self.step(id, Input::ReadRequested { read })
    }

    /// A leader falls silent at the worst moment.
    fn fell(&mut self, leader: MemberId) -> Check {
        if self.prng.chance(1, 3) {
            return self.crash(leader);
        }
        let ids: Vec<_> = self.members.keys().copied().collect();
        self.cut = ids.iter().flat_map(|other| [(leader, *other), (*other, leader)]).collect();
        Ok(())
    }

    fn cut_event(&mut self, id: MemberId) {
        if self.prng.chance(self.healing, 6) {
            self.cut.clear();
            return;
        }
        let ids: Vec<_> = self.members.keys().copied().collect();
        for other in ids {
            if self.prng.chance(2, 3) {
                self.cut.insert((id, other));
            }
            if self.prng.chance(2, 3) {
                self.cut.insert((other, id));
            }
        }
    }

    /// The process ends; of what was being written, a beginning may be durable.
    fn crash(&mut self, id: MemberId) -> Check {
        let kept = self.prng.below(3);
        let member = self.members.get_mut(&id).expect("a member");
        if member.raft.take().is_some() {
            member.finish(kept);
            member.tear(self.prng.below(3) as usize);
            member.forget();
            self.truth.on_crashed(id);
        }
        Ok(())
    }

    fn restart(&mut self, id: MemberId) -> Check {
        let member = self.members.get_mut(&id).expect("a member");
        if member.raft.is_none() {
            if self.damages > 0 && self.prng.chance(self.damages, 4) {
                self.damage(id);
            }
            let member = self.members.get_mut(&id).expect("a member");
            member.restart()?;
            self.truth.on_restarted(id, member.hard_state)?;
        }
        Ok(())
    }

    /// The disk of a member that is down lost its last entries. One member at a time: what is lost
    /// twice stays lost.
    fn damage(&mut self, id: MemberId) {
        let voters = self.in_force().len();
        let is_any_damaged = self.members.values().any(|member| member.restriction.is_some());
        let (cut, is_known) = (self.prng.below(6), self.prng.chance(2, 3));
        let member = self.members.get_mut(&id).expect("a member");
        let settled = member.synced.max(member.disk.base.index);
        let kept = LogIndex::new(member.disk.last().index.get().saturating_sub(cut)).max(settled);
        if voters < 3 || is_any_damaged || kept >= member.disk.last().index {
            return;
        }
        member.lost = Some(member.disk.clone());
        let owed = Restriction::Owes(member.disk.last());
        member.restriction = Some(if is_known { owed } else { Restriction::OwesUnknown });
        member.disk.truncate(kept.next());
        self.mark("damaged");
    }

    /// A peer that holds what a damaged member owes gives it back.
    fn refill(&mut self, id: MemberId) -> Check {
        let member = &self.members[&id];
        let Some(Restriction::Owes(owed)) = member.restriction else { return Ok(()) };
        let has = |peer: &&Member| peer.disk.get(owed.index).is_some_and(|e| e.id == owed);
        let Some(peer) = self.members.values().find(has) else { return Ok(()) };
        let entries = peer.disk.between(member.log.last().index, peer.disk.last().index).to_vec();
        self.mark("refilled");
        self.step(id, Input::Refilled { entries })
    }

    /// What each disk holds, and held before it was damaged, while that is owed.
    fn disks<'a>(&'a self) -> BTreeMap<MemberId, [&'a Shadow; 2]> {
        let held =
            |member: &'a Member| [&member.disk, member.lost.as_ref().unwrap_or(&member.disk)];
        self.members.iter().map(|(id, member)| (*id, held(member))).collect()
    }

    /// Faults end: there must be one leader, and what it takes must reach everybody.
    fn heal(&mut self) -> Check {
        self.cut.clear();
        let ids: Vec<_> = self.members.keys().copied().collect();
        for id in &ids {
            self.restart(*id)?;
        }
        for _ in 0..HEALING_ROUNDS {
            for id in &ids {
                self.tick(*id)?;
            }
            self.drain(&ids)?;
            let Some(leader) = self.settled_leader() else { continue };
            if !self.is_at_rest() {
                continue;
            }
            // Refused while leadership is on its way to somebody else: then once more.
            if self.is_newest_committed() {
                return self.check_end();
            }
            self.propose(leader)?;
        }
        let states: Vec<_> = ids.iter().map(|id| self.status(*id)).collect();
        Err(format!("a healed group does not come to rest: {states:#?}"))
    }

    fn drain(&mut self, ids: &[MemberId]) -> Check {
        for _ in 0..20 {
            for id in ids {
                self.members.get_mut(id).expect("a member").finish(u64::MAX);
                self.report(*id)?;
                self.shell_event(*id)?;
            }
            for (from, to, message) in core::mem::take(&mut self.network) {
                self.deliver(from, to, message)?;
            }
            for _ in 0..self.deliveries.len() {
                self.snapshot_event()?;
            }
        }
        Ok(())
    }

    /// Everybody who takes part, by what is committed.
    fn in_force(&self) -> Vec<MemberId> {
        self.truth.membership_at(self.truth.commit()).ids().collect()
    }

    fn settled_leader(&self) -> Option<MemberId> {
        let states: Vec<Status> =
            self.in_force().into_iter().filter_map(|id| self.status(id)).collect();
        let leader = states.first()?.leader?;
        states.iter().all(|status| status.leader == Some(leader)).then_some(leader)
    }

    fn is_at_rest(&self) -> bool {
        let membership = self.truth.membership_at(self.truth.commit());
        let waits = |plan: &Plan| *plan != Plan::Stay;
        if membership.is_joint() || membership.learners().values().any(waits) {
            return false;
        }
        let states: Vec<Status> =
            self.in_force().into_iter().filter_map(|id| self.status(id)).collect();
        let Some(first) = states.first() else { return false };
        let is_done =
            |status: &Status| status.applied == status.last.index && status.last == first.last;
        self.truth.open_reads() == 0 && states.iter().all(is_done)
    }

    fn is_newest_committed(&self) -> bool {
        let newest = Bytes::from(format!("command {}", self.next_payload));
        let is_newest = |entry: &Entry| entry.payload == crate::Payload::Data(newest.clone());
        self.truth.committed.iter().any(is_newest)
    }

    fn check_end(&self) -> Check {
        for id in self.in_force() {
            let log = &self.members[&id].disk;
            let above = &self.truth.committed[log.base.index.get() as usize..];
            ensure!(log.entries == above, "the disk of {id} is not the committed log");
        }
        Ok(())
    }

    fn status(&self, id: MemberId) -> Option<Status> {
        self.members.get(&id)?.raft.as_ref().map(Raft::status)
    }

    fn step(&mut self, id: MemberId, input: Input) -> Check {
        let member = self.members.get_mut(&id).expect("a member");
        let Some(raft) = member.raft.as_mut() else { return Ok(()) };
        let before = raft.status();
        let effects = raft.step(input);
        let status = raft.status();
        let leads = status.role == RoleName::Leader;
        if leads && before.commit < status.commit {
            let newest = member.log.get(status.commit).expect("a leader holds what it commits");
            let is_own = newest.id.term == status.term;
            ensure!(is_own, "{id} commits {} by counting in term {}", newest.id, status.term);
        }
        if leads && (before.commit < status.commit || before.role != status.role) {
            let falls = self.prng.chance(self.ambush, 100);
            self.ambushed = self.ambushed.or(falls.then_some(id));
        }
        // Orders first, so that the log in memory is the one the messages speak of.
        for effect in &effects {
            if let Effect::Persist(persist) = effect {
                self.on_persist(id, persist, status.role)?;
                if status.role == RoleName::Leader && before.role == RoleName::Leader {
                    self.truth_of_commit(id, &status)?;
                    self.check_change(id, persist, &before)?;
                }
            }
        }
        for effect in effects {
            self.mix(&format!("{id} {effect:?}"));
            if let Some(name) = interesting(&effect) {
                self.mark(name);
            }
            self.on_effect(id, effect)?;
        }
        self.check_member(id, &status)
    }

    fn on_persist(&mut self, id: MemberId, persist: &Persist, role: RoleName) -> Check {
        let member = self.members.get_mut(&id).expect("a member");
        if persist.truncate_from.is_some() {
            ensure!(role != RoleName::Leader, "leader {id} cuts its own log");
        }
        let bare = Persist { entries: Entries::default(), ..persist.clone() };
        member.log.carry_out(&bare);
        let prev = member.log.last();
        let base = member.log.base;
        let newest = member.log.newest_membership();
        let mut before = newest.unwrap_or_else(|| self.truth.membership_at(base.index)).clone();
        for after in persist.entries.iter().filter_map(membership_in) {
            Truth::check_step(&before, after)?;
            before = after.clone();
        }
        member.log.entries.extend(persist.entries.iter().cloned());
        member.writing.push_back(persist.clone());
        self.truth.check_base(id, base)?;
        self.truth.on_entries(prev, &persist.entries)
    }

    /// A leader appends a membership only when the one before is committed, and something of its
    /// own term too.
    fn check_change(&self, id: MemberId, persist: &Persist, before: &Status) -> Check {
        let log = &self.members[&id].log;
        for entry in persist.entries.iter().filter(|entry| membership_in(entry).is_some()) {
            let below: Vec<&Entry> = log
                .between(log.base.index, entry.id.index.before())
                .iter()
                .filter(|entry| membership_in(entry).is_some())
                .collect();
            let commit = self.status(id).map_or(before.commit, |status| status.commit);
            let open = below.iter().find(|earlier| earlier.id.index > commit);
            ensure!(open.is_none(), "{id} changes the membership twice: {open:?} is open");
            let is_ready = self.truth.id_at(commit).is_some_and(|id| id.term == entry.id.term);
            ensure!(is_ready, "{id} changes the membership before it knows the commit index");
        }
        Ok(())
    }

    fn on_effect(&mut self, id: MemberId, effect: Effect) -> Check {
        let member = self.members.get_mut(&id).expect("a member");
        match effect {
            Effect::Send { to, message } => return self.on_send(id, to, message),
            Effect::Apply { entries } => {
                for entry in entries.iter() {
                    member.handed = member.handed.next();
                    ensure!(entry.id.index == member.handed, "{id} skips or repeats an entry");
                    let is_durable = member.disk.get(entry.id.index) == Some(entry);
                    ensure!(is_durable, "{id} applies {}, which its disk lacks", entry.id);
                }
                member.to_apply.push_back(ToApply::Entries(entries.clone()));
                return self.truth.on_committed(&entries);
            }
            Effect::InstallSnapshot { snapshot } => {
                let last = snapshot.last;
                ensure!(member.disk.base.index >= last.index, "{id} installs before it is durable");
                member.handed = member.handed.max(last.index);
                member.to_apply.push_back(ToApply::Snapshot(last.index));
            }
            Effect::SendSnapshot { to } => {
                let applied = member.applied;
                let snapshot = member.raft.as_ref().and_then(|raft| raft.snapshot_at(applied));
                let Some(snapshot) = snapshot else {
                    return self.step(id, Input::SnapshotSent { to, installed: None });
                };
                let truth = self.truth.membership_at(snapshot.last.index);
                ensure!(
                    snapshot.membership == *truth,
                    "{id} makes a snapshot with another membership"
                );
                self.deliveries.push(Delivery { from: id, to, snapshot });
            }
            Effect::Load { from, max_bytes } => {
                ensure!(member.to_load.is_empty(), "{id} orders two loads at a time");
                member.to_load.push_back((from, max_bytes));
            }
            Effect::ReadReady { read, index } => {
                return self.truth.on_read_ready(id, read, index);
            }
            Effect::ReadAborted { read, .. } => return self.truth.on_read_aborted(id, read),
            Effect::RoleChanged { role: RoleName::Leader, term, .. } => {
                return self.truth.on_leader(id, term, &member.log);
            }
            Effect::Persist(_)
            | Effect::ProposalRefused { .. }
            | Effect::ChangeAppended { .. }
            | Effect::ChangeRefused { .. }
            | Effect::MembershipChanged { .. }
            | Effect::TransferFailed { .. }
            | Effect::SnapshotRefused { .. }
            | Effect::RoleChanged { .. } => {}
        }
        Ok(())
    }

    fn on_send(&mut self, id: MemberId, to: MemberId, message: Message) -> Check {
        let member = &self.members[&id];
        let durable = member.hard_state;
        match &message.body {
            Body::VoteReply { granted: true } => {
                self.truth.on_vote(id, message.term, to, durable)?;
            }
            Body::AppendAccepted { matched } | Body::HeartbeatReply { matched, .. } => {
                let is_held = holds_through(&member.disk, &member.log, *matched);
                ensure!(is_held, "{id} acknowledges {matched}, which its disk lacks");
            }
            Body::Append { prev, entries, .. } => self.truth.on_entries(*prev, entries)?,
            _ => {}
        }
        self.truth.on_spoken(id, message.term, durable)?;
        let read_back = crate::wire::decode(crate::wire::encode(&message));
        ensure!(read_back.as_ref() == Ok(&message), "{message:?} is read as {read_back:?}");
        if self.network.len() >= NETWORK_MAX {
            self.network.remove(0);
        }
        self.network.push((id, to, message));
        Ok(())
    }

    /// What a leader calls committed lies on a majority.
    fn truth_of_commit(&mut self, id: MemberId, status: &Status) -> Check {
        // The truth is taken out so that the disks can be looked at while it learns.
        let mut truth = core::mem::replace(&mut self.truth, Truth::new(Membership::default()));
        let log = &self.members[&id].log;
        let outcome = truth.on_leader_commit(id, (log, status.commit), &self.disks());
        self.truth = truth;
        outcome
    }

    fn check_member(&mut self, id: MemberId, status: &Status) -> Check {
        let log = &self.members[&id].log;
        ensure!(status.last == log.last(), "{id} has not ordered its log written");
        if status.role == RoleName::Leader {
            self.truth_of_commit(id, status)?;
            let log = &self.members[&id].log;
            // Who is in a newer term may have cut what a leader that is past knows of it.
            let follows = |peer: &MemberId| {
                let peer = &self.members[peer];
                peer.restriction.is_none() && peer.hard_state.term <= status.term
            };
            for (peer, progress) in status.peers.iter().filter(|(peer, _)| follows(peer)) {
                let held = holds_through(&self.members[peer].disk, log, progress.matched);
                ensure!(held, "{id} takes {peer} to be at {}", progress.matched);
            }
        } else {
            self.truth.on_committed(log.between(log.base.index, status.commit))?;
        }
        let member = self.members.get_mut(&id).expect("a member");
        if member.restriction.is_some() {
            member.restriction = status.restriction;
            if status.restriction.is_none() {
                member.lost = None;
            }
        }
        self.truth.check_durable(&self.disks())
    }

    fn mix(&mut self, words: &str) {
        let crc = base::crc32c_append(self.digest as u32, words.as_bytes());
        self.digest = self.digest.rotate_left(7) ^ u64::from(crc);
    }
}

/// What must happen often in the runs, or they prove little.
pub(super) const INTERESTING: [&str; 22] = [
    "damaged",
    "refilled",
    "change appended",
    "change in progress",
    "joint",
    "log cut",
    "snapshot installed",
    "snapshot refused",
    "timeout now",
    "transfer failed",
    "append rejected",
    "commit without append",
    "forwarded read answered",
    "leader",
    "load",
    "newer term",
    "overloaded",
    "pre-vote refused",
    "read aborted",
    "read served",
    "truncated",
    "vote refused",
];

fn interesting(effect: &Effect) -> Option<&'static str> {
    Some(match effect {
        Effect::Load { .. } => "load",
        Effect::ReadReady { .. } => "read served",
        Effect::ReadAborted { .. } => "read aborted",
        Effect::ProposalRefused { reason: Refused::Overloaded, .. } => "overloaded",
        Effect::Persist(Persist { truncate_from: Some(_), .. }) => "truncated",
        Effect::Persist(Persist { rebase: Some(_), .. }) => "log cut",
        Effect::ChangeAppended { .. } => "change appended",
        Effect::ChangeRefused { reason: ChangeRefused::Error(crate::ChangeError::InProgress) } => {
            "change in progress"
        }
        Effect::MembershipChanged { membership, .. } if membership.is_joint() => "joint",
        Effect::InstallSnapshot { .. } => "snapshot installed",
        Effect::SnapshotRefused { .. } => "snapshot refused",
        Effect::TransferFailed { .. } => "transfer failed",
        Effect::RoleChanged { role: RoleName::Leader, .. } => "leader",
        Effect::Send { message, .. } => match message.body {
            Body::PreVoteReply { granted: false, .. } => "pre-vote refused",
            Body::VoteReply { granted: false } => "vote refused",
            Body::AppendRejected { .. } => "append rejected",
            Body::Heartbeat { round: None, .. } => "commit without append",
            Body::ReadReply { index: Some(_), .. } => "forwarded read answered",
            Body::NewerTerm => "newer term",
            Body::TimeoutNow => "timeout now",
            _ => return None,
        },
        _ => return None,
    })
}

/// Sizes so small that every limit is reached.
fn draw_sizes(prng: &mut Prng) -> Config {
    let mut config = Config::new(1.into(), 0);
    config.election_ticks_min = prng.between(4, 10);
    config.election_ticks_max = config.election_ticks_min + prng.between(1, 10);
    config.heartbeat_ticks = prng.between(1, 3);
    config.append_bytes_max = if prng.chance(1, 2) { 1 } else { prng.between(1, 300) };
    config.inflight_messages_max = prng.between(1, 8) as usize;
    config.inflight_bytes_max = prng.between(1, 1000);
    config.uncommitted_bytes_max = prng.between(100, 5000);
    config.cache_bytes = prng.below(600);
    config.apply_bytes_max = prng.between(1, 300);
    config.promotion_lag_entries = prng.below(10);
    config.disk_patience_ticks = prng.between(10, 60);
    config
}

/// Whether `disk` holds what `log` holds up to `through`, be it below a base.
fn holds_through(disk: &Shadow, log: &Shadow, through: LogIndex) -> bool {
    let base = disk.base.index.max(log.base.index);
    disk.last().index >= through && disk.between(base, through) == log.between(base, through)
}

impl Member {
    /// A member with an empty disk.
    fn new(config: Config, membership: Membership) -> Self {
        let recovered = Recovered::empty(membership.clone());
        let raft = Raft::new(config.clone(), recovered).expect("a sound start");
        Self {
            config,
            raft: Some(raft),
            hard_state: HardState::default(),
            disk: Shadow::default(),
            memberships: Vec::from([(LogIndex::ZERO, membership)]),
            writing: VecDeque::new(),
            finished: None,
            log: Shadow::default(),
            to_apply: VecDeque::new(),
            applied: LogIndex::ZERO,
            synced: LogIndex::ZERO,
            handed: LogIndex::ZERO,
            to_load: VecDeque::new(),
            next_read: 0,
            restriction: None,
            lost: None,
        }
    }

    /// Up to `count` writes become durable, in order.
    fn finish(&mut self, count: u64) {
        for _ in 0..count {
            let Some(persist) = self.writing.pop_front() else { return };
            self.hard_state = persist.hard_state.unwrap_or(self.hard_state);
            self.disk.carry_out(&persist);
            self.memberships =
                persist.memberships.unwrap_or(core::mem::take(&mut self.memberships));
            self.finished = Some(persist.ticket);
        }
    }

    /// The next write is durable in part: term and vote, the cut, the first entries. One that
    /// moves the base or the membership is written as one.
    fn tear(&mut self, parts: usize) {
        let Some(persist) = self.writing.front_mut() else { return };
        if parts > 0 && persist.rebase.is_none() && persist.memberships.is_none() {
            let kept = persist.entries.len().min(parts - 1);
            persist.entries = persist.entries[..kept].into();
            self.finish(1);
        }
    }

    fn forget(&mut self) {
        self.writing.clear();
        self.finished = None;
        self.to_apply.clear();
        self.to_load.clear();
        self.next_read = 0;
    }

    fn load(&self, from: LogIndex, max_bytes: u64) -> Vec<Entry> {
        let mut bytes = 0;
        let Some(above) = from.get().checked_sub(1).map(LogIndex::new) else { return Vec::new() };
        if above < self.disk.base.index {
            return Vec::new();
        }
        let mut fits = |entry: &Entry| {
            let is_first = bytes == 0;
            bytes += entry.size_bytes();
            is_first || bytes <= max_bytes
        };
        let rest = self.disk.between(above, self.disk.last().index).iter();
        rest.take_while(|entry| fits(entry)).cloned().collect()
    }

    fn restart(&mut self) -> Result<(), String> {
        // A snapshot whose installation was ordered is durable beside the log that is based on it.
        self.applied = self.synced.max(self.disk.base.index);
        self.synced = self.applied;
        let recovered = Recovered {
            hard_state: self.hard_state,
            base: self.disk.base,
            memberships: self.memberships.clone(),
            applied: self.applied,
            term_starts: self.disk.term_starts(),
            last: self.disk.last(),
            tail: self.disk.between(self.applied, self.disk.last().index).to_vec(),
            restriction: self.restriction,
        };
        self.log = self.disk.clone();
        self.handed = self.applied;
        self.config.incarnation += 1;
        let raft = Raft::new(self.config.clone(), recovered).map_err(|why| format!("{why}"))?;
        self.raft = Some(raft);
        Ok(())
    }
}
