//! The shell of a member: three threads made of events on one queue.

use base::Machine;
use kv::api::Error;
use raft::Recovered;
use replica::{Effect, PeerMessage, StateOrder, Wish};

use super::{Answer, Event, World};
use crate::check::{Mark, Violation, has_hole, violated};
use crate::disk::{Mishap, PowerCut};
use crate::host::{Absence, Host, Process, ReadOrder};
use crate::net::{Frame, Link, Passage};
use crate::time::{MILLI, Nanos};
use crate::truth::{Fact, Member, id_of, member_of};

/// Longest time between an event and the next look at what is to be sent in one batch.
const DRAIN_MAX_NS: Nanos = 300_000;

/// Longest time a read takes.
const READ_MAX_NS: Nanos = MILLI;

/// Most ticks a woken process makes up for at once.
pub(super) const BURST_TICKS_MAX: u64 = 500;

/// One of so many starts reads its whole log back for the checkers.
pub(super) const READ_BACK_EVERY: u64 = 8;

/// Where the state of `process` is.
pub(super) fn applied_by(member: Member, process: &Process) -> Fact<'static> {
    let through = raft::LogIndex::new(process.state.applied());
    let (revision, digest) = (process.state.kv().revision(), process.digest(through));
    Fact::Applied { member, through, revision, digest }
}

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
        let host = &mut self.hosts[member];
        if host.process.is_some() || host.absence.is_some() {
            return Ok(());
        }
        if let Some((fault, operations)) = host.opening.take() {
            host.log_disk.arm(fault, Mishap::Fuse { operations });
        }
        host.may_lack_state |= host.is_injured();
        let opened = self.open(&self.hosts[member]);
        self.note_disks(member);
        let opened = opened.and_then(|(process, mut recovered)| {
            // Damage may have taken more than what was written last: everything is looked at.
            if recovered.restriction.is_some() {
                let whole = process.log.recovered(raft::LogIndex::ZERO);
                recovered.tail = whole.map_err(|why| why.to_string())?.tail;
            }
            Ok((process, recovered))
        });
        let (process, recovered) = match opened {
            Ok(opened) => opened,
            Err(why) => return self.on_open_failed(member, &why),
        };
        self.tell_opened(member, &process, recovered)?;
        let now = self.queue.now();
        let host = &mut self.hosts[member];
        host.start(now, self.truth.ledger.last_index(), process);
        let (life, tick) = (host.life, host.clock.tick_after());
        self.figures.starts += 1;
        let first = host.chance(now, "start").below(tick);
        self.queue.after(first, Event::Ticked { member, life });
        Ok(())
    }

    /// A start that failed: because a fault wanted it, because the disk is damaged, or wrongly.
    fn on_open_failed(&mut self, member: Member, why: &str) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let ended = host.disk_ended_process();
        if host.is_injured() && !host.log_disk.is_blown() {
            self.marks.hit(Mark::RefusedDamage);
            host.lose_process(None);
            host.absence = Some(Absence::Refused);
            self.dump(|_| format!("{}: refuses to start: {why}", member + 1));
            return Ok(());
        }
        if ended {
            self.dump(|_| format!("{}: died opening: {why}", member + 1));
            self.die_opening(member);
            return Ok(());
        }
        violated("R8", format!("member {} refuses to start: {why}", member + 1))
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
        let host = &mut self.hosts[member];
        let reads_back = host.chance(self.queue.now(), "read back").chance(1, READ_BACK_EVERY);
        if reads_back && !host.log_disk.is_burning() && !host.is_injured() {
            recovered.tail = self.whole_log(member, process)?;
        }
        self.tell(&Fact::Opened { member, recovered: &recovered })?;
        let applied = process.state.applied();
        let has_hole = has_hole(recovered.base.index, applied);
        let host = &mut self.hosts[member];
        let may_lack_state = core::mem::replace(&mut host.may_lack_state, has_hole);
        if has_hole {
            self.marks.hit(Mark::StateBelowBase);
            if !may_lack_state {
                let base = recovered.base;
                let text = format!("member {}: state {applied}, log behind {base}", member + 1);
                return violated("R12", text);
            }
        }
        let through = self.truth.members[member].state_durable.min(applied.into());
        self.tell(&Fact::StateDurable { member, through })?;
        self.tell(&applied_by(member, process))
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
    fn die_opening(&mut self, member: Member) {
        let host = &mut self.hosts[member];
        let mut random = host.chance(self.queue.now(), "die opening");
        let cut = random.chance(1, 2).then_some(PowerCut::Mixed);
        host.lose_process(cut);
        let down = self.swarm.fault.draw(&mut random).max(MILLI);
        self.marks.hit(Mark::DiedOpening);
        self.queue.after(down, Event::Started { member });
    }

    /// Keeps an event for a process that is busy or stands still until it is not.
    pub(super) fn hold_if_busy(&mut self, event: Event) -> Option<Event> {
        let Some(member) = event.member() else { return Some(event) };
        let host = &mut self.hosts[member];
        let now = self.queue.now();
        if host.process.is_none() || (host.busy_until <= now && host.inbox.is_empty()) {
            return Some(event);
        }
        if host.inbox.is_empty() {
            let (until, life) = (host.busy_until, host.life);
            self.queue.at(until, Event::Woke { member, life });
        }
        host.inbox.push_back((now, event));
        None
    }

    /// The process goes on with what came first.
    pub(super) fn on_woke(&mut self, member: Member) -> Result<(), Violation> {
        let now = self.queue.now();
        let host = &mut self.hosts[member];
        let life = host.life;
        if host.busy_until <= now
            && let Some((since, event)) = host.inbox.pop_front()
        {
            let is_tick = matches!(event, Event::Ticked { .. });
            let missed = host.clock.missed(now - since).min(BURST_TICKS_MAX);
            if is_tick && self.swarm.ticks_in_bursts && missed > 0 {
                self.marks.hit(Mark::TickBurst);
                for _ in 0..missed {
                    self.on_extra_tick(member)?;
                }
            }
            self.handle(event)?;
        }
        let host = &self.hosts[member];
        if host.life == life && host.process.is_some() && !host.inbox.is_empty() {
            self.queue.at(host.busy_until, Event::Woke { member, life });
        }
        Ok(())
    }

    pub(super) fn on_ticked(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let life = host.life;
        let (tick, late) = host.tick_after(self.queue.now());
        self.queue.after(tick, Event::Ticked { member, life });
        let frozen: Vec<_> = host.frozen.iter().copied().collect();
        for fault in late.into_iter().chain(frozen.iter().copied()) {
            self.effect(fault, self.phases(member));
        }
        if !frozen.is_empty() {
            self.marks.hit(Mark::ClockFrozen);
            return Ok(());
        }
        self.on_extra_tick(member)
    }

    /// A tick that has no successor.
    pub(super) fn on_extra_tick(&mut self, member: Member) -> Result<(), Violation> {
        if self.hosts[member].process.is_none() {
            return Ok(());
        }
        self.tell(&Fact::Ticked { member })?;
        let jitter = self.hosts[member].chance(self.queue.now(), "jitter").next_u64();
        self.step(member, replica::Event::Ticked { jitter })
    }

    pub(super) fn on_drained(&mut self, member: Member) -> Result<(), Violation> {
        if let Some(process) = &mut self.hosts[member].process {
            process.drain_planned = false;
        }
        self.step(member, replica::Event::Drained)
    }

    pub(super) fn on_arrived(
        &mut self,
        link: Link,
        connection: Option<u64>,
        frame: Frame,
    ) -> Result<(), Violation> {
        let arrives = self.net.arrives(link, connection);
        self.note_net(link);
        if !arrives || self.hosts[link.to].process.is_none() {
            return Ok(());
        }
        let Some(body) = frame.open() else {
            self.marks.hit(Mark::FrameDamaged);
            return Ok(());
        };
        match PeerMessage::decode(body) {
            // Who is in the core follows from the members that may be in force when it is chosen: a
            // change that is still on its way then would ask for others (seed 1796000760).
            Ok(PeerMessage::Wished { wish: Wish::Change(_), .. }) if self.core.is_some() => Ok(()),
            Ok(message) => {
                if let PeerMessage::Raft(message) = &message {
                    self.tell(&Fact::Received { member: link.to, from: link.from, message })?;
                }
                let event = replica::Event::Received { from: id_of(link.from), message };
                self.step(link.to, event)
            }
            Err(why) => violated("W", format!("a whole frame cannot be read: {why}")),
        }
    }

    /// Notes which faults have touched a frame on `link`.
    fn note_net(&mut self, link: Link) {
        for fault in self.net.take_touched() {
            let phases = self.phases(link.from).and(self.phases(link.to));
            self.effect(fault, phases);
        }
    }

    /// Gives the member's machine one event and carries out what it orders.
    pub(super) fn step(&mut self, member: Member, event: replica::Event) -> Result<(), Violation> {
        let is_drain = matches!(event, replica::Event::Drained);
        self.take_time(member);
        self.read_clock(member, &event);
        let Some(process) = &mut self.hosts[member].process else { return Ok(()) };
        // A tick that orders nothing changes nothing that matters.
        let is_quiet = matches!(event, replica::Event::Ticked { .. });
        let effects = process.replica.step(event);
        let is_quiet = is_quiet && effects.is_empty() && self.hosts[member].seen.is_some();
        if !is_quiet {
            self.tell_roles_and_writes(member, &effects)?;
            self.observe(member)?;
        }
        for effect in effects {
            self.carry_out(member, effect)?;
        }
        self.strike_if_aimed(member);
        if !is_drain {
            self.plan_drain(member);
        }
        self.start_log(member)?;
        self.start_state(member);
        Ok(())
    }

    /// Most steps of most members change nothing that can be seen.
    fn observe(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let Some(process) = &host.process else { return Ok(()) };
        let status = match host.seen.take() {
            None => Box::new(process.replica.status()),
            Some(mut seen) => {
                if !process.replica.refresh(&mut seen) {
                    host.seen = Some(seen);
                    return Ok(());
                }
                seen
            }
        };
        self.tell(&Fact::Observed { member, status: &status })?;
        self.hosts[member].seen = Some(status);
        Ok(())
    }

    /// The shell reads the clock before ticks and calls, and at least once a tick.
    fn read_clock(&mut self, member: Member, event: &replica::Event) {
        if self.swarm.lease_drift_ppm.is_none() {
            return;
        }
        let now = self.queue.now();
        let host = &mut self.hosts[member];
        let tick_ns = self.swarm.timing.tick_ms * MILLI;
        let is_due = host.clock_read_at.is_none_or(|at| now - at >= tick_ns);
        let reads = matches!(
            event,
            replica::Event::Ticked { .. }
                | replica::Event::Received { .. }
                | replica::Event::Drained
        );
        let Some(process) = host.process.as_mut().filter(|_| is_due || reads) else { return };
        host.clock_read_at = Some(now);
        let effects =
            process.replica.step(replica::Event::ClockRead { at_ns: host.clock.shows(now) });
        debug_assert!(effects.is_empty(), "reading the clock orders nothing");
    }

    /// A slow process is busy with this step for a while.
    fn take_time(&mut self, member: Member) {
        let host = &mut self.hosts[member];
        if host.step_ns.is_empty() {
            return;
        }
        let takes: Nanos = host.step_ns.values().sum();
        host.busy_until = host.busy_until.max(self.queue.now()) + takes;
        let faults: Vec<_> = host.step_ns.keys().copied().collect();
        for fault in faults {
            self.effect(fault, self.phases(member));
        }
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
                self.aim_at(member, role);
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
        let random = host.chance_of(self.queue.now());
        let Some(process) = &mut host.process else { return Ok(()) };
        match effect {
            Effect::Send { to, message } => return self.send(member, member_of(to), &message),
            Effect::Persist(persist) => process.orders.push(persist),
            Effect::State(mut order) => {
                if let StateOrder::Scrub { budget_bytes } = &mut order {
                    *budget_bytes = self.swarm.scrub_bytes.min(*budget_bytes);
                }
                let applies = matches!(order, StateOrder::Apply { .. });
                process.state_orders.push_back(order);
                return if applies { self.tell_applying(member) } else { Ok(()) };
            }
            Effect::Admit { admission } => process.admits = Some(admission),
            Effect::Stop { reason } => {
                return match self.hosts[member].is_injured() {
                    true => self.on_disk_error(member, &reason),
                    false => violated("A", format!("member {} stops: {reason}", member + 1)),
                };
            }
            Effect::SettleLoss => {
                process.settles = true;
                self.marks.hit(Mark::LossSettled);
            }
            Effect::Load { from, max_bytes, purpose } => {
                process.loads.push((from, max_bytes, purpose));
                let takes = self.swarm.sync.draw(&mut random("load"));
                self.queue.after(takes, Event::Load { member, life });
            }
            Effect::Read { call, request, term } => {
                let takes = random("read").below(READ_MAX_NS);
                let order = Box::new(ReadOrder { call, request, term });
                self.queue.after(takes, Event::Read { member, life, order });
            }
            Effect::Reply { call, result } => {
                if let Some(waiting) = process.calls.remove(&call) {
                    self.answer(member, waiting, Answer { result, served_at: None });
                }
            }
            Effect::WishAnswered { call, result } => self.on_wish_answered(call, &result),
            Effect::RoleChanged { .. } | Effect::MembershipChanged { .. } => {}
        }
        Ok(())
    }

    /// Tells of the batch that was taken last; the batch is not copied for it.
    fn tell_applying(&mut self, member: Member) -> Result<(), Violation> {
        let take = |world: &mut Self| world.hosts[member].process.as_mut()?.state_orders.pop_back();
        let Some(order) = take(self) else { return Ok(()) };
        let told = match &order {
            StateOrder::Apply { entries } => self.tell(&Fact::Applying { member, entries }),
            _ => Ok(()),
        };
        if let Some(process) = &mut self.hosts[member].process {
            process.state_orders.push_back(order);
        }
        told
    }

    fn send(&mut self, from: Member, to: Member, message: &PeerMessage) -> Result<(), Violation> {
        match message {
            PeerMessage::Raft(message) => self.tell(&Fact::Sent { member: from, to, message })?,
            PeerMessage::SnapshotOffered(offer) => {
                self.tell(&Fact::Offered { member: from, snapshot: &offer.snapshot })?;
            }
            PeerMessage::Chunk { id, chunk } => {
                self.dump(|_| {
                    let (at, next) = (chunk.from, chunk.next);
                    format!("{}: to {}: part {at}..{next} of {id:?}", from + 1, to + 1)
                });
                self.marks.hit(Mark::SnapshotPart);
            }
            PeerMessage::Entries { .. } => self.marks.hit(Mark::EntriesSent),
            PeerMessage::Forward { .. } | PeerMessage::Refused { .. } => {}
            other => self.dump(|_| format!("{}: to {}: {other:?}", from + 1, to + 1)),
        }
        let link = Link { from, to };
        let now = self.queue.now();
        for Passage { delay_ns, frame, connection } in self.net.send(now, link, message.encode()) {
            self.queue.after(delay_ns, Event::Arrived { link, connection, frame });
        }
        self.note_net(link);
        Ok(())
    }

    fn plan_drain(&mut self, member: Member) {
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return };
        if !process.drain_planned && process.replica.wants_drain() {
            process.drain_planned = true;
            let after = host.chance(self.queue.now(), "drain").below(DRAIN_MAX_NS);
            self.queue.after(after, Event::Drained { member, life });
        }
    }

    pub(super) fn on_read(&mut self, member: Member, order: &ReadOrder) -> Result<(), Violation> {
        let Some(waiting) = self.take_waiting(member, order.call) else { return Ok(()) };
        let Some(process) = &mut self.hosts[member].process else { return Ok(()) };
        let answered = process.state.answer(&order.request, order.term);
        let met = answered.as_ref().err().copied();
        let result = answered.unwrap_or(Err(Error::Corrupt));
        let served_at = Some(raft::LogIndex::new(process.state.applied()));
        self.note_disks(member);
        self.answer(member, waiting, Answer { result, served_at });
        match met {
            Some(offset) => self.step(member, replica::Event::DamageMet { offset }),
            None => Ok(()),
        }
    }
}
