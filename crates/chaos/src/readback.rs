//! At the end every member is read back: its state, and all its events from the first.

use std::time::Duration;

use client::Client;
use client::etcd::{EtcdClient, Patience};
use futures::StreamExt;
use kv::api::{EventKind, KeyRange, RangeRequest, Request, Response, WatchRequest, WatchResponse};
use tokio::time::{Instant, sleep, timeout};

use crate::failure::Failure;
use crate::history::{Event, Key, LEASE_KEY_MIN, Member, PREFIX, key_bytes, key_of};
use crate::load::stored;

/// A member must have delivered everything within this time.
const DELIVER_MAX: Duration = Duration::from_secs(120);

/// Leases that nobody renews are gone by then.
const LEASES_MAX: Duration = Duration::from_secs(60);

/// How long one attempt to read may take, and how often it is made.
const PATIENCE: Patience =
    Patience { call: Duration::from_secs(20), attempt: Duration::from_secs(5) };
const ATTEMPTS: u32 = 4;

/// Waits until no key hangs on a lease, or long enough for the checker to object.
pub(crate) async fn wait_for_leases(endpoints: &[String]) -> Result<(), Failure> {
    let client = EtcdClient::connect(endpoints).map_err(Failure::because("cannot connect"))?;
    let client = client.with_patience(PATIENCE);
    let until = Instant::now() + LEASES_MAX;
    let range = KeyRange { key: key_bytes(LEASE_KEY_MIN), range_end: key_bytes(Key::MAX) };
    let request = RangeRequest { range, count_only: true, ..RangeRequest::default() };
    while Instant::now() < until {
        match client.call(Request::Range(request.clone())).await {
            Ok(Response::Range(range)) if range.count == 0 => return Ok(()),
            _ => sleep(Duration::from_millis(200)).await,
        }
    }
    Ok(())
}

/// Reads one member; its events from revision `from` on.
pub(crate) async fn member(number: u8, endpoint: &str, from: i64) -> Result<Member, Failure> {
    let client = EtcdClient::connect([endpoint]).map_err(Failure::because("cannot connect"))?;
    let client = client.with_patience(PATIENCE);
    let (revision, state) = state(&client, number).await?;
    let events = timeout(DELIVER_MAX, events(&client, from, revision)).await;
    let late = |_| {
        let text = format!("node {number} has not delivered all events after {DELIVER_MAX:?}");
        Failure::new(text)
    };
    let events = events.map_err(late)??;
    Ok(Member { number, events, state, revision })
}

async fn state(
    client: &EtcdClient,
    number: u8,
) -> Result<(i64, Vec<crate::history::Stored>), Failure> {
    let range = KeyRange::prefix(PREFIX.as_bytes());
    let request = Request::Range(RangeRequest { range, ..RangeRequest::default() });
    let mut attempts = 1;
    loop {
        match client.call(request.clone()).await {
            Ok(Response::Range(range)) => {
                return Ok((range.header.revision, range.kvs.iter().map(stored).collect()));
            }
            Ok(_) => return Err(Failure::new("the store gave an answer to something else")),
            Err(error) if attempts == ATTEMPTS => {
                return Err(Failure::new(format!("node {number} cannot be read back: {error}")));
            }
            Err(_) => attempts += 1,
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn events(client: &EtcdClient, from: i64, newest: i64) -> Result<Vec<Event>, Failure> {
    let mut all = Vec::new();
    // Revision 1 is the empty store.
    if newest <= 1 || newest < from {
        return Ok(all);
    }
    let range = KeyRange::prefix(PREFIX.as_bytes());
    let request = WatchRequest { range, start_revision: from, ..WatchRequest::default() };
    let cannot = "cannot watch";
    let mut stream = client.watch(request).await.map_err(Failure::because(cannot))?;
    while let Some(message) = stream.next().await {
        match message.map_err(Failure::because(cannot))? {
            WatchResponse::Events { events, .. } => all.extend(events.iter().map(event)),
            WatchResponse::Canceled { reason, .. } => {
                return Err(Failure::new(format!(
                    "a watch from revision {from} was ended: {reason}"
                )));
            }
            WatchResponse::Created { .. } | WatchResponse::Progress { .. } => {}
        }
        if all.last().is_some_and(|event: &Event| event.revision >= newest) {
            break;
        }
    }
    Ok(all)
}

fn event(event: &kv::api::Event) -> Event {
    Event {
        revision: event.kv.mod_revision,
        key: key_of(&event.kv.key).unwrap_or(Key::MAX),
        put: (event.kind == EventKind::Put).then(|| stored(&event.kv)),
    }
}
