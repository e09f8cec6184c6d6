//! Whether leases lived as long as they had to, and no longer.
//!
//! A lease that was granted or renewed for t seconds lives for t seconds from the *call* on, at
//! least: the store can have heard of it only later. When it ends, its keys go in one revision; the
//! first answer or message that shows that revision bounds from above when that was. So
//!
//! * nothing may show the end of a lease before its time, unless its holder revoked it;
//! * nobody may hear that it is gone before its time either;
//! * what was asked for after its end was seen must not find it alive;
//! * some time after its holder let go, it must be gone.
//!
//! That nothing is written under an ended lease is seen where the history is replayed.

use std::collections::BTreeMap;

use super::verdict::{Kind, Verdict};
use crate::history::{
    Answer, Evidence, Lease, LeaseAct, LeaseActKind, LeaseOutcome, Outcome, Stored,
};

const SECOND_NS: u64 = 1_000_000_000;

/// A lease must be gone so long after its time, with all nodes up at the end: the leader may have
/// changed once more, and time stands still without one.
pub(crate) const OVERDUE_NS: u64 = 30 * SECOND_NS;

/// Checks all leases; `ends` says at which revision the keys of which went.
pub(super) fn check(evidence: &Evidence, ends: &BTreeMap<i64, i64>, verdict: &mut Verdict) {
    let seen = first_seen(evidence);
    let state = evidence.members.first().map(|member| &member.state[..]).unwrap_or_default();
    for lease in &evidence.leases {
        let end = ends.get(&lease.id).copied();
        let seen_ns = end.and_then(|end| seen.range(end..).map(|(_, at)| *at).min());
        check_end(lease, end, seen_ns, verdict);
        check_gone(lease, verdict);
        check_overdue(lease, state, evidence.ended_ns, verdict);
    }
}

/// When each revision was first shown to somebody.
fn first_seen(evidence: &Evidence) -> BTreeMap<i64, u64> {
    let mut seen: BTreeMap<i64, u64> = BTreeMap::new();
    let mut see = |revision: i64, at_ns: u64| {
        let first = seen.entry(revision).or_insert(at_ns);
        *first = at_ns.min(*first);
    };
    for operation in &evidence.operations {
        if let Outcome::Answered { returned_ns, answer } = &operation.outcome {
            let (Answer::Written { revision, .. }
            | Answer::Unequal { revision, .. }
            | Answer::Read { revision, .. }) = answer;
            see(*revision, *returned_ns);
        }
    }
    for act in evidence.leases.iter().flat_map(|lease| &lease.acts) {
        if let LeaseOutcome::Done { returned_ns, revision, .. } = act.outcome {
            see(revision, returned_ns);
        }
    }
    let streams = evidence.watchers.iter().flat_map(|watcher| &watcher.streams);
    for message in streams.flat_map(|stream| &stream.messages) {
        see(message.revision, message.received_ns);
    }
    // Who sees a revision has seen all before it; `range(end..).min()` takes care of that.
    seen
}

/// Until when an act keeps its lease alive, if it surely does.
fn alive_until(act: &LeaseAct) -> Option<u64> {
    match (act.kind, act.outcome) {
        (LeaseActKind::Revoke, _) => None,
        (_, LeaseOutcome::Done { ttl_s, .. }) => {
            Some(act.called_ns + u64::try_from(ttl_s).unwrap_or(0) * SECOND_NS)
        }
        _ => None,
    }
}

/// Whether the holder may have ended it itself, by a call made before `before_ns`.
fn may_be_revoked(lease: &Lease, before_ns: u64) -> bool {
    lease.acts.iter().any(|act| {
        act.kind == LeaseActKind::Revoke
            && act.outcome != LeaseOutcome::Refused
            && act.called_ns < before_ns
    })
}

/// The end as the history shows it.
fn check_end(lease: &Lease, end: Option<i64>, seen_ns: Option<u64>, verdict: &mut Verdict) {
    let (Some(end), Some(seen_ns)) = (end, seen_ns) else { return };
    for act in &lease.acts {
        let LeaseOutcome::Done { revision, .. } = act.outcome else { continue };
        if alive_until(act).is_some_and(|until| until > seen_ns) && !may_be_revoked(lease, seen_ns)
        {
            verdict.add(Kind::LeaseTooShort, || {
                format!("lease {} ended at revision {end}, seen at {seen_ns}: {act:?}", lease.id)
            });
        }
        let is_alive = act.kind != LeaseActKind::Revoke;
        if is_alive && (revision >= end || act.called_ns > seen_ns) {
            verdict.add(Kind::LeaseRaised, || {
                format!("lease {} ended at revision {end}, seen at {seen_ns}: {act:?}", lease.id)
            });
        }
    }
}

/// What the holder heard about a lease being gone.
fn check_gone(lease: &Lease, verdict: &mut Verdict) {
    for (place, gone) in lease.acts.iter().enumerate() {
        let LeaseOutcome::Gone { returned_ns } = gone.outcome else { continue };
        let (before, after) = (&lease.acts[..place], &lease.acts[place + 1..]);
        let alive = before.iter().filter_map(alive_until).max();
        if alive.is_some_and(|until| until > returned_ns) && !may_be_revoked(lease, returned_ns) {
            verdict.add(Kind::LeaseTooShort, || {
                format!("lease {} lives until {alive:?}, and yet {gone:?}", lease.id)
            });
        }
        // A grant that was lost may come late; after one that was answered nothing can.
        let was_granted = alive.is_some();
        if let Some(raised) = after.iter().find(|act| was_granted && alive_until(act).is_some()) {
            verdict.add(Kind::LeaseRaised, || {
                format!("lease {} was gone: {gone:?}, and then {raised:?}", lease.id)
            });
        }
    }
}

/// Whether its keys are still there long after its holder let go.
fn check_overdue(lease: &Lease, state: &[Stored], ended_ns: u64, verdict: &mut Verdict) {
    let there = state.iter().find(|stored| stored.lease == lease.id);
    let longest = lease.acts.iter().filter_map(alive_until).max().unwrap_or(0);
    // An act without an answer may have renewed it too.
    let last = lease.acts.last().map_or(0, |act| act.called_ns);
    let due = longest.max(last + 10 * SECOND_NS) + OVERDUE_NS;
    if let Some(stored) = there.filter(|_| ended_ns > due) {
        verdict.add(Kind::LeaseTooLong, || {
            format!("lease {} was due at {due}, and at {ended_ns} there is {stored:?}", lease.id)
        });
    }
}
