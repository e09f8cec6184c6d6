//! The watch thread of a member, and readers at its door.

use std::collections::VecDeque;

use kv::RevisionEvents;
use kv::api::WatchResponse;
use kv::watch::WatchHub;

use super::{Event, World};
use crate::check::{Mark, Stream, Violation};
use crate::readers::Place;
use crate::time::{MILLI, Nanos};
use crate::truth::{Member, member_of};

/// Longest time between a change and its way to the watches.
const TURN_MAX_NS: Nanos = MILLI;

/// Events read from the store in one turn.
const SLICE_EVENTS: usize = 32;

/// A watch that met damage looks again after this time.
const REPAIR_NS: Nanos = 50 * MILLI;

/// One of so many turns tells idle readers how far the store is.
const PROGRESS_EVERY: u64 = 16;

/// Most messages that a reader takes at once.
const ROOM_MAX: u64 = 8;

/// Longest pause of a reader once the faults are over.
const SOON_NS: Nanos = 100 * MILLI;

/// Once the faults are over, a reader that lacks something tries another member after about so
/// many looks.
const TURNS_AWAY_EVERY: u64 = 10;

/// What the watch thread of a process has to do.
#[derive(Debug)]
pub(crate) struct Watching {
    hub: WatchHub,
    orders: VecDeque<Changed>,
    is_planned: bool,
}

/// What happened to the state.
#[derive(Debug)]
enum Changed {
    By(Vec<RevisionEvents>),
    Replaced,
}

impl Watching {
    pub(crate) fn new(hub: WatchHub) -> Self {
        Self { hub, orders: VecDeque::new(), is_planned: false }
    }
}

impl World {
    /// The state of `member` has changed.
    pub(super) fn tell_watches(
        &mut self,
        member: Member,
        changes: Vec<RevisionEvents>,
        is_replaced: bool,
    ) {
        if self.readers.is_empty() || (changes.is_empty() && !is_replaced) {
            return;
        }
        let Some(process) = &mut self.hosts[member].process else { return };
        if !changes.is_empty() {
            process.watching.orders.push_back(Changed::By(changes));
        }
        if is_replaced {
            self.marks.hit_if(Mark::WatchOverSnapshot, !process.watching.hub.is_empty());
            process.watching.orders.push_back(Changed::Replaced);
        }
        self.plan_watch_turn(member, 0);
    }

    fn plan_watch_turn(&mut self, member: Member, not_before: Nanos) {
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return };
        if core::mem::replace(&mut process.watching.is_planned, true) {
            return;
        }
        let after = not_before + host.chance(self.queue.now(), "watches").below(TURN_MAX_NS);
        self.queue.after(after, Event::WatchTurn { member, life });
    }

    /// The watch thread goes on: what happened first, then a slice of what is to be read.
    pub(super) fn on_watch_turn(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let mut random = host.chance(self.queue.now(), "watch turn");
        let Some(process) = &mut host.process else { return Ok(()) };
        let (watching, kv) = (&mut process.watching, process.state.kv());
        watching.is_planned = false;
        let mut damage = None;
        for order in core::mem::take(&mut watching.orders) {
            match order {
                Changed::Replaced => watching.hub.on_replaced(kv),
                Changed::By(revisions) => {
                    if let Err(why) = watching.hub.publish(kv, &revisions) {
                        // Who has not got it reads it from the store, once that is repaired.
                        watching.hub.on_replaced(kv);
                        damage = Some(replica::offset_of(&why));
                    }
                }
            }
        }
        self.marks.hit_if(Mark::WatchBehind, watching.hub.can_catch_up());
        let more = watching.hub.catch_up(kv, SLICE_EVENTS);
        if random.chance(1, PROGRESS_EVERY) {
            watching.hub.notify_idle();
        }
        let goes_on = matches!(more, Ok(true) | Err(_));
        if let Err(why) = &more {
            damage = Some(replica::offset_of(why));
        }
        self.note_disks(member);
        if goes_on {
            self.plan_watch_turn(member, if damage.is_some() { REPAIR_NS } else { 0 });
        }
        match damage {
            Some(offset) => self.step(member, replica::Event::DamageMet { offset }),
            None => Ok(()),
        }
    }

    /// A reader looks for news.
    pub(super) fn on_reader_due(&mut self, reader: usize) -> Result<(), Violation> {
        let pause = self.readers[reader].pause_ns(self.calm, SOON_NS);
        self.queue.after(pause, Event::ReaderDue { reader });
        match self.readers[reader].at {
            Some(place) => self.read_changes(reader, place),
            None => {
                self.open_watch(reader);
                Ok(())
            }
        }
    }

    fn open_watch(&mut self, reader: usize) {
        let targets: Vec<Member> = match self.calm {
            true => self.truth.membership().ids().map(member_of).collect(),
            false => self.callers.targets().to_vec(),
        };
        let it = &mut self.readers[reader];
        let Some(&member) = it.random.pick(&targets) else { return };
        let now = self.queue.now();
        let host = &self.hosts[member];
        if host.process.is_none() || host.busy_until > now {
            return;
        }
        if self.is_caller_cut(member, |_| true) {
            return;
        }
        let revision = self.truth.model.revision();
        let it = &mut self.readers[reader];
        let request = it.request(revision, self.calm);
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return };
        self.marks.hit_if(Mark::WatchInFuture, request.start_revision > revision);
        self.marks.hit_if(Mark::WatchResumed, it.stream.is_some());
        let watch = process.watching.hub.create(request.clone(), process.state.kv());
        (it.stream, it.at) = (Some(Stream::new(request)), Some(Place { member, life, watch }));
        if process.watching.hub.can_catch_up() {
            self.plan_watch_turn(member, 0);
        }
    }

    /// Takes what waits for a reader, and looks at it.
    fn read_changes(&mut self, reader: usize, place: Place) -> Result<(), Violation> {
        let Place { member, life, watch } = place;
        let (now, calm) = (self.queue.now(), self.calm);
        let host = &self.hosts[member];
        if host.process.is_none() || host.life != life {
            self.readers[reader].at = None;
            return Ok(());
        }
        if host.busy_until > now {
            return Ok(());
        }
        let is_cut = self.is_caller_cut(member, |cut| cut.answers);
        let it = &mut self.readers[reader];
        let Some(process) = &mut self.hosts[member].process else { return Ok(()) };
        let Some(stream) = &mut it.stream else { return Ok(()) };
        let lacks = calm && !stream.is_complete(&self.truth.model);
        let turns_away = lacks && it.random.chance(1, TURNS_AWAY_EVERY);
        if is_cut || turns_away || (!calm && it.random.chance(1, crate::readers::BREAKS_EVERY)) {
            process.watching.hub.cancel(watch);
            it.at = None;
            return Ok(());
        }
        if it.random.chance(1, PROGRESS_EVERY) {
            process.watching.hub.progress(watch);
        }
        let room = if calm { 8 * ROOM_MAX } else { it.random.between(1, ROOM_MAX) };
        for _ in 0..room {
            let Some(message) = process.watching.hub.take(watch) else { break };
            stream.see(&message, &self.truth.model)?;
            match message {
                WatchResponse::Progress { .. } => self.marks.hit(Mark::WatchProgress),
                WatchResponse::Canceled { .. } => {
                    self.marks.hit(Mark::WatchCompacted);
                    it.at = None;
                    break;
                }
                WatchResponse::Created { .. } | WatchResponse::Events { .. } => {}
            }
        }
        if process.watching.hub.can_catch_up() {
            self.plan_watch_turn(member, 0);
        }
        Ok(())
    }

    /// The readers that have not been told everything (V7).
    pub(super) fn readers_behind(&self) -> usize {
        let is_behind = |stream: &Option<Stream>| {
            stream.as_ref().is_none_or(|it| !it.is_complete(&self.truth.model))
        };
        self.readers.iter().filter(|reader| is_behind(&reader.stream)).count()
    }
}
