//! The end of a run: the faults stop, and the group must live.
//!
//! In half of the runs it is not healed whole at first. A random majority, the *core*, is; whoever
//! is outside stays dead, is cut off in one direction or both, or floods the core with every frame
//! twice. The core must manage alone, without any waiver:
//!
//! * V1: it has a leader within ten election timeouts, once no snapshot is under way in it;
//! * V2: every call at it ends;
//! * V3: its members reach the same applied index and state;
//! * V4: its leader then changes at most twice, whatever the outsiders do;
//! * V5: it answers nine calls of ten again;
//! * V8: nothing waits in it at the end.
//!
//! Then everybody is healed, and all must come together (V1-V3 again), hold what was acknowledged
//! (C1, C2), and have it on their platters (R6); and every reader of changes is told everything
//! (V7). Leases end (L4).

use kv::api::{KeyRange, RangeRequest, Request, Response};
use raft::{LogIndex, Membership, Recovered, RoleName};

use super::{Event, World};
use crate::callers::CallCounts;
use crate::check::{Mark, Violation, has_hole, violated};
use crate::faults::FaultId;
use crate::host::{Absence, Host};
use crate::net::{Link, Trouble, Window};
use crate::swarm::Regime;
use crate::time::{MILLI, Nanos, SECOND};
use crate::truth::{Fact, Member, id_of, is_quorum};

/// How long the group may take to come together once everybody is healed.
pub(super) const RECOVERY_NS: Nanos = 30 * SECOND;

/// Election timeouts within which the core must have a leader (V1).
const LEADER_TIMEOUTS: u64 = 10;

/// How long its answers are counted at a time (V5).
const LOAD_NS: Nanos = 2 * SECOND;

/// How long it may take from its first leader on until it answers nine calls of ten: whoever is
/// behind needs a snapshot first.
const SETTLE_NS: Nanos = 14 * SECOND;

/// Election timeouts without calls in which its leader must stay, at least (V4).
const REST_TIMEOUTS: u64 = 4;

/// How long it may take until what its members had when the faults ended is committed. Where one
/// small message may be under way at a time, a follower that was away brings a thousand entries
/// home one by one, and what is asked meanwhile stands behind them.
const BACKLOG_NS: Nanos = 60 * SECOND;

/// How long it may take to come to rest (V2, V3).
const REST_NS: Nanos = 10 * SECOND;

/// How often it may take that long again while a snapshot is still under way, perhaps slowly.
const REST_LOOKS: u64 = 3;

/// Most changes of leader in the core once it has one (V4).
const LEADERS_MAX: u64 = 2;

/// Least calls and effective faults a second in a harsh run; most calls in an idle one.
const HARSH_CALLS_MIN: u64 = 50;
pub(super) const HARSH_FAULTS_MIN: u64 = 1;
const IDLE_CALLS_MAX: u64 = 1;

/// One of so many members has its platter read from end to end.
const PLATTERS_EVERY: u64 = 2;

/// The fault under which the links to outsiders are troubled.
const OUTSIDE: FaultId = FaultId::MAX;

/// The majority that must manage alone.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    members: Vec<Member>,
    /// Calls, answers and leaders when it had its first leader.
    called: u64,
    succeeded: u64,
    leaders: u64,
    /// When it must have done what it is looked at for.
    deadline: Nanos,
    /// The newest entry that one of its members had when it began, and when it must be committed.
    backlog: LogIndex,
    backlog_deadline: Nanos,
    /// How often it was given more time because somebody was still receiving a snapshot.
    rest_looks: u64,
    /// No more calls are made.
    rests: bool,
}

impl Core {
    /// Counts anew from now on.
    fn begin_count(&mut self, counts: CallCounts, leaders: u64) {
        (self.called, self.succeeded, self.leaders) = (counts.called, counts.succeeded, leaders);
    }
}

impl World {
    /// The end of all faults.
    pub(super) fn on_calm(&mut self) -> Result<(), Violation> {
        let begun: Vec<FaultId> = self.begun.keys().copied().collect();
        begun.into_iter().for_each(|fault| self.on_fault_over(fault));
        self.calm = true;
        self.figures.called = self.callers.counts().called;
        self.figures.succeeded = self.callers.counts().succeeded;
        for host in &mut self.hosts {
            host.busy_until = 0;
            host.opening = None;
            host.clock.set_drift(self.queue.now(), 0);
            // What has not struck yet will not.
            host.disks().for_each(crate::disk::SimDisk::process_died);
            if host.process.is_none() && host.absence.is_none() {
                self.queue.after(0, Event::Started { member: host.member });
            } else if !host.inbox.is_empty() {
                let (member, life) = (host.member, host.life);
                self.queue.after(0, Event::Woke { member, life });
            }
        }
        if self.swarm.core_only {
            let bodies = self.possible_memberships();
            let takes_part = |member: &Member| bodies.iter().any(|it| it.contains(id_of(*member)));
            let able = self.able().map(|host| host.member);
            let able = able.filter(|it| takes_part(it) && self.is_whole(*it)).collect();
            self.choose_core(able)?;
        }
        Ok(())
    }

    /// Members whose disk allows them to take part.
    fn able(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.absence.is_none())
    }

    /// Draws a majority and a fate for everybody else.
    fn choose_core(&mut self, mut able: Vec<Member>) -> Result<(), Violation> {
        let mut random = base::Prng::named(self.seed, "core");
        random.shuffle(&mut able);
        let bodies = self.possible_memberships();
        let lives =
            |core: &[Member]| bodies.iter().all(|it| is_quorum(it, |id| core.contains(&id)));
        if !lives(&able) {
            return Ok(());
        }
        let mut outside = Vec::new();
        for member in able.clone() {
            let rest: Vec<Member> = able.iter().copied().filter(|one| *one != member).collect();
            let learns = bodies.iter().any(|it| it.learners().contains_key(&id_of(member)));
            if lives(&self.sound(&rest)) && !learns {
                able = rest;
                outside.push(member);
            }
        }
        if outside.is_empty() {
            return Ok(());
        }
        let always = Window { from_ns: 0, until_ns: Nanos::MAX };
        let cut = Trouble { cut: true, ..Trouble::default() };
        let flood =
            Trouble { duplicate_permille: 1000, late_ns: 500 * MILLI, ..Trouble::default() };
        for &outsider in &outside {
            let fate = random.below(5);
            if fate == 0 {
                self.hosts[outsider].absence = Some(Absence::Held);
                self.die(outsider, None, 0)?;
            }
            for &member in &able {
                let (to, from) =
                    (Link { from: member, to: outsider }, Link { from: outsider, to: member });
                // What outsiders said before the core was chosen is not theirs to say any more: on
                // a narrow link, the entries of a leader that has long given up would pass for a
                // leader's (seed 1344).
                self.net.reset(from, OUTSIDE);
                // Nor does what the core said before reach those who are cut off from it: on such a
                // link a deaf leader hears from its followers for seconds (seed 1796014175).
                if fate != 2 {
                    self.net.sever(to, OUTSIDE);
                }
                match fate {
                    1 => self.net.trouble(to, OUTSIDE, cut, always),
                    2 => self.net.trouble(from, OUTSIDE, cut, always),
                    3 => {
                        self.net.trouble(to, OUTSIDE, cut, always);
                        self.net.trouble(from, OUTSIDE, flood, always);
                    }
                    _ => {
                        self.net.trouble(to, OUTSIDE, cut, always);
                        self.net.trouble(from, OUTSIDE, cut, always);
                    }
                }
            }
            self.marks.hit(match fate {
                0 => Mark::CoreWithoutDead,
                1 => Mark::CoreWithDeaf,
                2 => Mark::CoreWithMute,
                3 => Mark::CoreFlooded,
                _ => Mark::CoreWithIsolated,
            });
            self.dump(|_| format!("{}: outside the core, fate {fate}", outsider + 1));
        }
        self.callers.turn_to(able.clone());
        self.core = Some(self.core_of(able));
        self.queue.after(self.timeout_ns(), Event::CoreDue { step: 0 });
        Ok(())
    }

    /// The core as it begins.
    fn core_of(&self, members: Vec<Member>) -> Core {
        let newest = |member: &Member| self.truth.members[*member].ordered.last_index();
        let now = self.queue.now();
        Core {
            called: 0,
            succeeded: 0,
            leaders: 0,
            deadline: now + LEADER_TIMEOUTS * self.timeout_ns(),
            backlog: members.iter().map(newest).max().unwrap_or(LogIndex::ZERO),
            backlog_deadline: now + BACKLOG_NS,
            members,
            rest_looks: 0,
            rests: false,
        }
    }

    /// A change that began before the core was chosen may end in it, and somebody of it is no
    /// member any more: nobody asks it then.
    fn ask_members_of(&mut self, core: &Core) {
        let membership = self.truth.membership();
        let members = core.members.iter().copied();
        let asked: Vec<Member> = members.filter(|it| membership.contains(id_of(*it))).collect();
        if !asked.is_empty() && asked != self.callers.targets() {
            self.callers.turn_to(asked);
        }
    }

    /// The longest election timeout.
    fn timeout_ns(&self) -> Nanos {
        self.swarm.timing.election_max_ms * MILLI
    }

    /// Every membership that may be in force somewhere, or come into force by itself.
    fn possible_memberships(&self) -> Vec<Membership> {
        let committed = self.truth.ledger.in_force().0;
        let mut all: Vec<Membership> = vec![self.truth.membership().clone()];
        for host in self.hosts.iter().filter(|host| host.absence.is_none()) {
            let (since, membership) = self.truth.members[host.member].ordered.in_force();
            if since > committed && !all.contains(membership) {
                all.push(membership.clone());
            }
        }
        let mut at = 0;
        while at < all.len() {
            let one = all[at].clone();
            let promoted = one.learners().keys().filter_map(|id| one.promoted(*id));
            let more: Vec<Membership> = promoted.chain([one.left()]).collect();
            for next in more {
                if !all.contains(&next) {
                    all.push(next);
                }
            }
            at += 1;
        }
        all
    }

    /// The next look at the core.
    pub(super) fn on_core_due(&mut self, step: u64) -> Result<(), Violation> {
        let Some(mut core) = self.core.take() else { return Ok(()) };
        self.ask_members_of(&core);
        let (now, counts) = (self.queue.now(), self.callers.counts());
        let (next, after) = match step {
            0 => {
                let leads = |member: &Member| {
                    let it = &self.truth.members[*member];
                    it.up && it.role == RoleName::Leader
                };
                // Whoever was hurt beyond the bound need not live, but may, and lead.
                let all = 0..self.hosts.len();
                let mut hurt = all.filter(|member| !self.is_whole(*member));
                if core.members.iter().any(leads) || hurt.any(|member| leads(&member)) {
                    core.begin_count(counts, self.figures.leaders);
                    core.deadline = core.deadline.max(now) + SETTLE_NS;
                    (1, LOAD_NS)
                } else if self.may_wait(&mut core) {
                    (0, self.timeout_ns())
                } else {
                    let text = format!(
                        "the core {:?} has no leader after {LEADER_TIMEOUTS} election timeouts{}",
                        core.members.iter().map(|member| member + 1).collect::<Vec<_>>(),
                        self.describe_members()
                    );
                    return violated("V1", text);
                }
            }
            1 => {
                let called =
                    (counts.called - core.called).saturating_sub(self.callers.waiting() as u64);
                let succeeded = counts.succeeded - core.succeeded;
                if succeeded * 10 + 10 >= called * 9 {
                    core.rests = true;
                    core.deadline = now + REST_NS;
                    (2, REST_TIMEOUTS * self.timeout_ns())
                } else if now < core.deadline || self.is_behind(&core) {
                    core.deadline = match self.is_behind(&core) {
                        true => now + SETTLE_NS,
                        false => core.deadline,
                    };
                    core.begin_count(counts, self.figures.leaders);
                    (1, LOAD_NS)
                } else {
                    let text = format!("the core answers {succeeded} of {called} calls");
                    return violated("V5", text + &self.describe_members());
                }
            }
            _ => match self.check_core(&core) {
                Ok(()) => return self.heal_outside(),
                Err(_) if self.may_wait(&mut core) => (2, self.timeout_ns()),
                Err(why) => return Err(why),
            },
        };
        self.core = Some(core);
        self.queue.after(after, Event::CoreDue { step: next });
        Ok(())
    }

    /// Whether what its members had when the faults ended still keeps the core busy.
    fn is_behind(&self, core: &Core) -> bool {
        self.truth.ledger.last_index() < core.backlog && self.queue.now() < core.backlog_deadline
    }

    /// Whether the core may take longer. Whoever has the newest log may have to get its state back
    /// first.
    fn may_wait(&self, core: &mut Core) -> bool {
        if self.queue.now() < core.deadline {
            return true;
        }
        let may_wait = core.rest_looks < REST_LOOKS && self.is_receiving(core);
        if may_wait {
            core.rest_looks += 1;
            core.deadline = self.queue.now() + REST_NS;
        }
        may_wait
    }

    /// Whether a snapshot is on its way to a member of the core.
    fn is_receiving(&self, core: &Core) -> bool {
        core.members.iter().any(|member| {
            let process = self.hosts[*member].process.as_ref();
            process.is_some_and(|process| process.replica.snapshots().1)
        })
    }

    fn check_core(&self, core: &Core) -> Result<(), Violation> {
        let changes = self.figures.leaders - core.leaders;
        if changes > LEADERS_MAX {
            return violated("V4", format!("the core changed its leader {changes} times"));
        }
        if self.callers.waiting() > 0 {
            let text = format!("{} calls at the core do not end", self.callers.waiting());
            return violated("V2", text + &self.describe_members());
        }
        let membership = self.truth.membership();
        let takes_part = |member: &&Member| membership.contains(id_of(**member));
        let mut states = core.members.iter().filter(takes_part).map(|member| {
            let process = self.hosts[*member].process.as_ref();
            process.map(|process| {
                let applied = process.state.applied();
                (applied, process.digest(LogIndex::new(applied)))
            })
        });
        let first = states.next().flatten();
        if first.is_none() || states.any(|state| state != first) {
            let text = "the members of the core have not reached the same state".to_owned();
            return violated("V3", text + &self.describe_members());
        }
        let waits = |member: &Member| {
            let process = self.hosts[*member].process.as_ref();
            process.is_some_and(|process| process.replica.pending() != (0, 0))
        };
        if core.members.iter().any(waits) {
            return violated("V8", "calls wait in the core that nobody waits for".to_owned());
        }
        Ok(())
    }

    fn heal_outside(&mut self) -> Result<(), Violation> {
        self.core = None;
        self.net.heal(OUTSIDE);
        for host in &mut self.hosts {
            if host.absence == Some(Absence::Held) {
                host.absence = None;
                self.queue.after(0, Event::Started { member: host.member });
            }
        }
        Ok(())
    }

    /// No calls are made: the faults are over, and no core has to prove that it works.
    pub(super) fn is_loadless(&self) -> bool {
        self.calm && self.core.as_ref().is_none_or(|core| core.rests)
    }

    /// Everybody is healed and has to come together.
    pub(super) fn is_recovering(&self) -> bool {
        self.calm && self.core.is_none()
    }

    /// Where more may be damaged than can be borne, only who was never hurt has to live.
    fn is_whole(&self, member: Member) -> bool {
        !self.swarm.exceeds || !self.atlas.is_hurt(member)
    }

    /// Those of `members` that have back what damage took from them.
    fn sound(&self, members: &[Member]) -> Vec<Member> {
        members.iter().copied().filter(|member| !self.is_lamed(*member)).collect()
    }

    /// Whether damage took something that `member` does not have back. Then it and the outsiders
    /// together must not be more than can fail: only an outsider may have what it needs.
    fn is_lamed(&self, member: Member) -> bool {
        let is_sound = self.hosts[member].process.as_ref().is_some_and(|process| {
            let status = process.replica.status();
            status.restriction.is_none() && !has_hole(status.base.index, process.state.applied())
        });
        self.atlas.is_hurt(member) && !is_sound
    }

    /// Whether the bound on damage was exceeded, so that the group may stop.
    fn may_stop(&self) -> bool {
        let able: Vec<Member> = self.able().map(|host| host.member).collect();
        let able: Vec<Member> = able.into_iter().filter(|it| self.is_whole(*it)).collect();
        let bodies = self.possible_memberships();
        !bodies.iter().all(|it| is_quorum(it, |id| able.contains(&id)))
    }

    /// Everybody runs, has applied everything, and nobody waits; readers know of everything, and
    /// leases have ended.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_settled() && self.readers_behind() == 0 && self.truth.model.lease_count() == 0
    }

    /// Everybody runs, has applied everything, and no caller waits.
    fn is_settled(&self) -> bool {
        let last = self.truth.ledger.last_index().get();
        let membership = self.truth.membership();
        let settled = |host: &Host| {
            if !membership.contains(id_of(host.member)) {
                return true;
            }
            host.process.as_ref().is_some_and(|process| {
                process.state.applied() == last && process.replica.pending() == (0, 0)
            })
        };
        self.callers.waiting() == 0 && !self.may_stop() && self.able().all(settled)
    }

    /// The group has not come together in time.
    pub(super) fn on_unrest(&mut self) -> Result<(), Violation> {
        if self.may_stop() {
            self.marks.hit(Mark::StoppedForGood);
            return self.finish();
        }
        let leases = self.truth.model.lease_count();
        if self.is_settled() && leases > 0 {
            let text = format!("{leases} leases do not end");
            return violated("L4", text + &self.describe_members());
        }
        if self.is_settled() {
            let (behind, all) = (self.readers_behind(), self.readers.len());
            let text = format!("{behind} of {all} readers of changes are not told everything");
            return violated("V7", text + &self.describe_members());
        }
        let text = format!(
            "{} s after the last fault the group has not recovered: {} calls wait, {} entries \
             are committed{}",
            RECOVERY_NS / SECOND,
            self.callers.waiting(),
            self.truth.ledger.last_index(),
            self.describe_members()
        );
        violated("V1", text)
    }

    fn describe_members(&self) -> String {
        let mut text = format!("; committed is {}", self.truth.membership());
        for host in &self.hosts {
            let it = &self.truth.members[host.member];
            let applied = host.process.as_ref().map(|process| process.state.applied());
            text.push_str(&format!(
                "; member {} is {:?} in term {}, log {}, commit {}, applied {applied:?}",
                host.member + 1,
                it.role,
                it.term,
                it.ordered.last_id(),
                it.commit
            ));
            if let Some(process) = &host.process {
                let status = process.replica.status();
                text.push_str(&format!(", snapshots {:?}", process.replica.snapshots()));
                text.push_str(&format!(", base {}", status.base));
                if let Some(restriction) = status.restriction {
                    text.push_str(&format!(", {restriction:?}"));
                }
                for (id, peer) in &status.peers {
                    let (matched, next, state) = (peer.matched, peer.next, peer.state);
                    text.push_str(&format!(", {id}: {matched} {next} {state:?}"));
                }
            }
            if let Some(absence) = host.absence {
                text.push_str(&format!(", away: {absence:?}"));
            }
        }
        text
    }

    pub(super) fn finish(&mut self) -> Result<(), Violation> {
        let mut random = base::Prng::named(self.seed, "platters");
        for member in 0..self.hosts.len() {
            if self.hosts[member].absence.is_some_and(|why| why != Absence::Held) {
                continue;
            }
            if self.atlas.is_hurt(member) {
                continue; // it may know less; what it says was checked all along
            }
            let is_member = self.truth.membership().contains(id_of(member));
            if !self.may_stop() && is_member {
                self.check_content(member)?;
            }
            // Reading a whole folder is dear, and what one seed leaves out another looks at.
            if random.chance(1, PLATTERS_EVERY) {
                self.check_platter(member)?;
            }
        }
        let is_away = |host: &&Host| host.absence.is_some_and(|why| why != Absence::Spare);
        self.figures.absent = self.hosts.iter().filter(is_away).count() as u64;
        let figures = self.figures();
        self.marks.hit_if(Mark::JointCommitted, self.truth.ledger.was_joint());
        self.marks.hit_if(Mark::CommandRepeated, figures.repeated > 0);
        let has_expired = self.truth.model.lease_ends().iter().any(|end| end.is_by_time);
        self.marks.hit_if(Mark::LeaseExpired, has_expired);
        // Whoever stopped for good cannot be hit.
        if self.options.script.is_some() || self.may_stop() {
            return Ok(());
        }
        self.check_floors()
    }

    /// A run in which too little happened shows nothing.
    fn check_floors(&self) -> Result<(), Violation> {
        let seconds = self.swarm.duration_ns / SECOND;
        let figures = self.figures();
        let (calls, faults) = (figures.called, figures.faults.total().effective);
        match self.swarm.regime {
            Regime::Harsh if calls < HARSH_CALLS_MIN * seconds => {
                violated("W", format!("only {calls} calls in {seconds} s"))
            }
            Regime::Harsh if faults < HARSH_FAULTS_MIN * seconds => {
                violated("W", format!("only {faults} effective faults in {seconds} s"))
            }
            Regime::Idle if calls > IDLE_CALLS_MAX * seconds || calls == 0 => {
                violated("W", format!("{calls} calls in {seconds} s are not idle"))
            }
            Regime::FaultFree if figures.succeeded < calls * 9 / 10 => {
                let succeeded = figures.succeeded;
                violated("V5", format!("{succeeded} of {calls} calls answered without a fault"))
            }
            _ => Ok(()),
        }
    }

    /// What the store of `member` holds at the end.
    fn check_content(&mut self, member: Member) -> Result<(), Violation> {
        let Some(process) = &self.hosts[member].process else { return Ok(()) };
        let everything = RangeRequest { range: KeyRange::prefix(""), ..RangeRequest::default() };
        let content = match process.state.read(&Request::Range(everything), 0) {
            Ok(Response::Range(range)) => range.kvs,
            other => return violated("C1", format!("member {} answers {other:?}", member + 1)),
        };
        let revision = process.state.kv().revision();
        self.tell(&Fact::Final { member, content: &content, revision })
    }

    /// Opens what is durable on the platter of `member`, as after losing everything else.
    fn check_platter(&mut self, member: Member) -> Result<(), Violation> {
        let copy = self.hosts[member].durable_copy(&self.swarm);
        let (process, recovered) = self.open(&copy).map_err(|why| Violation {
            rule: "R6",
            text: format!("the platter of member {} cannot be opened: {why}", member + 1),
        })?;
        let tail = match process.log.recovered(LogIndex::ZERO) {
            Ok(whole) => whole.tail,
            Err(why) => {
                let text = format!("member {} cannot read its platter: {why}", member + 1);
                return violated("R6", text);
            }
        };
        if has_hole(recovered.base.index, process.state.applied()) {
            let text = format!(
                "the platter of member {} has a state through {} and a log behind {}",
                member + 1,
                process.state.applied(),
                recovered.base
            );
            return violated("R12", text);
        }
        let recovered = Recovered { tail, ..recovered };
        let truth = &self.truth.members[member];
        if truth.survived(&recovered, &self.truth.ledger).is_none() {
            let text = format!(
                "the platter of member {} holds a log up to {}, its syncs promised {}",
                member + 1,
                recovered.last,
                truth.durable.last_id()
            );
            return violated("R6", text);
        }
        Ok(())
    }
}
