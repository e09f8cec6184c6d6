//! The replica thread: one tokio runtime that runs the machine, its clock and the peers' sockets.

use super::Fatal;
use super::log::LogOrder;
use super::read::ReadOrder;
use super::watch::WatchOrder;
use crate::group::{GroupView, HealthView, WishCall};
use crate::metrics::{Metrics, as_gauge};
use crate::peer::Peers;
use base::{Machine, Prng};
use client::local::{Operation, Watch};
use kv::api::{Error, Response};
use raft::{MemberId, RoleName};
use replica::{Effect, Event, Replica, StateOrder, WishResult};
use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

/// Events of one kind taken in one turn, so that no kind starves another.
const TURN_MAX: usize = 512;

/// What others may know of this member's part in consensus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// Its role.
    pub role: RoleName,
    /// Its term.
    pub term: u64,
    /// The leader it knows.
    pub leader: Option<u64>,
}

/// The ends of the queues that feed the thread.
pub(crate) struct Inputs {
    pub(crate) operations: mpsc::Receiver<Operation>,
    pub(crate) from_peers: mpsc::Receiver<Event>,
    pub(crate) completions: mpsc::UnboundedReceiver<Event>,
    pub(crate) wishes: mpsc::Receiver<WishCall>,
    pub(crate) stop: watch::Receiver<bool>,
}

/// The ends of the queues that it feeds.
pub(crate) struct Outputs {
    pub(crate) log: Sender<LogOrder>,
    pub(crate) state: Sender<StateOrder>,
    pub(crate) reads: Sender<ReadOrder>,
    pub(crate) watches: Sender<WatchOrder>,
    pub(crate) peers: Peers,
    pub(crate) leadership: watch::Sender<Leadership>,
    pub(crate) group: watch::Sender<GroupView>,
    pub(crate) trace: broadcast::Sender<String>,
}

/// A caller of a write or read, and since when it waits.
pub(crate) struct Caller {
    reply: oneshot::Sender<Result<Response, Error>>,
    since: Instant,
    is_write: bool,
}

/// The machine with everything around it.
pub(crate) struct ReplicaThread {
    pub(crate) replica: Replica,
    pub(crate) outputs: Outputs,
    pub(crate) metrics: Metrics,
    pub(crate) random: Prng,
    pub(crate) tick: Duration,
    pub(crate) callers: HashMap<u64, Caller>,
    pub(crate) wishers: HashMap<u64, oneshot::Sender<WishResult>>,
    pub(crate) next_call: u64,
    pub(crate) fatal: Fatal,
    /// Since when the process counts its monotonic time.
    pub(crate) born: Instant,
    /// Whether reads by the leader's lease are on.
    pub(crate) reads_clock: bool,
}

impl ReplicaThread {
    /// Runs until told to stop or until all callers are gone.
    pub(crate) async fn run(mut self, mut inputs: Inputs) {
        let mut events = Vec::with_capacity(TURN_MAX);
        let mut received = Vec::with_capacity(TURN_MAX);
        let mut operations = Vec::with_capacity(TURN_MAX);
        let mut next_tick = Instant::now() + self.tick;
        loop {
            tokio::select! {
                biased;
                _ = inputs.stop.changed() => return,
                () = tokio::time::sleep_until(next_tick) => {}
                _ = inputs.completions.recv_many(&mut events, TURN_MAX) => {}
                _ = inputs.from_peers.recv_many(&mut received, TURN_MAX) => {}
                Some(call) = inputs.wishes.recv() => self.wish(call),
                taken = inputs.operations.recv_many(&mut operations, TURN_MAX) => {
                    if taken == 0 {
                        return;
                    }
                }
            }
            events.append(&mut received);
            take_waiting(&mut inputs, &mut events, &mut operations);
            self.tick_if_due(&mut next_tick);
            for event in events.drain(..) {
                self.step(event);
            }
            for operation in operations.drain(..) {
                self.operate(operation);
            }
            self.step(Event::Drained);
        }
    }

    /// Ticks that were missed are not made up for: a member that was stopped first hears its peers
    /// before it campaigns, and what a promise to a leader counts in ticks is never shorter.
    fn tick_if_due(&mut self, next_tick: &mut Instant) {
        let now = Instant::now();
        if *next_tick > now {
            return;
        }
        *next_tick = (*next_tick + self.tick).max(now + self.tick / 2);
        let jitter = self.random.next_u64();
        self.step(Event::Ticked { jitter });
        self.observe();
    }

    fn operate(&mut self, operation: Operation) {
        match operation {
            Operation::Call(call) => {
                self.metrics.calls.inc();
                self.next_call += 1;
                let number = self.next_call;
                let is_write = call.request.is_write();
                let caller = Caller { reply: call.reply, since: Instant::now(), is_write };
                self.callers.insert(number, caller);
                self.step(Event::Called { call: number, request: call.request });
            }
            Operation::Watch(Watch { request, sender }) => {
                let _ = self.outputs.watches.send(WatchOrder::Open { request, sender });
            }
        }
    }

    fn wish(&mut self, call: WishCall) {
        self.next_call += 1;
        self.wishers.insert(self.next_call, call.reply);
        self.step(Event::Wished { call: self.next_call, wish: call.wish });
    }

    fn step(&mut self, event: Event) {
        let is_judged_by_clock =
            matches!(event, Event::Ticked { .. } | Event::Received { .. } | Event::Drained);
        if self.reads_clock && is_judged_by_clock {
            let at_ns = u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.replica.step(Event::ClockRead { at_ns });
        }
        let traces = self.outputs.trace.receiver_count() > 0;
        if traces && let Some(line) = trace_event(&event) {
            let _ = self.outputs.trace.send(line);
        }
        for effect in self.replica.step(event) {
            if traces && let Some(line) = trace_effect(&effect) {
                let _ = self.outputs.trace.send(line);
            }
            self.perform(effect);
        }
    }

    /// A queue whose other end is gone belongs to a thread that has said why and is ending the
    /// process; its orders are dropped.
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, message } => self.outputs.peers.send(to, message),
            Effect::Persist(persist) => {
                let _ = self.outputs.log.send(LogOrder::Persist(persist));
            }
            Effect::State(order) => {
                let _ = self.outputs.state.send(order);
            }
            Effect::Load { from, max_bytes, purpose } => {
                let _ = self.outputs.log.send(LogOrder::Load { from, max_bytes, purpose });
            }
            Effect::Admit { admission } => {
                tracing::info!(?admission, "this member is admitted further");
                let _ = self.outputs.log.send(LogOrder::Admit(admission));
            }
            Effect::Stop { reason } => self.fatal.raise(reason),
            Effect::SettleLoss => {
                let _ = self.outputs.log.send(LogOrder::SettleLoss);
            }
            Effect::WishAnswered { call, result } => {
                if let Some(reply) = self.wishers.remove(&call) {
                    let _ = reply.send(result);
                }
            }
            Effect::MembershipChanged { membership } => {
                tracing::info!(%membership, "members changed");
                self.outputs.peers.adjust(&membership);
            }
            Effect::Read { call, request, term } => {
                if let Some(Caller { reply, .. }) = self.callers.remove(&call) {
                    let _ = self.outputs.reads.send(ReadOrder { request, term, reply });
                }
            }
            Effect::Reply { call, result } => {
                if let Some(caller) = self.callers.remove(&call) {
                    if caller.is_write && result.is_ok() {
                        self.metrics.committed(caller.since.elapsed().as_secs_f64());
                    }
                    let _ = caller.reply.send(result);
                }
            }
            Effect::RoleChanged { role, term, leader } => {
                let leader = leader.map(MemberId::get);
                let term = term.get();
                tracing::info!(?role, term, ?leader, "role or leader changed");
                self.metrics.leader_changes.inc();
                self.outputs.leadership.send_replace(Leadership { role, term, leader });
            }
        }
    }

    fn observe(&self) {
        let status = self.replica.status();
        let tick_ms = u64::try_from(self.tick.as_millis()).unwrap_or(u64::MAX);
        self.metrics.term.set(as_gauge(status.term.get()));
        self.metrics.is_leader.set(i64::from(status.role == RoleName::Leader));
        self.metrics.commit_index.set(as_gauge(status.commit.get()));
        self.metrics.applied_index.set(as_gauge(status.applied.get()));
        self.metrics.last_index.set(as_gauge(status.last.index.get()));
        self.metrics.log_entries.set(as_gauge(status.last.index.get() - status.base.index.get()));
        self.metrics.disk_stalled_ms.set(as_gauge(status.disk_stalled_ticks * tick_ms));
        self.metrics.members.set(as_gauge(status.membership.ids().count() as u64));
        let (writes, reads) = self.replica.pending();
        self.metrics.pending_writes.set(as_gauge(writes as u64));
        self.metrics.pending_reads.set(as_gauge(reads as u64));
        for id in status.membership.ids().filter(|id| *id != status.id) {
            let known = status.peers.get(&id).map(|progress| {
                let lag = status.last.index.get().saturating_sub(progress.matched.get());
                (lag, progress.silent_ticks * tick_ms)
            });
            self.metrics.set_peer(id.get(), known);
        }
        let (sending, is_receiving) = self.replica.snapshots();
        let mut view = GroupView::of(&status, tick_ms, self.outputs.peers.addresses());
        (view.snapshots_sending, view.is_receiving_snapshot) = (sending as u64, is_receiving);
        view.health = self.observe_health();
        self.outputs.group.send_if_modified(|known| {
            let is_new = *known != view;
            *known = view;
            is_new
        });
    }
}

impl ReplicaThread {
    fn observe_health(&self) -> HealthView {
        let state = self.replica.state();
        let health = HealthView {
            damaged_record: state.damaged.map(|damaged| damaged.index.get()),
            is_halted: state.damaged.is_some_and(|damaged| damaged.halts),
            records_repaired: state.records_repaired,
            scrub_rounds: state.scrub_rounds,
            log_segments_given_up: self.replica.log_segments_cut(),
        };
        self.metrics.records_damaged.set(i64::from(health.damaged_record.is_some()));
        self.metrics.records_repaired.set(as_gauge(health.records_repaired));
        self.metrics.scrub_rounds.set(as_gauge(health.scrub_rounds));
        self.metrics.log_segments_cut.set(as_gauge(health.log_segments_given_up));
        health
    }
}

/// What came in, as one line; ticks and completions would drown the rest.
fn trace_event(event: &Event) -> Option<String> {
    match event {
        Event::Received { from, message } => Some(format!("<- {from} {message:?}")),
        Event::Wished { wish, .. } => Some(format!("wish {wish:?}")),
        Event::Persisted { ticket } => Some(format!("persisted {ticket}")),
        Event::Synced { through } => Some(format!("state durable through {through}")),
        Event::Staged { next } => Some(format!("snapshot taken in up to {next:?}")),
        Event::StageFinished { outcome } => Some(format!("snapshot complete: {outcome:?}")),
        _ => None,
    }
}

/// What was ordered, as one line.
fn trace_effect(effect: &Effect) -> Option<String> {
    match effect {
        Effect::Send { to, message } => Some(format!("-> {to} {message:?}")),
        Effect::RoleChanged { role, term, leader } => {
            Some(format!("is {role:?} in term {term}, leader {leader:?}"))
        }
        Effect::MembershipChanged { membership } => Some(format!("members are {membership}")),
        Effect::State(StateOrder::Install { last }) => Some(format!("install snapshot of {last}")),
        Effect::SettleLoss => Some("the log is whole again".to_owned()),
        _ => None,
    }
}

/// Takes what waits in the other queues too, so that one turn batches all of it.
fn take_waiting(inputs: &mut Inputs, events: &mut Vec<Event>, operations: &mut Vec<Operation>) {
    while events.len() < TURN_MAX
        && let Ok(event) = inputs.completions.try_recv()
    {
        events.push(event);
    }
    while events.len() < 2 * TURN_MAX
        && let Ok(event) = inputs.from_peers.try_recv()
    {
        events.push(event);
    }
    while operations.len() < TURN_MAX
        && let Ok(operation) = inputs.operations.try_recv()
    {
        operations.push(operation);
    }
}
