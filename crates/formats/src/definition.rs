//! An administrator's definition of an election in TOML.
//!
//! ```toml
//! title = "Board of the allotments"
//! domain = "vote.example.org"
//! trustees = ["Tara", "Theo", "Thea"]
//! threshold = 2
//!
//! [[contests]]
//! title = "Chair"
//! kind = "one"
//! options = ["Ada", "Grace"]
//! blank = true
//! ```
//!
//! Kinds are `one`, `some` (`min`, `max`), `score` (`highest`, and `min` and `max` of the sum) and
//! `lists`, whose lists stand in tables `[[contests.lists]]` with `name` and `candidates` instead
//! of `options`. `docs/guide/administrator.md` has every key.
//!
//! Unknown keys, wrong types and broken rules are told with line and column; nothing is guessed.

use election::{
    Contest, Decision, Definition, Issuer, Majority, Problem, Revote, Rule, Secrecy, Tie,
};
use serde::Deserialize;
use std::fmt;
use std::ops::Range;
use toml::Spanned;

/// What is wrong in a definition, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what is expected.
    pub reason: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefinitionFile {
    title: Spanned<String>,
    domain: Spanned<String>,
    #[serde(default)]
    groups: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    open_poll: bool,
    #[serde(default)]
    trustees: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    threshold: Option<Spanned<u8>>,
    #[serde(default)]
    opens: Option<Spanned<String>>,
    #[serde(default)]
    closes: Option<Spanned<String>>,
    #[serde(default)]
    extendable_until: Option<Spanned<String>>,
    #[serde(default)]
    revote: RevoteFile,
    #[serde(default)]
    issuer: IssuerFile,
    #[serde(default)]
    minimum_ballots: Option<Spanned<u32>>,
    #[serde(default)]
    roll_changes: bool,
    #[serde(default)]
    paper: bool,
    #[serde(default)]
    accept_small_classes: bool,
    #[serde(default)]
    test: bool,
    #[serde(default)]
    booth: Option<Spanned<String>>,
    contests: Spanned<Vec<Spanned<ContestFile>>>,
}

/// The digest that `quorate booth check` prints.
fn read_booth(text: &Spanned<String>) -> Result<[u8; 32], Misplaced> {
    let mut digest = [0; 32];
    match hex::decode_to_slice(text.get_ref().as_bytes(), &mut digest) {
        Ok(()) => Ok(digest),
        Err(_) => {
            let reason = "booth is the digest that `quorate booth check` prints, 64 hex digits";
            Err((text.span(), reason.to_owned()))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContestFile {
    title: Spanned<String>,
    kind: KindFile,
    #[serde(default)]
    min: Option<Spanned<u16>>,
    #[serde(default)]
    max: Option<Spanned<u16>>,
    #[serde(default)]
    highest: Option<Spanned<u16>>,
    #[serde(default)]
    blank: bool,
    #[serde(default)]
    options: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    lists: Option<Spanned<Vec<ListFile>>>,
    /// Names of groups.
    #[serde(default)]
    groups: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    seats: Option<Spanned<u16>>,
    #[serde(default)]
    quorum_percent: Option<Spanned<u8>>,
    #[serde(default)]
    majority: MajorityFile,
    #[serde(default)]
    tie: TieFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListFile {
    name: Spanned<String>,
    candidates: Spanned<Vec<Spanned<String>>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MajorityFile {
    #[default]
    Relative,
    Absolute,
    TwoThirds,
    ThreeQuarters,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TieFile {
    #[default]
    Lot,
    Runoff,
    FirstListed,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum KindFile {
    One,
    Some,
    Score,
    Lists,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RevoteFile {
    Off,
    #[default]
    LastCounts,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum IssuerFile {
    #[default]
    Separate,
    Cluster,
}

/// The highest score, unless the definition says otherwise.
const HIGHEST_SCORE: u16 = 5;
/// With fewer ballots than this nothing is decrypted, unless the definition says otherwise.
const MINIMUM_BALLOTS: u32 = 10;

/// Reads a definition and checks every rule.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn parse_toml(text: &str) -> Result<Definition, Vec<Wrong>> {
    let place = |span: Option<Range<usize>>, reason: String| {
        let (line, column) = line_and_column(text, span.map_or(0, |span| span.start));
        Wrong { line, column, reason }
    };
    let file: DefinitionFile = toml::from_str(text)
        .map_err(|error| vec![place(error.span(), error.message().to_owned())])?;
    let definition = file.definition().map_err(|(span, reason)| vec![place(Some(span), reason)])?;
    match definition.check() {
        Ok(()) => Ok(definition),
        Err(problems) => {
            let told = |problem: &Problem| place(file.span_of(&problem.field), problem.to_string());
            Err(problems.iter().map(told).collect())
        }
    }
}

type Misplaced = (Range<usize>, String);

impl DefinitionFile {
    fn definition(&self) -> Result<Definition, Misplaced> {
        let groups = self.groups.as_ref().map(texts).unwrap_or_default();
        let contests =
            self.contests.get_ref().iter().map(|contest| contest.get_ref().contest(&groups));
        let secrecy = if self.open_poll { Secrecy::Open } else { Secrecy::Secret };
        Ok(Definition {
            title: self.title.get_ref().clone(),
            domain: self.domain.get_ref().clone(),
            contests: contests.collect::<Result<_, _>>()?,
            groups: groups.clone(),
            secrecy,
            trustees: self.trustees.as_ref().map(texts).unwrap_or_default(),
            threshold: self.threshold.as_ref().map_or(0, |number| *number.get_ref()),
            opens: self.opens.as_ref().map(read_minute).transpose()?,
            closes: self.closes.as_ref().map(read_minute).transpose()?,
            extendable_until: self.extendable_until.as_ref().map(read_minute).transpose()?,
            revote: match self.revote {
                RevoteFile::Off => Revote::Off,
                RevoteFile::LastCounts => Revote::LastCounts,
            },
            issuer: match self.issuer {
                IssuerFile::Separate => Issuer::Separate,
                IssuerFile::Cluster => Issuer::Cluster,
            },
            minimum_ballots: self
                .minimum_ballots
                .as_ref()
                .map_or(MINIMUM_BALLOTS, |n| *n.get_ref()),
            roll_changes: self.roll_changes,
            paper: self.paper,
            accept_small_classes: self.accept_small_classes,
            test: self.test,
            booth: self.booth.as_ref().map(read_booth).transpose()?,
        })
    }

    /// Where a field stands that [`Definition::check`] names, like `contests[2].options[0]`.
    fn span_of(&self, field: &str) -> Option<Range<usize>> {
        let (head, rest) = field.split_once('.').unwrap_or((field, ""));
        let (name, at) = indexed(head);
        match (name, at) {
            ("title", _) => Some(self.title.span()),
            ("domain", _) => Some(self.domain.span()),
            ("threshold", _) => self.threshold.as_ref().map(Spanned::span),
            ("groups", at) => self.groups.as_ref().map(|groups| span_in(groups, at)),
            ("extendable_until", _) => self.extendable_until.as_ref().map(Spanned::span),
            ("closes", _) => self.closes.as_ref().map(Spanned::span),
            ("minimum_ballots", _) => self.minimum_ballots.as_ref().map(Spanned::span),
            ("trustees", at) => self.trustees.as_ref().map(|trustees| span_in(trustees, at)),
            ("contests", Some(at)) => {
                let contest = self.contests.get_ref().get(at)?;
                Some(contest.get_ref().span_of(rest).unwrap_or_else(|| contest.span()))
            }
            ("contests", None) => Some(self.contests.span()),
            _ => None,
        }
    }
}

impl ContestFile {
    fn contest(&self, groups: &[String]) -> Result<Contest, Misplaced> {
        let options = self.options()?;
        let count = u16::try_from(options.len()).unwrap_or(u16::MAX);
        let number = |number: &Option<Spanned<u16>>| number.as_ref().map(|one| *one.get_ref());
        let (min, max) = (number(&self.min).unwrap_or(0), number(&self.max));
        self.check_keys()?;
        let rule = match self.kind {
            KindFile::One => Rule::One,
            KindFile::Some => Rule::Some { min, max: max.unwrap_or(count) },
            KindFile::Score => {
                let highest = number(&self.highest).unwrap_or(HIGHEST_SCORE);
                Rule::Score { highest, min, max: max.unwrap_or(count.saturating_mul(highest)) }
            }
            KindFile::Lists => {
                let lists = self.lists.iter().flat_map(Spanned::get_ref);
                let candidates: Vec<_> = lists.map(|list| texts(&list.candidates)).collect();
                let longest = candidates.iter().map(Vec::len).max().unwrap_or_default();
                let longest = u16::try_from(longest).unwrap_or(u16::MAX);
                Rule::Lists { candidates, min, max: max.unwrap_or(longest) }
            }
        };
        Ok(Contest {
            title: self.title.get_ref().clone(),
            rule,
            options,
            blank: self.blank,
            groups: self.group_numbers(groups)?,
            decision: self.decision(),
        })
    }

    /// The options, or the names of the lists.
    fn options(&self) -> Result<Vec<String>, Misplaced> {
        match (self.kind, &self.options, &self.lists) {
            (KindFile::Lists, None, Some(lists)) => {
                Ok(lists.get_ref().iter().map(|list| list.name.get_ref().clone()).collect())
            }
            (KindFile::Lists, _, _) => {
                let reason = "kind \"lists\" needs tables [[contests.lists]] with name and \
                              candidates, and no options";
                Err((self.title.span(), reason.to_owned()))
            }
            (_, Some(options), None) => Ok(texts(options)),
            (_, _, Some(lists)) => Err((lists.span(), "only kind \"lists\" has lists".to_owned())),
            (_, None, None) => Err((self.title.span(), "the contest needs options".to_owned())),
        }
    }

    /// Keys that another kind of contest would need.
    fn check_keys(&self) -> Result<(), Misplaced> {
        if let (KindFile::One, Some(bound)) = (self.kind, self.min.as_ref().or(self.max.as_ref())) {
            let reason = "kind \"one\" means exactly one option: leave out min and max, or \
                          use kind \"some\"";
            return Err((bound.span(), reason.to_owned()));
        }
        match &self.highest {
            Some(highest) if self.kind != KindFile::Score => {
                Err((highest.span(), "only kind \"score\" has a highest score".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Numbers of the named groups, ascending.
    fn group_numbers(&self, known: &[String]) -> Result<Vec<u8>, Misplaced> {
        let number = |name: &Spanned<String>| {
            let place = known.iter().position(|one| one == name.get_ref());
            let number = place.and_then(|at| u8::try_from(at + 1).ok());
            number.ok_or_else(|| {
                let reason = format!(
                    "'{}' is no group of the election; its groups are: {}",
                    name.get_ref(),
                    known.join(", ")
                );
                (name.span(), reason)
            })
        };
        let named = self.groups.iter().flat_map(Spanned::get_ref);
        let mut numbers = named.map(number).collect::<Result<Vec<u8>, _>>()?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn decision(&self) -> Decision {
        Decision {
            seats: self.seats.as_ref().map_or(1, |seats| *seats.get_ref()),
            quorum_percent: self.quorum_percent.as_ref().map_or(0, |quorum| *quorum.get_ref()),
            majority: match self.majority {
                MajorityFile::Relative => Majority::Relative,
                MajorityFile::Absolute => Majority::Absolute,
                MajorityFile::TwoThirds => Majority::TwoThirds,
                MajorityFile::ThreeQuarters => Majority::ThreeQuarters,
            },
            tie: match self.tie {
                TieFile::Lot => Tie::Lot,
                TieFile::Runoff => Tie::Runoff,
                TieFile::FirstListed => Tie::FirstListed,
            },
        }
    }

    fn span_of(&self, field: &str) -> Option<Range<usize>> {
        match indexed(field) {
            ("title", _) => Some(self.title.span()),
            ("options", at) => {
                let options = self.options.as_ref().map(|options| span_in(options, at));
                options.or_else(|| self.lists.as_ref().map(Spanned::span))
            }
            ("candidates", Some(at)) => {
                Some(self.lists.as_ref()?.get_ref().get(at)?.candidates.span())
            }
            ("max", _) => self.max.as_ref().or(self.min.as_ref()).map(Spanned::span),
            ("highest", _) => self.highest.as_ref().map(Spanned::span),
            ("groups", _) => self.groups.as_ref().map(Spanned::span),
            ("seats", _) => self.seats.as_ref().map(Spanned::span),
            ("quorum_percent", _) => self.quorum_percent.as_ref().map(Spanned::span),
            _ => None,
        }
    }
}

fn texts(list: &Spanned<Vec<Spanned<String>>>) -> Vec<String> {
    list.get_ref().iter().map(|text| text.get_ref().clone()).collect()
}

fn span_in(list: &Spanned<Vec<Spanned<String>>>, at: Option<usize>) -> Range<usize> {
    let item = at.and_then(|at| list.get_ref().get(at));
    item.map_or_else(|| list.span(), Spanned::span)
}

/// `options[2]` as name and number.
fn indexed(field: &str) -> (&str, Option<usize>) {
    match field.split_once('[') {
        Some((name, rest)) => (name, rest.trim_end_matches(']').parse().ok()),
        None => (field, None),
    }
}

/// A minute such as `2027-03-01 08:00` (UTC), in minutes since 1970.
fn read_minute(text: &Spanned<String>) -> Result<u32, Misplaced> {
    minutes_since_1970(text.get_ref()).ok_or_else(|| {
        let reason = format!(
            "'{}' is no minute: expected a UTC time like \"2027-03-01 08:00\"",
            text.get_ref()
        );
        (text.span(), reason)
    })
}

/// Reads `2027-03-01 08:00` (UTC), in minutes since 1970.
pub fn minutes_since_1970(text: &str) -> Option<u32> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let time = time.strip_suffix('Z').unwrap_or(time);
    let [year, month, day] = numbers::<3>(date, '-', [4, 2, 2])?;
    let [hour, minute] = numbers::<2>(time, ':', [2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    if year < 1970 || day == 0 || day > length || hour > 23 || minute > 59 {
        return None;
    }
    // Days from the start of March of year 0 in the proleptic Gregorian calendar, so that the
    // leap day is the last one of its year (Hinnant, "chrono-compatible date algorithms").
    let (shifted, from_march) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * shifted + shifted / 4 - shifted / 100
        + shifted / 400
        + (153 * from_march + 2) / 5
        + day
        - 1;
    let days = days.checked_sub(719_468)?;
    days.checked_mul(1440)?.checked_add(hour * 60 + minute)
}

fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u32; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits)?;
        *number = part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

/// Line and column of a byte offset, both from 1, columns in characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"title = "Board"
domain = "vote.example"
trustees = ["Tara", "Theo"]
threshold = 2
opens = "2026-03-01 08:00"
closes = "2026-03-02T20:30Z"
minimum_ballots = 5

[[contests]]
title = "Chair"
kind = "one"
options = ["Ada", "Grace"]
blank = true

[[contests]]
title = "Projects"
kind = "some"
max = 2
options = ["Well", "Fence", "Shed"]
"#;

    /// Changes the good definition and says what is wrong then.
    fn check(old: &str, new: &str, expect: &str) {
        assert!(GOOD.contains(old), "the test changes something: {old}");
        let wrong = parse_toml(&GOOD.replacen(old, new, 1)).expect_err("it is wrong");
        let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert_eq!(told.join("\n"), expect);
    }

    #[test]
    fn a_definition_is_read() {
        let definition = parse_toml(GOOD).expect("it is good");
        assert_eq!(definition.opens, Some(29_539_200));
        assert_eq!(definition.closes, Some(29_539_200 + 1440 + 750));
        assert_eq!(definition.contests[1].rule, Rule::Some { min: 0, max: 2 });
        assert_eq!(definition.revote, Revote::LastCounts);
        assert_eq!(definition.minimum_ballots, 5);
    }

    #[test]
    fn every_kind_and_rule_is_read() {
        let more = r#"
[[contests]]
title = "Merit"
kind = "score"
highest = 3
max = 4
options = ["Ann", "Bob"]
groups = ["staff"]
seats = 2
quorum_percent = 40
majority = "two-thirds"
tie = "runoff"

[[contests]]
title = "Council"
kind = "lists"
max = 2
blank = true

[[contests.lists]]
name = "Greens"
candidates = ["Cyd", "Dan"]

[[contests.lists]]
name = "Blues"
candidates = ["Eve"]
"#;
        let head = "groups = [\"students\", \"staff\"]\nroll_changes = true\npaper = true\n\
                    extendable_until = \"2026-03-03 08:00\"\n";
        let definition = parse_toml(&format!("{head}{GOOD}{more}")).expect("it is good");
        let [.., merit, council] = &definition.contests[..] else { panic!("four contests") };
        assert_eq!(merit.rule, Rule::Score { highest: 3, min: 0, max: 4 });
        assert_eq!(merit.groups, [2]);
        let (majority, tie) = (Majority::TwoThirds, Tie::Runoff);
        assert_eq!(merit.decision, Decision { seats: 2, quorum_percent: 40, majority, tie });
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let candidates: Vec<Vec<String>> = vec![names(&["Cyd", "Dan"]), names(&["Eve"])];
        assert_eq!(council.rule, Rule::Lists { candidates, min: 0, max: 2 });
        assert_eq!(council.options, ["Greens", "Blues"]);
        assert!(definition.roll_changes && definition.paper);
        assert_eq!(definition.extendable_until, Some(29_542_080));
    }

    #[test]
    fn an_open_poll_has_no_trustees() {
        let keys = "trustees = [\"Tara\", \"Theo\"]\nthreshold = 2\n";
        let open = parse_toml(&GOOD.replace(keys, "open_poll = true\n")).expect("it is good");
        assert_eq!(open.secrecy, Secrecy::Open);
        check(
            "threshold = 2",
            "threshold = 2\nopen_poll = true",
            "line 3, column 12: trustees: an open poll has nothing to decrypt: leave out trustees \
             and threshold",
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        check(
            "threshold = 2",
            "threshold = 3",
            "line 4, column 13: threshold: must be 1 to 2, the number of trustees, not 3",
        );
        check(
            "\"Grace\"]",
            "\"Ada\"]",
            "line 12, column 11: contests[0].options: \"Ada\" appears twice",
        );
        check(
            "max = 2",
            "max = 4",
            "line 18, column 7: contests[1].max: 0 to 4 of 3 options cannot be chosen",
        );
        check(
            "2026-03-02T20:30Z",
            "2026-02-29 20:30",
            "line 6, column 10: '2026-02-29 20:30' is no minute: expected a UTC time like \
             \"2027-03-01 08:00\"",
        );
        check(
            "kind = \"one\"",
            "kind = \"one\"\nmin = 1",
            "line 12, column 7: kind \"one\" means exactly one option: leave out min and max, or \
             use kind \"some\"",
        );
        check(
            "max = 2",
            "max = 2\nhighest = 3",
            "line 19, column 11: only kind \"score\" has a highest score",
        );
        check(
            "max = 2",
            "max = 2\ngroups = [\"staff\"]",
            "line 19, column 11: 'staff' is no group of the election; its groups are: ",
        );
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_told_with_their_place() {
        let line_of = |old: &str, new: &str| {
            let wrong = parse_toml(&GOOD.replacen(old, new, 1)).expect_err("it is wrong");
            (wrong[0].line, wrong[0].column, wrong[0].reason.clone())
        };
        let (line, column, reason) = line_of("minimum_ballots", "minimal_ballots");
        assert_eq!((line, column), (7, 1));
        assert!(reason.contains("unknown field `minimal_ballots`"), "{reason}");
        let (line, column, reason) = line_of("threshold = 2", "threshold = \"two\"");
        assert_eq!((line, column), (4, 13));
        assert!(reason.contains("invalid type"), "{reason}");
        let (line, _, _) = line_of("kind = \"some\"", "kind = \"ranked\"");
        assert_eq!(line, 17);
    }

    #[test]
    fn minutes_are_those_of_the_calendar() {
        for (text, minutes) in [
            ("1970-01-01 00:00", Some(0)),
            ("2000-02-29 23:59", Some(15_864_479)),
            ("2100-02-29 00:00", None),
            ("2026-13-01 00:00", None),
            ("2026-1-01 00:00", None),
            ("2026-01-01", None),
            ("2026-01-01 24:00", None),
        ] {
            assert_eq!(minutes_since_1970(text), minutes, "{text}");
        }
    }
}
