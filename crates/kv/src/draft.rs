//! A transaction in the making: the store as it is, with changes on top that nobody sees yet.
//!
//! Reads of a transaction see its earlier writes; dropping the draft undoes everything, which is
//! how a refusal in the middle leaves no trace.

use std::collections::BTreeMap;

use bytes::Bytes;
use mvcc::{Backing, Change, Item, PAGE_KEYS_MAX, ReadError, Reading, Store};

use crate::access::spans;
use crate::api::{Error, KeyRange, KeyValue};

/// Why executing ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The request is answered with this refusal.
    Refused(Error),
    /// The store could not be read; nothing may be answered.
    Damaged(ReadError),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Future => Self::Refused(Error::FutureRevision),
            damaged @ ReadError::Damaged { .. } => Self::Damaged(damaged),
        }
    }
}

/// A key as a draft sees it.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// As the store has it; the value is in the log.
    Stored(Item),
    /// As the draft has it.
    Drafted(KeyValue),
}

impl Entry {
    pub(crate) fn key(&self) -> &Bytes {
        match self {
            Self::Stored(item) => &item.key,
            Self::Drafted(kv) => &kv.key,
        }
    }

    pub(crate) fn create_revision(&self) -> i64 {
        match self {
            Self::Stored(item) => item.create_revision(),
            Self::Drafted(kv) => kv.create_revision,
        }
    }

    pub(crate) fn mod_revision(&self) -> i64 {
        match self {
            Self::Stored(item) => item.mod_revision(),
            Self::Drafted(kv) => kv.mod_revision,
        }
    }

    pub(crate) fn version(&self) -> i64 {
        match self {
            Self::Stored(item) => item.version(),
            Self::Drafted(kv) => kv.version,
        }
    }

    pub(crate) fn lease(&self) -> i64 {
        match self {
            Self::Stored(item) => item.lease(),
            Self::Drafted(kv) => kv.lease,
        }
    }

    /// The entry with an empty value; nothing is read from the log.
    pub(crate) fn without_value(&self) -> KeyValue {
        self.with_value(Bytes::new())
    }

    fn with_value(&self, value: Bytes) -> KeyValue {
        KeyValue {
            key: self.key().clone(),
            value,
            create_revision: self.create_revision(),
            mod_revision: self.mod_revision(),
            version: self.version(),
            lease: self.lease(),
        }
    }
}

/// See the module.
pub(crate) struct Draft<'a, B> {
    store: &'a Store<B>,
    /// Keys that were changed; `None` for deleted ones.
    changed: BTreeMap<Bytes, Option<KeyValue>>,
    changes: Vec<Change>,
}

impl<'a, B: Backing> Draft<'a, B> {
    pub(crate) fn new(store: &'a Store<B>) -> Self {
        Self { store, changed: BTreeMap::new(), changes: Vec::new() }
    }

    /// The store's revision, without this draft.
    pub(crate) fn base(&self) -> i64 {
        self.store.revision()
    }

    /// The revision that a reader of this draft sees.
    pub(crate) fn revision(&self) -> i64 {
        self.base() + i64::from(!self.changes.is_empty())
    }

    pub(crate) fn compacted(&self) -> i64 {
        self.store.compacted()
    }

    /// The changes, in order.
    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    pub(crate) fn get(&self, key: &Bytes) -> Result<Option<Entry>, ReadError> {
        match self.changed.get(key) {
            Some(changed) => Ok(changed.clone().map(Entry::Drafted)),
            None => Ok(self.store.find(key, None)?.map(Entry::Stored)),
        }
    }

    /// The first `entries_max` keys of `range`, ascending: at revision `at` of the store, or as
    /// they are now with the draft's changes.
    pub(crate) fn entries(
        &self,
        range: &KeyRange,
        at: Option<i64>,
        entries_max: usize,
    ) -> Result<Vec<Entry>, ReadError> {
        if range.range_end.is_empty() {
            return Ok(self.single(&range.key, at)?.into_iter().take(entries_max).collect());
        }
        if at.is_none() && !self.changed.is_empty() {
            let mut entries = self.merged(range)?;
            entries.truncate(entries_max);
            return Ok(entries);
        }
        self.stored(range, at, entries_max)
    }

    /// The one key of a range that names one, at revision `at` or as it is now.
    pub(crate) fn single(&self, key: &Bytes, at: Option<i64>) -> Result<Option<Entry>, ReadError> {
        match at {
            None => self.get(key),
            Some(_) => Ok(self.store.find(key, at)?.map(Entry::Stored)),
        }
    }

    /// How many keys `range` holds, as [`Draft::entries`] sees them.
    pub(crate) fn count(&self, range: &KeyRange, at: Option<i64>) -> Result<i64, ReadError> {
        if range.range_end.is_empty() {
            return Ok(i64::from(self.single(&range.key, at)?.is_some()));
        }
        if at.is_none() && !self.changed.is_empty() {
            return Ok(self.merged(range)?.len() as i64);
        }
        let mut count = 0;
        for span in spans(range) {
            count += self.store.count(&span, at)? as i64;
        }
        Ok(count)
    }

    fn stored(
        &self,
        range: &KeyRange,
        at: Option<i64>,
        entries_max: usize,
    ) -> Result<Vec<Entry>, ReadError> {
        let mut entries = Vec::new();
        for span in spans(range) {
            let mut cursor = self.store.cursor(span, at)?;
            while !cursor.is_done() && entries.len() < entries_max {
                let page = (entries_max - entries.len()).min(PAGE_KEYS_MAX);
                let items = self.store.page(&mut cursor, page);
                entries.extend(items.into_iter().map(Entry::Stored));
            }
        }
        Ok(entries)
    }

    fn merged(&self, range: &KeyRange) -> Result<Vec<Entry>, ReadError> {
        let stored = self.stored(range, None, usize::MAX)?;
        let mut entries: BTreeMap<Bytes, Entry> =
            stored.into_iter().map(|entry| (entry.key().clone(), entry)).collect();
        for (key, changed) in &self.changed {
            if !crate::access::covers(range, key) {
                continue;
            }
            match changed {
                Some(kv) => entries.insert(key.clone(), Entry::Drafted(kv.clone())),
                None => entries.remove(key),
            };
        }
        Ok(entries.into_values().collect())
    }

    /// The entry with its value, read from the log where needed.
    pub(crate) fn load(&self, entry: &Entry) -> Result<KeyValue, ReadError> {
        load(&mut self.store.reading(), entry)
    }

    /// All `entries` with their values.
    pub(crate) fn load_all<'e>(
        &self,
        entries: impl IntoIterator<Item = &'e Entry>,
    ) -> Result<Vec<KeyValue>, ReadError> {
        let mut reading = self.store.reading();
        entries.into_iter().map(|entry| load(&mut reading, entry)).collect()
    }

    /// Gives `key`, which is `before` now, a value and a lease.
    pub(crate) fn put(&mut self, key: &Bytes, before: Option<&Entry>, value: Bytes, lease: i64) {
        let mod_revision = self.base() + 1;
        let kv = KeyValue {
            key: key.clone(),
            value: value.clone(),
            create_revision: before.map_or(mod_revision, Entry::create_revision),
            mod_revision,
            version: before.map_or(0, Entry::version) + 1,
            lease,
        };
        self.changed.insert(key.clone(), Some(kv));
        self.changes.push(Change::Put { key: key.clone(), value, lease });
    }

    /// Deletes `key`, which must exist.
    pub(crate) fn delete(&mut self, key: Bytes) {
        self.changed.insert(key.clone(), None);
        self.changes.push(Change::Delete { key });
    }
}

fn load<B: Backing>(reading: &mut Reading<'_, B>, entry: &Entry) -> Result<KeyValue, ReadError> {
    match entry {
        Entry::Stored(item) => Ok(entry.with_value(reading.value(item)?)),
        Entry::Drafted(kv) => Ok(kv.clone()),
    }
}
