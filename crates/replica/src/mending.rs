//! What a damaged log lacks, asked of the others (PAR, "Protocol-Aware Recovery", FAST 2018).
//!
//! A member whose log lost entries that it once acknowledged does not vote until it has them
//! again. A leader brings them by itself; but if several members are damaged in different places,
//! none may vote and there is no leader, although every entry is on some disk. So the member also
//! asks the others: "if your log holds *this* entry, send me what lies before it". Two logs that
//! hold the same entry are equal up to it, so what comes needs no other proof. The entry named is
//! the first intact one behind the damage, or the last one that is owed. Who has cut that part of
//! its log away sends a snapshot instead.
//!
//! If nothing on the disk tells what is owed, the leader is asked where its own log ends.

use crate::interface::{Effect, LoadPurpose};
use crate::peer::PeerMessage;
use crate::replica::Replica;
use raft::{Entry, Input, LogId, MemberId, Restriction, RoleName, Term};

/// Between two questions.
const ASK_MS: u64 = 200;

/// Bytes of entries in one answer, about.
const ANSWER_BYTES: u64 = 1 << 20;

impl Replica {
    /// Asks the next member in turn for entries, or the leader for what is owed.
    pub(crate) fn tick_mending(&mut self, effects: &mut Vec<Effect>) {
        let Some(restriction) = self.raft.restriction() else { return };
        if !self.tick.is_multiple_of(self.timing.ticks(ASK_MS)) {
            return;
        }
        let Restriction::Owes(owed) = restriction else {
            return self.ask_for_end(restriction, effects);
        };
        if let Some(at) = self.salvaged.iter().rposition(|entry| self.raft.holds(entry.id)) {
            let entries = self.salvaged.split_off(at + 1);
            self.salvaged.clear();
            return self.drive(Input::Refilled { entries }, effects);
        }
        // What a snapshot has replaced since then proves nothing any more.
        let after = self.raft.last();
        self.salvaged.retain(|entry| entry.id.index > after.index);
        let anchor = self.salvaged.first().map_or(owed, |entry| entry.id);
        if self.raft.holds(anchor) {
            return self.drive(Input::Refilled { entries: Vec::new() }, effects);
        }
        if let Some(to) = self.other_in_turn(self.tick / self.timing.ticks(ASK_MS)) {
            let message = PeerMessage::EntriesWanted { after, anchor };
            effects.push(Effect::Send { to, message });
        }
    }

    /// Nothing on the disk tells what was lost, but the leader can ([`raft::Raft::learn_owed`]).
    fn ask_for_end(&self, restriction: Restriction, effects: &mut Vec<Effect>) {
        let leader = self.leader.filter(|leader| *leader != self.member);
        if let Some(to) = leader.filter(|_| restriction == Restriction::OwesUnknown) {
            let message = PeerMessage::EndWanted { incarnation: self.incarnation };
            effects.push(Effect::Send { to, message });
        }
    }

    /// A member with a damaged log asks where the leader's ends.
    pub(crate) fn on_end_wanted(
        &mut self,
        to: MemberId,
        incarnation: u64,
        effects: &mut Vec<Effect>,
    ) {
        let status = self.raft.status();
        if status.role == RoleName::Leader {
            let (term, last) = (status.term, status.last);
            let message = PeerMessage::End { incarnation, term, last };
            effects.push(Effect::Send { to, message });
        }
    }

    /// The leader of `term` has answered. An answer to a question of an earlier process life may be
    /// older than what was acknowledged since.
    pub(crate) fn on_end(&mut self, incarnation: u64, term: Term, last: LogId) {
        if incarnation == self.incarnation {
            self.raft.learn_owed(term, last);
        }
    }

    /// One of the other members, each in its turn.
    pub(crate) fn other_in_turn(&self, turn: u64) -> Option<MemberId> {
        let others = || self.raft.membership().ids().filter(|id| *id != self.member);
        others().nth((turn as usize).checked_rem(others().count())?)
    }

    /// Another member's log is damaged; if this one is equal to it up to `anchor`, it can help.
    pub(crate) fn on_entries_wanted(
        &mut self,
        to: MemberId,
        after: LogId,
        anchor: LogId,
        effects: &mut Vec<Effect>,
    ) {
        // What it lacks was cut away here: a snapshot holds all of it, leader or not.
        if after.index < self.raft.base().index && !self.needs_state() {
            return self.open_snapshot(to, effects);
        }
        let is_equal = self.raft.holds(after) && self.raft.holds(anchor);
        if is_equal && after.index < anchor.index {
            let purpose = LoadPurpose::Mending { to, anchor };
            let from = after.index.next();
            effects.push(Effect::Load { from, max_bytes: ANSWER_BYTES, purpose });
        }
    }

    /// Entries for another member's log were read.
    pub(crate) fn send_entries(
        &self,
        to: MemberId,
        anchor: LogId,
        mut entries: Vec<Entry>,
        effects: &mut Vec<Effect>,
    ) {
        entries.retain(|entry| entry.id.index <= anchor.index && self.raft.holds(entry.id));
        if !entries.is_empty() {
            let message = PeerMessage::Entries { anchor, entries };
            effects.push(Effect::Send { to, message });
        }
    }

    /// Entries came from a member whose log holds `anchor`.
    pub(crate) fn on_entries(
        &mut self,
        anchor: LogId,
        entries: Vec<Entry>,
        effects: &mut Vec<Effect>,
    ) {
        let wanted = match (self.raft.restriction(), self.salvaged.first()) {
            (Some(Restriction::Owes(_)), Some(first)) => Some(first.id),
            (Some(Restriction::Owes(owed)), None) => Some(owed),
            _ => None,
        };
        if wanted == Some(anchor) {
            self.drive(Input::Refilled { entries }, effects);
        }
    }

    /// Tells the log once the loss is made good.
    pub(crate) fn note_mended(&mut self, effects: &mut Vec<Effect>) {
        if self.has_loss && self.raft.restriction().is_none() {
            self.has_loss = false;
            self.salvaged.clear();
            effects.push(Effect::SettleLoss);
        }
    }
}
