//! Faults: what begins, what ends, and whether anybody noticed.
//!
//! Each fault has a number. It counts only if it had an effect: a process that really died, a
//! frame that was really lost, a sync that really took longer. A run with less than one effective
//! fault a second proves nothing and fails.

use base::Prng;

use crate::disk::PowerCut;
use crate::net::{Link, Trouble};
use crate::swarm::{FaultClass, Span, Swarm};
use crate::time::{MILLI, Nanos, SECOND};
use crate::truth::Member;

/// Number of a fault.
pub type FaultId = u64;

/// A fault with all its choices made.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Processes die, with or without their power.
    Die { members: Vec<Member>, cut: Option<PowerCut> },
    /// A process dies at some later disk operation.
    Fuse { member: Member, log: bool, operations: u64 },
    /// A process stands still.
    Pause { member: Member },
    /// Links misbehave.
    Network { links: Vec<Link>, trouble: Trouble },
    /// A disk is slow.
    Slow { member: Member, span: Span },
    /// The next sync fails.
    FailSync { member: Member, log: bool },
    /// A clock runs wrong.
    Drift { member: Member, drift_ppm: i64 },
}

/// Faults by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Begun.
    pub begun: u64,
    /// Begun and noticed by somebody.
    pub effective: u64,
}

/// Draws faults for a group in which `leader` leads at present.
#[derive(Debug)]
pub(crate) struct FaultPlan {
    random: Prng,
    members: usize,
    classes: Vec<FaultClass>,
    every_ns: Nanos,
    span: Span,
}

impl FaultPlan {
    pub(crate) fn new(random: Prng, swarm: &Swarm) -> Self {
        Self {
            random,
            members: swarm.members,
            classes: swarm.faults.clone(),
            every_ns: swarm.fault_every_ns,
            span: swarm.fault,
        }
    }

    /// Time until the next fault.
    pub(crate) fn next_after(&mut self) -> Nanos {
        self.random.below(2 * self.every_ns)
    }

    /// How long a fault lasts, or a dead process stays dead.
    pub(crate) fn length(&mut self) -> Nanos {
        self.span.draw(&mut self.random)
    }

    /// The next fault.
    pub(crate) fn draw(&mut self, leader: Option<Member>) -> Fault {
        let member = self.victim(leader);
        let class = self.random.pick(&self.classes).copied().unwrap_or(FaultClass::Kill);
        match class {
            FaultClass::Kill => Fault::Die { members: vec![member], cut: None },
            FaultClass::PowerCut => Fault::Die { members: vec![member], cut: Some(self.cut()) },
            FaultClass::Blackout => {
                Fault::Die { members: (0..self.members).collect(), cut: Some(self.cut()) }
            }
            FaultClass::DieWriting => {
                let (log, operations) = (self.random.chance(3, 4), self.random.below(12));
                Fault::Fuse { member, log, operations }
            }
            FaultClass::Pause => Fault::Pause { member },
            FaultClass::SlowDisk => Fault::Slow { member, span: self.slowness() },
            FaultClass::FailedSync => Fault::FailSync { member, log: self.random.chance(7, 8) },
            FaultClass::Drift => {
                let drift_ppm = self.random.between(0, 100_000) as i64 - 50_000;
                Fault::Drift { member, drift_ppm }
            }
            FaultClass::Partition => {
                let trouble = Trouble { cut: true, ..Trouble::default() };
                Fault::Network { links: self.partition(member), trouble }
            }
            class => Fault::Network { links: self.some_links(), trouble: self.trouble(class) },
        }
    }

    /// Half of the faults hit whoever leads.
    fn victim(&mut self, leader: Option<Member>) -> Member {
        let anybody = self.random.below(self.members as u64) as usize;
        leader.filter(|_| self.random.chance(1, 2)).unwrap_or(anybody)
    }

    fn cut(&mut self) -> PowerCut {
        let cuts = [PowerCut::Mixed, PowerCut::Mixed, PowerCut::LoseAll, PowerCut::KeepAll];
        self.random.pick(&cuts).copied().unwrap_or(PowerCut::Mixed)
    }

    fn slowness(&mut self) -> Span {
        match self.random.below(3) {
            0 => Span { min_ns: SECOND, max_ns: 3 * SECOND }, // stuck
            _ => Span { min_ns: 10 * MILLI, max_ns: 300 * MILLI },
        }
    }

    fn trouble(&mut self, class: FaultClass) -> Trouble {
        let permille = self.random.between(20, 400);
        match class {
            FaultClass::Loss => Trouble { loss_permille: permille, ..Trouble::default() },
            FaultClass::Duplication => {
                Trouble { duplicate_permille: permille, ..Trouble::default() }
            }
            FaultClass::Corruption => Trouble { corrupt_permille: permille, ..Trouble::default() },
            _ => {
                let extra_delay_ns = self.random.between(2, 400) * MILLI;
                Trouble { extra_delay_ns, ..Trouble::default() }
            }
        }
    }

    fn links(&self, wanted: impl Fn(Link) -> bool) -> Vec<Link> {
        let all =
            (0..self.members).flat_map(|from| (0..self.members).map(move |to| Link { from, to }));
        all.filter(|link| link.from != link.to && wanted(*link)).collect()
    }

    fn some_links(&mut self) -> Vec<Link> {
        let all = self.links(|_| true);
        if self.random.chance(1, 2) {
            return all;
        }
        let random = &mut self.random;
        let mut some: Vec<Link> = all.into_iter().filter(|_| random.chance(1, 2)).collect();
        if some.is_empty() {
            some = self.links(|link| link.from == 0);
        }
        some
    }

    /// Isolation (both ways, only in, only out), two halves, a bridge, or any links at random.
    fn partition(&mut self, member: Member) -> Vec<Link> {
        let split: Vec<bool> = (0..self.members).map(|_| self.random.chance(1, 2)).collect();
        let crosses = |link: Link| split[link.from] != split[link.to];
        match self.random.below(6) {
            0 => self.links(|link| link.from == member || link.to == member),
            1 => self.links(|link| link.from == member),
            2 => self.links(|link| link.to == member),
            3 => self.links(crosses),
            // `member` still sees both sides.
            4 => self.links(|link| crosses(link) && link.from != member && link.to != member),
            _ => self.some_links(),
        }
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
    fn every_class_is_drawn_and_no_link_leads_home() {
        let mut plan = plan();
        let mut kinds = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let fault = plan.draw(Some(1));
            if let Fault::Network { links, .. } = &fault {
                assert!(links.iter().all(|link| link.from != link.to && link.to < 3));
            }
            let text = format!("{fault:?}");
            kinds.insert(text.split([' ', '{']).next().unwrap_or_default().to_owned());
        }
        assert_eq!(kinds.len(), 7, "{kinds:?}");
    }

    #[test]
    fn leaders_are_hit_more_often() {
        let mut plan = plan();
        let hits = (0..1000).filter(|_| plan.victim(Some(2)) == 2).count();
        assert!((550..800).contains(&hits), "{hits}");
    }
}
