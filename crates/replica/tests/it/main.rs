//! Members over in-memory disks and a network that a test can cut: the parts together.

mod cluster;
mod every_byte;
mod group;
mod log;
mod rot;

use base::Machine;
use cluster::Cluster;
use kv::api::{Error, KeyRange, LeaseGrantRequest, PutRequest, RangeRequest, Request, Response};
use raft::{Body, LogId, LogIndex, MemberId, Membership, Message, Snapshot};
use replica::{Effect, Event, Offer, PeerMessage, SnapshotId, StateOrder};

fn put(key: &str, value: &str) -> Request {
    Request::Put(PutRequest {
        key: key.to_owned().into(),
        value: value.to_owned().into(),
        ..PutRequest::default()
    })
}

fn get(key: &str) -> Request {
    let range = KeyRange::single(key.to_owned());
    Request::Range(RangeRequest { range, ..RangeRequest::default() })
}

fn value(result: &Result<Response, Error>) -> String {
    match result {
        Ok(Response::Range(range)) => match range.kvs.first() {
            Some(kv) => String::from_utf8_lossy(&kv.value).into_owned(),
            None => "(nothing)".to_owned(),
        },
        other => format!("{other:?}"),
    }
}

fn revision(result: &Result<Response, Error>) -> i64 {
    match result {
        Ok(Response::Put(put)) => put.header.revision,
        other => panic!("expected a put's answer, got {other:?}"),
    }
}

#[test]
fn one_member_alone_serves() {
    let mut cluster = Cluster::new(1);
    cluster.run_until_leader();
    assert_eq!(revision(&cluster.call(1, put("a", "1"))), 2);
    assert_eq!(value(&cluster.call(1, get("a"))), "1");
}

#[test]
fn any_member_takes_writes_and_answers_fresh_reads() {
    let mut cluster = Cluster::new(3);
    cluster.run_until_leader();
    for member in 1..=3 {
        let written = cluster.call(member, put("k", &format!("by {member}")));
        assert_eq!(revision(&written), 1 + i64::try_from(member).expect("small"));
        for reader in 1..=3 {
            assert_eq!(value(&cluster.call(reader, get("k"))), format!("by {member}"));
        }
    }
}

#[test]
fn a_read_that_is_refused_is_asked_again_at_the_next_tick_and_not_before() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    let follower = cluster.other_than(leader);
    let replica = &mut cluster.members.get_mut(&follower).expect("it runs").replica;
    let mut ask = |event| {
        let effects = replica.step(event);
        let message = effects.into_iter().find_map(|effect| match effect {
            Effect::Send { message: PeerMessage::Raft(message), .. } => Some(message),
            _ => None,
        });
        (message, replica.wants_drain())
    };
    assert_eq!(ask(Event::Called { call: 7, request: get("k") }), (None, true));
    let (Some(question), false) = ask(Event::Drained) else { panic!("the leader is asked") };
    let Body::ReadRequest { read, incarnation } = question.body else { panic!("for a read") };
    let body = Body::ReadReply { read, incarnation, index: None };
    let message = PeerMessage::Raft(Message { term: question.term, body });
    let from = MemberId::new(leader);
    assert_eq!(ask(Event::Received { from, message }), (None, false));
    assert_eq!(ask(Event::Drained), (None, false));
    assert_eq!(ask(Event::Ticked { jitter: 0 }), (None, true));
    let (Some(again), false) = ask(Event::Drained) else { panic!("the leader is asked again") };
    assert!(matches!(again.body, Body::ReadRequest { read: other, .. } if other != read));
}

#[test]
fn a_write_forwarded_to_a_leader_that_is_gone_happens_once_at_the_next() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    let follower = cluster.other_than(leader);
    // The leader appends and replicates nothing: it is cut off behind the forwarded write.
    cluster.cut(leader);
    let call = cluster.start(follower, put("k", "once"));
    cluster.run_until_leader_other_than(leader);
    let written = cluster.finish(call);
    assert_eq!(revision(&written), 2, "applied exactly once");
    cluster.heal();
    cluster.ticks(100);
    let Ok(Response::Range(range)) = cluster.call(leader, get("k")) else {
        panic!("the old leader follows and answers")
    };
    assert_eq!(range.kvs[0].version, 1, "a second copy of the write changed nothing");
}

#[test]
fn a_duplicated_forward_is_applied_once() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    let follower = cluster.other_than(leader);
    cluster.duplicate(|message| matches!(message, PeerMessage::Forward { .. }));
    assert_eq!(revision(&cluster.call(follower, put("k", "v"))), 2);
    cluster.ticks(10);
    assert_eq!(revision(&cluster.call(follower, put("k", "w"))), 3, "no revision in between");
}

#[test]
fn without_a_majority_a_write_is_refused_as_not_applied_or_unknown() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    cluster.cut(leader);
    let call = cluster.start(leader, put("k", "v"));
    cluster.ticks(900);
    assert_eq!(cluster.finish(call), Err(Error::Timeout), "it was appended: nobody knows");
    let call = cluster.start(leader, put("k", "v"));
    cluster.ticks(900);
    assert_eq!(cluster.finish(call), Err(Error::NoLeader), "never handed to anybody");
}

#[test]
fn everything_acknowledged_survives_a_restart_of_all() {
    let mut cluster = Cluster::new(3);
    cluster.run_until_leader();
    for number in 0..50 {
        let member = 1 + number % 3;
        assert!(cluster.call(member, put(&format!("k{number}"), "v")).is_ok());
    }
    cluster.restart_all();
    cluster.run_until_leader();
    for number in 0..50 {
        assert_eq!(value(&cluster.call(1, get(&format!("k{number}")))), "v");
    }
    assert_eq!(revision(&cluster.call(2, put("more", "v"))), 52);
}

#[test]
fn a_lease_ends_by_the_leaders_ticks_and_takes_its_keys() {
    let mut cluster = Cluster::new(3);
    cluster.run_until_leader();
    let grant = Request::LeaseGrant(LeaseGrantRequest { ttl: 2, id: 7 });
    assert!(cluster.call(1, grant).is_ok());
    let leased =
        PutRequest { key: "l".into(), value: "v".into(), lease: 7, ..PutRequest::default() };
    assert!(cluster.call(2, Request::Put(leased)).is_ok());
    cluster.ticks(150);
    assert_eq!(value(&cluster.call(3, get("l"))), "v", "not before its time");
    cluster.ticks(350);
    assert_eq!(value(&cluster.call(3, get("l"))), "(nothing)");
}

#[test]
fn a_state_that_is_ahead_of_the_log_is_refused() {
    let mut cluster = Cluster::new(1);
    cluster.run_until_leader();
    assert!(cluster.call(1, put("a", "1")).is_ok());
    cluster.lose_log(1);
    let error = cluster.try_restart(1).expect_err("the log is empty");
    assert!(error.contains("the state holds entries up to"), "{error}");
}

/// Old offers that the network kept back came one after the other, and each held its place for ten
/// seconds (the simulator's seed 1796022716).
#[test]
fn a_late_copy_of_an_old_offer_does_not_end_what_is_coming_in() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.run_until_leader();
    let follower = cluster.other_than(leader);
    let replica = &mut cluster.members.get_mut(&follower).expect("it runs").replica;
    let mut offered = |incarnation, number| {
        let snapshot = Snapshot {
            last: LogId::new(9.into(), 90.into()),
            membership_index: LogIndex::ZERO,
            membership: Membership::default(),
        };
        let id = SnapshotId { incarnation, number };
        let offer = Offer { id, snapshot, segment_bytes: 4096, through: 100, digest: 1 };
        let message = PeerMessage::SnapshotOffered(offer);
        let effects = replica.step(Event::Received { from: MemberId::new(leader), message });
        let begins =
            |effect: &Effect| matches!(effect, Effect::State(StateOrder::BeginStage { .. }));
        let is_taken = effects.iter().any(begins);
        // What is ordered is done: the first part is wanted now.
        replica.step(Event::Staged { next: Ok(0) });
        is_taken
    };
    assert!(offered(7, 5));
    assert!(offered(10, 1));
    assert!(!offered(7, 22) && !offered(7, 15));
    assert!(offered(10, 2));
}
