//! Voters: each keeps its ballot and sends the same bytes until it holds a receipt.

use authority::{Answer, ElectionView};
use ballot::Tracker;
use base::Prng;
use bytes::Bytes;
use election::testing::{TestElection, choose};
use ledger::leaf_hash;

use super::check::Held;

/// A voter sends again when no receipt came for so long, in milliseconds.
const PATIENCE_MS: u64 = 3_000;

/// One voter.
pub(super) struct Voter {
    pub(super) number: usize,
    /// Ballots still to be cast, the one under way included.
    left: u32,
    ballot: Option<Bytes>,
    asked: Option<(usize, u64)>,
}

/// What a voter does next.
pub(super) enum Step {
    /// Waits.
    Wait,
    /// Sends this ballot to this node.
    Send(usize, Bytes),
    /// Has a receipt.
    Receipt(Box<Held>),
    /// Has cast all it wanted.
    Done,
}

impl Voter {
    pub(super) fn new(number: usize, prng: &mut Prng) -> Self {
        let left = 1 + u32::from(prng.chance(1, 3));
        Self { number, left, ballot: None, asked: None }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Looks at the node asked last, or at any other one.
    pub(super) fn step(
        &mut self,
        election: &mut TestElection,
        views: &[Option<ElectionView<'_>>],
        now_ms: u64,
        prng: &mut Prng,
    ) -> Step {
        if self.left == 0 {
            return Step::Done;
        }
        let ballot = match &self.ballot {
            Some(ballot) => ballot.clone(),
            None => {
                let choice = prng.below(2) as u16;
                let ballot = election.cast(self.number, &[choose(choice), choose(choice)]);
                self.ballot.insert(ballot.into()).clone()
            }
        };
        let held = views.iter().flatten().find_map(|view| receipt(*view, &ballot, self.number));
        if let Some(held) = held {
            self.left -= 1;
            (self.ballot, self.asked) = (None, None);
            return Step::Receipt(Box::new(held));
        }
        let impatient = self.asked.is_none_or(|(_, at_ms)| now_ms >= at_ms + PATIENCE_MS);
        let up: Vec<usize> = (0..views.len()).filter(|node| views[*node].is_some()).collect();
        match prng.pick(&up) {
            Some(node) if impatient => {
                self.asked = Some((*node, now_ms));
                Step::Send(*node, ballot)
            }
            _ => Step::Wait,
        }
    }

    /// What a node said; anything but a place in the order means: try another one soon.
    pub(super) fn on_answer(&mut self, answer: &Answer) {
        if !matches!(answer, Answer::Ordered { .. } | Answer::AlreadyAccepted { .. }) {
            self.asked = None;
        }
    }
}

fn receipt(view: ElectionView<'_>, ballot: &Bytes, voter: usize) -> Option<Held> {
    let hash = authority::testing::sha256(ballot);
    let leaf = view.fold().find_tracker(&Tracker::of_hash(&hash))?;
    let receipt = view.receipt(leaf, Vec::new())?;
    let leaf = leaf_hash(view.fold().leaves().get(leaf as usize)?);
    Some(Held { voter, leaf, receipt })
}
