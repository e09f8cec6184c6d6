//! Round 1: everyone says who they are and what hash their commitments have.

use std::collections::BTreeMap;

use ballot::ceremony::{Announcement, Announcements};

use super::awaiting_dealings::AwaitingDealings;
use super::{Effect, Posted, Round, Seat, State, Turn};
use crate::refusal::Refusal;

pub(super) struct AwaitingAnnouncements {
    seat: Seat,
    own: Announcement,
    received: BTreeMap<u8, Announcement>,
}

impl AwaitingAnnouncements {
    pub(super) fn new(seat: Seat) -> Result<Self, Refusal> {
        let own = seat.secret.announce(&seat.parameters, seat.wire_number())?;
        Ok(Self { seat, own, received: BTreeMap::new() })
    }

    pub(super) fn missing(&self) -> Vec<u8> {
        super::missing(self.seat.parameters.trustees(), &self.received)
    }

    pub(super) fn on_started(self) -> Turn {
        let message = self.own.as_bytes().to_vec();
        let effects = vec![Effect::Post { round: Round::Announcements, message }];
        Turn { state: State::AwaitingAnnouncements(self), effects }
    }

    pub(super) fn on_posted(mut self, posted: &Posted) -> Turn {
        if let Some(refusal) = self.impostor(posted) {
            return Turn::stopped(refusal);
        }
        let one = match self.read(posted) {
            Ok(one) => one,
            Err(refusal) => return Turn::refused(State::AwaitingAnnouncements(self), refusal),
        };
        self.received.insert(posted.trustee, one);
        if self.missing().is_empty() { self.become_dealing() } else { self.stay() }
    }

    fn impostor(&self, posted: &Posted) -> Option<Refusal> {
        let mine = posted.round == Round::Announcements;
        mine.then(|| self.seat.find_impostor(posted, self.own.as_bytes())).flatten()
    }

    fn read(&self, posted: &Posted) -> Result<Announcement, Refusal> {
        let taken = self.received.contains_key(&posted.trustee);
        self.seat.check_turn(posted, Round::Announcements, taken)?;
        let one = Announcement::parse(&posted.message, &self.seat.parameters)?;
        self.seat.check_place(posted, one.trustee())?;
        Ok(one)
    }

    fn stay(self) -> Turn {
        Turn::quiet(State::AwaitingAnnouncements(self))
    }

    /// Two announcements that contradict each other end the attempt: the first ones stay posted.
    fn become_dealing(self) -> Turn {
        let all = self.received.into_values().collect();
        let announcements = match Announcements::new(self.seat.parameters, all) {
            Ok(announcements) => announcements,
            Err(error) => return Turn::stopped(error.into()),
        };
        match AwaitingDealings::new(self.seat, announcements) {
            Ok((state, own)) => {
                let effects = vec![Effect::Post { round: Round::Dealings, message: own }];
                Turn { state: State::AwaitingDealings(state), effects }
            }
            Err(refusal) => Turn::stopped(refusal),
        }
    }

    pub(super) fn on_sealed(self) -> Turn {
        let refusal = self.seat.no_manifest_yet(Round::Announcements);
        Turn::refused(State::AwaitingAnnouncements(self), refusal)
    }
}
