//! Medians, percentiles and gaps.

use std::time::Duration;

/// The median; `None` of nothing. Values that are no numbers sort last.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(values[middle - 1].midpoint(upper))
}

/// The nearest-rank percentile of ascending values: the smallest one that at least `percent` of
/// all do not exceed; `None` of nothing.
pub(crate) fn percentile(ascending: &[Duration], percent: u32) -> Option<Duration> {
    let rank = (ascending.len() * percent as usize).div_ceil(100);
    ascending.get(rank.saturating_sub(1)).copied()
}

/// The longest time between two neighbouring instants of which the later one is not before
/// `after`: how long nothing was acknowledged around and after a fault. `None` when nothing
/// happened at or after `after`.
pub(crate) fn longest_gap(mut instants: Vec<Duration>, after: Duration) -> Option<Duration> {
    instants.sort_unstable();
    let first = instants.partition_point(|instant| *instant < after);
    // What preceded the fault counts only through its last instant.
    let from = instants[..first].last().copied().unwrap_or(after);
    let neighbours = std::iter::once(from).chain(instants[first..].iter().copied());
    neighbours.zip(&instants[first..]).map(|(earlier, later)| *later - earlier).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(all: &[u64]) -> Vec<Duration> {
        all.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn medians() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0]), Some(3.0));
        assert_eq!(median([9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median([8.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let hundred = ms(&(1..=100).collect::<Vec<_>>());
        let check = |percent, expect| {
            assert_eq!(percentile(&hundred, percent), Some(Duration::from_millis(expect)));
        };
        check(0, 1);
        check(1, 1);
        check(50, 50);
        check(99, 99);
        check(100, 100);
        assert_eq!(percentile(&ms(&[7]), 99), Some(Duration::from_millis(7)));
        assert_eq!(percentile(&ms(&[1, 2, 3]), 50), Some(Duration::from_millis(2)));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn gaps_before_the_fault_do_not_count() {
        let gap = |all: &[u64], after| {
            longest_gap(ms(all), Duration::from_millis(after)).map(|gap| gap.as_millis())
        };
        // 500 ms of silence long before the fault; the fault at 1000 ends at 1210.
        assert_eq!(gap(&[0, 500, 990, 1210, 1215], 1000), Some(220));
        // Late answers in any order; the first after the fault comes at once.
        assert_eq!(gap(&[1400, 990, 1001, 1410], 1000), Some(399));
        assert_eq!(gap(&[1300], 1000), Some(300));
        assert_eq!(gap(&[990], 1000), None);
        assert_eq!(gap(&[], 1000), None);
    }
}
