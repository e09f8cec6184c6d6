//! The log thread of a member: everything that waits becomes one write and one sync.

use replica::LogStoreError;
use storage::WriteError;

use super::member_side::READ_BACK_EVERY;
use super::{Event, World};
use crate::check::{Mark, Violation, violated};
use crate::time::{MILLI, Nanos};
use crate::truth::{Fact, Member};

/// After one of so many syncs the log has nothing to do for a while.
const IDLE_EVERY: u64 = 16;

/// Bytes the log prepares ahead when it has nothing else to do.
const IDLE_BYTES: u64 = 4096;

/// Bytes of old segments that it checks then.
const SCRUB_BYTES: u64 = 4096;

/// Pause before what found no space is tried again.
pub(super) const FULL_PAUSE_NS: Nanos = 20 * MILLI;

impl World {
    pub(super) fn start_log(&mut self, member: Member) -> Result<(), Violation> {
        let Some(process) = &mut self.hosts[member].process else { return Ok(()) };
        if process.syncing.is_some() || !process.stuck.is_empty() {
            return Ok(());
        }
        if !process.orders.is_empty() {
            process.stuck = core::mem::take(&mut process.orders);
            return self.write_log(member);
        }
        if core::mem::take(&mut process.settles)
            && let Err(why) = process.log.settle_loss()
        {
            return self.on_disk_error(member, &why.to_string());
        }
        self.admit(member)
    }

    /// Notes how far a member has been admitted, once nothing is being written.
    fn admit(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return Ok(()) };
        let Some(admission) = process.admits.take() else { return Ok(()) };
        match process.log.admit(admission) {
            Ok(()) => self.step(member, replica::Event::Admitted { admission }),
            Err(LogStoreError::Write(WriteError::Full(_))) => {
                process.admits = Some(admission);
                self.queue.after(FULL_PAUSE_NS, Event::LogRetry { member, life });
                Ok(())
            }
            Err(why) => self.on_disk_error(member, &why.to_string()),
        }
    }

    /// Tries to write the group that is to be written next.
    pub(super) fn write_log(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let life = host.life;
        let Some(process) = &mut host.process else { return Ok(()) };
        if process.syncing.is_some() || process.stuck.is_empty() {
            return Ok(());
        }
        match process.log.write(&process.stuck) {
            Ok(ticket) => {
                process.stuck.clear();
                process.syncing = ticket;
                let (takes, slowed_by) = host.sync_takes(self.queue.now(), self.swarm.sync);
                self.queue.after(takes, Event::Synced { member, life });
                for fault in slowed_by {
                    self.effect(fault, self.phases(member));
                }
                self.note_disks(member);
                Ok(())
            }
            Err(LogStoreError::Write(WriteError::Full(_))) => {
                self.marks.hit(Mark::LogWaitedForSpace);
                self.note_disks(member);
                self.queue.after(FULL_PAUSE_NS, Event::LogRetry { member, life });
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
        host.log_disk.take_nameless();
        if let Err(why) = process.log.sync() {
            return self.on_disk_error(member, &why.to_string());
        }
        self.check_sync(member)?;
        self.tell(&Fact::Persisted { member, ticket })?;
        self.step(member, replica::Event::Persisted { ticket })?;
        self.idle(member)
    }

    /// Now and then the log thread finds nothing to do and tidies up.
    fn idle(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let rests = host.chance(self.queue.now(), "idle").chance(1, IDLE_EVERY);
        let Some(process) = &mut host.process else { return Ok(()) };
        if !rests || process.syncing.is_some() || !process.stuck.is_empty() {
            return Ok(());
        }
        match process.log.idle(IDLE_BYTES).and_then(|()| process.log.scrub(SCRUB_BYTES)) {
            Ok(rotten) => {
                self.note_disks(member);
                if let Some(through) = rotten {
                    self.marks.hit(Mark::LogRotten);
                    self.step(member, replica::Event::LogRotten { through })?;
                }
                self.read_back(member)
            }
            Err(why) => self.on_disk_error(member, &why.to_string()),
        }
    }

    /// S4: whoever has seen a sync fail acknowledges nothing more. S6: a file whose name may
    /// still be lost is no place for what is acknowledged.
    fn check_sync(&self, member: Member) -> Result<(), Violation> {
        let host = &self.hosts[member];
        if host.has_failed_sync() {
            let text = format!("member {} goes on after a failed sync", member + 1);
            return violated("S4", text);
        }
        if let Some(name) = host.log_disk.take_nameless() {
            let text = format!("member {} relies on {name}, whose name is not durable", member + 1);
            return violated("S6", text);
        }
        Ok(())
    }

    /// S7: now and then an entry is read back: it is what was written, or an error.
    fn read_back(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let ordered = &self.truth.members[member].ordered;
        let (base, last) = (ordered.base().get(), ordered.last_index().get());
        let mut random = host.chance(self.queue.now(), "read back");
        let is_due = last > base && random.chance(1, READ_BACK_EVERY);
        let Some(process) = host.process.as_ref().filter(|process| process.orders.is_empty())
        else {
            return Ok(());
        };
        if !is_due || host.log_disk.is_burning() || host.log_disk.is_injured() {
            return Ok(());
        }
        let index = raft::LogIndex::new(random.between(base + 1, last));
        match process.log.load(index, 1) {
            Ok(entries) => {
                let written = self.truth.members[member].ordered.at(index);
                let same = |entry: &raft::Entry| {
                    written.is_some_and(|it| {
                        let payload = self.truth.payload(index, it.chain);
                        it.id == entry.id && payload == Some(&entry.payload)
                    })
                };
                if !entries.first().is_some_and(same) {
                    let text = format!("member {} reads another entry {index}", member + 1);
                    return violated("S7", text);
                }
                self.note_disks(member);
                Ok(())
            }
            Err(why) => self.on_disk_error(member, &why.to_string()),
        }
    }

    pub(super) fn on_load(&mut self, member: Member) -> Result<(), Violation> {
        let host = &mut self.hosts[member];
        let Some(process) = &mut host.process else { return Ok(()) };
        // One thread: reading waits for the sync, which announces this again.
        if process.syncing.is_some() || process.loads.is_empty() {
            return Ok(());
        }
        let (from, max_bytes, purpose) = process.loads.remove(0);
        let entries = match process.log.load(from, max_bytes) {
            Ok(entries) => entries,
            Err(why) => {
                let is_gone = from <= self.truth.members[member].ordered.base();
                if host.log_disk.is_blown() {
                    return self.on_disk_error(member, &why.to_string());
                }
                if !is_gone && !host.is_injured() && !host.disk_ended_process() {
                    let text = format!("member {} cannot read {from}: {why}", member + 1);
                    return violated("S7", text);
                }
                self.marks.hit(Mark::LoadFailed);
                Vec::new()
            }
        };
        self.note_disks(member);
        self.marks.hit_if(Mark::LogReadBack, !entries.is_empty());
        self.step(member, replica::Event::Loaded { entries, purpose })
    }
}
