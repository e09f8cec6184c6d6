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
        program: "chromium",
        package: "chromium",
        skipped_without: "the pages in a real browser",
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

/// Installs missing tools with apt-get when this is Debian and we are root, and those of npm and
/// PyPI into `target/test-tools`; otherwise says what will be skipped. Never an error: the gate
/// runs with what there is and counts the rest.
pub(crate) fn install() -> Result<bool, String> {
    install_provider();
    install_schemathesis();
    install_packages()
}

/// The identity provider of the gateway's tests, as its lock file says.
fn install_provider() {
    let source = crate::root().join("crates/gateway/tests/tools");
    let folder = crate::root().join("target/test-tools");
    if folder.join("node_modules/oidc-provider").is_dir() {
        return;
    }
    let copied = std::fs::create_dir_all(&folder).and_then(|()| {
        ["package.json", "package-lock.json"]
            .iter()
            .try_for_each(|name| std::fs::copy(source.join(name), folder.join(name)).map(drop))
    });
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    if !(copied.is_ok() && is_present("npm") && runs(&folder, "npm", &arguments)) {
        println!("npm could not install oidc-provider: skipping logins at an identity provider.");
    }
}

/// The fuzzer of the HTTP API, in an environment of its own.
fn install_schemathesis() {
    let folder = crate::root().join("target/test-tools");
    if folder.join("python/bin/schemathesis").is_file() {
        return;
    }
    let pip = folder.join("python/bin/pip");
    let pip = pip.to_string_lossy();
    let done = std::fs::create_dir_all(&folder).is_ok()
        && is_present("python3")
        && runs(&folder, "python3", &["-m", "venv", "python"])
        && runs(&folder, &pip, &["install", "--quiet", "schemathesis==4.32.5", "aiosmtpd==1.4.6"]);
    if !done {
        println!("pip could not install schemathesis: skipping the fuzzing of the HTTP API.");
    }
}

fn runs(folder: &std::path::Path, program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let status = command.args(arguments).current_dir(folder).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn install_packages() -> Result<bool, String> {
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
