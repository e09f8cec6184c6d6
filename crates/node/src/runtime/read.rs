//! The read thread: answers reads from the applied state, beside the thread that applies.

use super::state::SharedState;
use kv::api::{Error, Request, Response};
use replica::Event;
use std::sync::mpsc::Receiver;
use storage::Disk;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

/// One read whose time has come.
pub(crate) struct ReadOrder {
    pub(crate) request: Request,
    pub(crate) term: u64,
    pub(crate) reply: oneshot::Sender<Result<Response, Error>>,
}

/// Serves reads until the replica hangs up. One that meets damage is refused, and the replica is
/// told where.
pub(crate) fn run<D: Disk>(
    state: &SharedState<D>,
    orders: &Receiver<ReadOrder>,
    completions: &UnboundedSender<Event>,
) {
    while let Ok(order) = orders.recv() {
        if order.reply.is_closed() {
            continue;
        }
        let answered = state.read().answer(&order.request, order.term);
        let result = answered.unwrap_or_else(|offset| {
            let _ = completions.send(Event::DamageMet { offset });
            Err(Error::Corrupt)
        });
        let _ = order.reply.send(result);
    }
}
