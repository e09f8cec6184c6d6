//! The service KV: answers and their headers.

use bytes::Bytes;
use client::proto::etcdserverpb as pb;
use kv::api::{PutRequest, Request};
use pb::request_op::Request as Op;
use pb::response_op::Response as Answer;

use crate::server::{Server, get, header, put};

fn ops(requests: Vec<Op>) -> Vec<pb::RequestOp> {
    requests.into_iter().map(|request| pb::RequestOp { request: Some(request) }).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_key_is_put_read_and_deleted() {
    let server = Server::start().await;
    let mut kv = server.kv();
    let first = kv.put(put("a", "1")).await.unwrap().into_inner();
    assert_eq!(first, pb::PutResponse { header: header(2), prev_kv: None });
    let again = pb::PutRequest { prev_kv: true, ..put("a", "2") };
    let before = kv.put(again).await.unwrap().into_inner().prev_kv.unwrap();
    assert_eq!((&before.value[..], before.mod_revision), (&b"1"[..], 2));

    let read = kv.range(get("a")).await.unwrap().into_inner();
    assert_eq!((read.header, read.count, read.more), (header(3), 1, false));
    let found = &read.kvs[0];
    assert_eq!((&found.key[..], &found.value[..]), (&b"a"[..], &b"2"[..]));
    assert_eq!((found.create_revision, found.mod_revision, found.version), (2, 3, 2));
    let old = pb::RangeRequest { revision: 2, ..get("a") };
    assert_eq!(&kv.range(old).await.unwrap().into_inner().kvs[0].value[..], b"1");

    let key = Bytes::from_static(b"a");
    let delete = pb::DeleteRangeRequest { key, range_end: Bytes::new(), prev_kv: true };
    let deleted = kv.delete_range(delete).await.unwrap().into_inner();
    assert_eq!((deleted.header, deleted.deleted), (header(4), 1));
    assert_eq!(&deleted.prev_kvs[0].value[..], b"2");
    assert_eq!(kv.range(get("a")).await.unwrap().into_inner().count, 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_range_is_limited_sorted_counted_and_stripped() {
    let server = Server::start().await;
    for (key, value) in [("k1", "c"), ("k2", "b"), ("k3", "a")] {
        server.put(key, value).await;
    }
    let all = pb::RangeRequest { range_end: Bytes::from_static(b"l"), ..get("k") };
    let limited = pb::RangeRequest { limit: 2, keys_only: true, ..all.clone() };
    let answer = server.kv().range(limited).await.unwrap().into_inner();
    assert_eq!((answer.kvs.len(), answer.more, answer.count), (2, true, 3));
    assert!(answer.kvs.iter().all(|kv| kv.value.is_empty()));

    let by_value = pb::RangeRequest { sort_order: 1, sort_target: 4, ..all.clone() };
    let answer = server.kv().range(by_value).await.unwrap().into_inner();
    let keys: Vec<_> = answer.kvs.iter().map(|kv| &kv.key[..]).collect();
    assert_eq!(keys, [b"k3", b"k2", b"k1"]);

    let counted = pb::RangeRequest { count_only: true, ..all };
    let answer = server.kv().range(counted).await.unwrap().into_inner();
    assert_eq!((answer.kvs.len(), answer.count), (0, 3));
}

#[tokio::test(flavor = "current_thread")]
async fn a_transaction_answers_in_order_with_revisions_only_inside() {
    let server = Server::start().await;
    let inner =
        pb::TxnRequest { success: ops(vec![Op::RequestRange(get("a"))]), ..Default::default() };
    let delete = pb::DeleteRangeRequest { key: Bytes::from_static(b"b"), ..Default::default() };
    let absent = pb::Compare { key: Bytes::from_static(b"a"), target: 1, ..Default::default() };
    let request = pb::TxnRequest {
        compare: vec![absent],
        success: ops(vec![
            Op::RequestPut(put("a", "1")),
            Op::RequestDeleteRange(delete),
            Op::RequestTxn(inner),
        ]),
        failure: ops(vec![Op::RequestRange(get("a"))]),
    };
    let first = server.kv().txn(request.clone()).await.unwrap().into_inner();
    assert!(first.succeeded);
    assert_eq!(first.header, header(2));
    let answers: Vec<_> = first.responses.into_iter().map(|op| op.response.unwrap()).collect();
    let [Answer::ResponsePut(put), Answer::ResponseDeleteRange(delete), Answer::ResponseTxn(txn)] =
        &answers[..]
    else {
        panic!("wrong answers: {answers:?}")
    };
    let revision_only = |revision| Some(pb::ResponseHeader { revision, ..Default::default() });
    assert_eq!(put.header, revision_only(2));
    assert_eq!((delete.header, delete.deleted), (revision_only(2), 0));
    let Some(Answer::ResponseRange(range)) = &txn.responses[0].response else { panic!("{txn:?}") };
    assert_eq!((range.count, &range.kvs[0].value[..]), (1, &b"1"[..]));

    let second = server.kv().txn(request).await.unwrap().into_inner();
    assert!(!second.succeeded);
    assert!(matches!(second.responses[0].response, Some(Answer::ResponseRange(_))));
}

#[tokio::test(flavor = "current_thread")]
async fn all_keys_are_all_ordinary_keys() {
    let server = Server::start().await;
    server.put("a", "1").await;
    let secret = PutRequest { key: Bytes::from_static(b"\0q/e/head"), ..Default::default() };
    server.member.ask(Request::Put(secret)).unwrap();
    let range_end = Bytes::from_static(&[0]);
    let all = pb::RangeRequest { range_end: range_end.clone(), ..get("\0") };
    let answer = server.kv().range(all).await.unwrap().into_inner();
    assert_eq!((answer.count, &answer.kvs[0].key[..]), (1, &b"a"[..]));
    let delete = pb::DeleteRangeRequest { key: range_end.clone(), range_end, prev_kv: false };
    assert_eq!(server.kv().delete_range(delete).await.unwrap().into_inner().deleted, 1);
}
