//! The state thread: applies committed entries and passes the changes on to the watches.

use super::Fatal;
use super::watch::WatchOrder;
use crate::metrics::Metrics;
use raft::Entry;
use replica::{Event, Halt, StateStore};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;
use storage::Disk;
use tokio::sync::mpsc::UnboundedSender;

/// Entries applied while readers wait.
const STEP_ENTRIES: usize = 128;

/// Bytes applied between two syncs of the state; they are durable in the log anyway, this only
/// bounds how much a restart after a power cut applies again.
const SYNC_BYTES: u64 = 64 << 20;

/// The state, read by many and changed by one thread.
#[derive(Debug)]
pub(crate) struct SharedState<D: Disk>(Arc<RwLock<StateStore<D>>>);

impl<D: Disk> Clone for SharedState<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Disk> SharedState<D> {
    pub(crate) fn new(state: StateStore<D>) -> Self {
        Self(Arc::new(RwLock::new(state)))
    }

    /// A thread that panicked while it held the state has already ended the process's work
    /// ([`Fatal`]); what it left is only read.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, StateStore<D>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, StateStore<D>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Applies until the replica hangs up, then makes the state durable.
pub(crate) struct StateThread<D: Disk> {
    pub(crate) state: SharedState<D>,
    pub(crate) orders: Receiver<Vec<Entry>>,
    pub(crate) completions: UnboundedSender<Event>,
    pub(crate) watches: Sender<WatchOrder>,
    pub(crate) metrics: Metrics,
    pub(crate) fatal: Fatal,
}

impl<D: Disk> StateThread<D> {
    pub(crate) fn run(self) {
        if let Err(halt) = self.serve() {
            self.fatal.raise(format!("the state machine stopped: {halt}"));
        }
    }

    fn serve(&self) -> Result<(), Halt> {
        let mut unsynced_bytes = 0;
        while let Ok(entries) = self.orders.recv() {
            unsynced_bytes += entries.iter().map(Entry::size_bytes).sum::<u64>();
            for step in entries.chunks(STEP_ENTRIES) {
                self.apply(step)?;
            }
            if unsynced_bytes >= SYNC_BYTES {
                self.state.write().sync()?;
                unsynced_bytes = 0;
            }
        }
        self.state.write().sync()
    }

    fn apply(&self, entries: &[Entry]) -> Result<(), Halt> {
        let started = Instant::now();
        let applied = self.state.write().apply(entries)?;
        self.metrics.apply_seconds.observe(started.elapsed().as_secs_f64());
        if !applied.changes.is_empty() {
            let _ = self.watches.send(WatchOrder::Changed(applied.changes));
        }
        let _ = self.completions.send(Event::Applied(applied.report));
        Ok(())
    }
}
