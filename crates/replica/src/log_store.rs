//! The log part of a member: what consensus orders to persist, on a [`storage::Wal`].
//!
//! A record of the write-ahead log is one entry; its tag is the entry's term. The meta bytes
//! carry term, vote and the number of starts. Several orders that wait are written as one batch
//! and made durable by one sync.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use raft::{Entry, HardState, LogId, LogIndex, MemberId, Persist, Recovered, Term, Ticket};
use storage::{Batch, Disk, Wal, WalOptions};

/// Version of the meta bytes.
const META_VERSION: u8 = 1;

/// Most bytes read back at once at start.
const TAIL_STEP_BYTES: u64 = 8 << 20;

/// The log cannot be opened, written or read; the member stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogStoreError {
    /// Opening.
    Open(storage::OpenError),
    /// Writing or syncing.
    Write(storage::WriteError),
    /// Reading back.
    Read(storage::ReadError),
    /// The log holds something that this version did not write.
    Content(String),
}

impl core::fmt::Display for LogStoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Write(error) => error.fmt(f),
            Self::Read(error) => error.fmt(f),
            Self::Content(reason) => write!(f, "the log cannot be used: {reason}"),
        }
    }
}

impl core::error::Error for LogStoreError {}

impl From<storage::OpenError> for LogStoreError {
    fn from(error: storage::OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<storage::WriteError> for LogStoreError {
    fn from(error: storage::WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<storage::ReadError> for LogStoreError {
    fn from(error: storage::ReadError) -> Self {
        Self::Read(error)
    }
}

/// The durable log of one member.
#[derive(Debug)]
pub struct LogStore<D: Disk> {
    wal: Wal<D>,
    hard_state: HardState,
    starts: u64,
}

impl<D: Disk> LogStore<D> {
    /// Opens the log in `disk`'s folder and counts this start, durably.
    ///
    /// # Errors
    /// [`LogStoreError`]; nothing may be acknowledged by this member then.
    pub fn open(disk: D, options: WalOptions) -> Result<Self, LogStoreError> {
        let (wal, recovered) = Wal::open(disk, options)?;
        if let Some(loss) = recovered.loss {
            // Until a member can be brought back from its peers, it must not go on from here.
            return Err(storage::OpenError::Damaged(loss.damage).into());
        }
        let (hard_state, starts) = match recovered.meta {
            Some(meta) => decode_meta(meta)?,
            None => (HardState::default(), 0),
        };
        let mut store = Self { wal, hard_state, starts: starts + 1 };
        let meta = Some(encode_meta(store.hard_state, store.starts));
        store.wal.write(&Batch { meta, truncate_from: None, records: Vec::new() })?;
        store.wal.sync()?;
        Ok(store)
    }

    /// How often this log was opened, this time included: the member's incarnation.
    pub fn starts(&self) -> u64 {
        self.starts
    }

    /// What consensus needs to go on, when the state store has applied everything up to
    /// `applied`.
    ///
    /// # Errors
    /// [`LogStoreError`] when entries cannot be read back or the state is ahead of the log.
    pub fn recovered(&self, applied: LogIndex) -> Result<Recovered, LogStoreError> {
        let last_index = self.wal.last_index().unwrap_or(0);
        let term_starts: Vec<LogId> = self
            .wal
            .tag_starts()
            .into_iter()
            .map(|(term, index)| LogId::new(Term::new(term), LogIndex::new(index)))
            .collect();
        let last = match term_starts.last() {
            Some(start) if last_index > 0 => LogId::new(start.term, LogIndex::new(last_index)),
            _ => LogId::ZERO,
        };
        if applied > last.index {
            return Err(LogStoreError::Content(format!(
                "the state holds entries up to {applied}, the log only up to {}: the folders \
                 `log` and `state` do not belong together, or the log lost acknowledged entries",
                last.index
            )));
        }
        let mut tail: Vec<Entry> = Vec::new();
        while applied.plus(tail.len() as u64) < last.index {
            let from = applied.plus(tail.len() as u64 + 1);
            tail.extend(self.load(from, TAIL_STEP_BYTES)?);
        }
        Ok(Recovered { hard_state: self.hard_state, applied, term_starts, last, tail })
    }

    /// Writes `orders`, in their sequence, as one batch. Not durable before [`Self::sync`].
    /// Answers the last ticket.
    ///
    /// # Errors
    /// [`LogStoreError::Write`]; the member stops.
    pub fn write(&mut self, orders: &[Persist]) -> Result<Option<Ticket>, LogStoreError> {
        let Some(ticket) = orders.last().map(|order| order.ticket) else { return Ok(None) };
        let mut truncate_from: Option<u64> = None;
        let mut records: Vec<(u64, u64, Bytes)> = Vec::new();
        let mut meta = None;
        for order in orders {
            if let Some(hard_state) = order.hard_state {
                self.hard_state = hard_state;
                meta = Some(encode_meta(hard_state, self.starts));
            }
            if let Some(from) = order.truncate_from.map(LogIndex::get) {
                records.retain(|(index, ..)| *index < from);
                if records.is_empty() {
                    truncate_from = Some(truncate_from.map_or(from, |earlier| earlier.min(from)));
                }
            }
            records.extend(order.entries.iter().map(|entry| {
                let payload = raft::wire::encode_payload(&entry.payload);
                (entry.id.index.get(), entry.id.term.get(), payload)
            }));
        }
        // A truncation beyond the durable log concerned only entries of this very batch.
        let truncate_from =
            truncate_from.filter(|from| self.wal.last_index().is_some_and(|last| *from <= last));
        self.wal.write(&Batch { meta, truncate_from, records })?;
        Ok(Some(ticket))
    }

    /// Makes everything written durable.
    ///
    /// # Errors
    /// [`LogStoreError::Write`]; the member stops, since nothing is known about the file.
    pub fn sync(&mut self) -> Result<(), LogStoreError> {
        Ok(self.wal.sync()?)
    }

    /// Reads entries from `from` on: at least one, further ones up to `max_bytes`.
    ///
    /// # Errors
    /// [`LogStoreError`] when the records cannot be read or are no entries.
    pub fn load(&self, from: LogIndex, max_bytes: u64) -> Result<Vec<Entry>, LogStoreError> {
        let records = self.wal.read(from.get(), max_bytes)?;
        records.into_iter().map(|(index, term, bytes)| entry(index, term, bytes)).collect()
    }

    /// Prepares a part of the next segment when the present one fills up. To be called after a
    /// sync was reported, so that steady load never meets an unprepared segment.
    ///
    /// # Errors
    /// [`LogStoreError::Write`]; the member stops. A full disk is no error here: it shows when
    /// something has to be written.
    pub fn prepare_if_due(&mut self, budget_bytes: u64) -> Result<(), LogStoreError> {
        tolerate_full(self.wal.prepare_if_due(budget_bytes))
    }

    /// Work for a moment in which nothing waits: seals the log, prepares the next segment.
    ///
    /// # Errors
    /// As [`Self::prepare_if_due`].
    pub fn idle(&mut self, budget_bytes: u64) -> Result<(), LogStoreError> {
        self.wal.seal_if_idle()?;
        tolerate_full(self.wal.prepare_ahead(budget_bytes))
    }
}

fn tolerate_full<T>(prepared: Result<T, storage::WriteError>) -> Result<(), LogStoreError> {
    match prepared {
        Ok(_) | Err(storage::WriteError::Full(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn entry(index: u64, term: u64, bytes: Bytes) -> Result<Entry, LogStoreError> {
    let id = LogId::new(Term::new(term), LogIndex::new(index));
    match raft::wire::decode_payload(bytes) {
        Ok(payload) => Ok(Entry { id, payload }),
        Err(error) => Err(LogStoreError::Content(format!("entry {id}: {error}"))),
    }
}

/// `version u8 | starts u64 | term u64 | has_vote u8 | vote u64`, big-endian.
fn encode_meta(hard_state: HardState, starts: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(26);
    out.put_u8(META_VERSION);
    out.put_u64(starts);
    out.put_u64(hard_state.term.get());
    out.put_u8(u8::from(hard_state.vote.is_some()));
    out.put_u64(hard_state.vote.map_or(0, MemberId::get));
    out.freeze()
}

fn decode_meta(mut bytes: Bytes) -> Result<(HardState, u64), LogStoreError> {
    if bytes.len() != 26 || bytes[0] != META_VERSION || bytes[17] > 1 {
        let reason = "its term and vote are in a form that this program does not know";
        return Err(LogStoreError::Content(reason.to_owned()));
    }
    bytes.advance(1);
    let starts = bytes.get_u64();
    let term = Term::new(bytes.get_u64());
    let has_vote = bytes.get_u8() == 1;
    let vote = MemberId::new(bytes.get_u64());
    Ok((HardState { term, vote: has_vote.then_some(vote) }, starts))
}
