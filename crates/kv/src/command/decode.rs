//! Bytes to commands.

use bytes::Bytes;
use mvcc::codec::{DecodeError, Reader};

use super::encode::kind;
use super::{Body, CallOrigin, Envelope, NESTING_MAX, VERSION};
use crate::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, KeyRange, LeaseGrantRequest,
    PutRequest, RangeRequest, Request, SortOrder, SortTarget, TxnOperation, TxnRequest,
};

type Decoded<T> = Result<T, DecodeError>;

pub(super) fn origin(reader: &mut Reader<'_>) -> Decoded<CallOrigin> {
    if reader.byte()? != VERSION {
        return Err(reader.error("a command of a format this program does not know"));
    }
    let member = reader.unsigned()?;
    let incarnation = reader.unsigned()?;
    Ok(CallOrigin { member, incarnation, call: reader.unsigned()? })
}

pub(super) fn envelope(bytes: &Bytes) -> Decoded<Envelope> {
    let mut source = Source { bytes, reader: Reader::new(bytes) };
    let origin = origin(&mut source.reader)?;
    let body = source.body()?;
    source.reader.end()?;
    Ok(Envelope { origin, body })
}

/// The bytes and how far they are read.
struct Source<'a> {
    bytes: &'a Bytes,
    reader: Reader<'a>,
}

impl Source<'_> {
    fn body(&mut self) -> Decoded<Body> {
        let reader = &mut self.reader;
        Ok(Body::Write(match reader.byte()? {
            kind::PUT => Request::Put(self.put()?),
            kind::DELETE_RANGE => Request::DeleteRange(self.delete_range()?),
            kind::TXN => Request::Txn(self.txn(NESTING_MAX)?),
            kind::LEASE_GRANT => {
                let ttl = reader.signed()?;
                Request::LeaseGrant(LeaseGrantRequest { ttl, id: reader.signed()? })
            }
            kind::LEASE_REVOKE => Request::LeaseRevoke { id: reader.signed()? },
            kind::LEASE_KEEP_ALIVE => Request::LeaseKeepAlive { id: reader.signed()? },
            kind::COMPACT => Request::Compact { revision: reader.signed()?, physical: false },
            kind::ADVANCE => {
                let elapsed_ms = reader.unsigned()?;
                return Ok(Body::Advance { elapsed_ms, term: reader.unsigned()? });
            }
            _ => return Err(reader.error("an unknown kind of command")),
        }))
    }

    fn string(&mut self) -> Decoded<Bytes> {
        Ok(self.bytes.slice(self.reader.string_range()?))
    }

    fn key_range(&mut self) -> Decoded<KeyRange> {
        Ok(KeyRange { key: self.string()?, range_end: self.string()? })
    }

    /// `N` booleans, the first in the lowest bit.
    fn flags<const N: usize>(&mut self) -> Decoded<[bool; N]> {
        let bits = self.reader.byte()?;
        if u32::from(bits) >> N != 0 {
            return Err(self.reader.error("an unknown flag"));
        }
        Ok(core::array::from_fn(|at| bits >> at & 1 == 1))
    }

    /// One of `choices` by its number.
    fn choice<T: Copy>(&mut self, choices: &[T]) -> Decoded<T> {
        let number = usize::from(self.reader.byte()?);
        choices.get(number).copied().ok_or_else(|| self.reader.error("an unknown choice"))
    }

    fn put(&mut self) -> Decoded<PutRequest> {
        let (key, value) = (self.string()?, self.string()?);
        let lease = self.reader.signed()?;
        let [prev_kv, ignore_value, ignore_lease] = self.flags()?;
        Ok(PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease })
    }

    fn delete_range(&mut self) -> Decoded<DeleteRangeRequest> {
        let range = self.key_range()?;
        let [prev_kv] = self.flags()?;
        Ok(DeleteRangeRequest { range, prev_kv })
    }

    fn range(&mut self) -> Decoded<RangeRequest> {
        let range = self.key_range()?;
        let (limit, revision) = (self.reader.signed()?, self.reader.signed()?);
        let orders = [SortOrder::None, SortOrder::Ascend, SortOrder::Descend];
        let sort_order = self.choice(&orders)?;
        let targets = [
            SortTarget::Key,
            SortTarget::Version,
            SortTarget::Create,
            SortTarget::Mod,
            SortTarget::Value,
        ];
        let sort_target = self.choice(&targets)?;
        let [serializable, keys_only, count_only] = self.flags()?;
        Ok(RangeRequest {
            range,
            limit,
            revision,
            sort_order,
            sort_target,
            serializable,
            keys_only,
            count_only,
            min_mod_revision: self.reader.signed()?,
            max_mod_revision: self.reader.signed()?,
            min_create_revision: self.reader.signed()?,
            max_create_revision: self.reader.signed()?,
        })
    }

    fn txn(&mut self, nesting_left: usize) -> Decoded<TxnRequest> {
        if nesting_left == 0 {
            return Err(self.reader.error("transactions nested too deeply"));
        }
        let compares = self.reader.count()?;
        let compare = (0..compares).map(|_| self.compare()).collect::<Decoded<_>>()?;
        let success = self.branch(nesting_left)?;
        Ok(TxnRequest { compare, success, failure: self.branch(nesting_left)? })
    }

    fn branch(&mut self, nesting_left: usize) -> Decoded<Vec<TxnOperation>> {
        let operations = self.reader.count()?;
        (0..operations).map(|_| self.operation(nesting_left)).collect()
    }

    fn operation(&mut self, nesting_left: usize) -> Decoded<TxnOperation> {
        Ok(match self.reader.byte()? {
            kind::RANGE => TxnOperation::Range(self.range()?),
            kind::PUT => TxnOperation::Put(self.put()?),
            kind::DELETE_RANGE => TxnOperation::DeleteRange(self.delete_range()?),
            kind::TXN => TxnOperation::Txn(self.txn(nesting_left - 1)?),
            _ => return Err(self.reader.error("an unknown kind of operation")),
        })
    }

    fn compare(&mut self) -> Decoded<Compare> {
        let range = self.key_range()?;
        let results = [
            CompareResult::Equal,
            CompareResult::Greater,
            CompareResult::Less,
            CompareResult::NotEqual,
        ];
        let result = self.choice(&results)?;
        let target = match self.reader.byte()? {
            0 => CompareTarget::Version(self.reader.signed()?),
            1 => CompareTarget::Create(self.reader.signed()?),
            2 => CompareTarget::Mod(self.reader.signed()?),
            3 => CompareTarget::Lease(self.reader.signed()?),
            4 => CompareTarget::Value(self.string()?),
            _ => return Err(self.reader.error("an unknown target of a comparison")),
        };
        Ok(Compare { range, result, target })
    }
}
