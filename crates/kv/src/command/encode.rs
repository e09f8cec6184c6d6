//! Commands to bytes.

use bytes::Bytes;
use mvcc::codec::Writer;

use super::{Body, Envelope, VERSION};
use crate::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, KeyRange, PutRequest, RangeRequest,
    Request, SortOrder, SortTarget, TxnOperation, TxnRequest,
};

/// Kinds of bodies.
pub(super) mod kind {
    pub(crate) const PUT: u8 = 1;
    pub(crate) const DELETE_RANGE: u8 = 2;
    pub(crate) const TXN: u8 = 3;
    pub(crate) const LEASE_GRANT: u8 = 4;
    pub(crate) const LEASE_REVOKE: u8 = 5;
    pub(crate) const LEASE_KEEP_ALIVE: u8 = 6;
    pub(crate) const ADVANCE: u8 = 7;
    /// Inside a transaction only.
    pub(crate) const RANGE: u8 = 8;
    pub(crate) const COMPACT: u8 = 9;
}

pub(super) fn envelope(envelope: &Envelope) -> Bytes {
    let mut writer = Writer::with_capacity(256);
    writer.byte(VERSION);
    writer.unsigned(envelope.origin.member);
    writer.unsigned(envelope.origin.incarnation);
    writer.unsigned(envelope.origin.call);
    match &envelope.body {
        Body::Write(request) => write_request(&mut writer, request),
        Body::Advance { elapsed_ms, term } => {
            writer.byte(kind::ADVANCE);
            writer.unsigned(*elapsed_ms);
            writer.unsigned(*term);
        }
    }
    writer.into_bytes().into()
}

fn write_request(writer: &mut Writer, request: &Request) {
    match request {
        Request::Put(request) => {
            writer.byte(kind::PUT);
            put(writer, request);
        }
        Request::DeleteRange(request) => {
            writer.byte(kind::DELETE_RANGE);
            delete_range(writer, request);
        }
        Request::Txn(request) => {
            writer.byte(kind::TXN);
            txn(writer, request);
        }
        Request::LeaseGrant(request) => {
            writer.byte(kind::LEASE_GRANT);
            writer.signed(request.ttl);
            writer.signed(request.id);
        }
        Request::LeaseRevoke { id } => {
            writer.byte(kind::LEASE_REVOKE);
            writer.signed(*id);
        }
        Request::LeaseKeepAlive { id } => {
            writer.byte(kind::LEASE_KEEP_ALIVE);
            writer.signed(*id);
        }
        // Whether to wait concerns only the member that took the call.
        Request::Compact { revision, physical: _ } => {
            writer.byte(kind::COMPACT);
            writer.signed(*revision);
        }
        Request::Range(_)
        | Request::LeaseTimeToLive { .. }
        | Request::LeaseLeases
        | Request::Hash { .. }
        | Request::Status => panic!("a read is never replicated: {request:?}"),
    }
}

fn key_range(writer: &mut Writer, range: &KeyRange) {
    writer.string(&range.key);
    writer.string(&range.range_end);
}

/// Up to eight booleans, the first in the lowest bit.
fn flags(writer: &mut Writer, flags: &[bool]) {
    let bits = flags.iter().enumerate().map(|(at, flag)| u8::from(*flag) << at);
    writer.byte(bits.sum());
}

fn put(writer: &mut Writer, request: &PutRequest) {
    writer.string(&request.key);
    writer.string(&request.value);
    writer.signed(request.lease);
    flags(writer, &[request.prev_kv, request.ignore_value, request.ignore_lease]);
}

fn delete_range(writer: &mut Writer, request: &DeleteRangeRequest) {
    key_range(writer, &request.range);
    flags(writer, &[request.prev_kv]);
}

fn range(writer: &mut Writer, request: &RangeRequest) {
    key_range(writer, &request.range);
    writer.signed(request.limit);
    writer.signed(request.revision);
    writer.byte(match request.sort_order {
        SortOrder::None => 0,
        SortOrder::Ascend => 1,
        SortOrder::Descend => 2,
    });
    writer.byte(match request.sort_target {
        SortTarget::Key => 0,
        SortTarget::Version => 1,
        SortTarget::Create => 2,
        SortTarget::Mod => 3,
        SortTarget::Value => 4,
    });
    flags(writer, &[request.serializable, request.keys_only, request.count_only]);
    writer.signed(request.min_mod_revision);
    writer.signed(request.max_mod_revision);
    writer.signed(request.min_create_revision);
    writer.signed(request.max_create_revision);
}

fn txn(writer: &mut Writer, request: &TxnRequest) {
    writer.unsigned(request.compare.len() as u64);
    request.compare.iter().for_each(|condition| compare(writer, condition));
    for branch in [&request.success, &request.failure] {
        writer.unsigned(branch.len() as u64);
        branch.iter().for_each(|op| operation(writer, op));
    }
}

fn compare(writer: &mut Writer, compare: &Compare) {
    key_range(writer, &compare.range);
    writer.byte(match compare.result {
        CompareResult::Equal => 0,
        CompareResult::Greater => 1,
        CompareResult::Less => 2,
        CompareResult::NotEqual => 3,
    });
    let (target, number) = match &compare.target {
        CompareTarget::Version(number) => (0, *number),
        CompareTarget::Create(number) => (1, *number),
        CompareTarget::Mod(number) => (2, *number),
        CompareTarget::Lease(number) => (3, *number),
        CompareTarget::Value(value) => {
            writer.byte(4);
            return writer.string(value);
        }
    };
    writer.byte(target);
    writer.signed(number);
}

fn operation(writer: &mut Writer, operation: &TxnOperation) {
    match operation {
        TxnOperation::Range(request) => {
            writer.byte(kind::RANGE);
            range(writer, request);
        }
        TxnOperation::Put(request) => {
            writer.byte(kind::PUT);
            put(writer, request);
        }
        TxnOperation::DeleteRange(request) => {
            writer.byte(kind::DELETE_RANGE);
            delete_range(writer, request);
        }
        TxnOperation::Txn(request) => {
            writer.byte(kind::TXN);
            txn(writer, request);
        }
    }
}
