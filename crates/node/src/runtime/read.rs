//! The read thread: answers reads from the applied state, beside the thread that applies.

use super::state::SharedState;
use kv::api::{Error, Request, Response};
use std::sync::mpsc::Receiver;
use storage::Disk;
use tokio::sync::oneshot;

/// One read whose time has come.
pub(crate) struct ReadOrder {
    pub(crate) request: Request,
    pub(crate) term: u64,
    pub(crate) reply: oneshot::Sender<Result<Response, Error>>,
}

/// Serves reads until the replica hangs up.
pub(crate) fn run<D: Disk>(state: &SharedState<D>, orders: &Receiver<ReadOrder>) {
    while let Ok(order) = orders.recv() {
        if order.reply.is_closed() {
            continue;
        }
        let result = state.read().read(&order.request, order.term);
        let _ = order.reply.send(result);
    }
}
