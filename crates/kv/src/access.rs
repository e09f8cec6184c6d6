//! The reserved prefix: the elections' keys, out of reach of everybody at the client listener.
//!
//! Keys under [`RESERVED_PREFIX`] belong to the voting system. A request from outside that names
//! one, or a range that holds one, is refused, wherever it stands: in a comparison, in a nested
//! transaction, in a watch. One range is excepted, "all keys" (key and range end both a zero
//! byte, what `etcdctl get --prefix ""` sends): for everybody it means all *ordinary* keys. So
//! the rule is a property of the request alone, every member executes it alike, and a backup or
//! a clean-up of the whole store neither sees nor touches an election.
//!
//! Leases cannot be judged by the request. Therefore a lease that holds a reserved key is not
//! listed, does not show that key, and cannot be revoked (see `lease`); it ends by time, or after
//! its holder has deleted the key.

use bytes::Bytes;
use mvcc::{Span, SpanEnd};

use crate::api::{
    Access, Error, KeyRange, RESERVED_PREFIX, Request, TxnOperation, TxnRequest, WatchRequest,
};

/// The first key behind the reserved ones.
const RESERVED_END: &[u8] = b"\0q0";

/// Whether `access` may send `request`.
///
/// # Errors
/// [`Error::PermissionDenied`].
pub fn check(request: &Request, access: Access) -> Result<(), Error> {
    let allowed = match (access, request) {
        (Access::Internal, _) => true,
        (Access::Public, Request::Range(request)) => is_open(&request.range),
        (Access::Public, Request::Put(request)) => !is_reserved(&request.key),
        (Access::Public, Request::DeleteRange(request)) => is_open(&request.range),
        (Access::Public, Request::Txn(request)) => is_txn_open(request),
        (
            Access::Public,
            Request::LeaseGrant(_)
            | Request::LeaseRevoke { .. }
            | Request::LeaseKeepAlive { .. }
            | Request::LeaseTimeToLive { .. }
            | Request::LeaseLeases
            | Request::Compact { .. }
            | Request::Hash { .. }
            | Request::Status,
        ) => true,
    };
    if allowed { Ok(()) } else { Err(Error::PermissionDenied) }
}

/// Whether `access` may open the watch. The edge answers a refusal with "created" and then
/// "canceled", as etcd does.
///
/// # Errors
/// [`Error::PermissionDenied`].
pub fn check_watch(request: &WatchRequest, access: Access) -> Result<(), Error> {
    match access {
        Access::Public if !is_open(&request.range) => Err(Error::PermissionDenied),
        Access::Public | Access::Internal => Ok(()),
    }
}

/// Whether `key` is reserved.
pub fn is_reserved(key: &[u8]) -> bool {
    key.starts_with(RESERVED_PREFIX)
}

/// Whether `range` covers `key`; "all keys" covers the ordinary ones.
pub fn covers(range: &KeyRange, key: &[u8]) -> bool {
    range.contains(key) && !(is_all(range) && is_reserved(key))
}

/// The one or two spans of keys that `range` covers, ascending.
pub(crate) fn spans(range: &KeyRange) -> Vec<Span> {
    if is_all(range) {
        let reserved = Bytes::from_static(RESERVED_PREFIX);
        let below = Span { start: Bytes::new(), end: SpanEnd::Before(reserved) };
        let above = Span { start: Bytes::from_static(RESERVED_END), end: SpanEnd::Unbounded };
        return vec![below, above];
    }
    let end = match &range.range_end[..] {
        [] => return vec![Span::single(&range.key)],
        [0] => SpanEnd::Unbounded,
        _ => SpanEnd::Before(range.range_end.clone()),
    };
    vec![Span { start: range.key.clone(), end }]
}

/// "All keys": from the empty or the first key without an end.
fn is_all(range: &KeyRange) -> bool {
    range.range_end[..] == [0] && (range.key.is_empty() || range.key[..] == [0])
}

/// Whether `range` holds no reserved key.
fn is_open(range: &KeyRange) -> bool {
    let starts_behind = range.key[..] >= *RESERVED_END;
    let ends_before = match &range.range_end[..] {
        [] => !is_reserved(&range.key),
        [0] => false,
        end => end <= RESERVED_PREFIX,
    };
    is_all(range) || starts_behind || ends_before
}

fn is_txn_open(request: &TxnRequest) -> bool {
    let compares = request.compare.iter().all(|compare| is_open(&compare.range));
    compares
        && request.success.iter().chain(&request.failure).all(|operation| match operation {
            TxnOperation::Range(request) => is_open(&request.range),
            TxnOperation::Put(request) => !is_reserved(&request.key),
            TxnOperation::DeleteRange(request) => is_open(&request.range),
            TxnOperation::Txn(request) => is_txn_open(request),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{
        Compare, CompareResult, CompareTarget, DeleteRangeRequest, PutRequest, RangeRequest,
    };

    fn range(key: &'static [u8], end: &'static [u8]) -> KeyRange {
        KeyRange { key: Bytes::from_static(key), range_end: Bytes::from_static(end) }
    }

    #[test]
    fn every_encoding_of_a_range_end() {
        let check = |key, end, expect: bool| {
            let range = range(key, end);
            assert_eq!(is_open(&range), expect, "{range:?}");
            // What is open to the public holds no reserved key, by the spans that are executed.
            let reserved = [b"\0q/".as_slice(), b"\0q/x", b"\0q/\xff\xff"];
            let touched = |key: &&[u8]| spans(&range).iter().any(|span| span.contains(key));
            assert!(!expect || !reserved.iter().any(touched), "{range:?}");
            let covered = |key: &&[u8]| covers(&range, key);
            assert!(reserved.iter().all(|key| touched(key) == covered(key)), "{range:?}");
        };
        check(b"\0q/", b"", false);
        check(b"\0q/x", b"", false);
        check(b"\0q", b"", true);
        check(b"\0q0", b"", true);
        check(b"a", b"b", true);
        check(b"\0", b"\0", true);
        check(b"", b"\0", true);
        check(b"\0\0", b"\0", false);
        check(b"\0q/x", b"\0", false);
        check(b"\0q0", b"\0", true);
        check(b"a", b"\0", true);
        check(b"\0", b"\0q/", true);
        check(b"\0", b"\0q/\0", false);
        check(b"\0", b"b", false);
        check(b"\0", b"\xff", false);
        check(b"\0q/", b"\0q0", false);
        check(b"\0q/a", b"\0q/b", false);
    }

    #[test]
    fn a_reserved_key_is_refused_wherever_it_hides() {
        let secret = range(b"\0q/e", b"");
        let put = PutRequest { key: secret.key.clone(), ..Default::default() };
        let ranging = RangeRequest { range: secret.clone(), ..Default::default() };
        let deleting = DeleteRangeRequest { range: secret.clone(), ..Default::default() };
        let compare = Compare {
            range: secret.clone(),
            result: CompareResult::Equal,
            target: CompareTarget::Version(0),
        };
        let txn = |success, failure| TxnRequest { success, failure, ..Default::default() };
        let operations = [
            TxnOperation::Put(put.clone()),
            TxnOperation::Range(ranging.clone()),
            TxnOperation::DeleteRange(deleting.clone()),
            TxnOperation::Txn(TxnRequest { compare: vec![compare.clone()], ..Default::default() }),
        ];
        let mut requests = vec![
            Request::Put(put),
            Request::Range(ranging),
            Request::DeleteRange(deleting),
            Request::Txn(TxnRequest { compare: vec![compare], ..Default::default() }),
        ];
        for operation in operations {
            let inner = txn(vec![], vec![operation.clone()]);
            requests.push(Request::Txn(txn(vec![operation], vec![])));
            requests.push(Request::Txn(txn(vec![TxnOperation::Txn(inner)], vec![])));
        }
        for request in requests {
            assert_eq!(
                check(&request, Access::Public),
                Err(Error::PermissionDenied),
                "{request:?}"
            );
            assert_eq!(check(&request, Access::Internal), Ok(()));
        }
        let watch = WatchRequest { range: secret, ..Default::default() };
        assert_eq!(check_watch(&watch, Access::Public), Err(Error::PermissionDenied));
        assert_eq!(Error::PermissionDenied.text(), "etcdserver: permission denied");
    }
}
