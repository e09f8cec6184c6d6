//! Damaged records of the state are asked of the others, and looked for before they are needed.
//!
//! ```text
//! Scrub ─► Checked (damaged: 17) ── RecordsWanted 17 ──► another member ─► ReadRecords
//! Apply ─► Applied (halts at 17)                                                │
//! Repair ◄───────────────────────── Records 17 … ◄── RecordsRead ◄──────────────┘
//! ```
//!
//! Everybody who has applied that entry can help. A leader whose applying stands still hands over.
//! A log that can no longer read an old segment back needs no help: what it holds is applied, so
//! once the state is durable that part of the log is cut, and who is behind gets a snapshot.

use crate::interface::{DamagedRecord, Effect, StateSummary};
use crate::peer::PeerMessage;
use crate::replica::Replica;
use crate::state_thread::StateOrder;
use bytes::Bytes;
use raft::{Input, LogIndex, MemberId};
use storage::Scrubbed;

/// Between two questions.
const ASK_MS: u64 = 200;

/// Between two steps of the background check: with [`SCRUB_BYTES`] 1 GiB takes two hours.
const SCRUB_MS: u64 = 250;

/// Bytes checked in one step.
const SCRUB_BYTES: u64 = 32 << 10;

/// Between two rounds.
const ROUND_REST_MS: u64 = 5_000;

/// What others sent for a record may fail to be it so often from each of them.
const UNPROVEN_MAX: u32 = 3;

/// Questions and checks under way.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Counts the questions.
    turn: u64,
    asked_at: u64,
    is_scrubbing: bool,
    scrub_due: u64,
    /// Damaged segments of the log that were cut.
    log_segments_cut: u64,
}

impl Replica {
    /// Damaged segments of the log that were given up since the start.
    pub fn log_segments_cut(&self) -> u64 {
        self.records.log_segments_cut
    }

    pub(crate) fn tick_records(&mut self, effects: &mut Vec<Effect>) {
        if !self.is_open() {
            return;
        }
        if !self.records.is_scrubbing && self.tick >= self.records.scrub_due {
            self.records.is_scrubbing = true;
            self.records.scrub_due = self.tick + self.timing.ticks(SCRUB_MS);
            effects.push(Effect::State(StateOrder::Scrub { budget_bytes: SCRUB_BYTES }));
        }
        let is_due = self.tick - self.records.asked_at >= self.timing.ticks(ASK_MS);
        if let Some(damaged) = self.state.damaged.filter(|_| is_due) {
            self.ask_for_records(damaged, effects);
        }
    }

    pub(crate) fn on_checked(
        &mut self,
        state: StateSummary,
        scrub: Option<Scrubbed>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(scrubbed) = scrub {
            self.records.is_scrubbing = false;
            if scrubbed == Scrubbed::Round {
                self.records.scrub_due = self.tick + self.timing.ticks(ROUND_REST_MS);
            }
        }
        self.note_state(state, effects);
    }

    /// Takes over what the state says of itself; asks at once for what it lacks.
    pub(crate) fn note_state(&mut self, state: StateSummary, effects: &mut Vec<Effect>) {
        let before = core::mem::replace(&mut self.state, state).damaged;
        let Some(damaged) = state.damaged.filter(|damaged| before != Some(*damaged)) else {
            return;
        };
        self.ask_for_records(damaged, effects);
        if damaged.halts && self.is_leader() {
            self.drive(Input::TransferRequested { to: None }, effects);
        }
    }

    fn ask_for_records(&mut self, damaged: DamagedRecord, effects: &mut Vec<Effect>) {
        let others = self.raft.membership().ids().filter(|id| *id != self.member).count();
        let is_hopeless = damaged.unproven >= UNPROVEN_MAX.saturating_mul(others as u32);
        if damaged.halts && is_hopeless {
            let DamagedRecord { index, .. } = damaged;
            let reason = format!(
                "the record of entry {index} in the state is damaged, and none of {others} other \
                 members has what was written there: check the disk, then start this member \
                 again; it gives up the state from there on and restores it from its log or from \
                 a snapshot"
            );
            return effects.push(Effect::Stop { reason });
        }
        (self.records.asked_at, self.records.turn) = (self.tick, self.records.turn + 1);
        if let Some(to) = self.other_in_turn(self.records.turn) {
            let message = PeerMessage::RecordsWanted { index: damaged.index };
            effects.push(Effect::Send { to, message });
        }
    }

    /// Another member's state is damaged.
    pub(crate) fn on_records_wanted(
        &mut self,
        to: MemberId,
        index: LogIndex,
        effects: &mut Vec<Effect>,
    ) {
        if index <= self.applied && !self.needs_state() {
            effects.push(Effect::State(StateOrder::ReadRecords { to, index }));
        }
    }

    pub(crate) fn on_records_read(
        &mut self,
        to: MemberId,
        index: LogIndex,
        records: Vec<Bytes>,
        effects: &mut Vec<Effect>,
    ) {
        if !records.is_empty() {
            effects.push(Effect::Send { to, message: PeerMessage::Records { index, records } });
        }
    }

    /// Records came; the state decides whether they are what it lacks.
    pub(crate) fn on_records(
        &mut self,
        index: LogIndex,
        records: Vec<Bytes>,
        effects: &mut Vec<Effect>,
    ) {
        if self.state.damaged.is_some_and(|damaged| damaged.index == index) {
            effects.push(Effect::State(StateOrder::Repair { index, records }));
        }
    }

    /// A part of the log cannot be read back: it is cut as soon as the state holds it durably.
    pub(crate) fn on_log_rotten(&mut self, through: LogIndex, effects: &mut Vec<Effect>) {
        if through <= self.applied && self.kept.give_up(through) {
            self.records.log_segments_cut += 1;
            self.kept.sync_now(effects);
        }
    }
}
