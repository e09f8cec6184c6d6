//! Draws faults for a group, one after the other.

use base::Prng;

use super::{Fault, FaultClass, LinkSpan, Planned, shapes};
use crate::disk::{Mishap, PowerCut};
use crate::matrix::Phase;
use crate::net::{Link, Narrow, Trouble};
use crate::swarm::{Quarry, Span, Swarm};
use crate::time::{MILLI, Nanos, SECOND};
use crate::truth::Member;

/// Furthest jump of a clock.
const JUMP_MAX_NS: u64 = 600 * SECOND;

/// Latest second arrival of a doubled frame.
const LATE_MAX_NS: Nanos = 60 * SECOND;

/// One of so many faults waits for a phase that is short and rare, and strikes within this time
/// after somebody entered it.
const WAITS_EVERY: u64 = 4;
const AIMED_NS: Nanos = MILLI / 2;

/// So many times longer than others a series of overthrown leaders lasts.
const OVERTHROW_TIMES: u64 = 4;

/// One of so many bits that rot does so in all copies of what a log says of itself.
const COPIES_EVERY: u64 = 24;

/// Most operations of a disk before a fuse burns down.
const FUSE_OPERATIONS_MAX: u64 = 12;

/// Most operations of a disk between a start and a death while opening.
const OPENING_OPERATIONS_MAX: u64 = 80;

/// Draws faults for a group in which somebody leads, or nobody.
#[derive(Debug)]
pub(crate) struct FaultPlan {
    random: Prng,
    members: usize,
    classes: Vec<FaultClass>,
    every_ns: Nanos,
    span: Span,
    die_opening_percent: u64,
    has_wishes: bool,
    quarry: Option<Quarry>,
    /// Who is hurt again and again, where a member under repair is the quarry.
    prey: Option<Member>,
    /// What the next aimed fault waited for.
    waited_for: Option<Phase>,
    last: u64,
}

impl FaultPlan {
    pub(crate) fn new(mut random: Prng, swarm: &Swarm) -> Self {
        let hunts = swarm.quarry.is_some_and(|quarry| quarry.phase == Phase::Repair);
        let prey = hunts.then(|| random.below(swarm.members as u64) as Member);
        Self {
            random,
            prey,
            members: swarm.members,
            classes: swarm.faults.clone(),
            every_ns: swarm.fault_every_ns,
            span: swarm.fault,
            die_opening_percent: swarm.die_opening_percent,
            has_wishes: swarm.wish_every_ns > 0,
            quarry: swarm.quarry,
            waited_for: None,
            last: 0,
        }
    }

    /// There are `members` machines now.
    pub(crate) fn grow(&mut self, members: usize) {
        self.members = self.members.max(members);
    }

    /// Time until the next fault; `None` when there are none.
    pub(crate) fn next_after(&mut self) -> Option<Nanos> {
        (!self.classes.is_empty()).then(|| self.random.below(2 * self.every_ns))
    }

    /// The phase for which the next fault is to wait, if it is to wait.
    pub(crate) fn waits_for(&mut self) -> Option<Phase> {
        if let Some(quarry) = self.quarry
            && self.random.chance(1, 3)
        {
            self.waited_for = Some(quarry.phase);
            return self.waited_for;
        }
        if !self.random.chance(1, WAITS_EVERY) {
            return None;
        }
        let mut rare = vec![Phase::PreVote, Phase::Vote, Phase::SnapshotSend, Phase::Cut];
        rare.push(Phase::SnapshotInstall);
        if self.has_wishes {
            rare.extend([Phase::Joint, Phase::LeaveJoint, Phase::Transfer, Phase::Transfer]);
        }
        if self.classes.iter().any(|class| class.is_damage()) {
            rare.extend([Phase::Repair, Phase::Repair]);
        }
        self.waited_for = self.random.pick(&rare).copied();
        self.waited_for
    }

    /// How long after somebody entered the phase it strikes.
    pub(crate) fn after_aim(&mut self) -> Nanos {
        self.random.below(AIMED_NS)
    }

    /// The next fault, which begins at `at_ns` and hits `aimed`, if somebody was chosen.
    pub(crate) fn draw(
        &mut self,
        at_ns: Nanos,
        leader: Option<Member>,
        aimed: Option<Member>,
    ) -> Planned {
        let prey = self.prey.filter(|_| aimed.is_none() && self.random.chance(1, 2));
        let member = aimed.or(prey).unwrap_or_else(|| self.victim(leader));
        let class = match prey {
            Some(_) => self.class_for_prey(),
            None => self.class(aimed.is_some()),
        };
        let fault = self.fault(class, member);
        let mut length_ns = self.span.draw(&mut self.random).max(MILLI);
        if class == FaultClass::Overthrow {
            length_ns *= OVERTHROW_TIMES; // some elections fit in
        }
        self.last += 1;
        Planned { id: self.last, at_ns, length_ns, class, fault }
    }

    /// Damage, and then a start that finds it.
    fn class_for_prey(&mut self) -> FaultClass {
        use FaultClass as C;
        let hurts = [C::BitRot, C::ReadError, C::Misdirected];
        let hurts: Vec<C> = hurts.into_iter().filter(|it| self.classes.contains(it)).collect();
        match self.random.pick(&hurts) {
            Some(class) if self.random.chance(1, 2) => *class,
            _ => C::Kill,
        }
    }

    /// Damage is rare, and rare phases are short: the two meet on purpose.
    fn class(&mut self, is_aimed: bool) -> FaultClass {
        if let Some(quarry) = self.quarry
            && is_aimed
            && self.waited_for == Some(quarry.phase)
            && self.random.chance(3, 4)
        {
            return quarry.class;
        }
        let is_rare = |class: &FaultClass| class.is_damage() || *class == FaultClass::FullDisk;
        let rare: Vec<FaultClass> = self.classes.iter().copied().filter(is_rare).collect();
        if is_aimed
            && self.random.chance(1, 3)
            && let Some(class) = self.random.pick(&rare)
        {
            return *class;
        }
        self.random.pick(&self.classes).copied().unwrap_or(FaultClass::Kill)
    }

    fn fault(&mut self, class: FaultClass, member: Member) -> Fault {
        use FaultClass as C;
        match class {
            C::Kill => self.die(vec![member], false),
            C::PowerCut => self.die(vec![member], true),
            C::Blackout => self.die((0..self.members).collect(), true),
            C::DieWriting => {
                let operations = self.random.below(FUSE_OPERATIONS_MAX);
                self.mishap(member, Mishap::Fuse { operations })
            }
            C::FailedSync => self.mishap(member, Mishap::FailSync),
            C::ShortWrite => self.mishap(member, Mishap::ShortWrite),
            C::Misdirected if self.random.chance(1, 2) => {
                self.mishap(member, Mishap::MisdirectRead)
            }
            C::Misdirected => self.mishap(member, Mishap::MisdirectWrite),
            C::FullDisk => {
                let most = if self.random.chance(1, 2) { 1 } else { 64 << 10 };
                let (log, bytes) = (self.random.chance(1, 2), self.random.below(most));
                Fault::Full { member, log, bytes }
            }
            C::BitRot if self.random.chance(1, COPIES_EVERY) => {
                Fault::InjureCopies { member, files: "manifest-" }
            }
            C::BitRot | C::ReadError => {
                let (log, unreadable) = (self.random.chance(3, 4), class == C::ReadError);
                Fault::Injure { member, log, unreadable }
            }
            C::Wipe => Fault::Wipe { member },
            C::SlowDisk => Fault::Slow { member, span: self.slowness() },
            C::Pause | C::SlowCpu | C::LateTicks | C::Drift | C::ClockJump => {
                self.time(class, member)
            }
            C::Overthrow => {
                let after_ns = self.random.between(1, 60) * MILLI;
                Fault::Overthrow { member, after_ns, hears: self.random.chance(1, 3) }
            }
            C::CallerCut => self.callers(member),
            C::Partition => {
                let links = shapes::partition(self.members, member, &mut self.random);
                self.network(links, false, Trouble { cut: true, ..Trouble::default() })
            }
            C::Clog => {
                let links = self.some_links();
                self.network(links, true, Trouble { clog: true, ..Trouble::default() })
            }
            C::Reset => Fault::Reset { links: self.some_links() },
            C::Loss | C::Duplication | C::Reorder | C::Narrow | C::Corruption => {
                let (links, trouble) = (self.some_links(), self.trouble(class));
                self.network(links, false, trouble)
            }
        }
    }

    /// Half of the faults hit whoever leads.
    fn victim(&mut self, leader: Option<Member>) -> Member {
        let anybody = self.random.below(self.members as u64) as usize;
        leader.filter(|_| self.random.chance(1, 2)).unwrap_or(anybody)
    }

    fn die(&mut self, members: Vec<Member>, power: bool) -> Fault {
        use PowerCut::{Garbled, KeepAll, LoseAll, Mixed};
        let cuts = [Mixed, Mixed, Garbled, LoseAll, KeepAll];
        let cut = self.random.pick(&cuts).copied().filter(|_| power);
        let again = self.random.chance(self.die_opening_percent, 100);
        let opening = again.then(|| self.random.below(OPENING_OPERATIONS_MAX));
        Fault::Die { members, cut, opening }
    }

    fn mishap(&mut self, member: Member, mishap: Mishap) -> Fault {
        Fault::Mishap { member, log: self.random.chance(3, 4), mishap }
    }

    fn slowness(&mut self) -> Span {
        match self.random.below(3) {
            0 => Span { min_ns: SECOND, max_ns: 3 * SECOND }, // stuck
            _ => Span { min_ns: 10 * MILLI, max_ns: 300 * MILLI },
        }
    }

    fn time(&mut self, class: FaultClass, member: Member) -> Fault {
        match class {
            FaultClass::SlowCpu => {
                Fault::SlowCpu { member, step_ns: self.random.between(50_000, 3 * MILLI) }
            }
            FaultClass::LateTicks => {
                Fault::LateTicks { member, by_ns: self.random.between(5, 200) * MILLI }
            }
            FaultClass::Drift => {
                let drift_ppm = self.random.between(0, 100_000) as i64 - 50_000;
                Fault::Drift { member, drift_ppm }
            }
            FaultClass::ClockJump => {
                let far = self.random.below(JUMP_MAX_NS) as i64;
                let ahead_ns = if self.random.chance(1, 2) { far } else { -far };
                Fault::Jump { member, ahead_ns }
            }
            _ => Fault::Pause { member },
        }
    }

    fn callers(&mut self, member: Member) -> Fault {
        let all = self.random.chance(1, 4);
        let members = if all { (0..self.members).collect() } else { vec![member] };
        let (asks, answers) = match self.random.below(3) {
            0 => (true, false),
            1 => (false, true),
            _ => (true, true),
        };
        Fault::Callers { members, asks, answers }
    }

    fn trouble(&mut self, class: FaultClass) -> Trouble {
        let plain = Trouble::default();
        match class {
            FaultClass::Loss => Trouble { loss_permille: self.random.between(10, 300), ..plain },
            FaultClass::Duplication => {
                // Seconds mostly; a minute is over when nobody thinks of it any more.
                let late_ns = if self.random.chance(1, 4) { LATE_MAX_NS } else { 2 * SECOND };
                let duplicate_permille = self.random.between(10, 500);
                Trouble { duplicate_permille, late_ns, ..plain }
            }
            FaultClass::Corruption => {
                Trouble { corrupt_permille: self.random.between(20, 400), ..plain }
            }
            FaultClass::Narrow => {
                let bytes_per_second = 1 << self.random.between(11, 18);
                let queue_bytes = 1 << self.random.between(9, 16);
                Trouble { narrow: Some(Narrow { bytes_per_second, queue_bytes }), ..plain }
            }
            _ => Trouble { extra_delay_ns: self.random.between(2, 400) * MILLI, ..plain },
        }
    }

    fn some_links(&mut self) -> Vec<Link> {
        if self.random.chance(1, 2) {
            return shapes::all(self.members);
        }
        shapes::any(self.members, &mut self.random)
    }

    /// All links together, or each in a window of its own, so that they come back in another
    /// order than they went.
    fn network(&mut self, links: Vec<Link>, each: bool, trouble: Trouble) -> Fault {
        let mut span = |link| {
            let from_permille = if each { self.random.below(600) } else { 0 };
            let longest = if each { self.random.between(from_permille + 1, 1000) } else { 1000 };
            LinkSpan { link, from_permille, to_permille: longest }
        };
        Fault::Network { links: links.into_iter().map(&mut span).collect(), trouble }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> FaultPlan {
        let mut swarm = Swarm::of(1);
        (swarm.members, swarm.faults) = (3, FaultClass::ALL.to_vec());
        FaultPlan::new(Prng::named(1, "faults"), &swarm)
    }

    #[test]
    fn every_class_is_drawn_and_stays_in_the_group() {
        let mut plan = plan();
        let mut classes = std::collections::BTreeSet::new();
        for at in 0..1000 {
            let planned = plan.draw(at, Some(1), None);
            assert_eq!((planned.id, planned.at_ns), (at + 1, at));
            assert_eq!(planned.fault.within(3).as_ref(), Some(&planned.fault));
            classes.insert(planned.class);
        }
        assert_eq!(classes.len(), FaultClass::COUNT);
    }

    #[test]
    fn leaders_are_hit_more_often() {
        let mut plan = plan();
        let hits = (0..1000).filter(|_| plan.victim(Some(2)) == 2).count();
        assert!((550..800).contains(&hits), "{hits}");
    }

    #[test]
    fn a_fault_of_a_smaller_group_loses_what_is_outside() {
        let links = shapes::all(3).into_iter();
        let span = |link| LinkSpan { link, from_permille: 0, to_permille: 1000 };
        let fault =
            Fault::Network { links: links.map(span).collect(), trouble: Trouble::default() };
        let Some(Fault::Network { links, .. }) = fault.within(2) else { panic!("two are left") };
        assert_eq!(links.len(), 2);
        assert_eq!(Fault::Wipe { member: 2 }.within(2), None);
    }
}
