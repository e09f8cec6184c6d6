//! What can be refused by looking at the request alone, before anything is proposed.

use std::collections::BTreeSet;

use crate::api::{
    DeleteRangeRequest, Error, KeyRange, PutRequest, Request, TXN_OPERATIONS_MAX, TxnOperation,
    TxnRequest,
};
use crate::lease::LEASE_TTL_MAX_S;

impl Request {
    /// Whether it goes through the log. A transaction does when it can write or holds another
    /// transaction.
    pub fn is_write(&self) -> bool {
        match self {
            Self::Put(_)
            | Self::DeleteRange(_)
            | Self::LeaseGrant(_)
            | Self::LeaseRevoke { .. }
            | Self::LeaseKeepAlive { .. }
            | Self::Compact { .. } => true,
            Self::Txn(txn) => txn.is_write(),
            Self::Range(_)
            | Self::LeaseTimeToLive { .. }
            | Self::LeaseLeases
            | Self::Hash { .. }
            | Self::Status => false,
        }
    }

    /// Whether any member may answer it from its own state, without asking the quorum. A
    /// transaction without a range is not: a comparison alone must not be stale.
    pub fn is_serializable(&self) -> bool {
        let is_local = |operation: &TxnOperation| match operation {
            TxnOperation::Range(range) => range.serializable,
            TxnOperation::Put(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_) => false,
        };
        match self {
            Self::Range(range) => range.serializable,
            Self::Txn(txn) => {
                let mut operations = txn.success.iter().chain(&txn.failure).peekable();
                operations.peek().is_some() && operations.all(is_local)
            }
            Self::Status | Self::Hash { .. } => true,
            _ => false,
        }
    }

    /// Every refusal that needs no state, in etcd's order.
    ///
    /// # Errors
    /// The [`Error`] a client is to see.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self::Range(request) => check_key(&request.range.key),
            Self::Put(request) => check_put(request),
            Self::DeleteRange(request) => check_key(&request.range.key),
            Self::Txn(request) => {
                check_txn(request, TXN_OPERATIONS_MAX)?;
                Touched::by(&request.success)?;
                Touched::by(&request.failure)?;
                Ok(())
            }
            Self::LeaseGrant(request) if request.ttl > LEASE_TTL_MAX_S => {
                Err(Error::LeaseTtlTooLarge)
            }
            Self::LeaseGrant(_)
            | Self::LeaseRevoke { .. }
            | Self::LeaseKeepAlive { .. }
            | Self::LeaseTimeToLive { .. }
            | Self::LeaseLeases
            | Self::Compact { .. }
            | Self::Hash { .. }
            | Self::Status => Ok(()),
        }
    }
}

impl TxnRequest {
    fn is_write(&self) -> bool {
        let reads = |operation| matches!(operation, &TxnOperation::Range(_));
        !self.success.iter().chain(&self.failure).all(reads)
    }
}

fn check_key(key: &[u8]) -> Result<(), Error> {
    if key.is_empty() { Err(Error::EmptyKey) } else { Ok(()) }
}

fn check_put(request: &PutRequest) -> Result<(), Error> {
    check_key(&request.key)?;
    if request.ignore_value && !request.value.is_empty() {
        return Err(Error::ValueProvided);
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(Error::LeaseProvided);
    }
    Ok(())
}

/// `operations_left` is what the transactions around this one have not used up: the longest of
/// its three lists counts, and a nested transaction draws from the rest.
fn check_txn(request: &TxnRequest, operations_left: usize) -> Result<(), Error> {
    let longest = request.compare.len().max(request.success.len()).max(request.failure.len());
    let left = operations_left.checked_sub(longest).ok_or(Error::TooManyOperations)?;
    for compare in &request.compare {
        check_key(&compare.range.key)?;
    }
    for operation in request.success.iter().chain(&request.failure) {
        match operation {
            TxnOperation::Range(request) => check_key(&request.range.key)?,
            TxnOperation::Put(request) => check_put(request)?,
            TxnOperation::DeleteRange(request) => check_key(&request.range.key)?,
            TxnOperation::Txn(request) => check_txn(request, left)?,
        }
    }
    Ok(())
}

/// What the operations of one branch, nested ones included, put and delete.
///
/// A key may be put once, and not both put and deleted. Deletions may overlap; the two branches
/// of a nested transaction exclude each other and may put the same key. A branch's own deletions
/// count against everything in it, but those of a nested transaction only against what comes
/// after it, and against the branch's own puts: among neighbours, "delete, then put" is refused
/// and "put, then delete" is not. A deletion without an end ("from this key on", "all keys")
/// counts against nothing: such a transaction replaces everything at once. Both oddities are
/// etcd's (seen on 3.5.1), and its clients may rely on them.
#[derive(Default)]
struct Touched<'a> {
    puts: BTreeSet<&'a [u8]>,
    deletes: Vec<&'a KeyRange>,
}

impl<'a> Touched<'a> {
    fn by(operations: &'a [TxnOperation]) -> Result<Self, Error> {
        let mut touched = Self::default();
        for operation in operations {
            if let TxnOperation::DeleteRange(DeleteRangeRequest { range, .. }) = operation {
                touched.deletes.push(range);
            }
        }
        for operation in operations {
            if let TxnOperation::Txn(nested) = operation {
                touched.take_nested(Self::by(&nested.success)?, Self::by(&nested.failure)?)?;
            }
        }
        for operation in operations {
            if let TxnOperation::Put(PutRequest { key, .. }) = operation {
                touched.put(key)?;
            }
        }
        Ok(touched)
    }

    /// Takes in a nested transaction, of which one branch will run.
    fn take_nested(&mut self, success: Self, failure: Self) -> Result<(), Error> {
        for key in success.puts.union(&failure.puts) {
            self.put(key)?;
        }
        self.deletes.extend(success.deletes);
        self.deletes.extend(failure.deletes);
        Ok(())
    }

    fn put(&mut self, key: &'a [u8]) -> Result<(), Error> {
        let deletes = |range: &&KeyRange| range.range_end[..] != [0] && range.contains(key);
        let is_deleted = self.deletes.iter().any(deletes);
        if is_deleted || !self.puts.insert(key) { Err(Error::DuplicateKey) } else { Ok(()) }
    }
}
