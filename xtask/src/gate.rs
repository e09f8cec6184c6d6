//! `cargo xtask test`: the one entry to every test, with the counts as the very last line.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::suites::{SUITES, Suite};
use crate::{tidy, tools, web};

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Counts {
    /// One test that did or did not pass.
    fn one(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed), skipped: 0 }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Lines of output kept of each failure for the end of the run.
const LINES_PER_FAILURE: usize = 25;

/// What failed, said once more before the closing line: who reads only the end of a long output
/// must see it too.
#[derive(Debug, Default)]
struct Failures(Vec<String>);

impl Failures {
    fn note(&mut self, name: &str, passed: bool) {
        if !passed {
            self.0.push(format!("failed: {name}"));
        }
    }
}

/// Runs everything; false when anything failed. A failing part does not stop the later ones.
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    let mut total = Counts::default();
    let mut failures = Failures::default();
    heading("tidy");
    let tidy = tidy::run(root)?;
    failures.note("tidy", tidy);
    total += Counts::one(tidy);
    heading("web pages");
    if !web::run(root)? {
        failures.note("web pages", false);
        total += Counts::one(false);
    }
    heading("cargo build --release --workspace");
    if exit_of(root, "cargo build --release --workspace")? {
        heading("cargo test --release --workspace");
        total += cargo_test(root, &mut failures)?;
        for suite in SUITES {
            heading(suite.name);
            total += run_suite(root, suite, &mut failures)?;
        }
    } else {
        failures.note("the build", false);
        total += Counts::one(false);
    }
    println!();
    for line in failures.0 {
        println!("{line}");
    }
    println!("{total}");
    Ok(total.failed == 0)
}

fn heading(text: &str) {
    println!("\n=== {text}");
}

fn run_suite(root: &Path, suite: &Suite, failures: &mut Failures) -> Result<Counts, String> {
    if let Some(missing) = suite.needs.iter().find(|program| !tools::is_present(program)) {
        println!("skipped: {missing} is not installed (`cargo xtask install`)");
        return Ok(Counts { skipped: 1, ..Counts::default() });
    }
    let mut last = VecDeque::new();
    let passed = pass_through(root, suite.command, |line| {
        if !line.trim().is_empty() {
            last.push_back(line.trim_end().to_owned());
            if last.len() > LINES_PER_FAILURE {
                last.pop_front();
            }
        }
    })?;
    let counts = suite_counts(passed, last.back().map_or("", String::as_str));
    if counts.failed > 0 {
        failures.note(&format!("{} (`{}`); its last lines:", suite.name, suite.command), false);
        failures.0.extend(last.iter().map(|line| format!("    {line}")));
    }
    Ok(counts)
}

fn suite_counts(passed: bool, last_line: &str) -> Counts {
    match summary_line(last_line) {
        Some(counts) if passed == (counts.failed == 0) => counts,
        _ => Counts::one(passed),
    }
}

fn cargo_test(root: &Path, failures: &mut Failures) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut reports = Reports::default();
    let command = "cargo test --release --workspace --no-fail-fast";
    let passed = pass_through(root, command, |line| {
        reports.see(line, failures);
        if let Some(more) = test_result_line(line) {
            counts += more;
        }
    })?;
    // A test that does not compile or a binary that aborts prints no result line.
    if !passed && counts.failed == 0 {
        counts.failed = 1;
        failures.note(&format!("`{command}`, before or between tests"), false);
    }
    Ok(counts)
}

/// Picks what failed tests printed out of cargo's output: each stands below `---- name stdout
/// ----`, and the list of names after the last one begins with `failures:`.
#[derive(Debug, Default)]
struct Reports {
    /// How many lines of the current report may still be kept; none outside of one.
    room: usize,
}

impl Reports {
    fn see(&mut self, line: &str, failures: &mut Failures) {
        let line = line.trim_end();
        let name = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
        if let Some(name) = name {
            failures.note(name, false);
            self.room = LINES_PER_FAILURE;
        } else if line == "failures:" {
            self.room = 0;
        } else if self.room > 0 && !line.is_empty() {
            failures.0.push(format!("    {line}"));
            self.room -= 1;
        }
    }
}

/// `test result: ok. 15 passed; 0 failed; 1 ignored; …`
fn test_result_line(line: &str) -> Option<Counts> {
    let rest = line.trim().strip_prefix("test result: ")?;
    let numbers = rest.split_once(". ")?.1.split("; ");
    let mut counts = Counts::default();
    for part in numbers {
        match part.split_once(' ')? {
            (number, "passed") => counts.passed = number.parse().ok()?,
            (number, "failed") => counts.failed = number.parse().ok()?,
            (number, "ignored") => counts.skipped = number.parse().ok()?,
            _ => {}
        }
    }
    Some(counts)
}

/// `15 passed, 0 failed, 1 skipped`
fn summary_line(line: &str) -> Option<Counts> {
    let mut parts = line.trim().split(", ");
    let mut number = |name: &str| {
        let (number, found) = parts.next()?.split_once(' ')?;
        (found == name).then(|| number.parse().ok())?
    };
    let (passed, failed, skipped) = (number("passed")?, number("failed")?, number("skipped")?);
    parts.next().is_none().then_some(Counts { passed, failed, skipped })
}

fn exit_of(root: &Path, command: &str) -> Result<bool, String> {
    let status = prepared(root, command).status().map_err(|why| not_started(command, &why))?;
    Ok(status.success())
}

/// Runs `command`, shows each line of its output as it comes and hands it to `see`.
fn pass_through(root: &Path, command: &str, mut see: impl FnMut(&str)) -> Result<bool, String> {
    let mut child = prepared(root, command)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|why| not_started(command, &why))?;
    let output = child.stdout.take().expect("standard output was asked for as a pipe");
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // A closed standard output must not stop the count.
        let _ = std::io::stdout().write_all(&line);
        see(&String::from_utf8_lossy(&line));
        line.clear();
    }
    let status = child.wait().map_err(|why| not_started(command, &why))?;
    Ok(status.success())
}

fn prepared(root: &Path, command: &str) -> Command {
    let mut words = command.split_whitespace();
    let mut prepared = Command::new(words.next().expect("a command has a program"));
    prepared.args(words).current_dir(root);
    prepared
}

fn not_started(command: &str, why: &std::io::Error) -> String {
    format!("`{}` could not be run: {why}", command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn cargo_result_lines_are_counted() {
        let line = "test result: FAILED. 15 passed; 2 failed; 1 ignored; 0 measured; 0 filtered \
                    out; finished in 0.01s\n";
        assert_eq!(test_result_line(line), Some(counts(15, 2, 1)));
        assert_eq!(test_result_line("test a::b ... ok"), None);
    }

    #[test]
    fn a_suite_may_count_itself_but_not_contradict_its_exit() {
        assert_eq!(suite_counts(true, "3 passed, 0 failed, 2 skipped\n"), counts(3, 0, 2));
        assert_eq!(suite_counts(false, "3 passed, 1 failed, 0 skipped"), counts(3, 1, 0));
        assert_eq!(suite_counts(false, "3 passed, 0 failed, 0 skipped"), counts(0, 1, 0));
        assert_eq!(suite_counts(true, "done"), counts(1, 0, 0));
        assert_eq!(suite_counts(true, "1 passed, 0 failed, 0 skipped, 1 lost"), counts(1, 0, 0));
    }

    #[test]
    fn a_missing_program_is_a_skip_and_a_failing_command_a_failure() {
        let suite = |needs, command| Suite { name: "sample", needs, command };
        let root = crate::root();
        let mut failures = Failures::default();
        let mut run = |suite: Suite| {
            run_suite(&root, &suite, &mut failures).expect("the suite can be started")
        };
        assert_eq!(run(suite(&["no-such-program"], "true")), counts(0, 0, 1));
        assert_eq!(run(suite(&[], "false")), counts(0, 1, 0));
        assert_eq!(run(suite(&[], "echo 4 passed, 0 failed, 1 skipped")), counts(4, 0, 1));
        assert_eq!(failures.0, ["failed: sample (`false`); its last lines:"]);
    }

    #[test]
    fn what_a_failed_test_printed_is_said_once_more() {
        let output = "failures:\n\n---- deep::a stdout ----\n\nthread panicked\nat x.rs:1\n\n\n\
                      ---- deep::b stdout ----\nother\n\nfailures:\n    deep::a\n    deep::b\n";
        let (mut reports, mut failures) = (Reports::default(), Failures::default());
        output.lines().for_each(|line| reports.see(line, &mut failures));
        let expected = [
            "failed: deep::a",
            "    thread panicked",
            "    at x.rs:1",
            "failed: deep::b",
            "    other",
        ];
        assert_eq!(failures.0, expected);
    }

    #[test]
    fn the_last_line_has_its_fixed_form() {
        assert_eq!(counts(1, 2, 3).to_string(), "1 passed, 2 failed, 3 skipped");
    }
}
