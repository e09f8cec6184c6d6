//! The result of an open poll: there is nothing to decrypt, so the authorities publish it by
//! themselves once everything up to the close is final.
//!
//! The authority with the lowest number does it; the others wait for it a while.

use election::{Phase, Secrecy};

use super::{Seat, appending::Matter};
use crate::desk::Desk;

/// How long the others wait for the first one, in milliseconds.
const PATIENCE_MS: u64 = 3_000;

impl Seat {
    /// Appends the result if it is time to.
    pub(super) fn publish_on(&mut self, desk: &mut Desk) {
        let fold = self.copy.fold();
        let Some(manifest) = fold.manifest() else { return };
        let is_open_poll = manifest.definition.secrecy == Secrecy::Open;
        if !is_open_poll || !matches!(fold.phase(), Phase::Closed { .. }) {
            return;
        }
        let size = fold.tree().size();
        if self.finality.last_final().is_none_or(|value| value.size < size) {
            return;
        }
        let since_ms = *self.poll_final_ms.get_or_insert(desk.now_ms);
        let lowest = manifest.authorities.iter().map(|one| one.index).min();
        let is_due = lowest == Some(desk.config.index) || desk.now_ms >= since_ms + PATIENCE_MS;
        let Some(outcome) = is_due.then(|| fold.decrypt().ok()).flatten() else { return };
        let matter = Matter::Result(outcome.encode().into());
        if !self.intake.holds(&matter) {
            self.enqueue(matter, None);
        }
    }
}
