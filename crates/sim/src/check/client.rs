//! What callers may rely on. C1: an acknowledged write is never lost. C2: no value appears that
//! nobody wrote. C3: an operation happens at most once. C4: a refusal that says "not applied" is
//! true for ever.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kv::api::{KeyValue, Outcome, Request, Response, TxnOperation, TxnResult};

use super::{Checker, Violation, violated};
use crate::model::operation_in;
use crate::truth::{Fact, FactKind, Member, Operation, Truth};

#[derive(Debug, Default)]
pub(super) struct Callers {
    /// The key each operation writes.
    written: BTreeMap<Operation, Bytes>,
    refused: BTreeSet<Operation>,
}

impl Checker for Callers {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Called, FactKind::Answered, FactKind::Applied, FactKind::Final]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Called { operation, request } => {
                if let Some(key) = written_key(request) {
                    self.written.insert(*operation, key);
                }
                Ok(())
            }
            Fact::Answered { operation, request, result: Ok(response), .. } => {
                if let Request::Compact { revision, .. } = request {
                    return compacted(truth, *operation, *revision);
                }
                let is_placed = !matches!(
                    request,
                    Request::LeaseKeepAlive { .. } | Request::LeaseRevoke { .. }
                );
                if request.is_write() && is_placed && truth.model.outcome(*operation).is_none() {
                    let text = format!("operation {operation} is acknowledged but not committed");
                    return violated("C1", text);
                }
                values(response).try_for_each(|kv| self.known(kv))
            }
            Fact::Answered { operation, result: Err(error), .. } => {
                if error.outcome() == Outcome::NotApplied {
                    self.refused.insert(*operation);
                }
                Ok(())
            }
            Fact::Applied { member, through, revision, .. } => {
                once(truth, *member, *through, *revision)
            }
            Fact::Final { member, content, revision } => {
                self.at_end(truth, *member, content, *revision)
            }
            _ => Ok(()),
        }
    }
}

impl Callers {
    fn known(&self, kv: &KeyValue) -> Result<(), Violation> {
        let writer = operation_in(&kv.value).and_then(|operation| self.written.get(&operation));
        if writer != Some(&kv.key) {
            let shown = String::from_utf8_lossy(&kv.value[..kv.value.len().min(40)]).into_owned();
            let key = String::from_utf8_lossy(&kv.key);
            return violated("C2", format!("key {key} reads `{shown}`, which nobody wrote to it"));
        }
        Ok(())
    }

    fn at_end(
        &self,
        truth: &Truth,
        member: Member,
        content: &[KeyValue],
        revision: i64,
    ) -> Result<(), Violation> {
        let expected = truth.model.content();
        if let Some(lost) = expected.iter().find(|kv| !content.contains(kv)) {
            let key = String::from_utf8_lossy(&lost.key);
            let text = format!("member {} lost the last write of key {key}", member + 1);
            return violated("C1", text);
        }
        if content.len() != expected.len() {
            return violated("C2", format!("member {} holds keys nobody wrote", member + 1));
        }
        once(truth, member, truth.model.last_index(), revision)?;
        let broken = self.refused.iter().find(|refused| truth.model.outcome(**refused).is_some());
        match broken {
            Some(operation) => {
                let text = format!("operation {operation} was refused as not applied, but was");
                violated("C4", text)
            }
            None => Ok(()),
        }
    }
}

/// K6: once a compaction is acknowledged, the group has carried it out.
fn compacted(truth: &Truth, operation: Operation, revision: i64) -> Result<(), Violation> {
    if truth.model.compacted() >= revision {
        return Ok(());
    }
    let text = format!(
        "operation {operation} hears that the past of {revision} is compacted, it is to {}",
        truth.model.compacted()
    );
    violated("K6", text)
}

/// C3: every effect of a write raises the revision by one, so one too many shows at once.
fn once(
    truth: &Truth,
    member: Member,
    through: raft::LogIndex,
    revision: i64,
) -> Result<(), Violation> {
    let expected = truth.model.revision_at(through);
    if revision != expected {
        let text = format!(
            "member {} is at revision {revision} after {through}, not {expected}: a write had \
             another number of effects than one",
            member + 1
        );
        return violated("C3", text);
    }
    Ok(())
}

fn written_key(request: &Request) -> Option<Bytes> {
    match request {
        Request::Put(put) => Some(put.key.clone()),
        Request::Txn(txn) => {
            txn.success.iter().chain(&txn.failure).find_map(|operation| match operation {
                TxnOperation::Put(put) => Some(put.key.clone()),
                _ => None,
            })
        }
        _ => None,
    }
}

/// Every key-value that an answer shows.
fn values(response: &Response) -> Box<dyn Iterator<Item = &KeyValue> + '_> {
    match response {
        Response::Range(range) => Box::new(range.kvs.iter()),
        Response::Put(put) => Box::new(put.prev_kv.iter()),
        Response::DeleteRange(delete) => Box::new(delete.prev_kvs.iter()),
        Response::Txn(txn) => Box::new(txn.responses.iter().flat_map(|result| match result {
            TxnResult::Range(range) => range.kvs.iter(),
            TxnResult::Put(put) => put.prev_kv.as_slice().iter(),
            TxnResult::DeleteRange(delete) => delete.prev_kvs.iter(),
            TxnResult::Txn(_) => [].iter(),
        })),
        _ => Box::new(std::iter::empty()),
    }
}
