//! The reference against answers worked out by hand.

use super::*;
use kv::api::KeyRange;
use kv::command::Envelope;

struct Fed {
    model: Model,
    index: LogIndex,
}

impl Fed {
    fn new() -> Self {
        Self { model: Model::default(), index: LogIndex::ZERO }
    }

    fn apply(&mut self, call: u64, request: Request) {
        self.index = self.index.next();
        let origin = CallOrigin { member: 1, incarnation: 1, call };
        let envelope = Envelope { origin, body: Body::Write(request) };
        let payload = Payload::Data(kv::command::encode(&envelope));
        self.model
            .apply(LogId::new(raft::Term::new(1), self.index), &payload)
            .expect("the model knows the request");
    }

    fn values(&self, index: u64) -> Vec<String> {
        let range = RangeRequest { range: KeyRange::prefix(""), ..RangeRequest::default() };
        let response = self.model.read(LogIndex::new(index), &Request::Range(range));
        let Ok(Ok(Response::Range(range))) = response else { panic!("a range was asked for") };
        let shown = |kv: KeyValue| {
            let value = String::from_utf8_lossy(&kv.value).into_owned();
            format!(
                "{}={value} {}/{} v{}",
                kv.key[0], kv.create_revision, kv.mod_revision, kv.version
            )
        };
        range.kvs.into_iter().map(shown).collect()
    }
}

fn put(value: &'static str) -> PutRequest {
    let key = Bytes::from_static(&[7]);
    PutRequest { key, value: Bytes::from_static(value.as_bytes()), ..PutRequest::default() }
}

#[test]
fn versions_revisions_and_reads_of_the_past() {
    let mut fed = Fed::new();
    fed.apply(1, Request::Put(put("1|a")));
    fed.apply(2, Request::Put(put("2|b")));
    let range = KeyRange::single(Bytes::from_static(&[7]));
    fed.apply(3, Request::DeleteRange(DeleteRangeRequest { range, prev_kv: false }));
    fed.apply(4, Request::Put(put("4|c")));
    assert_eq!(fed.values(1), ["7=1|a 2/2 v1"]);
    assert_eq!(fed.values(2), ["7=2|b 2/3 v2"]);
    assert_eq!(fed.values(3), [""; 0]);
    assert_eq!(fed.values(4), ["7=4|c 5/5 v1"]);
    assert_eq!(fed.model.content().len(), 1);
}

#[test]
fn an_origin_counts_once() {
    let mut fed = Fed::new();
    fed.apply(1, Request::Put(put("1|a")));
    fed.apply(1, Request::Put(put("1|a")));
    assert_eq!(fed.model.revision_at(LogIndex::new(2)), 2);
    assert_eq!(fed.model.repeated(), 1);
    let outcome = fed.model.outcome(Operation::new(1)).expect("it was applied");
    assert_eq!(outcome.index, LogIndex::new(1));
}

#[test]
fn a_failed_comparison_takes_the_other_branch() {
    let mut fed = Fed::new();
    let range = KeyRange::single(Bytes::from_static(&[7]));
    let target = CompareTarget::Version(1);
    let compare = vec![Compare { range: range.clone(), result: CompareResult::Equal, target }];
    let read = RangeRequest { range, ..RangeRequest::default() };
    let success = vec![TxnOperation::Put(put("9|x"))];
    let failure = vec![TxnOperation::Range(read)];
    fed.apply(1, Request::Txn(TxnRequest { compare, success, failure }));
    let outcome = fed.model.outcome(Operation::new(9)).expect("it was applied");
    let Response::Txn(txn) = &outcome.response else { panic!("a txn was asked for") };
    assert!(!txn.succeeded);
    assert_eq!(fed.model.revision_at(fed.index), 1);
}
