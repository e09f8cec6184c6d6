//! What a member refuses to start with, and the sentence a person reads.

use base::Machine;
use raft::{
    Body, Config, ConfigError, Entry, HardState, Input, LeaderLease, LogId, Message, Payload, Raft,
    Recovered, Restriction,
};

fn config() -> Config {
    Config::new(1.into(), 1)
}

fn id(term: u64, index: u64) -> LogId {
    LogId::new(term.into(), index.into())
}

/// Entries 1.1, 1.2, 3.3 with two of them applied.
fn recovered() -> Recovered {
    let entry = |id| Entry { id, payload: Payload::Empty };
    let empty = Recovered::founding([1.into(), 2.into(), 3.into()].into());
    Recovered {
        hard_state: HardState { term: 3.into(), vote: Some(2.into()) },
        applied: 2.into(),
        term_starts: vec![id(1, 1), id(3, 3)],
        last: id(3, 3),
        tail: vec![entry(id(1, 2)), entry(id(3, 3))],
        ..empty
    }
}

#[test]
fn starts_where_it_ended() {
    let raft = Raft::new(config(), recovered()).expect("a sound start");
    let status = raft.status();
    assert_eq!((status.term.get(), status.last), (3, id(3, 3)));
    assert_eq!((status.commit.get(), status.applied.get(), status.persisted.get()), (2, 2, 3));
}

/// A newcomer may be asked for a snapshot before it was told anything (the simulator's seed 134 of
/// the mixed profile). With the group's nothing it would hand out that the group has no members.
#[test]
fn who_knows_no_group_has_no_snapshot_of_it() {
    let snapshot_at_start = |recovered| {
        let raft = Raft::new(config(), recovered).expect("a sound start");
        raft.snapshot_at(raft.status().applied)
    };
    assert_eq!(snapshot_at_start(Recovered::default()), None);
    assert!(snapshot_at_start(recovered()).is_some());
}

#[test]
fn refuses_a_configuration_that_makes_no_sense() {
    let check = |adjust: &dyn Fn(&mut Config), expect: &str| {
        let mut config = config();
        adjust(&mut config);
        let error = Raft::new(config, Recovered::default()).expect_err(expect);
        assert_eq!(error.to_string(), expect);
    };
    check(&|c| c.apply_bytes_max = 0, "raft: apply_bytes_max must be at least 1");
    check(&|c| c.inflight_messages_max = 0, "raft: inflight_messages_max must be at least 1");
    let lease = LeaderLease { tick_ns: 1, drift_ppm_max: 1_000_000 };
    check(
        &|c| c.leader_lease = Some(lease),
        "raft: leader_lease needs waits_at_start, here and at every other member",
    );
    check(
        &|c| (c.leader_lease, c.waits_at_start) = (Some(lease), true),
        "raft: drift_ppm_max 1000000 must be below 1000000",
    );
    check(
        &|c| c.election_ticks_max = 9,
        "raft: election_ticks_min 10 is above election_ticks_max 9",
    );
    check(
        &|c| c.heartbeat_ticks = 10,
        "raft: heartbeat_ticks 10 must be below election_ticks_min 10",
    );
}

#[test]
fn refuses_a_log_that_contradicts_itself() {
    let check = |adjust: &dyn Fn(&mut Recovered), expect: &str| {
        let mut recovered = recovered();
        adjust(&mut recovered);
        let error = Raft::new(config(), recovered).expect_err(expect);
        assert!(matches!(error, ConfigError::Inconsistent { .. }), "{error:?}");
        let text = error.to_string();
        assert_eq!(text, format!("raft: the recovered state is damaged: {expect}"));
    };
    check(&|r| r.hard_state.term = 2.into(), "the log is of a newer term than the hard state");
    check(&|r| r.applied = 4.into(), "more is applied than the log holds");
    check(&|r| r.applied = 0.into(), "the tail does not reach down to the applied index");
    check(&|r| r.tail.clear(), "entries above the applied index are missing");
    check(&|r| drop(r.tail.pop()), "the tail does not end at the log's last entry");
    check(&|r| r.tail[0].id = id(3, 2), "the tail's entries do not fit the terms' first entries");
    check(&|r| r.term_starts.reverse(), "the terms' first entries do not ascend");
    check(&|r| r.term_starts[0] = id(1, 2), "the log does not begin right behind its base");
    check(&|r| r.term_starts.clear(), "the log's last entry and its terms do not agree");
    check(&|r| r.base = id(1, 1), "the log does not begin right behind its base");
    check(&|r| r.memberships.clear(), "there is no membership, not even an empty one");
    check(&|r| r.memberships[0].0 = 9.into(), "the memberships do not fit the log");
    check(&|r| r.last = id(1, 3), "the last term's first entry does not fit the log's last entry");
}

/// The same log behind a base, with the term of the base going on.
#[test]
fn starts_behind_a_base() {
    let mut behind = recovered();
    behind.base = id(1, 1);
    behind.term_starts = vec![id(1, 2), id(3, 3)];
    let status = Raft::new(config(), behind).expect("a sound start").status();
    assert_eq!((status.base, status.last, status.commit.get()), (id(1, 1), id(3, 3), 2));
}

/// Damage took what this member had acknowledged, and the order to drop what stood there before: at
/// the end of its log are entries of an older term that were replaced. A leader that does not know
/// it yet names a commit index that covers them (the simulator's seed 1796019705).
#[test]
fn what_a_damaged_log_ends_with_is_not_committed_by_a_heartbeat() {
    let owes = Recovered { restriction: Some(Restriction::Owes(id(4, 5))), ..recovered() };
    let mut raft = Raft::new(config(), owes).expect("a sound start");
    let message = |body| Message { term: 4.into(), body };
    let mut hear = |body| {
        raft.step(Input::Received { from: 2.into(), message: message(body) });
        raft.status().commit.get()
    };
    let beat = |round| Body::Heartbeat { commit: 5.into(), round: Some(round) };
    assert_eq!(hear(beat(1)), 2);
    // What the leader has sent since is its log.
    let entry = |id| Entry { id, payload: Payload::Empty };
    let entries = [entry(id(4, 3)), entry(id(4, 4))].into();
    assert_eq!(hear(Body::Append { prev: id(1, 2), entries, commit: 3.into() }), 3);
    assert_eq!(hear(beat(2)), 4);
}
