//! What a node does for the demonstration that it is part of: it knows its supervisor, and its disk
//! can be slowed down. A node that was not started by `quorate demo` does neither.

use super::Failure;
use super::demo::cluster::brake_file;
use super::demo::stage::control;
use crate::config::NodeSettings;
use crate::exit;
use node::disk::Brake;
use std::time::Duration;

/// Between two looks at the brake.
const LOOK: Duration = Duration::from_millis(50);

/// The brake of the disk, which follows a file; released where there is no demonstration.
///
/// # Errors
/// No thread.
pub(super) fn brake(settings: &NodeSettings) -> Result<Brake, Failure> {
    let brake = Brake::default();
    let Some(folder) = &settings.demo_folder else { return Ok(brake) };
    let path = folder.join(brake_file(settings.node_id));
    let held = brake.clone();
    let follow = move || loop {
        let wanted = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
        held.set(Duration::from_millis(wanted.unwrap_or(0)));
        std::thread::sleep(LOOK);
    };
    std::thread::Builder::new()
        .name("brake".to_owned())
        .spawn(follow)
        .map_err(Failure::because(exit::FAILED, "cannot start a thread"))?;
    Ok(brake)
}

/// The supervisor, where there is one.
///
/// # Errors
/// Its file cannot be read.
pub(super) fn supervisor(settings: &NodeSettings) -> Result<Option<gateway::Supervisor>, Failure> {
    let Some(folder) = &settings.demo_folder else { return Ok(None) };
    let path = folder.join(control::FILE);
    let what = path.display().to_string();
    let wrong = |reason: String| Failure::new(exit::BAD_CONFIG, format!("{what}: {reason}"));
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let expected = || wrong("expected an address and a token".to_owned());
    let (address, token) = text.trim().split_once(' ').ok_or_else(expected)?;
    let address = address.parse().map_err(|_| expected())?;
    gateway::Supervisor::new(address, token.to_owned()).map(Some).map_err(wrong)
}
