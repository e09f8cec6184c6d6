//! Which calls were applied already: a command that was proposed twice counts once.
//!
//! Every member numbers the calls it proposes, within one life of its process (an incarnation).
//! For each incarnation the table keeps the applied numbers as runs, `1-90, 92-95`; calls come
//! nearly in order, so there are few.
//!
//! # Bounds, and what happens there
//! * [`RUNS_MAX`] runs an incarnation: one more, and the lowest gap closes. A call in it that
//!   comes later still is taken for applied, so it is never applied; its caller hears of a
//!   timeout. A member does not have that many calls under way.
//! * [`INCARNATIONS_MAX`] incarnations a member: the oldest goes, and from then on every call of
//!   it or of an older one counts as applied. Its process is long gone, so nobody waits for such a
//!   call; a late copy of one that was applied must not be applied again.

use std::collections::{BTreeMap, VecDeque};

use crate::command::CallOrigin;

/// Most runs of applied calls of one incarnation.
pub const RUNS_MAX: usize = 4096;

/// Most incarnations of one member.
pub const INCARNATIONS_MAX: usize = 16;

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sessions {
    members: BTreeMap<u64, Incarnations>,
}

/// The incarnations of one member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Incarnations {
    /// Calls of this incarnation and of older ones count as applied.
    forgotten: Option<u64>,
    /// In the order in which they were first heard of.
    sessions: VecDeque<Session>,
}

/// The applied calls of one incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Session {
    incarnation: u64,
    /// Everything up to here counts as applied.
    floor: u64,
    /// Applied above the floor: first -> last of each run. Runs neither touch nor overlap.
    runs: BTreeMap<u64, u64>,
}

impl Sessions {
    /// Whether this call was applied before. Calls numbered 0 never were.
    pub(crate) fn is_applied(&self, origin: CallOrigin) -> bool {
        let Some(Incarnations { forgotten, sessions }) = self.members.get(&origin.member) else {
            return false;
        };
        let is_forgotten = forgotten.is_some_and(|newest| origin.incarnation <= newest);
        let mut of_incarnation = sessions.iter().filter(|s| s.incarnation == origin.incarnation);
        origin.call != 0
            && (is_forgotten || of_incarnation.any(|session| session.is_applied(origin.call)))
    }

    /// Notes that this call was applied.
    pub(crate) fn mark(&mut self, origin: CallOrigin) {
        if origin.call == 0 {
            return;
        }
        let member = self.members.entry(origin.member).or_default();
        if member.forgotten.is_some_and(|newest| origin.incarnation <= newest) {
            return;
        }
        let sessions = &mut member.sessions;
        let known = sessions.iter().position(|s| s.incarnation == origin.incarnation);
        let at = known.unwrap_or_else(|| {
            let incarnation = origin.incarnation;
            sessions.push_back(Session { incarnation, floor: 0, runs: BTreeMap::new() });
            sessions.len() - 1
        });
        sessions[at].mark(origin.call);
        member.forget_oldest();
    }

    /// The newest incarnation of any member.
    pub(crate) fn newest_incarnation(&self) -> u64 {
        let of_member = |Incarnations { forgotten, sessions }: &Incarnations| {
            let known = sessions.iter().map(|session| session.incarnation);
            known.chain(*forgotten).max().unwrap_or(0)
        };
        self.members.values().map(of_member).max().unwrap_or(0)
    }

    /// Every number in the table, in one order; for comparing members.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.members.iter().flat_map(|(member, Incarnations { sessions, .. })| {
            sessions.iter().flat_map(|session| {
                let runs = session.runs.iter().flat_map(|(first, last)| [*first, *last]);
                [*member, session.incarnation, session.floor].into_iter().chain(runs)
            })
        })
    }
}

impl Incarnations {
    /// Lets the oldest incarnation go once there are too many.
    fn forget_oldest(&mut self) {
        if self.sessions.len() <= INCARNATIONS_MAX {
            return;
        }
        let oldest = self.sessions.iter().map(|session| session.incarnation).min();
        self.sessions.retain(|session| Some(session.incarnation) != oldest);
        self.forgotten = self.forgotten.max(oldest);
    }
}

impl Session {
    fn is_applied(&self, call: u64) -> bool {
        let run = self.runs.range(..=call).next_back();
        call <= self.floor || run.is_some_and(|(_, last)| call <= *last)
    }

    fn mark(&mut self, call: u64) {
        if Some(call) == self.floor.checked_add(1) {
            // Calls come in order, mostly. A run behind this one is the lowest.
            self.floor = self.runs.remove(&(call.saturating_add(1))).unwrap_or(call);
            return;
        }
        if self.is_applied(call) {
            return;
        }
        let last = self.runs.remove(&(call.saturating_add(1))).unwrap_or(call);
        let before = self.runs.range_mut(..call).next_back();
        match before {
            Some((_, end)) if *end + 1 == call => *end = last,
            Some(_) | None => {
                self.runs.insert(call, last);
            }
        }
        if self.runs.first_key_value().is_some_and(|(first, _)| *first == self.floor + 1)
            || self.runs.len() > RUNS_MAX
        {
            self.raise_floor();
        }
    }

    /// Lets everything up to the end of the lowest run count as applied.
    fn raise_floor(&mut self) {
        if let Some((_, last)) = self.runs.pop_first() {
            self.floor = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Prng;
    use std::collections::BTreeSet;

    fn origin(incarnation: u64, call: u64) -> CallOrigin {
        CallOrigin { member: 1, incarnation, call }
    }

    #[test]
    fn agrees_with_a_plain_set() {
        for seed in 0..200 {
            let mut random = Prng::named(seed, "session");
            let (mut sessions, mut set) = (Sessions::default(), BTreeSet::new());
            for _ in 0..300 {
                let call = origin(random.below(3), random.between(1, 100));
                assert_eq!(sessions.is_applied(call), set.contains(&call), "{call:?}");
                sessions.mark(call);
                set.insert(call);
            }
        }
    }

    #[test]
    fn the_lowest_gap_closes_above_the_bound() {
        let mut sessions = Sessions::default();
        for run in 0..=RUNS_MAX as u64 {
            sessions.mark(origin(7, 3 + 2 * run));
        }
        assert!(sessions.is_applied(origin(7, 1)), "the gap below the first run");
        assert!(!sessions.is_applied(origin(7, 4)), "the next gap");
        assert_eq!(sessions.numbers().count(), 3 + 2 * RUNS_MAX);
    }

    #[test]
    fn calls_of_a_forgotten_incarnation_count_as_applied() {
        let mut sessions = Sessions::default();
        for incarnation in 0..=INCARNATIONS_MAX as u64 {
            sessions.mark(origin(incarnation, 1));
        }
        assert!(sessions.is_applied(origin(0, 1)), "a late copy of one that was applied");
        assert!(sessions.is_applied(origin(0, 2)), "nobody waits for this one");
        assert!(sessions.is_applied(origin(1, 1)) && !sessions.is_applied(origin(1, 2)));
        sessions.mark(origin(0, 3));
        assert!(!sessions.is_applied(origin(1, 2)), "the forgotten one does not come back");
        assert_eq!(sessions.newest_incarnation(), INCARNATIONS_MAX as u64);
    }

    #[test]
    fn number_zero_may_be_applied_again() {
        let mut sessions = Sessions::default();
        sessions.mark(origin(1, 0));
        assert!(!sessions.is_applied(origin(1, 0)));
        assert_eq!(sessions, Sessions::default());
    }
}
