//! The key ceremony as one trustee lives it, one file for each thing it waits for.
//!
//! ```text
//!   Started ─> Post announcement
//! AwaitingAnnouncements ── all announced ─> Post dealing
//! AwaitingDealings ─────── all dealt, every share fits ─> Post confirmation
//!        └──────────────── a share does not fit ─> Post complaint ─> Stopped
//! AwaitingConfirmations ── all confirmed, own share rehearsed
//!        └──────────────── a complaint ─> Stopped, with who is to blame
//! AwaitingManifest ─────── sealed, and exactly what came out ─> Pin, Endorse
//! Done
//! ```
//!
//! For example trustee 2 of 3 with threshold 2: `Started` gives one `Post` of round 1; three
//! `Posted` of round 1, its own among them, give one `Post` of round 2; and so on.
//!
//! Invariants: a message is taken only in its round, once for each trustee, under its own number;
//! anything else is [`Effect::Refused`] and changes nothing. The trustee's own messages must come
//! back unchanged: if others are posted in its name, it stops. Effects are to be done in order,
//! and [`Effect::Pin`] durably before [`Effect::Endorse`].
//!
//! Left out on purpose: a new attempt after a complaint is a new machine with the next attempt's
//! number, since people decide whether to go on with the same trustees.

mod awaiting_announcements;
mod awaiting_confirmations;
mod awaiting_dealings;
mod awaiting_manifest;
mod done;

use ballot::{
    Fingerprint,
    ceremony::{Parameters, TrusteeSecret},
};
use base::Machine;
use election::Draft;

use awaiting_announcements::AwaitingAnnouncements;
use awaiting_confirmations::AwaitingConfirmations;
use awaiting_dealings::AwaitingDealings;
use awaiting_manifest::AwaitingManifest;
use done::{Done, Stopped};

use crate::refusal::{Refusal, code};
use crate::secret_file::SecretFile;

/// A round of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Round {
    /// Everyone's keys and hash of the commitments.
    Announcements = 1,
    /// Everyone's commitments and encrypted shares.
    Dealings = 2,
    /// Everyone's confirmation, or a complaint.
    Confirmations = 3,
}

impl Round {
    /// All rounds in order.
    pub const ALL: [Self; 3] = [Self::Announcements, Self::Dealings, Self::Confirmations];

    /// Its name in sentences: what one trustee sends.
    pub fn name(self) -> &'static str {
        match self {
            Self::Announcements => "announcement",
            Self::Dealings => "dealing",
            Self::Confirmations => "confirmation",
        }
    }
}

/// What a trustee waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Messages of a round.
    Awaiting(Round),
    /// The sealed manifest.
    AwaitingManifest,
    /// Nothing: the manifest is endorsed.
    Done,
    /// Nothing: this attempt has failed.
    Stopped,
}

/// What may happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// The trustee joins, for the first time or again.
    Started,
    /// A message was posted, by this trustee or another.
    Posted {
        /// The round it was posted for.
        round: Round,
        /// The number it was posted under, from 1.
        trustee: u8,
        /// Its bytes.
        message: Vec<u8>,
    },
    /// The manifest was sealed.
    Sealed {
        /// Its canonical bytes.
        manifest: Vec<u8>,
        /// The administrator's signature.
        signature: [u8; 64],
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Post this trustee's message of a round. Doing it again is harmless.
    Post {
        /// The round.
        round: Round,
        /// Its bytes.
        message: Vec<u8>,
    },
    /// Write into the secret file that this manifest is the one.
    Pin {
        /// The manifest's fingerprint.
        fingerprint: Fingerprint,
    },
    /// Post the endorsement of the manifest.
    Endorse {
        /// This trustee's signature on the fingerprint.
        signature: [u8; 64],
    },
    /// The event was not taken.
    Refused(Refusal),
    /// The attempt has failed, for this reason; a new one starts from the beginning.
    Stopped(Refusal),
}

/// One trustee in one attempt at the ceremony.
pub struct Ceremony {
    state: State,
}

enum State {
    AwaitingAnnouncements(AwaitingAnnouncements),
    AwaitingDealings(AwaitingDealings),
    AwaitingConfirmations(AwaitingConfirmations),
    AwaitingManifest(AwaitingManifest),
    Done(Done),
    Stopped(Stopped),
}

/// What stays the same in all states.
struct Seat {
    secret: TrusteeSecret,
    draft: Draft,
    parameters: Parameters,
    attempt: u32,
    number: u8,
    endorsed: Option<Fingerprint>,
}

/// The state after an event, and what is to be done.
struct Turn {
    state: State,
    effects: Vec<Effect>,
}

impl Turn {
    fn quiet(state: State) -> Self {
        Self { state, effects: Vec::new() }
    }

    fn refused(state: State, refusal: Refusal) -> Self {
        Self { state, effects: vec![Effect::Refused(refusal)] }
    }

    fn stopped(refusal: Refusal) -> Self {
        let effects = vec![Effect::Stopped(refusal.clone())];
        Self { state: State::Stopped(Stopped::new(refusal)), effects }
    }
}

/// A message as it was posted.
struct Posted {
    round: Round,
    trustee: u8,
    message: Vec<u8>,
}

impl Seat {
    /// The trustee's number as the messages have it.
    fn wire_number(&self) -> u16 {
        self.number.into()
    }

    /// The trustee in sentences.
    fn name(&self, number: u16) -> String {
        let name = usize::from(number).checked_sub(1);
        match name.and_then(|at| self.draft.definition.trustees.get(at)) {
            Some(name) => format!("trustee {number} ({name})"),
            None => format!("trustee {number}"),
        }
    }

    /// Whether a message of `expected` may be taken now, as far as its envelope tells.
    fn check_turn(&self, posted: &Posted, expected: Round, taken: bool) -> Result<(), Refusal> {
        if posted.round != expected {
            let sentence = format!(
                "A {} of {} has no place now: the ceremony waits for {}s.",
                posted.round.name(),
                self.name(posted.trustee.into()),
                expected.name()
            );
            return Err(Refusal::new(code::OUT_OF_TURN, sentence));
        }
        if posted.trustee == 0 || u16::from(posted.trustee) > self.parameters.trustees() {
            let sentence = format!("This election has no trustee {}.", posted.trustee);
            return Err(Refusal::new(code::NO_SUCH_TRUSTEE, sentence));
        }
        if taken {
            let sentence = format!(
                "The {} of {} is there already.",
                expected.name(),
                self.name(posted.trustee.into())
            );
            return Err(Refusal::new(code::REPEATED, sentence));
        }
        Ok(())
    }

    /// That a message names the trustee under whose number it was posted.
    fn check_place(&self, posted: &Posted, author: u16) -> Result<(), Refusal> {
        if author == u16::from(posted.trustee) {
            return Ok(());
        }
        let sentence = format!(
            "The {} posted under number {} is by {}.",
            posted.round.name(),
            posted.trustee,
            self.name(author)
        );
        Err(Refusal::new(code::WRONG_PLACE, sentence))
    }

    /// Whether somebody has spoken in this trustee's place.
    fn find_impostor(&self, posted: &Posted, own: &[u8]) -> Option<Refusal> {
        (posted.trustee == self.number && posted.message != own).then(|| {
            let sentence = format!(
                "Another {} than yours was posted under your number, {}: somebody acts in your \
                 name, or you have used another secret file before.",
                posted.round.name(),
                self.number
            );
            Refusal::new(code::NOT_MINE, sentence)
        })
    }

    fn no_manifest_yet(&self, expected: Round) -> Refusal {
        let sentence = format!(
            "A manifest has no place now: the ceremony waits for {}s, and trustee {} endorses \
             only what it has seen come out.",
            expected.name(),
            self.number
        );
        Refusal::new(code::OUT_OF_TURN, sentence)
    }
}

fn not_again(stage: &str) -> Refusal {
    Refusal::new(code::OUT_OF_TURN, format!("This has no place now: {stage}."))
}

impl Ceremony {
    /// The trustee of a secret file in the election of a draft.
    ///
    /// # Errors
    /// When the file is for another election, or the draft has no such trustee.
    pub fn new(file: &SecretFile, draft: &Draft) -> Result<Self, Refusal> {
        let number = file.trustee;
        if file.election != draft.id {
            let sentence =
                format!("The secret file is for election {}, not for {}.", file.election, draft.id);
            return Err(Refusal::new(code::BAD_MANIFEST, sentence));
        }
        let trustees = draft.definition.trustees.len();
        if number == 0 || usize::from(number) > trustees {
            let sentence =
                format!("There is no trustee {number}; they are numbered 1 to {trustees}.");
            return Err(Refusal::new(code::NO_SUCH_TRUSTEE, sentence));
        }
        let threshold = draft.definition.threshold.into();
        let trustees = u16::try_from(trustees).unwrap_or(u16::MAX);
        let parameters = Parameters::new(draft.id.0, file.attempt, trustees, threshold)?;
        let seat = Seat {
            secret: file.secret.clone(),
            draft: draft.clone(),
            parameters,
            attempt: file.attempt,
            number,
            endorsed: file.endorsed,
        };
        let state = State::AwaitingAnnouncements(AwaitingAnnouncements::new(seat)?);
        Ok(Self { state })
    }

    /// What it waits for.
    pub fn stage(&self) -> Stage {
        match &self.state {
            State::AwaitingAnnouncements(_) => Stage::Awaiting(Round::Announcements),
            State::AwaitingDealings(_) => Stage::Awaiting(Round::Dealings),
            State::AwaitingConfirmations(_) => Stage::Awaiting(Round::Confirmations),
            State::AwaitingManifest(_) => Stage::AwaitingManifest,
            State::Done(_) => Stage::Done,
            State::Stopped(_) => Stage::Stopped,
        }
    }

    /// Numbers of the trustees whose messages of the present round are missing.
    pub fn missing(&self) -> Vec<u8> {
        match &self.state {
            State::AwaitingAnnouncements(state) => state.missing(),
            State::AwaitingDealings(state) => state.missing(),
            State::AwaitingConfirmations(state) => state.missing(),
            State::AwaitingManifest(_) | State::Done(_) | State::Stopped(_) => Vec::new(),
        }
    }
}

impl Machine for Ceremony {
    type Event = Event;
    type Effect = Effect;

    fn step(&mut self, event: Event) -> Vec<Effect> {
        let resting = State::Stopped(Stopped::new(not_again("an earlier event has failed")));
        let state = core::mem::replace(&mut self.state, resting);
        let turn = match event {
            Event::Started => state.on_started(),
            Event::Posted { round, trustee, message } => {
                state.on_posted(&Posted { round, trustee, message })
            }
            Event::Sealed { manifest, signature } => state.on_sealed(&manifest, &signature),
        };
        self.state = turn.state;
        turn.effects
    }
}

impl State {
    fn on_started(self) -> Turn {
        match self {
            Self::AwaitingAnnouncements(state) => state.on_started(),
            other => Turn::refused(other, not_again("the trustee takes part already")),
        }
    }

    fn on_posted(self, posted: &Posted) -> Turn {
        match self {
            Self::AwaitingAnnouncements(state) => state.on_posted(posted),
            Self::AwaitingDealings(state) => state.on_posted(posted),
            Self::AwaitingConfirmations(state) => state.on_posted(posted),
            Self::AwaitingManifest(state) => state.on_posted(posted),
            Self::Done(state) => state.on_posted(),
            Self::Stopped(state) => state.on_anything(),
        }
    }

    fn on_sealed(self, manifest: &[u8], signature: &[u8; 64]) -> Turn {
        match self {
            Self::AwaitingAnnouncements(state) => state.on_sealed(),
            Self::AwaitingDealings(state) => state.on_sealed(),
            Self::AwaitingConfirmations(state) => state.on_sealed(),
            Self::AwaitingManifest(state) => state.on_sealed(manifest, signature),
            Self::Done(state) => state.on_sealed(manifest),
            Self::Stopped(state) => state.on_anything(),
        }
    }
}

/// The numbers of `count` trustees that `have` does not hold.
fn missing<T>(count: u16, have: &std::collections::BTreeMap<u8, T>) -> Vec<u8> {
    let all = 1..=u8::try_from(count).unwrap_or(u8::MAX);
    all.filter(|number| !have.contains_key(number)).collect()
}
