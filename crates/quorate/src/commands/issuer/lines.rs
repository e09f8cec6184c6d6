//! Lines in a file of the issuer's own, each durable before anything follows from it, so that a run
//! that is cut off can be taken up again.

use crate::commands::Failure;
use crate::exit;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file, open to be added to.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    /// Opens it, new or as an earlier run left it, and gives its lines. A last line that was cut
    /// off was never acted upon, and is dropped. `name` is what the file is called in an error.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(super) fn open(path: &Path, name: &str) -> Result<(Self, String), Failure> {
        let cannot = format!("cannot use {name}");
        let because = Failure::because(exit::FAILED, &cannot);
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(path).map_err(&because)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(&because)?;
        text.truncate(text.rfind('\n').map_or(0, |at| at + 1));
        file.set_len(text.len() as u64).map_err(&because)?;
        Ok((Self { path: path.to_owned(), file }, text))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line, durably.
    ///
    /// # Errors
    /// Of the disk.
    pub(super) fn add(&mut self, line: &str) -> io::Result<()> {
        self.file.write_all(format!("{line}\n").as_bytes())?;
        self.file.sync_data()
    }

    /// What is said of a line, counted from 1, that is not as `expected`.
    pub(super) fn wrong(&self, number: usize, expected: &str) -> Failure {
        let place = format!("{}: line {number}", self.path.display());
        Failure::new(exit::BAD_DATA, format!("{place}: expected {expected}"))
    }
}
