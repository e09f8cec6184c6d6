//! What the store knows without reading the log: the index, where each revision lies, the sums.

use core::ops::Range;

use bytes::Bytes;

use crate::backing::Position;
use crate::digest::Fingerprint;
use crate::index::{Found, Index, Version};
use crate::record::{PlacedChange, Record};
use crate::types::{Event, KeyValue, RevisionEvents};

/// Where the record of a revision lies and how the live keys summed up after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RevisionAt {
    offset: u64,
    pub(crate) digest: u64,
    len: u32,
}

impl RevisionAt {
    pub(crate) fn position(&self) -> Position {
        Position { offset: self.offset, len: self.len }
    }
}

/// Sums over the live keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
    pub(crate) digest: u64,
}

impl Totals {
    fn add(&mut self, key: &[u8], version: &Version) {
        self.keys += 1;
        self.bytes += key.len() as u64 + u64::from(version.value_len);
        self.digest = self.digest.wrapping_add(version.digest);
    }

    fn remove(&mut self, key: &[u8], version: &Version) {
        self.keys -= 1;
        self.bytes -= key.len() as u64 + u64::from(version.value_len);
        self.digest = self.digest.wrapping_sub(version.digest);
    }
}

/// Of so many records the place of one is remembered.
const PLACE_EVERY: u64 = 64;

/// Which log entry the record at some place is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the log entry.
    pub index: u64,
    /// Where its record begins.
    pub offset: u64,
}

/// The places of some records, the first among them; both numbers ascend.
#[derive(Clone, Debug, Default)]
struct Places {
    noted: Vec<Place>,
    records: u64,
}

impl Places {
    fn note(&mut self, index: u64, offset: u64) {
        if self.records.is_multiple_of(PLACE_EVERY) {
            self.noted.push(Place { index, offset });
        }
        self.records += 1;
    }

    fn last_where(&self, holds: impl Fn(&Place) -> bool) -> Option<Place> {
        let behind = self.noted.partition_point(holds);
        self.noted.get(behind.checked_sub(1)?).copied()
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) index: Index,
    /// Place `i` is revision `i + 2`: the first change of a new store has revision 2.
    revisions: Vec<RevisionAt>,
    places: Places,
    pub(crate) applied_index: u64,
    pub(crate) totals: Totals,
}

impl Book {
    pub(crate) fn revision(&self) -> i64 {
        self.revisions.len() as i64 + 1
    }

    /// The last noted record that lies at `offset` or before it.
    pub(crate) fn place_before_offset(&self, offset: u64) -> Option<Place> {
        self.places.last_where(|place| place.offset <= offset)
    }

    /// The last noted record of `index` or a lower one.
    pub(crate) fn place_before_index(&self, index: u64) -> Option<Place> {
        self.places.last_where(|place| place.index <= index)
    }

    pub(crate) fn revision_at(&self, revision: i64) -> Option<&RevisionAt> {
        self.revisions.get(usize::try_from(revision).ok()?.checked_sub(2)?)
    }

    /// Whether `record` continues this book; a sentence about what does not fit otherwise.
    pub(crate) fn check(&self, record: &Record, bytes: &[u8]) -> Result<(), String> {
        let (applied, newest) = (record.applied_index, self.applied_index);
        if applied <= newest {
            return Err(format!("it has log index {applied}, the one before had {newest}"));
        }
        let (first, revision) = (record.first_revision, self.revision());
        if first != revision + 1 {
            return Err(format!("it starts at revision {first}, the store stands at {revision}"));
        }
        if u32::try_from(bytes.len()).is_err() {
            return Err(format!("it has {} bytes, more than a record may have", bytes.len()));
        }
        Ok(())
    }

    /// Takes a checked record in and shows each change with its revision to `visit`; a sentence
    /// when it deletes a key that is not there, and then the book is of no further use.
    pub(crate) fn absorb(
        &mut self,
        position: Position,
        record: &Record,
        bytes: &[u8],
        visit: &mut dyn FnMut(i64, &PlacedChange, &Found),
    ) -> Result<(), String> {
        self.applied_index = record.applied_index;
        self.places.note(record.applied_index, position.offset);
        for group in record.groups() {
            let main = self.revision() + 1;
            for (sub, change) in group.iter().enumerate() {
                let found = self.absorb_change(main, sub as u32, change, bytes)?;
                visit(main, change, &found);
            }
            self.revisions.push(RevisionAt {
                offset: position.offset,
                digest: self.totals.digest,
                len: position.len,
            });
        }
        Ok(())
    }

    fn absorb_change(
        &mut self,
        main: i64,
        sub: u32,
        change: &PlacedChange,
        bytes: &[u8],
    ) -> Result<Found, String> {
        let key = &bytes[change.key.clone()];
        let totals = &mut self.totals;
        self.index.push_next(key, |newest| {
            let live = newest.filter(|found| found.version.number > 0);
            let version = match &change.put {
                Some(put) => put_version(live.as_ref(), (main, sub), key, put, bytes),
                None if live.is_none() => {
                    return Err(format!("revision {main} deletes a key that is not there"));
                }
                None => {
                    Version { main, lease: 0, digest: 0, sub, value_at: 0, value_len: 0, number: 0 }
                }
            };
            if let Some(found) = live {
                totals.remove(key, &found.version);
            }
            if version.number > 0 {
                totals.add(key, &version);
            }
            Ok(version)
        })
    }

    /// The events of `revision`, whose changes are `group` in the record `bytes`. `None` when the
    /// index knows others.
    pub(crate) fn events(
        &self,
        revision: i64,
        group: &[PlacedChange],
        bytes: &Bytes,
    ) -> Option<RevisionEvents> {
        let events = group.iter().enumerate().map(|(sub, change)| {
            let key = bytes.slice(change.key.clone());
            let found = self.index.history(&key)?.exact(revision, sub as u32)?;
            Some(event(key, &found, change, bytes))
        });
        Some(RevisionEvents { revision, events: events.collect::<Option<_>>()? })
    }
}

/// The version that a put of (lease, place of the value) makes of a live one or of none.
fn put_version(
    live: Option<&Found>,
    (main, sub): (i64, u32),
    key: &[u8],
    (lease, value): &(i64, Range<usize>),
    bytes: &[u8],
) -> Version {
    let mut version = Version {
        main,
        lease: *lease,
        digest: 0,
        sub,
        value_at: value.start as u32,
        value_len: value.len() as u32,
        number: live.map_or(1, |found| found.version.number + 1),
    };
    let created = live.map_or(main, |found| found.create_revision);
    version.digest = fingerprint(key, &bytes[value.clone()], &version, created);
    version
}

/// What a watcher sees of `change`, which made the version `found` of `key`.
pub(crate) fn event(key: Bytes, found: &Found, change: &PlacedChange, bytes: &Bytes) -> Event {
    let mod_revision = found.version.main;
    match &change.put {
        None => Event { is_delete: true, kv: KeyValue { key, mod_revision, ..Default::default() } },
        Some((lease, value)) => Event {
            is_delete: false,
            kv: KeyValue {
                key,
                value: bytes.slice(value.clone()),
                create_revision: found.create_revision,
                mod_revision,
                version: i64::from(found.version.number),
                lease: *lease,
            },
        },
    }
}

/// The fingerprint of `version` of `key` with `value`.
pub(crate) fn fingerprint(key: &[u8], value: &[u8], version: &Version, created: i64) -> u64 {
    let fingerprint = Fingerprint {
        key,
        value,
        create_revision: created,
        mod_revision: version.main,
        version: i64::from(version.number),
        lease: version.lease,
    };
    fingerprint.sum()
}
