//! Where the demonstration keeps its files, and what becomes of them at the end.

use super::Failure;
use crate::exit;
use std::path::{Path, PathBuf};

/// The folder of one demonstration.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    is_temporary: bool,
}

impl Folder {
    /// The given folder, which must be empty or not exist; or a new temporary one.
    pub(super) fn make(wanted: Option<&Path>) -> Result<Self, Failure> {
        let (path, is_temporary) = match wanted {
            Some(path) => (absolute(path)?, false),
            None => {
                let name =
                    format!("quorate-demo-{:016x}", u64::from_be_bytes(crate::random::bytes()));
                (std::env::temp_dir().join(name), true)
            }
        };
        let what = format!("cannot make the folder {}", path.display());
        std::fs::create_dir_all(&path).map_err(Failure::because(exit::FAILED, &what))?;
        let is_empty = std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none());
        if !is_empty {
            let message = format!("{} is not empty; give --data-dir a new folder", path.display());
            return Err(Failure::new(exit::BAD_CONFIG, message));
        }
        Ok(Self { path, is_temporary })
    }

    /// A new folder in it, which goes when it is removed.
    pub(super) fn below(&self, name: &str) -> Result<Self, Failure> {
        let path = self.path.join(name);
        let what = format!("cannot make the folder {}", path.display());
        std::fs::create_dir(&path).map_err(Failure::because(exit::FAILED, &what))?;
        Ok(Self { path, is_temporary: true })
    }

    /// The path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it, as an argument for a command.
    pub(super) fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// Whether it goes at the end.
    pub(super) fn is_temporary(&self) -> bool {
        self.is_temporary
    }

    /// Writes a file.
    pub(super) fn write(&self, name: &str, content: &str) -> Result<(), Failure> {
        let what = format!("cannot write {}", self.file(name));
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Failure::because(exit::FAILED, &what))?;
        }
        std::fs::write(&path, content).map_err(Failure::because(exit::FAILED, &what))
    }

    /// Reads a file.
    pub(super) fn read(&self, name: &str) -> Result<String, Failure> {
        let what = format!("cannot read {}", self.file(name));
        std::fs::read_to_string(self.path.join(name)).map_err(Failure::because(exit::FAILED, &what))
    }

    /// Removes a temporary folder.
    pub(super) fn remove(self) {
        if self.is_temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            eprintln!("quorate: cannot remove {}: {error}", self.path.display());
        }
    }
}

/// Relative paths would mean something else to a reader of the summary in another folder.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let what = format!("{} is no path", path.display());
    std::path::absolute(path).map_err(Failure::because(exit::BAD_CONFIG, &what))
}
