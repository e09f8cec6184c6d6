//! Readers of changes: each follows a range of keys, one watch after the other, on one member
//! after the other.
//!
//! Some read fast and some slowly, so that queues fill; a watch breaks now and then, and the next
//! one goes on where it ended. Now and then a reader begins anew: from now on, from the beginning,
//! or from a revision that is still to come.

use base::Prng;
use bytes::Bytes;
use kv::api::{KeyRange, WatchRequest};
use kv::watch::WatchId;

use crate::check::Stream;
use crate::swarm::Swarm;
use crate::time::{Nanos, SECOND};
use crate::truth::Member;

/// One of so many looks breaks the watch.
pub(crate) const BREAKS_EVERY: u64 = 20;

/// One of so many watches begins elsewhere than where the one before ended.
const ANEW_EVERY: u64 = 6;

/// Longest mean pause between two looks.
const PACE_MAX_NS: Nanos = 4 * SECOND;

/// Furthest beginning in the future, in revisions.
const FUTURE_MAX: u64 = 20;

/// One reader.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) random: Prng,
    range: KeyRange,
    prev_kv: bool,
    pace_ns: Nanos,
    /// What the present or last watch has told.
    pub(crate) stream: Option<Stream>,
    /// Where the present one is.
    pub(crate) at: Option<Place>,
}

/// A watch of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) member: Member,
    pub(crate) life: u64,
    pub(crate) watch: WatchId,
}

impl Reader {
    /// The readers of `seed` that `swarm` asks for.
    pub(crate) fn all(seed: u64, swarm: &Swarm) -> Vec<Self> {
        (0..swarm.readers).map(|number| Self::new(seed, number, swarm)).collect()
    }

    fn new(seed: u64, number: usize, swarm: &Swarm) -> Self {
        let mut random = Prng::named(seed, &format!("reader/{number}"));
        let key = |random: &mut Prng| Bytes::from(format!("key/{:02}", random.below(swarm.keys)));
        let range = match random.below(4) {
            0 => KeyRange::single(key(&mut random)),
            1 => KeyRange { key: key(&mut random), range_end: Bytes::from_static(b"n") },
            _ => KeyRange::prefix(""),
        };
        let slowest = 1 << random.below(8);
        Self {
            range,
            prev_kv: random.chance(1, 2),
            pace_ns: (swarm.reader_pace_ns * random.between(1, slowest)).min(PACE_MAX_NS),
            random,
            stream: None,
            at: None,
        }
    }

    /// How long until it looks again; soon once everything `is_calm`.
    pub(crate) fn pause_ns(&mut self, is_calm: bool, soon_ns: Nanos) -> Nanos {
        let pace = if is_calm { self.pace_ns.min(soon_ns) } else { self.pace_ns };
        pace / 2 + self.random.below(pace)
    }

    /// The next watch, when the store stands at `revision` as far as anybody knows; in the end
    /// where the last one ended.
    pub(crate) fn request(&mut self, revision: i64, is_calm: bool) -> WatchRequest {
        let next = self.stream.as_ref().map(Stream::next).filter(|next| *next > 0);
        let is_new = !is_calm && self.random.chance(1, ANEW_EVERY);
        let start_revision = match next.filter(|_| !is_new) {
            Some(next) => next,
            None => match self.random.below(4) {
                0 => 1,
                1 | 2 => revision + self.random.below(FUTURE_MAX) as i64,
                _ => 0,
            },
        };
        let (range, prev_kv) = (self.range.clone(), self.prev_kv);
        let progress_notify = self.random.chance(1, 2);
        WatchRequest { range, start_revision, progress_notify, prev_kv, ..WatchRequest::default() }
    }
}
