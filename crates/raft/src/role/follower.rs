//! Follows a leader, or waits until it hears one or its patience ends.
//!
//! It takes entries that follow what it holds, replaces its own where they differ, and answers
//! once they are durable. Reads go to the leader; they end when the leader is lost.

use super::{Next, Timer};
use crate::core::Core;
use crate::message::Body;
use crate::mutant::Mutant;
use crate::read::READS_MAX;
use crate::{Aborted, Effect, Entries, Entry, LogId, LogIndex, MemberId, ReadId};
use alloc::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Follower {
    leader: Option<MemberId>,
    timer: Timer,
    /// The log is known to equal the leader's up to here; not all of it need be durable.
    received: LogIndex,
    /// The newest round of heartbeats that came in.
    newest_round: u64,
    /// Reads sent to the leader, with the tick at which they are given up.
    forwarded: BTreeMap<ReadId, u64>,
}

impl Follower {
    pub(crate) fn new(core: &Core, leader: Option<MemberId>) -> Self {
        Self {
            leader,
            timer: Timer::start(core),
            received: LogIndex::ZERO,
            newest_round: 0,
            forwarded: BTreeMap::new(),
        }
    }

    #[cfg(any(test, feature = "search"))]
    pub(crate) fn forget_time(&mut self) {
        self.timer.forget();
        self.forwarded.values_mut().for_each(|deadline| *deadline = u64::MAX);
    }

    pub(crate) fn leader(&self) -> Option<MemberId> {
        self.leader
    }

    pub(crate) fn on_ticked(&mut self, core: &mut Core, jitter: u64) -> Next {
        if core.quorum.is_sole_voter(core.id()) && core.may_campaign() {
            return Next::Campaign { is_transfer: false };
        }
        self.give_up_reads(core);
        let is_over = self.timer.is_over(core, jitter);
        if is_over && core.may_campaign() { Next::PreCampaign } else { Next::Stay }
    }

    /// The leader steps aside for this member.
    pub(crate) fn on_timeout_now(&self, core: &Core) -> Next {
        if core.may_campaign() { Next::Campaign { is_transfer: true } } else { Next::Stay }
    }

    /// A vote was given to somebody: wait for the outcome.
    pub(crate) fn on_vote_given(&mut self, core: &Core) {
        self.timer.restart(core);
    }

    /// A message of the leader of this term came in. It is a sign of life if it can be no late copy
    /// of an old one: the first that is heard, a new round, entries that are news. A leader that
    /// has fallen silent would otherwise be waited for as long as the network finds messages of it.
    pub(crate) fn on_leader_heard(&mut self, core: &mut Core, from: MemberId, body: &Body) {
        assert!(
            self.leader.is_none_or(|leader| leader == from),
            "members {from} and {:?} both lead term {}",
            self.leader,
            core.term()
        );
        let is_alive = match body {
            _ if self.leader.is_none() => true,
            Body::Heartbeat { round, .. } => round.is_some_and(|round| round > self.newest_round),
            Body::Append { prev, entries, .. } => {
                prev.index.plus(entries.len() as u64) > self.received
            }
            _ => false,
        };
        self.leader = Some(from);
        if let Body::Heartbeat { round: Some(round), .. } = body {
            self.newest_round = self.newest_round.max(*round);
        }
        if is_alive {
            self.timer.restart(core);
            core.on_leader_heard();
        }
    }

    pub(crate) fn on_append(
        &mut self,
        core: &mut Core,
        from: MemberId,
        prev: LogId,
        entries: Entries,
        commit: LogIndex,
    ) {
        if core.is_swamped() {
            return; // As if lost: the leader probes again after its next heartbeat.
        }
        let Some((prev, entries)) = beyond_base(core, prev, entries) else {
            // The write that rebases the log on a snapshot may still be under way.
            let matched = core.log.base().index;
            return core.send_covering(matched, from, Body::AppendAccepted { matched });
        };
        if !holds(core, prev) {
            let at = prev.index.min(core.log.last().index);
            let have = core.log.id_at(at).expect("an index within the log has an id");
            let term_start = core.log.term_start(at);
            core.send(from, Body::AppendRejected { prev: prev.index, have, term_start });
            return;
        }
        let matched = prev.index.plus(entries.len() as u64);
        take_entries(core, &entries);
        self.received = self.received.max(matched);
        let shared = if core.has(Mutant::CommitBeyondNewEntry) { commit } else { matched };
        core.advance_commit(commit.min(shared));
        let answer = Body::AppendAccepted { matched };
        if core.has(Mutant::AckBeforeFsync) {
            core.send(from, answer);
        } else {
            core.send_covering(matched, from, answer);
        }
    }

    pub(crate) fn on_heartbeat(
        &mut self,
        core: &mut Core,
        from: MemberId,
        commit: LogIndex,
        round: Option<u64>,
    ) {
        // The leader names only what this member has acknowledged in this term. Damage may have
        // taken that since, and the order to drop what was there before: then only what came from
        // this leader since the start is known to be its log.
        let is_certain = core.restriction.is_none();
        core.advance_commit(if is_certain { commit } else { commit.min(self.received) });
        if let Some(round) = round {
            // What lies below the base is committed, so the leader's log has it too.
            let received = self.received.max(core.log.base().index);
            let matched = received.min(core.durability.durable());
            let has_lost = core.restriction.is_some();
            core.send(from, Body::HeartbeatReply { round, received, matched, has_lost });
        }
    }

    pub(crate) fn on_read_requested(&mut self, core: &mut Core, read: ReadId) {
        let abort = |reason| Effect::ReadAborted { read, reason };
        match self.leader {
            None => core.effects.push(abort(Aborted::NoLeader)),
            Some(_) if self.forwarded.len() >= READS_MAX => {
                core.effects.push(abort(Aborted::Overloaded));
            }
            Some(leader) => {
                self.forwarded.insert(read, core.now + core.config.election_ticks_max);
                let incarnation = core.config.incarnation;
                core.send(leader, Body::ReadRequest { read, incarnation });
            }
        }
    }

    pub(crate) fn on_read_reply(&mut self, core: &mut Core, read: ReadId, index: Option<LogIndex>) {
        if self.forwarded.remove(&read).is_none() {
            return;
        }
        core.effects.push(match index {
            Some(index) => Effect::ReadReady { read, index },
            None => Effect::ReadAborted { read, reason: Aborted::LeadershipLost },
        });
    }

    /// This member stops following its leader.
    pub(crate) fn on_left(self, core: &mut Core) {
        for read in self.forwarded.into_keys() {
            core.effects.push(Effect::ReadAborted { read, reason: Aborted::LeadershipLost });
        }
    }

    fn give_up_reads(&mut self, core: &mut Core) {
        let now = core.now;
        self.forwarded.retain(|read, deadline| {
            let waits = *deadline > now;
            if !waits {
                let reason = Aborted::TimedOut;
                core.effects.push(Effect::ReadAborted { read: *read, reason });
            }
            waits
        });
    }
}

/// The part of an append that lies behind the log's base; `None` if nothing does.
///
/// # Panics
/// When the append contradicts what is committed here.
fn beyond_base(core: &Core, prev: LogId, entries: Entries) -> Option<(LogId, Entries)> {
    let base = core.log.base();
    let Some(skip) = base.index.get().checked_sub(prev.index.get()).filter(|skip| *skip > 0) else {
        return Some((prev, entries));
    };
    let at_base = entries.get(skip as usize - 1)?.id;
    assert!(at_base == base, "entry {at_base} is {base} here: the group has diverged");
    Some((base, entries[skip as usize..].into()))
}

/// Whether the log holds `prev`, so that what follows it in another log may follow it here.
fn holds(core: &Core, prev: LogId) -> bool {
    if core.has(Mutant::SkipPrevTermCheck) {
        return prev.index <= core.log.last().index;
    }
    core.log.id_at(prev.index) == Some(prev)
}

/// Adds what is new; cuts the log only where an entry differs (never on a mere repetition, which
/// may be late and shorter than what came since).
fn take_entries(core: &mut Core, entries: &Entries) {
    let always = core.has(Mutant::TruncateOnEveryAppend);
    let is_new = |core: &Core, entry: &Entry| {
        core.log.id_at(entry.id.index) != Some(entry.id) || (always && entry.id.index > core.commit)
    };
    let Some(first_new) = entries.iter().position(|entry| is_new(core, entry)) else {
        return;
    };
    let from = entries[first_new].id.index;
    if from <= core.log.last().index {
        core.truncate(from);
    }
    for entry in &entries[first_new..] {
        core.append(entry.clone());
    }
    if first_new == 0 {
        core.log.remember(entries);
    }
}
