//! Refusals: etcd's codes and exact texts, which its clients map back.

use bytes::Bytes;
use client::proto::etcdserverpb as pb;
use pb::request_op::Request as Op;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};

use crate::member::MEMBER_ID;
use crate::server::{Server, get, put, refusal};

async fn check_put(request: pb::PutRequest, code: Code, text: &str) {
    let server = Server::start().await;
    assert_eq!(refusal(server.kv().put(request).await), (code, text.to_owned()));
}

async fn check_range(request: pb::RangeRequest, code: Code, text: &str) {
    let server = Server::start().await;
    assert_eq!(refusal(server.kv().range(request).await), (code, text.to_owned()));
}

async fn check_txn(success: Vec<Op>, code: Code, text: &str) {
    let server = Server::start().await;
    let op = |request| pb::RequestOp { request: Some(request) };
    let success = success.into_iter().map(op).collect();
    let request = pb::TxnRequest { success, ..Default::default() };
    assert_eq!(refusal(server.kv().txn(request).await), (code, text.to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn of_puts() {
    let invalid = Code::InvalidArgument;
    check_put(put("", "v"), invalid, "etcdserver: key is not provided").await;
    let keep = pb::PutRequest { ignore_value: true, ..put("a", "v") };
    check_put(keep, invalid, "etcdserver: value is provided").await;
    let keep = pb::PutRequest { ignore_value: true, ..put("a", "") };
    check_put(keep, invalid, "etcdserver: key not found").await;
    let keep = pb::PutRequest { ignore_lease: true, lease: 1, ..put("a", "v") };
    check_put(keep, invalid, "etcdserver: lease is provided").await;
    let leased = pb::PutRequest { lease: 1, ..put("a", "v") };
    check_put(leased, Code::NotFound, "etcdserver: requested lease not found").await;
}

#[tokio::test(flavor = "current_thread")]
async fn of_requests_above_the_limit_whether_a_little_or_much() {
    let text = "etcdserver: request is too large";
    for value_bytes in [1_572_864, 3_000_000] {
        let large = put("a", &"v".repeat(value_bytes));
        check_put(large, Code::InvalidArgument, text).await;
    }
    let server = Server::start().await;
    server.put("a", &"v".repeat(1_572_864 - 100)).await;
}

#[tokio::test(flavor = "current_thread")]
async fn of_ranges() {
    check_range(get(""), Code::InvalidArgument, "etcdserver: key is not provided").await;
    let future = pb::RangeRequest { revision: 9, ..get("a") };
    let text = "etcdserver: mvcc: required revision is a future revision";
    check_range(future, Code::OutOfRange, text).await;
    let sorted = pb::RangeRequest { sort_target: 9, ..get("a") };
    check_range(sorted, Code::InvalidArgument, "etcdserver: invalid sort option").await;
}

#[tokio::test(flavor = "current_thread")]
async fn of_transactions() {
    let invalid = Code::InvalidArgument;
    let twice = vec![Op::RequestPut(put("a", "1")), Op::RequestPut(put("a", "2"))];
    check_txn(twice, invalid, "etcdserver: duplicate key given in txn request").await;
    let many = vec![Op::RequestRange(get("a")); 129];
    check_txn(many, invalid, "etcdserver: too many operations in txn request").await;
}

#[tokio::test(flavor = "current_thread")]
async fn of_the_reserved_prefix_wherever_it_stands() {
    let (denied, text) = (Code::PermissionDenied, "etcdserver: permission denied");
    check_put(put("\0q/e/head", "v"), denied, text).await;
    check_range(get("\0q/e/head"), denied, text).await;
    let across = pb::RangeRequest { range_end: Bytes::from_static(b"z"), ..get("\0") };
    check_range(across, denied, text).await;
    check_txn(vec![Op::RequestPut(put("\0q/e/head", "v"))], denied, text).await;
    let inner = pb::RequestOp { request: Some(Op::RequestRange(get("\0q/e"))) };
    let inner = pb::TxnRequest { failure: vec![inner], ..Default::default() };
    check_txn(vec![Op::RequestTxn(inner)], denied, text).await;
}

#[tokio::test(flavor = "current_thread")]
async fn of_calls_that_are_not_offered() {
    let server = Server::start().await;
    let paths = ["/etcdserverpb.KV/Other", "/etcdserverpb.Auth/UserList", "/no.Such/Thing"];
    for path in paths {
        let mut grpc = tonic::client::Grpc::new(server.channel.clone());
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<_, pb::PutResponse>::default();
        let request = Request::new(pb::PutRequest::default());
        let answer = grpc.unary(request, PathAndQuery::from_static(path), codec).await;
        let text = format!("quorate: this node does not offer {path}");
        assert_eq!(refusal(answer), (Code::Unimplemented, text));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn of_calls_that_want_a_leader_when_there_is_none() {
    let server = Server::start().await;
    let wants = || {
        let mut request = Request::new(get("a"));
        request.metadata_mut().insert("hasleader", "true".parse().unwrap());
        request
    };
    server.member.set_leader(None);
    let expect = (Code::Unavailable, "etcdserver: no leader".to_owned());
    assert_eq!(refusal(server.kv().range(wants()).await), expect);
    assert!(server.kv().range(get("a")).await.is_ok(), "this one did not ask for a leader");
    server.member.set_leader(Some(MEMBER_ID));
    assert!(server.kv().range(wants()).await.is_ok());
}
