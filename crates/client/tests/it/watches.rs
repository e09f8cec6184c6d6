//! A watch over several nodes: no gap, no event twice.

use bytes::Bytes;
use client::Client;
use client::proto::{etcdserverpb as pb, mvccpb};
use futures::StreamExt;
use kv::api::{Error, KeyRange, WatchRequest, WatchResponse};
use tonic::{Code, Status};

use crate::node::{self, Manner, Script, header};

const ANSWERS: Manner = Manner::Answer { revision: 1 };

fn created(revision: i64) -> Result<pb::WatchResponse, Status> {
    Ok(pb::WatchResponse { header: header(revision), created: true, ..Default::default() })
}

fn events(revisions: &[i64]) -> Result<pb::WatchResponse, Status> {
    let event = |&mod_revision| {
        let kv = mvccpb::KeyValue { mod_revision, ..Default::default() };
        mvccpb::Event { kv: Some(kv), ..Default::default() }
    };
    let events = revisions.iter().map(event).collect();
    let last = revisions.last().copied().unwrap_or(0);
    Ok(pb::WatchResponse { header: header(last), events, ..Default::default() })
}

fn progress(revision: i64) -> Result<pb::WatchResponse, Status> {
    Ok(pb::WatchResponse { header: header(revision), ..Default::default() })
}

fn canceled(compact_revision: i64) -> Result<pb::WatchResponse, Status> {
    let canceled = pb::WatchResponse { canceled: true, compact_revision, ..Default::default() };
    Ok(pb::WatchResponse { header: header(99), ..canceled })
}

fn failed() -> Result<pb::WatchResponse, Status> {
    Err(Status::new(Code::Unavailable, "etcdserver: no leader"))
}

/// What the reader sees, in short, and where each node was asked to start.
async fn watch(start_revision: i64, nodes: Vec<Vec<Script>>) -> (Vec<String>, Vec<Vec<i64>>) {
    let mut addresses = Vec::new();
    let mut all_heard = Vec::new();
    for scripts in nodes {
        let (address, heard) = node::start(ANSWERS, scripts).await;
        addresses.push(address);
        all_heard.push(heard);
    }
    let client = node::client(&addresses.iter().collect::<Vec<_>>());
    let range = KeyRange::prefix(Bytes::from_static(b"k"));
    let request = WatchRequest { range, start_revision, prev_kv: true, ..Default::default() };
    let stream = client.watch(request).await.unwrap();
    let seen = stream.map(|message| short(&message)).collect().await;
    let starts = all_heard.iter().map(|heard| {
        let watches = heard.watches.lock().unwrap();
        assert!(watches.iter().all(|(create, leader)| *leader && create.prev_kv));
        assert!(watches.iter().all(|(create, _)| create.range_end[..] == *b"l"));
        watches.iter().map(|(create, _)| create.start_revision).collect()
    });
    (seen, starts.collect())
}

fn short(message: &Result<WatchResponse, Error>) -> String {
    match message {
        Ok(WatchResponse::Created { header }) => format!("created {}", header.revision),
        Ok(WatchResponse::Progress { header }) => format!("progress {}", header.revision),
        Ok(WatchResponse::Events { events, .. }) => {
            let revisions: Vec<_> = events.iter().map(|event| event.kv.mod_revision).collect();
            format!("events {revisions:?}")
        }
        Ok(WatchResponse::Canceled { compact_revision, .. }) => {
            format!("canceled {compact_revision}")
        }
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn it_goes_on_at_the_next_revision_on_another_node() {
    let first = vec![created(7), events(&[8, 8]), events(&[9]), failed()];
    let second = vec![created(12), events(&[9, 10]), events(&[11]), canceled(0)];
    let (seen, starts) = watch(0, vec![vec![first], vec![second]]).await;
    let expect =
        ["created 7", "events [8, 8]", "events [9]", "events [10]", "events [11]", "canceled 0"];
    assert_eq!(seen, expect);
    assert_eq!(starts, [vec![0], vec![10]]);
}

#[tokio::test(flavor = "current_thread")]
async fn what_happened_before_the_first_event_is_not_lost() {
    let (_, starts) =
        watch(0, vec![vec![vec![created(7), failed()]], vec![vec![created(9), canceled(0)]]]).await;
    assert_eq!(starts, [vec![0], vec![8]], "from the revision after the first creation");
    let old = vec![vec![created(7), failed()], vec![created(7), canceled(0)]];
    let (_, starts) = watch(3, vec![old]).await;
    assert_eq!(starts, [vec![3, 3]], "an old start is kept until something was delivered");
}

#[tokio::test(flavor = "current_thread")]
async fn progress_moves_the_place_to_go_on() {
    let first = vec![created(7), progress(20), failed()];
    let (seen, starts) = watch(5, vec![vec![first], vec![vec![created(22), canceled(0)]]]).await;
    assert_eq!(seen, ["created 7", "progress 20", "canceled 0"]);
    assert_eq!(starts, [vec![5], vec![21]]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_gap_ends_it() {
    let first = vec![created(7), events(&[8]), failed()];
    let second = vec![created(30), canceled(25)];
    let (seen, _) = watch(0, vec![vec![first], vec![second]]).await;
    assert_eq!(seen, ["created 7", "events [8]", "canceled 25"]);
}

#[tokio::test(flavor = "current_thread")]
async fn it_opens_on_the_first_node_that_is_there_or_says_that_none_is() {
    let (good, _) = node::start(ANSWERS, vec![vec![created(7)]]).await;
    let client = node::client(&[&node::closed().await, &good]);
    let mut stream = client.watch(WatchRequest::default()).await.unwrap();
    assert_eq!(short(&stream.next().await.unwrap()), "created 7");

    let client = node::client(&[&node::closed().await]);
    let error = client.watch(WatchRequest::default()).await.err();
    assert_eq!(error, Some(Error::Unreachable));
}
