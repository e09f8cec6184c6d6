//! Other programs: run to their end, their last word kept.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// Whether `program` lies in a folder of PATH.
pub(crate) fn is_present(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Runs a program without input; its standard output.
pub(crate) fn run(words: &[&str]) -> Result<String, Failure> {
    feed(words, "")
}

/// Runs a program with this input; its standard output.
pub(crate) fn feed(words: &[&str], input: &str) -> Result<String, Failure> {
    let cannot = || format!("`{}`", words.join(" "));
    let (program, arguments) =
        words.split_first().ok_or_else(|| Failure::new("no program was named"))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Failure::because(cannot()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input says why on its standard error.
        let _unread = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(Failure::because(cannot()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it said nothing");
    Err(Failure::new(format!("{} failed, {}: {said}", cannot(), output.status)))
}
