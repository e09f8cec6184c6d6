//! Sizes and the opening line: a file is one idea, a function fits on a screen.

use super::source::{Source, body_of, closing_brace, line_of, words};
use super::{Finding, Kind};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

pub(crate) fn check(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(module_line(source));
    findings.extend(file_lines(source));
    findings.extend(functions(source));
    findings.extend(columns(source));
    findings
}

fn module_line(source: &Source<'_>) -> Option<Finding> {
    let first = source.text.lines().find(|line| !line.trim().is_empty())?;
    (!first.starts_with("//!")).then(|| Finding {
        path: source.path.to_owned(),
        line: 1,
        kind: Kind::ModuleLine,
        size: None,
        what: "the module does not open with `//!`".to_owned(),
        why: "a reader wants to know first what a file is for",
        remedy: "open with one to three lines that say so".to_owned(),
    })
}

fn file_lines(source: &Source<'_>) -> Option<Finding> {
    let lines = source.product_lines().count();
    (lines > FILE_LINES_MAX).then(|| Finding {
        path: source.path.to_owned(),
        line: 1,
        kind: Kind::FileLines,
        size: Some(lines),
        what: format!("{lines} lines without tests, at most {FILE_LINES_MAX}"),
        why: "a file is one idea",
        remedy: "split it along its ideas".to_owned(),
    })
}

fn functions(source: &Source<'_>) -> Vec<Finding> {
    let code = &source.code;
    let measure = |at: usize| {
        let open = body_of(code, at)?;
        let (first, last) = (line_of(code, at), line_of(code, closing_brace(code, open)?));
        let lines = last - first + 1;
        if lines <= FUNCTION_LINES_MAX || source.is_test_line(first) {
            return None;
        }
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let name: String = code[at + 3..].chars().take_while(|c| is_name(*c)).collect();
        Some(Finding {
            path: source.path.to_owned(),
            line: first + 1,
            kind: Kind::FunctionLines,
            size: Some(lines),
            what: format!("`fn {name}` has {lines} lines, at most {FUNCTION_LINES_MAX}"),
            why: "a function holds either branching or work, and fits on a screen",
            remedy: "move the work of its branches into functions of their own".to_owned(),
        })
    };
    // `fn name`, not the type `fn(…)`.
    let named = |at: &usize| code.as_bytes().get(at + 2) == Some(&b' ');
    words(code, "fn").filter(named).filter_map(measure).collect()
}

fn columns(source: &Source<'_>) -> Vec<Finding> {
    let is_long = |(line, text): &(usize, &str)| {
        // Addresses cannot be broken; test data may be as wide as it is.
        text.chars().count() > COLUMNS_MAX && !text.contains("://") && !source.is_test_line(*line)
    };
    let finding = |(line, text): (usize, &str)| {
        let columns = text.chars().count();
        Finding {
            path: source.path.to_owned(),
            line: line + 1,
            kind: Kind::Columns,
            size: Some(columns),
            what: format!("{columns} columns, at most {COLUMNS_MAX}"),
            why: "two files fit beside each other on a screen",
            remedy: "break the line (`cargo fmt` does most of it)".to_owned(),
        }
    };
    source.text.lines().enumerate().filter(is_long).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_file(text: &str, expect: &[(Kind, usize)]) {
        let source = Source::new("crates/kv/src/a.rs", text);
        let found: Vec<(Kind, usize)> =
            check(&source).into_iter().map(|finding| (finding.kind, finding.line)).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn the_first_line_says_what_the_module_is() {
        check_file("//! Good.\n", &[]);
        check_file("\nuse x;\n", &[(Kind::ModuleLine, 1)]);
    }

    #[test]
    fn long_functions_are_found_and_short_ones_not() {
        let body = |lines: usize| "    x();\n".repeat(lines - 2);
        check_file(&format!("//! A.\nfn a() {{\n{}}}\n", body(70)), &[]);
        let long = format!("//! A.\nfn a() where T: X {{\n{}}}\n", body(71));
        check_file(&long, &[(Kind::FunctionLines, 2)]);
        let test = format!("//! A.\n#[cfg(test)]\nmod t {{\nfn a() {{\n{}}}\n}}\n", body(90));
        check_file(&test, &[]);
    }

    #[test]
    fn long_files_are_measured_without_their_tests() {
        let product = format!("//! A.\n{}", "const A: u8 = 1;\n".repeat(799));
        let tests = format!("#[cfg(test)]\nmod t {{\n{}}}\n", "const A: u8 = 1;\n".repeat(99));
        check_file(&format!("{product}{tests}"), &[]);
        check_file(&format!("{product}const B: u8 = 1;\n"), &[(Kind::FileLines, 1)]);
    }

    #[test]
    fn long_lines_are_found_except_addresses() {
        let wide = "x".repeat(101);
        check_file(&format!("//! {}\n", "x".repeat(96)), &[]);
        check_file(&format!("//! A.\n// {wide}\n"), &[(Kind::Columns, 2)]);
        check_file(&format!("//! A.\n// https://{wide}\n"), &[]);
    }
}
