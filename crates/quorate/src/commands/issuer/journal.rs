//! Who has been written to: a line before each try and one after it, each synced before the next
//! step, so that a run that is cut off can be taken up again and nobody gets two letters.

use super::lines::Lines;
use crate::commands::Failure;
use crate::exit;
use std::collections::BTreeMap;
use std::path::Path;

/// Where a voter's letter stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Begun, and no word of what became of it: it may have arrived.
    Unknown(String),
    /// The server has taken it.
    Sent,
    /// The server refused it.
    Failed(String),
    /// The server could not take it then.
    Later(String),
}

impl Standing {
    fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Unknown(said) => ("unknown", said),
            Self::Sent => ("sent", ""),
            Self::Failed(said) => ("failed", said),
            Self::Later(said) => ("later", said),
        }
    }

    fn read(word: &str, said: &str) -> Option<Self> {
        let said = said.to_owned();
        Some(match word {
            "unknown" => Self::Unknown(said),
            "sent" => Self::Sent,
            "failed" => Self::Failed(said),
            "later" => Self::Later(said),
            _ => return None,
        })
    }
}

/// The journal in a file.
#[derive(Debug)]
pub(super) struct Journal {
    lines: Lines,
    standings: BTreeMap<String, Standing>,
}

impl Journal {
    /// Opens it, new or as an earlier run left it. A last line that was cut off is dropped.
    ///
    /// # Errors
    /// When the file cannot be used, or is no journal; the line is named.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let (lines, text) = Lines::open(path, &format!("the journal {}", path.display()))?;
        let mut standings = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let (voter_id, standing) = read(line).ok_or_else(|| {
                lines.wrong(number, "sent, failed, later or unknown, a tab, a voter_id")
            })?;
            standings.insert(voter_id, standing);
        }
        Ok(Self { lines, standings })
    }

    /// Where a voter's letter stands; `None` before the first try.
    pub(super) fn standing(&self, voter_id: &str) -> Option<&Standing> {
        self.standings.get(voter_id)
    }

    /// Writes down where it stands now, durably.
    ///
    /// # Errors
    /// When it cannot be written; the letter must not be sent then.
    pub(super) fn note(&mut self, voter_id: &str, standing: Standing) -> Result<(), Failure> {
        let (word, said) = standing.words();
        let said = said.replace(['\t', '\n', '\r'], " ");
        let cannot = format!("cannot write the journal {}", self.lines.path().display());
        let added = self.lines.add(&format!("{word}\t{voter_id}\t{said}"));
        added.map_err(Failure::because(exit::FAILED, &cannot))?;
        self.standings.insert(voter_id.to_owned(), standing);
        Ok(())
    }
}

fn read(line: &str) -> Option<(String, Standing)> {
    let mut parts = line.splitn(3, '\t');
    let (word, voter_id) = (parts.next()?, parts.next()?);
    let standing = Standing::read(word, parts.next().unwrap_or_default())?;
    Some((voter_id.to_owned(), standing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_was_noted_is_there_at_the_next_run_and_a_cut_line_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mail.journal");
        let mut journal = Journal::open(&path).expect("new");
        journal.note("v1", Standing::Unknown(String::new())).expect("noted");
        journal.note("v1", Standing::Sent).expect("noted");
        journal.note("v2", Standing::Failed("no\tsuch\nuser".to_owned())).expect("noted");
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(b"sent\tv2"))
            .expect("cut off");
        let mut journal = Journal::open(&path).expect("again");
        assert_eq!(journal.standing("v1"), Some(&Standing::Sent));
        assert_eq!(journal.standing("v2"), Some(&Standing::Failed("no such user".to_owned())));
        assert_eq!(journal.standing("v3"), None);
        journal.note("v3", Standing::Later("busy".to_owned())).expect("noted");
        let journal = Journal::open(&path).expect("again");
        assert_eq!(journal.standing("v3"), Some(&Standing::Later("busy".to_owned())));
    }

    #[test]
    fn a_file_that_is_something_else_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mail.journal");
        std::fs::write(&path, "sent\tv1\t\nvoter_id,code\n").expect("written");
        let error = Journal::open(&path).expect_err("no journal");
        assert!(error.message.contains("line 2: expected sent"), "{}", error.message);
    }
}
