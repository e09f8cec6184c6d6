//! The words of an invitation: one text per language, with places for what differs.
//!
//! A text is a first line `Subject: …`, a blank line, and the body. `{name}`, `{title}`, `{code}`
//! and `{link}` are filled in; the code and the link must stand in the body, and any other word in
//! braces is a mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// The language of voters who have none, or one without a text.
pub(super) const FALLBACK: &str = "en";

const BUILT_IN: [(&str, &str); 5] = [
    ("en", include_str!("texts/en.txt")),
    ("de", include_str!("texts/de.txt")),
    ("es", include_str!("texts/es.txt")),
    ("fr", include_str!("texts/fr.txt")),
    ("ar", include_str!("texts/ar.txt")),
];

/// Of enrolment: `{code}` is the token.
const ENROLMENT: [(&str, &str); 5] = [
    ("en", include_str!("texts/enrol-en.txt")),
    ("de", include_str!("texts/enrol-de.txt")),
    ("es", include_str!("texts/enrol-es.txt")),
    ("fr", include_str!("texts/enrol-fr.txt")),
    ("ar", include_str!("texts/enrol-ar.txt")),
];

/// What may stand in braces.
const PLACES: [&str; 4] = ["name", "title", "code", "link"];

/// A text with its places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    subject: String,
    body: String,
}

/// Why a text cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadText {
    /// Line from 1.
    pub(super) line: usize,
    pub(super) reason: String,
}

impl fmt::Display for BadText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// What is filled in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling<'a> {
    pub(super) name: &'a str,
    pub(super) title: &'a str,
    pub(super) code: &'a str,
    pub(super) link: &'a str,
}

impl Template {
    /// # Errors
    /// The first thing that is wrong, and its line.
    pub(super) fn parse(text: &str) -> Result<Self, BadText> {
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let bad = |line, reason: &str| BadText { line, reason: reason.to_owned() };
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let subject = first
            .strip_prefix("Subject:")
            .map(str::trim)
            .filter(|subject| !subject.is_empty())
            .ok_or_else(|| bad(1, "the first line must be 'Subject: …'"))?;
        let body = rest
            .strip_prefix('\n')
            .ok_or_else(|| bad(2, "a blank line must follow the subject"))?;
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(word) = words_in_braces(line).find(|word| !PLACES.contains(word)) {
                let known = PLACES.join("}, {");
                return Err(bad(
                    number,
                    &format!("'{{{word}}}' is unknown; there are {{{known}}}"),
                ));
            }
        }
        if words_in_braces(subject).any(|word| matches!(word, "code" | "link")) {
            return Err(bad(1, "the code must not stand in the subject: many see subjects"));
        }
        match ["code", "link"].iter().find(|place| !body.contains(&format!("{{{place}}}"))) {
            Some(place) => Err(bad(3, &format!("the text has no {{{place}}}"))),
            None => Ok(Self { subject: subject.to_owned(), body: body.to_owned() }),
        }
    }

    /// Subject and body for one voter.
    pub(super) fn fill(&self, filling: &Filling<'_>) -> (String, String) {
        let fill = |text: &str| {
            let mut filled = String::with_capacity(text.len());
            let mut rest = text;
            // In one pass, so that nothing in a name is filled in again.
            while let Some((before, from)) = rest.split_once('{') {
                filled.push_str(before);
                let (word, after) = from.split_once('}').unwrap_or((from, ""));
                filled.push_str(match word {
                    "name" => filling.name,
                    "title" => filling.title,
                    "code" => filling.code,
                    _ => filling.link,
                });
                rest = after;
            }
            filled + rest
        };
        (fill(&self.subject), fill(&self.body))
    }
}

fn words_in_braces(line: &str) -> impl Iterator<Item = &str> {
    line.split('{').skip(1).map(|after| after.split_once('}').map_or(after, |(word, _)| word))
}

/// The texts by language, of codes or of enrolment: the built-in ones, and over them the files
/// `LANGUAGE.txt` of a folder.
///
/// # Errors
/// A sentence that names the file.
pub(super) fn texts(
    enrolment: bool,
    folder: Option<&Path>,
) -> Result<BTreeMap<String, Template>, String> {
    let mut texts = BTreeMap::new();
    for (language, text) in if enrolment { ENROLMENT } else { BUILT_IN } {
        let template = Template::parse(text).map_err(|bad| format!("{language}: {bad}"))?;
        texts.insert(language.to_owned(), template);
    }
    let Some(folder) = folder else { return Ok(texts) };
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut found = 0;
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(language) = name.strip_suffix(".txt") else { continue };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let template =
            Template::parse(&text).map_err(|bad| format!("{}: {bad}", path.display()))?;
        texts.insert(language.to_lowercase(), template);
        found += 1;
    }
    match found {
        0 => Err(format!("there is no LANGUAGE.txt in {}", folder.display())),
        _ => Ok(texts),
    }
}

/// The text for a voter's language tag: the tag itself, its language without region, English.
pub(super) fn text_for<'a>(
    texts: &'a BTreeMap<String, Template>,
    tag: &str,
) -> Option<&'a Template> {
    let tag = tag.to_lowercase().replace('_', "-");
    let language = tag.split('-').next().unwrap_or_default();
    [tag.as_str(), language, FALLBACK].into_iter().find_map(|name| texts.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILLING: Filling<'_> =
        Filling { name: "{code} Ann", title: "Board", code: "C", link: "L" };

    #[test]
    fn every_built_in_text_holds_what_a_voter_needs_and_nothing_is_filled_twice() {
        let all = [false, true].map(|enrolment| texts(enrolment, None).expect("good"));
        for (language, template) in all.into_iter().flatten() {
            let (subject, body) = template.fill(&FILLING);
            assert!(subject.contains("Board") && !subject.contains('{'), "{language}: {subject}");
            for part in ["C", "L", "Board", "{code} Ann"] {
                assert!(body.contains(part), "{language}: no {part} in {body}");
            }
        }
    }

    #[test]
    fn what_is_wrong_in_a_text_is_told_by_line() {
        let check = |text: &str, expect: &str| {
            assert_eq!(Template::parse(text).expect_err("wrong").to_string(), expect);
        };
        check("Hello", "line 1: the first line must be 'Subject: …'");
        check("Subject: a\nb", "line 2: a blank line must follow the subject");
        check(
            "Subject: a\n\nDear {nmae},\n",
            "line 3: '{nmae}' is unknown; there are {name}, {title}, {code}, {link}",
        );
        check("Subject: a\n\n{code}\n", "line 3: the text has no {link}");
        check(
            "Subject: {code}\n\n{code} {link}\n",
            "line 1: the code must not stand in the subject: many see subjects",
        );
    }

    #[test]
    fn a_voter_is_written_to_in_the_nearest_language() {
        let texts = texts(false, None).expect("good");
        for (tag, language) in [("de-AT", "de"), ("FR", "fr"), ("", "en"), ("nl", "en")] {
            assert_eq!(text_for(&texts, tag), texts.get(language), "{tag}");
        }
    }

    #[test]
    fn own_texts_replace_built_in_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(
            super::texts(false, Some(folder.path()))
                .expect_err("empty")
                .contains("no LANGUAGE.txt")
        );
        let text = "Subject: Vote\n\n{name}: {code} {link}\n";
        std::fs::write(folder.path().join("nl.txt"), text).expect("written");
        let texts = super::texts(false, Some(folder.path())).expect("good");
        assert_eq!(texts.len(), 6);
        let (_, body) = text_for(&texts, "nl").expect("there").fill(&FILLING);
        assert_eq!(body, "{code} Ann: C L\n");
    }
}
