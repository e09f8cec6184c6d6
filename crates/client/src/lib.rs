//! One way to talk to a store, whatever the store is.
//!
//! [`Client`] takes the requests of [`kv::api`] and answers with its responses. Two engines exist:
//! [`local`] hands them to a node in the same process through a bounded queue, [`etcd`] sends them
//! over gRPC to any cluster that speaks the etcd v3 API, ours or another.
//!
//! What a caller may rely on, with either engine:
//! - an `Ok` is the store's answer;
//! - an `Err` whose [`Outcome`](kv::api::Outcome) is `NotApplied` did not happen and never will;
//! - an `Err` whose outcome is `Unknown` may have happened, or may still. No engine sends such a
//!   write a second time by itself.
//!
//! Left out on purpose: who may ask what. The edge that takes a request from outside guards it
//! before it comes here.
#![forbid(unsafe_code)]

use std::pin::Pin;

use futures::Stream;
use futures::future::BoxFuture;
use kv::api::{Error, Request, Response, WatchRequest, WatchResponse};

pub mod balance;
pub mod etcd;
pub mod ids;
pub mod local;
pub mod nodes;
pub mod proto;

/// The messages of one watch. The first is `Created` (or `Canceled`, when the store refuses the
/// watch); `Canceled` or an error is the last.
pub type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Error>> + Send>>;

/// A store that can be called and watched.
pub trait Client: Send + Sync + 'static {
    /// Sends one request and waits for its answer.
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, Error>>;

    /// Opens one watch. A watch that the store refuses (a compacted start, say) is still a stream:
    /// it ends with [`WatchResponse::Canceled`]. Dropping the stream ends the watch.
    fn watch(&self, request: WatchRequest) -> BoxFuture<'_, Result<WatchStream, Error>>;
}
