//! What kind of world a seed makes: its size, speeds, limits, workload and faults.
//!
//! Swarm testing (Groce et al., ISSTA 2012): each seed leaves out about half of the fault classes
//! and draws every size anew, so that no feature hides another's bugs by always being there.

use base::Prng;
use replica::LogKeeping;

use crate::faults::FaultClass;
use crate::matrix::Phase;
use crate::time::{MILLI, Nanos, SECOND};

/// How much happens in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Many calls, more than one effective fault a second.
    #[default]
    Harsh,
    /// Harsh ones and idle ones.
    Mixed,
    /// At most one call a second, and a fault now and then; long.
    Idle,
}

/// A kind of event that is rare: a hunt for one bug makes it frequent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Leaders that follow each other fast, and messages of those before.
    Terms,
    /// Reads by lease.
    Lease,
    /// Other members.
    Members,
    /// Members that need a snapshot.
    Snapshots,
    /// Damage that the disk hides.
    Damage,
    /// Failing and full disks.
    Disks,
    /// Readers of changes.
    Watches,
}

impl Aim {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Terms,
        Self::Lease,
        Self::Members,
        Self::Snapshots,
        Self::Damage,
        Self::Disks,
        Self::Watches,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terms => "terms",
            Self::Lease => "lease",
            Self::Members => "members",
            Self::Snapshots => "snapshots",
            Self::Damage => "damage",
            Self::Disks => "disks",
            Self::Watches => "watches",
        }
    }
}

/// What a seed's floors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Regime {
    /// At least 50 calls and one effective fault a second.
    Harsh,
    /// At most one call a second.
    Idle,
    /// No faults: nobody may campaign without need.
    FaultFree,
}

/// One of so many seeds is free of faults.
const FAULT_FREE_EVERY: u64 = 20;

/// A fault that is to meet a phase, as often as can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarry {
    /// When.
    pub phase: Phase,
    /// What.
    pub class: FaultClass,
}

/// One of so many harsh seeds hunts one pair of phase and fault that hardly ever meet.
const QUARRY_EVERY: u64 = 2;

/// A range to draw durations from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Shortest.
    pub min_ns: Nanos,
    /// Longest.
    pub max_ns: Nanos,
}

impl Span {
    fn new(min_ns: Nanos, max_ns: Nanos) -> Self {
        Self { min_ns, max_ns }
    }

    /// One of them, short ones being more likely.
    pub fn draw(&self, random: &mut Prng) -> Nanos {
        let longest = random.between(self.min_ns, self.max_ns);
        random.between(self.min_ns, longest)
    }
}

/// The drawn configuration of one seed.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// What its floors are.
    pub regime: Regime,
    /// Members of the group.
    pub members: usize,
    /// Machines that may become members.
    pub spares: usize,
    /// Mean time between two wishes for other members or leaders; 0: none.
    pub wish_every_ns: Nanos,
    /// Reads by the leader's lease: the drift of clocks that is declared, in parts per million.
    pub lease_drift_ppm: Option<u64>,
    /// Whether members that just started wait before they vote.
    pub waits_at_start: bool,
    /// Entries that a learner may lack when it is promoted.
    pub promotion_lag_entries: u64,
    /// Simulated time with faults and load.
    pub duration_ns: Nanos,
    /// Durations of each member.
    pub timing: replica::Timing,
    /// Most bytes of entries in one append: small ones make many messages.
    pub append_bytes_max: u64,
    /// Unanswered appends to one member.
    pub inflight_messages_max: usize,
    /// Bytes of entries that stay in memory.
    pub cache_bytes: u64,
    /// Bytes of entries handed to the state machine at a time.
    pub apply_bytes_max: u64,
    /// What of the log is kept.
    pub log_keeping: LogKeeping,
    /// Bytes of its state that a member checks at a time.
    pub scrub_bytes: u64,
    /// Bytes of snapshots a member sends in a second: enough for the largest state well within the
    /// time that a group has to recover.
    pub snapshot_bytes_per_second: u64,
    /// Segments of the write-ahead log.
    pub log_segment_bytes: u64,
    /// Segments of the value log.
    pub value_segment_bytes: u64,
    /// Healthy syncs.
    pub sync: Span,
    /// Applying one batch.
    pub apply: Span,
    /// Callers.
    pub sessions: usize,
    /// Mean time from the beginning of a call to that of the same caller's next; the next one
    /// begins at once if the call took longer.
    pub think_ns: Nanos,
    /// How long a caller waits.
    pub patience_ns: Nanos,
    /// Whether callers compact the past and read it.
    pub looks_back: bool,
    /// Whether callers hold leases.
    pub holds_leases: bool,
    /// Readers of changes, and how long the fastest ones pause between two looks.
    pub readers: usize,
    /// See `readers`.
    pub reader_pace_ns: Nanos,
    /// Events that wait for one of them at most.
    pub watch_events_max: usize,
    /// Keys the callers share.
    pub keys: u64,
    /// Longest value, bytes.
    pub value_bytes_max: u64,
    /// Fault classes in use.
    pub faults: Vec<FaultClass>,
    /// What the faults hunt beside what happens to come.
    pub quarry: Option<Quarry>,
    /// Mean time between the beginnings of two faults.
    pub fault_every_ns: Nanos,
    /// Length of a fault, or time until a dead process is started again.
    pub fault: Span,
    /// Whether a woken process finds all its missed ticks at once.
    pub ticks_in_bursts: bool,
    /// Chance in 1/100 that a killed process dies again while it opens its folders.
    pub die_opening_percent: u64,
    /// More members than a minority may lose what was durable.
    pub exceeds: bool,
    /// After the faults only a majority comes back at first.
    pub core_only: bool,
}

/// Least classes of faults in a seed.
const CLASSES_MIN: usize = 5;

/// Each class that damages what is durable is in one of so many seeds.
const DAMAGE_EVERY: u64 = 5;

/// One of so many seeds with damage may hurt more members than a minority.
const EXCEEDS_EVERY: u64 = 8;

impl Swarm {
    /// The harsh configuration of `seed`.
    pub fn of(seed: u64) -> Self {
        Self::draw(seed, Regime::Harsh)
    }

    /// The configuration of `seed` in `profile`.
    pub fn under(seed: u64, profile: Profile) -> Self {
        let random = &mut Prng::named(seed, "regime");
        let is_idle = match profile {
            Profile::Harsh => false,
            Profile::Mixed => random.chance(2, 5),
            Profile::Idle => true,
        };
        let regime = match (random.chance(1, FAULT_FREE_EVERY), is_idle) {
            (true, _) => Regime::FaultFree,
            (false, true) => Regime::Idle,
            (false, false) => Regime::Harsh,
        };
        Self::draw(seed, regime)
    }

    fn draw(seed: u64, regime: Regime) -> Self {
        let random = &mut Prng::named(seed, "swarm");
        let members = *random.pick(&[3, 3, 3, 3, 3, 5, 5, 5, 4, 2, 1, 7]).unwrap_or(&3);
        let is_idle = regime == Regime::Idle;
        let tick_ms = *random
            .pick(if is_idle { &[10, 20, 50, 50] } else { &[10, 20, 20, 20] })
            .unwrap_or(&10);
        let sync_min = random.between(20_000, 400_000);
        let (sessions, think_ns) = load(random, is_idle);
        let mut faults = classes(random, members, regime);
        let has_damage = faults.iter().any(|class| class.is_damage());
        let (spares, wish_every_ns) = changes(&mut Prng::named(seed, "members"), regime, is_idle);
        let lease_drift_ppm = lease(&mut Prng::named(seed, "lease"), &mut faults);
        let readers = readers(&mut Prng::named(seed, "readers"));
        let fault_every_ms = if is_idle { 6_000 } else { random.between(300, 420) };
        Self {
            regime,
            members,
            spares,
            wish_every_ns,
            lease_drift_ppm,
            waits_at_start: lease_drift_ppm.is_some(),
            promotion_lag_entries: log_uniform(&mut Prng::named(seed, "promotion"), 1, 200),
            duration_ns: if is_idle { random.between(60, 64) } else { 60 } * SECOND,
            timing: timing(random, tick_ms),
            append_bytes_max: *random.pick(&[64, 1 << 10, 16 << 10, 1 << 20]).unwrap_or(&64),
            inflight_messages_max: log_uniform(random, 1, 256) as usize,
            cache_bytes: *random.pick(&[0, 4 << 10, 64 << 10, 16 << 20]).unwrap_or(&0),
            apply_bytes_max: log_uniform(random, 64, 1 << 20),
            log_keeping: log_keeping(&mut Prng::named(seed, "log keeping")),
            scrub_bytes: log_uniform(&mut Prng::named(seed, "scrub"), 1 << 10, 16 << 10),
            snapshot_bytes_per_second: 1 << Prng::named(seed, "snapshots").between(20, 26),
            log_segment_bytes: 512 * log_uniform(random, 32, 240),
            value_segment_bytes: log_uniform(random, 16 << 10, 120 << 10),
            sync: Span::new(sync_min, sync_min + log_uniform(random, 10_000, 8 * MILLI)),
            apply: Span::new(1_000, log_uniform(random, 10_000, 3 * MILLI)),
            sessions,
            think_ns,
            patience_ns: random.between(300, 600) * MILLI,
            looks_back: Prng::named(seed, "looks back").chance(1, 2),
            holds_leases: Prng::named(seed, "holds leases").chance(1, 3),
            readers,
            reader_pace_ns: if is_idle { 500 } else { 20 } * MILLI,
            watch_events_max: log_uniform(&mut Prng::named(seed, "watch queue"), 1, 64) as usize,
            keys: log_uniform(random, 2, 64),
            value_bytes_max: value_bytes_max(random),
            faults,
            quarry: None,
            fault_every_ns: fault_every_ms * MILLI,
            fault: Span::new(30 * MILLI, random.between(600, 3000) * MILLI),
            ticks_in_bursts: random.chance(1, 2),
            die_opening_percent: *random.pick(&[0, 5, 20]).unwrap_or(&0),
            exceeds: has_damage && random.chance(1, EXCEEDS_EVERY) && spares == 0,
            core_only: members > 2 && regime != Regime::FaultFree && random.chance(1, 2),
        }
        .hunting(&mut Prng::named(seed, "quarry"))
    }

    /// In some harsh seeds: with a quarry, and with all that its phase and its fault need.
    fn hunting(mut self, random: &mut Prng) -> Self {
        let is_hunt = self.regime == Regime::Harsh && self.members > 2;
        if !is_hunt || !random.chance(1, QUARRY_EVERY) {
            return self;
        }
        let Some(phase) = random.pick(&HUNTED).copied() else { return self };
        let is_rare = phase != Phase::Repair && random.chance(2, 3);
        let classes = FaultClass::ALL.iter().copied();
        let classes: Vec<FaultClass> = classes.filter(|it| !is_rare || it.is_damage()).collect();
        let Some(class) = random.pick(&classes).copied() else { return self };
        if class.is_damage() {
            // Only so many members may be hurt: no other damage takes their places.
            self.faults.retain(|other| !other.is_damage());
        }
        let hurts = [FaultClass::BitRot, FaultClass::ReadError, FaultClass::Misdirected];
        if phase == Phase::Repair && !self.faults.iter().any(|one| hurts.contains(one)) {
            self.faults.extend(random.pick(&hurts));
        }
        self.faults.push(class);
        self.faults.sort_unstable();
        self.faults.dedup();
        // What strikes an old sector often strikes what nobody reads any more.
        self.fault_every_ns = match phase {
            Phase::Repair => self.fault_every_ns / 2,
            _ => self.fault_every_ns * 2 / 3,
        };
        if class == FaultClass::ClockJump {
            (self.lease_drift_ppm, self.waits_at_start) = (None, false);
        }
        // Who lost everything is to be replaced.
        let needs_wishes = matches!(phase, Phase::Joint | Phase::LeaveJoint | Phase::Transfer);
        if needs_wishes || class == FaultClass::Wipe {
            self.spares = self.spares.max(3);
            self.wish_every_ns = random.between(400, 1_000) * MILLI;
            self.exceeds = false;
        }
        self.quarry = Some(Quarry { phase, class });
        self
    }

    /// Machines in all.
    pub fn machines(&self) -> usize {
        self.members + self.spares
    }

    /// The same with what `aim` needs.
    pub fn aimed(mut self, aim: Option<Aim>) -> Self {
        use FaultClass as C;
        let Some(aim) = aim else { return self };
        let classes: &[C] = match aim {
            Aim::Terms => &[C::Overthrow, C::Duplication, C::Reorder, C::Kill, C::PowerCut],
            Aim::Lease => &[C::Overthrow, C::Drift, C::Pause, C::Partition],
            Aim::Members => &[C::Overthrow, C::Partition, C::Kill],
            Aim::Snapshots => &[C::Overthrow, C::Kill, C::Partition, C::Pause],
            Aim::Damage => &[C::BitRot, C::Misdirected, C::Kill, C::PowerCut],
            Aim::Watches => &[C::Overthrow, C::Kill, C::Partition, C::CallerCut],
            Aim::Disks => &[C::FailedSync, C::FullDisk, C::Kill, C::PowerCut],
        };
        if self.members == 1 {
            (self.members, self.core_only) = (3, false);
        }
        // What else it would hunt for brings faults of its own, which nobody reckons with here.
        self.quarry = None;
        self.faults = classes.to_vec();
        self.exceeds = false;
        if self.regime == Regime::FaultFree {
            self.regime = Regime::Harsh; // somebody may campaign now
        }
        match aim {
            Aim::Lease => {
                (self.lease_drift_ppm, self.waits_at_start) = (Some(LEASE_DRIFT_PPM), true);
            }
            Aim::Members => (self.spares, self.wish_every_ns) = (6, 400 * MILLI),
            Aim::Snapshots | Aim::Watches => {
                self.log_keeping.keep_entries = 4;
                self.log_keeping.sync_every_entries = 4;
                if aim == Aim::Watches {
                    (self.readers, self.watch_events_max) = (6, 4);
                    self.holds_leases = true;
                }
            }
            Aim::Terms | Aim::Damage | Aim::Disks => {}
        }
        self
    }

    /// The same in a group of `members`.
    pub fn within(mut self, members: Option<usize>) -> Self {
        self.members = members.unwrap_or(self.members).min(self.members);
        self
    }
}

/// The phases that are short and rare, the rarest more than once.
const HUNTED: [Phase; 13] = [
    Phase::Vote,
    Phase::Cut,
    Phase::SnapshotInstall,
    Phase::Joint,
    Phase::Joint,
    Phase::LeaveJoint,
    Phase::LeaveJoint,
    Phase::Transfer,
    Phase::Repair,
    Phase::Repair,
    Phase::Repair,
    Phase::Repair,
    Phase::Repair,
];

/// Spare machines, and the time between two wishes, in half of the seeds.
fn changes(random: &mut Prng, regime: Regime, is_idle: bool) -> (usize, Nanos) {
    if regime == Regime::FaultFree || !random.chance(1, 2) {
        return (0, 0);
    }
    let every_ms = if is_idle { random.between(5_000, 15_000) } else { random.between(500, 4_000) };
    (random.between(2, 6) as usize, every_ms * MILLI)
}

/// One of so many seeds reads by lease; clocks then stay within what is declared.
const LEASE_EVERY: u64 = 4;
const LEASE_DRIFT_PPM: u64 = 51_000;

fn lease(random: &mut Prng, faults: &mut Vec<FaultClass>) -> Option<u64> {
    if !random.chance(1, LEASE_EVERY) {
        return None;
    }
    faults.retain(|class| *class != FaultClass::ClockJump);
    Some(LEASE_DRIFT_PPM)
}

/// Mostly short logs, so that whoever was away needs a snapshot.
fn log_keeping(random: &mut Prng) -> LogKeeping {
    LogKeeping {
        keep_entries: log_uniform(random, 1, 400),
        keep_bytes: log_uniform(random, 1 << 10, 1 << 20),
        sync_every_entries: log_uniform(random, 1, 100),
        sync_every_bytes: log_uniform(random, 1 << 10, 1 << 18),
    }
}

/// Mostly short values; in some seeds some that fill segments and appends.
fn value_bytes_max(random: &mut Prng) -> u64 {
    if random.chance(1, 8) { 4 << 10 } else { log_uniform(random, 16, 512) }
}

/// Readers of changes, in half of the seeds.
fn readers(random: &mut Prng) -> usize {
    if random.chance(1, 2) { random.between(1, 3) as usize } else { 0 }
}

/// Sessions, and the mean time from one call of a session to its next.
fn load(random: &mut Prng, is_idle: bool) -> (usize, Nanos) {
    if is_idle {
        let sessions = random.between(1, 6);
        return (sessions as usize, sessions * 1_500 * MILLI);
    }
    let (sessions, per_second) = (random.between(64, 96), random.between(55, 63));
    (sessions as usize, sessions * SECOND / per_second)
}

/// Durations: short ones, in ticks of `tick_ms`.
fn timing(random: &mut Prng, tick_ms: u64) -> replica::Timing {
    let election_min = random.between(6, 20);
    replica::Timing {
        tick_ms,
        election_min_ms: election_min * tick_ms,
        election_max_ms: (election_min + random.between(5, 20)) * tick_ms,
        heartbeat_ms: random.between(1, (election_min - 1) / 2) * tick_ms,
        call_ms: random.between(200, 2000),
        patience_ms: random.between(50, 1000),
        ..replica::Timing::default()
    }
}

/// About half of the classes, and not too few; those that damage what is durable are rare, a lonely
/// member has no network, and of two nobody can take the other's place: they would only be cut off
/// from each other all the time, and nothing else would touch anybody (seed 1796039138).
fn classes(random: &mut Prng, members: usize, regime: Regime) -> Vec<FaultClass> {
    if regime == Regime::FaultFree {
        return Vec::new();
    }
    let (damage, mut possible): (Vec<FaultClass>, Vec<FaultClass>) = FaultClass::ALL
        .iter()
        .copied()
        .filter(|class| members > 1 || !class.is_network())
        .filter(|class| members > 2 || *class != FaultClass::Overthrow)
        .partition(|class| class.is_damage());
    random.shuffle(&mut possible);
    let count = (0..possible.len()).filter(|_| random.chance(1, 2)).count().max(CLASSES_MIN);
    possible.truncate(count);
    possible.extend(damage.into_iter().filter(|_| random.chance(1, DAMAGE_EVERY)));
    possible.sort_unstable();
    possible
}

/// A number in `low..=high` whose magnitude is uniform.
fn log_uniform(random: &mut Prng, low: u64, high: u64) -> u64 {
    let doublings = (high / low).ilog2();
    let start = low << random.below(u64::from(doublings) + 1);
    random.between(start, (start * 2).min(high).max(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_draws_one_world_and_seeds_differ() {
        assert_eq!(format!("{:?}", Swarm::of(1)), format!("{:?}", Swarm::of(1)));
        assert_ne!(format!("{:?}", Swarm::of(1)), format!("{:?}", Swarm::of(2)));
    }

    #[test]
    fn every_size_and_class_occurs_and_bounds_hold() {
        let (mut sizes, mut seen) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..300 {
            let swarm = Swarm::of(seed);
            sizes.insert(swarm.members);
            seen.extend(swarm.faults.iter().copied());
            assert!(swarm.faults.len() >= CLASSES_MIN - 1);
            assert!(swarm.timing.heartbeat_ms < swarm.timing.election_min_ms);
            assert!(swarm.duration_ns >= 60 * SECOND);
            assert!(swarm.members > 1 || !swarm.faults.iter().any(|class| class.is_network()));
        }
        assert_eq!(sizes, BTreeSet::from([1, 2, 3, 4, 5, 7]));
        assert_eq!(seen.len(), FaultClass::COUNT);
    }

    #[test]
    fn a_hunt_has_what_its_quarry_needs() {
        let hunts = (0..4000).map(Swarm::of).filter(|swarm| swarm.quarry.is_some());
        let mut pairs = BTreeSet::new();
        for swarm in hunts {
            let Some(Quarry { phase, class }) = swarm.quarry else { continue };
            assert!(swarm.faults.contains(&class) && swarm.members > 2);
            let is_repaired = |one: &FaultClass| one.is_damage() && *one != FaultClass::Wipe;
            assert!(phase != Phase::Repair || swarm.faults.iter().any(is_repaired));
            assert!(phase != Phase::Joint || (swarm.spares > 0 && swarm.wish_every_ns > 0));
            pairs.insert((phase as u32, class));
        }
        let repairs = pairs.iter().filter(|(phase, _)| *phase == Phase::Repair as u32);
        assert_eq!(repairs.count(), FaultClass::COUNT);
    }

    /// Faults that are not among its classes would take more than wishes leave room for.
    #[test]
    fn what_is_aimed_hunts_nothing_else() {
        for aim in Aim::ALL {
            let mut swarms = (0..200).map(|seed| Swarm::of(seed).aimed(Some(aim)));
            assert!(swarms.all(|swarm| swarm.quarry.is_none() && !swarm.exceeds), "{aim:?}");
        }
    }

    #[test]
    fn profiles_have_their_shares() {
        let count = |profile, regime| {
            (0..1000).filter(|seed| Swarm::under(*seed, profile).regime == regime).count()
        };
        assert!((25..80).contains(&count(Profile::Harsh, Regime::FaultFree)));
        assert_eq!(count(Profile::Harsh, Regime::Idle), 0);
        assert_eq!(count(Profile::Idle, Regime::Harsh), 0);
        assert!((300..450).contains(&count(Profile::Mixed, Regime::Idle)));
    }

    #[test]
    fn log_uniform_stays_inside() {
        let mut random = Prng::named(1, "test");
        for _ in 0..1000 {
            assert!((3..=100).contains(&log_uniform(&mut random, 3, 100)));
        }
    }
}
