//! How far a leader knows one other member to be, and what may be sent to it now.
//!
//! *Probe*: the place where the logs agree is a guess; one append at a time, no answer, no next.
//! *Replicate*: it is known; appends follow each other without waiting, within a window counted in
//! messages and bytes. *Snapshot*: what the member needs next was cut away; nothing is appended
//! until the shell reports how the delivery ended.
//!
//! The window in messages opens slowly (as TCP's does, RFC 5681 3.1): it begins with
//! [`FIRST_WINDOW`] and grows by one with every message that is acknowledged. A network that lets
//! appends overtake each other has them refused and brings the member back to *Probe*; a full
//! window sent after each good probe would be refused again, and the waste would grow with the
//! square of what the member lacks.
//!
//! Losses are found by heartbeats: each append remembers the heartbeat round it was sent before. A
//! member that answers a later round without having received the append has lost it (or will get
//! it late, which does no harm), and is probed from what it has.

use crate::LogIndex;
use crate::config::Config;
use crate::status::{PeerProgress, PeerState};
use alloc::collections::VecDeque;

/// See the module.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Progress {
    /// Durable and equal up to here.
    pub(crate) matched: LogIndex,
    flow: Flow,
    /// The newest heartbeat round it answered.
    pub(crate) acked_round: u64,
    /// The tick at which it last spoke in this term.
    pub(crate) heard_at: u64,
    /// It was told that everything up to here is committed.
    pub(crate) told_commit: LogIndex,
    /// It is no member any more and is forgotten at this tick, or once it knows.
    pub(crate) departs_at: Option<u64>,
    /// The first heartbeat round that tells it that its removal is committed.
    pub(crate) farewell_round: Option<u64>,
}

#[derive(Clone, Debug, Hash)]
enum Flow {
    /// `sent_in`: the round in which the unanswered probe was sent.
    Probe { next: LogIndex, sent_in: Option<u64> },
    /// `opened`: so many messages may be under way, if the configuration allows as many.
    Replicate { next: LogIndex, opened: usize, window: VecDeque<Sent>, window_bytes: u64 },
    /// The first entry that it needs.
    Snapshot { next: LogIndex },
}

/// Messages that may follow each other unanswered right after a probe: TCP begins with ten (RFC
/// 6928).
const FIRST_WINDOW: usize = 8;

/// An unanswered append.
#[derive(Clone, Copy, Debug, Hash)]
struct Sent {
    last: LogIndex,
    bytes: u64,
    round: u64,
}

impl Progress {
    /// A member of which nothing is known, first asked about the entry before `next`.
    pub(crate) fn new(next: LogIndex, now: u64) -> Self {
        Self {
            matched: LogIndex::ZERO,
            flow: Flow::Probe { next, sent_in: None },
            acked_round: 0,
            heard_at: now,
            told_commit: LogIndex::ZERO,
            departs_at: None,
            farewell_round: None,
        }
    }

    /// The next index to send.
    pub(crate) fn next(&self) -> LogIndex {
        match self.flow {
            Flow::Probe { next, .. } | Flow::Replicate { next, .. } | Flow::Snapshot { next } => {
                next
            }
        }
    }

    /// Whether the place where the logs agree is still a guess.
    pub(crate) fn is_probing(&self) -> bool {
        matches!(self.flow, Flow::Probe { .. })
    }

    /// Whether entries flow to it without waiting.
    pub(crate) fn is_replicating(&self) -> bool {
        matches!(self.flow, Flow::Replicate { .. })
    }

    /// The entries that it needs are gone.
    pub(crate) fn await_snapshot(&mut self) {
        self.flow = Flow::Snapshot { next: self.next() };
    }

    /// The delivery of a snapshot has ended: it holds everything through `installed`, or a new
    /// attempt may begin after the heartbeat round `round`.
    pub(crate) fn on_snapshot_sent(&mut self, installed: Option<LogIndex>, round: u64) {
        if let Flow::Snapshot { next } = self.flow {
            self.flow = match installed {
                Some(index) => Flow::Probe { next: index.next().max(next), sent_in: None },
                None => Flow::Probe { next, sent_in: Some(round) },
            };
        }
    }

    /// Damage took a part of its log: of what it acknowledged, only what lies through `durable` is
    /// sure to be there. Mostly it holds more, so the place is looked for from above: a member that
    /// lost a little needs no snapshot.
    pub(crate) fn on_lost(&mut self, durable: LogIndex) {
        if durable < self.matched {
            self.matched = durable;
            if !matches!(self.flow, Flow::Snapshot { .. }) {
                self.flow = Flow::Probe { next: self.next(), sent_in: None };
            }
        }
    }

    /// Whether one more append may be sent now.
    pub(crate) fn has_room(&self, config: &Config) -> bool {
        match &self.flow {
            Flow::Probe { sent_in, .. } => sent_in.is_none(),
            Flow::Replicate { opened, window, window_bytes, .. } => {
                window.len() < config.inflight_messages_max.min(*opened)
                    && *window_bytes < config.inflight_bytes_max
            }
            Flow::Snapshot { .. } => false,
        }
    }

    /// An append that ends at `last` and carries `bytes` was sent after heartbeat `round`.
    pub(crate) fn on_sent(&mut self, last: LogIndex, bytes: u64, round: u64) {
        match &mut self.flow {
            Flow::Probe { sent_in, .. } => *sent_in = Some(round),
            Flow::Replicate { next, window, window_bytes, .. } => {
                *next = last.next();
                *window_bytes += bytes;
                window.push_back(Sent { last, bytes, round });
            }
            Flow::Snapshot { .. } => {}
        }
    }

    /// The member holds everything up to `matched`.
    pub(crate) fn on_accepted(&mut self, matched: LogIndex, config: &Config) {
        self.matched = self.matched.max(matched);
        let lowest_next = self.matched.next();
        match &mut self.flow {
            Flow::Probe { .. } => {
                let (opened, window) = (FIRST_WINDOW, VecDeque::new());
                self.flow = Flow::Replicate { next: lowest_next, opened, window, window_bytes: 0 };
            }
            // It came by what it needs in another way.
            Flow::Snapshot { next } if lowest_next > *next => {
                self.flow = Flow::Probe { next: lowest_next, sent_in: None };
            }
            Flow::Snapshot { .. } => {}
            Flow::Replicate { next, opened, window, window_bytes } => {
                *next = lowest_next.max(*next);
                while let Some(sent) = window.front().filter(|sent| sent.last <= matched) {
                    *window_bytes -= sent.bytes;
                    *opened = (*opened + 1).min(config.inflight_messages_max);
                    window.pop_front();
                }
            }
        }
    }

    /// Whether a rejection of an append after `prev` answers something still of interest.
    pub(crate) fn is_expected_rejection(&self, prev: LogIndex) -> bool {
        match self.flow {
            Flow::Probe { next, sent_in } => sent_in.is_some() && prev == next.before(),
            Flow::Replicate { next, .. } => prev > self.matched && prev < next,
            Flow::Snapshot { .. } => false,
        }
    }

    /// Goes back to guessing that the logs agree before `next`.
    pub(crate) fn probe(&mut self, next: LogIndex) {
        let next = next.max(self.matched.next());
        self.flow = Flow::Probe { next, sent_in: None };
    }

    /// The member answered heartbeat `round` and had received everything up to `received`.
    pub(crate) fn on_heartbeat_reply(&mut self, round: u64, received: LogIndex) {
        self.acked_round = self.acked_round.max(round);
        match &mut self.flow {
            Flow::Probe { sent_in, .. } => {
                if sent_in.is_some_and(|sent_in| sent_in < round) {
                    *sent_in = None;
                }
            }
            Flow::Replicate { window, .. } => {
                let oldest = window.front();
                if oldest.is_some_and(|sent| sent.round < round && sent.last > received) {
                    self.probe(received.next());
                }
            }
            Flow::Snapshot { .. } => {}
        }
    }

    /// For a look from outside.
    pub(crate) fn status(&self, now: u64) -> PeerProgress {
        let (state, inflight_messages, inflight_bytes) = match &self.flow {
            Flow::Probe { sent_in, .. } => (PeerState::Probe, usize::from(sent_in.is_some()), 0),
            Flow::Replicate { window, window_bytes, .. } => {
                (PeerState::Replicate, window.len(), *window_bytes)
            }
            Flow::Snapshot { .. } => (PeerState::Snapshot, 0, 0),
        };
        PeerProgress {
            matched: self.matched,
            next: self.next(),
            state,
            inflight_messages,
            inflight_bytes,
            silent_ticks: now - self.heard_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemberId;

    fn config() -> Config {
        Config { inflight_messages_max: 12, ..Config::new(MemberId::new(1), 1) }
    }

    /// Sends as much as is allowed; returns how many appends that were.
    fn fill(progress: &mut Progress, config: &Config) -> usize {
        let mut count = 0;
        while progress.has_room(config) {
            progress.on_sent(progress.next(), 1, 1);
            count += 1;
        }
        count
    }

    #[test]
    fn the_window_opens_with_what_is_acknowledged_and_closes_with_a_refusal() {
        let config = config();
        let mut progress = Progress::new(LogIndex::new(1), 0);
        assert_eq!(fill(&mut progress, &config), 1, "a probe goes alone");
        progress.on_accepted(LogIndex::new(0), &config);
        assert_eq!(fill(&mut progress, &config), FIRST_WINDOW);
        progress.on_accepted(LogIndex::new(3), &config);
        assert_eq!(fill(&mut progress, &config), 2 * 3, "three are answered, so three more fit");
        progress.on_accepted(LogIndex::new(14), &config);
        assert_eq!(fill(&mut progress, &config), config.inflight_messages_max);
        assert!(progress.is_expected_rejection(LogIndex::new(20)));
        progress.probe(LogIndex::new(15));
        assert_eq!(fill(&mut progress, &config), 1);
        progress.on_accepted(LogIndex::new(15), &config);
        assert_eq!(fill(&mut progress, &config), FIRST_WINDOW);
    }
}
