//! The network between members: each directed link delays, loses, duplicates, reorders, corrupts
//! or is cut, on its own.
//!
//! Frames carry a CRC-32C as real ones do; a corrupted frame arrives and is dropped by its
//! receiver, so corruption also exercises the check itself.

use std::collections::BTreeMap;

use base::{Prng, crc32c};
use bytes::{Bytes, BytesMut};

use crate::time::{MILLI, Nanos};

/// A direction between two members, by their numbers from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The sender.
    pub from: usize,
    /// The receiver.
    pub to: usize,
}

/// How a link misbehaves at present; rates in 1/1000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Nothing passes.
    pub cut: bool,
    /// Share of frames lost.
    pub loss_permille: u64,
    /// Share of frames that arrive twice, the second time up to seconds later.
    pub duplicate_permille: u64,
    /// Share of frames with a damaged byte.
    pub corrupt_permille: u64,
    /// Upper bound of an additional delay, drawn for each frame: frames overtake each other.
    pub extra_delay_ns: Nanos,
}

/// Healthy delays of all links.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// Shortest time from one member to another.
    pub min_ns: Nanos,
    /// Longest such time.
    pub max_ns: Nanos,
}

/// What the network did, counted by what was noticeable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetCounts {
    /// Frames given to the network.
    pub sent: u64,
    /// Lost on a lossy or cut link.
    pub lost: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// Damaged on the way.
    pub corrupted: u64,
    /// Delayed beyond the healthy bounds.
    pub delayed: u64,
}

/// All links.
#[derive(Debug)]
pub struct Net {
    random: Prng,
    latency: Latency,
    /// Overlapping troubles by the number of the fault that brought them.
    troubles: BTreeMap<(Link, u64), Trouble>,
    /// How often each fault had an effect on a frame.
    effects: BTreeMap<u64, u64>,
    counts: NetCounts,
}

/// One copy of a frame on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// How long it takes.
    pub delay_ns: Nanos,
    /// As it arrives.
    pub frame: Bytes,
}

/// Puts the checksum in front.
pub fn seal(body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(body.len() + 4);
    frame.extend_from_slice(&crc32c(body).to_le_bytes());
    frame.extend_from_slice(body);
    frame.freeze()
}

/// The body of a frame, or `None` when its checksum does not match.
pub fn open(mut frame: Bytes) -> Option<Bytes> {
    if frame.len() < 4 {
        return None;
    }
    let body = frame.split_off(4);
    (crc32c(&body).to_le_bytes()[..] == frame[..]).then_some(body)
}

impl Net {
    /// A network without trouble.
    pub fn new(random: Prng, latency: Latency) -> Self {
        let counts = NetCounts::default();
        Self { random, latency, troubles: BTreeMap::new(), effects: BTreeMap::new(), counts }
    }

    /// Lets the fault `fault` trouble `link` until [`Net::heal`].
    pub fn trouble(&mut self, link: Link, fault: u64, trouble: Trouble) {
        self.troubles.insert((link, fault), trouble);
    }

    /// Ends the fault `fault` and says how many frames it touched.
    pub fn heal(&mut self, fault: u64) -> u64 {
        self.troubles.retain(|(_, number), _| *number != fault);
        self.effects.remove(&fault).unwrap_or(0)
    }

    /// What happened so far.
    pub fn counts(&self) -> NetCounts {
        self.counts
    }

    /// Sends `body`: no passage when it is lost, two when it is duplicated.
    pub fn send(&mut self, link: Link, body: &[u8]) -> Vec<Passage> {
        self.counts.sent += 1;
        let mut delay_ns = self.random.between(self.latency.min_ns, self.latency.max_ns);
        let mut frame = seal(body);
        let mut again_ns = None;
        let troubles: Vec<(u64, Trouble)> = self
            .troubles
            .range((link, 0)..=(link, u64::MAX))
            .map(|((_, fault), trouble)| (*fault, *trouble))
            .collect();
        for (fault, trouble) in troubles {
            if trouble.cut || self.random.chance(trouble.loss_permille, 1000) {
                self.counts.lost += 1;
                self.touched(fault);
                return Vec::new();
            }
            if trouble.extra_delay_ns > 0 {
                delay_ns += self.random.below(trouble.extra_delay_ns);
                self.counts.delayed += 1;
                self.touched(fault);
            }
            if self.random.chance(trouble.duplicate_permille, 1000) {
                again_ns = Some(self.random.below(2_000 * MILLI));
                self.counts.duplicated += 1;
                self.touched(fault);
            }
            if self.random.chance(trouble.corrupt_permille, 1000) {
                frame = self.corrupt(&frame);
                self.counts.corrupted += 1;
                self.touched(fault);
            }
        }
        let again =
            again_ns.map(|later| Passage { delay_ns: delay_ns + later, frame: frame.clone() });
        [Passage { delay_ns, frame }].into_iter().chain(again).collect()
    }

    fn touched(&mut self, fault: u64) {
        *self.effects.entry(fault).or_default() += 1;
    }

    fn corrupt(&mut self, frame: &[u8]) -> Bytes {
        let mut damaged = frame.to_vec();
        let at = self.random.below(damaged.len() as u64) as usize;
        damaged[at] ^= self.random.between(1, 255) as u8;
        damaged.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link = Link { from: 0, to: 1 };

    fn net() -> Net {
        Net::new(Prng::named(1, "net"), Latency { min_ns: 10, max_ns: 20 })
    }

    #[test]
    fn a_healthy_link_delivers_once_and_whole() {
        let mut net = net();
        for _ in 0..100 {
            let passages = net.send(LINK, b"hello");
            assert_eq!(passages.len(), 1);
            assert!((10..=20).contains(&passages[0].delay_ns));
            assert_eq!(open(passages[0].frame.clone()).as_deref(), Some(&b"hello"[..]));
        }
    }

    #[test]
    fn a_cut_is_one_way_and_counts_its_effects() {
        let mut net = net();
        net.trouble(LINK, 7, Trouble { cut: true, ..Trouble::default() });
        assert_eq!(net.send(LINK, b"x"), []);
        assert_eq!(net.send(Link { from: 1, to: 0 }, b"x").len(), 1);
        assert_eq!(net.heal(7), 1);
        assert_eq!(net.send(LINK, b"x").len(), 1);
    }

    #[test]
    fn corruption_is_noticed_by_the_checksum() {
        let mut net = net();
        net.trouble(LINK, 1, Trouble { corrupt_permille: 1000, ..Trouble::default() });
        for _ in 0..200 {
            let passages = net.send(LINK, b"some bytes");
            assert_eq!(open(passages[0].frame.clone()), None);
        }
        assert_eq!(open(Bytes::from_static(b"abc")), None);
    }

    #[test]
    fn duplicates_and_delays() {
        let mut net = net();
        let extra_delay_ns = 1_000_000;
        let trouble = Trouble { duplicate_permille: 1000, extra_delay_ns, ..Trouble::default() };
        net.trouble(LINK, 1, trouble);
        let passages = net.send(LINK, b"x");
        assert_eq!(passages.len(), 2);
        assert!(passages[1].delay_ns >= passages[0].delay_ns);
        assert_eq!(net.counts().duplicated, 1);
        assert_eq!(net.heal(1), 2);
    }
}
