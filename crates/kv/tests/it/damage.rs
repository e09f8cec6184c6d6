//! A store whose medium goes bad: the member halts, and nobody gets a wrong answer.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use kv::api::{
    Compare, CompareResult, CompareTarget, Error, KeyRange, PutRequest, RangeRequest, Request,
    TxnOperation, TxnRequest, WatchRequest, WatchResponse,
};
use kv::command::{Body, CallOrigin, Envelope};
use kv::{Applied, Fault, Kv, WatchHub};
use mvcc::{Backing, BackingError, MemoryBacking, Position, ReadError, Visit};

/// A log that can be told to go bad.
struct Medium {
    log: MemoryBacking,
    is_bad: Rc<Cell<bool>>,
}

impl Medium {
    fn check(&self) -> Result<(), BackingError> {
        match self.is_bad.get() {
            true => Err(BackingError::Damaged { detail: "checksum differs".into() }),
            false => Ok(()),
        }
    }
}

impl Backing for Medium {
    fn append(&mut self, record: &[u8]) -> Result<Position, BackingError> {
        self.check()?;
        self.log.append(record)
    }

    fn read(&self, position: Position) -> Result<Bytes, BackingError> {
        self.check()?;
        self.log.read(position)
    }

    fn scan(&self, visit: &mut Visit<'_>) -> Result<(), BackingError> {
        self.check()?;
        self.log.scan(visit)
    }

    fn sync(&mut self) -> Result<(), BackingError> {
        self.check()
    }

    fn size_bytes(&self) -> u64 {
        self.log.size_bytes()
    }
}

fn apply(kv: &mut Kv<Medium>, request: Request) -> Result<Applied, Fault> {
    let index = kv.applied_index() + 1;
    let origin = CallOrigin { member: 1, incarnation: 1, call: index };
    kv.apply(index, 1, &Envelope { origin, body: Body::Write(request) })
}

fn put(prev_kv: bool) -> Request {
    let (key, value) = ("a".into(), "1".into());
    Request::Put(PutRequest { key, value, prev_kv, ..Default::default() })
}

/// A store with `a=1`, opened again so that nothing of its records is in memory, and its medium.
fn opened() -> (Kv<Medium>, Rc<Cell<bool>>) {
    let is_bad = Rc::new(Cell::new(false));
    let medium = Medium { log: MemoryBacking::default(), is_bad: is_bad.clone() };
    let mut kv = Kv::open(medium).expect("empty");
    apply(&mut kv, put(false)).expect("a good medium");
    (Kv::open(kv.into_backing()).expect("a good medium"), is_bad)
}

#[test]
fn a_damaged_record_stops_the_member_before_it_changes_anything() {
    let compare = Compare {
        range: KeyRange::single("a"),
        result: CompareResult::Equal,
        target: CompareTarget::Value("1".into()),
    };
    let success = vec![TxnOperation::Put(PutRequest { key: "b".into(), ..Default::default() })];
    let txn = Request::Txn(TxnRequest { compare: vec![compare], success, failure: vec![] });
    for request in [txn, put(true)] {
        let (mut kv, is_bad) = opened();
        let before = (kv.applied_index(), kv.revision(), kv.side_digest());
        is_bad.set(true);
        let fault = apply(&mut kv, request.clone()).expect_err("a damaged record");
        assert!(matches!(fault, Fault::Read(ReadError::Damaged { revision: 2, .. })), "{fault}");
        assert_eq!(
            fault.to_string(),
            "the state of this member is damaged: reading revision 2 (byte 0 of the value log): \
             the value log is damaged: checksum differs"
        );
        assert_eq!((kv.applied_index(), kv.revision(), kv.side_digest()), before);
        is_bad.set(false);
        let applied = apply(&mut kv, request).expect("repaired");
        assert!(!applied.duplicate && applied.result.is_ok());
    }
}

#[test]
fn a_record_that_cannot_be_written_stops_the_member() {
    let (mut kv, is_bad) = opened();
    is_bad.set(true);
    let fault = apply(&mut kv, put(false)).expect_err("a failed append");
    assert!(matches!(fault, Fault::Commit(_)), "{fault}");
    is_bad.set(false);
    assert!(apply(&mut kv, put(false)).is_err(), "what the log holds is unknown now");
    assert_eq!((kv.applied_index(), kv.revision()), (1, 2));
}

#[test]
fn a_damaged_record_is_no_answer_and_no_event() {
    let (kv, is_bad) = opened();
    let get = |keys_only| {
        let range = KeyRange::single("a");
        Request::Range(RangeRequest { range, keys_only, ..Default::default() })
    };
    let mut hub = WatchHub::new();
    let range = KeyRange::single("a");
    hub.create(WatchRequest { range, start_revision: 1, ..Default::default() }, &kv);
    is_bad.set(true);
    assert_eq!(kv.read(&get(false), 1), Err(Error::Corrupt));
    assert!(kv.read(&get(true), 1).is_ok(), "the index is in memory");
    assert!(matches!(hub.catch_up(&kv, 10), Err(ReadError::Damaged { revision: 2, .. })));
}

/// One watcher got the revision, another one could not, since the value before is damaged.
#[test]
fn who_was_told_is_not_told_again_when_another_could_not_be() {
    let (mut kv, is_bad) = opened();
    let mut hub = WatchHub::new();
    let range = || KeyRange::single("a");
    let watch = |prev_kv| WatchRequest { range: range(), prev_kv, ..Default::default() };
    let ids = [hub.create(watch(false), &kv), hub.create(watch(true), &kv)];
    let applied = apply(&mut kv, put(false)).expect("the disk is well");
    is_bad.set(true);
    assert!(hub.publish(&kv, &applied.events).is_err(), "the value before cannot be read");
    hub.on_replaced(&kv);
    is_bad.set(false);
    assert!(matches!(hub.catch_up(&kv, 10), Ok(false)));
    for id in ids {
        let messages = std::iter::from_fn(|| hub.take(id));
        let is_events = |message: &WatchResponse| matches!(message, WatchResponse::Events { .. });
        assert_eq!(messages.filter(is_events).count(), 1);
    }
}
