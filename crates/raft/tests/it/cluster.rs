//! A small group in one place: members with a disk whose writes finish when told, and links whose
//! messages wait until delivered. What happens is written down as a trace.

use crate::show;
use base::Machine;
use raft::{
    Config, Effect, Entry, HardState, Input, LogId, LogIndex, MemberId, Message, Persist, Raft,
    Recovered, Status, Ticket,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What survives a crash, and the writes that are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) hard_state: HardState,
    pub(crate) entries: Vec<Entry>,
    pub(crate) waiting: VecDeque<Persist>,
}

impl Disk {
    /// The oldest waiting write becomes durable.
    pub(crate) fn finish_one(&mut self) -> Option<Ticket> {
        let persist = self.waiting.pop_front()?;
        if let Some(hard_state) = persist.hard_state {
            self.hard_state = hard_state;
        }
        if let Some(from) = persist.truncate_from {
            self.entries.truncate(from.get() as usize - 1);
        }
        for entry in persist.entries {
            assert_eq!(entry.id.index.get(), self.entries.len() as u64 + 1, "a hole on the disk");
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
        Recovered {
            hard_state: self.hard_state,
            applied,
            term_starts,
            last: self.entries.last().map_or(LogId::ZERO, |entry| entry.id),
            tail: self.entries[applied.get() as usize..].to_vec(),
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
    to_apply: VecDeque<Vec<Entry>>,
    to_load: VecDeque<(LogIndex, u64)>,
    pub(crate) applied: Vec<Entry>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) members: BTreeMap<MemberId, Member>,
    pub(crate) links: BTreeMap<(MemberId, MemberId), VecDeque<Message>>,
    pub(crate) cut: BTreeSet<(MemberId, MemberId)>,
    pub(crate) trace: Vec<String>,
}

impl Cluster {
    pub(crate) fn new(count: u64, adjust: impl Fn(&mut Config)) -> Self {
        let voters: BTreeSet<_> = (1..=count).map(MemberId::new).collect();
        let mut cluster = Self::default();
        for id in &voters {
            let mut config = Config::new(*id, voters.clone(), 1);
            adjust(&mut config);
            let raft = Raft::new(config.clone(), Recovered::default()).expect("a sound start");
            let member = Member {
                raft: Some(raft),
                config,
                disk: Disk::default(),
                is_disk_held: false,
                is_apply_held: false,
                to_apply: VecDeque::new(),
                to_load: VecDeque::new(),
                applied: Vec::new(),
            };
            cluster.members.insert(*id, member);
        }
        cluster
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
        let member = self.member(id)?;
        match effect {
            Effect::Persist(persist) => member.disk.waiting.push_back(persist),
            Effect::Apply { entries } => member.to_apply.push_back(entries),
            Effect::Load { from, max_bytes } => member.to_load.push_back((from, max_bytes)),
            _ => {}
        }
        Ok(())
    }

    fn complete(&mut self, id: MemberId) -> Result<(), String> {
        loop {
            let member = self.member(id)?;
            if !member.is_disk_held && !member.disk.waiting.is_empty() {
                self.persist(id, usize::MAX)?;
            } else if !member.is_apply_held && !member.to_apply.is_empty() {
                self.apply(id)?;
            } else if let Some((from, max_bytes)) = member.to_load.pop_front() {
                let entries = load(&member.disk.entries, from, max_bytes);
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
        member.applied.extend(member.to_apply.drain(..).flatten());
        let through = LogIndex::new(member.applied.len() as u64);
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
        if let Some(applied) = applied {
            member.applied.truncate(applied as usize);
        }
        let applied = LogIndex::new(member.applied.len() as u64);
        let recovered = member.disk.recovered(applied);
        member.config.incarnation += 1;
        let raft = Raft::new(member.config.clone(), recovered).map_err(|e| e.to_string())?;
        member.raft = Some(raft);
        Ok(())
    }
}

/// Entries from `from` on, as many as fit, at least one.
pub(crate) fn load(entries: &[Entry], from: LogIndex, max_bytes: u64) -> Vec<Entry> {
    let rest = entries.get(from.get() as usize - 1..).unwrap_or_default();
    let mut bytes = 0;
    let fits = |entry: &&Entry| {
        bytes += entry.size_bytes();
        bytes <= max_bytes
    };
    let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
    rest[..count].to_vec()
}
