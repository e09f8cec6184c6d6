//! Callers: sessions that put, get, compare-and-swap and delete on a few shared keys.
//!
//! A session has one call under way. It gives up after its patience and then does something else
//! elsewhere: what became of the call it does not know, and the history does not either. Every
//! value begins with the number of the operation that writes it, so that each value has one author.

use std::collections::BTreeMap;

use base::Prng;
use bytes::{Bytes, BytesMut};
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, Error, Header, KeyRange, KeyValue,
    LeaseGrantRequest, PutRequest, RangeRequest, Request, Response, TxnOperation, TxnRequest,
    TxnResult,
};

use crate::swarm::Swarm;
use crate::time::Nanos;
use crate::truth::{Member, Operation};

/// Operations of a session are numbered from its number times this.
const SESSION_STEP: u64 = 1_000_000;

/// One of so many calls of who holds leases is about one.
const LEASES_EVERY: u64 = 12;

/// One session's number.
pub type Session = usize;

/// A call under way.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number.
    pub operation: Operation,
    /// What it asks.
    pub request: Request,
    /// The member it was sent to.
    pub member: Member,
}

/// What callers went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// Calls made.
    pub called: u64,
    /// Answered with what was asked for.
    pub succeeded: u64,
    /// Answered with a refusal.
    pub refused: u64,
    /// Given up.
    pub abandoned: u64,
}

/// All sessions.
#[derive(Debug)]
pub struct Callers {
    /// The members that are asked.
    targets: Vec<Member>,
    sessions: Vec<SessionState>,
    counts: CallCounts,
}

#[derive(Debug)]
struct SessionState {
    /// Its own stream: what one session does moves no other.
    random: Prng,
    keys: u64,
    value_bytes_max: u64,
    looks_back: bool,
    holds_leases: bool,
    /// The lease that it holds, as far as it knows.
    lease: Option<i64>,
    /// The newest revision that an answer named.
    revision: i64,
    /// Operations so far.
    operations: u64,
    home: Member,
    call: Option<Call>,
    /// When the next call is to begin.
    next_ns: Nanos,
    /// What the session saw last of each key; it swaps on this.
    seen: BTreeMap<Bytes, Option<KeyValue>>,
}

impl Callers {
    /// The sessions of `seed` that `swarm` asks for.
    pub fn new(seed: u64, swarm: &Swarm) -> Self {
        let session = |number: Session| {
            let mut random = Prng::named(seed, &format!("caller/{number}"));
            SessionState {
                home: random.below(swarm.members as u64) as usize,
                random,
                keys: swarm.keys,
                value_bytes_max: swarm.value_bytes_max,
                looks_back: swarm.looks_back,
                holds_leases: swarm.holds_leases,
                lease: None,
                revision: 1,
                operations: 0,
                call: None,
                next_ns: 0,
                seen: BTreeMap::new(),
            }
        };
        Self {
            targets: (0..swarm.members).collect(),
            sessions: (0..swarm.sessions).map(session).collect(),
            counts: CallCounts::default(),
        }
    }

    /// The members that are asked.
    pub fn targets(&self) -> &[Member] {
        &self.targets
    }

    /// Asks only `targets` from now on.
    pub fn turn_to(&mut self, targets: Vec<Member>) {
        self.targets = targets;
        (0..self.sessions.len()).for_each(|session| self.move_on(session));
    }

    /// Knows `targets` from now on; whoever asks another one still does so until that fails.
    pub fn learn_targets(&mut self, targets: Vec<Member>) {
        self.targets = targets;
        for session in 0..self.sessions.len() {
            if !self.targets.contains(&self.sessions[session].home) {
                self.move_on(session);
            }
        }
    }

    /// A duration below `bound`, of the session's own chance.
    pub fn below(&mut self, session: Session, bound: Nanos) -> Nanos {
        self.sessions[session].random.below(bound)
    }

    /// Draws when the call after the one that `session` begins at `now` is to begin.
    pub fn plan_next(&mut self, session: Session, now: Nanos, bound: Nanos) {
        self.sessions[session].next_ns = now + self.below(session, bound);
    }

    /// When the next call of `session` is to begin.
    pub fn next_ns(&self, session: Session) -> Nanos {
        self.sessions[session].next_ns
    }

    /// What they went through.
    pub fn counts(&self) -> CallCounts {
        self.counts
    }

    /// Calls under way.
    pub fn waiting(&self) -> usize {
        self.sessions.iter().filter(|session| session.call.is_some()).count()
    }

    /// Begins a call of `session`, unless `is_silent` says that it is not to be made.
    pub fn begin(
        &mut self,
        session: Session,
        is_silent: impl Fn(Operation) -> bool,
    ) -> Option<Call> {
        let state = &mut self.sessions[session];
        state.operations += 1;
        let operation = Operation::new(session as u64 * SESSION_STEP + state.operations);
        let request = state.request(session, operation);
        if is_silent(operation) {
            return None;
        }
        self.counts.called += 1;
        let call = Call { operation, request, member: state.home };
        state.call = Some(call.clone());
        Some(call)
    }

    /// Ends the call `operation` of `session` with an answer; `None` if it is not under way.
    pub fn end(
        &mut self,
        session: Session,
        operation: Operation,
        result: &Result<Response, Error>,
    ) -> Option<Call> {
        let state = &mut self.sessions[session];
        let call = state.call.take_if(|call| call.operation == operation)?;
        match result {
            Ok(response) => {
                self.counts.succeeded += 1;
                state.learn(&call.request, response);
            }
            Err(error) => {
                state.lease.take_if(|_| *error == Error::LeaseNotFound);
                self.counts.refused += 1;
                self.move_on(session);
            }
        }
        Some(call)
    }

    /// Gives up the call `operation` of `session`; false if it is not under way.
    pub fn abandon(&mut self, session: Session, operation: Operation) -> bool {
        let call = &mut self.sessions[session].call;
        let abandoned = call.take_if(|call| call.operation == operation).is_some();
        if abandoned {
            self.counts.abandoned += 1;
            self.move_on(session);
        }
        abandoned
    }

    /// Asks another member from now on.
    fn move_on(&mut self, session: Session) {
        let state = &mut self.sessions[session];
        state.home = state.random.pick(&self.targets).copied().unwrap_or(0);
    }
}

impl SessionState {
    fn request(&mut self, session: Session, operation: Operation) -> Request {
        if self.looks_back
            && let Some(request) = self.look_back()
        {
            return request;
        }
        if self.holds_leases && self.random.chance(1, LEASES_EVERY) {
            return self.lease(session, operation);
        }
        let key = self.key();
        match self.random.below(100) {
            0..35 => Request::Put(self.put(key, operation)),
            35..60 => self.get(KeyRange::single(key), 0),
            60..65 => {
                let limit = self.random.below(10) as i64;
                self.get(KeyRange::prefix("key/"), limit)
            }
            65..90 => self.swap(key, operation),
            _ => self.delete(session, key, operation),
        }
    }

    /// Asks for a lease, or does something with the one it has.
    fn lease(&mut self, session: Session, operation: Operation) -> Request {
        let Some(id) = self.lease else {
            let (ttl, id) = (self.random.between(1, 4) as i64, operation.get() as i64);
            return Request::LeaseGrant(LeaseGrantRequest { ttl, id });
        };
        match self.random.below(6) {
            0 => Request::LeaseRevoke { id },
            1 | 2 => Request::LeaseKeepAlive { id },
            _ => {
                let key = Bytes::from(format!("lease/{session:02}/{}", self.random.below(3)));
                Request::Put(PutRequest { lease: id, ..self.put(key, operation) })
            }
        }
    }

    /// Now and then: the past is read, or compacted; both may be a little too far on.
    fn look_back(&mut self) -> Option<Request> {
        let what = self.random.below(60);
        let past = |it: &mut Self, far| (it.revision + 2 - it.random.below(far) as i64).max(1);
        match what {
            0 => Some(Request::Compact { revision: past(self, 40), physical: false }),
            1..=4 => {
                let (range, revision) = (KeyRange::single(self.key()), past(self, 60));
                Some(Request::Range(RangeRequest { range, revision, ..RangeRequest::default() }))
            }
            5 | 6 => {
                let (range, revision) = (KeyRange::prefix("key/"), past(self, 60));
                let limit = self.random.below(10) as i64;
                let range = RangeRequest { range, revision, limit, ..RangeRequest::default() };
                Some(Request::Range(range))
            }
            _ => None,
        }
    }

    fn key(&mut self) -> Bytes {
        Bytes::from(format!("key/{:02}", self.random.below(self.keys)))
    }

    fn put(&mut self, key: Bytes, operation: Operation) -> PutRequest {
        let prev_kv = self.random.chance(1, 4);
        PutRequest { key, value: self.value(operation), prev_kv, ..PutRequest::default() }
    }

    fn value(&mut self, operation: Operation) -> Bytes {
        let mut value = BytesMut::from(format!("{operation}|").as_bytes());
        let longest = self.random.below(self.value_bytes_max);
        let len = self.random.below(longest + 1) as usize;
        let start = value.len();
        value.resize(start + len, 0);
        self.random.fill(&mut value[start..]);
        value.freeze()
    }

    fn get(&mut self, range: KeyRange, limit: i64) -> Request {
        Request::Range(RangeRequest { range, limit, ..RangeRequest::default() })
    }

    /// Put if the key is still as the session saw it, else read it.
    fn swap(&mut self, key: Bytes, operation: Operation) -> Request {
        let range = KeyRange::single(key.clone());
        let seen = self.seen.get(&key).cloned().flatten();
        let target = match (seen, self.random.below(3)) {
            (Some(seen), 0) => CompareTarget::Value(seen.value),
            (Some(seen), 1) => CompareTarget::Version(seen.version),
            (Some(seen), _) => CompareTarget::Mod(seen.mod_revision),
            (None, _) => CompareTarget::Create(0),
        };
        let compare = vec![Compare { range: range.clone(), result: CompareResult::Equal, target }];
        let success = vec![TxnOperation::Put(self.put(key, operation))];
        let read = RangeRequest { range, ..RangeRequest::default() };
        let failure = vec![TxnOperation::Range(read)];
        Request::Txn(TxnRequest { compare, success, failure })
    }

    /// Delete, and leave a mark so that the deletion has an author.
    fn delete(&mut self, session: Session, key: Bytes, operation: Operation) -> Request {
        let mark = Bytes::from(format!("mark/{session:02}"));
        let range = KeyRange::single(key);
        let delete = DeleteRangeRequest { range, prev_kv: self.random.chance(1, 2) };
        let success =
            vec![TxnOperation::DeleteRange(delete), TxnOperation::Put(self.put(mark, operation))];
        Request::Txn(TxnRequest { success, ..TxnRequest::default() })
    }

    fn learn(&mut self, request: &Request, response: &Response) {
        if let Some(header) = header_of(response) {
            self.revision = self.revision.max(header.revision);
        }
        match (request, response) {
            (_, Response::LeaseGrant(granted)) => self.lease = Some(granted.id),
            (_, Response::LeaseKeepAlive(kept)) if kept.ttl <= 0 => self.lease = None,
            (_, Response::LeaseRevoke(_)) => self.lease = None,
            (Request::Range(range), Response::Range(found)) if range.revision == 0 => {
                self.saw(&range.range.key, found.kvs.first().cloned());
            }
            (Request::Txn(txn), Response::Txn(found)) => {
                if let (Some(compare), [TxnResult::Range(found)]) =
                    (txn.compare.first(), &found.responses[..])
                {
                    self.saw(&compare.range.key, found.kvs.first().cloned());
                }
            }
            _ => {}
        }
    }

    fn saw(&mut self, key: &Bytes, value: Option<KeyValue>) {
        self.seen.insert(key.clone(), value);
    }
}

fn header_of(response: &Response) -> Option<Header> {
    match response {
        Response::Range(range) => Some(range.header),
        Response::Put(put) => Some(put.header),
        Response::Txn(txn) => Some(txn.header),
        Response::Compact(header) => Some(*header),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operation_of;

    fn callers() -> Callers {
        Callers::new(1, &Swarm::of(1))
    }

    #[test]
    fn every_write_names_its_operation_and_passes_the_check_of_the_store() {
        let mut callers = callers();
        let mut writes = 0;
        for round in 0..500 {
            let call = callers.begin(round % 4, |_| false).expect("it is made");
            assert_eq!(call.request.check(), Ok(()));
            let is_numbered = !matches!(
                call.request,
                Request::Compact { .. }
                    | Request::LeaseKeepAlive { .. }
                    | Request::LeaseRevoke { .. }
            );
            if call.request.is_write() && is_numbered {
                writes += 1;
                assert_eq!(operation_of(&call.request), Some(call.operation));
            }
            assert!(callers.abandon(round % 4, call.operation));
        }
        assert!((200..450).contains(&writes), "{writes}");
    }

    #[test]
    fn an_answer_that_comes_too_late_is_nobodys() {
        let mut callers = callers();
        let first = callers.begin(0, |_| false).expect("it is made");
        assert!(callers.abandon(0, first.operation));
        assert!(!callers.abandon(0, first.operation));
        assert!(callers.begin(0, |_| true).is_none());
        let second = callers.begin(0, |_| false).expect("it is made");
        let late = Err(Error::Timeout);
        assert!(callers.end(0, first.operation, &late).is_none());
        assert!(callers.end(0, second.operation, &late).is_some());
        assert_eq!(callers.waiting(), 0);
        let counts = callers.counts();
        assert_eq!((counts.called, counts.refused, counts.abandoned), (2, 1, 1));
    }
}
