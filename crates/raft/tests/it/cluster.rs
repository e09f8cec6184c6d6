//! A small group in one place: members with a disk whose writes finish when told, and links whose
//! messages wait until delivered. What happens is written down as a trace.

use crate::show;
use base::Machine;
use bytes::Bytes;
use raft::{
    Config, Effect, Entry, HardState, Input, LogId, LogIndex, MemberId, Membership, Message,
    Persist, Raft, Rebase, Recovered, Restriction, Snapshot, Status, Ticket,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What survives a crash, and the writes that are under way.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) hard_state: HardState,
    pub(crate) base: LogId,
    pub(crate) memberships: Vec<(LogIndex, Membership)>,
    /// Everything behind the base.
    pub(crate) entries: Vec<Entry>,
    pub(crate) restriction: Option<Restriction>,
    pub(crate) waiting: VecDeque<Persist>,
}

impl Disk {
    fn new(membership: Membership) -> Self {
        Self {
            hard_state: HardState::default(),
            base: LogId::ZERO,
            memberships: vec![(LogIndex::ZERO, membership)],
            entries: Vec::new(),
            restriction: None,
            waiting: VecDeque::new(),
        }
    }

    fn last(&self) -> LogId {
        self.entries.last().map_or(self.base, |entry| entry.id)
    }

    fn rebase(&mut self, rebase: Rebase) {
        let (base, keeps_log) = match rebase {
            Rebase::Cut { base } => (base, true),
            Rebase::Snapshot { base, keeps_log } => (base, keeps_log),
        };
        self.entries.retain(|entry| keeps_log && entry.id.index > base.index);
        self.base = base;
    }

    /// Damage: everything behind `index` is gone, and that shows.
    pub(crate) fn lose_behind(&mut self, index: LogIndex, is_known: bool) {
        let owed = self.last();
        self.entries.retain(|entry| entry.id.index <= index);
        let known = is_known.then_some(Restriction::Owes(owed));
        self.restriction = Some(known.unwrap_or(Restriction::OwesUnknown));
    }

    /// The oldest waiting write becomes durable.
    pub(crate) fn finish_one(&mut self) -> Option<Ticket> {
        let persist = self.waiting.pop_front()?;
        if let Some(hard_state) = persist.hard_state {
            self.hard_state = hard_state;
        }
        self.memberships = persist.memberships.unwrap_or(std::mem::take(&mut self.memberships));
        if let Some(rebase) = persist.rebase {
            self.rebase(rebase);
        }
        if let Some(from) = persist.truncate_from {
            self.entries.retain(|entry| entry.id.index < from);
        }
        for entry in persist.entries.iter().cloned() {
            assert_eq!(entry.id.index, self.last().index.next(), "a hole on the disk");
            self.entries.push(entry);
        }
        Some(persist.ticket)
    }

    pub(crate) fn recovered(&self, applied: LogIndex) -> Recovered {
        let mut term_starts: Vec<LogId> = Vec::new();
        for entry in &self.entries {
            if term_starts.last().is_none_or(|start| start.term < entry.id.term) {
                term_starts.push(entry.id);
            }
        }
        let is_needed = |entry: &&Entry| entry.id.index > applied;
        Recovered {
            hard_state: self.hard_state,
            base: self.base,
            memberships: self.memberships.clone(),
            applied,
            term_starts,
            last: self.last(),
            tail: self.entries.iter().filter(is_needed).cloned().collect(),
            restriction: self.restriction,
        }
    }
}

/// One member and the shell around it.
pub(crate) struct Member {
    pub(crate) raft: Option<Raft>,
    config: Config,
    pub(crate) disk: Disk,
    pub(crate) is_disk_held: bool,
    pub(crate) is_apply_held: bool,
    /// Its disk gives nothing back.
    pub(crate) is_unreadable: bool,
    to_apply: VecDeque<LogIndex>,
    to_load: VecDeque<(LogIndex, u64)>,
    pub(crate) applied: LogIndex,
}

/// A snapshot on its way.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) from: MemberId,
    pub(crate) to: MemberId,
    pub(crate) snapshot: Snapshot,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) members: BTreeMap<MemberId, Member>,
    pub(crate) links: BTreeMap<(MemberId, MemberId), VecDeque<Message>>,
    pub(crate) cut: BTreeSet<(MemberId, MemberId)>,
    pub(crate) deliveries: VecDeque<Delivery>,
    sizes: Option<Config>,
    pub(crate) trace: Vec<String>,
}

impl Cluster {
    /// Members with empty disks; `is_founding`: they have to be admitted.
    pub(crate) fn new(count: u64, sizes: Config, is_founding: bool) -> Self {
        let founding = Membership::founding((1..=count).map(|id| (id.into(), Bytes::new())));
        let mut cluster = Self { sizes: Some(sizes), ..Self::default() };
        let restriction = is_founding.then_some(Restriction::Founding);
        for id in founding.ids() {
            cluster.start_member(id, founding.clone(), restriction);
        }
        cluster
    }

    /// A member with an empty disk.
    pub(crate) fn start_member(
        &mut self,
        id: MemberId,
        membership: Membership,
        restriction: Option<Restriction>,
    ) {
        let sizes = self.sizes.clone().unwrap_or(Config::new(id, 1));
        let config = Config { id, ..sizes };
        let recovered = Recovered { restriction, ..Recovered::empty(membership.clone()) };
        let raft = Raft::new(config.clone(), recovered).expect("a sound start");
        let member = Member {
            raft: Some(raft),
            config,
            disk: Disk::new(membership),
            is_disk_held: false,
            is_apply_held: false,
            is_unreadable: false,
            to_apply: VecDeque::new(),
            to_load: VecDeque::new(),
            applied: LogIndex::ZERO,
        };
        self.members.insert(id, member);
    }

    pub(crate) fn member(&mut self, id: MemberId) -> Result<&mut Member, String> {
        self.members.get_mut(&id).ok_or_else(|| format!("there is no member {id}"))
    }

    pub(crate) fn status(&self, id: MemberId) -> Option<Status> {
        self.members.get(&id)?.raft.as_ref().map(Raft::status)
    }

    /// Gives `input` to a member and starts what it orders; completions that are not held follow.
    pub(crate) fn step(&mut self, id: MemberId, input: Input) -> Result<(), String> {
        let raft = self.member(id)?.raft.as_mut().ok_or(format!("member {id} is down"))?;
        for effect in raft.step(input) {
            if let Some(words) = show::effect(&effect) {
                self.trace.push(format!("    {id} {words}"));
            }
            self.start(id, effect)?;
        }
        self.complete(id)
    }

    fn start(&mut self, id: MemberId, effect: Effect) -> Result<(), String> {
        if let Effect::Send { to, message } = effect {
            if self.cut.contains(&(id, to)) {
                self.trace.push(format!("{id} ✗ {to}  {}", show::message(&message)));
            } else {
                self.links.entry((id, to)).or_default().push_back(message);
            }
            return Ok(());
        }
        if let Effect::SendSnapshot { to } = effect {
            return self.send_snapshot(id, to);
        }
        let member = self.member(id)?;
        match effect {
            Effect::Persist(persist) => member.disk.waiting.push_back(persist),
            Effect::Apply { entries } => {
                member.to_apply.extend(entries.last().map(|entry| entry.id.index));
            }
            Effect::InstallSnapshot { snapshot } => member.to_apply.push_back(snapshot.last.index),
            Effect::Load { from, max_bytes } => member.to_load.push_back((from, max_bytes)),
            _ => {}
        }
        Ok(())
    }

    fn send_snapshot(&mut self, from: MemberId, to: MemberId) -> Result<(), String> {
        let member = self.member(from)?;
        let applied = member.applied;
        let raft = member.raft.as_ref().ok_or("member is down")?;
        match raft.snapshot_at(applied) {
            Some(snapshot) => self.deliveries.push_back(Delivery { from, to, snapshot }),
            None => self.step(from, Input::SnapshotSent { to, installed: None })?,
        }
        Ok(())
    }

    /// The oldest snapshot on its way is made anew: its sender was slow.
    pub(crate) fn renew_snapshot(&mut self) -> Result<(), String> {
        let from = self.deliveries.front().ok_or("no snapshot is on its way")?.from;
        let member = self.member(from)?;
        let applied = member.applied;
        let newer = member.raft.as_ref().and_then(|raft| raft.snapshot_at(applied));
        let newer = newer.ok_or("the sender can make no snapshot")?;
        if let Some(delivery) = self.deliveries.front_mut() {
            delivery.snapshot = newer;
        }
        Ok(())
    }

    /// The oldest snapshot on its way arrives, or is lost.
    pub(crate) fn deliver_snapshot(&mut self, arrives: bool) -> Result<(), String> {
        let next = self.deliveries.pop_front().ok_or("no snapshot is on its way")?;
        let Delivery { from, to, snapshot } = next;
        let last = snapshot.last;
        let sign = if arrives { '→' } else { '✗' };
        self.trace.push(format!("{from} {sign} {to}  snapshot of {last}"));
        if arrives {
            self.step(to, Input::SnapshotReceived { snapshot })?;
        }
        let holds = |status: Status| status.base.index >= last.index;
        let is_there = arrives && self.status(to).is_some_and(holds);
        let installed = is_there.then_some(last.index);
        self.step(from, Input::SnapshotSent { to, installed })
    }

    fn complete(&mut self, id: MemberId) -> Result<(), String> {
        loop {
            let member = self.member(id)?;
            if !member.is_disk_held && !member.disk.waiting.is_empty() {
                self.persist(id, usize::MAX)?;
            } else if !member.is_apply_held && !member.to_apply.is_empty() {
                self.apply(id)?;
            } else if let Some((from, max_bytes)) = member.to_load.pop_front() {
                let is_readable = !member.is_unreadable;
                let loaded = is_readable.then(|| load(&member.disk, from, max_bytes));
                let entries = loaded.unwrap_or_default();
                self.step(id, Input::Loaded { entries })?;
            } else {
                return Ok(());
            }
        }
    }

    /// Finishes up to `count` writes and reports the last.
    pub(crate) fn persist(&mut self, id: MemberId, count: usize) -> Result<(), String> {
        let disk = &mut self.member(id)?.disk;
        let finished = (0..count).map_while(|_| disk.finish_one()).last();
        match finished {
            Some(ticket) => self.step(id, Input::Persisted { ticket }),
            None => Ok(()),
        }
    }

    /// Applies everything that was handed out.
    pub(crate) fn apply(&mut self, id: MemberId) -> Result<(), String> {
        let member = self.member(id)?;
        let through = member.to_apply.drain(..).max().unwrap_or(member.applied);
        member.applied = through.max(member.applied);
        self.step(id, Input::Applied { through })
    }

    /// Delivers the oldest message of a link.
    pub(crate) fn deliver_one(&mut self, from: MemberId, to: MemberId) -> Result<bool, String> {
        let link = self.links.get_mut(&(from, to));
        let Some(message) = link.and_then(VecDeque::pop_front) else { return Ok(false) };
        let words = show::message(&message);
        if self.member(to)?.raft.is_none() {
            self.trace.push(format!("{from} ✗ {to}  {words}"));
            return Ok(true);
        }
        self.trace.push(format!("{from} → {to}  {words}"));
        self.step(to, Input::Received { from, message })?;
        Ok(true)
    }

    /// The process of a member ends; writes that are under way are lost.
    pub(crate) fn crash(&mut self, id: MemberId) -> Result<(), String> {
        let member = self.member(id)?;
        member.raft = None;
        member.disk.waiting.clear();
        member.to_apply.clear();
        member.to_load.clear();
        Ok(())
    }

    /// A member starts again with what its disk holds; the state machine kept `applied` entries.
    pub(crate) fn restart(&mut self, id: MemberId, applied: Option<u64>) -> Result<(), String> {
        self.crash(id)?;
        let member = self.member(id)?;
        member.applied =
            applied.map_or(member.applied, LogIndex::new).min(member.disk.last().index);
        let recovered = member.disk.recovered(member.applied);
        member.config.incarnation += 1;
        let raft = Raft::new(member.config.clone(), recovered).map_err(|e| e.to_string())?;
        member.raft = Some(raft);
        Ok(())
    }
}

/// Entries from `from` on, as many as fit, at least one.
pub(crate) fn load(disk: &Disk, from: LogIndex, max_bytes: u64) -> Vec<Entry> {
    let skip = from.get().checked_sub(disk.base.index.get() + 1);
    let rest = skip.and_then(|skip| disk.entries.get(skip as usize..)).unwrap_or_default();
    let mut bytes = 0;
    let fits = |entry: &&Entry| {
        bytes += entry.size_bytes();
        bytes <= max_bytes
    };
    let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
    rest[..count].to_vec()
}
