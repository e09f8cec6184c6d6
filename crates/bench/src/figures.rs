//! The file of figures: one JSON object a line, which later benchmarks join.
//!
//! A figure replaces an earlier one of its name; figures of other names, and fields that this
//! program does not know, stay as they are.

use std::io::ErrorKind;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// One measured value, beside a peer's and beside what is possible at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// Unique, words with dots between.
    pub(crate) name: String,
    /// Ours.
    pub(crate) value: f64,
    /// Of all three values.
    pub(crate) unit: String,
    /// Who else was measured, in the same way and run.
    pub(crate) peer: Option<String>,
    pub(crate) peer_value: Option<f64>,
    /// What no program of this kind can beat here.
    pub(crate) limit: Option<String>,
    pub(crate) limit_value: Option<f64>,
    /// What was typed.
    pub(crate) command: String,
}

impl Figure {
    /// A value alone, to four digits: more would be noise.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self {
            name: name.into(),
            value: rounded(value),
            unit: unit.to_owned(),
            peer: None,
            peer_value: None,
            limit: None,
            limit_value: None,
            command: String::new(),
        }
    }

    /// Beside a peer; without a value there is no peer.
    pub(crate) fn with_peer(self, peer: &str, value: Option<f64>) -> Self {
        let peer = value.map(|_| peer.to_owned());
        Self { peer, peer_value: value.map(rounded), ..self }
    }

    /// Beside what is possible.
    pub(crate) fn with_limit(self, limit: &str, value: f64) -> Self {
        Self { limit: Some(limit.to_owned()), limit_value: Some(rounded(value)), ..self }
    }
}

/// To four significant digits. What is no number becomes 0, since JSON has no word for it.
fn rounded(value: f64) -> f64 {
    if value.is_finite() { format!("{value:.3e}").parse().unwrap_or(0.0) } else { 0.0 }
}

/// The file.
#[derive(Debug)]
pub(crate) struct Figures {
    path: PathBuf,
    /// Name and line, in the order of the file.
    lines: Vec<(String, String)>,
}

impl Figures {
    /// Reads the file; a missing one is empty.
    pub(crate) fn load(path: PathBuf) -> Result<Self, Failure> {
        let shown = path.display();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::because(format!("cannot read {shown}"))(error)),
        };
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let name = name_of(line).map_err(|why| {
                Failure::new(format!(
                    "{shown}, line {number}: {why}; mend the line, or remove the file to begin anew"
                ))
            })?;
            lines.push((name, line.to_owned()));
        }
        Ok(Self { path, lines })
    }

    /// Puts figures into the place of those with the same names, or at the end.
    pub(crate) fn merge(&mut self, figures: &[Figure]) {
        for figure in figures {
            let line = serde_json::to_string(figure).expect("numbers and texts are always JSON");
            match self.lines.iter_mut().find(|(name, _)| *name == figure.name) {
                Some((_, old)) => *old = line,
                None => self.lines.push((figure.name.clone(), line)),
            }
        }
    }

    /// Writes the whole file anew, so that it is never half written.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        let mut text = String::new();
        for (_, line) in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        let cannot = format!("cannot write {}", self.path.display());
        let beside = self.path.with_extension("jsonl.new");
        std::fs::write(&beside, text)
            .and_then(|()| std::fs::rename(&beside, &self.path))
            .map_err(Failure::because(cannot))
    }
}

fn name_of(line: &str) -> Result<String, String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line)
        .map_err(|error| format!("column {}: no JSON object ({error})", error.column()))?;
    let name = object.get("name").and_then(serde_json::Value::as_str);
    name.map(str::to_owned).ok_or_else(|| "it has no text `name`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_load(text: &str, expect: Result<usize, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.jsonl");
        std::fs::write(&path, text).unwrap();
        match (Figures::load(path), expect) {
            (Ok(figures), Ok(lines)) => assert_eq!(figures.lines.len(), lines),
            (Err(failure), Err(part)) => {
                assert!(failure.to_string().contains(part), "{failure}");
            }
            (got, expect) => panic!("{got:?} instead of {expect:?}"),
        }
    }

    #[test]
    fn a_figure_is_one_line_with_every_field() {
        let figure = Figure::new("a.b", 1234.567, "puts/s").with_limit("disk", 2000.0);
        let mut figures = Figures { path: PathBuf::new(), lines: Vec::new() };
        figures.merge(&[figure]);
        assert_eq!(
            figures.lines[0].1,
            "{\"name\":\"a.b\",\"value\":1235.0,\"unit\":\"puts/s\",\"peer\":null,\
             \"peer_value\":null,\"limit\":\"disk\",\"limit_value\":2000.0,\"command\":\"\"}"
        );
    }

    #[test]
    fn others_stay_and_same_names_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.jsonl");
        let other = "{\"name\":\"theirs\",\"value\":1,\"note\":\"kept\"}";
        std::fs::write(&path, format!("{other}\n\n{{\"name\":\"ours\",\"value\":1}}\n")).unwrap();
        let mut figures = Figures::load(path.clone()).unwrap();
        figures.merge(&[Figure::new("ours", 2.0, "s"), Figure::new("new", 3.0, "s")]);
        figures.save().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let names: Vec<_> = text.lines().map(|line| name_of(line).unwrap()).collect();
        assert_eq!(names, ["theirs", "ours", "new"]);
        assert!(text.starts_with(other) && text.contains("\"value\":2.0"), "{text}");
    }

    #[test]
    fn a_file_that_is_not_ours_is_refused_by_line() {
        check_load("", Ok(0));
        check_load("{\"name\":\"a\"}\n{\"name\":\"b\"}\n", Ok(2));
        check_load("{\"name\":\"a\"}\nhello\n", Err("line 2: column 1: no JSON object"));
        check_load("{\"value\":1}\n", Err("line 1: it has no text `name`"));
    }

    #[test]
    fn four_digits_and_never_without_a_number() {
        assert_eq!(rounded(0.000_123_456), 0.000_123_5);
        assert_eq!(rounded(98_765.4), 98_770.0);
        assert_eq!((rounded(f64::NAN), rounded(f64::INFINITY)), (0.0, 0.0));
    }

    #[test]
    fn without_a_value_there_is_no_peer() {
        let alone = Figure::new("a", 1.0, "s").with_peer("etcd", None);
        assert_eq!((alone.peer, alone.peer_value), (None, None));
    }
}
