//! Golden scripts: each is a conversation of a small group, its output the trace.
//!
//! ```text
//! members 3 [founding] [election=10..20] [append-bytes=…] [inflight=…] [inflight-bytes=…]
//!           [uncommitted-bytes=…] [cache-bytes=…] [apply-bytes=…]
//! tick 1 [n=10] [jitter=0]     tick all n=10     campaign 1
//! propose 1 a b                propose 1 n=3 bytes=100
//! read 2 7
//! deliver                      everything until nothing is under way
//! deliver 1->2 [n=1]           drop 1->2 [n=1]   duplicate 1->2   reorder 1->2   queued
//! cut 1->2 / cut 1             heal              (links that lose everything)
//! hold-disk 1 / free-disk 1    persist 1 [n=1]   hold-apply 1 / free-apply 1
//! spoil-disk 1                 nothing can be read back any more
//! crash 1                      restart 1 [applied=0]
//! change 1 add-voter=4 add-learner=5 promote-later=6 replace=2:7 promote=5 demote=1 remove=3
//! join 4                       a member with an empty disk that waits for the log
//! transfer 1 [to=2]            cut-log 1 through=5
//! snapshot [lost]              the oldest one on its way arrives or is lost
//! snapshot fresh               it arrives as its sender would make it now
//! admit 1                      (a founding member is known not to have lost anything)
//! damage 2 behind=3 [unknown]  (the member must be down)       refill 2 from=3
//! clock all ms=70              (needs members … lease=10: a tick of so many milliseconds)
//! inject 2->1 newer-term term=9                   status [1]      log 1       quiet COMMAND …
//! ```

use crate::cluster::Cluster;
use crate::show;
use bytes::Bytes;
use raft::{
    Body, ChangeStep, Config, Input, LeaderLease, LogIndex, MemberId, Membership, Message, Mutant,
    Plan, ReadId, RoleName, Term,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use testkit::{Command, Runner};

#[test]
fn golden_scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
    testkit::run_golden(folder, Script::default);
}

/// Each script of `regressions` shows one bug that other systems had (named by the class of the
/// reliability notes); with its defence taken away it must end otherwise.
const REGRESSIONS: [(&str, Mutant); 19] = [
    ("class_01_read_without_round", Mutant::ReadWithoutRound),
    ("class_02_read_round_reused", Mutant::ReadRoundReused),
    ("class_03_read_before_own_commit", Mutant::ReadBeforeOwnCommit),
    ("class_04_lease_margin", Mutant::LeaseWithoutMargin),
    ("class_05_old_term_by_counting", Mutant::CommitOldTermByCounting),
    ("class_07_vote_not_durable", Mutant::VoteNotPersisted),
    ("class_07_vote_forgotten", Mutant::VoteForgotten),
    ("class_24_change_before_own_commit", Mutant::SecondChangeAllowed),
    ("class_25_joint_needs_both", Mutant::SingleQuorumWhileJoint),
    ("class_25_in_force_from_append", Mutant::MembershipAtApply),
    ("class_26_learner_counted", Mutant::LearnerCounted),
    ("class_27_removed_member_returns", Mutant::RemovedMemberHeard),
    ("class_28_wiped_member_votes", Mutant::FoundingMemberHeard),
    ("class_30_truncates_late_append", Mutant::TruncateOnEveryAppend),
    ("class_30_late_acknowledgement", Mutant::StaleAppendReply),
    ("class_30_conflict_under_snapshot", Mutant::SnapshotKeepsConflict),
    ("class_30_prev_term_compared", Mutant::SkipPrevTermCheck),
    ("class_31_leader_without_quorum_leaves", Mutant::NoStepDown),
    ("class_31_pre_vote_while_led", Mutant::PreVoteDespiteLeader),
];

#[test]
fn regressions_come_back_without_their_defence() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/regressions");
    let count = std::fs::read_dir(folder).expect("the folder of the regressions").count();
    assert_eq!(count, REGRESSIONS.len(), "a regression has no seeded bug, or the other way round");
    let mut survivors = Vec::new();
    for (name, mutant) in REGRESSIONS {
        let path = format!("{folder}/{name}.txt");
        let play = |mutant| {
            let script = Script { mutant, ..Script::default() };
            // A member that stops on a broken invariant ends otherwise, too.
            catch_unwind(AssertUnwindSafe(|| testkit::check_golden(&path, script)))
        };
        assert!(matches!(play(None), Ok(Ok(()))), "{name} does not pass");
        if matches!(play(Some(mutant)), Ok(Ok(()))) {
            survivors.push((name, mutant));
        }
    }
    assert!(survivors.is_empty(), "without their defence pass: {survivors:?}");
}

#[derive(Default)]
struct Script {
    cluster: Cluster,
    mutant: Option<Mutant>,
}

type Done = Result<(), String>;

impl Runner for Script {
    fn run(&mut self, command: &Command) -> Result<String, String> {
        if command.name == "quiet" {
            let mut inner = command.clone();
            inner.name = inner.args.remove(0);
            self.run(&inner)?;
            return Ok(String::new());
        }
        let outcome = self.play(command);
        let trace = std::mem::take(&mut self.cluster.trace).join("\n");
        outcome.map(|()| trace)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

fn link(text: &str) -> Result<(MemberId, MemberId), String> {
    let (from, to) = text.split_once("->").ok_or(format!("`{text}` is not a link like 1->2"))?;
    Ok((number(from)?.into(), number(to)?.into()))
}

impl Script {
    fn play(&mut self, command: &Command) -> Done {
        match command.name.as_str() {
            "members" => self.members(command),
            "tick" => self.tick(command),
            "campaign" => self.campaign(command),
            "propose" => self.propose(command),
            "read" => {
                let read = ReadId::new(number(command.arg(1, "a read")?)?);
                self.cluster.step(member(command)?, Input::ReadRequested { read })
            }
            "deliver" => self.deliver(command),
            "drop" | "duplicate" | "reorder" | "inject" | "queued" => self.tamper(command),
            "cut" | "heal" => self.partition(command),
            "change" => self.change(command),
            "transfer" => {
                let to = command.named::<u64>("to")?.map(MemberId::new);
                self.cluster.step(member(command)?, Input::TransferRequested { to })
            }
            "join" | "snapshot" | "cut-log" | "damage" | "refill" => self.rebase(command),
            "admit" => self.cluster.step(member(command)?, Input::Admitted),
            "clock" => self.clock(command),
            "hold-disk" | "free-disk" | "spoil-disk" | "persist" | "hold-apply" | "free-apply" => {
                self.disk(command)
            }
            "crash" => self.cluster.crash(member(command)?),
            "restart" => self.cluster.restart(member(command)?, command.named("applied")?),
            "status" | "log" => self.look(command),
            other => Err(format!("unknown command `{other}`")),
        }
    }

    fn members(&mut self, command: &Command) -> Done {
        let count = number(command.arg(0, "a count")?)?;
        let mut sizes = Config::new(1.into(), 1);
        if let Some(range) = command.named::<String>("election")? {
            let (min, max) = range.split_once("..").ok_or("election=MIN..MAX")?;
            sizes.election_ticks_min = number(min)?;
            sizes.election_ticks_max = number(max)?;
        }
        let set = |field: &mut u64, key: &str| -> Done {
            *field = command.named(key)?.unwrap_or(*field);
            Ok(())
        };
        set(&mut sizes.append_bytes_max, "append-bytes")?;
        set(&mut sizes.inflight_bytes_max, "inflight-bytes")?;
        set(&mut sizes.uncommitted_bytes_max, "uncommitted-bytes")?;
        set(&mut sizes.cache_bytes, "cache-bytes")?;
        set(&mut sizes.apply_bytes_max, "apply-bytes")?;
        set(&mut sizes.promotion_lag_entries, "promotion-lag")?;
        set(&mut sizes.disk_patience_ticks, "disk-patience")?;
        if let Some(tick_ms) = command.named::<u64>("lease")? {
            let lease = LeaderLease { tick_ns: tick_ms * 1_000_000, drift_ppm_max: 10_000 };
            (sizes.leader_lease, sizes.waits_at_start) = (Some(lease), true);
        }
        if let Some(messages) = command.named("inflight")? {
            sizes.inflight_messages_max = messages;
        }
        sizes.mutant = self.mutant;
        let is_founding = command.args.get(1).is_some_and(|word| word == "founding");
        self.cluster = Cluster::new(count, sizes, is_founding);
        Ok(())
    }

    fn tick(&mut self, command: &Command) -> Done {
        let jitter = command.named("jitter")?.unwrap_or(0);
        let who = match command.arg(0, "a member or `all`")? {
            "all" => self.cluster.members.keys().copied().collect(),
            one => vec![MemberId::new(number(one)?)],
        };
        for _ in 0..command.named("n")?.unwrap_or(1) {
            for id in &who {
                if self.cluster.member(*id)?.raft.is_some() {
                    self.cluster.step(*id, Input::Ticked { jitter })?;
                }
            }
        }
        Ok(())
    }

    /// Ticks a member, with the shortest timeout, until it leaves its role.
    fn campaign(&mut self, command: &Command) -> Done {
        let id = member(command)?;
        for _ in 0..1000 {
            let role = self.cluster.status(id).ok_or("member is down")?.role;
            if role != RoleName::Follower {
                return Ok(());
            }
            self.cluster.step(id, Input::Ticked { jitter: 0 })?;
        }
        Err(format!("member {id} does not campaign"))
    }

    fn propose(&mut self, command: &Command) -> Done {
        let id = member(command)?;
        let mut payloads: Vec<Bytes> =
            command.args[1..].iter().map(|word| Bytes::from(word.clone())).collect();
        if let Some(bytes) = command.named("bytes")? {
            let count = command.named("n")?.unwrap_or(1);
            payloads = vec![Bytes::from(vec![b'x'; bytes]); count];
        }
        self.cluster.step(id, Input::Proposed { payloads })
    }

    fn deliver(&mut self, command: &Command) -> Done {
        if let Some(text) = command.args.first() {
            let (from, to) = link(text)?;
            for _ in 0..command.named("n")?.unwrap_or(usize::MAX) {
                if !self.cluster.deliver_one(from, to)? {
                    break;
                }
            }
            return Ok(());
        }
        for _ in 0..10_000 {
            let busy = self.cluster.links.iter().filter(|(_, queue)| !queue.is_empty());
            let links: Vec<_> = busy.map(|(link, _)| *link).collect();
            if links.is_empty() {
                return Ok(());
            }
            for (from, to) in links {
                self.cluster.deliver_one(from, to)?;
            }
        }
        Err("the group does not come to rest".into())
    }

    fn tamper(&mut self, command: &Command) -> Done {
        if command.name == "queued" {
            for ((from, to), queue) in &self.cluster.links {
                for message in queue {
                    let words = show::message(message);
                    self.cluster.trace.push(format!("{from} … {to}  {words}"));
                }
            }
            return Ok(());
        }
        let (from, to) = link(command.arg(0, "a link")?)?;
        let queue = self.cluster.links.entry((from, to)).or_default();
        match command.name.as_str() {
            "drop" => {
                let count = command.named("n")?.unwrap_or(usize::MAX).min(queue.len());
                for message in queue.drain(..count) {
                    let words = show::message(&message);
                    self.cluster.trace.push(format!("{from} ✗ {to}  {words}"));
                }
            }
            "duplicate" => queue.extend(queue.clone()),
            "reorder" => queue.make_contiguous().reverse(),
            _ => {
                let term = Term::new(command.named("term")?.unwrap_or(0));
                queue.push_back(Message { term, body: Body::NewerTerm });
            }
        }
        Ok(())
    }

    fn partition(&mut self, command: &Command) -> Done {
        let Some(text) = command.args.first() else {
            self.cluster.cut.clear();
            return Ok(());
        };
        let Ok(id) = number(text) else {
            self.cluster.cut.insert(link(text)?);
            return Ok(());
        };
        let id = MemberId::new(id);
        for other in self.cluster.members.keys() {
            self.cluster.cut.extend([(id, *other), (*other, id)]);
        }
        Ok(())
    }

    fn disk(&mut self, command: &Command) -> Done {
        let id = member(command)?;
        match command.name.as_str() {
            "hold-disk" => self.cluster.member(id)?.is_disk_held = true,
            "hold-apply" => self.cluster.member(id)?.is_apply_held = true,
            "spoil-disk" => self.cluster.member(id)?.is_unreadable = true,
            "free-disk" => {
                self.cluster.member(id)?.is_disk_held = false;
                return self.cluster.persist(id, usize::MAX);
            }
            "free-apply" => {
                self.cluster.member(id)?.is_apply_held = false;
                return self.cluster.apply(id);
            }
            _ => {
                let count = command.named("n")?.unwrap_or(usize::MAX);
                return self.cluster.persist(id, count);
            }
        }
        Ok(())
    }

    fn change(&mut self, command: &Command) -> Done {
        let mut steps = Vec::new();
        let words = command.named.iter();
        for (key, value) in words.flat_map(|(key, list)| list.split(',').map(move |v| (key, v))) {
            let context = Bytes::new();
            let learner = |id: u64, plan| {
                let context = Bytes::new();
                ChangeStep::AddLearner { id: id.into(), context, plan }
            };
            steps.push(match (key.as_str(), value.split_once(':')) {
                ("replace", Some((old, new))) => {
                    learner(number(new)?, Plan::Replace(number(old)?.into()))
                }
                ("add-voter", _) => ChangeStep::AddVoter { id: number(value)?.into(), context },
                ("add-learner", _) => learner(number(value)?, Plan::Stay),
                ("promote-later", _) => learner(number(value)?, Plan::Promote),
                ("promote", _) => ChangeStep::Promote { id: number(value)?.into() },
                ("demote", _) => ChangeStep::Demote { id: number(value)?.into() },
                ("remove", _) => ChangeStep::Remove { id: number(value)?.into() },
                (other, _) => return Err(format!("unknown step `{other}`")),
            });
        }
        self.cluster.step(member(command)?, Input::ChangeRequested { steps })
    }

    fn rebase(&mut self, command: &Command) -> Done {
        match command.name.as_str() {
            "snapshot" => {
                let manner = command.args.first().map_or("", String::as_str);
                if manner == "fresh" {
                    self.cluster.renew_snapshot()?;
                }
                self.cluster.deliver_snapshot(manner != "lost")
            }
            "join" => {
                self.cluster.start_member(member(command)?, Membership::default(), None);
                Ok(())
            }
            "cut-log" => {
                let through = LogIndex::new(command.named("through")?.ok_or("through=INDEX")?);
                self.cluster.step(member(command)?, Input::LogCutRequested { through })
            }
            "damage" => {
                let behind = LogIndex::new(command.named("behind")?.ok_or("behind=INDEX")?);
                let is_known = command.args.get(1).is_none_or(|word| word != "unknown");
                self.cluster.member(member(command)?)?.disk.lose_behind(behind, is_known);
                Ok(())
            }
            _ => {
                let from = MemberId::new(command.named("from")?.ok_or("from=MEMBER")?);
                let entries = self.cluster.member(from)?.disk.entries.clone();
                self.cluster.step(member(command)?, Input::Refilled { entries })
            }
        }
    }

    fn clock(&mut self, command: &Command) -> Done {
        let at_ns = 1_000_000 * command.named::<u64>("ms")?.ok_or("ms=TIME")?;
        let who = match command.arg(0, "a member or `all`")? {
            "all" => self.cluster.members.keys().copied().collect(),
            one => vec![MemberId::new(number(one)?)],
        };
        for id in who {
            self.cluster.step(id, Input::ClockRead { at_ns })?;
        }
        Ok(())
    }

    fn look(&mut self, command: &Command) -> Done {
        if command.name == "log" {
            let id = member(command)?;
            let last = self.cluster.status(id).ok_or("member is down")?.last;
            let words = show::log(&self.cluster.member(id)?.disk.entries, last);
            self.cluster.trace.push(format!("{id}: {words}"));
            return Ok(());
        }
        let all: Vec<_> = self.cluster.members.keys().copied().collect();
        let who = if command.args.is_empty() { all } else { vec![member(command)?] };
        for id in who {
            let words = self.cluster.status(id).map(|status| show::status(&status));
            self.cluster.trace.push(words.unwrap_or(format!("{id}: down")));
        }
        Ok(())
    }
}

fn member(command: &Command) -> Result<MemberId, String> {
    Ok(MemberId::new(number(command.arg(0, "a member")?)?))
}
