//! What the store hands out: keys at a revision, and changes.

use bytes::Bytes;

use crate::index::Found;

/// One key at one revision, its value included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
    /// Revision of the put that created the key.
    pub create_revision: i64,
    /// Revision of this version.
    pub mod_revision: i64,
    /// Puts since creation; 0 for a deletion.
    pub version: i64,
    /// Attached lease, 0 for none.
    pub lease: i64,
}

/// One key at one revision, its value still in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: Bytes,
    pub(crate) found: Found,
}

impl Item {
    /// Revision of the put that created the key.
    pub fn create_revision(&self) -> i64 {
        self.found.create_revision
    }

    /// Revision of this version.
    pub fn mod_revision(&self) -> i64 {
        self.found.version.main
    }

    /// Puts since creation.
    pub fn version(&self) -> i64 {
        i64::from(self.found.version.number)
    }

    /// Attached lease, 0 for none.
    pub fn lease(&self) -> i64 {
        self.found.version.lease
    }

    /// This version with `value` as its value.
    pub fn with_value(&self, value: Bytes) -> KeyValue {
        KeyValue {
            key: self.key.clone(),
            value,
            create_revision: self.create_revision(),
            mod_revision: self.mod_revision(),
            version: self.version(),
            lease: self.lease(),
        }
    }
}

/// One change as a watcher sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whether the key went; then `kv` has key and `mod_revision` only.
    pub is_delete: bool,
    /// The key after the change.
    pub kv: KeyValue,
}

/// The changes of one revision, in the order in which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionEvents {
    /// The revision.
    pub revision: i64,
    /// Its changes, at least one.
    pub events: Vec<Event>,
}

/// What a commit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The store's revision afterwards.
    pub revision: i64,
    /// The new revisions, ascending.
    pub revisions: Vec<RevisionEvents>,
}
