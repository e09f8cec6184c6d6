//! Following the store: read everything once, then watch; ask now and then whether it still holds
//! what it showed, and read everything again when it does not.
//!
//! ```text
//! Waiting ──> Paging ──> Watching ──(watch ends)──> Rewatching ──> Watching
//!    ^                      │
//!    └── an audit, an event or a proposal contradicts the own copy
//! ```
//!
//! Reading everything ends in a comparison, entry by entry, with the own copy (`restoring`).

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use election::keys::{self, Key};
use kv::api::{
    Error, Event, EventKind, KeyRange, KeyValue, RangeRequest, RangeResponse, Request, Response,
    SortOrder, TxnOperation, TxnRequest, TxnResponse, TxnResult, WatchResponse,
};

use super::{Seat, setup::create_only};
use crate::{
    alarm::code,
    desk::{Desk, Purpose, SeatCall, Watcher},
    head::Head,
    rounds::Leaves,
};

/// Keys in one page; an entry has up to 64 KiB.
const PAGE_KEYS: i64 = 100;
/// Wait before reading again after a failure, in milliseconds.
const RETRY_MS: u64 = 200;
/// How long a height may stay open before everything is read again: statements, also the own ones,
/// may be lost. Doubled each time, up to the maximum.
const STALL_MS: u64 = 10_000;
const STALL_MS_MAX: u64 = 300_000;
/// Audits that may find the store ahead of a watch that brings nothing before everything is read
/// again.
const LAGGING_AUDITS_MAX: u8 = 2;

/// Where the authority stands with the store in one election.
#[derive(Debug)]
pub(super) enum Phase {
    /// Everything is to be read, not before this time.
    Waiting { from_ms: u64 },
    /// Everything is being read, at one revision.
    Paging(Paging),
    /// Changes come in.
    Watching { watch: u64, next_revision: i64 },
    /// The watch has ended and is to be opened again, not before this time.
    Rewatching { next_revision: i64, from_ms: u64 },
}

/// A read of everything under way.
#[derive(Debug, Default)]
pub(super) struct Paging {
    /// What is still to be read, the page under way first.
    ranges: VecDeque<KeyRange>,
    /// The call under way.
    call: u64,
    /// `None` until the first page says it.
    revision: Option<i64>,
    found: Vec<KeyValue>,
}

/// What is known of the store.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) phase: Phase,
    /// Highest revision in any answer; the store must never again answer from a lower one.
    seen_revision: i64,
    /// `seen_revision` when the page or audit under way was asked for.
    asked_revision: i64,
    /// The value under `head`, as far as known.
    pub(super) head: Head,
    /// `position` when the audit under way was asked for; `None` when there is none.
    audited: Option<Audited>,
    audit_due_ms: u64,
    /// How many audits in a row found the store ahead while this many entries were held.
    lagging_audits: (u8, u64),
    last_read_ms: u64,
    /// Height plus final size, and when it last changed, or everything was read again for that.
    progress: (u64, u64),
    stall_ms: u64,
    /// When everything is to be read again because of a doubt.
    doubted_until_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Audited {
    call: u64,
    position: u64,
    floor: u64,
    /// Entries that the store was known to hold.
    known: u64,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Waiting { from_ms: 0 },
            seen_revision: 0,
            asked_revision: 0,
            head: Head::default(),
            audited: None,
            audit_due_ms: 0,
            lagging_audits: (0, 0),
            last_read_ms: 0,
            progress: (0, 0),
            stall_ms: STALL_MS,
            doubted_until_ms: None,
        }
    }

    /// Whether the store's content is known well enough to append to it.
    pub(super) fn is_current(&self) -> bool {
        matches!(self.phase, Phase::Watching { .. } | Phase::Rewatching { .. })
    }

    pub(super) fn saw_revision(&mut self, revision: i64) {
        self.seen_revision = self.seen_revision.max(revision);
    }
}

impl Seat {
    /// Starts whatever waits for its time. Nothing is read before the first tick: what is read may
    /// have to be signed with a time.
    pub(crate) fn read_on(&mut self, desk: &mut Desk) {
        if !desk.has_time {
            return;
        }
        match self.reader.phase {
            Phase::Waiting { from_ms } if desk.now_ms >= from_ms => {
                let ranges = self.ranges_to_read();
                self.reader.phase = Phase::Paging(Paging { ranges, ..Paging::default() });
                self.reader.asked_revision = self.reader.seen_revision;
                self.reader.last_read_ms = desk.now_ms;
                self.ask_page(desk);
            }
            Phase::Rewatching { next_revision, from_ms } if desk.now_ms >= from_ms => {
                self.open_watch(next_revision, desk);
            }
            Phase::Watching { .. } => {
                if self.is_stalled(desk) || self.is_doubtful(desk) {
                    self.read_again(desk);
                } else {
                    self.audit(desk);
                }
            }
            _ => {}
        }
    }

    /// Whether leaves have waited for finality too long.
    fn is_stalled(&mut self, desk: &Desk) -> bool {
        let last = self.finality.last_final().map_or(0, |value| value.size);
        let mark = self.finality.height() + last;
        let (before, since_ms) = self.reader.progress;
        if mark != before || self.copy.size() == last {
            self.reader.progress = (mark, desk.now_ms);
            self.reader.stall_ms = STALL_MS;
            return false;
        }
        let stalled = desk.now_ms >= since_ms + self.reader.stall_ms;
        if stalled {
            self.reader.progress.1 = desk.now_ms;
            self.reader.stall_ms = (2 * self.reader.stall_ms).min(STALL_MS_MAX);
        }
        stalled
    }

    /// Reads everything again, `soon` or when the last time is a while ago.
    pub(super) fn read_again(&mut self, desk: &mut Desk) {
        if let Phase::Watching { watch, .. } = self.reader.phase {
            desk.unwatch(watch);
        }
        let from_ms = desk.now_ms.max(self.reader.last_read_ms + RETRY_MS);
        if !matches!(self.reader.phase, Phase::Waiting { .. }) {
            self.reader.phase = Phase::Waiting { from_ms };
        }
    }

    /// Something that must not happen: say so and read everything again.
    pub(super) fn distrust(&mut self, what: String, desk: &mut Desk) {
        self.shout(code::STORE_CHANGED, what, Vec::new(), desk);
        self.read_again(desk);
    }

    /// Another authority computed another root: one of us was shown something else. Everything
    /// is read again, unless that was just done.
    pub(super) fn doubt(&mut self, desk: &Desk) {
        self.reader.doubted_until_ms = Some(self.reader.last_read_ms + desk.config.audit_ms);
    }

    fn is_doubtful(&mut self, desk: &Desk) -> bool {
        let due = |until_ms: &mut u64| desk.now_ms >= *until_ms;
        self.reader.doubted_until_ms.take_if(due).is_some()
    }

    /// Everything but the statements of heights that are settled here.
    fn ranges_to_read(&self) -> VecDeque<KeyRange> {
        let prefix = keys::prefix(self.election);
        let at = |tail: &str| Bytes::from([&prefix, tail.as_bytes()].concat());
        let height = self.finality.height();
        let rounds = at(&format!("round/{height:020}/"));
        let range = |key: Bytes, range_end: Bytes| KeyRange { key, range_end };
        VecDeque::from([
            range(at("entry/"), at("entry0")),
            range(at(""), at("entry/")),
            range(at("entry0"), at("round/")),
            range(rounds, at("round0")),
        ])
    }

    fn ask_page(&mut self, desk: &mut Desk) {
        let Phase::Paging(paging) = &self.reader.phase else { return };
        let Some(range) = paging.ranges.front().cloned() else { return };
        let request = RangeRequest {
            range,
            limit: PAGE_KEYS,
            revision: paging.revision.unwrap_or(0),
            sort_order: SortOrder::Ascend,
            ..RangeRequest::default()
        };
        let purpose = Purpose::Seat(self.election, SeatCall::Page);
        let call = desk.call(purpose, Request::Range(request));
        if let Phase::Paging(paging) = &mut self.reader.phase {
            paging.call = call;
        }
    }

    pub(super) fn on_page(&mut self, call: u64, result: Result<Response, Error>, desk: &mut Desk) {
        let Phase::Paging(paging) = &mut self.reader.phase else { return };
        if paging.call != call {
            return;
        }
        let Ok(Response::Range(page)) = result else {
            let from_ms = desk.now_ms + RETRY_MS;
            self.reader.phase = Phase::Waiting { from_ms };
            return;
        };
        let first = paging.revision.is_none();
        paging.revision.get_or_insert(page.header.revision);
        let RangeResponse { mut kvs, more, .. } = page;
        // What is as the own copy has it is not kept twice.
        for kv in &mut kvs {
            let Some((_, Key::Entry(number))) = Key::parse(&kv.key) else { continue };
            if let Some(own) = self.copy.entry(number).filter(|own| **own == kv.value) {
                kv.value = own.clone();
            }
        }
        if let Some(last) = kvs.last().filter(|_| more) {
            if let Some(range) = paging.ranges.front_mut() {
                range.key = [&last.key[..], &[0]].concat().into();
            }
        } else {
            paging.ranges.pop_front();
        }
        paging.found.extend(kvs);
        let done = paging.ranges.is_empty();
        if first && page.header.revision < self.reader.asked_revision {
            let (now, before) = (page.header.revision, self.reader.asked_revision);
            self.shout(code::STORE_CHANGED, ran_backwards(before, now), Vec::new(), desk);
        }
        if done { self.on_read(desk) } else { self.ask_page(desk) }
    }

    /// Everything has been read.
    fn on_read(&mut self, desk: &mut Desk) {
        let phase = core::mem::replace(&mut self.reader.phase, Phase::Waiting { from_ms: 0 });
        let Phase::Paging(Paging { revision, found, .. }) = phase else { return };
        let revision = revision.unwrap_or(0);
        self.reader.seen_revision = revision;
        self.reader.audited = None;
        self.reader.audit_due_ms = desk.now_ms + desk.config.audit_ms;
        self.open_watch(revision + 1, desk);
        let (mut entries, mut others, mut head) = (BTreeMap::new(), Vec::new(), None);
        for kv in found {
            match Key::parse(&kv.key) {
                Some((_, Key::Entry(number))) => drop(entries.insert(number, kv)),
                Some((_, Key::Head)) => head = Some(kv.value),
                Some((_, key)) => others.push((key, kv)),
                None => {}
            }
        }
        self.compare(entries, head, desk);
        self.setup.forget();
        self.grown(false, desk);
        for (key, kv) in &others {
            self.on_key(*key, kv, desk);
        }
        self.post_what_is_missing(&others, desk);
        if self.copy.position() > 0 {
            // A store that was set back may have lost that the election exists: whoever has no
            // journal would never hear of it.
            let listing = Bytes::from(keys::directory(self.election));
            desk.call(Purpose::Relist, create_only(listing, Bytes::new()).request);
        }
    }

    fn open_watch(&mut self, next_revision: i64, desk: &mut Desk) {
        let range = KeyRange::prefix(keys::prefix(self.election));
        let watch = desk.watch(Watcher::Seat(self.election), range, next_revision);
        self.reader.phase = Phase::Watching { watch, next_revision };
    }

    pub(crate) fn on_watched(&mut self, from: u64, message: WatchResponse, desk: &mut Desk) {
        let Phase::Watching { watch, next_revision } = &mut self.reader.phase else { return };
        if *watch != from {
            return;
        }
        match message {
            // A member that is behind, or a store that was set back: the audit will tell.
            WatchResponse::Created { header } if header.revision + 1 < *next_revision => {
                self.reader.audit_due_ms = desk.now_ms;
            }
            WatchResponse::Created { .. } => {}
            WatchResponse::Progress { header } => *next_revision = header.revision + 1,
            WatchResponse::Events { events, .. } => {
                let newest = events.iter().map(|event| event.kv.mod_revision).max().unwrap_or(0);
                *next_revision = (*next_revision).max(newest + 1);
                self.reader.saw_revision(newest);
                self.on_events(events, desk);
            }
            WatchResponse::Canceled { compact_revision, .. } => {
                desk.watches.remove(&from);
                self.watch_lost(compact_revision > 0, desk);
            }
        }
    }

    pub(crate) fn on_watch_ended(&mut self, ended: u64, desk: &mut Desk) {
        if matches!(self.reader.phase, Phase::Watching { watch, .. } if watch == ended) {
            self.watch_lost(false, desk);
        }
    }

    fn watch_lost(&mut self, compacted: bool, desk: &mut Desk) {
        let Phase::Watching { next_revision, .. } = self.reader.phase else { return };
        let from_ms = desk.now_ms + RETRY_MS;
        self.reader.phase = if compacted {
            Phase::Waiting { from_ms }
        } else {
            Phase::Rewatching { next_revision, from_ms }
        };
    }

    /// Entries first, in one batch; then what is said about them.
    fn on_events(&mut self, events: Vec<Event>, desk: &mut Desk) {
        let mut batch = Vec::new();
        let mut others = Vec::new();
        for Event { kind, kv, .. } in events {
            let Some((_, key)) = Key::parse(&kv.key) else { continue };
            match (key, kind) {
                (Key::Entry(number), EventKind::Put) => {
                    let next = self.copy.position() + batch.len() as u64 + 1;
                    let held = match number.checked_sub(self.copy.position() + 1) {
                        None => self.copy.entry(number),
                        Some(at) => usize::try_from(at).ok().and_then(|at| batch.get(at)),
                    };
                    match held {
                        Some(held) if *held == kv.value => {}
                        None if number == next => batch.push(kv.value),
                        None => return self.read_again(desk),
                        Some(_) => {
                            return self.distrust(format!("entry {number} was replaced"), desk);
                        }
                    }
                }
                (Key::Entry(number), EventKind::Delete) if number <= self.copy.position() => {
                    return self.distrust(format!("entry {number} was deleted"), desk);
                }
                (Key::Head, EventKind::Put) => self.on_head(Some(kv.value)),
                (Key::Head, EventKind::Delete) => self.on_head(None),
                (key, EventKind::Put) => others.push((key, kv)),
                (key, EventKind::Delete) => self.on_key_deleted(key),
            }
        }
        self.adopt(&batch, desk);
        for (key, kv) in others {
            self.on_key(key, &kv, desk);
        }
        self.distrust_head(desk);
    }

    /// Reads everything again if the head known last contradicts the own copy.
    pub(super) fn distrust_head(&mut self, desk: &mut Desk) {
        if let Some(what) = self.contradiction(&self.reader.head, self.copy.position()) {
            self.distrust(what, desk);
        }
    }

    /// The head was changed. After an own append it may be an older value that comes late.
    fn on_head(&mut self, value: Option<Bytes>) {
        let head = Head::read(value);
        let entries = head.entries();
        let is_late = self.copy.position() <= entries && entries < self.reader.head.entries();
        if !is_late {
            self.reader.head = head;
        }
    }

    /// What is wrong with a head that was read when `position` entries were held.
    fn contradiction(&self, head: &Head, position: u64) -> Option<String> {
        let Some((entries, chain)) = head.value() else {
            return Some("the head is no head any more".to_owned());
        };
        if entries < position {
            return Some(format!("the head went back from {position} to {entries}"));
        }
        let own = (entries <= self.copy.position()).then(|| self.copy.head_at(entries));
        let other = own.and_then(|own| own.value()).is_some_and(|(_, own)| own != chain);
        other.then(|| format!("the {entries} entries are not those that the store showed"))
    }

    /// Asks for the head, the last entry held and the last one that must not be lost.
    fn audit(&mut self, desk: &mut Desk) {
        if self.reader.audited.is_some() || desk.now_ms < self.reader.audit_due_ms {
            return;
        }
        let (position, floor) = (self.copy.position(), self.floor());
        let get = |key: Key| {
            let range = KeyRange::single(key.of(self.election));
            TxnOperation::Range(RangeRequest { range, ..RangeRequest::default() })
        };
        let success = vec![get(Key::Head), get(Key::Entry(position)), get(Key::Entry(floor))];
        self.reader.asked_revision = self.reader.seen_revision;
        self.reader.audit_due_ms = desk.now_ms + desk.config.audit_ms;
        let request = Request::Txn(TxnRequest { success, ..TxnRequest::default() });
        let call = desk.call(Purpose::Seat(self.election, SeatCall::Audit), request);
        let known = position.max(self.reader.head.entries());
        self.reader.audited = Some(Audited { call, position, floor, known });
    }

    pub(super) fn on_audit(&mut self, call: u64, result: Result<Response, Error>, desk: &mut Desk) {
        let Some(audited) = self.reader.audited.take_if(|audited| audited.call == call) else {
            return;
        };
        let Ok(Response::Txn(reply)) = result else { return };
        if !matches!(self.reader.phase, Phase::Watching { .. }) {
            return;
        }
        let revision = reply.header.revision;
        if revision < self.reader.asked_revision {
            return self.distrust(ran_backwards(self.reader.asked_revision, revision), desk);
        }
        self.reader.saw_revision(revision);
        let [head, last, floor] = [0, 1, 2].map(|at| value_at(&reply, at));
        let head = Head::read(head);
        let holds = |number: u64, value: &Option<Bytes>| {
            number == 0 || self.copy.entry(number).is_none_or(|own| value.as_ref() == Some(own))
        };
        if let Some(what) = self.contradiction(&head, audited.known) {
            return self.distrust(what, desk);
        }
        if !holds(audited.position, &last) || !holds(audited.floor, &floor) {
            return self.distrust("the store no longer holds an entry it showed".into(), desk);
        }
        self.notice_lagging(head.entries(), desk);
    }

    /// The watch may have lost something, or an entry is missing below the head. One that brings
    /// entries, however late, has lost nothing: what it brings must follow what is held.
    fn notice_lagging(&mut self, head: u64, desk: &mut Desk) {
        let position = self.copy.position();
        let (audits, before) = self.reader.lagging_audits;
        if head <= position || before < position {
            self.reader.lagging_audits = (u8::from(head > position), position);
            return;
        }
        self.reader.lagging_audits.0 = audits + 1;
        if audits == LAGGING_AUDITS_MAX {
            self.reader.lagging_audits.0 = 0;
            self.read_again(desk);
        }
    }
}

/// The value of the key that operation number `at` of a transaction read.
pub(super) fn value_at(reply: &TxnResponse, at: usize) -> Option<Bytes> {
    match reply.responses.get(at)? {
        TxnResult::Range(range) => Some(range.kvs.first()?.value.clone()),
        _ => None,
    }
}

fn ran_backwards(before: i64, now: i64) -> String {
    format!("the store's revision went back from {before} to {now}: it lost acknowledged writes")
}
