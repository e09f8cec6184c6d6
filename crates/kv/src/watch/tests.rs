//! Watchers of all kinds against the plain list of all events, with slow readers.

use base::Prng;
use mvcc::MemoryBacking;

use super::*;
use crate::api::{
    DeleteRangeRequest, EventKind, KeyRange, PutRequest, Request, TxnOperation, TxnRequest,
};
use crate::command::{Body, CallOrigin, Envelope};

struct World {
    kv: Kv<MemoryBacking>,
    hub: WatchHub,
    index: u64,
    /// Applied, not yet published.
    waiting: Vec<RevisionEvents>,
    all: Vec<(i64, Event)>,
}

impl World {
    fn new() -> Self {
        let kv = Kv::open(MemoryBacking::default()).expect("empty");
        Self { kv, hub: WatchHub::new(), index: 0, waiting: Vec::new(), all: Vec::new() }
    }

    fn apply(&mut self, request: Request) {
        self.index += 1;
        let envelope = Envelope { origin: CallOrigin::default(), body: Body::Write(request) };
        let applied = self.kv.apply(self.index, 1, &envelope).expect("memory");
        for revision in &applied.events {
            let events = revision.events.iter().cloned();
            self.all.extend(events.map(|event| (revision.revision, event)));
        }
        self.waiting.extend(applied.events);
    }

    fn publish(&mut self) {
        let waiting = core::mem::take(&mut self.waiting);
        self.hub.publish(&self.kv, &waiting).expect("memory");
    }
}

fn key(random: &mut Prng) -> Bytes {
    vec![b'a' + random.below(4) as u8].into()
}

fn request(random: &mut Prng) -> Request {
    let put = |random: &mut Prng| PutRequest {
        key: key(random),
        value: vec![7; random.below(400) as usize].into(),
        ..Default::default()
    };
    match random.below(4) {
        0 => {
            let range = KeyRange { key: key(random), range_end: key(random) };
            Request::DeleteRange(DeleteRangeRequest { range, prev_kv: false })
        }
        1 => {
            let puts = (0..3).map(|_| TxnOperation::Put(put(random))).collect();
            Request::Txn(TxnRequest { success: puts, ..Default::default() })
        }
        _ => Request::Put(put(random)),
    }
}

fn watch(random: &mut Prng, now: i64) -> WatchRequest {
    let start = random.below(now as u64 + 10) as i64;
    let range = match random.below(3) {
        0 => KeyRange::single(key(random)),
        1 => KeyRange::prefix(""),
        _ => KeyRange { key: key(random), range_end: "z".into() },
    };
    WatchRequest {
        range,
        start_revision: start,
        progress_notify: true,
        no_put: random.chance(1, 5),
        no_delete: random.chance(1, 5),
        prev_kv: random.chance(1, 2),
    }
}

/// What one watch was promised and got.
struct Reader {
    id: WatchId,
    request: WatchRequest,
    /// First revision it wants.
    from: i64,
    got: Vec<(i64, Event)>,
    progress: i64,
    is_created: bool,
}

impl Reader {
    fn take(&mut self, response: WatchResponse) {
        match response {
            WatchResponse::Created { .. } => {
                assert!(!core::mem::replace(&mut self.is_created, true));
            }
            WatchResponse::Events { header, events } => {
                let last = self.got.last().map_or(0, |(revision, _)| *revision);
                assert!(events.iter().all(|e| e.kv.mod_revision > last.max(self.progress)));
                assert!(events.iter().all(|e| e.kv.mod_revision <= header.revision));
                self.got.extend(events.into_iter().map(|event| (event.kv.mod_revision, event)));
            }
            WatchResponse::Progress { header } => {
                assert!(header.revision >= self.request.start_revision, "early progress");
                self.progress = header.revision;
            }
            WatchResponse::Canceled { reason, .. } => panic!("canceled: {reason}"),
        }
        assert!(self.is_created);
    }

    fn expected(&self, world: &World) -> Vec<(i64, Event)> {
        let range = &self.request.range;
        let wanted = world.all.iter().filter(|(revision, event)| {
            let filtered = match event.kind {
                EventKind::Put => self.request.no_put,
                EventKind::Delete => self.request.no_delete,
            };
            *revision >= self.from && range.contains(&event.kv.key) && !filtered
        });
        let with_previous = wanted.cloned().map(|(revision, mut event)| {
            if self.request.prev_kv {
                let before = world.kv.get_at(&event.kv.key, revision - 1);
                event.prev_kv = before.expect("memory");
            }
            (revision, event)
        });
        with_previous.collect()
    }
}

#[test]
fn every_watcher_gets_every_event_once_and_in_order() {
    for seed in 0..150 {
        let mut random = Prng::named(seed, "watch");
        let mut world = World::new();
        let mut readers: Vec<Reader> = Vec::new();
        for _ in 0..random.between(10, 300) {
            match random.below(12) {
                0 => {
                    let request = watch(&mut random, world.kv.revision());
                    let from = match request.start_revision {
                        0 => world.kv.revision() + 1,
                        start => start,
                    };
                    let id = world.hub.create(request.clone(), &world.kv);
                    let (got, progress, is_created) = (Vec::new(), 0, false);
                    readers.push(Reader { id, request, from, got, progress, is_created });
                }
                1 => world.hub.notify_idle(),
                2 => drop(world.hub.catch_up(&world.kv, random.below(30) as usize)),
                3 => {
                    if let Some(at) = random.pick(&(0..readers.len()).collect::<Vec<_>>()) {
                        let reader = &mut readers[*at];
                        if let Some(response) = world.hub.take(reader.id) {
                            reader.take(response);
                        }
                    }
                }
                4..=6 => world.publish(),
                _ => world.apply(request(&mut random)),
            }
        }
        world.publish();
        loop {
            let more = world.hub.catch_up(&world.kv, 100).expect("memory");
            let taken = world.hub.take_ready(|_| 2);
            if taken.is_empty() && !more {
                break;
            }
            for (id, response) in taken {
                readers.iter_mut().filter(|r| r.id == id).for_each(|r| r.take(response.clone()));
            }
        }
        for reader in &readers {
            assert_eq!(reader.got, reader.expected(&world), "seed {seed}: {:?}", reader.request);
        }
    }
}

#[test]
fn a_slow_reader_costs_a_bounded_queue_and_loses_nothing() {
    let mut world = World::new();
    let request = WatchRequest { range: KeyRange::single("a"), ..Default::default() };
    let id = world.hub.create(request, &world.kv);
    let revisions = 3 * QUEUE_EVENTS_MAX as i64;
    for _ in 0..revisions {
        let put = PutRequest { key: "a".into(), ..Default::default() };
        world.apply(Request::Put(put));
        world.publish();
    }
    let mut events = 0;
    let mut longest = 0;
    while let Some(response) = world.hub.take(id) {
        if let WatchResponse::Events { events: of_message, .. } = response {
            events += of_message.len() as i64;
        }
        world.hub.catch_up(&world.kv, 10_000).expect("memory");
        longest = longest.max(world.hub.watchers[&id].queued());
    }
    assert_eq!(events, revisions);
    assert!(longest <= QUEUE_EVENTS_MAX, "{longest} events were queued");
    assert!(!world.hub.can_catch_up());
}

#[test]
fn a_canceled_watch_leaves_nothing_behind() {
    let mut world = World::new();
    for range in [KeyRange::single("a"), KeyRange::prefix("")] {
        let id = world.hub.create(WatchRequest { range, ..Default::default() }, &world.kv);
        assert!(world.hub.cancel(id));
        assert!(!world.hub.cancel(id));
    }
    let hub = &world.hub;
    assert!(hub.is_empty() && hub.singles.is_empty() && hub.ranges.is_empty());
    assert!(hub.behind.is_empty() && hub.ready.is_empty());
}
