//! Damage to what watchers were told and to the lives of leases: each kind is found.

use super::tests::check_damage;
use super::*;
use crate::history::{
    Lease, LeaseAct, LeaseActKind, LeaseOutcome, Member, PastAnswer, WatchMessage,
};

/// Messages with events, of all watchers.
fn messages(evidence: &mut Evidence) -> impl Iterator<Item = &mut WatchMessage> {
    let streams = evidence.watchers.iter_mut().flat_map(|watcher| &mut watcher.streams);
    streams.flat_map(|stream| &mut stream.messages).filter(|message| !message.events.is_empty())
}

#[test]
fn a_watch_with_a_gap() {
    check_damage(Kind::WatchWrong, |evidence| {
        let stream = evidence.watchers[0].streams.iter_mut().find(|it| it.messages.len() > 3)?;
        let told = |message: &WatchMessage| !message.events.is_empty();
        let at = stream.messages.iter().position(told).filter(|at| at + 1 < stream.messages.len());
        stream.messages.remove(at?);
        Some(())
    });
}

#[test]
fn a_watch_that_tells_a_revision_twice() {
    check_damage(Kind::WatchWrong, |evidence| {
        let stream = evidence.watchers[0].streams.iter_mut().find(|it| it.messages.len() > 3)?;
        let again = stream.messages.iter().find(|message| !message.events.is_empty())?.clone();
        stream.messages.push(again);
        Some(())
    });
}

#[test]
fn a_watch_that_begins_too_early() {
    check_damage(Kind::WatchWrong, |evidence| {
        let streams = &mut evidence.watchers[0].streams;
        let early = streams.first()?.messages.iter().find(|it| !it.events.is_empty())?.clone();
        streams.get_mut(1)?.messages.insert(0, early);
        Some(())
    });
}

#[test]
fn a_watch_in_the_wrong_order() {
    check_damage(Kind::WatchWrong, |evidence| {
        let stream = evidence.watchers[0].streams.iter_mut().find(|it| it.messages.len() > 3)?;
        let told = |message: &WatchMessage| !message.events.is_empty();
        let at = stream.messages.windows(2).position(|two| two.iter().all(told))?;
        stream.messages.swap(at, at + 1);
        Some(())
    });
}

#[test]
fn a_watch_with_another_value() {
    check_damage(Kind::WatchWrong, |evidence| {
        messages(evidence).find_map(|message| message.events[0].put.as_mut())?.value += 1;
        Some(())
    });
}

#[test]
fn a_watch_with_another_value_before() {
    check_damage(Kind::WatchWrong, |evidence| {
        messages(evidence).find_map(|it| it.previous.first_mut()?.as_mut())?.version += 1;
        Some(())
    });
}

#[test]
fn a_watch_that_tells_half_a_revision() {
    check_damage(Kind::WatchWrong, |evidence| {
        let message = messages(evidence).find(|message| message.events.len() > 1)?;
        message.events.pop();
        message.previous.truncate(message.events.len());
        Some(())
    });
}

#[test]
fn a_watch_whose_header_is_behind_its_events() {
    check_damage(Kind::WatchWrong, |evidence| {
        let message = messages(evidence).next()?;
        message.revision = message.events[0].revision - 1;
        Some(())
    });
}

#[test]
fn progress_before_all_was_told() {
    check_damage(Kind::WatchWrong, |evidence| {
        let newest = evidence.members[0].events.last()?.revision;
        let stream = evidence.watchers[0].streams.first_mut()?;
        stream.messages.insert(0, WatchMessage { revision: newest, ..WatchMessage::default() });
        Some(())
    });
}

#[test]
fn a_watch_that_stops() {
    check_damage(Kind::WatchStopped, |evidence| {
        for watcher in &mut evidence.watchers {
            watcher.streams.last_mut()?.messages.clear();
        }
        Some(())
    });
}

fn acts(evidence: &mut Evidence) -> impl Iterator<Item = (&mut LeaseAct, bool)> {
    evidence.leases.iter_mut().flat_map(|lease| {
        let is_revoked = lease.acts.iter().any(|act| act.kind == LeaseActKind::Revoke);
        lease.acts.iter_mut().map(move |act| (act, is_revoked))
    })
}

/// The ids of leases whose keys went though nobody revoked them.
fn run_out(evidence: &Evidence) -> Vec<i64> {
    let is_gone = |act: &LeaseAct| matches!(act.outcome, LeaseOutcome::Gone { .. });
    let ended = evidence.leases.iter().filter(|lease| lease.acts.last().is_some_and(is_gone));
    ended.map(|lease| lease.id).collect()
}

fn last_alive(lease: &mut Lease) -> Option<&mut LeaseAct> {
    let mut acts = lease.acts.iter_mut().rev();
    acts.find(|act| matches!(act.outcome, LeaseOutcome::Done { .. }))
}

#[test]
fn a_lease_that_ends_before_its_time() {
    check_damage(Kind::LeaseTooShort, |evidence| {
        let id = *run_out(evidence).first()?;
        // Gone is told a second before the end that was promised.
        let lease = evidence.leases.iter_mut().find(|lease| lease.id == id)?;
        let called_ns = last_alive(lease)?.called_ns;
        let LeaseOutcome::Gone { returned_ns } = &mut lease.acts.last_mut()?.outcome else {
            return None;
        };
        *returned_ns = called_ns + 1_000_000_000;
        Some(())
    });
}

#[test]
fn a_lease_that_was_promised_longer() {
    check_damage(Kind::LeaseTooShort, |evidence| {
        let id = *run_out(evidence).first()?;
        let lease = evidence.leases.iter_mut().find(|lease| lease.id == id)?;
        // Nobody hears that it is gone; only the history shows it.
        lease.acts.pop();
        let LeaseOutcome::Done { ttl_s, .. } = &mut last_alive(lease)?.outcome else { return None };
        *ttl_s += 1_000;
        Some(())
    });
}

#[test]
fn a_lease_that_is_renewed_after_its_end() {
    check_damage(Kind::LeaseRaised, |evidence| {
        let id = *run_out(evidence).first()?;
        let lease = evidence.leases.iter_mut().find(|lease| lease.id == id)?;
        let LeaseAct { called_ns, outcome: LeaseOutcome::Gone { returned_ns }, .. } =
            *lease.acts.last()?
        else {
            return None;
        };
        let (called_ns, returned_ns) = (called_ns + 100, returned_ns + 200);
        let outcome = LeaseOutcome::Done { returned_ns, revision: 1, ttl_s: 2 };
        lease.acts.push(LeaseAct { called_ns, kind: LeaseActKind::Renew, outcome });
        Some(())
    });
}

#[test]
fn a_renewal_behind_the_end() {
    check_damage(Kind::LeaseRaised, |evidence| {
        let newest = evidence.members[0].revision;
        let id = *run_out(evidence).first()?;
        let lease = evidence.leases.iter_mut().find(|lease| lease.id == id)?;
        lease.acts.pop();
        let LeaseOutcome::Done { revision, .. } = &mut last_alive(lease)?.outcome else {
            return None;
        };
        *revision = newest;
        Some(())
    });
}

#[test]
fn a_write_under_an_ended_lease() {
    check_damage(Kind::LeaseRaised, |evidence| {
        let ended = *run_out(evidence).first()?;
        let last = evidence.members[0].events.last()?.put?;
        let mut writes = evidence.operations.iter_mut().filter_map(|it| match &mut it.call {
            Call::Write(write) => Some(write),
            Call::Read { .. } => None,
        });
        writes.find(|write| write.value == last.value)?.lease = ended;
        Some(())
    });
}

#[test]
fn a_lease_that_does_not_end() {
    check_damage(Kind::LeaseTooLong, |evidence| {
        let lease = evidence.members[0].state.iter().find(|stored| stored.lease > 0)?.lease;
        evidence.leases.iter().find(|it| it.id == lease)?;
        evidence.ended_ns += leases::OVERDUE_NS + 20_000_000_000;
        Some(())
    });
}

#[test]
fn a_lease_that_leaves_a_key_behind() {
    check_damage(Kind::WrongFinalState, |evidence| {
        let put = evidence.members[0].events.iter().filter_map(|event| event.put);
        let left = put
            .filter(|put| put.lease > 0)
            .find(|put| !evidence.members[0].state.iter().any(|stored| stored.key == put.key))?;
        for Member { state, .. } in &mut evidence.members {
            state.push(left);
        }
        Some(())
    });
}

#[test]
fn a_deletion_that_nobody_made() {
    check_damage(Kind::Invented, |evidence| {
        for member in &mut evidence.members {
            let plain = *member.state.iter().find(|stored| stored.lease == 0)?;
            member.revision += 1;
            let revision = member.revision;
            member.events.push(Event { revision, key: plain.key, put: None });
        }
        Some(())
    });
}

#[test]
fn a_key_under_another_lease() {
    check_damage(Kind::WrongNumbers, |evidence| {
        for member in &mut evidence.members {
            member.events.iter_mut().find_map(|event| event.put.as_mut())?.lease = 9;
        }
        Some(())
    });
}

#[test]
fn revoked_leases_may_end_early() {
    // Not damage: an early end is no finding when the holder may have revoked the lease.
    for seed in 0..200 {
        let mut evidence = super::tests::good(seed, 80);
        for (act, is_revoked) in acts(&mut evidence) {
            if let LeaseOutcome::Done { ttl_s, .. } = &mut act.outcome
                && is_revoked
                && act.kind != LeaseActKind::Revoke
            {
                *ttl_s += 1_000;
            }
        }
        let verdict = check(&evidence);
        assert_eq!(verdict.bad_leases(), 0, "seed {seed}: {verdict}");
    }
}

#[test]
fn a_read_of_the_past_that_shows_another_time() {
    check_damage(Kind::WrongAnswer, |evidence| {
        let reads = &mut evidence.past_reads;
        let at = reads.windows(2).position(|two| {
            matches!((&two[0].answer, &two[1].answer), (PastAnswer::Found(a), PastAnswer::Found(b))
                if a != b)
        })?;
        reads[at].answer = reads[at + 1].answer.clone();
        Some(())
    });
}

#[test]
fn a_read_of_the_past_that_is_told_of_the_future() {
    check_damage(Kind::WrongAnswer, |evidence| {
        evidence.past_reads.last_mut()?.answer = PastAnswer::Future;
        Some(())
    });
}

#[test]
fn an_answer_from_history_that_was_compacted() {
    check_damage(Kind::CompactionIgnored, |evidence| {
        let reads = &mut evidence.past_reads;
        let at = reads.iter().position(|read| read.answer == PastAnswer::Compacted)?;
        // What was true before the compaction.
        let revision = reads[at].revision;
        reads[at].answer = reads.iter().find(|read| read.revision == revision)?.answer.clone();
        Some(())
    });
}

#[test]
fn history_that_goes_though_nobody_asked_for_it() {
    check_damage(Kind::CompactedTooMuch, |evidence| {
        evidence.past_reads.last_mut()?.answer = PastAnswer::Compacted;
        Some(())
    });
    check_damage(Kind::CompactedTooMuch, |evidence| {
        evidence.past_reads.first_mut()?.answer = PastAnswer::Compacted;
        Some(())
    });
}
