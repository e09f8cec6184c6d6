//! Members that come and go, snapshots, and logs that lost something.

use crate::cluster::Cluster;
use crate::{get, put, value};
use raft::{ChangeStep, LogIndex, MemberId, Plan, Restriction};
use replica::{LogKeeping, PeerMessage, Wish, WishError};

/// Keeps so little of the log that whoever is away needs a snapshot.
const SHORT: LogKeeping = LogKeeping {
    keep_entries: 10,
    keep_bytes: 1 << 20,
    sync_every_entries: 5,
    sync_every_bytes: 1 << 20,
};

pub(crate) fn with_short_logs() -> (Cluster, u64) {
    let mut cluster = Cluster::new(3);
    cluster.keeping = SHORT;
    cluster.restart_all();
    let leader = cluster.run_until_leader();
    (cluster, leader)
}

pub(crate) fn write(cluster: &mut Cluster, member: u64, count: u64) {
    for number in 0..count {
        let written = cluster.call(member, put(&format!("k{number}"), &format!("v{number}")));
        assert!(written.is_ok(), "{written:?}");
    }
}

fn add(id: u64, plan: Plan) -> Wish {
    Wish::Change(vec![ChangeStep::AddLearner { id: id.into(), context: "there".into(), plan }])
}

fn remove(id: u64) -> Wish {
    Wish::Change(vec![ChangeStep::Remove { id: id.into() }])
}

fn base(cluster: &Cluster, member: u64) -> LogIndex {
    cluster.members[&member].replica.status().base.index
}

#[test]
fn who_was_away_too_long_gets_a_snapshot_while_writes_go_on() {
    let (mut cluster, leader) = with_short_logs();
    let away = cluster.other_than(leader);
    cluster.stop(away);
    write(&mut cluster, leader, 120);
    assert!(base(&cluster, leader) > LogIndex::new(60), "the log was cut");
    cluster.try_restart(away).expect("it starts");
    write(&mut cluster, leader, 60);
    cluster.ticks(200);
    assert_eq!(value(&cluster.call(away, get("k119"))), "v119");
    assert!(base(&cluster, away) > LogIndex::new(60), "it was rebased on a snapshot");
    let digests: Vec<u64> = cluster.members.values().map(|member| member.state.digest()).collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
    // The folder of the snapshot is the one that counts from now on.
    cluster.try_restart(away).expect("it starts on the snapshot");
    cluster.ticks(100);
    assert_eq!(value(&cluster.call(away, get("k119"))), "v119");
}

#[test]
fn a_new_member_learns_votes_and_takes_the_place_of_another() {
    let (mut cluster, leader) = with_short_logs();
    write(&mut cluster, leader, 80);
    let old = cluster.other_than(leader);
    cluster.join(4);
    let asked = cluster.other_than(old);
    let taken =
        cluster.wish(asked, add(4, Plan::Replace(MemberId::new(old)))).expect("it is taken");
    assert!(taken.learners().contains_key(&4.into()), "{taken}");
    cluster.ticks(300);
    let status = cluster.members[&4].replica.status();
    let expect: Vec<MemberId> = (1..=4).filter(|id| *id != old).map(MemberId::new).collect();
    assert_eq!(status.membership.ids().collect::<Vec<_>>(), expect, "{}", status.membership);
    assert!(status.membership.is_voter(4.into()) && !status.membership.is_joint());
    // Without the old member and one more, the newcomer's vote is needed.
    cluster.stop(old);
    assert_eq!(value(&cluster.call(4, get("k79"))), "v79");
    let refused = cluster.wish(asked, add(old, Plan::Stay));
    let Err(WishError::Refused(reason)) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("ids are never used twice"), "{reason}");
}

#[test]
fn a_leader_removes_itself_and_another_leads_at_once() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    write(&mut cluster, leader, 5);
    let follower = cluster.other_than(leader);
    let after = cluster.wish(follower, remove(leader));
    let left = after.or_else(|_| {
        cluster.ticks(100);
        Ok::<_, WishError>(cluster.members[&follower].replica.status().membership)
    });
    assert!(left.is_ok_and(|membership| !membership.contains(leader.into())));
    let new = cluster.run_until_leader_other_than(leader);
    write(&mut cluster, new, 5);
}

#[test]
fn leadership_goes_where_it_is_wished() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    let to = cluster.other_than(leader);
    let third = (1..=3).find(|id| *id != leader && *id != to).expect("three members");
    let done = cluster.wish(third, Wish::Transfer { to: Some(to.into()) });
    assert!(done.is_ok(), "{done:?}");
    assert_eq!(cluster.run_until_leader_other_than(leader), to);
    let nobody = cluster.wish(to, Wish::Transfer { to: Some(9.into()) });
    assert_eq!(nobody, Err(WishError::Refused("there is no such other voter".to_owned())));
}

/// Damages one byte of a file of the log, in the middle of it.
fn damage_log(cluster: &mut Cluster, member: u64, at_permille: usize) {
    cluster.stop(member);
    let disk = cluster.disks[&member].log.clone();
    let file = storage::Disk::list(&disk).expect("a folder");
    let file = file.iter().find(|name| name.starts_with("wal-")).expect("a segment").clone();
    let content = disk.bytes(&file);
    let used = content.iter().rposition(|byte| *byte != 0).expect("records");
    // What fills a sector up means nothing.
    let from = used * at_permille / 1000;
    let at = from + content[from..].iter().position(|byte| *byte != 0).expect("records");
    disk.flip(&file, at as u64, 1);
}

#[test]
fn a_damaged_log_is_filled_again_and_votes_only_then() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    write(&mut cluster, leader, 60);
    let hurt = cluster.other_than(leader);
    cluster.ticks(10);
    damage_log(&mut cluster, hurt, 400);
    cluster.try_restart(hurt).expect("it starts with what is intact");
    let status = cluster.members[&hurt].replica.status();
    assert!(status.restriction.is_some(), "it owes something: {status:?}");
    cluster.ticks(100);
    let status = cluster.members[&hurt].replica.status();
    assert_eq!(status.restriction, None, "the leader has brought it back");
    assert_eq!(value(&cluster.call(hurt, get("k59"))), "v59");
    cluster.try_restart(hurt).expect("it starts");
    assert_eq!(cluster.members[&hurt].replica.status().restriction, None, "it is settled");
}

#[test]
fn members_damaged_in_different_places_help_each_other_without_a_leader() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    write(&mut cluster, leader, 60);
    cluster.ticks(20);
    for (member, at) in [(1, 300), (2, 500), (3, 700)] {
        damage_log(&mut cluster, member, at);
    }
    for member in 1..=3 {
        cluster.try_restart(member).expect("it starts with what is intact");
        assert!(cluster.members[&member].replica.status().restriction.is_some());
    }
    let leader = cluster.run_until_leader();
    for number in [0, 30, 59] {
        let found = cluster.call(leader, get(&format!("k{number}")));
        assert_eq!(value(&found), format!("v{number}"));
    }
}

#[test]
fn a_member_that_lost_its_disk_never_votes_again_under_its_id() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    write(&mut cluster, leader, 5);
    let wiped = cluster.other_than(leader);
    let third = (1..=3).find(|id| *id != leader && *id != wiped).expect("three members");
    cluster.stop(third);
    cluster.wipe(wiped);
    cluster.ticks(300);
    let reason = cluster.stopped.get(&wiped).expect("it stops");
    assert!(reason.contains("it has lost its disk"), "{reason}");
    assert_eq!(cluster.members[&wiped].replica.status().last.index, LogIndex::ZERO);
}

#[test]
fn a_new_member_that_joined_and_lost_its_disk_stops_too() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    write(&mut cluster, leader, 5);
    cluster.join(4);
    cluster.ticks(50);
    assert_eq!(cluster.members[&4].replica.status().last.index, LogIndex::ZERO, "not admitted");
    cluster.wish(leader, add(4, Plan::Promote)).expect("it is taken");
    cluster.ticks(200);
    assert!(cluster.members[&4].replica.status().membership.is_voter(4.into()));
    cluster.try_restart(4).expect("with its disk it starts");
    cluster.ticks(50);
    assert_eq!(cluster.stopped.get(&4), None);
    cluster.wipe(4);
    cluster.ticks(100);
    assert!(cluster.stopped.contains_key(&4));
}

#[test]
fn founders_wait_for_each_other_and_a_crash_in_between_does_no_harm() {
    let mut cluster = Cluster::new(3);
    cluster.stop(3);
    cluster.ticks(300);
    let role = |cluster: &Cluster, id: u64| cluster.members[&id].replica.status().role;
    assert!((1..=2).all(|id| role(&cluster, id) == raft::RoleName::Follower), "nobody leads yet");
    cluster.try_restart(3).expect("it starts");
    cluster.ticks(7);
    cluster.try_restart(2).expect("it starts again");
    let leader = cluster.run_until_leader();
    write(&mut cluster, leader, 3);
    assert!(cluster.stopped.is_empty());
}

/// A file of the log is gone, so nothing tells what it ended with.
#[test]
fn a_leader_that_stays_tells_a_member_what_it_owes() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    write(&mut cluster, leader, 60);
    let hurt = cluster.other_than(leader);
    cluster.ticks(10);
    cluster.stop(hurt);
    let mut disk = cluster.disks[&hurt].log.clone();
    storage::Disk::remove(&mut disk, "wal-0000000000000001").expect("it is there");
    cluster.lose(|message| matches!(message, PeerMessage::End { .. }));
    cluster.try_restart(hurt).expect("it starts with what is intact");
    cluster.ticks(200);
    let status = |cluster: &Cluster| cluster.members[&hurt].replica.status();
    assert_eq!(status(&cluster).restriction, Some(Restriction::OwesUnknown), "without the answer");
    assert_eq!(value(&cluster.call(hurt, get("k59"))), "v59", "though it has everything again");
    let term = status(&cluster).term;
    cluster.lose(|_| false);
    cluster.ticks(50);
    assert_eq!((status(&cluster).restriction, status(&cluster).term), (None, term));
    cluster.try_restart(hurt).expect("it starts");
    assert_eq!(status(&cluster).restriction, None, "it is settled");
    // Its vote is needed now.
    cluster.stop(leader);
    assert!(cluster.leader_within(200, leader).is_some());
}
