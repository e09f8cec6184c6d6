//! Watches: every change of a range of keys, in order, none twice, none left out.
//!
//! # The idea
//! A watcher is either *synced*, and gets each new revision as it is published, or *behind*, and
//! reads old revisions from the store until it has caught up. Both put messages into the
//! watcher's queue, which is bounded. A synced watcher whose queue is full falls behind at the
//! revision that did not fit: nothing is dropped and nobody waits for it, it only has to read that
//! part from the store later.
//!
//! ```text
//!   create at 3      start <= now        caught up
//!   ───────────► behind ◄──────────── synced ◄── create at "now" or in the future
//!                       queue is full
//! ```
//!
//! # For the thread that owns a hub
//! ```text
//! loop:
//!   hub.publish(&kv, &applied.events)           after each command, in order
//!   hub.catch_up(&kv, 1000)                     a slice of work; true = there is more
//!   hub.take_ready(|watch| room in its channel) messages to hand on
//! ```
//! Publishing costs (events x watchers that match, plus watchers of ranges).
//!
//! # Invariants
//! * All events of one revision are in one message, and messages ascend by revision.
//! * `Created` is first; nothing follows `Canceled`.
//! * `Progress` at revision r is queued only behind every wanted event up to r, and never before
//!   the revision at which a watch in the future starts.
//!
//! Left out: fragments, and watchers that share one pass over old revisions.

mod watcher;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mvcc::{Backing, ReadError};

use crate::api::{Error, Event, Header, WatchRequest, WatchResponse};
use crate::mutant::Mutant;
use crate::store::{Kv, RevisionEvents};
use watcher::{Place, Watcher};

base::typed_u64! {
    /// One watch of a hub; never used again.
    pub struct WatchId;
}

/// Most events in one watcher's queue, as a rule.
pub const QUEUE_EVENTS_MAX: usize = 1024;

/// Most bytes of keys and values in one watcher's queue, as a rule.
pub const QUEUE_BYTES_MAX: usize = 1 << 20;

/// Events that one watcher reads from the store in its turn.
const TURN_EVENTS_MAX: usize = 256;

/// etcd's reason for a watch whose range ends before it starts.
const EMPTY_RANGE: &str = "mvcc: watcher range is empty";

/// How much waits for one watcher at most. A revision with more is still one message: it goes into
/// an empty queue whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubOptions {
    /// Events.
    pub queue_events_max: usize,
    /// Bytes of keys and values.
    pub queue_bytes_max: usize,
    /// A seeded bug.
    #[cfg(feature = "mutants")]
    pub mutant: Option<Mutant>,
}

impl Default for HubOptions {
    /// [`QUEUE_EVENTS_MAX`] and [`QUEUE_BYTES_MAX`].
    fn default() -> Self {
        Self {
            queue_events_max: QUEUE_EVENTS_MAX,
            queue_bytes_max: QUEUE_BYTES_MAX,
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }
}

impl HubOptions {
    /// Whether the seeded bug `mutant` is on; never without the feature `mutants`.
    fn has(&self, mutant: Mutant) -> bool {
        #[cfg(feature = "mutants")]
        return self.mutant == Some(mutant);
        #[cfg(not(feature = "mutants"))]
        {
            let _ = mutant;
            false
        }
    }
}

/// The watches of one member. See the module.
#[derive(Debug, Default)]
pub struct WatchHub {
    options: HubOptions,
    watchers: BTreeMap<WatchId, Watcher>,
    /// Synced watchers of one key.
    singles: BTreeMap<Bytes, BTreeSet<WatchId>>,
    /// Synced watchers of ranges.
    ranges: BTreeSet<WatchId>,
    /// Watchers that have to read old revisions.
    behind: BTreeSet<WatchId>,
    /// Watchers with a message to take.
    ready: BTreeSet<WatchId>,
    /// Whose turn it is to catch up: this one, or the next above it.
    turn: WatchId,
    newest: WatchId,
    /// Every revision up to this one was published.
    published: i64,
    raft_term: u64,
}

impl WatchHub {
    /// A hub without watches.
    pub fn new() -> Self {
        Self::default()
    }

    /// A hub without watches whose queues have other bounds.
    pub fn with(options: HubOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The term that later headers carry.
    pub fn set_raft_term(&mut self, raft_term: u64) {
        self.raft_term = raft_term;
    }

    /// How many watches there are.
    pub fn len(&self) -> usize {
        self.watchers.len()
    }

    /// Whether there is no watch.
    pub fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// Opens a watch on the state of `kv`. A request that cannot be served is a watch too: it
    /// says `Created`, then `Canceled` with the reason.
    pub fn create<B: Backing>(&mut self, request: WatchRequest, kv: &Kv<B>) -> WatchId {
        let id = self.newest.next();
        self.newest = id;
        let (now, compacted) = (kv.revision(), kv.store().compacted());
        let header = self.header(now);
        let mut watcher = Watcher::new(request, now, self.options);
        watcher.push(WatchResponse::Created { header });
        let start = watcher.start_revision();
        if watcher.is_range_empty() {
            watcher.cancel(header, 0, EMPTY_RANGE);
        } else if start < 0 || (start > 0 && start < compacted) {
            watcher.cancel(header, compacted, Error::Compacted.text());
        }
        self.ready.insert(id);
        self.watchers.insert(id, watcher);
        self.enter(id);
        id
    }

    /// Ends a watch at once; `false` when there is none. Messages not yet taken are gone.
    pub fn cancel(&mut self, id: WatchId) -> bool {
        self.leave(id);
        self.ready.remove(&id);
        self.watchers.remove(&id).is_some()
    }

    /// Hands new revisions to the synced watchers. To be called with every revision, ascending.
    ///
    /// # Errors
    /// [`ReadError`] when a value before an event cannot be read: the member's store is damaged.
    pub fn publish<B: Backing>(
        &mut self,
        kv: &Kv<B>,
        revisions: &[RevisionEvents],
    ) -> Result<(), ReadError> {
        for RevisionEvents { revision, events } in revisions {
            for (id, wanted) in self.wanted(events) {
                self.deliver(kv, id, *revision, &wanted)?;
            }
            self.published = self.published.max(*revision);
        }
        Ok(())
    }

    /// The state is another one now, ahead of what was published (a snapshot was installed): the
    /// synced watchers read what lies between from it, so that none of them misses a revision.
    pub fn on_replaced<B: Backing>(&mut self, kv: &Kv<B>) {
        let now = kv.revision();
        if self.options.has(Mutant::WatchIgnoresSnapshot) {
            self.published = self.published.max(now);
            return;
        }
        let singles = self.singles.values().flatten();
        let synced: Vec<WatchId> = singles.chain(&self.ranges).copied().collect();
        for id in synced {
            let published = self.published;
            let next = self.watchers.get(&id).map(|watcher| watcher.done().max(published) + 1);
            let Some(next) = next.filter(|next| *next <= now) else { continue };
            self.leave(id);
            if let Some(watcher) = self.watchers.get_mut(&id) {
                watcher.fall_behind(next);
            }
            self.enter(id);
        }
        self.published = self.published.max(now);
    }

    /// Lets watchers that are behind read up to about `events_max` events from the store, in
    /// turns. `true` when some could go on at once.
    ///
    /// # Errors
    /// [`ReadError`]: the member's store is damaged.
    pub fn catch_up<B: Backing>(
        &mut self,
        kv: &Kv<B>,
        events_max: usize,
    ) -> Result<bool, ReadError> {
        let mut events_left = events_max;
        while let Some(id) = self.next_behind() {
            if events_left == 0 {
                return Ok(true);
            }
            self.turn = id.next();
            let read = self.catch_up_one(kv, id, events_left.min(TURN_EVENTS_MAX))?;
            // Each turn counts, so that many watchers with nothing to read end the slice too.
            events_left = events_left.saturating_sub(read.max(1));
        }
        Ok(false)
    }

    /// Whether [`WatchHub::catch_up`] has something to do.
    pub fn can_catch_up(&self) -> bool {
        self.next_behind().is_some()
    }

    /// Queues a `Progress` if it would be true now; whether it was.
    pub fn progress(&mut self, id: WatchId) -> bool {
        let (published, raft_term) = (self.published, self.raft_term);
        let Some(watcher) = self.watchers.get_mut(&id) else { return false };
        let Some(revision) = watcher.progress_at(published) else { return false };
        watcher.push_progress(Header { revision, raft_term });
        self.ready.insert(id);
        true
    }

    /// Queues a `Progress` for each watcher that wished for it and had no event since the last
    /// call.
    pub fn notify_idle(&mut self) {
        let mut idle = Vec::new();
        for (id, watcher) in &mut self.watchers {
            if watcher.take_is_idle() {
                idle.push(*id);
            }
        }
        for id in idle {
            self.progress(id);
        }
    }

    /// The oldest message of a watch. With `Canceled` the watch is gone.
    pub fn take(&mut self, id: WatchId) -> Option<WatchResponse> {
        let watcher = self.watchers.get_mut(&id)?;
        let response = watcher.pop();
        if !watcher.has_messages() {
            self.ready.remove(&id);
        }
        if let Some(WatchResponse::Canceled { .. }) = response {
            self.cancel(id);
        }
        response
    }

    /// Takes messages of all watches, as many of each as `room` says there is room for. Watches
    /// without room keep theirs for the next call.
    pub fn take_ready(
        &mut self,
        mut room: impl FnMut(WatchId) -> usize,
    ) -> Vec<(WatchId, WatchResponse)> {
        let ready: Vec<WatchId> = self.ready.iter().copied().collect();
        let mut taken = Vec::new();
        for id in ready {
            for _ in 0..room(id) {
                match self.take(id) {
                    Some(response) => taken.push((id, response)),
                    None => break,
                }
            }
        }
        taken
    }

    fn header(&self, revision: i64) -> Header {
        Header { revision, raft_term: self.raft_term }
    }

    /// Puts a watcher where its place says.
    fn enter(&mut self, id: WatchId) {
        let Some(watcher) = self.watchers.get(&id) else { return };
        match (watcher.place(), watcher.single_key()) {
            (Place::Ended, _) => {}
            (Place::Behind, _) => drop(self.behind.insert(id)),
            (Place::Synced, None) => drop(self.ranges.insert(id)),
            (Place::Synced, Some(key)) => {
                self.singles.entry(key.clone()).or_default().insert(id);
            }
        }
    }

    /// Takes a watcher out of wherever it is.
    fn leave(&mut self, id: WatchId) {
        self.behind.remove(&id);
        self.ranges.remove(&id);
        let key = self.watchers.get(&id).and_then(|watcher| watcher.single_key().cloned());
        if let Some(key) = key
            && let Some(watchers) = self.singles.get_mut(&key)
        {
            watchers.remove(&id);
            if watchers.is_empty() {
                self.singles.remove(&key);
            }
        }
    }

    /// The events each synced watcher wants of one revision.
    fn wanted<'a>(&self, events: &'a [Event]) -> BTreeMap<WatchId, Vec<&'a Event>> {
        let mut wanted: BTreeMap<WatchId, Vec<&'a Event>> = BTreeMap::new();
        for event in events {
            let singles = self.singles.get(&event.kv.key).into_iter().flatten();
            for id in singles.chain(&self.ranges) {
                if self.watchers.get(id).is_some_and(|watcher| watcher.wants(event)) {
                    wanted.entry(*id).or_default().push(event);
                }
            }
        }
        wanted
    }

    fn deliver<B: Backing>(
        &mut self,
        kv: &Kv<B>,
        id: WatchId,
        revision: i64,
        events: &[&Event],
    ) -> Result<(), ReadError> {
        let header = self.header(revision);
        let Some(watcher) = self.watchers.get_mut(&id) else { return Ok(()) };
        if revision <= watcher.done() {
            return Ok(());
        }
        let events = watcher.complete(kv, events)?;
        if watcher.has_room_for(&events) {
            watcher.push(WatchResponse::Events { header, events });
            watcher.told(revision);
            self.ready.insert(id);
        } else if !self.options.has(Mutant::WatchDropsWhenFull) {
            self.leave(id);
            if let Some(watcher) = self.watchers.get_mut(&id) {
                watcher.fall_behind(revision);
            }
            self.enter(id);
        }
        Ok(())
    }

    /// The next watcher behind whose queue has room, in turns.
    fn next_behind(&self) -> Option<WatchId> {
        let around = self.behind.range(self.turn..).chain(self.behind.range(..self.turn));
        let has_room = |id: &&WatchId| {
            self.watchers.get(id).is_some_and(|watcher| watcher.has_room_to_catch_up())
        };
        around.copied().find(|id| has_room(&id))
    }

    /// Reads the next revisions for one watcher; how many events were looked at.
    fn catch_up_one<B: Backing>(
        &mut self,
        kv: &Kv<B>,
        id: WatchId,
        events_max: usize,
    ) -> Result<usize, ReadError> {
        let now = kv.revision();
        let header = self.header(now);
        let Some(watcher) = self.watchers.get_mut(&id) else { return Ok(0) };
        let compacted = kv.store().compacted();
        if watcher.done() + 1 < compacted {
            // It was too slow: what it lacks is out of reach.
            watcher.cancel(header, compacted, Error::Compacted.text());
            self.behind.remove(&id);
            self.ready.insert(id);
            return Ok(0);
        }
        let revisions = kv.changes(watcher.done() + 1, events_max)?;
        let all = revisions.iter().flat_map(|revision| &revision.events);
        let wanted: Vec<&Event> = all.filter(|event| watcher.wants(event)).collect();
        let events = watcher.complete(kv, &wanted)?;
        if !events.is_empty() {
            watcher.push(WatchResponse::Events { header, events });
            self.ready.insert(id);
        }
        let done = revisions.last().map_or(now, |revision| revision.revision);
        watcher.read_up_to(done, now);
        if watcher.place() == Place::Synced {
            self.behind.remove(&id);
            self.enter(id);
        }
        Ok(revisions.iter().map(|revision| revision.events.len()).sum())
    }
}

#[cfg(test)]
mod tests;
