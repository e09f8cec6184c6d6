//! What may be done to a node, and what will come of it: said before, measured after.

use super::super::cluster::Process;
use serde::{Deserialize, Serialize};

/// How much longer a sync takes on a slow disk, in milliseconds.
pub(in super::super) const SLOW_DISK_MS: u64 = 300;

/// Something done to a node, or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum Kind {
    /// SIGKILL.
    Kill,
    /// SIGSTOP.
    Pause,
    /// SIGCONT.
    Resume,
    /// Stopped cleanly if it runs, and started.
    Restart,
    /// It neither hears nor is heard.
    Cut,
    /// It hears nobody.
    CutIn,
    /// Nobody hears it.
    CutOut,
    /// Its wires are mended.
    Heal,
    /// Every sync takes [`SLOW_DISK_MS`] longer.
    SlowDisk,
    /// Its disk is as before.
    FastDisk,
    /// Everything about every node is mended.
    Repair,
}

impl Kind {
    const OF_A_NODE: [Self; 10] = [
        Self::Kill,
        Self::Pause,
        Self::Resume,
        Self::Restart,
        Self::Cut,
        Self::CutIn,
        Self::CutOut,
        Self::Heal,
        Self::SlowDisk,
        Self::FastDisk,
    ];

    /// For sentences: what is done to `node`.
    fn doing(self, node: u64) -> String {
        match self {
            Self::Kill => format!("Killing node {node}"),
            Self::Pause => format!("Pausing node {node}"),
            Self::Resume => format!("Letting node {node} go on"),
            Self::Restart => format!("Starting node {node} again"),
            Self::Cut => format!("Cutting node {node} off"),
            Self::CutIn => format!("Letting node {node} hear nobody"),
            Self::CutOut => format!("Letting nobody hear node {node}"),
            Self::Heal => format!("Mending the wires of node {node}"),
            Self::SlowDisk => format!("Slowing down the disk of node {node}"),
            Self::FastDisk => format!("Releasing the disk of node {node}"),
            Self::Repair => "Mending everything".to_owned(),
        }
    }

    /// Whether the node cannot take part afterwards.
    fn disables(self) -> bool {
        matches!(self, Self::Kill | Self::Pause | Self::Cut | Self::CutIn | Self::CutOut)
    }
}

/// One node, as far as faults go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Condition {
    pub(in super::super) node: u64,
    pub(in super::super) process: Process,
    /// Whether it hears nobody, and whether nobody hears it.
    pub(in super::super) cut: (bool, bool),
    pub(in super::super) disk_delay_ms: u64,
}

impl Condition {
    fn takes_part(&self) -> bool {
        matches!(self.process, Process::Running) && self.cut == (false, false)
    }

    /// Whether something can be done to it as it is.
    fn admits(&self, kind: Kind) -> bool {
        let is_cut = self.cut != (false, false);
        match (kind, self.process) {
            (Kind::Restart, Process::Running | Process::Killed) => true,
            (Kind::Kill, process) => process != Process::Killed,
            (Kind::Resume, process) => process == Process::Paused,
            (Kind::Pause, process) => process == Process::Running,
            (Kind::Cut | Kind::CutIn | Kind::CutOut, process) => {
                !is_cut && process == Process::Running
            }
            (Kind::Heal, _) => is_cut,
            (Kind::SlowDisk, process) => self.disk_delay_ms == 0 && process == Process::Running,
            (Kind::FastDisk, _) => self.disk_delay_ms > 0,
            (Kind::Restart, _) | (Kind::Repair, _) => false,
        }
    }
}

/// What kind of consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum Effect {
    /// Another node takes the lead.
    LeaderChange,
    /// The others go on.
    GoesOn,
    /// Too few are left: nothing is accepted.
    Stops,
    /// There are enough again.
    Begins,
    /// A node comes back.
    Returns,
    /// Writes take as long as the slowest disk that is needed.
    Slower,
}

/// A consequence, said before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in super::super) struct Forecast {
    pub(in super::super) effect: Effect,
    /// In words.
    pub(in super::super) text: String,
    /// Whether nothing can be accepted afterwards.
    pub(in super::super) stops_cluster: bool,
    /// Nodes that take part afterwards, of how many, and how many are needed.
    pub(in super::super) left: usize,
    pub(in super::super) all: usize,
    pub(in super::super) quorum: usize,
    /// Whether the node leads now.
    pub(in super::super) leads: bool,
}

/// How all nodes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Situation {
    pub(in super::super) leader: Option<u64>,
    pub(in super::super) term: u64,
    pub(in super::super) nodes: Vec<Condition>,
}

impl Situation {
    /// How many nodes are needed.
    pub(in super::super) fn quorum(&self) -> usize {
        self.nodes.len() / 2 + 1
    }

    /// What can be done to a node, and what would come of each.
    pub(in super::super) fn forecasts(&self, node: u64) -> Vec<(Kind, Forecast)> {
        let known = Kind::OF_A_NODE.into_iter();
        known.filter_map(|kind| Some((kind, self.forecast(kind, node)?))).collect()
    }

    /// What would come of it; none when it cannot be done as things are.
    pub(in super::super) fn forecast(&self, kind: Kind, node: u64) -> Option<Forecast> {
        let target = *self.nodes.iter().find(|known| known.node == node)?;
        if !target.admits(kind) {
            return None;
        }
        let others = self.nodes.iter().filter(|known| known.node != node);
        let others = others.filter(|known| known.takes_part()).count();
        let before = others + usize::from(target.takes_part());
        let is_mended = match kind {
            Kind::Resume => target.cut == (false, false),
            Kind::Heal => target.process == Process::Running,
            Kind::Restart => target.cut == (false, false),
            _ => !kind.disables() && target.takes_part(),
        };
        // Who is stopped for a restart is away for a moment.
        let is_away = kind.disables() || (kind == Kind::Restart && target.takes_part());
        let left = others + usize::from(is_mended);
        let (all, quorum) = (self.nodes.len(), self.quorum());
        let leads = self.leader == Some(node);
        let low = if is_away { others } else { left };
        let effect = if low < quorum && before >= quorum {
            Effect::Stops
        } else if is_away && leads && low >= quorum {
            Effect::LeaderChange
        } else if left >= quorum && before < quorum {
            Effect::Begins
        } else {
            match kind {
                Kind::Resume | Kind::Restart | Kind::Heal | Kind::FastDisk => Effect::Returns,
                Kind::SlowDisk => Effect::Slower,
                _ => Effect::GoesOn,
            }
        };
        let stops_cluster = left < quorum;
        let text = words(kind, effect, node, (left, all, quorum), leads);
        Some(Forecast { effect, text, stops_cluster, left, all, quorum, leads })
    }

    /// What mending everything would do.
    pub(in super::super) fn repair(&self) -> Forecast {
        let all = self.nodes.len();
        let before = self.nodes.iter().filter(|node| node.takes_part()).count();
        let quorum = self.quorum();
        let effect = if before < quorum { Effect::Begins } else { Effect::Returns };
        let text = "Every node comes back, hears the others, and catches up.".to_owned();
        Forecast { effect, text, stops_cluster: false, left: all, all, quorum, leads: false }
    }
}

fn words(
    kind: Kind,
    effect: Effect,
    node: u64,
    (left, all, quorum): (usize, usize, usize),
    leads: bool,
) -> String {
    let doing = kind.doing(node);
    let role = if leads { "leads" } else { "does not lead" };
    match effect {
        Effect::LeaderChange => format!(
            "Node {node} leads. {doing}: the others choose a new leader in about 0.3 s; no ballot \
             is lost."
        ),
        Effect::GoesOn => format!(
            "Node {node} {role}. {doing}: {left} of {all} nodes go on without a pause; no ballot \
             is lost."
        ),
        Effect::Stops if left >= quorum => format!(
            "{doing}: for a moment fewer than {quorum} of {all} nodes are there. Nothing is \
             accepted until it is back; nothing is lost."
        ),
        Effect::Stops => format!(
            "{doing} leaves {left} of {all} nodes, and {quorum} are needed: nothing is accepted \
             until one comes back. Nothing is lost."
        ),
        Effect::Begins => format!(
            "{doing}: {left} of {all} nodes are enough again. A leader is chosen, and ballots are \
             accepted."
        ),
        Effect::Returns => format!("{doing}: it catches up with the others within seconds."),
        Effect::Slower => format!(
            "{doing}: each of its writes takes {SLOW_DISK_MS} ms longer. A ballot is safe once \
             {quorum} of {all} nodes hold it, so the fast disks decide."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well(node: u64) -> Condition {
        Condition { node, process: Process::Running, cut: (false, false), disk_delay_ms: 0 }
    }

    fn three(change: impl FnOnce(&mut Vec<Condition>)) -> Situation {
        let mut nodes = vec![well(1), well(2), well(3)];
        change(&mut nodes);
        Situation { leader: Some(2), term: 5, nodes }
    }

    fn effect(situation: &Situation, kind: Kind, node: u64) -> Option<(Effect, bool)> {
        situation.forecast(kind, node).map(|it| (it.effect, it.stops_cluster))
    }

    #[test]
    fn the_leaders_fall_is_a_change_and_a_followers_is_none() {
        let all = three(|_| ());
        for kind in [Kind::Kill, Kind::Pause, Kind::Cut, Kind::CutIn, Kind::CutOut] {
            assert_eq!(effect(&all, kind, 2), Some((Effect::LeaderChange, false)), "{kind:?}");
            assert_eq!(effect(&all, kind, 1), Some((Effect::GoesOn, false)), "{kind:?}");
        }
        assert_eq!(effect(&all, Kind::Restart, 2), Some((Effect::LeaderChange, false)));
        assert_eq!(effect(&all, Kind::SlowDisk, 3), Some((Effect::Slower, false)));
        let said = all.forecast(Kind::Kill, 2).expect("it runs").text;
        assert!(said.starts_with("Node 2 leads. Killing node 2: the others choose"), "{said}");
    }

    #[test]
    fn who_would_stop_the_cluster_is_told_before() {
        let two = three(|nodes| nodes[2].process = Process::Killed);
        assert_eq!(effect(&two, Kind::Kill, 1), Some((Effect::Stops, true)));
        assert_eq!(effect(&two, Kind::Cut, 2), Some((Effect::Stops, true)));
        // It comes back by itself.
        assert_eq!(effect(&two, Kind::Restart, 1), Some((Effect::Stops, false)));
        let said = two.forecast(Kind::Kill, 1).expect("it runs").text;
        assert!(said.contains("leaves 1 of 3 nodes, and 2 are needed"), "{said}");
        let one = three(|nodes| {
            nodes[2].process = Process::Killed;
            nodes[1].process = Process::Paused;
        });
        assert_eq!(effect(&one, Kind::Resume, 2), Some((Effect::Begins, false)));
        assert_eq!(effect(&one, Kind::Restart, 3), Some((Effect::Begins, false)));
        assert_eq!(one.repair().effect, Effect::Begins);
    }

    #[test]
    fn only_what_makes_sense_is_offered() {
        let ill = three(|nodes| {
            nodes[0].process = Process::Killed;
            nodes[1].cut = (true, false);
            nodes[2].disk_delay_ms = SLOW_DISK_MS;
        });
        let kinds = |node| {
            let offered = ill.forecasts(node).into_iter().map(|(kind, _)| kind);
            offered.collect::<Vec<_>>()
        };
        assert_eq!(kinds(1), [Kind::Restart]);
        assert_eq!(kinds(2), [Kind::Kill, Kind::Pause, Kind::Restart, Kind::Heal, Kind::SlowDisk]);
        assert!(kinds(3).contains(&Kind::FastDisk) && !kinds(3).contains(&Kind::SlowDisk));
        assert_eq!(kinds(9), []);
    }
}
