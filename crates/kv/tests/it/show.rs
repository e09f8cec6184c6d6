//! Answers and events as lines.

use bytes::Bytes;
use kv::RevisionEvents;
use kv::api::{
    Event, EventKind, Header, KeyValue, Response, TxnResponse, TxnResult, WatchResponse,
};

pub(crate) fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\\0")
}

fn key_value(kv: &KeyValue) -> String {
    let KeyValue { key, value, create_revision, mod_revision, version, lease } = kv;
    let lease = if *lease == 0 { String::new() } else { format!(" lease {lease}") };
    format!(
        "{}={}  create {create_revision} mod {mod_revision} version {version}{lease}",
        text(key),
        text(value)
    )
}

fn header(header: &Header) -> String {
    let term =
        if header.raft_term == 0 { String::new() } else { format!(" term {}", header.raft_term) };
    format!("revision {}{term}", header.revision)
}

pub(crate) fn response(response: &Response) -> Vec<String> {
    match response {
        Response::Range(response) => {
            let more = if response.more { " more" } else { "" };
            let head = format!("{} count {}{more}", header(&response.header), response.count);
            [head].into_iter().chain(response.kvs.iter().map(key_value)).collect()
        }
        Response::Put(response) => {
            let prev = response.prev_kv.iter().map(|kv| format!("before: {}", key_value(kv)));
            [header(&response.header)].into_iter().chain(prev).collect()
        }
        Response::DeleteRange(response) => {
            let head = format!("{} deleted {}", header(&response.header), response.deleted);
            let prev = response.prev_kvs.iter().map(|kv| format!("before: {}", key_value(kv)));
            [head].into_iter().chain(prev).collect()
        }
        Response::Txn(response) => txn(response),
        Response::LeaseGrant(response) => {
            vec![format!("{} lease {} ttl {}", header(&response.header), response.id, response.ttl)]
        }
        Response::LeaseRevoke(revoked) => vec![header(revoked)],
        Response::LeaseKeepAlive(response) => {
            vec![format!("{} lease {} ttl {}", header(&response.header), response.id, response.ttl)]
        }
        Response::LeaseTimeToLive(response) => {
            let keys = response.keys.iter().map(|key| format!(" {}", text(key)));
            let keys: String = keys.collect();
            let (ttl, granted) = (response.ttl, response.granted_ttl);
            vec![format!("{} ttl {ttl} granted {granted} keys:{keys}", header(&response.header))]
        }
        Response::LeaseLeases(response) => vec![format!("leases {:?}", response.leases)],
        Response::Compact(header_of) => vec![header(header_of)],
        Response::Hash(hash) => vec![format!(
            "{} hash at {} compacted {}",
            header(&hash.header),
            hash.hash_revision,
            hash.compact_revision
        )],
        Response::Status(status) => {
            vec![format!("{} in use {} bytes", header(&status.header), status.db_size_in_use)]
        }
    }
}

fn txn(response_of: &TxnResponse) -> Vec<String> {
    let branch = if response_of.succeeded { "then" } else { "else" };
    let mut lines = vec![format!("{} {branch}", header(&response_of.header))];
    for result in &response_of.responses {
        let of_result = match result {
            TxnResult::Range(inner) => response(&Response::Range(inner.clone())),
            TxnResult::Put(inner) => response(&Response::Put(inner.clone())),
            TxnResult::DeleteRange(inner) => response(&Response::DeleteRange(inner.clone())),
            TxnResult::Txn(inner) => txn(inner),
        };
        lines.extend(of_result.into_iter().map(|line| format!("  {line}")));
    }
    lines
}

pub(crate) fn event(event: &Event) -> String {
    let head = match event.kind {
        EventKind::Put => format!("put {}", key_value(&event.kv)),
        EventKind::Delete => {
            format!("delete {}  mod {}", text(&event.kv.key), event.kv.mod_revision)
        }
    };
    let before = event.prev_kv.as_ref().map(|kv| format!(" (before: {})", key_value(kv)));
    head + &before.unwrap_or_default()
}

/// Events under their revision, one line each.
pub(crate) fn revisions(revisions: &[RevisionEvents]) -> Vec<String> {
    let lines = revisions.iter().flat_map(|revision| {
        let events = revision.events.iter().map(event);
        events.map(|event| format!("{}: {event}", revision.revision))
    });
    lines.collect()
}

pub(crate) fn watch_response(response: &WatchResponse) -> Vec<String> {
    match response {
        WatchResponse::Created { header: head } => vec![format!("created at {}", header(head))],
        WatchResponse::Progress { header: head } => vec![format!("progress at {}", header(head))],
        WatchResponse::Canceled { compact_revision, reason, .. } => {
            vec![format!("canceled: {reason} (compacted {compact_revision})")]
        }
        WatchResponse::Events { header: head, events } => {
            let lines = events.iter().map(|e| format!("  {}", event(e)));
            [format!("events at {}", header(head))].into_iter().chain(lines).collect()
        }
    }
}
