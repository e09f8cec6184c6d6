//! Finality rounds: how the authorities of one election agree which prefix of the ledger is final.
//!
//! # The idea
//! Every authority folds the same entries into its own tree, but they need not be equally far, and
//! a store that lies may show them different orders. A **height** settles one value, a tree size
//! with its root, that extends the value before it. It runs in **rounds** after Tendermint
//! (Buchman, Kwon, Milosevic: "The latest gossip on BFT consensus", arXiv 1807.04938, algorithm 1):
//!
//! 1. the round's proposer, `(height + round) mod n`, names a value;
//! 2. who computed the same root itself says `checked` (the paper's prevote), else `checked nil`;
//! 3. who sees a quorum of `checked` for one value in the round **locks** it and says `ready`
//!    (precommit), else `ready nil`;
//! 4. a quorum of `ready` for one value in one round **decides**; otherwise the next round begins.
//!
//! With n authorities of which f lie, a quorum is q = ⌊(n+f)/2⌋+1: any two share an honest one.
//!
//! # Example, n = 4, f = 1, q = 3
//! Authority 0 proposes (9, r). 0, 1, 2 say `checked (9, r)`; 3 is behind, its timer ends, it says
//! `checked nil`. 0, 1, 2 lock (9, r) and say `ready (9, r)`: decided. Had the `ready` of 2 been
//! lost, 0 and 1 would refuse every other value in later rounds until they see a quorum of
//! `checked` for it in a round after their lock; no such quorum can form if (9, r) was decided
//! anywhere.
//!
//! # Invariants
//! - One statement at most for each (height, round, kind), for ever: the statements cast are the
//!   only state that must survive a crash. The caller makes each durable before it leaves, and
//!   hands it back as [`Input::Heard`] only then; locks are read off the `ready` statements.
//! - `checked` and `ready` for a value are said only while the own tree has that root at that size.
//! - The decided values of an authority only grow, and each is a prefix of its own tree.
//!
//! # Differences from the paper
//! - A value travels in every statement, so a decision needs no proposal at hand.
//! - A decision makes a [`Certificate`], q signed `ready` statements, which anyone can pass on. As
//!   each value contains all before it, one for a later height lets who was away jump there.
//! - A proposal of an earlier round's value brings the `checked` of that round along.
//! - A value the own tree has not reached yet is waited for until the proposal timer ends.
//! - A height without new leaves stays idle: no timer runs.
//! - A quorum of `ready nil` ends a round at once.
//! - The valid value follows the newest quorum of `checked` of any round so far. The paper looks at
//!   the current round only; the difference touches what is proposed, never what is safe.
//!
//! # Left out on purpose
//! Signatures (the caller passes on only statements that it verified, see [`crate::vote`]), the
//! store, and whose key counts when. Whoever has no voice, because its new key does not count yet,
//! observes: it learns what was decided and says nothing.

mod book;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::{
    mutant::Mutant,
    vote::{Certificate, Kind, Statement, Value, Vote},
};
use book::Book;

/// What an authority knows of its own tree.
pub trait Leaves {
    /// Leaves in the tree.
    fn size(&self) -> u64;
    /// Root of the first `size` leaves; `None` when there are fewer.
    fn root_at(&self, size: u64) -> Option<[u8; 32]>;
}

/// How many authorities there are, and how many of them may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    authorities: u8,
    faulty: u8,
}

impl Quorum {
    /// `None` unless there is an authority and n ≥ 3f + 1.
    pub fn new(authorities: u8, faulty: u8) -> Option<Self> {
        (u16::from(authorities) > 3 * u16::from(faulty)).then_some(Self { authorities, faulty })
    }

    /// n.
    pub fn authorities(self) -> u8 {
        self.authorities
    }

    /// q = ⌊(n+f)/2⌋+1.
    pub fn votes(self) -> usize {
        (usize::from(self.authorities) + usize::from(self.faulty)) / 2 + 1
    }

    /// f + 1: so many include an honest one.
    pub fn witnesses(self) -> usize {
        usize::from(self.faulty) + 1
    }
}

/// How long a step waits, in milliseconds. Each round waits `growth_ms` longer, up to `cap_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a proposal, and for the own tree to reach it.
    pub propose_ms: u64,
    /// For more `checked` once a quorum of them disagrees.
    pub checked_ms: u64,
    /// For more `ready` once a quorum of them disagrees.
    pub ready_ms: u64,
    /// Added per round.
    pub growth_ms: u64,
    /// Longest wait.
    pub cap_ms: u64,
    /// Shortest time from a decision to the next proposal: leaves that arrive meanwhile share it.
    pub batch_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            propose_ms: 1_000,
            checked_ms: 300,
            ready_ms: 300,
            growth_ms: 200,
            cap_ms: 15_000,
            batch_ms: 50,
        }
    }
}

/// What does not change while the machine lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// This authority, counted from 0.
    pub me: u8,
    /// n, f and q.
    pub quorum: Quorum,
    /// See the type.
    pub timeouts: Timeouts,
}

/// What the journal remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Height and value of the last decision.
    pub decided: Option<(u64, Value)>,
    /// Every own vote that may have left, in any order; those of other heights are ignored.
    pub cast: Vec<Vote>,
    /// The [evidence](Rounds::evidence) kept with them.
    pub heard: Vec<Vote>,
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// It is `now_ms` by any clock that does not run backwards within a process.
    Ticked {
        /// Milliseconds since anything.
        now_ms: u64,
    },
    /// The own tree has changed; `hurry`: do not wait for more leaves.
    Grown {
        /// Whether the next proposal is due at once.
        hurry: bool,
    },
    /// A verified statement, the own ones included once they are durable.
    Heard(Vote),
    /// A verified certificate.
    Certified(Certificate),
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Sign, make durable, then tell everybody and this machine.
    Cast(Statement),
    /// The value is final. Make the certificate durable before anything that follows from it.
    Decided(Certificate),
    /// `author` signed two statements where one is allowed.
    Equivocated {
        /// The statement seen first.
        first: Vote,
        /// The other one.
        second: Vote,
    },
}

/// A value and the round in which a quorum had checked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Polled {
    round: u32,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing to agree on yet.
    Idle,
    /// Waiting for a proposal that the own tree confirms.
    Propose { until_ms: u64 },
    /// `checked` is said; the timer runs once a quorum has spoken.
    Checked { until_ms: Option<u64> },
    /// `ready` is said.
    Ready,
}

/// What the own tree says about a value.
enum Judgement {
    Holds,
    TooShort,
    Differs,
}

/// Certificates waiting for the own tree; above that the lowest heights go.
const CERTIFICATES_MAX: usize = 16;

/// The machine of one authority in one election.
#[derive(Clone, Debug)]
pub struct Rounds {
    setup: Setup,
    now_ms: u64,
    propose_after_ms: u64,
    height: u64,
    round: u32,
    step: Step,
    /// Runs once a quorum of `ready` of this round disagrees.
    ready_until_ms: Option<u64>,
    last: Option<Value>,
    lock: Option<Polled>,
    valid: Option<Polled>,
    cast: BTreeMap<(u32, Kind), Statement>,
    book: Book,
    certificates: BTreeMap<u64, Certificate>,
    observes: bool,
    mutant: Option<Mutant>,
}

impl Rounds {
    /// Goes on where `recovered` ended.
    pub fn new(setup: Setup, recovered: &Recovered, now_ms: u64) -> Self {
        let height = recovered.decided.map_or(0, |(height, _)| height + 1);
        let mut rounds = Self {
            setup,
            now_ms,
            propose_after_ms: now_ms,
            height,
            round: 0,
            step: Step::Idle,
            ready_until_ms: None,
            last: recovered.decided.map(|(_, value)| value),
            lock: None,
            valid: None,
            cast: BTreeMap::new(),
            book: Book::default(),
            certificates: BTreeMap::new(),
            observes: false,
            mutant: None,
        };
        for vote in recovered.heard.iter().chain(&recovered.cast) {
            if vote.statement.height == height {
                rounds.book.insert(vote.clone(), height);
            }
        }
        for Vote { statement, .. } in &recovered.cast {
            if statement.height == height {
                rounds.cast.insert((statement.round, statement.kind), *statement);
            }
        }
        rounds.resume();
        rounds
    }

    /// From now on with a seeded bug.
    pub(crate) fn set_mutant(&mut self, mutant: Option<Mutant>) {
        self.mutant = mutant;
    }

    /// From now on without, or with, a voice.
    pub fn observe(&mut self, observes: bool) {
        self.observes = observes;
    }

    fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// The height being agreed on, from 0.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// The round of that height, from 0.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// The last decided value.
    pub fn last(&self) -> Option<Value> {
        self.last
    }

    /// Own statements of this height, to be said again when the store has lost them.
    pub fn cast(&self) -> impl Iterator<Item = &Statement> {
        self.cast.values()
    }

    /// The quorum of `checked` that an own statement rests on: goes into the journal with a `ready`
    /// and to the others with a proposal, since an author may take back what it said to a few.
    pub fn evidence(&self, own: &Statement) -> Vec<Vote> {
        let polled = match own.kind {
            Kind::Proposal => own.valid_round,
            Kind::Checked => None,
            Kind::Ready => Some(own.round),
        };
        let (Some(round), Some(value)) = (polled, own.value) else { return Vec::new() };
        self.book.votes(own.height, round, Kind::Checked, Some(value)).cloned().collect()
    }

    /// The locked value, if nothing newer frees it: its leaves must stay reachable for the others,
    /// because this authority may have helped to decide it.
    pub fn guarded(&self) -> Option<Value> {
        let lock = self.lock?;
        let freed = (lock.round + 1..=self.round).any(|round| {
            let polled = self.book.agreed(self.height, round, Kind::Checked, self.votes());
            polled.flatten().is_some_and(|value| value != lock.value)
        });
        (!freed).then_some(lock.value)
    }

    /// Takes one fact; `leaves` is the own tree at this moment.
    pub fn step(&mut self, input: Input, leaves: &dyn Leaves) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Ticked { now_ms } => self.now_ms = self.now_ms.max(now_ms),
            Input::Grown { hurry: true } => self.propose_after_ms = self.now_ms,
            Input::Grown { hurry: false } => {}
            Input::Heard(vote) => self.on_heard(vote, &mut effects),
            Input::Certified(certificate) => self.keep(certificate),
        }
        while self.decide(leaves, &mut effects)
            || (!self.observes && (self.skip_rounds() || self.follow(leaves, &mut effects)))
        {
        }
        effects
    }

    /// Round, step and lock as the own statements prove them.
    fn resume(&mut self) {
        let Some((&(round, kind), _)) = self.cast.last_key_value() else { return };
        self.round = round;
        self.step = match kind {
            Kind::Proposal => {
                Step::Propose { until_ms: self.after(self.setup.timeouts.propose_ms) }
            }
            Kind::Checked => Step::Checked { until_ms: None },
            Kind::Ready => Step::Ready,
        };
        let locks = self.cast.values().filter(|statement| statement.kind == Kind::Ready);
        self.lock = locks
            .filter_map(|ready| Some(Polled { round: ready.round, value: ready.value? }))
            .next_back();
        self.valid = self.lock;
    }

    fn on_heard(&mut self, vote: Vote, effects: &mut Vec<Effect>) {
        if vote.statement.height < self.height || vote.author >= self.setup.quorum.authorities {
            return;
        }
        if let Some(first) = self.book.insert(vote.clone(), self.height) {
            effects.push(Effect::Equivocated { first, second: vote });
        }
    }

    fn keep(&mut self, certificate: Certificate) {
        if certificate.height < self.height {
            return;
        }
        self.certificates.entry(certificate.height).or_insert(certificate);
        while self.certificates.len() > CERTIFICATES_MAX {
            self.certificates.pop_first();
        }
    }

    /// Lines 49-54: a quorum of `ready` for one value in one round, of this height or a later one.
    fn decide(&mut self, leaves: &dyn Leaves, effects: &mut Vec<Effect>) -> bool {
        let votes = match self.has(Mutant::DecidedByWitnesses) {
            true => self.setup.quorum.witnesses(),
            false => self.votes(),
        };
        for (height, round, value) in self.book.decisions(votes) {
            let votes = self.book.votes(height, round, Kind::Ready, Some(value));
            let signatures = votes.map(|vote| (vote.author, vote.signature)).collect();
            self.keep(Certificate { height, round, value, signatures });
        }
        let holds = |value| matches!(self.judge(value, leaves), Judgement::Holds);
        let newest = self.certificates.values().rev().find(|found| holds(found.value)).cloned();
        let Some(certificate) = newest else { return false };
        self.height = certificate.height + 1;
        self.last = Some(certificate.value);
        self.lock = None;
        self.valid = None;
        self.cast.clear();
        self.book.forget_below(self.height);
        self.certificates = self.certificates.split_off(&self.height);
        self.round = 0;
        self.step = Step::Idle;
        self.ready_until_ms = None;
        self.propose_after_ms = self.now_ms + self.setup.timeouts.batch_ms;
        effects.push(Effect::Decided(certificate));
        true
    }

    /// Lines 55-56: f + 1 are further, so an honest one is.
    fn skip_rounds(&mut self) -> bool {
        match self.book.round_reached(self.height, self.setup.quorum.witnesses()) {
            Some(round) if round > self.round => self.start_round(round),
            _ => return false,
        }
        true
    }

    fn start_round(&mut self, round: u32) {
        self.round = round;
        self.ready_until_ms = None;
        self.step = Step::Propose { until_ms: self.after(self.setup.timeouts.propose_ms) };
    }

    /// One transition of the current round; false when there is none.
    fn follow(&mut self, leaves: &dyn Leaves, effects: &mut Vec<Effect>) -> bool {
        self.refresh_valid(leaves);
        if self.leave_round() {
            return true;
        }
        match self.step {
            Step::Idle => self.wake(leaves),
            Step::Propose { until_ms } => {
                self.propose(leaves, effects);
                self.answer_proposal(until_ms, leaves, effects)
            }
            Step::Checked { until_ms } => self.count_checked(until_ms, leaves, effects),
            Step::Ready => false,
        }
    }

    /// Lines 47-48 and 65-67: a quorum has said `ready` without agreeing; wait, then go on. After a
    /// quorum of `ready nil` there is nothing to wait for: no value can be decided in this round.
    fn leave_round(&mut self) -> bool {
        let agreed = self.book.agreed(self.height, self.round, Kind::Ready, self.votes());
        if agreed == Some(None) {
            self.start_round(self.round + 1);
            return true;
        }
        if self.book.speakers(self.height, self.round, Kind::Ready) < self.votes() {
            return false;
        }
        let ready_ms = self.after(self.setup.timeouts.ready_ms);
        let until_ms = *self.ready_until_ms.get_or_insert(ready_ms);
        if self.now_ms < until_ms {
            return false;
        }
        self.start_round(self.round + 1);
        true
    }

    fn wake(&mut self, leaves: &dyn Leaves) -> bool {
        let wanted = leaves.size() > self.last_size() || self.book.has_height(self.height);
        if wanted {
            self.start_round(self.round);
        }
        wanted
    }

    /// Lines 14-19.
    fn propose(&mut self, leaves: &dyn Leaves, effects: &mut Vec<Effect>) {
        if self.proposer(self.round) != self.setup.me
            || self.cast.contains_key(&(self.round, Kind::Proposal))
            || self.now_ms < self.propose_after_ms
        {
            return;
        }
        let held = |valid: &Polled| leaves.root_at(valid.value.size) == Some(valid.value.root);
        let size = leaves.size();
        if let Some(valid) = self.valid.filter(held) {
            self.say(Kind::Proposal, Some(valid.value), Some(valid.round), effects);
        } else if let Some(root) = leaves.root_at(size).filter(|_| size > self.last_size()) {
            self.say(Kind::Proposal, Some(Value { size, root }), None, effects);
        }
    }

    /// Lines 22-33 and 57-60.
    fn answer_proposal(
        &mut self,
        until_ms: u64,
        leaves: &dyn Leaves,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let proposer = self.proposer(self.round);
        let proposal = self.book.first(self.height, self.round, Kind::Proposal, proposer);
        let answer = match proposal.map(|vote| vote.statement) {
            Some(Statement { value: Some(value), valid_round, .. }) => {
                self.opinion(value, valid_round, leaves)
            }
            _ => None,
        };
        let answer = match answer {
            Some(answer) => answer,
            None if self.now_ms >= until_ms => None,
            None => return false,
        };
        self.say(Kind::Checked, answer, None, effects);
        self.step = Step::Checked { until_ms: None };
        true
    }

    /// What to say about a proposal: `None` = cannot tell yet, `Some(None)` = nil.
    fn opinion(
        &self,
        value: Value,
        valid_round: Option<u32>,
        leaves: &dyn Leaves,
    ) -> Option<Option<Value>> {
        let free = match (self.lock, valid_round) {
            (_, Some(valid)) if valid >= self.round => false,
            (lock, Some(valid)) => {
                if self.book.count(self.height, valid, Kind::Checked, Some(value)) < self.votes() {
                    return None;
                }
                lock.is_none_or(|lock| lock.round <= valid || lock.value == value)
            }
            (lock, None) => lock.is_none_or(|lock| lock.value == value),
        };
        let free = free || self.has(Mutant::LockDropped);
        match self.judge(value, leaves) {
            Judgement::TooShort if self.has(Mutant::CheckedUnseen) => Some(Some(value)),
            Judgement::TooShort => None,
            Judgement::Holds if free => Some(Some(value)),
            Judgement::Holds | Judgement::Differs => Some(None),
        }
    }

    /// Lines 34-46 and 61-64.
    fn count_checked(
        &mut self,
        until_ms: Option<u64>,
        leaves: &dyn Leaves,
        effects: &mut Vec<Effect>,
    ) -> bool {
        match self.book.agreed(self.height, self.round, Kind::Checked, self.votes()) {
            Some(None) => return self.say_ready(None, effects),
            Some(Some(value)) if matches!(self.judge(value, leaves), Judgement::Holds) => {
                let polled = Polled { round: self.round, value };
                self.lock = Some(polled);
                self.valid = Some(polled);
                return self.say_ready(Some(value), effects);
            }
            _ => {}
        }
        match until_ms {
            Some(until_ms) if self.now_ms >= until_ms => self.say_ready(None, effects),
            None if self.book.speakers(self.height, self.round, Kind::Checked) >= self.votes() => {
                let until_ms = self.after(self.setup.timeouts.checked_ms);
                self.step = Step::Checked { until_ms: Some(until_ms) };
                true
            }
            _ => false,
        }
    }

    fn say_ready(&mut self, value: Option<Value>, effects: &mut Vec<Effect>) -> bool {
        self.say(Kind::Ready, value, None, effects);
        self.step = Step::Ready;
        true
    }

    /// The newest value that a quorum has checked and the own tree holds.
    fn refresh_valid(&mut self, leaves: &dyn Leaves) {
        let from = self.valid.map_or(0, |valid| valid.round + 1);
        for round in (from..=self.round).rev() {
            let polled = self.book.agreed(self.height, round, Kind::Checked, self.votes());
            let Some(value) = polled.flatten() else { continue };
            if matches!(self.judge(value, leaves), Judgement::Holds) {
                self.valid = Some(Polled { round, value });
                return;
            }
        }
    }

    /// Says a thing once: what was said for this round and kind before a crash stands.
    fn say(
        &mut self,
        kind: Kind,
        value: Option<Value>,
        valid_round: Option<u32>,
        effects: &mut Vec<Effect>,
    ) {
        let (height, round) = (self.height, self.round);
        let statement = Statement { height, round, kind, value, valid_round };
        let before = self.cast.insert((round, kind), statement);
        assert!(before.is_none(), "said {kind:?} twice in height {height}, round {round}");
        effects.push(Effect::Cast(statement));
    }

    fn judge(&self, value: Value, leaves: &dyn Leaves) -> Judgement {
        match leaves.root_at(value.size) {
            None => Judgement::TooShort,
            Some(root) if root == value.root && value.size > self.last_size() => Judgement::Holds,
            Some(_) => Judgement::Differs,
        }
    }

    fn proposer(&self, round: u32) -> u8 {
        let turn = (self.height + u64::from(round)) % u64::from(self.setup.quorum.authorities);
        u8::try_from(turn).expect("a remainder of a u8 fits a u8")
    }

    fn votes(&self) -> usize {
        self.setup.quorum.votes() - usize::from(self.has(Mutant::QuorumTooSmall))
    }

    fn last_size(&self) -> u64 {
        self.last.map_or(0, |value| value.size)
    }

    /// The moment `base_ms` from now, longer in later rounds.
    fn after(&self, base_ms: u64) -> u64 {
        let timeouts = &self.setup.timeouts;
        let wait_ms = base_ms + timeouts.growth_ms.saturating_mul(u64::from(self.round));
        self.now_ms.saturating_add(wait_ms.min(timeouts.cap_ms.max(base_ms)))
    }
}
