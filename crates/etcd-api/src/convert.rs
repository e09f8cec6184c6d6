//! Messages of the wire to requests of the store, and its responses back.
//!
//! The quirks of etcd live here where they are about the wire: an operation without content is
//! `key not found`, a comparison whose value is of another kind than its target compares with
//! zero. Headers inside a transaction's answers carry the revision only.

use bytes::Bytes;
use client::proto::{etcdserverpb as pb, mvccpb};
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, DeleteRangeResponse, Error, Event,
    EventKind, Header, KeyRange, KeyValue, PutRequest, PutResponse, RangeRequest, RangeResponse,
    SortOrder, SortTarget, TxnOperation, TxnRequest, TxnResponse, TxnResult, WatchRequest,
};
use tonic::Status;

use crate::edge::Edge;
use crate::error::status;

pub(crate) fn range(r: pb::RangeRequest) -> Result<RangeRequest, Error> {
    use pb::range_request::{SortOrder as Order, SortTarget as Target};
    let order = Order::try_from(r.sort_order).map_err(|_| Error::InvalidSortOption)?;
    let target = Target::try_from(r.sort_target).map_err(|_| Error::InvalidSortOption)?;
    Ok(RangeRequest {
        range: KeyRange { key: r.key, range_end: r.range_end },
        limit: r.limit,
        revision: r.revision,
        sort_order: match order {
            Order::None => SortOrder::None,
            Order::Ascend => SortOrder::Ascend,
            Order::Descend => SortOrder::Descend,
        },
        sort_target: match target {
            Target::Key => SortTarget::Key,
            Target::Version => SortTarget::Version,
            Target::Create => SortTarget::Create,
            Target::Mod => SortTarget::Mod,
            Target::Value => SortTarget::Value,
        },
        serializable: r.serializable,
        keys_only: r.keys_only,
        count_only: r.count_only,
        min_mod_revision: r.min_mod_revision,
        max_mod_revision: r.max_mod_revision,
        min_create_revision: r.min_create_revision,
        max_create_revision: r.max_create_revision,
    })
}

pub(crate) fn put(r: pb::PutRequest) -> PutRequest {
    PutRequest {
        key: r.key,
        value: r.value,
        lease: r.lease,
        prev_kv: r.prev_kv,
        ignore_value: r.ignore_value,
        ignore_lease: r.ignore_lease,
    }
}

pub(crate) fn delete_range(r: pb::DeleteRangeRequest) -> DeleteRangeRequest {
    let range = KeyRange { key: r.key, range_end: r.range_end };
    DeleteRangeRequest { range, prev_kv: r.prev_kv }
}

pub(crate) fn txn(r: pb::TxnRequest) -> Result<TxnRequest, Status> {
    Ok(TxnRequest {
        compare: r.compare.into_iter().map(compare).collect::<Result<_, _>>()?,
        success: r.success.into_iter().map(operation).collect::<Result<_, _>>()?,
        failure: r.failure.into_iter().map(operation).collect::<Result<_, _>>()?,
    })
}

fn operation(o: pb::RequestOp) -> Result<TxnOperation, Status> {
    use pb::request_op::Request;
    Ok(match o.request.ok_or_else(|| status(Error::KeyNotFound))? {
        Request::RequestRange(r) => TxnOperation::Range(range(r).map_err(status)?),
        Request::RequestPut(r) => TxnOperation::Put(put(r)),
        Request::RequestDeleteRange(r) => TxnOperation::DeleteRange(delete_range(r)),
        Request::RequestTxn(r) => TxnOperation::Txn(txn(r)?),
    })
}

fn compare(c: pb::Compare) -> Result<Compare, Status> {
    use pb::compare::{CompareResult as Result, CompareTarget as Target, TargetUnion as Union};
    let result = match Result::try_from(c.result) {
        Ok(Result::Equal) => CompareResult::Equal,
        Ok(Result::Greater) => CompareResult::Greater,
        Ok(Result::Less) => CompareResult::Less,
        Ok(Result::NotEqual) => CompareResult::NotEqual,
        Err(_) => return Err(unknown("result", c.result)),
    };
    let target = match (Target::try_from(c.target), c.target_union) {
        (Ok(Target::Version), Some(Union::Version(version))) => CompareTarget::Version(version),
        (Ok(Target::Create), Some(Union::CreateRevision(r))) => CompareTarget::Create(r),
        (Ok(Target::Mod), Some(Union::ModRevision(revision))) => CompareTarget::Mod(revision),
        (Ok(Target::Value), Some(Union::Value(value))) => CompareTarget::Value(value),
        (Ok(Target::Lease), Some(Union::Lease(lease))) => CompareTarget::Lease(lease),
        (Ok(Target::Version), _) => CompareTarget::Version(0),
        (Ok(Target::Create), _) => CompareTarget::Create(0),
        (Ok(Target::Mod), _) => CompareTarget::Mod(0),
        (Ok(Target::Value), _) => CompareTarget::Value(Bytes::new()),
        (Ok(Target::Lease), _) => CompareTarget::Lease(0),
        (Err(_), _) => return Err(unknown("target", c.target)),
    };
    Ok(Compare { range: KeyRange { key: c.key, range_end: c.range_end }, result, target })
}

fn unknown(what: &str, value: i32) -> Status {
    Status::invalid_argument(format!("quorate: a comparison has the unknown {what} {value}"))
}

pub(crate) fn watch(r: &pb::WatchCreateRequest) -> WatchRequest {
    use pb::watch_create_request::FilterType;
    let has = |filter: FilterType| r.filters.contains(&(filter as i32));
    // An empty key means "from the first key on" here, and nowhere else.
    let key = if r.key.is_empty() { Bytes::from_static(&[0]) } else { r.key.clone() };
    WatchRequest {
        range: KeyRange { key, range_end: r.range_end.clone() },
        start_revision: r.start_revision,
        progress_notify: r.progress_notify,
        no_put: has(FilterType::Noput),
        no_delete: has(FilterType::Nodelete),
        prev_kv: r.prev_kv,
    }
}

fn key_value(kv: KeyValue) -> mvccpb::KeyValue {
    mvccpb::KeyValue {
        key: kv.key,
        create_revision: kv.create_revision,
        mod_revision: kv.mod_revision,
        version: kv.version,
        value: kv.value,
        lease: kv.lease,
    }
}

pub(crate) fn event(event: Event) -> mvccpb::Event {
    use mvccpb::event::EventType;
    let kind = match event.kind {
        EventKind::Put => EventType::Put,
        EventKind::Delete => EventType::Delete,
    };
    mvccpb::Event {
        r#type: kind as i32,
        kv: Some(key_value(event.kv)),
        prev_kv: event.prev_kv.map(key_value),
    }
}

pub(crate) fn range_answer(edge: &Edge, r: RangeResponse) -> pb::RangeResponse {
    range_with(edge.header(r.header), r)
}

pub(crate) fn put_answer(edge: &Edge, r: PutResponse) -> pb::PutResponse {
    put_with(edge.header(r.header), r)
}

pub(crate) fn delete_range_answer(edge: &Edge, r: DeleteRangeResponse) -> pb::DeleteRangeResponse {
    delete_range_with(edge.header(r.header), r)
}

pub(crate) fn txn_answer(edge: &Edge, r: TxnResponse) -> pb::TxnResponse {
    txn_with(edge.header(r.header), r)
}

/// The header of an answer inside a transaction's.
fn inner(header: Header) -> pb::ResponseHeader {
    pb::ResponseHeader { revision: header.revision, ..pb::ResponseHeader::default() }
}

fn range_with(header: pb::ResponseHeader, r: RangeResponse) -> pb::RangeResponse {
    let kvs = r.kvs.into_iter().map(key_value).collect();
    pb::RangeResponse { header: Some(header), kvs, more: r.more, count: r.count }
}

fn put_with(header: pb::ResponseHeader, r: PutResponse) -> pb::PutResponse {
    pb::PutResponse { header: Some(header), prev_kv: r.prev_kv.map(key_value) }
}

fn delete_range_with(
    header: pb::ResponseHeader,
    r: DeleteRangeResponse,
) -> pb::DeleteRangeResponse {
    let prev_kvs = r.prev_kvs.into_iter().map(key_value).collect();
    pb::DeleteRangeResponse { header: Some(header), deleted: r.deleted, prev_kvs }
}

fn txn_with(header: pb::ResponseHeader, r: TxnResponse) -> pb::TxnResponse {
    let responses = r.responses.into_iter().map(result).collect();
    pb::TxnResponse { header: Some(header), succeeded: r.succeeded, responses }
}

fn result(r: TxnResult) -> pb::ResponseOp {
    use pb::response_op::Response;
    let response = match r {
        TxnResult::Range(r) => Response::ResponseRange(range_with(inner(r.header), r)),
        TxnResult::Put(r) => Response::ResponsePut(put_with(inner(r.header), r)),
        TxnResult::DeleteRange(r) => {
            Response::ResponseDeleteRange(delete_range_with(inner(r.header), r))
        }
        TxnResult::Txn(r) => Response::ResponseTxn(txn_with(inner(r.header), r)),
    };
    pb::ResponseOp { response: Some(response) }
}

#[cfg(test)]
mod tests;
