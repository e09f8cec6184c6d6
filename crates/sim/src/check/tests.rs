//! Each checker against a history that breaks its rule, told fact by fact.

use bytes::Bytes;
use kv::api::{Error, Header, PutRequest, PutResponse, RangeRequest, Request, Response};
use kv::command::{Body, CallOrigin, Envelope};
use raft::{
    Entry, HardState, LogId, LogIndex, Message, Payload, Persist, Recovered, RoleName, Status,
    Term, Ticket,
};

use super::{Checkers, Violation};
use crate::swarm::Swarm;
use crate::truth::{Fact, Member, Operation, Truth, id_of};

/// Three members, and every checker.
struct History {
    truth: Truth,
    checkers: Checkers,
    tickets: [u64; 3],
}

impl History {
    fn new() -> Self {
        Self { truth: Truth::new(3, 3), checkers: Checkers::new(&Swarm::of(1)), tickets: [0; 3] }
    }

    fn tell(&mut self, fact: &Fact<'_>) -> Result<(), Violation> {
        self.truth.see(fact).expect("the facts are readable");
        self.checkers.see(fact, &self.truth)
    }

    fn order(
        &mut self,
        member: Member,
        cut: Option<u64>,
        entries: &[Entry],
    ) -> Result<(), Violation> {
        self.order_with(member, None, cut, entries)
    }

    fn order_with(
        &mut self,
        member: Member,
        hard_state: Option<HardState>,
        cut: Option<u64>,
        entries: &[Entry],
    ) -> Result<(), Violation> {
        self.tickets[member] += 1;
        let ticket = Ticket::new(self.tickets[member]);
        let (truncate_from, entries) = (cut.map(LogIndex::new), entries.into());
        let (memberships, rebase) = (None, None);
        let persist = Persist { ticket, hard_state, memberships, rebase, truncate_from, entries };
        self.tell(&Fact::Ordered { member, persist: &persist })
    }

    fn persisted(&mut self, member: Member) -> Result<(), Violation> {
        let ticket = Ticket::new(self.tickets[member]);
        self.tell(&Fact::Persisted { member, ticket })
    }

    fn write(&mut self, member: Member, entries: &[Entry]) -> Result<(), Violation> {
        self.order(member, None, entries)?;
        self.persisted(member)
    }

    /// Everybody has voted for it.
    fn lead(&mut self, member: Member, term: u64) -> Result<(), Violation> {
        for voter in &mut self.truth.members {
            voter.votes.insert(Term::new(term), id_of(member));
        }
        self.tell(&Fact::Became { member, role: RoleName::Leader, term: Term::new(term) })
    }

    fn status(&self, member: Member, term: u64, index: u64) -> Status {
        Status {
            id: id_of(member),
            role: RoleName::Leader,
            term: Term::new(term),
            leader: None,
            commit: LogIndex::new(index),
            applied: LogIndex::ZERO,
            last: self.truth.members[member].ordered.last_id(),
            persisted: LogIndex::ZERO,
            base: LogId::ZERO,
            membership_index: LogIndex::ZERO,
            membership: crate::truth::founding(3),
            restriction: None,
            disk_stalled_ticks: 0,
            transfer_to: None,
            peers: std::collections::BTreeMap::new(),
        }
    }

    fn commit(&mut self, member: Member, term: u64, index: u64) -> Result<(), Violation> {
        let status = self.status(member, term, index);
        self.tell(&Fact::Observed { member, status: &status })
    }

    fn send(&mut self, member: Member, body: raft::Body) -> Result<(), Violation> {
        let message = Message { term: Term::new(1), body };
        self.tell(&Fact::Sent { member, to: 2, message: &message })
    }

    fn open(&mut self, member: Member, term: u64, entries: &[Entry]) -> Result<(), Violation> {
        self.tell(&Fact::Died { member })?;
        let hard_state = HardState { term: Term::new(term), vote: None };
        let last = entries.last().map_or(LogId::ZERO, |entry| entry.id);
        let tail = entries.to_vec();
        let recovered = Recovered { hard_state, last, tail, ..Recovered::default() };
        self.tell(&Fact::Opened { member, recovered: &recovered })
    }

    /// Members 1 and 2 hold and commit `puts`, led by member 1 in term 1.
    fn committed(puts: &[(u64, &'static str)]) -> Self {
        let mut history = Self::new();
        let entries: Vec<Entry> = puts
            .iter()
            .zip(1..)
            .map(|((call, value), index)| put(1, index, *call, value))
            .collect();
        let told = [history.lead(0, 1), history.write(0, &entries), history.write(1, &entries)];
        assert_eq!(told, [Ok(()), Ok(()), Ok(())]);
        assert_eq!(history.commit(0, 1, puts.len() as u64), Ok(()));
        history
    }

    fn call(&mut self, operation: u64, request: &Request) {
        let operation = Operation::new(operation);
        assert_eq!(self.tell(&Fact::Called { operation, request }), Ok(()));
    }

    fn answer(
        &mut self,
        operation: u64,
        request: &Request,
        result: Result<Response, Error>,
        served_at: Option<u64>,
    ) -> Result<(), Violation> {
        let (operation, served_at) = (Operation::new(operation), served_at.map(LogIndex::new));
        self.tell(&Fact::Answered { operation, request, result: &result, served_at })
    }
}

fn empty(term: u64, index: u64) -> Entry {
    Entry { id: LogId::new(Term::new(term), LogIndex::new(index)), payload: Payload::Empty }
}

fn put_request(value: &'static str) -> Request {
    let (key, value) = (Bytes::from_static(b"k"), Bytes::from_static(value.as_bytes()));
    Request::Put(PutRequest { key, value, ..PutRequest::default() })
}

fn put(term: u64, index: u64, call: u64, value: &'static str) -> Entry {
    let origin = CallOrigin { member: 1, incarnation: 1, call };
    let envelope = Envelope { origin, body: Body::Write(put_request(value)) };
    let id = LogId::new(Term::new(term), LogIndex::new(index));
    Entry { id, payload: Payload::Data(kv::command::encode(&envelope)) }
}

fn get_request() -> Request {
    let range = kv::api::KeyRange::single(Bytes::from_static(b"k"));
    Request::Range(RangeRequest { range, ..RangeRequest::default() })
}

fn put_response(revision: i64) -> Response {
    let header = Header { revision, raft_term: 9 };
    Response::Put(PutResponse { header, prev_kv: None })
}

fn check(told: Result<(), Violation>, rule: &str, part: &str) {
    let violation = told.expect_err("the rule is broken");
    assert_eq!(violation.rule, rule, "{violation}");
    assert!(violation.text.contains(part), "{violation}");
}

#[test]
fn r1_two_leaders_of_one_term() {
    let mut history = History::new();
    assert_eq!(history.lead(0, 3), Ok(()));
    assert_eq!(history.lead(1, 4), Ok(()));
    check(history.lead(2, 3), "R1", "members 1 and 3 both lead term 3");
}

#[test]
fn r2_a_leader_that_cuts_its_log() {
    let mut history = History::committed(&[(1, "1|a")]);
    check(history.order(0, Some(1), &[]), "R2", "cuts its log at 1");
}

#[test]
fn r3_one_id_on_two_logs() {
    let mut history = History::new();
    assert_eq!(history.order(0, None, &[empty(1, 1), empty(3, 2)]), Ok(()));
    check(history.order(1, None, &[empty(2, 1), empty(3, 2)]), "R3", "another log below 3.2");
}

#[test]
fn r4_a_leader_that_lacks_what_was_committed() {
    let mut history = History::committed(&[(1, "1|a")]);
    check(history.lead(2, 2), "R4", "without the entries committed up to 1");
    // A leader of an older term, made by late votes, owes nothing.
    let mut history = History::new();
    let entries = [empty(5, 1)];
    history.write(0, &entries).and_then(|()| history.write(1, &entries)).expect("it is sound");
    assert_eq!(history.commit(0, 5, 1), Ok(()));
    assert_eq!(history.lead(2, 4), Ok(()));
}

#[test]
fn r4_an_old_term_committed_by_counting() {
    let mut history = History::new();
    let entries = [empty(1, 1)];
    history.write(0, &entries).and_then(|()| history.write(1, &entries)).expect("it is sound");
    check(history.commit(0, 2, 1), "R4", "commits 1.1 by counting in term 2");
}

#[test]
fn r5_other_entries_committed_or_applied_and_other_states() {
    let mut history = History::committed(&[(1, "1|a")]);
    assert_eq!(history.write(2, &[empty(2, 1)]), Ok(()));
    check(history.commit(2, 2, 1), "R5", "commits another log up to 1");

    let mut history = History::committed(&[(1, "1|a")]);
    let entries = [put(1, 1, 1, "1|b")];
    let applying = Fact::Applying { member: 1, entries: &entries };
    check(history.tell(&applying), "R5", "not what was committed there");

    let mut history = History::committed(&[(1, "1|a")]);
    let through = LogIndex::new(1);
    let applied = |member, digest| Fact::Applied { member, through, revision: 2, digest };
    assert_eq!(history.tell(&applied(0, 7)), Ok(()));
    check(history.tell(&applied(1, 8)), "R5", "state");
}

#[test]
fn r6_committed_but_not_on_the_platters_of_a_majority() {
    let mut history = History::new();
    let entries = [empty(1, 1)];
    history
        .write(0, &entries)
        .and_then(|()| history.order(1, None, &entries))
        .expect("it is sound");
    check(history.commit(0, 1, 1), "R6", "which 1 members hold durably");
}

#[test]
fn r7_promises_ahead_of_the_disk() {
    let vote = HardState { term: Term::new(1), vote: Some(id_of(2)) };
    let granted = || raft::Body::VoteReply { granted: true };
    let mut history = History::new();
    assert_eq!(history.order_with(0, Some(vote), None, &[]), Ok(()));
    check(history.send(0, granted()), "R7", "grants its vote in term 1 for member 3");
    assert_eq!(history.persisted(0), Ok(()));
    assert_eq!(history.send(0, granted()), Ok(()));
    let other = HardState { vote: Some(id_of(1)), ..vote };
    assert_eq!(history.order_with(0, Some(other), None, &[]), Ok(()));
    check(history.persisted(0), "R7", "votes twice in term 1");

    let mut history = History::new();
    let accepted = || raft::Body::AppendAccepted { matched: LogIndex::new(1) };
    assert_eq!(history.order(0, None, &[empty(1, 1)]), Ok(()));
    check(history.send(0, accepted()), "R7", "its disk holds 0");
    assert_eq!(history.persisted(0), Ok(()));
    assert_eq!(history.send(0, accepted()), Ok(()));
}

#[test]
fn r8_a_restart_that_lost_something() {
    let entries = [put(1, 1, 1, "1|a")];
    let mut history = History::committed(&[(1, "1|a")]);
    check(history.open(0, 1, &[]), "R8", "neither its durable log");

    let mut history = History::committed(&[(1, "1|a")]);
    let state = HardState { term: Term::new(4), vote: None };
    assert_eq!(history.order_with(0, Some(state), None, &[]), Ok(()));
    assert_eq!(history.persisted(0), Ok(()));
    check(history.open(0, 3, &entries), "R8", "restarts in term 3 after term 4");

    let mut history = History::committed(&[(1, "1|a")]);
    assert_eq!(history.open(0, 1, &entries), Ok(()));
    assert_eq!(history.commit(0, 2, 1), Ok(()));
    check(history.commit(0, 2, 0), "R8", "goes back");
}

#[test]
fn c1_acknowledged_and_not_committed_or_lost() {
    let request = put_request("5|x");
    let mut history = History::new();
    history.call(5, &request);
    let told = history.answer(5, &request, Ok(put_response(2)), None);
    check(told, "C1", "acknowledged but not committed");

    let mut history = History::committed(&[(5, "5|x")]);
    let told = history.tell(&Fact::Final { member: 1, content: &[], revision: 2 });
    check(told, "C1", "lost the last write");
}

#[test]
fn c2_a_value_that_nobody_wrote() {
    let mut history = History::committed(&[(5, "5|x")]);
    history.call(6, &get_request());
    let value = history.truth.model.content()[0].clone();
    let kvs = vec![kv::api::KeyValue { value: Bytes::from_static(b"7|y"), ..value }];
    let header = Header { revision: 2, raft_term: 1 };
    let range = kv::api::RangeResponse { header, kvs, more: false, count: 1 };
    let told = history.answer(6, &get_request(), Ok(Response::Range(range)), Some(1));
    check(told, "C2", "reads `7|y`, which nobody wrote");
}

#[test]
fn c3_a_write_applied_twice() {
    let mut history = History::committed(&[(5, "5|x"), (5, "5|x")]);
    let through = LogIndex::new(2);
    let applied = |revision| Fact::Applied { member: 0, through, revision, digest: 1 };
    assert_eq!(history.tell(&applied(2)), Ok(()));
    check(history.tell(&applied(3)), "C3", "at revision 3 after 2, not 2");
}

#[test]
fn c4_refused_for_certain_and_applied_all_the_same() {
    let request = put_request("5|x");
    let mut history = History::committed(&[(5, "5|x")]);
    history.call(5, &request);
    assert_eq!(history.answer(5, &request, Err(Error::NoLeader), None), Ok(()));
    let content = history.truth.model.content();
    let told = history.tell(&Fact::Final { member: 1, content: &content, revision: 2 });
    check(told, "C4", "refused as not applied, but was");
}

#[test]
fn t1_stale_reads_and_wrong_answers() {
    let write = put_request("5|x");
    let read = |history: &History, index| {
        let response = history.truth.model.read(LogIndex::new(index), &get_request());
        response.expect("the model can read").expect("the present is not compacted")
    };
    let mut history = History::committed(&[(5, "5|x"), (6, "6|y")]);
    history.call(5, &write);
    history.call(6, &write);
    assert_eq!(history.answer(5, &write, Ok(put_response(2)), None), Ok(()));
    assert_eq!(history.answer(6, &write, Ok(put_response(3)), None), Ok(()));
    history.call(7, &get_request());
    let stale = read(&history, 1);
    check(
        history.answer(7, &get_request(), Ok(stale), Some(1)),
        "T1",
        "was called after an answer",
    );

    history.call(8, &get_request());
    let wrong = read(&history, 1);
    check(history.answer(8, &get_request(), Ok(wrong), Some(2)), "T1", "hears");

    history.call(9, &get_request());
    let right = read(&history, 2);
    assert_eq!(history.answer(9, &get_request(), Ok(right), Some(2)), Ok(()));
}

#[test]
fn r10_a_read_below_what_was_committed_and_a_number_used_twice() {
    let mut history = History::new();
    history.call(5, &put_request("5|x"));
    history.call(6, &put_request("6|y"));
    // Nobody is answered, so the history alone would not convict.
    let entries = [put(1, 1, 5, "5|x"), put(1, 2, 6, "6|y")];
    let told = [history.lead(0, 1), history.write(0, &entries), history.write(1, &entries)];
    assert_eq!(told, [Ok(()), Ok(()), Ok(())]);
    assert_eq!(history.commit(0, 1, 2), Ok(()));
    history.call(7, &get_request());
    let stale = history.truth.model.read(LogIndex::new(1), &get_request());
    let stale = stale.expect("the model can read");
    let told = history.answer(7, &get_request(), stale, Some(1));
    check(told, "R10", "but 2 was committed when it was called");

    let ask =
        |read, incarnation| raft::Body::ReadRequest { read: raft::ReadId::new(read), incarnation };
    let mut history = History::new();
    assert_eq!(history.send(0, ask(7, 1)), Ok(()));
    assert_eq!(history.send(1, ask(7, 1)), Ok(()));
    assert_eq!(history.send(0, ask(1, 2)), Ok(()));
    check(history.send(0, ask(7, 1)), "R10", "uses the read number 7 again");
}

#[test]
fn r11_a_pre_vote_that_changes_the_term() {
    let mut history = History::new();
    let body = raft::Body::PreVoteRequest { last: LogId::ZERO };
    let message = Message { term: Term::new(4), body };
    let received = Fact::Received { member: 0, from: 1, message: &message };
    assert_eq!(history.tell(&received), Ok(()));
    let state = HardState { term: Term::new(5), vote: None };
    check(history.order_with(0, Some(state), None, &[]), "R11", "writes term 5");
}

#[test]
fn r15_a_leader_that_believes_too_much() {
    let mut history = History::committed(&[(1, "1|a")]);
    let peer = |matched| raft::PeerProgress {
        matched: LogIndex::new(matched),
        next: LogIndex::new(matched + 1),
        state: raft::PeerState::Replicate,
        inflight_messages: 0,
        inflight_bytes: 0,
        silent_ticks: 0,
    };
    let mut observe = |of, matched| {
        let mut status = history.status(0, 1, 1);
        status.peers.insert(id_of(of), peer(matched));
        history.tell(&Fact::Observed { member: 0, status: &status })
    };
    assert_eq!(observe(1, 1), Ok(()));
    assert_eq!(observe(2, 0), Ok(()));
    check(observe(2, 1), "R15", "believes that member 3 holds its log up to 1");
}

#[test]
fn r16_a_leader_alone() {
    let mut history = History::new();
    assert_eq!(history.lead(0, 1), Ok(()));
    let message = Message { term: Term::new(0), body: raft::Body::VoteReply { granted: false } };
    let mut alone = Ok(());
    for tick in 0..1000 {
        if tick < 300 {
            let heard = Fact::Received { member: 0, from: 1, message: &message };
            assert_eq!(history.tell(&heard), Ok(()));
        }
        alone = alone.and_then(|()| history.tell(&Fact::Ticked { member: 0 }));
        assert!(alone.is_ok() || tick >= 2, "not at once");
    }
    check(alone, "R16", "has heard 1 of 3 members");
}

#[test]
fn r9_a_leader_without_a_majority_and_a_change_before_the_one_before_is_committed() {
    let mut history = History::new();
    let term = Term::new(3);
    let became = Fact::Became { member: 0, role: RoleName::Leader, term };
    history.truth.members[0].votes.insert(term, id_of(0));
    check(history.tell(&became), "R9", "without the votes of a majority of {1 2 3}");

    let mut history = History::new();
    let joint = crate::truth::founding(3)
        .changed(&[raft::ChangeStep::Remove { id: id_of(2) }])
        .expect("it makes sense");
    let change = |index, membership: raft::Membership| Entry {
        id: LogId::new(Term::new(1), LogIndex::new(index)),
        payload: Payload::Membership(Box::new(membership)),
    };
    let entries = [empty(1, 1), change(2, joint.clone()), change(3, joint.left())];
    history.lead(0, 1).and_then(|()| history.write(0, &entries)).expect("it is sound");
    history.write(1, &entries).expect("it is sound");
    let mut status = history.status(0, 1, 1);
    (status.membership_index, status.membership) = (LogIndex::new(3), joint.left());
    let told = history.tell(&Fact::Observed { member: 0, status: &status });
    check(told, "R9", "before what precedes it is committed");

    let mut status = history.status(0, 1, 1);
    (status.membership_index, status.membership) = (LogIndex::new(2), joint);
    let told = history.tell(&Fact::Observed { member: 0, status: &status });
    check(told, "R9", "but its log ends with {1 2} at 3");
}

#[test]
fn r12_a_log_cut_above_the_durable_state_and_a_snapshot_of_something_else() {
    let mut history = History::committed(&[(1, "1|a"), (2, "2|b")]);
    let base = LogId::new(Term::new(1), LogIndex::new(2));
    let persist = Persist {
        ticket: Ticket::new(9),
        hard_state: None,
        memberships: None,
        rebase: Some(raft::Rebase::Cut { base }),
        truncate_from: None,
        entries: raft::Entries::default(),
    };
    let cut = Fact::Ordered { member: 0, persist: &persist };
    check(history.tell(&cut), "R12", "its state is durable through 0");
    let durable = Fact::StateDurable { member: 0, through: LogIndex::new(2) };
    assert_eq!(history.tell(&durable), Ok(()));
    assert_eq!(history.tell(&cut), Ok(()));

    let offer =
        |last, membership| raft::Snapshot { last, membership_index: LogIndex::ZERO, membership };
    let right = offer(base, crate::truth::founding(3));
    assert_eq!(history.tell(&Fact::Offered { member: 0, snapshot: &right }), Ok(()));
    let later = offer(LogId::new(Term::new(1), LogIndex::new(3)), crate::truth::founding(3));
    let told = history.tell(&Fact::Offered { member: 0, snapshot: &later });
    check(told, "R12", "never committed");
    let other = offer(base, crate::truth::founding(2));
    let told = history.tell(&Fact::Offered { member: 0, snapshot: &other });
    check(told, "R12", "but it was {1 2 3} since 0");
}
