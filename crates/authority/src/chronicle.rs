//! What an authority remembers of the rounds, for people: who proposed, checked, was ready, signed
//! what, and when it was seen here. Nothing is decided by it, and it is bounded.
//!
//! Only what was verified gets in. After a restart the own journal fills in what was decided and
//! by whom; who had proposed and checked before that is gone.

use std::collections::{BTreeMap, VecDeque};

use crate::vote::{Certificate, Kind, Value, Vote};

/// Heights kept; above that the lowest goes.
pub const HEIGHTS_MAX: usize = 64;
/// Rounds kept of one height; above that the lowest goes.
pub const ROUNDS_MAX: usize = 16;

/// One statement as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// What for; `None` is "nil".
    pub value: Option<Value>,
    /// When it was seen here, by the clock of [`crate::Event::Ticked`]; `None` when only a
    /// certificate tells it.
    pub seen_ms: Option<u64>,
}

/// One attempt at a decision. Authorities by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoundRecord {
    /// Who proposed, and what.
    pub proposal: Option<(u8, Said)>,
    /// Who said `checked`.
    pub checked: BTreeMap<u8, Said>,
    /// Who said `ready`.
    pub ready: BTreeMap<u8, Said>,
}

/// One decision, or the attempts at it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeightRecord {
    /// Which decision, from 0.
    pub height: u64,
    /// Its attempts by number, from 0.
    pub rounds: BTreeMap<u32, RoundRecord>,
    /// What was decided, in which round, and when that was known here.
    pub decided: Option<(u32, Value, Option<u64>)>,
    /// Seconds since 1970 in each authority's cosignature on it, by number.
    pub cosigned: BTreeMap<u8, u64>,
}

/// What an authority said last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastWord {
    /// Height and round.
    pub round: (u64, u32),
    /// When it was seen here.
    pub seen_ms: u64,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    heights: VecDeque<HeightRecord>,
    last_words: BTreeMap<u8, LastWord>,
}

impl Chronicle {
    /// The heights kept, ascending.
    pub fn heights(&self) -> impl DoubleEndedIterator<Item = &HeightRecord> {
        self.heights.iter()
    }

    /// What this authority said last; `None` before it has said anything.
    pub fn last_word(&self, authority: u8) -> Option<LastWord> {
        self.last_words.get(&authority).copied()
    }

    /// The height that decided this value, if it is kept.
    pub fn height_of(&self, value: Value) -> Option<u64> {
        let of = |one: &&HeightRecord| one.decided.is_some_and(|(_, it, _)| it == value);
        self.heights.iter().rev().find(of).map(|one| one.height)
    }

    pub(crate) fn heard(&mut self, authority: u8, vote: &Vote, now_ms: u64) {
        let said = vote.statement;
        let word = self.last_words.entry(authority).or_default();
        if (said.height, said.round) >= word.round {
            *word = LastWord { round: (said.height, said.round), seen_ms: now_ms };
        }
        let Some(height) = self.height(said.height) else { return };
        let round = height.rounds.entry(said.round).or_default();
        let seen = Said { value: said.value, seen_ms: Some(now_ms) };
        match said.kind {
            Kind::Proposal => drop(round.proposal.get_or_insert((authority, seen))),
            Kind::Checked => drop(round.checked.entry(authority).or_insert(seen)),
            Kind::Ready => drop(round.ready.entry(authority).or_insert(seen)),
        }
        if height.rounds.len() > ROUNDS_MAX {
            height.rounds.pop_first();
        }
    }

    /// `numbers`: of the authorities, by place.
    pub(crate) fn decided(
        &mut self,
        certificate: &Certificate,
        numbers: &[u8],
        now_ms: Option<u64>,
    ) {
        let Some(height) = self.height(certificate.height) else { return };
        height.decided.get_or_insert((certificate.round, certificate.value, now_ms));
        let round = height.rounds.entry(certificate.round).or_default();
        for (place, _) in &certificate.signatures {
            let Some(number) = numbers.get(usize::from(*place)) else { continue };
            let said = Said { value: Some(certificate.value), seen_ms: None };
            round.ready.entry(*number).or_insert(said);
        }
    }

    pub(crate) fn cosigned(&mut self, value: Value, authority: u8, unix_seconds: u64) {
        let of = |one: &&mut HeightRecord| one.decided.is_some_and(|(_, it, _)| it == value);
        if let Some(height) = self.heights.iter_mut().rev().find(of) {
            height.cosigned.entry(authority).or_insert(unix_seconds);
        }
    }

    /// The record of a height, made if it is none of those that went.
    fn height(&mut self, height: u64) -> Option<&mut HeightRecord> {
        let at = self.heights.partition_point(|one| one.height < height);
        if self.heights.get(at).is_none_or(|one| one.height != height) {
            if at == 0 && self.heights.len() >= HEIGHTS_MAX {
                return None;
            }
            let (rounds, cosigned) = (BTreeMap::new(), BTreeMap::new());
            self.heights.insert(at, HeightRecord { height, rounds, decided: None, cosigned });
            if self.heights.len() > HEIGHTS_MAX {
                self.heights.pop_front();
                return self.heights.get_mut(at - 1);
            }
        }
        self.heights.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vote::Statement;

    fn vote(height: u64, round: u32, kind: Kind) -> Vote {
        let value = Some(Value { size: height + 1, root: [1; 32] });
        let statement = Statement { height, round, kind, value, valid_round: None };
        Vote { author: 0, statement, signature: [0; 64] }
    }

    #[test]
    fn it_keeps_the_newest_heights_and_rounds() {
        let mut chronicle = Chronicle::default();
        for height in 0..100 {
            chronicle.heard(1, &vote(height, 0, Kind::Checked), height);
        }
        let kept: Vec<u64> = chronicle.heights().map(|one| one.height).collect();
        assert_eq!((kept.len(), kept[0], kept[63]), (HEIGHTS_MAX, 36, 99));
        chronicle.heard(2, &vote(3, 0, Kind::Ready), 200);
        assert_eq!(chronicle.heights().next().map(|one| one.height), Some(36), "too late for it");
        for round in 0..40 {
            chronicle.heard(2, &vote(99, round, Kind::Proposal), 300);
        }
        let last = chronicle.heights().next_back().expect("there are some");
        assert_eq!(last.rounds.len(), ROUNDS_MAX);
        assert_eq!(chronicle.last_word(2), Some(LastWord { round: (99, 39), seen_ms: 300 }));
    }

    #[test]
    fn a_certificate_tells_who_was_ready() {
        let mut chronicle = Chronicle::default();
        let value = Value { size: 8, root: [1; 32] };
        chronicle.heard(3, &vote(7, 1, Kind::Ready), 50);
        let signatures = vec![(0, [0; 64]), (2, [0; 64])];
        let certificate = Certificate { height: 7, round: 1, value, signatures };
        chronicle.decided(&certificate, &[1, 2, 3], Some(60));
        chronicle.cosigned(value, 2, 1_790_000_000);
        let height = chronicle.heights().next().expect("there is one");
        assert_eq!(height.decided, Some((1, value, Some(60))));
        let ready: Vec<(u8, Option<u64>)> =
            height.rounds[&1].ready.iter().map(|(who, said)| (*who, said.seen_ms)).collect();
        assert_eq!(ready, [(1, None), (3, Some(50))]);
        assert_eq!(height.cosigned[&2], 1_790_000_000);
    }
}
