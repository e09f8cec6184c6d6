//! `quorate demo`: whole elections with an accident, and what is left of them.

use crate::support::{DEADLINE, Process, quorate, run, said, turn};
use crate::{canaries, doors};
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;

/// A demonstration that stays up.
pub(crate) struct Stage {
    process: Process,
    folder: tempfile::TempDir,
    /// Everything it has said until it waited for Ctrl-C.
    pub(crate) said: String,
}

impl Stage {
    /// Runs the demonstration until it waits for Ctrl-C.
    pub(crate) fn set(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = quorate();
        command.arg("demo").arg("--data-dir").arg(folder.path().join("demo")).args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = Process(command.spawn().expect("the binary starts"));
        let output = process.0.stdout.take().expect("piped");
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut said = String::new();
        loop {
            let line = lines.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|error| panic!("the demonstration: {error}\n{said}"));
            said += &format!("{line}\n");
            if line.contains("Ctrl-C ends it") {
                return Self { process, folder, said };
            }
        }
    }

    /// A file of the demonstration.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("demo").join(name)
    }

    /// The words after a label of the summary.
    fn fact(&self, label: &str) -> &str {
        let line = self.said.lines().find_map(|line| line.trim_start().strip_prefix(label));
        line.unwrap_or_else(|| panic!("no '{label}' in:\n{}", self.said)).trim()
    }

    /// Web, client and admin addresses of the nodes.
    pub(crate) fn nodes(&self) -> Vec<[String; 3]> {
        let row = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [_, web, client, admin] if web.starts_with("http://127.") => {
                    Some([web.to_owned(), client.to_owned(), admin.to_owned()])
                }
                _ => None,
            }
        };
        self.said.lines().filter_map(row).collect()
    }

    /// Ends it as a service manager would, and checks that no node is left.
    pub(crate) fn strike(mut self) {
        let admins: Vec<String> = self.nodes().into_iter().map(|[_, _, admin]| admin).collect();
        self.process.signal(Signal::TERM);
        let status = self.process.wait();
        assert!(status.success(), "{status}");
        for admin in admins {
            let url = format!("http://{admin}/livez");
            assert_eq!(crate::support::http_status(&url), None, "{admin} is still there");
        }
    }
}

#[test]
fn the_sample_election_is_counted_and_nothing_is_lost_bent_or_told() {
    let _turn = turn();
    let stage = Stage::set(&["--seed", "7", "--no-tour"]);
    assert!(stage.said.contains(" is killed after "), "{}", stage.said);
    assert!(stage.fact("ballots ").ends_with(", 0 refused, 0 lost"), "{}", stage.said);
    assert!(stage.fact("cosignatures ").starts_with("3 of 3 "), "{}", stage.said);
    assert!(stage.fact("verification ").starts_with("verified, 14 checks"), "{}", stage.said);
    assert_eq!(stage.nodes().len(), 3, "{}", stage.said);
    check_verify(&stage);
    check_receipts(&stage);
    doors::check_web_listener(&stage);
    doors::check_client_listener(&stage);
    canaries::check(&stage);
    stage.strike();
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Exit codes of `quorate verify`: 0, 1 and 3, and never 0 for a damaged archive.
fn check_verify(stage: &Stage) {
    let archive = text(&stage.path("election.archive"));
    let trust_path = stage.path("election.archive.trust");
    let check = |archive: &str, trust: Option<&Path>, code: i32, expect: &str| {
        let trust = trust.map(text);
        let mut arguments = vec!["verify", archive];
        arguments.extend(trust.iter().flat_map(|trust| ["--trust", trust.as_str()]));
        let output = run(&arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expect), "{expect} in:\n{said}");
    };
    check(&archive, Some(&trust_path), 0, "14. ");
    check(&archive, None, 3, "not anchored");
    let trust = std::fs::read_to_string(&trust_path).expect("written by the export");
    let other = stage.path("other.trust");
    let id = trust.split_once("/e/").expect("an origin").1;
    let other_id = id[..32].chars().rev().collect::<String>();
    std::fs::write(&other, trust.replacen(&id[..32], &other_id, 1)).expect("a file");
    check(&archive, Some(&other), 1, "not verified");
    check(&archive, Some(&stage.path("definition.toml")), 3, "line 1, column 1");
    check(&text(&stage.path("definition.toml")), Some(&trust_path), 3, "could not check");
    check(&text(&stage.path("missing")), Some(&trust_path), 3, "cannot read");
    let mut bytes = std::fs::read(stage.path("election.archive")).expect("exported");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = stage.path("damaged.archive");
    std::fs::write(&damaged, bytes).expect("a file");
    check(&text(&damaged), Some(&trust_path), 1, "not verified");
}

/// A receipt whose ballot is not in the archive is found and fails.
fn check_receipts(stage: &Stage) {
    let folder = stage.path("receipts");
    let mut receipts = crate::support::files_below(&folder);
    let archive = text(&stage.path("election.archive"));
    let trust = text(&stage.path("election.archive.trust"));
    let folder = text(&folder);
    let arguments = ["verify", &archive, "--trust", &trust, "--receipts", &folder];
    let output = run(&arguments);
    let found = said(&output);
    assert_eq!(output.status.code(), Some(0), "{found}");
    let count = receipts.len();
    assert!(found.contains(&format!("receipts: {count} final, 0 absent")), "{found}");
    // The receipt of one ballot under the name of another: that other one has none.
    let (first, second) = (receipts.swap_remove(0), receipts.swap_remove(0));
    let kept = std::fs::read(&first).expect("a receipt");
    std::fs::copy(&second, &first).expect("a copy");
    let output = run(&arguments);
    let found = said(&output);
    assert_eq!(output.status.code(), Some(1), "{found}");
    assert!(found.contains(&format!("receipts: {} final, 1 absent", count - 1)), "{found}");
    std::fs::write(&first, kept).expect("as before");
}

/// The two real elections that lie beside the repository, where they do.
#[test]
fn real_elections_have_their_official_results() {
    let _turn = turn();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    for name in ["poland_lodz_2020_nad-nerem.pb", "poland_lodz_2020_mileszki.pb"] {
        let file = data.join(name);
        if !file.exists() {
            println!("skipped: there is no {}", file.display());
            continue;
        }
        let output = run(&["demo", "--exit", "--election", &text(&file)]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(" official"), "{said}");
        assert!(said.contains(" 0 refused, 0 lost"), "{said}");
        assert!(said.contains("3 of 3 on the final checkpoint"), "{said}");
        assert!(!said.contains("DIFFERS"), "{said}");
    }
}
