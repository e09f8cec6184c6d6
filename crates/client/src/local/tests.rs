//! The queue to the node: answers, refusals, ends.

use futures::StreamExt;
use kv::api::{Error, Header, Request, Response, WatchRequest, WatchResponse};
use tokio::sync::mpsc;

use super::{Call, LocalClient, Operation, Watch, channel};
use crate::Client;

fn created() -> WatchResponse {
    WatchResponse::Created { header: Header::default() }
}

fn canceled() -> WatchResponse {
    let reason = "over".to_owned();
    WatchResponse::Canceled { header: Header::default(), compact_revision: 0, reason }
}

#[tokio::test(flavor = "current_thread")]
async fn a_call_returns_what_the_node_replies() {
    let (client, mut operations) = channel();
    let node = async {
        let Some(Operation::Call(Call { request, reply })) = operations.recv().await else {
            panic!("the call did not arrive");
        };
        assert_eq!(request, Request::LeaseRevoke { id: 7 });
        reply.send(Ok(Response::LeaseRevoke(Header { revision: 3, raft_term: 1 }))).unwrap();
    };
    let (answer, ()) = tokio::join!(client.call(Request::LeaseRevoke { id: 7 }), node);
    assert_eq!(answer, Ok(Response::LeaseRevoke(Header { revision: 3, raft_term: 1 })));
}

#[tokio::test(flavor = "current_thread")]
async fn a_full_queue_refuses_and_a_closed_one_says_stopped() {
    let (sender, mut operations) = mpsc::channel(1);
    let client = LocalClient::new(sender);
    let mut waiting = Box::pin(client.call(Request::Status));
    assert!(futures::poll!(&mut waiting).is_pending());
    assert_eq!(client.call(Request::Status).await, Err(Error::TooManyRequests));
    drop(operations.recv().await);
    assert_eq!(waiting.await, Err(Error::Stopped), "a reply dropped unused");
    drop(operations);
    assert_eq!(client.call(Request::Status).await, Err(Error::Stopped), "no node any more");
}

/// What a watcher reads when the node sends `messages` and then lets go.
async fn watched(messages: Vec<WatchResponse>) -> Vec<Result<WatchResponse, Error>> {
    let (client, mut operations) = channel();
    let stream = client.watch(WatchRequest::default()).await.unwrap();
    let Some(Operation::Watch(Watch { sender, .. })) = operations.recv().await else {
        panic!("the watch did not arrive");
    };
    for message in messages {
        sender.send(message).await.unwrap();
    }
    drop(sender);
    stream.collect().await
}

#[tokio::test(flavor = "current_thread")]
async fn a_watch_ends_with_a_cancellation_or_says_that_the_node_stopped() {
    assert_eq!(watched(vec![created()]).await, [Ok(created()), Err(Error::Stopped)]);
    assert_eq!(watched(vec![created(), canceled()]).await, [Ok(created()), Ok(canceled())]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_dropped_watch_is_seen_by_the_node() {
    let (client, mut operations) = channel();
    let stream = client.watch(WatchRequest::default()).await.unwrap();
    let Some(Operation::Watch(Watch { sender, .. })) = operations.recv().await else {
        panic!("the watch did not arrive");
    };
    drop(stream);
    sender.closed().await;
}
