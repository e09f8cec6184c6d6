//! Programs that tests want and that are not built here: finding and installing them.

use std::process::{Command, Stdio};

/// A program outside the workspace and the Debian package that brings it.
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
    /// What is not tested without it.
    pub(crate) skipped_without: &'static str,
}

/// Only what a test or `make chaos` really starts.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        program: "etcdctl",
        package: "etcd-client",
        skipped_without: "the walk with etcd's own command line client",
    },
    Tool {
        program: "strace",
        package: "strace",
        skipped_without: "the system-call trace that shows fdatasync before an answer",
    },
    Tool {
        program: "nft",
        package: "nftables",
        skipped_without: "partitions between real nodes (make chaos)",
    },
    Tool {
        program: "faketime",
        package: "faketime",
        skipped_without: "clock jumps of real nodes (make chaos)",
    },
];

/// Whether `program` lies in a folder of PATH.
pub(crate) fn is_present(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Installs missing tools with apt-get when this is Debian and we are root; otherwise says what
/// will be skipped. Never an error: the gate runs with what there is and counts the rest.
pub(crate) fn install() -> Result<bool, String> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !is_present(tool.program)).collect();
    if missing.is_empty() {
        return Ok(true);
    }
    if !is_present("apt-get") {
        say_skipped("there is no apt-get here", &missing);
    } else if !is_root() {
        say_skipped("installing needs root", &missing);
    } else {
        let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
        println!("Installing {} with apt-get …", packages.join(", "));
        let install = [&["install", "-y", "--no-install-recommends"], packages.as_slice()].concat();
        let done = apt_get(&install) || (apt_get(&["update"]) && apt_get(&install));
        if !done {
            say_skipped("apt-get could not install them", &missing);
        }
    }
    Ok(true)
}

fn say_skipped(why: &str, missing: &[&Tool]) {
    for tool in missing {
        let Tool { program, package, skipped_without } = tool;
        println!("{program} (package {package}) is missing and {why}: skipping {skipped_without}.");
    }
}

fn apt_get(arguments: &[&str]) -> bool {
    Command::new("apt-get")
        .args(["-qq", "-o", "DPkg::Lock::Timeout=120"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_up_in_path() {
        assert!(is_present("cargo"));
        assert!(!is_present("no-program-has-this-name"));
    }
}
