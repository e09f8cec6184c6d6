//! The store's requests as etcd's messages.

use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, PutRequest, RangeRequest, SortOrder,
    SortTarget, TxnOperation, TxnRequest, WatchRequest,
};

use crate::proto::etcdserverpb as pb;

pub(super) fn range(r: &RangeRequest) -> pb::RangeRequest {
    use pb::range_request::{SortOrder as Order, SortTarget as Target};
    pb::RangeRequest {
        key: r.range.key.clone(),
        range_end: r.range.range_end.clone(),
        limit: r.limit,
        revision: r.revision,
        sort_order: match r.sort_order {
            SortOrder::None => Order::None,
            SortOrder::Ascend => Order::Ascend,
            SortOrder::Descend => Order::Descend,
        } as i32,
        sort_target: match r.sort_target {
            SortTarget::Key => Target::Key,
            SortTarget::Version => Target::Version,
            SortTarget::Create => Target::Create,
            SortTarget::Mod => Target::Mod,
            SortTarget::Value => Target::Value,
        } as i32,
        serializable: r.serializable,
        keys_only: r.keys_only,
        count_only: r.count_only,
        min_mod_revision: r.min_mod_revision,
        max_mod_revision: r.max_mod_revision,
        min_create_revision: r.min_create_revision,
        max_create_revision: r.max_create_revision,
    }
}

pub(super) fn put(r: &PutRequest) -> pb::PutRequest {
    pb::PutRequest {
        key: r.key.clone(),
        value: r.value.clone(),
        lease: r.lease,
        prev_kv: r.prev_kv,
        ignore_value: r.ignore_value,
        ignore_lease: r.ignore_lease,
    }
}

pub(super) fn delete_range(r: &DeleteRangeRequest) -> pb::DeleteRangeRequest {
    pb::DeleteRangeRequest {
        key: r.range.key.clone(),
        range_end: r.range.range_end.clone(),
        prev_kv: r.prev_kv,
    }
}

pub(super) fn txn(r: &TxnRequest) -> pb::TxnRequest {
    pb::TxnRequest {
        compare: r.compare.iter().map(compare).collect(),
        success: r.success.iter().map(operation).collect(),
        failure: r.failure.iter().map(operation).collect(),
    }
}

fn operation(o: &TxnOperation) -> pb::RequestOp {
    use pb::request_op::Request;
    let request = match o {
        TxnOperation::Range(r) => Request::RequestRange(range(r)),
        TxnOperation::Put(r) => Request::RequestPut(put(r)),
        TxnOperation::DeleteRange(r) => Request::RequestDeleteRange(delete_range(r)),
        TxnOperation::Txn(r) => Request::RequestTxn(txn(r)),
    };
    pb::RequestOp { request: Some(request) }
}

fn compare(c: &Compare) -> pb::Compare {
    use pb::compare::{CompareResult as Result, CompareTarget as Target, TargetUnion as Union};
    let (target, union) = match &c.target {
        CompareTarget::Version(v) => (Target::Version, Union::Version(*v)),
        CompareTarget::Create(r) => (Target::Create, Union::CreateRevision(*r)),
        CompareTarget::Mod(r) => (Target::Mod, Union::ModRevision(*r)),
        CompareTarget::Value(v) => (Target::Value, Union::Value(v.clone())),
        CompareTarget::Lease(l) => (Target::Lease, Union::Lease(*l)),
    };
    let result = match c.result {
        CompareResult::Equal => Result::Equal,
        CompareResult::Greater => Result::Greater,
        CompareResult::Less => Result::Less,
        CompareResult::NotEqual => Result::NotEqual,
    };
    pb::Compare {
        result: result as i32,
        target: target as i32,
        key: c.range.key.clone(),
        target_union: Some(union),
        range_end: c.range.range_end.clone(),
    }
}

/// The first message of a watch that starts at `start_revision`.
pub(super) fn watch(r: &WatchRequest, start_revision: i64) -> pb::WatchRequest {
    use pb::watch_create_request::FilterType;
    let filters = [(r.no_put, FilterType::Noput), (r.no_delete, FilterType::Nodelete)];
    let create = pb::WatchCreateRequest {
        key: r.range.key.clone(),
        range_end: r.range.range_end.clone(),
        start_revision,
        progress_notify: r.progress_notify,
        filters: filters.iter().filter(|(on, _)| *on).map(|(_, f)| *f as i32).collect(),
        prev_kv: r.prev_kv,
        watch_id: 0,
        fragment: false,
    };
    let request_union = Some(pb::watch_request::RequestUnion::CreateRequest(create));
    pb::WatchRequest { request_union }
}
