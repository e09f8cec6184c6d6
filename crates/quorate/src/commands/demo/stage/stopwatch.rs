//! Measures what comes of a fault: when another node led, how long nothing was written, what was
//! lost.

use super::super::gap::Probe;
use super::fault::{Effect, Kind};
use super::{Stage, now_ms};
use crate::commands::Failure;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Acknowledged puts before anything is done, so that a pause can be seen.
const PUTS_BEFORE: usize = 10;
/// How long they may take: the cluster may be without a leader.
const WARM_UP: Duration = Duration::from_millis(400);
/// Who asked for it hears that it is coming before it comes, even over the node that falls.
const NOTICE: Duration = Duration::from_millis(250);
/// Acknowledged puts after which the cluster goes on.
const PUTS_AFTER: usize = 20;
/// How long a leader is waited for.
const LEADER_PATIENCE: Duration = Duration::from_secs(30);
/// How long a cluster with too few nodes is looked at before it is said to stand still.
const STANDSTILL: Duration = Duration::from_millis(2_500);
/// Between two looks at who leads.
const LOOK: Duration = Duration::from_millis(10);
/// How long the promises may take to be looked at again.
const CHECK_PATIENCE: Duration = Duration::from_secs(20);
/// Rounds of the watchdog: the one under way began before, the next one counts.
const ROUNDS: u64 = 2;

/// What has come of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(in super::super) struct Outcome {
    /// Whether nothing more is to come.
    pub(in super::super) is_settled: bool,
    /// When it was done; milliseconds since 1970 UTC.
    done_ms: Option<u64>,
    /// Who leads afterwards.
    pub(in super::super) leader: Option<u64>,
    /// Milliseconds until that one led; none if the leader stayed.
    pub(in super::super) leader_after_ms: Option<u64>,
    /// Milliseconds until the node was ready again.
    pub(in super::super) ready_after_ms: Option<u64>,
    /// Longest time without an acknowledged write, in milliseconds.
    pub(in super::super) gap_ms: Option<u64>,
    /// Acknowledged writes and final ballots that are gone; none before that was looked at.
    pub(in super::super) lost: Option<u64>,
    /// Ballots and writes that were refused meanwhile, and offered again.
    pub(in super::super) retried: u64,
    /// The whole in words.
    pub(in super::super) text: String,
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `0.31 s`
fn seconds(ms: u64) -> String {
    format!("{:.2} s", ms as f64 / 1e3)
}

impl Outcome {
    fn in_words(&mut self, is_standstill: bool) {
        let mut parts = Vec::new();
        if is_standstill {
            parts.push("no leader: nothing is accepted".to_owned());
        }
        if let Some(after) = self.ready_after_ms {
            parts.push(format!("back after {}", seconds(after)));
        }
        match (self.leader, self.leader_after_ms) {
            (Some(leader), Some(after)) => {
                parts.push(format!("node {leader} leads after {}", seconds(after)));
            }
            (Some(leader), None) if !is_standstill => {
                parts.push(format!("node {leader} leads on"));
            }
            _ => {}
        }
        if let Some(gap) = self.gap_ms {
            parts.push(format!("{} without a write", seconds(gap)));
        }
        match self.lost {
            Some(lost) => parts.push(format!("{lost} lost")),
            None if self.is_settled => parts.push("what is lost could not be looked at".to_owned()),
            None => {}
        }
        parts.push(format!("{} refused and retried", self.retried));
        self.text = parts.join(", ");
    }
}

impl Stage {
    /// Does what was begun under `number`, and measures until it is settled.
    pub(super) async fn finish(&self, number: u64, kind: Kind, node: Option<u64>) {
        let refused = self.refused();
        let violations = self.0.watchdog.violations();
        let Ok(probe) = Probe::new(&self.0.cluster.client_addresses()) else { return };
        let measured = tokio::select! {
            measured = self.measure(number, (kind, node), &probe) => measured,
            never = probe.run() => match never {},
        };
        let (mut outcome, is_standstill) = match measured {
            Ok(measured) => measured,
            Err(failure) => {
                let text = failure.message;
                return self.note(number, Outcome { is_settled: true, text, ..Outcome::default() });
            }
        };
        outcome.retried = self.refused() - refused;
        outcome.in_words(is_standstill);
        self.note(number, outcome.clone());
        if !is_standstill && self.is_looked_at().await {
            outcome.lost = Some(self.0.watchdog.violations() - violations);
        }
        outcome.retried = self.refused() - refused;
        outcome.is_settled = true;
        outcome.in_words(is_standstill);
        self.note(number, outcome);
    }

    /// Does it, and measures what the store does; also says whether everything stands still.
    async fn measure(
        &self,
        number: u64,
        (kind, node): (Kind, Option<u64>),
        probe: &Probe,
    ) -> Result<(Outcome, bool), Failure> {
        let before = self.situation();
        let effect = self.effect_of(number);
        let must_change = matches!(effect, Effect::LeaderChange | Effect::Begins);
        let warm = probe.wait_for(PUTS_BEFORE, Instant::now());
        let warm = tokio::time::timeout(WARM_UP, warm);
        let _ = tokio::join!(warm, tokio::time::sleep(NOTICE));
        self.note(number, Outcome { done_ms: Some(now_ms()), ..Outcome::default() });
        // A node that is started again is away for as long as that takes: the others are watched
        // meanwhile.
        let meanwhile = async {
            if kind != Kind::Restart || effect != Effect::LeaderChange {
                return None;
            }
            let found = self.wait_for_leader(before.term, true, node, LEADER_PATIENCE).await?;
            Some((found, Instant::now()))
        };
        let (moment, early) = tokio::join!(self.execute(kind, node), meanwhile);
        let moment = moment?;
        let mut outcome = Outcome { done_ms: Some(now_ms()), ..Outcome::default() };
        let is_standstill = effect == Effect::Stops && self.is_short();
        let patience = if is_standstill { STANDSTILL } else { LEADER_PATIENCE };
        let found = match early {
            Some(early) => Some(early),
            None => self
                .wait_for_leader(before.term, must_change, node, patience)
                .await
                .map(|found| (found, Instant::now())),
        };
        if let Some(((leader, term), at)) = found {
            outcome.leader = Some(leader);
            if (before.leader, before.term) != (Some(leader), term) {
                outcome.leader_after_ms = Some(ms(at - moment));
            }
            self.note(number, outcome.clone());
        }
        if matches!(kind, Kind::Restart | Kind::Repair | Kind::Resume | Kind::Heal) {
            outcome.ready_after_ms = self.is_together().await.then(|| ms(moment.elapsed()));
        }
        if !is_standstill {
            let on = probe.wait_for(PUTS_AFTER, moment);
            let _ = tokio::time::timeout(LEADER_PATIENCE, on).await;
            outcome.gap_ms = probe.longest_gap(moment).map(ms);
        }
        Ok((outcome, is_standstill))
    }

    /// Waits until all nodes that can take part name the same leader.
    async fn is_together(&self) -> bool {
        let started = Instant::now();
        while started.elapsed() < LEADER_PATIENCE {
            if self.0.cluster.is_together().await {
                return true;
            }
            tokio::time::sleep(LOOK).await;
        }
        false
    }

    fn effect_of(&self, number: u64) -> Effect {
        let faults = self.faults();
        let record = faults.iter().find(|record| record.number == number);
        record.map_or(Effect::GoesOn, |record| record.effect)
    }

    /// Whether fewer nodes are there than are needed.
    fn is_short(&self) -> bool {
        let cluster = &self.0.cluster;
        let well = (0..cluster.len()).filter(|place| cluster.is_well(*place)).count();
        well < cluster.len() / 2 + 1
    }

    /// Waits for a leader; for one of a newer term that is not `harmed`, when it must change.
    async fn wait_for_leader(
        &self,
        term_before: u64,
        must_change: bool,
        harmed: Option<u64>,
        patience: Duration,
    ) -> Option<(u64, u64)> {
        let started = Instant::now();
        while started.elapsed() < patience {
            if let Some((place, term)) = self.0.cluster.leader_now().await {
                let leader = self.0.cluster.id(place);
                let is_new = term > term_before && (Some(leader) != harmed || !must_change);
                let is_able = self.0.cluster.is_well(place);
                if is_able && (is_new || !must_change) {
                    return Some((leader, term));
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        None
    }

    /// Waits until all promises have been looked at since now.
    async fn is_looked_at(&self) -> bool {
        let mut rounds = self.0.watchdog.rounds();
        let goal = *rounds.borrow_and_update() + ROUNDS;
        let looked = rounds.wait_for(|rounds| *rounds >= goal);
        matches!(tokio::time::timeout(CHECK_PATIENCE, looked).await, Ok(Ok(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_told_in_one_line() {
        let mut outcome = Outcome {
            leader: Some(3),
            leader_after_ms: Some(312),
            gap_ms: Some(340),
            lost: Some(0),
            retried: 14,
            ..Outcome::default()
        };
        outcome.in_words(false);
        let expected = "node 3 leads after 0.31 s, 0.34 s without a write, 0 lost, 14 refused and \
                        retried";
        assert_eq!(outcome.text, expected);
        let mut outcome = Outcome { leader: Some(1), is_settled: true, ..Outcome::default() };
        outcome.in_words(false);
        assert!(outcome.text.starts_with("node 1 leads on, what is lost could not"));
        let mut outcome = Outcome::default();
        outcome.in_words(true);
        assert_eq!(outcome.text, "no leader: nothing is accepted, 0 refused and retried");
    }
}
