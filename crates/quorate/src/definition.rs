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
//! Unknown keys, wrong types and broken rules are told with line and column; nothing is guessed.

use election::{Contest, Definition, Issuer, Problem, Revote, Rule};
use serde::Deserialize;
use std::fmt;
use std::ops::Range;
use toml::Spanned;

/// What is wrong in a definition, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column in characters, from 1.
    pub(crate) column: usize,
    /// What is wrong and what is expected.
    pub(crate) reason: String,
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
    trustees: Spanned<Vec<Spanned<String>>>,
    threshold: Spanned<u8>,
    #[serde(default)]
    opens: Option<Spanned<String>>,
    #[serde(default)]
    closes: Option<Spanned<String>>,
    #[serde(default)]
    revote: RevoteFile,
    #[serde(default)]
    issuer: IssuerFile,
    #[serde(default)]
    minimum_ballots: Option<Spanned<u32>>,
    #[serde(default)]
    accept_small_classes: bool,
    #[serde(default)]
    test: bool,
    contests: Spanned<Vec<Spanned<ContestFile>>>,
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
    blank: bool,
    options: Spanned<Vec<Spanned<String>>>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum KindFile {
    One,
    Some,
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

/// With fewer ballots than this nothing is decrypted, unless the definition says otherwise.
const MINIMUM_BALLOTS: u32 = 10;

/// Reads a definition and checks every rule.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub(crate) fn parse_toml(text: &str) -> Result<Definition, Vec<Wrong>> {
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
        let contests = self.contests.get_ref().iter().map(|contest| contest.get_ref().contest());
        Ok(Definition {
            title: self.title.get_ref().clone(),
            domain: self.domain.get_ref().clone(),
            contests: contests.collect::<Result<_, _>>()?,
            trustees: texts(&self.trustees),
            threshold: *self.threshold.get_ref(),
            opens: self.opens.as_ref().map(read_minute).transpose()?,
            closes: self.closes.as_ref().map(read_minute).transpose()?,
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
            accept_small_classes: self.accept_small_classes,
            test: self.test,
        })
    }

    /// Where a field stands that [`Definition::check`] names, like `contests[2].options[0]`.
    fn span_of(&self, field: &str) -> Option<Range<usize>> {
        let (head, rest) = field.split_once('.').unwrap_or((field, ""));
        let (name, at) = indexed(head);
        match (name, at) {
            ("title", _) => Some(self.title.span()),
            ("domain", _) => Some(self.domain.span()),
            ("threshold", _) => Some(self.threshold.span()),
            ("closes", _) => self.closes.as_ref().map(Spanned::span),
            ("minimum_ballots", _) => self.minimum_ballots.as_ref().map(Spanned::span),
            ("trustees", at) => Some(span_in(&self.trustees, at)),
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
    fn contest(&self) -> Result<Contest, Misplaced> {
        let rule = match (self.kind, &self.min, &self.max) {
            (KindFile::One, None, None) => Rule::One,
            (KindFile::One, Some(bound), _) | (KindFile::One, None, Some(bound)) => {
                let reason = "kind \"one\" means exactly one option: leave out min and max, or \
                              use kind \"some\"";
                return Err((bound.span(), reason.to_owned()));
            }
            (KindFile::Some, min, max) => Rule::Some {
                min: min.as_ref().map_or(0, |min| *min.get_ref()),
                max: max.as_ref().map_or_else(
                    || u16::try_from(self.options.get_ref().len()).unwrap_or(u16::MAX),
                    |max| *max.get_ref(),
                ),
            },
        };
        let (title, options) = (self.title.get_ref().clone(), texts(&self.options));
        Ok(Contest { title, rule, options, blank: self.blank })
    }

    fn span_of(&self, field: &str) -> Option<Range<usize>> {
        match indexed(field) {
            ("title", _) => Some(self.title.span()),
            ("options", at) => Some(span_in(&self.options, at)),
            ("max", _) => self.max.as_ref().or(self.min.as_ref()).map(Spanned::span),
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
pub(crate) fn minutes_since_1970(text: &str) -> Option<u32> {
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
        let (line, _, _) = line_of("kind = \"some\"", "kind = \"score\"");
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
