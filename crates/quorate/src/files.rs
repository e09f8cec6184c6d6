//! Files that hold secrets, and passphrases typed without an echo.

use crate::commands::Failure;
use crate::exit;
use ballot::signature::SigningKey;
use rustix::termios::{LocalModes, OptionalActions, isatty, tcgetattr, tcsetattr};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// First line of an administrator's key file.
const ADMIN_KEY_LINE: &str = "quorate administrator key v1";
/// Shortest passphrase in characters.
const PASSPHRASE_CHARS_MIN: usize = 8;

/// Reads a file.
///
/// # Errors
/// Says which file, and why not.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let what = format!("cannot read {}", path.display());
    fs::read(path).map_err(|error| Failure::because(exit::BAD_DATA, &what)(error))
}

/// Writes a file that others may read, whole or not at all.
///
/// # Errors
/// Says which file, and why not.
pub(crate) fn write_public(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_with_mode(path, bytes, 0o644)
}

/// Writes a file that only its owner may read, whole or not at all.
///
/// # Errors
/// Says which file, and why not.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_with_mode(path, bytes, 0o600)
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let what = format!("cannot write {}", path.display());
    try_write(path, bytes, mode).map_err(|error| Failure::because(exit::FAILED, &what)(error))
}

fn try_write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh: PathBuf = folder.join(name);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}

/// The administrator's key in a file; made when there is no such file and `create` is set.
///
/// # Errors
/// When the file cannot be read or written, or is no key file.
pub(crate) fn admin_key(path: &Path, create: bool) -> Result<SigningKey, Failure> {
    if create && !path.exists() {
        let seed: [u8; 32] = crate::random::bytes();
        write_private(path, format!("{ADMIN_KEY_LINE}\n{}\n", hex::encode(seed)).as_bytes())?;
        eprintln!("made the administrator's key {}; keep it safe", path.display());
        return Ok(SigningKey::from_seed(&seed));
    }
    let text = read(path)?;
    parse_admin_key(&text).ok_or_else(|| {
        let message = format!(
            "{} is no administrator's key: expected the line '{ADMIN_KEY_LINE}' and 64 hex digits",
            path.display()
        );
        Failure::new(exit::BAD_DATA, message)
    })
}

fn parse_admin_key(text: &[u8]) -> Option<SigningKey> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.strip_prefix(ADMIN_KEY_LINE)?.strip_prefix('\n')?.strip_suffix('\n')?;
    let mut seed = [0; 32];
    hex::decode_to_slice(digits, &mut seed).ok()?;
    Some(SigningKey::from_seed(&seed))
}

/// A passphrase from the first line of a file, or asked for on the terminal; twice when `fresh`.
///
/// # Errors
/// When there is neither file nor terminal, or the passphrase is too short.
pub(crate) fn passphrase(file: Option<&Path>, fresh: bool) -> Result<String, Failure> {
    let text = match file {
        Some(path) => String::from_utf8(read(path)?)
            .map_err(Failure::because(exit::BAD_DATA, "the passphrase is not UTF-8"))?,
        None => {
            let typed = ask("passphrase")?;
            if fresh && ask("the passphrase once more")? != typed {
                return Err(Failure::new(exit::BAD_DATA, "the two passphrases differ"));
            }
            typed
        }
    };
    let text = text.lines().next().unwrap_or_default().to_owned();
    if fresh && text.chars().count() < PASSPHRASE_CHARS_MIN {
        let message =
            format!("the passphrase must have at least {PASSPHRASE_CHARS_MIN} characters");
        return Err(Failure::new(exit::BAD_DATA, message));
    }
    Ok(text)
}

fn ask(what: &str) -> Result<String, Failure> {
    if !isatty(io::stdin()) {
        let message = "there is no terminal to ask for the passphrase; use --passphrase-file";
        return Err(Failure::new(exit::BAD_DATA, message));
    }
    ask_without_echo(what).map_err(Failure::because(exit::FAILED, "cannot ask for the passphrase"))
}

fn ask_without_echo(what: &str) -> io::Result<String> {
    let shown = tcgetattr(io::stdin())?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    eprint!("{what}: ");
    tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
    let mut line = String::new();
    let typed = io::stdin().lock().read_line(&mut line);
    tcsetattr(io::stdin(), OptionalActions::Flush, &shown)?;
    eprintln!();
    typed.map(|_| line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_administrators_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin.key");
        let made = admin_key(&path, true).expect("made");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = admin_key(&path, true).expect("read");
        assert_eq!(read.public().to_bytes(), made.public().to_bytes());
        fs::write(&path, "something").expect("written");
        let error = admin_key(&path, false).err().expect("no key");
        assert!(error.message.contains("is no administrator's key"), "{}", error.message);
        let error = admin_key(&folder.path().join("none"), false).err().expect("no file");
        assert!(error.message.starts_with("cannot read "), "{}", error.message);
    }

    #[test]
    fn a_passphrase_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("p");
        fs::write(&path, "correct horse\nnote\n").expect("written");
        assert_eq!(passphrase(Some(&path), true).expect("long enough"), "correct horse");
        fs::write(&path, "short\n").expect("written");
        assert_eq!(passphrase(Some(&path), false).expect("an old one"), "short");
        let error = passphrase(Some(&path), true).expect_err("too short");
        assert_eq!(error.message, "the passphrase must have at least 8 characters");
    }
}
