//! Files with one secret, readable by their owner only.

use crate::commands::Failure;
use crate::{exit, files};
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
            files::write_private(path, format!("{text}\n").as_bytes())?;
            Ok(text)
        }
        Err(error) => Err(Failure::because(exit::FAILED, &shown)(error)),
    }
}
