//! `tidy-exceptions.txt`: rules broken on purpose, each with its reason.
//!
//! A line reads `path kind limit reason`: the kind is the word in brackets in a finding, the
//! limit the largest size that is excused, or `-` for rules without a size.

use super::{Finding, Kind};

/// Where the list lies in the workspace.
pub(crate) const PATH: &str = "xtask/tidy-exceptions.txt";

struct Exception {
    line: usize,
    path: String,
    kind: String,
    limit: Option<usize>,
}

/// The list, and what is wrong with it.
pub(crate) struct Exceptions {
    list: Vec<Exception>,
    findings: Vec<Finding>,
}

impl Exceptions {
    pub(crate) fn parse(text: &str) -> Self {
        let mut exceptions = Self { list: Vec::new(), findings: Vec::new() };
        for (line, text) in text.lines().enumerate() {
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            match parse_line(line + 1, text) {
                Some(exception) => exceptions.list.push(exception),
                None => exceptions.findings.push(about_list(
                    line + 1,
                    "this line is not `path kind limit reason`",
                    "give all four; the limit is a number or `-`",
                )),
            }
        }
        exceptions
    }

    /// Removes what is excused and adds what the list itself is guilty of.
    pub(crate) fn excuse(mut self, findings: Vec<Finding>) -> Vec<Finding> {
        let mut used = vec![false; self.list.len()];
        for finding in findings {
            let excuse = self.list.iter().position(|exception| exception.covers(&finding));
            match excuse {
                Some(at) => used[at] = true,
                None => self.findings.push(finding),
            }
        }
        for (exception, used) in self.list.iter().zip(used) {
            if !used {
                let what = "this exception excuses nothing";
                self.findings.push(about_list(exception.line, what, "remove the line"));
            }
        }
        self.findings
    }
}

impl Exception {
    fn covers(&self, finding: &Finding) -> bool {
        let size = match (finding.size, self.limit) {
            (Some(size), Some(limit)) => size <= limit,
            (Some(_), None) => false,
            (None, _) => true,
        };
        size && self.path == finding.path && self.kind == finding.kind.text()
    }
}

fn parse_line(line: usize, text: &str) -> Option<Exception> {
    let mut words = text.split_whitespace();
    let (path, kind, limit) = (words.next()?, words.next()?, words.next()?);
    words.next()?; // the reason, at least a word of it
    let limit = match limit {
        "-" => None,
        number => Some(number.parse().ok()?),
    };
    Some(Exception { line, path: path.to_owned(), kind: kind.to_owned(), limit })
}

fn about_list(line: usize, what: &str, remedy: &str) -> Finding {
    Finding {
        path: PATH.to_owned(),
        line,
        kind: Kind::Exception,
        size: None,
        what: what.to_owned(),
        why: "exceptions are few and each has a reason that still holds",
        remedy: remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long_file(lines: usize) -> Finding {
        Finding {
            path: "crates/kv/src/a.rs".to_owned(),
            line: 1,
            kind: Kind::FileLines,
            size: Some(lines),
            what: "long".to_owned(),
            why: "",
            remedy: String::new(),
        }
    }

    fn excuse(list: &str, findings: Vec<Finding>) -> Vec<String> {
        Exceptions::parse(list).excuse(findings).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn an_exception_excuses_up_to_its_limit() {
        let list = "# why\n\ncrates/kv/src/a.rs file-lines 900 one table\n";
        assert_eq!(excuse(list, vec![long_file(900)]), [""; 0]);
        let left = excuse(list, vec![long_file(901)]);
        assert_eq!(left, ["long", "this exception excuses nothing"]);
    }

    #[test]
    fn a_line_without_a_reason_is_refused() {
        let left = excuse("crates/kv/src/a.rs file-lines 900\n", vec![long_file(850)]);
        assert_eq!(left, ["this line is not `path kind limit reason`", "long"]);
    }
}
