//! Which items a listener gets next, and what a reconnecting one says it has.
//!
//! Listeners of a list stand at numbers. Those that have everything stand at the same one and
//! share one message; those that come back stand anywhere. Batches end at multiples of
//! [`BATCH_MAX`], so that whoever was behind is after one batch among the others, and a thousand
//! that come back at once need few different messages.

use std::collections::BTreeMap;

/// Most items in one message.
pub(crate) const BATCH_MAX: u64 = 250;

/// Different batches made for one topic in one turn; later ones come in the next turn.
const BATCHES_MAX: usize = 16;

/// Items `after + 1 ..= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Batch {
    pub(crate) after: u64,
    pub(crate) end: u64,
}

/// The batches due for listeners that stand at these numbers, when the last item is `head`.
pub(crate) fn due(standing: impl IntoIterator<Item = u64>, head: u64) -> Vec<Batch> {
    let behind: BTreeMap<u64, ()> =
        standing.into_iter().filter(|at| *at < head).map(|at| (at, ())).collect();
    let batch = |after: u64| Batch { after, end: head.min((after / BATCH_MAX + 1) * BATCH_MAX) };
    // Those who are furthest on first: they are many, and one message serves them all.
    behind.into_keys().rev().take(BATCHES_MAX).map(batch).collect()
}

/// What a listener by server-sent events stands at, for its `Last-Event-ID`: the numbers of its
/// topics in the order in which it asked for them.
pub(crate) fn show_positions(positions: &[u64]) -> String {
    positions.iter().map(u64::to_string).collect::<Vec<_>>().join("-")
}

/// Reads it back; what is not of this form is nothing, and the listener begins anew.
pub(crate) fn parse_positions(text: &str, topics: usize) -> Option<Vec<u64>> {
    let positions: Option<Vec<u64>> = text.split('-').map(|part| part.parse().ok()).collect();
    positions.filter(|positions| positions.len() == topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(after: u64, end: u64) -> Batch {
        Batch { after, end }
    }

    #[test]
    fn who_stands_at_the_same_place_shares_a_batch() {
        assert_eq!(due([7, 7, 9, 7], 9), [batch(7, 9)]);
        assert_eq!(due([9, 12], 9), [], "nobody gets what it has, nor what is not there yet");
        assert_eq!(due([0, 8], 9), [batch(8, 9), batch(0, 9)]);
    }

    #[test]
    fn stragglers_meet_at_the_next_multiple() {
        assert_eq!(due([3, 140], 1000), [batch(140, 250), batch(3, 250)]);
        assert_eq!(due([250], 1000), [batch(250, 500)]);
        assert_eq!(due([999], 1000), [batch(999, 1000)]);
    }

    #[test]
    fn every_item_comes_once_and_in_order_whatever_the_turns() {
        let mut listeners: Vec<u64> = (0..600).map(|n| n * 7 % 5000).collect();
        let starts = listeners.clone();
        let mut heard = vec![0; listeners.len()];
        for turn in 0.. {
            let head = 5000;
            let batches = due(listeners.iter().copied(), head);
            assert!(batches.len() <= BATCHES_MAX);
            if batches.is_empty() {
                break;
            }
            for (at, count) in listeners.iter_mut().zip(&mut heard) {
                if let Some(batch) = batches.iter().find(|batch| batch.after == *at) {
                    assert!(batch.end - batch.after <= BATCH_MAX);
                    *count += batch.end - batch.after;
                    *at = batch.end;
                }
            }
            assert!(turn < 1000, "it ends");
        }
        assert!(listeners.iter().all(|at| *at == 5000));
        assert!(starts.iter().zip(heard).all(|(start, heard)| start + heard == 5000));
    }

    #[test]
    fn positions_are_read_back() {
        assert_eq!(parse_positions(&show_positions(&[3, 0, 99]), 3), Some(vec![3, 0, 99]));
        for wrong in ["", "1-2", "1-2-x", "1-2-3-4", "1--2"] {
            assert_eq!(parse_positions(wrong, 3), None, "{wrong}");
        }
    }
}
