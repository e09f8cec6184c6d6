//! One watcher: what it wants, how far it is, and its bounded queue.

use std::collections::VecDeque;

use bytes::Bytes;
use mvcc::{Backing, ReadError};

use super::HubOptions;
use crate::access::covers;
use crate::api::{Event, EventKind, Header, WatchRequest, WatchResponse};
use crate::mutant::Mutant;
use crate::store::Kv;

/// Where a watcher stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It gets what is published.
    Synced,
    /// It reads from the store.
    Behind,
    /// It was canceled; its last messages wait.
    Ended,
}

#[derive(Debug)]
pub(super) struct Watcher {
    request: WatchRequest,
    options: HubOptions,
    place: Place,
    /// Every event up to this revision was queued, or is not wanted.
    done: i64,
    /// Revision of the store when it was last in step with it.
    reached: i64,
    queue: VecDeque<WatchResponse>,
    queued_events: usize,
    queued_bytes: usize,
    /// Whether an event was queued since somebody last asked.
    had_events: bool,
}

fn size_bytes(events: &[Event]) -> usize {
    let previous = |event: &Event| event.prev_kv.as_ref().map_or(0, |kv| kv.value.len());
    let size = |event: &Event| event.kv.key.len() + event.kv.value.len() + previous(event);
    events.iter().map(size).sum()
}

impl Watcher {
    /// A watcher created while the store stands at `now`.
    pub(super) fn new(mut request: WatchRequest, now: i64, options: HubOptions) -> Self {
        if request.range.key.is_empty() {
            request.range.key = Bytes::from_static(&[0]);
        }
        let start = request.start_revision;
        let begins_now = start > now && options.has(Mutant::FutureWatchBeginsNow);
        Self {
            place: if start > 0 && start <= now { Place::Behind } else { Place::Synced },
            done: if start > 0 && !begins_now { start - 1 } else { now },
            reached: now,
            request,
            options,
            queue: VecDeque::new(),
            queued_events: 0,
            queued_bytes: 0,
            had_events: false,
        }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn done(&self) -> i64 {
        self.done
    }

    pub(super) fn start_revision(&self) -> i64 {
        self.request.start_revision
    }

    /// The key of a watcher of one key.
    pub(super) fn single_key(&self) -> Option<&Bytes> {
        let range = &self.request.range;
        range.range_end.is_empty().then_some(&range.key)
    }

    pub(super) fn is_range_empty(&self) -> bool {
        let range = &self.request.range;
        let is_open = range.range_end.is_empty() || range.range_end[..] == [0];
        !is_open && range.key >= range.range_end
    }

    pub(super) fn wants(&self, event: &Event) -> bool {
        let is_filtered = match event.kind {
            EventKind::Put => self.request.no_put,
            EventKind::Delete => self.request.no_delete,
        };
        !is_filtered && covers(&self.request.range, &event.kv.key)
    }

    /// The events as this watcher gets them: with the value before, if it asked for that.
    pub(super) fn complete<B: Backing>(
        &self,
        kv: &Kv<B>,
        events: &[&Event],
    ) -> Result<Vec<Event>, ReadError> {
        let complete = |event: &&Event| {
            let mut event = (*event).clone();
            if self.request.prev_kv {
                event.prev_kv = kv.get_at(&event.kv.key, event.kv.mod_revision - 1)?;
            }
            Ok(event)
        };
        events.iter().map(complete).collect()
    }

    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.queued_events
    }

    pub(super) fn has_messages(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn has_room_for(&self, events: &[Event]) -> bool {
        let HubOptions { queue_events_max, queue_bytes_max, .. } = self.options;
        let fits = self.queued_events + events.len() <= queue_events_max
            && self.queued_bytes + size_bytes(events) <= queue_bytes_max;
        fits || self.queued_events == 0
    }

    /// Half a queue, so that one turn (which cannot know its size before) does not overfill it by
    /// more than it holds.
    pub(super) fn has_room_to_catch_up(&self) -> bool {
        let HubOptions { queue_events_max, queue_bytes_max, .. } = self.options;
        self.queued_events <= queue_events_max / 2 && self.queued_bytes <= queue_bytes_max / 2
    }

    pub(super) fn push(&mut self, response: WatchResponse) {
        if let WatchResponse::Events { events, .. } = &response {
            self.queued_events += events.len();
            self.queued_bytes += size_bytes(events);
            self.had_events = true;
        }
        self.queue.push_back(response);
    }

    /// Queues a `Progress`; one that waits at the end already is replaced, so that a reader who
    /// does not read has one of them at most.
    pub(super) fn push_progress(&mut self, header: Header) {
        if let Some(WatchResponse::Progress { .. }) = self.queue.back() {
            self.queue.pop_back();
        }
        if self.options.has(Mutant::ProgressBeforeEvents) {
            return self.queue.push_front(WatchResponse::Progress { header });
        }
        self.queue.push_back(WatchResponse::Progress { header });
    }

    pub(super) fn pop(&mut self) -> Option<WatchResponse> {
        let response = self.queue.pop_front()?;
        if let WatchResponse::Events { events, .. } = &response {
            self.queued_events -= events.len();
            self.queued_bytes -= size_bytes(events);
        }
        Some(response)
    }

    pub(super) fn cancel(&mut self, header: Header, compact_revision: i64, reason: &str) {
        self.place = Place::Ended;
        self.push(WatchResponse::Canceled { header, compact_revision, reason: reason.into() });
    }

    /// `revision` was queued. Another watcher may still fail to be told of it, and then all read it
    /// from the store who have not got it.
    pub(super) fn told(&mut self, revision: i64) {
        self.done = self.done.max(revision);
    }

    /// `revision` did not fit into the queue: it and what follows come from the store.
    pub(super) fn fall_behind(&mut self, revision: i64) {
        self.place = Place::Behind;
        self.done = revision - 1;
    }

    /// Everything up to `done` was read; the store stands at `now`.
    pub(super) fn read_up_to(&mut self, done: i64, now: i64) {
        self.done = done;
        if done >= now {
            self.place = Place::Synced;
            self.reached = now;
        }
    }

    /// The revision of which `Progress` can be said, given that everything up to `published` was
    /// published.
    pub(super) fn progress_at(&self, published: i64) -> Option<i64> {
        let revision = self.reached.max(published);
        let is_true = self.place == Place::Synced && self.start_revision() <= revision;
        is_true.then_some(revision)
    }

    /// Whether it wished for progress and had no event since the last call.
    pub(super) fn take_is_idle(&mut self) -> bool {
        let is_idle = self.request.progress_notify && !self.had_events;
        self.had_events = false;
        is_idle
    }
}
