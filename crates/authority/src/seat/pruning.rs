//! Removing the statements of settled heights from the store.
//!
//! Safe, because nobody needs them: an authority that was away takes the certificate beside any
//! later cosignature and jumps there; the cosignatures stay. Each statement was durable in its
//! author's journal before it left, so no safety rests on the store either. Some heights stay for
//! people who look, and as evidence.
//!
//! The authorities take turns; whoever is down misses its turn, and the next one removes that too.

use election::keys::{self, Key, Step};
use kv::api::{DeleteRangeRequest, KeyRange, Request};

use super::Seat;
use crate::desk::{Desk, Purpose, SeatCall};

/// Heights whose statements stay behind the last final one.
const HEIGHTS_KEPT: u64 = 16;
/// Heights of one turn.
const TURN_HEIGHTS: u64 = 16;

/// Where this authority stands with it.
#[derive(Debug, Default)]
pub(super) struct Pruning {
    /// Heights below were removed.
    below: u64,
    /// What `below` becomes if the call under way succeeds.
    sent: Option<u64>,
}

impl Seat {
    /// Removes what is due, if it is the own turn.
    pub(super) fn prune(&mut self, desk: &mut Desk) {
        if self.pruning.sent.is_some() || !self.reader.is_current() {
            return;
        }
        let last = self.finality.last_final();
        let Some(height) = last.and_then(|value| self.chronicle.height_of(value)) else { return };
        let below = height.saturating_sub(HEIGHTS_KEPT) / TURN_HEIGHTS * TURN_HEIGHTS;
        let numbers = self.finality.numbers();
        let turn = (below / TURN_HEIGHTS) as usize % numbers.len().max(1);
        if below <= self.pruning.below || numbers.get(turn) != Some(&desk.config.index) {
            return;
        }
        let first = Key::Round { height: below, round: 0, step: Step::Proposal, authority: 0 };
        let first = first.of(self.election);
        let from = [&keys::prefix(self.election)[..], b"round/"].concat();
        // Up to, not with, every key of height `below`.
        let end = first[..from.len() + 20].to_vec();
        let range = KeyRange { key: from.into(), range_end: end.into() };
        let request = Request::DeleteRange(DeleteRangeRequest { range, prev_kv: false });
        desk.call(Purpose::Seat(self.election, SeatCall::Prune), request);
        self.pruning.sent = Some(below);
    }

    pub(super) fn on_pruned(&mut self, done: bool) {
        if let Some(below) = self.pruning.sent.take().filter(|_| done) {
            self.pruning.below = below;
        }
    }
}
