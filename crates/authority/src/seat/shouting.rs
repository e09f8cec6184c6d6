//! Split views are shouted: checkpoints that others hold, from elsewhere than the own store, are
//! compared with the own ledger, and what cannot both be true is told to everybody with both
//! signed texts.
//!
//! A node that asks only its own store cannot know whether the store shows everybody the same. So
//! nodes show each other their checkpoints directly, and so do clients. One valid cosignature is
//! enough to make a checkpoint worth comparing: whoever gave it answers for it.

use std::collections::BTreeMap;

use ledger::SignedCheckpoint;

use super::Seat;
use crate::{
    alarm::{Alarm, code},
    api::{Answer, Comparison, Notice},
    desk::Desk,
    journal::Record,
    rounds::Leaves,
};

/// Checkpoints kept that are ahead of the own ledger; above that the largest go, since sizes that
/// come soon tell sooner.
const SHOWN_MAX: usize = 64;

/// Checkpoints to be compared once the own ledger has grown, by size and text.
#[derive(Debug, Default)]
pub(super) struct Shown {
    ahead: BTreeMap<(u64, String), SignedCheckpoint>,
}

impl Seat {
    /// Something that must not happen: tell it, and store it for every node to see.
    pub(super) fn shout(
        &mut self,
        code: &'static str,
        what: String,
        texts: Vec<String>,
        desk: &mut Desk,
    ) {
        let (election, authority) = (self.election, desk.config.index);
        let alarm = Alarm {
            code: code.to_owned(),
            what: what.clone(),
            texts: texts.clone(),
            minutes: desk.minutes,
            times: 1,
        };
        let bytes = alarm.encode();
        let Some(number) = self.alarms.raise(authority, alarm) else { return };
        if !texts.is_empty() {
            desk.persist(election, &Record::Alarm { number, alarm: bytes.clone() });
        }
        let key = election::keys::Key::Alarm { authority, number };
        self.outbox.put(key.of(election), bytes);
        desk.notify(Notice::Alarm { election, code, what, texts });
    }

    /// Somebody shows a checkpoint.
    pub(crate) fn on_compared(&mut self, ticket: u64, note: &SignedCheckpoint, desk: &mut Desk) {
        let comparison = self.compare_checkpoint(note, desk);
        desk.answer(ticket, Answer::Compared(comparison));
    }

    pub(super) fn compare_checkpoint(
        &mut self,
        note: &SignedCheckpoint,
        desk: &mut Desk,
    ) -> Comparison {
        let Some(set) = self.finality.authorities() else { return Comparison::Unsigned };
        let shown = &note.checkpoint;
        let signers = set.signers(note);
        if signers.is_empty() || shown.origin != set.origin() {
            return Comparison::Unsigned;
        }
        match self.copy.root_at(shown.size) {
            Some(root) if root == shown.root.0 => Comparison::Consistent,
            Some(_) => {
                self.split_view(note, &signers, desk);
                Comparison::SplitView
            }
            None => {
                let ahead = &mut self.shown.ahead;
                ahead.insert((shown.size, note.to_string()), note.clone());
                if ahead.len() > SHOWN_MAX {
                    ahead.pop_last();
                }
                Comparison::Ahead
            }
        }
    }

    fn split_view(&mut self, note: &SignedCheckpoint, signers: &[u8], desk: &mut Desk) {
        let size = note.checkpoint.size;
        let named: Vec<String> = signers.iter().map(u8::to_string).collect();
        let quorum = self.finality.authorities().is_some_and(|set| signers.len() >= set.votes());
        let held = self.finality.last_final().filter(|value| value.size >= size);
        let against = match held {
            Some(value) => format!("which the {} leaves final here contradict", value.size),
            None => "which the entries that the store shows here contradict".to_owned(),
        };
        let what = format!(
            "authorities {} signed a root of {size} leaves{}, {against}",
            named.join(", "),
            if quorum { ", a quorum" } else { "" },
        );
        let own = held.and_then(|value| self.finality.checkpoint(value));
        let own = own.or_else(|| self.finality.final_checkpoint());
        let texts = [Some(note.to_string()), own.map(|own| own.to_string())];
        self.shout(code::SPLIT_VIEW, what, texts.into_iter().flatten().collect(), desk);
        if held.is_none() {
            self.doubt(desk);
        }
    }

    /// The own ledger has grown: what was ahead of it may be compared now.
    pub(super) fn compare_shown(&mut self, desk: &mut Desk) {
        let size = self.copy.size();
        while self.shown.ahead.first_key_value().is_some_and(|((at, _), _)| *at <= size) {
            if let Some((_, note)) = self.shown.ahead.pop_first() {
                self.compare_checkpoint(&note, desk);
            }
        }
    }
}
