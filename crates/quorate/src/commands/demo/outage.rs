//! The accident in the middle of the vote: the leader is killed while ballots are under way, the
//! vote goes on without it, and it comes back before the close. Where more is asked for, one node
//! after another is killed until the vote ends.

use super::Failure;
use super::casting::Cast;
use super::cluster::Cluster;
use super::gap::{Probe, longest_gap};
use super::report::say_over;
use crate::exit;
use crate::http::{ApiClient, Content, ElectionView, Reply};
use base::Prng;
use election::ElectionId;
use indicatif::ProgressBar;
use reqwest::Method;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Ballots that are cast without the node, if the election has that many.
const WITHOUT_NODE: usize = 100;
/// Ballots that may become ordered between the decision to kill and the kill.
const LATE: usize = 12;
/// Acknowledged puts of the probe before the kill.
const PUTS_BEFORE: usize = 20;
/// Acknowledged puts of the probe after the kill, before it ends.
const PUTS_AFTER: usize = 200;
/// The probe ends after this time in any case.
const PROBE_TIME: Duration = Duration::from_secs(20);
/// How long the first puts may take.
const WARM_UP: Duration = Duration::from_secs(5);
/// How long the node may take to catch up.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(60);
/// Longest time that a node stays away in a series of kills.
const AWAY_MS_MAX: u64 = 1_500;
/// Between two looks.
const POLL: Duration = Duration::from_millis(100);

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    /// Number of the killed node.
    pub(super) node: u64,
    /// When it was killed.
    pub(super) killed_at: Instant,
    /// When it was started again.
    pub(super) restarted_at: Instant,
    /// Longest time without an acknowledged put around the kill.
    pub(super) put_gap: Option<Duration>,
}

impl Outage {
    /// Ballots ordered while the node was away.
    pub(super) fn ordered_without_node(&self, cast: &Cast) -> usize {
        let away = self.killed_at..self.restarted_at;
        cast.ordered.iter().filter(|at| away.contains(at)).count()
    }

    /// Ballots ordered after the kill.
    pub(super) fn ordered_after_kill(&self, cast: &Cast) -> usize {
        cast.ordered.iter().filter(|at| **at > self.killed_at).count()
    }

    /// Longest time without a ballot becoming ordered around the kill.
    pub(super) fn ballot_gap(&self, cast: &Cast) -> Option<Duration> {
        longest_gap(&cast.ordered, self.killed_at)
    }
}

/// How often nodes were killed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kills {
    /// In all.
    pub(super) all: usize,
    /// Of them, the leader of that moment.
    pub(super) leaders: usize,
}

/// Who is killed, and how often, while how many ballots are cast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) election: ElectionId,
    pub(super) ballots: usize,
    pub(super) kills: usize,
    /// Chooses the nodes after the first one, and how long they stay away.
    pub(super) seed: u64,
}

/// The first accident, measured, and then as many kills as `plan` wants, evenly over the vote.
pub(super) async fn run(
    cluster: &Cluster,
    plan: Plan,
    mut casting: watch::Receiver<Cast>,
    bar: &ProgressBar,
) -> Result<(Outage, Kills), Failure> {
    let outage = first(cluster, plan, &mut casting, bar).await?;
    let mut kills = Kills { all: 1, leaders: 1 };
    let mut random = Prng::named(plan.seed, "kills");
    let begun = casting.borrow().ordered.len();
    while kills.all < plan.kills {
        let left = plan.ballots.saturating_sub(begun);
        let due = begun + left * kills.all / plan.kills;
        wait(&mut casting, |cast| cast.is_done || cast.ordered.len() >= due).await?;
        if casting.borrow().is_done {
            break;
        }
        let leader = cluster.leader().await?;
        let others = cluster.len() as u64 - 1;
        let place = match random.chance(1, 2) {
            true => leader,
            false => (leader + 1 + random.below(others) as usize) % cluster.len(),
        };
        cluster.kill(place).await?;
        tokio::time::sleep(Duration::from_millis(random.below(AWAY_MS_MAX))).await;
        cluster.restart(place).await?;
        wait_caught_up(cluster, place, plan.election).await?;
        kills.all += 1;
        kills.leaders += usize::from(place == leader);
        if kills.all.is_multiple_of(10) {
            let ordered = casting.borrow().ordered.len();
            say_over(bar, &format!("{} kills, {ordered} ballots", kills.all));
        }
    }
    Ok((outage, kills))
}

/// Kills the leader when about a third of the ballots is cast (sooner if more kills are to come),
/// and starts it again when enough have been cast without it.
async fn first(
    cluster: &Cluster,
    plan: Plan,
    casting: &mut watch::Receiver<Cast>,
    bar: &ProgressBar,
) -> Result<Outage, Failure> {
    let Plan { election, ballots, kills, .. } = plan;
    let is_only = kills < 2;
    let share = if is_only { ballots / 3 } else { ballots / (kills + 1) };
    let kill_at = share.min(ballots.saturating_sub(WITHOUT_NODE + LATE)).max(1);
    wait(casting, |cast| cast.ordered.len() >= kill_at / 2).await?;
    let probe = Probe::new(&cluster.client_addresses())
        .map_err(|error| Failure::new(exit::FAILED, error))?;
    let outage = async {
        let warm = probe.wait_for(PUTS_BEFORE, Instant::now());
        let _ = tokio::time::timeout(WARM_UP, warm).await;
        let leader = cluster.leader().await?;
        wait(casting, |cast| cast.ordered.len() >= kill_at).await?;
        let before = casting.borrow().ordered.len();
        let killed_at = cluster.kill(leader).await?;
        let node = cluster.id(leader);
        let line = format!("node {node}, the leader, is killed after {before} ballots (SIGKILL)");
        say_over(bar, &line);
        let enough = probe.wait_for(PUTS_AFTER, killed_at);
        let _ = tokio::time::timeout(PROBE_TIME, enough).await;
        Ok::<_, Failure>((leader, killed_at))
    };
    let (leader, killed_at) = tokio::select! {
        outage = outage => outage?,
        never = probe.run() => match never {},
    };
    let put_gap = probe.longest_gap(killed_at);
    let away = |cast: &Cast| cast.ordered.iter().filter(|at| **at > killed_at).count();
    let enough = if is_only { WITHOUT_NODE.max(ballots / 3) } else { WITHOUT_NODE };
    wait(casting, |cast| cast.is_done || away(cast) >= enough).await?;
    let restarted_at = Instant::now();
    cluster.restart(leader).await?;
    wait_caught_up(cluster, leader, election).await?;
    let node = cluster.id(leader);
    let seconds = restarted_at.elapsed().as_secs_f64();
    let missed = away(&casting.borrow());
    let line =
        format!("node {node} is back and has caught up in {seconds:.1} s ({missed} ballots)");
    say_over(bar, &line);
    Ok(Outage { node, killed_at, restarted_at, put_gap })
}

async fn wait(
    casting: &mut watch::Receiver<Cast>,
    ready: impl FnMut(&Cast) -> bool,
) -> Result<(), Failure> {
    let ended = |_| Failure::new(exit::FAILED, "the casting has ended before its time");
    casting.wait_for(ready).await.map(drop).map_err(ended)
}

/// Waits until the node holds as many final leaves as the others held when it came back.
async fn wait_caught_up(
    cluster: &Cluster,
    place: usize,
    election: ElectionId,
) -> Result<(), Failure> {
    let urls = cluster.web_urls();
    let mut goal = 0;
    for (_, url) in urls.iter().enumerate().filter(|(other, _)| *other != place) {
        goal = goal.max(final_size(url, election).await.unwrap_or(0));
    }
    let started = Instant::now();
    while started.elapsed() < CATCH_UP_PATIENCE {
        if final_size(&urls[place], election).await.is_some_and(|size| size >= goal) {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    let node = cluster.id(place);
    Err(Failure::new(exit::FAILED, format!("node {node} has not caught up to {goal} final leaves")))
}

/// Final leaves that the node at `url` knows of.
async fn final_size(url: &str, election: ElectionId) -> Option<u64> {
    let api = ApiClient::new(&[url.to_owned()], None).ok()?;
    let path = format!("/api/v1/elections/{election}");
    match api.ask_once(0, Method::GET, &path, &Content::None).await {
        Reply::Done { body, .. } => {
            serde_json::from_slice(&body).ok().map(|view: ElectionView| view.final_size)
        }
        Reply::Refused(_) | Reply::NotNow(_) => None,
    }
}
