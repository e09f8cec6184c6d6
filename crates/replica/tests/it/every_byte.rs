//! Each byte of each file of one member's folders is changed, and each file is cut at each byte:
//! no wrong answer, no second vote, no lost entry.
//!
//! The scene: three members. The *lagging* one was cut off before the last leader was elected, and
//! knows neither its term nor its entries; so whatever was acknowledged since then rests on the
//! *victim* and the *healthy* one. All are stopped, the victim's disk is harmed, and the healthy
//! member stays away: the election is between the victim and the lagging one, and only the victim
//! can prevent that the latter wins it and takes everything back.

use crate::cluster::{Cluster, Shape};
use crate::put;
use kv::api::{KeyRange, RangeRequest, Request, Response};
use replica::{LogKeeping, Timing, Wish};
use std::collections::BTreeMap;
use storage::Disk;
use storage::memory::MemoryDisk;

const VICTIM: u64 = 1;
const HEALTHY: u64 = 2;
const LAGGING: u64 = 3;

/// Zeros in a row from which on they count as filling, of which only samples are harmed.
const FILL_BYTES: usize = 16;

/// Every so many bytes of filling one is harmed, beside the first and the last.
const FILL_STEP_BYTES: usize = 64;

/// What happens to the victim's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// A bit turns.
    Flip,
    /// The file ends here.
    Cut,
    /// The sector cannot be read.
    Spoil,
    /// The file is gone.
    Remove,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Nobody noticed, and nothing was missing.
    Harmless,
    /// The member noticed, and has everything again.
    Repaired,
    /// The member stopped and said why.
    Refused,
}

/// The members as they were stopped, and what had been acknowledged by then.
struct Scene {
    cluster: Cluster,
    acknowledged: BTreeMap<String, String>,
}

impl Scene {
    fn new(keeping: LogKeeping) -> Self {
        let timing = Timing {
            election_min_ms: 50,
            election_max_ms: 100,
            heartbeat_ms: 10,
            ..Timing::default()
        };
        let shape = Shape { log_segment_bytes: 4096, value_segment_bytes: 512, timing };
        let mut cluster = Cluster::shaped(3, shape);
        cluster.keeping = keeping;
        cluster.restart_all();
        let first = cluster.run_until_leader();
        let mut scene = Self { cluster, acknowledged: BTreeMap::new() };
        scene.write(first, 3);
        scene.lead(VICTIM);
        scene.write(VICTIM, 3);
        scene.cluster.cut(LAGGING);
        scene.lead(HEALTHY);
        scene.write(HEALTHY, 6);
        for member in scene.cluster.members.values_mut() {
            member.log.idle(u64::MAX).expect("the disk works");
        }
        (1..=3).for_each(|id| scene.cluster.stop(id));
        scene
    }

    /// A scene in which the victim's state once came as a snapshot, and logs were cut.
    fn with_snapshot() -> Self {
        let keeping = LogKeeping {
            keep_entries: 4,
            keep_bytes: 1 << 20,
            sync_every_entries: 3,
            sync_every_bytes: 1 << 20,
        };
        let mut scene = Self::new(keeping);
        let cluster = &mut scene.cluster;
        cluster.heal();
        [HEALTHY, LAGGING].into_iter().for_each(|id| cluster.try_restart(id).expect("it starts"));
        let leader = cluster.run_until_leader();
        scene.write(leader, 10);
        scene.cluster.try_restart(VICTIM).expect("it starts");
        scene.cluster.ticks(100);
        assert_eq!(scene.cluster.members[&VICTIM].log.generation(), 1, "a snapshot came");
        scene.cluster.cut(LAGGING);
        scene.lead(VICTIM);
        scene.lead(HEALTHY);
        scene.write(HEALTHY, 7);
        for member in scene.cluster.members.values_mut() {
            member.log.idle(u64::MAX).expect("the disk works");
        }
        (1..=3).for_each(|id| scene.cluster.stop(id));
        scene
    }

    fn lead(&mut self, member: u64) {
        if self.cluster.leader_within(1, 0) == Some(member) {
            return;
        }
        let asked = if member == VICTIM { HEALTHY } else { VICTIM };
        let done = self.cluster.wish(asked, Wish::Transfer { to: Some(member.into()) });
        assert!(done.is_ok(), "{done:?}");
        self.cluster.ticks(5);
    }

    fn write(&mut self, member: u64, count: usize) {
        for _ in 0..count {
            let number = self.acknowledged.len();
            let (key, value) = (format!("k{number:02}"), format!("value {number}"));
            let written = self.cluster.call(member, put(&key, &value));
            assert!(written.is_ok(), "{written:?}");
            self.acknowledged.insert(key, value);
        }
    }

    /// The victim's folders.
    fn disks(cluster: &Cluster) -> [MemoryDisk; 3] {
        let disks = &cluster.disks[&VICTIM];
        [disks.log.clone(), disks.state[0].clone(), disks.state[1].clone()]
    }

    fn files(&self) -> Vec<(usize, String, Vec<u8>)> {
        let disks = Self::disks(&self.cluster);
        let of = |(at, disk): (usize, &MemoryDisk)| {
            let names = disk.list().expect("a folder");
            names.into_iter().map(|name| (at, disk.bytes(&name), name)).collect::<Vec<_>>()
        };
        let files = disks.iter().enumerate().flat_map(of);
        files.map(|(at, bytes, name)| (at, name, bytes)).collect()
    }

    /// Harms every byte that counts and sums up how it went.
    fn harm_all(&self, harm: Harm) -> BTreeMap<Outcome, usize> {
        let mut outcomes = BTreeMap::new();
        for (folder, name, bytes) in self.files() {
            let places = match harm {
                Harm::Flip | Harm::Cut => places(&bytes),
                Harm::Spoil => (0..bytes.len()).step_by(512).collect(),
                Harm::Remove => vec![0],
            };
            for at in places {
                let context = format!("{harm:?} at {at} of {name} in folder {folder}");
                let outcome = self.judge(harm, (folder, &name, at), &context);
                *outcomes.entry(outcome).or_default() += 1;
            }
        }
        outcomes
    }

    fn judge(&self, harm: Harm, (folder, name, at): (usize, &str, usize), why: &str) -> Outcome {
        let mut cluster = self.cluster.fork();
        cluster.disks_may_fail = true;
        let mut disk = Self::disks(&cluster)[folder].clone();
        match harm {
            Harm::Flip => disk.flip(name, at as u64, 1 << (at % 8)),
            Harm::Cut => disk.set_len(name, at as u64).expect("shorter"),
            Harm::Spoil => disk.spoil(name, at as u64),
            Harm::Remove => disk.remove(name).expect("it is there"),
        }
        cluster.try_restart(LAGGING).expect("it starts");
        let mut outcome = Outcome::Harmless;
        match cluster.try_restart(VICTIM) {
            Err(reason) => {
                cluster.stopped.insert(VICTIM, reason);
            }
            Ok(()) => {
                let victim = &cluster.members[&VICTIM];
                if victim.log.loss().is_some() || victim.state.cut().is_some() {
                    outcome = Outcome::Repaired;
                }
            }
        }
        // Without the healthy member: who leads now must have everything.
        if let Some(leader) = cluster.leader_within(40, 0) {
            self.check_reads(&mut cluster, leader, why);
        }
        cluster.try_restart(HEALTHY).expect("it starts");
        let leader = cluster.leader_within(300, 0);
        let leader = leader.unwrap_or_else(|| panic!("{why}: nobody leads"));
        self.check_reads(&mut cluster, leader, why);
        if cluster.members.contains_key(&VICTIM) {
            self.check_whole(&mut cluster, why);
        }
        match cluster.stopped.get(&VICTIM) {
            Some(reason) => {
                let helps = ["restore", "replace", "check"];
                assert!(helps.iter().any(|word| reason.contains(word)), "{why}: {reason:?}");
                Outcome::Refused
            }
            None => outcome,
        }
    }

    /// An answer is right or none.
    fn check_reads(&self, cluster: &mut Cluster, member: u64, why: &str) -> bool {
        match cluster.try_call(member, get_all()) {
            Some(Ok(Response::Range(range))) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let found = range.kvs.iter().map(|kv| (text(&kv.key), text(&kv.value)));
                assert_eq!(found.collect::<BTreeMap<_, _>>(), self.acknowledged, "{why}");
                true
            }
            Some(Ok(other)) => panic!("{why}: {other:?}"),
            Some(Err(_)) | None => false,
        }
    }

    /// The victim has everything again and takes part: with the lagging member alone it can form
    /// a quorum.
    fn check_whole(&self, cluster: &mut Cluster, why: &str) {
        let is_whole = |cluster: &Cluster| {
            let status = |id: u64| cluster.members.get(&id).map(|member| member.replica.status());
            let (Some(victim), Some(healthy)) = (status(VICTIM), status(HEALTHY)) else {
                return false;
            };
            victim.restriction.is_none() && victim.applied == healthy.commit
        };
        for _ in 0..400 {
            if is_whole(cluster) || !cluster.members.contains_key(&VICTIM) {
                break;
            }
            cluster.ticks(1);
        }
        if !cluster.members.contains_key(&VICTIM) {
            return;
        }
        let status = cluster.members[&VICTIM].replica.status();
        assert!(is_whole(cluster), "{why}: it is not whole again: {status:?}");
        assert!(self.check_reads(cluster, VICTIM, why), "{why}: it answers again");
        let digest = |id: u64| cluster.members[&id].state.digest();
        assert_eq!(digest(VICTIM), digest(HEALTHY), "{why}");
        cluster.stop(HEALTHY);
        cluster.ticks(12);
        let leader = cluster.leader_within(300, HEALTHY);
        let leader = leader.unwrap_or_else(|| panic!("{why}: it does not vote again"));
        assert!(self.check_reads(cluster, leader, why), "{why}: the two answer");
    }
}

fn get_all() -> Request {
    let range = KeyRange { key: "k".into(), range_end: "l".into() };
    Request::Range(RangeRequest { range, ..RangeRequest::default() })
}

/// Every byte that is not filling, and samples of those that are.
fn places(bytes: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let zeros = bytes[at..].iter().take_while(|byte| **byte == 0).count();
        if zeros < FILL_BYTES {
            places.extend(at..=at + zeros);
            at += zeros + 1;
            continue;
        }
        places.extend((at..at + zeros).step_by(FILL_STEP_BYTES));
        places.push(at + zeros - 1);
        at += zeros;
    }
    places.retain(|at| *at < bytes.len());
    places.dedup();
    places
}

fn check(scene: &Scene, harm: Harm, wanted: &[Outcome]) {
    let outcomes = scene.harm_all(harm);
    println!("{harm:?}: {outcomes:?}");
    for outcome in wanted {
        assert!(outcomes.contains_key(outcome), "{harm:?}: no case is {outcome:?}: {outcomes:?}");
    }
}

const ALL: [Outcome; 3] = [Outcome::Harmless, Outcome::Repaired, Outcome::Refused];

#[test]
fn a_bit_turns_anywhere() {
    check(&Scene::new(LogKeeping::default()), Harm::Flip, &ALL);
}

#[test]
fn a_file_ends_anywhere() {
    check(&Scene::new(LogKeeping::default()), Harm::Cut, &ALL);
}

#[test]
fn a_bit_turns_anywhere_after_a_snapshot() {
    check(&Scene::with_snapshot(), Harm::Flip, &ALL);
}

#[test]
fn a_file_ends_anywhere_after_a_snapshot() {
    check(&Scene::with_snapshot(), Harm::Cut, &ALL);
}

#[test]
fn a_sector_cannot_be_read_or_a_file_is_gone() {
    for scene in [Scene::new(LogKeeping::default()), Scene::with_snapshot()] {
        check(&scene, Harm::Spoil, &ALL);
        check(&scene, Harm::Remove, &ALL);
    }
}

/// Its state is ahead of what is left of its log, and it has cut what the lagging member lacks.
/// Once its log is whole it must know that what it had applied is committed, or it could lead and
/// send neither entries nor a snapshot.
#[test]
fn a_member_whose_state_was_ahead_of_its_log_can_lead() {
    let scene = Scene::with_snapshot();
    let mut led = 0;
    for (folder, name, bytes) in scene.files() {
        for at in (0..bytes.len()).step_by(512).filter(|_| name.starts_with("wal-")) {
            let mut cluster = scene.cluster.fork();
            Scene::disks(&cluster)[folder].flip(&name, at as u64, 1);
            cluster.try_restart(LAGGING).expect("it starts");
            cluster.try_restart(VICTIM).expect("it starts");
            let victim = &cluster.members[&VICTIM];
            let is_ahead = victim.state.applied() > victim.log.last_index().get();
            if is_ahead && cluster.leader_within(100, 0) == Some(VICTIM) {
                led += 1;
                let why = format!("{name} at {at}");
                cluster.ticks(100);
                assert!(scene.check_reads(&mut cluster, LAGGING, &why), "{why}");
            }
        }
    }
    assert!(led > 0, "the case never arose");
}
