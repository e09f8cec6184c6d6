//! The web pages, built before the binary that carries them.

use crate::tools::is_present;
use std::path::Path;
use std::process::Command;

/// Builds `web/dist` when Node is here and something has changed; says so when it is left out.
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    if !(is_present("node") && is_present("npm")) {
        println!(
            "web: the pages are left out, since there is no Node (20.19 or later) here; everything \
             else is built. `make doctor` says how to get it."
        );
        return Ok(true);
    }
    let web = root.join("web");
    if !is_installed(&web) && !npm(&web, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])? {
        println!("web: npm could not install what the lock file lists; the pages are left out.");
        return Ok(true);
    }
    npm(&web, &["run", "--silent", "build"])
}

/// Whether npm has installed what the lock file lists now: it leaves a copy of it.
fn is_installed(web: &Path) -> bool {
    let changed = |name: &str| web.join(name).metadata().and_then(|data| data.modified());
    match (changed("node_modules/.package-lock.json"), changed("package-lock.json")) {
        (Ok(installed), Ok(listed)) => installed >= listed,
        _ => false,
    }
}

fn npm(web: &Path, arguments: &[&str]) -> Result<bool, String> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let status = Command::new(program).args(arguments).current_dir(web).status();
    status.map(|status| status.success()).map_err(|why| format!("npm could not be started: {why}"))
}
