//! The gateway's own keys in the store: JSON values, changed by compare-and-swap only.

use crate::Problem;
use bytes::Bytes;
use client::Client;
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, Error, KeyRange, KeyValue,
    LeaseGrantRequest, Outcome, PutRequest, RangeRequest, Request, Response, TxnOperation,
    TxnRequest,
};
use serde::Serialize;
use std::sync::Arc;

/// The store as the gateway's modules use it.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) client: Arc<dyn Client>,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error.outcome() {
            Outcome::NotApplied => {
                Self::unavailable(format!("The store did not take it ({error}). Try again."))
            }
            Outcome::Unknown => Self::unavailable(format!(
                "The store did not answer in time ({error}); it may or may not be done. Look, \
                 then try again."
            )),
        }
    }
}

/// An answer to something else: the engine is broken.
fn strange() -> Error {
    Error::Corrupt
}

impl Store {
    /// The value of a key, if it is there; linearizable.
    pub(crate) async fn get(&self, key: &[u8]) -> Result<Option<KeyValue>, Error> {
        let range = KeyRange::single(key.to_vec());
        let request = RangeRequest { range, ..RangeRequest::default() };
        match self.client.call(Request::Range(request)).await? {
            Response::Range(mut found) => Ok(found.kvs.pop()),
            _ => Err(strange()),
        }
    }

    /// Every key with this prefix as this node knows them, and the revision of that view.
    pub(crate) async fn list(&self, prefix: &[u8]) -> Result<(Vec<KeyValue>, i64), Error> {
        let range = KeyRange::prefix(prefix.to_vec());
        let request = RangeRequest { range, serializable: true, ..RangeRequest::default() };
        match self.client.call(Request::Range(request)).await? {
            Response::Range(found) => Ok((found.kvs, found.header.revision)),
            _ => Err(strange()),
        }
    }

    /// Runs `writes` if every key in `expected` was last changed at its revision (0: is not
    /// there). `None` when it was not; else the store's revision afterwards.
    pub(crate) async fn swap(
        &self,
        expected: Vec<(Vec<u8>, i64)>,
        writes: Vec<TxnOperation>,
    ) -> Result<Option<i64>, Error> {
        let compare = expected.into_iter().map(|(key, revision)| Compare {
            range: KeyRange::single(key),
            result: CompareResult::Equal,
            target: CompareTarget::Mod(revision),
        });
        let request =
            TxnRequest { compare: compare.collect(), success: writes, failure: Vec::new() };
        match self.client.call(Request::Txn(request)).await? {
            Response::Txn(answer) => Ok(answer.succeeded.then_some(answer.header.revision)),
            _ => Err(strange()),
        }
    }

    /// Writes one key if it was last changed at `revision` (0: is not there).
    pub(crate) async fn put_if(
        &self,
        key: Vec<u8>,
        value: &impl Serialize,
        revision: i64,
        lease: i64,
    ) -> Result<Option<i64>, Error> {
        self.swap(vec![(key.clone(), revision)], vec![put(key, value, lease)]).await
    }

    /// Deletes one key; `false` when it was not there.
    pub(crate) async fn delete(&self, key: Vec<u8>) -> Result<bool, Error> {
        let request = DeleteRangeRequest { range: KeyRange::single(key), prev_kv: false };
        match self.client.call(Request::DeleteRange(request)).await? {
            Response::DeleteRange(answer) => Ok(answer.deleted > 0),
            _ => Err(strange()),
        }
    }

    /// A new lease of `ttl_s` seconds.
    pub(crate) async fn grant(&self, ttl_s: u64) -> Result<i64, Error> {
        let ttl = i64::try_from(ttl_s).unwrap_or(i64::MAX);
        match self.client.call(Request::LeaseGrant(LeaseGrantRequest { ttl, id: 0 })).await? {
            Response::LeaseGrant(lease) => Ok(lease.id),
            _ => Err(strange()),
        }
    }

    /// Starts a lease's time again; `false` when there is no such lease any more.
    pub(crate) async fn keep_alive(&self, id: i64) -> Result<bool, Error> {
        match self.client.call(Request::LeaseKeepAlive { id }).await? {
            Response::LeaseKeepAlive(answer) => Ok(answer.ttl > 0),
            _ => Err(strange()),
        }
    }

    /// Seconds that a lease still has; `None` when there is no such lease any more.
    pub(crate) async fn time_to_live(&self, id: i64) -> Result<Option<u64>, Error> {
        match self.client.call(Request::LeaseTimeToLive { id, keys: false }).await? {
            Response::LeaseTimeToLive(answer) => Ok(u64::try_from(answer.ttl).ok()),
            _ => Err(strange()),
        }
    }

    /// Ends a lease and what hangs on it.
    pub(crate) async fn revoke(&self, id: i64) -> Result<(), Error> {
        self.client.call(Request::LeaseRevoke { id }).await.map(drop)
    }
}

/// A put as part of a transaction.
pub(crate) fn put(key: Vec<u8>, value: &impl Serialize, lease: i64) -> TxnOperation {
    let value = serde_json::to_vec(value).expect("our values have text keys only");
    let (key, value) = (Bytes::from(key), Bytes::from(value));
    TxnOperation::Put(PutRequest { key, value, lease, ..PutRequest::default() })
}

/// A deletion as part of a transaction.
pub(crate) fn delete(key: Vec<u8>) -> TxnOperation {
    TxnOperation::DeleteRange(DeleteRangeRequest { range: KeyRange::single(key), prev_kv: false })
}
