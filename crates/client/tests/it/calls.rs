//! Calls over several nodes: what is tried again, and what never is.

use client::Client;
use kv::api::{
    Error, Header, Outcome, PutRequest, RangeRequest, Request, Response, TxnOperation, TxnRequest,
};
use tonic::Code;

use crate::node::{self, Manner};

const NO_LEADER: Manner = Manner::Refuse(Code::Unavailable, "etcdserver: no leader");

fn get() -> Request {
    Request::Range(RangeRequest::default())
}

fn put() -> Request {
    Request::Put(PutRequest::default())
}

fn txn(operation: TxnOperation) -> Request {
    Request::Txn(TxnRequest { success: vec![operation], ..TxnRequest::default() })
}

fn revision(answer: Result<Response, Error>) -> Result<i64, Error> {
    let header = match answer? {
        Response::Range(answer) => answer.header,
        Response::Put(answer) => answer.header,
        Response::Txn(answer) => answer.header,
        other => panic!("unexpected answer {other:?}"),
    };
    assert_eq!(header.raft_term, Header::default().raft_term);
    Ok(header.revision)
}

#[tokio::test(flavor = "current_thread")]
async fn a_node_that_is_down_is_passed_over_by_reads_and_writes() {
    let (good, heard) = node::start(Manner::Answer { revision: 5 }, vec![]).await;
    let client = node::client(&[&node::closed().await, &node::closed().await, &good]);
    assert_eq!(revision(client.call(put()).await), Ok(5));
    assert_eq!(revision(client.call(get()).await), Ok(5));
    assert_eq!(*heard.calls.lock().unwrap(), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn a_refusal_that_says_it_did_not_happen_is_tried_elsewhere() {
    let (headless, refused) = node::start(NO_LEADER, vec![]).await;
    let (good, _) = node::start(Manner::Answer { revision: 5 }, vec![]).await;
    let client = node::client(&[&headless, &good]);
    assert_eq!(revision(client.call(put()).await), Ok(5));
    assert_eq!(revision(client.call(get()).await), Ok(5), "stays with the node that answers");
    assert_eq!(*refused.calls.lock().unwrap(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_write_that_may_have_happened_is_not_sent_twice() {
    let timed_out = "etcdserver: request timed out";
    let (slow, _) = node::start(Manner::Refuse(Code::Unavailable, timed_out), vec![]).await;
    for first in [&slow, &node::cut().await] {
        let (good, heard) = node::start(Manner::Answer { revision: 5 }, vec![]).await;
        let client = node::client(&[first, &good]);
        let error = revision(client.call(put()).await).unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        assert_eq!(*heard.calls.lock().unwrap(), 0, "the write was sent again after: {error}");
        // The same happens to a transaction that writes, but not to one that reads.
        let client = node::client(&[first, &good]);
        assert!(client.call(txn(TxnOperation::Put(PutRequest::default()))).await.is_err());
        let client = node::client(&[first, &good]);
        let reads = txn(TxnOperation::Range(RangeRequest::default()));
        assert_eq!(revision(client.call(reads).await), Ok(5));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_read_leaves_a_node_that_hangs_and_a_write_waits_for_it() {
    let (hangs, _) = node::start(Manner::Hang, vec![]).await;
    let (good, heard) = node::start(Manner::Answer { revision: 5 }, vec![]).await;
    let client = node::client(&[&hangs, &good]);
    assert_eq!(revision(client.call(get()).await), Ok(5));
    let client = node::client(&[&hangs, &good]);
    assert_eq!(revision(client.call(put()).await), Err(Error::OutcomeUnknown));
    assert_eq!(*heard.calls.lock().unwrap(), 1);
    assert_eq!(revision(client.call(put()).await), Ok(5), "the next call goes elsewhere");
}

#[tokio::test(flavor = "current_thread")]
async fn a_refused_request_is_not_tried_elsewhere() {
    let text = "etcdserver: mvcc: required revision has been compacted";
    let (first, _) = node::start(Manner::Refuse(Code::OutOfRange, text), vec![]).await;
    let (other, heard) = node::start(Manner::Answer { revision: 5 }, vec![]).await;
    let client = node::client(&[&first, &other]);
    assert_eq!(revision(client.call(get()).await), Err(Error::Compacted));
    assert_eq!(*heard.calls.lock().unwrap(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn nobody_there_and_nobody_leading_are_told_apart() {
    let client = node::client(&[&node::closed().await]);
    assert_eq!(revision(client.call(put()).await), Err(Error::Unreachable));
    assert_eq!(client.statuses().await[0].1, Err(Error::Unreachable));
    let (headless, _) = node::start(NO_LEADER, vec![]).await;
    let client = node::client(&[&headless]);
    assert_eq!(revision(client.call(put()).await), Err(Error::NoLeader));
}
