//! The service Watch: many watches on one stream.
//!
//! One task serves a stream. It takes the client's messages (create, cancel, ask for progress) and
//! the messages of all its watches, and sends answers through one bounded queue; while the client
//! does not read, the task waits, the watches' own queues fill, and the store keeps their places.
//!
//! As with etcd: ids count from 0 unless the client chooses; a refused watch is answered created
//! and canceled at once, with id -1; a watch that has been created says so before its first
//! event; cancelling an unknown id is ignored; an ended request side leaves the watches alive.
//! A failure of the store (no word about the watch itself) ends the whole stream with a status,
//! so that the client resumes its watches elsewhere instead of taking them for canceled.
//!
//! Progress on demand is answered when every watch of the stream is known to stand at the store's
//! revision, otherwise as soon as it is; never with a revision that some watch has not delivered.

use std::collections::BTreeMap;

use client::WatchStream;
use client::proto::etcdserverpb as pb;
use futures::stream::{AbortHandle, Abortable, BoxStream, SelectAll};
use futures::{StreamExt, future, stream};
use kv::api::{Error, Header, WatchResponse};
use pb::watch_request::RequestUnion;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::convert;
use crate::edge::Edge;
use crate::error::status;

mod fragments;

/// Answers of one stream that may wait for the connection.
const ANSWERS_MAX: usize = 16;

/// Watches on one stream. One more is refused with `etcdserver: too many requests`.
const WATCHES_MAX: usize = 65_536;

/// The id that a refused watch and a progress answer carry.
const NO_WATCH: i64 = -1;

const DUPLICATE_ID: &str = "mvcc: duplicate watch ID provided on the WatchStream";
const EMPTY_RANGE: &str = "mvcc: watcher range is empty";

/// The service Watch.
pub(crate) struct Watch(pub(crate) Edge);

#[tonic::async_trait]
impl pb::watch_server::Watch for Watch {
    type WatchStream = BoxStream<'static, Result<pb::WatchResponse, Status>>;

    async fn watch(
        &self,
        request: Request<Streaming<pb::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (metadata, _, requests) = request.into_parts();
        self.0.require_leader(&metadata).await?;
        let end = self.0.end_of_streams(&metadata);
        let (sender, receiver) = mpsc::channel(ANSWERS_MAX);
        let conversation = Conversation::new(self.0.clone(), sender);
        tokio::spawn(conversation.serve(requests, end));
        Ok(Response::new(ReceiverStream::new(receiver).boxed()))
    }
}

/// Why the task of a stream ends.
enum Ended {
    /// The client has gone.
    Gone,
    /// The client shall hear this.
    Refused(Status),
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

/// One watch of a stream.
struct Entry {
    /// Ends the watch.
    handle: AbortHandle,
    /// Whether large answers may come in parts.
    fragment: bool,
    /// Everything up to this revision has been sent.
    delivered: i64,
}

/// A message of the watch with this id; `None` when its stream is over.
type Tagged = (i64, Option<Result<WatchResponse, Error>>);

/// One stream.
struct Conversation {
    outbox: Outbox,
    watches: BTreeMap<i64, Entry>,
    messages: SelectAll<BoxStream<'static, Tagged>>,
    next_id: i64,
    progress_asked: bool,
}

impl Conversation {
    fn new(edge: Edge, answers: mpsc::Sender<Result<pb::WatchResponse, Status>>) -> Self {
        Self {
            outbox: Outbox { edge, answers },
            watches: BTreeMap::new(),
            messages: SelectAll::new(),
            next_id: 0,
            progress_asked: false,
        }
    }

    /// Runs until the client goes, the store fails, or `end` is ready.
    async fn serve(
        mut self,
        requests: Streaming<pb::WatchRequest>,
        end: impl Future<Output = Status> + Send,
    ) {
        let answers = self.outbox.answers.clone();
        let ended = tokio::select! {
            ended = self.converse(requests) => ended,
            reason = end => Ended::Refused(reason),
            () = answers.closed() => Ended::Gone,
        };
        if let Ended::Refused(reason) = ended {
            // When the queue is full the client hears the end of the stream without the reason.
            let _unread = answers.try_send(Err(reason));
        }
    }

    async fn converse(&mut self, requests: Streaming<pb::WatchRequest>) -> Ended {
        let mut requests = requests.chain(stream::pending());
        loop {
            let result = tokio::select! {
                request = requests.next() => match request {
                    Some(Ok(request)) => self.on_request(request).await,
                    Some(Err(_)) | None => return Ended::Gone,
                },
                Some((id, message)) = self.messages.next() => {
                    self.on_message(id, message).await
                }
            };
            if let Err(ended) = result {
                return ended;
            }
        }
    }

    async fn on_request(&mut self, request: pb::WatchRequest) -> Result<(), Ended> {
        match request.request_union {
            Some(RequestUnion::CreateRequest(create)) => self.on_create(create).await,
            Some(RequestUnion::CancelRequest(cancel)) => self.on_cancel(cancel.watch_id).await,
            Some(RequestUnion::ProgressRequest(_)) => {
                self.progress_asked = true;
                self.answer_progress().await
            }
            None => Ok(()),
        }
    }

    async fn on_create(&mut self, create: pb::WatchCreateRequest) -> Result<(), Ended> {
        let id = match self.id_for(&create) {
            Ok(id) => id,
            Err(reason) => return self.outbox.refuse(reason).await,
        };
        let stream = match self.outbox.edge.watch(convert::watch(&create)).await {
            Ok(stream) => stream,
            Err(error) if is_about_the_watch(error) => {
                return self.outbox.refuse(error.text()).await;
            }
            Err(error) => return Err(status(error).into()),
        };
        let handle = self.follow(id, stream);
        self.watches.insert(id, Entry { handle, fragment: create.fragment, delivered: 0 });
        Ok(())
    }

    /// The id of the watch to be created, or why there will be none.
    fn id_for(&mut self, create: &pb::WatchCreateRequest) -> Result<i64, &'static str> {
        let end = &create.range_end[..];
        if !end.is_empty() && end != [0] && end <= &create.key[..] {
            return Err(EMPTY_RANGE);
        }
        if create.start_revision < 0 {
            return Err(Error::Compacted.text());
        }
        if self.watches.len() >= WATCHES_MAX {
            return Err(Error::TooManyRequests.text());
        }
        if create.watch_id != 0 {
            let taken = self.watches.contains_key(&create.watch_id);
            return if taken { Err(DUPLICATE_ID) } else { Ok(create.watch_id) };
        }
        while self.watches.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        let id = self.next_id;
        self.next_id += 1;
        Ok(id)
    }

    /// Adds the watch's messages to those of the stream.
    fn follow(&mut self, id: i64, stream: WatchStream) -> AbortHandle {
        let tagged = stream.map(move |message| (id, Some(message)));
        let tagged = tagged.chain(stream::once(future::ready((id, None))));
        let (handle, registration) = AbortHandle::new_pair();
        self.messages.push(Abortable::new(tagged, registration).boxed());
        handle
    }

    async fn on_cancel(&mut self, id: i64) -> Result<(), Ended> {
        let Some(entry) = self.watches.remove(&id) else { return Ok(()) };
        entry.handle.abort();
        self.outbox
            .send(pb::WatchResponse {
                header: Some(self.outbox.store_header().await?),
                watch_id: id,
                canceled: true,
                ..pb::WatchResponse::default()
            })
            .await
    }

    async fn on_message(
        &mut self,
        watch_id: i64,
        message: Option<Result<WatchResponse, Error>>,
    ) -> Result<(), Ended> {
        // A message that was under way when its watch was canceled.
        let Some(entry) = self.watches.get_mut(&watch_id) else { return Ok(()) };
        let answer = pb::WatchResponse { watch_id, ..pb::WatchResponse::default() };
        match message {
            Some(Ok(WatchResponse::Created { header })) => {
                entry.delivered = entry.delivered.max(header.revision);
                let header = Some(self.outbox.edge.header(header));
                self.outbox.send(pb::WatchResponse { header, created: true, ..answer }).await?;
            }
            Some(Ok(WatchResponse::Progress { header })) => {
                entry.delivered = entry.delivered.max(header.revision);
                let header = Some(self.outbox.edge.header(header));
                self.outbox.send(pb::WatchResponse { header, ..answer }).await?;
            }
            Some(Ok(WatchResponse::Events { header, events })) => {
                let last = events.last().map_or(0, |event| event.kv.mod_revision);
                entry.delivered = entry.delivered.max(last);
                let fragment = entry.fragment;
                let header = Some(self.outbox.edge.header(header));
                let events = events.into_iter().map(convert::event).collect();
                let whole = pb::WatchResponse { header, events, ..answer };
                self.outbox.send_events(whole, fragment).await?;
            }
            Some(Ok(WatchResponse::Canceled { header, compact_revision, reason })) => {
                entry.handle.abort();
                self.watches.remove(&watch_id);
                let header = Some(self.outbox.edge.header(header));
                let canceled = pb::WatchResponse {
                    header,
                    canceled: true,
                    compact_revision,
                    cancel_reason: reason,
                    ..answer
                };
                self.outbox.send(canceled).await?;
            }
            Some(Err(error)) => return Err(status(error).into()),
            None => return Err(status(Error::Stopped).into()),
        }
        self.answer_progress().await
    }

    /// Answers a request for progress when all watches are known to be up to date.
    async fn answer_progress(&mut self) -> Result<(), Ended> {
        if !self.progress_asked {
            return Ok(());
        }
        let header = self.outbox.store_header().await?;
        if self.watches.values().any(|watch| watch.delivered < header.revision) {
            return Ok(());
        }
        self.progress_asked = false;
        let header = Some(header);
        self.outbox
            .send(pb::WatchResponse { header, watch_id: NO_WATCH, ..pb::WatchResponse::default() })
            .await
    }
}

/// The answers' way to the client.
struct Outbox {
    edge: Edge,
    answers: mpsc::Sender<Result<pb::WatchResponse, Status>>,
}

impl Outbox {
    async fn refuse(&mut self, reason: &str) -> Result<(), Ended> {
        self.send(pb::WatchResponse {
            header: Some(self.store_header().await?),
            watch_id: NO_WATCH,
            created: true,
            canceled: true,
            cancel_reason: reason.to_owned(),
            ..pb::WatchResponse::default()
        })
        .await
    }

    async fn send_events(&self, whole: pb::WatchResponse, fragment: bool) -> Result<(), Ended> {
        if !fragment {
            return self.send(whole).await;
        }
        for part in fragments::split(whole, crate::MESSAGE_BYTES_MAX) {
            self.send(part).await?;
        }
        Ok(())
    }

    /// The header of an answer that no watch's message brought.
    async fn store_header(&self) -> Result<pb::ResponseHeader, Ended> {
        let Header { revision, raft_term } = self.edge.status().await.map_err(status)?.header;
        Ok(self.edge.header(Header { revision, raft_term }))
    }

    async fn send(&self, answer: pb::WatchResponse) -> Result<(), Ended> {
        self.answers.send(Ok(answer)).await.map_err(|_| Ended::Gone)
    }
}

/// Whether the refusal says something about the watch asked for, and not about the store's state.
fn is_about_the_watch(error: Error) -> bool {
    !matches!(
        error,
        Error::NoLeader
            | Error::LeaderChanged
            | Error::Stopped
            | Error::Timeout
            | Error::TimeoutLeaderFailure
            | Error::TimeoutConnectionLost
            | Error::Unreachable
            | Error::OutcomeUnknown
    )
}
