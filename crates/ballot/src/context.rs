//! The election a ballot is made for and checked against: its name, its key, and which contests
//! the voters of each group answer.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::contest::{BALLOT_LEN_MAX, ContestKind, Fingerprint};
use crate::elgamal::{ElectionKey, KeyTable};
use crate::hash::Framed;
use crate::parsed;
use crate::proof::{self, Claim};

/// A contest and the groups of voters who answer it; no group means everybody.
pub type GroupedContest = (ContestKind, Vec<u8>);

/// Why contests cannot be voted on with this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextError {
    /// No contest at all.
    Empty,
    /// No options, `min > max` or more than there are.
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
                "question {contest} needs at least one option and 0 <= min <= max within what its \
                 options allow"
            ),
            Self::TooLong { bytes } => write!(
                f,
                "a ballot would have {bytes} bytes, more than {BALLOT_LEN_MAX}: ask fewer options"
            ),
        }
    }
}

impl core::error::Error for ContextError {}

/// The contests of an election and who answers which: made once, cloned freely (it is shared).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contests(Arc<Questions>);

#[derive(Debug, PartialEq, Eq)]
struct Questions {
    kinds: Vec<ContestKind>,
    /// For each of the 256 groups, the numbers of its contests.
    of_group: Vec<Vec<u16>>,
}

impl Contests {
    /// Checks the rules of contests and the length of the longest ballot.
    ///
    /// # Errors
    /// No contest, a rule that cannot be met, or too long a ballot.
    pub fn new(contests: Vec<GroupedContest>) -> Result<Self, ContextError> {
        if contests.is_empty() {
            return Err(ContextError::Empty);
        }
        if let Some(contest) = contests.iter().position(|(kind, _)| !kind.check()) {
            return Err(ContextError::Rule { contest });
        }
        let asks = |groups: &[u8], group| groups.is_empty() || groups.contains(&group);
        let of_group = (0..=u8::MAX).map(|group| {
            let asked = (0_u16..).zip(&contests).filter(|(_, (_, groups))| asks(groups, group));
            asked.map(|(contest, _)| contest).collect()
        });
        let of_group = of_group.collect();
        let kinds = contests.into_iter().map(|(kind, _)| kind).collect();
        let contests = Self(Arc::new(Questions { kinds, of_group }));
        let bytes = contests.longest_ballot();
        if bytes > BALLOT_LEN_MAX { Err(ContextError::TooLong { bytes }) } else { Ok(contests) }
    }

    /// All contests in the order of the manifest.
    pub fn kinds(&self) -> &[ContestKind] {
        &self.0.kinds
    }

    /// The numbers of the contests that voters of this group answer, ascending; empty for a group
    /// that has no vote.
    pub fn of_group(&self, group: u8) -> &[u16] {
        &self.0.of_group[usize::from(group)]
    }

    /// Bytes of the longest encrypted ballot of any group.
    pub fn longest_ballot(&self) -> usize {
        let lengths: Vec<usize> = self.kinds().iter().map(ContestKind::body_len).collect();
        let of_group = |asked: &Vec<u16>| asked.iter().map(|&at| lengths[usize::from(at)]).sum();
        let longest = self.0.of_group.iter().map(of_group).max().unwrap_or(0);
        parsed::HEADER_LEN + longest + parsed::SIGNATURE_LEN
    }

    /// The highest number that one ballot can add to any counter, before weights.
    pub fn highest(&self) -> u16 {
        self.kinds().iter().map(ContestKind::highest).max().unwrap_or(1)
    }
}

/// The election a ballot is made for and checked against: made once, cloned freely (it is shared).
#[derive(Clone)]
pub struct BallotContext(Arc<Inner>);

struct Inner {
    fingerprint: Fingerprint,
    election_key: ElectionKey,
    contests: Contests,
    /// The claims of each contest that do not depend on a ballot.
    claims: Vec<Vec<Claim>>,
    clauses: Vec<Vec<usize>>,
    table: KeyTable,
    digest: [u8; 64],
    groups: Vec<Group>,
}

/// What all ballots of one group have in common.
struct Group {
    digest: [u8; 64],
    ballot_len: usize,
}

impl BallotContext {
    /// Binds the election's name, key and contests, which everybody answers.
    ///
    /// # Errors
    /// When a contest's rule cannot be met or a ballot would be too long.
    pub fn new(
        fingerprint: Fingerprint,
        election_key: ElectionKey,
        contests: Vec<ContestKind>,
    ) -> Result<Self, ContextError> {
        let everybody = contests.into_iter().map(|kind| (kind, Vec::new())).collect();
        Ok(Self::with_contests(fingerprint, election_key, Contests::new(everybody)?))
    }

    /// Binds the election's name, key and contests.
    pub fn with_contests(
        fingerprint: Fingerprint,
        election_key: ElectionKey,
        contests: Contests,
    ) -> Self {
        let groups: Vec<Group> = (0..=u8::MAX)
            .map(|group| {
                let asked = contests.of_group(group);
                let lengths = asked.iter().map(|&at| contests.kinds()[usize::from(at)].body_len());
                let ballot_len =
                    parsed::HEADER_LEN + lengths.sum::<usize>() + parsed::SIGNATURE_LEN;
                let digest = group_digest(fingerprint, &election_key, group, &contests);
                Group { digest, ballot_len }
            })
            .collect();
        let all = Framed::new("quorate/ballot/v1/election");
        let digest = groups.iter().fold(all, |hash, group| hash.field(&group.digest)).digest();
        let claims = contests.kinds().iter().map(proof::fixed_claims).collect();
        let clauses = contests.kinds().iter().map(ContestKind::clauses).collect();
        let table = KeyTable::new(&election_key);
        Self(Arc::new(Inner {
            fingerprint,
            election_key,
            contests,
            claims,
            clauses,
            table,
            digest,
            groups,
        }))
    }

    /// The election's name.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// The key ballots are encrypted to.
    pub fn election_key(&self) -> &ElectionKey {
        &self.0.election_key
    }

    /// The contests in the order of the manifest.
    pub fn contests(&self) -> &[ContestKind] {
        self.0.contests.kinds()
    }

    /// Contests and who answers which.
    pub fn questions(&self) -> &Contests {
        &self.0.contests
    }

    /// The exact length in bytes of every ballot of this group.
    pub fn ballot_len(&self, group: u8) -> usize {
        self.0.groups[usize::from(group)].ballot_len
    }

    /// Contests of a group with their numbers.
    pub(crate) fn asked(&self, group: u8) -> impl Iterator<Item = (u16, &ContestKind)> {
        let contests = &self.0.contests;
        contests.of_group(group).iter().map(|&at| (at, &contests.kinds()[usize::from(at)]))
    }

    pub(crate) fn fixed_claims(&self, contest: u16) -> &[Claim] {
        &self.0.claims[usize::from(contest)]
    }

    pub(crate) fn clauses(&self, contest: u16) -> &[usize] {
        &self.0.clauses[usize::from(contest)]
    }

    pub(crate) fn table(&self) -> &KeyTable {
        &self.0.table
    }

    /// What distinguishes this election from any other, for all groups.
    pub(crate) fn digest(&self) -> &[u8; 64] {
        &self.0.digest
    }

    /// The head of every transcript of a group.
    pub(crate) fn group_digest(&self, group: u8) -> &[u8; 64] {
        &self.0.groups[usize::from(group)].digest
    }
}

/// Election, key, group, and number and rule of each of the group's contests.
fn group_digest(
    fingerprint: Fingerprint,
    key: &ElectionKey,
    group: u8,
    contests: &Contests,
) -> [u8; 64] {
    let mut rules = Vec::new();
    for &contest in contests.of_group(group) {
        rules.extend_from_slice(&contest.to_le_bytes());
        contests.kinds()[usize::from(contest)].put(&mut rules);
    }
    Framed::new("quorate/ballot/v1/context")
        .field(&fingerprint.0)
        .field(&key.to_bytes())
        .field(&[group])
        .field(&rules)
        .digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn check(kind: ContestKind) -> Result<Contests, ContextError> {
        Contests::new(vec![(kind, Vec::new())])
    }

    #[test]
    fn contests_that_cannot_be_voted_on_are_refused() {
        assert_eq!(Contests::new(vec![]), Err(ContextError::Empty));
        let some = |options, min, max| ContestKind::Some { options, min, max, blank: false };
        let score = |options, highest, min, max| {
            let blank = true;
            ContestKind::Score { options, highest, min, max, blank }
        };
        let lists = |candidates: &[u16], min, max| {
            let candidates = candidates.to_vec();
            ContestKind::Lists { candidates, min, max, blank: true }
        };
        for rule in [
            ContestKind::One { options: 0 },
            some(0, 0, 0),
            some(3, 2, 1),
            some(3, 0, 4),
            score(0, 5, 0, 0),
            score(3, 0, 0, 0),
            score(3, 5, 0, 16),
            score(3, 5, 4, 3),
            score(u16::MAX, u16::MAX, 0, 1),
            lists(&[], 0, 1),
            lists(&[3, 0], 0, 1),
            lists(&[3, 1], 2, 3),
            lists(&[3, 3], 0, 0),
            lists(&[u16::MAX; 3], 0, 1),
        ] {
            assert_eq!(check(rule.clone()), Err(ContextError::Rule { contest: 0 }), "{rule:?}");
        }
        assert!(check(ContestKind::One { options: 330 }).is_ok());
        let error = check(ContestKind::One { options: 400 }).expect_err("too long");
        assert!(error.to_string().contains("ask fewer options"), "{error}");
    }

    #[test]
    fn each_group_has_its_contests() {
        let one = || ContestKind::One { options: 2 };
        let contests = vec![(one(), vec![]), (one(), vec![1, 7]), (one(), vec![7])];
        let contests = Contests::new(contests).expect("contests");
        assert_eq!(contests.of_group(0), [0]);
        assert_eq!(contests.of_group(1), [0, 1]);
        assert_eq!(contests.of_group(7), [0, 1, 2]);
        assert_eq!(contests.longest_ballot(), 102 + 3 * one().body_len() + 64);
    }
}
