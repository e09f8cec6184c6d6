//! `cargo xtask tidy`: taste and architecture as a test.
//!
//! A rule looks at the workspace and returns findings; each finding says where, what, why, and
//! what to do. What breaks a rule on purpose stands with its reason in `tidy-exceptions.txt`; an
//! exception that excuses nothing is itself a finding, so the list cannot rot.

mod exceptions;
mod layers;
mod lengths;
mod purity;
mod source;
mod words;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use exceptions::Exceptions;
use source::Source;

/// What a rule is about; its text is also the `kind` in the exceptions file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Layer,
    Purity,
    FileLines,
    FunctionLines,
    Columns,
    ModuleLine,
    UnsafeCode,
    Word,
    MachinePath,
    Exception,
}

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::Purity => "purity",
            Self::FileLines => "file-lines",
            Self::FunctionLines => "function-lines",
            Self::Columns => "columns",
            Self::ModuleLine => "module-line",
            Self::UnsafeCode => "unsafe-code",
            Self::Word => "word",
            Self::MachinePath => "machine-path",
            Self::Exception => "exception",
        }
    }
}

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    /// From 1.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    /// The measured size, for rules with a limit.
    pub(crate) size: Option<usize>,
    pub(crate) what: String,
    pub(crate) why: &'static str,
    pub(crate) remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, kind, what, why, remedy, .. } = self;
        write!(f, "{path}:{line}: {what} ({}): {why}; {remedy}", kind.text())
    }
}

/// Checks the workspace at `root` and prints what is found; true when nothing is.
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    let mut findings = layers::check(root)?;
    let mut files = 0;
    for path in walk(root)? {
        let Ok(text) = fs::read_to_string(root.join(&path)) else {
            continue; // not text: pictures, archives
        };
        files += 1;
        findings.extend(check_text(&path, &text));
    }
    let list = root.join(exceptions::PATH);
    let list = fs::read_to_string(&list).map_err(|why| format!("{}: {why}", list.display()))?;
    let mut findings = Exceptions::parse(&list).excuse(findings);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {files} files, {} findings", findings.len());
    Ok(findings.is_empty())
}

/// Every rule that looks at one file.
fn check_text(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = words::machine_paths(path, text);
    if path.ends_with(".rs") {
        let source = Source::new(path, text);
        if !source.is_generated() {
            findings.extend(lengths::check(&source));
            findings.extend(purity::check(&source));
            findings.extend(words::check(&source));
        }
    }
    findings
}

/// Text files of the repository, relative to `root`, sorted; build products are left out.
fn walk(root: &Path) -> Result<Vec<String>, String> {
    const SKIPPED: &[&str] = &[".git", "target", "node_modules", "dist", "Cargo.lock", "LICENSE"];
    let mut folders = vec![PathBuf::new()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let shown = root.join(&folder);
        let unreadable = |why| format!("{}: cannot be listed: {why}", shown.display());
        for entry in fs::read_dir(&shown).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            if SKIPPED.iter().any(|skipped| name == *skipped) {
                continue;
            }
            let path = folder.join(&name);
            match entry.file_type().map_err(unreadable)? {
                kind if kind.is_dir() => folders.push(path),
                kind if kind.is_file() => files.push(path.to_string_lossy().replace('\\', "/")),
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_what_why_and_what_to_do() {
        let finding = Finding {
            path: "crates/kv/src/a.rs".to_owned(),
            line: 3,
            kind: Kind::Purity,
            size: None,
            what: "`std::fs`".to_owned(),
            why: "kv is pure",
            remedy: "move it".to_owned(),
        };
        assert_eq!(
            finding.to_string(),
            "crates/kv/src/a.rs:3: `std::fs` (purity): kv is pure; move it"
        );
    }

    #[test]
    fn generated_sources_are_left_alone() {
        let text = "// This file is @generated by prost-build.\nfn a() { std::fs::x() }\n";
        assert_eq!(check_text("crates/kv/src/a.rs", text), []);
    }

    #[test]
    fn the_walk_finds_this_file_and_no_build_products() {
        let files = walk(&crate::root()).expect("the workspace can be listed");
        assert!(files.iter().any(|file| file == "xtask/src/tidy/mod.rs"));
        assert!(!files.iter().any(|file| file.starts_with("target/")));
    }
}
