//! The shell of a member: three threads made of events on one queue.

use base::Machine;
use bytes::Bytes;
use raft::Recovered;
use replica::{Effect, PeerMessage};

use super::{Answer, Event, World};
use crate::check::{Mark, Violation, violated};
use crate::host::{Host, Process, ReadOrder};
use crate::net::{self, Link};
use crate::time::{MILLI, Nanos};
use crate::truth::{Fact, Member, id_of, member_of};

/// Longest time between an event and the next look at what is to be sent in one batch.
const DRAIN_MAX_NS: Nanos = 300_000;

/// Longest time a read takes.
const READ_MAX_NS: Nanos = MILLI;

/// Most ticks a woken process makes up for at once.
const BURST_TICKS_MAX: u64 = 500;

/// One of so many starts reads its whole log back for the checkers.
const READ_BACK_EVERY: u64 = 8;

/// Bytes the log prepares ahead when it has nothing else to do.
const IDLE_BYTES: u64 = 4096;

/// Most disk operations between the start and a death while opening.
const OPENING_OPERATIONS: u64 = 80;

impl World {
    pub(super) fn open(&self, host: &Host) -> Result<(Process, Recovered), String> {
        host.open(
            self.seed,
            &self.swarm,
            #[cfg(feature = "mutants")]
            self.options.mutant,
        )
    }

    pub(super) fn on_started(&mut self, member: Member) -> Result<(), Violation> {
        if self.hosts[member].process.is_some() {
            return Ok(());
        }
        if !self.calm && self.random.chance(self.swarm.die_opening_percent, 100) {
            let operations = self.random.below(OPENING_OPERATIONS);
            self.hosts[member].log_disk.light_fuse(operations);
        }
        let (process, recovered) = match self.open(&self.hosts[member]) {
            Ok(opened) => opened,
            Err(why) if self.hosts[member].disk_ended_process() => {
                self.dump(|_| format!("{}: died opening: {why}", member + 1));
                return self.die_opening(member);
            }
            Err(why) => {
                let text = format!("member {} refuses to start: {why}", member + 1);
                return violated("R8", text);
            }
        };
        self.tell_opened(member, &process, recovered)?;
        let host = &mut self.hosts[member];
        host.life += 1;
        host.process = Some(process);
        let (life, tick) = (host.life, host.clock.tick_after());
        self.figures.starts += 1;
        let first = self.random.below(tick);
        self.queue.after(first, Event::Ticked { member, life });
        Ok(())
    }

    /// What the new process found: its log, now and then read back to its first entry, and the
    /// state it will go on from.
    fn tell_opened(
        &mut self,
        member: Member,
        process: &Process,
        recovered: Recovered,
    ) -> Result<(), Violation> {
        let mut recovered = recovered;
        if self.random.chance(1, READ_BACK_EVERY) && !self.hosts[member].log_disk.is_burning() {
            recovered.tail = self.whole_log(member, process)?;
        }
        self.tell(&Fact::Opened { member, recovered: &recovered })?;
        let (through, digest) = (recovered.applied, process.digest());
        let revision = process.state.kv().revision();
        self.tell(&Fact::Applied { member, through, revision, digest })
    }

    /// Every entry on the disk of `process`, from the first on.
    pub(super) fn whole_log(
        &self,
        member: Member,
        process: &Process,
    ) -> Result<Vec<raft::Entry>, Violation> {
        match process.log.recovered(raft::LogIndex::ZERO) {
            Ok(whole) => Ok(whole.tail),
            Err(why) => {
                violated("R8", format!("member {} cannot read its log back: {why}", member + 1))
            }
        }
    }

    /// Dead before it lived; perhaps the power goes as well.
    fn die_opening(&mut self, member: Member) -> Result<(), Violation> {
        let cut = self.random.chance(1, 2).then_some(crate::disk::PowerCut::Mixed);
        self.hosts[member].lose_process(cut);
        self.marks.hit(Mark::DiedOpening);
        self.figures.faults.effective += u64::from(!self.calm);
        let down = self.plan.length().max(MILLI);
        self.queue.after(down, Event::Started { member });
        Ok(())
    }

    /// Puts an event for a process that stands still back to when it wakes.
    pub(super) fn delay_if_paused(&mut self, event: Event) -> Option<Event> {
        let member = match &event {
            Event::Ticked { member, .. }
            | Event::Drained { member, .. }
            | Event::Synced { member, .. }
            | Event::Load { member, .. }
            | Event::Applied { member, .. }
            | Event::Read { member, .. } => *member,
            Event::Arrived { link, .. } => link.to,
            Event::Asked { call, .. } => call.member,
            _ => return Some(event),
        };
        let host = &self.hosts[member];
        let now = self.queue.now();
        if host.process.is_none() || host.paused_until <= now {
            return Some(event);
        }
        let until = host.paused_until;
        if let (Event::Ticked { life, .. }, true) = (&event, self.swarm.ticks_in_bursts) {
            let missed = host.clock.missed(until - now).min(BURST_TICKS_MAX);
            let life = *life;
            for _ in 0..missed {
                self.queue.at(until, Event::Ticked { member, life });
            }
            // Only the one put back below goes on ticking; see `on_ticked`.
            self.hosts[member].burst += missed;
            self.marks.hit_if(Mark::TickBurst, missed > 0);
        }
        self.queue.at(until, event);
        None
    }

    pub(super) fn on_ticked(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        if host.burst > 0 {
            host.burst -= 1;
        } else {
            let (life, tick) = (host.life, host.clock.tick_after());
            self.queue.after(tick, Event::Ticked { member, life });
        }
        let jitter = self.jitter.next_u64();
        self.step(member, replica::Event::Ticked { jitter })
    }

    pub(super) fn on_drained(&mut self, member: Member) -> Result<(), Violation> {
        if let Some(process) = &mut self.hosts[member].process {
            process.drain_planned = false;
        }
        self.step(member, replica::Event::Drained)
    }

    pub(super) fn on_arrived(&mut self, link: Link, frame: Bytes) -> Result<(), Violation> {
        if self.hosts[link.to].process.is_none() {
            return Ok(());
        }
        let Some(body) = net::open(frame) else {
            self.marks.hit(Mark::FrameDamaged);
            return Ok(());
        };
        match PeerMessage::decode(body) {
            Ok(message) => {
                let event = replica::Event::Received { from: id_of(link.from), message };
                self.step(link.to, event)
            }
            Err(why) => violated("W", format!("a whole frame cannot be read: {why}")),
        }
    }

    /// Gives the member's machine one event and carries out what it orders.
    pub(super) fn step(&mut self, member: Member, event: replica::Event) -> Result<(), Violation> {
        let is_drain = matches!(event, replica::Event::Drained);
        let Some(process) = &mut self.hosts[member].process else { return Ok(()) };
        let effects = process.replica.step(event);
        let status = process.replica.status();
        self.tell_roles_and_writes(member, &effects)?;
        self.tell(&Fact::Observed { member, status: &status })?;
        for effect in effects {
            self.carry_out(member, effect)?;
        }
        if !is_drain {
            self.plan_drain(member);
        }
        self.start_log(member)?;
        self.start_apply(member);
        Ok(())
    }

    /// The order in which the truth needs to hear of one step.
    fn tell_roles_and_writes(
        &mut self,
        member: Member,
        effects: &[Effect],
    ) -> Result<(), Violation> {
        for effect in effects {
            if let Effect::RoleChanged { role, term, .. } = effect {
                let (role, term) = (*role, *term);
                let before = &self.truth.members[member];
                let is_new =
                    role == raft::RoleName::Leader && (before.role, before.term) != (role, term);
                self.figures.leaders += u64::from(is_new);
                self.tell(&Fact::Became { member, role, term })?;
            }
        }
        for effect in effects {
            if let Effect::Persist(persist) = effect {
                self.tell(&Fact::Ordered { member, persist })?;
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, member: Member, effect: Effect) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return Ok(()) };
        match effect {
            Effect::Send { to, message } => return self.send(member, member_of(to), &message),
            Effect::Persist(persist) => process.orders.push(persist),
            Effect::Apply { entries } => {
                process.batches.push_back(entries.clone());
                return self.tell(&Fact::Applying { member, entries: &entries });
            }
            Effect::Load { from, max_bytes } => {
                process.loads.push((from, max_bytes));
                let takes = self.swarm.sync.draw(&mut self.random);
                self.queue.after(takes, Event::Load { member, life });
            }
            Effect::Read { call, request, term } => {
                let takes = self.random.below(READ_MAX_NS);
                let order = ReadOrder { call, request, term };
                self.queue.after(takes, Event::Read { member, life, order });
            }
            Effect::Reply { call, result } => {
                if let Some(waiting) = process.calls.remove(&call) {
                    let answer = Answer { result, served_at: None };
                    self.answer(waiting.session, waiting.operation, answer);
                }
            }
            Effect::RoleChanged { .. } => {}
        }
        Ok(())
    }

    fn send(&mut self, from: Member, to: Member, message: &PeerMessage) -> Result<(), Violation> {
        if let PeerMessage::Raft(message) = message {
            self.tell(&Fact::Sent { member: from, to, message })?;
        }
        let link = Link { from, to };
        for passage in self.net.send(link, &message.encode()) {
            let frame = passage.frame;
            self.queue.after(passage.delay_ns, Event::Arrived { link, frame });
        }
        Ok(())
    }

    fn plan_drain(&mut self, member: Member) {
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return };
        if !process.drain_planned && process.replica.pending() != (0, 0) {
            process.drain_planned = true;
            let after = self.random.below(DRAIN_MAX_NS);
            self.queue.after(after, Event::Drained { member, life });
        }
    }

    /// The log thread: everything that waits becomes one write and one sync.
    fn start_log(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return Ok(()) };
        if process.syncing.is_some() || process.orders.is_empty() {
            return Ok(());
        }
        let orders = core::mem::take(&mut process.orders);
        match process.log.write(&orders) {
            Ok(ticket) => {
                process.syncing = ticket;
                let takes = host.sync_takes(self.swarm.sync, &mut self.random);
                self.queue.after(takes, Event::Synced { member, life });
                Ok(())
            }
            Err(why) => self.on_disk_error(member, &why.to_string()),
        }
    }

    pub(super) fn on_synced(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return Ok(()) };
        let Some(ticket) = process.syncing.take() else { return Ok(()) };
        for _ in &process.loads {
            self.queue.after(0, Event::Load { member, life });
        }
        if let Err(why) = process.log.sync() {
            return self.on_disk_error(member, &why.to_string());
        }
        self.tell(&Fact::Persisted { member, ticket })?;
        self.step(member, replica::Event::Persisted { ticket })?;
        self.idle(member)
    }

    /// Sometimes the log thread finds nothing to do and tidies up.
    fn idle(&mut self, member: Member) -> Result<(), Violation> {
        let rests = self.random.chance(1, 4);
        let Some(process) = &mut self.hosts[member].process else { return Ok(()) };
        if !rests || process.syncing.is_some() {
            return Ok(());
        }
        match process.log.idle(IDLE_BYTES) {
            Ok(()) => Ok(()),
            Err(why) => self.on_disk_error(member, &why.to_string()),
        }
    }

    pub(super) fn on_load(&mut self, member: Member) -> Result<(), Violation> {
        let Some(process) = &mut self.hosts[member].process else { return Ok(()) };
        // One thread: reading waits for the sync, which announces this again.
        if process.syncing.is_some() || process.loads.is_empty() {
            return Ok(());
        }
        let (from, max_bytes) = process.loads.remove(0);
        match process.log.load(from, max_bytes) {
            Ok(entries) => {
                self.marks.hit_if(Mark::LogReadBack, !entries.is_empty());
                self.step(member, replica::Event::Loaded { entries })
            }
            Err(why) => self.on_disk_error(member, &why.to_string()),
        }
    }

    /// The apply thread: one batch at a time.
    fn start_apply(&mut self, member: Member) {
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return };
        if !process.applying && !process.batches.is_empty() {
            process.applying = true;
            let takes = self.swarm.apply.draw(&mut self.random);
            self.queue.after(takes, Event::Applied { member, life });
        }
    }

    pub(super) fn on_applied(&mut self, member: Member) -> Result<(), Violation> {
        let syncs = self.random.chance(1, 50);
        let Some(process) = &mut self.hosts[member].process else { return Ok(()) };
        process.applying = false;
        let Some(entries) = process.batches.pop_front() else { return Ok(()) };
        let applied = match process.state.apply(&entries) {
            Ok(applied) => applied,
            Err(why) => return self.on_disk_error(member, &why.to_string()),
        };
        if syncs && let Err(why) = process.state.sync() {
            return self.on_disk_error(member, &why.to_string());
        }
        let digest = process.digest();
        let report = applied.report;
        let (through, revision) = (report.through, report.state.revision);
        self.tell(&Fact::Applied { member, through, revision, digest })?;
        self.step(member, replica::Event::Applied(report))
    }

    pub(super) fn on_read(&mut self, member: Member, order: ReadOrder) {
        let Some(process) = &mut self.hosts[member].process else { return };
        let Some(waiting) = process.calls.remove(&order.call) else { return };
        let result = process.state.read(&order.request, order.term);
        let served_at = Some(raft::LogIndex::new(process.state.applied()));
        self.answer(waiting.session, waiting.operation, Answer { result, served_at });
    }
}
