//! Overload: what is turned away first.
//!
//! A node that takes everything serves nobody: queues grow, callers give up and come again. So the
//! requests under way are counted by kind, each kind has a bound, and the bounds of the less
//! important kinds shrink as ballots fill up: pages and lists are turned away (503, come back in a
//! second) while ballots still get in; ballots beyond their own bound get 429 and go to another
//! node, where the same bytes count once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Ballots under way.
const BALLOTS_MAX: usize = 4096;

/// Everything else under way, while no ballots are.
const OTHERS_MAX: usize = 1024;

/// Others that are let in however many ballots there are: administrators must be able to act.
const OTHERS_MIN: usize = 16;

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A voter casts.
    Ballot,
    /// Anything else.
    Other,
}

/// Whether one more request of `kind` is let in beside those under way.
pub(crate) fn admits(kind: Kind, ballots: usize, others: usize) -> bool {
    match kind {
        Kind::Ballot => ballots < BALLOTS_MAX,
        Kind::Other => {
            let room = BALLOTS_MAX.saturating_sub(ballots);
            let bound = (OTHERS_MAX * room / BALLOTS_MAX).max(OTHERS_MIN);
            others < bound
        }
    }
}

/// Counts the requests under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauge(Arc<[AtomicUsize; 2]>);

/// One request under way; dropping it ends that.
#[derive(Debug)]
pub(crate) struct UnderWay {
    gauge: Gauge,
    kind: Kind,
}

impl Gauge {
    /// Lets a request in, or not.
    pub(crate) fn enter(&self, kind: Kind) -> Option<UnderWay> {
        let (ballots, others) = self.counts();
        if !admits(kind, ballots, others) {
            return None;
        }
        self.0[kind as usize].fetch_add(1, Ordering::Relaxed);
        Some(UnderWay { gauge: self.clone(), kind })
    }

    /// Ballots and others under way.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.0[0].load(Ordering::Relaxed), self.0[1].load(Ordering::Relaxed))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.gauge.0[self.kind as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_before_ballots_and_administrators_always_get_in() {
        assert!(admits(Kind::Other, 0, OTHERS_MAX - 1));
        assert!(!admits(Kind::Other, 0, OTHERS_MAX));
        assert!(!admits(Kind::Other, BALLOTS_MAX / 2, OTHERS_MAX / 2));
        assert!(admits(Kind::Ballot, BALLOTS_MAX - 1, OTHERS_MAX));
        assert!(!admits(Kind::Ballot, BALLOTS_MAX, 0));
        assert!(admits(Kind::Other, BALLOTS_MAX, OTHERS_MIN - 1));
        assert!(!admits(Kind::Other, BALLOTS_MAX, OTHERS_MIN));
    }

    #[test]
    fn who_leaves_makes_room() {
        let gauge = Gauge::default();
        let inside: Vec<_> = (0..BALLOTS_MAX).map(|_| gauge.enter(Kind::Ballot)).collect();
        assert!(inside.iter().all(Option::is_some) && gauge.enter(Kind::Ballot).is_none());
        drop(inside);
        assert_eq!(gauge.counts(), (0, 0));
        assert!(gauge.enter(Kind::Ballot).is_some());
    }
}
