//! Messages that contradict each other, from peers that obey no rule: a member may stop with a
//! sentence when it is shown that the group has diverged, and must take everything else.

use crate::{
    Body, ChangeStep, Config, Effect, Entry, Input, LogId, LogIndex, Membership, Message, Payload,
    Plan, Raft, Recovered, Snapshot, Term,
};
use base::{Machine, Prng};
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::vec::Vec;

/// With these words a member says that going on would do harm.
const LOUD: [&str; 3] = ["the group has diverged", "both lead term", "which is mine"];

#[test]
fn only_divergence_stops_a_member() {
    let mut stopped = 0;
    for seed in 0..400 {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| torment(seed))) else { continue };
        let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(LOUD.iter().any(|loud| words.contains(loud)), "seed {seed}: {words}");
        stopped += 1;
    }
    assert!(stopped < 400, "every run ended early");
}

fn torment(seed: u64) {
    let mut prng = Prng::named(seed, "hostile");
    let mut config = Config::new(1.into(), 1);
    config.cache_bytes = prng.below(200);
    config.election_ticks_min = 3;
    config.election_ticks_max = 6;
    let mut raft = Raft::new(config, Recovered::founding([1.into(), 2.into(), 3.into()].into()))
        .expect("a sound start");
    for _ in 0..200 {
        let input = match prng.below(10) {
            0..3 => Input::Ticked { jitter: prng.next_u64() },
            3 => Input::Proposed { payloads: [Bytes::from_static(b"x")].into() },
            4 => Input::ReadRequested { read: prng.next_u64().into() },
            5 => draw_wish(&mut prng, &raft),
            _ => {
                let status = raft.status();
                let message = draw_message(&mut prng, status.term, status.last);
                // Mostly one leader a term, or every run would end at the second.
                let leader = 2 + message.term.get() % 2;
                let from = if prng.chance(49, 50) { leader } else { prng.between(1, 4) };
                Input::Received { from: from.into(), message }
            }
        };
        obey(&mut raft, &mut prng, input);
    }
}

/// What the shell may ask for at any time.
fn draw_wish(prng: &mut Prng, raft: &Raft) -> Input {
    let status = raft.status();
    let id = prng.between(1, 6).into();
    match prng.below(6) {
        0 => Input::ChangeRequested { steps: [ChangeStep::Remove { id }].into() },
        1 => {
            let id = status.membership.highest().next();
            let (context, plan) = (Bytes::new(), Plan::Promote);
            Input::ChangeRequested { steps: [ChangeStep::AddLearner { id, context, plan }].into() }
        }
        2 => Input::TransferRequested { to: prng.chance(1, 2).then_some(id) },
        3 => Input::SnapshotSent { to: id, installed: prng.chance(1, 2).then_some(status.commit) },
        4 => Input::LogCutRequested { through: status.applied.min(status.persisted) },
        _ => {
            let index = status.last.index.plus(prng.below(4));
            let last = LogId::new(status.last.term, index);
            let (membership_index, membership) = (status.membership_index, status.membership);
            let membership_index = membership_index.min(index);
            let snapshot = Snapshot { last, membership_index, membership };
            Input::SnapshotReceived { snapshot }
        }
    }
}

/// Does what the member orders, the disk with a delay of chance.
fn obey(raft: &mut Raft, prng: &mut Prng, input: Input) {
    let mut inputs: Vec<Input> = [input].into();
    while let Some(input) = inputs.pop() {
        for effect in raft.step(input) {
            match effect {
                Effect::Persist(persist) if prng.chance(3, 4) => {
                    inputs.push(Input::Persisted { ticket: persist.ticket });
                }
                Effect::Apply { entries } => {
                    let through = entries.last().expect("never empty").id.index;
                    inputs.push(Input::Applied { through });
                }
                Effect::InstallSnapshot { snapshot } => {
                    inputs.push(Input::Applied { through: snapshot.last.index });
                }
                Effect::Load { .. } => inputs.push(Input::Loaded { entries: Vec::new() }),
                _ => {}
            }
        }
    }
}

fn draw_payload(prng: &mut Prng) -> Payload {
    if prng.chance(3, 4) {
        return Payload::Empty;
    }
    let voters = (1..=prng.between(1, 5)).map(|id| (id.into(), Bytes::new()));
    Payload::Membership(Membership::founding(voters).into())
}

/// Numbers near those of the member, so that the message is not refused at the door.
fn draw_message(prng: &mut Prng, term: Term, last: LogId) -> Message {
    let term = match prng.below(20) {
        0 => term.next(),
        1 => Term::new(term.get().saturating_sub(1)),
        _ => term,
    };
    let near = |prng: &mut Prng| LogIndex::new(prng.below(last.index.get() + 4));
    let id = |prng: &mut Prng| match prng.below(3) {
        0 => LogId::new(Term::new(prng.below(term.get() + 1)), near(prng)),
        _ => last,
    };
    let body = match prng.below(15) {
        0 => Body::PreVoteRequest { last: id(prng) },
        1 => Body::PreVoteReply { campaign: term.next(), granted: prng.chance(1, 2) },
        2 => Body::VoteRequest { last: id(prng), is_transfer: prng.chance(1, 3) },
        3 => Body::VoteReply { granted: prng.chance(2, 3) },
        4..7 => {
            let prev = id(prng);
            let count = prng.below(4);
            let mut entry = |offset| {
                let payload = draw_payload(prng);
                Entry { id: LogId::new(term, prev.index.plus(offset)), payload }
            };
            let entries = (1..=count).map(&mut entry).collect();
            Body::Append { prev, entries, commit: near(prng) }
        }
        7 => Body::AppendAccepted { matched: near(prng) },
        8 => Body::AppendRejected { prev: near(prng), have: id(prng), term_start: near(prng) },
        9 => Body::Heartbeat { commit: near(prng), round: prng.chance(1, 2).then_some(3) },
        10 => {
            let (received, matched) = (near(prng), near(prng));
            let has_lost = prng.chance(1, 4);
            Body::HeartbeatReply { round: prng.below(9), received, matched, has_lost }
        }
        11 => Body::ReadRequest { read: prng.next_u64().into(), incarnation: 0 },
        12 => {
            Body::ReadReply { read: prng.below(9).into(), incarnation: 1, index: Some(near(prng)) }
        }
        13 => Body::TimeoutNow,
        _ => Body::NewerTerm,
    };
    Message { term, body }
}
