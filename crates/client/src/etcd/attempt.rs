//! One request to one node.

use futures::stream;
use kv::api::{Request, Response, Status as MemberStatus};
use tonic::Status;
use tonic::transport::Channel;

use super::{answers, requests};
use crate::ids;
use crate::proto::etcdserverpb as pb;
use pb::cluster_client::ClusterClient;
use pb::kv_client::KvClient;
use pb::lease_client::LeaseClient;
use pb::maintenance_client::MaintenanceClient;

/// Sends `request` and waits for the answer, without limit of time or size.
pub(super) async fn call(channel: Channel, request: &Request) -> Result<Response, Status> {
    let kv = || KvClient::new(channel.clone()).max_decoding_message_size(usize::MAX);
    let lease = || LeaseClient::new(channel.clone()).max_decoding_message_size(usize::MAX);
    Ok(match request {
        Request::Range(r) => {
            Response::Range(answers::range(kv().range(requests::range(r)).await?.into_inner()))
        }
        Request::Put(r) => {
            Response::Put(answers::put(kv().put(requests::put(r)).await?.into_inner()))
        }
        Request::DeleteRange(r) => {
            let answer = kv().delete_range(requests::delete_range(r)).await?;
            Response::DeleteRange(answers::delete_range(answer.into_inner()))
        }
        Request::Txn(r) => {
            Response::Txn(answers::txn(kv().txn(requests::txn(r)).await?.into_inner()))
        }
        Request::LeaseGrant(r) => {
            let request = pb::LeaseGrantRequest { ttl: r.ttl, id: r.id };
            let answer = lease().lease_grant(request).await?;
            Response::LeaseGrant(answers::lease_grant(answer.into_inner()))
        }
        Request::LeaseRevoke { id } => {
            let answer = lease().lease_revoke(pb::LeaseRevokeRequest { id: *id }).await?;
            Response::LeaseRevoke(answers::header(answer.into_inner().header))
        }
        Request::LeaseKeepAlive { id } => keep_alive(lease(), *id).await?,
        Request::LeaseTimeToLive { id, keys } => {
            let request = pb::LeaseTimeToLiveRequest { id: *id, keys: *keys };
            let answer = lease().lease_time_to_live(request).await?;
            Response::LeaseTimeToLive(answers::lease_time_to_live(answer.into_inner()))
        }
        Request::LeaseLeases => {
            let answer = lease().lease_leases(pb::LeaseLeasesRequest {}).await?;
            Response::LeaseLeases(answers::lease_leases(answer.into_inner()))
        }
        Request::Compact { revision, physical } => {
            let request = pb::CompactionRequest { revision: *revision, physical: *physical };
            Response::Compact(answers::header(kv().compact(request).await?.into_inner().header))
        }
        Request::Hash { revision } => {
            let request = pb::HashKvRequest { revision: *revision };
            let answer = MaintenanceClient::new(channel).hash_kv(request).await?;
            Response::Hash(answers::hash(&answer.into_inner()))
        }
        Request::Status => Response::Status(status(channel).await?),
    })
}

/// One renewal; a stream that is opened for it and closed after it.
async fn keep_alive(mut lease: LeaseClient<Channel>, id: i64) -> Result<Response, Status> {
    let requests = stream::iter([pb::LeaseKeepAliveRequest { id }]);
    let mut answers = lease.lease_keep_alive(requests).await?.into_inner();
    match answers.message().await? {
        Some(answer) => Ok(Response::LeaseKeepAlive(answers::lease_keep_alive(answer))),
        None => Err(Status::unavailable("the node closed the stream without an answer")),
    }
}

/// The node's view. etcd's answer knows one index of the log, the committed one, which stands for
/// the last one too.
pub(super) async fn status(channel: Channel) -> Result<MemberStatus, Status> {
    let answer = MaintenanceClient::new(channel.clone()).status(pb::StatusRequest {}).await?;
    let answer = answer.into_inner();
    let list = pb::MemberListRequest { linearizable: false };
    let members = ClusterClient::new(channel).member_list(list).await?.into_inner().members;
    let mut voters: Vec<u64> =
        members.iter().filter(|m| !m.is_learner).map(|m| ids::number(m.id)).collect();
    voters.sort_unstable();
    Ok(MemberStatus {
        member_id: answer.header.map_or(0, |header| ids::number(header.member_id)),
        header: answers::header(answer.header),
        leader: (answer.leader != 0).then_some(ids::number(answer.leader)),
        raft_index: answer.raft_index,
        raft_applied_index: answer.raft_applied_index,
        raft_commit_index: answer.raft_index,
        db_size: answer.db_size,
        db_size_in_use: answer.db_size_in_use,
        voters,
    })
}
