//! Random commands: the store beside the plain model, and beside a second store that is restarted.

use base::Prng;
use bytes::Bytes;
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, EventKind, KeyRange,
    LeaseGrantRequest, PutRequest, RangeRequest, Request, Response, SortOrder, SortTarget,
    TxnOperation, TxnRequest,
};
use kv::command::{self, ADVANCE_MS_MAX, Body, CallOrigin, Envelope};
use kv::{Applied, Kv, RevisionEvents};
use mvcc::MemoryBacking;

use crate::model::Model;

/// Draws requests over few keys, so that they meet.
struct Draw {
    random: Prng,
    revision: i64,
}

impl Draw {
    fn key(&mut self) -> Bytes {
        let len = self.random.between(1, 2) as usize;
        let key: Vec<u8> = (0..len).map(|_| b'a' + self.random.below(3) as u8).collect();
        key.into()
    }

    fn range(&mut self) -> KeyRange {
        let key = self.key();
        match self.random.below(5) {
            0 | 1 => KeyRange::single(key),
            2 => KeyRange::prefix(key),
            3 => KeyRange { key, range_end: Bytes::from_static(&[0]) },
            _ => KeyRange { key, range_end: self.key() },
        }
    }

    fn value(&mut self) -> Bytes {
        vec![b'0' + self.random.below(3) as u8; self.random.below(4) as usize].into()
    }

    fn lease(&mut self) -> i64 {
        self.random.between(1, 4) as i64
    }

    fn put(&mut self) -> PutRequest {
        let lease = if self.random.chance(1, 4) { self.lease() } else { 0 };
        PutRequest {
            key: self.key(),
            value: self.value(),
            lease,
            prev_kv: self.random.chance(1, 3),
            ignore_value: self.random.chance(1, 12),
            ignore_lease: self.random.chance(1, 12),
        }
    }

    fn get(&mut self) -> RangeRequest {
        let orders = [SortOrder::None, SortOrder::None, SortOrder::Ascend, SortOrder::Descend];
        let targets = [
            SortTarget::Key,
            SortTarget::Key,
            SortTarget::Version,
            SortTarget::Create,
            SortTarget::Mod,
            SortTarget::Value,
        ];
        let near = |random: &mut Prng, revision: i64| random.below(revision as u64 + 2) as i64;
        let maybe = |random: &mut Prng, revision| match random.chance(1, 4) {
            true => near(random, revision),
            false => 0,
        };
        RangeRequest {
            range: self.range(),
            limit: self.random.below(4) as i64,
            revision: maybe(&mut self.random, self.revision),
            sort_order: *self.random.pick(&orders).expect("not empty"),
            sort_target: *self.random.pick(&targets).expect("not empty"),
            serializable: self.random.chance(1, 2),
            keys_only: self.random.chance(1, 4),
            count_only: self.random.chance(1, 6),
            min_mod_revision: maybe(&mut self.random, self.revision),
            max_create_revision: maybe(&mut self.random, self.revision),
            ..Default::default()
        }
    }

    fn compare(&mut self) -> Compare {
        let results = [
            CompareResult::Equal,
            CompareResult::Greater,
            CompareResult::Less,
            CompareResult::NotEqual,
        ];
        let number = self.random.below(self.revision as u64 + 1) as i64;
        let target = match self.random.below(5) {
            0 => CompareTarget::Version(number.min(3)),
            1 => CompareTarget::Create(number),
            2 => CompareTarget::Mod(number),
            3 => CompareTarget::Lease(number.min(4)),
            _ => CompareTarget::Value(self.value()),
        };
        let result = *self.random.pick(&results).expect("not empty");
        Compare { range: self.range(), result, target }
    }

    fn txn(&mut self, depth: u32) -> TxnRequest {
        let compare = (0..self.random.below(3)).map(|_| self.compare()).collect();
        let success = (0..self.random.below(4)).map(|_| self.operation(depth)).collect();
        let failure = (0..self.random.below(4)).map(|_| self.operation(depth)).collect();
        TxnRequest { compare, success, failure }
    }

    fn operation(&mut self, depth: u32) -> TxnOperation {
        match self.random.below(8) {
            0 => TxnOperation::DeleteRange(self.delete()),
            1 | 2 if depth > 0 => TxnOperation::Txn(self.txn(depth - 1)),
            3 | 4 => TxnOperation::Range(self.get()),
            _ => TxnOperation::Put(self.put()),
        }
    }

    fn delete(&mut self) -> DeleteRangeRequest {
        DeleteRangeRequest { range: self.range(), prev_kv: self.random.chance(1, 2) }
    }

    /// A request that passes its check.
    fn request(&mut self) -> Request {
        loop {
            let request = match self.random.below(16) {
                0 => Request::LeaseGrant(LeaseGrantRequest {
                    id: self.lease(),
                    ttl: self.random.below(6) as i64,
                }),
                1 => Request::LeaseRevoke { id: self.lease() },
                2 => Request::LeaseKeepAlive { id: self.lease() },
                3 | 4 => Request::DeleteRange(self.delete()),
                5..=9 => Request::Txn(self.txn(2)),
                10 | 11 => Request::Range(self.get()),
                _ => Request::Put(self.put()),
            };
            if request.check().is_ok() {
                return request;
            }
        }
    }
}

struct Pair {
    kv: Kv<MemoryBacking>,
    model: Model,
    index: u64,
}

impl Pair {
    fn new() -> Self {
        let kv = Kv::open(MemoryBacking::default()).expect("empty");
        Self { kv, model: Model::new(), index: 0 }
    }

    fn apply(&mut self, body: Body) -> Applied {
        self.index += 1;
        let bytes = command::encode(&Envelope { origin: CallOrigin::default(), body });
        let envelope = command::decode(&bytes).expect("our own bytes");
        self.kv.apply(self.index, 1, &envelope).expect("memory")
    }

    fn ask(&mut self, request: &Request) {
        let before = (self.model.keys.clone(), self.model.revision());
        if !request.is_write() {
            let mut answer = self.kv.read(request, 1);
            if let Ok(Response::Range(response)) = &mut answer {
                response.header.raft_term = 0;
            }
            assert_eq!(answer, self.model.execute(request), "{request:?}");
            return;
        }
        let applied = self.apply(Body::Write(request.clone()));
        assert_eq!(applied.result, self.model.execute(request), "{request:?}");
        self.check_events(before, &applied.events);
    }

    /// The events lead from the keys before to the keys now, one revision at a time.
    fn check_events(
        &self,
        (mut keys, mut revision): (std::collections::BTreeMap<Bytes, kv::api::KeyValue>, i64),
        events: &[RevisionEvents],
    ) {
        for group in events {
            revision += 1;
            assert_eq!(group.revision, revision);
            assert!(!group.events.is_empty());
            for event in &group.events {
                assert_eq!(event.kv.mod_revision, revision);
                match event.kind {
                    EventKind::Put => {
                        assert!(event.kv.create_revision <= event.kv.mod_revision);
                        keys.insert(event.kv.key.clone(), event.kv.clone());
                    }
                    EventKind::Delete => {
                        assert!(keys.remove(&event.kv.key).is_some());
                    }
                }
            }
        }
        assert_eq!(keys, self.model.keys);
        assert_eq!(revision, self.model.revision());
        assert_eq!(revision, self.kv.revision());
    }

    fn advance(&mut self, elapsed_ms: u64) {
        let before = (self.model.keys.clone(), self.model.revision());
        let applied = self.apply(Body::Advance { elapsed_ms, term: 1 });
        self.model.advance(elapsed_ms, ADVANCE_MS_MAX);
        self.check_events(before, &applied.events);
    }
}

#[test]
fn agrees_with_the_plain_model() {
    let mut refusals = 0;
    for seed in 0..300 {
        let mut pair = Pair::new();
        let mut draw = Draw { random: Prng::named(seed, "kv"), revision: 1 };
        for _ in 0..80 {
            draw.revision = pair.kv.revision();
            if draw.random.chance(1, 6) {
                pair.advance(draw.random.between(1, ADVANCE_MS_MAX));
            } else {
                let request = draw.request();
                pair.ask(&request);
                refusals += u32::from(pair.model.clone().execute(&request).is_err());
            }
        }
        pair.kv.store().verify().expect("memory");
        let leases = Request::LeaseLeases;
        let expected: Vec<i64> = pair.model.leases.keys().copied().collect();
        match pair.kv.read(&leases, 1) {
            Ok(Response::LeaseLeases(response)) => assert_eq!(response.leases, expected),
            other => panic!("{other:?}"),
        }
    }
    assert!(refusals > 300, "only {refusals} refusals: the requests were too tame");
}

#[test]
fn a_member_that_restarts_anywhere_stays_equal() {
    for seed in 0..150 {
        let mut random = Prng::named(seed, "restart");
        let mut draw = Draw { random: random.fork("requests"), revision: 1 };
        let mut steady = Pair::new();
        let mut shaky = Pair::new();
        let mut log: Vec<Envelope> = Vec::new();
        for call in 1..=80 {
            draw.revision = steady.kv.revision();
            let body = match draw.random.below(5) {
                0 => Body::Advance { elapsed_ms: 700, term: 1 + draw.random.below(2) },
                _ => match draw.request() {
                    request if request.is_write() => Body::Write(request),
                    _ => continue,
                },
            };
            // Now and then the same call comes twice.
            let call = if random.chance(1, 8) { call - 1 } else { call };
            let origin = CallOrigin { member: 1 + call % 3, incarnation: 7, call };
            log.push(Envelope { origin, body });
            let index = log.len() as u64;
            let expected = steady.kv.apply(index, 1, &log[index as usize - 1]).expect("memory");
            if random.chance(1, 5) {
                let kv = core::mem::replace(&mut shaky, Pair::new()).kv;
                let mut backing = kv.into_backing();
                let lost = random.below(backing.records() as u64 + 1) as usize;
                backing.truncate(backing.records() - lost.min(10));
                shaky.kv = Kv::open(backing).expect("our own log");
            }
            // After losing its tail it applies the log again from where it stands.
            let mut last = None;
            for index in shaky.kv.applied_index() + 1..=index {
                let envelope = &log[index as usize - 1];
                last = Some(shaky.kv.apply(index, 1, envelope).expect("memory"));
            }
            assert_eq!(last, Some(expected), "seed {seed} index {index}");
            let state = |kv: &Kv<MemoryBacking>| {
                (kv.revision(), kv.store().digest(kv.revision()), kv.side_digest())
            };
            assert_eq!(state(&shaky.kv), state(&steady.kv), "seed {seed} index {index}");
        }
    }
}
