//! Answers as lines for people and for `grep`.

use kv::api::{
    Event, EventKind, KeyValue, LeaseTimeToLiveResponse, Response, Status, TxnResult, WatchResponse,
};
use std::fmt::Write;

/// The lines of one answer, each ended by a newline.
pub(super) fn response(response: &Response) -> String {
    let mut out = String::new();
    match response {
        Response::Range(range) => {
            range.kvs.iter().for_each(|kv| pair(&mut out, kv));
            if range.more {
                line(&mut out, format_args!("… {} keys in all", range.count));
            }
            if range.kvs.is_empty() {
                line(&mut out, format_args!("(nothing)"));
            }
        }
        Response::Put(put) => {
            line(&mut out, format_args!("OK revision {}", put.header.revision));
            if let Some(kv) = &put.prev_kv {
                out.push_str("before: ");
                pair(&mut out, kv);
            }
        }
        Response::DeleteRange(delete) => line(
            &mut out,
            format_args!("deleted {} revision {}", delete.deleted, delete.header.revision),
        ),
        Response::Txn(txn) => {
            let branch = if txn.succeeded { "then" } else { "else" };
            line(&mut out, format_args!("{branch} revision {}", txn.header.revision));
            txn.responses.iter().for_each(|result| self::result(&mut out, result));
        }
        Response::LeaseGrant(grant) => {
            line(&mut out, format_args!("lease {} for {} s", grant.id, grant.ttl));
        }
        Response::LeaseRevoke(header) => {
            line(&mut out, format_args!("revoked revision {}", header.revision));
        }
        Response::LeaseKeepAlive(lease) => {
            line(&mut out, format_args!("lease {} has {} s", lease.id, lease.ttl));
        }
        Response::LeaseTimeToLive(lease) => {
            time_to_live(&mut out, lease);
        }
        Response::LeaseLeases(all) => {
            all.leases.iter().for_each(|id| line(&mut out, format_args!("{id}")));
        }
        Response::Compact(header) => {
            line(&mut out, format_args!("compacted; now at revision {}", header.revision));
        }
        Response::Hash(hash) => {
            line(&mut out, format_args!("{:08x} at revision {}", hash.hash, hash.hash_revision))
        }
        Response::Status(status) => self::status(&mut out, status),
    }
    out
}

fn status(out: &mut String, status: &Status) {
    let leader = match status.leader {
        Some(leader) if leader == status.member_id => "leader".to_owned(),
        Some(leader) => format!("follows {leader}"),
        None => "no leader".to_owned(),
    };
    let Status { member_id, header, voters, raft_index, raft_applied_index, db_size, .. } = status;
    line(
        out,
        format_args!(
            "member {member_id} of {}  {leader}  term {}  revision {}  log {raft_index} \
             applied {raft_applied_index}  {db_size} bytes",
            voters.len(),
            header.raft_term,
            header.revision,
        ),
    );
}

fn time_to_live(out: &mut String, lease: &LeaseTimeToLiveResponse) {
    if lease.ttl < 0 {
        return line(out, format_args!("there is no lease {}", lease.id));
    }
    let LeaseTimeToLiveResponse { id, ttl, granted_ttl, .. } = lease;
    line(out, format_args!("lease {id} has {ttl} s of {granted_ttl} s"));
    for key in &lease.keys {
        line(out, format_args!("  {}", text(key)));
    }
}

/// The lines of one message of a watch.
pub(super) fn watch(message: &WatchResponse) -> String {
    let mut out = String::new();
    match message {
        WatchResponse::Created { header } => {
            line(&mut out, format_args!("watching from revision {}", header.revision + 1));
        }
        WatchResponse::Events { events, .. } => events.iter().for_each(|e| event(&mut out, e)),
        WatchResponse::Progress { .. } | WatchResponse::Canceled { .. } => {}
    }
    out
}

fn event(out: &mut String, event: &Event) {
    match event.kind {
        EventKind::Put => {
            let _ = write!(out, "{} put    ", event.kv.mod_revision);
            pair(out, &event.kv);
        }
        EventKind::Delete => {
            let key = text(&event.kv.key);
            line(out, format_args!("{} delete {key}", event.kv.mod_revision));
        }
    }
}

fn result(out: &mut String, result: &TxnResult) {
    match result {
        TxnResult::Range(range) => range.kvs.iter().for_each(|kv| pair(out, kv)),
        TxnResult::Put(_) => line(out, format_args!("put")),
        TxnResult::DeleteRange(delete) => line(out, format_args!("deleted {}", delete.deleted)),
        TxnResult::Txn(txn) => txn.responses.iter().for_each(|inner| self::result(out, inner)),
    }
}

fn pair(out: &mut String, kv: &KeyValue) {
    if kv.value.is_empty() {
        line(out, format_args!("{}", text(&kv.key)));
    } else {
        line(out, format_args!("{} = {}", text(&kv.key), text(&kv.value)));
    }
}

/// Bytes as text, with escapes for what a terminal should not get.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{text}");
}
