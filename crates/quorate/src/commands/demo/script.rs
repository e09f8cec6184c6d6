//! A series of faults that comes by itself: `--script faults`, or the button on the dashboard.

use super::Failure;
use super::report::say;
use super::stage::Stage;
use super::stage::fault::{Effect, Kind};
use crate::exit;
use std::convert::Infallible;
use std::time::Duration;

/// Which script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Script {
    /// Kill, pause, cut and slow down nodes, one after the other, and mend each
    Faults,
}

/// To whom something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Leader,
    /// The first node that follows.
    Follower,
    /// The node before.
    Same,
}

const SERIES: [(Kind, Target); 13] = [
    (Kind::Kill, Target::Leader),
    (Kind::Restart, Target::Same),
    (Kind::Pause, Target::Follower),
    (Kind::Resume, Target::Same),
    (Kind::Cut, Target::Leader),
    (Kind::Heal, Target::Same),
    (Kind::CutOut, Target::Leader),
    (Kind::Heal, Target::Same),
    (Kind::SlowDisk, Target::Follower),
    (Kind::FastDisk, Target::Same),
    (Kind::Pause, Target::Leader),
    (Kind::Resume, Target::Same),
    (Kind::Restart, Target::Leader),
];

/// Between two faults while somebody watches.
const PAUSE: Duration = Duration::from_secs(5);
/// Before the first fault of a round, and while nobody leads.
const CALM: Duration = Duration::from_millis(500);
/// How often the cluster is asked for a leader before the series goes on without.
const LOOKS: usize = 60;

/// One step, as words for the terminal; an error when a promise was broken or nothing came of it.
async fn step(stage: &Stage, kind: Kind, node: u64) -> Result<String, Failure> {
    let record = stage.act(kind, Some(node)).await?;
    let name = serde_json::to_value(kind).unwrap_or_default();
    let name = name.as_str().unwrap_or_default();
    let line = format!("{name:<9} node {node}: {}", record.outcome.text);
    let outcome = &record.outcome;
    let is_led = record.effect != Effect::LeaderChange || outcome.leader_after_ms.is_some();
    if outcome.lost == Some(0) && is_led {
        Ok(line)
    } else {
        Err(Failure::new(exit::FAILED, format!("not as promised: {line}")))
    }
}

/// The node that is meant.
async fn find(stage: &Stage, target: Target, before: Option<u64>) -> Option<u64> {
    for _ in 0..LOOKS {
        let situation = stage.situation();
        let found = match target {
            Target::Same => before,
            Target::Leader => situation.leader,
            Target::Follower => situation.leader.and_then(|leader| {
                let nodes = situation.nodes.iter().map(|condition| condition.node);
                nodes.into_iter().find(|node| *node != leader)
            }),
        };
        if found.is_some() {
            return found;
        }
        tokio::time::sleep(CALM).await;
    }
    None
}

/// The whole series once.
///
/// # Errors
/// The first step that did not go as promised.
pub(super) async fn once(stage: &Stage) -> Result<(), Failure> {
    let mut node = None;
    for (kind, target) in SERIES {
        node = find(stage, target, node).await;
        let node = node.ok_or_else(|| Failure::new(exit::FAILED, "the nodes have no leader"))?;
        say(&step(stage, kind, node).await?);
        // The supervisor looks who leads a few times a second.
        tokio::time::sleep(CALM).await;
    }
    Ok(())
}

/// Again and again while the script is on.
pub(super) async fn follow(stage: &Stage) -> Infallible {
    let mut settings = stage.settings();
    let mut node = None;
    loop {
        for (kind, target) in SERIES {
            if settings.wait_for(|settings| settings.script).await.is_err() {
                std::future::pending::<()>().await;
            }
            node = find(stage, target, node).await;
            // What cannot be done as things are, since the viewer does things too, is left out.
            if let Some(node) = node
                && stage.situation().forecast(kind, node).is_some()
            {
                match step(stage, kind, node).await {
                    Ok(line) => say(&line),
                    Err(failure) => say(&failure.message),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
