//! What is asked: the rule of a contest as far as cryptography must prove it (`ContestKind`), and
//! the sums that a valid answer makes (`Rule`).
//!
//! A contest is a row of small numbers, each encrypted alone and summed over all ballots: its
//! *counters*. A rule says which values one sum of counters may have. The rules of each kind are
//! chosen such that together they admit exactly the valid answers:
//!
//! ```text
//! one    n counters                   proven by P2 (`one_of_n`), a unit vector
//! some   n counters (+ blank b)       each 0 or 1;  Σ + (n+1)b      in min..=max, or n+1
//! score  n counters (+ blank b)       each 0..=s;   Σ + (ns+1)b     in min..=max, or ns+1
//! lists  l selectors, then the candidates of each list (+ blank b): each 0 or 1;
//!        for each list k with m candidates:  Σ candidates + (m+1)·selector  is 0
//!                                            or in m+1+min ..= m+1+max
//!        Σ selectors + b  is 1
//! ```
//!
//! The factor of a blank or selector is larger than the rest of its sum can be, so the sum shows
//! both apart: a blank answer has all other counters at 0, and only the chosen list has candidates.

use alloc::vec::Vec;
use core::ops::Range;

use crate::elgamal::Ciphertext;

/// The largest ballot in bytes: an entry of a C2SP tile has a 16-bit length.
pub const BALLOT_LEN_MAX: usize = 65_535;
/// Most counters of a contest: bounds of the loops over untrusted rules.
const COUNTERS_MAX: usize = 2000;

/// SHA-256 of the election's manifest: the name of the election in every hash and ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// One question's rule, as far as cryptography must prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContestKind {
    /// Exactly one of the options. A blank vote is an option like any other.
    One {
        /// How many options, blank included, at least 1.
        options: u16,
    },
    /// Any set of `min..=max` of the options; `min = 0` allows the empty set.
    Some {
        /// How many options, at least 1.
        options: u16,
        /// The fewest that may be chosen.
        min: u16,
        /// The most that may be chosen, at most `options`.
        max: u16,
        /// Whether a blank answer may be given instead; it adds a last counter.
        blank: bool,
    },
    /// A score `0..=highest` for each option, all of them together `min..=max`.
    Score {
        /// How many options, at least 1.
        options: u16,
        /// The highest score of one option, at least 1.
        highest: u16,
        /// The least sum of all scores.
        min: u16,
        /// The largest sum of all scores, at most `options` times `highest`.
        max: u16,
        /// Whether a blank answer may be given instead; it adds a last counter.
        blank: bool,
    },
    /// Exactly one list, and `min..=max` of its candidates (or all, if the list has fewer than
    /// `max`).
    Lists {
        /// How many candidates each list has, each at least `min` and 1.
        candidates: Vec<u16>,
        /// The fewest candidates that may be chosen; 0 allows a vote for the list alone.
        min: u16,
        /// The most candidates that may be chosen, at least 1.
        max: u16,
        /// Whether a blank answer may be given instead; it adds a last counter.
        blank: bool,
    },
}

/// A sum of counters: each of a range once, and one more counter several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) ones: Range<usize>,
    pub(crate) extra: Option<(usize, u64)>,
}

impl Sum {
    fn only(counter: usize) -> Self {
        Self { ones: counter..counter + 1, extra: None }
    }

    /// The sum of these numbers, without a branch on any of them.
    pub(crate) fn of(&self, values: &[u64]) -> u64 {
        let ones: u64 = values[self.ones.clone()].iter().sum();
        self.extra.map_or(ones, |(counter, factor)| ones + factor * values[counter])
    }
}

/// What one sum of counters may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) sum: Sum,
    /// Ascending and distinct, never empty.
    pub(crate) values: Vec<u64>,
}

impl ContestKind {
    /// How many numbers a ballot encrypts for it: one counter of the tally each.
    pub fn counters(&self) -> u16 {
        match self {
            Self::One { options } => *options,
            Self::Some { options, blank, .. } | Self::Score { options, blank, .. } => {
                options.saturating_add(u16::from(*blank))
            }
            Self::Lists { candidates, blank, .. } => {
                let all: usize = candidates.iter().map(|&count| usize::from(count) + 1).sum();
                u16::try_from(all + usize::from(*blank)).unwrap_or(u16::MAX)
            }
        }
    }

    /// The highest number that one ballot can add to a counter, before weights.
    pub fn highest(&self) -> u16 {
        match self {
            Self::Score { highest, .. } => *highest,
            Self::One { .. } | Self::Some { .. } | Self::Lists { .. } => 1,
        }
    }

    /// The kind's name in definitions and interfaces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::One { .. } => "one",
            Self::Some { .. } => "some",
            Self::Score { .. } => "score",
            Self::Lists { .. } => "lists",
        }
    }

    /// The kind's byte in a ballot.
    pub fn byte(&self) -> u8 {
        match self {
            Self::One { .. } => 1,
            Self::Some { .. } => 2,
            Self::Score { .. } => 3,
            Self::Lists { .. } => 4,
        }
    }

    /// Bytes of this contest in a ballot: kind byte, ciphertexts, commitments, scalars.
    pub fn body_len(&self) -> usize {
        let ciphertexts = usize::from(self.counters()) * Ciphertext::LEN;
        1 + ciphertexts + self.clauses().iter().map(|k| k * 64 + (2 * k - 1) * 32).sum::<usize>()
    }

    /// How many clauses each disjunction of this contest has, in order.
    pub fn clauses(&self) -> Vec<usize> {
        match self {
            Self::One { options } => alloc::vec![usize::from(*options)],
            _ => self.rules().iter().map(|rule| rule.values.len()).collect(),
        }
    }

    /// What must be proven of a contest that is not of kind `one`, in the order of the proofs.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        let each = |count: u16, highest: u16| {
            let values: Vec<u64> = (0..=u64::from(highest)).collect();
            (0..usize::from(count))
                .map(move |at| Rule { sum: Sum::only(at), values: values.clone() })
        };
        match *self {
            Self::One { .. } => Vec::new(),
            Self::Some { options, min, max, blank } => {
                let total = total(options, u64::from(options), min, max, blank);
                each(self.counters(), 1).chain(total).collect()
            }
            Self::Score { options, highest, min, max, blank } => {
                let most = u64::from(options) * u64::from(highest);
                let blank_bit = each(self.counters(), 1).skip(options.into());
                each(options, highest)
                    .chain(blank_bit)
                    .chain(total(options, most, min, max, blank))
                    .collect()
            }
            Self::Lists { ref candidates, min, max, blank } => {
                let selection = Sum {
                    ones: 0..candidates.len(),
                    extra: blank.then(|| (usize::from(self.counters()) - 1, 1)),
                };
                each(self.counters(), 1)
                    .chain(lists(candidates, min, max))
                    .chain([Rule { sum: selection, values: alloc::vec![1] }])
                    .collect()
            }
        }
    }

    /// Whether these numbers, one for each counter, are a valid answer. Not in constant time: for
    /// open polls, and for recounts in the clear.
    pub fn admits(&self, values: &[u16]) -> bool {
        let values: Vec<u64> = values.iter().map(|&value| value.into()).collect();
        if values.len() != usize::from(self.counters()) {
            return false;
        }
        if let Self::One { .. } = self {
            return values.iter().all(|&value| value <= 1) && values.iter().sum::<u64>() == 1;
        }
        self.rules().iter().all(|rule| rule.values.contains(&rule.sum.of(&values)))
    }

    /// Whether ballots of this total weight can have given these counts. Proofs force it, so a
    /// failure means broken cryptography.
    pub fn admits_counts(&self, counts: &[u64], weight: u64) -> bool {
        if counts.len() != usize::from(self.counters()) {
            return false;
        }
        let highest = u128::from(self.highest());
        let sum = |counts: &[u64]| counts.iter().map(|&count| u128::from(count)).sum::<u128>();
        let most = u128::from(weight) * highest;
        if counts.iter().any(|&count| u128::from(count) > most) {
            return false;
        }
        let within = |sum: u128, min: u16, max: u16, of: u64| {
            (u128::from(min) * u128::from(of)..=u128::from(max) * u128::from(of)).contains(&sum)
        };
        match self {
            Self::One { .. } => sum(counts) == u128::from(weight),
            Self::Some { options, min, max, .. } | Self::Score { options, min, max, .. } => {
                let (named, blank) = counts.split_at(usize::from(*options));
                let blank = blank.first().copied().unwrap_or_default();
                weight.checked_sub(blank).is_some_and(|of| within(sum(named), *min, *max, of))
            }
            Self::Lists { candidates, min, max, blank } => {
                let (selectors, rest) = counts.split_at(candidates.len());
                let blank = if *blank { rest[rest.len() - 1] } else { 0 };
                let mut rest = rest;
                let mut list_fits = |(&of, &count): (&u64, &u16)| {
                    let (own, others) = rest.split_at(usize::from(count));
                    rest = others;
                    within(sum(own), *min, (*max).min(count), of)
                };
                sum(selectors) + u128::from(blank) == u128::from(weight)
                    && selectors.iter().zip(candidates).all(&mut list_fits)
            }
        }
    }

    /// The rule in the transcript; lengths follow from what stands before.
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        let (count, highest, min, max, blank) = match *self {
            Self::One { options } => (options, 1, 1, 1, false),
            Self::Some { options, min, max, blank } => (options, 1, min, max, blank),
            Self::Score { options, highest, min, max, blank } => {
                (options, highest, min, max, blank)
            }
            Self::Lists { ref candidates, min, max, blank } => {
                (candidates.len() as u16, 1, min, max, blank)
            }
        };
        bytes.extend_from_slice(&[self.byte(), u8::from(blank)]);
        for number in [count, highest, min, max] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        if let Self::Lists { candidates, .. } = self {
            candidates.iter().for_each(|count| bytes.extend_from_slice(&count.to_le_bytes()));
        }
    }

    /// Whether the rule can be met at all and its proofs have a sensible size.
    pub(crate) fn check(&self) -> bool {
        let most = match *self {
            Self::One { options } => return (1..=COUNTERS_MAX).contains(&usize::from(options)),
            Self::Some { options, .. } => u64::from(options),
            Self::Score { options, highest, .. } => u64::from(options) * u64::from(highest),
            Self::Lists { ref candidates, min, max, .. } => {
                let all: usize = candidates.iter().map(|&count| usize::from(count) + 1).sum();
                return !candidates.is_empty()
                    && all < COUNTERS_MAX
                    && candidates.iter().all(|&count| count >= min.max(1))
                    && min <= max
                    && max >= 1;
            }
        };
        let (Self::Some { options, min, max, .. } | Self::Score { options, min, max, .. }) = *self
        else {
            return false;
        };
        (1..COUNTERS_MAX).contains(&usize::from(options))
            && (1..BALLOT_LEN_MAX as u64).contains(&most)
            && min <= max
            && u64::from(max) <= most
    }
}

/// The rule for all options together, unless it would allow everything.
fn total(options: u16, most: u64, min: u16, max: u16, blank: bool) -> Option<Rule> {
    if min == 0 && u64::from(max) == most && !blank {
        return None;
    }
    let count = usize::from(options);
    let mut values: Vec<u64> = (min.into()..=max.into()).collect();
    values.extend(blank.then_some(most + 1));
    Some(Rule { sum: Sum { ones: 0..count, extra: blank.then_some((count, most + 1)) }, values })
}

/// For each list: nothing of it, or its selector and an allowed number of candidates.
fn lists(candidates: &[u16], min: u16, max: u16) -> impl Iterator<Item = Rule> {
    let mut start = candidates.len();
    (0..).zip(candidates).map(move |(list, &count)| {
        let ones = start..start + usize::from(count);
        start = ones.end;
        let chosen = u64::from(count) + 1;
        let least = chosen + u64::from(min);
        let most = chosen + u64::from(max.min(count));
        let values = core::iter::once(0).chain(least..=most).collect();
        Rule { sum: Sum { ones, extra: Some((list, chosen)) }, values }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn bodies_have_the_published_sizes() {
        // Five options: P2 is 20 points and 9 scalars, P1 is 32 points and 16 scalars.
        assert_eq!(ContestKind::One { options: 5 }.body_len(), 1 + 928);
        let some = |min, max, blank| ContestKind::Some { options: 5, min, max, blank };
        assert_eq!(some(1, 1, false).body_len(), 1 + 1536);
        // Approval needs no sum; with a blank it has one, of the sums 0 to 5 and the blank.
        assert_eq!(some(0, 5, false).body_len(), 1 + 5 * 288);
        assert_eq!(some(0, 5, true).body_len(), 1 + 6 * 288 + 7 * 64 + 13 * 32);
        let score = ContestKind::Score { options: 2, highest: 3, min: 0, max: 6, blank: false };
        assert_eq!(score.body_len(), 1 + 2 * (64 + 4 * 64 + 7 * 32));
    }

    /// Every vector of numbers `0..=top`, against what a reader would say of it.
    fn agree(kind: &ContestKind, top: u16, valid: impl Fn(&[u16]) -> bool) {
        let counters = usize::from(kind.counters());
        let mut values = vec![0; counters];
        let mut found = 0;
        loop {
            assert_eq!(kind.admits(&values), valid(&values), "{kind:?}: {values:?}");
            found += usize::from(valid(&values));
            let Some(at) = values.iter().position(|&value| value < top) else { break };
            values[at] += 1;
            values[..at].fill(0);
        }
        assert!(found > 1, "{kind:?}: the test sees valid answers");
    }

    #[test]
    fn rules_admit_exactly_the_valid_answers() {
        let sum = |values: &[u16]| values.iter().sum::<u16>();
        let bits = |values: &[u16]| values.iter().all(|&value| value <= 1);
        agree(&ContestKind::One { options: 4 }, 2, |v| bits(v) && sum(v) == 1);
        let some = |blank| ContestKind::Some { options: 4, min: 1, max: 2, blank };
        agree(&some(false), 2, |v| bits(v) && (1..=2).contains(&sum(v)));
        agree(&some(true), 2, |v| {
            bits(v) && if v[4] == 1 { sum(&v[..4]) == 0 } else { (1..=2).contains(&sum(v)) }
        });
        let score = |blank| ContestKind::Score { options: 3, highest: 3, min: 2, max: 5, blank };
        agree(&score(false), 4, |v| v.iter().all(|&v| v <= 3) && (2..=5).contains(&sum(v)));
        agree(&score(true), 4, |v| {
            v.iter().all(|&v| v <= 3)
                && match v[3] {
                    0 => (2..=5).contains(&sum(v)),
                    1 => sum(&v[..3]) == 0,
                    _ => false,
                }
        });
        for blank in [false, true] {
            let kind = ContestKind::Lists { candidates: vec![1, 3], min: 1, max: 2, blank };
            agree(&kind, 1, |v| {
                let (first, second) = (sum(&v[2..3]), sum(&v[3..6]));
                match (v[0], v[1], v.get(6)) {
                    (1, 0, None | Some(0)) => first == 1 && second == 0,
                    (0, 1, None | Some(0)) => first == 0 && (1..=2).contains(&second),
                    (0, 0, Some(1)) => first + second == 0,
                    _ => false,
                }
            });
        }
    }

    #[test]
    fn counts_that_no_ballots_can_give_are_noticed() {
        let some = ContestKind::Some { options: 3, min: 1, max: 2, blank: true };
        assert!(some.admits_counts(&[4, 4, 0, 1], 5));
        assert!(!some.admits_counts(&[4, 4, 1, 1], 5), "more than four ballots can choose");
        assert!(!some.admits_counts(&[6, 0, 0, 0], 5), "more than there are ballots");
        assert!(!some.admits_counts(&[1, 1, 0, 0], 5), "fewer than five ballots must choose");
        assert!(!some.admits_counts(&[5, 0, 0], 5), "a counter is missing");
        assert!(ContestKind::One { options: 2 }.admits_counts(&[3, 2], 5));
        assert!(!ContestKind::One { options: 2 }.admits_counts(&[3, 3], 5));
        let lists = ContestKind::Lists { candidates: vec![1, 2], min: 0, max: 1, blank: true };
        assert!(lists.admits_counts(&[2, 2, 2, 1, 1, 1], 5));
        assert!(!lists.admits_counts(&[2, 2, 2, 1, 2, 1], 5), "three candidates for two votes");
        assert!(!lists.admits_counts(&[2, 2, 2, 1, 1, 0], 5), "one ballot is missing");
        let score = ContestKind::Score { options: 2, highest: 3, min: 1, max: 4, blank: false };
        assert!(score.admits_counts(&[15, 5], 5));
        assert!(!score.admits_counts(&[16, 2], 5), "above the highest");
        assert!(!score.admits_counts(&[15, 6], 5), "too much in all");
    }
}
