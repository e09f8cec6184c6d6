//! One question: how it is answered, who answers it, and what decides it.

use ballot::{Choice, ContestKind};

use crate::{
    definition::{OPTIONS_MAX, Problems},
    wire::{DecodeError, Reader, put_text},
};

/// The text of a blank option in a contest that offers one.
pub const BLANK: &str = "(blank)";

/// How a contest is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Exactly one option.
    One,
    /// Any set of `min..=max` options.
    Some {
        /// The fewest.
        min: u16,
        /// The most.
        max: u16,
    },
    /// A score `0..=highest` for each option, all together `min..=max`.
    Score {
        /// The highest score of one option.
        highest: u16,
        /// The least sum.
        min: u16,
        /// The largest sum.
        max: u16,
    },
    /// One list (the options are the lists), and `min..=max` of its candidates.
    Lists {
        /// The candidates of each list, in the order of the options.
        candidates: Vec<Vec<String>>,
        /// The fewest candidates; 0 allows a vote for the list alone.
        min: u16,
        /// The most candidates, or all of a list that has fewer.
        max: u16,
    },
}

/// What an option must reach beside having more than the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Majority {
    /// Nothing: the most votes win.
    #[default]
    Relative,
    /// More than half of the votes that are not blank.
    Absolute,
    /// At least two thirds of them.
    TwoThirds,
    /// At least three quarters of them.
    ThreeQuarters,
}

/// What happens when options with the same count compete for a seat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tie {
    /// The result names them, and people draw lots.
    #[default]
    Lot,
    /// The result names them, and they stand in another election.
    Runoff,
    /// The one listed first wins.
    FirstListed,
}

/// What decides a contest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How many options can win, at least 1.
    pub seats: u16,
    /// Per cent of the weight of those who may answer that must have voted, online or on paper, or
    /// nothing is decided; 0 to 100.
    pub quorum_percent: u8,
    /// What an option must reach.
    pub majority: Majority,
    /// What happens at equal counts.
    pub tie: Tie,
}

impl Default for Decision {
    fn default() -> Self {
        Self { seats: 1, quorum_percent: 0, majority: Majority::default(), tie: Tie::default() }
    }
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contest {
    /// The question.
    pub title: String,
    /// How it is answered.
    pub rule: Rule,
    /// The answers, without the blank one; with [`Rule::Lists`] the names of the lists.
    pub options: Vec<String>,
    /// Whether voters may explicitly answer nothing, which is counted.
    pub blank: bool,
    /// Numbers of the groups that answer it, ascending; none means everybody.
    pub groups: Vec<u8>,
    /// What decides it.
    pub decision: Decision,
}

impl Contest {
    /// A question to everybody without a blank answer, decided by the most votes.
    pub fn new(title: impl Into<String>, rule: Rule, options: &[&str]) -> Self {
        Self {
            title: title.into(),
            rule,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            blank: false,
            groups: Vec::new(),
            decision: Decision::default(),
        }
    }

    /// How many counters it has: one for each option, then for each candidate of each list, then
    /// for blank answers.
    pub fn option_count(&self) -> usize {
        let candidates: usize = match &self.rule {
            Rule::Lists { candidates, .. } => candidates.iter().map(Vec::len).sum(),
            _ => 0,
        };
        self.options.len() + candidates + usize::from(self.blank)
    }

    /// Whether the last counter stands for a blank answer.
    pub fn has_blank_option(&self) -> bool {
        self.blank
    }

    /// The text of a counter by its number in the ballot.
    pub fn option_text(&self, option: usize) -> Option<&str> {
        if self.blank && option + 1 == self.option_count() {
            return Some(BLANK);
        }
        let Some(at) = option.checked_sub(self.options.len()) else {
            return self.options.get(option).map(String::as_str);
        };
        let Rule::Lists { candidates, .. } = &self.rule else { return None };
        candidates.iter().flatten().nth(at).map(String::as_str)
    }

    /// The rule as the ballot's proofs know it.
    pub fn kind(&self) -> ContestKind {
        let small = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let (options, blank) = (small(self.options.len()), self.blank);
        match &self.rule {
            Rule::One => ContestKind::One { options: small(self.option_count()) },
            Rule::Some { min, max } => ContestKind::Some { options, min: *min, max: *max, blank },
            Rule::Score { highest, min, max } => {
                ContestKind::Score { options, highest: *highest, min: *min, max: *max, blank }
            }
            Rule::Lists { candidates, min, max } => ContestKind::Lists {
                candidates: candidates.iter().map(|list| small(list.len())).collect(),
                min: *min,
                max: *max,
                blank,
            },
        }
    }

    /// The blank answer, where there is one.
    pub fn blank_choice(&self) -> Option<Choice> {
        let last = u16::try_from(self.options.len()).unwrap_or(u16::MAX);
        let choice = if self.rule == Rule::One { Choice::One(last) } else { Choice::Blank };
        self.blank.then_some(choice)
    }

    /// Whether voters of this group answer it.
    pub fn asks(&self, group: u8) -> bool {
        self.groups.is_empty() || self.groups.contains(&group)
    }

    pub(crate) fn check(&self, field: &str, groups: usize, problems: &mut Problems) {
        problems.text(&format!("{field}.title"), &self.title);
        let count = self.options.len();
        let options = format!("{field}.options");
        problems.need(&options, (1..=OPTIONS_MAX).contains(&count), || {
            format!("there must be 1 to {OPTIONS_MAX} options, not {count}")
        });
        problems.distinct(&options, &self.options);
        self.check_rule(field, problems);
        let known = self.groups.iter().all(|&group| (1..=groups).contains(&usize::from(group)));
        problems.need(
            &format!("{field}.groups"),
            known && self.groups.is_sorted_by(|a, b| a < b),
            || format!("must ascend and name groups 1 to {groups} of the election"),
        );
        let Decision { seats, quorum_percent, .. } = self.decision;
        problems.need(
            &format!("{field}.seats"),
            (1..=count.max(1)).contains(&seats.into()),
            || format!("must be 1 to {count}, the number of options, not {seats}"),
        );
        problems.need(&format!("{field}.quorum_percent"), quorum_percent <= 100, || {
            format!("must be 0 to 100 per cent, not {quorum_percent}")
        });
    }

    fn check_rule(&self, field: &str, problems: &mut Problems) {
        let count = self.options.len();
        let max_field = format!("{field}.max");
        match &self.rule {
            Rule::One => {}
            Rule::Some { min, max } => {
                let fits = min <= max && *max >= 1 && usize::from(*max) <= count;
                problems.need(&max_field, fits, || {
                    format!("{min} to {max} of {count} options cannot be chosen")
                });
            }
            Rule::Score { highest, min, max } => {
                problems.need(&format!("{field}.highest"), *highest >= 1, || {
                    "the highest score must be at least 1".to_owned()
                });
                let most = count * usize::from(*highest);
                let fits = min <= max && *max >= 1 && usize::from(*max) <= most;
                problems.need(&max_field, fits, || {
                    format!(
                        "{count} scores up to {highest} cannot add up to {min} to {max}: the \
                         largest sum is {most}"
                    )
                });
            }
            Rule::Lists { candidates, min, max } => {
                let field = format!("{field}.candidates");
                problems.need(&field, candidates.len() == count, || {
                    format!("{count} lists, but candidates of {}", candidates.len())
                });
                for (at, list) in candidates.iter().enumerate() {
                    let field = format!("{field}[{at}]");
                    let fits = list.len() >= usize::from(*min).max(1);
                    problems.need(&field, fits, || {
                        format!("a list needs at least {} candidates", min.max(&1))
                    });
                    problems.distinct(&field, list);
                }
                problems.need(&max_field, min <= max && *max >= 1, || {
                    format!("{min} to {max} candidates cannot be chosen")
                });
            }
        }
    }

    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        put_text(bytes, &self.title);
        bytes.push(self.kind().byte());
        let numbers: &[u16] = match &self.rule {
            Rule::One => &[],
            Rule::Some { min, max } | Rule::Lists { min, max, .. } => &[*min, *max],
            Rule::Score { highest, min, max } => &[*highest, *min, *max],
        };
        numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_be_bytes()));
        bytes.push(u8::from(self.blank));
        put_texts(bytes, &self.options);
        if let Rule::Lists { candidates, .. } = &self.rule {
            candidates.iter().for_each(|list| put_texts(bytes, list));
        }
        bytes.push(self.groups.len() as u8);
        bytes.extend_from_slice(&self.groups);
        self.decision.put(bytes);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let title = reader.text("contest's title")?;
        let kind = reader.u8("contest's kind")?;
        if !(1..=4).contains(&kind) {
            let reason = "must be 1 (one), 2 (some), 3 (score) or 4 (lists)";
            return Err(reader.wrong("contest's kind", reason));
        }
        let highest = if kind == 3 { reader.u16("highest score")? } else { 1 };
        let (min, max) = match kind {
            1 => (1, 1),
            _ => (reader.u16("contest's min")?, reader.u16("contest's max")?),
        };
        let blank = reader.flag("contest's blank")?;
        let options = read_texts(reader)?;
        let rule = match kind {
            1 => Rule::One,
            2 => Rule::Some { min, max },
            3 => Rule::Score { highest, min, max },
            _ => {
                let lists = options.iter().map(|_| read_texts(reader));
                Rule::Lists { candidates: lists.collect::<Result<_, _>>()?, min, max }
            }
        };
        let groups = reader.u8("number of groups")?;
        let groups = reader.take("groups", groups.into())?.to_vec();
        let decision = Decision::read(reader)?;
        Ok(Self { title, rule, options, blank, groups, decision })
    }
}

impl Decision {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.seats.to_be_bytes());
        bytes.push(self.quorum_percent);
        bytes.push(match self.majority {
            Majority::Relative => 0,
            Majority::Absolute => 1,
            Majority::TwoThirds => 2,
            Majority::ThreeQuarters => 3,
        });
        bytes.push(match self.tie {
            Tie::Lot => 0,
            Tie::Runoff => 1,
            Tie::FirstListed => 2,
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (seats, quorum_percent) = (reader.u16("seats")?, reader.u8("turnout quorum")?);
        let majority = match reader.u8("majority")? {
            0 => Majority::Relative,
            1 => Majority::Absolute,
            2 => Majority::TwoThirds,
            3 => Majority::ThreeQuarters,
            _ => return Err(reader.wrong("majority", "must be 0 to 3")),
        };
        let tie = match reader.u8("tie rule")? {
            0 => Tie::Lot,
            1 => Tie::Runoff,
            2 => Tie::FirstListed,
            _ => return Err(reader.wrong("tie rule", "must be 0 to 2")),
        };
        Ok(Self { seats, quorum_percent, majority, tie })
    }
}

fn put_texts(bytes: &mut Vec<u8>, texts: &[String]) {
    bytes.extend_from_slice(&(texts.len() as u16).to_be_bytes());
    texts.iter().for_each(|text| put_text(bytes, text));
}

fn read_texts(reader: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let count = reader.u16("number of options")?;
    (0..count).map(|_| reader.text("option")).collect()
}
