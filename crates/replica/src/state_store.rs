//! The state part of a member: committed entries in, answers and changes out.
//!
//! The state machine is [`kv::Kv`] over a [`storage::ValueLog`]. Nothing here is synced per
//! entry: what is applied is durable in the log before, and is applied again after a crash.

use crate::replica::{AppliedReport, StateSummary};
use bytes::Bytes;
use kv::api::{Error, Request, Response};
use kv::{Fault, Kv, RevisionEvents};
use mvcc::{Backing, BackingError};
use raft::{Entry, LogIndex, Payload};
use std::ops::ControlFlow;
use storage::{Cut, Disk, ReadError, Scanned, ValueLog, ValueLogOptions, WriteError};

/// Bytes of records shown in one step of a scan.
const SCAN_BYTES: u64 = 4 << 20;

/// The state cannot be opened; the member does not start.
#[derive(Debug)]
pub enum StateOpenError {
    /// The folder or its files.
    Log(storage::OpenError),
    /// The records in it.
    Content(String),
}

impl core::fmt::Display for StateOpenError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::Content(reason) => write!(f, "the state cannot be used: {reason}"),
        }
    }
}

impl core::error::Error for StateOpenError {}

/// The state machine must not go on: what it would answer could be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// Entry at which it stopped.
    pub index: u64,
    /// Why.
    pub reason: String,
}

impl core::fmt::Display for Halt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "at entry {}: {}", self.index, self.reason)
    }
}

impl core::error::Error for Halt {}

/// What applying some entries gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// For the replica.
    pub report: AppliedReport,
    /// For the watches: the changes by revision, ascending.
    pub changes: Vec<RevisionEvents>,
}

/// The state of one member.
#[derive(Debug)]
pub struct StateStore<D: Disk> {
    kv: Kv<ValueBacking<D>>,
    applied: u64,
    cut: Option<Cut>,
}

impl<D: Disk> StateStore<D> {
    /// Opens the state in `disk`'s folder.
    ///
    /// # Errors
    /// [`StateOpenError`] when the folder is another's or its records do not fit together.
    pub fn open(disk: D, options: ValueLogOptions) -> Result<Self, StateOpenError> {
        let log = ValueLog::open(disk, options, &mut |_, _| Ok(())).map_err(StateOpenError::Log)?;
        let cut = log.cut();
        let kv = Kv::open(ValueBacking(log)).map_err(|e| StateOpenError::Content(e.to_string()))?;
        let applied = kv.applied_index();
        Ok(Self { kv, applied, cut })
    }

    /// What opening cut off the end of the value log, if anything; the log of consensus brings
    /// it back.
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Index of the last applied entry.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The state machine, for watches and digests.
    pub fn kv(&self) -> &Kv<ValueBacking<D>> {
        &self.kv
    }

    /// Figures for status and readiness.
    pub fn summary(&self) -> StateSummary {
        StateSummary {
            revision: self.kv.revision(),
            size_bytes: self.kv.store().size_bytes(),
            live_bytes: self.kv.store().live_bytes(),
            leases: self.kv.lease_count() as u64,
        }
    }

    /// Applies `entries`, which follow what was applied before.
    ///
    /// # Errors
    /// [`Halt`] when an entry cannot be read or the medium fails; the entries before it are
    /// applied.
    ///
    /// # Panics
    /// When an entry does not follow: the replica handed out a hole.
    pub fn apply(&mut self, entries: &[Entry]) -> Result<Applied, Halt> {
        let mut applied = Applied::default();
        for entry in entries {
            let index = entry.id.index.get();
            assert_eq!(index, self.applied + 1, "entries are applied without holes");
            match &entry.payload {
                Payload::Empty => self.kv.apply_empty(index).map_err(|e| e.to_string()),
                Payload::Data(command) => self.apply_command(entry, command, &mut applied),
            }
            .map_err(|reason| Halt { index, reason })?;
            self.applied = index;
        }
        applied.report.through = LogIndex::new(self.applied);
        applied.report.state = self.summary();
        Ok(applied)
    }

    fn apply_command(
        &mut self,
        entry: &Entry,
        command: &Bytes,
        applied: &mut Applied,
    ) -> Result<(), String> {
        let envelope = kv::command::decode(command).map_err(|error| error.to_string())?;
        let (index, term) = (entry.id.index.get(), entry.id.term.get());
        let done =
            self.kv.apply(index, term, &envelope).map_err(|fault: Fault| fault.to_string())?;
        if !done.duplicate {
            applied.report.outcomes.push((done.origin, done.result));
        }
        applied.changes.extend(done.events);
        Ok(())
    }

    /// Answers a read from the state as it is.
    ///
    /// # Errors
    /// The refusal for the caller.
    pub fn read(&self, request: &Request, raft_term: u64) -> Result<Response, Error> {
        self.kv.read(request, raft_term)
    }

    /// Makes what was applied durable.
    ///
    /// # Errors
    /// [`Halt`] when the medium fails.
    pub fn sync(&mut self) -> Result<(), Halt> {
        self.kv.sync().map_err(|error| Halt { index: self.applied, reason: error.to_string() })
    }
}

/// The value log in the words of `mvcc`.
#[derive(Debug)]
pub struct ValueBacking<D>(ValueLog<D>);

impl<D: Disk> Backing for ValueBacking<D> {
    fn append(&mut self, record: &[u8]) -> Result<mvcc::Position, BackingError> {
        self.0.append(record).map(position).map_err(write_failed)
    }

    fn read(&self, position: mvcc::Position) -> Result<Bytes, BackingError> {
        let mvcc::Position { offset, len } = position;
        self.0.read(storage::Position { offset, len }).map_err(read_failed)
    }

    fn scan(&self, visit: &mut mvcc::Visit<'_>) -> Result<(), BackingError> {
        let mut from = 0;
        loop {
            let mut ended = false;
            let scanned = self
                .0
                .scan(from, SCAN_BYTES, &mut |at, record| {
                    ended = ended || visit(position(at), &record) == ControlFlow::Break(());
                })
                .map_err(read_failed)?;
            match scanned {
                Scanned::More(next) if !ended => from = next,
                Scanned::More(_) | Scanned::End(_) => return Ok(()),
            }
        }
    }

    fn sync(&mut self) -> Result<(), BackingError> {
        self.0.sync().map_err(write_failed)
    }

    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }
}

fn position(position: storage::Position) -> mvcc::Position {
    mvcc::Position { offset: position.offset, len: position.len }
}

fn write_failed(error: WriteError) -> BackingError {
    BackingError::Failed { detail: error.to_string() }
}

fn read_failed(error: ReadError) -> BackingError {
    match error {
        ReadError::Damaged(_) | ReadError::OutOfRange { .. } => {
            BackingError::Damaged { detail: error.to_string() }
        }
        ReadError::Disk(_) | ReadError::Poisoned => {
            BackingError::Failed { detail: error.to_string() }
        }
    }
}
