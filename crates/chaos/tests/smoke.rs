//! The program from outside: a short run of the kinds of faults that are had everywhere, and the
//! control that must lose writes. Skipped, with a message, where `quorate` is not built.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// One cluster at a time: three of them on two cores would be a test of the machine.
static ALONE: Mutex<()> = Mutex::new(());

/// The node's program, in the folder where cargo puts all programs.
fn quorate() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_BIN_EXE_chaos")).with_file_name("quorate");
    if !program.is_file() {
        eprintln!("skipped: no {}; `cargo build --release -p quorate`", program.display());
        return None;
    }
    Some(program)
}

fn chaos(arguments: &[&str]) -> Option<(bool, String)> {
    let quorate = quorate()?;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    let output = command.args(arguments).arg("--quorate").arg(quorate).output();
    let Output { status, stdout, stderr } = output.expect("chaos was built with this test");
    let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Some((status.success(), text.concat()))
}

fn number_behind(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn crashes_and_pauses_lose_nothing() {
    let arguments =
        ["--minutes", "0.15", "--seed", "7", "--faults", "kill,pause,power-cut", "--rate", "300"];
    let Some((is_well, text)) = chaos(&arguments) else { return };
    assert!(is_well, "{text}");
    assert!(number_behind(&text, "all ") > Some(0), "no fault had an effect:\n{text}");
    assert_eq!(number_behind(&text, "losses"), Some(0), "{text}");
    assert_eq!(number_behind(&text, "stale reads"), Some(0), "{text}");
    assert!(number_behind(&text, "acknowledged operations") > Some(100), "{text}");
}

#[test]
fn disks_that_lie_are_found_out() {
    let Some((is_well, text)) = chaos(&["--control", "no-fsync", "--seed", "7"]) else { return };
    if text.contains("this control needs disks that lie") {
        eprintln!("skipped: {text}");
        return;
    }
    assert!(is_well, "{text}");
    assert!(number_behind(&text, "lost acknowledged write:") > Some(0), "{text}");
}

#[test]
fn reads_that_ask_one_node_alone_are_found_out() {
    let Some((is_well, text)) = chaos(&["--control", "stale-reads", "--seed", "7"]) else { return };
    assert!(is_well && text.contains("stale reads were found"), "{text}");
}

#[test]
fn a_kind_that_does_not_exist_is_named() {
    let Some((is_well, text)) = chaos(&["--faults", "earthquake"]) else { return };
    assert!(!is_well && text.contains("earthquake") && text.contains("power-cut"), "{text}");
}
