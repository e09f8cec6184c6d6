//! The watch thread: feeds the hub with changes and the watchers' channels with messages.
//!
//! A watcher whose channel is full keeps its messages in the hub, within the hub's bounds, and
//! catches up from the store later; neither applying nor other watchers wait for it. A watcher that
//! needs a damaged record waits for its repair.

use super::state::SharedState;
use crate::metrics::Metrics;
use kv::RevisionEvents;
use kv::api::{WatchRequest, WatchResponse};
use kv::watch::{WatchHub, WatchId};
use replica::Event;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use storage::Disk;
use tokio::sync::mpsc::{self, UnboundedSender};

/// Events read from the store in one slice of catching up.
const SLICE_EVENTS: usize = 1000;

/// Orders taken before messages are handed on.
const TURN_MAX: usize = 256;

/// Pause before a full channel is tried again.
const RETRY: Duration = Duration::from_millis(5);

/// Pause before what met damage is tried again.
const REPAIR: Duration = Duration::from_millis(50);

/// How often watchers that have gone are looked for, when nothing else shows it.
const SWEEP: Duration = Duration::from_secs(1);

/// How often a watcher that asked for it hears that nothing happened (etcd's default).
const PROGRESS: Duration = Duration::from_secs(600);

/// What the thread is told.
pub(crate) enum WatchOrder {
    /// Revisions were applied.
    Changed(Vec<RevisionEvents>),
    /// The state is another, ahead of what was applied here.
    Replaced,
    /// Somebody wants to watch.
    Open {
        /// What.
        request: WatchRequest,
        /// Where the messages go.
        sender: mpsc::Sender<WatchResponse>,
    },
}

/// Serves watches until all who order have gone.
pub(crate) struct WatchThread<D: Disk> {
    state: SharedState<D>,
    orders: Receiver<WatchOrder>,
    metrics: Metrics,
    completions: UnboundedSender<Event>,
    hub: WatchHub,
    senders: HashMap<WatchId, mpsc::Sender<WatchResponse>>,
    swept: Instant,
    progressed: Instant,
}

impl<D: Disk> WatchThread<D> {
    pub(crate) fn new(
        state: SharedState<D>,
        orders: Receiver<WatchOrder>,
        metrics: Metrics,
        completions: UnboundedSender<Event>,
    ) -> Self {
        let now = Instant::now();
        let (hub, senders) = (WatchHub::new(), HashMap::new());
        Self { state, orders, metrics, completions, hub, senders, swept: now, progressed: now }
    }

    pub(crate) fn run(mut self) {
        let (mut waits_for_room, mut waits_for_repair) = (false, false);
        loop {
            let patience = match (waits_for_repair, self.hub.can_catch_up(), waits_for_room) {
                (true, _, _) => REPAIR,
                (false, true, _) => Duration::ZERO,
                (false, false, true) => RETRY,
                (false, false, false) => SWEEP,
            };
            match self.orders.recv_timeout(patience) {
                Ok(order) => self.take(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            for _ in 0..TURN_MAX {
                let Ok(order) = self.orders.try_recv() else { break };
                self.take(order);
            }
            waits_for_repair = false;
            if self.hub.can_catch_up() {
                let read = self.hub.catch_up(self.state.read().kv(), SLICE_EVENTS);
                waits_for_repair = read.is_err();
                self.tell_of_damage(read.map(drop));
            }
            waits_for_room = self.hand_on();
            self.sweep();
        }
    }

    fn take(&mut self, order: WatchOrder) {
        match order {
            WatchOrder::Changed(_) if self.hub.is_empty() => {}
            WatchOrder::Replaced => self.hub.on_replaced(self.state.read().kv()),
            WatchOrder::Changed(revisions) => {
                let published = self.hub.publish(self.state.read().kv(), &revisions);
                if published.is_err() {
                    // Who has not got it reads it from the store, once that is repaired.
                    self.hub.on_replaced(self.state.read().kv());
                }
                self.tell_of_damage(published);
            }
            WatchOrder::Open { request, sender } => {
                let id = self.hub.create(request, self.state.read().kv());
                self.senders.insert(id, sender);
                self.metrics.watchers.set(self.hub.len() as i64);
            }
        }
    }

    fn tell_of_damage(&self, read: Result<(), mvcc::ReadError>) {
        if let Err(error) = read {
            tracing::error!(%error, "a watch waits for the repair of the state");
            let offset = replica::offset_of(&error);
            let _ = self.completions.send(Event::DamageMet { offset });
        }
    }

    /// Hands messages on; whether some channel was full.
    fn hand_on(&mut self) -> bool {
        let senders = &self.senders;
        let mut was_full = false;
        let taken = self.hub.take_ready(|id| match senders.get(&id) {
            Some(sender) if !sender.is_closed() => {
                was_full |= sender.capacity() == 0;
                sender.capacity()
            }
            // Nobody listens: take everything off, the sweep ends the watch.
            Some(_) | None => usize::MAX,
        });
        for (id, message) in taken {
            let is_last = matches!(message, WatchResponse::Canceled { .. });
            if let Some(sender) = self.senders.get(&id) {
                // Only this thread sends, so the room that was seen is still there.
                let _ = sender.try_send(message);
            }
            if is_last {
                self.senders.remove(&id);
            }
        }
        was_full
    }

    fn sweep(&mut self) {
        if self.swept.elapsed() < SWEEP {
            return;
        }
        self.swept = Instant::now();
        let gone: Vec<WatchId> =
            self.senders.iter().filter(|(_, s)| s.is_closed()).map(|(id, _)| *id).collect();
        for id in gone {
            self.senders.remove(&id);
            self.hub.cancel(id);
        }
        if self.progressed.elapsed() >= PROGRESS {
            self.progressed = Instant::now();
            self.hub.notify_idle();
        }
        self.metrics.watchers.set(self.hub.len() as i64);
    }
}
