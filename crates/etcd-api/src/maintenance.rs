//! The service Maintenance, as far as it tells a member's state.

use client::proto::etcdserverpb as pb;
use kv::api::Error;
use tonic::{Request, Response, Status};

use crate::edge::Edge;
use crate::error::status;

/// The service Maintenance.
pub(crate) struct Maintenance(pub(crate) Edge);

#[tonic::async_trait]
impl pb::maintenance_server::Maintenance for Maintenance {
    async fn status(
        &self,
        request: Request<pb::StatusRequest>,
    ) -> Result<Response<pb::StatusResponse>, Status> {
        self.0.require_leader(request.metadata()).await?;
        let status = self.0.status().await.map_err(status)?;
        let errors = match status.leader {
            Some(_) => Vec::new(),
            None => vec![Error::NoLeader.text().to_owned()],
        };
        Ok(Response::new(pb::StatusResponse {
            header: Some(self.0.header(status.header)),
            version: self.0.info().version.clone(),
            db_size: status.db_size,
            leader: status.leader.unwrap_or(0),
            // etcd's word for the committed index.
            raft_index: status.raft_commit_index,
            raft_term: status.header.raft_term,
            raft_applied_index: status.raft_applied_index,
            errors,
            db_size_in_use: status.db_size_in_use,
            is_learner: false,
        }))
    }
}
