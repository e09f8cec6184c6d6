//! Whether a member with an empty folder is new, or lost everything that it had promised.
//!
//! A member whose disk was wiped would vote a second time in a term, and acknowledge less than it
//! once did. From its own folder it cannot know. So a member with an empty folder takes no part
//! (it neither ticks nor hears consensus) until the others have told it that it is new. Its
//! [`Admission`] is durable before it is announced.
//!
//! *Founding members* meet in two steps. `New`, and it has met all others: `Met`. All others have
//! met all: `Open`. So before the first vote of a cluster every founder has `Met` on its disk; one
//! that later comes with `New` while another is `Open` has lost its disk.
//!
//! *A member that joins* is admitted when the leader says that it is a learner. Nobody becomes a
//! voter without having acknowledged something as a learner first; so one that is told it is a
//! voter has lost its disk.
//!
//! Whoever lost its disk stops and says so: it can be taken in again, under a new id.

use crate::interface::Effect;
use crate::peer::PeerMessage;
use crate::replica::Replica;
use raft::{LogIndex, MemberId, Membership};
use std::collections::BTreeMap;

/// Between two greetings.
const GREET_MS: u64 = 50;

/// Between two greetings of a leader to its learners.
const GREET_LEARNERS_MS: u64 = 250;

/// How far a member has been admitted. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admission {
    /// Its folder was empty, and nobody has said yet that this is as it should be.
    New,
    /// A founding member that has met all others.
    Met,
    /// It takes part.
    Open,
}

/// What a member is in the eyes of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No member, as far as that one knows.
    Stranger,
    /// A learner.
    Learner,
    /// A voter.
    Voter,
}

/// What one member says to another before the latter takes part, and when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The sender's own admission.
    pub admission: Admission,
    /// What the receiver is, by what the sender holds to be committed.
    pub standing: Standing,
    /// Whether the sender leads and knows what is committed.
    pub leads: bool,
    /// Whether an answer is wanted.
    pub asks: bool,
}

/// The way of one member to its admission.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) admission: Admission,
    /// The other founding members; none for one that joins.
    founders: Vec<MemberId>,
    met: BTreeMap<MemberId, Admission>,
    is_saving: bool,
    /// It lost its disk and must stop.
    is_lost: bool,
}

impl Entrance {
    /// The way of `member`, whose folder says `admission`, in a group that began with `founding`.
    pub(crate) fn new(member: MemberId, admission: Admission, founding: &Membership) -> Self {
        let founders: Vec<MemberId> = founding.ids().filter(|id| *id != member).collect();
        let is_alone = founding.contains(member) && founders.is_empty();
        let admission = if is_alone { Admission::Open } else { admission };
        let founders = if founding.contains(member) { founders } else { Vec::new() };
        Self { admission, founders, met: BTreeMap::new(), is_saving: false, is_lost: false }
    }
}

impl Replica {
    /// Whether it takes part.
    pub(crate) fn is_open(&self) -> bool {
        self.entrance.admission == Admission::Open
    }

    /// Greets everybody known while it is not admitted; a leader greets the learners that have not
    /// spoken yet, since they may not know who leads.
    pub(crate) fn tick_entrance(&mut self, effects: &mut Vec<Effect>) {
        if self.entrance.is_lost {
            return;
        }
        if self.is_open() {
            return self.greet_learners(effects);
        }
        if self.tick.is_multiple_of(self.timing.ticks(GREET_MS)) {
            let everybody = match self.entrance.founders.is_empty() {
                true => self.hints.clone(),
                false => self.entrance.founders.clone(),
            };
            everybody.into_iter().for_each(|to| self.greet(to, true, effects));
        }
    }

    fn greet_learners(&self, effects: &mut Vec<Effect>) {
        let learners = self.raft.membership().learners();
        let is_due = self.tick.is_multiple_of(self.timing.ticks(GREET_LEARNERS_MS));
        if !self.is_leader() || learners.is_empty() || !is_due {
            return;
        }
        for (id, progress) in self.raft.status().peers {
            if learners.contains_key(&id) && progress.matched == LogIndex::ZERO {
                self.greet(id, false, effects);
            }
        }
    }

    fn greet(&self, to: MemberId, asks: bool, effects: &mut Vec<Effect>) {
        let membership = self.raft.membership();
        let is_committed = self.raft.membership_index() <= self.raft.commit();
        let standing = if membership.is_voter(to) {
            Standing::Voter
        } else if membership.learners().contains_key(&to) {
            Standing::Learner
        } else {
            Standing::Stranger
        };
        let admission = self.entrance.admission;
        let leads = self.is_leader() && is_committed;
        let greeting = Greeting { admission, standing, leads, asks };
        effects.push(Effect::Send { to, message: PeerMessage::Greeting(greeting) });
    }

    pub(crate) fn on_greeting(
        &mut self,
        from: MemberId,
        greeting: Greeting,
        effects: &mut Vec<Effect>,
    ) {
        if greeting.asks {
            self.greet(from, false, effects);
        }
        if self.is_open() || self.entrance.is_lost {
            return;
        }
        let next = match self.entrance.founders.contains(&from) {
            true => self.founded(from, greeting),
            false if self.entrance.founders.is_empty() => self.joined(greeting),
            false => return,
        };
        match next {
            Ok(next) if next > self.entrance.admission && !self.entrance.is_saving => {
                self.entrance.is_saving = true;
                effects.push(Effect::Admit { admission: next });
            }
            Ok(_) => {}
            Err(reason) => {
                self.entrance.is_lost = true;
                effects.push(Effect::Stop { reason });
            }
        }
    }

    /// How far a founding member is after another greeted it.
    fn founded(&mut self, from: MemberId, greeting: Greeting) -> Result<Admission, String> {
        let entrance = &mut self.entrance;
        if entrance.admission == Admission::New && greeting.admission == Admission::Open {
            return Err(LOST.to_owned());
        }
        let met = entrance.met.entry(from).or_insert(greeting.admission);
        *met = greeting.admission.max(*met);
        let all = |at_least: Admission| {
            let has = |id| entrance.met.get(id).is_some_and(|met| *met >= at_least);
            entrance.founders.iter().all(has)
        };
        let some_open = entrance.met.values().any(|met| *met == Admission::Open);
        Ok(match entrance.admission {
            Admission::New if all(Admission::New) => Admission::Met,
            Admission::Met if all(Admission::Met) || some_open => Admission::Open,
            as_before => as_before,
        })
    }

    /// How far a member that joins is after another greeted it.
    fn joined(&self, greeting: Greeting) -> Result<Admission, String> {
        match greeting.standing {
            Standing::Voter => Err(LOST.to_owned()),
            Standing::Learner if greeting.leads => Ok(Admission::Open),
            Standing::Learner | Standing::Stranger => Ok(self.entrance.admission),
        }
    }

    /// It is durable.
    pub(crate) fn on_admitted(&mut self, admission: Admission, effects: &mut Vec<Effect>) {
        self.entrance.is_saving = false;
        self.entrance.admission = admission;
        let founders = self.entrance.founders.clone();
        founders.into_iter().for_each(|to| self.greet(to, true, effects));
    }
}

const LOST: &str = "the data folder is empty, but this member has taken part in the cluster \
     before: it has lost its disk, and with it what it promised the others. Restore the folder, \
     or take this machine in as a new member (`quorate cluster replace`), under a number that was \
     never used";
