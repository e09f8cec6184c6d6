//! Appends, replicates, commits, and shows that it still leads.
//!
//! After each step [`Leader::settle`] draws the conclusions: commit what a majority holds, go on
//! with a membership change, hand over, confirm reads, tell followers. A new leader first appends
//! an empty entry, since only an entry of its own term may be committed by counting (Raft paper
//! 5.4.2); it commits everything before it.

use super::lease::Lease;
use super::transfer::Transfer;
use super::{Next, membership};
use crate::core::Core;
use crate::message::Body;
use crate::mutant::Mutant;
use crate::progress::Progress;
use crate::read::{Reader, Reads};
use crate::status::PeerProgress;
use crate::{
    Aborted, ChangeStep, Effect, Entries, Entry, LogId, LogIndex, MemberId, Payload, Refused,
    TransferFailed,
};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;

/// So many orders to load entries may fail in a row before a follower gets the state instead.
const FAILED_LOADS_MAX: u32 = 3;

/// See the module.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Leader {
    pub(crate) peers: BTreeMap<MemberId, Progress>,
    /// The index of the empty entry with which this leadership began.
    pub(super) first_own: LogIndex,
    /// The newest heartbeat round. Rounds count from 1 in each leadership, and a term has one
    /// leadership, so no number is used twice.
    pub(super) round: u64,
    pub(crate) round_at: u64,
    /// How often in a row the disk gave nothing back that a follower needs.
    failed_loads: u32,
    reads: Reads,
    lease: Lease,
    pub(crate) transfer: Option<Transfer>,
}

impl Leader {
    pub(crate) fn begin(core: &mut Core) -> Self {
        let first_own = core.log.last().index.next();
        let mut this = Self {
            peers: BTreeMap::new(),
            first_own,
            round: 0,
            round_at: core.now,
            failed_loads: 0,
            reads: Reads::default(),
            lease: Lease::default(),
            transfer: None,
        };
        this.adjust_peers(core);
        append(core, Payload::Empty);
        this.replicate_all(core);
        this
    }

    pub(crate) fn on_ticked(&mut self, core: &mut Core) -> Next {
        if !self.has_quorum_contact(core) && !core.has(Mutant::NoStepDown) {
            return Next::Follow { leader: None };
        }
        if self.has_stalled_for_good(core) {
            return Next::Follow { leader: None };
        }
        self.on_ticked_transfer(core);
        self.promote_who_has_caught_up(core);
        if core.now - self.round_at >= core.config.heartbeat_ticks {
            self.start_round(core);
            self.replicate_all(core);
        }
        Next::Stay
    }

    pub(crate) fn on_proposed(&mut self, core: &mut Core, payloads: Vec<Bytes>) {
        if payloads.is_empty() {
            return;
        }
        if let Some(to) = self.transfer_to() {
            let reason = Refused::Transferring { to };
            core.effects.push(Effect::ProposalRefused { payloads, reason });
            return;
        }
        let entry_bytes = |data: &Bytes| data.len() as u64 + Entry::OVERHEAD_BYTES;
        let new_bytes: u64 = payloads.iter().map(entry_bytes).sum();
        let open_bytes = core.log.bytes_between(core.commit, core.log.last().index);
        let fits = open_bytes == 0
            || open_bytes.saturating_add(new_bytes) <= core.config.uncommitted_bytes_max;
        if !fits || core.is_swamped() {
            let reason = Refused::Overloaded;
            core.effects.push(Effect::ProposalRefused { payloads, reason });
            return;
        }
        for data in payloads {
            append(core, Payload::Data(data));
        }
        self.replicate_all(core);
    }

    /// A peer said something in this term.
    pub(crate) fn on_peer_heard(&mut self, core: &Core, from: MemberId) {
        if let Some(progress) = self.peers.get_mut(&from) {
            progress.heard_at = core.now;
        }
    }

    pub(crate) fn on_accepted(&mut self, core: &mut Core, from: MemberId, matched: LogIndex) {
        let Some(progress) = self.peers.get_mut(&from) else { return };
        if matched > core.log.last().index {
            return; // No correct member holds more of this log than its leader.
        }
        progress.on_accepted(matched, &core.config);
        self.replicate_all(core);
    }

    /// The membership in force is another: speak to its members.
    pub(crate) fn on_membership_changed(&mut self, core: &mut Core) {
        self.adjust_peers(core);
        self.replicate_all(core);
    }

    pub(crate) fn on_change_requested(&mut self, core: &mut Core, steps: &[ChangeStep]) {
        let effect = match membership::requested(self, core, steps) {
            Ok(next) => {
                let index = append(core, Payload::Membership(Box::new(next)));
                Effect::ChangeAppended { index }
            }
            Err(reason) => Effect::ChangeRefused { reason },
        };
        core.effects.push(effect);
        self.replicate_all(core);
    }

    pub(crate) fn on_snapshot_sent(
        &mut self,
        core: &mut Core,
        to: MemberId,
        installed: Option<LogIndex>,
    ) {
        if let Some(progress) = self.peers.get_mut(&to) {
            progress.on_snapshot_sent(installed, self.round);
        }
        self.replicate_all(core);
    }

    /// The logs differ: go back to the last place where they can agree. Within one term both logs
    /// hold beginnings of the same run of entries, so each rejection rules out a whole term.
    pub(crate) fn on_rejected(
        &mut self,
        core: &mut Core,
        from: MemberId,
        prev: LogIndex,
        have: LogId,
        term_start: LogIndex,
    ) {
        let Some(progress) = self.peers.get_mut(&from) else { return };
        if !progress.is_expected_rejection(prev) {
            return;
        }
        let agreed = match core.log.last_at_most(have.term, have.index) {
            Some(shared) if shared.term == have.term => shared.index,
            Some(shared) => before(term_start).min(shared.index),
            None => before(term_start).min(before(core.log.base().index)),
        };
        progress.probe(agreed.next());
        self.replicate_all(core);
    }

    pub(crate) fn on_heartbeat_reply(
        &mut self,
        core: &mut Core,
        from: MemberId,
        (round, has_lost): (u64, bool),
        received: LogIndex,
        matched: LogIndex,
    ) {
        let Some(progress) = self.peers.get_mut(&from) else { return };
        if round > self.round || received.max(matched) > core.log.last().index {
            return; // No correct member answers what was not asked.
        }
        if has_lost {
            progress.on_lost(matched);
        }
        progress.on_heartbeat_reply(round, received);
        if matched > progress.matched {
            progress.on_accepted(matched, &core.config);
        }
        self.replicate_all(core);
    }

    /// Entries came back from the disk: whoever needs them gets them. A disk that gives nothing
    /// back may be damaged there: then the state takes the place of what it lost.
    pub(crate) fn on_loaded(&mut self, core: &mut Core, entries: &[Entry]) {
        self.failed_loads = if entries.is_empty() { self.failed_loads + 1 } else { 0 };
        if self.failed_loads == FAILED_LOADS_MAX {
            self.failed_loads = 0;
            self.send_state_instead(core);
        }
        for (peer, progress) in &mut self.peers {
            send_loaded(core, *peer, progress, self.round, entries);
        }
        self.replicate_all(core);
    }

    /// Whoever needs what can only be loaded gets a snapshot.
    fn send_state_instead(&mut self, core: &mut Core) {
        for (peer, progress) in &mut self.peers {
            let next = progress.next();
            let helps = next < core.log.first_cached() && next <= core.applied;
            if helps && progress.is_replicating() {
                progress.await_snapshot();
                core.effects.push(Effect::SendSnapshot { to: *peer });
            }
        }
    }

    pub(crate) fn on_read(&mut self, core: &mut Core, reader: Reader) {
        let is_settled = self.transfer.is_none() && core.is_membership_settled();
        let by_lease = is_settled && core.commit >= self.first_own && self.lease.holds(core);
        if by_lease || core.has(Mutant::ReadWithoutRound) {
            serve(core, reader, core.commit);
        } else if !self.reads.add(reader) {
            abort(core, reader, Aborted::Overloaded);
        }
    }

    /// Leadership is lost.
    pub(crate) fn on_left(self, core: &mut Core) {
        if let Some(to) = self.transfer_to().filter(|_| !self.has_stepped_aside()) {
            let reason = TransferFailed::TimedOut { to };
            core.effects.push(Effect::TransferFailed { reason });
        }
        for reader in self.reads.abandon() {
            abort(core, reader, Aborted::LeadershipLost);
        }
    }

    /// Draws the conclusions of a step.
    pub(crate) fn settle(&mut self, core: &mut Core) -> Next {
        self.advance_commit(core);
        // Like every change, this one waits for an entry of the leader's own term (Ongaro 2015).
        let may_change = core.commit >= self.first_own;
        if may_change && membership::is_joint_committed(core) {
            let left = core.membership().left();
            append(core, Payload::Membership(Box::new(left)));
            self.replicate_all(core);
        }
        let may_read = core.commit >= self.first_own || core.has(Mutant::ReadBeforeOwnCommit);
        if may_read && self.reads.wants_round() {
            self.start_round(core);
        }
        self.confirm_rounds(core);
        self.tell_commit(core);
        self.drive_transfer(core);
        self.leave_if_removed(core)
    }

    pub(crate) fn status(&self, now: u64) -> BTreeMap<MemberId, PeerProgress> {
        self.peers.iter().map(|(id, progress)| (*id, progress.status(now))).collect()
    }

    /// Brings an earlier [`Self::status`] up to date; false if nothing but silences has changed.
    pub(crate) fn refresh(&self, now: u64, seen: &mut BTreeMap<MemberId, PeerProgress>) -> bool {
        if !seen.keys().eq(self.peers.keys()) {
            *seen = self.status(now);
            return true;
        }
        let mut is_new = false;
        for (seen, progress) in seen.values_mut().zip(self.peers.values()) {
            let progress = progress.status(now);
            let silent_ticks = progress.silent_ticks;
            is_new |= PeerProgress { silent_ticks, ..*seen } != progress;
            *seen = progress;
        }
        is_new
    }

    /// For each peer: durable up to here, next to send.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (LogIndex, LogIndex)> {
        self.peers.values().map(|progress| (progress.matched, progress.next()))
    }

    /// Raft paper 5.3 and 5.4.2. This member counts itself for what its own disk holds.
    fn advance_commit(&self, core: &mut Core) {
        let own = if core.has(Mutant::CountBeforeOwnFsync) {
            core.log.last().index
        } else {
            core.durability.durable()
        };
        let held_by = |id| self.peers.get(&id).map_or(own, |progress| progress.matched);
        let agreed = core.quorum.agreed(held_by);
        let is_own = agreed >= self.first_own || core.has(Mutant::CommitOldTermByCounting);
        if is_own && agreed > core.commit {
            core.advance_commit(agreed);
        }
    }

    /// No read is served by the lease any more.
    pub(super) fn give_up_lease(&mut self) {
        self.lease.give_up();
    }

    fn has_quorum_contact(&self, core: &Core) -> bool {
        let patience = core.config.election_ticks_max;
        let is_heard = |id| {
            let silent_ticks = self.peers.get(&id).map(|progress| core.now - progress.heard_at);
            silent_ticks.is_none_or(|ticks| ticks < patience)
        };
        core.quorum.is_reached(is_heard)
    }

    /// Begins a numbered round of heartbeats. Reads that wait join it, once this leader knows the
    /// commit index of the group.
    fn start_round(&mut self, core: &mut Core) {
        let reuses = core.has(Mutant::ReadRoundReused) && self.reads.wants_round();
        self.round += u64::from(!reuses || self.round == 0);
        self.round_at = core.now;
        if core.commit >= self.first_own || core.has(Mutant::ReadBeforeOwnCommit) {
            self.reads.on_round_started(self.round, core.commit);
        }
        self.lease.on_round_started(self.round, core);
        for (peer, progress) in &mut self.peers {
            let commit = core.commit.min(progress.matched);
            progress.told_commit = commit.max(progress.told_commit);
            core.send(*peer, Body::Heartbeat { commit, round: Some(self.round) });
        }
    }

    fn confirm_rounds(&mut self, core: &mut Core) {
        if !self.reads.awaits_answers() && core.config.leader_lease.is_none() {
            return;
        }
        let answered = |id| self.peers.get(&id).map_or(u64::MAX, |progress| progress.acked_round);
        let confirmed = core.quorum.agreed(answered);
        self.lease.on_confirmed(confirmed, core);
        for (reader, index) in self.reads.on_confirmed(confirmed) {
            serve(core, reader, index);
        }
    }

    /// Followers learn of a commit with the next append, or at once if there is none to send.
    fn tell_commit(&mut self, core: &mut Core) {
        for (peer, progress) in &mut self.peers {
            let commit = core.commit.min(progress.matched);
            if commit > progress.told_commit {
                progress.told_commit = commit;
                core.send(*peer, Body::Heartbeat { commit, round: None });
            }
        }
    }

    pub(super) fn replicate_all(&mut self, core: &mut Core) {
        let mut load_from: Option<LogIndex> = None;
        for (peer, progress) in &mut self.peers {
            if let Some(from) = replicate(core, *peer, progress, self.round) {
                load_from = Some(load_from.map_or(from, |lowest| lowest.min(from)));
            }
        }
        if let Some(from) = load_from {
            core.request_load(from);
        }
    }
}

/// Appends one entry of this leadership; returns its index.
pub(super) fn append(core: &mut Core, payload: Payload) -> LogIndex {
    let id = LogId::new(core.term(), core.log.last().index.next());
    core.append(Entry { id, payload });
    id.index
}

/// Answers a read that may be served at `index`.
fn serve(core: &mut Core, reader: Reader, index: LogIndex) {
    match reader {
        Reader::Local(read) => core.effects.push(Effect::ReadReady { read, index }),
        Reader::Remote { member, read, incarnation } => {
            core.send(member, Body::ReadReply { read, incarnation, index: Some(index) });
        }
    }
}

fn before(index: LogIndex) -> LogIndex {
    if index == LogIndex::ZERO { index } else { index.before() }
}

/// Sends what the window allows; returns the first index that must be loaded first.
fn replicate(
    core: &mut Core,
    peer: MemberId,
    progress: &mut Progress,
    round: u64,
) -> Option<LogIndex> {
    while progress.has_room(&core.config) {
        let next = progress.next();
        let is_probing = progress.is_probing();
        let last = core.log.last().index;
        if next > last && !is_probing {
            return None;
        }
        if next <= core.log.base().index {
            progress.await_snapshot();
            core.effects.push(Effect::SendSnapshot { to: peer });
            return None;
        }
        // A probe needs only the entry before; what must be loaded follows once the place is known.
        if next < core.log.first_cached() && !is_probing {
            return Some(next);
        }
        let entries = core.log.slice(next, last, core.config.append_bytes_max);
        send_append(core, peer, progress, round, entries);
    }
    None
}

/// Sends the part of `loaded` that `peer` needs next, in appends of the usual size.
fn send_loaded(
    core: &mut Core,
    peer: MemberId,
    progress: &mut Progress,
    round: u64,
    loaded: &[Entry],
) {
    let Some(first) = loaded.first().map(|entry| entry.id.index) else { return };
    while !progress.is_probing() && progress.has_room(&core.config) {
        let next = progress.next();
        let Some(skip) = next.get().checked_sub(first.get()) else { return };
        let rest = loaded.get(skip as usize..).unwrap_or_default();
        if rest.is_empty() || next >= core.log.first_cached() || next <= core.log.base().index {
            return;
        }
        let mut bytes = 0u64;
        let fits = |entry: &&Entry| {
            bytes = bytes.saturating_add(entry.size_bytes());
            bytes <= core.config.append_bytes_max
        };
        let count = rest.iter().take_while(fits).count().max(1);
        send_append(core, peer, progress, round, rest[..count].into());
    }
}

fn send_append(
    core: &mut Core,
    peer: MemberId,
    progress: &mut Progress,
    round: u64,
    entries: Entries,
) {
    let prev_index = progress.next().before();
    let prev = core.log.id_at(prev_index).expect("the entry before the next is in the log");
    let last = prev_index.plus(entries.len() as u64);
    let bytes = entries.iter().map(Entry::size_bytes).sum();
    let commit = core.commit;
    progress.on_sent(last, bytes, round);
    progress.told_commit = commit.min(last).max(progress.told_commit);
    core.send(peer, Body::Append { prev, entries, commit });
}

fn abort(core: &mut Core, reader: Reader, reason: Aborted) {
    match reader {
        Reader::Local(read) => core.effects.push(Effect::ReadAborted { read, reason }),
        Reader::Remote { member, read, incarnation } => {
            core.send(member, Body::ReadReply { read, incarnation, index: None });
        }
    }
}
