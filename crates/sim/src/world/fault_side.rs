//! Faults begin and end; in the end all of them do.

use kv::api::{Error, KeyRange, RangeRequest, Request, Response};

use raft::Recovered;

use super::{Answer, Event, World};
use crate::check::{Mark, Violation, violated};
use crate::disk::PowerCut;
use crate::faults::{Fault, FaultId};
use crate::host::SlowDisk;
use crate::time::{MILLI, Nanos};
use crate::truth::{Fact, Member};

impl World {
    pub(super) fn on_fault_due(&mut self) -> Result<(), Violation> {
        if self.calm {
            return Ok(());
        }
        let next = self.plan.next_after();
        self.queue.after(next, Event::FaultDue);
        let up = |member: &Member| self.truth.members[*member].up;
        let leads = |member: &Member| {
            up(member) && self.truth.members[*member].role == raft::RoleName::Leader
        };
        let leader =
            (0..self.hosts.len()).filter(leads).max_by_key(|m| self.truth.members[*m].term);
        let fault = self.plan.draw(leader);
        let length = self.plan.length();
        self.next_fault += 1;
        self.figures.faults.begun += 1;
        self.dump(|world| format!("fault {} for {length}: {fault:?}", world.next_fault));
        self.begin(self.next_fault, fault, length)
    }

    fn begin(&mut self, id: FaultId, fault: Fault, length: Nanos) -> Result<(), Violation> {
        let now = self.queue.now();
        match &fault {
            Fault::Die { members, cut } => {
                let mut effective = false;
                for &member in members {
                    effective |= self.hosts[member].process.is_some();
                    self.die(member, *cut, length)?;
                }
                self.figures.faults.effective += u64::from(effective);
                return Ok(());
            }
            Fault::Fuse { member, log, operations } => {
                let host = &self.hosts[*member];
                if host.process.is_some() {
                    let disk = if *log { &host.log_disk } else { &host.state_disk };
                    disk.light_fuse(*operations);
                }
                return Ok(()); // counts when it has burnt down
            }
            Fault::FailSync { member, log } => {
                let host = &self.hosts[*member];
                if host.process.is_some() {
                    let disk = if *log { &host.log_disk } else { &host.state_disk };
                    disk.fail_next_sync();
                }
                return Ok(()); // counts when a sync has failed
            }
            Fault::Pause { member } => {
                let host = &mut self.hosts[*member];
                if host.process.is_some() {
                    host.paused_until = host.paused_until.max(now + length);
                    self.figures.faults.effective += 1;
                }
                return Ok(());
            }
            Fault::Network { links, trouble } => {
                links.iter().for_each(|link| self.net.trouble(*link, id, *trouble));
            }
            Fault::Slow { member, span } => {
                let slow = SlowDisk { span: *span, delayed: 0 };
                self.hosts[*member].slow.insert(id, slow);
            }
            Fault::Drift { member, drift_ppm } => {
                let host = &mut self.hosts[*member];
                let changed = host.process.is_some() && host.clock.drift_ppm() != *drift_ppm;
                host.clock.set_drift(*drift_ppm);
                self.figures.faults.effective += u64::from(changed);
                return Ok(()); // lasts until the next one
            }
        }
        self.faults.insert(id, fault);
        self.queue.after(length, Event::FaultOver { fault: id });
        Ok(())
    }

    pub(super) fn on_fault_over(&mut self, id: FaultId) {
        let effects = match self.faults.remove(&id) {
            Some(Fault::Network { .. }) => self.net.heal(id),
            Some(Fault::Slow { member, .. }) => {
                self.hosts[member].slow.remove(&id).map_or(0, |slow| slow.delayed)
            }
            _ => return,
        };
        self.figures.faults.effective += u64::from(effects > 0 && !self.calm);
        self.dump(|_| format!("fault {id} over, {effects} effects"));
    }

    /// Ends a process, and the power of its machine if `cut` says so; it starts again after
    /// `down_ns`.
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
        let Some(process) = process else { return Ok(()) };
        self.queue.after(down_ns.max(MILLI), Event::Started { member });
        // A killed process resets its connections; a machine without power just falls silent.
        if cut.is_none() {
            for waiting in process.calls.into_values() {
                let answer = Answer { result: Err(Error::Stopped), served_at: None };
                self.answer(waiting.session, waiting.operation, answer);
            }
        }
        self.tell(&Fact::Died { member })
    }

    fn mark_death(&mut self, member: Member) {
        let Some(process) = &self.hosts[member].process else { return };
        let role = self.truth.members[member].role;
        self.marks.hit_if(Mark::DiedWhileSyncing, process.syncing.is_some());
        self.marks.hit_if(Mark::DiedWhileApplying, process.applying);
        self.marks.hit_if(Mark::DiedAsLeader, role == raft::RoleName::Leader);
        self.marks.hit_if(Mark::DiedAsCandidate, role == raft::RoleName::Candidate);
    }

    /// A disk operation failed: either a fault asked for it, and the process ends, or the member
    /// gave up for no reason.
    pub(super) fn on_disk_error(&mut self, member: Member, why: &str) -> Result<(), Violation> {
        let burnt = self.hosts[member].log_disk.is_blown();
        self.marks.hit_if(Mark::DiedWriting, burnt);
        if !self.hosts[member].disk_ended_process() {
            return violated("W", format!("member {} stops without a fault: {why}", member + 1));
        }
        self.figures.faults.effective += u64::from(!self.calm);
        self.dump(|_| format!("{}: ends because {why}", member + 1));
        let down = self.plan.length();
        self.die(member, None, down)
    }

    /// The end of all faults and of the load.
    pub(super) fn on_calm(&mut self) -> Result<(), Violation> {
        let under_way: Vec<FaultId> = self.faults.keys().copied().collect();
        under_way.into_iter().for_each(|fault| self.on_fault_over(fault));
        self.calm = true;
        for member in 0..self.hosts.len() {
            let host = &mut self.hosts[member];
            host.paused_until = 0;
            host.clock.set_drift(0);
            // Fuses and failures that have not struck yet will not.
            host.log_disk.process_died();
            host.state_disk.process_died();
        }
        Ok(())
    }

    /// What the store of `member` holds at the end.
    pub(super) fn check_content(&mut self, member: Member) -> Result<(), Violation> {
        let Some(process) = &self.hosts[member].process else { return Ok(()) };
        let everything = RangeRequest { range: KeyRange::prefix(""), ..RangeRequest::default() };
        let content = match process.state.read(&Request::Range(everything), 0) {
            Ok(Response::Range(range)) => range.kvs,
            other => return violated("C1", format!("member {} answers {other:?}", member + 1)),
        };
        let revision = process.state.kv().revision();
        self.tell(&Fact::Final { member, content: &content, revision })
    }

    /// Opens what is durable on the platter of `member`, as after losing everything else.
    pub(super) fn check_platter(&mut self, member: Member) -> Result<(), Violation> {
        let copy = self.hosts[member].durable_copy(&self.swarm);
        let (process, recovered) = self.open(&copy).map_err(|why| Violation {
            rule: "R6",
            text: format!("the platter of member {} cannot be opened: {why}", member + 1),
        })?;
        let tail = self.whole_log(member, &process)?;
        let recovered = Recovered { tail, ..recovered };
        let truth = &self.truth.members[member];
        if truth.survived(&recovered).is_none() {
            let text = format!(
                "the platter of member {} holds a log up to {}, its syncs promised {}",
                member + 1,
                recovered.last,
                truth.durable.last_id()
            );
            return violated("R6", text);
        }
        Ok(())
    }
}
