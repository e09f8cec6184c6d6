//! The service Maintenance: a member's state, checksums, another leader.
//!
//! * Alarms: none can be raised by hand, and none is ever active; asking and disarming work.
//! * Defragmenting has nothing to do: space is not fragmented here.
//! * A snapshot is refused: it would hold the elections' keys, which nobody gets at this listener,
//!   and be no file that etcd's tools can open. `quorate cluster backup` makes one.

use client::ids;
use client::proto::etcdserverpb as pb;
use futures::stream::BoxStream;
use kv::api::{Error, HashResponse, Request as Ask, Response as Answer};
use pb::alarm_request::AlarmAction;
use tonic::{Request, Response, Status};

use crate::edge::{Edge, mismatch};
use crate::error::status;
use crate::group::GroupChange;

const NO_ALARM: &str = "quorate: alarms are not raised by hand";

const NO_SNAPSHOT: &str = "quorate: a snapshot is not given out here, since it holds the \
     elections' keys too; use `quorate cluster backup`";

/// The service Maintenance.
pub(crate) struct Maintenance(pub(crate) Edge);

#[tonic::async_trait]
impl pb::maintenance_server::Maintenance for Maintenance {
    type SnapshotStream = BoxStream<'static, Result<pb::SnapshotResponse, Status>>;

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
        let own = self.0.info().member_id;
        let members = self.0.group().members();
        Ok(Response::new(pb::StatusResponse {
            header: Some(self.0.header(status.header)),
            version: self.0.info().version.clone(),
            db_size: status.db_size,
            leader: status.leader.map_or(0, ids::shown),
            // etcd's word for the committed index.
            raft_index: status.raft_commit_index,
            raft_term: status.header.raft_term,
            raft_applied_index: status.raft_applied_index,
            errors,
            db_size_in_use: status.db_size_in_use,
            is_learner: members.iter().any(|member| member.id == own && member.is_learner),
        }))
    }

    async fn alarm(
        &self,
        request: Request<pb::AlarmRequest>,
    ) -> Result<Response<pb::AlarmResponse>, Status> {
        self.0.require_leader(request.metadata()).await?;
        if request.get_ref().action == AlarmAction::Activate as i32 {
            return Err(Status::unimplemented(NO_ALARM));
        }
        let header = Some(self.own_header().await?);
        Ok(Response::new(pb::AlarmResponse { header, alarms: Vec::new() }))
    }

    async fn defragment(
        &self,
        _: Request<pb::DefragmentRequest>,
    ) -> Result<Response<pb::DefragmentResponse>, Status> {
        let header = Some(self.own_header().await?);
        Ok(Response::new(pb::DefragmentResponse { header }))
    }

    async fn hash(
        &self,
        _: Request<pb::HashRequest>,
    ) -> Result<Response<pb::HashResponse>, Status> {
        let HashResponse { header, hash, .. } = self.hash_at(0).await?;
        Ok(Response::new(pb::HashResponse { header: Some(self.0.header(header)), hash }))
    }

    async fn hash_kv(
        &self,
        request: Request<pb::HashKvRequest>,
    ) -> Result<Response<pb::HashKvResponse>, Status> {
        let answer = self.hash_at(request.get_ref().revision).await?;
        let HashResponse { header, hash, compact_revision, hash_revision } = answer;
        let header = Some(self.0.header(header));
        Ok(Response::new(pb::HashKvResponse { header, hash, compact_revision, hash_revision }))
    }

    async fn snapshot(
        &self,
        _: Request<pb::SnapshotRequest>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        Err(Status::unimplemented(NO_SNAPSHOT))
    }

    async fn move_leader(
        &self,
        request: Request<pb::MoveLeaderRequest>,
    ) -> Result<Response<pb::MoveLeaderResponse>, Status> {
        self.0.require_leader(request.metadata()).await?;
        let target = request.get_ref().target_id;
        let leader = self.0.status().await.map_err(status)?.leader;
        if leader != Some(self.0.info().member_id) {
            return Err(status(Error::NotLeader));
        }
        let members = self.0.group().members();
        let voter = members.iter().find(|it| ids::shown(it.id) == target && !it.is_learner);
        let to = voter.ok_or_else(|| status(Error::BadTransferee))?.id;
        // etcd takes the wish that who leads may lead for fulfilled.
        if Some(to) != leader {
            self.0.group().change(GroupChange::Transfer { to }).await?;
        }
        let header = Some(self.own_header().await?);
        Ok(Response::new(pb::MoveLeaderResponse { header }))
    }
}

impl Maintenance {
    async fn own_header(&self) -> Result<pb::ResponseHeader, Status> {
        let status = self.0.status().await.map_err(status)?;
        Ok(self.0.header(status.header))
    }

    async fn hash_at(&self, revision: i64) -> Result<HashResponse, Status> {
        match self.0.ask(Ask::Hash { revision }).await.map_err(status)? {
            Answer::Hash(answer) => Ok(answer),
            _ => mismatch(),
        }
    }
}
