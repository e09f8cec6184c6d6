//! Bytes of messages: what is written is read back, old bytes stay readable, hostile ones are
//! refused.

use base::Prng;
use bytes::Bytes;
use raft::wire::{DecodeError, decode, decode_payload, encode, encode_behind, encode_payload};
use raft::{
    Body, ChangeError, ChangeStep, Entries, Entry, LogId, Malformed, MemberId, Membership, Message,
    Payload, Plan,
};

fn id(term: u64, index: u64) -> LogId {
    LogId::new(term.into(), index.into())
}

fn data(term: u64, index: u64, text: &'static str) -> Entry {
    Entry { id: id(term, index), payload: Payload::Data(Bytes::from_static(text.as_bytes())) }
}

fn message(term: u64, body: Body) -> Message {
    Message { term: term.into(), body }
}

fn samples() -> Vec<(Message, &'static str)> {
    let empty = Entry { id: id(5, 8), payload: Payload::Empty };
    let append = Body::Append {
        prev: id(4, 7),
        entries: [empty, data(5, 9, "hi")].into(),
        commit: 6.into(),
    };
    let read_reply = |index: Option<u64>| Body::ReadReply {
        read: 3.into(),
        incarnation: 1,
        index: index.map(Into::into),
    };
    let received = |has_lost| Body::HeartbeatReply {
        round: 9,
        received: 8.into(),
        matched: 7.into(),
        has_lost,
    };
    vec![
        (message(5, Body::PreVoteRequest { last: id(4, 7) }), "0805120408041007"),
        (message(5, Body::PreVoteReply { campaign: 6.into(), granted: true }), "08051a0408061001"),
        (message(5, Body::VoteRequest { last: id(4, 7), is_transfer: false }), "0805220408041007"),
        (
            message(5, Body::VoteRequest { last: id(4, 7), is_transfer: true }),
            "08052206080410071801",
        ),
        (message(5, Body::VoteReply { granted: true }), "08052a020801"),
        (message(5, Body::VoteReply { granted: false }), "08052a00"),
        (message(5, append), "0805321408041007180622040805120022060805 1a026869"),
        (message(5, Body::AppendAccepted { matched: 9.into() }), "08053a020809"),
        (
            message(
                5,
                Body::AppendRejected { prev: 9.into(), have: id(3, 8), term_start: 2.into() },
            ),
            "0805420808091003180820 02",
        ),
        (message(5, Body::Heartbeat { commit: 6.into(), round: Some(0) }), "08054a0408061000"),
        (message(5, Body::Heartbeat { commit: 6.into(), round: None }), "08054a020806"),
        (message(5, received(false)), "0805520608091008 1807"),
        (message(5, received(true)), "0805520808091008 1807 2001"),
        (
            message(5, Body::ReadRequest { read: 3.into(), incarnation: 1 }),
            "08055a0b0803110100000000000000",
        ),
        (message(5, read_reply(Some(6))), "0805620d08031101000000000000001806"),
        (message(5, read_reply(None)), "0805620b0803110100000000000000"),
        (message(5, Body::NewerTerm), "08056a00"),
        (message(5, Body::TimeoutNow), "08057200"),
    ]
}

#[test]
fn every_message_has_its_frozen_bytes() {
    for (message, expect) in samples() {
        let bytes = encode(&message);
        assert_eq!(testkit::hex(&bytes), expect.replace(' ', ""), "{message:?}");
        assert_eq!(decode(bytes), Ok(message));
    }
}

#[test]
fn payloads_share_the_memory_of_the_frame() {
    let text = "a payload that is long enough to see where it lies";
    let entries = vec![data(1, 1, text)];
    let body = Body::Append { prev: LogId::ZERO, entries: entries.into(), commit: 0.into() };
    let frame = encode_behind(b"header", &message(1, body));
    let Ok(Message { body: Body::Append { entries, .. }, .. }) = decode(frame.slice(6..)) else {
        panic!("an append");
    };
    let Payload::Data(payload) = &entries[0].payload else { panic!("data") };
    assert_eq!(payload, text.as_bytes());
    assert!(frame.as_ptr_range().contains(&payload.as_ptr()), "the payload was copied");
}

#[test]
fn impossible_messages_are_refused_with_the_place() {
    let check = |body: Body, expect: &str| {
        let error = decode(encode(&message(5, body))).expect_err("impossible");
        assert_eq!(error.to_string(), format!("an impossible raft message: {expect}"));
    };
    let append = |entries| Body::Append { prev: id(4, 7), entries, commit: 0.into() };
    check(
        append([data(4, 8, "a"), data(3, 9, "b")].into()),
        "entry 1 of the append does not follow the one before it",
    );
    check(
        append([data(6, 8, "a")].into()),
        "entry 0 of the append does not follow the one before it",
    );
    check(
        Body::AppendAccepted { matched: u64::MAX.into() },
        "matched is above 4611686018427387904",
    );
    check(
        Body::AppendRejected { prev: 3.into(), have: id(1, 4), term_start: 1.into() },
        "the rejected append and what is held do not fit",
    );
    let body =
        Body::Append { prev: id(4, u64::MAX), entries: Entries::default(), commit: 0.into() };
    check(body, "prev is above 4611686018427387904");
    let hole = Message { term: 5.into(), body: append([data(4, 9, "a")].into()) };
    assert_eq!(hole.check(), Err(Malformed::Entries { position: 0 }));
}

#[test]
fn hostile_bytes_end_in_an_error() {
    assert_eq!(decode(Bytes::new()), Err(DecodeError::NoBody));
    assert_eq!(decode(Bytes::from_static(&[8, 5])), Err(DecodeError::NoBody));
    // An entry without a payload.
    let bare = Bytes::from_static(&[8, 5, 0x32, 4, 0x22, 2, 8, 5]);
    assert_eq!(decode(bare), Err(DecodeError::NoPayload));
    let mut prng = Prng::named(1, "hostile");
    let samples = samples();
    for _ in 0..50_000 {
        let (message, _) = prng.pick(&samples).expect("samples");
        let mut bytes = encode(message).to_vec();
        for _ in 0..prng.between(1, 4) {
            let at = prng.below(bytes.len() as u64) as usize;
            match prng.below(3) {
                0 => bytes[at] = prng.next_u64() as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, prng.next_u64() as u8),
            }
        }
        // Whatever still reads as a message is one that a correct member could have sent.
        if let Ok(message) = decode(Bytes::from(bytes)) {
            assert_eq!(message.check(), Ok(()));
        }
    }
}

#[test]
fn payloads_of_log_records_have_frozen_bytes() {
    let check = |payload: Payload, expect: &[u8]| {
        assert_eq!(encode_payload(&payload), expect);
        assert_eq!(decode_payload(Bytes::copy_from_slice(expect)), Ok(payload));
    };
    check(Payload::Empty, &[0]);
    check(Payload::Data(Bytes::from_static(b"hi")), &[1, b'h', b'i']);
    check(Payload::Data(Bytes::new()), &[1]);
    for bad in [&[][..], &[3], &[0, 0], &[255, 1]] {
        assert_eq!(decode_payload(Bytes::copy_from_slice(bad)), Err(DecodeError::NoPayload));
    }
}

#[test]
fn memberships_have_frozen_bytes() {
    let named = |id: u64| (MemberId::new(id), Bytes::from_static(b"a"));
    let founding = Membership::founding([named(1), named(2), named(3)]);
    let add = |id: u64, plan| ChangeStep::AddLearner { id: id.into(), context: Bytes::new(), plan };
    let steps = [
        add(4, Plan::Stay),
        add(5, Plan::Promote),
        add(6, Plan::Replace(2.into())),
        ChangeStep::Remove { id: 3.into() },
    ];
    let joint = founding.changed(&steps).expect("a change");
    let expect = "0a0201021203010203\
                  1a020804 1a0408051001 1a06080610011802\
                  2205080112 0161 2205080212 0161 2205080312 0161 22020804 22020805 22020806\
                  2806";
    let payload = Payload::Membership(Box::new(joint.clone()));
    let bytes = encode_payload(&payload);
    assert_eq!(testkit::hex(&bytes[1..]), expect.replace(' ', ""));
    assert_eq!((bytes[0], decode_payload(bytes.clone())), (2, Ok(payload)));
    for cut in 2..bytes.len() {
        let cut = decode_payload(bytes.slice(..cut));
        assert_ne!(cut, Ok(Payload::Membership(Box::new(joint.clone()))));
    }
    let nobody = decode_payload(Bytes::from_static(&[2, 0x28, 6]));
    assert_eq!(nobody, Err(DecodeError::Membership(ChangeError::NoVoters)));
}
