//! The doors of the live feed: WebSocket, or server-sent events.

use crate::extract::Q;
use crate::feed::topic::Topic;
use crate::feed::{TOPICS_MAX, events, socket};
use crate::front::Who;
use crate::{Gateway, Problem};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

/// `?topics=a,b&after=17`.
#[derive(Deserialize)]
pub(crate) struct FeedQuery {
    topics: Option<String>,
    /// Where the (one) list begins.
    after: Option<u64>,
}

pub(crate) async fn feed(
    State(gateway): State<Gateway>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Q(query): Q<FeedQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let topics = read_topics(query.topics.as_deref().unwrap_or_default())?;
    let closed = topics.iter().find(|topic| !topic.is_open_to(who.caller.as_ref()));
    if let Some(topic) = closed {
        return Err(match who.caller {
            None => Problem::token(),
            Some(_) => Problem::forbidden(format!("Your account may not listen to '{topic}'.")),
        });
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let wants_events =
        text(header::ACCEPT).is_some_and(|accepted| accepted.contains("text/event-stream"));
    if upgrade.is_err() && !(wants_events && !topics.is_empty()) {
        return Err(Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "feed-upgrade",
            "Open this as a WebSocket, or with 'Accept: text/event-stream' and '?topics='.",
        ));
    }
    let busy = || Problem::unavailable("Too many listen at this node; ask another one.");
    let ear = gateway.feed.listen().ok_or_else(busy)?;
    let Ok(upgrade) = upgrade else {
        let mut places =
            events::places(&topics, text(header::HeaderName::from_static("last-event-id")));
        if let (Some(after), [(_, at)]) = (query.after, &mut places[..]) {
            *at = at.or(Some(after));
        }
        for (topic, at) in &places {
            ear.subscribe(*topic, *at).map_err(Problem::malformed)?;
        }
        return Ok(events::serve(gateway, ear, who.caller, places));
    };
    let token = text(header::AUTHORIZATION).and_then(|value| value.split_once(' '));
    let token = token.map(|(_, token)| token.trim().to_owned());
    let topics = topics.into_iter().map(|topic| (topic, query.after)).collect();
    let upgrade = upgrade
        .max_message_size(socket::MESSAGE_BYTES_MAX)
        .max_frame_size(socket::MESSAGE_BYTES_MAX);
    Ok(upgrade
        .on_upgrade(move |opened| socket::serve(gateway, opened, ear, (who.caller, token), topics)))
}

fn read_topics(text: &str) -> Result<Vec<Topic>, Problem> {
    let mut topics = Vec::new();
    for name in text.split(',').filter(|name| !name.is_empty()) {
        let topic = name.parse().map_err(Problem::malformed)?;
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    if topics.len() > TOPICS_MAX {
        return Err(Problem::malformed(format!("At most {TOPICS_MAX} topics at once.")));
    }
    Ok(topics)
}
