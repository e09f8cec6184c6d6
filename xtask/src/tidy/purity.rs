//! What may not appear below the purity line: anything that makes two runs differ.

use super::source::{Source, closing_brace, line_of, words};
use super::{Finding, Kind};

const PURE: &[&str] = &[
    "base",
    "raft",
    "storage",
    "mvcc",
    "kv",
    "replica",
    "ballot",
    "ledger",
    "election",
    "authority",
    "trustee",
    "verifier",
];

/// Modules of `std` that reach outside the program.
const MODULES: &[&str] = &["thread", "fs", "net", "time", "env", "process"];

/// Words and what to use instead.
const WORDS: &[(&str, &str)] = &[
    ("async", "report completion as an event"),
    ("await", "report completion as an event"),
    ("HashMap", "use BTreeMap: its order is the same in every run"),
    ("HashSet", "use BTreeSet: its order is the same in every run"),
    ("RandomState", "use an ordered map"),
    ("f32", "use integers with a unit in the name"),
    ("f64", "use integers with a unit in the name"),
];

pub(crate) fn check(source: &Source<'_>) -> Vec<Finding> {
    let pure = source.crate_name().is_some_and(|name| PURE.contains(&name));
    if !pure || source.is_test_file() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (word, remedy) in WORDS {
        for at in words(&source.code, word) {
            findings.extend(finding(source, at, word, remedy));
        }
    }
    for module in MODULES {
        let path = format!("std::{module}");
        for at in words(&source.code, &path) {
            findings.extend(finding(source, at, &path, "hand it in as an event or an argument"));
        }
    }
    findings.extend(grouped(source));
    findings
}

/// `use std::{fs, io}`.
fn grouped(source: &Source<'_>) -> Vec<Finding> {
    let code = &source.code;
    let mut findings = Vec::new();
    for (at, opening) in code.match_indices("std::{") {
        let open = at + opening.len() - 1;
        let Some(close) = closing_brace(code, open) else { continue };
        let mut depth = 0usize;
        let mut start = open + 1;
        for (offset, byte) in code.as_bytes()[open + 1..=close].iter().enumerate() {
            let here = open + 1 + offset;
            match byte {
                b'{' => depth += 1,
                b',' | b'}' if depth == 0 => {
                    let name = code[start..here].trim();
                    let module = name.split("::").next().unwrap_or_default().trim();
                    if MODULES.contains(&module) {
                        let path = format!("std::{module}");
                        let remedy = "hand it in as an event or an argument";
                        findings.extend(finding(source, start, &path, remedy));
                    }
                    start = here + 1;
                }
                b'}' => depth -= 1,
                _ => {}
            }
        }
    }
    findings
}

fn finding(source: &Source<'_>, at: usize, what: &str, remedy: &str) -> Option<Finding> {
    let line = line_of(&source.code, at);
    (!source.is_test_line(line)).then(|| Finding {
        path: source.path.to_owned(),
        line: line + 1,
        kind: Kind::Purity,
        size: None,
        what: format!("`{what}`"),
        why: "layers 0 to 3 behave the same in every run, or simulation proves nothing",
        remedy: remedy.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_code(path: &str, code: &str, expect: &[&str]) {
        let source = Source::new(path, code);
        let found: Vec<String> = check(&source).into_iter().map(|f| f.what).collect();
        assert_eq!(found, expect, "{code}");
    }

    #[test]
    fn banned_calls_are_found_below_the_line_only() {
        let path = "crates/kv/src/a.rs";
        check_code(path, "async fn a() {}", &["`async`"]);
        check_code(path, "std::fs::read(x)", &["`std::fs`"]);
        check_code(path, "use std::time::Instant;", &["`std::time`"]);
        check_code(path, "let x: HashMap<u8, f64>;", &["`HashMap`", "`f64`"]);
        check_code(
            path,
            "use std::{fmt, fs, collections::{A, B}, net::X};",
            &["`std::fs`", "`std::net`"],
        );
        check_code(path, "use std::fmt; // std::fs\nlet a = \"f64\";", &[]);
        check_code("crates/node/src/a.rs", "std::fs::read(x)", &[]);
    }

    #[test]
    fn tests_may_do_as_they_like() {
        check_code("crates/kv/src/a.rs", "#[cfg(test)]\nmod t { use std::fs; }", &[]);
        check_code("crates/kv/tests/it/main.rs", "use std::fs;", &[]);
        check_code("crates/kv/src/a/tests.rs", "use std::fs;", &[]);
    }
}
