//! A server in front of a member, and clients of it.

use std::sync::Arc;

use client::proto::etcdserverpb as pb;
use etcd_api::ServerInfo;
use pb::kv_client::KvClient;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint, Error};
use tonic::{Code, Status};

use crate::group::TestGroup;
use crate::member::{MEMBER_ID, Member};

pub(crate) const CLUSTER_ID: u64 = 0xc1;

/// A running server.
pub(crate) struct Server {
    pub(crate) member: Arc<Member>,
    pub(crate) group: Arc<TestGroup>,
    pub(crate) address: String,
    pub(crate) channel: Channel,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), Error>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let member = Arc::new(Member::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let info = ServerInfo {
            cluster_id: CLUSTER_ID,
            member_id: MEMBER_ID,
            name: "one".to_owned(),
            client: address.clone(),
            version: "3.5.17".to_owned(),
        };
        let group = Arc::new(TestGroup::new());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _dropped = stopped.await;
        };
        let serving = etcd_api::serve(listener, member.clone(), group.clone(), info, shutdown);
        let served = tokio::spawn(serving);
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Self { member, group, address, channel, stop, served }
    }

    pub(crate) fn kv(&self) -> KvClient<Channel> {
        KvClient::new(self.channel.clone()).max_decoding_message_size(usize::MAX)
    }

    /// Stores `key` through the API.
    pub(crate) async fn put(&self, key: &str, value: &str) {
        self.kv().put(put(key, value)).await.unwrap();
    }

    /// Stops it and waits until it has stopped.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

pub(crate) fn put(key: &str, value: &str) -> pb::PutRequest {
    let (key, value) = (key.to_owned().into(), value.to_owned().into());
    pb::PutRequest { key, value, ..Default::default() }
}

pub(crate) fn get(key: &str) -> pb::RangeRequest {
    pb::RangeRequest { key: key.to_owned().into(), ..Default::default() }
}

pub(crate) fn header(revision: i64) -> Option<pb::ResponseHeader> {
    let raft_term = crate::member::TERM;
    let member_id = client::ids::shown(MEMBER_ID);
    Some(pb::ResponseHeader { cluster_id: CLUSTER_ID, member_id, revision, raft_term })
}

/// The refusal's code and text.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    (status.code(), status.message().to_owned())
}
