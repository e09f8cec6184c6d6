//! The service KV.

use client::proto::etcdserverpb as pb;
use kv::api::{Error, REQUEST_BYTES_MAX, Request as Ask, Response as Answer};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::convert;
use crate::edge::{Edge, mismatch};
use crate::error::status;

/// The service KV.
pub(crate) struct Kv(pub(crate) Edge);

#[tonic::async_trait]
impl pb::kv_server::Kv for Kv {
    async fn range(
        &self,
        request: Request<pb::RangeRequest>,
    ) -> Result<Response<pb::RangeResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let ask = Ask::Range(convert::range(message).map_err(status)?);
        match self.0.call(&metadata, ask).await? {
            Answer::Range(answer) => Ok(Response::new(convert::range_answer(&self.0, answer))),
            _ => mismatch(),
        }
    }

    async fn put(
        &self,
        request: Request<pb::PutRequest>,
    ) -> Result<Response<pb::PutResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        check_size(&message)?;
        match self.0.call(&metadata, Ask::Put(convert::put(message))).await? {
            Answer::Put(answer) => Ok(Response::new(convert::put_answer(&self.0, answer))),
            _ => mismatch(),
        }
    }

    async fn delete_range(
        &self,
        request: Request<pb::DeleteRangeRequest>,
    ) -> Result<Response<pb::DeleteRangeResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        check_size(&message)?;
        let ask = Ask::DeleteRange(convert::delete_range(message));
        match self.0.call(&metadata, ask).await? {
            Answer::DeleteRange(answer) => {
                Ok(Response::new(convert::delete_range_answer(&self.0, answer)))
            }
            _ => mismatch(),
        }
    }

    async fn txn(
        &self,
        request: Request<pb::TxnRequest>,
    ) -> Result<Response<pb::TxnResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        check_size(&message)?;
        let ask = Ask::Txn(convert::txn(message)?);
        match self.0.call(&metadata, ask).await? {
            Answer::Txn(answer) => Ok(Response::new(convert::txn_answer(&self.0, answer))),
            _ => mismatch(),
        }
    }

    async fn compact(
        &self,
        request: Request<pb::CompactionRequest>,
    ) -> Result<Response<pb::CompactionResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let pb::CompactionRequest { revision, physical } = message;
        match self.0.call(&metadata, Ask::Compact { revision, physical }).await? {
            Answer::Compact(header) => {
                let header = Some(self.0.header(header));
                Ok(Response::new(pb::CompactionResponse { header }))
            }
            _ => mismatch(),
        }
    }
}

fn check_size(message: &impl Message) -> Result<(), Status> {
    if message.encoded_len() > REQUEST_BYTES_MAX {
        return Err(status(Error::RequestTooLarge));
    }
    Ok(())
}
