//! The reference: what the store must answer, by the plainest possible code.
//!
//! Leases are in [`leases`].
//!
//! A map from key to all its versions, fed with the committed entries in order. It knows the
//! requests that the workload makes and no others.

mod leases;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, DeleteRangeResponse, Error, Event,
    EventKind, Header, KeyValue, LeaseGrantResponse, PutRequest, PutResponse, RangeRequest,
    RangeResponse, Request, Response, TxnOperation, TxnRequest, TxnResponse, TxnResult,
};
use kv::command::{Body, CallOrigin};
use raft::{LogId, LogIndex, Payload};

use crate::truth::Operation;
use leases::Leases;

pub use leases::LeaseEnd;

/// Versions of one key: from which index and revision on, and what it held then.
type Versions = Vec<(LogIndex, i64, Option<KeyValue>)>;

/// See the module.
#[derive(Debug, Default)]
pub struct Model {
    keys: BTreeMap<Bytes, Versions>,
    /// Store revision after each index, from index 1.
    revisions: Vec<i64>,
    /// What happened in each revision, from revision 2 on.
    events: Vec<Vec<Event>>,
    /// Where the history was compacted, and to which revision; ascending.
    compactions: Vec<(LogIndex, i64)>,
    leases: Leases,
    origins: BTreeSet<(u64, u64, u64)>,
    /// Lives of each member's process that took part.
    lives: BTreeMap<u64, Lives>,
    /// Where each operation took effect, and its answer.
    outcomes: BTreeMap<Operation, Outcome>,
    /// Calls found more than once in the ledger, and therefore to be ignored.
    repeated: u64,
}

/// The newest lives of one member's process, and the newest of those before: of them the store
/// remembers no calls, so that none takes effect any more.
#[derive(Debug, Default)]
struct Lives {
    newest: BTreeSet<u64>,
    forgotten: Option<u64>,
}

impl Lives {
    fn is_forgotten(&self, incarnation: u64) -> bool {
        self.forgotten.is_some_and(|forgotten| incarnation <= forgotten)
    }

    fn note(&mut self, incarnation: u64) {
        self.newest.insert(incarnation);
        if self.newest.len() > kv::INCARNATIONS_MAX {
            self.forgotten = self.forgotten.max(self.newest.pop_first());
        }
    }
}

/// A write that was committed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its place in the order of everything.
    pub index: LogIndex,
    /// What its caller must hear; terms are left at 0.
    pub response: Response,
}

/// State that one command sees and changes.
struct Step<'a> {
    model: &'a mut Model,
    index: LogIndex,
    revision: i64,
    changed: bool,
}

impl Model {
    /// Takes the committed entry `id`, the one after the last.
    ///
    /// # Errors
    /// An entry that is not a command of the workload.
    pub fn apply(&mut self, id: LogId, payload: &Payload) -> Result<(), String> {
        let index = id.index;
        let before = self.revision_at(index.before());
        let mut revision = before;
        if let Payload::Data(data) = payload {
            let envelope = kv::command::decode(data)
                .map_err(|why| format!("entry {index} is committed but no command: {why}"))?;
            let CallOrigin { member, incarnation, call } = envelope.origin;
            let lives = self.lives.entry(member).or_default();
            let is_late = lives.is_forgotten(incarnation);
            if !self.origins.insert((member, incarnation, call)) || is_late {
                self.repeated += 1;
            } else {
                lives.note(incarnation);
                revision = match &envelope.body {
                    Body::Write(request) => self.write(index, before, request)?,
                    Body::Advance { elapsed_ms, term } if *term == id.term.get() => {
                        self.advance(index, before, *elapsed_ms)
                    }
                    Body::Advance { .. } => before, // of a leader that is none any more
                };
            }
        }
        self.revisions.push(revision);
        Ok(())
    }

    /// Executes a request; the revision afterwards.
    fn write(&mut self, index: LogIndex, before: i64, request: &Request) -> Result<i64, String> {
        match request {
            Request::Compact { revision, .. } => {
                if *revision > self.compacted() && *revision <= before {
                    self.compactions.push((index, *revision));
                }
                return Ok(before);
            }
            Request::LeaseKeepAlive { id } => {
                self.leases.renew(*id);
                return Ok(before);
            }
            Request::LeaseRevoke { id } if self.leases.is_alive(*id) => {
                return Ok(self.end_lease(index, before, *id, false));
            }
            Request::LeaseRevoke { .. } => return Ok(before),
            Request::Put(put) if put.lease != 0 && !self.leases.is_alive(put.lease) => {
                return Ok(before);
            }
            _ => {}
        }
        let mut step = Step { model: self, index, revision: before, changed: false };
        let response = step.write(request)?;
        let after = before + i64::from(step.changed);
        if let Some(operation) = operation_of(request) {
            self.outcomes.insert(operation, Outcome { index, response });
        }
        Ok(after)
    }

    /// Time goes by; each lease that ends with keys makes a revision of its own.
    fn advance(&mut self, index: LogIndex, before: i64, elapsed_ms: u64) -> i64 {
        let over = self.leases.advance(elapsed_ms);
        over.into_iter().fold(before, |revision, id| self.end_lease(index, revision, id, true))
    }

    fn end_lease(&mut self, index: LogIndex, before: i64, id: i64, is_by_time: bool) -> i64 {
        let keys = self.leases.end(id, index, is_by_time);
        let mut step = Step { model: self, index, revision: before, changed: false };
        keys.iter().for_each(|key| step.set(key, None));
        before + i64::from(step.changed)
    }

    /// Leases that have not ended.
    pub fn lease_count(&self) -> usize {
        self.leases.count()
    }

    /// Whether that lease lives.
    pub fn is_lease_alive(&self, id: i64) -> bool {
        self.leases.is_alive(id)
    }

    /// The ends of leases, in order.
    pub fn lease_ends(&self) -> &[LeaseEnd] {
        self.leases.ends()
    }

    /// Store revision once everything up to `index` is applied.
    pub fn revision_at(&self, index: LogIndex) -> i64 {
        match (index.get() as usize).checked_sub(1) {
            Some(at) => self.revisions[at.min(self.revisions.len() - 1)],
            None => 1,
        }
    }

    /// The newest store revision.
    pub fn revision(&self) -> i64 {
        self.revisions.last().copied().unwrap_or(1)
    }

    /// What happened in `revision`, in order.
    pub fn events(&self, revision: i64) -> &[Event] {
        let at = usize::try_from(revision - 2).ok();
        at.and_then(|at| self.events.get(at)).map_or(&[], Vec::as_slice)
    }

    /// The history below this revision is out of reach.
    pub fn compacted(&self) -> i64 {
        self.compactions.last().map_or(0, |(_, revision)| *revision)
    }

    fn compacted_at(&self, index: LogIndex) -> i64 {
        let after = self.compactions.partition_point(|(at, _)| *at <= index);
        after.checked_sub(1).map_or(0, |at| self.compactions[at].1)
    }

    /// How far the model is.
    pub fn last_index(&self) -> LogIndex {
        LogIndex::new(self.revisions.len() as u64)
    }

    /// Where and how `operation` took effect.
    pub fn outcome(&self, operation: Operation) -> Option<&Outcome> {
        self.outcomes.get(&operation)
    }

    /// Orders that came more than once and must have had one effect.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// The answer to a read of everything up to `index`.
    ///
    /// # Errors
    /// A request that is no read of the workload.
    pub fn read(
        &self,
        index: LogIndex,
        request: &Request,
    ) -> Result<Result<Response, Error>, String> {
        let now = self.revision_at(index);
        let header = Header { revision: now, raft_term: 0 };
        match request {
            Request::Range(range) if range.revision > now => Ok(Err(Error::FutureRevision)),
            Request::Range(range)
                if range.revision > 0 && range.revision < self.compacted_at(index) =>
            {
                Ok(Err(Error::Compacted))
            }
            Request::Range(range) => Ok(Ok(Response::Range(self.range(index, header, range)))),
            other => Err(format!("the model cannot read {other:?}")),
        }
    }

    /// Every key and what it holds now.
    pub fn content(&self) -> Vec<KeyValue> {
        let newest = |versions: &Versions| versions.last().and_then(|(.., value)| value.clone());
        self.keys.values().filter_map(newest).collect()
    }

    fn get(&self, index: LogIndex, key: &[u8]) -> Option<&KeyValue> {
        let versions = self.keys.get(key)?;
        let after = versions.partition_point(|(from, ..)| *from <= index);
        versions.get(after.checked_sub(1)?)?.2.as_ref()
    }

    /// What `key` held at `revision`.
    fn get_past(&self, revision: i64, key: &[u8]) -> Option<&KeyValue> {
        let versions = self.keys.get(key)?;
        let after = versions.partition_point(|(_, from, _)| *from <= revision);
        versions.get(after.checked_sub(1)?)?.2.as_ref()
    }

    fn get_for(&self, index: LogIndex, request: &RangeRequest, key: &[u8]) -> Option<&KeyValue> {
        match request.revision {
            revision if revision > 0 => self.get_past(revision, key),
            _ => self.get(index, key),
        }
    }

    fn range(&self, index: LogIndex, header: Header, request: &RangeRequest) -> RangeResponse {
        let inside = self.keys.keys().filter(|key| request.range.contains(key));
        let mut kvs: Vec<KeyValue> =
            inside.filter_map(|key| self.get_for(index, request, key)).cloned().collect();
        let count = kvs.len();
        let limit = usize::try_from(request.limit).unwrap_or(0);
        if limit > 0 {
            kvs.truncate(limit);
        }
        RangeResponse { header, more: kvs.len() < count, count: count as i64, kvs }
    }
}

impl Step<'_> {
    fn write(&mut self, request: &Request) -> Result<Response, String> {
        let response = match request {
            Request::Put(put) => Response::Put(self.put(put)),
            Request::DeleteRange(delete) => Response::DeleteRange(self.delete(delete)),
            Request::Txn(txn) => Response::Txn(self.txn(txn)?),
            Request::LeaseGrant(grant) => {
                let ttl = grant.ttl.max(kv::LEASE_TTL_MIN_S);
                if !self.model.leases.grant(grant.id, ttl) {
                    return Err(format!("lease {} is granted twice", grant.id));
                }
                let (header, id) = (Header::default(), grant.id);
                Response::LeaseGrant(LeaseGrantResponse { header, id, ttl })
            }
            other => return Err(format!("the model cannot apply {other:?}")),
        };
        Ok(with_revision(response, self.revision + i64::from(self.changed)))
    }

    fn set(&mut self, key: &Bytes, value: Option<KeyValue>) {
        let revision = self.revision + 1;
        if !self.changed {
            self.model.events.push(Vec::new());
        }
        self.changed = true;
        let versions = self.model.keys.entry(key.clone()).or_default();
        let prev_kv = versions.last().and_then(|(.., before)| before.clone());
        let kind = if value.is_some() { EventKind::Put } else { EventKind::Delete };
        let deleted = KeyValue { key: key.clone(), mod_revision: revision, ..KeyValue::default() };
        let kv = value.clone().unwrap_or(deleted);
        self.model.leases.attach(key, kv.lease);
        versions.push((self.index, revision, value));
        if let Some(events) = self.model.events.last_mut() {
            events.push(Event { kind, kv, prev_kv });
        }
    }

    fn put(&mut self, put: &PutRequest) -> PutResponse {
        let before = self.model.get(self.index, &put.key).cloned();
        let revision = self.revision + 1;
        let value = KeyValue {
            key: put.key.clone(),
            value: put.value.clone(),
            create_revision: before.as_ref().map_or(revision, |kv| kv.create_revision),
            mod_revision: revision,
            version: before.as_ref().map_or(1, |kv| kv.version + 1),
            lease: put.lease,
        };
        self.set(&put.key, Some(value));
        PutResponse { header: Header::default(), prev_kv: before.filter(|_| put.prev_kv) }
    }

    fn delete(&mut self, delete: &DeleteRangeRequest) -> DeleteRangeResponse {
        let inside = self.model.keys.keys().filter(|key| delete.range.contains(key));
        let gone: Vec<KeyValue> =
            inside.filter_map(|key| self.model.get(self.index, key)).cloned().collect();
        gone.iter().for_each(|kv| self.set(&kv.key, None));
        let (header, deleted) = (Header::default(), gone.len() as i64);
        DeleteRangeResponse {
            header,
            deleted,
            prev_kvs: if delete.prev_kv { gone } else { vec![] },
        }
    }

    fn txn(&mut self, txn: &TxnRequest) -> Result<TxnResponse, String> {
        let succeeded = txn.compare.iter().all(|compare| self.holds(compare));
        let operations = if succeeded { &txn.success } else { &txn.failure };
        let mut responses = Vec::new();
        for operation in operations {
            responses.push(match operation {
                TxnOperation::Range(range) => {
                    TxnResult::Range(self.model.range(self.index, Header::default(), range))
                }
                TxnOperation::Put(put) => TxnResult::Put(self.put(put)),
                TxnOperation::DeleteRange(delete) => TxnResult::DeleteRange(self.delete(delete)),
                TxnOperation::Txn(_) => return Err("the model knows no nested txn".to_owned()),
            });
        }
        Ok(TxnResponse { header: Header::default(), succeeded, responses })
    }

    fn holds(&self, compare: &Compare) -> bool {
        let found = self.model.get(self.index, &compare.range.key);
        let order = match &compare.target {
            CompareTarget::Version(wanted) => found.map_or(0, |kv| kv.version).cmp(wanted),
            CompareTarget::Create(wanted) => found.map_or(0, |kv| kv.create_revision).cmp(wanted),
            CompareTarget::Mod(wanted) => found.map_or(0, |kv| kv.mod_revision).cmp(wanted),
            CompareTarget::Lease(wanted) => found.map_or(0, |kv| kv.lease).cmp(wanted),
            CompareTarget::Value(wanted) => match found {
                Some(kv) => kv.value.cmp(wanted),
                None => return false,
            },
        };
        match compare.result {
            CompareResult::Equal => order.is_eq(),
            CompareResult::Greater => order.is_gt(),
            CompareResult::Less => order.is_lt(),
            CompareResult::NotEqual => order.is_ne(),
        }
    }
}

fn with_revision(mut response: Response, revision: i64) -> Response {
    let header = Header { revision, raft_term: 0 };
    match &mut response {
        Response::Put(put) => put.header = header,
        Response::DeleteRange(delete) => delete.header = header,
        Response::Txn(txn) => txn.header = header,
        Response::LeaseGrant(granted) => granted.header = header,
        _ => {}
    }
    response
}

/// The response without what the model does not say: terms, and headers inside a transaction.
pub fn comparable(mut response: Response) -> Response {
    match &mut response {
        Response::Range(range) => range.header.raft_term = 0,
        Response::Put(put) => put.header.raft_term = 0,
        Response::LeaseGrant(granted) => granted.header.raft_term = 0,
        Response::DeleteRange(delete) => delete.header.raft_term = 0,
        Response::Txn(txn) => {
            txn.header.raft_term = 0;
            for result in &mut txn.responses {
                match result {
                    TxnResult::Range(range) => range.header = Header::default(),
                    TxnResult::Put(put) => put.header = Header::default(),
                    TxnResult::DeleteRange(delete) => delete.header = Header::default(),
                    TxnResult::Txn(_) => {}
                }
            }
        }
        _ => {}
    }
    response
}

/// The operation that made `request`: the beginning of the value it puts.
pub fn operation_of(request: &Request) -> Option<Operation> {
    let put_in = |operations: &[TxnOperation]| {
        operations.iter().find_map(|operation| match operation {
            TxnOperation::Put(put) => operation_in(&put.value),
            _ => None,
        })
    };
    match request {
        Request::Put(put) => operation_in(&put.value),
        // Who asks for a lease gives it the number of the call.
        Request::LeaseGrant(grant) => u64::try_from(grant.id).ok().map(Operation::new),
        Request::Txn(txn) => put_in(&txn.success).or_else(|| put_in(&txn.failure)),
        _ => None,
    }
}

/// The operation at the beginning of a value.
pub fn operation_in(value: &[u8]) -> Option<Operation> {
    let digits = value.split(|byte| *byte == b'|').next()?;
    core::str::from_utf8(digits).ok()?.parse().ok().map(Operation::new)
}

#[cfg(test)]
mod tests;
