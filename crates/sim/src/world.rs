//! The world: takes events off the queue, lets members, network, disks and callers act on them,
//! and tells the truth and the checkers what happened.

mod client_side;
mod fault_side;
mod member_side;

use base::Prng;
use bytes::Bytes;
use kv::api::{Error, Response};
use raft::LogIndex;

use crate::callers::{Call, Callers, Session};
use crate::check::{self, Checker, Mark, Marks, Violation, violated};
use crate::faults::{Fault, FaultCounts, FaultId, FaultPlan};
use crate::hash::mix;
use crate::host::{Host, ReadOrder};
use crate::net::{Link, Net};
use crate::swarm::Swarm;
use crate::time::{MILLI, Nanos, Queue, SECOND};
use crate::truth::{Fact, Member, Operation, Truth};

/// How a run is made, beside its seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Print what happens.
    pub dump: bool,
    /// A seeded bug in every member.
    #[cfg(feature = "mutants")]
    pub mutant: Option<raft::Mutant>,
}

/// What will happen. Events that carry a `life` are void in a later one.
#[derive(Debug)]
pub(crate) enum Event {
    Ticked { member: Member, life: u64 },
    Drained { member: Member, life: u64 },
    Synced { member: Member, life: u64 },
    Load { member: Member, life: u64 },
    Applied { member: Member, life: u64 },
    Read { member: Member, life: u64, order: ReadOrder },
    Arrived { link: Link, frame: Bytes },
    Started { member: Member },
    Asked { session: Session, call: Call },
    Answered { session: Session, operation: Operation, answer: Answer },
    GaveUp { session: Session, operation: Operation },
    Thought { session: Session },
    FaultDue,
    FaultOver { fault: FaultId },
    Calm,
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
}

/// How long the group may take to recover once the faults are over.
const CALM_NS: Nanos = 30 * SECOND;

/// Least calls and effective faults in a second; a run with fewer proves too little.
const CALLS_PER_SECOND_MIN: u64 = 50;
const FAULTS_PER_SECOND_MIN: u64 = 1;

/// See the module.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) options: Options,
    pub(crate) swarm: Swarm,
    pub(crate) queue: Queue<Event>,
    pub(crate) random: Prng,
    pub(crate) jitter: Prng,
    pub(crate) net: Net,
    pub(crate) hosts: Vec<Host>,
    pub(crate) callers: Callers,
    pub(crate) plan: FaultPlan,
    /// Faults under way that end by themselves.
    pub(crate) faults: std::collections::BTreeMap<FaultId, Fault>,
    pub(crate) next_fault: FaultId,
    pub(crate) truth: Truth,
    checkers: Vec<Box<dyn Checker>>,
    pub(crate) figures: Figures,
    pub(crate) marks: Marks,
    pub(crate) calm: bool,
    trace: u64,
}

impl World {
    /// The world of `seed`, at its beginning.
    pub(crate) fn new(seed: u64, options: Options) -> Self {
        let swarm = Swarm::of(seed);
        let stream = |name| Prng::named(seed, name);
        Self {
            seed,
            options,
            queue: Queue::default(),
            random: stream("world"),
            jitter: stream("jitter"),
            net: Net::new(stream("net"), swarm.latency),
            hosts: (0..swarm.members).map(|member| Host::new(seed, member, &swarm)).collect(),
            callers: Callers::new(stream("callers"), &swarm),
            plan: FaultPlan::new(stream("faults"), &swarm),
            faults: std::collections::BTreeMap::new(),
            next_fault: 0,
            truth: Truth::new(swarm.members),
            checkers: check::all(),
            figures: Figures::default(),
            marks: Marks::default(),
            calm: false,
            trace: 0,
            swarm,
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The first violation.
    pub(crate) fn run(&mut self) -> Result<(), Violation> {
        self.dump(|world| format!("{:#?}", world.swarm));
        for member in 0..self.hosts.len() {
            self.queue.at(0, Event::Started { member });
        }
        for session in 0..self.swarm.sessions {
            let at = 200 * MILLI + self.random.below(self.swarm.think_ns);
            self.queue.at(at, Event::Thought { session });
        }
        let first = self.plan.next_after();
        self.queue.at(300 * MILLI + first, Event::FaultDue);
        self.queue.at(self.swarm.duration_ns, Event::Calm);
        let end = self.swarm.duration_ns + CALM_NS;
        while let Some(event) = self.queue.pop() {
            self.truth.now = self.queue.now();
            self.figures.events += 1;
            self.take(event)?;
            if self.calm && self.figures.events.is_multiple_of(64) && self.is_quiet() {
                return self.finish();
            }
            if self.queue.now() > end {
                return violated("V1", self.describe_unrest());
            }
        }
        violated("W", "nothing is left to happen".to_owned())
    }

    /// Hash over everything that happened, in order.
    pub(crate) fn trace_hash(&self) -> u64 {
        self.trace
    }

    /// The figures so far.
    pub(crate) fn figures(&self) -> Figures {
        let calls = self.callers.counts();
        Figures {
            simulated_ns: self.queue.now(),
            called: calls.called,
            succeeded: calls.succeeded,
            committed: self.truth.ledger.last_index().get(),
            repeated: self.truth.model.repeated(),
            ..self.figures
        }
    }

    fn take(&mut self, event: Event) -> Result<(), Violation> {
        let Some(event) = self.delay_if_paused(event) else { return Ok(()) };
        self.trace_event(&event);
        match event {
            Event::Ticked { member, life } if self.lives(member, life) => self.on_ticked(member),
            Event::Drained { member, life } if self.lives(member, life) => self.on_drained(member),
            Event::Synced { member, life } if self.lives(member, life) => self.on_synced(member),
            Event::Load { member, life } if self.lives(member, life) => self.on_load(member),
            Event::Applied { member, life } if self.lives(member, life) => self.on_applied(member),
            Event::Read { member, life, order } if self.lives(member, life) => {
                self.on_read(member, order);
                Ok(())
            }
            Event::Arrived { link, frame } => self.on_arrived(link, frame),
            Event::Started { member } => self.on_started(member),
            Event::Asked { session, call } => self.on_asked(session, call),
            Event::Answered { session, operation, answer } => {
                self.on_answered(session, operation, &answer)
            }
            Event::GaveUp { session, operation } => {
                self.on_gave_up(session, operation);
                Ok(())
            }
            Event::Thought { session } => self.on_thought(session),
            Event::FaultDue => self.on_fault_due(),
            Event::FaultOver { fault } => {
                self.on_fault_over(fault);
                Ok(())
            }
            Event::Calm => self.on_calm(),
            // Of a process that is gone.
            Event::Ticked { .. }
            | Event::Drained { .. }
            | Event::Synced { .. }
            | Event::Load { .. }
            | Event::Applied { .. }
            | Event::Read { .. } => Ok(()),
        }
    }

    fn lives(&self, member: Member, life: u64) -> bool {
        let host = &self.hosts[member];
        host.process.is_some() && host.life == life
    }

    /// Tells the truth and every checker.
    pub(crate) fn tell(&mut self, fact: &Fact<'_>) -> Result<(), Violation> {
        self.dump(|_| shown(fact));
        self.truth.see(fact).map_err(|text| Violation { rule: "R5", text })?;
        self.marks.see(fact, &self.truth);
        for checker in &mut self.checkers {
            checker.see(fact, &self.truth)?;
        }
        Ok(())
    }

    /// Prints a line when asked to; `text` is not even made otherwise.
    pub(crate) fn dump(&self, text: impl FnOnce(&Self) -> String) {
        if self.options.dump {
            let text = text(self);
            if !text.is_empty() {
                println!("{:>14} {text}", self.queue.now());
            }
        }
    }

    fn trace_event(&mut self, event: &Event) {
        let (kind, a, b) = match event {
            Event::Ticked { member, life } => (1, *member as u64, *life),
            Event::Drained { member, life } => (2, *member as u64, *life),
            Event::Synced { member, life } => (3, *member as u64, *life),
            Event::Load { member, life } => (4, *member as u64, *life),
            Event::Applied { member, life } => (5, *member as u64, *life),
            Event::Read { member, order, .. } => (6, *member as u64, order.call),
            Event::Arrived { link, frame } => {
                let hash = crate::hash::mix_bytes(0, frame);
                (7, (link.from * 100 + link.to) as u64, hash)
            }
            Event::Started { member } => (8, *member as u64, 0),
            Event::Asked { session, call } => (9, *session as u64, call.operation.get()),
            Event::Answered { session, operation, answer } => {
                let good = u64::from(answer.result.is_ok());
                (10, *session as u64, operation.get() * 2 + good)
            }
            Event::GaveUp { session, operation } => (11, *session as u64, operation.get()),
            Event::Thought { session } => (12, *session as u64, 0),
            Event::FaultDue => (13, 0, 0),
            Event::FaultOver { fault } => (14, *fault, 0),
            Event::Calm => (15, 0, 0),
        };
        let now = self.queue.now();
        self.trace = [now, kind, a, b].into_iter().fold(self.trace, mix);
    }

    /// After the faults: everybody runs, has applied everything, and nobody waits.
    fn is_quiet(&self) -> bool {
        let last = self.truth.ledger.last_index().get();
        let settled = |host: &Host| {
            host.process.as_ref().is_some_and(|process| {
                process.state.applied() == last && process.replica.pending() == (0, 0)
            })
        };
        self.callers.waiting() == 0 && self.hosts.iter().all(settled)
    }

    fn describe_unrest(&self) -> String {
        let mut text = format!(
            "{} s after the last fault the group has not recovered: {} calls wait, {} entries \
             are committed",
            CALM_NS / SECOND,
            self.callers.waiting(),
            self.truth.ledger.last_index()
        );
        for host in &self.hosts {
            let it = &self.truth.members[host.member];
            let applied = host.process.as_ref().map(|process| process.state.applied());
            text.push_str(&format!(
                "; member {} is {:?} in term {}, log {}, commit {}, applied {applied:?}",
                host.member + 1,
                it.role,
                it.term,
                it.ordered.last_id(),
                it.commit
            ));
        }
        text
    }

    fn finish(&mut self) -> Result<(), Violation> {
        for member in 0..self.hosts.len() {
            self.check_content(member)?;
            self.check_platter(member)?;
        }
        let seconds = self.swarm.duration_ns / SECOND;
        let figures = self.figures();
        self.marks.hit_if(Mark::CommandRepeated, figures.repeated > 0);
        if figures.called < CALLS_PER_SECOND_MIN * seconds {
            return violated("W", format!("only {} calls in {seconds} s", figures.called));
        }
        if figures.faults.effective < FAULTS_PER_SECOND_MIN * seconds {
            let text = format!("only {} effective faults in {seconds} s", figures.faults.effective);
            return violated("W", text);
        }
        Ok(())
    }
}

/// One line of a dump.
fn shown(fact: &Fact<'_>) -> String {
    match fact {
        Fact::Opened { member, recovered } => format!(
            "{}: opened, term {} vote {:?} last {} applied {}",
            member + 1,
            recovered.hard_state.term,
            recovered.hard_state.vote,
            recovered.last,
            recovered.applied
        ),
        Fact::Died { member } => format!("{}: died", member + 1),
        Fact::Became { member, role, term } => format!("{}: {role:?} in term {term}", member + 1),
        Fact::Ordered { member, persist } => format!(
            "{}: write {} state {:?} cut {:?} entries {:?}",
            member + 1,
            persist.ticket,
            persist.hard_state.map(|state| (state.term.get(), state.vote.map(raft::MemberId::get))),
            persist.truncate_from.map(LogIndex::get),
            persist.entries.iter().map(|entry| entry.id.to_string()).collect::<Vec<_>>()
        ),
        Fact::Persisted { member, ticket } => format!("{}: wrote {ticket}", member + 1),
        Fact::Sent { member, to, message } => {
            format!("{}: to {} in term {}: {}", member + 1, to + 1, message.term, body(message))
        }
        Fact::Applied { member, through, .. } => format!("{}: applied {through}", member + 1),
        Fact::Called { operation, .. } => format!("operation {operation} called"),
        Fact::Answered { operation, result, served_at, .. } => {
            let result = result.as_ref().map(|_| "ok").map_err(ToString::to_string);
            format!("operation {operation} answered {result:?} {served_at:?}")
        }
        Fact::Observed { .. } | Fact::Applying { .. } | Fact::Final { .. } => String::new(),
    }
}

fn body(message: &raft::Message) -> String {
    match &message.body {
        raft::Body::Append { prev, entries, commit } => {
            format!("Append after {prev}: {} entries, commit {commit}", entries.len())
        }
        other => format!("{other:?}"),
    }
}
