//! The live feed: what happens, as it happens, to everybody who listens.
//!
//! Connections ([`socket`], [`events`]) put themselves down for topics ([`topic`]). Four times a
//! second one task looks which topics have listeners, asks the authority and the store what is new
//! for them, writes each message once, and lays it into the listeners' queues ([`sequence`] says
//! who gets what). Nothing is kept for listeners: their place in a list is a number that every
//! node understands, so after a node's death they go on at another one.
//!
//! A listener whose queue is full has stopped reading; it is cut, with a code that says "come back
//! and say where you were", and nobody waits for it.

pub(crate) mod data;
pub(crate) mod events;
pub(crate) mod sequence;
pub(crate) mod socket;
pub(crate) mod topic;

use crate::audit::{self, Entry};
use crate::life::{self, ClusterEvent, Life};
use crate::numbered::List;
use crate::runner::AuthorityHandle;
use crate::store::Store;
use crate::{clock, look};
use authority::ElectionView;
use axum::extract::ws::Utf8Bytes;
use election::ElectionId;
use futures::StreamExt;
use kv::api::{EventKind, KeyRange, WatchRequest, WatchResponse};
use sequence::{BATCH_MAX, Batch};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use topic::{About, Topic};

/// Between two messages of a topic.
const TURN: Duration = Duration::from_millis(250);

/// Messages that may wait for one listener; one more and it is cut.
const QUEUE_MAX: usize = 256;

/// Connections to one node.
const LISTENERS_MAX: usize = 8_000;

/// Topics of one connection.
pub(crate) const TOPICS_MAX: usize = 64;

/// Nodes are told again this often, in turns, so that ages stay true; at once when something
/// about them has changed.
const NODES_TURNS: u64 = 4;

/// Why the hub ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It read too slowly: come back and say where you were.
    Resync,
}

/// One message, as it goes over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) topic: Topic,
    /// Number of the last item in it, or of the state.
    pub(crate) seq: u64,
    pub(crate) text: Utf8Bytes,
}

/// What a message says.
#[derive(Serialize)]
struct Wire<'d> {
    #[serde(rename = "type")]
    kind: &'static str,
    topic: String,
    seq: u64,
    /// For lists: the number before the first item in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    prev: Option<u64>,
    /// Milliseconds since 1970 UTC by the node's clock.
    time_ms: u64,
    data: &'d Value,
}

/// One connection's end in the hub.
struct Listener {
    queue: mpsc::Sender<Message>,
    cut: watch::Sender<Option<Cut>>,
    /// Where it stands, by topic; `None`: it waits for the present state.
    standing: BTreeMap<Topic, Option<u64>>,
}

/// The other end.
pub(crate) struct Ear {
    id: u64,
    feed: Feed,
    pub(crate) messages: mpsc::Receiver<Message>,
    pub(crate) cut: watch::Receiver<Option<Cut>>,
}

impl Ear {
    /// Listens to `topic` too: to a list from behind item `after`, or from now on.
    ///
    /// # Errors
    /// A sentence, when it listens to too much.
    pub(crate) fn subscribe(&self, topic: Topic, after: Option<u64>) -> Result<(), String> {
        let mut listeners = self.feed.listeners();
        let Some(listener) = listeners.get_mut(&self.id) else { return Ok(()) };
        if listener.standing.len() >= TOPICS_MAX {
            return Err(format!("One connection listens to at most {TOPICS_MAX} topics."));
        }
        listener.standing.insert(topic, after.filter(|_| topic.is_list()));
        Ok(())
    }

    /// Listens to `topic` no more.
    pub(crate) fn unsubscribe(&self, topic: Topic) {
        if let Some(listener) = self.feed.listeners().get_mut(&self.id) {
            listener.standing.remove(&topic);
        }
    }

    /// The topics it listens to.
    pub(crate) fn topics(&self) -> Vec<Topic> {
        let listeners = self.feed.listeners();
        let standing = listeners.get(&self.id).map(|listener| &listener.standing);
        standing.map(|standing| standing.keys().copied().collect()).unwrap_or_default()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.feed.listeners().remove(&self.id);
    }
}

/// The hub.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Hub>);

struct Hub {
    authority: AuthorityHandle,
    store: Store,
    life: Life,
    listeners: Mutex<BTreeMap<u64, Listener>>,
    next: AtomicU64,
    /// Last numbers of the lists in the store.
    events: AtomicU64,
    audit: AtomicU64,
}

/// What is wanted in one turn: the places of the listeners, by topic.
type Wanted = BTreeMap<Topic, Vec<Option<u64>>>;

/// Something new.
struct Item {
    topic: Topic,
    seq: u64,
    /// For lists: the place of the listeners that it is for; `None` tells new ones where they are.
    prev: Option<u64>,
    data: Value,
}

impl Feed {
    /// A hub without listeners.
    pub(crate) fn new(authority: AuthorityHandle, store: Store, life: Life) -> Self {
        Self(Arc::new(Hub {
            authority,
            store,
            life,
            listeners: Mutex::default(),
            next: AtomicU64::new(0),
            events: AtomicU64::new(0),
            audit: AtomicU64::new(0),
        }))
    }

    /// Begins to tell. Inside a tokio runtime.
    pub(crate) fn start(&self) {
        tokio::spawn(self.clone().run());
        tokio::spawn(self.clone().follow(life::EVENTS, |hub| &hub.events));
        tokio::spawn(self.clone().follow(audit::LIST, |hub| &hub.audit));
    }

    /// A new listener; `None` when there are too many.
    pub(crate) fn listen(&self) -> Option<Ear> {
        let (queue, messages) = mpsc::channel(QUEUE_MAX);
        let (cut, was_cut) = watch::channel(None);
        let mut listeners = self.listeners();
        if listeners.len() >= LISTENERS_MAX {
            return None;
        }
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        listeners.insert(id, Listener { queue, cut, standing: BTreeMap::new() });
        drop(listeners);
        Some(Ear { id, feed: self.clone(), messages, cut: was_cut })
    }

    /// How many listen.
    pub(crate) fn subscribers(&self) -> usize {
        self.listeners().len()
    }

    fn listeners(&self) -> MutexGuard<'_, BTreeMap<u64, Listener>> {
        self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the last number of a list in the store, for ever.
    async fn follow(self, list: List, last: fn(&Hub) -> &AtomicU64) {
        loop {
            if let Ok((found, revision)) = self.0.store.list(&list.head()).await {
                let read = |value: &[u8]| serde_json::from_slice::<u64>(value).ok();
                let number = found.first().and_then(|head| read(&head.value)).unwrap_or(0);
                last(&self.0).store(number, Ordering::Relaxed);
                let request = WatchRequest {
                    range: KeyRange::single(list.head()),
                    start_revision: revision + 1,
                    ..WatchRequest::default()
                };
                if let Ok(mut messages) = self.0.store.client.watch(request).await {
                    while let Some(Ok(message)) = messages.next().await {
                        let WatchResponse::Events { events, .. } = message else { continue };
                        let puts = events.iter().filter(|event| event.kind == EventKind::Put);
                        if let Some(number) = puts.filter_map(|e| read(&e.kv.value)).next_back() {
                            last(&self.0).store(number, Ordering::Relaxed);
                        }
                    }
                }
            }
            tokio::time::sleep(TURN).await;
        }
    }

    async fn run(self) {
        let mut clock = tokio::time::interval(TURN);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last: BTreeMap<Topic, Value> = BTreeMap::new();
        let mut told = None;
        for turn in 0_u64.. {
            clock.tick().await;
            let wanted = self.wanted();
            if wanted.is_empty() {
                last.clear();
                continue;
            }
            let mut news = self.news_of_elections(&wanted).await;
            news.extend(self.news_of_lists(&wanted).await);
            if let Some(places) = wanted.get(&Topic::Nodes) {
                self.0.life.look();
                let view = self.0.life.views().borrow().clone();
                let gist = Some(view.gist());
                if turn.is_multiple_of(NODES_TURNS) || places.contains(&None) || gist != told {
                    let data = serde_json::to_value(&*view).unwrap_or_default();
                    news.push(Item { topic: Topic::Nodes, seq: view.time_ms, prev: None, data });
                }
                told = gist;
            }
            self.deliver(news, &mut last);
        }
    }

    fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::new();
        for listener in self.listeners().values() {
            for (topic, at) in &listener.standing {
                wanted.entry(*topic).or_default().push(*at);
            }
        }
        wanted
    }

    async fn news_of_elections(&self, wanted: &Wanted) -> Vec<Item> {
        let asked: Wanted = wanted
            .iter()
            .filter(|(topic, _)| matches!(topic, Topic::Election(..)))
            .map(|(topic, places)| (*topic, places.clone()))
            .collect();
        if asked.is_empty() {
            return Vec::new();
        }
        // An authority that has no time now is asked again in the next turn.
        let looked = self.0.authority.query(move |authority| {
            let look = |(topic, places): (&Topic, &Vec<Option<u64>>)| {
                let Topic::Election(id, about) = *topic else { return Vec::new() };
                let items = |view: ElectionView<'_>| items_of(view, *topic, about, places);
                look::at(authority, ElectionId(id), items).unwrap_or_default()
            };
            asked.iter().flat_map(look).collect()
        });
        looked.await.unwrap_or_default()
    }

    async fn news_of_lists(&self, wanted: &Wanted) -> Vec<Item> {
        let mut news = Vec::new();
        for (topic, places) in wanted {
            let head = match topic {
                Topic::Events => self.0.events.load(Ordering::Relaxed),
                Topic::Audit => self.0.audit.load(Ordering::Relaxed),
                Topic::Election(..) | Topic::Nodes => continue,
            };
            if places.contains(&None) {
                news.push(Item { topic: *topic, seq: head, prev: None, data: no_entries() });
            }
            for batch in sequence::due(places.iter().copied().flatten(), head) {
                news.extend(self.read(*topic, batch).await);
            }
        }
        news
    }

    /// A batch of a list in the store. Items that the list has forgotten are left out; the
    /// listener sees it by their numbers.
    async fn read(&self, topic: Topic, batch: Batch) -> Option<Item> {
        let limit = usize::try_from(BATCH_MAX).unwrap_or(usize::MAX);
        let (store, after) = (&self.0.store, batch.after);
        let (last, entries) = match topic {
            Topic::Audit => numbered(audit::LIST.after::<Entry>(store, after, limit).await),
            _ => numbered(life::EVENTS.after::<ClusterEvent>(store, after, limit).await),
        }?;
        let data = serde_json::json!({ "entries": entries });
        Some(Item { topic, seq: last, prev: Some(after), data })
    }

    /// Writes each message once and lays it into the queues of those that it is for.
    fn deliver(&self, news: Vec<Item>, last: &mut BTreeMap<Topic, Value>) {
        let mut listeners = self.listeners();
        for item in news {
            let is_list = item.topic.is_list();
            let is_new = is_list || last.get(&item.topic) != Some(&item.data);
            let message = Message { topic: item.topic, seq: item.seq, text: written(&item) };
            listeners.retain(|_, listener| {
                let Some(at) = listener.standing.get_mut(&item.topic) else { return true };
                let is_for_it = if is_list { *at == item.prev } else { is_new || at.is_none() };
                if !is_for_it {
                    return true;
                }
                *at = Some(item.seq);
                let is_taken = listener.queue.try_send(message.clone()).is_ok();
                if !is_taken {
                    listener.cut.send_replace(Some(Cut::Resync));
                }
                is_taken
            });
            if !is_list {
                last.insert(item.topic, item.data);
            }
        }
    }
}

/// Waits until something is so; for ever when it can no longer become so.
pub(crate) async fn becomes<T>(what: &mut watch::Receiver<T>, is_so: impl Fn(&T) -> bool) {
    let ended = what.wait_for(is_so).await.is_err();
    if ended {
        std::future::pending::<()>().await;
    }
}

/// What is new in an election for listeners at these places.
fn items_of(
    view: ElectionView<'_>,
    topic: Topic,
    about: About,
    places: &[Option<u64>],
) -> Vec<Item> {
    let position = view.position();
    if about != About::Ledger {
        let data = data::state(view, about);
        return vec![Item { topic, seq: position, prev: None, data }];
    }
    let mut items = Vec::new();
    if places.contains(&None) {
        items.push(Item { topic, seq: position, prev: None, data: no_entries() });
    }
    for batch in sequence::due(places.iter().copied().flatten(), position) {
        let data = data::ledger(view, batch);
        items.push(Item { topic, seq: batch.end, prev: Some(batch.after), data });
    }
    items
}

fn no_entries() -> Value {
    serde_json::json!({ "entries": [] })
}

/// Entries as JSON with their numbers in them, and the last number.
fn numbered<T: Serialize>(
    found: Result<Vec<(u64, T)>, kv::api::Error>,
) -> Option<(u64, Vec<Value>)> {
    let found = found.ok()?;
    let last = found.last()?.0;
    let with_number = |(number, entry): (u64, T)| {
        let mut entry = serde_json::to_value(entry).unwrap_or_default();
        if let Value::Object(fields) = &mut entry {
            fields.insert("number".to_owned(), number.into());
        }
        entry
    };
    Some((last, found.into_iter().map(with_number).collect()))
}

fn written(item: &Item) -> Utf8Bytes {
    let wire = Wire {
        kind: "message",
        topic: item.topic.to_string(),
        seq: item.seq,
        prev: item.topic.is_list().then(|| item.prev.unwrap_or(item.seq)),
        time_ms: clock::milliseconds(),
        data: &item.data,
    };
    serde_json::to_string(&wire).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeFacts;
    use crate::life::Vitals;

    fn feed() -> Feed {
        let (client, _) = client::local::channel();
        let store = Store { client: Arc::new(client) };
        let facts = NodeFacts {
            node: 1,
            name: String::new(),
            version: String::new(),
            authority_key: String::new(),
            cluster: 1,
            addresses: Vec::new(),
        };
        let life = Life::new(store.clone(), &facts, None, Arc::new(Vitals::default));
        Feed::new(AuthorityHandle::to_nobody(), store, life)
    }

    fn item(seq: u64) -> Item {
        Item { topic: Topic::Events, seq, prev: Some(seq - 1), data: no_entries() }
    }

    #[test]
    fn who_does_not_read_is_cut_and_nobody_else() {
        let feed = feed();
        let (lazy, mut keen) = (feed.listen().expect("room"), feed.listen().expect("room"));
        for ear in [&lazy, &keen] {
            ear.subscribe(Topic::Events, Some(0)).expect("one topic");
        }
        for seq in 1..=QUEUE_MAX as u64 + 1 {
            feed.deliver(vec![item(seq)], &mut BTreeMap::new());
            assert_eq!(keen.messages.try_recv().map(|message| message.seq), Ok(seq));
        }
        assert_eq!(*lazy.cut.borrow(), Some(Cut::Resync));
        assert_eq!(*keen.cut.borrow(), None);
        assert_eq!(feed.subscribers(), 1);
        drop(keen);
        assert_eq!(feed.subscribers(), 0);
    }

    #[test]
    fn a_state_is_told_when_it_changes_and_to_who_is_new() {
        let feed = feed();
        let state = |data: u64| {
            vec![Item { topic: Topic::Nodes, seq: data, prev: None, data: data.into() }]
        };
        let mut last = BTreeMap::new();
        let mut old = feed.listen().expect("room");
        old.subscribe(Topic::Nodes, None).expect("one topic");
        let mut told = |ear: &mut Ear, data: u64| {
            feed.deliver(state(data), &mut last);
            ear.messages.try_recv().is_ok()
        };
        assert!(told(&mut old, 1));
        assert!(!told(&mut old, 1), "nothing has changed");
        let mut new = feed.listen().expect("room");
        new.subscribe(Topic::Nodes, None).expect("one topic");
        assert!(told(&mut new, 1), "it has to begin somewhere");
        assert!(old.messages.try_recv().is_err());
        assert!(told(&mut old, 2) && new.messages.try_recv().is_ok());
    }
}
