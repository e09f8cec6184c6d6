//! The log thread: takes every order that waits, writes them as one batch, syncs, reports.
//!
//! Group commit arises by itself: while one sync runs, the next group collects.
//!
//! Without space nothing is acknowledged: the group waits and is tried again, so that the node
//! goes on when there is room. Consensus notices that the disk stalls and hands over.

use super::Fatal;
use crate::metrics::Metrics;
use raft::{LogIndex, Persist};
use replica::{Admission, Event, LoadPurpose, LogStore, LogStoreError};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use storage::{Disk, WriteError};
use tokio::sync::mpsc::UnboundedSender;

/// Bytes of entries in one batch, above which the rest waits for the next sync.
const BATCH_BYTES_MAX: u64 = 8 << 20;

/// Quiet time after which the log is sealed and the next segment prepared.
const IDLE_AFTER: Duration = Duration::from_millis(20);

/// Pause before a write that found no space is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// Bytes of the next segment prepared in one idle moment, or after one sync when it is due.
const PREPARE_BYTES: u64 = 1 << 20;

/// Bytes of old segments checked in one idle moment.
const SCRUB_BYTES: u64 = 4 << 10;

/// What the log is asked to do.
pub(crate) enum LogOrder {
    /// Make durable.
    Persist(Persist),
    /// Read back.
    Load {
        /// First index.
        from: LogIndex,
        /// Most bytes.
        max_bytes: u64,
        /// Comes back with the entries.
        purpose: LoadPurpose,
    },
    /// The loss is made good.
    SettleLoss,
    /// The member is admitted so far.
    Admit(Admission),
}

/// Serves orders until the replica hangs up.
pub(crate) struct LogThread<D: Disk> {
    pub(crate) store: LogStore<D>,
    pub(crate) orders: Receiver<LogOrder>,
    pub(crate) completions: UnboundedSender<Event>,
    pub(crate) metrics: Metrics,
    pub(crate) fatal: Fatal,
}

impl<D: Disk> LogThread<D> {
    pub(crate) fn run(mut self) {
        if let Err(error) = self.serve() {
            self.fatal.raise(format!("the log failed: {error}"));
        }
    }

    fn serve(&mut self) -> Result<(), LogStoreError> {
        let mut group: Vec<Persist> = Vec::new();
        loop {
            match self.orders.recv_timeout(IDLE_AFTER) {
                Ok(order) => self.gather(order, &mut group)?,
                Err(RecvTimeoutError::Timeout) => self.idle()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            let mut bytes = size_bytes(&group);
            while bytes < BATCH_BYTES_MAX {
                let Ok(order) = self.orders.try_recv() else { break };
                self.gather(order, &mut group)?;
                bytes = group.last().map_or(bytes, |last| bytes + size_bytes([last]));
            }
            self.persist(&mut group)?;
        }
    }

    /// Seals the log, prepares what comes next, checks some of what is old.
    fn idle(&mut self) -> Result<(), LogStoreError> {
        self.store.idle(PREPARE_BYTES)?;
        if let Some(through) = self.store.scrub(SCRUB_BYTES)? {
            tracing::error!(%through, "an old segment of the log is damaged and will be given up");
            let _ = self.completions.send(Event::LogRotten { through });
        }
        Ok(())
    }

    /// Adds an order to the group; a read comes in its turn, after the group is written.
    fn gather(&mut self, order: LogOrder, group: &mut Vec<Persist>) -> Result<(), LogStoreError> {
        match order {
            LogOrder::Persist(persist) => group.push(persist),
            LogOrder::Load { from, max_bytes, purpose } => {
                self.persist(group)?;
                // A record that cannot be read is as good as none: whoever needs it asks again, or
                // gets a snapshot.
                let entries = self.store.load(from, max_bytes).unwrap_or_else(|error| {
                    tracing::warn!(%from, %error, "entries cannot be read back");
                    Vec::new()
                });
                let _ = self.completions.send(Event::Loaded { entries, purpose });
            }
            LogOrder::Admit(admission) => {
                self.persist(group)?;
                self.with_space(|store| store.admit(admission))?;
                let _ = self.completions.send(Event::Admitted { admission });
            }
            LogOrder::SettleLoss => {
                self.persist(group)?;
                tracing::info!("the log is whole again; this member votes");
                self.with_space(LogStore::settle_loss)?;
            }
        }
        Ok(())
    }

    /// Attempts something until there is space for it.
    fn with_space<T>(
        &mut self,
        mut attempt: impl FnMut(&mut LogStore<D>) -> Result<T, LogStoreError>,
    ) -> Result<T, LogStoreError> {
        loop {
            match attempt(&mut self.store) {
                Err(LogStoreError::Write(WriteError::Full(error))) => {
                    if self.metrics.disk_full.set(1) == 0 {
                        tracing::error!(%error, "no space for the log; nothing is acknowledged");
                    }
                    std::thread::sleep(FULL_PAUSE);
                }
                other => {
                    if self.metrics.disk_full.set(0) == 1 {
                        tracing::info!("there is space for the log again");
                    }
                    return other;
                }
            }
        }
    }

    fn persist(&mut self, group: &mut Vec<Persist>) -> Result<(), LogStoreError> {
        let started = Instant::now();
        let entries: usize = group.iter().map(|order| order.entries.len()).sum();
        if let Some(ticket) = self.with_space(|store| store.write(group))? {
            self.with_space(LogStore::sync)?;
            self.metrics.sync_seconds.observe(started.elapsed().as_secs_f64());
            self.metrics.batch_entries.observe(entries as f64);
            let _ = self.completions.send(Event::Persisted { ticket });
            self.store.prepare_if_due(PREPARE_BYTES)?;
        }
        group.clear();
        Ok(())
    }
}

fn size_bytes<'a>(orders: impl IntoIterator<Item = &'a Persist>) -> u64 {
    orders.into_iter().flat_map(|order| order.entries.iter()).map(raft::Entry::size_bytes).sum()
}
