//! Golden scripts: tests one reads as a conversation.
//!
//! A script is a text file. Its first line, `# one sentence`, says what it shows. Then come
//! blocks: command lines, a line `---`, the output, and an empty line:
//!
//! ```text
//! # A key written twice keeps its creation revision.
//! put k=v "two words"
//! get k
//! ---
//! revision 2
//! v
//! ```
//!
//! [`run_golden`] plays every script of a folder against a fresh [`Runner`] and compares what it
//! prints with what stands in the file. With `BLESS=1` in the environment the files are rewritten
//! instead, and the difference is read in `git diff`.
#![forbid(unsafe_code)]

mod command;
mod diff;
mod golden;
mod script;

pub use command::Command;
pub use golden::{Runner, check_golden, run_golden};

/// Lower-case hexadecimal of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The folder that holds the workspace's `Cargo.lock`, from wherever a test is started.
///
/// # Panics
/// When no parent of this crate's folder holds one.
pub fn repo_root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .expect("testkit lies inside a workspace with a Cargo.lock")
        .to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_lower_case_and_complete() {
        assert_eq!(hex(&[0, 0x0a, 0xff]), "000aff");
    }

    #[test]
    fn the_root_holds_the_workspace_manifest() {
        assert!(repo_root().join("Cargo.toml").is_file());
    }
}
