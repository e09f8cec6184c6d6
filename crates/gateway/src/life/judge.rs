//! How the nodes are, judged from when each was last heard and what it said of itself.
//!
//! Age is measured by the judging node's own clock from the moment a beat arrived, so a wrong
//! clock elsewhere changes nothing. Every state comes with its reasons in words, and the whole
//! cluster with one sentence; both are made here and shown as they are.

use super::beat::Beat;
use crate::sentence::Sentence;
use serde::Serialize;
use std::collections::BTreeMap;

/// Between two beats of a node, in milliseconds.
pub(crate) const BEAT_MS: u64 = 2_000;

/// Older than this a beat makes its node slow: two were missed.
const SLOW_MS: u64 = 2 * BEAT_MS + 1_000;

/// Older than this its node is unreachable: five were missed.
pub(crate) const UNREACHABLE_MS: u64 = 5 * BEAT_MS;

/// A write under way for longer makes a node slow.
const STALL_MS: u64 = 1_000;

/// Longer without a word to the leader makes a node slow: dozens of heartbeats were missed.
const SILENT_MS: u64 = 1_500;

/// Entries behind the commit index that make a node slow.
const LAG_ENTRIES: u64 = 5_000;

/// Free space on disk, in percent, below which a node is slow.
const DISK_FREE_PERCENT: u64 = 5;

/// What a node is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Healthy,
    Slow,
    Unreachable,
    /// It takes leave: no new work, what is under way is finished.
    Draining,
    /// It was stopped on purpose.
    Stopped,
}

/// One node as others see it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sighting {
    /// Its last beat, and how long ago that arrived here, in milliseconds.
    pub(crate) beat: Option<(Beat, u64)>,
    /// How long ago it said that it stops, if it said so after its last beat.
    pub(crate) stopped_ms: Option<u64>,
    /// Where its peers reach it, from the membership.
    pub(crate) address: Option<String>,
    /// Whether it votes in consensus.
    pub(crate) votes: bool,
    /// As the leader knows: entries that it does not hold yet, and milliseconds since it spoke.
    pub(crate) behind: Option<(u64, u64)>,
    /// How far its clock is ahead of this node's, in milliseconds; less by what a beat takes to
    /// come here.
    pub(crate) clock_ahead_ms: Option<i64>,
}

/// One node, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct NodeView {
    pub(crate) node: u64,
    pub(crate) state: State,
    /// Why it is not healthy.
    pub(crate) reasons: Vec<Sentence>,
    /// Age of what is known of it, in milliseconds.
    pub(crate) age_ms: Option<u64>,
    pub(crate) is_leader: bool,
    pub(crate) votes: bool,
    pub(crate) peer_address: Option<String>,
    /// As the leader knows: entries that it does not hold yet.
    pub(crate) lag: Option<u64>,
    /// As the leader knows: milliseconds since it spoke.
    pub(crate) silent_ms: Option<u64>,
    /// See [`Sighting::clock_ahead_ms`].
    pub(crate) clock_ahead_ms: Option<i64>,
    /// What it said last.
    pub(crate) last: Option<Beat>,
}

/// All nodes, and the verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ClusterView {
    /// One sentence for people.
    pub(crate) verdict: String,
    /// `healthy`, `degraded` or `down`: may ballots be cast?
    pub(crate) level: &'static str,
    /// The node that judged.
    pub(crate) seen_by: u64,
    /// When, in milliseconds since 1970 UTC by its clock.
    pub(crate) time_ms: u64,
    pub(crate) leader: Option<u64>,
    pub(crate) term: u64,
    pub(crate) nodes: Vec<NodeView>,
}

impl ClusterView {
    /// What a person wants to hear of at once: who leads, and how each node is.
    pub(crate) fn gist(&self) -> (Option<u64>, u64, &'static str, Vec<(u64, State)>) {
        let states = self.nodes.iter().map(|node| (node.node, node.state)).collect();
        (self.leader, self.term, self.level, states)
    }
}

/// Judges one node.
pub(crate) fn judge(node: u64, sighting: &Sighting, leader: Option<u64>) -> NodeView {
    let mut reasons = Vec::new();
    let state = state_of(sighting, &mut reasons);
    NodeView {
        node,
        state,
        reasons,
        age_ms: sighting.beat.as_ref().map(|(_, age)| *age),
        is_leader: leader == Some(node) && state != State::Stopped,
        votes: sighting.votes,
        peer_address: sighting.address.clone(),
        lag: sighting.behind.map(|(lag, _)| lag),
        silent_ms: sighting.behind.map(|(_, silent_ms)| silent_ms),
        clock_ahead_ms: sighting.clock_ahead_ms,
        last: sighting.beat.as_ref().map(|(beat, _)| beat.clone()),
    }
}

fn state_of(sighting: &Sighting, reasons: &mut Vec<Sentence>) -> State {
    let mut note = |code, text: String, values: &[(&'static str, u64)]| {
        let sentence = Sentence::new(code, text);
        reasons.push(values.iter().fold(sentence, |said, (name, value)| said.with(name, *value)));
    };
    if let Some(ago) = sighting.stopped_ms {
        let text = format!("It was stopped {} ago.", duration(ago));
        note("stopped", text, &[("ago_ms", ago)]);
        return State::Stopped;
    }
    let Some((beat, age)) = &sighting.beat else {
        note("never-heard", "It has not been heard since this node started.".to_owned(), &[]);
        return State::Unreachable;
    };
    if *age > UNREACHABLE_MS {
        let text = format!("Nothing was heard of it for {}.", duration(*age));
        note("not-heard", text, &[("age_ms", *age)]);
        return State::Unreachable;
    }
    if beat.draining {
        note("draining", "It takes leave and takes no new work.".to_owned(), &[]);
        return State::Draining;
    }
    if *age > SLOW_MS {
        let text = format!("Its last sign of life is {} old.", duration(*age));
        note("late", text, &[("age_ms", *age)]);
    }
    if let Some((_, silent_ms)) = sighting.behind
        && silent_ms > SILENT_MS
    {
        let text = format!("The leader has not heard it for {}.", duration(silent_ms));
        note("silent", text, &[("age_ms", silent_ms)]);
    }
    let stall_ms = beat.disk_stalled_ms;
    if stall_ms > STALL_MS {
        let text = format!("A write to its disk has been under way for {}.", duration(stall_ms));
        note("disk-stalled", text, &[("age_ms", stall_ms)]);
    }
    let lag = beat.commit.saturating_sub(beat.applied);
    if lag > LAG_ENTRIES {
        note("behind", format!("It has yet to apply {lag} committed entries."), &[("lag", lag)]);
    }
    if let Some(restriction) = &beat.restriction {
        let text = format!("It does not vote: {restriction}.");
        reasons.push(Sentence::new("restricted", text).with("reason", restriction.as_str()));
    }
    if let Some(percent) = beat.disk_free_percent()
        && percent < DISK_FREE_PERCENT
    {
        let text = format!("Only {percent} % of its disk is free.");
        reasons.push(Sentence::new("disk-full", text).with("percent", percent));
    }
    if reasons.is_empty() { State::Healthy } else { State::Slow }
}

/// Judges the cluster.
pub(crate) fn cluster(
    seen_by: u64,
    time_ms: u64,
    (leader, term): (Option<u64>, u64),
    sightings: &BTreeMap<u64, Sighting>,
) -> ClusterView {
    let nodes: Vec<NodeView> =
        sightings.iter().map(|(node, sighting)| judge(*node, sighting, leader)).collect();
    let (level, verdict) = verdict(&nodes, leader, term);
    ClusterView { verdict, level, seen_by, time_ms, leader, term, nodes }
}

fn verdict(nodes: &[NodeView], leader: Option<u64>, term: u64) -> (&'static str, String) {
    let voters: Vec<&NodeView> = nodes.iter().filter(|node| node.votes).collect();
    let is_up = |node: &&&NodeView| !matches!(node.state, State::Unreachable | State::Stopped);
    let up = voters.iter().filter(is_up).count();
    let (total, quorum) = (voters.len(), voters.len() / 2 + 1);
    let troubles: Vec<String> = nodes.iter().filter_map(trouble).collect();
    let Some(leader) = leader else {
        let text = format!(
            "No node leads: nothing can be written and no ballot is taken. {up} of {total} nodes \
             are up, {quorum} are needed.{}",
            listed(&troubles)
        );
        return ("down", text);
    };
    if troubles.is_empty() {
        let nodes = if total == 1 {
            "The one node is".to_owned()
        } else {
            format!("All {total} nodes are")
        };
        return ("healthy", format!("{nodes} healthy; node {leader} leads (term {term})."));
    }
    let spare = match up.saturating_sub(quorum) {
        0 => "No further node may fail.".to_owned(),
        1 => "One more node may fail.".to_owned(),
        more => format!("{more} more nodes may fail."),
    };
    let healthy = voters.iter().filter(|node| node.state == State::Healthy).count();
    let text = format!(
        "{healthy} of {total} nodes are healthy; node {leader} leads (term {term}). {spare}{}",
        listed(&troubles)
    );
    ("degraded", text)
}

fn trouble(node: &NodeView) -> Option<String> {
    let what = match node.state {
        State::Healthy => return None,
        State::Slow => "is slow",
        State::Unreachable => "is unreachable",
        State::Draining => "takes leave",
        State::Stopped => "is stopped",
    };
    let since = match (node.state, node.age_ms) {
        (State::Unreachable, Some(age)) => format!(" ({})", duration(age)),
        _ => String::new(),
    };
    Some(format!("node {} {what}{since}", node.node))
}

fn listed(troubles: &[String]) -> String {
    let mut text = troubles.join(", ");
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
        text.insert(0, ' ');
        text.push('.');
    }
    text
}

/// `340 ms`, `12 s`, `2 min 14 s`, `3 h 5 min`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// What has changed from one view to the next, as sentences for the event log.
pub(crate) fn changes(before: &ClusterView, after: &ClusterView) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut note = |kind, node, what: Sentence, why: &[Sentence]| {
        let what = std::iter::once(what.with("node", node));
        let sentences = what.chain(why.iter().cloned()).collect();
        changes.push(Change { kind, node: Some(node), sentences });
    };
    for node in &after.nodes {
        let number = node.node;
        let Some(old) = before.nodes.iter().find(|old| old.node == number) else {
            let text = format!("Node {number} belongs to the cluster now.");
            note("member", number, Sentence::new("member-joined", text), &[]);
            continue;
        };
        if old.state != node.state {
            let (kind, what) = turned(number, node.state);
            note(kind, number, what, &node.reasons);
        }
        let started = |view: &NodeView| view.last.as_ref().map(|beat| beat.started_ms);
        if let (Some(old), Some(new)) = (started(old), started(node))
            && old != new
        {
            let text = format!("Node {number} has started again.");
            note("started", number, Sentence::new("node-started", text), &[]);
        }
    }
    for old in &before.nodes {
        if !after.nodes.iter().any(|node| node.node == old.node) {
            let text = format!("Node {} does not belong to the cluster any more.", old.node);
            note("member", old.node, Sentence::new("member-left", text), &[]);
        }
    }
    if let Some(leader) = after.leader
        && (before.leader, before.term) != (after.leader, after.term)
    {
        let text = format!("Node {leader} leads (term {}).", after.term);
        let what = Sentence::new("node-leads", text).with("term", after.term);
        note("leader", leader, what, &[]);
    }
    changes
}

/// The kind of event, and the sentence, of a node that is in another state now.
fn turned(node: u64, state: State) -> (&'static str, Sentence) {
    let is = |state: &str| format!("Node {node} is {state}.");
    match state {
        State::Healthy => ("healthy", Sentence::new("node-healthy", is("healthy"))),
        State::Slow => ("slow", Sentence::new("node-slow", is("slow"))),
        State::Unreachable => ("unreachable", Sentence::new("node-unreachable", is("unreachable"))),
        State::Draining => ("draining", Sentence::new("node-draining", is("draining"))),
        State::Stopped => ("stopped", Sentence::new("node-stopped", is("stopped"))),
    }
}

/// One line of the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// What kind of event.
    pub(crate) kind: &'static str,
    pub(crate) node: Option<u64>,
    /// What has happened, then why.
    pub(crate) sentences: Vec<Sentence>,
}

impl Change {
    /// All of it in English.
    pub(crate) fn text(&self) -> String {
        let texts: Vec<&str> = self.sentences.iter().map(|one| one.text.as_str()).collect();
        texts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat() -> Beat {
        Beat { started_ms: 1, disk_free_bytes: 50, disk_total_bytes: 100, ..Beat::default() }
    }

    fn sighting(beat: Beat, age_ms: u64) -> Sighting {
        Sighting { beat: Some((beat, age_ms)), votes: true, ..Sighting::default() }
    }

    fn three(third: Sighting) -> BTreeMap<u64, Sighting> {
        BTreeMap::from([(1, sighting(beat(), 100)), (2, sighting(beat(), 900)), (3, third)])
    }

    fn view(third: Sighting, leader: Option<u64>) -> ClusterView {
        cluster(1, 0, (leader, 5), &three(third))
    }

    fn said(view: &NodeView) -> String {
        view.reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_state_has_its_reason_in_words() {
        let check = |sighting: Sighting, state, reason: &str| {
            let view = judge(3, &sighting, None);
            assert_eq!((view.state, said(&view).as_str()), (state, reason));
        };
        check(sighting(beat(), 4_000), State::Healthy, "");
        check(sighting(beat(), 6_000), State::Slow, "Its last sign of life is 6 s old.");
        let gone = "Nothing was heard of it for 2 min 14 s.";
        check(sighting(beat(), 134_000), State::Unreachable, gone);
        let never = "It has not been heard since this node started.";
        check(Sighting::default(), State::Unreachable, never);
        let stopped = Sighting { stopped_ms: Some(3_900_000), ..sighting(beat(), 99_999) };
        check(stopped, State::Stopped, "It was stopped 1 h 5 min ago.");
        let leaving = Beat { draining: true, ..beat() };
        check(sighting(leaving, 0), State::Draining, "It takes leave and takes no new work.");
        let stalled = Beat { disk_stalled_ms: 3_000, ..beat() };
        let reason = "A write to its disk has been under way for 3 s.";
        check(sighting(stalled, 0), State::Slow, reason);
        let full = Beat { disk_free_bytes: 4, ..beat() };
        check(sighting(full, 0), State::Slow, "Only 4 % of its disk is free.");
        let behind = Beat { commit: 9_000, applied: 10, ..beat() };
        check(sighting(behind, 0), State::Slow, "It has yet to apply 8990 committed entries.");
    }

    #[test]
    fn who_does_not_answer_the_leader_is_slow_before_its_beats_are_missed() {
        let silent = Sighting { behind: Some((7, 2_300)), ..sighting(beat(), 500) };
        let view = judge(3, &silent, Some(2));
        assert_eq!((view.state, view.lag, view.silent_ms), (State::Slow, Some(7), Some(2_300)));
        assert_eq!(said(&view), "The leader has not heard it for 2 s.");
        assert_eq!(
            (&*view.reasons[0].code, &view.reasons[0].values["age_ms"]),
            ("silent", &2_300.into())
        );
        let well = Sighting { behind: Some((7, 40)), ..sighting(beat(), 500) };
        assert_eq!(judge(3, &well, Some(2)).state, State::Healthy);
    }

    #[test]
    fn the_verdict_is_one_sentence_with_what_it_means() {
        let all = view(sighting(beat(), 0), Some(2));
        assert_eq!(all.verdict, "All 3 nodes are healthy; node 2 leads (term 5).");
        assert_eq!(all.level, "healthy");
        let one_away = view(sighting(beat(), 134_000), Some(2));
        assert_eq!(
            one_away.verdict,
            "2 of 3 nodes are healthy; node 2 leads (term 5). No further node may fail. Node 3 is \
             unreachable (2 min 14 s)."
        );
        let headless = view(Sighting { votes: true, ..Sighting::default() }, None);
        assert_eq!(headless.level, "down");
        assert!(headless.verdict.starts_with("No node leads"), "{}", headless.verdict);
    }

    #[test]
    fn changes_are_told_once() {
        let well = view(sighting(beat(), 0), Some(2));
        let away = view(sighting(beat(), 134_000), Some(1));
        let kinds: Vec<_> = changes(&well, &away).iter().map(|change| change.kind).collect();
        assert_eq!(kinds, ["unreachable", "leader"]);
        assert_eq!(changes(&away, &away), []);
        let again = view(sighting(Beat { started_ms: 2, ..beat() }, 0), Some(1));
        let kinds: Vec<_> = changes(&away, &again).iter().map(|change| change.kind).collect();
        assert_eq!(kinds, ["healthy", "started"]);
    }

    #[test]
    fn a_change_says_what_and_why_in_words_and_in_codes() {
        let well = view(sighting(beat(), 0), Some(2));
        let check = |after: &ClusterView, codes: &[&str], text: &str| {
            let found = changes(&well, after);
            let change = found.last().expect("something has changed");
            let said: Vec<&str> = change.sentences.iter().map(|one| &*one.code).collect();
            assert_eq!((said.as_slice(), change.text().as_str()), (codes, text));
            assert_eq!(change.sentences[0].values["node"], serde_json::json!(change.node));
        };
        let slow = view(sighting(beat(), 6_000), Some(2));
        let text = "Node 3 is slow. Its last sign of life is 6 s old.";
        check(&slow, &["node-slow", "late"], text);
        let led = view(sighting(beat(), 0), Some(1));
        check(&led, &["node-leads"], "Node 1 leads (term 5).");
        let started = view(sighting(Beat { started_ms: 2, ..beat() }, 0), Some(2));
        check(&started, &["node-started"], "Node 3 has started again.");
        let left = ClusterView { nodes: well.nodes[..2].to_vec(), ..well.clone() };
        check(&left, &["member-left"], "Node 3 does not belong to the cluster any more.");
        let joined = changes(&left, &well);
        assert_eq!(joined[0].sentences[0].code, "member-joined");
    }
}
