//! Overload: what is turned away first.
//!
//! A node that takes everything serves nobody: queues grow, callers give up and come again. So the
//! requests under way are counted by kind ([`Gauge`]), and ballots on their way into the ledger
//! have a bound of their own that follows what the node manages ([`Intake`]): as many as it has
//! ordered and judged within [`TIME_MAX`]. Ballots beyond it get 429 at once and go to another
//! node, where the same bytes count once. While that happens, the pages of strangers come last: few
//! of them are served (503, come back in a second), and people with accounts can still act.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Ballots under way, those that wait to become final with them: a bound of memory.
const BALLOTS_MAX: usize = 4096;

/// Everything else under way, while no ballots are.
const OTHERS_MAX: usize = 1024;

/// Others that are let in however many ballots there are: administrators must be able to act.
const OTHERS_MIN: usize = 16;

/// How long a ballot should take at most until this node has ordered and judged it.
const TIME_MAX: Duration = Duration::from_millis(1000);

/// Bounds of [`Intake`]'s bound; it begins in the middle.
const INTAKE_MIN: usize = 32;
const INTAKE_FIRST: usize = 256;
const INTAKE_MAX: usize = BALLOTS_MAX;

/// So long after a ballot was turned away strangers' pages come last.
const PRESSED_FOR: Duration = Duration::from_secs(2);

/// A page of a stranger in each such time, while ballots are turned away.
const PAGE_EVERY: Duration = Duration::from_millis(50);

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A voter casts.
    Ballot,
    /// Anything else.
    Other,
}

impl Kind {
    /// For figures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ballot => "ballot",
            Self::Other => "other",
        }
    }
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

/// How many ballots may be on their way into the ledger. While they arrive in time, 8 more, or a
/// twentieth, for each time that all have arrived; a fifth fewer when they are late (increase and
/// decrease as in Chiu and Jain 1989, with a faster increase for fast nodes).
#[derive(Clone, Debug)]
struct Bound {
    places: f64,
    /// Ballots still to come that were let in before the bound last shrank: they say nothing new.
    stale: usize,
}

impl Bound {
    fn new() -> Self {
        Self { places: INTAKE_FIRST as f64, stale: 0 }
    }

    fn places(&self) -> usize {
        self.places as usize
    }

    /// A ballot was judged after `took`; `waiting` were on their way, it included.
    fn judged(&mut self, took: Duration, waiting: usize) {
        if self.stale > 0 {
            self.stale -= 1;
        } else if took > TIME_MAX {
            self.places = (self.places * 0.8).max(INTAKE_MIN as f64);
            self.stale = waiting;
        } else if waiting * 2 > self.places() {
            let more = (8.0 / self.places).max(0.05);
            self.places = (self.places + more).min(INTAKE_MAX as f64);
        }
    }
}

/// Ballots on their way into the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Intake(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    bound: Bound,
    waiting: usize,
    /// When a ballot was last turned away.
    turned_away: Option<Instant>,
    /// When a stranger last got a page while ballots were turned away.
    page: Option<Instant>,
}

impl State {
    fn has_room(&mut self) -> bool {
        let has_room = self.waiting < self.bound.places();
        if !has_room {
            self.turned_away = Some(Instant::now());
        }
        has_room
    }
}

/// A ballot's place on the way; dropping it gives it up.
#[derive(Debug)]
pub(crate) struct Place {
    intake: Intake,
    since: Instant,
}

impl Intake {
    pub(crate) fn new() -> Self {
        let (bound, waiting) = (Bound::new(), 0);
        Self(Arc::new(Mutex::new(State { bound, waiting, turned_away: None, page: None })))
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a ballot that comes now would find a place; if not, it counts as turned away.
    pub(crate) fn has_room(&self) -> bool {
        self.with(State::has_room)
    }

    /// Takes a place, if there is one.
    pub(crate) fn enter(&self) -> Option<Place> {
        let is_in = self.with(|state| {
            let has_room = state.has_room();
            state.waiting += usize::from(has_room);
            has_room
        });
        is_in.then(|| Place { intake: self.clone(), since: Instant::now() })
    }

    /// Whether a stranger gets a page now.
    pub(crate) fn admits_page(&self) -> bool {
        self.with(|state| {
            let now = Instant::now();
            let is_within = |since: Option<Instant>, time| since.is_some_and(|at| now - at < time);
            if !is_within(state.turned_away, PRESSED_FOR) {
                return true;
            }
            let is_turn = !is_within(state.page, PAGE_EVERY);
            if is_turn {
                state.page = Some(now);
            }
            is_turn
        })
    }

    /// Ballots on their way, and how many may be.
    pub(crate) fn counts(&self) -> (usize, usize) {
        self.with(|state| (state.waiting, state.bound.places()))
    }
}

impl Place {
    /// The ballot is ordered and judged.
    pub(crate) fn done(self) {
        let took = self.since.elapsed();
        self.intake.with(|state| state.bound.judged(took, state.waiting));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.intake.with(|state| state.waiting -= 1);
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
    fn the_bound_follows_what_the_node_manages() {
        // A node that orders `rate` ballots a second, with as many on their way as it lets in.
        let settle = |rate: f64| {
            let mut bound = Bound::new();
            for _ in 0..100_000 {
                let waiting = bound.places();
                bound.judged(Duration::from_secs_f64(waiting as f64 / rate), waiting);
            }
            bound.places()
        };
        for rate in [80.0, 400.0, 2000.0] {
            let managed = rate * TIME_MAX.as_secs_f64();
            let places = settle(rate) as f64;
            assert!((managed * 0.75..=managed + 1.0).contains(&places), "{rate}: {places}");
        }
        assert_eq!(settle(1.0), INTAKE_MIN);
        assert_eq!(settle(1e9), INTAKE_MAX);
    }

    #[test]
    fn a_quiet_node_keeps_its_bound() {
        let mut bound = Bound::new();
        for _ in 0..10_000 {
            bound.judged(Duration::from_millis(20), 3);
        }
        assert_eq!(bound.places(), INTAKE_FIRST);
    }

    #[test]
    fn places_come_back_and_pages_come_last_while_ballots_are_turned_away() {
        let intake = Intake::new();
        assert!(intake.admits_page() && intake.admits_page());
        let places: Vec<_> = (0..INTAKE_FIRST).map(|_| intake.enter()).collect();
        assert!(places.iter().all(Option::is_some) && intake.enter().is_none());
        assert_eq!(intake.counts(), (INTAKE_FIRST, INTAKE_FIRST));
        let pages = (0..1000).filter(|_| intake.admits_page()).count();
        assert!((1..1000).contains(&pages), "{pages}");
        drop(places);
        assert_eq!(intake.counts().0, 0);
        intake.enter().expect("a place").done();
        assert_eq!(intake.counts().0, 0);
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
