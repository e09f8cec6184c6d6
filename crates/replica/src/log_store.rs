//! The log part of a member: what consensus orders to persist, on a [`storage::Wal`].
//!
//! A record of the write-ahead log is one entry; its tag is the entry's term. The [`meta`] carries
//! term, vote, memberships, where the log begins and which folder holds the state, so that all of
//! that changes together with the log. Several orders that wait are written as one batch and made
//! durable by one sync.
//!
//! A damaged log opens with what is intact before the damage, and the member may not vote until
//! its log is whole again ([`raft::Restriction`]). What is intact behind the damage is kept
//! ([`LogStore::salvaged`]) and needs not be asked of others.

pub(crate) mod meta;

use crate::admission::Admission;
use bytes::Bytes;
use meta::Meta;
use raft::{
    Entries, Entry, HardState, LogId, LogIndex, MemberId, Membership, Payload, Persist, Rebase,
    Recovered, Restriction, Term, Ticket,
};
use storage::{Batch, Disk, Loss, ReadError, Wal, WalOptions, WalScrub};

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
    meta: Meta,
    loss: Option<Loss>,
    /// Records below this may go once the meta that says so is durable.
    cut_before: Option<u64>,
    scrub: WalScrub,
}

impl<D: Disk> LogStore<D> {
    /// Opens the log in `disk`'s folder and counts this start, durably. A new log belongs to a
    /// group that begins with `founding`.
    ///
    /// # Errors
    /// [`LogStoreError`]; nothing may be acknowledged by this member then.
    pub fn open(disk: D, options: WalOptions, founding: Membership) -> Result<Self, LogStoreError> {
        let (mut wal, found) = Wal::open(disk, options)?;
        if !found.meta_is_certain {
            return Err(LogStoreError::Content(
                "both slots of its manifest are damaged, so nobody knows what this member has \
                 promised: keep a copy of the folder, and replace the member by one with a new id"
                    .to_owned(),
            ));
        }
        let mut meta = match found.meta {
            Some(bytes) => Meta::decode(bytes, founding).map_err(LogStoreError::Content)?,
            None => Meta::new(founding),
        };
        meta.starts += 1;
        let last = wal.last_index().map_or(meta.base.index, LogIndex::new).max(meta.base.index);
        meta.forget_memberships_behind(last, found.loss.is_some());
        let base = meta.base.index.get();
        if base > 0 && wal.last_index().unwrap_or(0) < base {
            // Damage took everything behind the base, and some of what lies below it.
            wal.reset(meta.encode(), base + 1)?;
        } else {
            let batch = Batch { meta: Some(meta.encode()), ..Batch::default() };
            wal.write(&batch)?;
            wal.sync()?;
        }
        Ok(Self { wal, meta, loss: found.loss, cut_before: None, scrub: WalScrub::default() })
    }

    /// How often this log was opened, this time included: the member's incarnation.
    pub fn starts(&self) -> u64 {
        self.meta.starts
    }

    /// Number of the folder that holds the state; each installed snapshot counts it on.
    pub fn generation(&self) -> u64 {
        self.meta.generation
    }

    /// How far this member has been admitted.
    pub fn admission(&self) -> Admission {
        self.meta.admission
    }

    /// Notes, durably, how far this member has been admitted.
    ///
    /// # Errors
    /// [`LogStoreError::Write`]; without space it can be tried again, otherwise the member stops.
    pub fn admit(&mut self, admission: Admission) -> Result<(), LogStoreError> {
        let meta = Meta { admission, ..self.meta.clone() };
        self.wal.write(&Batch { meta: Some(meta.encode()), ..Batch::default() })?;
        self.wal.sync()?;
        self.meta = meta;
        Ok(())
    }

    /// What damage took, until it is settled.
    pub fn loss(&self) -> Option<&Loss> {
        self.loss.as_ref()
    }

    /// Entries from behind the damage that are intact.
    ///
    /// # Errors
    /// [`LogStoreError::Content`] when one of them is no entry.
    pub fn salvaged(&self) -> Result<Vec<Entry>, LogStoreError> {
        let records = self.loss.iter().flat_map(|loss| loss.salvaged.iter().cloned());
        records.map(|(index, term, bytes)| entry(index, term, bytes)).collect()
    }

    /// The loss is made good: this member may vote again, also after its next start.
    ///
    /// # Errors
    /// [`LogStoreError::Write`]; the member stops.
    pub fn settle_loss(&mut self) -> Result<(), LogStoreError> {
        self.loss = None;
        Ok(self.wal.settle_loss()?)
    }

    /// Index of the last entry, or of the base of an empty log.
    pub fn last_index(&self) -> LogIndex {
        LogIndex::new(self.wal.last_index().unwrap_or(0)).max(self.meta.base.index)
    }

    /// What consensus needs to go on, when the state store has applied everything up to
    /// `applied`.
    ///
    /// # Errors
    /// [`LogStoreError`] when entries cannot be read back or the state is ahead of the log.
    pub fn recovered(&self, applied: LogIndex) -> Result<Recovered, LogStoreError> {
        let base = self.meta.base;
        let term_starts = self.term_starts();
        let last = match (term_starts.last(), self.wal.last_index()) {
            (Some(start), Some(last)) => LogId::new(start.term, LogIndex::new(last)),
            _ => base,
        };
        if applied > last.index && self.loss.is_none() {
            return Err(LogStoreError::Content(format!(
                "the state holds entries up to {applied}, the log only up to {}: the folders \
                 `log` and `state` do not belong together, or the log lost acknowledged entries",
                last.index
            )));
        }
        // Entries that the state holds and the damaged log does not come again from others; the
        // state passes over what it has. If damage may have taken the order to drop the end of
        // this log, the entries there may be others than those that were applied: then only what
        // lies before the log is sure to be committed.
        let is_certain = self.loss.as_ref().is_none_or(|loss| loss.prefix_is_certain);
        let applied = applied.min(if is_certain { last.index } else { base.index });
        let mut tail: Vec<Entry> = Vec::new();
        let mut held = applied.max(base.index);
        while held < last.index {
            tail.extend(self.load(held.next(), TAIL_STEP_BYTES)?);
            held = tail.last().map_or(last.index, |entry| entry.id.index);
        }
        let memberships = self.meta.memberships.clone();
        let restriction = self.loss.as_ref().map(restriction);
        let hard_state = self.meta.hard_state;
        Ok(Recovered {
            hard_state,
            base,
            memberships,
            applied,
            term_starts,
            last,
            tail,
            restriction,
        })
    }

    /// The first id of each term behind the base.
    fn term_starts(&self) -> Vec<LogId> {
        let base = self.meta.base.index;
        let last = LogIndex::new(self.wal.last_index().unwrap_or(0));
        let id = |(term, index): (u64, u64)| LogId::new(Term::new(term), LogIndex::new(index));
        let runs: Vec<LogId> = self.wal.tag_starts().into_iter().map(id).collect();
        let ends = runs.iter().skip(1).map(|next| next.index.before()).chain([last]);
        let behind = runs.iter().zip(ends).filter(|(_, end)| *end > base);
        behind.map(|(run, _)| LogId::new(run.term, run.index.max(base.next()))).collect()
    }

    /// Writes `orders`, in their sequence, as few batches as possible. Not durable before
    /// [`Self::sync`]. Answers the last ticket.
    ///
    /// # Errors
    /// [`LogStoreError::Write`]. Without space ([`storage::WriteError::Full`]) nothing of the last
    /// batch happened, and the same orders can be given again; otherwise the member stops.
    pub fn write(&mut self, orders: &[Persist]) -> Result<Option<Ticket>, LogStoreError> {
        let Some(ticket) = orders.last().map(|order| order.ticket) else { return Ok(None) };
        let mut group = Group::default();
        for order in orders {
            self.meta.take(order);
            group.has_meta |= Meta::is_changed_by(order);
            match order.rebase {
                Some(Rebase::Snapshot { base, keeps_log: false }) => {
                    self.reset(base)?;
                    group = Group::default();
                }
                Some(Rebase::Snapshot { base, .. } | Rebase::Cut { base }) => {
                    self.cut_before = Some(base.index.get() + 1);
                }
                None => {}
            }
            group.add(order);
        }
        self.wal.write(&group.into_batch(&self.meta, self.wal.last_index()))?;
        Ok(Some(ticket))
    }

    /// Everything before a snapshot that replaces the log is of no account; what was gathered for
    /// the same batch is in the meta, or gone with the log.
    fn reset(&mut self, base: LogId) -> Result<(), LogStoreError> {
        self.cut_before = None;
        Ok(self.wal.reset(self.meta.encode(), base.index.get() + 1)?)
    }

    /// Makes this member the only one, at the end of its log as it is: the last resort when a
    /// majority is gone for good. What only the lost members held is lost; what is in this log and
    /// was never committed becomes so.
    ///
    /// # Errors
    /// [`LogStoreError`]; nothing has changed.
    pub fn take_over(&mut self, member: MemberId, context: Bytes) -> Result<LogId, LogStoreError> {
        let recovered = self.recovered(self.last_index())?;
        let known = recovered.memberships.last().map(|(_, membership)| membership.clone());
        let mut parts = known.unwrap_or_default().into_parts();
        parts.voters = [member].into();
        parts.outgoing.clear();
        parts.learners.clear();
        parts.contexts = [(member, context)].into();
        parts.highest = parts.highest.max(member);
        let alone = Membership::from_parts(parts)
            .map_err(|error| LogStoreError::Content(error.to_string()))?;
        let term = recovered.hard_state.term.next();
        let id = LogId::new(term, recovered.last.index.next());
        let order = Persist {
            ticket: Ticket::new(1),
            hard_state: Some(HardState { term, vote: Some(member) }),
            memberships: Some(vec![(id.index, alone.clone())]),
            rebase: None,
            truncate_from: None,
            entries: [Entry { id, payload: Payload::Membership(Box::new(alone)) }].into(),
        };
        self.write(&[order])?;
        self.sync()?;
        if self.loss.is_some() {
            self.settle_loss()?;
        }
        Ok(id)
    }

    /// Begins a new group whose state is that after `base`: the log is empty behind it, and
    /// `members` are the founding ones. The member's incarnations are above `incarnation`, since
    /// the state remembers the calls of earlier ones.
    ///
    /// # Errors
    /// [`LogStoreError`]; the folder is of no use then.
    pub fn begin_at(
        &mut self,
        base: LogId,
        members: Membership,
        incarnation: u64,
    ) -> Result<(), LogStoreError> {
        self.meta.starts = self.meta.starts.max(incarnation);
        let order = Persist {
            ticket: Ticket::new(1),
            hard_state: Some(HardState { term: base.term, vote: None }),
            memberships: Some(vec![(base.index, members)]),
            rebase: Some(Rebase::Snapshot { base, keeps_log: false }),
            truncate_from: None,
            entries: Entries::default(),
        };
        self.write(&[order])?;
        self.sync()
    }

    /// Makes everything written durable.
    ///
    /// # Errors
    /// [`LogStoreError::Write`]; the member stops, since nothing is known about the file.
    pub fn sync(&mut self) -> Result<(), LogStoreError> {
        self.wal.sync()?;
        if let Some(index) = self.cut_before.take() {
            tolerate_full(self.wal.cut_before(index))?;
        }
        Ok(())
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
    /// As [`Self::prepare_if_due`]; a seal that finds no room is written another time.
    pub fn idle(&mut self, budget_bytes: u64) -> Result<(), LogStoreError> {
        tolerate_full(self.wal.seal_if_idle())?;
        tolerate_full(self.wal.prepare_ahead(budget_bytes))
    }

    /// Checks some more of the old segments, as work for a quiet moment. Answers the last entry of
    /// a segment that is damaged ([`crate::Event::LogRotten`]): what is held up to there is of no
    /// use any more, neither for slow members nor at the next start.
    ///
    /// # Errors
    /// [`LogStoreError::Read`] when the disk fails as a whole.
    pub fn scrub(&mut self, budget_bytes: u64) -> Result<Option<LogIndex>, LogStoreError> {
        match self.wal.scrub(&mut self.scrub, budget_bytes) {
            Ok(()) => Ok(None),
            Err(ReadError::Damaged(damage)) => {
                // Without an entry there is nothing to wait for.
                let through = damage.index.unwrap_or(0).max(self.meta.base.index.get());
                if through == self.meta.base.index.get() {
                    tolerate_full(self.wal.cut_before(through + 1))?;
                }
                Ok(Some(LogIndex::new(through)))
            }
            Err(error) => Err(error.into()),
        }
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

/// What keeps the member from voting after this loss.
fn restriction(loss: &Loss) -> Restriction {
    match loss.owed.filter(|_| loss.end_is_exact) {
        Some((index, term)) => Restriction::Owes(LogId::new(Term::new(term), LogIndex::new(index))),
        None => Restriction::OwesUnknown,
    }
}

/// Orders that become one batch.
#[derive(Default)]
struct Group {
    has_meta: bool,
    truncate_from: Option<u64>,
    records: Vec<(u64, u64, Bytes)>,
}

impl Group {
    fn add(&mut self, order: &Persist) {
        if let Some(from) = order.truncate_from.map(LogIndex::get) {
            self.records.retain(|(index, ..)| *index < from);
            if self.records.is_empty() {
                let earlier = self.truncate_from.unwrap_or(from);
                self.truncate_from = Some(earlier.min(from));
            }
        }
        self.records.extend(order.entries.iter().map(|entry| {
            let payload = raft::wire::encode_payload(&entry.payload);
            (entry.id.index.get(), entry.id.term.get(), payload)
        }));
    }

    /// A truncation beyond the durable log concerned only entries of this very batch.
    fn into_batch(self, meta: &Meta, last_index: Option<u64>) -> Batch {
        let is_real = |from: &u64| last_index.is_some_and(|last| *from <= last);
        let truncate_from = self.truncate_from.filter(is_real);
        let meta = self.has_meta.then(|| meta.encode());
        Batch { meta, truncate_from, records: self.records }
    }
}
