//! Real servers of others, as child processes: a mail server, an identity provider.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A child that ends with its handle.
pub(crate) struct Tool {
    child: Child,
    /// It ends when this is closed.
    input: Option<ChildStdin>,
    /// Its first line: where it listens.
    pub(crate) first: String,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Tool {
    fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it was there a moment ago");
        let output = child.stdout.take().expect("asked for");
        let mut output = BufReader::new(output).lines();
        let first = output.next().expect("a first line").expect("text");
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in output.map_while(Result::ok) {
                heard.lock().expect("no panic under the lock").push(line);
            }
        });
        let input = child.stdin.take();
        Self { child, input, first, lines }
    }

    /// What it has printed since.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic under the lock").clone()
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn here(name: &str) -> PathBuf {
    // By this way also from the tests of `quorate`, which share this file.
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/tests/tools")).join(name)
}

/// Where `cargo xtask install` puts what npm and PyPI have.
fn tools() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/test-tools"))
}

/// A mail server, if there is a Python that has `aiosmtpd`.
pub(crate) fn mail_server() -> Option<Tool> {
    let own = tools().join("python/bin/python3");
    let known = [own, PathBuf::from("python3"), PathBuf::from("/usr/bin/python3")];
    let python = known.into_iter().find(|python| {
        let mut command = Command::new(python);
        command.args(["-c", "import aiosmtpd"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    let Some(python) = python else {
        println!("skipped: no Python with aiosmtpd (`cargo xtask install`)");
        return None;
    };
    let mut command = Command::new(python);
    command.arg(here("smtp_server.py"));
    Some(Tool::start(command))
}

/// An identity provider that logs everybody in as `person`, if node and its package are there.
pub(crate) fn identity_provider(redirect: &str, person: &str) -> Option<Tool> {
    let folder = tools();
    if !folder.join("node_modules/oidc-provider").is_dir() {
        println!("skipped: oidc-provider is not installed (`cargo xtask install`)");
        return None;
    }
    let mut command = Command::new("node");
    command.arg(here("provider.mjs")).arg(folder).args([redirect, person]);
    Some(Tool::start(command))
}

/// What the reader of tiles prints, if there is a Node.
pub(crate) fn read_tiles(prefix: &str, quorum: usize, keys: &[String]) -> Option<String> {
    let mut command = Command::new("node");
    command.arg(here("read_tiles.mjs")).arg(prefix).arg(quorum.to_string()).args(keys);
    match command.output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Err(error) => {
            println!("skipped: no node ({error})");
            None
        }
    }
}
