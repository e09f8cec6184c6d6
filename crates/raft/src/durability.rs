//! What is on its way to the disk, and the promises that wait for it.
//!
//! Writes are numbered by tickets and become durable in their order. Each unfinished one remembers
//! up to which index the log is durable once it is done; a truncation lowers that memory, so a late
//! completion can never vouch for entries that replaced the written ones (the "ABA" race of
//! asynchronous storage).
//!
//! A message that promises something waits for a ticket. A change of term drops what waits: the
//! shell may have merged the writes that covered it with a later truncation, and an answer of an
//! older term helps nobody.

use crate::{Entries, HardState, LogIndex, MemberId, Membership, Message, Persist, Rebase, Ticket};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// At most this many messages wait for the disk; a further one is dropped, as a network may.
const HELD_MESSAGES_MAX: usize = 8192;

/// See the module.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Durability {
    pub(crate) issued: Ticket,
    pub(crate) done: Ticket,
    /// With this ticket the present hard state is durable.
    pub(crate) hard_state_ticket: Ticket,
    hard_state_changed: bool,
    truncate_from: Option<LogIndex>,
    rebase: Option<Rebase>,
    /// The first index that no [`Persist`] has carried yet.
    unwritten: LogIndex,
    pub(crate) unfinished: VecDeque<Unfinished>,
    /// Everything up to here is durable, as the log is now.
    durable: LogIndex,
    /// Messages that wait, by ticket.
    pub(crate) held: VecDeque<Held>,
}

/// A message that waits for a write.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Held {
    pub(crate) ticket: Ticket,
    pub(crate) to: MemberId,
    pub(crate) message: Message,
}

/// A write that was ordered.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Unfinished {
    pub(crate) ticket: Ticket,
    /// The last index of the log that is durable after it.
    last: LogIndex,
    /// The tick at which it was ordered.
    pub(crate) since: u64,
}

impl Durability {
    /// Everything up to `last` came from the disk.
    pub(crate) fn new(last: LogIndex) -> Self {
        Self {
            issued: Ticket::new(0),
            done: Ticket::new(0),
            hard_state_ticket: Ticket::new(0),
            hard_state_changed: false,
            truncate_from: None,
            rebase: None,
            unwritten: last.next(),
            unfinished: VecDeque::new(),
            durable: last,
            held: VecDeque::new(),
        }
    }

    /// The last durable index.
    pub(crate) fn durable(&self) -> LogIndex {
        self.durable
    }

    /// Whether the present term and vote are durable.
    pub(crate) fn is_hard_state_durable(&self) -> bool {
        self.hard_state_ticket <= self.done
    }

    /// With this ticket the present term and vote are durable.
    pub(crate) fn hard_state_ticket(&self) -> Ticket {
        self.hard_state_ticket
    }

    /// With this ticket the log is durable through `index`, and the hard state too.
    pub(crate) fn ticket_covering(&self, index: LogIndex) -> Ticket {
        let log_ticket = if index <= self.durable {
            Ticket::new(0)
        } else {
            let covering = self.unfinished.iter().find(|write| write.last >= index);
            covering.map_or(self.issued.next(), |write| write.ticket)
        };
        log_ticket.max(self.hard_state_ticket)
    }

    /// Whether what waits for `ticket` may go.
    pub(crate) fn is_done(&self, ticket: Ticket) -> bool {
        ticket <= self.done
    }

    /// Term or vote changed and must be written.
    pub(crate) fn on_hard_state_changed(&mut self) {
        self.hard_state_changed = true;
        self.hard_state_ticket = self.issued.next();
    }

    /// The log was cut at `from`.
    pub(crate) fn on_truncated(&mut self, from: LogIndex) {
        let kept = from.before();
        if self.unwritten > from {
            self.unwritten = from;
            let lowest = self.truncate_from.map_or(from, |earlier| earlier.min(from));
            self.truncate_from = Some(lowest);
        }
        self.lower(kept);
    }

    /// The log begins later from now on.
    pub(crate) fn on_cut(&mut self, rebase: Rebase) {
        self.rebase = Some(rebase);
    }

    /// The log is empty from now on and begins behind `base`. Of what it held, entries up to
    /// `kept` cannot be wrong.
    pub(crate) fn on_reset(&mut self, base: LogIndex, kept: LogIndex, rebase: Rebase) {
        self.rebase = Some(rebase);
        self.truncate_from = None;
        self.unwritten = base.next();
        self.lower(kept);
    }

    fn lower(&mut self, kept: LogIndex) {
        self.durable = self.durable.min(kept);
        for write in &mut self.unfinished {
            write.last = write.last.min(kept);
        }
    }

    /// How many ticks the oldest unfinished write has taken so far.
    pub(crate) fn stalled_ticks(&self, now: u64) -> u64 {
        self.unfinished.front().map_or(0, |write| now.saturating_sub(write.since))
    }

    /// Keeps `message` back until `ticket` is done.
    pub(crate) fn hold(&mut self, ticket: Ticket, to: MemberId, message: Message) {
        if self.held.len() < HELD_MESSAGES_MAX {
            // Mostly the last: only what waits for term and vote alone may be due earlier.
            let later = self.held.iter().rev().take_while(|held| held.ticket > ticket).count();
            self.held.insert(self.held.len() - later, Held { ticket, to, message });
        }
    }

    /// Drops everything that waits.
    pub(crate) fn drop_held(&mut self) {
        self.held.clear();
    }

    /// The first index to be carried by the next write, if anything is to be written.
    pub(crate) fn pending(&self, last: LogIndex) -> Option<LogIndex> {
        let is_dirty = self.hard_state_changed
            || self.truncate_from.is_some()
            || self.rebase.is_some()
            || self.unwritten <= last;
        is_dirty.then_some(self.unwritten)
    }

    /// The number of the write that is ordered next.
    pub(crate) fn next_ticket(&self) -> Ticket {
        self.issued.next()
    }

    /// Numbers the next write, at the tick `now`; it carries `entries` up to `last`.
    pub(crate) fn issue(
        &mut self,
        now: u64,
        hard_state: HardState,
        memberships: Option<Vec<(LogIndex, Membership)>>,
        entries: Entries,
        last: LogIndex,
    ) -> Persist {
        self.issued = self.issued.next();
        self.unfinished.push_back(Unfinished { ticket: self.issued, last, since: now });
        self.unwritten = last.next();
        let changed = core::mem::take(&mut self.hard_state_changed);
        Persist {
            ticket: self.issued,
            hard_state: changed.then_some(hard_state),
            memberships,
            rebase: self.rebase.take(),
            truncate_from: self.truncate_from.take(),
            entries,
        }
    }

    /// Every write up to `ticket` is durable; returns the messages that may go now.
    ///
    /// # Panics
    /// If that ticket was never issued: a broken shell.
    pub(crate) fn on_persisted(&mut self, ticket: Ticket) -> impl Iterator<Item = Held> {
        assert!(ticket <= self.issued, "write {ticket} is reported durable but was never ordered");
        self.done = self.done.max(ticket);
        while let Some(write) = self.unfinished.front().filter(|write| write.ticket <= ticket) {
            self.durable = self.durable.max(write.last);
            self.unfinished.pop_front();
        }
        let due = self.held.partition_point(|held| held.ticket <= ticket);
        self.held.drain(..due)
    }
}
