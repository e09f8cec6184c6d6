//! Wishes: whoever runs the group wants other members and other leaders, all the time.
//!
//! New machines join with empty folders and an id that nobody had; a machine that lost everything,
//! or whose disk is damaged for good, is replaced by a new one. Nobody is removed when what is left
//! could not bear the damage that the [atlas](crate::atlas) allows.

use base::Prng;
use bytes::Bytes;
use raft::{ChangeStep, MemberId, Membership, Plan};
use replica::{Wish, WishError, WishResult};

use super::{Event, World};
use crate::check::{Mark, Violation};
use crate::faults::FaultClass;
use crate::host::Absence;
use crate::truth::{Member, id_of, member_of};

/// Tokens of wishes begin here; those of calls stay below.
const TOKENS_FROM: u64 = 1 << 50;

/// Most voters.
const VOTERS_MAX: usize = 7;

/// What was wished for.
#[derive(Debug)]
pub(crate) struct Wishes {
    random: Prng,
    made: u64,
    /// The membership that callers know.
    known: Option<Membership>,
}

impl Wishes {
    pub(super) fn new(random: Prng) -> Self {
        Self { random, made: 0, known: None }
    }
}

impl World {
    /// Machines that were ever started are below this.
    pub(super) fn machines_started(&self) -> usize {
        let is_started = |host: &&crate::host::Host| host.absence != Some(Absence::Spare);
        self.hosts.iter().filter(is_started).map(|host| host.member + 1).max().unwrap_or(1)
    }

    pub(super) fn on_wish_due(&mut self) -> Result<(), Violation> {
        if self.calm {
            return Ok(());
        }
        self.note_members();
        let next = self.wishes.random.below(2 * self.swarm.wish_every_ns);
        self.queue.after(next, Event::WishDue);
        let membership = self.truth.membership().clone();
        let Some(wish) = self.draw_wish(&membership) else { return Ok(()) };
        let is_up = |member: &Member| self.hosts[*member].process.is_some();
        let asked: Vec<Member> = membership.ids().map(member_of).filter(is_up).collect();
        let Some(&asked) = self.wishes.random.pick(&asked) else { return Ok(()) };
        self.wishes.made += 1;
        let call = TOKENS_FROM + self.wishes.made;
        self.dump(|_| format!("{}: wish {call}: {wish:?}", asked + 1));
        self.step(asked, replica::Event::Wished { call, wish })
    }

    pub(super) fn on_wish_answered(&mut self, call: u64, result: &WishResult) {
        self.dump(|_| format!("wish {call} answered {result:?}"));
        self.marks.hit(match result {
            Ok(_) => Mark::WishFulfilled,
            Err(WishError::Unknown) => Mark::WishUnknown,
            Err(_) => Mark::WishRefused,
        });
        self.note_members();
    }

    /// Callers learn who takes part, and the atlas who does no more.
    fn note_members(&mut self) {
        if self.calm {
            return;
        }
        let membership = self.truth.membership().clone();
        if self.wishes.known.as_ref() == Some(&membership) {
            return;
        }
        let before = self.wishes.known.replace(membership.clone());
        self.callers.learn_targets(membership.ids().map(member_of).collect());
        let Some(before) = before else { return };
        for host in &self.hosts {
            let id = id_of(host.member);
            if before.contains(id) && !membership.contains(id) {
                self.marks.hit(Mark::MemberRemoved);
                let is_wiped = host.absence == Some(Absence::Wiped);
                self.marks.hit_if(Mark::WipedReplaced, is_wiped);
                let leads = self.truth.members[host.member].role == raft::RoleName::Leader;
                self.marks.hit_if(Mark::LeaderRemoved, leads);
                self.atlas.forgive(host.member);
            }
            let learned = before.learners().get(&id);
            let votes = membership.voters().contains(&id);
            self.marks.hit_if(Mark::LearnerPromoted, learned.is_some() && votes);
            let replaces = matches!(learned, Some(Plan::Replace(_)));
            self.marks.hit_if(Mark::MemberReplaced, replaces && votes);
            let demoted = before.voters().contains(&id) && membership.learners().contains_key(&id);
            self.marks.hit_if(Mark::VoterDemoted, demoted);
            let is_new = !before.contains(id);
            self.marks.hit_if(Mark::VoterAdded, is_new && votes);
            self.marks
                .hit_if(Mark::LearnerAdded, is_new && membership.learners().contains_key(&id));
        }
    }

    fn draw_wish(&mut self, membership: &Membership) -> Option<Wish> {
        let voters: Vec<MemberId> = membership.voters().iter().copied().collect();
        let learners: Vec<MemberId> = membership.learners().keys().copied().collect();
        let lost = voters.iter().copied().find(|id| self.is_lost(member_of(*id)));
        let may_shrink = self.may_shrink(&voters);
        let random = &mut self.wishes.random;
        let voter = *random.pick(&voters)?;
        let learner = random.pick(&learners).copied();
        let what = if lost.is_some() { random.below(6) } else { random.below(16) };
        let change = |steps| Some(Wish::Change(steps));
        match what {
            0..=4 if lost.is_some() => {
                let plan = Plan::Replace(lost?);
                let (id, context) = self.take_machine()?;
                change(vec![ChangeStep::AddLearner { id, context, plan }])
            }
            0 | 1 => Some(Wish::Transfer { to: None }),
            2 | 3 => Some(Wish::Transfer { to: Some(voter) }),
            4 | 5 if voters.len() < VOTERS_MAX => {
                let (id, context) = self.take_machine()?;
                change(vec![ChangeStep::AddLearner { id, context, plan: Plan::Promote }])
            }
            6 | 7 if voters.len() < VOTERS_MAX => {
                let plan = if what == 6 { Plan::Stay } else { Plan::Promote };
                let (id, context) = self.take_machine()?;
                change(vec![ChangeStep::AddLearner { id, context, plan }])
            }
            8 => {
                let (id, context) = self.take_machine()?;
                change(vec![ChangeStep::AddLearner { id, context, plan: Plan::Replace(voter) }])
            }
            // The newcomer is a learner at first: until then there is one voter less.
            9 if may_shrink => {
                let (id, context) = self.take_machine()?;
                let remove = ChangeStep::Remove { id: voter };
                let add = ChangeStep::AddLearner { id, context, plan: Plan::Promote };
                change(vec![add, remove])
            }
            10 | 11 if may_shrink => change(vec![ChangeStep::Remove { id: voter }]),
            12 if may_shrink => change(vec![ChangeStep::Demote { id: voter }]),
            13 => change(vec![ChangeStep::Remove { id: learner? }]),
            14 if voters.len() < VOTERS_MAX => change(vec![ChangeStep::Promote { id: learner? }]),
            _ => {
                let context = Bytes::from(self.wishes.made.to_string());
                change(vec![ChangeStep::Describe { id: learner.unwrap_or(voter), context }])
            }
        }
    }

    /// Whether it will never come back under its id.
    fn is_lost(&self, member: Member) -> bool {
        let absence = self.hosts[member].absence;
        absence.is_some_and(|why| why != Absence::Spare && why != Absence::Held)
    }

    /// Whether the group bears one voter less, twice, since an answer may be on its way.
    fn may_shrink(&self, voters: &[MemberId]) -> bool {
        let has_damage = self.swarm.faults.iter().copied().any(FaultClass::is_damage);
        voters.len() > if has_damage { self.swarm.members + 1 } else { 1 }
    }

    /// A new machine with empty folders, which begins to run.
    fn take_machine(&mut self) -> Option<(MemberId, Bytes)> {
        let spare = self.hosts.iter_mut().find(|host| host.absence == Some(Absence::Spare))?;
        spare.absence = None;
        let member = spare.member;
        self.queue.after(0, Event::Started { member });
        Some((id_of(member), Bytes::from(format!("machine {member}"))))
    }
}
