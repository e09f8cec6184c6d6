//! Transactions: compare, choose, check, execute; and the single put and delete, which are the
//! same operations alone.
//!
//! # The idea
//! All comparisons, those of nested transactions included, look at the state before the
//! transaction and fix the [`Path`]: which branch of which transaction will run. Then every
//! operation on the path is checked. Only then is anything written, so a refusal can no longer
//! come up half-way. Members therefore agree even on what they refuse.
//!
//! ```text
//! if version(a) = 0            before: nothing
//!   put a=1                    -> revision 2.0
//!   if version(a) = 0          (still true: compared before the put)
//!     put b=1                  -> revision 2.1
//! ```

use bytes::Bytes;
use core::cmp::Ordering;
use mvcc::Backing;

use crate::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, DeleteRangeResponse, Error, Header,
    PutRequest, PutResponse, TxnOperation, TxnRequest, TxnResponse, TxnResult,
};
use crate::draft::{Draft, Entry, Stop};
use crate::lease::Leases;
use crate::range::{range, revision_of};

/// The branches that will run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    succeeded: bool,
    /// One for each nested transaction of the branch, in order.
    nested: Vec<Path>,
}

impl Path {
    /// Compares on `draft`, which must be untouched.
    pub(crate) fn choose<B: Backing>(txn: &TxnRequest, draft: &Draft<'_, B>) -> Result<Self, Stop> {
        let mut succeeded = true;
        for compare in &txn.compare {
            succeeded = succeeded && holds(compare, draft)?;
        }
        let nested = branch(txn, succeeded).iter().filter_map(|operation| match operation {
            TxnOperation::Txn(nested) => Some(Self::choose(nested, draft)),
            TxnOperation::Range(_) | TxnOperation::Put(_) | TxnOperation::DeleteRange(_) => None,
        });
        Ok(Self { succeeded, nested: nested.collect::<Result<_, _>>()? })
    }
}

fn branch(txn: &TxnRequest, succeeded: bool) -> &[TxnOperation] {
    if succeeded { &txn.success } else { &txn.failure }
}

/// Whether every key of the range satisfies the comparison. Without a key it is compared with
/// zero, except a value, which nothing equals, exceeds or differs from.
fn holds<B: Backing>(compare: &Compare, draft: &Draft<'_, B>) -> Result<bool, Stop> {
    let entries = draft.entries(&compare.range, None, usize::MAX)?;
    if entries.is_empty() {
        return Ok(holds_for_none(compare));
    }
    for entry in &entries {
        let ordering = match &compare.target {
            CompareTarget::Version(number) => entry.version().cmp(number),
            CompareTarget::Create(number) => entry.create_revision().cmp(number),
            CompareTarget::Mod(number) => entry.mod_revision().cmp(number),
            CompareTarget::Lease(number) => entry.lease().cmp(number),
            CompareTarget::Value(value) => draft.load(entry)?.value.cmp(value),
        };
        if !satisfies(ordering, compare.result) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holds_for_none(compare: &Compare) -> bool {
    match &compare.target {
        CompareTarget::Value(_) => false,
        CompareTarget::Version(number)
        | CompareTarget::Create(number)
        | CompareTarget::Mod(number)
        | CompareTarget::Lease(number) => satisfies(0.cmp(number), compare.result),
    }
}

fn satisfies(ordering: Ordering, result: CompareResult) -> bool {
    match result {
        CompareResult::Equal => ordering.is_eq(),
        CompareResult::NotEqual => ordering.is_ne(),
        CompareResult::Greater => ordering.is_gt(),
        CompareResult::Less => ordering.is_lt(),
    }
}

/// Refuses what could not be executed on `path`.
pub(crate) fn check<B: Backing>(
    txn: &TxnRequest,
    path: &Path,
    draft: &Draft<'_, B>,
    leases: &Leases,
) -> Result<(), Stop> {
    let mut nested = path.nested.iter();
    for operation in branch(txn, path.succeeded) {
        match operation {
            TxnOperation::Range(request) => {
                revision_of(request, draft)?;
            }
            TxnOperation::Put(request) => {
                check_kept(request, draft)?;
                check_lease(request, leases)?;
            }
            TxnOperation::DeleteRange(_) => {}
            TxnOperation::Txn(request) => check(request, next(&mut nested), draft, leases)?,
        }
    }
    Ok(())
}

fn next<'a>(nested: &mut impl Iterator<Item = &'a Path>) -> &'a Path {
    nested.next().expect("a path has one step for each nested transaction of its branch")
}

/// Refuses a put that names a lease that is not there.
pub(crate) fn check_lease(request: &PutRequest, leases: &Leases) -> Result<(), Stop> {
    let is_known = request.lease == 0 || leases.is_alive(request.lease);
    if is_known { Ok(()) } else { Err(Error::LeaseNotFound.into()) }
}

/// Refuses a put that keeps a value or a lease that is not there.
pub(crate) fn check_kept<B: Backing>(
    request: &PutRequest,
    draft: &Draft<'_, B>,
) -> Result<(), Stop> {
    let keeps = request.ignore_value || request.ignore_lease;
    if keeps && draft.get(&request.key)?.is_none() {
        return Err(Error::KeyNotFound.into());
    }
    Ok(())
}

/// Executes the branches of `path` on `draft`. The headers inside carry the revision only, and
/// that of a nested transaction nothing.
pub(crate) fn execute<B: Backing>(
    txn: &TxnRequest,
    path: &Path,
    draft: &mut Draft<'_, B>,
) -> Result<TxnResponse, Stop> {
    let mut nested = path.nested.iter();
    let mut responses = Vec::with_capacity(branch(txn, path.succeeded).len());
    for operation in branch(txn, path.succeeded) {
        responses.push(match operation {
            TxnOperation::Range(request) => TxnResult::Range(range(request, draft)?),
            TxnOperation::Put(request) => TxnResult::Put(put(request, draft)?),
            TxnOperation::DeleteRange(request) => {
                TxnResult::DeleteRange(delete_range(request, draft)?)
            }
            TxnOperation::Txn(request) => {
                TxnResult::Txn(execute(request, next(&mut nested), draft)?)
            }
        });
    }
    Ok(TxnResponse { header: Header::default(), succeeded: path.succeeded, responses })
}

/// Executes one put that was checked before the transaction. A key that it keeps may be gone by
/// now, deleted by the transaction itself; then the whole transaction is refused.
pub(crate) fn put<B: Backing>(
    request: &PutRequest,
    draft: &mut Draft<'_, B>,
) -> Result<PutResponse, Stop> {
    check_kept(request, draft)?;
    let before = draft.get(&request.key)?;
    let needs_value = request.prev_kv || request.ignore_value;
    let before_kv = match &before {
        Some(entry) if needs_value => Some(draft.load(entry)?),
        Some(_) | None => None,
    };
    let value = match request.ignore_value {
        true => before_kv.as_ref().map_or(Bytes::new(), |kv| kv.value.clone()),
        false => request.value.clone(),
    };
    let lease = match request.ignore_lease {
        true => before.as_ref().map_or(0, Entry::lease),
        false => request.lease,
    };
    draft.put(&request.key, before.as_ref(), value, lease);
    Ok(PutResponse {
        header: Header { revision: draft.revision(), raft_term: 0 },
        prev_kv: before_kv.filter(|_| request.prev_kv),
    })
}

/// Executes one deletion.
pub(crate) fn delete_range<B: Backing>(
    request: &DeleteRangeRequest,
    draft: &mut Draft<'_, B>,
) -> Result<DeleteRangeResponse, Stop> {
    let entries = draft.entries(&request.range, None, usize::MAX)?;
    let prev_kvs = match request.prev_kv {
        true => draft.load_all(&entries)?,
        false => Vec::new(),
    };
    for entry in &entries {
        draft.delete(entry.key().clone());
    }
    Ok(DeleteRangeResponse {
        header: Header { revision: draft.revision(), raft_term: 0 },
        deleted: entries.len() as i64,
        prev_kvs,
    })
}
