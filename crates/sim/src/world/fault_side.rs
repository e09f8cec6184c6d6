//! Faults begin, have effects, and end.

use raft::RoleName;

use super::client_side::CallerCut;
use super::end::HARSH_FAULTS_MIN;
use super::{Answer, Event, World};
use crate::check::{Mark, Violation, violated};
use crate::disk::{Mishap, PowerCut};
use crate::faults::{Fault, FaultClass, FaultId, LinkSpan, Planned};
use crate::host::{Absence, Waiting};
use crate::matrix::{Phase, Phases};
use crate::net::{Link, Trouble, Window};
use crate::swarm::Regime;
use crate::time::{MILLI, Nanos, SECOND};
use crate::truth::{Fact, Member};
use kv::api::Error;

/// How long a fault waits for a phase.
const ARMED_MAX_NS: Nanos = 8_000 * MILLI;

/// A process that runs no longer than this has just started.
const RESTARTED_NS: Nanos = 60 * MILLI;

/// A fault that has begun.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    class: FaultClass,
    fault: Fault,
    /// What its victims were doing when it began.
    phases: Phases,
    effective: bool,
}

impl World {
    /// The next fault of the plan, or the one of the script.
    pub(super) fn on_fault_due(&mut self, line: Option<usize>) -> Result<(), Violation> {
        if self.calm {
            return Ok(());
        }
        if let (Some(line), Some(script)) = (line, self.options.script.clone()) {
            return self.play(script.faults[line].clone());
        }
        if let Some(next) = self.plan.next_after() {
            let next = if self.is_too_calm() { next / 3 } else { next };
            self.queue.after(next, Event::FaultDue { line: None });
        }
        let now = self.queue.now();
        self.armed = self.armed.filter(|(since, _)| now - since < ARMED_MAX_NS);
        if self.armed.is_none()
            && let Some(phase) = self.plan.waits_for()
        {
            self.armed = Some((now, phase));
            return Ok(());
        }
        self.plan.grow(self.machines_started());
        let planned = self.plan.draw(self.queue.now(), self.leader(), None);
        self.play(planned)
    }

    /// Whether a harsh run is about to have fewer faults than it must: in a group of one or two,
    /// much of what is tried touches nobody.
    fn is_too_calm(&self) -> bool {
        let wanted = self.queue.now() / SECOND * HARSH_FAULTS_MIN * 5 / 4;
        self.swarm.regime == Regime::Harsh && self.figures.faults.total().effective < wanted
    }

    /// A new leader is overthrown when a fault says so.
    pub(super) fn aim_at(&mut self, member: Member, role: RoleName) {
        if role == RoleName::Leader {
            for fault in self.overthrows.clone() {
                let Some(Begun { fault: Fault::Overthrow { after_ns, .. }, .. }) =
                    self.begun.get(&fault)
                else {
                    continue;
                };
                self.queue.after(*after_ns, Event::Overthrown { fault, member });
            }
        }
    }

    /// A fault that waits for a phase strikes when somebody is in it.
    pub(super) fn strike_if_aimed(&mut self, member: Member) {
        let Some((_, phase)) = self.armed else { return };
        if !self.calm && self.phases(member).has(phase) {
            self.armed = None;
            let after = self.plan.after_aim();
            self.queue.after(after, Event::FaultAimed { member });
        }
    }

    /// A new leader has led long enough: it takes the place of the one that is cut off.
    pub(super) fn on_overthrown(&mut self, id: FaultId, member: Member) {
        let Some(Begun { fault: Fault::Overthrow { hears, .. }, .. }) = self.begun.get(&id) else {
            return;
        };
        let hears = *hears;
        if self.overthrows.contains(&id) && self.truth.members[member].role == RoleName::Leader {
            self.marks.hit(Mark::Overthrown);
            self.net.heal(id);
            self.cut_off(id, member, hears);
        }
    }

    fn cut_off(&mut self, id: FaultId, member: Member, hears: bool) {
        let always = Window { from_ns: 0, until_ns: Nanos::MAX };
        let cut = Trouble { cut: true, ..Trouble::default() };
        for other in (0..self.hosts.len()).filter(|other| *other != member) {
            self.net.trouble(Link { from: member, to: other }, id, cut, always);
            if !hears {
                self.net.trouble(Link { from: other, to: member }, id, cut, always);
            }
        }
    }

    pub(super) fn on_fault_aimed(&mut self, member: Member) -> Result<(), Violation> {
        if self.calm {
            return Ok(());
        }
        let planned = self.plan.draw(self.queue.now(), None, Some(member));
        self.play(planned)
    }

    /// Writes `planned` down and begins it.
    fn play(&mut self, planned: Planned) -> Result<(), Violation> {
        self.planned.push(planned.clone());
        match planned.fault.within(self.hosts.len()) {
            Some(fault) => self.begin(Planned { fault, ..planned }),
            None => Ok(()),
        }
    }

    /// Who leads the newest term, if anybody does.
    pub(super) fn leader(&self) -> Option<Member> {
        let members = &self.truth.members;
        let leads =
            |member: &Member| members[*member].up && members[*member].role == RoleName::Leader;
        (0..members.len()).filter(leads).max_by_key(|member| members[*member].term)
    }

    fn begin(&mut self, planned: Planned) -> Result<(), Violation> {
        let Planned { id, length_ns, class, fault, .. } = planned;
        if !self.may_begin(&fault) {
            return Ok(());
        }
        self.figures.faults.of_mut(class).begun += 1;
        self.dump(|_| format!("fault {id} for {length_ns}: {fault:?}"));
        let phases = fault.victims().into_iter().map(|member| self.phases(member));
        let phases = phases.fold(Phases::default(), Phases::and);
        let begun = Begun { class, fault: fault.clone(), phases, effective: false };
        self.begun.insert(id, begun);
        match fault {
            Fault::Die { members, cut, opening } => {
                self.kill(id, &members, cut, opening, length_ns)
            }
            Fault::Wipe { member } => self.wipe(id, member),
            Fault::InjureCopies { member, files } => {
                self.die(member, None, length_ns)?;
                self.hosts[member].log_disk.rot_copies(id, files);
                Ok(())
            }
            fault => {
                self.begin_lasting(id, fault, length_ns);
                self.queue.after(length_ns, Event::FaultOver { fault: id });
                Ok(())
            }
        }
    }

    /// Damage only where the atlas allows it, and nothing for a process that is not there.
    fn may_begin(&mut self, fault: &Fault) -> bool {
        let is_up = |member: &Member| self.hosts[*member].process.is_some();
        match fault {
            Fault::Injure { member, .. }
            | Fault::InjureCopies { member, .. }
            | Fault::Wipe { member } => {
                self.hosts[*member].absence.is_none() && self.atlas.admit(*member)
            }
            Fault::Mishap { member, mishap: Mishap::MisdirectWrite, .. } => {
                is_up(member) && self.atlas.admit(*member)
            }
            Fault::Die { .. } | Fault::Network { .. } | Fault::Overthrow { .. } => true,
            Fault::Callers { .. } | Fault::Reset { .. } => true,
            other => other.victims().iter().any(is_up),
        }
    }

    fn kill(
        &mut self,
        id: FaultId,
        members: &[Member],
        cut: Option<PowerCut>,
        opening: Option<u64>,
        down_ns: Nanos,
    ) -> Result<(), Violation> {
        for &member in members {
            if self.hosts[member].process.is_some() {
                self.effect(id, Phases::default());
            }
            self.hosts[member].opening = opening.map(|operations| (id, operations));
            self.die(member, cut, down_ns)?;
        }
        Ok(())
    }

    fn wipe(&mut self, id: FaultId, member: Member) -> Result<(), Violation> {
        self.effect(id, Phases::default());
        self.marks.hit(Mark::Wiped);
        self.hosts[member].absence = Some(Absence::Wiped);
        self.die(member, Some(PowerCut::LoseAll), 0)?;
        self.hosts[member].log_disk.wipe();
        self.hosts[member].state_disks.iter().for_each(crate::disk::SimDisk::wipe);
        Ok(())
    }

    fn begin_lasting(&mut self, id: FaultId, fault: Fault, length: Nanos) {
        let now = self.queue.now();
        match fault {
            Fault::Mishap { member, log, mishap } => self.hosts[member].disk(log).arm(id, mishap),
            Fault::Full { member, log, bytes } => {
                // Both folders of the state are on one disk.
                let host = &self.hosts[member];
                match log {
                    true => host.log_disk.fill(id, bytes),
                    false => host.state_disks.iter().for_each(|disk| disk.fill(id, bytes)),
                }
            }
            Fault::Injure { member, log, unreadable } => {
                let disk = self.hosts[member].disk(log);
                if unreadable {
                    disk.scratch(id)
                } else {
                    disk.rot(id)
                };
            }
            Fault::Pause { member } => {
                let host = &mut self.hosts[member];
                host.busy_until = host.busy_until.max(now + length);
                self.effect(id, Phases::default());
            }
            Fault::SlowCpu { member, step_ns } => {
                self.hosts[member].step_ns.insert(id, step_ns);
            }
            Fault::LateTicks { member, by_ns } => {
                self.hosts[member].late_ns.insert(id, by_ns);
            }
            Fault::Drift { member, drift_ppm } => {
                let changed = self.hosts[member].clock.drift_ppm() != drift_ppm;
                self.hosts[member].clock.set_drift(now, drift_ppm);
                if changed {
                    self.effect(id, Phases::default());
                }
            }
            Fault::Jump { member, ahead_ns } => self.jump(id, member, ahead_ns),
            Fault::Network { links, trouble } => self.trouble(id, &links, trouble, length),
            Fault::Reset { links } => links.iter().for_each(|link| self.net.reset(*link, id)),
            Fault::Overthrow { member, hears, .. } => {
                self.overthrows.insert(id);
                self.cut_off(id, member, hears);
            }
            Fault::Callers { members, asks, answers } => {
                self.caller_cuts.insert(id, CallerCut { members, asks, answers });
            }
            Fault::Slow { member, span } => {
                self.hosts[member].slow.insert(id, span);
            }
            Fault::Die { .. } | Fault::Wipe { .. } | Fault::InjureCopies { .. } => {}
        }
    }

    /// Ahead: the ticks of the time that never was are due at once. Back: none until the end.
    fn jump(&mut self, id: FaultId, member: Member, ahead_ns: i64) {
        let now = self.queue.now();
        let host = &mut self.hosts[member];
        match u64::try_from(ahead_ns) {
            Ok(ahead) if ahead > 0 => {
                for _ in 0..host.clock.missed(ahead).min(super::member_side::BURST_TICKS_MAX) {
                    self.queue.at(now, Event::ExtraTick { member, life: host.life });
                }
                self.marks.hit(Mark::ClockJumped);
                self.effect(id, Phases::default());
            }
            _ => {
                host.frozen.insert(id);
            }
        }
    }

    fn trouble(&mut self, id: FaultId, links: &[LinkSpan], trouble: Trouble, length: Nanos) {
        let now = self.queue.now();
        for LinkSpan { link, from_permille, to_permille } in links {
            let at = |permille: u64| now + length / 1000 * permille;
            let (from_ns, until_ns) = (at(*from_permille), at(*to_permille));
            self.net.trouble(*link, id, trouble, Window { from_ns, until_ns });
        }
    }

    pub(super) fn on_fault_over(&mut self, id: FaultId) {
        let Some(Begun { fault, .. }) = self.begun.get(&id) else { return };
        match fault.clone() {
            Fault::Network { .. } => self.net.heal(id),
            Fault::Overthrow { .. } => {
                self.overthrows.remove(&id);
                self.net.heal(id);
            }
            Fault::Callers { .. } => {
                self.caller_cuts.remove(&id);
            }
            Fault::Full { member, .. } => {
                self.hosts[member].disks().for_each(|disk| disk.free(id));
            }
            other => {
                for member in other.victims() {
                    let host = &mut self.hosts[member];
                    host.slow.remove(&id);
                    host.step_ns.remove(&id);
                    host.late_ns.remove(&id);
                    host.frozen.remove(&id);
                }
            }
        }
    }

    /// The fault `id` was noticed by somebody who was in `phases`.
    pub(crate) fn effect(&mut self, id: FaultId, phases: Phases) {
        let Some(begun) = self.begun.get_mut(&id) else { return };
        if self.calm {
            return;
        }
        if !begun.effective {
            begun.effective = true;
            self.figures.faults.of_mut(begun.class).effective += 1;
            self.matrix.hit(begun.class, begun.phases);
        }
        if !phases.is_empty() {
            self.matrix.hit(begun.class, phases);
        }
    }

    /// Notes which faults of its disks `member` has met.
    pub(super) fn note_disks(&mut self, member: Member) {
        for log in [true, false] {
            for fault in self.hosts[member].disk(log).take_struck() {
                self.effect(fault, self.phases(member));
            }
        }
        let host = &self.hosts[member];
        for fault in host.state_disks[1 - host.active].take_struck() {
            self.effect(fault, self.phases(member));
        }
    }

    /// What `member` is doing.
    pub(super) fn phases(&self, member: Member) -> Phases {
        let mut phases = Phases::default();
        let (host, it) = (&self.hosts[member], &self.truth.members[member]);
        let Some(process) = &host.process else {
            phases.add_if(Phase::Restart, true);
            return phases;
        };
        phases.add_if(Phase::Restart, self.queue.now() - host.started_at < RESTARTED_NS);
        let recovers = process.state.applied() < host.catches_up_to;
        phases.add_if(Phase::Recovery, recovers);
        phases.add_if(Phase::PreVote, it.role == RoleName::PreCandidate);
        phases.add_if(Phase::Vote, it.role == RoleName::Candidate);
        let appends = it.pending.iter().any(|order| !order.entries.is_empty());
        phases.add_if(Phase::Append, appends);
        phases.add_if(Phase::Commit, process.applying);
        phases.add_if(Phase::Read, process.replica.pending().1 > 0);
        let (sends, receives) = process.replica.snapshots();
        phases.add_if(Phase::SnapshotSend, sends > 0);
        phases.add_if(Phase::SnapshotInstall, receives);
        phases.add_if(Phase::Joint, it.ordered.in_force().1.is_joint());
        phases.add_if(Phase::LeaveJoint, it.ordered.leaves_joint(it.commit));
        let seen = host.seen.as_ref();
        phases.add_if(Phase::Transfer, seen.is_some_and(|it| it.transfer_to.is_some()));
        phases.add_if(Phase::Repair, seen.is_some_and(|it| it.restriction.is_some()));
        phases.add_if(Phase::Cut, it.pending.iter().any(|order| order.rebase.is_some()));
        phases.add_if(Phase::Idle, phases.is_empty());
        phases
    }

    /// Ends a process, and the power of its machine if `cut` says so; it starts again after
    /// `down_ns`, unless it must not.
    pub(super) fn die(
        &mut self,
        member: Member,
        cut: Option<PowerCut>,
        down_ns: Nanos,
    ) -> Result<(), Violation> {
        self.mark_death(member);
        let host = &mut self.hosts[member];
        let process = host.process.take();
        host.lose_process(cut);
        for (_, event) in core::mem::take(&mut host.inbox) {
            self.queue.after(0, event);
        }
        let Some(process) = process else { return Ok(()) };
        self.queue.after(down_ns.max(MILLI), Event::Started { member });
        // A killed process resets its connections; a machine without power just falls silent.
        if cut.is_none() {
            for waiting in process.calls.into_values() {
                let answer = Answer { result: Err(Error::Stopped), served_at: None };
                self.answer(member, waiting, answer);
            }
        }
        self.tell(&Fact::Died { member })
    }

    fn mark_death(&mut self, member: Member) {
        let Some(process) = &self.hosts[member].process else { return };
        let role = self.truth.members[member].role;
        let reads = process.replica.pending().1 > 0;
        self.marks.hit_if(Mark::DiedWhileSyncing, process.syncing.is_some());
        self.marks.hit_if(Mark::DiedWhileApplying, process.applying);
        self.marks.hit_if(Mark::DiedWhileReading, reads);
        self.marks.hit_if(Mark::DiedAsLeader, role == RoleName::Leader);
        self.marks.hit_if(Mark::DiedAsCandidate, role == RoleName::Candidate);
        self.marks.hit_if(Mark::DiedAsPreCandidate, role == RoleName::PreCandidate);
    }

    /// A disk operation failed: either a fault asked for it, and the process ends, or the member
    /// gave up for no reason.
    pub(super) fn on_disk_error(&mut self, member: Member, why: &str) -> Result<(), Violation> {
        self.note_disks(member);
        let host = &mut self.hosts[member];
        self.marks.hit_if(Mark::DiedWriting, host.log_disk.is_blown());
        if !host.disk_ended_process() && !host.is_injured() {
            return violated("W", format!("member {} stops without a fault: {why}", member + 1));
        }
        self.marks.hit_if(Mark::StoppedByDamage, host.is_injured());
        let down = self.swarm.fault.draw(&mut host.chance(self.queue.now(), "down"));
        self.dump(|_| format!("{}: ends because {why}", member + 1));
        self.die(member, None, down)
    }

    /// Keeps a caller's place while its member is asked.
    pub(super) fn take_waiting(&mut self, member: Member, call: u64) -> Option<Waiting> {
        self.hosts[member].process.as_mut()?.calls.remove(&call)
    }
}
