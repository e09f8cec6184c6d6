//! Another leader, other members: what an administrator does, in the middle of everything else.
//!
//! One place of four is free. A new node with a new id is taken in there, for one of the others or
//! beside them; when it votes, the other one goes, and its place is free. While that is under way,
//! the leader or the newcomer is killed half of the time.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Strike, Supervisor};
use crate::cluster::TOKEN;
use crate::failure::Failure;
use crate::faults::Kind;
use crate::http;
use crate::tally::Struck;

/// One wish may take so long; the node itself gives up after 7 s.
const WISH_MAX: Duration = Duration::from_secs(10);

/// A change must be done within this time, whatever is killed meanwhile.
const CHANGE_MAX: Duration = Duration::from_secs(60);

const VIEW_MAX: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Ids of nodes end here.
const IDS_MAX: u64 = 255;

impl Supervisor {
    /// Asks any node to hand leadership over; whether another leads then.
    pub(super) async fn transfer(&mut self, strike: &Strike) -> Result<bool, Failure> {
        let Some(before) = self.cluster.leader().await else { return Ok(false) };
        let others: Vec<u64> =
            self.cluster.members.iter().filter(|it| *it.0 != before).map(|it| *it.1).collect();
        let to = self.random.pick(&others).copied().filter(|_| self.random_bool());
        let said = self.wish("/cluster/transfer", &json!({ "to": to })).await;
        sleep(strike.lasts).await;
        let after = self.leader_in_time().await;
        self.note(format!("transfer from {before} to {to:?}: {said:?}, {after:?} leads"));
        Ok(after.is_some_and(|after| after != before))
    }

    fn random_bool(&mut self) -> bool {
        self.random.chance(1, 2)
    }

    /// A new node for one of the others.
    pub(super) async fn replace(&mut self, strike: &Strike) -> Result<bool, Failure> {
        let mut candidates = self.cluster.places();
        // Its bits turn; another disk must not get that too.
        candidates.retain(|place| *place != self.rotten);
        let aimed = strike.victims.iter().copied().find(|place| candidates.contains(place));
        let chosen = self.random.pick(&candidates).copied();
        let (Some(old), Some(place)) = (aimed.or(chosen), self.cluster.free_place()) else {
            return Ok(false);
        };
        let Some(cluster) = self.cluster_id().await else { return Ok(false) };
        let member = self.cluster.highest + 1;
        if member > IDS_MAX {
            return Ok(false);
        }
        let beside = self.random_bool();
        let gone = self.cluster.members.get(&old).copied().unwrap_or(0);
        let plan = if beside { json!("promote") } else { json!({ "replace": gone }) };
        let address = self.cluster.node(place).own().peer.to_string();
        let step = json!({ "add-learner": { "id": member, "address": address, "plan": plan } });
        // The id is used up, whatever comes of it.
        self.cluster.highest = member;
        self.note(format!("member {member} at {place} comes for {gone} at {old}, beside {beside}"));
        let mut wanted: BTreeSet<u64> = self.cluster.members.values().copied().collect();
        self.change_until(&[step], |view| knows(view, member)).await?;
        self.start_newcomer(place, member, cluster)?;
        self.strike_in_the_middle(place).await?;
        wanted.insert(member);
        if beside {
            self.change_until(&[], |view| votes(view) == wanted).await?;
            let step = json!({ "remove": { "id": gone } });
            wanted.remove(&gone);
            self.change_until(&[step], |view| votes(view) == wanted).await?;
        } else {
            wanted.remove(&gone);
            self.change_until(&[], |view| votes(view) == wanted).await?;
        }
        self.cluster.members.remove(&old);
        self.cluster.members.insert(place, member);
        self.cluster.node(old).signal(Signal::KILL);
        self.cluster.node(old).gone().await?;
        self.revive(place).await?;
        Ok(true)
    }

    fn start_newcomer(
        &mut self,
        place: usize,
        member: u64,
        cluster: String,
    ) -> Result<(), Failure> {
        if let Some(disk) = self.cluster.disks.get(place - 1) {
            disk.replace();
        }
        let known = self.cluster.places();
        let known = known.into_iter().map(|place| {
            let node = self.cluster.node(place);
            (node.member(), node.own().peer)
        });
        let known = known.collect();
        self.cluster.node(place).become_newcomer(member, cluster, known);
        self.cluster.node(place).start()
    }

    /// Half of the time the leader or the newcomer is killed while the change is under way.
    async fn strike_in_the_middle(&mut self, place: usize) -> Result<(), Failure> {
        sleep(Duration::from_millis(self.random.between(0, 600))).await;
        if !self.kinds.contains(&Kind::Kill) || self.random_bool() {
            return Ok(());
        }
        let leader = self.cluster.leader().await;
        let victim = if self.random_bool() { leader.unwrap_or(place) } else { place };
        let struck = Struck { leader: leader == Some(victim), all: false };
        let (victims, lasts) = (vec![victim], Duration::from_millis(100));
        let strike = Strike { kind: Kind::Kill, victims, struck, lasts };
        let effective = self.crash(&strike).await?;
        self.note(format!("kill of {victim} in the middle, effect {effective}"));
        self.tally.count(Kind::Kill, struck, effective);
        Ok(())
    }

    /// Asks for a change again and again until the leader's view is as wanted; without steps it
    /// only waits.
    async fn change_until(
        &mut self,
        steps: &[Value],
        is_done: impl Fn(&Value) -> bool,
    ) -> Result<(), Failure> {
        let until = Instant::now() + CHANGE_MAX;
        let mut said = None;
        loop {
            let view = self.view().await;
            if view.as_ref().is_some_and(|view| view["joint"] == false && is_done(view)) {
                return Ok(());
            }
            if Instant::now() > until {
                let text =
                    format!("{steps:?} is not done after {CHANGE_MAX:?}: {said:?}, {view:?}");
                return Err(Failure::new(text));
            }
            if !steps.is_empty() {
                said = self.wish("/cluster/change", &json!({ "steps": steps })).await.or(said);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Tells a wish to some node; what it said.
    async fn wish(&mut self, path: &str, body: &Value) -> Option<String> {
        let place = *self.random.pick(&self.cluster.places())?;
        let admin = self.cluster.node(place).own().admin;
        let answer = http::post(admin, path, TOKEN, &body.to_string(), WISH_MAX).await?;
        Some(format!("{} {}", answer.code, answer.body.trim()))
    }

    /// What whoever leads sees.
    async fn view(&mut self) -> Option<Value> {
        let mut best: Option<Value> = None;
        // A newcomer may lead before it is counted among the members here.
        let all: Vec<SocketAddr> = self.cluster.nodes.iter().map(|node| node.own().admin).collect();
        for admin in all {
            let answer = http::get(admin, "/cluster", VIEW_MAX).await;
            let view = answer.and_then(|answer| serde_json::from_str(body(&answer.body)).ok());
            let Some(view): Option<Value> = view else { continue };
            let term = |view: &Value| view["term"].as_u64();
            if best.as_ref().is_none_or(|best| term(best) <= term(&view))
                && view["role"] == "leader"
            {
                best = Some(view);
            }
        }
        best
    }

    async fn cluster_id(&mut self) -> Option<String> {
        let until = Instant::now() + VIEW_MAX;
        loop {
            if let Some(view) = self.view().await {
                return view["cluster"].as_str().map(str::to_owned);
            }
            if Instant::now() > until {
                return None;
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// The JSON object in a body, which may come in chunks.
fn body(text: &str) -> &str {
    let from = text.find('{').unwrap_or(0);
    let to = text.rfind('}').map_or(text.len(), |at| at + 1);
    text.get(from..to).unwrap_or_default()
}

fn members(view: &Value) -> impl Iterator<Item = &Value> {
    view["members"].as_array().into_iter().flatten()
}

fn knows(view: &Value, member: u64) -> bool {
    members(view).any(|it| it["id"] == member)
}

fn votes(view: &Value) -> BTreeSet<u64> {
    let voters = members(view).filter(|member| member["voter"] == true);
    voters.filter_map(|member| member["id"].as_u64()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_tells_who_votes() {
        let text = r#"5\r\n{"joint": false, "members":
            [{"id": 1, "voter": true}, {"id": 4, "voter": false}]}\r\n0"#;
        let view = serde_json::from_str(body(text)).unwrap();
        assert!(knows(&view, 4) && !knows(&view, 2));
        assert_eq!(votes(&view), BTreeSet::from([1]));
    }
}
