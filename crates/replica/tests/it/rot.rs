//! Bytes that turn while a member runs: its state is repaired from the others, in place; its log
//! is cut.

use crate::cluster::Cluster;
use crate::group::{with_short_logs, write};
use crate::{get, put, value};
use kv::api::{Error, PutRequest, Request, Response};
use raft::{LogIndex, RoleName};
use replica::LogKeeping;
use storage::memory::MemoryDisk;

const VALUES: &str = "values-0000000000000000";

/// Three members that were just started again, so that nothing of their records is in memory.
fn restarted() -> (Cluster, u64) {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    for number in 0..40 {
        let written = cluster.call(leader, put(&format!("k{number}"), &format!("v{number}")));
        assert!(written.is_ok(), "{written:?}");
    }
    cluster.restart_all();
    let leader = cluster.run_until_leader();
    cluster.ticks(5);
    for member in cluster.members.values_mut() {
        member.state.sync().expect("the disk works");
    }
    (cluster, leader)
}

fn state_disk(cluster: &Cluster, member: u64) -> MemoryDisk {
    cluster.disks[&member].state[0].clone()
}

/// Turns a bit of the value of `key`.
fn rot(cluster: &Cluster, member: u64, value: &str) {
    let disk = state_disk(cluster, member);
    let bytes = disk.bytes(VALUES);
    let at = bytes.windows(value.len()).position(|window| window == value.as_bytes());
    disk.flip(VALUES, at.expect("the value is there") as u64, 1);
}

fn put_again(key: &str) -> Request {
    let (key, value) = (key.to_owned().into(), "new".into());
    Request::Put(PutRequest { key, value, prev_kv: true, ..PutRequest::default() })
}

fn applied(cluster: &Cluster, member: u64) -> LogIndex {
    cluster.members[&member].replica.applied()
}

fn repaired(cluster: &Cluster, member: u64) -> u64 {
    cluster.members[&member].replica.state().records_repaired
}

fn assert_same(cluster: &Cluster) {
    let digests: Vec<u64> = cluster.members.values().map(|member| member.state.digest()).collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
}

#[test]
fn applying_stands_still_at_a_damaged_record_and_goes_on_with_the_others_help() {
    let (mut cluster, leader) = restarted();
    let hurt = cluster.other_than(leader);
    rot(&cluster, hurt, "v17");
    let before = applied(&cluster, hurt);
    // Records do not get through: it applies nothing more, and everything else goes on.
    cluster.lose(|message| matches!(message, replica::PeerMessage::Records { .. }));
    for number in 0..5 {
        let key = if number == 2 { "k17".to_owned() } else { format!("k{number}") };
        assert!(cluster.call(leader, put_again(&key)).is_ok());
    }
    cluster.ticks(30);
    assert_eq!(applied(&cluster, hurt), before.plus(2), "up to the entry that needs it");
    let damaged = cluster.members[&hurt].replica.state().damaged.expect("it says so");
    assert!(damaged.halts && damaged.unproven == 0, "{damaged:?}");
    assert!(applied(&cluster, leader) >= before.plus(5));
    cluster.lose(|_| false);
    cluster.ticks(30);
    assert_eq!(applied(&cluster, hurt), applied(&cluster, leader));
    assert_eq!((repaired(&cluster, hurt), repaired(&cluster, leader)), (1, 0));
    assert_eq!(cluster.members[&hurt].replica.state().damaged, None);
    assert_same(&cluster);
    assert_eq!(value(&cluster.call(hurt, get("k17"))), "new");
}

#[test]
fn a_leader_that_cannot_apply_hands_over() {
    let (mut cluster, leader) = restarted();
    rot(&cluster, leader, "v5");
    let Ok(Response::Put(answer)) = cluster.call(leader, put_again("k5")) else {
        panic!("whoever leads then answers")
    };
    assert_eq!(answer.prev_kv.expect("asked for").value, "v5");
    cluster.ticks(40);
    assert_ne!(cluster.leader_within(5, 0), Some(leader));
    assert_eq!(repaired(&cluster, leader), 1);
    assert_same(&cluster);
}

#[test]
fn a_read_that_meets_damage_is_refused_until_it_is_repaired() {
    let (mut cluster, leader) = restarted();
    let hurt = cluster.other_than(leader);
    rot(&cluster, hurt, "v33");
    assert_eq!(cluster.call(hurt, get("k33")), Err(Error::Corrupt));
    assert_eq!(value(&cluster.call(hurt, get("k32"))), "v32");
    cluster.ticks(5);
    assert_eq!(repaired(&cluster, hurt), 1);
    assert_eq!(value(&cluster.call(hurt, get("k33"))), "v33");
}

/// A member that alone can send a snapshot would otherwise try in vain until its whole state has
/// been checked (seed 1795998175 of the simulator).
#[test]
fn a_snapshot_that_meets_damage_has_it_repaired() {
    let mut cluster = with_short_logs().0;
    let leader = cluster.run_until_leader();
    write(&mut cluster, leader, 40);
    cluster.restart_all();
    let leader = cluster.run_until_leader();
    let away = cluster.other_than(leader);
    cluster.stop(away);
    write(&mut cluster, leader, 120);
    rot(&cluster, leader, "v21");
    let rounds = |cluster: &Cluster| cluster.members[&leader].replica.state().scrub_rounds;
    let before = rounds(&cluster);
    cluster.try_restart(away).expect("its folders are whole");
    for _ in 0..200 {
        cluster.ticks(1);
        if repaired(&cluster, leader) > 0 {
            break;
        }
    }
    assert_eq!((repaired(&cluster, leader), rounds(&cluster)), (1, before));
    cluster.ticks(300);
    assert_same(&cluster);
}

#[test]
fn every_record_that_rots_is_found_and_repaired_in_place() {
    let (mut cluster, leader) = restarted();
    let hurt = cluster.other_than(leader);
    let disk = state_disk(&cluster, hurt);
    let whole = disk.bytes(VALUES);
    for at in (0..whole.len()).step_by(11) {
        disk.flip(VALUES, at as u64, 1 << (at % 8));
        let rounds = cluster.members[&hurt].replica.state().scrub_rounds;
        for _ in 0..200 {
            cluster.ticks(30);
            if cluster.members[&hurt].replica.state().scrub_rounds > rounds {
                break;
            }
        }
        assert!(disk.bytes(VALUES) == whole, "byte {at}");
    }
    assert_eq!(repaired(&cluster, hurt), whole.len().div_ceil(11) as u64);
    assert_same(&cluster);
}

#[test]
fn a_sector_that_cannot_be_read_is_written_again() {
    let (mut cluster, leader) = restarted();
    let hurt = cluster.other_than(leader);
    let disk = state_disk(&cluster, hurt);
    let whole = disk.bytes(VALUES);
    for sector in 0..whole.len() / 512 {
        disk.spoil(VALUES, sector as u64 * 512);
        cluster.ticks(600);
        let state = cluster.members[&hurt].replica.state();
        assert_eq!(state.damaged, None, "sector {sector}");
        assert!(disk.bytes(VALUES) == whole);
    }
    assert!(repaired(&cluster, hurt) > 20, "many records in each sector");
    cluster.try_restart(hurt).expect("every sector can be read");
    assert_eq!(cluster.members[&hurt].state.cut(), None);
}

/// Records that nobody else has stop the member, in words that help.
#[test]
fn a_member_that_nobody_can_help_says_so_and_stops() {
    let (mut cluster, leader) = restarted();
    let hurt = cluster.other_than(leader);
    rot(&cluster, hurt, "v17");
    // Whoever is asked has something else there.
    cluster.falsify_records();
    assert!(cluster.call(leader, put_again("k17")).is_ok());
    cluster.ticks(600);
    let reason = cluster.stopped.get(&hurt).expect("it stops");
    assert!(reason.contains("none of 2 other members has what was written there"), "{reason}");
    assert!(reason.contains("start this member again"), "{reason}");
    // And that helps.
    cluster.try_restart(hurt).expect("it starts");
    cluster.ticks(100);
    assert_eq!(applied(&cluster, hurt), applied(&cluster, leader));
    assert_same(&cluster);
}

#[test]
fn a_damaged_segment_of_the_log_is_cut_once_the_state_is_durable() {
    let mut cluster = Cluster::new(3);
    cluster.shape.log_segment_bytes = 4096;
    cluster.disks.values_mut().for_each(crate::cluster::Disks::clear);
    cluster.keeping = LogKeeping::default();
    cluster.restart_all();
    let leader = cluster.run_until_leader();
    for number in 0..40 {
        assert!(cluster.call(leader, put(&format!("k{number}"), "v")).is_ok());
    }
    let hurt = cluster.other_than(leader);
    let disk = cluster.disks[&hurt].log.clone();
    let files = storage::Disk::list(&disk).expect("a folder");
    let segments: Vec<String> = files.into_iter().filter(|name| name.starts_with("wal-")).collect();
    assert!(segments.len() > 4, "{segments:?}");
    disk.flip(&segments[2], 30, 1);
    for _ in 0..100 {
        cluster.idle();
        cluster.ticks(1);
    }
    let status = |cluster: &Cluster, id: u64| cluster.members[&id].replica.status();
    assert!(status(&cluster, hurt).base.index > LogIndex::new(10), "it is cut");
    assert_eq!(status(&cluster, leader).base.index, LogIndex::ZERO, "no other is");
    assert_eq!(cluster.members[&hurt].replica.log_segments_cut(), 1);
    cluster.try_restart(hurt).expect("it starts");
    assert_eq!(cluster.members[&hurt].log.loss(), None, "nothing is missing");
    assert_eq!(status(&cluster, hurt).role, RoleName::Follower);
    assert_eq!(value(&cluster.call(hurt, get("k0"))), "v");
}
