//! What must not be possible at a listener.

use crate::demo::Stage;
use crate::support::{block_on, http_body};
use client::Client;
use client::etcd::{EtcdClient, Patience};
use futures::StreamExt;
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, Error, KeyRange, LeaseGrantRequest,
    PutRequest, RangeRequest, Request, TxnOperation, TxnRequest, WatchRequest,
};
use std::time::Duration;

/// A key of the voting system.
const RESERVED: &[u8] = b"\0q/directory/00";

fn put_of(key: &'static [u8]) -> PutRequest {
    PutRequest { key: key.into(), value: "bent".into(), ..PutRequest::default() }
}

/// Every kind of request of the store's API that names `key`.
fn requests(key: &'static [u8]) -> Vec<Request> {
    let range = || KeyRange::single(key);
    vec![
        Request::Range(RangeRequest { range: range(), ..RangeRequest::default() }),
        Request::Put(put_of(key)),
        Request::DeleteRange(DeleteRangeRequest {
            range: range(),
            ..DeleteRangeRequest::default()
        }),
        Request::Txn(TxnRequest {
            success: vec![TxnOperation::Put(put_of(key))],
            ..TxnRequest::default()
        }),
        Request::Txn(TxnRequest {
            compare: vec![Compare {
                range: range(),
                result: CompareResult::Equal,
                target: CompareTarget::Version(0),
            }],
            ..TxnRequest::default()
        }),
    ]
}

/// What everybody can see of the election and its store.
fn picture(stage: &Stage) -> Vec<String> {
    let nodes = stage.nodes();
    let list = http_body(&format!("{}/api/v1/elections", nodes[0][0]));
    let id = list.split('"').find(|word| word.len() == 32).expect("the list names the election");
    nodes
        .iter()
        .flat_map(|[web, _, _]| {
            let base = format!("{web}/api/v1/elections/{id}");
            [http_body(&format!("{base}/checkpoint")), http_body(&format!("{base}/result"))]
        })
        .collect()
}

/// Nothing of the store's API is answered at the web listener.
pub(crate) fn check_web_listener(stage: &Stage) {
    let before = picture(stage);
    block_on(async {
        for [web, _, _] in stage.nodes() {
            let short = Duration::from_millis(500);
            let store = EtcdClient::connect([web]).expect("an address");
            let store = store.with_patience(Patience { call: short, attempt: short });
            let others = [
                Request::LeaseGrant(LeaseGrantRequest { id: 0, ttl: 60 }),
                Request::LeaseRevoke { id: 1 },
                Request::LeaseKeepAlive { id: 1 },
                Request::LeaseTimeToLive { id: 1, keys: true },
                Request::LeaseLeases,
                Request::Status,
            ];
            for request in requests(b"key").into_iter().chain(others) {
                let shown = format!("{request:?}");
                assert!(store.call(request).await.is_err(), "{shown} was answered");
            }
            let watch = WatchRequest { range: KeyRange::single("key"), ..WatchRequest::default() };
            if let Ok(mut stream) = store.watch(watch).await {
                let first = tokio::time::timeout(short * 2, stream.next()).await;
                assert!(!matches!(first, Ok(Some(Ok(_)))), "a watch was opened");
            }
        }
    });
    assert_eq!(picture(stage), before, "the election is as it was");
}

/// The voting system's keys are out of reach at the client listener.
pub(crate) fn check_client_listener(stage: &Stage) {
    let before = picture(stage);
    block_on(async {
        for [_, client, _] in stage.nodes() {
            let store = EtcdClient::connect([client]).expect("an address");
            for request in requests(RESERVED) {
                let shown = format!("{request:?}");
                let refused = store.call(request).await;
                assert_eq!(refused.map(drop), Err(Error::PermissionDenied), "{shown}");
            }
            let all = RangeRequest { range: KeyRange::prefix(""), ..RangeRequest::default() };
            let Ok(kv::api::Response::Range(found)) = store.call(Request::Range(all)).await else {
                panic!("everybody may read all keys");
            };
            let reserved = |kv: &kv::api::KeyValue| kv.key.starts_with(kv::api::RESERVED_PREFIX);
            assert!(!found.kvs.iter().any(reserved), "a reserved key was shown");
        }
    });
    assert_eq!(picture(stage), before, "the election is as it was");
}
