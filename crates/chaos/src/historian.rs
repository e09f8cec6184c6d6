//! The historian: puts history out of reach now and then, and reads what lies near the edge.
//!
//! It compacts only what every watcher has been told already, so that none of them may be turned
//! away, and the whole history can be put together at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base::Prng;
use client::Client;
use client::etcd::{EtcdClient, Patience};
use kv::api::{Error, KeyRange, Outcome as Known, RangeRequest, Request, Response};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::failure::Failure;
use crate::history::{Compaction, Key, PastAnswer, PastRead, key_bytes};
use crate::load::{Progress, stored};

/// Between two acts, milliseconds.
const PAUSE_MS: (u64, u64) = (20, 250);

/// One act of so many is a compaction.
const COMPACTS_ONE_IN: u64 = 25;

/// A compaction leaves up to so many revisions that everybody has.
const KEEPS_MAX: u64 = 400;

/// Reads go so far below the edge.
const BELOW_MAX: u64 = 300;

const PATIENCE: Patience =
    Patience { call: Duration::from_millis(900), attempt: Duration::from_millis(600) };

/// What a historian did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub(crate) compactions: Vec<Compaction>,
    pub(crate) reads: Vec<PastRead>,
}

/// A historian at work.
#[derive(Debug)]
pub(crate) struct Historian(JoinHandle<Notes>);

impl Historian {
    /// Starts it; `told` is what each watcher is still to be told.
    pub(crate) fn start(
        seed: u64,
        progress: &Arc<Progress>,
        endpoints: &[String],
        told: Vec<Arc<AtomicI64>>,
    ) -> Result<Self, Failure> {
        let store = EtcdClient::connect(endpoints).map_err(Failure::because("cannot connect"))?;
        let writer = Writer {
            store: store.with_patience(PATIENCE),
            random: Prng::named(seed, "historian"),
            progress: Arc::clone(progress),
            told,
            edge: 1,
            notes: Notes::default(),
        };
        Ok(Self(tokio::spawn(writer.run())))
    }

    /// Waits for its last act, after the load was told to end.
    pub(crate) async fn end(self) -> Result<Notes, Failure> {
        self.0.await.map_err(Failure::because("the historian broke"))
    }
}

struct Writer {
    store: EtcdClient,
    random: Prng,
    progress: Arc<Progress>,
    told: Vec<Arc<AtomicI64>>,
    /// The highest revision that was to be compacted.
    edge: i64,
    notes: Notes,
}

impl Writer {
    async fn run(mut self) -> Notes {
        let (low, high) = PAUSE_MS;
        while !self.progress.is_over() {
            match self.random.below(COMPACTS_ONE_IN) {
                0 => self.compact().await,
                _ => self.read().await,
            }
            sleep(Duration::from_millis(self.random.between(low, high))).await;
        }
        self.notes
    }

    /// The first revision that somebody was not told yet, and the last that anybody knows.
    fn told(&self) -> (i64, i64) {
        let told = self.told.iter().map(|told| told.load(Ordering::Relaxed));
        let (low, high) =
            told.fold((i64::MAX, 0), |(low, high), told| (low.min(told), high.max(told)));
        (low, high - 1)
    }

    async fn compact(&mut self) {
        let kept = self.random.below(KEEPS_MAX) as i64;
        let revision = self.told().0.saturating_sub(kept);
        if revision <= self.edge || revision == i64::MAX {
            return;
        }
        self.edge = revision;
        let called_ns = self.progress.now_ns();
        let request = Request::Compact { revision, physical: self.random.chance(1, 2) };
        let result = self.store.call(request).await;
        let returned_ns = match result {
            Ok(_) => Some(self.progress.now_ns()),
            Err(_) => None,
        };
        self.notes.compactions.push(Compaction { called_ns, revision, returned_ns });
    }

    async fn read(&mut self) {
        let newest = self.told().1;
        let lowest = (self.edge - self.random.below(BELOW_MAX) as i64).max(1);
        if newest < lowest {
            return;
        }
        let span = (newest - lowest).unsigned_abs().min(2 * BELOW_MAX) + 1;
        let revision = lowest + self.random.below(span) as i64;
        let first = self.random.below(300) as Key;
        let end = first + self.random.between(1, 30) as Key;
        let range = KeyRange { key: key_bytes(first), range_end: key_bytes(end) };
        let called_ns = self.progress.now_ns();
        let request = RangeRequest { range, revision, ..RangeRequest::default() };
        let result = self.store.call(Request::Range(request)).await;
        let answer = match result {
            Ok(Response::Range(found)) => PastAnswer::Found(found.kvs.iter().map(stored).collect()),
            Err(Error::Compacted) => PastAnswer::Compacted,
            Err(Error::FutureRevision) => PastAnswer::Future,
            Err(error) if error.outcome() == Known::Unknown => return,
            Ok(_) | Err(_) => return,
        };
        let returned_ns = self.progress.now_ns();
        self.notes.reads.push(PastRead { called_ns, returned_ns, revision, first, end, answer });
    }
}
