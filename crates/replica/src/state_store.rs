//! The state part of a member: committed entries in, answers and changes out.
//!
//! The state machine is [`kv::Kv`] over a [`storage::ValueLog`]. Nothing here is synced per
//! entry: what is applied is durable in the log before, and is applied again after a crash.
//!
//! # Snapshots
//! Since the value log only grows, a snapshot is its beginning up to a synced place: making one
//! is a sync, sending one is reading records in order. A member that receives one fills a value
//! log in its *other* folder ([`Staged`]); when that is whole and synced, consensus rebases the
//! log, and the batch that does so also counts the generation on, which is what says which of the
//! two folders holds the state. So a crash leaves either the old state with the old log or the new
//! one with the new.

use crate::health::Health;
use crate::interface::{AppliedReport, StateSummary};
use bytes::Bytes;
use kv::api::{Error, Request, Response};
use kv::{Fault, Kv, RevisionEvents};
use mvcc::{Backing, BackingError};
use raft::{Entry, LogIndex, Payload};
use std::ops::ControlFlow;
use storage::{
    Chunk, Cut, Disk, DiskError, DiskErrorKind, ImportError, ReadError, Scanned, ValueLog,
    ValueLogOptions, WriteError,
};

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

/// A snapshot that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its state is that after this entry.
    pub applied: LogIndex,
    /// Length of the segments.
    pub segment_bytes: u64,
    /// It ends at this byte of the value log.
    pub through: u64,
    /// Digest of the state.
    pub digest: u64,
}

/// A snapshot was not received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageError {
    /// What came does not fit what was there; begin again.
    Content(String),
    /// No space is left for it; later perhaps.
    Full,
    /// The disk failed; the member stops.
    Disk(String),
}

impl core::fmt::Display for StageError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Content(reason) => write!(f, "the snapshot cannot be used: {reason}"),
            Self::Full => write!(f, "no space is left for the snapshot"),
            Self::Disk(reason) => write!(f, "the disk failed under the snapshot: {reason}"),
        }
    }
}

impl core::error::Error for StageError {}

/// Why an entry was not applied; the state is as before it.
enum Stop {
    /// No space is left; the entry can be applied later.
    Full,
    /// A record that it needs, at this offset, is not what was written.
    Damaged(u64, String),
    /// The member must not go on.
    Halt(String),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        match &fault {
            Fault::Read(mvcc::ReadError::Damaged { position, .. }) => {
                Self::Damaged(position.offset, fault.to_string())
            }
            _ if fault.is_full() => Self::Full,
            _ => Self::Halt(fault.to_string()),
        }
    }
}

/// The other folder.
#[derive(Debug)]
enum Staged<D: Disk> {
    /// Nobody uses it; what is in it is of no account.
    Spare(D),
    /// Records are coming in.
    Filling(ValueLog<D>),
    /// Whole, synced, and compared.
    Ready(Box<Kv<ValueBacking<D>>>),
    /// A failed attempt to open it took the folder along.
    Gone,
}

/// The state of one member.
#[derive(Debug)]
pub struct StateStore<D: Disk> {
    pub(crate) kv: Kv<ValueBacking<D>>,
    applied: u64,
    /// Everything up to here is durable in this store too.
    synced: u64,
    cut: Option<Cut>,
    options: ValueLogOptions,
    staged: Staged<D>,
    pub(crate) health: Health,
    #[cfg(feature = "mutants")]
    mutant: Option<kv::Mutant>,
}

impl<D: Disk> StateStore<D> {
    /// Opens the state in the folder of this `generation` ([`crate::LogStore::generation`]): even
    /// ones are in the first folder, odd ones in the second.
    ///
    /// # Errors
    /// [`StateOpenError`] when the folder is another's or its records do not fit together.
    pub fn open(
        folders: [D; 2],
        options: ValueLogOptions,
        generation: u64,
    ) -> Result<Self, StateOpenError> {
        let [even, odd] = folders;
        let (disk, spare) = if generation.is_multiple_of(2) { (even, odd) } else { (odd, even) };
        let mut opening = kv::Opening::default();
        let mut take = |at, record: &[u8]| {
            opening.take(position(at), record).map_err(|error| error.to_string())
        };
        let log = ValueLog::open(disk, options, &mut take).map_err(|error| match error {
            storage::OpenError::Refused { reason, .. } => StateOpenError::Content(reason),
            other => StateOpenError::Log(other),
        })?;
        let cut = log.cut();
        let kv = opening.finish(ValueBacking(log));
        let applied = kv.applied_index();
        let staged = Staged::Spare(spare);
        let health = Health::default();
        Ok(Self {
            kv,
            applied,
            synced: applied,
            cut,
            options,
            staged,
            health,
            #[cfg(feature = "mutants")]
            mutant: None,
        })
    }

    /// Seeds a bug in the state machine, or none.
    #[cfg(feature = "mutants")]
    pub fn seed(&mut self, mutant: Option<kv::Mutant>) {
        self.mutant = mutant;
        self.kv.seed(mutant);
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

    /// Everything up to here is durable in the state itself; the log may be cut there.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// The state machine, for watches and digests.
    pub fn kv(&self) -> &Kv<ValueBacking<D>> {
        &self.kv
    }

    /// Digest of everything that members must agree on after the same entries.
    pub fn digest(&self) -> u64 {
        digest_of(&self.kv)
    }

    /// Figures for status and readiness.
    pub fn summary(&self) -> StateSummary {
        StateSummary {
            applied: LogIndex::new(self.applied),
            revision: self.kv.revision(),
            size_bytes: self.kv.store().size_bytes(),
            live_bytes: self.kv.store().live_bytes(),
            leases: self.kv.lease_count() as u64,
            damaged: self.health.damaged(),
            records_repaired: self.health.repaired,
            scrub_rounds: self.health.scrub_rounds(),
        }
    }

    /// Applies `entries`, which follow what was applied before; those that the state holds already
    /// (its log was damaged and is coming back) are passed over. Stops early when no space is left,
    /// or where a record that is needed is damaged: then the report's last index says how far it
    /// came.
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
            if index <= self.applied {
                continue;
            }
            assert_eq!(index, self.applied + 1, "entries are applied without holes");
            match self.apply_one(entry, &mut applied) {
                Ok(()) => self.applied = index,
                Err(Stop::Full) => break,
                Err(Stop::Halt(reason)) => return Err(Halt { index, reason }),
                Err(Stop::Damaged(offset, reason)) => {
                    self.halt_for(offset, reason)?;
                    break;
                }
            }
        }
        let last = entries.last().map_or(0, |entry| entry.id.index.get());
        applied.report.through = LogIndex::new(last.min(self.applied));
        applied.report.state = self.summary();
        Ok(applied)
    }

    fn apply_one(&mut self, entry: &Entry, applied: &mut Applied) -> Result<(), Stop> {
        match &entry.payload {
            Payload::Empty | Payload::Membership(_) => {
                Ok(self.kv.apply_empty(entry.id.index.get())?)
            }
            Payload::Data(command) => self.apply_command(entry, command, applied),
        }
    }

    fn apply_command(
        &mut self,
        entry: &Entry,
        command: &Bytes,
        applied: &mut Applied,
    ) -> Result<(), Stop> {
        let envelope =
            kv::command::decode(command).map_err(|error| Stop::Halt(error.to_string()))?;
        let (index, term) = (entry.id.index.get(), entry.id.term.get());
        let done = self.kv.apply(index, term, &envelope)?;
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

    /// As [`Self::read`], for who can tell the replica of damage ([`crate::Event::DamageMet`]).
    ///
    /// # Errors
    /// The offset of a damaged record: nothing may be answered.
    pub fn answer(
        &self,
        request: &Request,
        raft_term: u64,
    ) -> Result<Result<Response, Error>, u64> {
        self.kv.answer(request, raft_term).map_err(|error| offset_of(&error))
    }

    /// Makes what was applied durable.
    ///
    /// # Errors
    /// [`Halt`] when the medium fails.
    pub fn sync(&mut self) -> Result<(), Halt> {
        let halt = |error: Fault| Halt { index: self.applied, reason: error.to_string() };
        self.kv.sync().map_err(halt)?;
        self.synced = self.applied;
        Ok(())
    }

    /// Makes a snapshot: syncs the state and says where it ends. Later entries do not change it.
    ///
    /// # Errors
    /// As [`Self::sync`].
    pub fn export(&mut self) -> Result<Export, Halt> {
        self.sync()?;
        let log = &self.kv.store().backing().0;
        Ok(Export {
            applied: LogIndex::new(self.applied),
            segment_bytes: log.segment_bytes(),
            through: log.end(),
            digest: self.digest(),
        })
    }

    /// The records of a snapshot from byte `from` on, about `max_bytes` of them.
    ///
    /// # Errors
    /// [`ReadError`] when a record is damaged, or the receiver asks for what is not there.
    pub fn export_chunk(
        &self,
        from: u64,
        max_bytes: u64,
        through: u64,
    ) -> Result<Chunk, ReadError> {
        self.kv.store().backing().0.export(from, max_bytes, through)
    }

    /// Begins to receive a snapshot whose sender has segments of `segment_bytes`.
    ///
    /// # Errors
    /// [`StageError`]; after [`StageError::Disk`] the member stops.
    pub fn stage(&mut self, segment_bytes: u64) -> Result<(), StageError> {
        let mut disk = self.take_spare()?;
        if let Err(error) = wipe(&mut disk) {
            self.staged = Staged::Spare(disk);
            return Err(StageError::Disk(error.to_string()));
        }
        let options = ValueLogOptions { segment_bytes, ..self.options };
        match ValueLog::open_or_give_back(disk, options, &mut |_, _| Ok(())) {
            Ok(log) => {
                self.staged = Staged::Filling(log);
                Ok(())
            }
            Err((error, disk)) => {
                self.staged = Staged::Spare(disk);
                Err(unless_full(&error))
            }
        }
    }

    /// Takes in a part of the snapshot; answers the byte that is wanted next.
    ///
    /// # Errors
    /// [`StageError`].
    pub fn stage_chunk(&mut self, chunk: &Chunk) -> Result<u64, StageError> {
        let Staged::Filling(log) = &mut self.staged else {
            return Err(StageError::Content("nothing is being received".to_owned()));
        };
        match log.import(chunk) {
            Ok(()) => Ok(log.end()),
            // Sent twice, or out of order: what is wanted is still the same.
            Err(ImportError::Elsewhere { end, .. }) => Ok(end),
            Err(ImportError::Write(WriteError::Full(_))) => Err(StageError::Full),
            Err(ImportError::Write(error)) => Err(StageError::Disk(error.to_string())),
            Err(error) => Err(StageError::Content(error.to_string())),
        }
    }

    /// The whole snapshot has come: makes it durable and compares it with what its sender said.
    ///
    /// # Errors
    /// [`StageError`].
    pub fn finish_stage(&mut self, applied: LogIndex, digest: u64) -> Result<(), StageError> {
        let mut log = match core::mem::replace(&mut self.staged, Staged::Gone) {
            Staged::Filling(log) => log,
            other => {
                self.staged = other;
                return Err(StageError::Content("nothing is being received".to_owned()));
            }
        };
        if let Err(error) = log.sync() {
            return Err(StageError::Disk(error.to_string()));
        }
        let kv = match Kv::open(ValueBacking(log)) {
            Ok(kv) => kv,
            Err(error) => return Err(StageError::Disk(error.to_string())),
        };
        let found = (kv.applied_index(), digest_of(&kv));
        if found != (applied.get(), digest) {
            self.staged = Staged::Spare(kv.into_backing().0.into_disk());
            let wanted = (applied.get(), digest);
            let text = format!("its last entry and digest are {found:?}, not {wanted:?}");
            return Err(StageError::Content(text));
        }
        self.staged = Staged::Ready(Box::new(kv));
        Ok(())
    }

    /// Forgets what was received.
    pub fn drop_stage(&mut self) {
        if let Ok(disk) = self.take_spare() {
            self.staged = Staged::Spare(disk);
        }
    }

    /// The log has been rebased on the snapshot, durably: it is the state from now on.
    ///
    /// # Panics
    /// When no snapshot through `last` was received whole: the log would be without a state.
    pub fn install(&mut self, last: LogIndex) -> AppliedReport {
        let staged = core::mem::replace(&mut self.staged, Staged::Gone);
        let Staged::Ready(kv) = staged else { panic!("the snapshot through {last} is not there") };
        assert_eq!(kv.applied_index(), last.get(), "another snapshot is there");
        let old = core::mem::replace(&mut self.kv, *kv);
        #[cfg(feature = "mutants")]
        self.kv.seed(self.mutant);
        self.staged = Staged::Spare(old.into_backing().0.into_disk());
        (self.applied, self.synced) = (last.get(), last.get());
        self.health.renew();
        AppliedReport { through: last, outcomes: Vec::new(), state: self.summary() }
    }

    fn take_spare(&mut self) -> Result<D, StageError> {
        match core::mem::replace(&mut self.staged, Staged::Gone) {
            Staged::Spare(disk) => Ok(disk),
            Staged::Filling(log) => Ok(log.into_disk()),
            Staged::Ready(kv) => Ok(kv.into_backing().0.into_disk()),
            Staged::Gone => Err(StageError::Disk("an earlier attempt failed".to_owned())),
        }
    }
}

/// No space is no failure of the disk.
fn unless_full(error: &storage::OpenError) -> StageError {
    match error {
        storage::OpenError::Disk(DiskError { kind: DiskErrorKind::Full, .. }) => StageError::Full,
        other => StageError::Disk(other.to_string()),
    }
}

fn digest_of<B: Backing>(kv: &Kv<B>) -> u64 {
    let keys = kv.store().digest(kv.revision()).unwrap_or_default();
    keys ^ (u64::from(kv.side_digest()) << 16) ^ kv.revision().unsigned_abs().rotate_left(48)
}

/// Empties a folder.
fn wipe<D: Disk>(disk: &mut D) -> Result<(), DiskError> {
    for name in disk.list()? {
        disk.remove(&name)?;
    }
    disk.sync_dir()
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
                    ended = ended || visit(position(at), record) == ControlFlow::Break(());
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

impl<D> ValueBacking<D> {
    pub(crate) fn log(&self) -> &ValueLog<D> {
        &self.0
    }

    pub(crate) fn log_mut(&mut self) -> &mut ValueLog<D> {
        &mut self.0
    }
}

/// Where the damage is that a read met.
pub fn offset_of(error: &mvcc::ReadError) -> u64 {
    match error {
        mvcc::ReadError::Damaged { position, .. } => position.offset,
        mvcc::ReadError::Future => 0,
    }
}

fn position(position: storage::Position) -> mvcc::Position {
    mvcc::Position { offset: position.offset, len: position.len }
}

fn write_failed(error: WriteError) -> BackingError {
    match error {
        WriteError::Full(_) => BackingError::Full { detail: error.to_string() },
        other => BackingError::Failed { detail: other.to_string() },
    }
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
