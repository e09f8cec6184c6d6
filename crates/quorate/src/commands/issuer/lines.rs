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
    /// Bytes of the lines that were added whole.
    length: u64,
    /// Whether something else may stand behind them.
    is_torn: bool,
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
        let length = text.len() as u64;
        file.set_len(length).map_err(&because)?;
        Ok((Self { path: path.to_owned(), file, length, is_torn: false }, text))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line, durably.
    ///
    /// # Errors
    /// Of the disk. The line then counts as not written, and is gone before the next one comes.
    pub(super) fn add(&mut self, line: &str) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.length)?;
        }
        self.is_torn = true;
        let line = format!("{line}\n");
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()?;
        self.length += line.len() as u64;
        self.is_torn = false;
        Ok(())
    }

    /// What is said of a line, counted from 1, that is not as `expected`.
    pub(super) fn wrong(&self, number: usize, expected: &str) -> Failure {
        let place = format!("{}: line {number}", self.path.display());
        Failure::new(exit::BAD_DATA, format!("{place}: expected {expected}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_written_whole_is_gone_before_the_next_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines.csv");
        let (mut lines, text) = Lines::open(&path, "lines.csv").expect("new");
        assert_eq!(text, "");
        lines.add("first").expect("room");
        // A disk that was full in the middle of a line.
        lines.file.write_all(b"sec").expect("room");
        lines.is_torn = true;
        lines.add("third").expect("room");
        lines.add("fourth").expect("room");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "first\nthird\nfourth\n");
    }
}
