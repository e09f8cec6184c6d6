//! What is answered (`Choice`): the voter's secret, checked against its contest and turned into
//! numbers without a branch on which options it names.

use alloc::vec::Vec;

use curve25519_dalek::scalar::Scalar;
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::contest::ContestKind;

/// One answer. It is the voter's secret, so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Choice {
    /// The number of the chosen option, from 0.
    One(u16),
    /// The numbers of the chosen options, from 0, each at most once, in any order.
    Some(Vec<u16>),
    /// A score for each option.
    Score(Vec<u16>),
    /// A list, from 0, and the numbers of its chosen candidates, from 0 within the list.
    List(u16, Vec<u16>),
    /// Explicitly nothing, where the contest allows it. In a contest of kind `one` a blank answer
    /// is an option, so it is `One` with that option's number.
    Blank,
}

/// Why an answer does not fit its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceError {
    /// Not one answer for each contest.
    Contests {
        /// How many contests the voter's group has.
        expected: usize,
        /// How many answers were given.
        found: usize,
    },
    /// An answer of another kind than the contest, or a blank where there is none.
    Kind {
        /// The contest, from 0.
        contest: usize,
    },
    /// No option, list or candidate has this number.
    Option {
        /// The contest, from 0.
        contest: usize,
        /// The number given.
        option: u16,
        /// How many there are.
        options: u16,
    },
    /// The same option twice.
    Repeated {
        /// The contest, from 0.
        contest: usize,
        /// The option given twice.
        option: u16,
    },
    /// Too few or too many options.
    Count {
        /// The contest, from 0.
        contest: usize,
        /// How many were chosen.
        found: usize,
        /// The fewest allowed.
        min: u16,
        /// The most allowed.
        max: u16,
    },
    /// Not one score for each option.
    Scores {
        /// The contest, from 0.
        contest: usize,
        /// How many scores there are.
        found: usize,
        /// How many options.
        options: u16,
    },
    /// A score above the highest.
    Score {
        /// The contest, from 0.
        contest: usize,
        /// The option.
        option: u16,
        /// The highest score allowed.
        highest: u16,
    },
    /// The scores add up to too little or too much.
    Total {
        /// The contest, from 0.
        contest: usize,
        /// What they add up to.
        found: u64,
        /// The least allowed.
        min: u16,
        /// The most allowed.
        max: u16,
    },
}

impl ChoiceError {
    /// The stable name of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Contests { .. } => "choice-contests",
            Self::Kind { .. } => "choice-kind",
            Self::Option { .. } => "choice-option",
            Self::Repeated { .. } => "choice-repeated",
            Self::Count { .. } => "choice-count",
            Self::Scores { .. } | Self::Score { .. } => "choice-score",
            Self::Total { .. } => "choice-total",
        }
    }
}

impl core::fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Contests { expected, found } => {
                write!(f, "{found} answers given, but the election asks {expected} questions")
            }
            Self::Kind { contest } => {
                write!(f, "the answer to question {contest} has another kind")
            }
            Self::Option { contest, option, options } => write!(
                f,
                "question {contest} has no option {option}; its options are 0 to {}",
                options.saturating_sub(1)
            ),
            Self::Repeated { contest, option } => {
                write!(f, "option {option} of question {contest} is chosen twice")
            }
            Self::Count { contest, found, min, max } => write!(
                f,
                "{found} options of question {contest} are chosen; allowed: {min} to {max}"
            ),
            Self::Scores { contest, found, options } => {
                write!(f, "question {contest} has {options} options, but {found} scores were given")
            }
            Self::Score { contest, option, highest } => {
                write!(f, "the score of option {option} of question {contest} is above {highest}")
            }
            Self::Total { contest, found, min, max } => write!(
                f,
                "the scores of question {contest} add up to {found}; allowed: {min} to {max}"
            ),
        }
    }
}

impl core::error::Error for ChoiceError {}

/// The plaintext of one contest and the clause of each disjunction that is true: all secret.
pub(crate) struct Plaintext {
    /// One number for each counter.
    pub(crate) values: Zeroizing<Vec<Scalar>>,
    /// For each disjunction of the contest, the number of its true clause.
    pub(crate) clauses: Zeroizing<Vec<u64>>,
}

impl Choice {
    /// Checks the answer to contest number `contest` of this kind.
    ///
    /// # Errors
    /// Says what does not fit; the voter's options appear in the error, never in a log.
    pub fn check(&self, contest: usize, kind: &ContestKind) -> Result<(), ChoiceError> {
        match (self, kind) {
            (Self::One(option), ContestKind::One { options }) => {
                in_range(contest, *option, *options)
            }
            (Self::Some(chosen), ContestKind::Some { options, min, max, .. }) => {
                check_set(contest, chosen, *options, *min, *max)
            }
            (Self::Score(scores), ContestKind::Score { options, highest, min, max, .. }) => {
                check_scores(contest, scores, *options, *highest, (*min, *max))
            }
            (Self::List(list, chosen), ContestKind::Lists { candidates, min, max, .. }) => {
                let lists = u16::try_from(candidates.len()).unwrap_or(u16::MAX);
                in_range(contest, *list, lists)?;
                let count = candidates[usize::from(*list)];
                check_set(contest, chosen, count, *min, (*max).min(count))
            }
            (
                Self::Blank,
                ContestKind::Some { blank: true, .. }
                | ContestKind::Score { blank: true, .. }
                | ContestKind::Lists { blank: true, .. },
            ) => Ok(()),
            _ => Err(ChoiceError::Kind { contest }),
        }
    }

    /// One number for each counter. The choice was checked; no branch depends on which options it
    /// names (only on how many, and whether it is blank).
    pub fn numbers(&self, kind: &ContestKind) -> Zeroizing<Vec<u64>> {
        let counters = usize::from(kind.counters());
        let mut numbers = Zeroizing::new(alloc::vec![0; counters]);
        match self {
            Self::One(option) => mark(&mut numbers, core::slice::from_ref(option)),
            Self::Some(chosen) => mark(&mut numbers, chosen),
            Self::Score(scores) => {
                numbers
                    .iter_mut()
                    .zip(scores)
                    .for_each(|(number, score)| *number = (*score).into());
            }
            Self::List(list, chosen) => {
                let ContestKind::Lists { candidates, .. } = kind else {
                    unreachable!("check() refuses a choice of another kind")
                };
                let (selectors, rest) = numbers.split_at_mut(candidates.len());
                mark(selectors, core::slice::from_ref(list));
                let mut start = 0;
                for (number, &count) in (0_u16..).zip(candidates) {
                    let end = start + usize::from(count);
                    mark_if(&mut rest[start..end], chosen, number.ct_eq(list));
                    start = end;
                }
            }
            Self::Blank => *numbers.last_mut().expect("every contest has a counter") = 1,
        }
        numbers
    }

    /// The numbers to encrypt and the true clause of each disjunction.
    pub(crate) fn plaintext(&self, kind: &ContestKind) -> Plaintext {
        let numbers = self.numbers(kind);
        let clauses: Vec<u64> = match kind {
            ContestKind::One { .. } => {
                alloc::vec![(0_u64..).zip(numbers.iter()).map(|(at, bit)| at * bit).sum()]
            }
            _ => {
                kind.rules().iter().map(|rule| place(rule.sum.of(&numbers), &rule.values)).collect()
            }
        };
        let values = Zeroizing::new(numbers.iter().map(|&number| Scalar::from(number)).collect());
        Plaintext { values, clauses: Zeroizing::new(clauses) }
    }
}

/// Where a number stands in a list that holds it, without a branch on it.
fn place(number: u64, values: &[u64]) -> u64 {
    (0_u64..)
        .zip(values)
        .fold(0, |found, (at, value)| u64::conditional_select(&found, &at, number.ct_eq(value)))
}

/// Sets the numbers of the chosen options to 1.
fn mark(numbers: &mut [u64], chosen: &[u16]) {
    mark_if(numbers, chosen, 1.into());
}

fn mark_if(numbers: &mut [u64], chosen: &[u16], condition: subtle::Choice) {
    for (option, number) in (0_u16..).zip(numbers.iter_mut()) {
        for one in chosen {
            number.conditional_assign(&1, option.ct_eq(one) & condition);
        }
    }
}

fn in_range(contest: usize, option: u16, options: u16) -> Result<(), ChoiceError> {
    if option < options { Ok(()) } else { Err(ChoiceError::Option { contest, option, options }) }
}

fn check_set(
    contest: usize,
    chosen: &[u16],
    options: u16,
    min: u16,
    max: u16,
) -> Result<(), ChoiceError> {
    for (place, &option) in chosen.iter().enumerate() {
        in_range(contest, option, options)?;
        if chosen[..place].contains(&option) {
            return Err(ChoiceError::Repeated { contest, option });
        }
    }
    let found = chosen.len();
    if (usize::from(min)..=usize::from(max)).contains(&found) {
        return Ok(());
    }
    Err(ChoiceError::Count { contest, found, min, max })
}

fn check_scores(
    contest: usize,
    scores: &[u16],
    options: u16,
    highest: u16,
    (min, max): (u16, u16),
) -> Result<(), ChoiceError> {
    if scores.len() != usize::from(options) {
        return Err(ChoiceError::Scores { contest, found: scores.len(), options });
    }
    if let Some((option, _)) = (0_u16..).zip(scores).find(|(_, score)| **score > highest) {
        return Err(ChoiceError::Score { contest, option, highest });
    }
    let found = scores.iter().map(|&score| u64::from(score)).sum();
    if (u64::from(min)..=u64::from(max)).contains(&found) {
        return Ok(());
    }
    Err(ChoiceError::Total { contest, found, min, max })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn check(kind: &ContestKind, choice: &Choice, expect: &str) {
        let found = match choice.check(0, kind) {
            Ok(()) => "ok".to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn choices_are_checked_against_their_contest() {
        let one = &ContestKind::One { options: 3 };
        check(one, &Choice::One(2), "ok");
        check(one, &Choice::One(3), "question 0 has no option 3; its options are 0 to 2");
        check(one, &Choice::Some(vec![1]), "the answer to question 0 has another kind");
        check(one, &Choice::Blank, "the answer to question 0 has another kind");
        let some = &ContestKind::Some { options: 4, min: 1, max: 2, blank: false };
        let few = "0 options of question 0 are chosen; allowed: 1 to 2";
        let many = "3 options of question 0 are chosen; allowed: 1 to 2";
        check(some, &Choice::Some(vec![3, 0]), "ok");
        check(some, &Choice::Some(vec![]), few);
        check(some, &Choice::Some(vec![2, 2]), "option 2 of question 0 is chosen twice");
        check(some, &Choice::Some(vec![0, 1, 2]), many);
        let score = &ContestKind::Score { options: 3, highest: 5, min: 0, max: 9, blank: true };
        let total = "the scores of question 0 add up to 10; allowed: 0 to 9";
        check(score, &Choice::Score(vec![5, 0, 4]), "ok");
        check(score, &Choice::Blank, "ok");
        check(
            score,
            &Choice::Score(vec![6, 0, 0]),
            "the score of option 0 of question 0 is above 5",
        );
        check(score, &Choice::Score(vec![5, 0, 5]), total);
        let scores = "question 0 has 3 options, but 2 scores were given";
        check(score, &Choice::Score(vec![5, 0]), scores);
        let lists = &ContestKind::Lists { candidates: vec![2, 5], min: 0, max: 3, blank: false };
        check(lists, &Choice::List(1, vec![4, 0, 2]), "ok");
        check(
            lists,
            &Choice::List(0, vec![2]),
            "question 0 has no option 2; its options are 0 to 1",
        );
        check(
            lists,
            &Choice::List(2, vec![]),
            "question 0 has no option 2; its options are 0 to 1",
        );
    }

    #[test]
    fn the_numbers_of_a_checked_choice_are_admitted() {
        let lists = ContestKind::Lists { candidates: vec![2, 3], min: 0, max: 2, blank: true };
        assert_eq!(**Choice::List(1, vec![2, 0]).numbers(&lists), [0, 1, 0, 0, 1, 0, 1, 0]);
        assert_eq!(**Choice::Blank.numbers(&lists), [0, 0, 0, 0, 0, 0, 0, 1]);
        let score = ContestKind::Score { options: 2, highest: 4, min: 1, max: 6, blank: true };
        assert_eq!(**Choice::Score(vec![4, 2]).numbers(&score), [4, 2, 0]);
        let clauses = Choice::Score(vec![4, 2]).plaintext(&score).clauses;
        assert_eq!(**clauses, [4, 2, 0, 5], "sums 1 … 6, then the blank");
        assert_eq!(**Choice::Blank.plaintext(&score).clauses, [0, 0, 1, 6]);
    }
}
