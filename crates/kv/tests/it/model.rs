//! The store's rules once more, as plainly as possible: whole maps copied, nothing clever.

use std::collections::BTreeMap;

use bytes::Bytes;
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, DeleteRangeResponse, Error, Header,
    KeyRange, KeyValue, LeaseGrantResponse, LeaseKeepAliveResponse, PutRequest, PutResponse,
    RangeRequest, RangeResponse, Request, Response, SortOrder, SortTarget, TxnOperation,
    TxnRequest, TxnResponse, TxnResult,
};

type Keys = BTreeMap<Bytes, KeyValue>;

/// The state, with a copy of the keys for every revision.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) keys: Keys,
    past: Vec<Keys>,
    pub(crate) leases: BTreeMap<i64, ModelLease>,
    clock_ms: u64,
}

#[derive(Clone)]
pub(crate) struct ModelLease {
    ttl_s: i64,
    /// The earliest time at which it may end.
    pub(crate) promised_ms: u64,
}

impl Model {
    pub(crate) fn new() -> Self {
        let past = vec![Keys::new(), Keys::new()];
        Self { keys: Keys::new(), past, leases: BTreeMap::new(), clock_ms: 0 }
    }

    pub(crate) fn revision(&self) -> i64 {
        self.past.len() as i64 - 1
    }

    fn header(&self) -> Header {
        Header { revision: self.revision(), raft_term: 1 }
    }

    /// Executes a request that passed its check.
    pub(crate) fn execute(&mut self, request: &Request) -> Result<Response, Error> {
        match request {
            Request::LeaseGrant(request) => {
                if self.leases.contains_key(&request.id) {
                    return Err(Error::LeaseExists);
                }
                let ttl = request.ttl.max(2);
                self.promise(request.id, ttl);
                let header = self.header();
                Ok(Response::LeaseGrant(LeaseGrantResponse { header, id: request.id, ttl }))
            }
            Request::LeaseRevoke { id } => {
                self.leases.remove(id).ok_or(Error::LeaseNotFound)?;
                self.drop_keys_of(*id);
                Ok(Response::LeaseRevoke(self.header()))
            }
            Request::LeaseKeepAlive { id } => {
                let ttl = self.leases.get(id).map_or(0, |lease| lease.ttl_s);
                if ttl > 0 {
                    self.promise(*id, ttl);
                }
                let header = self.header();
                Ok(Response::LeaseKeepAlive(LeaseKeepAliveResponse { header, id: *id, ttl }))
            }
            Request::Range(request) => Draft::new(self).range(request).map(Response::Range),
            other => self.execute_on_keys(other),
        }
    }

    fn execute_on_keys(&mut self, request: &Request) -> Result<Response, Error> {
        let mut draft = Draft::new(self);
        let mut response = match request {
            Request::Put(request) => Response::Put(draft.put(request)?),
            Request::DeleteRange(request) => Response::DeleteRange(draft.delete_range(request)),
            Request::Txn(request) => Response::Txn(draft.txn(request)?),
            other => panic!("not for this model: {other:?}"),
        };
        let (is_changed, keys) = (draft.is_changed, draft.keys);
        if is_changed {
            self.become_next(keys);
        }
        let header = self.header();
        match &mut response {
            Response::Put(response) => response.header = header,
            Response::DeleteRange(response) => response.header = header,
            Response::Txn(response) => response.header = header,
            _ => {}
        }
        Ok(response)
    }

    fn become_next(&mut self, keys: Keys) {
        self.past.push(keys.clone());
        self.keys = keys;
    }

    fn promise(&mut self, id: i64, ttl_s: i64) {
        let promised_ms = self.clock_ms + ttl_s as u64 * 1000;
        self.leases.insert(id, ModelLease { ttl_s, promised_ms });
    }

    fn drop_keys_of(&mut self, id: i64) {
        let mut keys = self.keys.clone();
        keys.retain(|_, kv| kv.lease != id);
        if keys.len() < self.keys.len() {
            self.become_next(keys);
        }
    }

    /// Time goes by; the leases that end by then, ascending, all with their keys.
    pub(crate) fn advance(&mut self, elapsed_ms: u64, margin_ms: u64) -> Vec<i64> {
        self.clock_ms += elapsed_ms;
        let clock_ms = self.clock_ms;
        let is_over = |lease: &ModelLease| lease.promised_ms + margin_ms <= clock_ms;
        let ended: Vec<i64> =
            self.leases.iter().filter(|(_, lease)| is_over(lease)).map(|(id, _)| *id).collect();
        for id in &ended {
            self.leases.remove(id);
            self.drop_keys_of(*id);
        }
        ended
    }
}

struct Draft<'a> {
    model: &'a Model,
    keys: Keys,
    is_changed: bool,
}

impl<'a> Draft<'a> {
    fn new(model: &'a Model) -> Self {
        Self { model, keys: model.keys.clone(), is_changed: false }
    }

    fn header(&self) -> Header {
        let revision = self.model.revision() + i64::from(self.is_changed);
        Header { revision, raft_term: 0 }
    }

    fn put(&mut self, request: &PutRequest) -> Result<PutResponse, Error> {
        let before = self.keys.get(&request.key).cloned();
        if request.lease != 0 && !self.model.leases.contains_key(&request.lease) {
            return Err(Error::LeaseNotFound);
        }
        if (request.ignore_value || request.ignore_lease) && before.is_none() {
            return Err(Error::KeyNotFound);
        }
        let mut after = before.clone().unwrap_or_default();
        after.key = request.key.clone();
        after.mod_revision = self.model.revision() + 1;
        after.version += 1;
        if before.is_none() {
            after.create_revision = after.mod_revision;
        }
        if !request.ignore_value {
            after.value = request.value.clone();
        }
        if !request.ignore_lease {
            after.lease = request.lease;
        }
        self.keys.insert(request.key.clone(), after);
        self.is_changed = true;
        Ok(PutResponse { header: self.header(), prev_kv: before.filter(|_| request.prev_kv) })
    }

    fn delete_range(&mut self, request: &DeleteRangeRequest) -> DeleteRangeResponse {
        let gone: Vec<KeyValue> = within(&self.keys, &request.range);
        self.keys.retain(|key, _| !request.range.contains(key));
        self.is_changed |= !gone.is_empty();
        DeleteRangeResponse {
            header: self.header(),
            deleted: gone.len() as i64,
            prev_kvs: if request.prev_kv { gone } else { Vec::new() },
        }
    }

    fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        let base = self.model.revision();
        let all = match request.revision {
            revision if revision > base => return Err(Error::FutureRevision),
            revision if revision > 0 => within(&self.model.past[revision as usize], &request.range),
            _ => within(&self.keys, &request.range),
        };
        let count = all.len() as i64;
        if request.count_only {
            return Ok(RangeResponse { header: self.header(), count, ..Default::default() });
        }
        let mut kvs = all;
        let limit = if request.limit > 0 { request.limit as usize } else { usize::MAX };
        let bounds = [request.min_mod_revision, request.max_create_revision];
        if request.sort_order == SortOrder::None && bounds == [0, 0] {
            kvs.truncate(limit.saturating_add(1));
        }
        kvs.retain(|kv| kv.mod_revision >= request.min_mod_revision);
        let max = request.max_create_revision;
        kvs.retain(|kv| max == 0 || kv.create_revision <= max);
        let place = |kv: &KeyValue| match request.sort_target {
            SortTarget::Key => (0, kv.key.clone()),
            SortTarget::Value => (0, kv.value.clone()),
            SortTarget::Version => (kv.version, Bytes::new()),
            SortTarget::Create => (kv.create_revision, Bytes::new()),
            SortTarget::Mod => (kv.mod_revision, Bytes::new()),
        };
        match request.sort_order {
            SortOrder::Descend => kvs.sort_by_key(|kv| core::cmp::Reverse(place(kv))),
            SortOrder::None | SortOrder::Ascend => kvs.sort_by_key(place),
        }
        let more = kvs.len() > limit;
        kvs.truncate(limit);
        if request.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
        }
        Ok(RangeResponse { header: self.header(), kvs, more, count })
    }

    /// The outermost transaction: one whose nested ones compare with the same state.
    fn txn(&mut self, request: &TxnRequest) -> Result<TxnResponse, Error> {
        let before = self.keys.clone();
        self.check(request, &before)?;
        self.txn_on(request, &before)
    }

    /// What is refused by the state before, on the branches that will run.
    fn check(&self, request: &TxnRequest, before: &Keys) -> Result<(), Error> {
        let succeeded = request.compare.iter().all(|compare| holds(compare, before));
        for operation in if succeeded { &request.success } else { &request.failure } {
            match operation {
                TxnOperation::Put(put) => {
                    let keeps = put.ignore_value || put.ignore_lease;
                    if keeps && !before.contains_key(&put.key) {
                        return Err(Error::KeyNotFound);
                    }
                    if put.lease != 0 && !self.model.leases.contains_key(&put.lease) {
                        return Err(Error::LeaseNotFound);
                    }
                }
                TxnOperation::Range(range) => drop(self.range(range)?),
                TxnOperation::Txn(nested) => self.check(nested, before)?,
                TxnOperation::DeleteRange(_) => {}
            }
        }
        Ok(())
    }

    fn txn_on(&mut self, request: &TxnRequest, before: &Keys) -> Result<TxnResponse, Error> {
        let succeeded = request.compare.iter().all(|compare| holds(compare, before));
        let branch = if succeeded { &request.success } else { &request.failure };
        let mut responses = Vec::new();
        for operation in branch {
            responses.push(match operation {
                TxnOperation::Range(request) => TxnResult::Range(self.range(request)?),
                TxnOperation::Put(request) => TxnResult::Put(self.put(request)?),
                TxnOperation::DeleteRange(request) => {
                    TxnResult::DeleteRange(self.delete_range(request))
                }
                TxnOperation::Txn(request) => TxnResult::Txn(self.txn_on(request, before)?),
            });
        }
        Ok(TxnResponse { header: Header::default(), succeeded, responses })
    }
}

fn within(keys: &Keys, range: &KeyRange) -> Vec<KeyValue> {
    keys.values().filter(|kv| range.contains(&kv.key)).cloned().collect()
}

fn holds(compare: &Compare, keys: &Keys) -> bool {
    let mut found = within(keys, &compare.range);
    if found.is_empty() {
        if matches!(compare.target, CompareTarget::Value(_)) {
            return false;
        }
        found.push(KeyValue::default());
    }
    found.iter().all(|kv| {
        let ordering = match &compare.target {
            CompareTarget::Version(number) => kv.version.cmp(number),
            CompareTarget::Create(number) => kv.create_revision.cmp(number),
            CompareTarget::Mod(number) => kv.mod_revision.cmp(number),
            CompareTarget::Lease(number) => kv.lease.cmp(number),
            CompareTarget::Value(value) => kv.value.cmp(value),
        };
        match compare.result {
            CompareResult::Equal => ordering.is_eq(),
            CompareResult::Greater => ordering.is_gt(),
            CompareResult::Less => ordering.is_lt(),
            CompareResult::NotEqual => ordering.is_ne(),
        }
    })
}
