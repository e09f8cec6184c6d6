//! What all services share: the call into the store and the header of its answer.

use std::sync::Arc;
use std::time::Duration;

use client::proto::etcdserverpb as pb;
use client::{Client, WatchStream, ids};
use kv::api::{Error, Header, Request, Response, Status as MemberStatus, WatchRequest};
use tokio::sync::watch as signal;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::error::status;
use crate::group::Group;
use crate::leader::Sight;
use crate::{ServerInfo, guard};

/// Longest wait for the store, as long as etcd's with its default campaign timeout of 1 s. After
/// it the caller hears `request timed out`: a write may still happen.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(7);

/// The door to the store for one listener.
#[derive(Clone)]
pub(crate) struct Edge {
    shared: Arc<Shared>,
}

struct Shared {
    client: Arc<dyn Client>,
    group: Arc<dyn Group>,
    info: ServerInfo,
    leader: Sight,
    stopped: signal::Receiver<()>,
}

impl Edge {
    pub(crate) fn new(
        client: Arc<dyn Client>,
        group: Arc<dyn Group>,
        info: ServerInfo,
        leader: Sight,
        stopped: signal::Receiver<()>,
    ) -> Self {
        Self { shared: Arc::new(Shared { client, group, info, leader, stopped }) }
    }

    /// Sends a public request to the store.
    pub(crate) async fn call(
        &self,
        metadata: &MetadataMap,
        request: Request,
    ) -> Result<Response, Status> {
        let request = guard::request(request).map_err(status)?;
        self.require_leader(metadata).await?;
        self.ask(request).await.map_err(status)
    }

    /// Opens a public watch.
    pub(crate) async fn watch(&self, request: WatchRequest) -> Result<WatchStream, Error> {
        let request = guard::watch(request)?;
        self.shared.client.watch(request).await
    }

    /// The member's own view.
    pub(crate) async fn status(&self) -> Result<MemberStatus, Error> {
        match self.ask(Request::Status).await? {
            Response::Status(status) => Ok(status),
            _ => mismatch(),
        }
    }

    /// Sends a request that is no caller's own, or is open to everybody.
    pub(crate) async fn ask(&self, request: Request) -> Result<Response, Error> {
        let answer = self.shared.client.call(request);
        tokio::time::timeout(REQUEST_TIMEOUT, answer).await.unwrap_or(Err(Error::Timeout))
    }

    /// Refuses a call that asks for a leader while this member knows none.
    pub(crate) async fn require_leader(&self, metadata: &MetadataMap) -> Result<(), Status> {
        if asks_for_leader(metadata) && self.status().await.map_err(status)?.leader.is_none() {
            return Err(status(Error::NoLeader));
        }
        Ok(())
    }

    /// Ready with the reason when a stream has to end: the server stops, or `metadata` asked for
    /// a leader and there has been none for a while.
    pub(crate) fn end_of_streams(
        &self,
        metadata: &MetadataMap,
    ) -> impl Future<Output = Status> + Send + use<> {
        let mut stopped = self.shared.stopped.clone();
        let leader = asks_for_leader(metadata).then(|| self.shared.leader.clone());
        async move {
            let lost = async {
                match leader {
                    Some(mut leader) => leader.lost().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = stopped.changed() => status(Error::Stopped),
                () = lost => status(Error::NoLeader),
            }
        }
    }

    pub(crate) fn leader(&self) -> Sight {
        self.shared.leader.clone()
    }

    /// The store, for what the edge itself wants to know.
    pub(crate) fn store(&self) -> &dyn Client {
        &*self.shared.client
    }

    pub(crate) fn group(&self) -> &dyn Group {
        &*self.shared.group
    }

    pub(crate) fn info(&self) -> &ServerInfo {
        &self.shared.info
    }

    /// The header of an answer, with the ids that the store does not know.
    pub(crate) fn header(&self, header: Header) -> pb::ResponseHeader {
        pb::ResponseHeader {
            cluster_id: self.shared.info.cluster_id,
            member_id: ids::shown(self.shared.info.member_id),
            revision: header.revision,
            raft_term: header.raft_term,
        }
    }
}

fn asks_for_leader(metadata: &MetadataMap) -> bool {
    metadata.get("hasleader").is_some_and(|value| value.as_bytes() == b"true")
}

/// A store that answers with the response of another request is broken.
pub(crate) fn mismatch() -> ! {
    panic!("the store answered a request with the response of another kind of request")
}
