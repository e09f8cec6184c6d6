//! etcd's answers as the store's responses.

use kv::api::{
    DeleteRangeResponse, Event, EventKind, HashResponse, Header, KeyValue, LeaseGrantResponse,
    LeaseKeepAliveResponse, LeaseLeasesResponse, LeaseTimeToLiveResponse, PutResponse,
    RangeResponse, TxnResponse, TxnResult,
};

use crate::proto::{etcdserverpb as pb, mvccpb};

pub(super) fn header(h: Option<pb::ResponseHeader>) -> Header {
    h.map(|h| Header { revision: h.revision, raft_term: h.raft_term }).unwrap_or_default()
}

fn key_value(kv: mvccpb::KeyValue) -> KeyValue {
    KeyValue {
        key: kv.key,
        value: kv.value,
        create_revision: kv.create_revision,
        mod_revision: kv.mod_revision,
        version: kv.version,
        lease: kv.lease,
    }
}

pub(super) fn range(r: pb::RangeResponse) -> RangeResponse {
    RangeResponse {
        header: header(r.header),
        kvs: r.kvs.into_iter().map(key_value).collect(),
        more: r.more,
        count: r.count,
    }
}

pub(super) fn put(r: pb::PutResponse) -> PutResponse {
    PutResponse { header: header(r.header), prev_kv: r.prev_kv.map(key_value) }
}

pub(super) fn delete_range(r: pb::DeleteRangeResponse) -> DeleteRangeResponse {
    DeleteRangeResponse {
        header: header(r.header),
        deleted: r.deleted,
        prev_kvs: r.prev_kvs.into_iter().map(key_value).collect(),
    }
}

pub(super) fn txn(r: pb::TxnResponse) -> TxnResponse {
    use pb::response_op::Response;
    let result = |op: pb::ResponseOp| match op.response? {
        Response::ResponseRange(r) => Some(TxnResult::Range(range(r))),
        Response::ResponsePut(r) => Some(TxnResult::Put(put(r))),
        Response::ResponseDeleteRange(r) => Some(TxnResult::DeleteRange(delete_range(r))),
        Response::ResponseTxn(r) => Some(TxnResult::Txn(txn(r))),
    };
    TxnResponse {
        header: header(r.header),
        succeeded: r.succeeded,
        responses: r.responses.into_iter().filter_map(result).collect(),
    }
}

pub(super) fn lease_grant(r: pb::LeaseGrantResponse) -> LeaseGrantResponse {
    LeaseGrantResponse { header: header(r.header), id: r.id, ttl: r.ttl }
}

pub(super) fn lease_keep_alive(r: pb::LeaseKeepAliveResponse) -> LeaseKeepAliveResponse {
    LeaseKeepAliveResponse { header: header(r.header), id: r.id, ttl: r.ttl }
}

pub(super) fn lease_time_to_live(r: pb::LeaseTimeToLiveResponse) -> LeaseTimeToLiveResponse {
    LeaseTimeToLiveResponse {
        header: header(r.header),
        id: r.id,
        ttl: r.ttl,
        granted_ttl: r.granted_ttl,
        keys: r.keys,
    }
}

pub(super) fn lease_leases(r: pb::LeaseLeasesResponse) -> LeaseLeasesResponse {
    let mut leases: Vec<i64> = r.leases.into_iter().map(|lease| lease.id).collect();
    leases.sort_unstable();
    LeaseLeasesResponse { header: header(r.header), leases }
}

pub(super) fn hash(r: &pb::HashKvResponse) -> HashResponse {
    HashResponse {
        header: header(r.header),
        hash: r.hash,
        compact_revision: r.compact_revision,
        hash_revision: r.hash_revision,
    }
}

pub(super) fn event(e: mvccpb::Event) -> Option<Event> {
    let kind = match mvccpb::event::EventType::try_from(e.r#type).ok()? {
        mvccpb::event::EventType::Put => EventKind::Put,
        mvccpb::event::EventType::Delete => EventKind::Delete,
    };
    Some(Event { kind, kv: key_value(e.kv?), prev_kv: e.prev_kv.map(key_value) })
}
