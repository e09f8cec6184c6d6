//! What was done and what it did, counted; the floors of a full run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::checker::{Kind as Finding, Verdict};
use crate::faults::Kind;
use crate::history::{Answer, Call, Evidence, LeaseOutcome, Outcome};

/// From this length on a run must reach the floors.
const FULL_RUN: Duration = Duration::from_secs(600);

/// Floors of a full run: effective faults, those on the leader, those on all nodes at once, and
/// acknowledged operations.
const FAULTS_MIN: u64 = 300;
const ON_LEADER_MIN: u64 = 100;
const ON_ALL_MIN: u64 = 20;
const ACKNOWLEDGED_MIN: u64 = 100_000;

/// Faults of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Row {
    tried: u64,
    effective: u64,
    on_leader: u64,
    on_all: u64,
}

/// Whom a fault struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Struck {
    pub(crate) leader: bool,
    pub(crate) all: bool,
}

/// All that is counted while faults are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    rows: BTreeMap<Kind, Row>,
    /// Power cuts that took something, and how many sectors and names they took.
    pub(crate) lossy_cuts: u64,
    pub(crate) sectors_lost: u64,
    pub(crate) restarts: u64,
    /// What nodes did that they must not do.
    pub(crate) findings: Vec<String>,
}

impl Tally {
    /// Counts a fault; without effect it was only tried. The leader's row holds faults aimed at
    /// it, not those that struck all.
    pub(crate) fn count(&mut self, kind: Kind, struck: Struck, is_effective: bool) {
        let row = self.rows.entry(kind).or_default();
        row.tried += 1;
        if is_effective {
            row.effective += 1;
            row.on_leader += u64::from(struck.leader && !struck.all);
            row.on_all += u64::from(struck.all);
        }
    }

    fn sum(&self) -> Row {
        self.rows.values().fold(Row::default(), |sum, row| Row {
            tried: sum.tried + row.tried,
            effective: sum.effective + row.effective,
            on_leader: sum.on_leader + row.on_leader,
            on_all: sum.on_all + row.on_all,
        })
    }

    /// Effective faults so far.
    pub(crate) fn effective(&self) -> u64 {
        self.sum().effective
    }

    /// Which floors a run of this length has missed.
    pub(crate) fn missed(&self, length: Duration, figures: &Figures) -> Vec<String> {
        if length < FULL_RUN {
            return Vec::new();
        }
        let sum = self.sum();
        let floors = [
            ("effective faults", sum.effective, FAULTS_MIN),
            ("faults on the leader", sum.on_leader, ON_LEADER_MIN),
            ("faults on all nodes at once", sum.on_all, ON_ALL_MIN),
            ("acknowledged operations", figures.acknowledged, ACKNOWLEDGED_MIN),
        ];
        let missed = floors.into_iter().filter(|(_, is, floor)| is < floor);
        missed.map(|(what, is, floor)| format!("{is} {what}, at least {floor} wanted")).collect()
    }

    /// The table at the end.
    pub(crate) fn table(&self, length: Duration, figures: &Figures, verdict: &Verdict) -> String {
        let mut text = String::new();
        let head = ("fault", "effective", "of tried", "on leader", "all at once");
        // Writing to a string succeeds.
        let mut line = |name: &str, cells: [&str; 4]| {
            let [a, b, c, d] = cells;
            let _ok = writeln!(text, "{name:<14}{a:>10}{b:>10}{c:>11}{d:>13}");
        };
        line(head.0, [head.1, head.2, head.3, head.4]);
        let sum = self.sum();
        let rows = self.rows.iter().map(|(kind, row)| (kind.to_string(), row));
        for (name, row) in rows.chain([("all".to_owned(), &sum)]) {
            let cells = [row.effective, row.tried, row.on_leader, row.on_all];
            line(&name, cells.map(|cell| cell.to_string()).each_ref().map(String::as_str));
        }
        let per_hour = sum.effective as f64 * 3600.0 / length.as_secs_f64().max(1.0);
        let lines = [
            ("faults per hour", format!("{per_hour:.0}")),
            ("starts after a crash", self.restarts.to_string()),
            (
                "power cuts that lost unsynced data",
                format!("{} ({} sectors and names)", self.lossy_cuts, self.sectors_lost),
            ),
            ("acknowledged operations", figures.acknowledged.to_string()),
            ("  of these writes", figures.writes.to_string()),
            ("  of these reads", figures.reads.to_string()),
            ("refused", figures.refused.to_string()),
            ("unknown outcomes", figures.unknown.to_string()),
            ("revisions", figures.revisions.to_string()),
            ("longest unavailability", format!("{:.2?}", figures.longest_silence)),
            ("leases", format!("{} ({} renewals)", figures.leases, figures.renewals)),
            ("streams of watches", format!("{} ({} events)", figures.streams, figures.watched)),
            (
                "compactions",
                format!("{} ({} reads of the past)", figures.compactions, figures.past_reads),
            ),
            ("losses", verdict.count(Finding::LostWrite).to_string()),
            ("stale reads", verdict.bad_reads().to_string()),
            ("wrong watches", verdict.bad_watches().to_string()),
            ("wrong leases", verdict.bad_leases().to_string()),
            ("wrong compactions", verdict.bad_compactions().to_string()),
        ];
        for (name, value) in lines {
            let _ok = writeln!(text, "{name:<36}{value:>22}");
        }
        text
    }
}

/// Figures of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) acknowledged: u64,
    pub(crate) writes: u64,
    pub(crate) reads: u64,
    pub(crate) refused: u64,
    pub(crate) unknown: u64,
    pub(crate) revisions: i64,
    pub(crate) longest_silence: Duration,
    /// Leases that were granted, and further answered calls about them.
    pub(crate) leases: u64,
    pub(crate) renewals: u64,
    /// Streams of watches, and the events that came through them.
    pub(crate) streams: u64,
    pub(crate) watched: u64,
    /// Acknowledged compactions, and answered or refused reads of the past.
    pub(crate) compactions: u64,
    pub(crate) past_reads: u64,
}

impl Figures {
    pub(crate) fn of(evidence: &Evidence, revisions: i64) -> Self {
        let mut figures = Self { revisions, ..Self::default() };
        let mut returns = Vec::new();
        figures.count_leases_and_watches(evidence);
        for operation in &evidence.operations {
            match (&operation.outcome, &operation.call) {
                (Outcome::Refused, _) => figures.refused += 1,
                (Outcome::Unknown, _) => figures.unknown += 1,
                (Outcome::Answered { returned_ns, answer }, call) => {
                    figures.acknowledged += 1;
                    returns.push(*returned_ns);
                    let wrote = matches!(answer, Answer::Written { .. });
                    figures.writes += u64::from(wrote);
                    figures.reads += u64::from(matches!(call, Call::Read { .. }));
                }
            }
        }
        returns.sort_unstable();
        let gaps = returns.windows(2).map(|two| two[1] - two[0]);
        figures.longest_silence = Duration::from_nanos(gaps.max().unwrap_or(0));
        figures
    }

    fn count_leases_and_watches(&mut self, evidence: &Evidence) {
        let done = evidence.compactions.iter().filter(|it| it.returned_ns.is_some());
        (self.compactions, self.past_reads) =
            (done.count() as u64, evidence.past_reads.len() as u64);
        for lease in &evidence.leases {
            let done = |outcome: &LeaseOutcome| matches!(outcome, LeaseOutcome::Done { .. });
            let calls = lease.acts.iter().filter(|act| done(&act.outcome)).count() as u64;
            self.leases += u64::from(calls > 0);
            self.renewals += calls.saturating_sub(1);
        }
        for stream in evidence.watchers.iter().flat_map(|watcher| &watcher.streams) {
            self.streams += 1;
            self.watched += stream.messages.iter().map(|m| m.events.len() as u64).sum::<u64>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_effective_faults_count_towards_the_floors() {
        let mut tally = Tally::default();
        let (leader, all) =
            (Struck { leader: true, all: false }, Struck { leader: true, all: true });
        for number in 0..400 {
            tally.count(Kind::Kill, leader, number % 4 > 0);
        }
        (0..20).for_each(|_| tally.count(Kind::PowerCut, all, true));
        let figures = Figures { acknowledged: 100_000, ..Figures::default() };
        assert_eq!(tally.effective(), 320);
        assert_eq!(tally.missed(FULL_RUN, &figures), [] as [String; 0]);
        let few = Figures { acknowledged: 99_999, ..Figures::default() };
        let missed = tally.missed(FULL_RUN, &few);
        assert_eq!(missed, ["99999 acknowledged operations, at least 100000 wanted"]);
        assert_eq!(tally.missed(FULL_RUN / 2, &few), [] as [String; 0]);
        let table = tally.table(FULL_RUN, &figures, &Verdict::default());
        let words = |start: &str| {
            let line = table.lines().find(|line| line.starts_with(start)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(words("kill"), ["kill", "300", "400", "300", "0"]);
        assert_eq!(words("all"), ["all", "320", "420", "300", "20"]);
        assert_eq!(words("faults per"), ["faults", "per", "hour", "1920"]);
    }

    #[test]
    fn the_longest_silence_lies_between_two_answers() {
        let operation = |returned_ns| crate::history::Operation {
            client: 0,
            node: 1,
            called_ns: 0,
            call: Call::Read { first: 0, end: 1 },
            outcome: Outcome::Answered {
                returned_ns,
                answer: Answer::Read { revision: 1, found: Vec::new() },
            },
        };
        let operations = vec![operation(10), operation(400), operation(30)];
        let figures = Figures::of(&Evidence { operations, ..Evidence::default() }, 1);
        assert_eq!(figures.longest_silence, Duration::from_nanos(370));
        assert_eq!((figures.acknowledged, figures.reads, figures.writes), (3, 3, 0));
    }
}
