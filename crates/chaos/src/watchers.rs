//! The readers of changes: raw watches, with nothing between them and the node.
//!
//! Each stays with a node for some seconds, or until its stream breaks, and then asks the next node
//! for everything behind what it has. All that comes is recorded as it comes, so that the checker
//! sees what a node sent and not what a clever client made of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base::Prng;
use client::proto::{etcdserverpb as pb, mvccpb};
use futures::{StreamExt, stream};
use pb::watch_client::WatchClient;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};

use crate::failure::Failure;
use crate::history::{
    Event, Key, LEASE_KEY_MIN, Stored, WatchMessage, WatchStream, Watcher, key_bytes, key_of,
    value_of,
};
use crate::load::Progress;

/// First key, end, and whether the values before are wanted.
const WATCHED: [(Key, Key, bool); 6] = [
    (0, Key::MAX, false),
    (0, Key::MAX, true),
    (0, 150, false),
    (40, 52, true),
    (LEASE_KEY_MIN, Key::MAX, false),
    (7, 8, false),
];

/// How long a stream is read before the next node is asked, milliseconds.
const STAY_MS: (u64, u64) = (500, 15_000);

/// A node must have answered a new watch within this time.
const CREATED_MAX: Duration = Duration::from_secs(2);

/// Between a failed attempt and the next.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// With all nodes up, everything must have been delivered within this time.
const DELIVER_MAX: Duration = Duration::from_secs(60);

/// Not known yet.
const ENDLESS: i64 = i64::MAX;

/// Watchers at work.
#[derive(Debug)]
pub(crate) struct Watchers {
    all: Vec<(Arc<AtomicI64>, JoinHandle<Watcher>)>,
    /// The first revision that each lacks.
    told: Vec<Arc<AtomicI64>>,
}

impl Watchers {
    /// Starts them on the client listeners.
    pub(crate) fn start(
        seed: u64,
        progress: &Arc<Progress>,
        endpoints: &[String],
    ) -> Result<Self, Failure> {
        let (mut all, mut told) = (Vec::new(), Vec::new());
        for (number, (first, end, wants_previous)) in (0..).zip(WATCHED) {
            let channels: Result<Vec<Channel>, Failure> =
                endpoints.iter().map(|endpoint| channel(endpoint)).collect();
            let until = Arc::new(AtomicI64::new(ENDLESS));
            let position = Arc::new(AtomicI64::new(0));
            told.push(Arc::clone(&position));
            let reader = Reader {
                watcher: Watcher { number, first, end, wants_previous, streams: Vec::new() },
                channels: channels?,
                random: Prng::named(seed, &format!("watcher/{number}")),
                progress: Arc::clone(progress),
                next: 0,
                position,
                until: Arc::clone(&until),
            };
            all.push((until, tokio::spawn(reader.run())));
        }
        Ok(Self { all, told })
    }

    /// The first revision that each lacks, as it moves; 0 before anything is known.
    pub(crate) fn told(&self) -> Vec<Arc<AtomicI64>> {
        self.told.clone()
    }

    /// Waits until each has what `events`, the whole history, holds for it; or long enough.
    pub(crate) async fn finish(self, events: &[Event]) -> Result<Vec<Watcher>, Failure> {
        let mut watchers = Vec::new();
        for ((until, _), (first, end, _)) in self.all.iter().zip(WATCHED) {
            let wanted = events.iter().rev().find(|event| (first..end).contains(&event.key));
            until.store(wanted.map_or(0, |event| event.revision), Ordering::Relaxed);
        }
        for (_, task) in self.all {
            watchers.push(task.await.map_err(Failure::because("a watcher broke"))?);
        }
        Ok(watchers)
    }
}

/// What the first watcher, which watches everything, was told, from the first revision it asked for
/// up to `end`, each event once.
pub(crate) fn told_before(watcher: &Watcher, end: i64) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for stream in &watcher.streams {
        let last = events.last().map_or(0, |event| event.revision);
        let all = stream.messages.iter().flat_map(|message| &message.events);
        events.extend(all.filter(|event| (last + 1..end).contains(&event.revision)));
    }
    events
}

fn channel(endpoint: &str) -> Result<Channel, Failure> {
    let endpoint = Endpoint::from_shared(format!("http://{endpoint}"));
    let endpoint = endpoint.map_err(Failure::because("cannot watch"))?;
    Ok(endpoint.connect_timeout(CREATED_MAX).connect_lazy())
}

struct Reader {
    watcher: Watcher,
    channels: Vec<Channel>,
    random: Prng,
    progress: Arc<Progress>,
    /// The first revision that is missing; 0 before anything is known.
    next: i64,
    /// The same, for others.
    position: Arc<AtomicI64>,
    /// Everything up to here is wanted.
    until: Arc<AtomicI64>,
}

impl Reader {
    async fn run(mut self) -> Watcher {
        let mut node = self.random.below(self.channels.len() as u64) as usize;
        let mut deadline = None;
        loop {
            let until = self.until.load(Ordering::Relaxed);
            let has_all = until != ENDLESS && self.next > until;
            if until != ENDLESS {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + DELIVER_MAX);
                if has_all || Instant::now() > deadline {
                    return self.watcher;
                }
            }
            let (low, high) = STAY_MS;
            let stay = Duration::from_millis(self.random.between(low, high));
            let begun = Instant::now();
            if self.stream(node, begun + stay).await.is_none() {
                sleep(RETRY_PAUSE).await;
            }
            node = (node + 1) % self.channels.len();
        }
    }

    /// Reads one stream to its end; `None` when there was nothing to read.
    async fn stream(&mut self, node: usize, end: Instant) -> Option<()> {
        let opened = timeout(CREATED_MAX, self.open(node)).await.ok()??;
        let (mut messages, created) = opened;
        let start = self.next;
        let number = u8::try_from(node + 1).unwrap_or(u8::MAX);
        self.watcher.streams.push(WatchStream {
            node: number,
            start,
            created,
            ..WatchStream::default()
        });
        if start == 0 {
            self.next = created + 1;
            self.position.store(self.next, Ordering::Relaxed);
        }
        while self.next <= self.until.load(Ordering::Relaxed) && Instant::now() < end {
            // Looks up now and then, since the end may have been made known.
            let look = Instant::now() + Duration::from_millis(300);
            let Ok(message) = tokio::time::timeout_at(look.min(end), messages.message()).await
            else {
                continue;
            };
            let message = message.ok()??;
            self.record(message);
        }
        Some(())
    }

    async fn open(&mut self, node: usize) -> Option<(tonic::Streaming<pb::WatchResponse>, i64)> {
        let create = pb::WatchCreateRequest {
            key: key_bytes(self.watcher.first),
            range_end: key_bytes(self.watcher.end),
            start_revision: self.next,
            prev_kv: self.watcher.wants_previous,
            ..pb::WatchCreateRequest::default()
        };
        let union = pb::watch_request::RequestUnion::CreateRequest(create);
        let create = pb::WatchRequest { request_union: Some(union) };
        let mut request = tonic::Request::new(stream::iter([create]).chain(stream::pending()));
        if self.random.chance(1, 2) {
            request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        }
        let channel = self.channels.get(node)?.clone();
        let mut client = WatchClient::new(channel).max_decoding_message_size(usize::MAX);
        let mut messages = client.watch(request).await.ok()?.into_inner();
        let first = messages.message().await.ok()??;
        let created = first.header.map_or(0, |header| header.revision);
        (first.created && !first.canceled).then_some((messages, created))
    }

    fn record(&mut self, message: pb::WatchResponse) {
        let received_ns = self.progress.now_ns();
        let revision = message.header.map_or(0, |header| header.revision);
        let mut record = WatchMessage { received_ns, revision, ..WatchMessage::default() };
        for event in message.events {
            if self.watcher.wants_previous {
                record.previous.push(event.prev_kv.as_ref().map(stored));
            }
            let is_put = event.r#type == mvccpb::event::EventType::Put as i32;
            let kv = event.kv.unwrap_or_default();
            record.events.push(Event {
                revision: kv.mod_revision,
                key: key_of(&kv.key).unwrap_or(Key::MAX),
                put: is_put.then(|| stored(&kv)),
            });
        }
        let last = record.events.last().map_or(revision, |event| event.revision);
        self.next = self.next.max(last + 1);
        self.position.store(self.next, Ordering::Relaxed);
        if let Some(stream) = self.watcher.streams.last_mut() {
            stream.messages.push(record);
        }
    }
}

fn stored(kv: &mvccpb::KeyValue) -> Stored {
    Stored {
        key: key_of(&kv.key).unwrap_or(Key::MAX),
        value: value_of(&kv.value),
        create_revision: kv.create_revision,
        mod_revision: kv.mod_revision,
        version: kv.version,
        lease: kv.lease,
    }
}
