//! The one record: what a commit wrote.
//!
//! ```text
//! version      1 byte, 1
//! applied      unsigned: index of the log entry that caused the commit
//! first        signed: revision of the first group (the store's revision + 1)
//! groups       count, then for each group: count of its changes, then each change
//!   change     1 byte kind (0 delete, 1 put), key; a put also lease (signed) and value
//! aux          bytes of the layer above
//! ```

use core::ops::Range;

use bytes::Bytes;

use crate::codec::{DecodeError, Reader, Writer};

const VERSION: u8 = 1;
const DELETE: u8 = 0;
const PUT: u8 = 1;

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key gets a value and a lease (0 for none).
    Put {
        /// The key.
        key: Bytes,
        /// Its value.
        value: Bytes,
        /// Its lease.
        lease: i64,
    },
    /// The key goes. It must exist.
    Delete {
        /// The key.
        key: Bytes,
    },
}

/// What one log entry does to the store, all or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBatch {
    /// Index of the log entry; above every earlier one.
    pub applied_index: u64,
    /// One group a revision, each with at least one change, in the order of execution.
    pub groups: Vec<Vec<Change>>,
    /// Bytes of the layer above, handed back when the store is opened.
    pub aux: Bytes,
}

impl WriteBatch {
    /// The record of this batch for a store whose next revision is `first`.
    pub(crate) fn encode(&self, first: i64) -> Vec<u8> {
        let size: usize = self.groups.iter().flatten().map(Change::size_bytes).sum();
        let mut writer = Writer::with_capacity(size + self.aux.len() + 32);
        writer.byte(VERSION);
        writer.unsigned(self.applied_index);
        writer.signed(first);
        writer.unsigned(self.groups.len() as u64);
        for group in &self.groups {
            writer.unsigned(group.len() as u64);
            group.iter().for_each(|change| change.encode(&mut writer));
        }
        writer.string(&self.aux);
        writer.into_bytes()
    }
}

impl Change {
    fn size_bytes(&self) -> usize {
        match self {
            Self::Put { key, value, .. } => key.len() + value.len() + 32,
            Self::Delete { key } => key.len() + 16,
        }
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Put { key, value, lease } => {
                writer.byte(PUT);
                writer.string(key);
                writer.signed(*lease);
                writer.string(value);
            }
            Self::Delete { key } => {
                writer.byte(DELETE);
                writer.string(key);
            }
        }
    }
}

/// A record taken apart; strings are places in its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) applied_index: u64,
    pub(crate) first_revision: i64,
    pub(crate) aux: Range<usize>,
    /// The changes of all groups.
    changes: Vec<PlacedChange>,
    /// Where each group ends among them.
    ends: Vec<usize>,
}

/// A change whose strings are places in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlacedChange {
    pub(crate) key: Range<usize>,
    /// Lease and place of the value; `None` for a deletion.
    pub(crate) put: Option<(i64, Range<usize>)>,
}

impl Record {
    /// Takes `bytes` apart.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut record = Self::default();
        record.read(bytes)?;
        Ok(record)
    }

    /// Takes `bytes` apart into the memory of another record; after an error it holds neither.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.changes.clear();
        self.ends.clear();
        let mut reader = Reader::new(bytes);
        if reader.byte()? != VERSION {
            return Err(reader.error("a record of a format this program does not know"));
        }
        self.applied_index = reader.unsigned()?;
        self.first_revision = reader.signed()?;
        for _ in 0..reader.count()? {
            self.read_group(&mut reader)?;
        }
        self.aux = reader.string_range()?;
        reader.end()
    }

    /// How many revisions it makes.
    pub(crate) fn group_count(&self) -> usize {
        self.ends.len()
    }

    /// The changes of each of its revisions.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &[PlacedChange]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let group = &self.changes[start..*end];
            start = *end;
            group
        })
    }

    /// The changes of `revision`, if this record has them.
    pub(crate) fn group(&self, revision: i64) -> Option<&[PlacedChange]> {
        let at = usize::try_from(revision.checked_sub(self.first_revision)?).ok()?;
        self.groups().nth(at)
    }

    fn read_group(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let count = reader.count()?;
        if count == 0 {
            return Err(reader.error("a revision without changes"));
        }
        for _ in 0..count {
            let kind = reader.byte()?;
            let key = reader.string_range()?;
            let put = match kind {
                DELETE => None,
                PUT => {
                    let lease = reader.signed()?;
                    Some((lease, reader.string_range()?))
                }
                _ => return Err(reader.error("a change that is neither put nor delete")),
            };
            self.changes.push(PlacedChange { key, put });
        }
        self.ends.push(self.changes.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> WriteBatch {
        WriteBatch {
            applied_index: 300,
            groups: vec![
                vec![
                    Change::Put { key: "a".into(), value: "one".into(), lease: 0 },
                    Change::Delete { key: "bb".into() },
                ],
                vec![Change::Put { key: "c".into(), value: Bytes::new(), lease: -7 }],
            ],
            aux: "aux".into(),
        }
    }

    #[test]
    fn the_bytes_are_frozen() {
        let bytes = sample().encode(5);
        let expected = [&[1, 0xac, 2, 10, 2, 2][..], b"\x01\x01a\x00\x03one", b"\x00\x02bb", &[1]];
        let tail = [b"\x01\x01c\x0d\x00".as_slice(), b"\x03aux"];
        assert_eq!(bytes, [expected.concat(), tail.concat()].concat());
    }

    #[test]
    fn comes_apart_as_it_was_put_together() {
        let bytes = sample().encode(5);
        let record = Record::decode(&bytes).expect("our own record");
        assert_eq!((record.applied_index, record.first_revision), (300, 5));
        assert_eq!(&bytes[record.aux.clone()], b"aux");
        let groups: Vec<&[PlacedChange]> = record.groups().collect();
        let (lease, value) = groups[0][0].put.clone().expect("a put");
        assert_eq!((lease, &bytes[value]), (0, b"one".as_slice()));
        assert_eq!(groups[0][1].put, None);
        assert_eq!(&bytes[groups[1][0].key.clone()], b"c");
        assert_eq!((record.group(6), record.group(7)), (Some(groups[1]), None));
    }

    #[test]
    fn refuses_every_prefix_and_a_longer_text() {
        let bytes = sample().encode(5);
        for len in 0..bytes.len() {
            assert!(Record::decode(&bytes[..len]).is_err(), "prefix of {len} bytes");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Record::decode(&longer).map_err(|e| e.what), Err("bytes after the end"));
    }
}
