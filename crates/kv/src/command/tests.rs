//! The bytes of commands are frozen: members of different versions read each other's logs.

use super::*;
use crate::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, KeyRange, PutRequest, RangeRequest,
    SortOrder, SortTarget, TxnOperation, TxnRequest,
};

fn check(body: Body, expected_body: &[u8]) {
    let origin = CallOrigin { member: 3, incarnation: 300, call: 9 };
    let envelope = Envelope { origin, body };
    let bytes = encode(&envelope);
    assert_eq!(bytes, [&[1, 3, 0xac, 2, 9], expected_body].concat(), "{envelope:?}");
    assert_eq!(super::origin(&bytes), Ok(origin));
    assert_eq!(decode(&bytes), Ok(envelope));
    for cut in 0..bytes.len() {
        assert!(decode(&bytes.slice(..cut)).is_err(), "cut at {cut}");
    }
}

fn put() -> PutRequest {
    let (key, value) = ("key".into(), "value".into());
    PutRequest { key, value, lease: -5, prev_kv: true, ignore_value: false, ignore_lease: true }
}

fn delete() -> DeleteRangeRequest {
    let range = KeyRange { key: "a".into(), range_end: "b".into() };
    DeleteRangeRequest { range, prev_kv: true }
}

#[test]
fn simple_commands() {
    check(Body::Write(Request::Put(put())), b"\x01\x03key\x05value\x09\x05");
    check(Body::Write(Request::DeleteRange(delete())), b"\x02\x01a\x01b\x01");
    let grant = LeaseGrantRequest { ttl: 60, id: 7 };
    check(Body::Write(Request::LeaseGrant(grant)), b"\x04\x78\x0e");
    check(Body::Write(Request::LeaseRevoke { id: 7 }), b"\x05\x0e");
    check(Body::Write(Request::LeaseKeepAlive { id: 7 }), b"\x06\x0e");
    let compact = Request::Compact { revision: 300, physical: false };
    check(Body::Write(compact), b"\x09\xd8\x04");
    check(Body::Advance { elapsed_ms: 300, term: 4 }, b"\x07\xac\x02\x04");
}

#[test]
fn transactions() {
    let compare =
        |target| Compare { range: KeyRange::single("k"), result: CompareResult::NotEqual, target };
    let range = RangeRequest {
        range: KeyRange::single("r"),
        limit: 1,
        revision: 2,
        sort_order: SortOrder::Descend,
        sort_target: SortTarget::Value,
        serializable: true,
        keys_only: false,
        count_only: true,
        min_mod_revision: 3,
        max_mod_revision: 4,
        min_create_revision: 5,
        max_create_revision: 6,
    };
    let nested = TxnRequest {
        compare: vec![compare(CompareTarget::Value("v".into()))],
        success: vec![],
        failure: vec![TxnOperation::DeleteRange(delete())],
    };
    let txn = TxnRequest {
        compare: vec![compare(CompareTarget::Version(1)), compare(CompareTarget::Lease(-1))],
        success: vec![TxnOperation::Put(put()), TxnOperation::Txn(nested)],
        failure: vec![TxnOperation::Range(range)],
    };
    let expected = [
        b"\x03\x02\x01k\x00\x03\x00\x02\x01k\x00\x03\x03\x01".as_slice(),
        b"\x02\x01\x03key\x05value\x09\x05",
        b"\x03\x01\x01k\x00\x03\x04\x01v\x00\x01\x02\x01a\x01b\x01",
        b"\x01\x08\x01r\x00\x02\x04\x02\x04\x05\x06\x08\x0a\x0c",
    ];
    check(Body::Write(Request::Txn(txn)), &expected.concat());
}

#[test]
fn damage_is_told_by_place() {
    let error = |bytes: &[u8]| decode(&Bytes::copy_from_slice(bytes)).map_err(|e| e.to_string());
    let says = |text: &str| Err(text.to_owned());
    assert_eq!(error(&[2]), says("at byte 1: a command of a format this program does not know"));
    assert_eq!(error(&[1, 1, 1, 1, 99]), says("at byte 5: an unknown kind of command"));
    assert_eq!(error(&[1, 1, 1, 1, 5, 0, 0]), says("at byte 6: bytes after the end"));
    let deep = [&[1u8, 1, 1, 1][..], &[3, 0, 1].repeat(1000)].concat();
    assert_eq!(error(&deep).map_err(|e| e.ends_with("transactions nested too deeply")), Err(true));
}

#[test]
fn a_lease_gets_its_id_before_it_is_proposed() {
    let grant = |id| Request::LeaseGrant(LeaseGrantRequest { ttl: 5, id });
    assert_eq!(prepare(grant(0), u64::MAX), grant(i64::MAX));
    assert_eq!(prepare(grant(0), 1), grant(1));
    assert_eq!(prepare(grant(77), 5), grant(77));
    assert_eq!(prepare(Request::LeaseLeases, 5), Request::LeaseLeases);
}
