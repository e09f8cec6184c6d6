//! What the administrator may order while an election is open or paused, and what it changes.
//!
//! Every order carries the number of orders before it and the administrator's signature over it
//! and the fingerprint: none can be repeated, moved to another election or dropped from between
//! others. None touches a ballot that was accepted, but for a reset, which only a test allows.

use base::show_utc;

use super::{
    electorate::Standing,
    voting::{Intake, Voting},
};
use crate::{
    definition::Secrecy,
    order::{Order, SignedOrder},
    refusal::{Refusal, code},
    roll::{RollError, SMALL_CLASS, Voter, check_voter},
};

impl Voting {
    /// Checks an order against the state; `stamp` is that of its entry.
    pub(crate) fn check_order(&self, signed: &SignedOrder, stamp: u32) -> Result<(), Refusal> {
        let charter = &self.charter;
        if !signed.is_signed_by(&charter.manifest.admin, &charter.fingerprint) {
            let sentence = "The order is not signed by the administrator.";
            return Err(Refusal::new(code::BAD_SIGNATURE, sentence));
        }
        if signed.number != self.orders {
            let sentence = format!(
                "The order has number {}; the next one must have number {}.",
                signed.number, self.orders
            );
            return Err(Refusal::new(code::WRONG_NUMBER, sentence));
        }
        match signed.order {
            Order::Pause => self.check_intake(Intake::Taking, "The election is paused already."),
            Order::Resume => self.check_intake(Intake::Paused, "The election is not paused."),
            Order::Extend { closes } => self.check_extension(closes, stamp),
            Order::Reset => self.allow(
                charter.manifest.definition.test,
                "Only an election that is marked as a test can be reset.",
            ),
            Order::Add(voter) => self.check_addition(&voter),
            Order::Withdraw { credential } => self.check_withdrawal(&credential),
            Order::Replace { old, new } => self.check_replacement(&old, &new),
            Order::MarkPaper { credential } => {
                let allowed = charter.manifest.definition.paper;
                self.allow(allowed, "This election has no votes on paper.")?;
                self.check_untouched(&credential).map(drop)
            }
        }
    }

    fn allow(&self, allowed: bool, sentence: &str) -> Result<(), Refusal> {
        if allowed { Ok(()) } else { Err(Refusal::new(code::NOT_ALLOWED, sentence)) }
    }

    fn check_intake(&self, needed: Intake, otherwise: &str) -> Result<(), Refusal> {
        if self.intake == needed { Ok(()) } else { Err(bad(otherwise)) }
    }

    fn check_extension(&self, closes: u32, stamp: u32) -> Result<(), Refusal> {
        let limit = self.charter.manifest.definition.extendable_until;
        let (Some(limit), Some(now)) = (limit, self.closes) else {
            let sentence = "The manifest does not allow to move the closing.";
            return Err(Refusal::new(code::NOT_ALLOWED, sentence));
        };
        let is_late = stamp >= now;
        let is_possible = now < closes && closes <= limit;
        let [stamp, now, closes, limit] =
            [stamp, now, closes, limit].map(|minutes| show_utc(minutes.into()));
        if is_late {
            return Err(bad(format!(
                "The extension is stamped {stamp}, not before the closing at {now}."
            )));
        }
        if !is_possible {
            return Err(bad(format!(
                "The closing at {now} can be moved to a later minute up to {limit}, not to \
                 {closes}."
            )));
        }
        Ok(())
    }

    fn allow_roll_changes(&self) -> Result<(), Refusal> {
        let allowed = self.charter.manifest.definition.roll_changes;
        self.allow(allowed, "The manifest does not allow changes of the roll.")
    }

    fn check_addition(&self, voter: &Voter) -> Result<(), Refusal> {
        self.allow_roll_changes()?;
        self.check_newcomer(voter)?;
        if self.charter.questions.of_group(voter.group).is_empty() {
            return Err(bad(format!("Group {} has no question to answer.", voter.group)));
        }
        let total = self.electorate.eligible().weight.saturating_add(voter.weight.into());
        self.charter.manifest.check_weight(total).map_err(|reason| bad(format!("{reason}.")))?;
        self.check_class(self.electorate.class_of(voter) + 1, voter)
    }

    fn check_withdrawal(&self, credential: &[u8; 32]) -> Result<(), Refusal> {
        self.allow_roll_changes()?;
        let voter = self.electorate.voter(self.check_untouched(credential)?);
        match self.electorate.class_of(voter) {
            1 => Ok(()),
            count => self.check_class(count - 1, voter),
        }
    }

    fn check_replacement(&self, old: &[u8; 32], new: &[u8; 32]) -> Result<(), Refusal> {
        self.allow_roll_changes()?;
        let voter = self.electorate.voter(self.check_untouched(old)?);
        self.check_newcomer(&Voter { credential: *new, ..*voter })
    }

    /// A key that can vote and never was on the roll.
    fn check_newcomer(&self, voter: &Voter) -> Result<(), Refusal> {
        if self.electorate.place(&voter.credential).is_some() {
            return Err(bad("The new credential is or was on the roll already."));
        }
        check_voter(voter, 0).map_err(|error| match error {
            RollError::Weight { .. } => bad("The new voter has weight 0."),
            _ => bad("The new credential is no usable Ed25519 key."),
        })
    }

    /// Classes must stay large, as they had to be at the opening.
    fn check_class(&self, size: usize, voter: &Voter) -> Result<(), Refusal> {
        let definition = &self.charter.manifest.definition;
        let open = definition.secrecy == Secrecy::Open;
        if definition.accept_small_classes || open || size >= SMALL_CLASS {
            return Ok(());
        }
        Err(bad(format!(
            "The class of group {} and weight {} would have {size} voters, fewer than \
             {SMALL_CLASS}.",
            voter.group, voter.weight
        )))
    }

    /// Place of a credential on the roll that has neither voted nor been marked.
    fn check_untouched(&self, credential: &[u8; 32]) -> Result<usize, Refusal> {
        let place = self.check_place(credential)?;
        match self.last[place] {
            None => Ok(place),
            Some(last) => {
                let sentence =
                    format!("The credential has an accepted ballot, leaf {}.", last.leaf_index);
                Err(Refusal::new(code::HAS_VOTED, sentence))
            }
        }
    }

    /// Place of a credential that has an online vote.
    pub(crate) fn check_place(&self, credential: &[u8; 32]) -> Result<usize, Refusal> {
        let Some(place) = self.electorate.place(credential) else {
            let sentence = "The credential is not on the roll.";
            return Err(Refusal::new(code::NOT_ON_ROLL, sentence));
        };
        let (code, sentence) = match self.electorate.standing(place) {
            None => return Ok(place),
            Some(Standing::Withdrawn) => {
                (code::WITHDRAWN, "The credential was withdrawn from the roll.")
            }
            Some(Standing::Replaced) => {
                (code::WITHDRAWN, "The credential was replaced by another one; use the new code.")
            }
            Some(Standing::Paper) => {
                (code::VOTES_ON_PAPER, "The holder of this credential is marked to vote on paper.")
            }
        };
        Err(Refusal::new(code, sentence))
    }

    /// Carries out an order that was checked.
    pub(crate) fn obey(&mut self, order: Order) {
        self.orders += 1;
        match order {
            Order::Pause => self.intake = Intake::Paused,
            Order::Resume => self.intake = Intake::Taking,
            Order::Extend { closes } => self.closes = Some(closes),
            Order::Reset => self.forget_ballots(),
            Order::Add(voter) => {
                self.enrol(voter);
                self.turnout.added += 1;
            }
            Order::Withdraw { credential } => {
                self.strike(&credential, Standing::Withdrawn);
                self.turnout.withdrawn += 1;
            }
            Order::Replace { old, new } => {
                let voter = self.strike(&old, Standing::Replaced);
                self.enrol(Voter { credential: new, ..voter });
                self.turnout.replaced += 1;
            }
            Order::MarkPaper { credential } => {
                let place = self.known_place(&credential);
                self.mark_paper(place);
            }
        }
        let eligible = self.electorate.eligible();
        (self.turnout.roll_voters, self.turnout.roll_weight) = (eligible.voters, eligible.weight);
    }

    fn enrol(&mut self, voter: Voter) {
        self.electorate.add(voter);
        self.last.push(None);
    }

    fn strike(&mut self, credential: &[u8; 32], why: Standing) -> Voter {
        let place = self.known_place(credential);
        self.electorate.remove(place, why);
        *self.electorate.voter(place)
    }

    fn known_place(&self, credential: &[u8; 32]) -> usize {
        self.electorate.place(credential).expect("check_order() found it on the roll")
    }
}

fn bad(sentence: impl Into<String>) -> Refusal {
    Refusal::new(code::BAD_ORDER, sentence)
}
