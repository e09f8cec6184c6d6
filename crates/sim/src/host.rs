//! A machine with its two folders, its clock, and perhaps a running member.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::Prng;
use kv::api::Request;
use raft::{LogIndex, Persist, Recovered, Ticket};
use replica::{Admission, LoadPurpose, LogStore, Replica, StateOrder, StateStore};
use storage::{Owner, ValueLogOptions, WalOptions};

use crate::callers::Session;
use crate::clock::Clock;
use crate::disk::{PowerCut, SimDisk};
use crate::faults::FaultId;
use crate::swarm::{Span, Swarm};
use crate::time::{MILLI, Nanos};
use crate::truth::{Member, Operation, id_of};
use crate::world::{Event, Watching};

/// Unanswered bytes of appends to one member.
pub(crate) const INFLIGHT_BYTES_MAX: u64 = 256 << 10;

/// Indexes between two looks at sessions and leases, which have to be gone through.
const SIDE_DIGEST_EVERY: u64 = 16;

/// What stays when a process goes.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) member: Member,
    pub(crate) log_disk: SimDisk,
    /// The state is in one of these, which one the log knows.
    pub(crate) state_disks: [SimDisk; 2],
    /// Which, as of the last start or installed snapshot.
    pub(crate) active: usize,
    pub(crate) clock: Clock,
    /// Seed of the chance of its threads.
    seed: u64,
    /// Number of the present or last process; events for an earlier one are void.
    pub(crate) life: u64,
    pub(crate) process: Option<Process>,
    pub(crate) started_at: Nanos,
    /// What was committed when the process started: until it has that, it recovers.
    pub(crate) catches_up_to: u64,
    /// What was seen of the process last.
    pub(crate) seen: Option<Box<raft::Status>>,
    /// It stays down: its disk is damaged or gone, or the world wants it so.
    pub(crate) absence: Option<Absence>,
    /// The next start dies after so many operations of the log's disk.
    pub(crate) opening: Option<(FaultId, u64)>,
    /// When the process last read its clock.
    pub(crate) clock_read_at: Option<Nanos>,
    /// A start met damage, and since then none found the state whole: what was cut away at a start
    /// that failed is missing at the next one, when nothing else tells of the damage any more.
    pub(crate) may_lack_state: bool,
    /// The process does nothing until then.
    pub(crate) busy_until: Nanos,
    /// What came meanwhile, and when.
    pub(crate) inbox: VecDeque<(Nanos, Event)>,
    /// Faults under way, by their number.
    pub(crate) slow: BTreeMap<FaultId, Span>,
    pub(crate) step_ns: BTreeMap<FaultId, Nanos>,
    pub(crate) late_ns: BTreeMap<FaultId, Nanos>,
    pub(crate) frozen: BTreeSet<FaultId>,
    /// Failures of the disks that have been looked at.
    failures_known: u64,
    /// Failed syncs of the disks when the process started.
    syncs_failed_before: u64,
}

/// Why a member is not to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It has said that its disk is damaged.
    Refused,
    /// Its disk is damaged in a way that it cannot know of.
    Deceived,
    /// It has lost everything.
    Wiped,
    /// It comes back when the world allows it.
    Held,
    /// It was never started.
    Spare,
}

/// A running member: its machine and what its two other threads have to do.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) replica: Replica,
    pub(crate) log: LogStore<SimDisk>,
    pub(crate) state: StateStore<SimDisk>,
    pub(crate) watching: Watching,
    /// Orders that wait for the log thread.
    pub(crate) orders: Vec<Persist>,
    /// A group that found no space; nothing else is written before it.
    pub(crate) stuck: Vec<Persist>,
    /// What the log thread has written and not yet synced.
    pub(crate) syncing: Option<Ticket>,
    /// Entries that the log thread is asked to read back.
    pub(crate) loads: Vec<(LogIndex, u64, LoadPurpose)>,
    /// The log thread is to forget its loss.
    pub(crate) settles: bool,
    /// The log thread is to note how far the member has been admitted.
    pub(crate) admits: Option<Admission>,
    /// What waits for the state thread, and whether it is at work on the first.
    pub(crate) state_orders: VecDeque<StateOrder>,
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
            state_disks: [disk("state"), disk("other state")],
            active: 0,
            clock: Clock::new(swarm.timing.tick_ms * MILLI, 0),
            seed: Prng::named(seed, &format!("host/{member}")).next_u64(),
            life: 0,
            process: None,
            started_at: 0,
            catches_up_to: 0,
            seen: None,
            absence: (member >= swarm.members).then_some(Absence::Spare),
            opening: None,
            clock_read_at: None,
            may_lack_state: false,
            busy_until: 0,
            inbox: VecDeque::new(),
            slow: BTreeMap::new(),
            step_ns: BTreeMap::new(),
            late_ns: BTreeMap::new(),
            frozen: BTreeSet::new(),
            failures_known: 0,
            syncs_failed_before: 0,
        }
    }

    /// A machine of its own with only what is durable on this one.
    pub(crate) fn durable_copy(&self, swarm: &Swarm) -> Self {
        let state_disks = self.state_disks.each_ref().map(SimDisk::durable_copy);
        let log_disk = self.log_disk.durable_copy();
        Self { log_disk, state_disks, ..Self::new(0, self.member, swarm) }
    }

    fn owner(&self, seed: u64) -> Owner {
        let salt = Prng::named(seed, &format!("salt/{}", self.member)).next_u64();
        Owner { cluster: 1, member: self.member as u64 + 1, salt }
    }

    /// Starts a process on the folders as they are.
    ///
    /// # Errors
    /// What a person at the console would read.
    pub(crate) fn open(
        &self,
        seed: u64,
        swarm: &Swarm,
        #[cfg(feature = "mutants")] mutant: Option<crate::Seeded>,
    ) -> Result<(Process, Recovered), String> {
        let owner = self.owner(seed);
        let log_options = WalOptions {
            segment_bytes: swarm.log_segment_bytes,
            #[cfg(feature = "mutants")]
            mutant: mutant.and_then(crate::Seeded::storage),
            ..WalOptions::new(owner)
        };
        let state_options = ValueLogOptions {
            segment_bytes: swarm.value_segment_bytes,
            #[cfg(feature = "mutants")]
            mutant: mutant.and_then(crate::Seeded::storage),
            ..ValueLogOptions::new(owner)
        };
        let founding = match self.member < swarm.members {
            true => crate::truth::founding(swarm.members),
            false => raft::Membership::default(),
        };
        let log = LogStore::open(self.log_disk.clone(), log_options, founding.clone())
            .map_err(|why| why.to_string())?;
        let state = StateStore::open(self.state_disks.clone(), state_options, log.generation())
            .map_err(|why| why.to_string())?;
        #[cfg(feature = "mutants")]
        let state = seeded(state, mutant);
        let recovered =
            log.recovered(LogIndex::new(state.applied())).map_err(|why| why.to_string())?;
        let salvaged = log.salvaged().map_err(|why| why.to_string())?;
        let raft = raft::Config {
            append_bytes_max: swarm.append_bytes_max,
            inflight_messages_max: swarm.inflight_messages_max,
            cache_bytes: swarm.cache_bytes,
            apply_bytes_max: swarm.apply_bytes_max,
            inflight_bytes_max: INFLIGHT_BYTES_MAX,
            waits_at_start: swarm.waits_at_start,
            promotion_lag_entries: swarm.promotion_lag_entries,
            leader_lease: swarm.lease_drift_ppm.map(|drift_ppm_max| raft::LeaderLease {
                tick_ns: swarm.timing.tick_ms * MILLI,
                drift_ppm_max,
            }),
            #[cfg(feature = "mutants")]
            mutant: mutant.and_then(crate::Seeded::raft),
            ..raft::Config::new(id_of(self.member), log.starts())
        };
        let config = replica::Config {
            timing: swarm.timing,
            seed,
            admission: log.admission(),
            founding,
            hints: (0..swarm.members).map(id_of).collect(),
            log_keeping: swarm.log_keeping,
            snapshot_bytes_per_second: swarm.snapshot_bytes_per_second,
            #[cfg(feature = "mutants")]
            mutant: mutant.and_then(crate::Seeded::replica),
            raft,
        };
        let replica = Replica::new(config, recovered.clone(), salvaged, state.summary())
            .map_err(|why| why.to_string())?;
        let hub = kv::watch::WatchHub::with(kv::watch::HubOptions {
            queue_events_max: swarm.watch_events_max,
            #[cfg(feature = "mutants")]
            mutant: mutant.and_then(crate::Seeded::kv),
            ..kv::watch::HubOptions::default()
        });
        Ok((Process::new(replica, log, state, Watching::new(hub)), recovered))
    }

    /// Chance for `purpose` at `now`. It depends on nothing that happened before, so that a run
    /// from which a call or a fault was left out goes on as it did wherever it can.
    pub(crate) fn chance(&self, now: Nanos, purpose: &str) -> Prng {
        self.chance_of(now)(purpose)
    }

    /// [`Self::chance`] that borrows nothing.
    pub(crate) fn chance_of(&self, now: Nanos) -> impl Fn(&str) -> Prng + use<> {
        let seed = crate::hash::mix(self.seed, now);
        move |purpose| Prng::named(seed, purpose)
    }

    /// Takes `process` in.
    pub(crate) fn start(&mut self, now: Nanos, committed: LogIndex, process: Process) {
        self.catches_up_to = committed.get();
        self.life += 1;
        self.active = process.log.generation() as usize % 2;
        self.process = Some(process);
        self.seen = None;
        self.clock_read_at = None;
        (self.started_at, self.busy_until) = (now, now);
        self.syncs_failed_before = self.syncs_failed();
    }

    /// Whether a sync has failed in this process life.
    pub(crate) fn has_failed_sync(&self) -> bool {
        self.syncs_failed() > self.syncs_failed_before
    }

    fn syncs_failed(&self) -> u64 {
        self.disks().map(|disk| disk.counts().syncs_failed).sum()
    }

    /// Whether the disk did what ends a process: a burnt fuse, or an operation made to fail.
    pub(crate) fn disk_ended_process(&mut self) -> bool {
        let failures = self.disks().map(|disk| disk.counts().failures).sum();
        let is_new = failures > self.failures_known;
        self.failures_known = failures;
        is_new || self.disks().any(SimDisk::is_blown)
    }

    /// Whether bytes that were durable are not what they were.
    pub(crate) fn is_injured(&self) -> bool {
        self.disks().any(SimDisk::is_injured)
    }

    /// The disk of the log, or the one that holds the state.
    pub(crate) fn disk(&self, log: bool) -> &SimDisk {
        if log { &self.log_disk } else { &self.state_disks[self.active] }
    }

    /// All its disks.
    pub(crate) fn disks(&self) -> impl Iterator<Item = &SimDisk> {
        core::iter::once(&self.log_disk).chain(&self.state_disks)
    }

    /// The process is gone; with `cut` the power too.
    pub(crate) fn lose_process(&mut self, cut: Option<PowerCut>) {
        self.process = None;
        for disk in self.disks() {
            match cut {
                Some(cut) => disk.power_cut(cut),
                None => disk.process_died(),
            }
        }
        if !self.log_disk.is_provable() {
            self.absence = self.absence.or(Some(Absence::Deceived));
        }
    }

    /// How long the next sync takes, and the faults that had a part in it.
    pub(crate) fn sync_takes(&self, now: Nanos, healthy: Span) -> (Nanos, Vec<FaultId>) {
        let mut random = self.chance(now, "sync");
        let mut takes = healthy.draw(&mut random);
        for span in self.slow.values() {
            takes = takes.max(span.draw(&mut random));
        }
        (takes, self.slow.keys().copied().collect())
    }

    /// True time until the next tick, and the faults that had a part in it.
    pub(crate) fn tick_after(&self, now: Nanos) -> (Nanos, Vec<FaultId>) {
        if self.late_ns.is_empty() {
            return (self.clock.tick_after(), Vec::new());
        }
        let mut random = self.chance(now, "tick");
        let late: Nanos = self.late_ns.values().map(|by| random.below(*by)).sum();
        (self.clock.tick_after() + late, self.late_ns.keys().copied().collect())
    }
}

/// The state with a seeded bug, if there is one.
#[cfg(feature = "mutants")]
fn seeded(mut state: StateStore<SimDisk>, mutant: Option<crate::Seeded>) -> StateStore<SimDisk> {
    state.seed(mutant.and_then(crate::Seeded::kv));
    state
}

impl Process {
    fn new(
        replica: Replica,
        log: LogStore<SimDisk>,
        state: StateStore<SimDisk>,
        watching: Watching,
    ) -> Self {
        Self {
            replica,
            log,
            state,
            watching,
            orders: Vec::new(),
            stuck: Vec::new(),
            syncing: None,
            loads: Vec::new(),
            settles: false,
            admits: None,
            state_orders: VecDeque::new(),
            applying: false,
            drain_planned: false,
            calls: BTreeMap::new(),
        }
    }

    /// Digest of what members must agree on after the entries up to `applied`: always the keys,
    /// whose sum is at hand, and at some indexes, the same ones everywhere, also the rest.
    pub(crate) fn digest(&self, applied: LogIndex) -> u64 {
        let kv = self.state.kv();
        let keys = kv.store().digest(kv.revision()).unwrap_or(0);
        let rest = applied.get().is_multiple_of(SIDE_DIGEST_EVERY).then(|| kv.side_digest());
        crate::hash::mix(keys, u64::from(rest.unwrap_or(0)))
    }
}
