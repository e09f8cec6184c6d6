//! Snapshots on their way: who sends one to whom, and the one that comes in.
//!
//! The receiver pulls. It is offered a snapshot, fills its other folder with the parts it asks for,
//! one at a time, and asks again when nothing comes; so a lost connection costs one part, and the
//! receiver's disk sets the pace. The sender keeps nothing but the offer, and serves parts out of
//! an allowance of bytes a second, so that its own work is not starved.
//!
//! ```text
//! sender                                   receiver
//! OpenExport ─► ExportOpened
//!        ── SnapshotOffered ─────────────► BeginStage ─► Staged
//!        ◄──────────────── ChunkWanted 0 ─
//! Export ─► Exported ── Chunk ───────────► Stage ─► Staged
//!        ◄──────────────── ChunkWanted n ─   …
//!                                          FinishStage ─► StageFinished
//!                                          consensus rebases its log, durably ─► Install
//!        ◄─────────────── SnapshotEnded ──
//! ```

use crate::interface::Effect;
use crate::mutant::Mutant;
use crate::peer::{Offer, PeerMessage, SnapshotId};
use crate::replica::Replica;
use crate::state_store::{Export, StageError};
use crate::state_thread::StateOrder;
use raft::{Input, LogIndex, MemberId, Snapshot};
use std::collections::BTreeMap;
use storage::{Chunk, ReadError};

/// About so many bytes of records are in one part.
pub(crate) const CHUNK_BYTES: u64 = 256 << 10;

/// A part is asked for again after so many milliseconds without one.
const ASK_AGAIN_MS: u64 = 300;

/// A sender that kept silent for so many milliseconds loses its place to another one.
const SILENCE_MS: u64 = 1_000;

/// A transfer of which nothing was heard for so many milliseconds has ended.
const PATIENCE_MS: u64 = 10_000;

/// Snapshots on their way out and in.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    outgoing: BTreeMap<MemberId, Outgoing>,
    incoming: Option<Incoming>,
    /// The newest snapshot that each member has offered.
    newest: BTreeMap<MemberId, SnapshotId>,
    /// Snapshots offered in this process life.
    offered: u64,
    /// Bytes that may be sent now.
    allowance: u64,
}

#[derive(Debug)]
struct Outgoing {
    offer: Option<Offer>,
    /// The tick at which the receiver last said something, or the transfer began.
    heard_at: u64,
    /// The tick at which it was offered last.
    offered_at: u64,
    /// The part that is wanted and not yet read.
    wanted: Option<u64>,
}

#[derive(Debug)]
struct Incoming {
    from: MemberId,
    offer: Offer,
    phase: Phase,
    /// The tick at which something came in, or was asked for.
    moved_at: u64,
    heard_at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The next byte that is wanted.
    Wanting(u64),
    /// A part is being written.
    Writing,
    /// It is whole; its digest is being compared, or consensus decides.
    Settling,
    /// Consensus has decided for it; the state follows.
    Installing,
}

impl Incoming {
    /// Whether it can be given up: no order for it is under way.
    fn can_end(&self) -> bool {
        matches!(self.phase, Phase::Wanting(_))
    }
}

impl Snapshots {
    /// The lowest index that a receiver will stand at once its snapshot is installed: the log
    /// behind it is still needed.
    pub(crate) fn lowest_outgoing(&self) -> Option<LogIndex> {
        let offers = self.outgoing.values().filter_map(|outgoing| outgoing.offer.as_ref());
        offers.map(|offer| offer.snapshot.last.index).min()
    }

    /// Whether a snapshot is coming in.
    pub(crate) fn is_receiving(&self) -> bool {
        self.incoming.is_some()
    }

    /// How many are on their way out.
    pub(crate) fn sending(&self) -> usize {
        self.outgoing.len()
    }
}

impl Replica {
    /// Somebody needs a snapshot.
    pub(crate) fn open_snapshot(&mut self, to: MemberId, effects: &mut Vec<Effect>) {
        let tick = self.tick;
        self.snapshots.outgoing.entry(to).or_insert_with(|| {
            effects.push(Effect::State(StateOrder::OpenExport { to }));
            Outgoing { offer: None, heard_at: tick, offered_at: tick, wanted: None }
        });
    }

    pub(crate) fn on_export_opened(
        &mut self,
        to: MemberId,
        export: Export,
        effects: &mut Vec<Effect>,
    ) {
        let next = u64::from(self.has(Mutant::SnapshotOfNextIndex));
        let Some(snapshot) = self.raft.snapshot_at(export.applied.plus(next)) else {
            return self.end_outgoing(to, None, effects);
        };
        let Some(outgoing) = self.snapshots.outgoing.get_mut(&to) else { return };
        self.snapshots.offered += 1;
        let id = SnapshotId { incarnation: self.incarnation, number: self.snapshots.offered };
        let Export { segment_bytes, through, digest, .. } = export;
        let offer = Offer { id, snapshot, segment_bytes, through, digest };
        outgoing.offer = Some(offer.clone());
        effects.push(Effect::Send { to, message: PeerMessage::SnapshotOffered(offer) });
    }

    pub(crate) fn on_chunk_wanted(&mut self, to: MemberId, id: SnapshotId, from: u64) {
        let Some(outgoing) = self.snapshots.outgoing.get_mut(&to) else { return };
        let through = outgoing.offer.as_ref().filter(|offer| offer.id == id);
        if through.is_some_and(|offer| from <= offer.through) {
            outgoing.heard_at = self.tick;
            outgoing.wanted = Some(from);
        }
    }

    pub(crate) fn on_exported(
        &mut self,
        to: MemberId,
        chunk: Result<Chunk, ReadError>,
        effects: &mut Vec<Effect>,
    ) {
        let offer = self.snapshots.outgoing.get(&to).and_then(|outgoing| outgoing.offer.as_ref());
        let Some(Offer { id, segment_bytes, .. }) = offer else { return };
        let (id, segment_bytes) = (*id, *segment_bytes);
        match chunk {
            Ok(chunk) => {
                let bytes: usize = chunk.records.iter().map(bytes::Bytes::len).sum();
                self.snapshots.allowance = self.snapshots.allowance.saturating_sub(bytes as u64);
                effects.push(Effect::Send { to, message: PeerMessage::Chunk { id, chunk } });
            }
            // A part of the own state is damaged: another member must lead and send one. Perhaps
            // there is none, so it is also repaired now, and not only when the check of the whole
            // state comes by.
            Err(error) => {
                if let ReadError::Damaged(damage) = &error {
                    let offset = damage.offset_in(segment_bytes);
                    effects.push(Effect::State(StateOrder::Inspect { offset }));
                }
                self.end_outgoing(to, None, effects);
                if self.is_leader() {
                    self.drive(Input::TransferRequested { to: None }, effects);
                }
            }
        }
    }

    pub(crate) fn on_snapshot_ended(
        &mut self,
        to: MemberId,
        id: SnapshotId,
        installed: Option<LogIndex>,
        effects: &mut Vec<Effect>,
    ) {
        let outgoing = self.snapshots.outgoing.get(&to);
        let is_that = |outgoing: &Outgoing| outgoing.offer.as_ref().is_some_and(|o| o.id == id);
        if outgoing.is_some_and(is_that) {
            self.end_outgoing(to, installed, effects);
        }
    }

    fn end_outgoing(
        &mut self,
        to: MemberId,
        installed: Option<LogIndex>,
        effects: &mut Vec<Effect>,
    ) {
        if self.snapshots.outgoing.remove(&to).is_some() {
            self.drive(Input::SnapshotSent { to, installed }, effects);
        }
    }

    /// Serves wanted parts out of the allowance, offers again, gives up.
    pub(crate) fn tick_outgoing(&mut self, effects: &mut Vec<Effect>) {
        if self.snapshots.outgoing.is_empty() {
            self.snapshots.allowance = 0;
            return;
        }
        let per_tick = self.snapshot_bytes_per_second * self.timing.tick_ms / 1000;
        let allowance = self.snapshots.allowance.saturating_add(per_tick.max(1));
        self.snapshots.allowance = allowance.min(per_tick.max(2 * CHUNK_BYTES));
        let (tick, again) = (self.tick, self.timing.ticks(ASK_AGAIN_MS));
        let patience = self.timing.ticks(PATIENCE_MS);
        let mut silent = Vec::new();
        let mut left = self.snapshots.allowance;
        for (to, outgoing) in &mut self.snapshots.outgoing {
            let to = *to;
            if tick - outgoing.heard_at >= patience {
                silent.push(to);
            } else if let (Some(offer), Some(from)) = (&outgoing.offer, outgoing.wanted)
                && left >= CHUNK_BYTES
            {
                left -= CHUNK_BYTES;
                outgoing.wanted = None;
                let through = offer.through;
                effects.push(Effect::State(StateOrder::Export { to, from, through }));
            } else if let Some(offer) = &outgoing.offer
                && tick - outgoing.offered_at.max(outgoing.heard_at) >= again
            {
                outgoing.offered_at = tick;
                let message = PeerMessage::SnapshotOffered(offer.clone());
                effects.push(Effect::Send { to, message });
            }
        }
        silent.into_iter().for_each(|to| self.end_outgoing(to, None, effects));
    }

    pub(crate) fn on_snapshot_offered(
        &mut self,
        from: MemberId,
        offer: Offer,
        effects: &mut Vec<Effect>,
    ) {
        let (id, silence) = (offer.id, self.timing.ticks(SILENCE_MS));
        // A late copy of an old offer: its sender, which may have started again since, has none of
        // it any more, and waiting for it would take the place of one that has.
        let newest = self.snapshots.newest.entry(from).or_insert(id);
        if id < *newest {
            return;
        }
        *newest = id;
        if let Some(incoming) = &mut self.snapshots.incoming {
            if (incoming.from, incoming.offer.id) == (from, id) {
                incoming.heard_at = self.tick;
                return self.ask_for_chunk(effects);
            }
            // One at a time: another sender offers again, and its turn comes. It has come when
            // the present one has begun anew, or keeps silent.
            let is_silent = self.tick - incoming.heard_at >= silence;
            if !incoming.can_end() || !(incoming.from == from || is_silent) {
                return;
            }
            self.end_incoming(None, effects);
        }
        let last = offer.snapshot.last.index;
        if !self.needs_state() && self.raft.commit() >= last {
            let message = PeerMessage::SnapshotEnded { id, installed: Some(last) };
            return effects.push(Effect::Send { to: from, message });
        }
        let segment_bytes = offer.segment_bytes;
        let (moved_at, heard_at) = (self.tick, self.tick);
        let phase = Phase::Writing;
        self.snapshots.incoming = Some(Incoming { from, offer, phase, moved_at, heard_at });
        effects.push(Effect::State(StateOrder::BeginStage { segment_bytes }));
    }

    pub(crate) fn on_chunk(
        &mut self,
        from: MemberId,
        id: SnapshotId,
        chunk: Chunk,
        effects: &mut Vec<Effect>,
    ) {
        let Some(incoming) = &mut self.snapshots.incoming else { return };
        let is_that = (incoming.from, incoming.offer.id) == (from, id);
        if is_that && incoming.phase == Phase::Wanting(chunk.from) {
            incoming.phase = Phase::Writing;
            (incoming.moved_at, incoming.heard_at) = (self.tick, self.tick);
            effects.push(Effect::State(StateOrder::Stage { chunk }));
        }
    }

    /// The other folder holds everything up to byte `next`, or cannot take more.
    pub(crate) fn on_staged(&mut self, next: Result<u64, StageError>, effects: &mut Vec<Effect>) {
        let Some(incoming) = &mut self.snapshots.incoming else { return };
        match next {
            Ok(next) if next >= incoming.offer.through => {
                incoming.phase = Phase::Settling;
                let applied = incoming.offer.snapshot.last.index;
                let digest = incoming.offer.digest;
                effects.push(Effect::State(StateOrder::FinishStage { applied, digest }));
            }
            Ok(next) => {
                incoming.phase = Phase::Wanting(next);
                self.ask_for_chunk(effects);
            }
            Err(_) => self.end_incoming(None, effects),
        }
    }

    /// The snapshot is there, whole and durable, or not as it was announced.
    pub(crate) fn on_stage_finished(
        &mut self,
        outcome: Result<(), StageError>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(incoming) = &self.snapshots.incoming else { return };
        let snapshot = incoming.offer.snapshot.clone();
        match outcome {
            Ok(()) => self.drive(Input::SnapshotReceived { snapshot }, effects),
            Err(_) => self.end_incoming(None, effects),
        }
    }

    /// Consensus has no use for the snapshot.
    pub(crate) fn on_snapshot_refused(&mut self, snapshot: &Snapshot, effects: &mut Vec<Effect>) {
        let index = snapshot.last.index;
        let is_held = self.raft.commit() >= index;
        self.end_incoming(is_held.then_some(index), effects);
    }

    /// Consensus has rebased the log on the snapshot.
    pub(crate) fn on_install(&mut self, snapshot: &Snapshot, effects: &mut Vec<Effect>) {
        if let Some(incoming) = &mut self.snapshots.incoming {
            incoming.phase = Phase::Installing;
        }
        effects.push(Effect::State(StateOrder::Install { last: snapshot.last.index }));
    }

    /// Entries were applied, perhaps those of a snapshot.
    pub(crate) fn note_installed(&mut self, through: LogIndex, effects: &mut Vec<Effect>) {
        let Some(incoming) = &self.snapshots.incoming else { return };
        let last = incoming.offer.snapshot.last.index;
        if incoming.phase == Phase::Installing && through >= last {
            self.synced = self.synced.max(last);
            let (to, id) = (incoming.from, incoming.offer.id);
            let message = PeerMessage::SnapshotEnded { id, installed: Some(last) };
            effects.push(Effect::Send { to, message });
            self.snapshots.incoming = None;
        }
    }

    fn end_incoming(&mut self, installed: Option<LogIndex>, effects: &mut Vec<Effect>) {
        if let Some(Incoming { from, offer, .. }) = self.snapshots.incoming.take() {
            let message = PeerMessage::SnapshotEnded { id: offer.id, installed };
            effects.push(Effect::Send { to: from, message });
            effects.push(Effect::State(StateOrder::DropStage));
        }
    }

    fn ask_for_chunk(&mut self, effects: &mut Vec<Effect>) {
        let Some(incoming) = &mut self.snapshots.incoming else { return };
        if let Phase::Wanting(from) = incoming.phase {
            incoming.moved_at = self.tick;
            let message = PeerMessage::ChunkWanted { id: incoming.offer.id, from };
            effects.push(Effect::Send { to: incoming.from, message });
        }
    }

    /// Asks the leader, and every other time the next member in turn: who led last may be gone.
    /// What is in a snapshot is committed, whoever sends it.
    fn wish_for_snapshot(&self, turn: u64, effects: &mut Vec<Effect>) {
        let leader = self.leader.filter(|leader| *leader != self.member && turn.is_multiple_of(2));
        if let Some(to) = leader.or_else(|| self.other_in_turn(turn / 2)) {
            effects.push(Effect::Send { to, message: PeerMessage::SnapshotWished });
        }
    }

    /// Asks again for what did not come, gives up, and asks for a snapshot when the state is lost.
    pub(crate) fn tick_incoming(&mut self, effects: &mut Vec<Effect>) {
        let again = self.timing.ticks(ASK_AGAIN_MS);
        let Some(incoming) = &self.snapshots.incoming else {
            if self.needs_state() && self.tick.is_multiple_of(again) {
                self.wish_for_snapshot(self.tick / again, effects);
            }
            return;
        };
        if incoming.can_end() && self.tick - incoming.heard_at >= self.timing.ticks(PATIENCE_MS) {
            return self.end_incoming(None, effects);
        }
        if self.tick - incoming.moved_at >= again {
            self.ask_for_chunk(effects);
        }
    }
}
