//! Who takes part: voters, learners, and the passage from one set of voters to another.
//!
//! # The idea
//! A [`Membership`] travels as a log entry and is in force from the moment it is appended, not
//! when it is committed; when the entry is cut away again, the one before it returns (thesis 4.1).
//! The voters change in two steps (joint consensus, thesis 4.3). While the membership is *joint*,
//! every decision needs a majority of the incoming voters **and** a majority of the outgoing ones;
//! once that entry is committed, the leader appends the one that leaves the outgoing voters behind.
//!
//! ```text
//! {1 2 3}  ──►  {1 2 4} and {1 2 3}  ──►  {1 2 4}
//!            appended: joint in force      appended when the joint entry is committed
//! ```
//!
//! A *learner* receives the log and counts for nothing. Its [`Plan`] says what becomes of it once
//! it has caught up, and since the plan is part of the entry, a new leader carries it out too.
//!
//! # What always holds
//! - There is a voter. Learners do not vote.
//! - An id is given out once. A new member's id is above every id that was ever used, so a member
//!   that was removed, or lost its disk, can come back only as somebody else.

use crate::MemberId;
use alloc::collections::{BTreeMap, BTreeSet};
use bytes::Bytes;
use core::fmt;

/// Most members, learners and outgoing voters included.
pub const MEMBERS_MAX: usize = 16;

/// Most bytes of what the shell says about one member.
pub const CONTEXT_BYTES_MAX: usize = 96;

/// What a member costs beside its description.
const MEMBER_BYTES: u64 = 16;

/// What becomes of a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// It stays one.
    Stay,
    /// It becomes a voter when it has caught up.
    Promote,
    /// It becomes a voter in the place of that one when it has caught up.
    Replace(MemberId),
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Membership {
    voters: BTreeSet<MemberId>,
    /// The voters before, while joint; empty otherwise.
    outgoing: BTreeSet<MemberId>,
    learners: BTreeMap<MemberId, Plan>,
    /// What the shell says about each member, such as its address.
    contexts: BTreeMap<MemberId, Bytes>,
    /// The highest id that was ever used.
    highest: MemberId,
}

/// The parts of a [`Membership`], for its encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipParts {
    /// Who votes.
    pub voters: BTreeSet<MemberId>,
    /// Who voted before, while joint.
    pub outgoing: BTreeSet<MemberId>,
    /// Who only receives the log.
    pub learners: BTreeMap<MemberId, Plan>,
    /// What the shell says about each member.
    pub contexts: BTreeMap<MemberId, Bytes>,
    /// The highest id that was ever used.
    pub highest: MemberId,
}

/// One step of a change; a change is a list of them that takes effect as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ChangeStep {
    /// A new member that votes at once. Until it has caught up, it may hold up commits: a learner
    /// that is promoted does not.
    AddVoter {
        /// Above every id used so far.
        id: MemberId,
        /// What the shell needs to reach it.
        context: Bytes,
    },
    /// A new member that first only receives the log.
    AddLearner {
        /// Above every id used so far.
        id: MemberId,
        /// What the shell needs to reach it.
        context: Bytes,
        /// What becomes of it.
        plan: Plan,
    },
    /// A learner becomes a voter now, caught up or not.
    Promote {
        /// Which.
        id: MemberId,
    },
    /// A voter becomes a learner that stays one.
    Demote {
        /// Which.
        id: MemberId,
    },
    /// A voter or learner leaves.
    Remove {
        /// Which.
        id: MemberId,
    },
    /// The shell says something else about a member.
    Describe {
        /// Which.
        id: MemberId,
        /// The new words.
        context: Bytes,
    },
}

/// Why a change makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeError {
    /// It changes nothing.
    Nothing,
    /// The one before it is not finished.
    InProgress,
    /// That member is there already.
    AlreadyMember {
        /// Which.
        id: MemberId,
    },
    /// The id was used before, or could have been.
    IdUsed {
        /// Which.
        id: MemberId,
        /// The lowest id that is free.
        free: MemberId,
    },
    /// There is no such member.
    NotAMember {
        /// Which.
        id: MemberId,
    },
    /// That learner has not acknowledged anything to this leader: it may never have started.
    NotHeard {
        /// Which.
        id: MemberId,
    },
    /// Only a learner can be promoted.
    NotALearner {
        /// Which.
        id: MemberId,
    },
    /// Only a voter can be demoted or replaced.
    NotAVoter {
        /// Which.
        id: MemberId,
    },
    /// Nobody would vote.
    NoVoters,
    /// More than [`MEMBERS_MAX`].
    TooMany,
    /// More than [`CONTEXT_BYTES_MAX`] bytes about one member.
    ContextTooLong {
        /// Which.
        id: MemberId,
    },
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "the change changes nothing"),
            Self::InProgress => {
                write!(f, "another membership change is not finished; wait until it is")
            }
            Self::AlreadyMember { id } => write!(f, "member {id} is there already"),
            Self::IdUsed { id, free } => write!(
                f,
                "the id {id} was used before and ids are never used twice; choose {free} or above"
            ),
            Self::NotAMember { id } => write!(f, "there is no member {id}"),
            Self::NotHeard { id } => write!(
                f,
                "member {id} has not acknowledged anything yet; it is promoted once it has"
            ),
            Self::NotALearner { id } => write!(f, "member {id} is no learner"),
            Self::NotAVoter { id } => write!(f, "member {id} is no voter"),
            Self::NoVoters => write!(f, "nobody would be left to vote"),
            Self::TooMany => write!(f, "at most {MEMBERS_MAX} members are possible"),
            Self::ContextTooLong { id } => {
                write!(f, "the description of member {id} exceeds {CONTEXT_BYTES_MAX} bytes")
            }
        }
    }
}

impl core::error::Error for ChangeError {}

impl Membership {
    /// The first membership of a group.
    pub fn founding(voters: impl IntoIterator<Item = (MemberId, Bytes)>) -> Self {
        let contexts: BTreeMap<MemberId, Bytes> = voters.into_iter().collect();
        let voters: BTreeSet<MemberId> = contexts.keys().copied().collect();
        let highest = voters.last().copied().unwrap_or_default();
        Self { voters, outgoing: BTreeSet::new(), learners: BTreeMap::new(), contexts, highest }
    }

    /// Puts it together from its parts.
    ///
    /// # Errors
    /// [`ChangeError`] when no leader could have made it.
    pub fn from_parts(parts: MembershipParts) -> Result<Self, ChangeError> {
        let MembershipParts { voters, outgoing, learners, contexts, highest } = parts;
        let this = Self { voters, outgoing, learners, contexts, highest };
        this.check()?;
        let above = this.ids().find(|id| *id > this.highest);
        match above {
            Some(id) => Err(ChangeError::IdUsed { id, free: id }),
            None => Ok(this),
        }
    }

    /// Takes it apart.
    pub fn into_parts(self) -> MembershipParts {
        let Self { voters, outgoing, learners, contexts, highest } = self;
        MembershipParts { voters, outgoing, learners, contexts, highest }
    }

    /// Who votes; while joint, the incoming ones.
    pub fn voters(&self) -> &BTreeSet<MemberId> {
        &self.voters
    }

    /// Who voted before, while joint; empty otherwise.
    pub fn outgoing(&self) -> &BTreeSet<MemberId> {
        &self.outgoing
    }

    /// Who only receives the log.
    pub fn learners(&self) -> &BTreeMap<MemberId, Plan> {
        &self.learners
    }

    /// What the shell says about `id`.
    pub fn context(&self, id: MemberId) -> Option<&Bytes> {
        self.contexts.get(&id)
    }

    /// The highest id ever used; a new member's is above it.
    pub fn highest(&self) -> MemberId {
        self.highest
    }

    /// Whether two sets of voters must agree.
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether `id` votes, in either set.
    pub fn is_voter(&self, id: MemberId) -> bool {
        self.voters.contains(&id) || self.outgoing.contains(&id)
    }

    /// Whether `id` takes part at all.
    pub fn contains(&self, id: MemberId) -> bool {
        self.is_voter(id) || self.learners.contains_key(&id)
    }

    /// Whether `id` took part once, or can never do so: not a member, and not above every id used.
    pub fn is_gone(&self, id: MemberId) -> bool {
        id <= self.highest && !self.contains(id)
    }

    /// What it counts towards limits in bytes.
    pub fn size_bytes(&self) -> u64 {
        let of_member = |context: &Bytes| context.len() as u64 + MEMBER_BYTES;
        self.contexts.values().map(of_member).sum()
    }

    /// All members, ascending.
    pub fn ids(&self) -> impl Iterator<Item = MemberId> {
        let mut all: BTreeSet<MemberId> = self.voters.union(&self.outgoing).copied().collect();
        all.extend(self.learners.keys());
        all.into_iter()
    }

    /// The membership after `steps`: joint if the voters change.
    ///
    /// # Errors
    /// [`ChangeError`] for the first step that makes no sense.
    pub fn changed(&self, steps: &[ChangeStep]) -> Result<Self, ChangeError> {
        if self.is_joint() {
            return Err(ChangeError::InProgress);
        }
        let mut next = self.clone();
        for step in steps {
            next.take(step)?;
        }
        if next.voters != self.voters {
            next.outgoing.clone_from(&self.voters);
        }
        next.forget_strangers();
        next.check()?;
        if next == *self { Err(ChangeError::Nothing) } else { Ok(next) }
    }

    /// The membership after `id` has caught up, or `None` if it is no learner with such a plan.
    pub fn promoted(&self, id: MemberId) -> Option<Self> {
        let steps: &[ChangeStep] = match self.learners.get(&id)? {
            Plan::Stay => return None,
            Plan::Replace(old) if self.voters.contains(old) => {
                &[ChangeStep::Promote { id }, ChangeStep::Remove { id: *old }]
            }
            Plan::Promote | Plan::Replace(_) => &[ChangeStep::Promote { id }],
        };
        self.changed(steps).ok()
    }

    /// The membership after a joint one: the outgoing voters are left behind.
    pub fn left(&self) -> Self {
        let mut next = self.clone();
        next.outgoing.clear();
        next.forget_strangers();
        next
    }

    fn take(&mut self, step: &ChangeStep) -> Result<(), ChangeError> {
        match step {
            ChangeStep::AddVoter { id, context } => {
                self.admit(*id, context)?;
                self.voters.insert(*id);
            }
            ChangeStep::AddLearner { id, context, plan } => {
                self.admit(*id, context)?;
                if let Plan::Replace(old) = plan {
                    self.require_voter(*old)?;
                }
                self.learners.insert(*id, *plan);
            }
            ChangeStep::Promote { id } => {
                self.learners.remove(id).ok_or(ChangeError::NotALearner { id: *id })?;
                self.voters.insert(*id);
            }
            ChangeStep::Demote { id } => {
                self.require_voter(*id)?;
                self.voters.remove(id);
                self.learners.insert(*id, Plan::Stay);
            }
            ChangeStep::Remove { id } => {
                let was_member = self.voters.remove(id) | self.learners.remove(id).is_some();
                if !was_member {
                    return Err(ChangeError::NotAMember { id: *id });
                }
            }
            ChangeStep::Describe { id, context } => {
                if !self.contains(*id) {
                    return Err(ChangeError::NotAMember { id: *id });
                }
                self.describe(*id, context)?;
            }
        }
        Ok(())
    }

    fn admit(&mut self, id: MemberId, context: &Bytes) -> Result<(), ChangeError> {
        if self.contains(id) {
            return Err(ChangeError::AlreadyMember { id });
        }
        if id <= self.highest {
            return Err(ChangeError::IdUsed { id, free: self.highest.next() });
        }
        self.highest = id;
        self.describe(id, context)
    }

    fn describe(&mut self, id: MemberId, context: &Bytes) -> Result<(), ChangeError> {
        if context.len() > CONTEXT_BYTES_MAX {
            return Err(ChangeError::ContextTooLong { id });
        }
        self.contexts.insert(id, context.clone());
        Ok(())
    }

    fn require_voter(&self, id: MemberId) -> Result<(), ChangeError> {
        if self.voters.contains(&id) { Ok(()) } else { Err(ChangeError::NotAVoter { id }) }
    }

    fn forget_strangers(&mut self) {
        let known: BTreeSet<MemberId> = self.ids().collect();
        self.contexts.retain(|id, _| known.contains(id));
    }

    fn check(&self) -> Result<(), ChangeError> {
        if self.voters.is_empty() && self.contains_anybody() {
            return Err(ChangeError::NoVoters);
        }
        if let Some(id) = self.voters.iter().find(|id| self.learners.contains_key(id)) {
            return Err(ChangeError::AlreadyMember { id: *id });
        }
        if self.ids().count() > MEMBERS_MAX {
            return Err(ChangeError::TooMany);
        }
        let is_long = |(_, context): &(&MemberId, &Bytes)| context.len() > CONTEXT_BYTES_MAX;
        match self.contexts.iter().find(is_long) {
            Some((id, _)) => Err(ChangeError::ContextTooLong { id: *id }),
            None => Ok(()),
        }
    }

    /// A member that waits to be taken in knows of nobody.
    fn contains_anybody(&self) -> bool {
        self.highest != MemberId::default() || self.is_joint() || !self.learners.is_empty()
    }
}

impl fmt::Display for Membership {
    /// As `{1 2 3}`, `{1 2 4} and {1 2 3}`, `{1 2 3} learning 4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = |f: &mut fmt::Formatter<'_>, ids: &BTreeSet<MemberId>| {
            write!(f, "{{")?;
            for (place, id) in ids.iter().enumerate() {
                write!(f, "{}{id}", if place == 0 { "" } else { " " })?;
            }
            write!(f, "}}")
        };
        set(f, &self.voters)?;
        if self.is_joint() {
            write!(f, " and ")?;
            set(f, &self.outgoing)?;
        }
        for (place, (id, plan)) in self.learners.iter().enumerate() {
            write!(f, "{} {id}", if place == 0 { " learning" } else { "," })?;
            match plan {
                Plan::Stay => {}
                Plan::Promote => write!(f, " to vote")?,
                Plan::Replace(old) => write!(f, " for {old}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
