//! The ordered index in memory: key -> versions, each with the place of its value.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::cursor::{Span, SpanEnd};

/// One version of a key. Versions of a key are in order of (main, sub).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Revision.
    pub(crate) main: i64,
    /// Lease, 0 for none.
    pub(crate) lease: i64,
    /// Fingerprint of the version; 0 for a deletion.
    pub(crate) digest: u64,
    /// Which change of its revision.
    pub(crate) sub: u32,
    /// Where the value starts in the revision's record.
    pub(crate) value_at: u32,
    /// Length of the value.
    pub(crate) value_len: u32,
    /// Puts since creation, this one included; 0 for a deletion.
    pub(crate) number: u32,
}

/// A version with what follows from its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) version: Version,
    pub(crate) create_revision: i64,
}

/// All versions of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History(Vec<Version>);

impl History {
    /// The newest version at or below revision `at` unless it is a deletion.
    pub(crate) fn live_at(&self, at: i64) -> Option<Found> {
        let end = match self.0.last() {
            // Nearly every read is of the newest version; a key written often has many.
            Some(newest) if newest.main <= at => self.0.len(),
            Some(_) | None => self.0.partition_point(|version| version.main <= at),
        };
        self.found(end.checked_sub(1)?).filter(|found| found.version.number > 0)
    }

    /// The version written by change `sub` of revision `main`.
    pub(crate) fn exact(&self, main: i64, sub: u32) -> Option<Found> {
        let at = self.0.binary_search_by_key(&(main, sub), |v| (v.main, v.sub)).ok()?;
        self.found(at)
    }

    /// The newest version, be it a deletion.
    pub(crate) fn newest(&self) -> Option<Found> {
        self.found(self.0.len().checked_sub(1)?)
    }

    fn found(&self, at: usize) -> Option<Found> {
        let version = *self.0.get(at)?;
        // The puts of one life lie side by side, so its first is `number - 1` places before.
        let first = at - (version.number.max(1) as usize - 1);
        Some(Found { version, create_revision: self.0[first].main })
    }
}

/// The index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    keys: BTreeMap<Box<[u8]>, History>,
}

impl Index {
    pub(crate) fn history(&self, key: &[u8]) -> Option<&History> {
        self.keys.get(key)
    }

    /// Adds the version that `next` makes of the newest one, with one search for the key. An
    /// error of `next` changes nothing.
    pub(crate) fn push_next<E>(
        &mut self,
        key: &[u8],
        next: impl FnOnce(Option<Found>) -> Result<Version, E>,
    ) -> Result<Found, E> {
        if let Some(history) = self.keys.get_mut(key) {
            let version = next(history.newest())?;
            history.0.push(version);
            return Ok(history.newest().expect("just pushed"));
        }
        let version = next(None)?;
        // Most keys are written once: no room is kept for a second version.
        self.keys.insert(key.into(), History(vec![version]));
        Ok(Found { version, create_revision: version.main })
    }

    /// The keys of `span` with their histories, ascending.
    pub(crate) fn range<'a>(
        &'a self,
        span: &Span,
    ) -> impl Iterator<Item = (&'a [u8], &'a History)> + use<'a> {
        let end = match &span.end {
            SpanEnd::Unbounded => Bound::Unbounded,
            SpanEnd::Before(key) => Bound::Excluded(&key[..]),
        };
        // The map panics on a range that ends before it starts; such a span is empty.
        let range = (!span.is_empty())
            .then(|| self.keys.range::<[u8], _>((Bound::Included(&span.start[..]), end)));
        range.into_iter().flatten().map(|(key, history)| (&key[..], history))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(main: i64, sub: u32, number: u32) -> Version {
        Version { main, lease: 0, digest: 0, sub, value_at: 0, value_len: 0, number }
    }

    #[test]
    fn lives_and_deletions_are_told_apart() {
        let mut index = Index::default();
        for (main, sub, number) in [(2, 0, 1), (3, 1, 2), (3, 2, 0), (5, 0, 1)] {
            let pushed = index.push_next(b"k", |_| Ok::<_, ()>(version(main, sub, number)));
            assert_eq!(pushed.map(|found| found.version.main), Ok(main));
        }
        let history = index.history(b"k").expect("pushed");
        let live = |at| history.live_at(at).map(|f| (f.version.number, f.create_revision));
        assert_eq!(live(1), None);
        assert_eq!(live(2), Some((1, 2)));
        assert_eq!(live(3), None);
        assert_eq!(live(4), None);
        assert_eq!(live(9), Some((1, 5)));
        assert_eq!(history.exact(3, 1).map(|f| f.create_revision), Some(2));
        assert_eq!(history.exact(3, 0), None);
    }
}
