//! A few members in one thread: every effect is carried out at once, in order.

use base::{Machine, Prng};
use kv::api::{Error, Request, Response};
use raft::{LogIndex, MemberId, Membership, RoleName, Term};
use replica::{
    Config, Effect, Event, LogKeeping, LogStore, PeerMessage, Replica, StateStore, Timing, Wish,
    WishResult,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use storage::memory::MemoryDisk;
use storage::{Owner, ValueLogOptions, WalOptions};

pub(crate) struct Member {
    pub(crate) replica: Replica,
    pub(crate) log: LogStore<MemoryDisk>,
    pub(crate) state: StateStore<MemoryDisk>,
}

pub(crate) struct Disks {
    pub(crate) log: MemoryDisk,
    pub(crate) state: [MemoryDisk; 2],
    founding: Membership,
}

pub(crate) struct Cluster {
    pub(crate) members: BTreeMap<u64, Member>,
    pub(crate) disks: BTreeMap<u64, Disks>,
    pub(crate) keeping: LogKeeping,
    pub(crate) shape: Shape,
    wishes: BTreeMap<u64, WishResult>,
    /// Who ended, and what a person reads about it.
    pub(crate) stopped: BTreeMap<u64, String>,
    /// A disk that fails ends its member; otherwise it ends the test.
    pub(crate) disks_may_fail: bool,
    pub(crate) promises: Promises,
    random: Prng,
    cut: BTreeSet<u64>,
    duplicate: fn(&PeerMessage) -> bool,
    lose: fn(&PeerMessage) -> bool,
    falsifies_records: bool,
    wire: VecDeque<(u64, u64, PeerMessage)>,
    answers: BTreeMap<u64, Result<Response, Error>>,
    next_call: u64,
}

/// How members are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) log_segment_bytes: u64,
    pub(crate) value_segment_bytes: u64,
    pub(crate) timing: Timing,
}

impl Default for Shape {
    fn default() -> Self {
        let timing = Timing::default();
        Self { log_segment_bytes: 64 << 10, value_segment_bytes: 64 << 10, timing }
    }
}

/// What members have promised or become, over all their lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promises {
    /// For whom a member voted in a term.
    votes: BTreeMap<(u64, Term), u64>,
    leaders: BTreeMap<Term, u64>,
}

impl Promises {
    fn note(&mut self, member: u64, effect: &Effect) {
        match effect {
            Effect::Send { to, message: PeerMessage::Raft(message) } => match message.body {
                raft::Body::VoteReply { granted: true } => {
                    self.vote(member, message.term, to.get());
                }
                raft::Body::VoteRequest { .. } => self.vote(member, message.term, member),
                _ => {}
            },
            Effect::RoleChanged { role: RoleName::Leader, term, .. } => {
                let leader = *self.leaders.entry(*term).or_insert(member);
                assert_eq!(leader, member, "two leaders in term {term}");
            }
            _ => {}
        }
    }

    fn vote(&mut self, member: u64, term: Term, candidate: u64) {
        let first = *self.votes.entry((member, term)).or_insert(candidate);
        assert_eq!(first, candidate, "member {member} votes twice in term {term}");
    }
}

impl Cluster {
    pub(crate) fn new(size: u64) -> Self {
        let mut cluster = Self::shaped(size, Shape::default());
        cluster.restart_all();
        cluster
    }

    /// Members of this shape with empty folders; none of them runs.
    pub(crate) fn shaped(size: u64, shape: Shape) -> Self {
        let founding = Membership::founding((1..=size).map(|id| (id.into(), "".into())));
        Self {
            members: BTreeMap::new(),
            disks: (1..=size).map(|id| (id, Disks::new(founding.clone()))).collect(),
            keeping: LogKeeping::default(),
            shape,
            wishes: BTreeMap::new(),
            stopped: BTreeMap::new(),
            disks_may_fail: false,
            promises: Promises::default(),
            random: Prng::named(size, "cluster"),
            cut: BTreeSet::new(),
            duplicate: |_| false,
            lose: |_| false,
            falsifies_records: false,
            wire: VecDeque::new(),
            answers: BTreeMap::new(),
            next_call: 0,
        }
    }

    /// The same members on copies of their folders; none of them runs.
    pub(crate) fn fork(&self) -> Self {
        let mut copy = Self::shaped(0, self.shape);
        copy.disks = self.disks.iter().map(|(id, disks)| (*id, disks.fork())).collect();
        (copy.keeping, copy.disks_may_fail) = (self.keeping, self.disks_may_fail);
        copy.promises = self.promises.clone();
        copy
    }

    /// Ends every process and starts it again on what its disk shows.
    pub(crate) fn restart_all(&mut self) {
        self.members.clear();
        self.wire.clear();
        let ids: Vec<u64> = self.disks.keys().copied().collect();
        for id in ids {
            self.try_restart(id).expect("the folders fit together");
        }
    }

    pub(crate) fn try_restart(&mut self, id: u64) -> Result<(), String> {
        self.members.remove(&id);
        let disks = &self.disks[&id];
        let owner = Owner { cluster: 1, member: id, salt: id };
        let segment_bytes = self.shape.log_segment_bytes;
        let options = WalOptions { segment_bytes, ..WalOptions::new(owner) };
        let log = LogStore::open(disks.log.clone(), options, disks.founding.clone())
            .map_err(|error| error.to_string())?;
        let segment_bytes = self.shape.value_segment_bytes;
        let options = ValueLogOptions { segment_bytes, ..ValueLogOptions::new(owner) };
        let state = StateStore::open(disks.state.clone(), options, log.generation())
            .map_err(|error| error.to_string())?;
        let recovered =
            log.recovered(LogIndex::new(state.applied())).map_err(|error| error.to_string())?;
        let config = Config {
            timing: self.shape.timing,
            seed: id,
            admission: log.admission(),
            founding: disks.founding.clone(),
            hints: self.disks.keys().copied().map(MemberId::new).collect(),
            log_keeping: self.keeping,
            snapshot_bytes_per_second: 64 << 20,
            raft: raft::Config::new(MemberId::new(id), log.starts()),
        };
        let salvaged = log.salvaged().map_err(|error| error.to_string())?;
        let replica = Replica::new(config, recovered, salvaged, state.summary())
            .map_err(|error| error.to_string())?;
        self.members.insert(id, Member { replica, log, state });
        Ok(())
    }

    pub(crate) fn lose_log(&mut self, id: u64) {
        self.members.remove(&id);
        self.disks.get_mut(&id).expect("known").log = MemoryDisk::new();
    }

    /// A machine with empty disks that waits to be taken in.
    pub(crate) fn join(&mut self, id: u64) {
        self.disks.insert(id, Disks::new(Membership::default()));
        self.try_restart(id).expect("an empty folder");
    }

    /// The machine has lost its disks and starts again as what it was.
    pub(crate) fn wipe(&mut self, id: u64) {
        let founding = self.disks[&id].founding.clone();
        self.disks.insert(id, Disks::new(founding));
        self.try_restart(id).expect("an empty folder");
    }

    pub(crate) fn stop(&mut self, id: u64) {
        self.members.remove(&id);
    }

    /// Asks a member for something and waits for the answer.
    pub(crate) fn wish(&mut self, id: u64, wish: Wish) -> WishResult {
        self.next_call += 1;
        let call = self.next_call;
        self.step(id, Event::Wished { call, wish });
        for _ in 0..1000 {
            if let Some(result) = self.wishes.remove(&call) {
                return result;
            }
            self.ticks(1);
        }
        panic!("the wish was not answered")
    }

    pub(crate) fn ticks(&mut self, count: u64) {
        for _ in 0..count {
            let ids: Vec<u64> = self.members.keys().copied().collect();
            for id in ids {
                let jitter = self.random.next_u64();
                self.step(id, Event::Ticked { jitter });
                self.step(id, Event::Drained);
            }
            self.deliver();
        }
    }

    pub(crate) fn run_until_leader(&mut self) -> u64 {
        self.run_until_leader_other_than(0)
    }

    pub(crate) fn run_until_leader_other_than(&mut self, old: u64) -> u64 {
        let leader = self.leader_within(500, old).expect("no leader within 500 ticks");
        self.ticks(20);
        leader
    }

    /// A quiet moment of every log.
    pub(crate) fn idle(&mut self) {
        let ids: Vec<u64> = self.members.keys().copied().collect();
        for id in ids {
            let log = &mut self.members.get_mut(&id).expect("runs").log;
            log.idle(1 << 10).expect("the disk works");
            if let Some(through) = log.scrub(1 << 10).expect("the disk works") {
                self.step(id, Event::LogRotten { through });
            }
        }
    }

    /// Whoever leads first within so many ticks and is not `old`.
    pub(crate) fn leader_within(&mut self, ticks: u64, old: u64) -> Option<u64> {
        for _ in 0..ticks {
            self.ticks(1);
            let leads = |member: &Member| member.replica.status().role == RoleName::Leader;
            let leader = self.members.iter().find(|(id, member)| **id != old && leads(member));
            if let Some((&id, _)) = leader {
                return Some(id);
            }
        }
        None
    }

    pub(crate) fn other_than(&self, id: u64) -> u64 {
        *self.members.keys().find(|other| **other != id).expect("there are others")
    }

    pub(crate) fn cut(&mut self, id: u64) {
        self.cut.insert(id);
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }

    pub(crate) fn duplicate(&mut self, which: fn(&PeerMessage) -> bool) {
        self.duplicate = which;
    }

    pub(crate) fn lose(&mut self, which: fn(&PeerMessage) -> bool) {
        self.lose = which;
    }

    /// What members send for a damaged record is something else from now on.
    pub(crate) fn falsify_records(&mut self) {
        self.falsifies_records = true;
    }

    /// Gives the call to the member and lets it be batched.
    pub(crate) fn start(&mut self, id: u64, request: Request) -> u64 {
        self.next_call += 1;
        let call = self.next_call;
        self.step(id, Event::Called { call, request });
        self.step(id, Event::Drained);
        self.deliver();
        call
    }

    /// The answer, which must have come.
    pub(crate) fn finish(&mut self, call: u64) -> Result<Response, Error> {
        self.answers.remove(&call).expect("the call was answered")
    }

    pub(crate) fn call(&mut self, id: u64, request: Request) -> Result<Response, Error> {
        self.try_call(id, request).expect("the call was answered")
    }

    /// The answer; none if the member ends before it.
    pub(crate) fn try_call(
        &mut self,
        id: u64,
        request: Request,
    ) -> Option<Result<Response, Error>> {
        let call = self.start(id, request);
        for _ in 0..1000 {
            if self.answers.contains_key(&call) || !self.members.contains_key(&id) {
                break;
            }
            self.ticks(1);
        }
        self.answers.remove(&call)
    }

    fn deliver(&mut self) {
        while let Some((from, to, message)) = self.wire.pop_front() {
            if self.cut.contains(&from) || self.cut.contains(&to) || !self.members.contains_key(&to)
            {
                continue;
            }
            if (self.lose)(&message) {
                continue;
            }
            let bytes = message.encode();
            let mut message = PeerMessage::decode(bytes).expect("own messages can be read");
            if let PeerMessage::Records { records, .. } = &mut message
                && self.falsifies_records
            {
                records.iter_mut().for_each(|record| *record = vec![7; record.len()].into());
            }
            self.step(to, Event::Received { from: MemberId::new(from), message });
        }
    }

    fn step(&mut self, id: u64, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let Some(member) = self.members.get_mut(&id) else { return };
            for effect in member.replica.step(event) {
                self.promises.note(id, &effect);
                match self.perform(id, effect) {
                    Ok(done) => events.extend(done),
                    Err(reason) => {
                        assert!(self.disks_may_fail, "the disk works: {reason}");
                        self.stopped.insert(id, reason);
                        self.members.remove(&id);
                        return;
                    }
                }
            }
        }
    }

    fn perform(&mut self, id: u64, effect: Effect) -> Result<Option<Event>, String> {
        let Some(member) = self.members.get_mut(&id) else { return Ok(None) };
        match effect {
            Effect::Send { to, message } => {
                if (self.duplicate)(&message) {
                    self.wire.push_back((id, to.get(), message.clone()));
                }
                self.wire.push_back((id, to.get(), message));
            }
            Effect::Persist(order) => {
                let ticket = member.log.write(&[order]).map_err(text)?;
                member.log.sync().map_err(text)?;
                return Ok(ticket.map(|ticket| Event::Persisted { ticket }));
            }
            Effect::State(order) => return Ok(member.state.carry_out(order).map_err(text)?.event),
            Effect::Admit { admission } => {
                member.log.admit(admission).map_err(text)?;
                return Ok(Some(Event::Admitted { admission }));
            }
            Effect::Stop { reason } => {
                self.stopped.entry(id).or_insert(reason);
            }
            Effect::SettleLoss => member.log.settle_loss().map_err(text)?,
            Effect::WishAnswered { call, result } => {
                assert!(self.wishes.insert(call, result).is_none(), "wish {call} answered twice");
            }
            Effect::Load { from, max_bytes, purpose } => {
                let loaded = member.log.load(from, max_bytes);
                assert!(self.disks_may_fail || loaded.is_ok(), "the disk works: {loaded:?}");
                let entries = loaded.unwrap_or_default();
                return Ok(Some(Event::Loaded { entries, purpose }));
            }
            Effect::Read { call, request, term } => {
                let answered = member.state.answer(&request, term);
                let met = answered.as_ref().err().copied();
                self.answers.insert(call, answered.unwrap_or(Err(Error::Corrupt)));
                return Ok(met.map(|offset| Event::DamageMet { offset }));
            }
            Effect::Reply { call, result } => {
                assert!(self.answers.insert(call, result).is_none(), "call {call} answered twice");
            }
            Effect::RoleChanged { .. } | Effect::MembershipChanged { .. } => {}
        }
        Ok(None)
    }
}

fn text(error: impl core::fmt::Display) -> String {
    error.to_string()
}

impl Disks {
    fn new(founding: Membership) -> Self {
        Self { log: MemoryDisk::new(), state: [MemoryDisk::new(), MemoryDisk::new()], founding }
    }

    /// Empty folders in their place.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.founding.clone());
    }

    fn fork(&self) -> Self {
        let state = self.state.each_ref().map(MemoryDisk::fork);
        Self { log: self.log.fork(), state, founding: self.founding.clone() }
    }
}
