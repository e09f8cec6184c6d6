//! A node that behaves as a script says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::etcd::{EtcdClient, Patience};
use client::proto::etcdserverpb as pb;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use pb::kv_server::{Kv, KvServer};
use pb::watch_request::RequestUnion;
use pb::watch_server::{Watch, WatchServer};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status, Streaming};

/// What the node does with every call.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Answers at this store revision.
    Answer { revision: i64 },
    /// Refuses with this code and text.
    Refuse(Code, &'static str),
    /// Takes the call and never answers.
    Hang,
}

/// What the node says on one watch stream; after the last it says nothing more.
pub(crate) type Script = Vec<Result<pb::WatchResponse, Status>>;

/// What reached the node.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) calls: Mutex<usize>,
    pub(crate) watches: Mutex<Vec<(pb::WatchCreateRequest, bool)>>,
}

struct Node {
    manner: Manner,
    scripts: Mutex<std::vec::IntoIter<Script>>,
    heard: Arc<Heard>,
}

/// Starts a node; its address and what it hears.
pub(crate) async fn start(manner: Manner, scripts: Vec<Script>) -> (String, Arc<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heard = Arc::new(Heard::default());
    let scripts = Mutex::new(scripts.into_iter());
    let node = Arc::new(Node { manner, scripts, heard: heard.clone() });
    let server = Server::builder()
        .add_service(KvServer::from_arc(node.clone()))
        .add_service(WatchServer::from_arc(node));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (address, heard)
}

/// An address at which nobody listens.
pub(crate) async fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

/// An address at which every connection is closed as soon as something arrives on it.
pub(crate) async fn cut() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let _arrived = connection.readable().await;
        }
    });
    address
}

/// A client that tries for a short time only.
pub(crate) fn client(addresses: &[&String]) -> EtcdClient {
    let patience = Patience { call: Duration::from_secs(3), attempt: Duration::from_millis(300) };
    EtcdClient::connect(addresses).unwrap().with_patience(patience)
}

pub(crate) fn header(revision: i64) -> Option<pb::ResponseHeader> {
    Some(pb::ResponseHeader { revision, ..pb::ResponseHeader::default() })
}

impl Node {
    async fn act<T>(&self, answer: impl FnOnce(i64) -> T) -> Result<Response<T>, Status> {
        *self.heard.calls.lock().unwrap() += 1;
        match &self.manner {
            Manner::Answer { revision } => Ok(Response::new(answer(*revision))),
            Manner::Refuse(code, text) => Err(Status::new(*code, *text)),
            Manner::Hang => std::future::pending().await,
        }
    }
}

#[tonic::async_trait]
impl Kv for Node {
    async fn range(
        &self,
        _: Request<pb::RangeRequest>,
    ) -> Result<Response<pb::RangeResponse>, Status> {
        self.act(|revision| pb::RangeResponse { header: header(revision), ..Default::default() })
            .await
    }

    async fn put(&self, _: Request<pb::PutRequest>) -> Result<Response<pb::PutResponse>, Status> {
        self.act(|revision| pb::PutResponse { header: header(revision), prev_kv: None }).await
    }

    async fn delete_range(
        &self,
        _: Request<pb::DeleteRangeRequest>,
    ) -> Result<Response<pb::DeleteRangeResponse>, Status> {
        self.act(|_| pb::DeleteRangeResponse::default()).await
    }

    async fn compact(
        &self,
        _: Request<pb::CompactionRequest>,
    ) -> Result<Response<pb::CompactionResponse>, Status> {
        self.act(|revision| pb::CompactionResponse { header: header(revision) }).await
    }

    async fn txn(&self, _: Request<pb::TxnRequest>) -> Result<Response<pb::TxnResponse>, Status> {
        self.act(|revision| pb::TxnResponse { header: header(revision), ..Default::default() })
            .await
    }
}

#[tonic::async_trait]
impl Watch for Node {
    type WatchStream = BoxStream<'static, Result<pb::WatchResponse, Status>>;

    async fn watch(
        &self,
        request: Request<Streaming<pb::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let leader = request.metadata().get("hasleader").is_some_and(|value| value == "true");
        let first = request.into_inner().message().await?;
        let Some(RequestUnion::CreateRequest(create)) = first.and_then(|r| r.request_union) else {
            return Err(Status::internal("the first message creates no watch"));
        };
        self.heard.watches.lock().unwrap().push((create, leader));
        let script = self.scripts.lock().unwrap().next();
        let script = script.ok_or_else(|| Status::unavailable("no more scripts"))?;
        Ok(Response::new(stream::iter(script).chain(stream::pending()).boxed()))
    }
}
