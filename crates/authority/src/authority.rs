//! The machine: one authority over all elections of a store.

use std::collections::BTreeMap;

use ballot::signature::SigningKey;
use base::Machine;
use bytes::Bytes;
use election::{ElectionId, keys};
use kv::api::{
    Error, EventKind, KeyRange, PutRequest, RangeRequest, Request, Response, WatchResponse,
};
use ledger::{AuthorityKey, AuthoritySigner, KeyError};

use crate::{
    api::{Act, Answer, Config, Effect, Event},
    desk::{Desk, Purpose, Watcher},
    journal::{JournalError, Record},
    seat::{ElectionView, Seat},
};

/// Wait before the directory is read again after a failure, in milliseconds.
const RETRY_MS: u64 = 300;

/// Why an authority cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The configured name is not usable.
    Name(KeyError),
    /// The journal cannot be read.
    Journal(JournalError),
}

impl core::fmt::Display for StartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Name(error) => write!(f, "the authority's name: {error}"),
            Self::Journal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// Where the authority stands with the list of elections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directory {
    Waiting { from_ms: u64 },
    Reading { call: u64 },
    Watching { watch: u64 },
}

/// See the crate.
pub struct Authority {
    desk: Desk,
    seats: BTreeMap<ElectionId, Seat>,
    directory: Directory,
    /// `None` once the own key stands in the store.
    publish_from_ms: Option<u64>,
}

impl Authority {
    /// The authority with the key of this RFC 8032 seed, going on where its journal ends: the
    /// records of every [`Effect::Persist`] that were durable, in order.
    ///
    /// # Errors
    /// When the name is not usable or the journal cannot be read.
    pub fn new(
        config: Config,
        key_seed: &[u8; 32],
        journal: impl IntoIterator<Item = Bytes>,
    ) -> Result<Self, StartError> {
        let signer =
            AuthoritySigner::from_seed(&config.name, key_seed).map_err(StartError::Name)?;
        let mut desk = Desk::new(config, SigningKey::from_seed(key_seed), signer);
        let mut records: BTreeMap<ElectionId, Vec<Record>> = BTreeMap::new();
        for (number, bytes) in journal.into_iter().enumerate() {
            let (election, record) = Record::decode(&bytes)
                .map_err(|reason| StartError::Journal(JournalError { record: number, reason }))?;
            records.entry(election).or_default().push(record);
        }
        let mut seats = BTreeMap::new();
        for (election, records) in records {
            let mut seat = Seat::new(election, &desk.config);
            seat.restore(records, &mut desk).map_err(StartError::Journal)?;
            seats.insert(election, seat);
        }
        let directory = Directory::Waiting { from_ms: 0 };
        Ok(Self { desk, seats, directory, publish_from_ms: Some(0) })
    }

    /// The own public key, as manifests name it.
    pub fn key(&self) -> &AuthorityKey {
        self.desk.signer.key()
    }

    /// Every election known.
    pub fn elections(&self) -> impl Iterator<Item = ElectionView<'_>> {
        self.seats.values().map(ElectionView::new)
    }

    /// One election.
    pub fn election(&self, election: ElectionId) -> Option<ElectionView<'_>> {
        self.seats.get(&election).map(ElectionView::new)
    }

    /// Checks ballots that are about to be submitted, those of one election in one batch: several
    /// together cost half as much as each by itself. What is found good here is not verified again
    /// by the steps that follow; nothing else comes of it.
    pub fn check_together<'a>(
        &mut self,
        ballots: impl IntoIterator<Item = (ElectionId, &'a Bytes)>,
    ) {
        let mut by_election: BTreeMap<ElectionId, Vec<&Bytes>> = BTreeMap::new();
        for (election, ballot) in ballots {
            by_election.entry(election).or_default().push(ballot);
        }
        for (election, ballots) in by_election.into_iter().filter(|(_, all)| all.len() > 1) {
            if let Some(seat) = self.seats.get_mut(&election) {
                seat.check_together(&ballots, &mut self.desk);
            }
        }
    }

    fn on_ticked(&mut self) {
        if self.publish_from_ms.is_some_and(|from_ms| self.desk.now_ms >= from_ms) {
            self.publish();
        }
        match self.directory {
            Directory::Waiting { from_ms } if self.desk.now_ms >= from_ms => self.read_directory(),
            _ => {}
        }
        for seat in self.seats.values_mut() {
            seat.on_ticked(&mut self.desk);
        }
    }

    fn publish(&mut self) {
        self.publish_from_ms = None;
        let key = Bytes::from(keys::authority(self.desk.config.index));
        let value = Bytes::from(self.key().to_string());
        let put = PutRequest { key, value, ..PutRequest::default() };
        self.desk.call(Purpose::Publish, Request::Put(put));
    }

    fn read_directory(&mut self) {
        let range = KeyRange::prefix(keys::DIRECTORY);
        let request = RangeRequest { range, keys_only: true, ..RangeRequest::default() };
        let call = self.desk.call(Purpose::Directory, Request::Range(request));
        self.directory = Directory::Reading { call };
    }

    fn on_directory(&mut self, call: u64, result: Result<Response, Error>) {
        if self.directory != (Directory::Reading { call }) {
            return;
        }
        let Ok(Response::Range(range)) = result else {
            return self.read_directory_later();
        };
        for kv in &range.kvs {
            self.meet(&kv.key);
        }
        let prefix = KeyRange::prefix(keys::DIRECTORY);
        let watch = self.desk.watch(Watcher::Directory, prefix, range.header.revision + 1);
        self.directory = Directory::Watching { watch };
    }

    fn read_directory_later(&mut self) {
        self.directory = Directory::Waiting { from_ms: self.desk.now_ms + RETRY_MS };
    }

    fn meet(&mut self, key: &[u8]) {
        if let Some(election) = keys::parse_directory(key) {
            let seat = self
                .seats
                .entry(election)
                .or_insert_with(|| Seat::new(election, &self.desk.config));
            seat.read_on(&mut self.desk);
        }
    }

    fn on_replied(&mut self, call: u64, result: Result<Response, Error>) {
        match self.desk.calls.remove(&call) {
            Some(Purpose::Publish) if result.is_err() => {
                self.publish_from_ms = Some(self.desk.now_ms + RETRY_MS);
            }
            Some(Purpose::Publish | Purpose::Relist) | None => {}
            Some(Purpose::Directory) => self.on_directory(call, result),
            Some(Purpose::Seat(election, what)) => {
                if let Some(seat) = self.seats.get_mut(&election) {
                    seat.on_replied(what, call, result, &mut self.desk);
                }
            }
        }
    }

    fn on_watched(&mut self, watch: u64, message: WatchResponse) {
        match self.desk.watches.get(&watch) {
            None => {}
            Some(Watcher::Seat(election)) => {
                if let Some(seat) = self.seats.get_mut(election) {
                    seat.on_watched(watch, message, &mut self.desk);
                }
            }
            Some(Watcher::Directory) => match message {
                WatchResponse::Events { events, .. } => {
                    for event in events.iter().filter(|event| event.kind == EventKind::Put) {
                        self.meet(&event.kv.key);
                    }
                }
                WatchResponse::Canceled { .. } => self.on_watch_ended(watch),
                WatchResponse::Created { .. } | WatchResponse::Progress { .. } => {}
            },
        }
    }

    fn on_watch_ended(&mut self, watch: u64) {
        match self.desk.watches.remove(&watch) {
            None => {}
            Some(Watcher::Directory) => self.read_directory_later(),
            Some(Watcher::Seat(election)) => {
                if let Some(seat) = self.seats.get_mut(&election) {
                    seat.on_watch_ended(watch, &mut self.desk);
                }
            }
        }
    }

    fn on_administered(&mut self, ticket: u64, election: ElectionId, act: Act) {
        if matches!(act, Act::Create { .. }) {
            self.seats.entry(election).or_insert_with(|| Seat::new(election, &self.desk.config));
        }
        match self.seats.get_mut(&election) {
            Some(seat) => seat.on_administered(ticket, act, &mut self.desk),
            None => self.desk.answer(ticket, Answer::UnknownElection),
        }
    }
}

impl Machine for Authority {
    type Event = Event;
    type Effect = Effect;

    fn step(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Started => self.read_directory(),
            Event::Ticked { now_ms, minutes } => {
                self.desk.now_ms = self.desk.now_ms.max(now_ms);
                self.desk.minutes = minutes;
                self.desk.has_time = true;
                self.on_ticked();
            }
            Event::Replied { call, result } => self.on_replied(call, result),
            Event::Watched { watch, message } => self.on_watched(watch, message),
            Event::WatchEnded { watch } => self.on_watch_ended(watch),
            Event::Persisted { ticket } => {
                for seat in self.seats.values_mut() {
                    seat.on_persisted(ticket, &mut self.desk);
                }
            }
            Event::Submitted { ticket, election, ballot } => match self.seats.get_mut(&election) {
                Some(seat) => seat.on_submitted(ticket, ballot, &mut self.desk),
                None => self.desk.answer(ticket, Answer::UnknownElection),
            },
            Event::Administered { ticket, election, act } => {
                self.on_administered(ticket, election, act);
            }
            Event::Compared { ticket, election, note } => match self.seats.get_mut(&election) {
                Some(seat) => seat.on_compared(ticket, &note, &mut self.desk),
                None => self.desk.answer(ticket, Answer::UnknownElection),
            },
        }
        for seat in self.seats.values_mut() {
            seat.settle(&mut self.desk);
        }
        self.desk.take()
    }
}
