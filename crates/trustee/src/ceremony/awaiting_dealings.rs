//! Round 2: everyone shows the commitments and sends everyone else a share.

use std::collections::BTreeMap;

use ballot::ceremony::{Announcements, Complaint, Dealing, Dealings, Received};
use ballot::threshold::SecretShare;

use super::awaiting_confirmations::AwaitingConfirmations;
use super::done::Stopped;
use super::{Effect, Posted, Round, Seat, State, Turn};
use crate::refusal::{Refusal, code};

pub(super) struct AwaitingDealings {
    seat: Seat,
    announcements: Announcements,
    own: Dealing,
    received: BTreeMap<u8, Dealing>,
}

impl AwaitingDealings {
    /// The state, and this trustee's own dealing.
    pub(super) fn new(
        seat: Seat,
        announcements: Announcements,
    ) -> Result<(Self, Vec<u8>), Refusal> {
        let own = seat.secret.deal(&announcements, seat.wire_number())?;
        let message = own.as_bytes().to_vec();
        Ok((Self { seat, announcements, own, received: BTreeMap::new() }, message))
    }

    pub(super) fn missing(&self) -> Vec<u8> {
        super::missing(self.seat.parameters.trustees(), &self.received)
    }

    pub(super) fn on_posted(mut self, posted: &Posted) -> Turn {
        if let Some(refusal) = self.impostor(posted) {
            return Turn::stopped(refusal);
        }
        let one = match self.read(posted) {
            Ok(one) => one,
            Err(refusal) => return Turn::refused(State::AwaitingDealings(self), refusal),
        };
        self.received.insert(posted.trustee, one);
        if self.missing().is_empty() { self.become_confirming() } else { self.stay() }
    }

    fn impostor(&self, posted: &Posted) -> Option<Refusal> {
        let mine = posted.round == Round::Dealings;
        mine.then(|| self.seat.find_impostor(posted, self.own.as_bytes())).flatten()
    }

    fn read(&self, posted: &Posted) -> Result<Dealing, Refusal> {
        let taken = self.received.contains_key(&posted.trustee);
        self.seat.check_turn(posted, Round::Dealings, taken)?;
        let one = Dealing::parse(&posted.message, &self.announcements)?;
        self.seat.check_place(posted, one.trustee())?;
        Ok(one)
    }

    fn stay(self) -> Turn {
        Turn::quiet(State::AwaitingDealings(self))
    }

    fn become_confirming(self) -> Turn {
        let Self { seat, announcements, received, .. } = self;
        let dealings = match Dealings::new(announcements, received.into_values().collect()) {
            Ok(dealings) => dealings,
            Err(error) => return Turn::stopped(error.into()),
        };
        let share = match seat.secret.receive(&dealings, seat.wire_number()) {
            Ok(Received::Share(share)) => share,
            Ok(Received::Complaints(complaints)) => return complain(&seat, &complaints),
            Err(error) => return Turn::stopped(error.into()),
        };
        become_confirming(seat, dealings, &share)
    }

    pub(super) fn on_sealed(self) -> Turn {
        let refusal = self.seat.no_manifest_yet(Round::Dealings);
        Turn::refused(State::AwaitingDealings(self), refusal)
    }
}

fn become_confirming(seat: Seat, dealings: Dealings, share: &SecretShare) -> Turn {
    match AwaitingConfirmations::new(seat, dealings, share) {
        Ok((state, own)) => {
            let effects = vec![Effect::Post { round: Round::Confirmations, message: own }];
            Turn { state: State::AwaitingConfirmations(state), effects }
        }
        Err(refusal) => Turn::stopped(refusal),
    }
}

/// Shows the first share that does not fit, in the place of the confirmation.
fn complain(seat: &Seat, complaints: &[Complaint]) -> Turn {
    let first = complaints.first().expect("complaints are given only when there is one");
    let sentence = format!(
        "The share that {} dealt to you does not fit its commitments. Your complaint is posted; \
         the ceremony must start again with the next attempt.",
        seat.name(first.dealer())
    );
    let refusal = Refusal::new(code::COMPLAINT, sentence);
    let message = first.as_bytes().to_vec();
    let effects = vec![
        Effect::Post { round: Round::Confirmations, message },
        Effect::Stopped(refusal.clone()),
    ];
    Turn { state: State::Stopped(Stopped::new(refusal)), effects }
}
