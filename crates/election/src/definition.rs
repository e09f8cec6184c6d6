//! What an administrator writes: the questions and the rules of an election, before there are
//! keys, a roll or authorities.

use core::fmt;

use ballot::ContestKind;

use crate::wire::{DecodeError, Reader, put_optional_u32, put_text};

/// Most contests in one election.
pub const CONTESTS_MAX: usize = 64;
/// Most options in one contest.
pub const OPTIONS_MAX: usize = 1000;
/// Most trustees.
pub const TRUSTEES_MAX: usize = 16;
/// Longest title, name or option in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 500;
/// Longest domain.
pub const DOMAIN_BYTES_MAX: usize = 100;
/// The text of a blank option in a contest that offers one.
pub const BLANK: &str = "(blank)";

/// How a contest is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contest {
    /// The question.
    pub title: String,
    /// How it is answered.
    pub rule: Rule,
    /// The answers, without the blank one.
    pub options: Vec<String>,
    /// Whether voters may choose nothing explicitly. In a contest of rule `One` this adds a last
    /// option [`BLANK`]; with `Some` it is the empty set, so it needs `min = 0`.
    pub blank: bool,
}

impl Contest {
    /// How many ciphertexts a ballot has for it: the options and, with `One`, the blank one.
    pub fn option_count(&self) -> usize {
        self.options.len() + usize::from(self.has_blank_option())
    }

    /// Whether the last ciphertext stands for a blank answer.
    pub fn has_blank_option(&self) -> bool {
        self.blank && self.rule == Rule::One
    }

    /// The text of an option by its number in the ballot.
    pub fn option_text(&self, option: usize) -> Option<&str> {
        let blank = self.has_blank_option() && option == self.options.len();
        if blank { Some(BLANK) } else { self.options.get(option).map(String::as_str) }
    }

    /// The rule as the ballot's proofs know it.
    pub fn kind(&self) -> ContestKind {
        let options = u16::try_from(self.option_count()).unwrap_or(u16::MAX);
        match self.rule {
            Rule::One => ContestKind::One { options },
            Rule::Some { min, max } => ContestKind::Some { options, min, max },
        }
    }
}

/// Whether a voter may vote again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revote {
    /// The first ballot stands.
    Off,
    /// The last ballot of the credential's chain counts.
    LastCounts,
}

/// Who makes the voters' codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// A program outside the nodes: no server ever sees a code.
    Separate,
    /// The cluster itself: a convenience for small elections; the servers could vote for people
    /// who do not, and every receipt says so.
    Cluster,
}

/// The questions and rules of an election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Name of the election.
    pub title: String,
    /// Domain of its origin `<domain>/e/<id>`: lower-case letters, digits, dots, dashes.
    pub domain: String,
    /// The questions, in ballot order.
    pub contests: Vec<Contest>,
    /// Names of the trustees, in order; their number is their place from 1.
    pub trustees: Vec<String>,
    /// How many trustees must work together to decrypt.
    pub threshold: u8,
    /// First minute in which ballots are taken, in minutes since 1970 UTC.
    pub opens: Option<u32>,
    /// First minute in which no more ballots are taken.
    pub closes: Option<u32>,
    /// Whether a voter may vote again.
    pub revote: Revote,
    /// Who makes the codes.
    pub issuer: Issuer,
    /// With fewer counted ballots nothing is decrypted.
    pub minimum_ballots: u32,
    /// Whether classes (same group and weight) of fewer than 20 voters are accepted, although
    /// their secrecy is narrower.
    pub accept_small_classes: bool,
    /// Whether this is only a trial; shown everywhere.
    pub test: bool,
}

/// One thing that keeps a definition from being an election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, like `contests[2].options`.
    pub field: String,
    /// What is wrong and what to do.
    pub sentence: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.sentence)
    }
}

impl Definition {
    /// The contests as the ballot's proofs know them.
    pub fn kinds(&self) -> Vec<ContestKind> {
        self.contests.iter().map(Contest::kind).collect()
    }

    /// Checks every rule.
    ///
    /// # Errors
    /// All problems, in the order of the fields.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Problems(Vec::new());
        problems.text("title", &self.title);
        problems.need("domain", is_domain(&self.domain), || {
            format!(
                "{:?} is no domain: 1 to {DOMAIN_BYTES_MAX} lower-case letters, digits, dots, \
                 dashes and at most one port like :8080",
                self.domain
            )
        });
        self.check_contests(&mut problems);
        self.check_trustees(&mut problems);
        if let (Some(opens), Some(closes)) = (self.opens, self.closes) {
            problems.need("closes", opens < closes, || {
                "the election must close after it opens".to_owned()
            });
        }
        problems.need("minimum_ballots", self.minimum_ballots >= 1, || {
            "must be at least 1: nothing is decrypted without a ballot".to_owned()
        });
        if problems.0.is_empty() { Ok(()) } else { Err(problems.0) }
    }

    fn check_contests(&self, problems: &mut Problems) {
        let count = self.contests.len();
        problems.need("contests", (1..=CONTESTS_MAX).contains(&count), || {
            format!("there must be 1 to {CONTESTS_MAX} contests, not {count}")
        });
        for (at, contest) in self.contests.iter().enumerate() {
            contest.check(&format!("contests[{at}]"), problems);
        }
        if !problems.0.is_empty() {
            return;
        }
        match ballot::ballot_len(&self.kinds()) {
            Ok(bytes) if bytes <= crate::entry::BODY_BYTES_MAX => {}
            Ok(bytes) => problems.add(
                "contests",
                format!(
                    "a ballot would have {bytes} bytes, more than the {} an entry can hold: ask \
                     for fewer options",
                    crate::entry::BODY_BYTES_MAX
                ),
            ),
            Err(error) => problems.add("contests", error.to_string()),
        }
    }

    fn check_trustees(&self, problems: &mut Problems) {
        let count = self.trustees.len();
        problems.need("trustees", (1..=TRUSTEES_MAX).contains(&count), || {
            format!("there must be 1 to {TRUSTEES_MAX} trustees, not {count}")
        });
        for (at, name) in self.trustees.iter().enumerate() {
            let field = format!("trustees[{at}]");
            problems.text(&field, name);
            problems.need(&field, !self.trustees[..at].contains(name), || {
                format!("the name {name:?} appears twice")
            });
        }
        let threshold = usize::from(self.threshold);
        problems.need("threshold", (1..=count.max(1)).contains(&threshold), || {
            format!("must be 1 to {count}, the number of trustees, not {threshold}")
        });
    }

    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        put_text(bytes, &self.title);
        put_text(bytes, &self.domain);
        bytes.push(self.contests.len() as u8);
        self.contests.iter().for_each(|contest| contest.put(bytes));
        bytes.push(self.trustees.len() as u8);
        self.trustees.iter().for_each(|name| put_text(bytes, name));
        bytes.push(self.threshold);
        put_optional_u32(bytes, self.opens);
        put_optional_u32(bytes, self.closes);
        bytes.push(u8::from(self.revote == Revote::LastCounts));
        bytes.push(u8::from(self.issuer == Issuer::Cluster));
        bytes.extend_from_slice(&self.minimum_ballots.to_be_bytes());
        bytes.push(u8::from(self.accept_small_classes));
        bytes.push(u8::from(self.test));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            title: reader.text("title")?,
            domain: reader.text("domain")?,
            contests: {
                let count = reader.u8("number of contests")?;
                (0..count).map(|_| Contest::read(reader)).collect::<Result<_, _>>()?
            },
            trustees: {
                let count = reader.u8("number of trustees")?;
                (0..count).map(|_| reader.text("trustee's name")).collect::<Result<_, _>>()?
            },
            threshold: reader.u8("threshold")?,
            opens: reader.optional_u32("opening minute")?,
            closes: reader.optional_u32("closing minute")?,
            revote: if reader.flag("revote")? { Revote::LastCounts } else { Revote::Off },
            issuer: if reader.flag("issuer")? { Issuer::Cluster } else { Issuer::Separate },
            minimum_ballots: reader.u32("minimum of ballots")?,
            accept_small_classes: reader.flag("small classes accepted")?,
            test: reader.flag("test")?,
        })
    }
}

impl Contest {
    fn check(&self, field: &str, problems: &mut Problems) {
        problems.text(&format!("{field}.title"), &self.title);
        let count = self.options.len();
        let options = format!("{field}.options");
        problems.need(&options, (1..=OPTIONS_MAX).contains(&count), || {
            format!("there must be 1 to {OPTIONS_MAX} options, not {count}")
        });
        for (at, option) in self.options.iter().enumerate() {
            problems.text(&format!("{options}[{at}]"), option);
            let twice = self.options[..at].contains(option);
            let blank = self.has_blank_option() && option == BLANK;
            problems.need(&options, !twice && !blank, || format!("{option:?} appears twice"));
        }
        if let Rule::Some { min, max } = self.rule {
            let fits = min <= max && max >= 1 && usize::from(max) <= count;
            problems.need(&format!("{field}.max"), fits, || {
                format!("{min} to {max} of {count} options cannot be chosen")
            });
            problems.need(&format!("{field}.blank"), !self.blank || min == 0, || {
                "a blank answer here means choosing nothing, so min must be 0".to_owned()
            });
        }
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        put_text(bytes, &self.title);
        match self.rule {
            Rule::One => bytes.push(1),
            Rule::Some { min, max } => {
                bytes.push(2);
                bytes.extend_from_slice(&min.to_be_bytes());
                bytes.extend_from_slice(&max.to_be_bytes());
            }
        }
        bytes.push(u8::from(self.blank));
        bytes.extend_from_slice(&(self.options.len() as u16).to_be_bytes());
        self.options.iter().for_each(|option| put_text(bytes, option));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let title = reader.text("contest's title")?;
        let rule = match reader.u8("contest's kind")? {
            1 => Rule::One,
            2 => {
                Rule::Some { min: reader.u16("contest's min")?, max: reader.u16("contest's max")? }
            }
            _ => return Err(reader.wrong("contest's kind", "must be 1 (one) or 2 (some)")),
        };
        let blank = reader.flag("contest's blank")?;
        let count = reader.u16("number of options")?;
        let options = (0..count).map(|_| reader.text("option")).collect::<Result<_, _>>()?;
        Ok(Self { title, rule, options, blank })
    }
}

struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, field: &str, sentence: String) {
        self.0.push(Problem { field: field.to_owned(), sentence });
    }

    fn need(&mut self, field: &str, holds: bool, sentence: impl FnOnce() -> String) {
        if !holds {
            self.add(field, sentence());
        }
    }

    fn text(&mut self, field: &str, text: &str) {
        let plain = text.trim() == text && !text.chars().any(char::is_control);
        self.need(field, (1..=TEXT_BYTES_MAX).contains(&text.len()) && plain, || {
            format!(
                "must be 1 to {TEXT_BYTES_MAX} bytes of text in one line, without spaces at its \
                 ends"
            )
        });
    }
}

/// A host name, perhaps with a port; it becomes part of the origin.
fn is_domain(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty() && label.bytes().all(plain)
    };
    let port_fits = port.is_none_or(|port| {
        port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port)
    });
    text.len() <= DOMAIN_BYTES_MAX && host.split('.').all(label) && port_fits
}

#[cfg(test)]
mod tests;
