//! One election in simulated time: authorities, voters, faults, one queue of happenings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use authority::{
    Act, Answer, Authority, Config, Effect, ElectionView, Event, Notice,
    testing::{key_name, key_seed, own_keys},
};
use ballot::signature::SigningKey;
use base::{Machine, Prng};
use bytes::Bytes;
use election::{
    Act as Signed, Endorser,
    testing::{ElectionBuilder, STAMP, TestElection},
};
use kv::api::{Error, Header, KeyRange, Request, Response, WatchResponse};

use super::{
    check::Checker,
    liar::Liar,
    plan::Plan,
    stores::Stores,
    voters::{Step, Voter},
};
use crate::check::Violation;

/// Longest the world may take to become quiet once the faults have ended, in milliseconds.
const CALM_MS_MAX: u64 = 120_000;
/// Longest an act may take without faults, in milliseconds.
const ACT_MS_MAX: u64 = 20_000;

/// What a run was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Figures {
    pub simulated_ms: u64,
    pub calls: u64,
    pub faulty_calls: u64,
    pub crashes: u64,
    pub forks: u64,
    pub set_backs: u64,
    pub lies: u64,
    pub alarms: u64,
    pub receipts: u64,
    pub cosignatures: u64,
    pub leaves: u64,
}

impl Figures {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.simulated_ms += other.simulated_ms;
        self.calls += other.calls;
        self.faulty_calls += other.faulty_calls;
        self.crashes += other.crashes;
        self.forks += other.forks;
        self.set_backs += other.set_backs;
        self.lies += other.lies;
        self.alarms += other.alarms;
        self.receipts += other.receipts;
        self.cosignatures += other.cosignatures;
        self.leaves += other.leaves;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, faulty_calls, crashes, forks, set_backs, lies, alarms, .. } = self;
        let Self { receipts, cosignatures, leaves, simulated_ms, .. } = self;
        let seconds = simulated_ms / 1000;
        write!(
            f,
            "{seconds} simulated s, {calls} calls ({faulty_calls} faulty), {crashes} crashes, "
        )?;
        write!(f, "{forks} forks, {set_backs} stores set back, {lies} lies, {alarms} alarms; ")?;
        write!(f, "{leaves} leaves, {cosignatures} cosignatures posted, {receipts} receipts")
    }
}

/// What happens next.
enum Happening {
    Tick {
        node: usize,
        life: u64,
    },
    /// A call reaches the store; `reply_ms` later its answer arrives, unless that was lost.
    Execute {
        node: usize,
        life: u64,
        call: u64,
        request: Request,
        reply_ms: Option<u64>,
    },
    Reply {
        node: usize,
        life: u64,
        call: u64,
        result: Result<Response, Error>,
    },
    Durable {
        node: usize,
        life: u64,
        ticket: u64,
    },
    Deliver {
        node: usize,
        life: u64,
        event: Event,
    },
    Vote {
        voter: usize,
    },
    Lie,
    Crash,
    Restart {
        node: usize,
    },
    Fork,
    SetBack,
}

struct Watch {
    range: KeyRange,
    next_revision: i64,
    due_ms: u64,
}

/// A process; `authority` is `None` while it is down.
struct Node {
    authority: Option<Authority>,
    config: Config,
    life: u64,
    journal: Vec<Bytes>,
    unwritten: VecDeque<(u64, Bytes)>,
    durable_ms: u64,
    watches: BTreeMap<u64, Watch>,
    answered: BTreeSet<u64>,
}

/// See the module.
pub(super) struct World {
    prng: Prng,
    plan: Plan,
    election: TestElection,
    nodes: Vec<Node>,
    stores: Stores,
    liar: Option<Liar>,
    voters: Vec<Voter>,
    checker: Checker,
    queue: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    now_ms: u64,
    storm: bool,
    answers: BTreeMap<u64, Answer>,
    tickets: BTreeMap<u64, usize>,
    next_ticket: u64,
    figures: Figures,
    dump: bool,
}

impl World {
    pub(super) fn new(seed: u64, dump: bool) -> Self {
        let mut prng = Prng::named(seed, "voting");
        let plan = Plan::draw(&mut prng);
        if dump {
            println!("{plan:?}");
        }
        let builder = ElectionBuilder::new(seed)
            .authorities(plan.authorities, plan.faulty)
            .voters(plan.voters);
        let election = own_keys(builder.build());
        let honest = plan.authorities - u8::from(plan.has_liar);
        let liar = plan.has_liar.then(|| Liar {
            number: plan.authorities,
            place: plan.authorities - 1,
            key: SigningKey::from_seed(&key_seed(plan.authorities)),
        });
        let voters = (0..plan.voters as usize).map(|number| Voter::new(number, &mut prng));
        let voters = voters.collect();
        let checker = Checker::new(election.id(), election.policy());
        Self {
            nodes: (1..=honest).map(Node::new).collect(),
            prng,
            plan,
            election,
            stores: Stores::default(),
            liar,
            voters,
            checker,
            queue: BTreeMap::new(),
            sequence: 0,
            now_ms: 1,
            storm: false,
            answers: BTreeMap::new(),
            tickets: BTreeMap::new(),
            next_ticket: 1,
            figures: Figures::default(),
            dump,
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let (receipts, cosignatures) = (self.checker.receipts.len() as u64, self.checker.cosigned);
        let leaves = self.views().flatten().map(|view| view.fold().tree().size()).max();
        let leaves = leaves.unwrap_or(0);
        Figures { simulated_ms: self.now_ms, receipts, cosignatures, leaves, ..self.figures }
    }

    pub(super) fn run(&mut self) -> Result<(), Violation> {
        for node in 0..self.nodes.len() {
            self.start(node)?;
        }
        self.set_up()?;
        self.begin_storm();
        let until_ms = self.now_ms + self.plan.storm_ms;
        while self.now_ms < until_ms {
            self.advance()?;
        }
        self.end_storm()?;
        self.quiet("all voters have receipts", |world| world.voters.iter().all(Voter::is_done))?;
        let fingerprint = self.election.manifest.fingerprint();
        let signature = Signed::Close.sign(&fingerprint, &self.election.admin);
        self.act(0, Act::Close { signature })?;
        self.quiet("everything is final everywhere", |world| {
            let closed = |view: ElectionView<'_>| {
                matches!(view.fold().phase(), election::Phase::Closed { .. }) && view.is_settled()
            };
            world.views().all(|view| view.is_some_and(closed))
        })?;
        for view in self.views() {
            let view = view.expect("all nodes are up");
            self.checker.at_the_end(view, self.plan.voters)?;
        }
        Ok(())
    }

    fn views(&self) -> impl Iterator<Item = Option<ElectionView<'_>>> {
        let id = self.election.id();
        self.nodes.iter().map(move |node| node.authority.as_ref()?.election(id))
    }

    fn log(&self, what: impl FnOnce() -> String) {
        if self.dump {
            println!("{:>7} {}", self.now_ms, what());
        }
    }

    fn later(&mut self, ms: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now_ms + ms, self.sequence), happening);
    }

    fn delay_ms(&mut self) -> u64 {
        let max = if self.storm { self.plan.delay_ms_max } else { 5 };
        self.prng.between(1, max)
    }

    /// Goes on until `done`, for a bounded time.
    fn quiet(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), Violation> {
        let until_ms = self.now_ms + CALM_MS_MAX;
        while !done(self) {
            if self.now_ms > until_ms {
                let text = format!("{what}: not so after {CALM_MS_MAX} ms of calm");
                return Err(Violation { rule: "V5", text: format!("{text}\n{}", self.shown()) });
            }
            self.advance()?;
        }
        Ok(())
    }

    fn shown(&self) -> String {
        let mut text = String::new();
        for (node, view) in self.views().enumerate() {
            let Some(view) = view else { continue };
            let (position, head, size) = (view.position(), view.head(), view.fold().tree().size());
            let (round, last, phase) = (view.round(), view.final_size(), view.fold().phase());
            let waiting = view.waiting();
            text += &format!(
                "  node {node}: entry {position} of {head}, leaf {size}, {last} final, \
                 in {round:?}, {waiting} waiting, {phase:?}\n"
            );
        }
        text
    }

    fn advance(&mut self) -> Result<(), Violation> {
        let Some(((at_ms, _), happening)) = self.queue.pop_first() else {
            return Ok(());
        };
        self.now_ms = at_ms;
        match happening {
            Happening::Tick { node, life } => self.on_tick(node, life),
            Happening::Execute { node, life, call, request, reply_ms } => {
                self.figures.calls += 1;
                let result = self.stores.call(node, &request);
                if let Some(ms) = reply_ms {
                    self.later(ms, Happening::Reply { node, life, call, result });
                }
                Ok(())
            }
            Happening::Reply { node, life, call, result } => {
                self.give(node, life, Event::Replied { call, result })
            }
            Happening::Durable { node, life, ticket } => self.on_durable(node, life, ticket),
            Happening::Deliver { node, life, event } => self.give(node, life, event),
            Happening::Vote { voter } => self.on_vote(voter),
            Happening::Lie => {
                self.on_lie();
                Ok(())
            }
            Happening::Crash => {
                self.on_crash();
                Ok(())
            }
            Happening::Restart { node } => self.start(node),
            Happening::Fork => {
                self.on_fork();
                Ok(())
            }
            Happening::SetBack => {
                self.on_set_back();
                Ok(())
            }
        }
    }

    fn start(&mut self, node: usize) -> Result<(), Violation> {
        let Node { config, journal, life, authority, .. } = &mut self.nodes[node];
        if authority.is_some() {
            return Ok(());
        }
        let seed = key_seed(config.index);
        let started = Authority::new(config.clone(), &seed, journal.clone());
        *authority = Some(started.map_err(|error| Violation {
            rule: "start",
            text: format!("authority {} does not start: {error}", config.index),
        })?);
        let life = *life;
        self.later(1, Happening::Tick { node, life });
        self.give(node, life, Event::Started)
    }

    fn on_tick(&mut self, node: usize, life: u64) -> Result<(), Violation> {
        if self.nodes[node].life != life || self.nodes[node].authority.is_none() {
            return Ok(());
        }
        self.poll_watches(node);
        let minutes = STAMP + (self.now_ms / 60_000) as u32;
        let next_ms = self.prng.between(20, 60);
        self.later(next_ms, Happening::Tick { node, life });
        self.give(node, life, Event::Ticked { now_ms: self.now_ms, minutes })
    }

    /// Gives the machine an event, if its process still lives, and performs what it orders.
    fn give(&mut self, node: usize, life: u64, event: Event) -> Result<(), Violation> {
        let id = self.election.id();
        let running = &mut self.nodes[node];
        if running.life != life {
            return Ok(());
        }
        let Some(authority) = &mut running.authority else { return Ok(()) };
        for effect in authority.step(event) {
            let authority = self.nodes[node].authority.as_ref().expect("it runs");
            match &effect {
                Effect::Call { request, .. } => {
                    self.checker.on_request(authority.election(id), request)?;
                }
                Effect::Notify(Notice::Final { election, size, .. }) => {
                    let view = authority.election(*election).expect("it knows what is final");
                    self.checker.on_final(view, *size)?;
                }
                _ => {}
            }
            self.perform(node, effect)?;
        }
        Ok(())
    }

    fn perform(&mut self, node: usize, effect: Effect) -> Result<(), Violation> {
        let life = self.nodes[node].life;
        match effect {
            Effect::Call { call, request } => self.on_call(node, life, call, request),
            Effect::Watch { watch, request } => {
                let header = Header { revision: self.stores.revision(node), raft_term: 1 };
                let message = WatchResponse::Created { header };
                let event = Event::Watched { watch, message };
                let due_ms = self.delay_ms();
                self.later(due_ms, Happening::Deliver { node, life, event });
                let opened = Watch {
                    range: request.range,
                    next_revision: request.start_revision,
                    due_ms: self.now_ms + due_ms,
                };
                self.nodes[node].watches.insert(watch, opened);
            }
            Effect::Unwatch { watch } => drop(self.nodes[node].watches.remove(&watch)),
            Effect::Persist { ticket, record } => {
                let max = if self.storm { self.plan.disk_ms_max } else { 2 };
                let at_ms = self.now_ms + self.prng.between(1, max);
                let due_ms = self.nodes[node].durable_ms.max(at_ms);
                self.nodes[node].durable_ms = due_ms;
                self.nodes[node].unwritten.push_back((ticket, record));
                self.later(due_ms - self.now_ms, Happening::Durable { node, life, ticket });
            }
            Effect::Answer { ticket, answer } => return self.on_answer(node, ticket, answer),
            Effect::Notify(notice) => {
                if let Notice::Alarm { what, .. } = &notice {
                    self.figures.alarms += 1;
                    self.log(|| format!("node {node}: {what}"));
                }
            }
        }
        Ok(())
    }

    fn on_answer(&mut self, node: usize, ticket: u64, answer: Answer) -> Result<(), Violation> {
        if !self.nodes[node].answered.insert(ticket) {
            let text = format!("node {node} answered ticket {ticket} twice");
            return Err(Violation { rule: "V6", text });
        }
        if let Some(voter) = self.tickets.remove(&ticket) {
            self.voters[voter].on_answer(&answer);
        }
        self.answers.insert(ticket, answer);
        Ok(())
    }

    /// A call on its way to the store, where it may meet its fate.
    fn on_call(&mut self, node: usize, life: u64, call: u64, request: Request) {
        let (there_ms, back_ms) = (self.delay_ms(), self.delay_ms());
        let fate = self.prng.below(1000);
        let faulty = self.storm && fate < self.plan.faulty_calls;
        let execute = |reply_ms| Happening::Execute { node, life, call, request, reply_ms };
        if !faulty {
            return self.later(there_ms, execute(Some(back_ms)));
        }
        self.figures.faulty_calls += 1;
        let failed = |error| Happening::Reply { node, life, call, result: Err(error) };
        match fate % 5 {
            // Refused, never to happen.
            0 => self.later(there_ms + back_ms, failed(Error::NoLeader)),
            // Lost on the way there.
            1 => self.later(there_ms + 500, failed(Error::Timeout)),
            // Lost on the way back.
            2 | 3 => {
                self.later(there_ms, execute(None));
                self.later(there_ms + 300, failed(Error::OutcomeUnknown));
            }
            // Happens long after it was given up.
            _ => {
                let late_ms = 400 + self.prng.below(4_000);
                self.later(late_ms, execute(None));
                self.later(there_ms + 300, failed(Error::Timeout));
            }
        }
    }

    fn on_durable(&mut self, node: usize, life: u64, ticket: u64) -> Result<(), Violation> {
        if self.nodes[node].life != life {
            return Ok(());
        }
        let unwritten = std::mem::take(&mut self.nodes[node].unwritten);
        let (durable, rest): (VecDeque<_>, VecDeque<_>) =
            unwritten.into_iter().partition(|(waiting, _)| *waiting <= ticket);
        self.nodes[node].unwritten = rest;
        self.nodes[node].journal.extend(durable.into_iter().map(|(_, record)| record));
        self.give(node, life, Event::Persisted { ticket })
    }

    fn poll_watches(&mut self, node: usize) {
        let life = self.nodes[node].life;
        let mut watches = std::mem::take(&mut self.nodes[node].watches);
        watches.retain(|watch, opened| {
            if self.storm && self.prng.chance(1, 300) {
                self.end_watch(node, *watch);
                return false;
            }
            for (revision, events) in self.stores.changes(node, &opened.range, opened.next_revision)
            {
                opened.next_revision = revision + 1;
                opened.due_ms = opened.due_ms.max(self.now_ms + self.delay_ms());
                let header = Header { revision, raft_term: 1 };
                let message = WatchResponse::Events { header, events };
                let event = Event::Watched { watch: *watch, message };
                let ms = opened.due_ms - self.now_ms;
                self.later(ms, Happening::Deliver { node, life, event });
            }
            true
        });
        self.nodes[node].watches = watches;
    }

    fn end_watch(&mut self, node: usize, watch: u64) {
        let life = self.nodes[node].life;
        let event = Event::WatchEnded { watch };
        self.later(1, Happening::Deliver { node, life, event });
    }

    /// Some connections notice that the store is another one, some do not.
    fn shake_watches(&mut self) {
        for node in 0..self.nodes.len() {
            let watches: Vec<u64> = self.nodes[node].watches.keys().copied().collect();
            for watch in watches {
                if self.prng.chance(1, 2) {
                    self.nodes[node].watches.remove(&watch);
                    self.end_watch(node, watch);
                }
            }
        }
    }

    fn on_vote(&mut self, voter: usize) -> Result<(), Violation> {
        let id = self.election.id();
        let views: Vec<_> =
            self.nodes.iter().map(|node| node.authority.as_ref()?.election(id)).collect();
        let step = self.voters[voter].step(&mut self.election, &views, self.now_ms, &mut self.prng);
        drop(views);
        if !matches!(step, Step::Done) {
            let again_ms = self.prng.between(300, 900);
            self.later(again_ms, Happening::Vote { voter });
        }
        match step {
            Step::Wait | Step::Done => Ok(()),
            Step::Receipt(held) => self.checker.on_receipt(*held),
            Step::Send(node, ballot) => {
                let ticket = self.next_ticket;
                self.next_ticket += 1;
                self.tickets.insert(ticket, voter);
                let life = self.nodes[node].life;
                self.give(node, life, Event::Submitted { ticket, election: id, ballot })
            }
        }
    }

    fn on_lie(&mut self) {
        if !self.storm {
            return;
        }
        let again_ms = self.prng.between(50, 400);
        self.later(again_ms, Happening::Lie);
        let node = self.prng.below(self.nodes.len() as u64) as usize;
        let id = self.election.id();
        let view = self.nodes[node].authority.as_ref().and_then(|it| it.election(id));
        let (Some(liar), Some(view)) = (&self.liar, view) else { return };
        if let Some(request) = liar.lie(view, &mut self.prng) {
            self.figures.lies += 1;
            // The store may refuse it; a liar does not mind.
            self.stores.call(node, &request).ok();
        }
    }

    fn on_crash(&mut self) {
        let (Some(every_ms), true) = (self.plan.crash_every_ms, self.storm) else { return };
        let next_ms = self.prng.between(1, 2 * every_ms);
        self.later(next_ms, Happening::Crash);
        let node = self.prng.below(self.nodes.len() as u64) as usize;
        let running = &mut self.nodes[node];
        if running.authority.take().is_none() {
            return;
        }
        running.life += 1;
        running.unwritten.clear();
        running.watches.clear();
        running.durable_ms = 0;
        self.figures.crashes += 1;
        self.log(|| format!("node {node} crashes"));
        let back_ms = self.prng.between(10, 4_000);
        self.later(back_ms, Happening::Restart { node });
    }

    fn on_fork(&mut self) {
        let (Some(every_ms), true) = (self.plan.fork_every_ms, self.storm) else { return };
        let next_ms = self.prng.between(1, 2 * every_ms);
        self.later(next_ms, Happening::Fork);
        if self.stores.is_split() {
            let keep_other = self.prng.chance(1, 2);
            self.log(|| format!("one order again, the other one: {keep_other}"));
            self.stores.join(keep_other);
        } else {
            let shown = |_: &usize| self.prng.chance(1, 2);
            let nodes: BTreeSet<usize> = (0..self.nodes.len()).filter(shown).collect();
            let leaks = self.prng.chance(1, 2);
            self.log(|| format!("{nodes:?} are shown another order, statements leak: {leaks}"));
            self.figures.forks += 1;
            self.stores.split(nodes, leaks);
        }
        self.shake_watches();
    }

    fn on_set_back(&mut self) {
        let (Some(every_ms), true) = (self.plan.set_back_every_ms, self.storm) else { return };
        let next_ms = self.prng.between(1, 2 * every_ms);
        self.later(next_ms, Happening::SetBack);
        let writes = self.prng.between(1, 80) as usize;
        self.log(|| format!("the store forgets {writes} writes"));
        self.figures.set_backs += 1;
        self.stores.set_back(writes);
        self.shake_watches();
    }

    fn begin_storm(&mut self) {
        self.storm = true;
        for voter in 0..self.voters.len() {
            let at_ms = self.prng.below(self.plan.storm_ms);
            self.later(at_ms, Happening::Vote { voter });
        }
        let faults = [
            (self.plan.crash_every_ms, Happening::Crash),
            (self.plan.fork_every_ms, Happening::Fork),
            (self.plan.set_back_every_ms, Happening::SetBack),
            (self.liar.as_ref().map(|_| 100), Happening::Lie),
        ];
        for (every_ms, fault) in faults {
            let Some(every_ms) = every_ms else { continue };
            let first_ms = self.prng.below(every_ms);
            self.later(first_ms, fault);
        }
    }

    fn end_storm(&mut self) -> Result<(), Violation> {
        self.log(|| "the faults end".to_owned());
        self.storm = false;
        if self.stores.is_split() {
            let keep_other = self.prng.chance(1, 2);
            self.stores.join(keep_other);
            self.shake_watches();
        }
        for node in 0..self.nodes.len() {
            self.start(node)?;
        }
        Ok(())
    }

    /// Hands an act to a node and waits for its answer.
    fn act(&mut self, node: usize, act: Act) -> Result<(), Violation> {
        let (ticket, election) = (self.next_ticket, self.election.id());
        self.next_ticket += 1;
        let life = self.nodes[node].life;
        self.give(node, life, Event::Administered { ticket, election, act })?;
        let until_ms = self.now_ms + ACT_MS_MAX;
        while !self.answers.contains_key(&ticket) && self.now_ms < until_ms {
            self.advance()?;
        }
        match self.answers.get(&ticket) {
            Some(Answer::Done { .. }) => Ok(()),
            other => Err(Violation { rule: "V5", text: format!("an act ended with {other:?}") }),
        }
    }

    /// From the draft to the opening, without faults.
    fn set_up(&mut self) -> Result<(), Violation> {
        let last = self.nodes.len() - 1;
        let election = &self.election;
        let draft = Bytes::from(election.draft.encode());
        let signature = election.draft.sign(&election.admin);
        let chunks = election.roll.chunks().into_iter().map(Bytes::from).collect();
        let trustees = election.trustees.len() as u8;
        let messages: Vec<Bytes> = election.messages.iter().cloned().map(Bytes::from).collect();
        let keys: Vec<SigningKey> =
            election.trustees.iter().map(|trustee| trustee.signing_key()).collect();
        let fingerprint = election.manifest.fingerprint();
        let seal = Signed::Seal.sign(&fingerprint, &election.admin);
        let open = Signed::Open.sign(&fingerprint, &election.admin);
        let manifest = Bytes::from(election.manifest.encode());
        self.act(0, Act::Create { draft, signature })?;
        self.quiet("all nodes know the election", |world| {
            world.views().all(|view| view.is_some_and(|view| view.draft().is_some()))
        })?;
        self.act(last, Act::ImportRoll { chunks })?;
        for (at, message) in (0u8..).zip(messages) {
            let (round, trustee) = (at / trustees + 1, at % trustees + 1);
            self.act(0, Act::Ceremony { round, trustee, message })?;
        }
        self.quiet("all nodes know the setup", |world| {
            let all = world.election.messages.len();
            let known = |view: ElectionView<'_>| {
                view.ceremony_messages().len() == all && !view.roll_chunks().is_empty()
            };
            world.views().all(|view| view.is_some_and(known))
        })?;
        self.act(0, Act::Seal { manifest, signature: seal })?;
        self.quiet("the manifest is everywhere", |world| {
            world.views().all(|view| view.is_some_and(|view| view.fold().manifest().is_some()))
        })?;
        for (trustee, key) in (1u8..).zip(keys) {
            let signature = Signed::Endorse(Endorser::Trustee(trustee)).sign(&fingerprint, &key);
            self.act(last, Act::Endorse { trustee, signature })?;
        }
        self.quiet("nothing is missing", |world| {
            let ready = |view: ElectionView<'_>| match view.fold().phase() {
                election::Phase::Setup { missing } => missing.is_empty(),
                _ => false,
            };
            world.views().all(|view| view.is_some_and(ready))
        })?;
        self.act(0, Act::Open { signature: open })?;
        self.quiet("the opening is final", |world| {
            world.views().all(|view| view.is_some_and(ElectionView::is_settled))
        })
    }
}

impl Node {
    fn new(index: u8) -> Self {
        Self {
            authority: None,
            config: Config::new(index, &key_name(index), [index; 32]),
            life: 0,
            journal: Vec::new(),
            unwritten: VecDeque::new(),
            durable_ms: 0,
            watches: BTreeMap::new(),
            answered: BTreeSet::new(),
        }
    }
}
