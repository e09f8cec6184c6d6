//! Where things lie: figures, data folders, and the peer's program, all in one folder.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The folder of this run. Its data are removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Paths {
    out: PathBuf,
    data: PathBuf,
    used: Cell<u32>,
}

impl Paths {
    /// Takes `out`, or `bench` beside the folder that this program lies in (`target/release`).
    pub(crate) fn prepare(out: Option<PathBuf>) -> Result<Self, Failure> {
        let out = match out {
            Some(out) => out,
            None => beside_programs()?.join("../bench"),
        };
        // By process, so that two runs at a time do not share a folder.
        let data = out.join("data").join(std::process::id().to_string());
        let cannot = || format!("cannot make the folder {}", data.display());
        std::fs::create_dir_all(&data).map_err(Failure::because(cannot()))?;
        let whole = |path: &Path| path.canonicalize().map_err(Failure::because(cannot()));
        Ok(Self { out: whole(&out)?, data: whole(&data)?, used: Cell::new(0) })
    }

    pub(crate) fn figures(&self) -> PathBuf {
        self.out.join("figures.jsonl")
    }

    /// Where etcd is put.
    pub(crate) fn etcd(&self) -> PathBuf {
        self.out.join("etcd")
    }

    /// A data folder that nobody used before; it does not exist yet.
    pub(crate) fn fresh(&self, what: &str) -> PathBuf {
        let number = self.used.get() + 1;
        self.used.set(number);
        self.data.join(format!("{number}-{what}"))
    }
}

impl Drop for Paths {
    fn drop(&mut self) {
        remove_folder(&self.data);
        // Gone too, unless another run uses it.
        let _in_use = self.data.parent().map(std::fs::remove_dir);
    }
}

/// Removes a folder with all that is in it; says so when it cannot.
pub(crate) fn remove_folder(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        eprintln!("bench: cannot remove {}: {error}", folder.display());
    }
}

/// The folder of this program, where cargo puts the others too.
pub(crate) fn beside_programs() -> Result<PathBuf, Failure> {
    let cannot = "cannot find out where this program lies";
    let program = std::env::current_exe().map_err(Failure::because(cannot))?;
    let folder = program.parent().map(Path::to_path_buf);
    folder.ok_or_else(|| Failure::new(cannot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_folders_are_fresh_and_go_with_the_run() {
        let out = tempfile::tempdir().unwrap();
        let paths = Paths::prepare(Some(out.path().to_path_buf())).unwrap();
        let (first, second) = (paths.fresh("a"), paths.fresh("a"));
        assert_ne!(first, second);
        std::fs::create_dir(&first).unwrap();
        std::fs::write(paths.figures(), "").unwrap();
        drop(paths);
        let left: Vec<_> = std::fs::read_dir(out.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "only the figures stay: {left:?}");
    }
}
