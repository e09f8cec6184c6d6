//! What is asked (`ContestKind`), what is answered (`Choice`), and the election a ballot belongs
//! to (`BallotContext`), with the exact length of each part.

use alloc::sync::Arc;
use alloc::vec::Vec;

use curve25519_dalek::scalar::Scalar;
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::elgamal::{Ciphertext, ElectionKey, KeyTable};
use crate::hash::Framed;
use crate::parsed;

/// The largest ballot in bytes: an entry of a C2SP tile has a 16-bit length.
pub const BALLOT_LEN_MAX: usize = 65_535;

/// SHA-256 of the election's manifest: the name of the election in every hash and ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// One question's rule, as far as cryptography must prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    },
}

impl ContestKind {
    /// The number of options, which is the number of ciphertexts.
    pub fn options(&self) -> u16 {
        match *self {
            Self::One { options } | Self::Some { options, .. } => options,
        }
    }

    /// The kind's byte in a ballot.
    pub(crate) fn byte(&self) -> u8 {
        match self {
            Self::One { .. } => 1,
            Self::Some { .. } => 2,
        }
    }

    /// Bytes of this contest in a ballot: kind byte, ciphertexts, commitments, scalars.
    pub fn body_len(&self) -> usize {
        let ciphertexts = usize::from(self.options()) * Ciphertext::LEN;
        1 + ciphertexts + self.clauses().iter().map(|k| k * 64 + (2 * k - 1) * 32).sum::<usize>()
    }

    /// How many clauses each disjunction of this contest has, in order.
    pub(crate) fn clauses(&self) -> Vec<usize> {
        match *self {
            Self::One { options } => alloc::vec![usize::from(options)],
            Self::Some { options, min, max } => {
                let mut clauses = alloc::vec![2; usize::from(options)];
                if self.proves_sum() {
                    clauses.push(usize::from(max - min) + 1);
                }
                clauses
            }
        }
    }

    /// Whether a sum must be proven: not when every sum of bits is allowed.
    pub(crate) fn proves_sum(&self) -> bool {
        matches!(*self, Self::Some { options, min, max } if min > 0 || max < options)
    }

    /// The rule in the transcript: kind byte, options, min, max (for `One`: 1, 1).
    fn put(&self, bytes: &mut Vec<u8>) {
        let (options, min, max) = match *self {
            Self::One { options } => (options, 1, 1),
            Self::Some { options, min, max } => (options, min, max),
        };
        bytes.push(self.byte());
        for number in [options, min, max] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn check(&self) -> bool {
        match *self {
            Self::One { options } => options > 0,
            Self::Some { options, min, max } => options > 0 && min <= max && max <= options,
        }
    }
}

/// One answer. It is the voter's secret, so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Choice {
    /// The number of the chosen option, from 0.
    One(u16),
    /// The numbers of the chosen options, from 0, each at most once, in any order.
    Some(Vec<u16>),
}

/// Why an answer does not fit its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceError {
    /// Not one answer for each contest.
    Contests {
        /// How many the election has.
        expected: usize,
        /// How many answers were given.
        found: usize,
    },
    /// `Choice::One` for a `Some` contest, or the other way round.
    Kind {
        /// The contest, from 0.
        contest: usize,
    },
    /// No option has this number.
    Option {
        /// The contest, from 0.
        contest: usize,
        /// The number given.
        option: u16,
        /// How many options there are.
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
            Self::Count { contest, found, min, max } => {
                write!(
                    f,
                    "{found} options of question {contest} are chosen; allowed: {min} to {max}"
                )
            }
        }
    }
}

impl core::error::Error for ChoiceError {}

/// The plaintext of one contest and the clause of each disjunction that is true: all secret.
pub(crate) struct Plaintext {
    /// One number for each option.
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
        let options = kind.options();
        let in_range = |option: u16| {
            if option < options {
                Ok(())
            } else {
                Err(ChoiceError::Option { contest, option, options })
            }
        };
        match (self, *kind) {
            (Self::One(option), ContestKind::One { .. }) => in_range(*option),
            (Self::Some(chosen), ContestKind::Some { min, max, .. }) => {
                for (place, &option) in chosen.iter().enumerate() {
                    in_range(option)?;
                    if chosen[..place].contains(&option) {
                        return Err(ChoiceError::Repeated { contest, option });
                    }
                }
                if chosen.len() < usize::from(min) || chosen.len() > usize::from(max) {
                    let found = chosen.len();
                    return Err(ChoiceError::Count { contest, found, min, max });
                }
                Ok(())
            }
            _ => Err(ChoiceError::Kind { contest }),
        }
    }

    /// The numbers to encrypt. The choice was checked; no branch depends on which options it
    /// names (only on how many).
    pub(crate) fn plaintext(&self, kind: &ContestKind) -> Plaintext {
        let chosen: &[u16] = match self {
            Self::One(option) => core::slice::from_ref(option),
            Self::Some(chosen) => chosen,
        };
        let bits: Vec<u64> = (0..kind.options())
            .map(|option| {
                chosen.iter().fold(0, |value, chosen| {
                    u64::conditional_select(&value, &1, option.ct_eq(chosen))
                })
            })
            .collect();
        let clauses = match (self, *kind) {
            (Self::One(option), _) => alloc::vec![u64::from(*option)],
            (Self::Some(chosen), ContestKind::Some { min, .. }) => {
                let mut clauses = bits.clone();
                if kind.proves_sum() {
                    clauses.push(chosen.len() as u64 - u64::from(min));
                }
                clauses
            }
            (Self::Some(_), ContestKind::One { .. }) => {
                unreachable!("check() refuses a choice of another kind")
            }
        };
        let bits = Zeroizing::new(bits);
        let values = Zeroizing::new(bits.iter().map(|&bit| Scalar::from(bit)).collect());
        Plaintext { values, clauses: Zeroizing::new(clauses) }
    }
}

/// Why contests cannot be voted on with this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextError {
    /// No contest at all.
    Empty,
    /// No options, `min > max` or `max > options`.
    Rule {
        /// The contest, from 0.
        contest: usize,
    },
    /// A ballot would be longer than [`BALLOT_LEN_MAX`].
    TooLong {
        /// The bytes a ballot would have.
        bytes: usize,
    },
}

impl core::fmt::Display for ContextError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Empty => f.write_str("an election needs at least one question"),
            Self::Rule { contest } => write!(
                f,
                "question {contest} needs at least one option and 0 <= min <= max <= options"
            ),
            Self::TooLong { bytes } => write!(
                f,
                "a ballot would have {bytes} bytes, more than {BALLOT_LEN_MAX}: ask fewer options"
            ),
        }
    }
}

impl core::error::Error for ContextError {}

/// The election a ballot is made for and checked against: made once, cloned freely (it is shared).
#[derive(Clone)]
pub struct BallotContext(Arc<Inner>);

struct Inner {
    fingerprint: Fingerprint,
    election_key: ElectionKey,
    contests: Vec<ContestKind>,
    table: KeyTable,
    digest: [u8; 64],
    ballot_len: usize,
}

impl BallotContext {
    /// Binds the election's name, key and contests.
    ///
    /// # Errors
    /// When a contest's rule cannot be met or a ballot would be too long.
    pub fn new(
        fingerprint: Fingerprint,
        election_key: ElectionKey,
        contests: Vec<ContestKind>,
    ) -> Result<Self, ContextError> {
        let ballot_len = ballot_len(&contests)?;
        let mut rules = Vec::with_capacity(contests.len() * 7);
        contests.iter().for_each(|kind| kind.put(&mut rules));
        let digest = Framed::new("quorate/ballot/v1/context")
            .field(&fingerprint.0)
            .field(&election_key.to_bytes())
            .field(&rules)
            .digest();
        let table = KeyTable::new(&election_key);
        let inner = Inner { fingerprint, election_key, contests, table, digest, ballot_len };
        Ok(Self(Arc::new(inner)))
    }

    /// The election's name.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// The key ballots are encrypted to.
    pub fn election_key(&self) -> &ElectionKey {
        &self.0.election_key
    }

    /// The contests in ballot order.
    pub fn contests(&self) -> &[ContestKind] {
        &self.0.contests
    }

    /// The exact length in bytes of every ballot of this election.
    pub fn ballot_len(&self) -> usize {
        self.0.ballot_len
    }

    pub(crate) fn table(&self) -> &KeyTable {
        &self.0.table
    }

    pub(crate) fn digest(&self) -> &[u8; 64] {
        &self.0.digest
    }
}

/// Checks the rules of `contests` and gives the length in bytes of a ballot with them.
///
/// # Errors
/// As [`BallotContext::new`]: for checking a manifest before its key exists.
pub fn ballot_len(contests: &[ContestKind]) -> Result<usize, ContextError> {
    if contests.is_empty() {
        return Err(ContextError::Empty);
    }
    if let Some(contest) = contests.iter().position(|kind| !kind.check()) {
        return Err(ContextError::Rule { contest });
    }
    let bytes = parsed::HEADER_LEN
        + contests.iter().map(ContestKind::body_len).sum::<usize>()
        + parsed::SIGNATURE_LEN;
    if bytes > BALLOT_LEN_MAX { Err(ContextError::TooLong { bytes }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn check(kind: ContestKind, choice: Choice, expect: &str) {
        let found = match choice.check(0, &kind) {
            Ok(()) => "ok".to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn choices_are_checked_against_their_contest() {
        let one = ContestKind::One { options: 3 };
        let some = ContestKind::Some { options: 4, min: 1, max: 2 };
        check(one, Choice::One(2), "ok");
        check(one, Choice::One(3), "question 0 has no option 3; its options are 0 to 2");
        check(one, Choice::Some(vec![1]), "the answer to question 0 has another kind");
        check(some, Choice::Some(vec![3, 0]), "ok");
        check(some, Choice::Some(vec![]), "0 options of question 0 are chosen; allowed: 1 to 2");
        check(some, Choice::Some(vec![2, 2]), "option 2 of question 0 is chosen twice");
        check(
            some,
            Choice::Some(vec![0, 1, 2]),
            "3 options of question 0 are chosen; allowed: 1 to 2",
        );
    }

    #[test]
    fn bodies_have_the_published_sizes() {
        // Five options: P2 is 20 points and 9 scalars, P1 is 32 points and 16 scalars.
        assert_eq!(ContestKind::One { options: 5 }.body_len(), 1 + 928);
        assert_eq!(ContestKind::Some { options: 5, min: 1, max: 1 }.body_len(), 1 + 1536);
        // Approval needs no sum.
        assert_eq!(ContestKind::Some { options: 5, min: 0, max: 5 }.body_len(), 1 + 5 * 288);
    }

    #[test]
    fn contests_that_cannot_be_voted_on_are_refused() {
        assert_eq!(ballot_len(&[]), Err(ContextError::Empty));
        for rule in [
            ContestKind::One { options: 0 },
            ContestKind::Some { options: 0, min: 0, max: 0 },
            ContestKind::Some { options: 3, min: 2, max: 1 },
            ContestKind::Some { options: 3, min: 0, max: 4 },
        ] {
            assert_eq!(ballot_len(&[rule]), Err(ContextError::Rule { contest: 0 }));
        }
        assert!(ballot_len(&[ContestKind::One { options: 330 }]).is_ok());
        let error = ballot_len(&[ContestKind::One { options: 400 }]).expect_err("too long");
        assert!(error.to_string().contains("ask fewer options"), "{error}");
    }
}
