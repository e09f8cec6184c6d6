//! `cargo xtask doctor`: what this machine has and lacks, in words.

use std::path::Path;
use std::process::Command;

use crate::tools::{TOOLS, is_present};

/// What building and `make demo` cannot do without, and how it is asked for its version.
const REQUIRED: &[(&str, &str, &str)] = &[
    ("cargo", "--version", "install Rust from rustup.rs; rust-toolchain.toml picks the version"),
    ("cc", "--version", "install a C compiler (Debian: apt-get install build-essential)"),
];

/// Prints the findings; false when something required is missing.
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    let mut well = true;
    for (program, flag, remedy) in REQUIRED {
        match version(program, flag) {
            Some(version) => println!("ok       {program}: {version}"),
            None => {
                well = false;
                println!("MISSING  {program}: {remedy}");
            }
        }
    }
    match version("node", "--version") {
        Some(version) => println!("ok       node: {version} (20.19 or later builds the pages)"),
        None => println!(
            "missing  node: the binary has no web pages (Debian: apt-get install nodejs npm; \
             20.19 or later)"
        ),
    }
    for tool in TOOLS {
        match is_present(tool.program) {
            true => println!("ok       {}", tool.program),
            false => println!(
                "missing  {}: tests skip {} (Debian: apt-get install {})",
                tool.program, tool.skipped_without, tool.package
            ),
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("info     {cores} cores, workspace in {}", root.display());
    Ok(well)
}

fn version(program: &str, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
    output.status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_come_from_the_program() {
        let version = super::version("cargo", "--version").expect("tests run under cargo");
        assert!(version.starts_with("cargo "), "{version}");
        assert_eq!(super::version("no-program-has-this-name", "--version"), None);
    }
}
