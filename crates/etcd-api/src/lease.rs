//! The service Lease.

use client::proto::etcdserverpb as pb;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use kv::api::{Error, LeaseGrantRequest, Request as Ask, Response as Answer};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use crate::edge::{Edge, mismatch};
use crate::error::status;

/// The service Lease.
pub(crate) struct Lease(pub(crate) Edge);

#[tonic::async_trait]
impl pb::lease_server::Lease for Lease {
    async fn lease_grant(
        &self,
        request: Request<pb::LeaseGrantRequest>,
    ) -> Result<Response<pb::LeaseGrantResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let ask = Ask::LeaseGrant(LeaseGrantRequest { ttl: message.ttl, id: message.id });
        match self.0.call(&metadata, ask).await? {
            Answer::LeaseGrant(answer) => Ok(Response::new(pb::LeaseGrantResponse {
                header: Some(self.0.header(answer.header)),
                id: answer.id,
                ttl: answer.ttl,
                error: String::new(),
            })),
            _ => mismatch(),
        }
    }

    async fn lease_revoke(
        &self,
        request: Request<pb::LeaseRevokeRequest>,
    ) -> Result<Response<pb::LeaseRevokeResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        match self.0.call(&metadata, Ask::LeaseRevoke { id: message.id }).await? {
            Answer::LeaseRevoke(header) => {
                Ok(Response::new(pb::LeaseRevokeResponse { header: Some(self.0.header(header)) }))
            }
            _ => mismatch(),
        }
    }

    type LeaseKeepAliveStream = BoxStream<'static, Result<pb::LeaseKeepAliveResponse, Status>>;

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<pb::LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let (metadata, _, requests) = request.into_parts();
        self.0.require_leader(&metadata).await?;
        let end = Box::pin(self.0.end_of_streams(&metadata));
        let renewals = renewals(self.0.clone(), metadata, requests);
        Ok(Response::new(until(renewals, end)))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<pb::LeaseTimeToLiveRequest>,
    ) -> Result<Response<pb::LeaseTimeToLiveResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let ask = Ask::LeaseTimeToLive { id: message.id, keys: message.keys };
        match self.0.call(&metadata, ask).await? {
            Answer::LeaseTimeToLive(answer) => Ok(Response::new(pb::LeaseTimeToLiveResponse {
                header: Some(self.0.header(answer.header)),
                id: answer.id,
                ttl: answer.ttl,
                granted_ttl: answer.granted_ttl,
                keys: answer.keys,
            })),
            _ => mismatch(),
        }
    }

    async fn lease_leases(
        &self,
        request: Request<pb::LeaseLeasesRequest>,
    ) -> Result<Response<pb::LeaseLeasesResponse>, Status> {
        match self.0.call(request.metadata(), Ask::LeaseLeases).await? {
            Answer::LeaseLeases(answer) => Ok(Response::new(pb::LeaseLeasesResponse {
                header: Some(self.0.header(answer.header)),
                leases: answer.leases.into_iter().map(|id| pb::LeaseStatus { id }).collect(),
            })),
            _ => mismatch(),
        }
    }
}

/// One answer per request, in order, one at a time; ends after a refusal.
fn renewals(
    edge: Edge,
    metadata: MetadataMap,
    requests: Streaming<pb::LeaseKeepAliveRequest>,
) -> BoxStream<'static, Result<pb::LeaseKeepAliveResponse, Status>> {
    stream::try_unfold((edge, metadata, requests), |(edge, metadata, mut requests)| async move {
        let Some(request) = requests.message().await? else { return Ok(None) };
        let answer = renewed(&edge, &metadata, request.id).await?;
        Ok(Some((answer, (edge, metadata, requests))))
    })
    .boxed()
}

/// Renews a lease. One that does not exist is no refusal: its answer says a TTL of 0.
async fn renewed(
    edge: &Edge,
    metadata: &MetadataMap,
    id: i64,
) -> Result<pb::LeaseKeepAliveResponse, Status> {
    match edge.call(metadata, Ask::LeaseKeepAlive { id }).await {
        Ok(Answer::LeaseKeepAlive(answer)) => Ok(pb::LeaseKeepAliveResponse {
            header: Some(edge.header(answer.header)),
            id: answer.id,
            ttl: answer.ttl,
        }),
        Ok(_) => mismatch(),
        Err(refusal) if refusal.message() == Error::LeaseNotFound.text() => {
            let header = edge.status().await.map_err(status)?.header;
            Ok(pb::LeaseKeepAliveResponse { header: Some(edge.header(header)), id, ttl: 0 })
        }
        Err(refusal) => Err(refusal),
    }
}

/// The stream until `end` is ready, then its refusal.
fn until<T: Send + 'static>(
    answers: BoxStream<'static, Result<T, Status>>,
    end: impl Future<Output = Status> + Send + Unpin + 'static,
) -> BoxStream<'static, Result<T, Status>> {
    stream::unfold(Some((answers, end)), |state| async move {
        let (mut answers, mut end) = state?;
        tokio::select! {
            reason = &mut end => Some((Err(reason), None)),
            answer = answers.next() => match answer? {
                Ok(answer) => Some((Ok(answer), Some((answers, end)))),
                Err(refusal) => Some((Err(refusal), None)),
            },
        }
    })
    .boxed()
}
