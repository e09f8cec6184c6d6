//! Where each record lies, in memory: 16 bytes a record, and the runs of equal tags.

use std::collections::VecDeque;

/// Where one record lies and what its checksum starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) segment: u32,
    pub(super) offset: u32,
    pub(super) len: u32,
    pub(super) seed: u32,
}

/// Consecutive indexes with their slots.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordIndex {
    first: u64,
    slots: VecDeque<Slot>,
    /// First index of each run of equal tags, ascending; the first run may begin below `first`.
    runs: Vec<(u64, u64)>,
    /// The index that the next record must have while there is none; 0 for any.
    floor: u64,
}

impl RecordIndex {
    /// Without records; the first one must have the index `floor` unless that is 0.
    pub(super) fn from_floor(floor: u64) -> Self {
        Self { floor, ..Self::default() }
    }

    /// The index that the next record must have while there is none.
    pub(super) fn floor(&self) -> Option<u64> {
        (self.floor > 0).then_some(self.floor)
    }

    pub(super) fn first(&self) -> Option<u64> {
        (!self.slots.is_empty()).then_some(self.first)
    }

    pub(super) fn last(&self) -> Option<u64> {
        (self.slots.len() as u64).checked_sub(1).map(|above| self.first + above)
    }

    /// The only index that may be appended now; `None` when any may.
    pub(super) fn next(&self) -> Option<u64> {
        self.last().map(|last| last + 1).or(self.floor())
    }

    /// What decides which index may follow.
    pub(super) fn clone_end(&self) -> IndexEnd {
        IndexEnd { first: self.first(), next: self.next(), floor: self.floor() }
    }

    /// Last index and its tag.
    pub(super) fn end(&self) -> Option<(u64, u64)> {
        let last = self.last()?;
        Some((last, self.tag(last)?))
    }

    pub(super) fn slot(&self, index: u64) -> Option<Slot> {
        let position = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.slots.get(position).copied()
    }

    /// The last record that lies in `segment` or before it.
    pub(super) fn last_through(&self, segment: u32) -> Option<u64> {
        let held = self.slots.partition_point(|slot| slot.segment <= segment) as u64;
        held.checked_sub(1).map(|above| self.first + above)
    }

    pub(super) fn tag(&self, index: u64) -> Option<u64> {
        self.slot(index)?;
        let above = self.runs.partition_point(|(_, first)| *first <= index);
        self.runs.get(above.checked_sub(1)?).map(|(tag, _)| *tag)
    }

    /// Each run's tag and first index still held.
    pub(super) fn tag_starts(&self) -> Vec<(u64, u64)> {
        let clamp = |(tag, first): &(u64, u64)| (*tag, (*first).max(self.first));
        self.runs.iter().map(clamp).collect()
    }

    pub(super) fn push(&mut self, index: u64, tag: u64, slot: Slot) {
        let next = self.next().unwrap_or(index);
        assert_eq!(index, next, "records are appended without a gap");
        if self.slots.is_empty() {
            self.first = index;
            self.runs.clear();
        }
        if self.runs.last().is_none_or(|(last, _)| *last != tag) {
            self.runs.push((tag, index));
        }
        self.slots.push_back(slot);
    }

    /// Drops every record from `index` on.
    pub(super) fn truncate_from(&mut self, index: u64) {
        self.slots
            .truncate(usize::try_from(index.saturating_sub(self.first)).unwrap_or(usize::MAX));
        self.runs.retain(|(_, first)| *first < index);
        if self.slots.is_empty() {
            self.runs.clear();
        }
    }

    /// Drops every record that lies in a segment below `segment`. If none is left, the next one
    /// must continue the indexes all the same.
    pub(super) fn drop_below(&mut self, segment: u64) {
        let next = self.next();
        let dropped = self.slots.partition_point(|slot| u64::from(slot.segment) < segment);
        self.slots.drain(..dropped);
        self.first += dropped as u64;
        let runs_below = self.runs.partition_point(|(_, first)| *first <= self.first);
        self.runs.drain(..runs_below.saturating_sub(1));
        self.floor = 0;
        if self.slots.is_empty() {
            self.runs.clear();
            self.floor = next.unwrap_or(0);
        }
    }
}

/// First and next index of a log, without its records.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexEnd {
    first: Option<u64>,
    next: Option<u64>,
    floor: Option<u64>,
}

impl IndexEnd {
    pub(super) fn truncate_from(&mut self, from: u64) {
        if self.first.is_some_and(|first| first < from) {
            self.next = self.next.map(|next| next.min(from));
        } else {
            (self.first, self.next) = (None, self.floor);
        }
    }

    /// Whether a record with this index continues the log; it is taken then.
    pub(super) fn continue_with(&mut self, index: u64) -> bool {
        let continues = self.next.is_none_or(|next| next == index);
        if continues {
            self.first = self.first.or(Some(index));
            self.next = Some(index + 1);
        }
        continues
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot { segment: 1, offset: 0, len: 0, seed: 0 };

    #[test]
    fn runs_follow_truncation_and_cutting() {
        let mut index = RecordIndex::default();
        for (at, tag) in [(5, 1), (6, 1), (7, 2), (8, 2), (9, 4)] {
            index.push(at, tag, Slot { segment: at as u32, ..SLOT });
        }
        assert_eq!(index.tag_starts(), [(1, 5), (2, 7), (4, 9)]);
        index.truncate_from(8);
        index.push(8, 5, Slot { segment: 9, ..SLOT });
        assert_eq!(index.tag_starts(), [(1, 5), (2, 7), (5, 8)]);
        index.drop_below(6);
        assert_eq!((index.first(), index.tag_starts()), (Some(6), vec![(1, 6), (2, 7), (5, 8)]));
        index.drop_below(9);
        assert_eq!((index.first(), index.end()), (Some(8), Some((8, 5))));
        index.truncate_from(3);
        assert_eq!((index.end(), index.tag_starts()), (None, vec![]));
        index.push(100, 7, SLOT);
        assert_eq!((index.first(), index.tag(100), index.tag(99)), (Some(100), Some(7), None));
    }
}
