//! The result of an election, and what follows from it by the rules of the manifest.

use core::fmt;

use crate::{
    contest::{Contest, Majority, Rule, Tie},
    definition::Definition,
    wire::{DecodeError, Reader},
};

const VERSION: u8 = 1;

/// Voters and their total weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Electors {
    /// How many.
    pub voters: u32,
    /// Their total weight.
    pub weight: u64,
}

impl Electors {
    pub(crate) fn add(&mut self, weight: u32) {
        self.voters += 1;
        self.weight += u64::from(weight);
    }

    pub(crate) fn remove(&mut self, weight: u32) {
        self.voters -= 1;
        self.weight -= u64::from(weight);
    }

    fn put(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.voters.to_be_bytes());
        bytes.extend_from_slice(&self.weight.to_be_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { voters: reader.u32("voters")?, weight: reader.u64("weight")? })
    }
}

impl core::ops::AddAssign for Electors {
    fn add_assign(&mut self, other: Self) {
        self.voters += other.voters;
        self.weight += other.weight;
    }
}

impl fmt::Display for Electors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of weight {}", self.voters, self.weight)
    }
}

/// Who answered one contest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Participation {
    /// Who may answer it, at the close.
    pub eligible: Electors,
    /// Whose ballots count.
    pub ballots: Electors,
    /// Who is marked to vote on paper.
    pub paper: Electors,
}

/// The result of an election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Ballots counted: one for each credential that voted.
    pub ballots: u32,
    /// Their total weight.
    pub weight: u64,
    /// Credentials marked to vote on paper, which are not among the counts.
    pub paper: Electors,
    /// Who answered each contest.
    pub participation: Vec<Participation>,
    /// Weighted votes by contest and counter, blank answers included; empty for a contest that
    /// fewer answered than the manifest demands for decryption.
    pub counts: Vec<Vec<u64>>,
}

impl Outcome {
    /// The canonical bytes, the body of a result entry.
    ///
    /// # Panics
    /// With more contests or options than a checked definition can have.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        Electors { voters: self.ballots, weight: self.weight }.put(&mut bytes);
        self.paper.put(&mut bytes);
        bytes.push(u8::try_from(self.counts.len()).expect("at most 64 contests"));
        for (counts, Participation { eligible, ballots, paper }) in
            self.counts.iter().zip(&self.participation)
        {
            [eligible, ballots, paper].into_iter().for_each(|electors| electors.put(&mut bytes));
            let counters = u16::try_from(counts.len()).expect("at most 2000 counters");
            bytes.extend_from_slice(&counters.to_be_bytes());
            counts.iter().for_each(|count| bytes.extend_from_slice(&count.to_be_bytes()));
        }
        bytes
    }

    /// Reads the canonical bytes.
    ///
    /// # Errors
    /// Field and offset of what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("result", bytes);
        if reader.u8("version")? != VERSION {
            return Err(reader.wrong("version", "must be 1"));
        }
        let counted = Electors::read(&mut reader)?;
        let paper = Electors::read(&mut reader)?;
        let contests = reader.u8("number of contests")?;
        let (mut counts, mut participation) = (Vec::new(), Vec::new());
        for _ in 0..contests {
            participation.push(Participation {
                eligible: Electors::read(&mut reader)?,
                ballots: Electors::read(&mut reader)?,
                paper: Electors::read(&mut reader)?,
            });
            let counters = reader.u16("number of counters")?;
            let contest = (0..counters).map(|_| reader.u64("count")).collect::<Result<_, _>>()?;
            counts.push(contest);
        }
        reader.finish()?;
        let Electors { voters: ballots, weight } = counted;
        Ok(Self { ballots, weight, paper, participation, counts })
    }

    /// What the rules of each contest make of the counts.
    pub fn decisions(&self, definition: &Definition) -> Vec<Decided> {
        let contests = definition.contests.iter().zip(&self.counts).zip(&self.participation);
        contests.map(|((contest, counts), part)| decide(contest, counts, part)).collect()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ballots of weight {}:", self.ballots, self.weight)?;
        self.counts.iter().try_for_each(|counts| write!(f, " {counts:?}"))?;
        if self.paper.voters > 0 { write!(f, ", on paper {}", self.paper) } else { Ok(()) }
    }
}

/// What the rules make of one contest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Why nothing can be decided, or that it was.
    pub finding: Finding,
    /// Options that won, most votes first.
    pub winners: Vec<u16>,
    /// Options with equal counts that compete for the seats still open.
    pub tied: Vec<u16>,
}

/// How a contest was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Every seat that could be filled is.
    Decided,
    /// People must draw lots among the tied.
    Lot,
    /// The tied must stand in another election.
    Runoff,
    /// Too few have voted.
    NoQuorum,
    /// No option reached what it must.
    NoMajority,
    /// Too few answered for a decryption.
    Withheld,
}

impl Finding {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Lot => "lot",
            Self::Runoff => "runoff",
            Self::NoQuorum => "no-quorum",
            Self::NoMajority => "no-majority",
            Self::Withheld => "withheld",
        }
    }
}

impl Decided {
    fn nothing(finding: Finding) -> Self {
        Self { finding, winners: Vec::new(), tied: Vec::new() }
    }
}

/// Applies quorum, majority and tie rule. Paper votes count for the quorum; what they say is not
/// known here, so where there are any, the finding is about the online votes alone.
fn decide(contest: &Contest, counts: &[u64], part: &Participation) -> Decided {
    let decision = &contest.decision;
    let voted = u128::from(part.ballots.weight) + u128::from(part.paper.weight);
    if voted * 100 < u128::from(decision.quorum_percent) * u128::from(part.eligible.weight) {
        return Decided::nothing(Finding::NoQuorum);
    }
    if counts.len() != contest.option_count() {
        return Decided::nothing(Finding::Withheld);
    }
    let blank = if contest.blank { counts[counts.len() - 1] } else { 0 };
    let highest = if let Rule::Score { highest, .. } = contest.rule { highest } else { 1 };
    let most = u128::from(part.ballots.weight - blank) * u128::from(highest);
    let reaches = |count: u64| {
        let count = u128::from(count);
        count > 0
            && match decision.majority {
                Majority::Relative => true,
                Majority::Absolute => count * 2 > most,
                Majority::TwoThirds => count * 3 >= most * 2,
                Majority::ThreeQuarters => count * 4 >= most * 3,
            }
    };
    let options = (0_u16..).zip(&counts[..contest.options.len()]);
    let mut able: Vec<(u16, u64)> =
        options.filter(|(_, count)| reaches(**count)).map(|(at, count)| (at, *count)).collect();
    if able.is_empty() {
        return Decided::nothing(Finding::NoMajority);
    }
    able.sort_by_key(|(at, count)| (core::cmp::Reverse(*count), *at));
    fill(&able, decision.seats.into(), decision.tie)
}

/// Gives the seats to the first of a sorted list.
fn fill(able: &[(u16, u64)], seats: usize, tie: Tie) -> Decided {
    let named = |chosen: &[(u16, u64)]| chosen.iter().map(|(at, _)| *at).collect();
    let contested = able.get(seats).filter(|next| next.1 == able[seats - 1].1);
    let (Some((_, level)), Tie::Lot | Tie::Runoff) = (contested, tie) else {
        let winners = named(&able[..seats.min(able.len())]);
        return Decided { finding: Finding::Decided, winners, tied: Vec::new() };
    };
    let above = able.iter().take_while(|(_, count)| count > level).count();
    let equal = able[above..].iter().take_while(|(_, count)| count == level).count();
    let finding = if tie == Tie::Lot { Finding::Lot } else { Finding::Runoff };
    let (winners, tied) = (named(&able[..above]), named(&able[above..above + equal]));
    Decided { finding, winners, tied }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::Decision;

    fn check(change: impl FnOnce(&mut Decision), counts: &[u64], expect: (&str, &[u16], &[u16])) {
        let mut contest = Contest::new("Board", Rule::One, &["Ann", "Bob", "Cyd"]);
        contest.blank = true;
        change(&mut contest.decision);
        let electors = |weight| Electors { voters: 1, weight };
        let part = Participation {
            eligible: electors(20),
            ballots: electors(counts.iter().sum()),
            paper: electors(2),
        };
        let decided = decide(&contest, counts, &part);
        let found = (decided.finding.name(), &decided.winners[..], &decided.tied[..]);
        assert_eq!(found, expect, "{counts:?}");
    }

    #[test]
    fn quorum_majority_and_tie_rule_are_applied() {
        let default = |_: &mut Decision| ();
        check(default, &[3, 4, 1, 0], ("decided", &[1], &[]));
        check(default, &[0, 0, 0, 5], ("no-majority", &[], &[]));
        check(default, &[4, 4, 1, 0], ("lot", &[], &[0, 1]));
        check(|d| d.tie = Tie::Runoff, &[4, 4, 1, 0], ("runoff", &[], &[0, 1]));
        check(|d| d.tie = Tie::FirstListed, &[1, 4, 4, 0], ("decided", &[1], &[]));
        check(|d| d.seats = 2, &[4, 4, 1, 0], ("decided", &[0, 1], &[]));
        check(|d| d.seats = 2, &[2, 4, 2, 0], ("lot", &[1], &[0, 2]));
        check(|d| d.seats = 3, &[2, 4, 0, 0], ("decided", &[1, 0], &[]));
        // Blank answers are no part of a majority; paper votes are part of the quorum.
        check(|d| d.majority = Majority::Absolute, &[4, 3, 0, 9], ("decided", &[0], &[]));
        check(|d| d.majority = Majority::Absolute, &[4, 2, 2, 0], ("no-majority", &[], &[]));
        check(|d| d.majority = Majority::TwoThirds, &[4, 2, 0, 0], ("decided", &[0], &[]));
        check(|d| d.majority = Majority::TwoThirds, &[5, 3, 0, 0], ("no-majority", &[], &[]));
        check(|d| d.majority = Majority::ThreeQuarters, &[6, 2, 0, 0], ("decided", &[0], &[]));
        check(|d| d.quorum_percent = 50, &[8, 0, 0, 0], ("decided", &[0], &[]));
        check(|d| d.quorum_percent = 51, &[8, 0, 0, 0], ("no-quorum", &[], &[]));
        check(default, &[], ("withheld", &[], &[]));
    }

    #[test]
    fn an_outcome_is_read_back() {
        let electors = |weight| Electors { voters: 3, weight };
        let part =
            Participation { eligible: electors(9), ballots: electors(8), paper: electors(1) };
        let outcome = Outcome {
            ballots: 7,
            weight: 1 << 39,
            paper: electors(5),
            participation: vec![part; 2],
            counts: vec![vec![1, 1 << 39], vec![]],
        };
        let bytes = outcome.encode();
        assert_eq!(Outcome::decode(&bytes), Ok(outcome));
        assert!(Outcome::decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
