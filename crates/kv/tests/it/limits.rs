//! Commands whose record would be too large for the value log.

use bytes::Bytes;
use kv::api::{
    DeleteRangeRequest, Error, KeyRange, LeaseGrantRequest, PutRequest, Request, TxnOperation,
    TxnRequest,
};
use kv::command::{Body, CallOrigin, Envelope};
use kv::{Applied, CHANGES_BYTES_MAX, Kv};
use mvcc::MemoryBacking;

const KEY_BYTES: usize = 1 << 20;

fn apply(kv: &mut Kv<MemoryBacking>, body: Body) -> Applied {
    let envelope = Envelope { origin: CallOrigin::default(), body };
    kv.apply(kv.applied_index() + 1, 1, &envelope).expect("memory")
}

fn key(number: u8) -> Bytes {
    let mut key = vec![b'k'; KEY_BYTES];
    key[KEY_BYTES - 1] = number;
    key.into()
}

/// A store with more bytes of keys on lease 7 than one command may delete.
fn filled() -> Kv<MemoryBacking> {
    let mut kv = Kv::open(MemoryBacking::default()).expect("empty");
    let grant = LeaseGrantRequest { ttl: 2, id: 7 };
    apply(&mut kv, Body::Write(Request::LeaseGrant(grant))).result.expect("granted");
    for number in 0..20 {
        let put = PutRequest { key: key(number), lease: 7, ..Default::default() };
        apply(&mut kv, Body::Write(Request::Put(put))).result.expect("put");
    }
    kv
}

#[test]
fn a_request_is_refused_and_changes_nothing() {
    let mut kv = filled();
    let before = kv.store().digest(kv.revision());
    let delete = DeleteRangeRequest { range: KeyRange::prefix("k"), prev_kv: false };
    let copy = |number| {
        TxnOperation::Put(PutRequest { key: key(number), ignore_value: true, ..Default::default() })
    };
    let copies = TxnRequest { success: (0..20).map(copy).collect(), ..Default::default() };
    let requests =
        [Request::DeleteRange(delete), Request::LeaseRevoke { id: 7 }, Request::Txn(copies)];
    for request in requests {
        let applied = apply(&mut kv, Body::Write(request));
        assert_eq!(applied.result, Err(Error::RequestTooLarge));
        assert_eq!(applied.events, []);
    }
    assert_eq!(kv.store().digest(kv.revision()), before);
}

#[test]
fn the_keys_of_an_ended_lease_go_in_several_ticks() {
    let mut kv = filled();
    let tick = Body::Advance { elapsed_ms: 1000, term: 1 };
    let ticks = (0..6).map(|_| {
        let applied = apply(&mut kv, tick.clone());
        applied.events.iter().map(|revision| revision.events.len()).sum()
    });
    let deleted: Vec<usize> = ticks.collect();
    let first = CHANGES_BYTES_MAX / KEY_BYTES;
    assert_eq!(deleted, [0, 0, first, 20 - first, 0, 0]);
    assert_eq!((kv.store().live_keys(), kv.lease_count()), (0, 0));
}
