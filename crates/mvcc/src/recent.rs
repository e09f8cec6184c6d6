//! The newest records, kept in memory: most reads are of what was written a moment ago.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::backing::Position;

/// Most bytes of records kept; the oldest go first.
pub const RECENT_BYTES: usize = 8 << 20;

/// A bounded window over the end of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent {
    records: VecDeque<(u64, Bytes)>,
    bytes: usize,
}

impl Recent {
    /// Keeps a record that was just appended.
    pub(crate) fn push(&mut self, position: Position, record: Bytes) {
        self.bytes += record.len();
        self.records.push_back((position.offset, record));
        while self.bytes > RECENT_BYTES {
            match self.records.pop_front() {
                Some((_, oldest)) => self.bytes -= oldest.len(),
                None => break,
            }
        }
    }

    /// The record at `position`, if it is still here.
    pub(crate) fn get(&self, position: Position) -> Option<&Bytes> {
        let at = self.records.binary_search_by_key(&position.offset, |(offset, _)| *offset).ok()?;
        Some(&self.records[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest_above_the_bound() {
        let mut recent = Recent::default();
        let record = Bytes::from(vec![0; RECENT_BYTES / 2]);
        for offset in 0..3 {
            recent.push(Position { offset, len: record.len() as u32 }, record.clone());
        }
        let held = |offset| recent.get(Position { offset, len: 0 }).is_some();
        assert_eq!([held(0), held(1), held(2)], [false, true, true]);
    }
}
