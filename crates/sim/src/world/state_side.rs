//! The state thread of a member: one order at a time.

use super::log_side::FULL_PAUSE_NS;
use super::member_side::applied_by;
use super::{Event, World};
use crate::check::{Mark, Violation, violated};
use crate::truth::{Fact, Member};

/// The file of a value log that says how far it was synced; an older one does no harm.
const HINT: &str = "synced";

impl World {
    pub(super) fn start_state(&mut self, member: Member) {
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return };
        if process.applying {
            return;
        }
        let Some(order) = process.state_orders.front() else { return };
        let syncs = order.syncs();
        process.applying = true;
        let now = self.queue.now();
        let (takes, slowed_by) = if syncs {
            host.sync_takes(now, self.swarm.sync)
        } else {
            (self.swarm.apply.draw(&mut host.chance(now, "apply")), Vec::new())
        };
        self.queue.after(takes, Event::StateDone { member, life });
        for fault in slowed_by {
            self.effect(fault, self.phases(member));
        }
    }

    pub(super) fn on_state_done(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return Ok(()) };
        process.applying = false;
        let Some(order) = process.state_orders.pop_front() else { return Ok(()) };
        let outcome = match process.state.carry_out(order) {
            Ok(outcome) => outcome,
            Err(why) => return self.on_disk_error(member, &why.to_string()),
        };
        if let Some(rest) = outcome.rest {
            process.state_orders.push_front(rest);
            process.applying = true;
            self.marks.hit(Mark::StateWaitedForSpace);
            self.queue.after(FULL_PAUSE_NS, Event::StateDone { member, life });
        }
        if outcome.is_replaced {
            host.active = 1 - host.active;
            self.marks.hit(Mark::SnapshotInstalled);
        }
        self.note_disks(member);
        self.tell_watches(member, outcome.changes, outcome.is_replaced);
        let Some(event) = outcome.event else {
            self.start_state(member);
            return Ok(());
        };
        self.tell_state(member, &event)?;
        self.note_health(member, &event);
        if let replica::Event::Exported { chunk: Err(why), .. } = &event {
            self.dump(|_| format!("{}: cannot read its snapshot: {why}", member + 1));
            self.marks.hit(Mark::ExportFailed);
        }
        if let replica::Event::Staged { next: Err(why) }
        | replica::Event::StageFinished { outcome: Err(why) } = &event
        {
            self.dump(|_| format!("{}: cannot take a snapshot in: {why}", member + 1));
            self.marks.hit(Mark::StageFailed);
        }
        self.step(member, event)
    }

    /// Damage that was met while the member runs, and its end.
    fn note_health(&mut self, member: Member, event: &replica::Event) {
        let state = match event {
            replica::Event::Checked { state, .. } => state,
            replica::Event::Applied(report) => &report.state,
            _ => return,
        };
        let Some(process) = &self.hosts[member].process else { return };
        let before = process.replica.state();
        self.marks.hit_if(Mark::RecordRepaired, state.records_repaired > before.records_repaired);
        self.marks.hit_if(Mark::ScrubRound, state.scrub_rounds > before.scrub_rounds);
        self.marks.hit_if(Mark::RecordDamaged, state.damaged.is_some());
        if state.damaged != before.damaged {
            self.dump(|_| format!("{}: damaged record {:?}", member + 1, state.damaged));
        }
    }

    /// What the truth needs to know of the state.
    fn tell_state(&mut self, member: Member, event: &replica::Event) -> Result<(), Violation> {
        let host = &self.hosts[member];
        let Some(process) = &host.process else { return Ok(()) };
        let spare = &host.state_disks[1 - host.active];
        match event {
            replica::Event::Applied(_) => self.tell(&applied_by(member, process)),
            replica::Event::Synced { through } => self.tell_durable(member, *through),
            replica::Event::ExportOpened { export, .. } => {
                self.tell_durable(member, export.applied)
            }
            replica::Event::StageFinished { outcome: Ok(()) } if spare.unclean(HINT).is_some() => {
                let text = format!("member {} has a snapshot that is not durable", member + 1);
                violated("R12", text)
            }
            _ => Ok(()),
        }
    }

    fn tell_durable(&mut self, member: Member, through: raft::LogIndex) -> Result<(), Violation> {
        let host = &self.hosts[member];
        if host.has_failed_sync() {
            let text = format!("member {} goes on after a failed sync", member + 1);
            return violated("S4", text);
        }
        // Where damage was repaired in place and the sync of that failed, the next life reads what
        // may turn to damage again: that is no promise, and is repaired like the first time.
        let unclean = host.disk(false).unclean(HINT).filter(|_| !self.atlas.is_hurt(member));
        if let Some(file) = unclean {
            let text = format!("member {} calls its state durable, but {file} is not", member + 1);
            return violated("R12", text);
        }
        self.tell(&Fact::StateDurable { member, through })
    }
}
