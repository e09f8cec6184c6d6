//! Round 3: everyone confirms what they saw, or shows that a share does not fit.

use std::collections::BTreeMap;

use ballot::ceremony::{Complaint, Confirmation, Dealings, Verdict};
use ballot::threshold::SecretShare;

use super::awaiting_manifest::AwaitingManifest;
use super::{Posted, Round, Seat, State, Turn};
use crate::refusal::{Refusal, code};

pub(super) struct AwaitingConfirmations {
    seat: Seat,
    dealings: Dealings,
    own: Confirmation,
    received: BTreeMap<u8, Confirmation>,
}

/// A message of round 3.
enum Third {
    Confirmed(Confirmation),
    Complained(Complaint),
}

impl AwaitingConfirmations {
    /// The state, and this trustee's own confirmation.
    pub(super) fn new(
        seat: Seat,
        dealings: Dealings,
        share: &SecretShare,
    ) -> Result<(Self, Vec<u8>), Refusal> {
        check_share(&seat, &dealings, share)?;
        let own = seat.secret.confirm(&dealings, seat.wire_number())?;
        let message = own.as_bytes().to_vec();
        Ok((Self { seat, dealings, own, received: BTreeMap::new() }, message))
    }

    pub(super) fn missing(&self) -> Vec<u8> {
        super::missing(self.seat.parameters.trustees(), &self.received)
    }

    pub(super) fn on_posted(mut self, posted: &Posted) -> Turn {
        if let Some(refusal) = self.impostor(posted) {
            return Turn::stopped(refusal);
        }
        match self.read(posted) {
            Ok(Third::Confirmed(one)) => {
                self.received.insert(posted.trustee, one);
            }
            Ok(Third::Complained(complaint)) => return self.become_stopped(&complaint),
            Err(refusal) => return Turn::refused(State::AwaitingConfirmations(self), refusal),
        }
        if !self.missing().is_empty() {
            return Turn::quiet(State::AwaitingConfirmations(self));
        }
        let state = AwaitingManifest::new(self.seat, self.dealings);
        Turn::quiet(State::AwaitingManifest(state))
    }

    fn impostor(&self, posted: &Posted) -> Option<Refusal> {
        let mine = posted.round == Round::Confirmations;
        mine.then(|| self.seat.find_impostor(posted, self.own.as_bytes())).flatten()
    }

    fn read(&self, posted: &Posted) -> Result<Third, Refusal> {
        let taken = self.received.contains_key(&posted.trustee);
        self.seat.check_turn(posted, Round::Confirmations, taken)?;
        let confirmed = Confirmation::parse(&posted.message, &self.dealings);
        let third = match (confirmed, Complaint::parse(&posted.message, &self.dealings)) {
            (Ok(one), _) => Third::Confirmed(one),
            (_, Ok(complaint)) => Third::Complained(complaint),
            (Err(error), Err(_)) => return Err(error.into()),
        };
        let author = match &third {
            Third::Confirmed(one) => one.trustee(),
            Third::Complained(complaint) => complaint.trustee(),
        };
        self.seat.check_place(posted, author)?;
        Ok(third)
    }

    fn become_stopped(self, complaint: &Complaint) -> Turn {
        let blamed = match complaint.judge(&self.dealings) {
            Verdict::Dealer(dealer) => {
                format!("the share dealt by {} does not fit", self.seat.name(dealer))
            }
            Verdict::Complainer(complainer) => {
                format!("the share fits, so {} has complained falsely", self.seat.name(complainer))
            }
        };
        let sentence = format!(
            "{} complains about {}: {blamed}. The ceremony must start again with the next attempt.",
            self.seat.name(complaint.trustee()),
            self.seat.name(complaint.dealer())
        );
        Turn::stopped(Refusal::new(code::COMPLAINT, capitalised(&sentence)))
    }

    pub(super) fn on_sealed(self) -> Turn {
        let refusal = self.seat.no_manifest_yet(Round::Confirmations);
        Turn::refused(State::AwaitingConfirmations(self), refusal)
    }
}

/// That this trustee's share is the one that others will hold its decryptions against.
fn check_share(seat: &Seat, dealings: &Dealings, share: &SecretShare) -> Result<(), Refusal> {
    let keys = dealings.verification_keys();
    if keys.get(usize::from(seat.number) - 1) == Some(&share.verification_key()) {
        return Ok(());
    }
    let sentence = "Your share does not fit the key that follows from the dealings.";
    Err(Refusal::new(code::COMPLAINT, sentence))
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
