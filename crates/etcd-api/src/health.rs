//! gRPC's health service: a member serves when it knows a leader.

use client::proto::health as pb;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use pb::health_check_response::ServingStatus;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::edge::Edge;

/// The service Health.
pub(crate) struct Health(pub(crate) Edge);

fn answer(serves: bool) -> pb::HealthCheckResponse {
    let status = if serves { ServingStatus::Serving } else { ServingStatus::NotServing };
    pb::HealthCheckResponse { status: status as i32 }
}

#[tonic::async_trait]
impl pb::health_server::Health for Health {
    async fn check(
        &self,
        request: Request<pb::HealthCheckRequest>,
    ) -> Result<Response<pb::HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        if !service.is_empty() {
            return Err(Status::not_found(format!("quorate: no health is kept for `{service}`")));
        }
        let status = self.0.status().await;
        Ok(Response::new(answer(status.is_ok_and(|status| status.leader.is_some()))))
    }

    type WatchStream = BoxStream<'static, Result<pb::HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<pb::HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        if !request.get_ref().service.is_empty() {
            // The protocol wants this answer and an open stream, since services may appear.
            let unknown = ServingStatus::ServiceUnknown as i32;
            let only = Ok(pb::HealthCheckResponse { status: unknown });
            return Ok(Response::new(stream::iter([only]).chain(stream::pending()).boxed()));
        }
        let serves = self.check(request).await?.into_inner();
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(follow(self.0.clone(), serves, sender));
        Ok(Response::new(ReceiverStream::new(receiver).boxed()))
    }
}

/// Sends `first` and then every change, until nobody listens or the server stops.
async fn follow(
    edge: Edge,
    first: pb::HealthCheckResponse,
    sender: mpsc::Sender<Result<pb::HealthCheckResponse, Status>>,
) {
    let mut leader = edge.leader();
    let mut last = first;
    if sender.send(Ok(first)).await.is_err() {
        return;
    }
    loop {
        let changed = tokio::select! {
            () = sender.closed() => return,
            changed = leader.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
        let now = answer(leader.is_present());
        if now != last && sender.send(Ok(now)).await.is_err() {
            return;
        }
        last = now;
    }
}
