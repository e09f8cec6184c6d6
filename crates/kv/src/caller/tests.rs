//! The caller against nodes that refuse, hang, lose answers and are not there.

use std::collections::BTreeMap;

use base::{Machine, Prng};

use super::*;
use crate::api::{Header, KeyRange, PutRequest, RangeRequest};

const PATIENCE: Patience = Patience {
    call_ticks: 50,
    attempt_ticks: 10,
    pause_ticks_min: 1,
    pause_ticks_max: 8,
    calls_max: 16,
};

fn put() -> Request {
    Request::Put(PutRequest { key: "a".into(), ..Default::default() })
}

fn get() -> Request {
    Request::Range(RangeRequest { range: KeyRange::single("a"), ..Default::default() })
}

fn done() -> Response {
    Response::LeaseRevoke(Header::default())
}

/// Sends `request` and lets its attempts end as `ends` says; what the caller is told, and the
/// nodes that were asked.
fn check(
    request: Request,
    ends: &[Result<(), Failure>],
    expected: Result<(), Error>,
    nodes: &[usize],
) {
    let mut caller = Caller::new(3, 1, PATIENCE);
    let mut ends = ends.iter().copied();
    let mut asked = Vec::new();
    let mut answer = None;
    let mut effects = caller.step(Event::Called { call: CallId::new(7), request });
    while answer.is_none() {
        let mut next = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { attempt, node, .. } => {
                    asked.push(node);
                    if let Some(end) = ends.next() {
                        let result = end.map(|()| done());
                        next.extend(caller.step(Event::Ended { attempt, result }));
                    }
                }
                Effect::GiveUp { .. } => {}
                Effect::Answer { result, .. } => answer = Some(result),
            }
        }
        if next.is_empty() && answer.is_none() {
            next = caller.step(Event::Ticked);
        }
        effects = next;
    }
    assert_eq!(answer, Some(expected.map(|()| done())));
    assert_eq!(asked, nodes);
    assert_eq!(caller.waiting(), 0);
}

#[test]
fn a_write_goes_on_only_while_it_surely_did_not_happen() {
    let refused = |error| Err(Failure::Refused(error));
    check(put(), &[Ok(())], Ok(()), &[1]);
    check(put(), &[refused(Error::NoLeader), Err(Failure::NotSent), Ok(())], Ok(()), &[1, 2, 0]);
    check(put(), &[Err(Failure::NotSent); 3], Err(Error::OutcomeUnknown), &[1, 2, 0, 1]);
    check(put(), &[Err(Failure::Lost)], Err(Error::OutcomeUnknown), &[1]);
    check(put(), &[refused(Error::LeaderChanged)], Err(Error::LeaderChanged), &[1]);
    check(put(), &[refused(Error::LeaseNotFound)], Err(Error::LeaseNotFound), &[1]);
    // A node that hangs: one attempt, until the call's time is up.
    check(put(), &[], Err(Error::OutcomeUnknown), &[1]);
}

#[test]
fn a_read_is_asked_again_whatever_happened() {
    let lost = Err(Failure::Lost);
    let changed = Err(Failure::Refused(Error::LeaderChanged));
    check(get(), &[lost, changed, lost, Ok(())], Ok(()), &[1, 2, 0, 1]);
    check(get(), &[Err(Failure::Refused(Error::Compacted))], Err(Error::Compacted), &[1]);
    // Nodes that hang are left after a while: 50 ticks, 10 each, and pauses after each round.
    check(get(), &[], Err(Error::Timeout), &[1, 2, 0, 1, 2]);
    check(get(), &[lost], Err(Error::Timeout), &[1, 2, 0, 1, 2, 0]);
}

#[test]
fn nobody_there_is_said_in_time() {
    let mut ends = vec![Err(Failure::NotSent); 100];
    let mut caller = Caller::new(2, 0, PATIENCE);
    let mut effects = caller.step(Event::Called { call: CallId::new(1), request: put() });
    for tick in 0.. {
        if let Some(Effect::Answer { result, .. }) = effects.last() {
            assert_eq!((tick, result), (50, &Err(Error::Unreachable)));
            return;
        }
        let sends: Vec<AttemptId> = effects.iter().filter_map(attempt_of).collect();
        for attempt in sends {
            let result = ends.pop().expect("pauses keep attempts few");
            let mut more = caller.step(Event::Ended { attempt, result });
            while let Some(attempt) = more.iter().find_map(attempt_of) {
                more = caller.step(Event::Ended { attempt, result: Err(Failure::NotSent) });
            }
        }
        effects = caller.step(Event::Ticked);
    }
}

fn attempt_of(effect: &Effect) -> Option<AttemptId> {
    match effect {
        Effect::Send { attempt, .. } => Some(*attempt),
        Effect::GiveUp { .. } | Effect::Answer { .. } => None,
    }
}

#[test]
fn one_call_too_many_is_refused_at_once() {
    let mut caller = Caller::new(1, 0, Patience { calls_max: 1, ..PATIENCE });
    let _sent = caller.step(Event::Called { call: CallId::new(1), request: get() });
    let effects = caller.step(Event::Called { call: CallId::new(2), request: get() });
    let result = Err(Error::TooManyRequests);
    assert_eq!(effects, [Effect::Answer { call: CallId::new(2), result }]);
}

/// What became of one write.
#[derive(Default)]
struct Fate {
    applied: u32,
    /// Whether it may still be applied, long after its caller went away.
    is_under_way: bool,
}

#[test]
fn random_nodes_never_apply_a_write_twice_nor_lie_about_it() {
    let mut unknown = 0;
    for seed in 0..300 {
        let mut random = Prng::named(seed, "caller");
        let nodes = random.between(1, 4) as usize;
        let mut caller = Caller::new(nodes, 0, PATIENCE);
        let mut fates: BTreeMap<CallId, Fate> = BTreeMap::new();
        let mut open: BTreeMap<AttemptId, CallId> = BTreeMap::new();
        let mut answers: BTreeMap<CallId, Result<Response, Error>> = BTreeMap::new();
        for step in 0..400 {
            let event = match random.below(10) {
                0 if step < 200 => {
                    let call = CallId::new(step);
                    fates.insert(call, Fate::default());
                    Event::Called { call, request: put() }
                }
                1..=4 => Event::Ticked,
                _ => {
                    let attempts: Vec<AttemptId> = open.keys().copied().collect();
                    let Some(attempt) = random.pick(&attempts).copied() else { continue };
                    let call = open.remove(&attempt).expect("picked from it");
                    let fate = fates.get_mut(&call).expect("every attempt has a call");
                    Event::Ended { attempt, result: end_of(fate, &mut random) }
                }
            };
            for effect in caller.step(event) {
                match effect {
                    Effect::Send { attempt, node, .. } => {
                        assert!(node < nodes);
                        open.insert(attempt, caller.attempts[&attempt]);
                    }
                    Effect::GiveUp { attempt } => {
                        // The bytes are gone out; the node may do it or not.
                        if let Some(call) = open.remove(&attempt) {
                            fates.get_mut(&call).expect("known").is_under_way = true;
                        }
                    }
                    Effect::Answer { call, result } => {
                        assert_eq!(answers.insert(call, result), None, "answered twice");
                    }
                }
            }
        }
        for _ in 0..=PATIENCE.call_ticks {
            for effect in caller.step(Event::Ticked) {
                if let Effect::Answer { call, result } = effect {
                    assert_eq!(answers.insert(call, result), None, "answered twice");
                }
            }
        }
        for (call, fate) in &fates {
            assert!(fate.applied <= 1, "seed {seed}: {call} was applied twice");
            match &answers[call] {
                Ok(_) => assert_eq!(fate.applied, 1, "seed {seed}: {call}"),
                Err(error) if error.outcome() == Outcome::NotApplied => {
                    assert!(fate.applied == 0 && !fate.is_under_way, "seed {seed}: {call} {error}");
                }
                Err(_) => unknown += 1,
            }
        }
    }
    assert!(unknown > 100, "the nodes were too kind: {unknown} unknown outcomes");
}

/// A node takes an attempt: does it or not, and says so or not.
fn end_of(fate: &mut Fate, random: &mut Prng) -> Result<Response, Failure> {
    match random.below(6) {
        0 => Err(Failure::NotSent),
        1 => Err(Failure::Refused(Error::NoLeader)),
        2 => Err(Failure::Refused(Error::TooManyRequests)),
        3 => {
            fate.applied += u32::from(random.chance(1, 2));
            Err(Failure::Refused(Error::Timeout))
        }
        4 => {
            fate.applied += u32::from(random.chance(1, 2));
            Err(Failure::Lost)
        }
        _ => {
            fate.applied += 1;
            Ok(done())
        }
    }
}
