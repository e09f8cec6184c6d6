//! What an administrator writes: the questions and the rules of an election, before there are
//! keys, a roll or authorities.

use core::fmt;

use ballot::{ContestKind, Contests, ContextError, OpenBallot};

pub use crate::contest::{BLANK, Contest, Decision, Majority, Rule, Tie};
use crate::wire::{DecodeError, Reader, put_optional_u32, put_text};

/// Most contests in one election.
pub const CONTESTS_MAX: usize = 64;
/// Most options in one contest.
pub const OPTIONS_MAX: usize = 1000;
/// Most groups of voters.
pub const GROUPS_MAX: usize = 200;
/// Most trustees.
pub const TRUSTEES_MAX: usize = 16;
/// Longest title, name or option in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 500;
/// Longest domain.
pub const DOMAIN_BYTES_MAX: usize = 100;
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

/// Whether ballots are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Nobody learns a vote; only sums are decrypted, after the close.
    Secret,
    /// An open poll: ballots are in clear under pseudonymous keys, and counts are live.
    Open,
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
    /// Names of the groups of voters, in order; a group's number is its place from 1, and 0 stands
    /// for no group.
    pub groups: Vec<String>,
    /// Whether ballots are encrypted.
    pub secrecy: Secrecy,
    /// Names of the trustees, in order; their number is their place from 1. An open poll has none.
    pub trustees: Vec<String>,
    /// How many trustees must work together to decrypt; 0 in an open poll.
    pub threshold: u8,
    /// First minute in which ballots are taken, in minutes since 1970 UTC.
    pub opens: Option<u32>,
    /// First minute in which no more ballots are taken.
    pub closes: Option<u32>,
    /// How late the administrator may move the closing by a signed entry; never, if there is none.
    pub extendable_until: Option<u32>,
    /// Whether a voter may vote again.
    pub revote: Revote,
    /// Who makes the codes.
    pub issuer: Issuer,
    /// With fewer counted ballots nothing is decrypted, and no contest that fewer answered.
    pub minimum_ballots: u32,
    /// Whether the administrator may add and withdraw voters while the election is open, by signed
    /// entries that everybody sees and counts.
    pub roll_changes: bool,
    /// Whether people may vote on paper instead: who does is marked by signed entries.
    pub paper: bool,
    /// Whether classes (same group and weight) of fewer than 20 voters are accepted, although
    /// their secrecy is narrower.
    pub accept_small_classes: bool,
    /// Whether this is only a trial; shown everywhere.
    pub test: bool,
    /// Digest over the files of the booth that nodes must hand out (`quorate booth check`).
    pub booth: Option<[u8; 32]>,
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

/// In the last byte of the fixed part: a test; and a digest of the booth follows.
const TEST_MARK: u8 = 1;
const BOOTH_MARK: u8 = 2;

/// What a rehearsal's title begins with.
pub const REHEARSAL: &str = "Rehearsal: ";

impl Definition {
    /// The contests as the ballot's proofs know them.
    pub fn kinds(&self) -> Vec<ContestKind> {
        self.contests.iter().map(Contest::kind).collect()
    }

    /// The contests and the groups that answer them.
    ///
    /// # Errors
    /// When a rule cannot be met or a ballot would be too long; a checked definition has none.
    pub fn questions(&self) -> Result<Contests, ContextError> {
        let contests = self.contests.iter();
        Contests::new(contests.map(|contest| (contest.kind(), contest.groups.clone())).collect())
    }

    /// The same election as a trial: marked as a test and by its title, without times, so that it
    /// can be held at once. It becomes an election of its own, with its own id, keys and roll.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        let mut title = format!("{REHEARSAL}{}", self.title.trim_start_matches(REHEARSAL));
        while title.len() > TEXT_BYTES_MAX {
            title.pop();
        }
        let title = title.trim_end().to_owned();
        let (opens, closes, extendable_until) = (None, None, None);
        Self { title, test: true, opens, closes, extendable_until, ..self.clone() }
    }

    /// Name of a group.
    pub fn group_name(&self, group: u8) -> Option<&str> {
        self.groups.get(usize::from(group).checked_sub(1)?).map(String::as_str)
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
        problems.distinct("groups", &self.groups);
        problems.need("groups", self.groups.len() <= GROUPS_MAX, || {
            format!("there must be at most {GROUPS_MAX} groups, not {}", self.groups.len())
        });
        self.check_contests(&mut problems);
        match self.secrecy {
            Secrecy::Secret => self.check_trustees(&mut problems),
            Secrecy::Open => {
                problems.need("trustees", self.trustees.is_empty() && self.threshold == 0, || {
                    "an open poll has nothing to decrypt: leave out trustees and threshold"
                        .to_owned()
                });
            }
        }
        self.check_times(&mut problems);
        problems.need("minimum_ballots", self.minimum_ballots >= 1, || {
            "must be at least 1: nothing is decrypted without a ballot".to_owned()
        });
        if problems.0.is_empty() { Ok(()) } else { Err(problems.0) }
    }

    fn check_times(&self, problems: &mut Problems) {
        if let (Some(opens), Some(closes)) = (self.opens, self.closes) {
            problems.need("closes", opens < closes, || {
                "the election must close after it opens".to_owned()
            });
        }
        if let Some(until) = self.extendable_until {
            problems.need("extendable_until", self.closes.is_some_and(|at| at < until), || {
                "the closing can only be extended if there is one, to a later minute".to_owned()
            });
        }
    }

    fn check_contests(&self, problems: &mut Problems) {
        let count = self.contests.len();
        problems.need("contests", (1..=CONTESTS_MAX).contains(&count), || {
            format!("there must be 1 to {CONTESTS_MAX} contests, not {count}")
        });
        for (at, contest) in self.contests.iter().enumerate() {
            contest.check(&format!("contests[{at}]"), self.groups.len(), problems);
        }
        if !problems.0.is_empty() {
            return;
        }
        match self.questions().map(|contests| self.longest_ballot(&contests)) {
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

    fn longest_ballot(&self, contests: &Contests) -> usize {
        match self.secrecy {
            Secrecy::Secret => contests.longest_ballot(),
            Secrecy::Open => {
                (0..=u8::MAX).map(|group| OpenBallot::len(contests, group)).max().unwrap_or(0)
            }
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
        bytes.push(self.groups.len() as u8);
        self.groups.iter().for_each(|name| put_text(bytes, name));
        bytes.push(u8::from(self.secrecy == Secrecy::Open));
        bytes.push(self.trustees.len() as u8);
        self.trustees.iter().for_each(|name| put_text(bytes, name));
        bytes.push(self.threshold);
        put_optional_u32(bytes, self.opens);
        put_optional_u32(bytes, self.closes);
        put_optional_u32(bytes, self.extendable_until);
        bytes.push(u8::from(self.revote == Revote::LastCounts));
        bytes.push(u8::from(self.issuer == Issuer::Cluster));
        bytes.extend_from_slice(&self.minimum_ballots.to_be_bytes());
        bytes.push(u8::from(self.roll_changes));
        bytes.push(u8::from(self.paper));
        bytes.push(u8::from(self.accept_small_classes));
        bytes.push(u8::from(self.test) + BOOTH_MARK * u8::from(self.booth.is_some()));
        self.booth.iter().for_each(|digest| bytes.extend_from_slice(digest));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut definition = Self {
            title: reader.text("title")?,
            domain: reader.text("domain")?,
            contests: {
                let count = reader.u8("number of contests")?;
                (0..count).map(|_| Contest::read(reader)).collect::<Result<_, _>>()?
            },
            groups: {
                let count = reader.u8("number of groups")?;
                (0..count).map(|_| reader.text("group's name")).collect::<Result<_, _>>()?
            },
            secrecy: if reader.flag("open poll")? { Secrecy::Open } else { Secrecy::Secret },
            trustees: {
                let count = reader.u8("number of trustees")?;
                (0..count).map(|_| reader.text("trustee's name")).collect::<Result<_, _>>()?
            },
            threshold: reader.u8("threshold")?,
            opens: reader.optional_u32("opening minute")?,
            closes: reader.optional_u32("closing minute")?,
            extendable_until: reader.optional_u32("latest closing minute")?,
            revote: if reader.flag("revote")? { Revote::LastCounts } else { Revote::Off },
            issuer: if reader.flag("issuer")? { Issuer::Cluster } else { Issuer::Separate },
            minimum_ballots: reader.u32("minimum of ballots")?,
            roll_changes: reader.flag("roll changes")?,
            paper: reader.flag("paper")?,
            accept_small_classes: reader.flag("small classes accepted")?,
            test: false,
            booth: None,
        };
        let marks = reader.u8("marks")?;
        if marks > TEST_MARK + BOOTH_MARK {
            return Err(reader.wrong("marks", "must be 0 to 3"));
        }
        definition.test = marks & TEST_MARK != 0;
        if marks & BOOTH_MARK != 0 {
            definition.booth = Some(reader.array("booth's digest")?);
        }
        Ok(definition)
    }
}

/// Problems being collected.
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, field: &str, sentence: String) {
        self.0.push(Problem { field: field.to_owned(), sentence });
    }

    pub(crate) fn need(&mut self, field: &str, holds: bool, sentence: impl FnOnce() -> String) {
        if !holds {
            self.add(field, sentence());
        }
    }

    /// That each is a text and none appears twice.
    pub(crate) fn distinct(&mut self, field: &str, texts: &[String]) {
        for (at, text) in texts.iter().enumerate() {
            self.text(&format!("{field}[{at}]"), text);
            let twice = texts[..at].contains(text);
            self.need(field, !twice, || format!("{text:?} appears twice"));
            self.need(field, text != BLANK, || {
                format!("{BLANK:?} is what a blank answer is called")
            });
        }
    }

    pub(crate) fn text(&mut self, field: &str, text: &str) {
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
