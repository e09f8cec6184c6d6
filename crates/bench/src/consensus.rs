//! The consensus core alone: three members in one thread whose messages and writes take no time.

use std::collections::VecDeque;
use std::time::Duration;

use base::Machine;
use bytes::Bytes;
use raft::{Config, Effect, Input, MemberId, Payload, Raft, Recovered, RoleName};

use crate::clock::per_cpu_second;
use crate::failure::Failure;
use crate::figures::Figure;
use crate::load::{KEY_BYTES, VALUE_BYTES};

/// CPU time of one figure.
const BUDGET: Duration = Duration::from_millis(500);

/// Commands in one proposal.
const BATCHES: [usize; 2] = [1, 64];

/// Applied entries that members keep for slow ones; none is slow here.
const CACHE_BYTES: u64 = 4 << 20;

/// Proposals between two looks at the clock.
const ROUNDS: u64 = 64;

/// Steps and committed entries a CPU second.
pub(crate) fn measure() -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for batch in BATCHES {
        let mut group = Group::new()?;
        let commands = vec![Bytes::from(vec![7; KEY_BYTES + VALUE_BYTES]); batch];
        let committed_before = group.committed;
        let steps_before = group.steps;
        let steps = per_cpu_second(BUDGET, || {
            let before = group.steps;
            (0..ROUNDS).for_each(|_| group.propose(&commands));
            group.steps - before
        });
        let entries = (group.committed - committed_before) as f64;
        let seconds = (group.steps - steps_before) as f64 / steps;
        println!(
            "  {batch} a proposal: {steps:.0} steps, {:.0} entries a CPU s",
            entries / seconds
        );
        let name = |what: &str| format!("raft.{batch}_a_proposal.{what}");
        figures.push(Figure::new(name("steps"), steps, "steps/CPU s"));
        figures.push(Figure::new(name("entries"), entries / seconds, "entries/CPU s, 3 members"));
    }
    Ok(figures)
}

/// Three members and what is under way between them.
struct Group {
    members: Vec<Raft>,
    inputs: VecDeque<(usize, Input)>,
    leader: usize,
    steps: u64,
    /// Commands that the leader applied.
    committed: u64,
}

impl Group {
    /// A group whose member 0 leads.
    fn new() -> Result<Self, Failure> {
        let ids = || (1..=3).map(MemberId::new);
        let members = ids()
            .map(|id| {
                let config =
                    Config { cache_bytes: CACHE_BYTES, ..Config::new(id, ids().collect(), 1) };
                Raft::new(config, Recovered::default())
            })
            .collect::<Result<_, _>>()
            .map_err(Failure::because("the group cannot start"))?;
        let mut group =
            Self { members, inputs: VecDeque::new(), leader: 0, steps: 0, committed: 0 };
        // Only member 0 has a clock, so nobody else campaigns.
        for _ in 0..100 {
            group.inputs.push_back((group.leader, Input::Ticked { jitter: 0 }));
            group.settle();
            if group.members[group.leader].status().role == RoleName::Leader {
                return Ok(group);
            }
        }
        Err(Failure::new("the group found no leader"))
    }

    /// Has the commands committed and applied by the leader.
    fn propose(&mut self, commands: &[Bytes]) {
        self.inputs.push_back((self.leader, Input::Proposed { payloads: commands.to_vec() }));
        self.settle();
    }

    /// Steps members until nothing is under way.
    fn settle(&mut self) {
        while let Some((member, input)) = self.inputs.pop_front() {
            self.steps += 1;
            for effect in self.members[member].step(input) {
                self.carry_out(member, effect);
            }
        }
    }

    fn carry_out(&mut self, member: usize, effect: Effect) {
        match effect {
            Effect::Send { to, message } => {
                let from = MemberId::new(member as u64 + 1);
                let to = to.get() as usize - 1;
                self.inputs.push_back((to, Input::Received { from, message }));
            }
            Effect::Persist(persist) => {
                self.inputs.push_back((member, Input::Persisted { ticket: persist.ticket }));
            }
            Effect::Apply { entries } => {
                let Some(last) = entries.last() else { return };
                let through = last.id.index;
                if member == self.leader {
                    let commands = entries.iter().filter(|e| matches!(e.payload, Payload::Data(_)));
                    self.committed += commands.count() as u64;
                }
                self.inputs.push_back((member, Input::Applied { through }));
            }
            Effect::Load { .. } => {
                self.inputs.push_back((member, Input::Loaded { entries: Vec::new() }));
            }
            Effect::ReadReady { .. }
            | Effect::ReadAborted { .. }
            | Effect::ProposalRefused { .. }
            | Effect::RoleChanged { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_proposed_is_committed() {
        let mut group = Group::new().unwrap();
        let commands = vec![Bytes::from_static(b"x"); 64];
        for round in 1..=200 {
            group.propose(&commands);
            assert_eq!(group.committed, 64 * round);
        }
    }
}
