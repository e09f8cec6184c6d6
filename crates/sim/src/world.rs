//! The world: takes events off the queue, lets members, network, disks and callers act on them,
//! and tells the truth and the checkers what happened.

mod client_side;
mod columns;
mod end;
mod fault_side;
mod log_side;
mod member_side;
mod state_side;
mod watch_side;
mod wish_side;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kv::api::{Error, Response};
use raft::LogIndex;

use crate::atlas::Atlas;
use crate::callers::{Call, Callers, Session};
use crate::check::{Checkers, Marks, Violation};
use crate::faults::{FaultCounts, FaultId, FaultPlan, Planned};
use crate::hash::mix;
use crate::host::{Host, ReadOrder};
use crate::matrix::{Matrix, Phase};
use crate::net::{Frame, Link, Net};
use crate::readers::Reader;
use crate::script::Script;
use crate::swarm::{Aim, Profile, Swarm};
use crate::time::{MILLI, Nanos, Queue};
use crate::truth::{Fact, Member, Operation, Truth};
use base::Prng;
use client_side::CallerCut;
use end::Core;
use fault_side::Begun;
use wish_side::Wishes;

pub(crate) use watch_side::Watching;

/// How a run is made, beside its seed.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Print what happens.
    pub dump: bool,
    /// How much happens.
    pub profile: Profile,
    /// Stop after so many events.
    pub until: Option<u64>,
    /// These faults and calls, and no others.
    pub script: Option<Arc<Script>>,
    /// What faults are aimed at; everything if nothing.
    pub aim: Option<Aim>,
    /// A seeded bug in every member.
    #[cfg(feature = "mutants")]
    pub mutant: Option<crate::Seeded>,
}

/// What will happen. Events that carry a `life` are void in a later one.
#[derive(Debug)]
pub(crate) enum Event {
    Ticked { member: Member, life: u64 },
    ExtraTick { member: Member, life: u64 },
    Woke { member: Member, life: u64 },
    Drained { member: Member, life: u64 },
    Synced { member: Member, life: u64 },
    Load { member: Member, life: u64 },
    LogRetry { member: Member, life: u64 },
    StateDone { member: Member, life: u64 },
    Read { member: Member, life: u64, order: Box<ReadOrder> },
    Arrived { link: Link, connection: Option<u64>, frame: Frame },
    Started { member: Member },
    Asked { session: Session, call: Box<Call> },
    Answered { session: Session, operation: Operation, answer: Box<Answer> },
    GaveUp { session: Session, operation: Operation },
    Thought { session: Session },
    WatchTurn { member: Member, life: u64 },
    ReaderDue { reader: usize },
    WishDue,
    FaultDue { line: Option<usize> },
    FaultAimed { member: Member },
    FaultOver { fault: FaultId },
    Overthrown { fault: FaultId, member: Member },
    Calm,
    CoreDue { step: u64 },
}

impl Event {
    /// The member whose process takes it, if it is one that waits while the process is busy.
    fn member(&self) -> Option<Member> {
        match self {
            Self::Ticked { member, .. }
            | Self::ExtraTick { member, .. }
            | Self::Drained { member, .. }
            | Self::Synced { member, .. }
            | Self::Load { member, .. }
            | Self::LogRetry { member, .. }
            | Self::StateDone { member, .. }
            | Self::WatchTurn { member, .. }
            | Self::Read { member, .. } => Some(*member),
            Self::Arrived { link, .. } => Some(link.to),
            Self::Asked { call, .. } => Some(call.member),
            _ => None,
        }
    }

    /// Member and life of an event that only one process may take.
    fn process(&self) -> Option<(Member, u64)> {
        match self {
            Self::Ticked { member, life }
            | Self::ExtraTick { member, life }
            | Self::Woke { member, life }
            | Self::Drained { member, life }
            | Self::Synced { member, life }
            | Self::Load { member, life }
            | Self::LogRetry { member, life }
            | Self::StateDone { member, life }
            | Self::WatchTurn { member, life }
            | Self::Read { member, life, .. } => Some((*member, *life)),
            _ => None,
        }
    }
}

/// What comes back to a caller.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) result: Result<Response, Error>,
    pub(crate) served_at: Option<LogIndex>,
}

/// A run as its report sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Simulated time.
    pub simulated_ns: Nanos,
    /// Events taken off the queue.
    pub events: u64,
    /// Calls made while there was load.
    pub called: u64,
    /// Calls answered with what was asked for.
    pub succeeded: u64,
    /// Faults.
    pub faults: FaultCounts,
    /// Entries committed.
    pub committed: u64,
    /// Times somebody became leader.
    pub leaders: u64,
    /// Process starts.
    pub starts: u64,
    /// Commands that came twice and had to count once.
    pub repeated: u64,
    /// Times somebody became candidate.
    pub campaigns: u64,
    /// Members that stayed away because their disk was damaged or gone.
    pub absent: u64,
}

/// Calls begin when there may be a leader.
const LOAD_FROM_NS: Nanos = 200 * MILLI;

/// See the module.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) options: Options,
    pub(crate) swarm: Swarm,
    pub(crate) queue: Queue<Event>,
    pub(crate) net: Net,
    pub(crate) hosts: Vec<Host>,
    pub(crate) callers: Callers,
    pub(crate) readers: Vec<Reader>,
    pub(crate) plan: FaultPlan,
    pub(crate) wishes: Wishes,
    pub(crate) atlas: Atlas,
    /// Every fault that has begun.
    pub(crate) begun: BTreeMap<FaultId, Begun>,
    /// Faults that overthrow leaders.
    pub(crate) overthrows: BTreeSet<FaultId>,
    pub(crate) caller_cuts: BTreeMap<FaultId, CallerCut>,
    pub(crate) truth: Truth,
    checkers: Checkers,
    pub(crate) figures: Figures,
    pub(crate) marks: Marks,
    pub(crate) matrix: Matrix,
    /// The script as it was played.
    pub(crate) planned: Vec<Planned>,
    pub(crate) called: Vec<Operation>,
    /// A fault waits, since then, for somebody to be in this phase.
    pub(crate) armed: Option<(Nanos, Phase)>,
    /// The faults are over.
    pub(crate) calm: bool,
    /// The majority that must manage alone, while it must.
    pub(crate) core: Option<Core>,
    trace: u64,
}

impl World {
    /// The world of `seed`, at its beginning.
    pub(crate) fn new(seed: u64, options: Options) -> Self {
        let members = options.script.as_ref().and_then(|script| script.members);
        let swarm = Swarm::under(seed, options.profile).within(members).aimed(options.aim);
        let stream = |name| Prng::named(seed, name);
        Self {
            seed,
            queue: Queue::default(),
            net: Net::new(stream("net"), swarm.machines()),
            wishes: Wishes::new(stream("wishes")),
            hosts: (0..swarm.machines()).map(|member| Host::new(seed, member, &swarm)).collect(),
            callers: Callers::new(seed, &swarm),
            readers: Reader::all(seed, &swarm),
            plan: FaultPlan::new(stream("faults"), &swarm),
            atlas: Atlas::new(swarm.members, swarm.exceeds),
            begun: BTreeMap::new(),
            overthrows: BTreeSet::new(),
            caller_cuts: BTreeMap::new(),
            truth: Truth::new(swarm.members, swarm.machines()),
            checkers: Checkers::new(&swarm),
            figures: Figures::default(),
            marks: Marks::new(swarm.inflight_messages_max),
            matrix: Matrix::default(),
            planned: Vec::new(),
            called: Vec::new(),
            armed: None,
            calm: false,
            core: None,
            trace: 0,
            options,
            swarm,
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The first violation.
    pub(crate) fn run(&mut self) -> Result<(), Violation> {
        self.dump(|world| format!("{:#?}", world.swarm));
        for member in 0..self.swarm.members {
            self.queue.at(0, Event::Started { member });
        }
        for session in 0..self.swarm.sessions {
            let at = LOAD_FROM_NS + self.callers.below(session, self.swarm.think_ns);
            self.queue.at(at, Event::Thought { session });
        }
        for reader in 0..self.readers.len() {
            self.queue.at(LOAD_FROM_NS, Event::ReaderDue { reader });
        }
        match self.options.script.clone() {
            Some(script) => {
                for (line, planned) in script.faults.iter().enumerate() {
                    self.queue.at(planned.at_ns, Event::FaultDue { line: Some(line) });
                }
            }
            None => {
                if let Some(first) = self.plan.next_after() {
                    self.queue.at(LOAD_FROM_NS + first, Event::FaultDue { line: None });
                }
            }
        }
        if self.swarm.wish_every_ns > 0 {
            self.queue.at(LOAD_FROM_NS, Event::WishDue);
        }
        self.queue.at(self.swarm.duration_ns, Event::Calm);
        let mut end = u64::MAX;
        while let Some(event) = self.queue.pop() {
            self.truth.now = self.queue.now();
            self.figures.events += 1;
            self.truth.event = self.figures.events;
            self.take(event)?;
            if self.options.until.is_some_and(|until| self.figures.events >= until) {
                return Ok(());
            }
            if self.is_recovering() {
                if end == u64::MAX {
                    end = self.queue.now() + end::RECOVERY_NS;
                }
                if self.figures.events.is_multiple_of(64) && self.is_quiet() {
                    return self.finish();
                }
                if self.queue.now() > end {
                    return self.on_unrest();
                }
            }
        }
        self.on_unrest() // everybody is away for good
    }

    /// Hash over everything that happened, in order.
    pub(crate) fn trace_hash(&self) -> u64 {
        self.trace
    }

    /// The figures so far.
    pub(crate) fn figures(&self) -> Figures {
        let calls = self.callers.counts();
        let loaded = (calls.called, calls.succeeded);
        let (called, succeeded) =
            if self.calm { (self.figures.called, self.figures.succeeded) } else { loaded };
        Figures {
            simulated_ns: self.queue.now(),
            called,
            succeeded,
            committed: self.truth.ledger.last_index().get(),
            repeated: self.truth.model.repeated(),
            ..self.figures
        }
    }

    fn take(&mut self, event: Event) -> Result<(), Violation> {
        match self.hold_if_busy(event) {
            Some(event) => self.handle(event),
            None => Ok(()),
        }
    }

    /// Lets `event` happen now.
    pub(crate) fn handle(&mut self, event: Event) -> Result<(), Violation> {
        self.trace_event(&event);
        if let Some((member, life)) = event.process()
            && !self.lives(member, life)
        {
            return Ok(()); // of a process that is gone
        }
        match event {
            Event::Ticked { member, .. } => self.on_ticked(member),
            Event::ExtraTick { member, .. } => self.on_extra_tick(member),
            Event::Woke { member, .. } => self.on_woke(member),
            Event::Drained { member, .. } => self.on_drained(member),
            Event::Synced { member, .. } => self.on_synced(member),
            Event::Load { member, .. } => self.on_load(member),
            Event::LogRetry { member, .. } => {
                self.write_log(member)?;
                self.start_log(member)
            }
            Event::StateDone { member, .. } => self.on_state_done(member),
            Event::Read { member, order, .. } => self.on_read(member, &order),
            Event::Arrived { link, connection, frame } => self.on_arrived(link, connection, frame),
            Event::Started { member } => self.on_started(member),
            Event::Asked { session, call } => self.on_asked(session, *call),
            Event::Answered { session, operation, answer } => {
                self.on_answered(session, operation, &answer)
            }
            Event::GaveUp { session, operation } => {
                self.on_gave_up(session, operation);
                Ok(())
            }
            Event::Thought { session } => self.on_thought(session),
            Event::WatchTurn { member, .. } => self.on_watch_turn(member),
            Event::ReaderDue { reader } => self.on_reader_due(reader),
            Event::WishDue => self.on_wish_due(),
            Event::FaultDue { line } => self.on_fault_due(line),
            Event::FaultAimed { member } => self.on_fault_aimed(member),
            Event::FaultOver { fault } => {
                self.on_fault_over(fault);
                Ok(())
            }
            Event::Overthrown { fault, member } => {
                self.on_overthrown(fault, member);
                Ok(())
            }
            Event::Calm => self.on_calm(),
            Event::CoreDue { step } => self.on_core_due(step),
        }
    }

    fn lives(&self, member: Member, life: u64) -> bool {
        let host = &self.hosts[member];
        host.process.is_some() && host.life == life
    }

    /// Tells the truth and every checker.
    pub(crate) fn tell(&mut self, fact: &Fact<'_>) -> Result<(), Violation> {
        self.dump(|_| columns::shown(fact));
        self.truth.see(fact).map_err(|text| Violation { rule: "R5", text })?;
        self.marks.see(fact, &self.truth);
        self.checkers.see(fact, &self.truth)
    }

    /// Prints a line when asked to; `text` is not even made otherwise.
    pub(crate) fn dump(&self, text: impl FnOnce(&Self) -> String) {
        if self.options.dump {
            self.print(&text(self));
        }
    }

    fn trace_event(&mut self, event: &Event) {
        let (kind, a, b) = match event {
            Event::Ticked { member, life } => (1, *member as u64, *life),
            Event::Drained { member, life } => (2, *member as u64, *life),
            Event::Synced { member, life } => (3, *member as u64, *life),
            Event::Load { member, life } => (4, *member as u64, *life),
            Event::LogRetry { member, life } => (20, *member as u64, *life),
            Event::StateDone { member, life } => (5, *member as u64, *life),
            Event::Read { member, order, .. } => (6, *member as u64, order.call),
            Event::Arrived { link, frame, .. } => {
                (7, (link.from * 100 + link.to) as u64, frame.hash())
            }
            Event::Started { member } => (8, *member as u64, 0),
            Event::Asked { session, call } => (9, *session as u64, call.operation.get()),
            Event::Answered { session, operation, answer } => {
                let good = u64::from(answer.result.is_ok());
                (10, *session as u64, operation.get() * 2 + good)
            }
            Event::GaveUp { session, operation } => (11, *session as u64, operation.get()),
            Event::Thought { session } => (12, *session as u64, 0),
            Event::WishDue => (21, 0, 0),
            Event::FaultDue { .. } => (13, 0, 0),
            Event::FaultOver { fault } => (14, *fault, 0),
            Event::Overthrown { fault, member } => (22, *fault, *member as u64),
            Event::Calm => (15, 0, 0),
            Event::ExtraTick { member, life } => (16, *member as u64, *life),
            Event::Woke { member, life } => (17, *member as u64, *life),
            Event::CoreDue { step } => (18, *step, 0),
            Event::ReaderDue { reader } => (23, *reader as u64, 0),
            Event::WatchTurn { member, life } => (24, *member as u64, *life),
            Event::FaultAimed { member } => (19, *member as u64, 0),
        };
        let now = self.queue.now();
        self.trace = [now, kind, a, b].into_iter().fold(self.trace, mix);
    }
}
