//! The consensus core alone, beside raft-rs: three members in one thread whose messages and writes
//! take no time. Both are given the same commands in the same batches, in turns; what counts is
//! commands that all three members have applied, a CPU second.

use std::collections::VecDeque;
use std::time::Duration;

use base::Machine;
use bytes::Bytes;
use raft::{Config, Effect, Input, MemberId, Payload, Raft, Recovered, RoleName};

use crate::clock::per_cpu_second;
use crate::failure::Failure;
use crate::figures::Figure;
use crate::load::{KEY_BYTES, VALUE_BYTES};
use crate::stats::median;

/// CPU time of one turn.
const BUDGET: Duration = Duration::from_millis(400);

/// Turns of each; the median counts.
const TURNS: usize = 5;

/// Commands in one proposal.
const BATCHES: [usize; 2] = [1, 64];

/// Applied entries that members keep for slow ones; none is slow here.
const CACHE_BYTES: u64 = 4 << 20;

/// Applied entries that the peer's storage keeps; it is cut after so many more.
const PEER_KEEPS_ENTRIES: u64 = 10_000;

/// Bytes of one append, and unanswered appends to one member, on both sides.
const APPEND_BYTES_MAX: u64 = 1 << 20;
const INFLIGHT_MESSAGES_MAX: usize = 256;

/// Proposals between two looks at the clock.
const ROUNDS: u64 = 64;

/// Steps, and commands applied by three members, a CPU second.
pub(crate) fn measure() -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for batch in BATCHES {
        let (mut ours, mut theirs, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        let (mut group, mut peer) = (Group::new()?, peer::Group::new()?);
        let command = vec![7; KEY_BYTES + VALUE_BYTES];
        let commands = vec![Bytes::from(command.clone()); batch];
        for _ in 0..TURNS {
            let steps_before = group.steps;
            let rate = per_cpu_second(BUDGET, || {
                let before = group.applied;
                (0..ROUNDS).for_each(|_| group.propose(&commands));
                group.applied - before
            });
            let seconds = BUDGET.as_secs_f64();
            steps.push((group.steps - steps_before) as f64 / seconds);
            ours.push(rate);
            theirs.push(per_cpu_second(BUDGET, || {
                let before = peer.applied;
                (0..ROUNDS).for_each(|_| peer.propose(&command, batch));
                peer.applied - before
            }));
        }
        let pairs = ours.iter().zip(&theirs).map(|(our, their)| our / their);
        let times = median(pairs).unwrap_or_default();
        let [ours, theirs, steps] = [ours, theirs, steps].map(|all| median(all).unwrap_or(0.0));
        println!(
            "  {batch} a proposal: {steps:.0} steps, {ours:.0} entries a CPU s; \
             raft-rs {theirs:.0} entries; {times:.2} times"
        );
        let name = |what: &str| format!("raft.{batch}_a_proposal.{what}");
        figures.push(Figure::new(name("steps"), steps, "steps/CPU s"));
        let entries = Figure::new(name("entries"), ours, "entries/CPU s, 3 members");
        figures.push(entries.with_peer("raft-rs 0.7", Some(theirs)));
    }
    Ok(figures)
}

/// Three members and what is under way between them.
struct Group {
    members: Vec<Raft>,
    inputs: VecDeque<(usize, Input)>,
    leader: usize,
    steps: u64,
    /// Commands that the leader applied; when nothing is under way, all have.
    applied: u64,
}

impl Group {
    /// A group whose member 0 leads.
    fn new() -> Result<Self, Failure> {
        let ids = || (1..=3).map(MemberId::new);
        let members = ids()
            .map(|id| {
                let config = Config {
                    cache_bytes: CACHE_BYTES,
                    append_bytes_max: APPEND_BYTES_MAX,
                    inflight_messages_max: INFLIGHT_MESSAGES_MAX,
                    ..Config::new(id, 1)
                };
                Raft::new(config, Recovered::founding(ids().collect()))
            })
            .collect::<Result<_, _>>()
            .map_err(Failure::because("the group cannot start"))?;
        let mut group = Self { members, inputs: VecDeque::new(), leader: 0, steps: 0, applied: 0 };
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

    /// Has the commands committed and applied by everybody.
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
                    self.applied += commands.count() as u64;
                }
                self.inputs.push_back((member, Input::Applied { through }));
            }
            Effect::Load { .. } => {
                self.inputs.push_back((member, Input::Loaded { entries: Vec::new() }));
            }
            _ => {}
        }
    }
}

/// The same by raft-rs, as its documentation tells one to use it (`Ready`, `LightReady`), with its
/// own storage in memory.
mod peer {
    use super::{APPEND_BYTES_MAX, INFLIGHT_MESSAGES_MAX, PEER_KEEPS_ENTRIES};
    use crate::failure::Failure;
    use raft_rs::eraftpb::{Entry, Message, MessageType};
    use raft_rs::storage::MemStorage;
    use raft_rs::{Config, RawNode, StateRole, Storage};
    use std::collections::VecDeque;

    pub(super) struct Group {
        members: Vec<RawNode<MemStorage>>,
        messages: VecDeque<Message>,
        pub(super) applied: u64,
    }

    impl Group {
        pub(super) fn new() -> Result<Self, Failure> {
            let voters = vec![1, 2, 3];
            let logger = slog::Logger::root(slog::Discard, slog::o!());
            let member = |id: &u64| {
                let config = Config {
                    id: *id,
                    election_tick: 10,
                    heartbeat_tick: 1,
                    max_size_per_msg: APPEND_BYTES_MAX,
                    max_inflight_msgs: INFLIGHT_MESSAGES_MAX,
                    check_quorum: true,
                    pre_vote: true,
                    ..Config::default()
                };
                let state = (voters.clone(), Vec::new());
                RawNode::new(&config, MemStorage::new_with_conf_state(state), &logger)
            };
            let members = voters.iter().map(member).collect::<Result<Vec<_>, _>>();
            let members = members.map_err(Failure::because("the peer's group cannot start"))?;
            let mut group = Self { members, messages: VecDeque::new(), applied: 0 };
            let campaign = group.members[0].campaign();
            campaign.map_err(Failure::because("the peer's member cannot campaign"))?;
            group.settle();
            match group.members[0].raft.state {
                StateRole::Leader => Ok(group),
                _ => Err(Failure::new("the peer's group found no leader")),
            }
        }

        /// Has `batch` copies of the command committed and applied by everybody.
        pub(super) fn propose(&mut self, command: &[u8], batch: usize) {
            let entry = Entry { data: command.to_vec().into(), ..Entry::default() };
            let mut message = Message { from: 1, to: 1, ..Message::default() };
            message.set_msg_type(MessageType::MsgPropose);
            message.set_entries(vec![entry; batch].into());
            // Never refused: it leads, and nothing is uncommitted.
            let _ = self.members[0].step(message);
            self.settle();
        }

        fn settle(&mut self) {
            loop {
                for member in 0..self.members.len() {
                    while self.members[member].has_ready() {
                        self.on_ready(member);
                    }
                }
                if self.messages.is_empty() {
                    return;
                }
                for _ in 0..self.messages.len() {
                    let Some(message) = self.messages.pop_front() else { break };
                    let to = message.to as usize - 1;
                    // What a member refuses is a message that it does not need.
                    let _ = self.members[to].step(message);
                }
            }
        }

        fn on_ready(&mut self, member: usize) {
            let node = &mut self.members[member];
            let mut ready = node.ready();
            self.messages.extend(ready.take_messages());
            let mut applied = ready.take_committed_entries();
            let entries = ready.take_entries();
            if !entries.is_empty() {
                node.mut_store().wl().append(&entries).expect("entries follow each other");
            }
            if let Some(state) = ready.hs() {
                node.mut_store().wl().set_hardstate(state.clone());
            }
            self.messages.extend(ready.take_persisted_messages());
            let mut light = node.advance(ready);
            if let Some(commit) = light.commit_index() {
                node.mut_store().wl().mut_hard_state().commit = commit;
            }
            self.messages.extend(light.take_messages());
            applied.extend(light.take_committed_entries());
            node.advance_apply();
            self.on_applied(member, &applied);
        }

        fn on_applied(&mut self, member: usize, entries: &[Entry]) {
            if member == 0 {
                self.applied +=
                    entries.iter().filter(|entry| !entry.data.is_empty()).count() as u64;
            }
            let Some(last) = entries.last().map(|entry| entry.index) else { return };
            let store = self.members[member].mut_store();
            let first = store.first_index().unwrap_or(last);
            if last - first > 2 * PEER_KEEPS_ENTRIES {
                store.wl().compact(last - PEER_KEEPS_ENTRIES).expect("what is applied is there");
            }
        }

        /// The last index of each member's log.
        #[cfg(test)]
        pub(super) fn ends(&self) -> Vec<u64> {
            let end = |node: &RawNode<MemStorage>| node.store().last_index().unwrap_or_default();
            self.members.iter().map(end).collect()
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
            assert_eq!(group.applied, 64 * round);
        }
        let ends: Vec<_> = group.members.iter().map(|member| member.status().applied).collect();
        assert!(ends.iter().all(|end| end.get() == 64 * 200 + 1), "{ends:?}");
    }

    #[test]
    fn the_peer_does_the_same_work() {
        let mut group = peer::Group::new().unwrap();
        for round in 1..=200 {
            group.propose(b"x", 64);
            assert_eq!(group.applied, 64 * round);
        }
        let ends = group.ends();
        assert!(ends.iter().all(|end| *end >= 64 * 200 + 1), "{ends:?}");
    }
}
