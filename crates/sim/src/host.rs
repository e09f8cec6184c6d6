//! A machine with its two folders, its clock, and perhaps a running member.

use std::collections::{BTreeMap, VecDeque};

use base::Prng;
use kv::api::Request;
use raft::{Entry, LogIndex, Persist, Recovered, Ticket};
use replica::{LogStore, Replica, StateStore};
use storage::{Owner, ValueLogOptions, WalOptions};

use crate::callers::Session;
use crate::clock::Clock;
use crate::disk::{PowerCut, SimDisk};
use crate::swarm::{Span, Swarm};
use crate::time::{MILLI, Nanos};
use crate::truth::{Member, Operation, id_of};

/// What stays when a process goes.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) member: Member,
    pub(crate) log_disk: SimDisk,
    pub(crate) state_disk: SimDisk,
    pub(crate) clock: Clock,
    /// Number of the present or last process; events for an earlier one are void.
    pub(crate) life: u64,
    pub(crate) process: Option<Process>,
    /// The process stands still until then.
    pub(crate) paused_until: Nanos,
    /// Syncs take as long as this while a fault slows the disk.
    pub(crate) slow: BTreeMap<u64, SlowDisk>,
    /// Ticks still to come in a burst, which have no successors.
    pub(crate) burst: u64,
    /// Syncs that were made to fail and have ended a process.
    pub(crate) failures_known: u64,
}

/// A slow disk and how many syncs it has delayed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlowDisk {
    pub(crate) span: Span,
    pub(crate) delayed: u64,
}

/// A running member: its machine and what its two other threads have to do.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) replica: Replica,
    pub(crate) log: LogStore<SimDisk>,
    pub(crate) state: StateStore<SimDisk>,
    /// Orders that wait for the log thread.
    pub(crate) orders: Vec<Persist>,
    /// What the log thread has written and not yet synced.
    pub(crate) syncing: Option<Ticket>,
    /// Entries that the log thread is asked to read back.
    pub(crate) loads: Vec<(LogIndex, u64)>,
    /// Entries that wait for the apply thread, and whether it is at work on the first.
    pub(crate) batches: VecDeque<Vec<Entry>>,
    pub(crate) applying: bool,
    pub(crate) drain_planned: bool,
    /// Who waits for an answer.
    pub(crate) calls: BTreeMap<u64, Waiting>,
}

/// A caller at the door.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) session: Session,
    pub(crate) operation: Operation,
}

/// A read on its way to the state.
#[derive(Clone, Debug)]
pub(crate) struct ReadOrder {
    pub(crate) call: u64,
    pub(crate) request: Request,
    pub(crate) term: u64,
}

impl Host {
    pub(crate) fn new(seed: u64, member: Member, swarm: &Swarm) -> Self {
        let disk = |name: &str| SimDisk::new(Prng::named(seed, &format!("disk/{name}/{member}")));
        Self {
            member,
            log_disk: disk("log"),
            state_disk: disk("state"),
            clock: Clock::new(swarm.timing.tick_ms * MILLI, 0),
            life: 0,
            process: None,
            paused_until: 0,
            slow: BTreeMap::new(),
            burst: 0,
            failures_known: 0,
        }
    }

    /// A machine of its own with only what is durable on this one.
    pub(crate) fn durable_copy(&self, swarm: &Swarm) -> Self {
        let (log_disk, state_disk) = (self.log_disk.durable_copy(), self.state_disk.durable_copy());
        Self { log_disk, state_disk, ..Self::new(0, self.member, swarm) }
    }

    /// Starts a process on the folders as they are.
    ///
    /// # Errors
    /// What a person at the console would read.
    pub(crate) fn open(
        &self,
        seed: u64,
        swarm: &Swarm,
        #[cfg(feature = "mutants")] mutant: Option<raft::Mutant>,
    ) -> Result<(Process, Recovered), String> {
        let salt = Prng::named(seed, &format!("salt/{}", self.member)).next_u64();
        let owner = Owner { cluster: 1, member: self.member as u64 + 1, salt };
        let log_options =
            WalOptions { segment_bytes: swarm.log_segment_bytes, ..WalOptions::new(owner) };
        let state_options = ValueLogOptions {
            segment_bytes: swarm.value_segment_bytes,
            ..ValueLogOptions::new(owner)
        };
        let log =
            LogStore::open(self.log_disk.clone(), log_options).map_err(|why| why.to_string())?;
        let state = StateStore::open(self.state_disk.clone(), state_options)
            .map_err(|why| why.to_string())?;
        let recovered =
            log.recovered(LogIndex::new(state.applied())).map_err(|why| why.to_string())?;
        let voters = (0..swarm.members).map(id_of).collect();
        let raft = raft::Config {
            append_bytes_max: swarm.append_bytes_max,
            inflight_messages_max: swarm.inflight_messages_max,
            cache_bytes: swarm.cache_bytes,
            apply_bytes_max: swarm.apply_bytes_max,
            #[cfg(feature = "mutants")]
            mutant,
            ..raft::Config::new(id_of(self.member), voters, log.starts())
        };
        let config = replica::Config { timing: swarm.timing, seed, raft };
        let replica = Replica::new(config, recovered.clone(), state.summary())
            .map_err(|why| why.to_string())?;
        Ok((Process::new(replica, log, state), recovered))
    }

    /// Whether the disk did what ends a process: a burnt fuse or a failed sync.
    pub(crate) fn disk_ended_process(&mut self) -> bool {
        let failed = self.log_disk.counts().syncs_failed + self.state_disk.counts().syncs_failed;
        let is_new = failed > self.failures_known;
        self.failures_known = failed;
        is_new || self.log_disk.is_blown() || self.state_disk.is_blown()
    }

    /// The process is gone; with `cut` the power too.
    pub(crate) fn lose_process(&mut self, cut: Option<PowerCut>) {
        self.process = None;
        self.paused_until = 0;
        self.burst = 0;
        for disk in [&self.log_disk, &self.state_disk] {
            match cut {
                Some(cut) => disk.power_cut(cut),
                None => disk.process_died(),
            }
        }
    }

    /// How long the next sync takes.
    pub(crate) fn sync_takes(&mut self, healthy: Span, random: &mut Prng) -> Nanos {
        let mut takes = healthy.draw(random);
        for slow in self.slow.values_mut() {
            slow.delayed += 1;
            takes = takes.max(slow.span.draw(random));
        }
        takes
    }
}

impl Process {
    fn new(replica: Replica, log: LogStore<SimDisk>, state: StateStore<SimDisk>) -> Self {
        Self {
            replica,
            log,
            state,
            orders: Vec::new(),
            syncing: None,
            loads: Vec::new(),
            batches: VecDeque::new(),
            applying: false,
            drain_planned: false,
            calls: BTreeMap::new(),
        }
    }

    /// Digest of everything that members must agree on after the same entries.
    pub(crate) fn digest(&self) -> u64 {
        let kv = self.state.kv();
        let keys = kv.store().digest(kv.revision()).unwrap_or(0);
        crate::hash::mix(keys, u64::from(kv.side_digest()))
    }
}
