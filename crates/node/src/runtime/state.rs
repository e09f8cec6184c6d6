//! The state thread: applies committed entries and passes the changes on to the watches; makes
//! snapshots and takes them in.

use super::Fatal;
use super::watch::WatchOrder;
use crate::metrics::Metrics;
use replica::{Event, Export, Halt, StateOrder, StateOutcome, StateStore};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};
use storage::{Chunk, Disk};
use tokio::sync::mpsc::UnboundedSender;

/// Entries applied while readers wait.
const STEP_ENTRIES: usize = 128;

/// Pause before an order that found no space is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// The state, read by many and changed by one thread.
#[derive(Debug)]
pub(crate) struct SharedState<D: Disk>(Arc<Shared<D>>);

#[derive(Debug)]
struct Shared<D: Disk> {
    state: RwLock<StateStore<D>>,
    /// How often a snapshot has replaced it; changed under the lock.
    replacements: AtomicU64,
}

/// A state that can be read from beginning to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenExport {
    pub(crate) export: Export,
    pub(crate) revision: i64,
    /// Once the state was replaced once more, the export is gone.
    pub(crate) replacements: u64,
}

impl<D: Disk> Clone for SharedState<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Disk> SharedState<D> {
    pub(crate) fn new(state: StateStore<D>) -> Self {
        Self(Arc::new(Shared { state: RwLock::new(state), replacements: AtomicU64::new(0) }))
    }

    /// A thread that panicked while it held the state has already ended the process's work
    /// ([`Fatal`]); what it left is only read.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, StateStore<D>> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes what is applied durable and holds on to where it ends.
    pub(crate) fn export(&self) -> Result<OpenExport, Halt> {
        let mut state = self.write();
        let export = state.export()?;
        let replacements = self.0.replacements.load(Ordering::Relaxed);
        Ok(OpenExport { export, revision: state.kv().revision(), replacements })
    }

    /// A part of an export; why there is none otherwise.
    pub(crate) fn export_chunk(
        &self,
        from: u64,
        max_bytes: u64,
        through: u64,
        replacements: u64,
    ) -> Result<Chunk, String> {
        let state = self.read();
        if self.0.replacements.load(Ordering::Relaxed) != replacements {
            let text = "another member's snapshot has replaced this node's state meanwhile";
            return Err(text.to_owned());
        }
        state.export_chunk(from, max_bytes, through).map_err(|error| error.to_string())
    }

    /// Carries out an order, and notes when it replaced the state.
    fn carry_out(&self, order: StateOrder) -> Result<StateOutcome, Halt> {
        let mut state = self.write();
        let outcome = state.carry_out(order)?;
        self.0.replacements.fetch_add(u64::from(outcome.is_replaced), Ordering::Relaxed);
        Ok(outcome)
    }

    fn write(&self) -> RwLockWriteGuard<'_, StateStore<D>> {
        self.0.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Applies until the replica hangs up, then makes the state durable.
pub(crate) struct StateThread<D: Disk> {
    pub(crate) state: SharedState<D>,
    pub(crate) orders: Receiver<StateOrder>,
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
        while let Ok(order) = self.orders.recv() {
            match order {
                StateOrder::Apply { entries } => {
                    for step in entries.chunks(STEP_ENTRIES) {
                        let started = Instant::now();
                        self.carry_out(StateOrder::Apply { entries: step.into() })?;
                        self.metrics.apply_seconds.observe(started.elapsed().as_secs_f64());
                    }
                }
                other => self.carry_out(other)?,
            }
        }
        self.state.write().sync()
    }

    fn carry_out(&self, order: StateOrder) -> Result<(), Halt> {
        let mut order = Some(order);
        while let Some(next) = order.take() {
            let outcome = self.state.carry_out(next)?;
            if !outcome.changes.is_empty() {
                let _ = self.watches.send(WatchOrder::Changed(outcome.changes));
            }
            if outcome.is_replaced {
                self.metrics.snapshots_installed.inc();
                tracing::info!("a snapshot has replaced the state");
                let _ = self.watches.send(WatchOrder::Replaced);
            }
            if let Some(event) = outcome.event {
                self.note(&event);
                let _ = self.completions.send(event);
            }
            order = outcome.rest;
            if order.is_some() {
                if self.metrics.disk_full.set(1) == 0 {
                    tracing::error!("no space for the state; nothing is applied");
                }
                std::thread::sleep(FULL_PAUSE);
            } else if self.metrics.disk_full.get() == 1 {
                self.metrics.disk_full.set(0);
            }
        }
        Ok(())
    }

    fn note(&self, event: &Event) {
        let state = match event {
            Event::ExportOpened { .. } => {
                self.metrics.snapshots_sent.inc();
                return;
            }
            Event::Checked { state, .. } => state,
            Event::Applied(report) => &report.state,
            _ => return,
        };
        let damaged = i64::from(state.damaged.is_some());
        if self.metrics.records_damaged.set(damaged) != damaged {
            match state.damaged {
                Some(damaged) => tracing::error!(
                    entry = damaged.index.get(),
                    halts = damaged.halts,
                    "a record of the state is damaged; the other members are asked for it"
                ),
                None => tracing::info!(repaired = state.records_repaired, "the state is whole"),
            }
        }
    }
}
