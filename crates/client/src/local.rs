//! The engine inside the process: requests go through a bounded queue to the node beside us.
//!
//! [`channel`] makes both ends. The node takes [`Operation`]s from the receiver, from a task or
//! (with `blocking_recv`) from a thread, and answers each call exactly once by its `reply`.

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use kv::api::{Error, Request, Response, WatchRequest, WatchResponse};
use tokio::sync::{mpsc, oneshot};

use crate::{Client, WatchStream};

/// Operations that may wait for the node. One more is refused with [`Error::TooManyRequests`], so
/// that a node which falls behind slows its callers instead of filling its memory.
pub const OPERATIONS_MAX: usize = 8192;

/// Messages of one watch that may wait for its reader. A node that finds the queue full keeps the
/// watch's position and goes on when there is room; it never drops a message.
pub const WATCH_RESPONSES_MAX: usize = 64;

/// What a node is asked to do.
#[derive(Debug)]
pub enum Operation {
    /// Answer one request.
    Call(Call),
    /// Feed one watch.
    Watch(Watch),
}

/// One request and where its answer goes.
#[derive(Debug)]
pub struct Call {
    /// The request.
    pub request: Request,
    /// Where the answer goes. Closed when nobody waits any more; dropping it unused tells the
    /// caller [`Error::Stopped`].
    pub reply: oneshot::Sender<Result<Response, Error>>,
}

/// One watch and where its messages go.
#[derive(Debug)]
pub struct Watch {
    /// The watch.
    pub request: WatchRequest,
    /// Where the messages go: `Created` first. Closed when the watcher has gone; dropping it
    /// without a `Canceled` tells the watcher [`Error::Stopped`].
    pub sender: mpsc::Sender<WatchResponse>,
}

/// Both ends of a queue of [`OPERATIONS_MAX`] operations.
pub fn channel() -> (LocalClient, mpsc::Receiver<Operation>) {
    let (sender, receiver) = mpsc::channel(OPERATIONS_MAX);
    (LocalClient::new(sender), receiver)
}

/// Sends requests to the node at the other end of the queue.
#[derive(Clone, Debug)]
pub struct LocalClient {
    operations: mpsc::Sender<Operation>,
}

impl LocalClient {
    /// A client of whoever takes from the other end.
    pub fn new(operations: mpsc::Sender<Operation>) -> Self {
        Self { operations }
    }

    fn send(&self, operation: Operation) -> Result<(), Error> {
        self.operations.try_send(operation).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::TooManyRequests,
            mpsc::error::TrySendError::Closed(_) => Error::Stopped,
        })
    }
}

impl Client for LocalClient {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, Error>> {
        async move {
            let (reply, answer) = oneshot::channel();
            self.send(Operation::Call(Call { request, reply }))?;
            answer.await.unwrap_or(Err(Error::Stopped))
        }
        .boxed()
    }

    fn watch(&self, request: WatchRequest) -> BoxFuture<'_, Result<WatchStream, Error>> {
        async move {
            let (sender, receiver) = mpsc::channel(WATCH_RESPONSES_MAX);
            self.send(Operation::Watch(Watch { request, sender }))?;
            Ok(messages(receiver))
        }
        .boxed()
    }
}

/// The queue as a stream that says [`Error::Stopped`] when it ends before the watch did.
fn messages(receiver: mpsc::Receiver<WatchResponse>) -> WatchStream {
    stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(last @ WatchResponse::Canceled { .. }) => Some((Ok(last), None)),
            Some(response) => Some((Ok(response), Some(receiver))),
            None => Some((Err(Error::Stopped), None)),
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests;
