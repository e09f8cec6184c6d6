//! Numbered lists in the store: entries 1, 2, 3 … under a prefix, the last number beside them.
//!
//! Every node sees the same numbers, so a listener that was at entry n goes on with n+1 at any
//! node. Each addition also forgets the entry that is `keep` places behind.

use crate::store::{Store, delete, put};
use kv::api::{Error, KeyRange, RangeRequest, Request, Response, TxnOperation};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Tries when several nodes add at the same moment.
const TRIES_MAX: usize = 20;

/// One list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    /// Ends with a slash.
    pub(crate) prefix: &'static str,
    /// How many entries stay.
    pub(crate) keep: u64,
}

impl List {
    /// The key of the last number.
    pub(crate) fn head(self) -> Vec<u8> {
        format!("{}head", self.prefix).into_bytes()
    }

    /// The key of an entry.
    pub(crate) fn key(self, number: u64) -> Vec<u8> {
        format!("{}entry/{number:020}", self.prefix).into_bytes()
    }

    /// Prefix of all entries.
    pub(crate) fn entries(self) -> Vec<u8> {
        format!("{}entry/", self.prefix).into_bytes()
    }

    /// The number of an entry.
    pub(crate) fn parse(self, key: &[u8]) -> Option<u64> {
        let number = core::str::from_utf8(key.strip_prefix(&self.entries()[..])?).ok()?;
        let number = number.parse().ok()?;
        (self.key(number) == key).then_some(number)
    }

    /// Entries behind number `after` as this node knows them, at most `limit`.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn after<T: DeserializeOwned>(
        self,
        store: &Store,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, T)>, Error> {
        let whole = KeyRange::prefix(self.entries());
        let range = KeyRange { key: self.key(after.saturating_add(1)).into(), ..whole };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let request = RangeRequest { range, limit, serializable: true, ..RangeRequest::default() };
        let Response::Range(found) = store.client.call(Request::Range(request)).await? else {
            return Err(Error::Corrupt);
        };
        let read = |kv: &kv::api::KeyValue| {
            Some((self.parse(&kv.key)?, serde_json::from_slice(&kv.value).ok()?))
        };
        Ok(found.kvs.iter().filter_map(read).collect())
    }

    /// Adds an entry and returns its number.
    ///
    /// # Errors
    /// Of the store; `LeaderChanged` when too many others add at the same moment.
    pub(crate) async fn add(self, store: &Store, value: &impl Serialize) -> Result<u64, Error> {
        for _ in 0..TRIES_MAX {
            if let Some(number) = self.try_add(store, value, Vec::new(), Vec::new()).await? {
                return Ok(number);
            }
        }
        Err(Error::LeaderChanged)
    }

    /// Adds an entry together with `writes` if every key in `expected` was last changed at its
    /// revision (0: is not there). `None` when one was not, or when somebody else has added an
    /// entry meanwhile.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn try_add(
        self,
        store: &Store,
        value: &impl Serialize,
        mut expected: Vec<(Vec<u8>, i64)>,
        mut writes: Vec<TxnOperation>,
    ) -> Result<Option<u64>, Error> {
        let (last, revision) = self.head_of(store).await?;
        let number = last + 1;
        writes.extend([put(self.head(), &number, 0), put(self.key(number), value, 0)]);
        if number > self.keep {
            writes.push(delete(self.key(number - self.keep)));
        }
        expected.push((self.head(), revision));
        Ok(store.swap(expected, writes).await?.map(|_| number))
    }

    /// The last number, 0 when there is none.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn last(self, store: &Store) -> Result<u64, Error> {
        self.head_of(store).await.map(|(last, _)| last)
    }

    async fn head_of(self, store: &Store) -> Result<(u64, i64), Error> {
        let Some(head) = store.get(&self.head()).await? else { return Ok((0, 0)) };
        let last = serde_json::from_slice(&head.value).map_err(|_| Error::Corrupt)?;
        Ok((last, head.mod_revision))
    }
}

#[cfg(test)]
mod tests {
    use super::List;

    #[test]
    fn keys_sort_by_number_and_are_read_back() {
        let list = List { prefix: "\0q/x/", keep: 10 };
        assert!(list.key(9) < list.key(10));
        assert_eq!(list.parse(&list.key(77)), Some(77));
        assert_eq!(list.parse(b"\0q/x/entry/77"), None);
        assert_eq!(list.parse(b"\0q/x/head"), None);
    }
}
