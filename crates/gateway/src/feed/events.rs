//! The feed as server-sent events, for what cannot speak WebSocket.
//!
//! `GET /api/v1/feed?topics=a,b` with `Accept: text/event-stream`. Each event's id holds the places
//! in all topics, so that a browser's own reconnection (`Last-Event-ID`) goes on without a gap, at
//! any node.

use super::sequence::{parse_positions, show_positions};
use super::topic::Topic;
use super::{Ear, becomes, socket};
use crate::Gateway;
use crate::auth::directory::Caller;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use std::convert::Infallible;

/// Where each topic begins, given `Last-Event-ID`.
pub(crate) fn places(topics: &[Topic], last_event: Option<&str>) -> Vec<(Topic, Option<u64>)> {
    let positions = last_event.and_then(|text| parse_positions(text, topics.len()));
    let at = |index: usize| positions.as_ref().map(|positions| positions[index]);
    topics.iter().enumerate().map(|(index, topic)| (*topic, at(index))).collect()
}

struct Reading {
    gateway: Gateway,
    ear: Ear,
    caller: Option<Caller>,
    topics: Vec<Topic>,
    positions: Vec<u64>,
}

/// Tells until somebody leaves: the listener, its session, or the node.
pub(crate) fn serve(
    gateway: Gateway,
    ear: Ear,
    caller: Option<Caller>,
    places: Vec<(Topic, Option<u64>)>,
) -> Response {
    let topics = places.iter().map(|(topic, _)| *topic).collect();
    let positions = places.iter().map(|(_, at)| at.unwrap_or(0)).collect();
    let reading = Reading { gateway, ear, caller, topics, positions };
    let events = stream::unfold(reading, |mut reading| async move {
        let event = reading.next().await?;
        Some((Ok::<Event, Infallible>(event), reading))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(socket::HEARTBEAT)).into_response()
}

impl Reading {
    async fn next(&mut self) -> Option<Event> {
        let mut draining = self.gateway.draining.subscribe();
        let mut cut = self.ear.cut.clone();
        let mut session = tokio::time::interval(socket::SESSION_CHECK);
        loop {
            tokio::select! {
                biased;
                () = becomes(&mut cut, Option::is_some) => return None,
                () = becomes(&mut draining, |draining| *draining) => return None,
                _ = session.tick() => {
                    if let Some(caller) = &self.caller {
                        self.gateway.office.still(caller, crate::clock::seconds())?;
                    }
                }
                message = self.ear.messages.recv() => {
                    let message = message?;
                    let place = self.topics.iter().position(|topic| *topic == message.topic)?;
                    self.positions[place] = message.seq;
                    let id = show_positions(&self.positions);
                    return Some(Event::default().id(id).data(message.text.as_str()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reconnection_begins_where_it_was() {
        let topics = [Topic::Nodes, Topic::Events];
        let begin = |last| places(&topics, last).into_iter().map(|(_, at)| at).collect::<Vec<_>>();
        assert_eq!(begin(None), [None, None]);
        assert_eq!(begin(Some("5-17")), [Some(5), Some(17)]);
        assert_eq!(begin(Some("nonsense")), [None, None]);
    }
}
