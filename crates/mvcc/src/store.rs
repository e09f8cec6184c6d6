//! The store: commits in, versions out.

use core::ops::ControlFlow;

use bytes::Bytes;

use crate::backing::{Backing, BackingError, Position};
use crate::book::{Book, Place, event, fingerprint};
use crate::cursor::{Cursor, PAGE_KEYS_MAX, Span};
use crate::error::{CommitError, OpenError, ReadError};
use crate::recent::Recent;
use crate::record::{Record, WriteBatch};
use crate::types::{Committed, Item, KeyValue, RevisionEvents};

/// The store. See the crate's documentation.
#[derive(Debug)]
pub struct Store<B> {
    backing: B,
    book: Book,
    recent: Recent,
    compacted: i64,
    /// An append or sync failed: what the log holds is unknown.
    is_poisoned: bool,
}

/// Reads values one after another. Those that were written together lie in one record, which is
/// read once for all that follow each other.
#[derive(Debug)]
pub struct Reading<'s, B> {
    store: &'s Store<B>,
    last: Option<(Position, Bytes)>,
}

impl<B: Backing> Reading<'_, B> {
    /// The value of `item`, read from the log and compared with its fingerprint. A small part of a
    /// record is copied, so that who keeps it does not keep the whole record.
    ///
    /// # Errors
    /// [`ReadError::Damaged`].
    pub fn value(&mut self, item: &Item) -> Result<Bytes, ReadError> {
        let version = &item.found.version;
        let record = self.record_of(version.main)?;
        let from = version.value_at as usize;
        let range = from..from + version.value_len as usize;
        let value = record.get(range.clone()).filter(|value| {
            fingerprint(&item.key, value, version, item.found.create_revision) == version.digest
        });
        match value {
            Some(value) if value.len() < record.len() / 2 => Ok(Bytes::copy_from_slice(value)),
            Some(_) => Ok(record.slice(range)),
            None => {
                let what = "the value is not the one that was written";
                Err(self.store.damaged(version.main, what))
            }
        }
    }

    fn record_of(&mut self, revision: i64) -> Result<Bytes, ReadError> {
        let position = self.store.position_of(revision);
        if let Some((_, record)) = self.last.as_ref().filter(|(at, _)| *at == position) {
            return Ok(record.clone());
        }
        let record = self.store.record_of(revision)?;
        self.last = Some((position, record.clone()));
        Ok(record)
    }
}

/// A store that is being rebuilt from its records, by whoever reads the log anyway.
#[derive(Debug, Default)]
pub struct Opening {
    book: Book,
    record: Record,
}

impl Opening {
    /// Takes the next record in; answers its applied index and its aux bytes.
    ///
    /// # Errors
    /// [`OpenError::Record`] when it cannot be read or does not continue the one before; the
    /// opening is then of no further use.
    pub fn take<'a>(
        &mut self,
        position: Position,
        bytes: &'a [u8],
    ) -> Result<(u64, &'a [u8]), OpenError> {
        let Self { book, record } = self;
        let taken = record.read(bytes).map_err(|error| error.to_string()).and_then(|()| {
            book.check(record, bytes)?;
            book.absorb(position, record, bytes, &mut |_, _, _| ())
        });
        match taken {
            Ok(()) => Ok((record.applied_index, &bytes[record.aux.clone()])),
            Err(detail) => Err(OpenError::Record { position, detail }),
        }
    }

    /// The store, once every record of `backing` was taken in.
    pub fn finish<B: Backing>(self, backing: B) -> Store<B> {
        let (book, recent) = (self.book, Recent::default());
        Store { backing, book, recent, compacted: 0, is_poisoned: false }
    }
}

impl<B: Backing> Store<B> {
    /// Reads every record of `backing` and rebuilds the index; `fold_aux` gets each record's
    /// applied index and aux bytes, oldest first.
    ///
    /// # Errors
    /// [`OpenError`] when a record cannot be read or does not continue the one before.
    pub fn open(backing: B, fold_aux: &mut dyn FnMut(u64, &[u8])) -> Result<Self, OpenError> {
        let mut opening = Opening::default();
        let mut wrong = None;
        backing
            .scan(&mut |position, bytes| match opening.take(position, bytes) {
                Ok((index, aux)) => {
                    fold_aux(index, aux);
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    wrong = Some(error);
                    ControlFlow::Break(())
                }
            })
            .map_err(OpenError::Backing)?;
        match wrong {
            Some(error) => Err(error),
            None => Ok(opening.finish(backing)),
        }
    }

    /// Index of the newest log entry in the store, 0 for none.
    pub fn applied_index(&self) -> u64 {
        self.book.applied_index
    }

    /// The record at `offset` or the nearest one before it whose place is remembered: from there
    /// on the records can be counted. `None` when there is none.
    pub fn place_before_offset(&self, offset: u64) -> Option<Place> {
        self.book.place_before_offset(offset)
    }

    /// The record of the log entry `index` or the nearest one before it whose place is remembered.
    pub fn place_before_index(&self, index: u64) -> Option<Place> {
        self.book.place_before_index(index)
    }

    /// The newest revision; 1 when nothing was ever changed.
    pub fn revision(&self) -> i64 {
        self.book.revision()
    }

    /// The oldest revision that is to be read; 0 when nothing was compacted. Everything is still
    /// there: who asks for less is turned away by the owner.
    pub fn compacted(&self) -> i64 {
        self.compacted
    }

    /// From now on nothing below `revision` is to be read.
    pub fn compact(&mut self, revision: i64) {
        self.compacted = self.compacted.max(revision);
    }

    /// Live keys.
    pub fn live_keys(&self) -> u64 {
        self.book.totals.keys
    }

    /// Bytes of live keys and values.
    pub fn live_bytes(&self) -> u64 {
        self.book.totals.bytes
    }

    /// Bytes of the value log.
    pub fn size_bytes(&self) -> u64 {
        self.backing.size_bytes()
    }

    /// The backing.
    pub fn backing(&self) -> &B {
        &self.backing
    }

    /// The backing, for whoever repairs it: what records hold and where they lie must not change.
    pub fn backing_mut(&mut self) -> &mut B {
        &mut self.backing
    }

    /// Gives the backing back, as a restart does.
    pub fn into_backing(self) -> B {
        self.backing
    }

    /// Makes every commit so far durable.
    ///
    /// # Errors
    /// [`CommitError`]; what was not durable before may be lost, and no further commit is taken.
    pub fn sync(&mut self) -> Result<(), CommitError> {
        self.backing.sync().map_err(|error| {
            self.is_poisoned = true;
            CommitError::Backing(error)
        })
    }

    /// Sum over the live keys as they were at revision `at`; equal on every member that stands at
    /// that revision. `None` for a revision that is not there.
    pub fn digest(&self, at: i64) -> Option<u64> {
        match at {
            1 => Some(0),
            _ => self.book.revision_at(at).map(|place| place.digest),
        }
    }

    /// Writes one record and makes its changes visible.
    ///
    /// # Errors
    /// [`CommitError`]; nothing became visible.
    ///
    /// # Panics
    /// When the caller breaks the rules of [`WriteBatch`]: an index not above the last, a group
    /// without changes, a deletion of a key that is not there.
    pub fn commit(&mut self, batch: &WriteBatch) -> Result<Committed, CommitError> {
        if self.is_poisoned {
            return Err(CommitError::Poisoned);
        }
        let bytes = Bytes::from(batch.encode(self.revision() + 1));
        let record = Record::decode(&bytes).expect("a batch without empty groups decodes");
        let checked = self.book.check(&record, &bytes);
        checked.unwrap_or_else(|detail| panic!("a commit that does not fit: {detail}"));
        let position = self.backing.append(&bytes).map_err(|error| {
            self.is_poisoned = !matches!(error, BackingError::Full { .. });
            CommitError::Backing(error)
        })?;
        self.recent.push(position, bytes.clone());
        let mut revisions: Vec<RevisionEvents> = Vec::with_capacity(record.group_count());
        let absorbed =
            self.book.absorb(position, &record, &bytes, &mut |revision, change, found| {
                let event = event(bytes.slice(change.key.clone()), found, change, &bytes);
                match revisions.last_mut() {
                    Some(last) if last.revision == revision => last.events.push(event),
                    Some(_) | None => {
                        revisions.push(RevisionEvents { revision, events: vec![event] })
                    }
                }
            });
        absorbed.unwrap_or_else(|detail| panic!("a commit that does not fit: {detail}"));
        Ok(Committed { revision: self.revision(), revisions })
    }

    /// The newest version of `key` at revision `at` (`None` = now), its value still in the log.
    ///
    /// # Errors
    /// [`ReadError::Future`].
    pub fn find(&self, key: &[u8], at: Option<i64>) -> Result<Option<Item>, ReadError> {
        let at = self.resolve(at)?;
        let found = self.book.index.history(key).and_then(|history| history.live_at(at));
        Ok(found.map(|found| Item { key: Bytes::copy_from_slice(key), found }))
    }

    /// The newest version of `key` at revision `at` (`None` = now).
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get(&self, key: &[u8], at: Option<i64>) -> Result<Option<KeyValue>, ReadError> {
        match self.find(key, at)? {
            Some(item) => Ok(Some(item.with_value(self.value(&item)?))),
            None => Ok(None),
        }
    }

    /// For reading several values.
    pub fn reading(&self) -> Reading<'_, B> {
        Reading { store: self, last: None }
    }

    /// The value of `item`, as [`Reading::value`] reads it.
    ///
    /// # Errors
    /// [`ReadError::Damaged`].
    pub fn value(&self, item: &Item) -> Result<Bytes, ReadError> {
        self.reading().value(item)
    }

    /// Starts reading `span` as it is at revision `at` (`None` = now).
    ///
    /// # Errors
    /// [`ReadError::Future`].
    pub fn cursor(&self, span: Span, at: Option<i64>) -> Result<Cursor, ReadError> {
        let at = self.resolve(at)?;
        Ok(Cursor { is_done: span.is_empty(), rest: span, at })
    }

    /// The next keys of `cursor`, ascending: at most `keys_max`, and [`PAGE_KEYS_MAX`] in any
    /// case. Looks at no more index entries than four pages hold, so a page over many deleted
    /// keys may be short; only [`Cursor::is_done`] says that nothing follows.
    pub fn page(&self, cursor: &mut Cursor, keys_max: usize) -> Vec<Item> {
        let keys_max = keys_max.clamp(1, PAGE_KEYS_MAX);
        let mut items = Vec::with_capacity(keys_max.min(64));
        for (looked, (key, history)) in self.book.index.range(&cursor.rest).enumerate() {
            if items.len() == keys_max || looked == 4 * PAGE_KEYS_MAX {
                cursor.rest.start = Bytes::copy_from_slice(key);
                return items;
            }
            if let Some(found) = history.live_at(cursor.at) {
                items.push(Item { key: Bytes::copy_from_slice(key), found });
            }
        }
        cursor.is_done = true;
        items
    }

    /// How many keys `span` holds at revision `at` (`None` = now). Walks the index only.
    ///
    /// # Errors
    /// [`ReadError::Future`].
    pub fn count(&self, span: &Span, at: Option<i64>) -> Result<u64, ReadError> {
        let at = self.resolve(at)?;
        let live = self.book.index.range(span).filter(|(_, history)| history.live_at(at).is_some());
        Ok(live.count() as u64)
    }

    /// The changes of revision `from` and later, whole revisions only: as many as hold
    /// `events_max` events, but at least one revision if there is one.
    ///
    /// # Errors
    /// [`ReadError::Damaged`].
    pub fn changes(&self, from: i64, events_max: usize) -> Result<Vec<RevisionEvents>, ReadError> {
        let mut changes: Vec<RevisionEvents> = Vec::new();
        let mut events = 0;
        for revision in from.max(2)..=self.revision() {
            if events >= events_max.max(1) {
                break;
            }
            let bytes = self.record_of(revision)?;
            let of_revision = Record::decode(&bytes)
                .ok()
                .and_then(|record| self.book.events(revision, record.group(revision)?, &bytes))
                .ok_or_else(|| {
                    self.damaged(revision, "the record holds other changes than the index")
                })?;
            events += of_revision.events.len();
            changes.push(of_revision);
        }
        Ok(changes)
    }

    /// Every live key with its lease, ascending; for rebuilding what hangs on keys.
    pub fn live_leases(&self) -> impl Iterator<Item = (&[u8], i64)> {
        self.book.index.range(&Span::all()).filter_map(|(key, history)| {
            let lease = history.live_at(i64::MAX)?.version.lease;
            (lease != 0).then_some((key, lease))
        })
    }

    /// Compares every live value with its fingerprint, and the sums with the index.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] for the first value that is not what was written.
    ///
    /// # Panics
    /// When the index contradicts its own sums: that is a bug.
    pub fn verify(&self) -> Result<(), ReadError> {
        let (mut keys, mut bytes, mut digest) = (0, 0, 0u64);
        let mut cursor = self.cursor(Span::all(), None)?;
        let mut reading = self.reading();
        while !cursor.is_done() {
            for item in self.page(&mut cursor, PAGE_KEYS_MAX) {
                let value = reading.value(&item)?;
                keys += 1;
                bytes += (item.key.len() + value.len()) as u64;
                digest = digest.wrapping_add(item.found.version.digest);
            }
        }
        let totals = &self.book.totals;
        assert_eq!((keys, bytes, digest), (totals.keys, totals.bytes, totals.digest), "sums");
        Ok(())
    }

    /// The revision to read at.
    fn resolve(&self, at: Option<i64>) -> Result<i64, ReadError> {
        match at {
            None => Ok(self.revision()),
            Some(at) if at <= self.revision() => Ok(at),
            Some(_) => Err(ReadError::Future),
        }
    }

    /// The record that holds `revision`, which must exist.
    fn record_of(&self, revision: i64) -> Result<Bytes, ReadError> {
        let position = self.position_of(revision);
        match self.recent.get(position) {
            Some(record) => Ok(record.clone()),
            None => {
                let read = self.backing.read(position);
                read.map_err(|error| self.damaged(revision, error.to_string()))
            }
        }
    }

    /// Where the record of `revision`, which must exist, lies.
    fn position_of(&self, revision: i64) -> Position {
        let place = self.book.revision_at(revision).expect("the index names revisions that exist");
        place.position()
    }

    fn damaged(&self, revision: i64, detail: impl Into<String>) -> ReadError {
        let position = self.book.revision_at(revision).map(|place| place.position());
        ReadError::Damaged {
            revision,
            position: position.unwrap_or_default(),
            detail: detail.into(),
        }
    }
}

#[cfg(test)]
mod tests;
