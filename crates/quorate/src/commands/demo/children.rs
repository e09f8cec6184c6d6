//! The commands that the demonstration runs as processes of their own, like the people would.
//!
//! Every child is killed when its handle goes: whatever happens to the demonstration, none of
//! its processes is left.

use super::Failure;
use crate::exit;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Lines of a failed command's output that are shown.
const SHOWN_LINES: usize = 12;

/// Starts this program again with other arguments.
#[derive(Clone, Debug)]
pub(super) struct Program {
    binary: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Program {
    /// This very binary. Its children do not see the settings in this process's environment.
    pub(super) fn own() -> Result<Self, Failure> {
        let binary = std::env::current_exe()
            .map_err(Failure::because(exit::FAILED, "cannot find the own binary"))?;
        Ok(Self { binary, environment: Vec::new() })
    }

    /// The same with these settings for every child.
    pub(super) fn with(mut self, environment: Vec<(&'static str, String)>) -> Self {
        self.environment.extend(environment);
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("QUORATE_") && name != "QUORATE_LOG" {
                command.env_remove(name);
            }
        }
        command.args(arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts a child that writes standard output to `name.out` and standard error to `name.log`
    /// in `folder`, after what stands there.
    pub(super) fn start(
        &self,
        arguments: &[&str],
        folder: &Path,
        name: &str,
    ) -> Result<Child, Failure> {
        let open = |suffix: &str| {
            let path = folder.join(format!("{name}.{suffix}"));
            let what = format!("cannot write {}", path.display());
            File::options()
                .create(true)
                .append(true)
                .open(&path)
                .map_err(|error| Failure::because(exit::FAILED, &what)(error))
        };
        let mut command = self.command(arguments);
        command.stdout(open("out")?).stderr(open("log")?);
        command.spawn().map_err(Failure::because(exit::FAILED, &format!("cannot start {name}")))
    }

    /// Runs a child to its end and gives its standard output.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<String, Failure> {
        let (code, output, complaint) = self.attempt(arguments).await?;
        match code {
            Some(0) => Ok(output),
            code => Err(failed(arguments, code, &format!("{output}{complaint}"))),
        }
    }

    /// Runs a child to its end: exit code (none when a signal ended it), output, error output.
    pub(super) async fn attempt(
        &self,
        arguments: &[&str],
    ) -> Result<(Option<i32>, String, String), Failure> {
        let what = format!("cannot run quorate {}", shown(arguments));
        let output = self
            .command(arguments)
            .output()
            .await
            .map_err(|error| Failure::because(exit::FAILED, &what)(error))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
    }
}

/// The failure of a command, with the end of what it said.
pub(super) fn failed(arguments: &[&str], code: Option<i32>, said: &str) -> Failure {
    let how = code.map_or("was killed".to_owned(), |code| format!("ended with exit code {code}"));
    let message = format!("quorate {} {how}:\n{}", shown(arguments), last_lines(said));
    Failure::new(exit::FAILED, message)
}

fn shown(arguments: &[&str]) -> String {
    arguments.iter().take(3).copied().collect::<Vec<_>>().join(" ")
}

/// The end of a text, indented.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(SHOWN_LINES);
    lines[from..].iter().map(|line| format!("  {line}\n")).collect()
}
