//! Which keys, and how far a reader has come through them.

use bytes::Bytes;

/// Most keys in one step of a cursor, whatever was asked for: a reader of a large range lets
/// others have their turn between steps.
pub const PAGE_KEYS_MAX: usize = 1000;

/// Where a span ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpanEnd {
    /// With the last key there is.
    Unbounded,
    /// Before this key.
    Before(Bytes),
}

/// The keys from `start` up to `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// First key.
    pub start: Bytes,
    /// See [`SpanEnd`].
    pub end: SpanEnd,
}

impl Span {
    /// Exactly `key`.
    pub fn single(key: &Bytes) -> Self {
        Self { start: key.clone(), end: SpanEnd::Before(successor(key)) }
    }

    /// Every key.
    pub fn all() -> Self {
        Self { start: Bytes::new(), end: SpanEnd::Unbounded }
    }

    /// Whether no key can lie in it.
    pub fn is_empty(&self) -> bool {
        matches!(&self.end, SpanEnd::Before(end) if *end <= self.start)
    }

    /// Whether `key` lies in it.
    pub fn contains(&self, key: &[u8]) -> bool {
        let before_end = match &self.end {
            SpanEnd::Unbounded => true,
            SpanEnd::Before(end) => key < &end[..],
        };
        key >= &self.start[..] && before_end
    }
}

/// The smallest key above `key`.
pub(crate) fn successor(key: &[u8]) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next.into()
}

/// A place in a view of the store: the keys of a span as they were at one revision. It holds no
/// lock and stays good while the store goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What is left to read.
    pub(crate) rest: Span,
    /// The revision.
    pub(crate) at: i64,
    /// Whether everything was read.
    pub(crate) is_done: bool,
}

impl Cursor {
    /// Whether every key was read.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// The revision this cursor reads at.
    pub fn revision(&self) -> i64 {
        self.at
    }
}
