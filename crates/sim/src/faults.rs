//! Faults: what may begin, and whether anybody noticed.
//!
//! Each fault has a number and a class. It counts only if it had an effect: a process that really
//! died, a frame that was really lost, a sync that really took longer. A harsh run with less than
//! one effective fault a second proves nothing and fails.
//!
//! All choices of a fault are made when it is [drawn](plan::FaultPlan), so that a list of
//! [`Planned`] ones is a script: a shrunk run is the same seed with fewer lines in it.

mod plan;
mod shapes;

pub(crate) use plan::FaultPlan;

use crate::disk::{Mishap, PowerCut};
use crate::net::{Link, Trouble};
use crate::swarm::Span;
use crate::time::Nanos;
use crate::truth::Member;

/// Number of a fault, unique in a run.
pub type FaultId = u64;

listed! {
    /// One class of faults.
    FaultClass:

    /// A process is killed, perhaps again while it starts; what it wrote stays readable.
    Kill;
    /// A machine loses power.
    PowerCut;
    /// All machines lose power at once.
    Blackout;
    /// A process dies between two disk operations.
    DieWriting;
    /// A process stands still.
    Pause;
    /// Every step of a process takes long.
    SlowCpu;
    /// Ticks come late and in bursts.
    LateTicks;
    /// A clock runs wrong by up to 5 %.
    Drift;
    /// A clock jumps ahead by up to ten minutes, goes back or stands still.
    ClockJump;
    /// Links are cut, in some shape.
    Partition;
    /// Whoever leads is cut off a moment after it begins to, one leader after the other.
    Overthrow;
    /// Callers and members do not reach each other, in one direction or both.
    CallerCut;
    /// Frames are lost.
    Loss;
    /// Frames arrive twice, the second time up to a minute late.
    Duplication;
    /// Frames are delayed and overtake each other.
    Reorder;
    /// Frames wait until the link is free again, links one after the other.
    Clog;
    /// Links carry few bytes a second, and their queues are short.
    Narrow;
    /// Connections are reset: what is on its way is lost.
    Reset;
    /// Frames arrive damaged.
    Corruption;
    /// Syncs take long, or seconds.
    SlowDisk;
    /// A sync fails.
    FailedSync;
    /// A write fails in the middle.
    ShortWrite;
    /// There is no space.
    FullDisk;
    /// A write or a read goes to another place.
    Misdirected;
    /// A bit of a synced sector flips.
    BitRot;
    /// A synced sector cannot be read.
    ReadError;
    /// A member loses everything, for ever.
    Wipe;
}

impl FaultClass {
    /// Whether it needs somebody to talk to.
    pub fn is_network(self) -> bool {
        use FaultClass as C;
        matches!(
            self,
            C::Partition
                | C::Overthrow
                | C::Loss
                | C::Duplication
                | C::Reorder
                | C::Clog
                | C::Narrow
                | C::Reset
                | C::Corruption
        )
    }

    /// Whether it may change or take bytes that were durable.
    pub fn is_damage(self) -> bool {
        use FaultClass as C;
        matches!(self, C::Misdirected | C::BitRot | C::ReadError | C::Wipe)
    }
}

/// A link and the part of the fault's length, in 1/1000, in which it is troubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSpan {
    /// Which.
    pub link: Link,
    /// Begin.
    pub from_permille: u64,
    /// End.
    pub to_permille: u64,
}

/// A fault with all its choices made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Processes die, with or without their power; `opening`: the next start dies as well, after
    /// so many operations of its log's disk.
    Die {
        /// Whose.
        members: Vec<Member>,
        /// What the power takes along, if it goes.
        cut: Option<PowerCut>,
        /// Operations of the next start.
        opening: Option<u64>,
    },
    /// Something spoils a later operation of a disk.
    Mishap {
        /// Whose.
        member: Member,
        /// The disk of the log, else that of the state.
        log: bool,
        /// What.
        mishap: Mishap,
    },
    /// A disk has room for some bytes only.
    Full {
        /// Whose.
        member: Member,
        /// As above.
        log: bool,
        /// Room.
        bytes: u64,
    },
    /// An old sector is changed, or cannot be read any more.
    Injure {
        /// Whose.
        member: Member,
        /// As above.
        log: bool,
        /// It cannot be read; else it is changed.
        unreadable: bool,
    },
    /// Every file of the log that begins with this name loses an old sector while the process is
    /// dead: copies do not help.
    InjureCopies {
        /// Whose.
        member: Member,
        /// The beginning of the names.
        files: &'static str,
    },
    /// Both folders are empty; the member never comes back under this id.
    Wipe {
        /// Whose.
        member: Member,
    },
    /// A process stands still.
    Pause {
        /// Whose.
        member: Member,
    },
    /// Each step takes longer.
    SlowCpu {
        /// Whose.
        member: Member,
        /// By so much.
        step_ns: Nanos,
    },
    /// Ticks come late.
    LateTicks {
        /// Whose.
        member: Member,
        /// By up to so much.
        by_ns: Nanos,
    },
    /// A clock runs wrong.
    Drift {
        /// Whose.
        member: Member,
        /// Parts per million; positive = slow.
        drift_ppm: i64,
    },
    /// A clock jumps: ahead, so that many ticks are due at once, or back, so that none is due.
    Jump {
        /// Whose.
        member: Member,
        /// By so much; 0 or less: no ticks until the fault is over.
        ahead_ns: i64,
    },
    /// Links misbehave.
    Network {
        /// Which, and when.
        links: Vec<LinkSpan>,
        /// How.
        trouble: Trouble,
    },
    /// Each new leader is cut off, so long after it began to lead.
    Overthrow {
        /// At first.
        member: Member,
        /// How long each may lead.
        after_ns: Nanos,
        /// It still hears the others.
        hears: bool,
    },
    /// What is on its way on these links is lost.
    Reset {
        /// Which.
        links: Vec<Link>,
    },
    /// Callers and members do not reach each other.
    Callers {
        /// Which members.
        members: Vec<Member>,
        /// Calls are lost.
        asks: bool,
        /// Answers are lost.
        answers: bool,
    },
    /// A disk is slow.
    Slow {
        /// Whose.
        member: Member,
        /// Duration of a sync.
        span: Span,
    },
}

impl Fault {
    /// The members that it concerns, for the report's matrix.
    pub fn victims(&self) -> Vec<Member> {
        match self {
            Self::Die { members, .. } | Self::Callers { members, .. } => members.clone(),
            Self::Mishap { member, .. }
            | Self::Full { member, .. }
            | Self::Injure { member, .. }
            | Self::InjureCopies { member, .. }
            | Self::Wipe { member }
            | Self::Pause { member }
            | Self::SlowCpu { member, .. }
            | Self::LateTicks { member, .. }
            | Self::Drift { member, .. }
            | Self::Jump { member, .. }
            | Self::Slow { member, .. } => vec![*member],
            Self::Network { .. } | Self::Reset { .. } | Self::Overthrow { .. } => Vec::new(),
        }
    }

    /// The same fault in a group of `members`; `None` if nothing of it is left.
    pub fn within(&self, members: usize) -> Option<Self> {
        let mut fault = self.clone();
        let is_empty = match &mut fault {
            Self::Die { members: hit, .. } | Self::Callers { members: hit, .. } => {
                hit.retain(|member| *member < members);
                hit.is_empty()
            }
            Self::Network { links, .. } => {
                links.retain(|span| span.link.is_within(members));
                links.is_empty()
            }
            Self::Reset { links } => {
                links.retain(|link| link.is_within(members));
                links.is_empty()
            }
            other => other.victims().iter().any(|member| *member >= members),
        };
        (!is_empty).then_some(fault)
    }
}

/// A fault in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its number.
    pub id: FaultId,
    /// When it begins.
    pub at_ns: Nanos,
    /// How long it lasts, or a dead process stays dead.
    pub length_ns: Nanos,
    /// Of which class it is.
    pub class: FaultClass,
    /// What it is.
    pub fault: Fault,
}

/// Faults of one class by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Begun.
    pub begun: u64,
    /// Begun and noticed by somebody.
    pub effective: u64,
}

/// Faults by class and by what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultCounts([Count; FaultClass::COUNT]);

impl Default for FaultCounts {
    fn default() -> Self {
        Self([Count::default(); FaultClass::COUNT])
    }
}

impl FaultCounts {
    /// Those of `class`.
    pub fn of(&self, class: FaultClass) -> Count {
        self.0[class as usize]
    }

    /// Those of `class`, to be changed.
    pub(crate) fn of_mut(&mut self, class: FaultClass) -> &mut Count {
        &mut self.0[class as usize]
    }

    /// All together.
    pub fn total(&self) -> Count {
        let sum = |a: Count, b: &Count| Count {
            begun: a.begun + b.begun,
            effective: a.effective + b.effective,
        };
        self.0.iter().fold(Count::default(), sum)
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        for (one, more) in self.0.iter_mut().zip(&other.0) {
            one.begun += more.begun;
            one.effective += more.effective;
        }
    }
}
