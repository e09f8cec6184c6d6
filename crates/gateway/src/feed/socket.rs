//! The feed over WebSocket.
//!
//! ```text
//! > {"type":"auth","token":"…"}                                once, if private topics are wanted
//! > {"type":"subscribe","topics":[{"topic":"elections/…/ledger","after":17}, "cluster/nodes"]}
//! < {"type":"subscribed","topic":"elections/…/ledger"}
//! < {"type":"message","topic":"elections/…/ledger","seq":21,"prev":17,"time_ms":…,"data":{…}}
//! < {"type":"refused","topic":"audit","code":"forbidden","detail":"…"}
//! < {"type":"heartbeat","time_ms":…}                            every five seconds
//! ```
//!
//! Close codes: 1001 the node takes leave, 4000 read too slowly (come back with `after`), 4001 the
//! session has ended, 4002 not a message of this protocol. The token comes in a message, since a
//! browser's WebSocket has no headers and an address line is no place for it; so no cookie speaks
//! here, and it does not matter which page opens the connection.

use super::topic::Topic;
use super::{Cut, Ear, becomes};
use crate::auth::directory::Caller;
use crate::{Gateway, clock, front};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use serde::Deserialize;
use std::time::Duration;

/// Between two heartbeats; the session is looked at again then, too.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);

/// How often the session is looked at.
pub(crate) const SESSION_CHECK: Duration = Duration::from_millis(500);

/// Longest wait for the close frame to leave.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Largest message that is read, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Messages of one connection, between two heartbeats.
const MESSAGES_MAX: u32 = 100;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
enum Said {
    Auth { token: String },
    Subscribe { topics: Vec<Wish> },
    Unsubscribe { topics: Vec<String> },
    Ping {},
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wish {
    Now(String),
    After { topic: String, after: u64 },
}

/// Why a connection ends.
enum End {
    Code(u16, &'static str),
    Gone,
}

struct Connection {
    gateway: Gateway,
    socket: WebSocket,
    ear: Ear,
    caller: Option<Caller>,
    /// The token that `caller` came with, to be looked at again.
    token: Option<String>,
    /// Messages read since the last heartbeat.
    read: u32,
}

/// Serves one connection to its end.
pub(crate) async fn serve(
    gateway: Gateway,
    socket: WebSocket,
    ear: Ear,
    (caller, token): (Option<Caller>, Option<String>),
    topics: Vec<(Topic, Option<u64>)>,
) {
    let mut connection = Connection { gateway, socket, ear, caller, token, read: 0 };
    let end = match connection.begin(topics).await {
        Ok(()) => connection.run().await,
        Err(end) => end,
    };
    if let End::Code(code, reason) = end {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let close = connection.socket.send(Message::Close(Some(frame)));
        let _ = tokio::time::timeout(CLOSE_WAIT, close).await;
    }
}

impl Connection {
    async fn begin(&mut self, topics: Vec<(Topic, Option<u64>)>) -> Result<(), End> {
        for (topic, after) in topics {
            self.subscribe(topic, after).await?;
        }
        Ok(())
    }

    async fn run(&mut self) -> End {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        let mut session = tokio::time::interval(SESSION_CHECK);
        let mut draining = self.gateway.draining.subscribe();
        let mut cut = self.ear.cut.clone();
        loop {
            let done = tokio::select! {
                biased;
                () = becomes(&mut cut, Option::is_some) => return slow(&self.ear),
                () = becomes(&mut draining, |draining| *draining) => {
                    return End::Code(1001, "the node takes leave");
                }
                Some(message) = self.ear.messages.recv() => {
                    self.send(Message::Text(message.text)).await
                }
                said = self.socket.recv() => match said {
                    Some(Ok(said)) => self.hear(said).await,
                    Some(Err(_)) | None => return End::Gone,
                },
                _ = session.tick() => self.check_session().await,
                _ = heartbeat.tick() => {
                    self.read = 0;
                    let beat = serde_json::json!({
                        "type": "heartbeat", "time_ms": clock::milliseconds(),
                    });
                    self.send(Message::Text(beat.to_string().into())).await
                }
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// Sends, unless the hub cuts the connection meanwhile: a reader that does not read blocks.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        let mut cut = self.ear.cut.clone();
        tokio::select! {
            biased;
            sent = self.socket.send(message) => sent.map_err(|_| End::Gone),
            () = becomes(&mut cut, Option::is_some) => Err(slow(&self.ear)),
        }
    }

    async fn hear(&mut self, said: Message) -> Result<(), End> {
        self.read += 1;
        if self.read > MESSAGES_MAX {
            return Err(End::Code(4002, "too many messages"));
        }
        let text = match said {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Gone),
            Message::Binary(_) => return Err(End::Code(4002, "text messages only")),
        };
        match serde_json::from_str(&text) {
            Err(_) => Err(End::Code(4002, "not a message of this protocol")),
            Ok(Said::Ping {}) => Ok(()),
            Ok(Said::Auth { token }) => self.log_in(token).await,
            Ok(Said::Subscribe { topics }) => {
                for wish in topics {
                    let (name, after) = match wish {
                        Wish::Now(topic) => (topic, None),
                        Wish::After { topic, after } => (topic, Some(after)),
                    };
                    match name.parse() {
                        Ok(topic) => self.subscribe(topic, after).await?,
                        Err(detail) => self.refuse(&name, "not-found", &detail).await?,
                    }
                }
                Ok(())
            }
            Ok(Said::Unsubscribe { topics }) => {
                let known = topics.iter().filter_map(|topic| topic.parse().ok());
                known.for_each(|topic| self.ear.unsubscribe(topic));
                Ok(())
            }
        }
    }

    async fn log_in(&mut self, token: String) -> Result<(), End> {
        match front::identify_token(&self.gateway, &token).await {
            Ok(caller) => {
                (self.caller, self.token) = (Some(caller), Some(token));
                Ok(())
            }
            Err(_) => Err(End::Code(4001, "the token is not good")),
        }
    }

    async fn subscribe(&mut self, topic: Topic, after: Option<u64>) -> Result<(), End> {
        let name = topic.to_string();
        if !topic.is_open_to(self.caller.as_ref()) {
            let detail = "Your account may not listen to this topic.";
            return self.refuse(&name, "forbidden", detail).await;
        }
        match self.ear.subscribe(topic, after) {
            Err(detail) => self.refuse(&name, "too-many-topics", &detail).await,
            Ok(()) => {
                let done = serde_json::json!({ "type": "subscribed", "topic": name });
                self.send(Message::Text(done.to_string().into())).await
            }
        }
    }

    async fn refuse(&mut self, topic: &str, code: &str, detail: &str) -> Result<(), End> {
        let refused = serde_json::json!({
            "type": "refused", "topic": topic, "code": code, "detail": detail,
        });
        self.send(Message::Text(refused.to_string().into())).await
    }

    /// Ends with the session that opened private topics. An access token may run out meanwhile:
    /// what counts is that account and session stand.
    async fn check_session(&mut self) -> Result<(), End> {
        let Some(caller) = &self.caller else { return Ok(()) };
        let now = self.gateway.office.still(caller, clock::seconds());
        let Some(caller) = now else { return Err(End::Code(4001, "the session has ended")) };
        let closed = self.ear.topics().into_iter().filter(|topic| !topic.is_open_to(Some(&caller)));
        let closed: Vec<Topic> = closed.collect();
        self.caller = Some(caller);
        for topic in closed {
            self.ear.unsubscribe(topic);
            let detail = "Your account may not listen to this topic any more.";
            self.refuse(&topic.to_string(), "forbidden", detail).await?;
        }
        Ok(())
    }
}

fn slow(ear: &Ear) -> End {
    match *ear.cut.borrow() {
        Some(Cut::Resync) | None => End::Code(4000, "read too slowly; come back with 'after'"),
    }
}
