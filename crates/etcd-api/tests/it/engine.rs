//! Our own engine against our own API: what comes back is what the store said.

use bytes::Bytes;
use client::Client;
use client::etcd::EtcdClient;
use futures::StreamExt;
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, Error, EventKind, KeyRange,
    LeaseGrantRequest, PutRequest, RangeRequest, Request, Response, SortOrder, SortTarget, Status,
    TxnOperation, TxnRequest, WatchRequest, WatchResponse,
};

use crate::member::Member;
use crate::server::Server;

fn put(key: &'static str, lease: i64) -> PutRequest {
    let (key, value) = (key.into(), Bytes::from_static(b"value"));
    PutRequest { key, value, lease, prev_kv: true, ..Default::default() }
}

/// Requests that exercise every field, in an order in which they succeed.
fn requests() -> Vec<Request> {
    let range = RangeRequest {
        range: KeyRange::prefix(Bytes::from_static(b"k")),
        limit: 2,
        sort_order: SortOrder::Descend,
        sort_target: SortTarget::Create,
        keys_only: true,
        min_mod_revision: 2,
        ..Default::default()
    };
    let deletion = DeleteRangeRequest { range: KeyRange::single("k2"), prev_kv: true };
    let compare = |target, result| Compare { range: KeyRange::single("k1"), result, target };
    let txn = TxnRequest {
        compare: vec![
            compare(CompareTarget::Version(1), CompareResult::NotEqual),
            compare(CompareTarget::Create(9), CompareResult::Less),
            compare(CompareTarget::Mod(1), CompareResult::Greater),
            compare(CompareTarget::Value("value".into()), CompareResult::Equal),
            compare(CompareTarget::Lease(7), CompareResult::Equal),
        ],
        success: vec![
            TxnOperation::Put(put("k4", 7)),
            TxnOperation::Txn(TxnRequest {
                failure: vec![TxnOperation::Range(range.clone())],
                compare: vec![compare(CompareTarget::Version(0), CompareResult::Equal)],
                success: vec![],
            }),
        ],
        failure: vec![TxnOperation::DeleteRange(deletion.clone())],
    };
    vec![
        Request::LeaseGrant(LeaseGrantRequest { ttl: 60, id: 7 }),
        Request::Put(put("k1", 7)),
        Request::Put(put("k1", 7)),
        Request::Put(put("k2", 0)),
        Request::Put(put("k3", 0)),
        Request::Range(range),
        Request::Txn(txn),
        Request::DeleteRange(deletion),
        Request::LeaseKeepAlive { id: 7 },
        Request::LeaseTimeToLive { id: 7, keys: true },
        Request::LeaseLeases,
        Request::LeaseRevoke { id: 7 },
        Request::LeaseRevoke { id: 7 },
        Request::Hash { revision: 3 },
        Request::Compact { revision: 3, physical: true },
        Request::Compact { revision: 3, physical: false },
        Request::Hash { revision: 2 },
        Request::Put(put("", 0)),
        Request::Status,
    ]
}

#[tokio::test(flavor = "current_thread")]
async fn every_request_is_answered_as_by_the_store_itself() {
    let server = Server::start().await;
    let engine = EtcdClient::connect([&server.address]).unwrap();
    let twin = Member::new();
    for request in requests() {
        let direct = twin.ask(request.clone());
        assert_eq!(engine.call(request.clone()).await, direct, "{request:?}");
    }
    let (address, status) = engine.statuses().await.remove(0);
    assert_eq!(address, server.address);
    let Ok(Response::Status(expect)) = twin.ask(Request::Status) else { panic!("no status") };
    assert_eq!(status, Ok::<Status, Error>(expect));
}

#[tokio::test(flavor = "current_thread")]
async fn a_watch_tells_the_past_and_the_present() {
    let server = Server::start().await;
    let engine = EtcdClient::connect([&server.address]).unwrap();
    engine.call(Request::Put(put("k", 0))).await.unwrap();
    let request = WatchRequest {
        range: KeyRange::single("k"),
        start_revision: 2,
        prev_kv: true,
        ..Default::default()
    };
    let mut watch = engine.watch(request).await.unwrap();
    let created = watch.next().await.unwrap();
    assert!(matches!(created, Ok(WatchResponse::Created { header }) if header.revision == 2));
    let range = KeyRange::single("k");
    engine.call(Request::DeleteRange(DeleteRangeRequest { range, prev_kv: false })).await.unwrap();
    for (kind, had_value) in [(EventKind::Put, false), (EventKind::Delete, true)] {
        let Some(Ok(WatchResponse::Events { events, .. })) = watch.next().await else {
            panic!("no events")
        };
        assert_eq!((events[0].kind, events[0].prev_kv.is_some()), (kind, had_value));
    }
}
