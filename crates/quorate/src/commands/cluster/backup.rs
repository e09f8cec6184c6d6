//! `quorate cluster backup`: a node's whole state into a file.
//!
//! The file is written under another name, read back and checked, synced, and only then called
//! what it was to be called. So whoever finds a backup has a whole one.

use super::{Nodes, reason};
use crate::commands::{Failure, progress};
use crate::exit;
use indicatif::ProgressBar;
use node::backup::{self, Facts};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// As secret as the store.
const MODE: u32 = 0o600;

pub(super) async fn run(nodes: &Nodes, file: &Path, stale: bool) -> Result<(), Failure> {
    let shown = file.display();
    if file.exists() {
        let text = format!("{shown} is there already; choose another name");
        return Err(Failure::new(exit::BAD_DATA, text));
    }
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = file.with_file_name(name);
    let mut silent = Vec::new();
    for node in &nodes.addresses {
        match fetch(nodes, *node, &partial, stale).await {
            Ok(()) => return finish(&partial, file),
            Err(Refusal::Final(failure)) => return Err(failure),
            Err(Refusal::AskAnother(reason)) => silent.push((*node, reason)),
        }
    }
    // Nothing usable is left; what cannot be removed is overwritten by the next attempt.
    let _left = std::fs::remove_file(&partial);
    Err(nodes.unavailable(&silent))
}

enum Refusal {
    /// This node cannot, another might.
    AskAnother(String),
    /// No node will.
    Final(Failure),
}

async fn fetch(
    nodes: &Nodes,
    node: SocketAddr,
    partial: &Path,
    stale: bool,
) -> Result<(), Refusal> {
    let another = |error: reqwest::Error| Refusal::AskAnother(reason(&error));
    let mut request = nodes.http.get(format!("http://{node}/cluster/backup?stale={stale}"));
    if let Some(token) = &nodes.token {
        request = request.bearer_auth(token);
    }
    let mut answer = request.send().await.map_err(another)?;
    match answer.status().as_u16() {
        200 => {}
        401 => {
            let text = answer.text().await.unwrap_or_default();
            let text = format!("{}: use --token-file", text.trim());
            return Err(Refusal::Final(Failure::new(exit::BAD_CONFIG, text)));
        }
        _ => {
            let text = answer.text().await.unwrap_or_default();
            return Err(Refusal::AskAnother(text.trim().to_owned()));
        }
    }
    let here = |error: std::io::Error| {
        let text = format!("{}: {error}", partial.display());
        Refusal::Final(Failure::new(exit::FAILED, text))
    };
    let size = answer.headers().get("x-quorate-state-bytes");
    let size = size.and_then(|size| size.to_str().ok()?.parse().ok()).unwrap_or(0);
    let bar = progress::bar_on_stderr("receiving (bytes)");
    bar.set_length(size);
    let mut open = OpenOptions::new();
    open.create(true).write(true).truncate(true).mode(MODE);
    let mut out = open.open(partial).map_err(here)?;
    while let Some(part) = answer.chunk().await.map_err(another)? {
        out.write_all(&part).map_err(here)?;
        bar.inc(part.len() as u64);
    }
    out.sync_all().map_err(here)?;
    bar.finish_and_clear();
    Ok(())
}

/// Checks what came and gives it its name.
fn finish(partial: &PathBuf, file: &Path) -> Result<(), Failure> {
    let bar = progress::bar_on_stderr("checking (bytes)");
    let checked = backup::check(partial, &mut |read, all| seen(&bar, read, all));
    bar.finish_and_clear();
    let (facts, sum) = checked.map_err(|error| {
        Failure::new(exit::FAILED, format!("{error}\nthe connection may have broken; try again"))
    })?;
    let shown = file.display().to_string();
    let wrong = Failure::because(exit::FAILED, &shown);
    std::fs::rename(partial, file).map_err(&wrong)?;
    let above = file.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    File::open(above).and_then(|folder| folder.sync_all()).map_err(&wrong)?;
    let bytes = file.metadata().map_err(&wrong)?.len();
    println!("{shown}: {bytes} bytes, sha256 {}", hex::encode(sum));
    println!("{}", told(&facts));
    Ok(())
}

pub(super) fn seen(bar: &ProgressBar, read: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(read);
}

/// What a backup is, in one line.
pub(super) fn told(facts: &Facts) -> String {
    let Facts { version, cluster, member, revision, applied, members, .. } = facts;
    format!(
        "revision {revision}, everything up to log entry {applied}, made by member {member} of \
         cluster {cluster:016x} ({members}) with quorate {version}"
    )
}
