//! Files with one secret, readable by their owner only.

use crate::commands::Failure;
use crate::exit;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The text in `path`; when there is no such file, what `make` gives, which is written there
/// durably first.
///
/// # Errors
/// Of the file system, with the path; of `make`.
pub(crate) fn read_or_make(
    path: &Path,
    make: impl FnOnce() -> Result<String, Failure>,
) -> Result<String, Failure> {
    let shown = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = make()?;
            write(path, &text)?;
            Ok(text)
        }
        Err(error) => Err(Failure::because(exit::FAILED, &shown)(error)),
    }
}

/// Writes a new file with `text`, mode 0600, durably.
///
/// # Errors
/// Of the file system, with the path; also when there is such a file already.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let shown = path.display().to_string();
    let wrong = Failure::because(exit::FAILED, &shown);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(&wrong)?;
    file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(&wrong)?;
    file.sync_all().map_err(&wrong)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => {
            std::fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(&wrong)
        }
        None => Ok(()),
    }
}
