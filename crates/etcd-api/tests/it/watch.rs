//! The service Watch: one stream, many watches.

use bytes::Bytes;
use client::proto::etcdserverpb as pb;
use kv::api::{PutRequest, Request as Ask};
use pb::watch_client::WatchClient;
use pb::watch_request::RequestUnion;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};

use crate::server::{CLUSTER_ID, Server, put};

/// One open stream.
struct Stream {
    requests: mpsc::Sender<pb::WatchRequest>,
    answers: Streaming<pb::WatchResponse>,
}

impl Stream {
    async fn open(server: &Server) -> Self {
        Self::open_with(server, false).await.unwrap()
    }

    async fn open_with(server: &Server, wants_leader: bool) -> Result<Self, Status> {
        let (requests, receiver) = mpsc::channel(16);
        let mut request = Request::new(ReceiverStream::new(receiver));
        if wants_leader {
            request.metadata_mut().insert("hasleader", "true".parse().unwrap());
        }
        let client = WatchClient::new(server.channel.clone());
        let answers = client.max_decoding_message_size(usize::MAX).watch(request).await?;
        Ok(Self { requests, answers: answers.into_inner() })
    }

    async fn send(&self, request: RequestUnion) {
        self.requests.send(pb::WatchRequest { request_union: Some(request) }).await.unwrap();
    }

    async fn create(&mut self, create: pb::WatchCreateRequest) -> pb::WatchResponse {
        self.send(RequestUnion::CreateRequest(create)).await;
        let answer = self.next().await;
        assert!(answer.created && answer.events.is_empty(), "{answer:?}");
        answer
    }

    async fn cancel(&self, watch_id: i64) {
        self.send(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id })).await;
    }

    async fn ask_progress(&self) {
        self.send(RequestUnion::ProgressRequest(pb::WatchProgressRequest {})).await;
    }

    async fn next(&mut self) -> pb::WatchResponse {
        let answer = self.answers.message().await.unwrap().unwrap();
        assert_eq!(answer.header.unwrap().cluster_id, CLUSTER_ID);
        answer
    }

    /// The next answer, in short.
    async fn event(&mut self) -> String {
        let answer = self.next().await;
        let events: Vec<_> = answer.events.iter().map(short).collect();
        format!("{}: {}", answer.watch_id, events.join(" "))
    }
}

fn short(event: &client::proto::mvccpb::Event) -> String {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let kv = event.kv.as_ref().unwrap();
    let before = event.prev_kv.as_ref().map(|kv| format!("({})", text(&kv.value)));
    let sign = if event.r#type == 0 { "+" } else { "-" };
    format!("{sign}{}={}{}", text(&kv.key), text(&kv.value), before.unwrap_or_default())
}

fn key(key: &'static str) -> pb::WatchCreateRequest {
    pb::WatchCreateRequest { key: Bytes::from_static(key.as_bytes()), ..Default::default() }
}

async fn delete(server: &Server, key: &'static str) {
    let key = Bytes::from_static(key.as_bytes());
    let request = pb::DeleteRangeRequest { key, ..Default::default() };
    server.kv().delete_range(request).await.unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn several_watches_share_a_stream() {
    let server = Server::start().await;
    server.put("a", "0").await;
    let mut stream = Stream::open(&server).await;
    let old = pb::WatchCreateRequest { start_revision: 2, prev_kv: true, ..key("a") };
    assert_eq!(stream.create(old).await.watch_id, 0);
    assert_eq!(stream.event().await, "0: +a=0");
    let all = pb::WatchCreateRequest { range_end: Bytes::from_static(&[0]), ..key("") };
    assert_eq!(stream.create(all).await.watch_id, 1);
    let chosen = pb::WatchCreateRequest { watch_id: 40, filters: vec![0], ..key("a") };
    assert_eq!(stream.create(chosen).await.watch_id, 40);

    server.put("a", "1").await;
    let mut both = [stream.event().await, stream.event().await];
    both.sort();
    assert_eq!(both, ["0: +a=1(0)", "1: +a=1"]);
    delete(&server, "a").await;
    let mut three = [stream.event().await, stream.event().await, stream.event().await];
    three.sort();
    assert_eq!(three, ["0: -a=(1)", "1: -a=", "40: -a="]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_transaction_is_one_answer() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server).await;
    stream.create(pb::WatchCreateRequest { range_end: Bytes::from_static(b"z"), ..key("a") }).await;
    let op = |key| {
        let put = pb::request_op::Request::RequestPut(put(key, "1"));
        pb::RequestOp { request: Some(put) }
    };
    let txn = pb::TxnRequest { success: vec![op("b"), op("c")], ..Default::default() };
    server.kv().txn(txn).await.unwrap();
    assert_eq!(stream.event().await, "0: +b=1 +c=1");
}

#[tokio::test(flavor = "current_thread")]
async fn a_canceled_watch_is_silent_and_the_others_are_not() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server).await;
    stream.create(key("a")).await;
    stream.create(key("a")).await;
    stream.cancel(77).await;
    stream.cancel(0).await;
    let canceled = stream.next().await;
    assert!(canceled.canceled && !canceled.created && canceled.watch_id == 0, "{canceled:?}");
    assert_eq!(canceled.header.unwrap().revision, 1);
    server.put("a", "1").await;
    server.put("a", "2").await;
    assert_eq!(stream.event().await, "1: +a=1");
    assert_eq!(stream.event().await, "1: +a=2");
    assert_eq!(stream.create(key("a")).await.watch_id, 2, "ids are not used again");
}

#[tokio::test(flavor = "current_thread")]
async fn a_refused_watch_is_created_and_canceled_in_one_answer() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server).await;
    stream.create(pb::WatchCreateRequest { watch_id: 5, ..key("a") }).await;
    let empty = Bytes::from_static(b"a");
    for (create, reason) in [
        (
            pb::WatchCreateRequest { watch_id: 5, ..key("b") },
            "mvcc: duplicate watch ID provided on the WatchStream",
        ),
        (pb::WatchCreateRequest { range_end: empty, ..key("b") }, "mvcc: watcher range is empty"),
        (
            pb::WatchCreateRequest { start_revision: -1, ..key("b") },
            "etcdserver: mvcc: required revision has been compacted",
        ),
        (key("\0q/e/head"), "etcdserver: permission denied"),
    ] {
        let refused = stream.create(create).await;
        assert!(refused.canceled, "{reason}");
        assert_eq!((refused.watch_id, &refused.cancel_reason[..]), (-1, reason));
    }
    server.put("a", "1").await;
    assert_eq!(stream.event().await, "5: +a=1", "the stream goes on");
}

#[tokio::test(flavor = "current_thread")]
async fn all_keys_are_all_ordinary_keys() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server).await;
    stream
        .create(pb::WatchCreateRequest { range_end: Bytes::from_static(&[0]), ..key("\0") })
        .await;
    let secret = PutRequest { key: Bytes::from_static(b"\0q/e/head"), ..Default::default() };
    server.member.ask(Ask::Put(secret)).unwrap();
    server.put("a", "1").await;
    assert_eq!(stream.event().await, "0: +a=1");
}

#[tokio::test(flavor = "current_thread")]
async fn progress_is_told_now_and_then_and_on_demand() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server).await;
    stream.create(pb::WatchCreateRequest { progress_notify: true, ..key("a") }).await;
    stream.ask_progress().await;
    let answer = stream.next().await;
    assert_eq!((answer.watch_id, answer.header.unwrap().revision), (-1, 1));
    server.put("other", "1").await;
    server.member.notify_idle();
    let answer = stream.next().await;
    assert_eq!((answer.watch_id, answer.header.unwrap().revision), (0, 2));
    assert!(answer.events.is_empty() && !answer.created);
    stream.ask_progress().await;
    assert_eq!(stream.next().await.watch_id, -1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_large_answer_comes_in_parts_for_those_who_ask() {
    let server = Server::start().await;
    let value = "v".repeat(700_000);
    let op = |key| {
        let put = pb::request_op::Request::RequestPut(put(key, &value));
        pb::RequestOp { request: Some(put) }
    };
    let txn = || pb::TxnRequest { success: vec![op("a"), op("b")], ..Default::default() };
    server.kv().txn(txn()).await.unwrap();
    for fragment in [false, true] {
        let mut stream = Stream::open(&server).await;
        let range_end = Bytes::from_static(b"z");
        stream
            .create(pb::WatchCreateRequest { range_end, prev_kv: true, fragment, ..key("a") })
            .await;
        server.kv().txn(txn()).await.unwrap();
        let first = stream.next().await;
        assert_eq!(
            (first.events.len(), first.fragment),
            if fragment { (1, true) } else { (2, false) }
        );
        if fragment {
            let second = stream.next().await;
            assert_eq!((second.events.len(), second.fragment), (1, false));
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_stream_that_wants_a_leader_ends_without_one() {
    let server = Server::start().await;
    let mut stream = Stream::open_with(&server, true).await.unwrap();
    stream.create(key("a")).await;
    server.member.set_leader(None);
    let ended = stream.answers.message().await.unwrap_err();
    assert_eq!((ended.code(), ended.message()), (Code::Unavailable, "etcdserver: no leader"));
    let refused = Stream::open_with(&server, true).await.err().unwrap();
    assert_eq!(refused.message(), "etcdserver: no leader");
    Stream::open(&server).await.create(key("a")).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_store_that_breaks_off_ends_the_stream_and_cancels_nothing() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server).await;
    stream.create(key("a")).await;
    server.member.break_watches();
    let ended = stream.answers.message().await.unwrap_err();
    assert_eq!((ended.code(), ended.message()), (Code::Unavailable, "etcdserver: server stopped"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_stops_though_watches_are_open() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server).await;
    stream.create(key("a")).await;
    server.stop().await;
    let ended = stream.answers.message().await.unwrap_err();
    assert_eq!(ended.message(), "etcdserver: server stopped");
}
