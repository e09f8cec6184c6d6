//! The replica thread: one tokio runtime that runs the machine, its clock and the peers' sockets.

use super::log::LogOrder;
use super::read::ReadOrder;
use super::watch::WatchOrder;
use crate::metrics::Metrics;
use base::{Machine, Prng};
use client::local::{Operation, Watch};
use kv::api::{Error, Response};
use raft::{Entry, MemberId, RoleName};
use replica::{Effect, Event, PeerMessage, Replica};
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Events of one kind taken in one turn, so that no kind starves another.
const TURN_MAX: usize = 512;

/// Ticks made up for at once after the thread was kept from running; a longer pause counts as
/// this long, so that a member which was stopped first hears its peers before it campaigns.
const TICKS_AT_ONCE_MAX: u32 = 3;

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
    pub(crate) stop: watch::Receiver<bool>,
}

/// The ends of the queues that it feeds.
pub(crate) struct Outputs {
    pub(crate) log: Sender<LogOrder>,
    pub(crate) state: Sender<Vec<Entry>>,
    pub(crate) reads: Sender<ReadOrder>,
    pub(crate) watches: Sender<WatchOrder>,
    pub(crate) peers: BTreeMap<MemberId, mpsc::Sender<PeerMessage>>,
    pub(crate) leadership: watch::Sender<Leadership>,
}

/// The machine with everything around it.
pub(crate) struct ReplicaThread {
    pub(crate) replica: Replica,
    pub(crate) outputs: Outputs,
    pub(crate) metrics: Metrics,
    pub(crate) random: Prng,
    pub(crate) tick: Duration,
    pub(crate) callers: HashMap<u64, oneshot::Sender<Result<Response, Error>>>,
    pub(crate) next_call: u64,
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

    fn tick_if_due(&mut self, next_tick: &mut Instant) {
        let now = Instant::now();
        for _ in 0..TICKS_AT_ONCE_MAX {
            if *next_tick > now {
                return;
            }
            *next_tick += self.tick;
            let jitter = self.random.next_u64();
            self.step(Event::Ticked { jitter });
            self.observe();
        }
        *next_tick = (*next_tick).max(now + self.tick);
    }

    fn operate(&mut self, operation: Operation) {
        match operation {
            Operation::Call(call) => {
                self.metrics.calls.inc();
                self.next_call += 1;
                let number = self.next_call;
                self.callers.insert(number, call.reply);
                self.step(Event::Called { call: number, request: call.request });
            }
            Operation::Watch(Watch { request, sender }) => {
                let _ = self.outputs.watches.send(WatchOrder::Open { request, sender });
            }
        }
    }

    fn step(&mut self, event: Event) {
        for effect in self.replica.step(event) {
            self.perform(effect);
        }
    }

    /// A queue whose other end is gone belongs to a thread that has said why and is ending the
    /// process; its orders are dropped.
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, message } => self.send(to, message),
            Effect::Persist(persist) => {
                let _ = self.outputs.log.send(LogOrder::Persist(persist));
            }
            Effect::Apply { entries } => {
                let _ = self.outputs.state.send(entries);
            }
            Effect::Load { from, max_bytes } => {
                let _ = self.outputs.log.send(LogOrder::Load { from, max_bytes });
            }
            Effect::Read { call, request, term } => {
                if let Some(reply) = self.callers.remove(&call) {
                    let _ = self.outputs.reads.send(ReadOrder { request, term, reply });
                }
            }
            Effect::Reply { call, result } => {
                if let Some(reply) = self.callers.remove(&call) {
                    let _ = reply.send(result);
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

    fn send(&self, to: MemberId, message: PeerMessage) {
        if let Some(queue) = self.outputs.peers.get(&to)
            && queue.try_send(message).is_err()
        {
            self.metrics.peer(to.get()).dropped.inc();
        }
    }

    fn observe(&self) {
        let status = self.replica.status();
        let as_gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.term.set(as_gauge(status.term.get()));
        self.metrics.is_leader.set(i64::from(status.role == RoleName::Leader));
        self.metrics.commit_index.set(as_gauge(status.commit.get()));
        self.metrics.applied_index.set(as_gauge(status.applied.get()));
        self.metrics.last_index.set(as_gauge(status.last.index.get()));
        let (writes, reads) = self.replica.pending();
        self.metrics.pending_writes.set(as_gauge(writes as u64));
        self.metrics.pending_reads.set(as_gauge(reads as u64));
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
