//! A watch that survives its node.
//!
//! The watch remembers the next revision it has not delivered. When a node fails it, it opens the
//! same watch on the next node from that revision on. Example: created at store revision 7,
//! events of 8 and 9 delivered, the node dies, the watch starts again at 10; what a new node sends
//! below 10 is dropped.
//!
//! Invariants: the reader sees `Created` once; revisions only grow; all events of one revision
//! come in one message (nodes are not asked for fragments). A start that has been compacted away
//! ends the watch with `Canceled`, since going on would be a gap.
//!
//! Every attempt asks the node to end the stream when it has no leader, so that a watch does not
//! stay with a member that is cut off. An open watch goes on trying for as long as it is read.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use kv::api::{Error, WatchRequest, WatchResponse};
use tokio::time::{Instant, sleep, timeout};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::endpoints::Endpoints;
use super::{Patience, answers, failure, requests};
use crate::WatchStream;
use crate::proto::etcdserverpb as pb;
use pb::watch_client::WatchClient;

/// Pause after the first round over all nodes; doubles with each round up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Opens the watch and waits until a node has taken it.
pub(super) async fn open(
    endpoints: Arc<Endpoints>,
    patience: Patience,
    request: WatchRequest,
) -> Result<WatchStream, Error> {
    let next_revision = request.start_revision;
    let mut watch = Watch { endpoints, patience, request, next_revision, source: None };
    let first = watch.opened(Some(Instant::now() + patience.call)).await?;
    let ended = matches!(first, WatchResponse::Canceled { .. });
    let rest = stream::unfold((!ended).then_some(watch), |watch| async move {
        let mut watch = watch?;
        let response = watch.response().await;
        let ended = matches!(response, Ok(WatchResponse::Canceled { .. }) | Err(_));
        Some((response, (!ended).then_some(watch)))
    });
    Ok(stream::iter([Ok(first)]).chain(rest).boxed())
}

struct Watch {
    endpoints: Arc<Endpoints>,
    patience: Patience,
    request: WatchRequest,
    /// The first revision not delivered; 0 while nothing is known and none was asked for.
    next_revision: i64,
    /// Where the messages come from; `None` after a failure.
    source: Option<Source>,
}

struct Source {
    position: usize,
    messages: Streaming<pb::WatchResponse>,
}

impl Watch {
    /// The next message for the reader.
    async fn response(&mut self) -> Result<WatchResponse, Error> {
        loop {
            let Some(source) = &mut self.source else {
                match self.opened(None).await? {
                    ended @ WatchResponse::Canceled { .. } => return Ok(ended),
                    _created_again => continue,
                }
            };
            match source.messages.message().await {
                Ok(Some(message)) => {
                    if let Some(response) = self.delivered(message) {
                        return Ok(response);
                    }
                }
                Ok(None) | Err(_) => {
                    self.endpoints.pass_over(source.position);
                    self.source = None;
                }
            }
        }
    }

    /// Opens the watch on some node, trying until `deadline`, and returns the node's first
    /// message: `Created` or `Canceled`.
    async fn opened(&mut self, deadline: Option<Instant>) -> Result<WatchResponse, Error> {
        let mut pauses = Pauses::new();
        loop {
            let position = self.endpoints.position();
            let channel = self.endpoints.at(position).channel();
            let first = timeout(self.patience.attempt, self.first_message(channel));
            let error = match first.await {
                Ok(Ok((messages, first))) => {
                    self.source = Some(Source { position, messages });
                    if let Some(response) = self.delivered(first) {
                        return Ok(response);
                    }
                    Error::Unreachable
                }
                Ok(Err(status)) => match failure::lasting(&status) {
                    Some(error) => return Err(error),
                    None => failure::error(&status),
                },
                Err(_elapsed) => Error::Unreachable,
            };
            self.endpoints.pass_over(position);
            if let Some(pause) = pauses.after_failure(self.endpoints.len()) {
                sleep(pause).await;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(error);
            }
        }
    }

    async fn first_message(
        &self,
        channel: Channel,
    ) -> Result<(Streaming<pb::WatchResponse>, pb::WatchResponse), Status> {
        let create = requests::watch(&self.request, self.next_revision);
        // The request side stays open, because some servers end the watch with it.
        let requests = stream::iter([create]).chain(stream::pending());
        let mut request = tonic::Request::new(requests);
        request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        let mut client = WatchClient::new(channel).max_decoding_message_size(usize::MAX);
        let mut messages = client.watch(request).await?.into_inner();
        match messages.message().await? {
            Some(first) => Ok((messages, first)),
            None => Err(Status::unavailable("the node closed the stream without an answer")),
        }
    }

    /// Takes a node's message into account; what the reader should see of it, if anything.
    fn delivered(&mut self, message: pb::WatchResponse) -> Option<WatchResponse> {
        let header = answers::header(message.header);
        if message.canceled {
            let (compact_revision, reason) = (message.compact_revision, message.cancel_reason);
            return Some(WatchResponse::Canceled { header, compact_revision, reason });
        }
        if message.created {
            if self.next_revision <= 0 {
                self.next_revision = header.revision + 1;
            }
            return Some(WatchResponse::Created { header });
        }
        if message.events.is_empty() {
            self.next_revision = self.next_revision.max(header.revision + 1);
            return Some(WatchResponse::Progress { header });
        }
        let mut events: Vec<_> = message.events.into_iter().filter_map(answers::event).collect();
        events.retain(|event| event.kv.mod_revision >= self.next_revision);
        self.next_revision = events.last()?.kv.mod_revision + 1;
        Some(WatchResponse::Events { header, events })
    }
}

/// Growing pauses, one after each round over all nodes.
struct Pauses {
    failures: usize,
    pause: Duration,
}

impl Pauses {
    fn new() -> Self {
        Self { failures: 0, pause: PAUSE_MIN }
    }

    /// The pause that is due after one more failure, with `nodes` nodes to try.
    fn after_failure(&mut self, nodes: usize) -> Option<Duration> {
        self.failures += 1;
        if !self.failures.is_multiple_of(nodes) {
            return None;
        }
        let due = self.pause;
        self.pause = (due * 2).min(PAUSE_MAX);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_come_after_whole_rounds_and_grow_to_a_bound() {
        let mut pauses = Pauses::new();
        let millis: Vec<_> =
            (0..14).map(|_| pauses.after_failure(2).map_or(0, |pause| pause.as_millis())).collect();
        assert_eq!(millis, [0, 20, 0, 40, 0, 80, 0, 160, 0, 320, 0, 500, 0, 500]);
    }
}
