//! The network between members: each directed link delays, loses, duplicates, reorders, corrupts,
//! clogs, narrows, is reset or cut, on its own.
//!
//! Frames carry a CRC-32C as real ones do; a corrupted frame arrives and is dropped by its
//! receiver, so corruption also exercises the check itself. Healthy links differ too: each has
//! its own [distribution of delays](delays).

pub mod delays;

use std::collections::BTreeMap;

use base::{Prng, crc32c};
use bytes::Bytes;

use crate::faults::FaultId;
use crate::hash::mix;
use crate::time::{Nanos, SECOND};
use delays::Delays;

/// A direction between two members, by their numbers from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The sender.
    pub from: usize,
    /// The receiver.
    pub to: usize,
}

impl Link {
    /// Whether both ends are among the first `members`.
    pub fn is_within(self, members: usize) -> bool {
        self.from < members && self.to < members
    }
}

/// A link that carries little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Narrow {
    /// How fast it is.
    pub bytes_per_second: u64,
    /// How much may wait; the rest is lost.
    pub queue_bytes: u64,
}

/// How a link misbehaves at present; rates in 1/1000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Nothing passes.
    pub cut: bool,
    /// Everything waits until the trouble is over.
    pub clog: bool,
    /// Share of frames lost.
    pub loss_permille: u64,
    /// Share of frames that arrive twice.
    pub duplicate_permille: u64,
    /// How late the second time at most.
    pub late_ns: Nanos,
    /// Share of frames with a damaged byte.
    pub corrupt_permille: u64,
    /// Upper bound of an additional delay, drawn for each frame: frames overtake each other.
    pub extra_delay_ns: Nanos,
    /// Few bytes pass.
    pub narrow: Option<Narrow>,
}

/// What the network did, counted by what was noticeable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetCounts {
    /// Frames given to the network.
    pub sent: u64,
    /// Lost on a lossy, cut or narrow link.
    pub lost: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// Damaged on the way.
    pub corrupted: u64,
    /// Delayed beyond the healthy bounds.
    pub delayed: u64,
    /// Dropped because their connection was reset.
    pub reset: u64,
}

/// All links.
#[derive(Debug)]
pub struct Net {
    /// Seed of the chance of each frame, which depends on its link and time and on nothing that
    /// happened before, so that leaving one frame out moves no other.
    seed: u64,
    members: usize,
    wires: Vec<Wire>,
    /// Faults that touched a frame since the last look.
    touched: Vec<FaultId>,
    counts: NetCounts,
}

/// One link.
#[derive(Debug)]
struct Wire {
    delays: Delays,
    /// Overlapping troubles by the number of the fault that brought them.
    troubles: BTreeMap<FaultId, (Trouble, Window)>,
    /// Number of the present connection.
    connection: u64,
    /// The fault that ended the one before.
    reset_by: FaultId,
    /// Late copies of earlier connections do not come either.
    is_severed: bool,
    /// A narrow link is at work until then.
    busy_until: Nanos,
}

/// When a trouble is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Begin.
    pub from_ns: Nanos,
    /// End.
    pub until_ns: Nanos,
}

/// One copy of a frame on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// How long it takes.
    pub delay_ns: Nanos,
    /// As it arrives.
    pub frame: Frame,
    /// The connection it is on; `None` for a second copy, which outlives all of them.
    pub connection: Option<u64>,
}

/// A frame: the checksum travels with the body, and each may be damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    sum: u32,
    body: Bytes,
    /// Whether it is still as it was sealed, so that its sum need not be looked at.
    is_sound: bool,
}

impl Frame {
    /// The frame for `body`.
    pub fn seal(body: Bytes) -> Self {
        Self { sum: crc32c(&body), body, is_sound: true }
    }

    /// The body, or `None` when the checksum does not match.
    pub fn open(self) -> Option<Bytes> {
        (self.is_sound || crc32c(&self.body) == self.sum).then_some(self.body)
    }

    /// A hash of the frame, for traces.
    pub(crate) fn hash(&self) -> u64 {
        u64::from(self.sum) << 32 | self.body.len() as u64
    }

    fn len(&self) -> usize {
        size_of::<u32>() + self.body.len()
    }

    /// Damages one byte.
    fn corrupt(&mut self, random: &mut Prng) {
        self.is_sound = false;
        let at = random.below(self.len() as u64) as usize;
        let flip = random.between(1, 255) as u8;
        match at.checked_sub(size_of::<u32>()) {
            None => self.sum ^= u32::from(flip) << (8 * at),
            Some(at) => {
                let mut damaged = self.body.to_vec();
                damaged[at] ^= flip;
                self.body = damaged.into();
            }
        }
    }
}

impl Net {
    /// A network without trouble; each link draws its delays.
    pub fn new(mut random: Prng, members: usize) -> Self {
        let wire = |random: &mut Prng| Wire {
            delays: Delays::draw(random),
            troubles: BTreeMap::new(),
            connection: 0,
            reset_by: 0,
            is_severed: false,
            busy_until: 0,
        };
        let wires = (0..members * members).map(|_| wire(&mut random)).collect();
        Self {
            seed: random.next_u64(),
            members,
            wires,
            touched: Vec::new(),
            counts: NetCounts::default(),
        }
    }

    fn wire(&mut self, link: Link) -> &mut Wire {
        &mut self.wires[link.from * self.members + link.to]
    }

    /// Lets the fault `fault` trouble `link` in `window`, or until [`Net::heal`].
    pub fn trouble(&mut self, link: Link, fault: FaultId, trouble: Trouble, window: Window) {
        self.wire(link).troubles.insert(fault, (trouble, window));
    }

    /// Ends the fault `fault`.
    pub fn heal(&mut self, fault: FaultId) {
        for wire in &mut self.wires {
            wire.troubles.remove(&fault);
        }
    }

    /// Loses what is on its way on `link`.
    pub fn reset(&mut self, link: Link, fault: FaultId) {
        let wire = self.wire(link);
        (wire.connection, wire.reset_by) = (wire.connection + 1, fault);
    }

    /// Loses what is on its way on `link`, late copies as well.
    pub fn sever(&mut self, link: Link, fault: FaultId) {
        self.reset(link, fault);
        self.wire(link).is_severed = true;
    }

    /// Whether a frame on `connection` still arrives; a late copy belongs to none.
    pub fn arrives(&mut self, link: Link, connection: Option<u64>) -> bool {
        let wire = self.wire(link);
        let arrives = match connection {
            Some(connection) => connection == wire.connection,
            None => !wire.is_severed,
        };
        if !arrives {
            let fault = wire.reset_by;
            self.counts.reset += 1;
            self.touched.push(fault);
        }
        arrives
    }

    /// What happened so far.
    pub fn counts(&self) -> NetCounts {
        self.counts
    }

    /// The faults that had an effect on a frame since the last call.
    pub fn take_touched(&mut self) -> Vec<FaultId> {
        core::mem::take(&mut self.touched)
    }

    /// Sends `body` at `now`: no passage when it is lost, two when it is duplicated.
    pub fn send(
        &mut self,
        now: Nanos,
        link: Link,
        body: Bytes,
    ) -> impl Iterator<Item = Passage> + use<> {
        let (first, again) = self.pass(now, link, body);
        first.into_iter().chain(again)
    }

    fn pass(&mut self, now: Nanos, link: Link, body: Bytes) -> (Option<Passage>, Option<Passage>) {
        self.counts.sent += 1;
        let number = link.from * self.members + link.to;
        let wire = &mut self.wires[number];
        let place = mix(mix(self.seed, number as u64), now);
        let random = &mut Prng::named(mix(place, body.len() as u64), "frame");
        let mut passage = Passage {
            delay_ns: wire.delays.sample(random),
            frame: Frame::seal(body),
            connection: Some(wire.connection),
        };
        if wire.troubles.is_empty() {
            return (Some(passage), None);
        }
        let mut fate = Fate { now, random, counts: &mut self.counts, again: None };
        for (fault, (trouble, window)) in &wire.troubles {
            if !(window.from_ns..window.until_ns).contains(&now) {
                continue;
            }
            let (touched, passes) =
                fate.meets(trouble, *window, &mut wire.busy_until, &mut passage);
            if touched {
                self.touched.push(*fault);
            }
            if !passes {
                return (None, None);
            }
        }
        let again = fate.again.map(|later| Passage {
            delay_ns: passage.delay_ns + later,
            frame: passage.frame.clone(),
            connection: None,
        });
        (Some(passage), again)
    }
}

/// What troubles do to one frame.
struct Fate<'a> {
    now: Nanos,
    random: &'a mut Prng,
    counts: &'a mut NetCounts,
    /// The frame comes a second time, so much later.
    again: Option<Nanos>,
}

impl Fate<'_> {
    /// Whether `trouble` touched the frame, and whether the frame still passes.
    fn meets(
        &mut self,
        trouble: &Trouble,
        window: Window,
        busy_until: &mut Nanos,
        passage: &mut Passage,
    ) -> (bool, bool) {
        let mut touched = false;
        if trouble.cut || self.random.chance(trouble.loss_permille, 1000) {
            self.counts.lost += 1;
            return (true, false);
        }
        if let Some(narrow) = trouble.narrow {
            let begins = self.now.max(*busy_until);
            let takes = |bytes: u64| bytes * SECOND / narrow.bytes_per_second;
            if begins - self.now > takes(narrow.queue_bytes) {
                self.counts.lost += 1;
                return (true, false);
            }
            *busy_until = begins + takes(passage.frame.len() as u64);
            passage.delay_ns += *busy_until - self.now;
            self.counts.delayed += 1;
            touched = true;
        }
        if trouble.clog {
            passage.delay_ns += window.until_ns - self.now;
            self.counts.delayed += 1;
            touched = true;
        }
        if trouble.extra_delay_ns > 0 {
            passage.delay_ns += self.random.below(trouble.extra_delay_ns);
            self.counts.delayed += 1;
            touched = true;
        }
        if self.random.chance(trouble.duplicate_permille, 1000) {
            self.again = Some(self.random.below(trouble.late_ns));
            self.counts.duplicated += 1;
            touched = true;
        }
        if self.random.chance(trouble.corrupt_permille, 1000) {
            passage.frame.corrupt(self.random);
            self.counts.corrupted += 1;
            touched = true;
        }
        (touched, true)
    }
}

#[cfg(test)]
mod tests;
