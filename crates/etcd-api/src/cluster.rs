//! The service Cluster, as far as clients need it to find the nodes.

use bytes::Bytes;
use client::proto::etcdserverpb as pb;
use kv::api::{KeyRange, RangeRequest, Request as Ask, Response as Answer};
use tonic::{Request, Response, Status};

use crate::edge::{Edge, mismatch};
use crate::error::status;

/// The service Cluster.
pub(crate) struct Cluster(pub(crate) Edge);

#[tonic::async_trait]
impl pb::cluster_server::Cluster for Cluster {
    async fn member_list(
        &self,
        request: Request<pb::MemberListRequest>,
    ) -> Result<Response<pb::MemberListResponse>, Status> {
        let header = if request.get_ref().linearizable {
            // The cheapest read that needs the quorum stands for "as of now".
            let key = KeyRange::single(Bytes::from_static(b"\0"));
            let probe = RangeRequest { range: key, count_only: true, ..RangeRequest::default() };
            match self.0.call(request.metadata(), Ask::Range(probe)).await? {
                Answer::Range(answer) => answer.header,
                _ => mismatch(),
            }
        } else {
            self.0.require_leader(request.metadata()).await?;
            self.0.status().await.map_err(status)?.header
        };
        let mut members: Vec<_> = self.0.info().members.iter().map(member).collect();
        members.sort_unstable_by_key(|member| member.id);
        Ok(Response::new(pb::MemberListResponse { header: Some(self.0.header(header)), members }))
    }
}

fn member(info: &crate::MemberInfo) -> pb::Member {
    pb::Member {
        id: info.id,
        name: info.name.clone(),
        peer_ur_ls: info.peer_urls.clone(),
        client_ur_ls: info.client_urls.clone(),
        is_learner: false,
    }
}
